"""Hand formulas of the cells: the check on SPICE, never its silent substitute."""

from __future__ import annotations

import cmath
import math

import numpy as np

BOLTZMANN_J_K = 1.380649e-23


def rc_settling_s(resistance_ohm: float, capacitance_f: float, step: float, tolerance: float) -> float:
    """Return the time in which a step through one RC comes within a tolerance (same unit as the step, both > 0)."""
    return resistance_ohm * capacitance_f * max(math.log(step / tolerance), 0.0)


def sampling_noise_v(capacitance_f: float, temperature_k: float) -> float:
    """Return the rms voltage that a switch leaves on a capacitor, sqrt(kT/C)."""
    return math.sqrt(BOLTZMANN_J_K * temperature_k / capacitance_f)


def finite_gain_error(opamp_gain: float, feedback_ohm: float, source_s: float) -> float:
    """Return the relative gain error of an inverting amplifier, 1/(1 + (1 + Rf G)/A) - 1 (a negative number).

    Parameters
    ----------
    opamp_gain
        Gain A of the op-amp at DC, > 0.
    feedback_ohm
        Feedback resistance.
    source_s
        Sum of the conductances at the input node.
    """
    return 1 / (1 + (1 + feedback_ohm * source_s) / opamp_gain) - 1


def loaded_gain(unloaded_gain: float, output_ohm: float, load_ohm: float) -> float:
    """Return the DC gain of an op-amp whose last stage, a current through `output_ohm`, also drives `load_ohm`."""
    return unloaded_gain * load_ohm / (load_ohm + output_ohm)


def tia_settling_s(
    *,
    feedback_ohm: float,
    feedback_f: float,
    source_s: float,
    source_f: float,
    opamp_gain: float,
    bandwidth_hz: float,
    tolerance: float,
) -> float:
    """Return the time in which a transimpedance amplifier settles after a step of its current; exact for two poles.

    The op-amp has one pole, A(s) = A0 / (1 + s A0/w), and the input node another; with g = 1/Rf the output is
    -I / [(1/A0 + s/w)(G + g + s(C + Cf)) + g + s Cf].

    Parameters
    ----------
    feedback_ohm, feedback_f
        Feedback resistor and the capacitor across it.
    source_s, source_f
        Conductance and capacitance at the input node, the op-amp's own input included.
    opamp_gain, bandwidth_hz
        DC gain A0 and gain-bandwidth product w/(2 pi) of the op-amp.
    tolerance
        Share of the final value, 0 < tolerance < 1.
    """
    per_rate = 1 / (2 * math.pi * bandwidth_hz)
    node_f, node_s = source_f + feedback_f, source_s + 1 / feedback_ohm
    square = per_rate * node_f
    linear = per_rate * node_s + node_f / opamp_gain + feedback_f
    constant = node_s / opamp_gain + 1 / feedback_ohm
    root = cmath.sqrt(linear**2 - 4 * square * constant)
    if abs(root) < 1e-9 * linear:
        root = complex(1e-9 * linear)  # two equal poles: the limit, without dividing by their distance
    fast, slow = (linear + root) / (2 * square), (linear - root) / (2 * square)
    slowest = min(fast.real, slow.real)
    time_s = np.linspace(0, (math.log(1 / tolerance) + 12) / slowest, 20_001)
    error = np.abs((fast * np.exp(-slow * time_s) - slow * np.exp(-fast * time_s)) / (fast - slow))
    last = int(np.flatnonzero(error > tolerance)[-1])
    share = (error[last] - tolerance) / (error[last] - error[last + 1])
    return float(time_s[last] + share * (time_s[last + 1] - time_s[last]))


def ohmic_pulse_energy_j(conductance_s: float, voltage_v: float, top_s: float, edge_s: float) -> float:
    """Return what a conductance takes during a trapezoidal pulse with two equal edges: V^2 G (top + 2/3 edge)."""
    return voltage_v**2 * conductance_s * (top_s + 2 * edge_s / 3)


def capacitor_step_energy_j(capacitance_f: float, voltage_v: float) -> float:
    """Return what a source gives to charge a capacitance in one step through any resistance: C V^2."""
    return capacitance_f * voltage_v**2


def far_cell_drop(conductance_s: float, cells: int, segment_resistance_ohm: float) -> float:
    """Return the relative loss of voltage at the far cell of a square array, to first order: G r N (N + 1).

    All cells carry the same current, so the last of N segments carries one of them and the first all N, on both lines.
    """
    return conductance_s * segment_resistance_ohm * cells * (cells + 1)


