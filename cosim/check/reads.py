"""Forward and backward reads: ideal cells against ideal tiles, and real cells, one cause after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from circuits import analytic, frame
from circuits.calibration import Calibration
from circuits.cells.opamp import DEFAULT as OPAMP
from circuits.cells.opamp import OpAmp
from circuits.in_the_loop import PulseRead, ReadCircuit, pulse_reads, settling_s, sweep_reads
from cosim.check.bench import Bench
from cosim.check.findings import IDEAL_TOLERANCE, Check, Fault, Finding, Level, Operation

FloatArray = npt.NDArray[np.float64]

DRIFT_TOLERANCE_LSB = 0.1
# What a place is looked at with: vectors of ideal cells, vectors and sensed lines of real ones.
IDEAL_VECTORS, REAL_VECTORS, REAL_LINES = 32, 3, 12


def check_ideal(done: Check, bench: Bench, *, forward: bool) -> None:
    """Compare ideal cells with a tile group whose periphery is ideal."""
    operation: Operation = "forward" if forward else "backward"
    values, scales = bench.vectors(forward=forward)
    values, scales = values[:IDEAL_VECTORS], scales[:IDEAL_VECTORS]
    if not len(values):
        _add(done, bench, operation, "ideal", "all", note="no input reaches this place")
        return
    group = bench.model(real=False)
    tiles = [group.tiles[number] for number in bench.read_tiles]
    gains = np.array([group.nominal_significances[number] for number in bench.read_tiles])
    circuit = bench.circuit(tiles, gains, transposed=not forward)
    found = sweep_reads(circuit, values / scales[:, None]) / bench.lsb_v
    model = (group.forward if forward else group.backward)(values) / scales[:, None] / bench.lsb
    error = float(np.abs(found - model).max() / np.abs(model).max())
    difference = found - model
    _add(
        done,
        bench,
        operation,
        "ideal",
        "all",
        difference,
        relative_error=error,
        tolerance=IDEAL_TOLERANCE,
        passed=error <= IDEAL_TOLERANCE,
        note=f"{len(values)} vectors, {len(tiles)} tiles",
    )
    done.scatter.append(_scatter(bench, operation, "ideal", model, found))


def check_real(done: Check, bench: Bench, tolerance_lsb: float, *, forward: bool) -> None:
    """Switch on what a real circuit has, one cause after the other; backward, wires alone."""
    operation: Operation = "forward" if forward else "backward"
    values, scales = bench.vectors(forward=forward)
    if not len(values):
        return
    codes = np.rint(values / scales[:, None] * bench.dac_levels)
    codes = codes[np.argsort(-np.abs(codes).sum(axis=1), kind="stable")[:REAL_VECTORS]]
    inputs = codes / bench.dac_levels
    group = bench.model(real=True)
    tiles = [group.tiles[number] for number in bench.read_tiles]
    nominal = np.array([group.nominal_significances[number] for number in bench.read_tiles])
    ideal = bench.circuit(tiles, nominal, transposed=not forward)
    wired = replace(ideal, segment_resistance_ohm=bench.wires.segment_resistance_ohm)
    plain_lsb = sweep_reads(ideal, inputs) / bench.lsb_v
    wired_lsb = sweep_reads(wired, inputs) / bench.lsb_v
    reduced = wired.without_wires()
    solver = sweep_reads(reduced, inputs) / bench.lsb_v - wired_lsb
    error = float(np.abs(solver).max() / np.abs(wired_lsb).max())
    _add(done, bench, operation, "real", "wires", wired_lsb - plain_lsb)
    _add(
        done,
        bench,
        operation,
        "real",
        "wire solver",
        solver,
        relative_error=error,
        tolerance=IDEAL_TOLERANCE,
        passed=error <= IDEAL_TOLERANCE,
        note="circuits.wires against ngspice",
    )
    if not forward:  # without amplifiers there are no gain errors to explain
        group.set_significances(group.nominal_significances)
        group.recombine()
    explained = (group.forward if forward else group.backward)(inputs.astype(np.float32)).astype(np.float64) / bench.lsb
    if not forward:
        _unexplained(done, bench, operation, wired_lsb - explained, tolerance_lsb, "wires alone")
        return
    lines = np.unique(np.linspace(0, reduced.sensed - 1, min(REAL_LINES, reduced.sensed)).round().astype(np.int64))
    _amplified(
        done, bench, reduced, lines, codes, wired_lsb[:, lines], plain_lsb[:, lines], explained[:, lines], tolerance_lsb
    )


def _amplified(
    done: Check,
    bench: Bench,
    reduced: ReadCircuit,
    lines: npt.NDArray[np.int64],
    codes: FloatArray,
    wired_lsb: FloatArray,
    plain_lsb: FloatArray,
    explained: FloatArray,
    tolerance_lsb: float,
) -> None:
    """Add amplifiers and pulses to a few lines."""
    gains = np.array([bench.group.significances[n] / bench.group.nominal_significances[n] for n in bench.read_tiles])
    draw = np.random.default_rng(bench.seed)
    spread = (reduced.tiles, reduced.sensed)
    real = replace(
        reduced,
        feedback_ohm=reduced.feedback_ohm
        * gains[:, None]
        * (1 + frame.RESISTOR_MISMATCH * draw.standard_normal(spread)),
        summing_ohm=reduced.summing_ohm * (1 + frame.RESISTOR_MISMATCH * draw.standard_normal(spread)),
        tia=_opamps(bench.fault, reduced.tiles),
        summing=OPAMP,
    )
    few, offsets = real.lines(lines), offset_spread_v(bench.hardware.simulated)
    settle_s = settling_s(reduced)
    amplified = sweep_reads(few, codes / bench.dac_levels) / bench.lsb_v
    # The last read has no input: it shows the offsets, which are then taken off.
    given = np.vstack([codes, np.zeros_like(codes[:1])])
    pulsed = pulse_reads(few, given, settle_s=settle_s)
    pulsed_lsb = pulsed.output_v / bench.lsb_v
    biased = replace(
        few,
        tia_offset_v=offsets * draw.standard_normal((few.tiles, few.sensed)),
        summing_offset_v=offsets * draw.standard_normal(few.sensed),
    )
    offset_lsb = pulse_reads(biased, given, settle_s=settle_s).output_v / bench.lsb_v
    half = 2 ** (bench.hardware.adc_bits - 1)
    quantised = np.clip(np.rint(offset_lsb), -half, half - 1)
    steps = (
        ("gain error", amplified - wired_lsb, "finite gain, resistors off by 0.5 %, gain errors of the tiles"),
        ("settling", pulsed_lsb[:-1] - amplified, "pulses, bandwidth and supplies of the op-amps"),
        ("offset", (offset_lsb - pulsed_lsb)[:-1], f"op-amps off by {offsets * 1e3:.3g} mV rms"),
        ("quantisation", (quantised - offset_lsb)[:-1], ""),
        ("total", quantised[:-1] - plain_lsb, "against ideal cells"),
    )
    for cause, difference, note in steps:
        _add(done, bench, "forward", "real", cause, difference, note=note)
    drift = (pulsed.drift_v - pulsed.drift_v[-1:])[:-1] / bench.lsb_v
    largest = float(np.abs(drift).max())
    _add(
        done,
        bench,
        "forward",
        "real",
        "drift",
        drift,
        tolerance=DRIFT_TOLERANCE_LSB,
        passed=largest <= DRIFT_TOLERANCE_LSB,
        note=f"{settle_s * 1e9:.2g} ns after the sample; TIAs within {pulsed.tia_peak_v:.2g} V of the common mode",
    )
    trimmed = (offset_lsb[:-1] - offset_lsb[-1:]) / _known_gain(few)
    _unexplained(done, bench, "forward", trimmed - explained, tolerance_lsb, "offset and nominal gain error taken off")
    done.scatter.append(_scatter(bench, "forward", "real", explained, trimmed))
    if done.read is None:
        done.read = _waveform_table(pulsed, 1 / len(given))


def _opamps(fault: Fault, tiles: int) -> tuple[OpAmp, ...]:
    """Return the op-amp of each tile's TIAs."""
    slow = replace(OPAMP, bandwidth_hz=OPAMP.bandwidth_hz / fault.slowness)
    return tuple(slow if number == min(fault.tile, tiles - 1) else OPAMP for number in range(tiles))


