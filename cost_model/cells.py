"""Storage cells: what a read, an update pulse and a half-selected pulse take, from voltage, conductance and time.

Two-terminal cells (ReRAM, PCM) conduct while they are written; three-terminal cells (ECRAM, capacitor) charge a gate.
One formula covers both: E = V² G t + C V², with G = 0 or C = 0. The conductance during a write is a number of its own:
a cell at its write voltage passes more current than its stored conductance says.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from device_models.names import unknown_name
from device_models.quantity import ProvenanceError, Quantity, quantity_from_table

FloatArray = npt.NDArray[np.float64]
Number = float | FloatArray
Range = tuple[float, float]

PRESETS = files("cost_model") / "cell_presets"
UNITS = MappingProxyType(
    {
        "read_voltage_v": "V",
        "mean_conductance_s": "S",
        "write_voltage_v": "V",
        "write_pulse_s": "s",
        "write_conductance_s": "S",
        "max_write_conductance_s": "S",
        "write_charge_f": "F",
        "half_select_fraction": "1",
        "cell_area_f2": "1",
        "endurance_pulses": "1",
        "access_current_a_per_m": "A/m",
        "line_capacitance_f_per_cell": "F",
        "refresh_s": "s",
    }
)
MAY_BE_ZERO = frozenset(
    {"write_conductance_s", "max_write_conductance_s", "write_charge_f", "half_select_fraction"}
    | {"line_capacitance_f_per_cell"}
)
OPTIONAL = frozenset({"refresh_s"})

WIRE_CAPACITANCE_F_PER_M = Quantity(
    2e-10, "F/m", "assumed", "neurosim", "0.2 fF per um at every node; the access transistor's drain comes on top"
)


class CellError(ValueError):
    """A cell, a field or a value that does not exist or is not allowed: what was given and what is allowed."""


def read_power_w(voltage_v: Number, conductance_s: Number) -> Number:
    """Return the power of a cell while its row is driven, V² G, in watt; >= 0.

    Arguments are numbers or arrays that numpy can broadcast, as in all functions here.
    """
    return voltage_v * voltage_v * conductance_s


def pulse_energy_j(voltage_v: Number, conductance_s: Number, pulse_s: Number, charge_f: Number = 0.0) -> Number:
    """Return the energy of one pulse, V² G t + C V², in joule.

    Parameters
    ----------
    voltage_v
        Height of the pulse.
    conductance_s
        Mean conductance during the pulse: current over voltage; 0 where a gate isolates.
    pulse_s
        Time at that voltage; edges are not counted.
    charge_f
        Capacitance that the pulse charges; the supply gives C V², half of it is lost in the driver.
    """
    return voltage_v * voltage_v * (conductance_s * pulse_s + charge_f)


def half_select_energy_j(
    voltage_v: Number, fraction: Number, conductance_s: Number, pulse_s: Number, charge_f: Number = 0.0
) -> Number:
    """Return the energy of one pulse in a half-selected cell, which sees `fraction` of the write voltage, in joule.

    Such a cell does not switch, so `conductance_s` is its stored one, not that during a write.
    """
    return pulse_energy_j(fraction * voltage_v, conductance_s, pulse_s, charge_f)


def cell_area_m2(area_f2: Number, node_nm: Number) -> Number:
    """Return the area of a cell of `area_f2` squared feature sizes at a node, in square metre."""
    feature_m = node_nm * 1e-9
    return area_f2 * feature_m * feature_m


def line_capacitance_f(area_f2: Number, node_nm: Number) -> Number:
    """Return the wire that one square cell adds to a line, 0.2 fF per um of its side, in farad."""
    return WIRE_CAPACITANCE_F_PER_M.value * np.sqrt(cell_area_m2(area_f2, node_nm))


def access_width_m(voltage_v: Number, max_conductance_s: Number, access_current_a_per_m: Number) -> Number:
    """Return how wide the access transistor must be to pass the largest write current, V G_max / drive, in metre."""
    return voltage_v * max_conductance_s / access_current_a_per_m


@dataclass(frozen=True, kw_only=True)
class CellModel:
    """A storage cell.

    Parameters
    ----------
    name, summary
        Name of the preset, and one line.
    read_voltage_v
        Across the cell during a read, > 0.
    mean_conductance_s
        Mean stored conductance of one device, > 0.
    write_voltage_v
        Across a fully selected cell (or on its gate) during an update pulse, > 0.
    write_pulse_s
        One update pulse, > 0.
    write_conductance_s
        Mean current of an update pulse over its voltage, >= 0; 0 where a gate isolates.
    max_write_conductance_s
        Largest write current over the write voltage, >= 0: what the access transistor must pass.
    write_charge_f
        Capacitance charged by a pulse, >= 0; 0 for two-terminal cells.
    half_select_fraction
        Voltage of a half-selected cell over the write voltage, 0 to 1; 0 where a gate isolates.
    cell_area_f2
        Area in squared feature sizes, > 0.
    endurance_pulses
        Pulses until it wears out, > 0.
    access_current_a_per_m
        Drive current per width of the access transistor, > 0.
    line_capacitance_f_per_cell
        What a cell adds to its line at 45 nm, >= 0; `line_capacitance_f` gives it at other nodes.
    refresh_s
        Time after which a weight must be written again, > 0; None where no number is known.

    Each quantity has a range: the lowest and highest published or defensible value.
    """

    name: str
    summary: str
    read_voltage_v: Quantity
    mean_conductance_s: Quantity
    write_voltage_v: Quantity
    write_pulse_s: Quantity
    write_conductance_s: Quantity
    max_write_conductance_s: Quantity
    write_charge_f: Quantity
    half_select_fraction: Quantity
    cell_area_f2: Quantity
    endurance_pulses: Quantity
    access_current_a_per_m: Quantity
    line_capacitance_f_per_cell: Quantity
    refresh_s: Quantity | None = None

    def quantities(self) -> dict[str, Quantity]:
        """Return the fields that have a number, by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: quantity for name, quantity in found.items() if isinstance(quantity, Quantity)}

    @property
    def ranges(self) -> dict[str, Range]:
        """Lowest and highest value of each field that has a number."""
        return {name: range_of(quantity) for name, quantity in self.quantities().items()}

    def values(self, overrides: Mapping[str, Number] | None = None) -> dict[str, Number]:
        """Return the numbers of all fields, some replaced.

        Parameters
        ----------
        overrides
            Field to number or array. A number may lie outside the range of its field: `outside_ranges` says so.

        Raises
        ------
        CellError
            For an unknown field, or a number that is not finite or physically impossible.
        """
        numbers: dict[str, Number] = {name: quantity.value for name, quantity in self.quantities().items()}
        for name, given in (overrides or {}).items():
            if name not in UNITS:
                raise CellError(f"cell {self.name!r}: {name} {unknown_name(name, UNITS)}")
            numbers[name] = _checked(self.name, name, given)
        return numbers

    def outside_ranges(self, overrides: Mapping[str, Number]) -> list[str]:
        """Return one sentence for each override that leaves the range of its field; empty if none does."""
        found = []
        values, ranges = self.values(overrides), self.ranges
        for name in overrides:
            if name not in ranges:
                found.append(f"cell {self.name!r}: {name} has no known range, so nothing supports the number given")
                continue
            low, high = ranges[name]
            given = np.asarray(values[name])
            beyond = given[(given < low) | (given > high)]
            if beyond.size:
                unit = UNITS[name]
                found.append(
                    f"cell {self.name!r}: {name} = {beyond.flat[0]:g} {unit} is outside what is known, "
                    f"{low:g} to {high:g} {unit}: the result is an extrapolation"
                )
        return found

    def read_power_w(self, overrides: Mapping[str, Number] | None = None) -> Number:
        """Return the power of one cell while its row is driven, in watt."""
        values = self.values(overrides)
        return read_power_w(values["read_voltage_v"], values["mean_conductance_s"])

    def pulse_energy_j(self, overrides: Mapping[str, Number] | None = None) -> Number:
        """Return the energy of one update pulse in a selected cell, without line and driver, in joule."""
        values = self.values(overrides)
        names = ("write_voltage_v", "write_conductance_s", "write_pulse_s", "write_charge_f")
        return pulse_energy_j(*(values[name] for name in names))

    def half_select_energy_j(self, overrides: Mapping[str, Number] | None = None) -> Number:
        """Return the energy of one pulse in a half-selected cell, without line and driver, in joule.

        Where a write conducts nothing (three terminals), a half-selected gate is charged and the channel stays off.
        """
        values = self.values(overrides)
        conducts = np.where(np.asarray(values["write_conductance_s"]) > 0, 1.0, 0.0)
        stored = values["mean_conductance_s"] * (conducts if conducts.shape else float(conducts))
        return half_select_energy_j(
            values["write_voltage_v"],
            values["half_select_fraction"],
            stored,
            values["write_pulse_s"],
            values["write_charge_f"],
        )

    def cell_area_m2(self, node_nm: Number, overrides: Mapping[str, Number] | None = None) -> Number:
        """Return the area of one cell at a node, in square metre."""
        return cell_area_m2(self.values(overrides)["cell_area_f2"], node_nm)

    def access_width_m(self, overrides: Mapping[str, Number] | None = None) -> Number:
        """Return the width of the access transistor that the largest write current needs, in metre."""
        values = self.values(overrides)
        names = ("write_voltage_v", "max_write_conductance_s", "access_current_a_per_m")
        return access_width_m(*(values[name] for name in names))

    def access_misfit(self, node_nm: float, overrides: Mapping[str, Number] | None = None) -> str | None:
        """Return a sentence if the access transistor is wider than the side of a square cell, else None.

        A transistor can be folded into fingers, so a misfit is a warning and not an error.
        """
        width = np.asarray(self.access_width_m(overrides))
        side = np.sqrt(np.asarray(self.cell_area_m2(node_nm, overrides)))
        width, side = (part.reshape(-1) for part in np.broadcast_arrays(width, side))
        worst = int(np.argmax(width / side))
        if width[worst] <= side[worst]:
            return None
        feature_m = node_nm * 1e-9
        return (
            f"cell {self.name!r} at {node_nm:g} nm: the access transistor must be {width[worst] / feature_m:.3g} F "
            f"wide to pass the write current, the side of the cell is {side[worst] / feature_m:.3g} F; take a larger "
            "cell_area_f2, a smaller max_write_conductance_s or write_voltage_v, or fold the transistor"
        )


