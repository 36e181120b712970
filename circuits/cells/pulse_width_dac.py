"""A pulse-width DAC: a code becomes the duration of a pulse on a pair of row lines, in ticks of 0.5 ns.

::

    count (shared bus) --+         +-----+ eq
                         +--[mux]--| and |---+--[nand]--o reset   +-------+ q   +---------+    PMOS to 0.7 V
    code of the line ----+         +-----+   |    tick            | latch |-----| sign,  |---- NMOS to 0.3 V ---- row
                                             +--o[nand]--o set    +-------+     | taper  |---- both to 0.5 V --- row_ref
                                       start, tick                              +---------+

A counter that all lines share counts ticks. Two transmission gates per bit select the count or its complement by the
code of the line, so that all bits are 1 where both are equal. In the second half of a tick, when the count has
settled, that ends the pulse; the first tick began it, unless the code is 0. While a pulse lasts one row is at 0.7 V
and its reference row at 0.3 V, or the other way round by the sign; otherwise both are at 0.5 V.

The widths of the line switches grow with the cells of a line, so the loss in them does not. The read levels, the
clock and the register that holds the code are ideal sources: their own energy is not in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from circuits import frame, measure
from circuits.cell import CORNERS, TEMPERATURES_K, Cell, Conditions, Entry, Measured, Picture, Point
from circuits.decks import Deck, number_of
from circuits.laws import Law
from circuits.simulator import Waveforms

HIGH_V = frame.COMMON_MODE_V + frame.READ_VOLTAGE_V
LOW_V = frame.COMMON_MODE_V - frame.READ_VOLTAGE_V
MIN_BITS, MAX_BITS = 3, 8
LENGTH_M = 50e-9
NARROW_M, NARROW_P_M = 120e-9, 200e-9
# Source edges and the delay of a counter behind its clock, as `counter_deck` shows it to be at most.
EDGE_S, COUNT_DELAY_S = 20e-12, 100e-12
OPTIONS: dict[str, float | str | bool] = {"method": "gear", "reltol": 1e-4, "abstol": 1e-10}


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Dimensions of one line of the DAC.

    Parameters
    ----------
    bits
        Sign and magnitude, 3 to 8.
    cells
        Cross-points on each of the two row lines, at least 1.
    high_width_per_cell_m, low_width_per_cell_m, idle_width_per_cell_m
        Widths, per cell, of the switches to 0.7 V (PMOS), 0.3 V (NMOS) and 0.5 V (each transistor of the pair).
    bus_capacitance_f
        Capacitance of each wire of the bus per line, >= 0; assumed, some 2.5 um of wire.
    """

    bits: int = 7
    cells: int = 128
    high_width_per_cell_m: float = 80e-9
    low_width_per_cell_m: float = 50e-9
    idle_width_per_cell_m: float = 40e-9
    bus_capacitance_f: float = 0.5e-15

    def __post_init__(self) -> None:
        if not MIN_BITS <= self.bits <= MAX_BITS:
            raise ValueError(f"bits = {self.bits} of a pulse-width DAC; {MIN_BITS} to {MAX_BITS} are allowed")
        if self.cells < 1:
            raise ValueError(f"cells = {self.cells} on a line; at least 1 is needed")

    @property
    def magnitude_bits(self) -> int:
        """Bits without the sign."""
        return self.bits - 1

    @property
    def ticks(self) -> int:
        """Ticks of the window; the largest code is one less."""
        return int(2**self.magnitude_bits)


