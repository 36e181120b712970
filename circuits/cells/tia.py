"""Transimpedance amplifier of one column of one tile: op-amp, feedback resistor gamma^n times 20 kohm, small capacitor.

::

      line ──┬───── Rf = gamma^n 20 kohm ─────┬── out
             ├───────────── Cf ───────────────┤
             └── inn                          │
                     op-amp ──────────────────┘
        cm ── vos ── inp

Subcircuit ``tia_<kind>`` with the ports ``line out cm vdd`` and the parameters ``rf`` (ohm), ``vos`` (V) and, for the
transistor op-amp, its threshold shifts ``db d1 … d7`` (V). A current into ``line`` lowers ``out``.

The bench loads the line with the conductance and the capacitance of its cells (two devices per weight, all of the mean
conductance, to the common mode; the resistance of the line belongs to the crossbar), and the output with one summing
resistor. The signal is a current into the line, +-12 uA at full scale for every tile, so that the full scale of the
output shrinks with gamma^n. Settling is to half an LSB of 8 bits of a converter whose range is +- that full scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from circuits.analytic import loaded_gain, two_stage_tia_settling_s
from circuits.cell import CORNERS, TEMPERATURES_K, Cell, Conditions, Entry, Measured, Picture, Point
from circuits.cells import opamp
from circuits.cells.opamp import OpAmp, parameter_text
from circuits.decks import Deck
from circuits.frame import (
    CAPACITANCE_PER_AREA_F_M2,
    CELL_CAPACITANCE_F,
    COMMON_MODE_V,
    CORE_SUPPLY_V,
    DEVICES_PER_WEIGHT,
    FEEDBACK_RESISTANCE_OHM,
    FULL_SCALE_CURRENT_A,
    MEAN_CONDUCTANCE_S,
    RESISTOR_AREA_M2_PER_OHM,
    SUMMING_RESISTANCE_OHM,
)
from circuits.laws import Law, Numbers
from circuits.measure import noise_rms, saturation_fit, settling_s, spread
from circuits.simulator import Waveforms

CELLS = (16, 32, 64, 128, 256)
GAMMAS = (1.0, 0.5, 0.25, 0.125)
MIDDLE_CELLS = 128
SAMPLES = 100
SEED = 2510
RESOLUTION_BITS = 8
TOLERANCE = 2.0**-RESOLUTION_BITS  # half an LSB of a range of twice the full scale, as a share of the full scale
STEP_AT_S = 1e-9
STEP_END_S = 81e-9
LOAD_CAPACITANCE_F = 5e-15  # assumed: some 25 um of wire to the summing stage
# Small-signal values of the op-amp that its latency hardly depends on: the law does not fit them.
OUTPUT_S, FIRST_STAGE_GAIN, INPUT_F, MIDDLE_F = 40e-6, 75.0, 12e-15, 5e-15
LOW_FREQUENCY_HZ, HIGH_FREQUENCY_HZ = 1e4, 1e11


@dataclass(frozen=True, kw_only=True)
class Tia:
    """Dimensions of a TIA.

    Parameters
    ----------
    opamp
        Its op-amp.
    feedback_f
        Capacitor across the feedback resistor, > 0; it keeps the phase margin with few cells on the line.
    """

    opamp: OpAmp = field(default_factory=OpAmp)
    feedback_f: float = 6e-15

    def __post_init__(self) -> None:
        if not 0 < self.feedback_f < 1e-12:
            raise ValueError(f"Tia: feedback_f = {self.feedback_f} is not allowed; above 0, below 1e-12")


DEFAULT = Tia()


def feedback_ohm(gamma: float) -> float:
    """Return the feedback resistance of a tile whose gain against the coarsest tile is `gamma` (gamma^n of tile n)."""
    return gamma * FEEDBACK_RESISTANCE_OHM


def line_s(cells: int) -> float:
    """Return the conductance of a column with `cells` weights to the common mode."""
    return DEVICES_PER_WEIGHT * cells * MEAN_CONDUCTANCE_S


def line_f(cells: int) -> float:
    """Return the capacitance of a column with `cells` weights, without the op-amp."""
    return DEVICES_PER_WEIGHT * cells * CELL_CAPACITANCE_F


def area_m2(tia: Tia = DEFAULT, gamma: float = 1.0) -> float:
    """Return the area of a TIA: its op-amp, its resistor and its capacitor."""
    return (
        opamp.area_m2(tia.opamp)
        + feedback_ohm(gamma) * RESISTOR_AREA_M2_PER_OHM
        + tia.feedback_f / CAPACITANCE_PER_AREA_F_M2
    )


def netlist(parameters: Tia = DEFAULT, kind: str = "transistor") -> str:
    """Return the subcircuit ``tia_<kind>`` without that of its op-amp (`circuits.cells.opamp.netlist`)."""
    shifts = [f"d{name}" for name in opamp.transistors(parameters.opamp)] if kind == "transistor" else []
    given = " ".join(f"{name}=0" for name in shifts)
    passed = " ".join(f"{name}={{{name}}}" for name in shifts)
    return "\n".join(
        [
            f".subckt tia_{kind} line out cm vdd rf={FEEDBACK_RESISTANCE_OHM:g} vos=0 {given}".rstrip(),
            "rf line out {rf}",
            f"cf line out {parameters.feedback_f:g}",
            f"x1 cm line out vdd opamp_{kind} vos={{vos}} {passed}".rstrip(),
            ".ends",
        ]
    )


def _surroundings(cells: int, current: str) -> list[str]:
    return [
        f"vdd vdd 0 {CORE_SUPPLY_V:g}",
        f"vcm cm 0 {COMMON_MODE_V:g}",
        f"isig 0 line {current}",
        f"rarray line cm {1 / line_s(cells):.9g}",
        f"carray line 0 {line_f(cells):.9g}",
        f"rload out cm {SUMMING_RESISTANCE_OHM:g}",
        f"cload out 0 {LOAD_CAPACITANCE_F:g}",
    ]


def bench(
    *,
    cells: int,
    gamma: float,
    current: str,
    kind: str = "transistor",
    tia: Tia = DEFAULT,
    shifts: Mapping[str, float] | None = None,
) -> str:
    """Return the body of a deck: a TIA with its column and its load, nodes ``line``, ``out`` and source ``vdd``.

    Parameters
    ----------
    cells
        Weights on the column, >= 1.
    gamma
        Gain against that of the coarsest tile, 0 < gamma <= 1.
    current
        Value of the signal source as SPICE writes it, in amperes; positive into the line.
    kind
        Op-amp: ``transistor``, ``single_stage``, ``behavioural`` or ``ideal``.
    shifts
        ``vos`` and threshold shifts in volts.
    """
    parameters = parameter_text({"rf": feedback_ohm(gamma), **(shifts or {})})
    return "\n".join(
        [
            opamp.netlist(kind, tia.opamp),
            netlist(tia, kind),
            *_surroundings(cells, current),
            f"xtia line out cm vdd tia_{kind} {parameters}",
        ]
    )


def step_deck(
    *,
    cells: int,
    gamma: float,
    kind: str = "transistor",
    tia: Tia = DEFAULT,
    current_a: float = FULL_SCALE_CURRENT_A,
    corner: str = "nominal",
    temperature_k: float = 300.0,
) -> Deck:
    """Return a step of the signal from 0 to `current_a` at 1 ns."""
    current = f"pwl(0 0 {STEP_AT_S:g} 0 {STEP_AT_S + 1e-11:g} {current_a:g})"
    return Deck(
        title=f"tia step, {kind}, {cells} cells, gamma {gamma:g}",
        body=bench(cells=cells, gamma=gamma, current=current, kind=kind, tia=tia),
        analysis=f".tran 20p {STEP_END_S:g} 0 20p",
        save=("v(out)", "v(line)", "i(vdd)"),
        corner=corner,
        temperature_k=temperature_k,
        options={"method": "gear", "reltol": 1e-5, "vntol": 1e-8},
    )


def _static_deck(analysis: str, save: tuple[str, ...], conditions: Conditions) -> Deck:
    cells, gamma = int(conditions["cells"]), float(conditions["gamma"])
    return Deck(
        title=f"tia {analysis.split()[0]}, {cells} cells, gamma {gamma:g}",
        body=bench(cells=cells, gamma=gamma, current="dc 0 ac 1"),
        analysis=analysis,
        save=save,
        corner=str(conditions["corner"]),
        temperature_k=float(conditions["temperature_k"]),
        options={"reltol": 1e-6},
    )


def loop_decks(conditions: Conditions, *, kind: str = "transistor", tia: Tia = DEFAULT) -> tuple[Deck, Deck]:
    """Return a voltage and a current injection into the loop, cut at the output of the op-amp."""
    cells, gamma = int(conditions["cells"]), float(conditions["gamma"])

    def deck(name: str, injection: list[str], probe: str) -> Deck:
        return Deck(
            title=f"tia loop, {name}, {cells} cells, gamma {gamma:g}",
            body="\n".join(
                [
                    opamp.netlist(kind, tia.opamp),
                    *_surroundings(cells, "0"),
                    f"rf line out {feedback_ohm(gamma):g}",
                    f"cf line out {tia.feedback_f:g}",
                    f"x1 cm line driven vdd opamp_{kind}",
                    *injection,
                ]
            ),
            analysis=f".ac dec 20 {LOW_FREQUENCY_HZ:g} {HIGH_FREQUENCY_HZ:g}",
            save=("v(out)", probe),
            corner=str(conditions["corner"]),
            temperature_k=float(conditions["temperature_k"]),
        )

    return (
        deck("voltage", ["vcut driven out dc 0 ac 1"], "v(driven)"),
        deck("current", ["vcut driven out 0", "icut 0 out dc 0 ac 1"], "i(vcut)"),
    )


def measure_read(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return what the step, the sweep, the noise and the loop say."""
    step, sweep, noise, voltage, current = waveforms
    cells, gamma = int(conditions["cells"]), float(conditions["gamma"])
    full_scale_v = FULL_SCALE_CURRENT_A * feedback_ohm(gamma)
    settling = settling_s(
        step.axis, step["v(out)"], step.final("v(out)"), TOLERANCE * full_scale_v, start_s=STEP_AT_S + 5e-12
    )
    shares = sweep.axis / FULL_SCALE_CURRENT_A
    _, slope, bent = saturation_fit(shares, sweep["v(out)"])
    _, line_slope, _ = saturation_fit(shares, sweep["v(line)"])
    loop = opamp.loop_gain(-voltage["v(driven)"] / voltage["v(out)"], -current["i(vcut)"] / (current["i(vcut)"] + 1))
    crossing_hz, margin_rad = opamp.phase_margin_rad(voltage.axis, loop)
    # The loop gain less the divider of feedback and array is the gain of the op-amp. Well below the pole of the input
    # node and well above that of the op-amp, gain times frequency is its bandwidth.
    divider = 1 + feedback_ohm(gamma) * line_s(cells)
    flat = int(np.argmin(np.abs(voltage.axis - 1e7)))
    return {
        "latency_s": settling,
        "power_w": -float(step["i(vdd)"][0]) * CORE_SUPPLY_V,
        "gain_error": -slope / full_scale_v - 1,
        "nonlinearity": bent,
        "noise_v": noise_rms(noise.axis, noise["onoise_spectrum"]),
        "opamp_gain": -slope / line_slope,
        "gain_bandwidth_hz": float(voltage.axis[flat] * np.abs(loop[flat])) * divider,
        "crossing_hz": crossing_hz,
        "phase_margin_rad": margin_rad,
    }


