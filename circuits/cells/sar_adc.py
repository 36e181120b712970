"""A successive-approximation converter (SAR ADC), 4 to 10 bits, in transistors and capacitors.

::

                                 ┌─ top ──────────┬─ − ┐
    capacitor array   C·2^(n-1) ═╪═ … ═╪═ C  ═╪═ dummy  │comparator├─ keep, keepb ──► bit slices
    bottom plates          b(n-1)     b0    bdummy     side ─ + ┘   ▲
                              │                          ═ 2^n C    clock
          ┌────────┬──────────┼──────────┐               │
       vin (smp)  high (bit)  low (no bit)             quiet
    top and side go to `common` while `reset` is high.

    bit slice (one per bit): keepb ─ latch, open while its trial is high ─ q;  bit = trial or q ─► its capacitor

Ports of ``sar_adc``: vin, high, low, quiet, common, reset, sample, convert, clock, trial0 …, q0 …, top, side,
vdd_array, vdd_logic, vdd_comparator.

How it works: the bottom plates sample the input while the top plate is held at 0.6 V (the top opens first, so what it
injects does not depend on the input); then, from the highest bit down, a bit is tried, the array settles, the
comparator is clocked, and the latch of the bit keeps the decision. The code is the floor of (vin - low)/LSB.
The other side of the comparator carries the same capacitor behind the same switches: what the clock kicks back is then
common to both, at the price of twice the sampling noise and twice the array. Its own supply `quiet` is behind half
the resistance of a reference, as the array half of which is at either: with a shared lower reference the kick-back left
a whole LSB at 10 bits.

In transistors: all switches, their drivers, the buffers of the phases, the latches and gates of each bit, the
comparator with its clock buffer. Outside: the phase sequencer (shared by the converters of an array; ideal sources
drive the ports), the buffers of references, common mode and input (each an ideal source behind 100 ohm), and the
calibration of the comparator's offset.

One clock serves all corners: its phases fit the slowest one, so the latency is the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from circuits.analytic import sampling_noise_v
from circuits.cell import Cell, Conditions, Entry, Measured, Picture, Point
from circuits.cells import strong_arm
from circuits.cells.strong_arm import (
    EDGE_S,
    MIN_WIDTH_M,
    OPTIONS,
    RESOLUTIONS,
    SERVO_F,
    SERVO_WIDTH_S,
    SETTINGS,
    inverter,
    nand,
    nor,
    piecewise,
    pulses,
    transistor,
)
from circuits.decks import Deck
from circuits.frame import (
    ADC_HIGH_V,
    ADC_LOW_V,
    AREA_OVERHEAD,
    CAPACITANCE_PER_AREA_F_M2,
    CAPACITOR_MISMATCH_AT_1FF,
    CORE_SUPPLY_V,
)
from circuits.laws import Law, Numbers
from circuits.measure import MeasureError, between, linearity_lsb, settling_s, spread, supply_energy_j
from circuits.simulator import Waveforms

FloatArray = npt.NDArray[np.float64]

COMMON_V = strong_arm.INPUT_LEVEL_V
GAP_S = 1e-10
START_S = 2e-10
READ_S = 3e-10
# After the decision is held, a bit slice still has to take it in.
LATCH_S = 6e-11
# Inputs of conversions, as shares of the range.
FRACTIONS = (0.29, 0.74)
CORNER_RESOLUTIONS = (6, 8)
# The input is moved by these steps, and so ends within 1/64 LSB of the transition.
SERVO_STEPS_LSB = tuple(1.0 / 2**step for step in range(7))
SERVO_S = 4e-10
LEVELS = 16
LEVELS_SETTLE_S = 1.5e-9
MISMATCH_SAMPLES = 400
SIMULATION = "simulation"
LEVELS_NOTE = "16 codes forced on the array, their levels from what is left on the top plate"
NOISE_NOTE = (
    "rms at the comparator's input: reaction to charge impulses, weighed with the channel noise 4kT(gm + gds) of all "
    "transistors as they move"
)


@dataclass(frozen=True, kw_only=True)
class SarAdc:
    """Dimensions and clock of the converter.

    Parameters
    ----------
    bits
        Resolution, 2 to 12.
    unit_f
        Unit capacitor; the array holds 2^bits of them, its dummy included.
    reference_resistance_ohm
        In series with each reference, with the common mode and with the input: what their buffers show. Assumed.
    bottom_parasitic, top_parasitic
        Capacitance to ground of either plate, relative to the capacitor. Assumed, for metal fringe capacitors.
    comparator
        Its dimensions.
    """

    bits: int
    unit_f: float = 0.5e-15
    reference_resistance_ohm: float = 100.0
    bottom_parasitic: float = 0.1
    top_parasitic: float = 0.05
    comparator: strong_arm.Comparator = field(default_factory=strong_arm.Comparator)

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 12:
            raise ValueError(f"bits = {self.bits} is not allowed; 2 to 12")

    @property
    def lsb_v(self) -> float:
        """One step of the code at the input."""
        return float((ADC_HIGH_V - ADC_LOW_V) / 2**self.bits)

    @property
    def array_f(self) -> float:
        """Sum of the capacitors of the array."""
        return float(self.unit_f * 2**self.bits)

    @property
    def sample_s(self) -> float:
        """From one conversion to the next: the top plate is held 0.2 ns shorter than that."""
        return float(8e-10 + 1.5e-12 * 2**self.bits)

    @property
    def settle_s(self) -> float:
        """From the trial of a bit to the clock of the comparator: drivers, then the references behind 100 ohm."""
        return float(2e-10 + 3.3e-13 * 2**self.bits)

    @property
    def compare_s(self) -> float:
        """From the clock of the comparator to the next trial; half an LSB takes longer where it is smaller."""
        return 3.4e-10 + 1e-11 * self.bits

    @property
    def period_s(self) -> float:
        """Time of one bit."""
        return self.settle_s + self.compare_s

    @property
    def latency_s(self) -> float:
        """Time from the start of sampling to the last decision, which is also that between conversions."""
        return self.sample_s + GAP_S + self.bits * self.period_s

    @property
    def levels_cycle_s(self) -> float:
        """Cycle of the bench of levels."""
        return self.sample_s + LEVELS_SETTLE_S

    def input_v(self, fraction: float) -> float:
        """Return the middle of the code at a share of the range, so that the right code is not in doubt."""
        return float(ADC_LOW_V + (math.floor(fraction * 2**self.bits) + 0.5) * self.lsb_v)


def switch_size(units: int) -> float:
    """Return the width of the switches at a capacitor of `units` unit capacitors, in least widths."""
    return max(1.0, units / 8)


def _phase(name: str, source: str, size: float) -> list[str]:
    first = max(1.0, size / 3)
    return [
        inverter(f"{name}1", source, f"{name}q", first),
        inverter(f"{name}2", f"{name}q", name, size),
        inverter(f"{name}3", name, f"{name}b", size),
    ]


def netlist(parameters: SarAdc, capacitors_f: Sequence[float] | None = None) -> str:
    """Return the subcircuits; ``sar_adc`` is the converter.

    Parameters
    ----------
    parameters
        Dimensions.
    capacitors_f
        Capacitors from the lowest bit up, then the dummy: (bits + 1,); without mismatch where not given.
    """
    p = parameters
    sizes = [switch_size(2**bit) for bit in range(p.bits)]
    given = [2**bit * p.unit_f for bit in range(p.bits)] + [p.unit_f] if capacitors_f is None else list(capacitors_f)
    total = sum(sizes) + 1
    bits = " ".join(f"bit{bit}" for bit in range(p.bits))
    drives = []
    for size in sorted(set(sizes)):
        gate = max(1.0, round(math.sqrt(size) / 2))
        drives += [
            f".subckt drive{size:g} bit conv convb smp smpb vin high low bottom vdd",
            nand("g", "bit", "conv", "pull", gate, "vtl"),
            nor("h", "bit", "convb", "push", gate, "vtl"),
            transistor("p", "bottom pull high", "pvtl", 2 * size * MIN_WIDTH_M),
            transistor("n", "bottom push low", "nvtl", size * MIN_WIDTH_M),
            transistor("tn", "bottom smp vin", "nvtl", size * MIN_WIDTH_M),
            transistor("tp", "bottom smpb vin", "pvtl", size * MIN_WIDTH_M),
            ".ends",
        ]
    reset = max(2.0, 2**p.bits / 8)
    array = [
        f".subckt sar_array vin high low quiet common reset sample convert {bits} top side vdd",
        *_phase("rst", "reset", max(1.0, 2 * reset / 4)),
        *_phase("smp", "sample", max(1.0, total / 4)),
        *_phase("conv", "convert", max(1.0, p.bits / 4)),
    ]
    for bit, size in enumerate(sizes):
        array += [
            f"xdrive{bit} bit{bit} conv convb smp smpb vin high low b{bit} vdd drive{size:g}",
            f"carray{bit} top b{bit} {given[bit]:.6g}",
            f"cground{bit} b{bit} 0 {p.bottom_parasitic * given[bit]:.6g}",
        ]
    array += [
        "xdummy 0 conv convb smp smpb vin high low bdummy vdd drive1",
        f"cdummy top bdummy {given[p.bits]:.6g}",
        f"cgrounddummy bdummy 0 {p.bottom_parasitic * given[p.bits]:.6g}",
        f"ctop top 0 {p.top_parasitic * p.array_f:.6g}",
        transistor("reset", "top rstb common", "pvtg", 2 * reset * MIN_WIDTH_M),
        # The other side of the comparator: the same capacitor behind the same switches, for the same kick-back.
        f"cside side bside {p.array_f:.6g}",
        f"cgroundside bside 0 {p.bottom_parasitic * p.array_f:.6g}",
        f"ctopside side 0 {p.top_parasitic * p.array_f:.6g}",
        transistor("side", "bside vdd quiet", "nvtl", total * MIN_WIDTH_M),
        transistor("resetside", "side rstb common", "pvtg", 2 * reset * MIN_WIDTH_M),
        ".ends",
    ]
    slice_ = [
        ".subckt bit_slice keepb trial smp bit q vdd",
        inverter("e", "trial", "trialb"),
        inverter("f", "trialb", "open"),
        transistor("t1n", "keepb open m", "nvtg", MIN_WIDTH_M),
        transistor("t1p", "keepb trialb m", "pvtg", 2 * MIN_WIDTH_M),
        nor("q", "m", "smp", "q"),
        inverter("b", "q", "qb"),
        transistor("t2n", "qb trialb m", "nvtg", MIN_WIDTH_M),
        transistor("t2p", "qb open m", "pvtg", 2 * MIN_WIDTH_M),
        nand("o", "trialb", "qb", "bit"),
        ".ends",
    ]
    trials = " ".join(f"trial{bit}" for bit in range(p.bits))
    outs = " ".join(f"q{bit}" for bit in range(p.bits))
    adc = [
        f".subckt sar_adc vin high low quiet common reset sample convert clock {trials} {outs} top side",
        "+ vdd_array vdd_logic vdd_comparator",
        f"xarray vin high low quiet common reset sample convert {bits} top side vdd_array sar_array",
        "xcomparator side top clock keep keepb vdd_comparator comparator",
        f"ckeep keep 0 {strong_arm.WIRE_F:g}",
        inverter("r1", "sample", "sb", 1).replace(" vdd ", " vdd_logic "),
        inverter("r2", "sb", "clear", max(1, p.bits / 4)).replace(" vdd ", " vdd_logic "),
        *(f"xslice{bit} keepb trial{bit} clear bit{bit} q{bit} vdd_logic bit_slice" for bit in range(p.bits)),
        ".ends",
    ]
    return "\n".join([strong_arm.netlist(p.comparator), *drives, *array, *slice_, *adc])


def _supplies(p: SarAdc) -> str:
    r = p.reference_resistance_ohm
    return f"""vhigh highs 0 {ADC_HIGH_V}
