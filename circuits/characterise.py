"""Characterise cells: simulate their points in parallel, and write the calibration table and its laws.

Finished points are kept under the hash of their decks, transistor cards, measuring code and simulator, so that a
second call goes on where the first one stopped. The table changes only when all points of all cells are there.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from circuits.calibration import COLUMNS, CONDITIONS, LAW_COLUMNS, LAWS_ENDING, NOMINAL, ROOM_K, TABLES, Calibration
from circuits.calibration import read_calibration as read_table
from circuits.cell import Cell, Entry, Measured, Point
from circuits.cells import CELLS, cell
from circuits.laws import FittedLaw, LawError, fit_law
from circuits.measure import MeasureError
from circuits.model_cards import FILES, LICENCE, CardsMissingError, card_digest
from circuits.simulator import SimulationError, simulator_version

TECHNOLOGY = "generic_45nm"
SHOWN_FAILURES = 3
DIGITS = 6
POINTS_PER_PROCESS = 100


class CharacterisationError(RuntimeError):
    """Points that could not be simulated or measured: which, and why; the table is as it was."""


@dataclass(frozen=True)
class Characterised:
    """A cell with all that was measured of it."""

    cell: Cell
    measured: Sequence[Measured]
    entries: Sequence[Entry]
    laws: Sequence[FittedLaw]
    digest: str


def characterise(
    names: Iterable[str] = CELLS,
    *,
    table_folder: Path | None = None,
    technology: str = TECHNOLOGY,
    workers: int = 1,
    cache_folder: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Characterised]:
    """Characterise cells and write their rows into a calibration table; the rows of other cells stay.

    Parameters
    ----------
    names
        Cells, see `circuits.cells.CELLS`.
    table_folder
        Folder of the table; that of the package where not given.
    technology
        Name of the table.
    workers
        Processes that simulate, >= 1.
    cache_folder
        Where finished points are kept; ``cosim/spice`` in the user's cache where not given.
    progress
        Called with the points that are done and all points.

    Raises
    ------
    ValueError
        For an unknown cell.
    CharacterisationError
        If ngspice or the transistor cards are missing, or a point failed. Points that worked are kept.
    OSError
        If the table cannot be written; it is then as it was.
    """
    chosen = [cell(name) for name in dict.fromkeys(names)]
    folder = table_folder if table_folder is not None else Path(str(TABLES))
    try:
        version = simulator_version()
        for corner in FILES:
            card_digest(corner)
        jobs = [(one, one.points()) for one in chosen]
    except (SimulationError, CardsMissingError) as error:
        raise CharacterisationError(str(error)) from None
    kept = _Cache(cache_folder or default_cache(), version)
    values = _run_points([point for _, points in jobs for point in points], kept, workers, progress)
    done = []
    position = 0
    for one, points in jobs:
        found = values[position : position + len(points)]
        position += len(points)
        measured = [
            Measured(point.bench, point.conditions, result) for point, result in zip(points, found, strict=True)
        ]
        digest = hashlib.sha256("".join(point.digest for point in points).encode()).hexdigest()
        done.append(_summarise(one, measured, digest))
    _write_table(done, folder, technology, version)
    return done


def default_cache() -> Path:
    """Return the folder in which finished points are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cosim" / "spice"


