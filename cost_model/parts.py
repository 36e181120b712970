"""Parts that no calibration table holds: converters on the input side, drivers, memories, wires and digital units.

Each function returns a `Part`: energy per action, latency, area and leakage, each with its kind, source and range.
The figures are in `parts.toml`, at the nodes that they were published for; a design at another node passes ratios.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np

from circuits.frame import (
    AREA_OVERHEAD,
    CORE_SUPPLY_V,
    READ_VOLTAGE_V,
    RESISTOR_AREA_M2_PER_OHM,
    RESISTOR_MISMATCH,
)
from cost_model.cells import Range, range_of, ranged_quantity
from device_models.names import unknown_name
from device_models.quantity import Quantity

FIGURES = files("cost_model") / "parts.toml"
UNITS = MappingProxyType({"energy_j": "J", "latency_s": "s", "area_m2": "m2", "leakage_w": "W"})

# The ladder that settling was simulated for.
SIMULATED_UNIT_OHM, SIMULATED_LOAD_F = 1e4, 2e-14
R2R_BITS = (2, 10)
SWITCH_LENGTH_M = 45e-9
# An inverter of a ladder's leg: one transistor of the width, and a p-channel one twice as wide.
SWITCH_WIDTHS = 3
# A bit of one conversion differs from that of the last in half of the cases, and every second change charges gates.
CHARGES_PER_BIT = 0.25

FITTED_COLUMNS = (128, 512)
WRITTEN_COLUMNS = 128
ROW_LINES = (("read_fixed_j", "read_column_j"), ("fixed_m2", "column_m2"))
SRAM_REFERENCE_DEPTH, SRAM_REFERENCE_BITS = 1024, 64
SUMMED_BITS = (8, 32)
POOLED_BITS, POOLED_INPUTS = 8, 4

INTEGER_BITS, FLOATING_POINT_BITS = (8, 32), (16, 32)
OPERATIONS = ("add", "multiply")
OFF_CHIP_MEMORIES = ("gddr5", "hbm2")


class PartError(ValueError):
    """A part, node or size that there is no figure for: what was given and what is allowed."""


@dataclass(frozen=True)
class Part:
    """One part of a design.

    Parameters
    ----------
    name
        Name as it may stand in a bill.
    action
        What one action is: the energy is paid and the latency passes once per action.
    energy_j, latency_s, area_m2, leakage_w
        Joule and second per action, square metre and watt per instance; each >= 0, and each with its range.
    """

    name: str
    action: str
    energy_j: Quantity
    latency_s: Quantity
    area_m2: Quantity
    leakage_w: Quantity

    @property
    def ranges(self) -> dict[str, Range]:
        """Lowest and highest defensible value of energy, latency, area and leakage."""
        return {name: range_of(getattr(self, name)) for name in UNITS}


@cache
def figure(part: str, node: str, name: str) -> Quantity:
    """Return a figure of `parts.toml`."""
    return ranged_quantity(_tables()[part][node][name], f"parts.toml: {part}.{node}.{name}")


@cache
def _tables() -> Mapping[str, Any]:
    return tomllib.loads(FIGURES.read_text(encoding="utf-8"))


def figures() -> dict[tuple[str, str, str], Quantity]:
    """Return all figures of `parts.toml` by part, node and name."""
    return {
        (part, node, name): figure(part, node, name)
        for part, nodes in _tables().items()
        for node, names in nodes.items()
        for name in names
    }


def bit_serial_dac(*, energy_ratio: float = 1.0, area_ratio: float = 1.0, latency_ratio: float = 1.0) -> Part:
    """Return the one-bit driver of a line that reads its input bit by bit, 32 nm.

    Its two published readings are 107 apart: the energy is the lower one, which charging 128 cells of wire supports
    (4.6 fF at 1 V); the other end of the range books the same power over a read cycle.
    """
    return _table_part("bit_serial_dac", "one bit on one line", 32, 1, "", energy_ratio, area_ratio, latency_ratio)


def r2r_dac(
    bits: int,
    *,
    span_v: float = 2 * READ_VOLTAGE_V,
    unit_ohm: float | None = None,
    window_s: float | None = None,
    energy_ratio: float = 1.0,
    area_ratio: float = 1.0,
    latency_ratio: float = 1.0,
) -> Part:
    """Return an R-2R ladder with its switches, 45 nm; latches of the code and a buffer for the line are not in it.

    Energy: V² times the mean conductance that random codes put between the references, for as long as the ladder is
    driven, and the gates of the switches. Area: 3 b + 1 unit resistors (a leg and the end are two each, b - 1 in
    series), and the switches.

    Parameters
    ----------
    bits
        2 to 10.
    span_v
        Between the two references, > 0.
    unit_ohm
        Unit resistor R, > 0; None for that of the simulated ladder.
    window_s
        Time for which the ladder is driven in one conversion, not below its settling; None for the settling alone.
    energy_ratio, area_ratio, latency_ratio
        Of the wanted node over 45 nm; the ladder's static power has no node, so the first applies to the switches.

    Raises
    ------
    PartError
        If a parameter is outside its range.
    """
    _whole("r2r_dac: bits", bits, *R2R_BITS)
    unit = figure("r2r_dac", "45", "unit_ohm")
    if unit_ohm is not None:
        _positive("r2r_dac: unit_ohm", unit_ohm)
        unit = Quantity(unit_ohm, "ohm", "assumed", "", "given by the caller", low=unit_ohm, high=unit_ohm)
    _positive("r2r_dac: span_v", span_v)
    _ratios("r2r_dac", energy_ratio, area_ratio, latency_ratio)
    load, fixed, per_bit, ratio, resistance, gate, band, room = (
        figure("r2r_dac", "45", name)
        for name in (
            *("load_f", "settling_fixed_s", "settling_bit_s"),
            *("switch_ratio", "switch_ohm_m", "gate_f_per_m", "energy_band", "area_band"),
        )
    )
    scale = latency_ratio * unit.value / SIMULATED_UNIT_OHM * load.value / SIMULATED_LOAD_F
    settling = combined(
        (scale * (first + bits * slope) for first, slope in zip(_triple(fixed), _triple(per_bit), strict=True)),
        "s",
        "settling, proportional to R and load",
        *(fixed, per_bit, unit, load),
    )
    window = settling.value if window_s is None else window_s
    if not settling.value <= window < math.inf:
        raise PartError(
            f"r2r_dac: window_s = {window_s} is not allowed; {bits} bits of {unit.value:g} ohm settle in "
            f"{settling.value:.3g} s: give at least that, or a smaller unit_ohm"
        )
    width_m = resistance.value / (ratio.value * 2 * unit.value) * SWITCH_WIDTHS
    static_j = span_v**2 * r2r_mean_conductance_s(bits, unit.value) * window
    switches_j = energy_ratio * CHARGES_PER_BIT * bits * gate.value * width_m * CORE_SUPPLY_V**2
    energy = combined(
        ((static_j + switches_j) * factor for factor in _triple(band)),
        "J",
        f"V^2 x mean conductance of {bits} bits x {window:.3g} s + C V^2 of its switches",
        *(unit, ratio, resistance, gate, band),
    )
    resistors_m2 = (3 * bits + 1) * unit.value * RESISTOR_AREA_M2_PER_OHM
    switches_m2 = AREA_OVERHEAD * bits * width_m * SWITCH_LENGTH_M
    area = combined(
        (area_ratio * (resistors_m2 + switches_m2) * factor for factor in _triple(room)),
        "m2",
        f"{3 * bits + 1} unit resistors of {unit.value:g} ohm + switches",
        *(unit, ratio, room),
    )
    return _part("r2r_dac", "one conversion", energy, settling, area)


def r2r_mean_conductance_s(bits: int, unit_ohm: float) -> float:
    """Return the mean over random codes of the power that an unloaded R-2R ladder takes, over V², in siemens.

    With Y the conductances between the legs, a code b takes V² bᵀ Y b; each bit is 1 in half of the codes, so the mean
    is (sum of Y + trace of Y)/4. It grows with the bits: legs at different levels feed each other.
    """
    nodes = np.diag(np.full(bits, 0.5)) + np.diag([0.5] + [0.0] * (bits - 1))
    for node in range(bits - 1):
        nodes[node, node] += 1
        nodes[node + 1, node + 1] += 1
        nodes[node, node + 1] -= 1
        nodes[node + 1, node] -= 1
    legs = 0.5 * np.eye(bits) - 0.25 * np.linalg.inv(nodes)
    mean = float((legs.sum() + np.trace(legs)) / 4)
    return mean / unit_ohm


def r2r_unit_mismatch(bits: int, resistor_mismatch: float = RESISTOR_MISMATCH) -> float:
    """Return the unit-element mismatch of a binary capacitor array with the same error at the MSB step.

    The error model of a capacitive DAC then serves for an R-2R ladder too. At the step from 011…1 to 100…0:

    * capacitors: 2^(b-1) units take over from 2^(b-1) - 1, so the error is sqrt(2^b - 1) σ_unit, in LSB;
    * ladder: its last leg (2R, relative variance σ²/2, two units in series) stands against what all other legs look
      like, a unit and two branches of 2R in parallel: v_1 = σ²/2, v_k+1 = σ²/4 + (σ²/2 + v_k)/16, which tends to
      0.3 σ². The MSB is off by (rest - leg)/4 of full scale, the sum of all bits by 2^(1-b) times that, so the step
      is off by (2^b - 1) sqrt(σ²/2 + v_b)/2 LSB.

    Equal: σ_unit = sqrt((2^b - 1)(1/2 + v_b/σ²))/2 σ, for many bits 0.447 · 2^(b/2) σ: a ladder does not average over
    2^b elements, so its equivalent grows with the bits. Left out is how far the rest's own voltage is off when all its
    bits are 1: the result is 6 % too small at 2 bits, 3 % at 3, below 1.3 % from 4.

    Parameters
    ----------
    bits
        2 to 10.
    resistor_mismatch
        Relative standard deviation σ of one unit resistor, >= 0.

    Raises
    ------
    PartError
        If a parameter is outside its range.
    """
    _whole("r2r_unit_mismatch: bits", bits, *R2R_BITS)
    if not 0 <= resistor_mismatch < math.inf:
        raise PartError(f"r2r_unit_mismatch: resistor_mismatch = {resistor_mismatch} is not allowed; a number >= 0")
    rest = 0.5
    for _ in range(bits - 1):
        rest = 0.25 + (0.5 + rest) / 16
    return math.sqrt((2**bits - 1) * (0.5 + rest)) / 2 * resistor_mismatch


def row_driver(
    columns: int,
    *,
    write: bool = False,
    node_nm: int = 22,
    energy_ratio: float = 1.0,
    area_ratio: float = 1.0,
    latency_ratio: float = 1.0,
) -> Part:
    """Return row decoder and word-line driver, per selected row; a pulse driver of the calibration table replaces it.

    Parameters
    ----------
    columns
        Cells on the row, 16 to 4096. Known for 128 to 512; beyond, the range is twice as wide on either side.
    write
        Price a write of 2 V, not a read.
    node_nm
        22 or 32: whose figures.
    energy_ratio, area_ratio, latency_ratio
        Of the wanted node over `node_nm`.

    Raises
    ------
    PartError
        If a parameter is outside its range.
    """
    _whole("row_driver: columns", columns, 16, 4096)
    node = _node("row_driver", node_nm)
    _ratios("row_driver", energy_ratio, area_ratio, latency_ratio)
    energy, area = (_row_line(node, first, slope, columns) for first, slope in ROW_LINES)
    if write:
        share = energy.value / _row_line(node, *ROW_LINES[0], WRITTEN_COLUMNS).value
        energy = times(figure("row_driver", node, "write_j"), share, f"times {share:.3g}, as reads grow with columns")
    if not FITTED_COLUMNS[0] <= columns <= FITTED_COLUMNS[1]:
        energy = widened(energy, f"extrapolated from 128 to 512 columns to {columns}")
    latency = figure("row_driver", node, "latency_s")
    scaled = _at_node((energy, latency, area), (energy_ratio, latency_ratio, area_ratio), node)
    return _part("row_driver_write" if write else "row_driver", f"one selected row of {columns} cells", *scaled)


def _row_line(node: str, first: str, slope: str, columns: int) -> Quantity:
    """Return a + b x columns."""
    a, b = figure("row_driver", node, first), figure("row_driver", node, slope)
    numbers = (low + columns * more for low, more in zip(_triple(a), _triple(b), strict=True))
    return combined(numbers, a.unit, f"a + b x {columns} columns", a, b)


def column_mux(
    *, node_nm: int = 22, energy_ratio: float = 1.0, area_ratio: float = 1.0, latency_ratio: float = 1.0
) -> Part:
    """Return one column's share of a multiplexer in front of a shared converter, 22 or 32 nm."""
    return _table_part("column_mux", "one column", node_nm, 1, "", energy_ratio, area_ratio, latency_ratio)


