"""Summing stage of one column: the TIAs of all tiles, through resistors and switches, into one integrator.

::

      t0 ── R ──[sel]──┐      ┌──[rst]──┐
      t1 ── R ──[sel]──┤      ├─── C ───┤
      …                ├─ vg ─┴─ inn    │
      tN ── R ──[sel]──┘        op-amp ─┴── out
                          cm ── inp

Subcircuit ``summing_<kind>_<tiles>`` with the ports ``t0 … t<tiles-1> out cm vdd vsw sel rst`` and the parameters
``vos`` (V), ``ci`` (F), ``rci`` (ohm, across the capacitor), ``rs0 …`` (ohm) and the threshold shifts of the op-amp
(``d…``) and of the switches (``dn0 dp0 …``). ``vsw`` supplies the drivers of the switches, ``sel`` and ``rst`` are
digital inputs at the core supply. ``out`` moves from the common mode by
-(sum of the tile voltages against the common mode, integrated over the read) / (R C).

Each switch is a transmission gate at the virtual ground, behind its resistor: there its resistance and what it injects
are the same for every signal. It opens after the read, so that the sum is held while a converter looks at it. Its two
transistors are equally wide, so that the charges that they inject nearly cancel.

The read is that of a DAC of 7 bits, whose window is 32 ns; for another window the capacitor scales with it. The bench
feeds the tiles from ideal voltage sources in the ratio gamma^n with gamma 1/2, together 90 % of the full scale of the
output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from circuits.analytic import sampling_noise_v, summing_stage_gain_error
from circuits.cell import CORNERS, TEMPERATURES_K, Cell, Conditions, Entry, Measured, Picture, Point
from circuits.cells import opamp, tia
from circuits.cells.opamp import OpAmp, parameter_text
from circuits.decks import Deck
from circuits.frame import (
    ADC_HIGH_V,
    ADC_LOW_V,
    AREA_OVERHEAD,
    CAPACITANCE_PER_AREA_F_M2,
    COMMON_MODE_V,
    CORE_SUPPLY_V,
    FULL_SCALE_CURRENT_A,
    INTEGRATION_CAPACITANCE_F,
    RESISTOR_AREA_M2_PER_OHM,
    RESISTOR_MISMATCH,
    SUMMING_RESISTANCE_OHM,
    THRESHOLD_MISMATCH_V_M,
    window_s,
)
from circuits.laws import Law, Numbers
from circuits.measure import integral, reset_noise_rms, settling_s, spread, supply_energy_j
from circuits.simulator import Waveforms

TILES = (1, 2, 3, 4, 5, 6, 7, 8)
MIDDLE_TILES = 4
GAMMA = 0.5
BITS = 7
SAMPLES = 200
SEED = 3510
WINDOW_S = window_s(BITS)
RESOLUTION_BITS = 8
HALF_LSB_V = (ADC_HIGH_V - ADC_LOW_V) / 2 ** (RESOLUTION_BITS + 1)
BENCH_SCALE_V = 0.36
EDGE_S = 5e-11
# One cycle of the bench: reset, read, settle, hold, and the reset after it.
RESET_END_S = 15e-9
READ_AT_S = 16e-9
READ_END_S = READ_AT_S + WINDOW_S
HOLD_AT_S = READ_END_S + 12e-9
SECOND_RESET_S = HOLD_AT_S + WINDOW_S
END_S = SECOND_RESET_S + 20e-9
OPAMP_GAIN = 3000.0  # without a resistive load, for the law of the gain, which hardly depends on it
LEAKAGE_OHM = 1e15  # across the capacitor; nothing, unless a bench says otherwise
OUTPUT_LOAD_F = 1e-13  # the capacitor of the sample-and-hold
INPUT_CELLS = 128  # weights per column in the noise of a whole read


@dataclass(frozen=True, kw_only=True)
class SummingStage:
    """Dimensions of a summing stage.

    Parameters
    ----------
    opamp
        Its op-amp.
    select_w_m, reset_w_m
        Width of either transistor of a tile switch and of the reset switch.
    switch_l_m
        Length of both.
    driver_w_m
        Width of the NMOS of the inverters that drive the switches; the PMOS is twice as wide.
    """

    opamp: OpAmp = field(default_factory=OpAmp)
    select_w_m: float = 3e-6
    reset_w_m: float = 4e-6
    switch_l_m: float = 50e-9
    driver_w_m: float = 1e-6

    def __post_init__(self) -> None:
        for name in ("select_w_m", "reset_w_m", "switch_l_m", "driver_w_m"):
            if not 0 < getattr(self, name) < 1e-3:
                raise ValueError(f"SummingStage: {name} = {getattr(self, name)} is not allowed; above 0, below 1e-3")


DEFAULT = SummingStage()


def area_m2(tiles: int, stage: SummingStage = DEFAULT) -> float:
    """Return the area of a stage for `tiles` tiles: op-amp, capacitor, resistors, switches and their drivers."""
    gates = stage.switch_l_m * (2 * tiles * stage.select_w_m + 2 * stage.reset_w_m + 12 * stage.driver_w_m)
    return (
        opamp.area_m2(stage.opamp)
        + AREA_OVERHEAD * gates
        + INTEGRATION_CAPACITANCE_F / CAPACITANCE_PER_AREA_F_M2
        + tiles * SUMMING_RESISTANCE_OHM * RESISTOR_AREA_M2_PER_OHM
    )


def transmission_gate(
    name: str,
    left: str,
    right: str,
    clock: str,
    flavour: str,
    width_m: float,
    length_m: float,
    *,
    shifted: bool = False,
) -> list[str]:
    """Return a switch that is closed while node `clock` is high and `clock`b is low; both transistors are equally wide.

    Parameters
    ----------
    flavour
        Threshold of its transistors: ``vtl``, ``vtg`` or ``vth``.
    shifted
        Whether threshold shifts ``dn<name>`` and ``dp<name>`` are parameters of the subcircuit around it.
    """
    shifts = (f" delvto={{d{channel}{name}}}" if shifted else "" for channel in "np")
    size = f"w={width_m:g} l={length_m:g}"
    return [
        f"mn{name} {left} {clock} {right} 0 nmos_{flavour} {size}{next(shifts)}",
        f"mp{name} {left} {clock}b {right} vdd pmos_{flavour} {size}{next(shifts)}",
    ]


def clock_driver(name: str, width_m: float, length_m: float) -> list[str]:
    """Return two inverters on ``vsw``, from the digital input `name` to the phases `name`i and `name`ib of switches."""
    return [
        line
        for place, (gate, drain) in enumerate(((name, f"{name}ib"), (f"{name}ib", f"{name}i")))
        for line in (
            f"mnc{name}{place} {drain} {gate} 0 0 nmos_vtl w={width_m:g} l={length_m:g}",
            f"mpc{name}{place} {drain} {gate} vsw vsw pmos_vtl w={2 * width_m:g} l={length_m:g}",
        )
    ]


def netlist(tiles: int, kind: str = "transistor", stage: SummingStage = DEFAULT) -> str:
    """Return the subcircuit ``summing_<kind>_<tiles>`` without that of its op-amp.

    Parameters
    ----------
    tiles
        >= 1.
    kind
        Op-amp: ``transistor``, ``behavioural`` or ``ideal``; with ``ideal`` the switches are ideal as well (1 ohm).
    """
    places = range(tiles)
    shifts = [f"d{name}" for name in opamp.transistors(stage.opamp)] if kind == "transistor" else []
    passed = " ".join(f"{name}={{{name}}}" for name in shifts)
    ports = " ".join(f"t{place}" for place in places)
    switches = [f"d{channel}{place}" for place in (*places, "r") for channel in "np"] if kind != "ideal" else []
    given = " ".join([*(f"rs{place}={SUMMING_RESISTANCE_OHM:g}" for place in places), *(f"{d}=0" for d in shifts)])
    given += "".join(f" {name}=0" for name in switches)
    values = f"vos=0 ci={INTEGRATION_CAPACITANCE_F:g} rci={LEAKAGE_OHM:g} {given}"
    lines = [
        f".subckt summing_{kind}_{tiles} {ports} out cm vdd vsw sel rst {values}",
        f"x1 cm vg out vdd opamp_{kind} vos={{vos}} {passed}".rstrip(),
        "ci vg out {ci}",
        "rci vg out {rci}",
        *(f"rs{place} t{place} m{place} {{rs{place}}}" for place in places),
    ]
    if kind == "ideal":
        lines += [
            ".model switch sw vt=0.5 vh=0.1 ron=1 roff=1e12",
            *(f"s{place} m{place} vg sel 0 switch" for place in places),
            "sr vg out rst 0 switch",
            "rvsw vsw 0 1t",  # a port that is not used would float
        ]
    else:
        lines += [
            *clock_driver("sel", stage.driver_w_m, stage.switch_l_m),
            *clock_driver("rst", stage.driver_w_m, stage.switch_l_m),
            *(
                line
                for place in places
                for line in transmission_gate(
                    str(place), f"m{place}", "vg", "seli", "vtl", stage.select_w_m, stage.switch_l_m, shifted=True
                )
            ),
            # A higher threshold: what leaks here moves the sum.
            *transmission_gate("r", "vg", "out", "rsti", "vtg", stage.reset_w_m, stage.switch_l_m, shifted=True),
        ]
    return "\n".join([*lines, ".ends"])


def shares(tiles: int) -> list[float]:
    """Return gamma^n of each tile over the sum of all."""
    weights = [GAMMA**place for place in range(tiles)]
    return [weight / sum(weights) for weight in weights]


def _pulse(first: float, second: float, start_s: float, end_s: float) -> str:
    return (
        f"pwl(0 {first:g} {start_s:g} {first:g} {start_s + EDGE_S:g} {second:g} "
        f"{end_s:g} {second:g} {end_s + EDGE_S:g} {first:g})"
    )


def _supplies(select: str, reset: str) -> list[str]:
    return [
        f"vdd vdd 0 {CORE_SUPPLY_V:g}",
        f"vsw vsw 0 {CORE_SUPPLY_V:g}",
        f"vcm cm 0 {COMMON_MODE_V:g}",
        f"vsel sel 0 {select}",
        f"vrst rst 0 {reset}",
        f"chold out 0 {OUTPUT_LOAD_F:g}",
    ]


def cycle_deck(
    tiles: int,
    level: float,
    *,
    kind: str = "transistor",
    stage: SummingStage = DEFAULT,
    corner: str = "nominal",
    temperature_k: float = 300.0,
) -> Deck:
    """Return a whole read: reset, 32 ns of constant tile voltages, settling, hold, and the next reset.

    Parameters
    ----------
    tiles
        >= 1.
    level
        Signal as a share of the bench's full scale, -1 to 1; positive raises the tile voltages.
    """
    scale_v = level * BENCH_SCALE_V * SUMMING_RESISTANCE_OHM * INTEGRATION_CAPACITANCE_F / WINDOW_S
    reset = (
        f"pwl(0 {CORE_SUPPLY_V:g} {RESET_END_S:g} {CORE_SUPPLY_V:g} {RESET_END_S + EDGE_S:g} 0 "
        f"{SECOND_RESET_S:g} 0 {SECOND_RESET_S + EDGE_S:g} {CORE_SUPPLY_V:g})"
    )
    select = f"pwl(0 {CORE_SUPPLY_V:g} {HOLD_AT_S:g} {CORE_SUPPLY_V:g} {HOLD_AT_S + EDGE_S:g} 0)"
    tile_v = [COMMON_MODE_V + scale_v * share for share in shares(tiles)]
    names = [f"t{place}" for place in range(tiles)]
    return Deck(
        title=f"summing stage read, {kind}, {tiles} tiles, level {level:g}",
        body="\n".join(
            [
                opamp.netlist(kind, stage.opamp),
                netlist(tiles, kind, stage),
                *_supplies(select, reset),
                *(
                    f"v{name} {name} 0 {_pulse(COMMON_MODE_V, value, READ_AT_S, READ_END_S)}"
                    for name, value in zip(names, tile_v, strict=True)
                ),
                f"xsum {' '.join(names)} out cm vdd vsw sel rst summing_{kind}_{tiles}",
            ]
        ),
        analysis=f".tran 50p {END_S:g} 0 100p",
        save=("v(out)", "i(vdd)", "i(vsw)", *(f"v({name})" for name in names)),
        corner=corner,
        temperature_k=temperature_k,
        options={"method": "gear", "reltol": 1e-5, "vntol": 1e-7},
    )


def noise_deck(
    tiles: int, *, with_tias: bool, stage: SummingStage = DEFAULT, corner: str = "nominal", temperature_k: float = 300.0
) -> Deck:
    """Return the noise of the integrator as if it were never reset, with quiet sources or with TIAs at its inputs.

    Parameters
    ----------
    with_tias
        Whether each input has a TIA with a column of 128 weights; else an ideal voltage source.
    """
    names = [f"t{place}" for place in range(tiles)]
    lines = [opamp.netlist("transistor", stage.opamp), netlist(tiles, "transistor", stage)]
    lines += _supplies(f"{CORE_SUPPLY_V:g}", "0")
    if with_tias:
        lines.append(tia.netlist())
        for place, name in enumerate(names):
            lines += _column(f"l{name}")
            lines.append(f"xt{name} l{name} {name} cm vdd tia_transistor rf={tia.feedback_ohm(GAMMA**place):g}")
    else:
        lines += [f"v{name} {name} 0 {COMMON_MODE_V:g}" for name in names]
    # A resistor gives the integrator an operating point; the corner at 40 kHz is far below one over the window.
    lines.append(f"xsum {' '.join(names)} out cm vdd vsw sel rst summing_transistor_{tiles} rci=10meg")
    # The source of an analysis of noise only scales what is referred to it.
    lines += ["vac ac 0 dc 0 ac 1", "rac ac 0 1"]
    return Deck(
        title=f"summing stage noise, {tiles} tiles" + (" with TIAs" if with_tias else ""),
        body="\n".join(lines),
        analysis=".noise v(out) vac dec 30 1e4 1e11",
        save=("all",),
        corner=corner,
        temperature_k=temperature_k,
    )


def _column(line: str) -> list[str]:
    return [
        f"rg{line} {line} cm {1 / tia.line_s(INPUT_CELLS):.9g}",
        f"cg{line} {line} 0 {tia.line_f(INPUT_CELLS):.9g}",
    ]


def mismatch_deck(sample: int, stage: SummingStage = DEFAULT) -> Deck:
    """Return one tile at DC, a resistor in place of the integration capacitor, with one draw of its mismatch.

    Drawn are the feedback resistor of the TIA, the summing resistor and the thresholds of the switch; what all tiles
    share changes no ratio.
    """
    rng = np.random.default_rng([SEED, sample])
    feedback, summing = 1 + RESISTOR_MISMATCH * rng.standard_normal(2)
    sigma_v = THRESHOLD_MISMATCH_V_M / math.sqrt(stage.select_w_m * stage.switch_l_m)
    shift_n, shift_p = sigma_v * rng.standard_normal(2)
    values = parameter_text(
        {
            "rci": SUMMING_RESISTANCE_OHM,
            "rs0": summing * SUMMING_RESISTANCE_OHM,
            "dn0": float(shift_n),
            "dp0": float(shift_p),
        }
    )
    return Deck(
        title=f"summing stage mismatch, sample {sample}",
        body="\n".join(
            [
                opamp.netlist("transistor", stage.opamp),
                tia.netlist(),
                netlist(1, "transistor", stage),
                *_supplies(f"{CORE_SUPPLY_V:g}", "0"),
                "isig 0 line 0",
                *_column("line"),
                f"xtia line t0 cm vdd tia_transistor rf={feedback * tia.feedback_ohm(1.0):.9g}",
                f"xsum t0 out cm vdd vsw sel rst summing_transistor_1 {values}",
            ]
        ),
        analysis=f".dc isig {-FULL_SCALE_CURRENT_A / 2:g} {FULL_SCALE_CURRENT_A / 2:g} {FULL_SCALE_CURRENT_A:g}",
        save=("v(out)",),
        corner="nominal",
        options={"reltol": 1e-6},
    )


def measure_read(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return what two reads, with and without a signal, and the two kinds of noise say."""
    high, idle, alone, whole = waveforms
    tiles, kelvin = int(conditions["tiles"]), float(conditions["temperature_k"])

    def at(one: Waveforms, time_s: float) -> float:
        return float(np.interp(time_s, one.axis, one["v(out)"]))

    before_hold_s = HOLD_AT_S - EDGE_S
    summed_v_s = sum(
        integral(high.axis, high[f"v(t{place})"] - COMMON_MODE_V, RESET_END_S, before_hold_s) for place in range(tiles)
    )
    ideal_v = -summed_v_s / (SUMMING_RESISTANCE_OHM * INTEGRATION_CAPACITANCE_F)
    change_v = at(high, before_hold_s) - at(idle, before_hold_s)
    settle_s = settling_s(
        high.axis, high["v(out)"], at(high, before_hold_s), HALF_LSB_V, start_s=READ_END_S + EDGE_S, end_s=before_hold_s
    )
    final_v = high.final("v(out)")
    reset_s = settling_s(high.axis, high["v(out)"], final_v, HALF_LSB_V, start_s=SECOND_RESET_S + EDGE_S / 2)
    # The switch opened: what it injects is gone after 2 ns; the rest of the hold is leakage.
    held_s = HOLD_AT_S + 2e-9
    drift_v = [at(one, SECOND_RESET_S - EDGE_S) - at(one, held_s) for one in (high, idle)]
    leak_a = max(map(abs, drift_v)) / (SECOND_RESET_S - EDGE_S - held_s) * INTEGRATION_CAPACITANCE_F
    power_w = -float(idle["i(vdd)"][0]) * CORE_SUPPLY_V
    switching_j = supply_energy_j(high.axis, high["i(vsw)"], CORE_SUPPLY_V, high.axis[0], high.axis[-1])
    kept_v = sampling_noise_v(INTEGRATION_CAPACITANCE_F, kelvin)
    noises_v = [
        math.hypot(reset_noise_rms(one.axis, one["onoise_spectrum"], WINDOW_S), kept_v) for one in (alone, whole)
    ]
    return {
        "gain_error": change_v / ideal_v - 1,
        "latency_s": reset_s + settle_s,
        "reset_s": reset_s,
        "settle_s": settle_s,
        "power_w": power_w,
        "switching_j": switching_j,
        "energy_j": power_w * (WINDOW_S + reset_s + settle_s) + switching_j,
        "pedestal_v": at(idle, before_hold_s) - COMMON_MODE_V,
        "hold_step_v": at(idle, held_s) - at(idle, before_hold_s),
        "leak_a": leak_a,
        "droop_v": leak_a * WINDOW_S / INTEGRATION_CAPACITANCE_F,
        "noise_v": noises_v[0],
        "read_noise_v": noises_v[1],
    }