class Gates:
    """Lines of a netlist of transistors, gate by gate; nodes as strings, widths in metres.

    Logic is of the VTG kind, which leaks a sixth of VTL; switches that pass levels in the middle are VTL.
    """

    def __init__(self, supply: str = "vdd", ground: str = "0") -> None:
        self.supply, self.ground = supply, ground
        self.lines: list[str] = []

    def transistor(
        self, kind: str, drain: str, gate: str, source: str, width_m: float, *, threshold: str = "VTG"
    ) -> None:
        """Add one transistor; kind is n or p."""
        model = f"{'NMOS' if kind == 'n' else 'PMOS'}_{threshold}"
        well = self.ground if kind == "n" else self.supply
        name = f"M{len(self.lines)}"
        self.lines.append(f"{name} {drain} {gate} {source} {well} {model} w={width_m:.4g} l={LENGTH_M:g}")

    def inverter(self, a: str, y: str, scale: float = 1.0) -> None:
        """Add an inverter, `scale` times the smallest."""
        self.transistor("n", y, a, self.ground, scale * NARROW_M)
        self.transistor("p", y, a, self.supply, scale * NARROW_P_M)

    def nand(self, inputs: Sequence[str], y: str) -> None:
        """Add a NAND of two or three inputs."""
        for place, node in enumerate(inputs):
            lower = self.ground if place + 1 == len(inputs) else f"{y}_{place}"
            self.transistor("n", y if place == 0 else f"{y}_{place - 1}", node, lower, len(inputs) * NARROW_M)
            self.transistor("p", y, node, self.supply, NARROW_P_M)

    def nor(self, inputs: Sequence[str], y: str) -> None:
        """Add a NOR of two or three inputs."""
        for place, node in enumerate(inputs):
            upper = self.supply if place + 1 == len(inputs) else f"{y}_{place}"
            self.transistor("p", y if place == 0 else f"{y}_{place - 1}", node, upper, len(inputs) * NARROW_P_M)
            self.transistor("n", y, node, self.ground, NARROW_M)

    def pass_gate(self, a: str, y: str, on: str, off: str) -> None:
        """Add a transmission gate that conducts while `on` is high and `off` low."""
        self.transistor("n", a, on, y, NARROW_M)
        self.transistor("p", a, off, y, NARROW_M)

    def taper(self, a: str, y: str, width_m: float) -> None:
        """Add two inverters that drive a gate of a width."""
        final = max(width_m / 12 / NARROW_M, 1.0)
        self.inverter(a, f"{y}_t", max(final / 4, 1.0))
        self.inverter(f"{y}_t", y, final)


def gate_area_m2(text: str) -> float:
    """Return the sum of width times length of the transistors of a flat netlist."""
    total = 0.0
    for line in text.splitlines():
        if line[:1] in "Mm":
            sizes = dict(token.split("=") for token in line.split() if "=" in token)
            total += (number_of(sizes["w"]) or 0.0) * (number_of(sizes["l"]) or 0.0)
    return total