class _Cache:
    """Values of finished points, one small file each."""

    def __init__(self, folder: Path, version: str) -> None:
        self.folder = folder
        self.version = version

    def file(self, point: Point) -> Path:
        name = hashlib.sha256(f"{point.digest}\0{self.version}".encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.json"

    def get(self, point: Point) -> dict[str, float] | None:
        try:
            values = json.loads(self.file(point).read_text(encoding="utf-8"))
            return {str(name): float(value) for name, value in values.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return None  # absent or broken: it is simulated again

    def put(self, point: Point, values: Mapping[str, float]) -> None:
        write_atomically(self.file(point), json.dumps(values))


def _run_points(
    points: list[Point], kept: _Cache, workers: int, progress: Callable[[int, int], None]
) -> list[dict[str, float]]:
    results = [kept.get(point) for point in points]
    waiting = [place for place, result in enumerate(results) if result is None]
    progress(len(points) - len(waiting), len(points))
    failures = []
    # Started afresh: a fork would take threads of compiled kernels along.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), max_tasks_per_child=POINTS_PER_PROCESS)
    try:
        running: dict[Future[dict[str, float]], int] = {}
        queue = iter(waiting)
        done = len(points) - len(waiting)
        while True:
            for place in queue:
                running[pool.submit(run_point, points[place])] = place
                if len(running) > 2 * workers:
                    break
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                place = running.pop(future)
                error = future.exception()
                if isinstance(error, (SimulationError, MeasureError)):
                    failures.append(f"{_label(points[place])}: {error}")
                elif error is not None:
                    raise error
                else:
                    results[place] = future.result()
                    kept.put(points[place], future.result())
                done += 1
                progress(done, len(points))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if failures:
        more = f"; and {len(failures) - SHOWN_FAILURES} more" if len(failures) > SHOWN_FAILURES else ""
        raise CharacterisationError(
            f"{len(failures)} of {len(points)} points failed, the table is as it was: "
            + "; ".join(failures[:SHOWN_FAILURES])
            + more
        )
    return [result for result in results if result is not None]


def run_point(point: Point) -> dict[str, float]:
    """Simulate and measure one point; runs in a process of its own."""
    return {name: float(value) for name, value in point.run().items()}


def _label(point: Point) -> str:
    return f"{point.bench} at {', '.join(f'{name} = {value}' for name, value in point.conditions.items())}"


def _summarise(one: Cell, measured: list[Measured], digest: str) -> Characterised:
    entries = one.entries(measured)
    laws = []
    for law in one.laws:
        points = [
            ({name: float(entry.conditions[name]) for name in law.variables}, entry.value)
            for entry in entries
            if entry.quantity == law.quantity and _is_nominal(entry)
        ]
        try:
            laws.append(fit_law(law, points))
        except LawError as error:
            raise CharacterisationError(f"{one.name}: {error}") from None
    return Characterised(one, measured, entries, laws, digest)


def _is_nominal(entry: Entry) -> bool:
    conditions = entry.conditions
    return conditions.get("corner", NOMINAL) == NOMINAL and conditions.get("temperature_k", ROOM_K) == ROOM_K


def _write_table(done: Sequence[Characterised], folder: Path, technology: str, version: str) -> None:
    """Replace the rows of the characterised cells; table and laws change together or not at all."""
    file, laws_file = folder / f"{technology}.csv", folder / f"{technology}{LAWS_ENDING}.csv"
    renewed = {one.cell.name: one for one in done}
    before = read_table(technology, file.read_text(encoding="utf-8")) if file.is_file() else Calibration(technology, [])
    rows = [
        {"cell": row.cell, "quantity": row.name, **{name: _plain(value) for name, value in row.conditions.items()}}
        | {"value": _plain(row.quantity.value), "unit": row.quantity.unit, "kind": row.quantity.kind}
        | {"source": row.quantity.source, "note": row.quantity.note}
        for row in before.rows
        if row.cell in CELLS and row.cell not in renewed
    ]
    rows += [_entry_row(name, entry) for name, one in renewed.items() for entry in one.entries]
    order = {name: place for place, name in enumerate(CELLS)}
    rows.sort(key=lambda row: order.get(row["cell"], len(order)))
    table = _csv(_header(before.header, renewed, version), COLUMNS, rows)
    law_rows = []
    if laws_file.is_file():
        lines = [line for line in laws_file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        law_rows = [row for row in csv.DictReader(lines) if row["cell"] not in renewed]
    law_rows += [row for name, one in renewed.items() for law in one.laws for row in _law_rows(name, law)]
    law_rows.sort(key=lambda row: order.get(row["cell"], len(order)))
    laws = _csv(
        ["Laws through the table of the same name, at the nominal corner and 300 K; errors are relative."],
        LAW_COLUMNS,
        law_rows,
    )
    dict(read_table(technology, table, laws).laws)  # what would be refused later is not written
    write_atomically(file, table, laws_file, laws)


def _entry_row(name: str, entry: Entry) -> dict[str, str]:
    unknown = set(entry.conditions) - set(CONDITIONS)
    if unknown:
        raise CharacterisationError(f"{name} {entry.quantity}: no column for {', '.join(sorted(unknown))}")
    return {
        **{"cell": name, "quantity": entry.quantity},
        **{key: _plain(value) for key, value in entry.conditions.items()},
        **{"value": f"{entry.value:.{DIGITS}g}", "unit": entry.unit, "kind": entry.kind},
        **{"source": entry.source, "note": entry.note},
    }


def _law_rows(name: str, law: FittedLaw) -> list[dict[str, str]]:
    shared = {
        **{"cell": name, "quantity": law.law.quantity, "formula": law.law.formula},
        **{"fitted_points": str(law.fitted_points), "held_out_points": str(law.held_out_points)},
        "worst_fit_error": f"{law.worst_fit_error:.4g}",
        "worst_held_out_error": f"{law.worst_held_out_error:.4g}",
        "use": "law" if law.is_accurate else "table interpolates",
    }
    # All digits: a law must give again what it was judged by.
    return [{**shared, "coefficient": key, "value": repr(value)} for key, value in law.coefficients.items()]


def _header(before: Sequence[str], renewed: Mapping[str, Characterised], version: str) -> list[str]:
    lines = {line.split(":", 1)[0]: line for line in before if line.split(":", 1)[0] in CELLS}
    today = datetime.date.today().isoformat()
    for name, one in renewed.items():
        lines[name] = f"{name}: {len(one.measured)} points, decks {one.digest[:16]}, {version}, {today}"
    cards = ", ".join(f"{corner} {card_digest(corner)[:16]}" for corner in FILES)
    return [
        "Periphery of a generic 45 nm technology; written by: cosim characterise",
        f"transistor cards (SHA-256): {cards}; {LICENCE}",
        *(lines[name] for name in CELLS if name in lines),
    ]


def _plain(value: float | int | str) -> str:
    return value if isinstance(value, str) else f"{value:.{DIGITS}g}"


def _csv(header: Sequence[str], columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: row.get(name, "") for name in columns} for row in rows)
    return "".join(f"# {line}\n" for line in header) + text.getvalue()


def write_atomically(*files_and_texts: Path | str) -> None:
    """Write files so that a reader sees either all of the old or all of the new text of each.

    Parameters
    ----------
    files_and_texts
        File, text, file, text, …; all are written beside their targets first, then renamed.
    """
    pairs = list(zip(files_and_texts[::2], files_and_texts[1::2], strict=True))
    written: list[tuple[str, Path]] = []
    try:
        for file, text in pairs:
            target = Path(file)
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=target.parent, prefix=f".{target.name}.", delete=False
            ) as part:
                written.append((part.name, target))
                part.write(str(text))
        for name, target in written:
            os.chmod(name, 0o644)
            os.replace(name, target)
    except BaseException:
        for name, _ in written:
            Path(name).unlink(missing_ok=True)
        raise