def register(
    bits: int, *, node_nm: int = 22, energy_ratio: float = 1.0, area_ratio: float = 1.0, latency_ratio: float = 1.0
) -> Part:
    """Return a register of flip-flops, 22, 32 or 40 nm; its latency does not depend on `bits`, >= 1."""
    _whole("register: bits", bits, 1, 4096)
    ratios = (energy_ratio, area_ratio, latency_ratio)
    return _table_part("register", f"one write of {bits} bits", node_nm, bits, "bits", *ratios)


def adder(
    bits: int, *, node_nm: int = 22, energy_ratio: float = 1.0, area_ratio: float = 1.0, latency_ratio: float = 1.0
) -> Part:
    """Return a ripple adder, 22, 32 or 40 nm; everything is proportional to `bits`, 4 to 64, known for 8 to 32."""
    _whole("adder: bits", bits, 4, 64)
    ratios = (energy_ratio, area_ratio, latency_ratio)
    note = "" if SUMMED_BITS[0] <= bits <= SUMMED_BITS[1] else "extrapolated from 8 to 32 bits"
    return _table_part(
        "adder", f"one addition of {bits} bits", node_nm, bits, "bits", *ratios, rippling=True, note=note
    )


def comparator(bits: int, *, energy_ratio: float = 1.0, area_ratio: float = 1.0, latency_ratio: float = 1.0) -> Part:
    """Return a digital comparator of two numbers, 40 nm; proportional to `bits`, 1 to 32."""
    _whole("comparator: bits", bits, 1, 32)
    ratios = (energy_ratio, area_ratio, latency_ratio)
    return _table_part("comparator", f"one comparison of {bits} bits", 40, bits, "bits", *ratios)


