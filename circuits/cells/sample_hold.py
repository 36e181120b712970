"""Sample-and-hold of one column, and the buffer that reads it out for a shared converter.

::

      vin ──[sample]── top ── C ── bot ──[early]── cm
                        │           │
                     [read]      [read]
                        │           │
             out ───────┴───┐   ┌───┴── inn
                            op-amp ── inp ── cm
             out ───────[reset]──── inn

``hold_column`` (ports ``vin out inn cm vdd vsw early sample read``) is there once per column: four switches and 100 fF.
``hold_buffer_<kind>`` (ports ``inn out cm vdd vsw reset``) is there once per converter: op-amp and reset switch.
``vsw`` supplies the drivers of the switches; the clocks are digital inputs at the core supply.

The switch at the bottom plate opens first (``early``), at the common mode, so that what it injects is the same for
every signal; what the other switch injects afterwards finds no way through the capacitor. To read, the capacitor is
laid around the op-amp, whose inputs stay at the common mode, and the output takes the held voltage whatever it has to
drive. A plain follower would need an input range of 0.1 to 0.9 V, and a capacitor without a buffer would share its
charge with the array of the converter.

The bench has one column that works, the open read switches of seven others that wait on the same buffer (drawn as one
of seven times their width), and the array of the converter as load (2^n times 0.5 fF). Before a sample the column holds
the mirrored voltage, and while it holds the input goes back there. The input is an ideal source: what drives it belongs
to the summing stage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from circuits.analytic import rc_settling_s, sampling_noise_v
from circuits.cell import CORNERS, TEMPERATURES_K, Cell, Conditions, Entry, Measured, Picture, Point
from circuits.cells import opamp
from circuits.cells.opamp import OpAmp
from circuits.cells.summing_stage import clock_driver, transmission_gate
from circuits.decks import Deck
from circuits.frame import (
    ADC_HIGH_V,
    ADC_LOW_V,
    AREA_OVERHEAD,
    CAPACITANCE_PER_AREA_F_M2,
    COMMON_MODE_V,
    CORE_SUPPLY_V,
    HOLD_CAPACITANCE_F,
)
from circuits.laws import Law, Numbers
from circuits.measure import noise_rms, settling_s, supply_energy_j
from circuits.simulator import Waveforms

BITS = (4, 5, 6, 7, 8, 9, 10)
MIDDLE_BITS = 8
COLUMNS = 8
UNIT_CAPACITANCE_F = 0.5e-15
LEVELS_V = (0.1, 0.3, 0.5, 0.7, 0.9)
RANGE_V = ADC_HIGH_V - ADC_LOW_V
EDGE_S = 5e-11
SAMPLE_AT_S = 12e-9
EARLY_END_S = 30e-9
SAMPLE_END_S = 30.5e-9
INPUT_LEAVES_S = 32e-9
HOLD_S, LONG_HOLD_S = 10e-9, 90e-9  # from there to the read-out
READ_DELAY_S, READ_S = 0.5e-9, 20e-9
# Below it the resistor that gives the buffer its operating point would be heard, which is not there.
LOW_FREQUENCY_HZ = 5e6


@dataclass(frozen=True, kw_only=True)
class SampleHold:
    """Dimensions of a sample-and-hold.

    Parameters
    ----------
    opamp
        Op-amp of the buffer.
    signal_w_m
        Width of either transistor of the switches that see the signal (``sample``, and ``read`` at the top plate).
    ground_w_m
        The same for the switches at the common mode (``early``, and ``read`` at the bottom plate).
    reset_w_m
        The same for the reset switch of the buffer.
    switch_l_m
        Length of all.
    driver_w_m
        Width of the NMOS of the inverters that drive the switches; the PMOS is twice as wide.
    """

    opamp: OpAmp = field(default_factory=OpAmp)
    signal_w_m: float = 4e-6
    ground_w_m: float = 2e-6
    reset_w_m: float = 2e-6
    switch_l_m: float = 50e-9
    driver_w_m: float = 0.5e-6

    def __post_init__(self) -> None:
        for name in ("signal_w_m", "ground_w_m", "reset_w_m", "switch_l_m", "driver_w_m"):
            if not 0 < getattr(self, name) < 1e-3:
                raise ValueError(f"SampleHold: {name} = {getattr(self, name)} is not allowed; above 0, below 1e-3")


DEFAULT = SampleHold()


def column_area_m2(cell: SampleHold = DEFAULT) -> float:
    """Return the area of one column: capacitor, four switches, three clocks."""
    gates = cell.switch_l_m * (4 * cell.signal_w_m + 4 * cell.ground_w_m + 18 * cell.driver_w_m)
    return AREA_OVERHEAD * gates + HOLD_CAPACITANCE_F / CAPACITANCE_PER_AREA_F_M2


def buffer_area_m2(cell: SampleHold = DEFAULT) -> float:
    """Return the area of the buffer, one per converter."""
    gates = cell.switch_l_m * (2 * cell.reset_w_m + 6 * cell.driver_w_m)
    return opamp.area_m2(cell.opamp) + AREA_OVERHEAD * gates


def column_netlist(cell: SampleHold = DEFAULT) -> str:
    """Return the subcircuit ``hold_column`` with the parameter ``ch`` (F)."""
    length_m = cell.switch_l_m
    return "\n".join(
        [
            f".subckt hold_column vin out inn cm vdd vsw early sample read ch={HOLD_CAPACITANCE_F:g}",
            *(line for clock in ("early", "sample", "read") for line in clock_driver(clock, cell.driver_w_m, length_m)),
            "ch top bot {ch}",
            # A higher threshold where the signal is: these switches have a voltage across them while they are open.
            *transmission_gate("s", "vin", "top", "samplei", "vtg", cell.signal_w_m, length_m),
            *transmission_gate("o", "top", "out", "readi", "vtg", cell.signal_w_m, length_m),
            *transmission_gate("e", "bot", "cm", "earlyi", "vtl", cell.ground_w_m, length_m),
            *transmission_gate("i", "bot", "inn", "readi", "vtl", cell.ground_w_m, length_m),
            ".ends",
        ]
    )


def buffer_netlist(kind: str = "transistor", cell: SampleHold = DEFAULT) -> str:
    """Return the subcircuit ``hold_buffer_<kind>`` without that of its op-amp."""
    return "\n".join(
        [
            f".subckt hold_buffer_{kind} inn out cm vdd vsw reset vos=0",
            f"x1 cm inn out vdd opamp_{kind} vos={{vos}}",
            *clock_driver("reset", cell.driver_w_m, cell.switch_l_m),
            *transmission_gate("r", "inn", "out", "reseti", "vtg", cell.reset_w_m, cell.switch_l_m),
            ".ends",
        ]
    )


def load_f(bits: int) -> float:
    """Return the array of a converter that the buffer drives."""
    return float(2**bits * UNIT_CAPACITANCE_F)


def _surroundings(bits: int, cell: SampleHold) -> list[str]:
    others = COLUMNS - 1
    signal = f"w={others * cell.signal_w_m:g} l={cell.switch_l_m:g}"
    ground = f"w={others * cell.ground_w_m:g} l={cell.switch_l_m:g}"
    return [
        f"vdd vdd 0 {CORE_SUPPLY_V:g}",
        f"vcm cm 0 {COMMON_MODE_V:g}",
        f"cload out 0 {load_f(bits):g}",
        f"cwait wtop wbot {others * HOLD_CAPACITANCE_F:g}",
        f"mnwo wtop 0 out 0 nmos_vtg {signal}",
        f"mpwo wtop vdd out vdd pmos_vtg {signal}",
        f"mnwi wbot 0 inn 0 nmos_vtl {ground}",
        f"mpwi wbot vdd inn vdd pmos_vtl {ground}",
    ]


def _steps(first: float, *changes: tuple[float, float]) -> str:
    """Return a source that starts at a value and goes to others, (time, value) each."""
    points = [f"0 {first:g}"]
    value = first
    for time_s, following in changes:
        points += [f"{time_s:g} {value:g}", f"{time_s + EDGE_S:g} {following:g}"]
        value = following
    return f"pwl({' '.join(points)})"


def cycle_deck(
    level_v: float,
    bits: int = MIDDLE_BITS,
    *,
    hold_s: float = HOLD_S,
    kind: str = "transistor",
    cell: SampleHold = DEFAULT,
    corner: str = "nominal",
    temperature_k: float = 300.0,
) -> Deck:
    """Return a sample of the mirrored voltage, one of `level_v`, a hold, and its read-out.

    Parameters
    ----------
    level_v
        Input, 0.1 to 0.9 V.
    bits
        Resolution of the converter that is driven, which sets the load.
    hold_s
        From where the input has left to the read-out, > 2 ns.
    """
    free_s = INPUT_LEAVES_S + hold_s
    on_v = CORE_SUPPLY_V
    other_v = 2 * COMMON_MODE_V - level_v
    first_s = 8e-9
    vin = _steps(other_v, (10e-9, level_v), (INPUT_LEAVES_S, other_v))
    early = _steps(on_v, (first_s, 0.0), (SAMPLE_AT_S, on_v), (EARLY_END_S, 0.0))
    sample = _steps(on_v, (first_s + 0.5e-9, 0.0), (SAMPLE_AT_S, on_v), (SAMPLE_END_S, 0.0))
    return Deck(
        title=f"sample and hold, {kind}, {bits} bits, {level_v:g} V",
        body="\n".join(
            [
                opamp.netlist(kind, cell.opamp),
                column_netlist(cell),
                buffer_netlist(kind, cell),
                *_surroundings(bits, cell),
                f"vsw vsw 0 {on_v:g}",
                f"vbsw vbsw 0 {on_v:g}",
                f"vin vin 0 {vin}",
                f"vearly early 0 {early}",
                f"vsample sample 0 {sample}",
                f"vread read 0 {_steps(0.0, (free_s + READ_DELAY_S, on_v))}",
                f"vreset reset 0 {_steps(on_v, (free_s, 0.0))}",
                "xcol vin out inn cm vdd vsw early sample read hold_column",
                f"xbuf inn out cm vdd vbsw reset hold_buffer_{kind}",
            ]
        ),
        analysis=f".tran 50p {free_s + READ_DELAY_S + READ_S:g} 0 100p",
        save=("v(out)", "v(xcol.top)", "v(xcol.bot)", "v(vin)", "i(vin)", "i(vdd)", "i(vsw)", "i(vbsw)"),
        corner=corner,
        temperature_k=temperature_k,
        options={"method": "gear", "reltol": 1e-5, "vntol": 1e-7, "abstol": 1e-14, "chgtol": 1e-17},
    )


def noise_deck(bits: int, *, cell: SampleHold = DEFAULT, corner: str = "nominal", temperature_k: float = 300.0) -> Deck:
    """Return the noise of the buffer while it reads a column out."""
    on_v = f"{CORE_SUPPLY_V:g}"
    return Deck(
        title=f"sample and hold noise, {bits} bits",
        body="\n".join(
            [
                opamp.netlist("transistor", cell.opamp),
                column_netlist(cell),
                buffer_netlist("transistor", cell),
                *_surroundings(bits, cell),
                f"vsw vsw 0 {on_v}",
                f"vread read 0 {on_v}",
                "xcol cm out inn cm vdd vsw 0 0 read hold_column",
                "xbuf inn out cm vdd vsw 0 hold_buffer_transistor",
                "rop inn out 10meg",
                "vac ac 0 dc 0 ac 1",
                "rac ac 0 1",
            ]
        ),
        analysis=f".noise v(out) vac dec 30 {LOW_FREQUENCY_HZ:g} 1e11",
        save=("all",),
        corner=corner,
        temperature_k=temperature_k,
    )


def measure_cycles(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return what samples of all levels and the noise of the buffer say."""
    noise, *cycles = waveforms
    bits, kelvin = int(conditions["bits"]), float(conditions["temperature_k"])
    half_lsb_v = RANGE_V / 2 ** (bits + 1)
    errors_v, acquire_s, read_s, energy_j = [], [], [], []
    for level_v, one in zip(LEVELS_V, cycles[: len(LEVELS_V)], strict=True):
        errors_v.append(one.final("v(out)") - level_v)
        start_s = SAMPLE_AT_S + EDGE_S / 2
        # What is kept is the voltage across the capacitor.
        held_v = one["v(xcol.top)"] - one["v(xcol.bot)"]
        acquire_s.append(
            settling_s(
                one.axis, held_v, level_v - COMMON_MODE_V, half_lsb_v, start_s=start_s, end_s=EARLY_END_S - EDGE_S
            )
        )
        read_at_s = INPUT_LEAVES_S + HOLD_S + READ_DELAY_S + EDGE_S / 2
        read_s.append(settling_s(one.axis, one["v(out)"], one.final("v(out)"), half_lsb_v, start_s=read_at_s))
        column_j = supply_energy_j(one.axis, one["i(vsw)"], CORE_SUPPLY_V, 10e-9, one.axis[-1])
        buffer_j = supply_energy_j(one.axis, one["i(vbsw)"], CORE_SUPPLY_V, 10e-9, one.axis[-1])
        energy_j.append(column_j + buffer_j)
    levels_v = np.array(LEVELS_V)
    slope, pedestal_v = np.polyfit(levels_v - COMMON_MODE_V, errors_v, 1)
    bend_v = np.abs(errors_v - (pedestal_v + slope * (levels_v - COMMON_MODE_V))).max()
    power_w = -float(cycles[0]["i(vdd)"][0]) * CORE_SUPPLY_V
    found = {
        "pedestal_v": float(pedestal_v),
        "gain_error": float(slope),
        "bend_v": float(bend_v),
        "latency_s": max(acquire_s),
        "read_latency_s": max(read_s),
        "power_w": power_w,
        "switching_j": float(np.mean(energy_j)),
        "energy_j": float(np.mean(energy_j)) + power_w * max(read_s),
        "noise_v": math.hypot(
            sampling_noise_v(HOLD_CAPACITANCE_F, kelvin), noise_rms(noise.axis, noise["onoise_spectrum"])
        ),
    }
    if longer := cycles[len(LEVELS_V) :]:
        # The outputs say what was lost; on the way both plates move together, and move back.
        lost_v = [
            abs(late.final("v(out)") - soon.final("v(out)"))
            for soon, late in zip((cycles[0], cycles[len(LEVELS_V) - 1]), longer, strict=True)
        ]
        found["droop_v_per_s"] = max(lost_v) / (LONG_HOLD_S - HOLD_S)
        found["leak_a"] = found["droop_v_per_s"] * HOLD_CAPACITANCE_F
    return found


