"""Waveforms to numbers: energy, delay, settling, linearity, noise."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class MeasureError(ValueError):
    """A waveform from which a number cannot be taken: what was looked for, and what was there."""


def between(time_s: FloatArray, values: FloatArray, start_s: float, end_s: float) -> tuple[FloatArray, FloatArray]:
    """Return the part of a waveform between two times, its ends interpolated.

    Raises
    ------
    MeasureError
        If the times are not in order, or outside the waveform.
    """
    if not time_s[0] <= start_s < end_s <= time_s[-1] * (1 + 1e-9):
        raise MeasureError(
            f"{start_s:g} s to {end_s:g} s is not within the waveform, {time_s[0]:g} to {time_s[-1]:g} s"
        )
    inside = (time_s > start_s) & (time_s < end_s)
    times = np.concatenate([[start_s], time_s[inside], [end_s]])
    return times, np.interp(times, time_s, values)


def integral(time_s: FloatArray, values: FloatArray, start_s: float, end_s: float) -> float:
    """Return the integral of a waveform over time, by trapezoids; float64 (points,) each."""
    times, part = between(time_s, values, start_s, end_s)
    return float(np.trapezoid(part, times))


def supply_energy_j(
    time_s: FloatArray, current_a: FloatArray, voltage_v: float | FloatArray, start_s: float, end_s: float
) -> float:
    """Return the energy that a voltage source gives, in joules.

    Parameters
    ----------
    current_a
        Current of the source as SPICE counts it: into its positive node, so it is negative while it gives energy.
    voltage_v
        Voltage of the source, constant or (points,).
    """
    return -integral(time_s, current_a * voltage_v, start_s, end_s)


def crossing_s(
    time_s: FloatArray, values: FloatArray, level: float, *, rising: bool = True, after_s: float = 0
) -> float:
    """Return the time at which a waveform first crosses a level in a direction, after a time.

    Raises
    ------
    MeasureError
        If it does not.
    """
    sign = 1.0 if rising else -1.0
    above = sign * (values - level) >= 0
    places = np.flatnonzero(~above[:-1] & above[1:] & (time_s[1:] >= after_s))
    for place in places:
        share = (level - values[place]) / (values[place + 1] - values[place])
        found = float(time_s[place] + share * (time_s[place + 1] - time_s[place]))
        if found >= after_s:
            return found
    raise MeasureError(
        f"it does not {'rise' if rising else 'fall'} through {level:g} after {after_s:g} s; "
        f"it is between {values.min():g} and {values.max():g}"
    )


def settling_s(
    time_s: FloatArray,
    values: FloatArray,
    final: float,
    tolerance: float,
    *,
    start_s: float,
    end_s: float | None = None,
) -> float:
    """Return how long after `start_s` a waveform stays within `tolerance` of `final`.

    Raises
    ------
    MeasureError
        If it is still outside at the end.
    """
    times, part = between(time_s, values, start_s, time_s[-1] if end_s is None else end_s)
    outside = np.flatnonzero(np.abs(part - final) > tolerance)
    if not outside.size:
        return 0.0
    last = int(outside[-1])
    if last == len(part) - 1:
        raise MeasureError(f"it ends at {part[-1]:g}, not within {tolerance:g} of {final:g}")
    before, after = abs(part[last] - final), abs(part[last + 1] - final)
    share = (before - tolerance) / (before - after)
    return float(times[last] + share * (times[last + 1] - times[last]) - start_s)


def linearity_lsb(levels: npt.ArrayLike, lsb: float | None = None) -> tuple[FloatArray, FloatArray]:
    """Return integral and differential non-linearity of the levels of a converter, in LSB.

    Parameters
    ----------
    levels
        (codes,), the level (or transition) of each code, at least three.
    lsb
        Size of a step; from the line through the end points where not given, which removes offset and gain error.

    Returns
    -------
    float64 (codes,), the deviation from the line through the end points; float64 (codes - 1,), each step less 1.

    Raises
    ------
    MeasureError
        For fewer than three levels.
    """
    given = np.asarray(levels, dtype=np.float64)
    if given.ndim != 1 or given.size < 3:
        raise MeasureError(f"levels have shape {given.shape}; at least three codes are needed")
    step = lsb or (given[-1] - given[0]) / (given.size - 1)
    integral_lsb = (given - given[0]) / step - np.arange(given.size)
    return integral_lsb, np.diff(given) / step - 1


def spread(values: npt.ArrayLike) -> tuple[float, float]:
    """Return the standard deviation of samples, and its own standard error (of normal numbers).

    Raises
    ------
    MeasureError
        For fewer than two samples.
    """
    samples = np.asarray(values, dtype=np.float64)
    if samples.size < 2:
        raise MeasureError(f"{samples.size} samples have no spread")
    deviation = float(samples.std(ddof=1))
    return deviation, deviation / math.sqrt(2 * (samples.size - 1))


def noise_rms(frequency_hz: FloatArray, density: FloatArray) -> float:
    """Return the rms value of a noise density (unit per square root of hertz) over its whole band, by trapezoids."""
    return math.sqrt(float(np.trapezoid(density**2, frequency_hz)))


def reset_noise_rms(frequency_hz: FloatArray, density: FloatArray, window_s: float) -> float:
    """Return the rms change of a noise within a window, as of an integrator between its reset and the end of a read.

    The difference of two samples `window_s` apart weighs the power with 4 sin²(π f T). Far above 1/T only the mean of
    that is kept, so the grid need not follow each oscillation.

    Parameters
    ----------
    frequency_hz, density
        One-sided noise density (points,) of the integrator as if it were never reset.
    window_s
        Time between the two samples.
    """
    fine = np.geomspace(frequency_hz[0], frequency_hz[-1], 20 * frequency_hz.size)
    power = np.exp(np.interp(np.log(fine), np.log(frequency_hz), 2 * np.log(density)))
    weight = np.where(fine * window_s < 10, 4 * np.sin(np.pi * fine * window_s) ** 2, 2.0)
    return math.sqrt(float(np.trapezoid(power * weight, fine)))


def saturation_fit(inputs: npt.ArrayLike, outputs: npt.ArrayLike) -> tuple[float, float, float]:
    """Return offset, slope s and nonlinearity n of outputs = offset + s x / (1 + n |x|), to first order in n.

    Parameters
    ----------
    inputs
        (points,), as shares of full scale, both signs.
    outputs
        (points,).
    """
    x, y = np.asarray(inputs, dtype=np.float64), np.asarray(outputs, dtype=np.float64)
    offset, slope, bent = np.linalg.lstsq(np.stack([np.ones_like(x), x, x * np.abs(x)], axis=1), y, rcond=None)[0]
    return float(offset), float(slope), float(-bent / slope)
