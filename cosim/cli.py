"""The command `cosim`: each verb parses, calls and prints; heavy imports happen inside the verb."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from cosim.config import Study
    from cosim.study import Progress

app = typer.Typer(
    name="cosim",
    help="Train neural networks on simulated analog hardware, and price the operations that trained them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

StudyFile = Annotated[Path, typer.Argument(help="Study file (TOML).", show_default=False)]
OutFolder = Annotated[Path | None, typer.Option("--out", help="Folder of the results; runs/NAME where not given.")]
Dask = Annotated[str | None, typer.Option("--dask", help="Address of a Dask scheduler whose workers train instead.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes; all cores where not given.")]
FitFolder = Annotated[Path | None, typer.Option("--out", help="Folder of the results; runs/fit_NAME where not given.")]
MEASUREMENT_HELP = "CSV with the columns pulse, direction (up, down), conductance_s and, for several, device."
BAD_INPUT, FAILED = 2, 1


class Kind(StrEnum):
    """What `cosim list` can list."""

    devices = "devices"
    algorithms = "algorithms"
    networks = "networks"
    hardware = "hardware"
    data = "data"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 success, 1 a failed run, 2 bad input."""
    try:
        code = app(args=arguments, standalone_mode=False)
    except typer.Exit as leave:
        code = leave.exit_code
    except typer.Abort:
        code = FAILED
    except Exception as error:
        # Typer brings its own copy of click, whose usage errors say what is wrong and what they exit with.
        describe = getattr(error, "format_message", None)
        if describe is None:
            raise
        if describe():  # without any arguments the help has been shown instead
            _tell(_usage(describe(), getattr(error, "ctx", None), sys.argv[1:] if arguments is None else arguments))
        code = getattr(error, "exit_code", BAD_INPUT)
    if arguments is None:
        sys.exit(code)
    return int(code or 0)


def _usage(problem: str, context: Any, arguments: list[str]) -> str:
    verb = f" {context.info_name}" if context is not None and context.parent is not None else ""
    problem = problem.replace("Value error, ", "")
    given = shlex.join(["cosim", *arguments])
    return f"{' '.join(problem.split()).rstrip('.')}; given: {given}; see: cosim{verb} --help"


@app.command()
def run(study: StudyFile, out: OutFolder = None, workers: Workers = None, dask: Dask = None) -> None:
    """Train and price every point of a study; finished points are kept, so a second call goes on."""
    with _plain_errors():
        from cosim.study import read_study

        checked, name = read_study(study)
        _run(checked, out if out is not None else Path("runs") / name, workers, dask)


@app.command()
def demo(out: OutFolder = None, workers: Workers = None) -> None:
    """Train and price eight configurations at 4 and 10 states on embedded digits; a few minutes."""
    with _plain_errors():
        from cosim.study import read_study

        with as_file(files("cosim") / "presets" / "demo.toml") as path:
            checked, _ = read_study(path)
        _run(checked, out if out is not None else Path("runs") / "demo", workers)


@app.command(epilog='Example: cosim price study.toml --run runs/study --where "accuracy >= 95 %" --smallest area')
def price(
    study: StudyFile,
    out: OutFolder = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Folder of a finished run, whose activity and accuracy are taken over.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Limit, for example 'energy <= 2 uJ'; may be repeated.")
    ] = None,
    smallest: Annotated[
        str, typer.Option("--smallest", help="Which of the designs within the limits is best: energy, latency, area.")
    ] = "energy",
) -> None:
    """Price a study, or a million designs, without training, at assumed activity or that of a run."""
    with _plain_errors():
        from cosim.config import load_sweep
        from cosim.explain import no_design, price_notes, price_report
        from cosim.record import Record
        from cosim.study import price_study
        from cosim.workers import RunError

        limits = where or []
        priced = price_study(load_sweep(study), run=run, conditions=limits, smallest=smallest)
        for part in price_report(priced, limits, smallest):
            _console().print(part)
        if out is not None:
            from cosim.reporting.page import write_page

            Record(out).write_price(priced.study, priced.files(), price_notes(priced))
            _console().print(f"Page: {write_page(out)}", soft_wrap=True)
        if not priced.designs["kept"].any():
            raise RunError(no_design(priced.designs, limits))