rhigh highs high {r}
vlow lows 0 {ADC_LOW_V}
rlow lows low {r}
vquiet quiets 0 {ADC_LOW_V}
rquiet quiets quiet {r / 2}
vcommon commons 0 {COMMON_V}
rcommon commons common {r}
rinput inputs inputr {r}
varray vdda 0 {CORE_SUPPLY_V}
vlogic vddl 0 {CORE_SUPPLY_V}
vcomparator vddc 0 {CORE_SUPPLY_V}"""


def conversion_deck(parameters: SarAdc, input_v: float, corner: str = "nominal", temperature_k: float = 300.0) -> Deck:
    """Return a bench of one conversion, after one of the same input: its latches start with that code.

    Parameters
    ----------
    parameters
        Dimensions and clock.
    input_v
        Input, 0.1 to 0.9 V.
    corner, temperature_k
        Cards and temperature.
    """
    p = parameters
    code = min(max(int((input_v - ADC_LOW_V) / p.lsb_v), 0), 2**p.bits - 1)
    start = START_S
    open_s = start + p.sample_s
    first = open_s + GAP_S
    end = first + p.bits * p.period_s
    trial = {p.bits - 1 - k: (first + k * p.period_s, first + (k + 1) * p.period_s) for k in range(p.bits)}
    clock = [(first + k * p.period_s + p.settle_s, first + (k + 1) * p.period_s) for k in range(p.bits)]
    trials = " ".join(f"trial{bit}" for bit in range(p.bits))
    outs = " ".join(f"q{bit}" for bit in range(p.bits))
    body = "\n".join(
        [
            netlist(p),
            _supplies(p),
            f"vinput inputs 0 {input_v:.7g}",
            f"vreset reset 0 {pulses([(start, open_s - 2 * GAP_S)])}",
            f"vsample sample 0 {pulses([(start, open_s - GAP_S)])}",
            f"vconvert convert 0 {pulses([(0, start - GAP_S), (open_s, end + 1e-9)])}",
            f"vclock clock 0 {pulses(clock)}",
            *(f"vtrial{bit} trial{bit} 0 {pulses([times])}" for bit, times in trial.items()),
            f"xadc inputr high low quiet common reset sample convert clock {trials} {outs} top side",
            "+ vdda vddl vddc sar_adc",
            f".ic v(top)={COMMON_V} v(side)={COMMON_V} "
            + " ".join(f"v(q{bit})={code >> bit & 1}" for bit in range(p.bits)),
        ]
    )
    save = [
        "v(top)",
        "v(side)",
        "i(vhigh)",
        "i(vlow)",
        "i(vcommon)",
        "i(vinput)",
        "i(varray)",
        "i(vlogic)",
        "i(vcomparator)",
    ]
    save += [f"v(q{bit})" for bit in range(p.bits)] + ["v(clock)"]
    return Deck(
        title=f"SAR converter, {p.bits} bits, {input_v:g} V, {corner}, {temperature_k:g} K",
        body=body,
        analysis=f".tran 2p {end + READ_S:.6g} 0 20p",
        save=tuple(save),
        corner=corner,
        temperature_k=temperature_k,
        options=OPTIONS,
    )


def measure_conversion(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return code, energies by supply, settling, and kick-back of one conversion.

    Energies run from the end of one conversion to the end of the next; what flows back into a source counts as spent,
    for a reference does not give it to anybody else: the lower one only ever sinks.
    """
    found = waveforms[0]
    p = SarAdc(bits=int(conditions["bits"]))
    input_v = p.input_v(float(conditions["fraction"]))
    time_s, top_v = found.axis, found["v(top)"]
    difference_v = top_v - found["v(side)"]
    first_s = START_S + p.sample_s + GAP_S
    end_s = first_s + p.bits * p.period_s
    code = sum(int(found.final(f"v(q{bit})") > CORE_SUPPLY_V / 2) << bit for bit in range(p.bits))
    energy_j = {
        name: supply_energy_j(time_s, found[f"i(v{name})"], volt, GAP_S / 2, end_s + GAP_S / 2)
        for name, volt in {
            "high": ADC_HIGH_V,
            "low": ADC_LOW_V,
            "common": COMMON_V,
            "input": input_v,
            "array": CORE_SUPPLY_V,
            "logic": CORE_SUPPLY_V,
            "comparator": CORE_SUPPLY_V,
        }.items()
    }
    settled_s, kicks_v, single_kicks_v = [], [], []
    for step in range(p.bits):
        start_s = first_s + step * p.period_s
        clock_s = start_s + p.settle_s
        before_v, single_v = (float(np.interp(clock_s, time_s, wave)) for wave in (difference_v, top_v))
        settled_s.append(settling_s(time_s, difference_v, before_v, p.lsb_v / 2, start_s=start_s, end_s=clock_s))
        _, after_v = between(time_s, top_v, clock_s, start_s + p.period_s)
        single_kicks_v.append(float(np.abs(after_v - single_v).max()))
        _, after_v = between(time_s, difference_v, clock_s, start_s + p.period_s)
        kicks_v.append(float(np.abs(after_v - before_v).max()))
    reference_j = sum(max(energy_j[name], 0.0) for name in ("high", "low", "common"))
    return {
        "code": float(code),
        "code_error": code - math.floor((input_v - ADC_LOW_V) / p.lsb_v),
        "energy_j": reference_j + energy_j["array"] + energy_j["logic"] + energy_j["comparator"],
        "energy_reference_j": reference_j,
        "energy_driver_j": energy_j["array"],
        "energy_logic_j": energy_j["logic"],
        "energy_comparator_j": energy_j["comparator"],
        "energy_input_j": energy_j["input"],
        "settling_s": max(settled_s),
        "kickback_v": float(np.median(single_kicks_v)),
        "kickback_difference_v": float(np.median(kicks_v)),
        "residual_v": found.final("v(top)") - found.final("v(side)"),
    }