def cycle_point(bits: int, corner: str = "nominal", temperature_k: float = 300.0) -> Point:
    """Return the point that measures samples of all levels."""
    decks = [noise_deck(bits, corner=corner, temperature_k=temperature_k)]
    decks += [cycle_deck(level_v, bits, corner=corner, temperature_k=temperature_k) for level_v in LEVELS_V]
    if bits == MIDDLE_BITS:
        decks += [
            cycle_deck(level_v, bits, hold_s=LONG_HOLD_S, corner=corner, temperature_k=temperature_k)
            for level_v in (LEVELS_V[0], LEVELS_V[-1])
        ]
    return Point(
        bench="cycle",
        conditions={"bits": bits, "corner": corner, "temperature_k": temperature_k},
        decks=tuple(decks),
        measure=measure_cycles,
    )


def points() -> list[Point]:
    """Return all loads, the middle one at all corners and temperatures."""
    found = [cycle_point(bits) for bits in BITS]
    found += [cycle_point(MIDDLE_BITS, corner) for corner in CORNERS[1:]]
    found += [cycle_point(MIDDLE_BITS, temperature_k=kelvin) for kelvin in TEMPERATURES_K[1:]]
    return found


NOTES = {
    "energy_j": "drivers of all switches for one sample and its read-out, and the buffer while it settles",
    "switching_j": "drivers of all switches for one sample and its read-out",
    "power_w": "buffer, one per converter, its bias mirror included",
    "latency_s": "acquisition after the mirrored voltage, to half an LSB; worst of five levels",
    "read_latency_s": "settling of the buffer with the array of the converter, to half an LSB; worst of five levels",
    "pedestal_v": "output less input at mid range, from a line through five levels",
    "gain_error": "slope of output less input over the range of the converter",
    "bend_v": "largest distance of five levels from that line",
    "leak_a": "droop times the capacitor",
    "droop_v_per_s": "outputs after 10 and 90 ns of hold, input at the mirrored voltage; worse of 0.1 and 0.9 V",
    "noise_v": "rms: kT/C of the sample, and the buffer above 5 MHz",
}