def measure_mismatch(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return the gain of one tile, from the current of its column to the output, in ohm."""
    (sweep,) = waveforms
    return {"gain_ohm": float(sweep["v(out)"][-1] - sweep["v(out)"][0]) / FULL_SCALE_CURRENT_A}


def read_point(tiles: int, corner: str = "nominal", temperature_k: float = 300.0) -> Point:
    """Return the point that measures a read by `tiles` tiles."""
    return Point(
        bench="read",
        conditions={"tiles": tiles, "corner": corner, "temperature_k": temperature_k},
        decks=(
            cycle_deck(tiles, -1.0, corner=corner, temperature_k=temperature_k),
            cycle_deck(tiles, 0.0, corner=corner, temperature_k=temperature_k),
            noise_deck(tiles, with_tias=False, corner=corner, temperature_k=temperature_k),
            noise_deck(tiles, with_tias=True, corner=corner, temperature_k=temperature_k),
        ),
        measure=measure_read,
    )


def points() -> list[Point]:
    """Return all numbers of tiles, the middle one at all corners and temperatures, and the Monte Carlo."""
    found = [read_point(tiles) for tiles in TILES]
    found += [read_point(MIDDLE_TILES, corner) for corner in CORNERS[1:]]
    found += [read_point(MIDDLE_TILES, temperature_k=kelvin) for kelvin in TEMPERATURES_K[1:]]
    found += [Point("mismatch", {"sample": one}, (mismatch_deck(one),), measure_mismatch) for one in range(SAMPLES)]
    return found


NOTES = {
    "energy_j": "op-amp power times window of 7 bits plus latency, and the drivers of the switches; without TIAs",
    "power_w": "op-amp, its bias mirror included",
    "switching_j": "drivers of all switches over one cycle",
    "latency_s": "reset from full scale plus settling after the window, to half an LSB of 8 bits; window not included",
    "gain_error": "against the integral of the tile voltages over R C",
    "pedestal_v": "output after a read of nothing: injection by the reset switch, systematic offset",
    "hold_step_v": "step of the output when the tile switches open",
    "leak_a": "drift of the held sum times the capacitor",
    "droop_v": "the same over 32 ns",
    "noise_v": "rms at the output over reset and window of 32 ns, quiet tiles; kT/C of the reset included",
    "read_noise_v": "the same with the TIAs of all tiles, gamma 1/2, 128 weights per column",
}


def entries(measured: Sequence[Measured]) -> list[Entry]:
    """Return the rows of the table."""
    found = []
    for one in measured:
        if one.bench != "read":
            continue
        for name, note in NOTES.items():
            found.append(Entry(name, one.conditions, one.values[name], "measured", "simulation", note))
        note = "size of gain_error, which its law is fitted to"
        found.append(Entry("gain_loss", one.conditions, -one.values["gain_error"], "measured", "simulation", note))
    gains = np.array([one.values["gain_ohm"] for one in measured if one.bench == "mismatch"])
    if gains.size:
        sigma, error = spread(gains / gains.mean())
        note = (
            f"sigma of one tile's gain over {gains.size} samples, standard error {error / sigma:.0%}: feedback and "
            "summing resistor 0.5 % each (assumed), thresholds of the switch"
        )
        found.append(Entry("gain_mismatch", {}, sigma, "measured", "simulation", note))
    note = "gate areas times 4, capacitor at 2 fF/um2, resistors at 0.01 um2 per 100 ohm"
    found += [Entry("area_m2", {"tiles": tiles}, area_m2(tiles), "derived", "", note) for tiles in TILES]
    return found


def gain_law(conditions: Numbers, found: Numbers) -> float:
    """Return the loss of the switches and of an op-amp with a finite bandwidth and gain."""
    return -summing_stage_gain_error(
        tiles=int(conditions["tiles"]),
        resistance_ohm=SUMMING_RESISTANCE_OHM,
        capacitance_f=INTEGRATION_CAPACITANCE_F,
        switch_ohm=found["switch_ohm"],
        opamp_gain=OPAMP_GAIN,
        bandwidth_hz=found["bandwidth_hz"],
        window_s=WINDOW_S,
    )


def switching_law(conditions: Numbers, found: Numbers) -> float:
    """Return a + b N."""
    return found["fixed_j"] + found["tile_j"] * conditions["tiles"]


def _held_out(conditions: Numbers) -> bool:
    return conditions["tiles"] in (2, 4, 6)


LAWS = (
    Law(
        quantity="gain_loss",
        formula="1 - 1/(1 + switch_ohm/R + tiles (1/(2 pi R C bandwidth_hz) + T/(2 R C 3000))), R C 20 ns, T 32 ns",
        variables=("tiles",),
        start={"switch_ohm": 400.0, "bandwidth_hz": 1.3e9},
        evaluate=gain_law,
        held_out=_held_out,
    ),
    Law(
        quantity="switching_j",
        formula="fixed_j + tile_j tiles",
        variables=("tiles",),
        start={"fixed_j": 1e-13, "tile_j": 4e-15},
        evaluate=switching_law,
        held_out=_held_out,
    ),
)


def pictures() -> list[Picture]:
    """Return a read by four tiles."""
    return [
        Picture(
            cycle_deck(MIDDLE_TILES, -1.0),
            (("tiles (V)", tuple(f"v(t{place})" for place in range(MIDDLE_TILES))), ("sum (V)", ("v(out)",))),
        )
    ]


CELL = Cell(
    name="summing_stage",
    summary="switches, summing resistors and one integrator for all tiles of a column",
    points=points,
    entries=entries,
    laws=LAWS,
    pictures=pictures,
)