def _known_gain(circuit: ReadCircuit) -> float:
    """Return the gain that the design is known to have, which the digital side divides by."""
    cells_s = frame.DEVICES_PER_WEIGHT * circuit.driven * frame.MEAN_CONDUCTANCE_S
    tia = analytic.finite_gain_error(OPAMP.gain, frame.FEEDBACK_RESISTANCE_OHM, cells_s)
    summing = analytic.summing_stage_gain_error(
        tiles=circuit.tiles,
        resistance_ohm=frame.SUMMING_RESISTANCE_OHM,
        capacitance_f=circuit.capacitance_f,
        switch_ohm=0.0,
        opamp_gain=OPAMP.gain,
        bandwidth_hz=OPAMP.bandwidth_hz,
        window_s=circuit.window_s,
    )
    return float((1 + tia) * (1 + summing))


def _unexplained(
    done: Check, bench: Bench, operation: Operation, difference: FloatArray, tolerance_lsb: float, note: str
) -> None:
    rms = float(np.sqrt(np.mean(difference**2)))
    _add(
        done,
        bench,
        operation,
        "real",
        "unexplained",
        difference,
        tolerance=tolerance_lsb,
        passed=rms <= tolerance_lsb,
        note=f"against tiles with wires and gain mismatch; {note}",
    )


def _add(
    done: Check,
    bench: Bench,
    operation: Operation,
    level: Level,
    cause: str,
    lsb: FloatArray | None = None,
    **given: Any,
) -> None:
    """Add a finding with the sizes of a difference in LSB."""
    sizes: dict[str, Any] = {}
    if lsb is not None:
        sizes = {"rms_lsb": float(np.sqrt(np.mean(lsb**2))), "max_lsb": float(np.abs(lsb).max())}
    found = Finding(place=bench.place.name, operation=operation, level=level, cause=cause, **sizes, **given)
    done.findings.append(found)


def _scatter(bench: Bench, operation: Operation, level: Level, model: FloatArray, found: FloatArray) -> pd.DataFrame:
    table = pd.DataFrame({"model_lsb": model.ravel(), "circuit_lsb": found.ravel()})
    table.insert(0, "level", level)
    table.insert(0, "operation", operation)
    table.insert(0, "place", bench.place.name)
    return table


def offset_spread_v(calibration: Calibration) -> float:
    """Return the spread of the offset of a TIA's op-amp at its input."""
    return calibration.quantity("tia", "input_offset_v").value


def _waveform_table(read: PulseRead, share: float) -> pd.DataFrame:
    """Return the waveforms of the first read."""
    found = read.waveforms
    kept = found.axis <= found.axis[-1] * share
    columns = {f"{name} [V]": found[vector][kept] for name, vector in read.shown.items()}
    return pd.DataFrame({"time_s": found.axis[kept]} | columns)