def range_of(quantity: Quantity) -> Range:
    """Return the range of a quantity; without one, the value alone."""
    if quantity.low is None or quantity.high is None:
        return quantity.value, quantity.value
    return quantity.low, quantity.high


def list_cells() -> list[str]:
    """Return the names of all cell presets, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in PRESETS.iterdir() if entry.name.endswith(".toml"))


@cache
def load_cell(name: str) -> CellModel:
    """Return a cell by the name of its preset.

    Raises
    ------
    CellError
        If there is none of this name.
    ProvenanceError
        If a value of the preset has no unit, kind, source or range.
    """
    known = list_cells()
    if name not in known:
        raise CellError(f"cell = {name!r} {unknown_name(name, known)}")
    return cell_from_table(name, tomllib.loads((PRESETS / f"{name}.toml").read_text(encoding="utf-8")))


def cell_from_table(name: str, table: Mapping[str, Any]) -> CellModel:
    """Return a cell from a TOML table with the keys schema, summary and values.

    Raises
    ------
    CellError
        If a key or field is missing or unknown, or a number is physically impossible.
    ProvenanceError
        If a value has no unit, kind, source or range.
    """
    expected = {"schema", "summary", "values"}
    if set(table) != expected or table.get("schema") != 1:
        raise CellError(f"cell {name!r}: a preset has the keys {sorted(expected)} and schema 1, not {sorted(table)}")
    unknown, missing = set(table["values"]) - set(UNITS), set(UNITS) - OPTIONAL - set(table["values"])
    if unknown or missing:
        raise CellError(f"cell {name!r}: unknown values {sorted(unknown)}, missing values {sorted(missing)}")
    quantities: dict[str, Quantity] = {}
    for field, entry in table["values"].items():
        quantity = ranged_quantity(entry, f"cell {name!r}: {field}")
        if quantity.unit != UNITS[field]:
            raise ProvenanceError(f"cell {name!r}: {field} is in {quantity.unit!r}; it must be in {UNITS[field]!r}")
        for number in (quantity.value, quantity.low, quantity.high):
            _checked(name, field, number)
        quantities[field] = quantity
    return CellModel(name=name, summary=str(table["summary"]), **quantities)


def ranged_quantity(table: Mapping[str, Any], where: str) -> Quantity:
    """Return a quantity with its range from a TOML table with value, unit, kind, source, note, low and high.

    Raises
    ------
    ProvenanceError
        If a key is missing, unknown or invalid, or the value is not within its range; `where` names the place.
    """
    if not isinstance(table, Mapping) or not {"low", "high"} <= set(table):
        raise ProvenanceError(f"{where}: a table with value, unit, kind, source, note, low and high is needed")
    for key in ("value", "low", "high"):
        number = table.get(key)
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise ProvenanceError(f"{where}: {key} = {number!r} is not a finite number")
    return quantity_from_table(table, where)


def _checked(cell: str, name: str, given: Any) -> Number:
    """Return a number or an array of one that a field can hold."""
    limits = "a number" if name in MAY_BE_ZERO else "a number above 0"
    limits = {"half_select_fraction": "0 to 1"}.get(name, f"{limits}, 0 included" if name in MAY_BE_ZERO else limits)
    try:
        numbers = np.asarray(given, dtype=np.float64)
        allowed = not isinstance(given, bool) and _allowed(name, numbers)
    except (TypeError, ValueError):
        allowed = False
    if not allowed:
        raise CellError(f"cell {cell!r}: {name} = {_shown(given)} is not allowed; {limits}, in {UNITS[name]}")
    return numbers if numbers.shape else float(numbers)


def _allowed(name: str, numbers: FloatArray) -> bool:
    if not numbers.size or not np.isfinite(numbers).all():
        return False
    if name == "half_select_fraction" and (numbers > 1).any():
        return False
    return bool((numbers >= 0).all() if name in MAY_BE_ZERO else (numbers > 0).all())


def _shown(given: Any) -> str:
    if isinstance(given, Iterable) and not isinstance(given, str):
        return f"an array of {np.size(np.asarray(given, dtype=object))} values"
    return repr(given)