def transition_deck(parameters: SarAdc, fraction: float) -> Deck:
    """Return a bench that moves the input against the decision at one forced code until the comparator is undecided.

    Array, input, references and clock are those of a conversion, so the kick-back of the comparator takes part.
    """
    p = parameters
    code = math.floor(fraction * 2**p.bits)
    cycle_s = p.sample_s + p.period_s + SERVO_S
    samplings, resets, converts, clocks, moves = [], [], [], [], [(0.0, 0.0)]
    for cycle, step in enumerate(SERVO_STEPS_LSB):
        start_s = START_S + cycle * cycle_s
        open_s = start_s + p.sample_s
        clock_s = open_s + p.settle_s
        end_s = start_s + cycle_s - GAP_S
        resets.append((start_s, open_s - 2 * GAP_S))
        samplings.append((start_s, open_s - GAP_S))
        converts.append((open_s, end_s))
        clocks.append((clock_s, clock_s + p.compare_s))
        move_s, current_a = clock_s + p.compare_s + GAP_S / 2, step * p.lsb_v * SERVO_F / SERVO_WIDTH_S
        moves += [(move_s, 0.0), (move_s + EDGE_S, current_a)]
        moves += [(move_s + SERVO_WIDTH_S, current_a), (move_s + SERVO_WIDTH_S + EDGE_S, 0.0)]
    bits = " ".join(f"bit{bit}" for bit in range(p.bits))
    body = "\n".join(
        [
            netlist(p),
            _supplies(p),
            f"vbase base 0 {ADC_LOW_V + code * p.lsb_v:.7g}",
            "einput inputs base servo 0 1",
            f"vmove move 0 {piecewise(moves)}",
            "bservo servo 0 i=v(move)*tanh((v(keep)-0.5)/0.05)",
            f"cservo servo 0 {SERVO_F:g}",
            "rservo servo 0 1e12",
            f"vreset reset 0 {pulses(resets)}",
            f"vsample sample 0 {pulses(samplings)}",
            f"vconvert convert 0 {pulses(converts)}",
            f"vclock clock 0 {pulses(clocks)}",
            *(f"vbit{bit} bit{bit} 0 {pulses(converts) if code >> bit & 1 else 0}" for bit in range(p.bits)),
            f"xarray inputr high low quiet common reset sample convert {bits} top side vdda sar_array",
            "xcomparator side top clock keep keepb vddc comparator",
            f"ckeepb keepb 0 {strong_arm.WIRE_F:g}",
            f"clogic vddl 0 {strong_arm.WIRE_F:g}",
            f".ic v(top)={COMMON_V} v(side)={COMMON_V}",
        ]
    )
    return Deck(
        title=f"SAR converter transition, {p.bits} bits, code {code}",
        body=body,
        analysis=f".tran 2p {START_S + len(SERVO_STEPS_LSB) * cycle_s:.6g} 0 20p",
        save=("v(servo)", "v(keep)", "v(top)", "v(side)"),
        corner="nominal",
        options=OPTIONS,
    )