def netlist(parameters: Parameters) -> str:
    """Return the subcircuit of one line.

    Ports: vdd (logic), vgate (drivers of the switches), vh, vl, vc (read levels), tick (high in the second half of a
    tick), start (high in the first tick), sign and sign_b, then n0 n0_b … of the count and m0 m0_b … of the code, row
    and row_ref.
    """
    gates = Gates()
    count = parameters.magnitude_bits
    for bit in range(count):
        gates.pass_gate(f"n{bit}", f"e{bit}", f"m{bit}", f"m{bit}_b")
        gates.pass_gate(f"n{bit}_b", f"e{bit}", f"m{bit}_b", f"m{bit}")
    groups = [[f"e{bit}" for bit in range(first, count, -(-count // 3))] for first in range(-(-count // 3))]
    if len(groups) == 1:
        gates.nand(groups[0], "eq_b")
        gates.inverter("eq_b", "eq")
    else:
        for place, group in enumerate(groups):
            gates.nand(group, f"differ{place}")
        gates.nor([f"differ{place}" for place in range(len(groups))], "eq")
        gates.inverter("eq", "eq_b")
    gates.nand(["tick", "start", "eq_b"], "set_b")
    gates.nand(["tick", "eq"], "reset_b")
    gates.nand(["set_b", "q_b"], "q_a")
    gates.nand(["reset_b", "q_a"], "q_b")
    gates.inverter("q_b", "q", 2)
    gates.inverter("q", "idle", 2)
    # Switch signals: up is a pulse of positive sign, down of negative; low-active for the PMOS.
    gates.nand(["q", "sign"], "up_n")
    gates.nand(["q", "sign_b"], "down_n")
    gates.nor(["idle", "sign_b"], "up")
    gates.nor(["idle", "sign"], "down")
    high, low, rest = (
        parameters.cells * width
        for width in (
            parameters.high_width_per_cell_m,
            parameters.low_width_per_cell_m,
            parameters.idle_width_per_cell_m,
        )
    )
    drivers = Gates("vgate")
    drivers.lines = [line.replace(line.split()[0], f"ML{line.split()[0][1:]}", 1) for line in gates.lines]
    for source, gate, width in (
        ("up_n", "gup_n", high),
        ("down_n", "gdown_n", high),
        ("up", "gup", low),
        ("down", "gdown", low),
        ("idle", "gidle", 2 * rest),
        ("q", "gidle_n", 2 * rest),
    ):
        drivers.taper(source, gate, width)
    for line, up_n, down in (("row", "gup_n", "gdown"), ("row_ref", "gdown_n", "gup")):
        drivers.transistor("p", line, up_n, "vh", high, threshold="VTL")
        drivers.transistor("n", line, down, "vl", low, threshold="VTL")
        drivers.transistor("n", line, "gidle", "vc", rest, threshold="VTL")
        drivers.transistor("p", line, "gidle_n", "vc", rest, threshold="VTL")
    bus = " ".join(f"{wire}{bit} {wire}{bit}_b" for wire in "nm" for bit in range(count))
    head = f".subckt pulse_width_dac vdd vgate vh vl vc tick start sign sign_b {bus} row row_ref"
    return "\n".join([head, *drivers.lines, ".ends"])


START_S = frame.TICK_S  # of the first tick; before it everything settles


def line_deck(
    parameters: Parameters,
    code: int,
    *,
    corner: str = "nominal",
    temperature_k: float = 300.0,
    ticks: int | None = None,
) -> Deck:
    """Return the bench of one conversion: a line pair with its share of the bus, loaded with cells.

    Parameters
    ----------
    parameters
        Dimensions.
    code
        Signed, at most 2^(bits - 1) - 1 in magnitude.
    corner, temperature_k
        Of the transistors.
    ticks
        How many to simulate; the whole window where not given.
    """
    if abs(code) >= parameters.ticks:
        raise ValueError(f"code {code}: at most {parameters.ticks - 1} in magnitude with {parameters.bits} bits")
    tick, count = frame.TICK_S, parameters.magnitude_bits
    bus = Gates("vbus")
    body = [netlist(parameters)]
    wires = []
    for bit in range(count):
        width = 2**bit * tick
        wave = f"{START_S + COUNT_DELAY_S + width:g} {EDGE_S:g} {EDGE_S:g} {width - EDGE_S:g} {2 * width:g}"
        body += [f"Vn{bit} i{bit}_b 0 pulse(1 0 {wave})", f"Vn{bit}b i{bit} 0 pulse(0 1 {wave})"]
        wires += [(f"i{bit}_b", f"n{bit}"), (f"i{bit}", f"n{bit}_b")]
        value = abs(code) >> bit & 1
        body += [f"Vm{bit} m{bit} 0 {value}", f"Vm{bit}b m{bit}_b 0 {1 - value}"]
    wave = f"{START_S + tick / 2:g} {EDGE_S:g} {EDGE_S:g} {tick / 2 - EDGE_S:g} {tick:g}"
    body.append(f"Vtick itick 0 pulse(1 0 {wave})")
    begin = START_S + COUNT_DELAY_S
    body.append(
        f"Vstart istart 0 pwl(0 1 {begin:g} 1 {begin + EDGE_S:g} 0 {begin + tick:g} 0 {begin + tick + EDGE_S:g} 1)"
    )
    wires += [("itick", "tick"), ("istart", "start")]
    for place, (a, y) in enumerate(wires):
        bus.inverter(a, y, 2)
        body.append(f"Cbus{place} {y} 0 {parameters.bus_capacitance_f!r}")
    body += bus.lines
    sign = int(code >= 0)
    body += [f"Vsign sign 0 {sign}", f"Vsignb sign_b 0 {1 - sign}"]
    for name, node, level in (
        ("dd", "vdd", frame.CORE_SUPPLY_V),
        ("gate", "vgate", frame.CORE_SUPPLY_V),
        ("bus", "vbus", frame.CORE_SUPPLY_V),
        ("h", "vh", HIGH_V),
        ("l", "vl", LOW_V),
        ("c", "vc", frame.COMMON_MODE_V),
        ("cm", "vcm", frame.COMMON_MODE_V),
    ):
        body.append(f"V{name} {node} 0 {level}")
    load_ohm = 1 / (parameters.cells * frame.MEAN_CONDUCTANCE_S)
    load_f = parameters.cells * frame.CELL_CAPACITANCE_F
    for line in ("row", "row_ref"):
        body += [f"R{line} {line} vcm {load_ohm!r}", f"C{line} {line} 0 {load_f!r}"]
    nodes = " ".join(f"{wire}{bit} {wire}{bit}_b" for wire in "nm" for bit in range(count))
    body.append(f"Xline vdd vgate vh vl vc tick start sign sign_b {nodes} row row_ref pulse_width_dac")
    body.append(".ic v(xline.q_b)=1")  # the window before has ended
    end = START_S + ((parameters.ticks if ticks is None else ticks) + 1) * tick
    return Deck(
        title=f"pulse_width_dac: {parameters.bits} bits, {parameters.cells} cells, code {code}",
        body="\n".join(body),
        analysis=f".tran {EDGE_S:g} {end:g} 0 {tick / 10:g}",
        save=(
            *(f"i(v{name})" for name in ("dd", "gate", "bus", "h", "l", "c")),
            *(f"v({node})" for node in ("row", "row_ref", "tick", "start", "xline.q", "xline.eq")),
        ),
        corner=corner,
        temperature_k=temperature_k,
        options=OPTIONS,
    )


SUPPLIES_V = {"dd": 1.0, "gate": 1.0, "bus": 1.0, "h": HIGH_V, "l": LOW_V, "c": frame.COMMON_MODE_V}


def measure_line(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return energies by supply and the charges of both lines, in ticks of a perfect pulse, of one conversion.

    The energy to drive the line is without the static power, which is taken before the window.
    """
    found, time = waveforms[0], waveforms[0].axis
    cells = int(conditions["cells"])
    start, end = START_S, float(time[-1])
    # The tick that follows the window is there for the pulse to end in; logic and bus are counted without it.
    window_end = min(end, START_S + 2 ** (int(conditions["bits"]) - 1) * frame.TICK_S)
    energy = {
        name: measure.supply_energy_j(
            time, found[f"i(v{name})"], level, start, window_end if name in ("dd", "bus") else end
        )
        for name, level in SUPPLIES_V.items()
    }
    taken, charge = 0.0, {}
    for line, sign in (("row", 1.0), ("row_ref", -1.0)):
        across = found[f"v({line})"] - frame.COMMON_MODE_V
        conductance = cells * frame.MEAN_CONDUCTANCE_S
        taken += conductance * measure.integral(time, across**2, start, end)
        # What flows on into the other end of the cells, at 0.5 V, leaves the line.
        taken += conductance * frame.COMMON_MODE_V * measure.integral(time, across, start, end)
        charge[line] = sign * measure.integral(time, across, start, end) / (frame.READ_VOLTAGE_V * frame.TICK_S)
    idle = {
        name: measure.supply_energy_j(time, found[f"i(v{name})"], level, START_S / 2, START_S) / (START_S / 2)
        for name, level in SUPPLIES_V.items()
    }
    driving = ("gate", "h", "l", "c")
    static = sum(idle[name] for name in driving)
    return {
        "energy_j": energy["dd"] + energy["bus"],
        "bus_energy_j": energy["bus"],
        "gate_energy_j": energy["gate"] - idle["gate"] * (end - start),
        "drive_energy_j": sum(energy[name] for name in driving) - taken - static * (end - start),
        "static_power_w": static,
        "row_ticks": charge["row"],
        "reference_ticks": charge["row_ref"],
    }


def counter_netlist(bits: int) -> str:
    """Return the subcircuit of a synchronous counter of ticks; ports vdd, clock, reset, then n0 n0_b … per bit.

    Master-slave flip-flops of transmission gates; reset takes one edge of the clock.
    """
    gates = Gates()
    count = bits - 1
    gates.inverter("clock", "off", 2 * count)
    gates.inverter("off", "on", 2 * count)
    for bit in range(count):
        own, other = f"n{bit}", f"n{bit}_b"
        same = other  # of bit 0: it toggles every time
        if bit:
            same = f"same{bit}"
            toggle, keep = (own_toggle := f"t{bit}"), f"t{bit}_b"
            if bit == 1:
                toggle, keep = "n0", "n0_b"
            else:
                below = "n0" if bit == 2 else f"t{bit - 1}"
                gates.nand([below, f"n{bit - 1}"], keep)
                gates.inverter(keep, own_toggle)
            gates.pass_gate(own, same, toggle, keep)
            gates.pass_gate(other, same, keep, toggle)
            gates.nor([same, "reset"], f"d{bit}")
        else:
            gates.nor([own, "reset"], "d0")
        gates.pass_gate(f"d{bit}", f"a{bit}", "off", "on")
        gates.inverter(f"a{bit}", f"a{bit}_b")
        gates.inverter(f"a{bit}_b", f"a{bit}_f")
        gates.pass_gate(f"a{bit}_f", f"a{bit}", "on", "off")
        gates.pass_gate(f"a{bit}_b", f"s{bit}", "on", "off")
        gates.inverter(f"s{bit}", own, 2)
        gates.inverter(own, other, 2)
        gates.pass_gate(other, f"s{bit}", "off", "on")
    ports = " ".join(f"n{bit} n{bit}_b" for bit in range(count))
    return "\n".join([f".subckt tick_counter vdd clock reset {ports}", *gates.lines, ".ends"])


COUNTED_TICKS = 32


def counter_deck(bits: int, *, corner: str = "nominal", temperature_k: float = 300.0) -> Deck:
    """Return the bench of the counter: two edges of the clock in reset, then up to 32 ticks."""
    tick, count = frame.TICK_S, bits - 1
    ticks = min(2**count, COUNTED_TICKS)
    ports = " ".join(f"n{bit} n{bit}_b" for bit in range(count))
    end = (ticks + 2) * tick
    reset_end = 1.5 * tick
    body = [
        counter_netlist(bits),
        f"Vdd vdd 0 {frame.CORE_SUPPLY_V}",
        f"Vclock clock 0 pulse(0 1 {tick / 2:g} {EDGE_S:g} {EDGE_S:g} {tick / 2 - EDGE_S:g} {tick:g})",
        f"Vreset reset 0 pwl(0 1 {reset_end + COUNT_DELAY_S:g} 1 {reset_end + COUNT_DELAY_S + EDGE_S:g} 0)",
        f"Xcounter vdd clock reset {ports} tick_counter",
        f"Vload vload 0 {frame.CORE_SUPPLY_V}",
    ]
    # The first inverters of the bus, on a supply of their own.
    load = Gates("vload")
    for bit in range(count):
        load.inverter(f"n{bit}", f"y{bit}", 2)
        load.inverter(f"n{bit}_b", f"y{bit}_b", 2)
    body += load.lines
    return Deck(
        title=f"pulse_width_dac: counter of {count} bits",
        body="\n".join(body),
        analysis=f".tran {EDGE_S:g} {end:g} 0 {tick / 10:g}",
        save=(
            "i(vdd)",
            "v(clock)",
            *(f"v({name})" for bit in range(count) for name in (f"n{bit}", f"y{bit}", f"y{bit}_b")),
        ),
        corner=corner,
        temperature_k=temperature_k,
        options=OPTIONS,
    )


def measure_counter(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return the energy per tick, the latest change of an output after the clock, and the count at the end."""
    found, time, tick = waveforms[0], waveforms[0].axis, frame.TICK_S
    count = int(conditions["bits"]) - 1
    ticks = min(2**count, COUNTED_TICKS)
    start = 1.5 * tick
    energy = measure.supply_energy_j(time, found["i(vdd)"], frame.CORE_SUPPLY_V, start, start + ticks * tick)
    read = [int(np.interp(float(time[-1]), time, found[f"v(n{bit})"]) > 0.5) << bit for bit in range(count)]
    # Bit 0 changes with every edge, the highest bit that changes at all does so last.
    last = min(count, COUNTED_TICKS.bit_length() - 1) - 1
    edge = start + 2**last * tick
    delay = measure.crossing_s(time, found[f"v(n{last})"], 0.5, after_s=edge) - edge - EDGE_S / 2
    return {"counter_energy_j": energy / ticks, "counter_delay_s": delay, "count": float(sum(read))}


BITS = range(MIN_BITS, MAX_BITS + 1)
MIDDLE_BITS, MIDDLE_CELLS, DRIVE_BITS = 5, 128, 3
CELLS = (16, 32, 64, 96, 128, 192, 256)
ALL_BITS_CELLS = 128
SHORT_FROM_BITS = 7  # from here on only the largest code sees the whole window


def _codes(bits: int) -> tuple[int, ...]:
    largest = 2 ** (bits - 1) - 1
    return tuple(sorted({1, 2, (largest + 1) // 2, largest}))


def _corners() -> list[tuple[str, float]]:
    """Return every corner at 300 K and every temperature at the nominal corner."""
    return [(corner, 300.0) for corner in CORNERS] + [("nominal", kelvin) for kelvin in TEMPERATURES_K[1:]]


def points() -> list[Point]:
    """Return conversions over bits, drives over cells, counters over bits; corners for the middle settings."""
    found = []
    for bits in BITS:
        largest = 2 ** (bits - 1) - 1
        for corner, kelvin in _corners() if bits == MIDDLE_BITS else [("nominal", 300.0)]:
            at: Conditions = {"bits": bits, "cells": MIDDLE_CELLS, "corner": corner, "temperature_k": kelvin}
            for code in _codes(bits):
                short = code + 1 if code != largest and (bits >= SHORT_FROM_BITS or corner != "nominal") else None
                deck = line_deck(
                    Parameters(bits=bits, cells=MIDDLE_CELLS), code, corner=corner, temperature_k=kelvin, ticks=short
                )
                found.append(Point("line", {**at, "code": code, "whole": int(short is None)}, (deck,), measure_line))
            found.append(
                Point(
                    "counter",
                    {"bits": bits, "corner": corner, "temperature_k": kelvin},
                    (counter_deck(bits, corner=corner, temperature_k=kelvin),),
                    measure_counter,
                )
            )
    for cells in CELLS:
        for corner, kelvin in _corners() if cells == MIDDLE_CELLS else [("nominal", 300.0)]:
            parameters = Parameters(bits=DRIVE_BITS, cells=cells)
            deck = line_deck(parameters, 2, corner=corner, temperature_k=kelvin)
            at = {"bits": DRIVE_BITS, "cells": cells, "corner": corner, "temperature_k": kelvin}
            found.append(Point("drive", at, (deck,), measure_line))
    return found


def transfer(codes: Sequence[int], ticks: Sequence[float]) -> tuple[float, float, float]:
    """Return offset in ticks, gain error and the largest deviation from the line, of durations over codes."""
    slope, offset = np.polyfit(codes, ticks, 1)
    deviation = np.abs(np.asarray(ticks) - np.polyval((slope, offset), codes)).max()
    return float(offset), float(slope) - 1, float(deviation)


def line_area_m2(parameters: Parameters) -> float:
    """Return the area of one line: gate areas times the overhead for wires and wells."""
    return frame.AREA_OVERHEAD * gate_area_m2(netlist(parameters))


def entries(measured: Sequence[Measured]) -> list[Entry]:
    """Return energies, transfer errors, latency and areas."""
    found: list[Entry] = []

    def simulated(quantity: str, at: Conditions, value: float, note: str) -> None:
        found.append(Entry(quantity, at, value, source="simulation", note=note))

    settings = {
        tuple(p.conditions[key] for key in ("bits", "corner", "temperature_k")) for p in measured if p.bench == "line"
    }
    for bits, corner, kelvin in sorted(settings):
        at = {"bits": bits, "corner": corner, "temperature_k": kelvin}
        same = [p for p in measured if p.bench == "line" and all(p.conditions[key] == at[key] for key in at)]
        whole = [p.values for p in same if p.conditions["whole"]]
        energy = float(np.mean([values["energy_j"] for values in whole]))
        note = f"comparator, latch and one line's share of the bus over the window; mean of {len(whole)} codes"
        simulated("energy_j", at, energy, note)
        codes = [int(p.conditions["code"]) for p in same]
        rows = transfer(codes, [p.values["row_ticks"] for p in same])
        references = transfer(codes, [p.values["reference_ticks"] for p in same])
        note = "charge of a pulse, mean of row and reference row, in ticks; line over codes"
        simulated("offset_lsb", at, (rows[0] + references[0]) / 2, note)
        note = f"loss in the line switches with the mean load of {MIDDLE_CELLS} cells; it grows with their conductance"
        simulated("gain_error", at, (rows[1] + references[1]) / 2, note)
        simulated("inl_lsb", at, max(rows[2], references[2]), "largest deviation from the line, without mismatch")
        simulated("pair_error", at, rows[1] - references[1], "gain of the row less that of its reference row")
    for point in measured:
        conditions = {key: value for key, value in point.conditions.items() if key in ("corner", "temperature_k")}
        if point.bench == "counter":
            at = {"bits": point.conditions["bits"], **conditions}
            note = "per tick, for all lines of an array; without the bus"
            simulated("counter_energy_j", at, point.values["counter_energy_j"], note)
        if point.bench == "drive":
            at = {"cells": point.conditions["cells"], **conditions}
            note = "one pulse on a line pair: drivers of the switches and what the read levels give beyond the cells"
            simulated("drive_energy_j", at, point.values["drive_energy_j"], note)
            note = "leakage of the switches of a line pair and of their drivers"
            simulated("static_power_w", at, point.values["static_power_w"], note)
    for bits in BITS:
        note = f"2^(bits - 1) ticks of {frame.TICK_S * 1e9:g} ns"
        found.append(Entry("latency_s", {"bits": bits}, frame.window_s(bits), "derived", note=note))
        area = frame.AREA_OVERHEAD * gate_area_m2(counter_netlist(bits))
        note = f"gate areas times {frame.AREA_OVERHEAD:g}"
        found.append(Entry("counter_area_m2", {"bits": bits}, area, "derived", note=f"{note}; one for all lines"))
        for cells in CELLS:
            area = line_area_m2(Parameters(bits=bits, cells=cells))
            at = {"bits": bits, "cells": cells}
            found.append(Entry("area_m2", at, area, "derived", note=f"{note}; a line pair with its switches"))
    return found


def pictures() -> list[Picture]:
    """Return one conversion."""
    deck = line_deck(Parameters(bits=4), 5)
    return [
        Picture(
            deck,
            (
                ("tick [V]", ("v(tick)", "v(start)")),
                ("logic [V]", ("v(xline.eq)", "v(xline.q)")),
                ("rows [V]", ("v(row)", "v(row_ref)")),
            ),
        )
    ]


LAWS = (
    Law(
        quantity="energy_j",
        formula="a + b 2^bits + c bits 2^bits",
        variables=("bits",),
        start={"a": 1e-14, "b": 3e-15, "c": 1e-16},
        evaluate=lambda at, of: of["a"] + (of["b"] + of["c"] * at["bits"]) * 2 ** at["bits"],
        held_out=lambda at: at["bits"] in (5, 7),
    ),
    Law(
        quantity="counter_energy_j",
        formula="a + b bits + c 2^-bits",  # the last: how many bits change per tick
        variables=("bits",),
        start={"a": 1e-14, "b": 4e-15, "c": -1e-14},
        evaluate=lambda at, of: of["a"] + of["b"] * at["bits"] + of["c"] * 2 ** -at["bits"],
        held_out=lambda at: at["bits"] in (4, 6),
    ),
    Law(
        quantity="drive_energy_j",
        formula="a + b cells",
        variables=("cells",),
        start={"a": 1e-14, "b": 5e-16},
        evaluate=lambda at, of: of["a"] + of["b"] * at["cells"],
        held_out=lambda at: at["cells"] in (64, 192),
    ),
    Law(
        quantity="static_power_w",
        formula="a + b cells + c/cells",  # the drivers of short lines are as small as transistors get
        variables=("cells",),
        start={"a": 1e-9, "b": 1e-9, "c": 1e-7},
        evaluate=lambda at, of: of["a"] + of["b"] * at["cells"] + of["c"] / at["cells"],
        held_out=lambda at: at["cells"] in (64, 192),
    ),
)

CELL = Cell(
    "pulse_width_dac", "code to the duration of a read pulse on a pair of lines", points, entries, LAWS, pictures
)
