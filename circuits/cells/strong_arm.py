"""A clocked comparator of transistors, the StrongARM latch, with its clock buffer and a latch that holds the decision.

::

    vdd ──┬───────┬────────┬─────────────┬────────┬───────┬── vdd
          S1      S3       M5 ×          × M6     S4      S2     S1…S4: to vdd while clk is low
          │       │        │  ╲gates╱    │        │       │
          │       └─ op ───┼─────────────┼─── on ─┘       │      op, on: outputs, both high while clk is low
          │                M3 ×  cross  × M4              │
          └─────── dp ─────┤             ├───── dn ───────┘
                     inp ──M1            M2── inn
                           └──── tail ───┘
                                  │
                          clk ── M7 ── ground                     op falls if inp > inn

    op ─▷o─ won ─┐NOR├─ keepb ⟲ keep ─┤NOR┌─ lost ─o◁─ on     two crossed NOR gates hold the decision while clk is low

The inverters keep the state of the holding latch from the outputs: gates of that latch right at op and on made the
comparator prefer its last decision by more than a millivolt.

Ports of ``comparator``: inp inn clock keep keepb vdd. ``clock`` reaches the latch through two inverters.
Ports of ``latch``: inp inn clk op on dp dn tail vdd.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from circuits.analytic import BOLTZMANN_J_K
from circuits.cell import Conditions, Point
from circuits.decks import Deck
from circuits.frame import ADC_HIGH_V, ADC_LOW_V, CORE_SUPPLY_V, THRESHOLD_MISMATCH_V_M
from circuits.measure import crossing_s, supply_energy_j
from circuits.simulator import Waveforms

FloatArray = npt.NDArray[np.float64]

# Drain and source areas: a contacted diffusion is about this long at 45 nm.
DIFFUSION_LENGTH_M = 1.05e-7
MIN_LENGTH_M = 5e-8
MIN_WIDTH_M = 9e-8
INPUT_LEVEL_V = 0.6
WIRE_F = 2e-16
EDGE_S = 1e-11
OPTIONS: dict[str, float | str | bool] = {"method": "gear", "reltol": 1e-4}
SMALL_SIGNAL_OPTIONS: dict[str, float | str | bool] = {"method": "gear", "reltol": 1e-5, "vntol": 1e-8, "abstol": 1e-15}

# Corners at 300 K, temperatures at the nominal corner.
SETTINGS = (("nominal", 300.0), ("fast", 300.0), ("slow", 300.0), ("nominal", 248.0), ("nominal", 358.0))

# Decisions: a clock cycle, and where in it the clock is high.
CYCLE_S = 8e-10
RISE_S, FALL_S = 3.2e-10, 7.8e-10
RESOLUTIONS = tuple(range(4, 11))

# Noise: an impulse of charge per cycle, at these times after the clock rises.
NOISE_CYCLE_S = 3.8e-10
NOISE_RISE_S = 1.6e-10
IMPULSE_TIMES_S = tuple(np.arange(-20, 164, 8) * 1e-12)
# The check of it by drawn currents: how long they flow in a cycle, and how often they change.
NOISE_SPAN_S, NOISE_STEP_S = 1.5e-10, 3e-12
IMPULSE_C, IMPULSE_WIDTH_S = 2e-18, 2e-12
PROBE_V = 1e-3
OBSERVED_V = 0.05
# Channel noise 4 k T g with g = gm + gds: factor 1 covers the short channel, where 2/3 is too little.
EXCESS_NOISE = 1.0
NOISY = ("1", "3", "5", "s1", "s3")

# Offset: the input is moved against the decision by a step that halves.
SERVO_CYCLE_S = 7e-10
SERVO_STEPS_V = tuple(0.032 / 2**step for step in range(9))
OFFSET_SAMPLES = 48
SERVO_F, SERVO_WIDTH_S = 1e-12, 1e-10


def transistor(
    name: str, nodes: str, card: str, width_m: float, length_m: float = MIN_LENGTH_M, bulk: str | None = None
) -> str:
    """Return one transistor with the areas of its junctions.

    Parameters
    ----------
    name
        Name, without the leading ``m``.
    nodes
        Drain, gate and source.
    card
        Card without polarity, lower case, led by ``n`` or ``p``: ``nvtl``, ``pvtg``.
    width_m, length_m
        Gate width, >= 90 nm, and length, >= 50 nm.
    bulk
        Its well; ground or ``vdd`` where not given.
    """
    area, perimeter = width_m * DIFFUSION_LENGTH_M, 2 * (width_m + DIFFUSION_LENGTH_M)
    model = f"{card[0]}mos_{card[1:]}"
    return (
        f"m{name} {nodes} {bulk or ('0' if card[0] == 'n' else 'vdd')} {model} w={width_m:.4g} l={length_m:.4g} "
        f"ad={area:.4g} as={area:.4g} pd={perimeter:.4g} ps={perimeter:.4g}"
    )


def inverter(name: str, source: str, target: str, size: float = 1.0, card: str = "vtg") -> str:
    """Return an inverter as two lines; `size` in least widths."""
    return "\n".join(
        [
            transistor(f"{name}n", f"{target} {source} 0", f"n{card}", size * MIN_WIDTH_M),
            transistor(f"{name}p", f"{target} {source} vdd", f"p{card}", 2 * size * MIN_WIDTH_M),
        ]
    )


def nand(name: str, first: str, second: str, target: str, size: float = 1.0, card: str = "vtg") -> str:
    """Return a NAND gate; `first` is the input next to its output."""
    width_m = 2 * size * MIN_WIDTH_M
    return "\n".join(
        [
            transistor(f"{name}a", f"{target} {first} {name}x", f"n{card}", width_m),
            transistor(f"{name}b", f"{name}x {second} 0", f"n{card}", width_m),
            transistor(f"{name}c", f"{target} {first} vdd", f"p{card}", width_m),
            transistor(f"{name}d", f"{target} {second} vdd", f"p{card}", width_m),
        ]
    )


def nor(name: str, first: str, second: str, target: str, size: float = 1.0, card: str = "vtg") -> str:
    """Return a NOR gate; `first` is the input next to its output."""
    width_m = size * MIN_WIDTH_M
    return "\n".join(
        [
            transistor(f"{name}a", f"{target} {first} 0", f"n{card}", width_m),
            transistor(f"{name}b", f"{target} {second} 0", f"n{card}", width_m),
            transistor(f"{name}c", f"{target} {first} {name}x", f"p{card}", 4 * width_m),
            transistor(f"{name}d", f"{name}x {second} vdd", f"p{card}", 4 * width_m),
        ]
    )


@dataclass(frozen=True, kw_only=True)
class Comparator:
    """Dimensions of the comparator; widths >= 90 nm, lengths >= 50 nm.

    Parameters
    ----------
    input_width_m, input_length_m
        Input pair M1, M2: area against offset, width against noise.
    tail_width_m, cross_n_width_m, cross_p_width_m, reset_width_m
        M7, M3 and M4, M5 and M6, S1 to S4.
    load_f
        Capacitor at each of dp, dn, op and on, >= 0: integrates longer and so averages noise; 0 for none.
    """

    input_width_m: float = 2e-6
    input_length_m: float = 1e-7
    tail_width_m: float = 5e-7
    cross_n_width_m: float = 1e-6
    cross_p_width_m: float = 1e-6
    reset_width_m: float = 5e-7
    load_f: float = 5e-15

    def pairs(self) -> dict[str, tuple[float, float]]:
        """Return the transistors whose mismatch makes the offset, name to width and length."""
        return {
            "1": (self.input_width_m, self.input_length_m),
            "2": (self.input_width_m, self.input_length_m),
            "3": (self.cross_n_width_m, MIN_LENGTH_M),
            "4": (self.cross_n_width_m, MIN_LENGTH_M),
            "5": (self.cross_p_width_m, MIN_LENGTH_M),
            "6": (self.cross_p_width_m, MIN_LENGTH_M),
        }


def netlist(parameters: Comparator, shift_v: Mapping[str, float] | None = None) -> str:
    """Return the subcircuits ``latch`` and ``comparator``.

    Parameters
    ----------
    parameters
        Dimensions.
    shift_v
        Transistor (``1`` to ``6``) to a voltage in series with its gate, the mismatch of its threshold.
    """
    p = parameters
    gates = {"1": "inp", "2": "inn", "3": "on", "4": "op", "5": "on", "6": "op"}
    shifts = []
    for name, volt in (shift_v or {}).items():
        shifts.append(f"vshift{name} {gates[name]} g{name} {volt:.6g}")
        gates[name] = f"g{name}"
    loads = [f"cload{node} {node} 0 {p.load_f:.4g}" for node in ("dp", "dn", "op", "on")] if p.load_f else []
    return "\n".join(
        [
            ".subckt latch inp inn clk op on dp dn tail vdd",
            *shifts,
            *loads,
            transistor("1", f"dp {gates['1']} tail", "nvtl", p.input_width_m, p.input_length_m),
            transistor("2", f"dn {gates['2']} tail", "nvtl", p.input_width_m, p.input_length_m),
            transistor("3", f"op {gates['3']} dp", "nvtl", p.cross_n_width_m),
            transistor("4", f"on {gates['4']} dn", "nvtl", p.cross_n_width_m),
            transistor("5", f"op {gates['5']} vdd", "pvtl", p.cross_p_width_m),
            transistor("6", f"on {gates['6']} vdd", "pvtl", p.cross_p_width_m),
            transistor("7", "tail clk 0", "nvtl", p.tail_width_m),
            transistor("s1", "dp clk vdd", "pvtl", p.reset_width_m),
            transistor("s2", "dn clk vdd", "pvtl", p.reset_width_m),
            transistor("s3", "op clk vdd", "pvtl", p.reset_width_m),
            transistor("s4", "on clk vdd", "pvtl", p.reset_width_m),
            ".ends",
            ".subckt comparator inp inn clock keep keepb vdd",
            inverter("b1", "clock", "clockb", 3, "vtl"),
            inverter("b2", "clockb", "clk", 10, "vtl"),
            "xlatch inp inn clk op on dp dn tail vdd latch",
            *(f"cwire{node} {node} 0 {WIRE_F:g}" for node in ("dp", "dn", "tail")),
            inverter("p", "op", "won"),
            inverter("n", "on", "lost"),
            nor("b", "won", "keep", "keepb"),
            nor("k", "lost", "keepb", "keep"),
            ".ends",
        ]
    )


def gate_area_m2(text: str) -> float:
    """Return the sum of gate areas, width times length, of all lines of a netlist that are transistors."""
    total = 0.0
    for line in text.splitlines():
        if line.startswith("m"):
            sizes = dict(token.split("=") for token in line.split() if "=" in token)
            total += float(sizes["w"]) * float(sizes["l"])
    return total


def pulses(times_s: Sequence[tuple[float, float]], high_v: float = CORE_SUPPLY_V, edge_s: float = EDGE_S) -> str:
    """Return a source that is high between each pair of times, as a piece-wise linear function."""
    points = [(0.0, high_v if times_s and times_s[0][0] <= 0 else 0.0)]
    for start_s, end_s in times_s:
        if start_s > 0:
            points += [(start_s, 0.0), (start_s + edge_s, high_v)]
        points += [(end_s, high_v), (end_s + edge_s, 0.0)]
    return piecewise(points)


def piecewise(points: Sequence[tuple[float, float]]) -> str:
    """Return a piece-wise linear source through (time, value) points."""
    return "pwl(" + " ".join(f"{time:.7g} {value:.7g}" for time, value in points) + ")"


def decision_deck(
    parameters: Comparator, inputs_v: Sequence[float], corner: str = "nominal", temperature_k: float = 300.0
) -> Deck:
    """Return a bench that decides each of `inputs_v`, inp less inn in volts, one per clock cycle."""
    steps = [(0.0, inputs_v[0])]
    for cycle, value in enumerate(inputs_v):
        steps += [(cycle * CYCLE_S + EDGE_S, value), ((cycle + 1) * CYCLE_S, value)]
    clock = [(cycle * CYCLE_S + RISE_S, cycle * CYCLE_S + FALL_S) for cycle in range(len(inputs_v))]
    body = "\n".join(
        [
            netlist(parameters),
            _inputs(piecewise(steps)),
            f"vclock clock 0 {pulses(clock)}",
            "xcomparator inp inn clock keep keepb vdd comparator",
            f"ckeep keep 0 {5 * WIRE_F:g}",
            f"ckeepb keepb 0 {5 * WIRE_F:g}",
        ]
    )
    return Deck(
        title=f"comparator, {len(inputs_v)} decisions, {corner}, {temperature_k:g} K",
        body=body,
        analysis=f".tran 2p {len(inputs_v) * CYCLE_S:.6g} 0 5p",
        save=("v(keep)", "v(keepb)", "v(clock)", "v(inp)", "v(inn)", "i(vsupply)"),
        corner=corner,
        temperature_k=temperature_k,
        options=OPTIONS,
    )


def half_steps_v(bits: Sequence[int] = RESOLUTIONS) -> list[float]:
    """Return half an LSB of each resolution, with either sign, coarse to fine; a first cycle sets the latch."""
    levels = [(ADC_HIGH_V - ADC_LOW_V) / 2 ** (resolution + 1) for resolution in bits]
    return [-levels[0], *(sign * level for level in levels for sign in (1, -1))]


def measure_decisions(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return the delay from clock to held decision at half an LSB (the slower sign), and the energy of a decision."""
    found = waveforms[0]
    values: dict[str, float] = {}
    for place, bits in enumerate(RESOLUTIONS):
        delays = []
        for cycle, name in ((2 * place + 1, "v(keep)"), (2 * place + 2, "v(keepb)")):
            clock_s = cycle * CYCLE_S + RISE_S + EDGE_S / 2
            delays.append(crossing_s(found.axis, found[name], CORE_SUPPLY_V / 2, after_s=clock_s) - clock_s)
        values[f"delay_{bits}_s"] = max(delays)
    cycles = 2 * len(RESOLUTIONS)
    # From one moment before the clock rises to the same moment of the last cycle: whole cycles.
    start_s = CYCLE_S
    energy_j = supply_energy_j(found.axis, found["i(vsupply)"], CORE_SUPPLY_V, start_s, start_s + cycles * CYCLE_S)
    return {**values, "decision_energy_j": energy_j / cycles}