def shift_add(
    *, node_nm: int = 22, energy_ratio: float = 1.0, area_ratio: float = 1.0, latency_ratio: float = 1.0
) -> Part:
    """Return a shift-and-add unit with its 16-bit register, 22 or 32 nm."""
    ratios = (energy_ratio, area_ratio, latency_ratio)
    return _table_part("shift_add", "one shift and addition", node_nm, 1, "", *ratios)


def max_pool(
    bits: int = POOLED_BITS,
    inputs: int = POOLED_INPUTS,
    *,
    node_nm: int = 22,
    energy_ratio: float = 1.0,
    area_ratio: float = 1.0,
    latency_ratio: float = 1.0,
) -> Part:
    """Return a unit that picks the largest of 2 to 64 inputs of 1 to 32 bits, 22 or 32 nm.

    Known for four inputs of 8 bits; others in proportion to the number of comparisons and of bits.
    """
    _whole("max_pool: bits", bits, 1, 32)
    _whole("max_pool: inputs", inputs, 2, 64)
    share = (inputs - 1) / (POOLED_INPUTS - 1) * bits / POOLED_BITS
    ratios = (energy_ratio, area_ratio, latency_ratio * math.log2(inputs) / math.log2(POOLED_INPUTS))
    return _table_part("max_pool", f"largest of {inputs} of {bits} bits", node_nm, share, "comparisons", *ratios)


