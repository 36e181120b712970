"""Run a deck in ngspice: waveforms back, and every failure one clear error.

`simulate` starts a process of its own with one thread, a private folder and a time limit. `operating_points` solves
small circuits inside this process through PySpice, some thirty times faster.
"""

from __future__ import annotations

import ctypes.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from circuits.decks import Deck
from circuits.model_cards import card_text

FloatArray = npt.NDArray[np.float64]

INSTALL = "install it, for example with: apt-get install -y ngspice libngspice0"
# ngspice leaves with 0 after some of these; what it prints decides.
FAILURES = re.compile(
    r"singular matrix|timestep too small|no convergence|iteration limit|unknown subckt|unknown model|could not find"
    r"|can't find|error on line|\berror:|aborted|fatal|unrecognized|unable to find|no such vector|doanalyses",
    re.IGNORECASE,
)
SHOWN_LINES = 3
END_TOLERANCE = 1e-6


class SimulationError(RuntimeError):
    """A simulation without a usable result: the deck, the line of the log, and what to do."""


class SimulatorMissingError(SimulationError):
    """ngspice is not installed."""


@dataclass(frozen=True)
class Waveforms:
    """What a simulation saved.

    Parameters
    ----------
    axis
        Time, swept value or frequency: float64 (points,); one point for an operating point.
    vectors
        Name in lower case, for example ``v(out)`` or ``i(vdd)``, to float64 (points,); for ``.ac`` complex128.
    """

    axis: FloatArray
    vectors: Mapping[str, npt.NDArray[Any]]

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Return a vector by name.

        Raises
        ------
        KeyError
            If it was not saved.
        """
        try:
            return self.vectors[name.lower()]
        except KeyError:
            raise KeyError(f"{name!r} was not saved; saved: {', '.join(self.vectors)}") from None

    def final(self, name: str) -> float:
        """Return the last value of a vector."""
        return float(self[name][-1].real)


def has_ngspice() -> bool:
    """Say whether ngspice can be run."""
    return shutil.which("ngspice") is not None


@cache
def simulator_version() -> str:
    """Return the name and version of the simulator, for example ``ngspice-39``.

    Raises
    ------
    SimulatorMissingError
        If it is not installed.
    """
    run = subprocess.run([_ngspice(), "--version"], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"ngspice-\d+(\.\d+)?", run.stdout)
    if not found:
        raise SimulationError(f"ngspice --version printed no version: {run.stdout[:200]!r}")
    return found[0]


def simulate(deck: Deck, *, timeout_s: float = 300.0, tolerate: Sequence[str] = ()) -> Waveforms:
    """Run a deck in a process of its own.

    Parameters
    ----------
    deck
        What to simulate.
    timeout_s
        Time after which the simulator is killed, > 0.
    tolerate
        Texts of the log that are no failure here, for example ``singular matrix`` where stepping got past it.

    Returns
    -------
    The saved vectors, all finite, up to the end of the analysis.

    Raises
    ------
    SimulatorMissingError
        If ngspice is not installed.
    SimulationError
        If it crashed, hung, did not converge, or left something out; nothing is left behind.
    """
    program = _ngspice()
    where = f"deck {deck.title!r}"
    try:
        with tempfile.TemporaryDirectory(prefix="cosim_spice_") as name:
            folder = Path(name)
            (folder / "deck.cir").write_text(deck.text(), encoding="utf-8")
            if deck.corner:
                (folder / "cards.spi").write_text(card_text(deck.corner), encoding="utf-8")
            (folder / "spinit").write_text("set num_threads=1\n", encoding="utf-8")
            log, code = _run([program, "-n", "-b", "-r", "out.raw", "deck.cir"], folder, timeout_s, where)
            _scan(log, code, deck, tolerate)
            raw = folder / "out.raw"
            if not raw.is_file():
                raise SimulationError(f"{where}: ngspice wrote no result{_tail(log)}")
            waveforms = read_raw(raw.read_bytes(), where)
    except OSError as error:
        raise SimulationError(
            f"{where}: {error.filename or 'the temporary folder'}: {error.strerror or error}; "
            "make room, or set TMPDIR to a folder that has some"
        ) from None
    _check_result(waveforms, deck)
    return waveforms


def _ngspice() -> str:
    program = shutil.which("ngspice")
    if program is None:
        raise SimulatorMissingError(f"ngspice is not installed; {INSTALL}")
    return program


def _run(command: list[str], folder: Path, timeout_s: float, where: str) -> tuple[str, int]:
    # One thread: BSIM4 otherwise starts as many as there are cores, which wait for one another.
    environment = {**os.environ, "SPICE_SCRIPTS": str(folder), "OMP_NUM_THREADS": "1", "LC_ALL": "C"}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise SimulationError(
                    f"{where}: ngspice was stopped after {timeout_s:g} s without an end; allow more time, or look "
                    "for a time step that collapsed"
                ) from None
            raise
    return output.decode("utf-8", "replace"), process.returncode


def _scan(log: str, code: int, deck: Deck, tolerate: Sequence[str]) -> None:
    lines = [line.strip() for line in log.splitlines() if FAILURES.search(line)]
    lines = [line for line in lines if not any(text.lower() in line.lower() for text in tolerate)]
    if code == 0 and not lines:
        return
    where = f"deck {deck.title!r}"
    if code < 0:
        raise SimulationError(f"{where}: ngspice was ended by signal {-code}{_tail(log)}")
    numbers = [int(number) for number in re.findall(r"[Ll]ine (?:no\. |number )?(\d+)", " ".join(lines))]
    text = deck.text().splitlines()
    quoted = [text[number - 1].strip() for number in numbers[:1] if 0 < number <= len(text)]
    told = "; ".join(dict.fromkeys(lines[:SHOWN_LINES])) or f"exit code {code}{_tail(log)}"
    raise SimulationError(f"{where}: ngspice failed: {told}" + "".join(f" ({line})" for line in quoted))


def _tail(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return f"; its last words: {' / '.join(lines[-SHOWN_LINES:])}" if lines else ""


def read_raw(content: bytes, where: str) -> Waveforms:
    """Return what a binary raw file of ngspice holds.

    Raises
    ------
    SimulationError
        If the file is cut short or is none; `where` names its origin.
    """
    head, mark, data = content.partition(b"Binary:\n")
    fields = dict(re.findall(r"^([A-Z][A-Za-z. ]*): *(.*)$", head.decode("utf-8", "replace"), flags=re.MULTILINE))
    try:
        count, points = int(fields["No. Variables"]), int(fields["No. Points"])
        names = [line.split()[1].lower() for line in head.decode().split("Variables:\n")[1].splitlines()[:count]]
    except (KeyError, ValueError, IndexError):
        raise SimulationError(f"{where}: the result of ngspice cannot be read") from None
    kind = np.dtype(np.complex128 if "complex" in fields.get("Flags", "") else np.float64)
    if not mark or len(names) != count or len(data) < count * points * kind.itemsize or not points:
        raise SimulationError(
            f"{where}: the result of ngspice is cut short ({len(data)} bytes of {count * points * kind.itemsize}); "
            "the disk may be full"
        )
    table = np.frombuffer(data, dtype=kind, count=count * points).reshape(points, count)
    vectors = {name: np.ascontiguousarray(table[:, place]) for place, name in enumerate(names)}
    # ngspice leaves the imaginary part of a frequency as it finds it, NaN included.
    axis = np.ascontiguousarray(table[:, 0].real)
    return Waveforms(axis, {**vectors, names[0]: axis})


def _check_result(waveforms: Waveforms, deck: Deck) -> None:
    where = f"deck {deck.title!r}"
    missing = [name for name in deck.save if name.lower() not in waveforms.vectors and name.lower() != "all"]
    if missing:
        raise SimulationError(f"{where}: ngspice did not save {', '.join(missing)}")
    for name, values in waveforms.vectors.items():
        if not np.isfinite(values).all():
            raise SimulationError(f"{where}: {name} is not finite")
    analysis = deck.analysis.lower().split()
    if analysis[0] == ".tran":
        from circuits.decks import number_of

        end_s = number_of(analysis[2])
        if end_s is not None and waveforms.axis[-1] < end_s * (1 - END_TOLERANCE):
            raise SimulationError(f"{where}: ngspice ended at {waveforms.axis[-1]:.4g} s of {end_s:.4g} s")


def operating_points(decks: Iterable[Deck]) -> Iterator[dict[str, float]]:
    """Yield the operating point of each deck, saved name to value; solved inside this process, by PySpice.

    PySpice keeps some 20 kB per deck: many thousands belong into processes of their own.

    Parameters
    ----------
    decks
        With the analysis ``.op``.

    Raises
    ------
    SimulatorMissingError
        If the library of ngspice is not installed.
    SimulationError
        If a deck has no operating point.
    """
    shared = _shared_simulator()
    for deck in decks:
        if deck.analysis.lower() != ".op":
            raise ValueError(f"deck {deck.title!r}: analysis {deck.analysis!r}; an operating point needs .op")
        yield _solve_shared(shared, deck)


def _solve_shared(shared: Any, deck: Deck) -> dict[str, float]:
    from PySpice.Spice.NgSpice.Shared import NgSpiceCommandError

    text = deck.text()
    if deck.corner:
        text = text.replace(".include cards.spi", card_text(deck.corner).rstrip())
    try:
        shared.load_circuit(text)
        shared.run()
        plot = shared.plot(simulation=None, plot_name=shared.last_plot)
        values = {name.lower(): float(np.asarray(vector._data)[0].real) for name, vector in plot.items()}
    except NgSpiceCommandError as error:
        raise SimulationError(f"deck {deck.title!r}: no operating point: {error}") from None
    finally:
        shared.destroy()
    found = {}
    for name in deck.save:
        key = name.lower()
        bare = re.sub(r"^v\((.*)\)$", r"\1", re.sub(r"^i\((.*)\)$", r"\1#branch", key))
        if bare not in values or not np.isfinite(values[bare]):
            raise SimulationError(f"deck {deck.title!r}: its operating point has no finite {name}")
        found[key] = values[bare]
    return found


@cache
def _shared_simulator() -> Any:
    library = ctypes.util.find_library("ngspice")
    if library is None:
        raise SimulatorMissingError(f"the library of ngspice is not installed; {INSTALL}")
    import logging

    from PySpice.Spice.NgSpice.Shared import NgSpiceShared

    # PySpice warns of every version newer than its own; 39 is the one that it is used with here.
    logging.getLogger("PySpice").setLevel(logging.ERROR)
    logging.getLogger("PySpice.Spice.NgSpice.Shared").setLevel(logging.ERROR)
    NgSpiceShared.LIBRARY_PATH = library
    shared = NgSpiceShared.new_instance()
    shared.exec_command("set num_threads=1")
    return shared