def noise_deck(parameters: Comparator, corner: str = "nominal", temperature_k: float = 300.0) -> Deck:
    """Return a bench for the sensitivity of a decision to charge: at dp and at op, at many times around the clock edge.

    The first cycle has `PROBE_V` at the input and no impulse, and so gives the gain to the outputs.
    """
    clock: list[tuple[float, float]] = []
    impulses: dict[str, list[tuple[float, float]]] = {"dp": [(0.0, 0.0)], "op": [(0.0, 0.0)]}
    nodes = ["", *(node for node in impulses for _ in IMPULSE_TIMES_S)]
    shifts_s = [0.0, *IMPULSE_TIMES_S, *IMPULSE_TIMES_S]
    for cycle, (node, shift_s) in enumerate(zip(nodes, shifts_s, strict=True)):
        rise_s = cycle * NOISE_CYCLE_S + NOISE_RISE_S
        clock.append((rise_s, (cycle + 1) * NOISE_CYCLE_S - 2 * EDGE_S))
        if node:
            centre_s = rise_s + shift_s
            impulses[node] += [
                (centre_s - IMPULSE_WIDTH_S, 0.0),
                (centre_s, IMPULSE_C / IMPULSE_WIDTH_S),
                (centre_s + IMPULSE_WIDTH_S, 0.0),
            ]
    probe = [(0.0, PROBE_V), (NOISE_CYCLE_S - EDGE_S, PROBE_V), (NOISE_CYCLE_S, 0.0)]
    body = "\n".join(
        [
            _bare_latch(parameters, piecewise(probe), pulses(clock)),
            *(f"i{node} 0 {node} {piecewise(points)}" for node, points in impulses.items()),
        ]
    )
    return Deck(
        title=f"comparator noise, {corner}, {temperature_k:g} K",
        body=body,
        analysis=f".tran 0.5p {len(nodes) * NOISE_CYCLE_S:.6g} 0 1p",
        save=("v(op)", "v(on)", *(f"@m.xlatch.m{name}[{slope}]" for name in NOISY for slope in ("gm", "gds"))),
        corner=corner,
        temperature_k=temperature_k,
        options=SMALL_SIGNAL_OPTIONS,
    )