def integer_unit(
    operation: str, bits: int, *, energy_ratio: float = 1.0, area_ratio: float = 1.0, latency_ratio: float = 1.0
) -> Part:
    """Return an integer unit at 45 nm and 0.9 V: ``add`` or ``multiply``, 8 or 32 bits."""
    return _unit("integer", operation, bits, INTEGER_BITS, energy_ratio, area_ratio, latency_ratio)


def floating_point_unit(
    operation: str, bits: int, *, energy_ratio: float = 1.0, area_ratio: float = 1.0, latency_ratio: float = 1.0
) -> Part:
    """Return a floating-point unit at 45 nm and 0.9 V: ``add`` or ``multiply``, 16 or 32 bits."""
    return _unit("float", operation, bits, FLOATING_POINT_BITS, energy_ratio, area_ratio, latency_ratio)


def sram(
    capacity_byte: float,
    word_bits: int = SRAM_REFERENCE_BITS,
    *,
    energy_ratio: float = 1.0,
    area_ratio: float = 1.0,
    latency_ratio: float = 1.0,
) -> Part:
    """Return an SRAM macro at 45 nm; one action reads or writes one word.

    Energy of a word is proportional to its bits and to depth^0.78; area and leakage to the capacity.

    Parameters
    ----------
    capacity_byte
        64 B to 16 MiB. A memory of 1 MB has banks, so the law overestimates: the low end of the range has their slope.
    word_bits
        8 to 1024, and not more than the capacity.
    energy_ratio, area_ratio, latency_ratio
        Of the wanted node over 45 nm.

    Raises
    ------
    PartError
        If a parameter is outside its range.
    """
    if not 64 <= capacity_byte <= 2**24:
        raise PartError(f"sram: capacity_byte = {capacity_byte} is not allowed; 64 to {2**24}; split larger ones")
    _whole("sram: word_bits", word_bits, 8, 1024)
    _ratios("sram", energy_ratio, area_ratio, latency_ratio)
    depth = capacity_byte * 8 / word_bits
    if depth < 1:
        raise PartError(f"sram: word_bits = {word_bits} is more than a capacity of {capacity_byte} bytes holds")
    access, relative = figure("sram", "45", "access_j"), depth / SRAM_REFERENCE_DEPTH
    exponent = figure("sram", "45", "depth_exponent" if relative >= 1 else "shallow_exponent")
    share = word_bits / SRAM_REFERENCE_BITS
    slopes = sorted(relative**power for power in range_of(exponent))
    share = word_bits / SRAM_REFERENCE_BITS
    energy = combined(
        (
            word * share * scale
            for word, scale in zip(_triple(access), (relative**exponent.value, *slopes), strict=True)
        ),
        "J",
        f"64-bit access of 8 kB x {share:g} of the bits x ({depth:g}/1024)^{exponent.value:g}",
        *(access, exponent),
    )
    latency = times(figure("sram", "45", "latency_s"), math.sqrt(relative), f"times sqrt({depth:g}/1024)")
    area = times(figure("sram", "45", "byte_m2"), capacity_byte, f"{capacity_byte:g} bytes")
    scaled = _at_node((energy, latency, area), (energy_ratio, latency_ratio, area_ratio), "45")
    return _part("sram", f"one access of {word_bits} bits", *scaled)