def entries(measured: Sequence[Measured]) -> list[Entry]:
    """Return the rows of the table; ``bits`` are those of the converter that is driven."""
    found = [
        Entry(name, one.conditions, one.values[name], "measured", "simulation", note)
        for one in measured
        for name, note in NOTES.items()
        if name in one.values
    ]
    note = "per column: gate areas times 4, capacitor at 2 fF/um2"
    found.append(Entry("area_m2", {}, column_area_m2(), "derived", "", note))
    note = "one per converter: gate areas times 4, capacitor at 2 fF/um2, resistor at 0.01 um2 per 100 ohm"
    found.append(Entry("buffer_area_m2", {}, buffer_area_m2(), "derived", "", note))
    return found


def acquisition_law(conditions: Numbers, found: Numbers) -> float:
    """Return a delay and the settling of switch and capacitor through the whole range to half an LSB."""
    steps = RANGE_V / 2 ** (conditions["bits"] + 1)
    return found["delay_s"] + rc_settling_s(found["switch_ohm"], HOLD_CAPACITANCE_F, RANGE_V, steps)


def _held_out(conditions: Numbers) -> bool:
    return conditions["bits"] in (5, 8)


LAWS = (
    Law(
        quantity="latency_s",
        formula="delay_s + switch_ohm C (n + 1) ln 2, C 100 fF",
        variables=("bits",),
        start={"delay_s": 3e-11, "switch_ohm": 400.0},
        evaluate=acquisition_law,
        held_out=_held_out,
    ),
)


def pictures() -> list[Picture]:
    """Return one sample, its hold and its read-out."""
    return [
        Picture(
            cycle_deck(0.9),
            (("input, top plate (V)", ("v(vin)", "v(xcol.top)")), ("output (V)", ("v(out)",))),
        )
    ]


CELL = Cell(
    name="sample_hold",
    summary="switches and capacitor of one column, read out by an op-amp that the columns of a converter share",
    points=points,
    entries=entries,
    laws=LAWS,
    pictures=pictures,
)