@app.command()
def explain(study: StudyFile) -> None:
    """Follow one training step of a study from the command to the kernel, with the study's own numbers."""
    with _plain_errors():
        from cosim.explain import explain_study
        from cosim.study import read_study

        _console().print(explain_study(read_study(study)[0]), soft_wrap=True, highlight=False, markup=False)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="Folder of a run.", show_default=False)]) -> None:
    """Write figures and page of a run folder again, from its tables."""
    with _plain_errors():
        from cosim.config import ConfigError
        from cosim.reporting.page import write_page

        try:
            page = write_page(folder)
        except ValueError as error:
            place = "" if str(folder) in str(error) else f"{folder}: the tables cannot be read: "
            raise ConfigError(f"{place}{error}") from None
        _console().print(f"Page: {page}", soft_wrap=True)


@app.command(epilog="Example: cosim fit measurement.csv --family soft_bounds --out runs/my_device")
def fit(
    measurement: Annotated[Path, typer.Argument(help=MEASUREMENT_HELP, show_default=False)],
    family: Annotated[str, typer.Option("--family", help="Response family, for example soft_bounds.")],
    out: FitFolder = None,
    w_min: Annotated[float, typer.Option("--w-min", help="Weight of the lowest conductance.")] = -1.0,
    w_max: Annotated[float, typer.Option("--w-max", help="Weight of the highest conductance.")] = 1.0,
) -> None:
    """Fit a device to a measured pulse response, with 95 % intervals; a study names it as device.preset."""
    with _plain_errors():
        from cosim.config import ConfigError
        from cosim.reporting.fit import fit_table, read_frame, write_fit
        from device_models.fitting import fit_device

        try:
            fitted = fit_device(read_frame(measurement), family, w_min=w_min, w_max=w_max)
        except FileNotFoundError:
            raise ConfigError(f"{measurement}: there is no such file") from None
        except ValueError as error:
            place = "" if str(measurement) in str(error) else f"{measurement}: "
            raise ConfigError(f"{place}{error}") from None
        folder = out if out is not None else Path("runs") / f"fit_{measurement.stem}"
        preset = write_fit(fitted, folder, measurement.stem, measurement.name)
        console = _console()
        console.print(fit_table(fitted))
        for warning in fitted.warnings:
            console.print(f"Note: {warning}", soft_wrap=True, highlight=False, markup=False)
        console.print(
            f"Preset: {preset}; a study takes it as device.preset, by its path from the study file",
            soft_wrap=True,
            markup=False,
        )


@app.command(epilog="Example: cosim characterise sar_adc tia --out runs/periphery")
def characterise(
    cells: Annotated[list[str] | None, typer.Argument(help="Cells; all where not given.", show_default=False)] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of points, figures and laws.")] = Path("runs/periphery"),
    table: Annotated[
        Path | None, typer.Option("--table", help="Folder of the calibration table; the package's where not given.")
    ] = None,
    workers: Workers = None,
) -> None:
    """Simulate the cells of the periphery with ngspice, and write what was measured into the calibration table."""
    with _plain_errors():
        from circuits.cells import CELLS
        from circuits.characterise import CharacterisationError
        from circuits.characterise import characterise as characterise_cells
        from circuits.simulator import SimulationError
        from cosim.config import ConfigError
        from cosim.reporting.periphery import summary_table, write_report
        from cosim.workers import RunError

        try:
            with _progress_bar("Characterise", unit="points") as progress:
                done = characterise_cells(
                    cells or CELLS, table_folder=table, workers=workers or os.cpu_count() or 1, progress=progress
                )
            written = write_report(done, out)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        except (CharacterisationError, SimulationError) as error:
            raise RunError(str(error)) from None
        _console().print(summary_table(done))
        _console().print(f"Report: {written}", soft_wrap=True)