def wire(length_m: float, *, bits: int = 1, activity: float = 0.5, supply_v: float = CORE_SUPPLY_V) -> Part:
    """Return a bus of repeated wires; one action sends `bits` bits in parallel over `length_m`.

    Energy: ½ C V² for each wire that changes. Capacitance per length is the same at every node, so there is no ratio.

    Parameters
    ----------
    length_m
        0 to 0.1 m.
    bits
        1 to 4096.
    activity
        Share of the wires that change, 0 to 1; one half for random data.
    supply_v
        Swing of the wire, > 0.

    Raises
    ------
    PartError
        If a parameter is outside its range.
    """
    _whole("wire: bits", bits, 1, 4096)
    _positive("wire: supply_v", supply_v)
    for name, given, most in (("length_m", length_m, 0.1), ("activity", activity, 1.0)):
        if not 0 <= given <= most:
            raise PartError(f"wire: {name} = {given!r} is not allowed; 0 to {most:g}")
    capacitance, repeaters = figure("wire", "any", "wire_capacitance_f_per_m"), figure("wire", "any", "repeater_ratio")
    changed = 0.5 * supply_v**2 * activity * bits * length_m
    energy = combined(
        (changed * c * (1 + more) for c, more in zip(_triple(capacitance), _triple(repeaters), strict=True)),
        "J",
        f"1/2 C V^2 x activity {activity:g} x {bits} bits x {length_m:g} m, with repeaters",
        *(capacitance, repeaters),
    )
    latency = times(figure("wire", "any", "delay_s_per_m"), length_m, f"{length_m:g} m", "s")
    area = times(figure("wire", "any", "pitch_m"), bits * length_m, f"{bits} wires of {length_m:g} m", "m2")
    return _part("wire", f"{bits} bits over {length_m:g} m", energy, latency, area)


def off_chip_memory(kind: str) -> Part:
    """Return a memory on another chip, ``hbm2`` or ``gddr5``; one action moves one bit.

    Keep it on a line of its own in a bill: it can be thousands of times what the array takes. Its area and leakage are
    on the other chip; what its refresh takes is not in the energy per bit.

    Raises
    ------
    PartError
        For another kind.
    """
    if kind not in OFF_CHIP_MEMORIES:
        raise PartError(f"off_chip_memory = {kind!r} {unknown_name(kind, OFF_CHIP_MEMORIES)}")
    area, leakage = (Quantity(0.0, unit, "assumed", "", "on another chip", low=0.0, high=0.0) for unit in ("m2", "W"))
    energy, latency = figure(kind, "any", "energy_j"), figure(kind, "any", "latency_s")
    return Part(kind, "one bit", energy, latency, area, leakage)


def leakage_density() -> Quantity:
    """Return the leakage of logic and SRAM per area at 22 nm; low standby power, up to high performance, W/m²."""
    return figure("leakage", "22", "density_w_per_m2")


