"""Op-amp of the TIAs, the summing stage and the hold buffer: two-stage Miller, one-stage, behavioural and ideal.

::

      vdd ──┬────────┬───────────┬──────────┬─────┐
            │      ┌─M3─┐  ┌────M4          │     │
          ibias    │  └─┤──┘    │    ┌──── M6     │
            │      x────┘       y────┤      │     │
            │      │            │    └Rz─Cc─┤     │
            │ inn ─M1          M2─ inp      ├── out
            │      └─────┬──────┘           │
           MB ───────── M5 ──────────────── M7
            └────────────┴──────────────────┴── 0

The common mode of the inputs is 0.5 V everywhere (they are virtual grounds), so an NMOS pair with a low threshold has
room for its tail at a supply of 1.0 V, and channels of 100 to 200 nm give each stage enough gain without cascodes. The
first stage alone cannot drive the resistors of the periphery (20 kohm feedback, 50 kohm summing): its output
conductance is a few uS, theirs 70 uS. So the cells use two stages; the single stage is kept to show the difference.

Every subcircuit has the ports ``inp inn out vdd``; ground is the global node 0. The bias is an ideal current source of
`bias_a` from the supply into a mirror, whose current is part of the op-amp's power; no bias generator is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from circuits.frame import AREA_OVERHEAD, CAPACITANCE_PER_AREA_F_M2, RESISTOR_AREA_M2_PER_OHM, THRESHOLD_MISMATCH_V_M

ComplexArray = npt.NDArray[np.complex128]
FloatArray = npt.NDArray[np.float64]
KINDS = ("transistor", "behavioural", "ideal")


@dataclass(frozen=True, kw_only=True)
class OpAmp:
    """Dimensions of the two-stage op-amp, and the numbers of its behavioural stand-in.

    Parameters
    ----------
    bias_a
        Reference current, > 0; the tail carries `tail_ratio`, the output stage `sink_ratio` times as much.
    mirror_w_m, mirror_l_m
        Width and length of the mirror transistor that carries the reference current.
    input_w_m, input_l_m, load_w_m, load_l_m, driver_w_m, driver_l_m
        Input pair, mirror load of the first stage, PMOS driver of the second.
    compensation_f, nulling_ohm
        Miller capacitor and the resistor in series with it.
    gain, bandwidth_hz, output_ohm, input_f
        DC gain, gain-bandwidth product, output resistance and input capacitance of the behavioural op-amp; gain and
        bandwidth are those that the transistors show in a TIA of the coarsest tile with 128 weights on its column.
    """

    bias_a: float = 10e-6
    tail_ratio: int = 6
    sink_ratio: int = 12
    mirror_w_m: float = 2e-6
    mirror_l_m: float = 150e-9
    input_w_m: float = 12e-6
    input_l_m: float = 100e-9
    load_w_m: float = 8e-6
    load_l_m: float = 200e-9
    driver_w_m: float = 14e-6
    driver_l_m: float = 100e-9
    compensation_f: float = 70e-15
    nulling_ohm: float = 2000.0
    gain: float = 1220.0
    bandwidth_hz: float = 1.28e9
    output_ohm: float = 50.0
    input_f: float = 12e-15

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < math.inf:
                raise ValueError(f"OpAmp: {name} = {value} is not allowed; above 0 and finite")


DEFAULT = OpAmp()


def transistors(opamp: OpAmp = DEFAULT) -> dict[str, tuple[float, float]]:
    """Return width and length of each transistor of the two-stage op-amp, in metres."""
    return {
        "b": (opamp.mirror_w_m, opamp.mirror_l_m),
        "1": (opamp.input_w_m, opamp.input_l_m),
        "2": (opamp.input_w_m, opamp.input_l_m),
        "3": (opamp.load_w_m, opamp.load_l_m),
        "4": (opamp.load_w_m, opamp.load_l_m),
        "5": (opamp.tail_ratio * opamp.mirror_w_m, opamp.mirror_l_m),
        "6": (opamp.driver_w_m, opamp.driver_l_m),
        "7": (opamp.sink_ratio * opamp.mirror_w_m, opamp.mirror_l_m),
    }


def area_m2(opamp: OpAmp = DEFAULT) -> float:
    """Return the area of the two-stage op-amp: gates times the overhead, plus its capacitor and its resistor."""
    gates = sum(width * length for width, length in transistors(opamp).values())
    return (
        AREA_OVERHEAD * gates
        + opamp.compensation_f / CAPACITANCE_PER_AREA_F_M2
        + opamp.nulling_ohm * RESISTOR_AREA_M2_PER_OHM
    )


def threshold_shifts_v(rng: np.random.Generator, opamp: OpAmp = DEFAULT) -> dict[str, float]:
    """Return one draw of threshold shifts in volts by parameter of the subcircuit (``d1`` …); sigma A_VT/sqrt(w l)."""
    return {
        f"d{name}": float(rng.normal(0.0, THRESHOLD_MISMATCH_V_M / math.sqrt(width * length)))
        for name, (width, length) in transistors(opamp).items()
    }


def netlist(kind: str, opamp: OpAmp = DEFAULT) -> str:
    """Return the subcircuit ``opamp_<kind>`` with the ports ``inp inn out vdd`` and the parameter ``vos``.

    Parameters
    ----------
    kind
        ``transistor`` (with threshold shifts ``db``, ``d1`` … ``d7`` as parameters), ``single_stage``, ``behavioural``
        or ``ideal`` (a gain of 1e6 without dynamics).

    Raises
    ------
    ValueError
        For another kind.
    """
    makers = {
        "transistor": _two_stage,
        "single_stage": _single_stage,
        "behavioural": _behavioural,
        "ideal": _ideal,
    }
    if kind not in makers:
        raise ValueError(f"op-amp {kind!r} is unknown; known: {', '.join(makers)}")
    return makers[kind](opamp)


def _first_stage(opamp: OpAmp, left: str, right: str) -> list[str]:
    size = transistors(opamp)

    def mos(name: str, nodes: str, channel: str) -> str:
        width, length = size[name]
        bulk = "0" if channel == "n" else "vdd"
        return f"m{name} {nodes} {bulk} {channel}mos_vtl w={width:g} l={length:g} delvto={{d{name}}}"

    return [
        f"ibias vdd nb {opamp.bias_a:g}",
        mos("b", "nb nb 0", "n"),
        mos("5", "tail nb 0", "n"),
        mos("1", f"x {left} tail", "n"),
        mos("2", f"y {right} tail", "n"),
        mos("3", "x x vdd", "p"),
        mos("4", "y x vdd", "p"),
    ]


def _two_stage(opamp: OpAmp) -> str:
    size = transistors(opamp)
    shifts = " ".join(f"d{name}=0" for name in size)
    return "\n".join(
        [
            f".subckt opamp_transistor inp inn out vdd vos=0 {shifts}",
            "vof g inp {vos}",
            # The second stage inverts, so the input that it is fed from sits at the positive port.
            *_first_stage(opamp, "inn", "g"),
            f"m6 out y vdd vdd pmos_vtl w={size['6'][0]:g} l={size['6'][1]:g} delvto={{d6}}",
            f"m7 out nb 0 0 nmos_vtl w={size['7'][0]:g} l={size['7'][1]:g} delvto={{d7}}",
            f"rz y z {opamp.nulling_ohm:g}",
            f"cc z out {opamp.compensation_f:g}",
            ".ends",
        ]
    )


def _single_stage(opamp: OpAmp) -> str:
    shifts = " ".join(f"d{name}=0" for name in ("b", "1", "2", "3", "4", "5"))
    return "\n".join(
        [
            f".subckt opamp_single_stage inp inn out vdd vos=0 {shifts}",
            "vof g inp {vos}",
            *_first_stage(opamp, "g", "inn"),
            "rout y out 1m",
            ".ends",
        ]
    )


def _behavioural(opamp: OpAmp) -> str:
    # A pole at bandwidth/gain, then a tanh whose slope is 1 in the middle and whose ends are the supplies.
    farad = opamp.gain / (2 * math.pi * opamp.bandwidth_hz)
    return "\n".join(
        [
            ".subckt opamp_behavioural inp inn out vdd vos=0",
            f"b1 0 x i={opamp.gain:g}*(v(inp,inn)+{{vos}})",
            "r1 x 0 1",
            f"c1 x 0 {farad:g}",
            f"cin inn 0 {opamp.input_f:g}",
            "b2 y 0 v=0.5*v(vdd)*(1+tanh(2*v(x)/v(vdd)))",
            f"r2 y out {opamp.output_ohm:g}",
            ".ends",
        ]
    )


def _ideal(opamp: OpAmp) -> str:
    return "\n".join(
        [
            ".subckt opamp_ideal inp inn out vdd vos=0",
            "vof g inp {vos}",
            "e1 out 0 g inn 1e6",
            "rvdd vdd 0 1t",  # a port that is not used would float
            ".ends",
        ]
    )


def parameter_text(parameters: Mapping[str, float]) -> str:
    """Return parameters as they follow the name of a subcircuit."""
    return " ".join(f"{name}={value:.9g}" for name, value in parameters.items())


def loop_gain(voltage_ratio: ComplexArray, current_ratio: ComplexArray) -> ComplexArray:
    """Return the loop gain from a voltage and a current injection, T = (Tv Ti - 1)/(Tv + Ti + 2).

    Exact for any impedances on the two sides of the cut, where each ratio alone needs one side to be much larger;
    R. D. Middlebrook, Int. J. Electronics 38, 485 (1975).
    """
    return (voltage_ratio * current_ratio - 1) / (voltage_ratio + current_ratio + 2)


def phase_margin_rad(frequency_hz: FloatArray, gain: ComplexArray) -> tuple[float, float]:
    """Return where a loop gain crosses 1, in Hz, and its phase there above -pi.

    Raises
    ------
    ValueError
        If it does not cross 1.
    """
    size = np.abs(gain)
    places = np.flatnonzero((size[:-1] >= 1) & (size[1:] < 1))
    if not places.size:
        raise ValueError(f"the loop gain is between {size.min():.3g} and {size.max():.3g}; it does not cross 1")
    place = int(places[-1])
    share = math.log(size[place]) / math.log(size[place] / size[place + 1])
    phase = np.unwrap(np.angle(gain))
    phase -= 2 * math.pi * round(phase[0] / (2 * math.pi))
    at = float(phase[place] + share * (phase[place + 1] - phase[place]))
    crossing = float(frequency_hz[place] * (frequency_hz[place + 1] / frequency_hz[place]) ** share)
    return crossing, math.pi + at
