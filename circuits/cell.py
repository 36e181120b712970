"""What a cell brings to its characterisation: points to simulate, entries for the table, laws to fit."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from circuits.decks import Deck
from circuits.laws import Law
from circuits.simulator import Waveforms, simulate

Conditions = Mapping[str, float | int | str]
# Conditions that the calibration table has columns for, with what stands for them where nothing is said.
CORNERS = ("nominal", "fast", "slow")
TEMPERATURES_K = (300.0, 248.0, 358.0)
UNITS = {
    "j": "J",
    "s": "s",
    "v": "V",
    "a": "A",
    "w": "W",
    "m2": "m2",
    "f": "F",
    "ohm": "ohm",
    "hz": "Hz",
}


@dataclass(frozen=True)
class Point:
    """One set of conditions: what is simulated under them, and what is taken from it.

    Parameters
    ----------
    bench
        Name of the test bench.
    conditions
        ``bits``, ``tiles``, ``gamma``, ``cells`` (cross-points on a line), ``corner``, ``temperature_k``, and whatever
        else the bench varies (an input, a sample of a Monte Carlo).
    decks
        Simulated one after the other.
    measure
        Function at the top of a module: the waveforms of the decks and the conditions to quantities by name. A name
        ends in its unit (``energy_j``); other endings are plain numbers (``noise_lsb``, ``gain_error``).
    timeout_s
        Limit of each simulation.
    """

    bench: str
    conditions: Conditions
    decks: tuple[Deck, ...]
    measure: Callable[[Sequence[Waveforms], Conditions], dict[str, float]]
    timeout_s: float = 300.0

    @property
    def digest(self) -> str:
        """What tells this point from every other: its decks, its conditions, and the code that measures them."""
        import circuits.measure

        module = sys.modules[self.measure.__module__]
        code = inspect.getsource(module) + inspect.getsource(circuits.measure)
        parts = [self.bench, json.dumps(dict(self.conditions), sort_keys=True), code, self.measure.__name__]
        return hashlib.sha256("\0".join([*parts, *(deck.digest for deck in self.decks)]).encode()).hexdigest()

    def run(self) -> dict[str, float]:
        """Simulate and measure."""
        return self.measure([simulate(deck, timeout_s=self.timeout_s) for deck in self.decks], self.conditions)


@dataclass(frozen=True)
class Measured:
    """A point and what was measured at it."""

    bench: str
    conditions: Conditions
    values: Mapping[str, float]


@dataclass(frozen=True)
class Entry:
    """One number for the calibration table.

    Parameters
    ----------
    quantity
        Name; it ends in its unit.
    conditions
        Those of the table's columns that it depends on: ``bits``, ``tiles``, ``gamma``, ``cells``, ``corner``,
        ``temperature_k``.
    value
        In the unit that the name ends in.
    kind
        ``measured`` for a simulated value, ``derived`` for a formula over such values or dimensions, ``assumed``.
    source
        Key of ``sources.toml``; the simulation itself where it is measured.
    note
        How it was measured or derived, in a few words; for an assumed value, why.
    """

    quantity: str
    conditions: Conditions
    value: float
    kind: str = "measured"
    source: str = ""
    note: str = ""

    @property
    def unit(self) -> str:
        """SI unit that the name of the quantity ends in; ``1`` for a plain number."""
        return unit_of(self.quantity)


def unit_of(quantity: str) -> str:
    """Return the SI unit that the name of a quantity ends in; ``1`` for a plain number such as ``noise_lsb``."""
    if quantity.endswith("_v_per_s"):
        return "V/s"
    ending = quantity.rsplit("_", 1)[-1] if "_" in quantity else ""
    # `conductance_s` and `time_s` end alike; the table names conductances by that word.
    return "S" if ending == "s" and "conductance" in quantity else UNITS.get(ending, "1")


@dataclass(frozen=True)
class Picture:
    """Waveforms worth looking at: a deck, and which of its vectors share a panel."""

    deck: Deck
    panels: tuple[tuple[str, tuple[str, ...]], ...]  # (label of the axis with its unit, vectors)


@dataclass(frozen=True)
class Cell:
    """A cell of the periphery, ready to be characterised.

    Parameters
    ----------
    name
        As the command names it.
    summary
        One line for people.
    points
        Everything that is simulated; called once.
    entries
        Measured points, in the order of `points`, to numbers for the table.
    laws
        Laws fitted to entries at the nominal corner and 300 K.
    pictures
        Waveforms for the report; called once.
    """

    name: str
    summary: str
    points: Callable[[], list[Point]]
    entries: Callable[[Sequence[Measured]], list[Entry]]
    laws: tuple[Law, ...] = ()
    pictures: Callable[[], list[Picture]] = field(default=list)