def measure_transition(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return the offset of the converter: where its transition ought to be, less where it is."""
    return {"systematic_offset_v": -waveforms[0].final("v(servo)")}


def level_codes(bits: int) -> list[int]:
    """Return 16 codes from end to end, shuffled so that what a sample remembers of the one before shows."""
    codes = np.unique(np.round(np.linspace(0, 2**bits - 1, LEVELS)).astype(int))
    return [int(code) for code in np.random.default_rng(bits).permutation(codes)]


def levels_deck(
    parameters: SarAdc,
    corner: str = "nominal",
    temperature_k: float = 300.0,
    capacitors_f: Sequence[float] | None = None,
) -> Deck:
    """Return a bench for the levels of codes, which are forced: what is left on the top plate tells the level.

    Cycle after cycle the ideal level of a code is sampled and the code applied; two more cycles with an input off by
    one LSB either way give the attenuation of the top plate.
    """
    p = parameters
    codes = level_codes(p.bits)
    middle = 2 ** (p.bits - 1)
    cycles = [(code, 0.0) for code in codes] + [(middle, 1.0), (middle, -1.0)]
    cycle_s = p.levels_cycle_s
    inputs, sampling, resets, converts = [], [], [], []
    words: list[list[tuple[float, float]]] = [[] for _ in range(p.bits)]
    for place, (code, shift) in enumerate(cycles):
        start_s = place * cycle_s + START_S
        volt = ADC_LOW_V + (code + shift) * p.lsb_v
        inputs += [(start_s - GAP_S, volt), (start_s + cycle_s - GAP_S - EDGE_S, volt)]
        open_s = start_s + p.sample_s
        resets.append((start_s, open_s - 2 * GAP_S))
        sampling.append((start_s, open_s - GAP_S))
        converts.append((open_s, start_s + cycle_s - GAP_S))
        for bit in range(p.bits):
            if code >> bit & 1:
                words[bit].append((open_s, start_s + cycle_s - GAP_S))
    bits = " ".join(f"bit{bit}" for bit in range(p.bits))
    body = "\n".join(
        [
            netlist(p, capacitors_f),
            _supplies(p),
            f"vinput inputs 0 {piecewise(inputs)}",
            f"vreset reset 0 {pulses(resets)}",
            f"vsample sample 0 {pulses(sampling)}",
            f"vconvert convert 0 {pulses(converts)}",
            *(f"vbit{bit} bit{bit} 0 {pulses(times)}" for bit, times in enumerate(words)),
            f"xarray inputr high low quiet common reset sample convert {bits} top side vdda sar_array",
            "xcomparator side top 0 keep keepb vddc comparator",
            f"ckeep keep 0 {strong_arm.WIRE_F:g}",
            f"ckeepb keepb 0 {strong_arm.WIRE_F:g}",
            f"clogic vddl 0 {strong_arm.WIRE_F:g}",
            f".ic v(top)={COMMON_V} v(side)={COMMON_V}",
        ]
    )
    return Deck(
        title=f"SAR converter levels, {p.bits} bits, {corner}, {temperature_k:g} K",
        body=body,
        analysis=f".tran 5p {len(cycles) * cycle_s + START_S:.6g} 0 50p",
        save=("v(top)", "v(side)"),
        corner=corner,
        temperature_k=temperature_k,
        options={**OPTIONS, "vntol": 1e-7},
    )


def levels_v(waveforms: Waveforms, parameters: SarAdc) -> tuple[npt.NDArray[np.int64], FloatArray, float]:
    """Return codes in rising order, int64 (codes,), their levels in volts, float64 (codes,), and the attenuation."""
    p = parameters
    codes = np.array(level_codes(p.bits))
    times_s = START_S + (np.arange(codes.size + 2) + 1) * p.levels_cycle_s - 2 * GAP_S
    left_v = np.interp(times_s, waveforms.axis, waveforms["v(top)"] - waveforms["v(side)"])
    attenuation = float(left_v[-1] - left_v[-2]) / (2 * p.lsb_v)
    order = np.argsort(codes)
    level = ADC_LOW_V + codes * p.lsb_v + left_v[:-2] / attenuation
    return codes[order], level[order], attenuation


def measure_levels(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return gain error, offset of the array at mid scale, and integral non-linearity about the best line."""
    p = SarAdc(bits=int(conditions["bits"]))
    codes, level_v, attenuation = levels_v(waveforms[0], p)
    # The level of a code is the input; the gain is code over input.
    slope, offset_v = np.polyfit(codes - 2 ** (p.bits - 1), level_v, 1)
    deviation_v = level_v - offset_v - slope * (codes - 2 ** (p.bits - 1))
    return {
        "gain_error": p.lsb_v / slope - 1,
        "array_offset_v": offset_v - (ADC_LOW_V + ADC_HIGH_V) / 2,
        "systematic_inl_lsb": float(np.abs(deviation_v).max() / p.lsb_v),
        "attenuation": attenuation,
    }


def drawn_capacitors_f(parameters: SarAdc, samples: int, seed: int = 1) -> FloatArray:
    """Return mismatched arrays, float64 (samples, bits + 1): capacitors from the lowest bit up, then the dummy.

    Each of the 2^bits units is normal with the relative spread `unit_mismatch`, so a group of m units spreads by
    the square root of m.
    """
    p = parameters
    units = np.array([2.0**bit for bit in range(p.bits)] + [1.0])
    normal = np.random.default_rng([seed, p.bits]).standard_normal((samples, p.bits + 1))
    drawn: FloatArray = p.unit_f * (units + unit_mismatch(p) * np.sqrt(units) * normal)
    return drawn


def unit_mismatch(parameters: SarAdc) -> float:
    """Return the relative standard deviation of a unit capacitor."""
    return CAPACITOR_MISMATCH_AT_1FF * math.sqrt(1e-15 / parameters.unit_f)


def mismatched_levels(capacitors_f: FloatArray) -> FloatArray:
    """Return the levels of all codes as shares of full scale, float64 (samples, 2^bits).

    The level of a code is the share of the array that it connects to the upper reference.
    """
    bits = capacitors_f.shape[1] - 1
    codes = np.arange(2**bits)
    picked = (codes[:, None] >> np.arange(bits)) & 1
    levels: FloatArray = capacitors_f[:, :-1] @ picked.T / capacitors_f.sum(axis=1, keepdims=True)
    return levels


@cache
def mismatch_linearity_lsb(parameters: SarAdc, samples: int = MISMATCH_SAMPLES) -> tuple[float, float]:
    """Return the means, over mismatched arrays, of the largest integral and differential non-linearity."""
    levels = mismatched_levels(drawn_capacitors_f(parameters, samples))
    worst = [linearity_lsb(sample) for sample in levels]
    return (
        float(np.mean([np.abs(inl).max() for inl, _ in worst])),
        float(np.mean([np.abs(dnl).max() for _, dnl in worst])),
    )


def area_m2(parameters: SarAdc) -> float:
    """Return the area: gates times `AREA_OVERHEAD`, and the capacitors, which lie beside them."""
    p = parameters
    text = netlist(p)
    gates_m2 = _gates_m2(text, "sar_adc")
    capacitors_f = 2 * p.array_f + 4 * p.comparator.load_f
    return AREA_OVERHEAD * gates_m2 + capacitors_f / CAPACITANCE_PER_AREA_F_M2


def _gates_m2(text: str, name: str) -> float:
    """Return the gate area of a subcircuit, its own subcircuits included."""
    blocks: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if line.startswith(".subckt"):
            current = blocks.setdefault(line.split()[1], [])
        current.append(line)

    def total(block: str) -> float:
        inner = (line.split()[-1] for line in blocks[block] if line.startswith("x"))
        return strong_arm.gate_area_m2("\n".join(blocks[block])) + sum(total(part) for part in inner)

    return total(name)


def points() -> list[Point]:
    """Return conversions and levels at all resolutions, and at corners for two of them; and those of the comparator."""
    found = []
    for corner, temperature_k in SETTINGS:
        is_nominal = (corner, temperature_k) == ("nominal", 300.0)
        for bits in RESOLUTIONS if is_nominal else CORNER_RESOLUTIONS:
            p = SarAdc(bits=bits)
            conditions: Conditions = {"bits": bits, "corner": corner, "temperature_k": temperature_k}
            found.append(Point("levels", conditions, (levels_deck(p, corner, temperature_k),), measure_levels))
            if is_nominal:
                deck = transition_deck(p, FRACTIONS[0])
                found.append(Point("transition", conditions, (deck,), measure_transition))
            for fraction in FRACTIONS:
                deck = conversion_deck(p, p.input_v(fraction), corner, temperature_k)
                found.append(Point("conversion", {**conditions, "fraction": fraction}, (deck,), measure_conversion))
    return found + strong_arm.points()


def entries(measured: Sequence[Measured]) -> list[Entry]:
    """Reduce the points to the calibration table."""
    p = SarAdc(bits=8)
    offsets_v = [found.values["offset_v"] for found in measured if found.bench == "offset"]
    sigma_v, error_v = spread(offsets_v)
    table = [
        Entry(
            "offset_v",
            {"corner": "nominal", "temperature_k": 300.0},
            sigma_v,
            "measured",
            SIMULATION,
            f"standard deviation over {len(offsets_v)} samples of mismatched comparators (standard error "
            f"{error_v * 1e3:.2g} mV): one constant per converter, not calibrated here",
        ),
        Entry(
            "unit_capacitance_f",
            {},
            p.unit_f,
            "assumed",
            "",
            "small metal fringe capacitor, as low as is usually drawn",
        ),
        Entry(
            "capacitor_mismatch",
            {},
            unit_mismatch(p),
            "assumed",
            "",
            "relative sigma of a unit capacitor: 0.5 % at 1 fF, with the inverse square root of capacitance",
        ),
    ]
    for corner, temperature_k in SETTINGS:
        setting: dict[str, float | int | str] = {"corner": corner, "temperature_k": temperature_k}
        decision = _only(measured, "decision", setting)
        noise_v = _only(measured, "noise", setting)["noise_v"]
        table.append(Entry("comparator_noise_v", setting, noise_v, "measured", SIMULATION, NOISE_NOTE))
        table.append(
            Entry(
                "decision_energy_j",
                setting,
                decision["decision_energy_j"],
                "measured",
                SIMULATION,
                "comparator, clock buffer and holding latch, per decision; mean over half an LSB of 4 to 10 bits",
            )
        )
        for bits in RESOLUTIONS:
            conditions: dict[str, float | int | str] = {"bits": bits, **setting}
            if any(found.bench == "levels" and _has(found.conditions, conditions) for found in measured):
                table += _resolution_entries(measured, conditions, noise_v, decision[f"delay_{bits}_s"])
    return table


def _resolution_entries(
    measured: Sequence[Measured], conditions: dict[str, float | int | str], noise_v: float, delay_s: float
) -> list[Entry]:
    p = SarAdc(bits=int(conditions["bits"]))
    temperature_k = float(conditions["temperature_k"])
    levels = _only(measured, "levels", conditions)
    conversions = [
        found.values for found in measured if found.bench == "conversion" and _has(found.conditions, conditions)
    ]
    wrong = [values["code_error"] for values in conversions if values["code_error"]]
    slowest_s = max(values["settling_s"] for values in conversions)
    if wrong or slowest_s > p.settle_s or delay_s + LATCH_S > p.compare_s:
        raise MeasureError(
            f"SAR converter {dict(conditions)}: wrong codes by {wrong}, settling {slowest_s:.3g} s of "
            f"{p.settle_s:.3g} s, comparator {delay_s:.3g} s of {p.compare_s:.3g} s less {LATCH_S:.3g} s: "
            "its clock is too fast"
        )
    sampled_v = sampling_noise_v(p.array_f, temperature_k) * math.sqrt(2 / levels["attenuation"])
    total_v = math.hypot(sampled_v, noise_v / levels["attenuation"])
    inl_lsb, dnl_lsb = mismatch_linearity_lsb(p)
    mean = f"mean of conversions at {', '.join(f'{fraction:g}' for fraction in FRACTIONS)} of the range"
    table = [
        Entry(name, conditions, float(np.mean([values[name] for values in conversions])), "measured", SIMULATION, note)
        for name, note in {
            "energy_j": f"all supplies and references; {mean}; without sequencer and reference buffers",
            "energy_comparator_j": f"comparator with its clock buffer; {mean}",
            "energy_reference_j": f"what references and common mode give, nothing recovered; {mean}",
            "energy_driver_j": f"drivers of the switches and buffers of the phases; {mean}",
            "energy_logic_j": f"bit slices; {mean}",
            "kickback_v": "largest move of the top plate while the comparator is clocked, median over bits; its "
            "partner moves alike",
        }.items()
    ]
    table += [
        Entry(
            "settling_s",
            conditions,
            slowest_s,
            "measured",
            SIMULATION,
            "array within half an LSB of where it stands when the comparator is clocked, slowest bit",
        ),
        Entry(
            "comparator_delay_s", conditions, delay_s, "measured", SIMULATION, "clock to held decision at half an LSB"
        ),
        Entry(
            "latency_s",
            conditions,
            p.latency_s,
            "derived",
            SIMULATION,
            f"clock that serves all corners: {p.sample_s * 1e9:.3g} ns to sample, {GAP_S * 1e9:g} ns, and {p.bits} x "
            f"({p.settle_s * 1e9:.3g} + {p.compare_s * 1e9:.3g}) ns; codes simulated at it are right",
        ),
        Entry(
            "noise_v",
            conditions,
            total_v,
            "derived",
            SIMULATION,
            f"comparator {noise_v / levels['attenuation'] * 1e6:.3g} uV at the input, and kT/C of array and "
            f"partner {sampled_v * 1e6:.3g} uV",
        ),
        Entry("noise_lsb", conditions, total_v / p.lsb_v, "derived", SIMULATION, "noise_v over LSB"),
        Entry("gain_error", conditions, levels["gain_error"], "measured", SIMULATION, LEVELS_NOTE),
        Entry(
            "inl_lsb",
            conditions,
            inl_lsb + levels["systematic_inl_lsb"],
            "derived",
            SIMULATION,
            f"mean largest magnitude over {MISMATCH_SAMPLES} mismatched arrays, {inl_lsb:.3g}, plus that of the "
            f"array without mismatch, {levels['systematic_inl_lsb']:.3g}",
        ),
        Entry(
            "dnl_lsb",
            conditions,
            dnl_lsb,
            "derived",
            SIMULATION,
            f"mean largest magnitude over {MISMATCH_SAMPLES} mismatched arrays",
        ),
    ]
    if (conditions["corner"], temperature_k) == ("nominal", 300.0):
        table.append(
            Entry(
                "systematic_offset_v",
                conditions,
                _only(measured, "transition", conditions)["systematic_offset_v"],
                "measured",
                SIMULATION,
                "without mismatch: ideal less simulated transition, kick-back included; to 1/64 LSB",
            )
        )
        table.append(
            Entry(
                "area_m2",
                conditions,
                area_m2(p),
                "derived",
                SIMULATION,
                f"gates of all transistors times {AREA_OVERHEAD:g} for wiring and wells, plus array, partner and loads "
                "at 2 fF/um2",
            )
        )
    return table


def _has(conditions: Conditions, wanted: Conditions) -> bool:
    return all(conditions.get(name) == value for name, value in wanted.items())


def _only(measured: Sequence[Measured], bench: str, conditions: Conditions) -> Mapping[str, float]:
    found = [point.values for point in measured if point.bench == bench and _has(point.conditions, conditions)]
    if len(found) != 1:
        raise MeasureError(f"{len(found)} points of bench {bench!r} at {dict(conditions)}; one is needed")
    return found[0]


def pictures() -> list[Picture]:
    """Return a conversion of 8 bits."""
    p = SarAdc(bits=8)
    return [
        Picture(
            conversion_deck(p, p.input_v(FRACTIONS[0])),
            (
                ("array (V)", ("v(top)", "v(side)")),
                ("clock (V)", ("v(clock)",)),
                ("decisions (V)", tuple(f"v(q{bit})" for bit in reversed(range(p.bits)))),
            ),
        )
    ]


def _odd(conditions: Mapping[str, float]) -> bool:
    return int(conditions["bits"]) % 2 == 1


def _law(quantity: str, formula: str, start: Mapping[str, float], evaluate: Callable[[float, Numbers], float]) -> Law:
    def at(conditions: Numbers, coefficients: Numbers) -> float:
        return evaluate(conditions["bits"], coefficients)

    return Law(quantity, formula, ("bits",), start, at, _odd)


def _bits_and_units(bits: float, c: Numbers) -> float:
    return c["a"] + c["b"] * bits + c["c"] * 2**bits


LAWS = (
    _law("energy_j", "a + b n + c 2^n", {"a": 1e-14, "b": 7e-14, "c": 6e-16}, _bits_and_units),
    _law("energy_comparator_j", "a + b n", {"a": 1e-14, "b": 6e-14}, lambda bits, c: c["a"] + c["b"] * bits),
    _law("energy_reference_j", "a + b 2^n", {"a": 1e-15, "b": 4e-16}, lambda bits, c: c["a"] + c["b"] * 2**bits),
    _law("energy_driver_j", "a + b n + c 2^n", {"a": 1e-14, "b": 5e-15, "c": 3e-16}, _bits_and_units),
    _law("energy_logic_j", "a + b n", {"a": 1e-15, "b": 1e-14}, lambda bits, c: c["a"] + c["b"] * bits),
    _law(
        "latency_s",
        "a + b n + c n 2^n",
        {"a": 8e-10, "b": 6e-10, "c": 3e-13},
        lambda bits, c: c["a"] + c["b"] * bits + c["c"] * bits * 2**bits,
    ),
    _law("comparator_delay_s", "a + b n", {"a": 1e-10, "b": 1e-11}, lambda bits, c: c["a"] + c["b"] * bits),
    _law("area_m2", "a + b n + c 2^n", {"a": 5e-12, "b": 1e-12, "c": 6e-13}, _bits_and_units),
    _law(
        "noise_v",
        "sqrt(a^2 + b 2^-n)",
        {"a": 5e-4, "b": 1e-5},
        lambda bits, c: math.sqrt(c["a"] ** 2 + abs(c["b"]) / 2**bits),
    ),
    _law("inl_lsb", "a + b 2^(n/2)", {"a": 1e-3, "b": 1e-2}, lambda bits, c: c["a"] + c["b"] * 2 ** (bits / 2)),
    _law("dnl_lsb", "a + b 2^(n/2)", {"a": 1e-3, "b": 1e-2}, lambda bits, c: c["a"] + c["b"] * 2 ** (bits / 2)),
)

CELL = Cell(
    "sar_adc",
    "SAR converter with capacitor array, comparator, logic and drivers, 4 to 10 bits",
    points,
    entries,
    LAWS,
    pictures,
)