@app.command(epilog="Example: cosim check runs/demo --size 16")
def check(
    target: Annotated[Path, typer.Argument(help="Folder of a run, or a study file to train.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; RUN/check or runs/STUDY_check where not given.")
    ] = None,
    size: Annotated[int, typer.Option("--size", help="Lines of a sub-array, 1 to 48.")] = 32,
    run_id: Annotated[
        str | None, typer.Option("--run-id", help="Run of the folder; else that with most tiles.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Mini-batches that a study is trained, instead of an epoch.")
    ] = None,
    tolerance_lsb: Annotated[
        float, typer.Option("--tolerance-lsb", help="Largest rms of what the tile model does not explain.")
    ] = 0.5,
) -> None:
    """Solve sub-arrays of a trained network as circuits with ngspice, and compare with the behavioural tiles."""
    with _plain_errors():
        from cosim.check import check as check_circuit
        from cosim.reporting.check import check_table, split_table, write_check
        from cosim.workers import RunError

        done = check_circuit(target, size=size, run_id=run_id, steps=steps, tolerance_lsb=tolerance_lsb, tell=_say)
        if out is None:
            out = target / "check" if target.is_dir() else Path("runs") / f"{target.stem}_check"
        page = write_check(done, out, f"Circuit in the loop: {target.stem}")
        _console().print(check_table(done))
        _console().print(split_table(done))
        _console().print(f"Page: {page}", soft_wrap=True)
        if not done.passed:
            raise RunError(f"the check failed: {done.reasons()}")


@app.command(name="list")
def list_known(
    kind: Annotated[Kind, typer.Argument(help="What to list.", show_default=False)],
    file: Annotated[Path | None, typer.Argument(help="Picture of --plot.", show_default="devices.png")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw the pulse response of every device (.png, .svg).")] = False,
) -> None:
    """List the devices, algorithms, networks, hardware presets or data sets that a study can name."""
    with _plain_errors():
        if plot or file is not None:
            _plot_devices(kind, file or Path("devices.png"), plot)
            return
        from cosim.explain import listing

        _console().print(listing(kind.value))


def _plot_devices(kind: Kind, file: Path, plot: bool) -> None:
    from cosim.config import ConfigError
    from cosim.reporting.responses import write_responses
    from device_models import list_devices

    if not plot:
        raise ConfigError(f"{str(file)!r} is given without --plot; to draw: cosim list devices --plot {file}")
    if kind is not Kind.devices:
        raise ConfigError(f"--plot draws devices; there is no picture of {kind.value}; see: cosim list devices --plot")
    try:
        written = write_responses(file, list_devices())
    except ValueError as error:
        raise ConfigError(str(error)) from None
    _console().print(f"Picture: {written}", soft_wrap=True, highlight=False, markup=False)


def _run(study: Study, folder: Path, workers: int | None, dask: str | None = None) -> None:
    from cosim.reporting.configurations import assign_configurations, summarise
    from cosim.reporting.table import results_table
    from cosim.reporting.tiles import wind_up_lines
    from cosim.study import run as run_study

    with _progress_bar(study.title) as progress:
        record = run_study(
            study, folder, workers=workers or os.cpu_count() or 1, dask=dask, progress=progress, tell=_say
        )
    shown = {point.run_id for point in study.points}
    results = record.results
    results = assign_configurations(results[results["run_id"].isin(shown)])
    console = _console()
    console.print(results_table(results))
    for line in wind_up_lines(record.tiles, results, summarise(results)):
        _say(line)
    console.print(f"Page: {record.folder / 'index.html'}", soft_wrap=True)


@contextmanager
def _progress_bar(title: str, unit: str = "epochs") -> Iterator[Progress]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console()) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn bad input into one paragraph and exit code 2, a failed run into one paragraph and exit code 1."""
    from cosim.config import ConfigError
    from cosim.data import DataError
    from cosim.workers import RunError

    try:
        yield
    except (ConfigError, DataError) as error:
        _fail(str(error), BAD_INPUT)
    except RunError as error:
        _fail(str(error), FAILED)
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}; make room or give another folder", FAILED)
    except KeyboardInterrupt:
        _fail("interrupted; finished rows are kept, the same command goes on from here", FAILED)


def _fail(message: str, code: int) -> None:
    _tell(message)
    raise typer.Exit(code)


def _tell(message: str) -> None:
    """Print one paragraph to stderr, whatever names and values it quotes."""
    typer.echo("cosim: " + message.replace("\r", " ").replace("\n", " "), err=True)


def _say(line: str) -> None:
    """Print one line beside the progress, without cutting it."""
    _console().print(line, soft_wrap=True, highlight=False, markup=False)


def _console() -> Console:
    from rich.console import Console

    # Where the output goes to a file there is no width to keep to.
    return Console(width=None if sys.stdout.isatty() else 140)


if __name__ == "__main__":
    main()