def measure_noise(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return the noise at the input, rms in volts, with that of the input pair alone, and its mean conductance.

    The outputs react to a charge q(t) at a node linearly until they regenerate far, so the noise of a channel with
    conductance g(t) adds the integral of (h(t)/A)^2 2 k T g(t), h the reaction to a unit charge at time t, A the gain
    from the input; each transistor has a twin on the other side, and what the tail adds is common to both.
    """
    found = waveforms[0]
    output_v = found["v(on)"] - found["v(op)"]
    observed_s, gain = _observation(found.axis, output_v)
    cycles = 1 + 2 * len(IMPULSE_TIMES_S)
    reaction_v = np.interp(np.arange(cycles) * NOISE_CYCLE_S + observed_s, found.axis, output_v)
    at_dp, at_op = (reaction_v[1:] / (IMPULSE_C * gain)).reshape(2, -1)
    paths = {"1": at_dp, "3": at_op - at_dp, "5": at_op, "s1": at_dp, "s3": at_op}
    times_s = np.asarray(IMPULSE_TIMES_S)
    # Conductances come from a cycle that has no impulse yet when they matter: the last of either node has it latest.
    quiet_s = len(IMPULSE_TIMES_S) * NOISE_CYCLE_S + NOISE_RISE_S
    power_v2 = {}
    conductance_s = {}
    for name, path in paths.items():
        slope = found[f"@m.xlatch.m{name}[gm]"] + found[f"@m.xlatch.m{name}[gds]"]
        conductance_s[name] = np.interp(quiet_s + times_s, found.axis, slope)
        density = 2 * 2 * BOLTZMANN_J_K * float(conditions["temperature_k"]) * EXCESS_NOISE * conductance_s[name]
        power_v2[name] = float(np.trapezoid(path**2 * density, times_s))
    weight = at_dp**2
    return {
        "noise_v": math.sqrt(sum(power_v2.values())),
        "input_pair_noise_v": math.sqrt(power_v2["1"]),
        "observed_gain": float(abs(gain)),
        "input_pair_conductance_s": float(np.sum(weight * conductance_s["1"]) / np.sum(weight)),
    }


def noise_check_deck(parameters: Comparator, conductance_s: float, clocks: int, seed: int = 1) -> Deck:
    """Return a bench that injects drawn noise at the input pair, cycle after cycle; the first is a quiet probe.

    The other way to the noise: currents with the density 4 k T g of one conductance, at 300 K, flow from drain to tail
    of M1 and M2 for as long as the latch is undecided, as random numbers every `NOISE_STEP_S`.
    """
    generator = np.random.default_rng(seed)
    spread_a = math.sqrt(2 * BOLTZMANN_J_K * 300.0 * EXCESS_NOISE * conductance_s / NOISE_STEP_S)
    clock = [
        (cycle * NOISE_CYCLE_S + NOISE_RISE_S, (cycle + 1) * NOISE_CYCLE_S - 2 * EDGE_S) for cycle in range(clocks + 1)
    ]
    sources = []
    for name, drain in (("1", "dp"), ("2", "dn")):
        noise = [(0.0, 0.0)]
        for rise_s, _ in clock[1:]:
            times_s = rise_s + np.arange(2e-12, NOISE_SPAN_S, NOISE_STEP_S)
            noise += [(rise_s, 0.0), *zip(times_s, generator.normal(0, spread_a, times_s.size), strict=True)]
            noise += [(rise_s + NOISE_SPAN_S, 0.0)]
        sources.append(f"inoise{name} {drain} tail {piecewise(noise)}")
    probe = [(0.0, PROBE_V), (NOISE_CYCLE_S - EDGE_S, PROBE_V), (NOISE_CYCLE_S, 0.0)]
    return Deck(
        title=f"comparator noise by drawn currents, {clocks} clocks",
        body="\n".join([_bare_latch(parameters, piecewise(probe), pulses(clock)), *sources]),
        analysis=f".tran 1p {(clocks + 1) * NOISE_CYCLE_S:.6g} 0 1.5p",
        save=("v(op)", "v(on)"),
        corner="nominal",
        options={**SMALL_SIGNAL_OPTIONS, "reltol": 1e-4},
    )


def measure_noise_check(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return the spread, at the input, of the outputs that `noise_check_deck` leaves, and their mean."""
    found = waveforms[0]
    output_v = found["v(on)"] - found["v(op)"]
    observed_s, gain = _observation(found.axis, output_v)
    clocks = round(float(found.axis[-1]) / NOISE_CYCLE_S)
    inputs_v = np.interp(np.arange(1, clocks) * NOISE_CYCLE_S + observed_s, found.axis, output_v) / gain
    return {"input_pair_noise_v": float(inputs_v.std(ddof=1)), "mean_v": float(inputs_v.mean())}


def offset_deck(parameters: Comparator, sample: int, seed: int = 1) -> Deck:
    """Return a bench that finds the input at which one sample of mismatched transistors is undecided."""
    generator = np.random.default_rng([seed, sample])
    shift_v = {
        name: float(generator.normal(0, THRESHOLD_MISMATCH_V_M / math.sqrt(width_m * length_m)))
        for name, (width_m, length_m) in parameters.pairs().items()
    }
    cycles = len(SERVO_STEPS_V)
    clock = [(cycle * SERVO_CYCLE_S + 1e-10, cycle * SERVO_CYCLE_S + 5e-10) for cycle in range(cycles)]
    moves = [(0.0, 0.0)]
    for cycle, step_v in enumerate(SERVO_STEPS_V):
        start_s, current_a = cycle * SERVO_CYCLE_S + 5.2e-10, step_v * SERVO_F / SERVO_WIDTH_S
        end_s = start_s + SERVO_WIDTH_S
        moves += [(start_s, 0.0), (start_s + EDGE_S, current_a), (end_s, current_a), (end_s + EDGE_S, 0.0)]
    body = "\n".join(
        [
            netlist(parameters, shift_v),
            _inputs(None),
            f"vclock clock 0 {pulses(clock)}",
            "xcomparator inp inn clock keep keepb vdd comparator",
            f"ckeepb keepb 0 {5 * WIRE_F:g}",
            f"vmove move 0 {piecewise(moves)}",
            "bservo diff 0 i=v(move)*tanh((v(keep)-0.5)/0.05)",
            f"cservo diff 0 {SERVO_F:g}",
            "rservo diff 0 1e12",
        ]
    )
    return Deck(
        title=f"comparator offset, sample {sample}",
        body=body,
        analysis=f".tran 2p {cycles * SERVO_CYCLE_S:.6g} 0 20p",
        save=("v(diff)", "v(keep)"),
        corner="nominal",
        options=OPTIONS,
    )


def measure_offset(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return the offset: what stands at the input, less, when the comparator is undecided."""
    return {"offset_v": -waveforms[0].final("v(diff)")}


def points() -> list[Point]:
    """Return the points of the comparator alone; it is the same at every resolution."""
    parameters = Comparator()
    found = []
    for corner, temperature_k in SETTINGS:
        conditions: Conditions = {"corner": corner, "temperature_k": temperature_k}
        deck = decision_deck(parameters, half_steps_v(), corner, temperature_k)
        found.append(Point("decision", conditions, (deck,), measure_decisions))
        found.append(Point("noise", conditions, (noise_deck(parameters, corner, temperature_k),), measure_noise))
    for sample in range(OFFSET_SAMPLES):
        found.append(Point("offset", {"sample": sample}, (offset_deck(parameters, sample),), measure_offset))
    return found


def _observation(time_s: FloatArray, output_v: FloatArray) -> tuple[float, float]:
    """Return when in a cycle the outputs are far enough apart, and their gain from the probe of the first cycle."""
    times_s = NOISE_RISE_S + np.arange(0, 190) * 1e-12
    probed_v = np.interp(times_s, time_s, output_v)
    place = int(np.argmax(np.abs(probed_v) > OBSERVED_V))
    return float(times_s[place]), float(probed_v[place] / PROBE_V)


def _inputs(difference: str | None) -> str:
    """Return supply and inputs around their level; the difference is a source, or a node that something else drives."""
    lines = [
        f"vsupply vdd 0 {CORE_SUPPLY_V}",
        f"vlevel level 0 {INPUT_LEVEL_V}",
        "einp inp level diff 0 0.5",
        "einn inn level diff 0 -0.5",
    ]
    return "\n".join([*lines, *([f"vdiff diff 0 {difference}"] if difference else [])])


def _bare_latch(parameters: Comparator, difference: str, clock: str) -> str:
    """Return the latch without its buffer, its inner nodes within reach, loaded as in the comparator."""
    return "\n".join(
        [
            netlist(parameters),
            _inputs(difference),
            f"vclk clk 0 {clock}",
            "xlatch inp inn clk op on dp dn tail vdd latch",
            inverter("won", "op", "won"),
            inverter("lost", "on", "lost"),
            *(f"cwire{node} {node} 0 {WIRE_F:g}" for node in ("dp", "dn", "tail", "won", "lost")),
        ]
    )