def measure_offset(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return the offset of one sample at the output for each length of the line and each gain, and at the input."""
    found = {f"{place}_v": one.final("v(out)") - COMMON_MODE_V for place, one in enumerate(waveforms)}
    return found | {"input_v": waveforms[0].final("v(line)") - COMMON_MODE_V}


# Output offsets grow with 1 + Rf G: all lengths at the largest gain, all gains at the middle length.
OFFSET_SETTINGS = (*((cells, 1.0) for cells in CELLS), *((MIDDLE_CELLS, gamma) for gamma in GAMMAS[1:]))


def offset_decks(sample: int) -> tuple[Deck, ...]:
    """Return the operating points of one draw of all threshold shifts, one deck per entry of `OFFSET_SETTINGS`."""
    shifts = opamp.threshold_shifts_v(np.random.default_rng([SEED, sample]), DEFAULT.opamp)
    return tuple(
        Deck(
            title=f"tia offset, sample {sample}, {cells} cells, gamma {gamma:g}",
            body=bench(cells=cells, gamma=gamma, current="0", shifts=shifts),
            analysis=".op",
            save=("v(out)", "v(line)"),
            corner="nominal",
        )
        for cells, gamma in OFFSET_SETTINGS
    )


def read_point(cells: int, gamma: float, corner: str = "nominal", temperature_k: float = 300.0) -> Point:
    """Return the point that measures a read: step, sweep of the signal, noise and loop gain."""
    conditions: Conditions = {"cells": cells, "gamma": gamma, "corner": corner, "temperature_k": temperature_k}
    step_a = FULL_SCALE_CURRENT_A / 10
    return Point(
        bench="read",
        conditions=conditions,
        decks=(
            step_deck(cells=cells, gamma=gamma, corner=corner, temperature_k=temperature_k),
            _static_deck(
                f".dc isig {-FULL_SCALE_CURRENT_A:g} {FULL_SCALE_CURRENT_A:g} {step_a:g}",
                ("v(out)", "v(line)"),
                conditions,
            ),
            # ngspice saves noise vectors only when all are asked for.
            _static_deck(f".noise v(out) isig dec 50 {LOW_FREQUENCY_HZ:g} {HIGH_FREQUENCY_HZ:g}", ("all",), conditions),
            *loop_decks(conditions),
        ),
        measure=measure_read,
    )


def points() -> list[Point]:
    """Return all lengths and gains, the middle ones at all corners and temperatures, and the Monte Carlo."""
    found = [read_point(cells, gamma) for cells, gamma in product(CELLS, GAMMAS)]
    found += [read_point(MIDDLE_CELLS, 1.0, corner) for corner in CORNERS[1:]]
    found += [read_point(MIDDLE_CELLS, 1.0, temperature_k=kelvin) for kelvin in TEMPERATURES_K[1:]]
    found += [Point("offset", {"sample": one}, offset_decks(one), measure_offset) for one in range(SAMPLES)]
    return found


NOTES = {
    "latency_s": "after a step of the current of 0 to full scale, to half an LSB of 8 bits (1/256 of full scale)",
    "power_w": "without signal, the bias mirror included, the generator of its reference current not",
    "gain_error": "DC, against -Rf; the array conducts 3 uS per device",
    "nonlinearity": "n in y/(1 + n|y|), y a share of full scale; DC sweep over full scale",
    "noise_v": "rms at the output, 10 kHz to 100 GHz; array and summing resistor included",
    "opamp_gain": "DC gain with its load: swing of the output over that of the line",
    "gain_bandwidth_hz": "loop gain at 10 MHz times frequency, less the divider of feedback and array",
    "phase_margin_rad": "of the loop with its load; voltage and current injection",
}


def entries(measured: Sequence[Measured]) -> list[Entry]:
    """Return the rows of the table; ``gamma`` is the gain of the TIA against that of the coarsest tile."""
    found = []
    for one in measured:
        if one.bench != "read":
            continue
        for name, note in NOTES.items():
            value = one.values[name]
            found.append(Entry(name, one.conditions, value, "measured", "simulation", note))
            if name == "gain_error":
                note = "size of gain_error, which its law is fitted to"
                found.append(Entry("gain_loss", one.conditions, -value, "measured", "simulation", note))
    samples = [one.values for one in measured if one.bench == "offset"]
    if samples:
        mismatch = f"sigma of {len(samples)} samples of threshold mismatch, A_VT 2.5 mV um (assumed); not trimmed"
        nominal: dict[str, float | int | str] = {"corner": "nominal", "temperature_k": 300.0}
        sigma_v, error_v = spread([one["input_v"] for one in samples])
        note = f"at the line; {mismatch}; standard error {error_v / sigma_v:.0%}"
        found.append(Entry("input_offset_v", nominal, sigma_v, "measured", "simulation", note))
        for place, (cells, gamma) in enumerate(OFFSET_SETTINGS):
            sigma_v, _ = spread([one[f"{place}_v"] for one in samples])
            conditions = {"cells": cells, "gamma": gamma, **nominal}
            found.append(Entry("offset_v", conditions, sigma_v, "measured", "simulation", f"at the output; {mismatch}"))
    area_note = "gate areas times 4, capacitors at 2 fF/um2, resistors at 0.01 um2 per 100 ohm"
    found += [Entry("area_m2", {"gamma": gamma}, area_m2(gamma=gamma), "derived", "", area_note) for gamma in GAMMAS]
    return found


def _load_ohm(gamma: float) -> float:
    return 1 / (1 / feedback_ohm(gamma) + 1 / SUMMING_RESISTANCE_OHM)


def latency_law(conditions: Numbers, found: Numbers) -> float:
    """Return the settling of the linear circuit: its array, its feedback, and a two-stage op-amp of four numbers."""
    cells, gamma = int(conditions["cells"]), conditions["gamma"]
    amplifier = DEFAULT.opamp
    try:
        return two_stage_tia_settling_s(
            feedback_ohm=feedback_ohm(gamma),
            feedback_f=DEFAULT.feedback_f,
            source_s=line_s(cells),
            source_f=line_f(cells) + INPUT_F,
            load_s=1 / SUMMING_RESISTANCE_OHM + OUTPUT_S,
            load_f=found["output_f"],
            input_s=found["input_s"],
            middle_s=found["input_s"] / FIRST_STAGE_GAIN,
            middle_f=MIDDLE_F,
            driver_s=found["driver_s"],
            compensation_f=amplifier.compensation_f,
            nulling_ohm=amplifier.nulling_ohm,
            mirror_hz=found["mirror_hz"],
            tolerance=TOLERANCE,
        )
    except ValueError:
        return STEP_END_S  # a search for coefficients may try a circuit that is not stable; it never settles


def gain_law(conditions: Numbers, found: Numbers) -> float:
    """Return 1 - 1/(1 + (1 + Rf G)/A) with the gain A of the op-amp under its load."""
    cells, gamma = int(conditions["cells"]), conditions["gamma"]
    gain = loaded_gain(found["gain"], found["output_ohm"], _load_ohm(gamma))
    return 1 - 1 / (1 + (1 + feedback_ohm(gamma) * line_s(cells)) / gain)


def _held_out(conditions: Numbers) -> bool:
    return conditions["cells"] == 128 or conditions["gamma"] == 0.5


LAWS = (
    Law(
        quantity="latency_s",
        formula="step response of the linear circuit with a two-stage op-amp (circuits.analytic)",
        variables=("cells", "gamma"),
        start={"input_s": 6.1e-4, "driver_s": 1.5e-3, "output_f": 9e-14, "mirror_hz": 1e9},
        evaluate=latency_law,
        held_out=_held_out,
    ),
    Law(
        quantity="gain_loss",
        formula="1 - 1/(1 + (1 + Rf G(cells))/A), A = gain RL/(RL + output_ohm)",
        variables=("cells", "gamma"),
        start={"gain": 2000.0, "output_ohm": 1e4},
        evaluate=gain_law,
        held_out=_held_out,
    ),
)


def pictures() -> list[Picture]:
    """Return a full-scale step with few and with many cells on the line."""
    return [
        Picture(
            step_deck(cells=cells, gamma=1.0),
            (("output (V)", ("v(out)",)), ("line (V)", ("v(line)",))),
        )
        for cells in (16, 256)
    ]


CELL = Cell(
    name="tia",
    summary="transimpedance amplifier of one column of one tile, two-stage op-amp in transistors",
    points=points,
    entries=entries,
    laws=LAWS,
    pictures=pictures,
)