def _table_part(
    name: str,
    action: str,
    node_nm: int,
    count: float,
    of_what: str,
    energy_ratio: float,
    area_ratio: float,
    latency_ratio: float,
    *,
    rippling: bool = False,
    note: str = "",
) -> Part:
    """Return a part whose figures are per unit of something: energy and area times its count, latency if it ripples."""
    node = _node(name, node_nm)
    _ratios(name, energy_ratio, area_ratio, latency_ratio)
    energy, latency, area = (figure(name, node, quantity) for quantity in ("energy_j", "latency_s", "area_m2"))
    if of_what:
        energy, area = (times(entry, count, f"{count:g} {of_what}") for entry in (energy, area))
    if rippling:
        latency = times(latency, count, f"{count:g} {of_what}")
    if note:
        energy, latency, area = (widened(entry, note) for entry in (energy, latency, area))
    scaled = _at_node((energy, latency, area), (energy_ratio, latency_ratio, area_ratio), node)
    return _part(name, action, *scaled)


def _unit(
    family: str,
    operation: str,
    bits: int,
    known: tuple[int, ...],
    energy_ratio: float,
    area_ratio: float,
    latency_ratio: float,
) -> Part:
    if operation not in OPERATIONS:
        raise PartError(f"{family} operation = {operation!r} {unknown_name(operation, OPERATIONS)}")
    if bits not in known:
        allowed = " or ".join(map(str, known))
        raise PartError(f"{family} {operation}: bits = {bits!r} is not allowed; {allowed} have a figure")
    ratios = (energy_ratio, area_ratio, latency_ratio)
    return _table_part(f"{family}_{operation}_{bits}", "one operation", 45, 1, "", *ratios)


def times(given: Quantity, factor: float, note: str, unit: str | None = None) -> Quantity:
    """Return a quantity and its range times an exact factor >= 0; `note` says what the factor is."""
    kind = "assumed" if given.kind == "assumed" else "derived"
    value, low, high = (number * factor for number in _triple(given))
    return Quantity(value, unit or given.unit, kind, given.source, f"{note}: {given.note}", low=low, high=high)


def widened(given: Quantity, why: str) -> Quantity:
    """Return a quantity with a range twice as wide on either side, and the reason in its note."""
    low, high = range_of(given)
    return replace(given, note=f"{why}, so a wider range: {given.note}", low=low / 2, high=high * 2)


def combined(numbers: Iterable[float], unit: str, formula: str, *origins: Quantity) -> Quantity:
    """Return a derived quantity from value, low and high; its note names the formula and what went in."""
    value, low, high = numbers
    parts = dict.fromkeys(origin.describe() for origin in origins)
    return Quantity(value, unit, "derived", "", " | ".join((formula, *parts)), low=low, high=high)


def _triple(given: Quantity) -> tuple[float, float, float]:
    """Return value, low and high."""
    return given.value, *range_of(given)


def _at_node(found: tuple[Quantity, ...], ratios: tuple[float, ...], node: str) -> list[Quantity]:
    """Return quantities at the node that ratios lead to from the node of the figures."""
    return [
        entry if ratio == 1 else times(entry, ratio, f"times {ratio:.3g} from {node} nm")
        for entry, ratio in zip(found, ratios, strict=True)
    ]


def _part(name: str, action: str, energy: Quantity, latency: Quantity, area: Quantity) -> Part:
    density = leakage_density()
    numbers = (d * a for d, a in zip(_triple(density), _triple(area), strict=True))
    leakage = combined(numbers, "W", "leakage per area x area", density)
    return Part(name, action, energy, latency, area, leakage)


def _node(part: str, node_nm: int) -> str:
    known = list(_tables()[part])
    if str(node_nm) not in known:
        raise PartError(
            f"{part}: node_nm = {node_nm!r} has no figure; {', '.join(known)} have: take the nearest and pass ratios"
        )
    return str(node_nm)


def _ratios(part: str, energy_ratio: float, area_ratio: float, latency_ratio: float) -> None:
    _positive(f"{part}: energy_ratio", energy_ratio)
    _positive(f"{part}: area_ratio", area_ratio)
    _positive(f"{part}: latency_ratio", latency_ratio)


def _whole(what: str, given: int, low: int, high: int) -> None:
    if isinstance(given, bool) or int(given) != given or not low <= given <= high:
        raise PartError(f"{what} = {given!r} is not allowed; a whole number from {low} to {high}")


def _positive(what: str, given: float) -> None:
    if not 0 < given < math.inf:
        raise PartError(f"{what} = {given!r} is not allowed; a finite number above 0")