def two_stage_tia_settling_s(
    *,
    feedback_ohm: float,
    feedback_f: float,
    source_s: float,
    source_f: float,
    load_s: float,
    load_f: float,
    input_s: float,
    middle_s: float,
    middle_f: float,
    driver_s: float,
    compensation_f: float,
    nulling_ohm: float,
    mirror_hz: float,
    tolerance: float,
) -> float:
    """Return the time in which a transimpedance amplifier with a two-stage Miller op-amp settles after a current step.

    The step response of the linear circuit: five states (input node, output of the first stage, compensation
    capacitor, output, and the mirror of the first stage, which passes half of its signal on late).

    Parameters
    ----------
    feedback_ohm, feedback_f
        Feedback resistor and the capacitor across it.
    source_s, source_f
        Conductance and capacitance at the input node.
    load_s, load_f
        Conductance and capacitance at the output, those of the last stage included.
    input_s, driver_s
        Transconductances of the first and of the second stage.
    middle_s, middle_f
        Conductance and capacitance between the stages.
    compensation_f, nulling_ohm
        Miller capacitor and the resistor in series with it.
    mirror_hz
        Pole of the mirror.
    tolerance
        Share of the final value, 0 < tolerance < 1.

    Raises
    ------
    ValueError
        If the circuit is not stable.
    """
    back, null = 1 / feedback_ohm, 1 / nulling_ohm
    storage = np.diag(
        [source_f + feedback_f, middle_f, compensation_f, load_f + feedback_f, 1 / (2 * math.pi * mirror_hz)]
    )
    storage[0, 3] = storage[3, 0] = -feedback_f
    flow = np.array(
        [
            [-(source_s + back), 0, 0, back, 0],
            [input_s / 2, -(middle_s + null), null, null, input_s / 2],
            [0, null, -null, -null, 0],
            [back, null - driver_s, -null, -(load_s + back + null), 0],
            [1, 0, 0, 0, -1],
        ]
    )
    rates, modes = np.linalg.eig(np.linalg.solve(storage, flow))
    if rates.real.max() >= 0:
        raise ValueError(f"the circuit is not stable: a pole at {rates.real.max():.3g} per second")
    drive = np.linalg.solve(modes, np.linalg.solve(storage, np.eye(5)[0]).astype(complex))
    weights = modes[3] * drive / rates
    time_s = np.linspace(0, (math.log(1 / tolerance) + 4) / -rates.real.max(), 1501)
    error = np.abs((weights @ np.exp(np.outer(rates, time_s))).real / weights.sum().real)
    last = min(int(np.flatnonzero(error > tolerance)[-1]), time_s.size - 2)
    share = (error[last] - tolerance) / (error[last] - error[last + 1])
    return float(time_s[last] + share * (time_s[last + 1] - time_s[last]))


def sar_reference_energy_j(
    bits: int, unit_f: float, code: int, low_v: float, high_v: float, attenuation: float, bottom_parasitic: float
) -> float:
    """Return what the upper reference gives in one conversion of a converter that tries a bit and keeps or drops it.

    The charge of the top plate stays what it was when it was released, so its voltage follows from the bottom plates
    at each step; the reference gives the change of charge of the capacitors that are at it after the step.

    Parameters
    ----------
    bits, unit_f
        Resolution, and the unit capacitor; the array holds 2^bits units, its dummy included.
    code
        Result of the conversion, 0 to 2^bits - 1; the input is the middle of its step.
    low_v, high_v
        References; the bottom plates sample the input between them.
    attenuation
        Array over all capacitance at the top plate, above 0 to 1.
    bottom_parasitic
        Capacitance of a bottom plate to ground, relative to its capacitor, >= 0.
    """
    capacitors_f = unit_f * np.array([2.0**bit for bit in range(bits)] + [1.0])
    array_f = float(capacitors_f.sum())
    input_v = low_v + (code + 0.5) * (high_v - low_v) / 2**bits
    bottoms_v = np.full(bits + 1, input_v)
    top_v = 0.0  # relative to where it was released
    energy_j = 0.0
    for trial in [*range(bits - 1, -1, -1), None]:
        kept = code if trial is None else code >> trial + 1 << trial + 1 | 1 << trial
        is_high = np.array([bool(kept >> bit & 1) for bit in range(bits)] + [False])
        after_v = np.where(is_high, high_v, low_v)
        top_after_v = attenuation * float(capacitors_f @ (after_v - input_v)) / array_f
        moved_v = (after_v - bottoms_v) * (1 + bottom_parasitic) - (top_after_v - top_v)
        energy_j += high_v * float((capacitors_f * moved_v)[is_high].sum())
        bottoms_v, top_v = after_v, top_after_v
    return energy_j


def summing_stage_gain_error(
    *,
    tiles: int,
    resistance_ohm: float,
    capacitance_f: float,
    switch_ohm: float,
    opamp_gain: float,
    bandwidth_hz: float,
    window_s: float,
) -> float:
    """Return the relative gain error of an integrator that sums over resistors and switches (a negative number).

    While the output ramps, the virtual ground is off by its slope over the bandwidth of the op-amp, and by the output
    over its gain; through the resistor of each input, driven or not, that takes charge away:
    1/(1 + Rsw/R + N/(2 pi f R C) + N T/(2 A R C)) - 1.

    Parameters
    ----------
    tiles
        Number N of inputs.
    resistance_ohm, switch_ohm
        Resistor of each input, and the switch in series with it.
    capacitance_f
        Feedback capacitor.
    opamp_gain, bandwidth_hz
        DC gain and gain-bandwidth product of the op-amp.
    window_s
        Length T of a constant input.
    """
    time_s = resistance_ohm * capacitance_f
    ramp = 1 / (2 * math.pi * bandwidth_hz * time_s) + window_s / (2 * opamp_gain * time_s)
    return 1 / (1 + switch_ohm / resistance_ohm + tiles * ramp) - 1
