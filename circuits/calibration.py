"""The calibration table: what circuit simulation says of each cell; read by the bill and by the training alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files

from circuits.laws import FittedLaw
from device_models.quantity import Quantity

NUMBERS = ("bits", "tiles", "gamma", "cells")
CONDITIONS = (*NUMBERS, "corner", "temperature_k")
COLUMNS = ("cell", "quantity", *CONDITIONS, "value", "unit", "kind", "source", "note")
LAW_COLUMNS = (
    *("cell", "quantity", "formula", "coefficient", "value", "fitted_points", "held_out_points"),
    *("worst_fit_error", "worst_held_out_error", "use"),
)
TABLES = files("circuits") / "calibrations"
LAWS_ENDING = "_laws"
NOMINAL, ROOM_K = "nominal", 300.0


class CalibrationError(ValueError):
    """A table, cell, condition or quantity that does not exist: what was asked and what there is."""


@dataclass(frozen=True)
class Row:
    """One number of the table with the conditions that it holds under; a condition that is left out does not matter."""

    cell: str
    name: str
    conditions: Mapping[str, float | str]
    quantity: Quantity

    @cached_property
    def numbers(self) -> dict[str, float]:
        """The conditions that are numbers a table can be interpolated in."""
        return {name: float(value) for name, value in self.conditions.items() if name in NUMBERS}

    def holds_at(self, corner: str, temperature_k: float) -> bool:
        """Say whether the row speaks of a corner and a temperature."""
        return (
            self.conditions.get("corner", corner) == corner
            and self.conditions.get("temperature_k", temperature_k) == temperature_k
        )


@dataclass(frozen=True)
class Calibration:
    """A calibration table.

    Parameters
    ----------
    name
        Name of the technology, for example ``generic_45nm``.
    rows
        All numbers.
    laws
        (cell, quantity) to a law fitted through the rows at the nominal corner and 300 K.
    header
        Lines that say how the table was made.
    """

    name: str
    rows: Sequence[Row]
    laws: Mapping[tuple[str, str], FittedLaw] = field(default_factory=dict)
    header: tuple[str, ...] = ()

    @cached_property
    def _index(self) -> dict[tuple[str, str], list[Row]]:
        index: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            index.setdefault((row.cell, row.name), []).append(row)
        return index

    @property
    def cells(self) -> list[str]:
        """Names of all cells, sorted."""
        return sorted({row.cell for row in self.rows})

    def bits(self, cell: str) -> list[int]:
        """Return the resolutions that the table holds for a converter, sorted."""
        return list(self._bits.get(cell, ()))

    @cached_property
    def _bits(self) -> dict[str, list[int]]:
        found: dict[str, set[int]] = {}
        for row in self.rows:
            if "bits" in row.numbers:
                found.setdefault(row.cell, set()).add(int(row.numbers["bits"]))
        return {cell: sorted(bits) for cell, bits in found.items()}

    def quantity(
        self,
        cell: str,
        quantity: str,
        *,
        bits: int | None = None,
        tiles: int | None = None,
        gamma: float | None = None,
        cells: int | None = None,
        corner: str = NOMINAL,
        temperature_k: float = ROOM_K,
    ) -> Quantity:
        """Return one number: as it was measured, from its law, or interpolated, in this order.

        Parameters
        ----------
        cell
            ``sar_adc``, ``tia``, … (`cells` lists them).
        quantity
            For example ``energy_j``, ``latency_s``, ``area_m2``, ``noise_lsb``, ``gain_mismatch``.
        bits
            Resolution of a converter.
        tiles
            Tiles that a summing stage adds.
        gamma
            Gain of a TIA against that of the coarsest tile.
        cells
            Cross-points on the line that is driven or sensed.
        corner, temperature_k
            ``nominal``, ``fast`` or ``slow``; 300 K unless said otherwise.

        Raises
        ------
        CalibrationError
            If the table does not hold it; a table is never extrapolated.
        """
        asked = {"bits": bits, "tiles": tiles, "gamma": gamma, "cells": cells}
        question = (cell, quantity, *asked.values(), corner, temperature_k)
        if question not in self._answers:
            self._answers[question] = self._find(cell, quantity, asked, corner, temperature_k)
        return self._answers[question]

    @cached_property
    def _answers(self) -> dict[tuple[object, ...], Quantity]:
        return {}

    def _find(
        self, cell: str, quantity: str, asked: Mapping[str, float | None], corner: str, temperature_k: float
    ) -> Quantity:
        rows = self._index.get((cell, quantity))
        if rows is None:
            self._refuse_unknown(cell, quantity)
        given = {name: float(value) for name, value in asked.items() if value is not None}
        where = f"calibration {self.name}: {cell} {quantity}"
        known = [row for row in rows or () if row.holds_at(corner, temperature_k)]
        if not known:
            raise CalibrationError(f"{where} is not characterised at corner {corner!r}, {temperature_k:g} K")
        names = sorted({name for row in known for name in row.numbers})
        if missing := [name for name in names if name not in given]:
            raise CalibrationError(f"{where} depends on {', '.join(missing)}; say at which")
        for row in known:
            if all(row.numbers.get(name) == given[name] for name in names):
                return row.quantity
        law = self.laws.get((cell, quantity))
        if law and law.is_accurate and law.covers(given) and (corner, temperature_k) == (NOMINAL, ROOM_K):
            note = f"{law.law.formula}, within {law.worst_held_out_error:.1%} of points held out of the fit"
            return Quantity(law(given), known[0].quantity.unit, "fitted", "simulation", note)
        value = _interpolated(known, names, given, where)
        note = f"interpolated at {', '.join(f'{name} = {given[name]:g}' for name in names)}"
        origin = known[0].quantity
        return Quantity(value, origin.unit, "derived", origin.source, f"{note} in: {origin.note}")

    def rows_of(self, cell: str, quantity: str) -> Sequence[Row]:
        """Return all rows of a quantity, at all corners and temperatures; none where there is no such quantity."""
        return self._index.get((cell, quantity), ())

    def spread(self, cell: str, quantity: str) -> tuple[float, float] | None:
        """Return the lowest and highest ratio of a quantity at corners and temperatures to its nominal value.

        None where it was simulated at one corner and temperature alone, or may have either sign.
        """
        if (cell, quantity) not in self._spreads:
            rows = self.rows_of(cell, quantity)
            places = [tuple(sorted(row.numbers.items())) for row in rows]
            nominal = {
                place: row.quantity.value
                for place, row in zip(places, rows, strict=True)
                if row.holds_at(NOMINAL, ROOM_K)
            }
            ratios = [
                row.quantity.value / nominal[place]
                for place, row in zip(places, rows, strict=True)
                if nominal.get(place, 0.0) > 0
            ]
            known = len(set(ratios)) > 1 and min(ratios) > 0
            self._spreads[cell, quantity] = (min(ratios), max(ratios)) if known else None
        return self._spreads[cell, quantity]

    @cached_property
    def _spreads(self) -> dict[tuple[str, str], tuple[float, float] | None]:
        return {}

    def conditions_of(self, cell: str, quantity: str) -> set[str]:
        """Return the names of the numbers that a quantity depends on.

        Raises
        ------
        CalibrationError
            If there is no such quantity.
        """
        if (cell, quantity) not in self._index:
            self._refuse_unknown(cell, quantity)
        return {name for row in self._index[cell, quantity] for name in row.numbers}

    def range_of(self, cell: str, quantity: str, condition: str) -> tuple[float, float]:
        """Return the lowest and highest value of a condition among the rows of a quantity.

        Raises
        ------
        CalibrationError
            If there is no such quantity, or it does not depend on the condition.
        """
        values = [row.numbers[condition] for row in self._index.get((cell, quantity), ()) if condition in row.numbers]
        if not values:
            self._refuse_unknown(cell, quantity)
            raise CalibrationError(f"calibration {self.name}: {cell} {quantity} does not depend on {condition}")
        return min(values), max(values)

    def _refuse_unknown(self, cell: str, quantity: str) -> None:
        if cell not in self.cells:
            raise CalibrationError(f"calibration {self.name}: no cell {cell!r}; cells: {', '.join(self.cells)}")
        quantities = sorted({row.name for row in self.rows if row.cell == cell})
        if quantity not in quantities:
            raise CalibrationError(
                f"calibration {self.name}: {cell} has no {quantity!r}; it has {', '.join(quantities)}"
            )


def _interpolated(rows: list[Row], names: list[str], given: Mapping[str, float], where: str) -> float:
    """Return the value between rows, linear in one condition after the other."""
    if not names:
        return rows[0].quantity.value
    name, *others = names
    wanted = given[name]
    values = sorted({row.numbers[name] for row in rows if name in row.numbers})
    below = [value for value in values if value <= wanted]
    above = [value for value in values if value >= wanted]
    if not below or not above:
        held = ", ".join(f"{value:g}" for value in values)
        raise CalibrationError(f"{where} is not characterised at {name} = {wanted:g}; it is at {held}")
    low, high = below[-1], above[0]
    ends = [
        _interpolated([row for row in rows if row.numbers.get(name) == end], others, given, where)
        for end in ((low, high) if high > low else (low,))
    ]
    return ends[0] if high == low else ends[0] + (ends[1] - ends[0]) * (wanted - low) / (high - low)


def list_calibrations() -> list[str]:
    """Return the names of all committed tables."""
    names = (entry.name.removesuffix(".csv") for entry in TABLES.iterdir() if entry.name.endswith(".csv"))
    return sorted(name for name in names if not name.endswith(LAWS_ENDING))


@cache
def load_calibration(name: str) -> Calibration:
    """Return a committed calibration table by name.

    Raises
    ------
    CalibrationError
        If there is no such table, or it is not a valid one.
    """
    if name not in list_calibrations():
        raise CalibrationError(f"calibration {name!r} is unknown; known: {', '.join(list_calibrations())}")
    laws = TABLES / f"{name}{LAWS_ENDING}.csv"
    return read_calibration(
        name,
        (TABLES / f"{name}.csv").read_text(encoding="utf-8"),
        laws.read_text(encoding="utf-8") if laws.is_file() else "",
    )


def read_calibration(name: str, text: str, laws: str = "") -> Calibration:
    """Parse the text of a calibration table and of its laws; lines that start with ``#`` say how it was made.

    Raises
    ------
    CalibrationError
        If a row is not valid, or given twice.
    """
    reader = _reader(name, text, COLUMNS)
    rows = list(_rows(name, reader))
    header = tuple(line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#"))
    return Calibration(name, rows, _Laws(name, rows, laws) if laws else {}, header)


def _reader(name: str, text: str, columns: tuple[str, ...]) -> csv.DictReader[str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    reader = csv.DictReader(io.StringIO("\n".join(lines)))
    if tuple(reader.fieldnames or ()) != columns:
        raise CalibrationError(f"calibration {name}: columns are {reader.fieldnames}, expected {list(columns)}")
    return reader


def _rows(name: str, reader: Iterable[dict[str, str]]) -> Iterable[Row]:
    seen = set()
    for row in reader:
        try:
            conditions: dict[str, float | str] = {
                key: row[key] if key == "corner" else float(row[key]) for key in CONDITIONS if row[key]
            }
            number = Quantity(float(row["value"]), row["unit"], row["kind"], row["source"], row["note"])
        except (TypeError, ValueError) as error:
            raise CalibrationError(f"calibration {name}: row {list(row.values())}: {error}") from None
        address = (row["cell"], row["quantity"], *sorted(conditions.items()))
        if address in seen:
            raise CalibrationError(f"calibration {name}: {address} is given twice")
        seen.add(address)
        yield Row(row["cell"], row["quantity"], conditions, number)


class _Laws(Mapping[tuple[str, str], FittedLaw]):
    """Fitted laws: coefficients from the file, form from the code of the cell, which is imported when asked for."""

    def __init__(self, name: str, rows: Sequence[Row], text: str) -> None:
        self._name, self._rows = name, rows
        self._lines: dict[tuple[str, str], list[dict[str, str]]] = {}
        for line in _reader(f"{name}{LAWS_ENDING}", text, LAW_COLUMNS):
            self._lines.setdefault((line["cell"], line["quantity"]), []).append(line)
        self._known: dict[tuple[str, str], FittedLaw] = {}

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, address: tuple[str, str]) -> FittedLaw:
        if address not in self._known:
            self._known[address] = self._build(*address, self._lines[address])
        return self._known[address]

    def _build(self, owner: str, quantity: str, lines: list[dict[str, str]]) -> FittedLaw:
        from circuits.cells import cell

        law = next((law for law in cell(owner).laws if law.quantity == quantity), None)
        if law is None or set(law.start) != {line["coefficient"] for line in lines}:
            raise CalibrationError(f"calibration {self._name}: the law of {owner} {quantity} is not that of the cell")
        points = [
            row for row in self._rows if (row.cell, row.name) == (owner, quantity) and row.holds_at(NOMINAL, ROOM_K)
        ]
        values = {variable: [row.numbers[variable] for row in points] for variable in law.variables}
        first = lines[0]
        return FittedLaw(
            law=law,
            coefficients={line["coefficient"]: float(line["value"]) for line in lines},
            ranges={variable: (min(numbers), max(numbers)) for variable, numbers in values.items()},
            fitted_points=int(first["fitted_points"]),
            held_out_points=int(first["held_out_points"]),
            worst_fit_error=float(first["worst_fit_error"]),
            worst_held_out_error=float(first["worst_held_out_error"]),
        )
