"""Waveforms to numbers, on waveforms whose numbers are known in closed form."""

import numpy as np
import pytest

from circuits.measure import MeasureError, crossing_s, integral, linearity_lsb, settling_s, spread, supply_energy_j

TIMES = np.linspace(0, 10e-9, 20001)
RISE = 1 - np.exp(-TIMES / 1e-9)


def test_energy_is_voltage_times_charge():
    current = -1e-3 * np.exp(-TIMES / 1e-9)
    expected = 0.8 * 1e-12 * (1 - np.exp(-10))
    assert supply_energy_j(TIMES, current, 0.8, 0, 10e-9) == pytest.approx(expected, rel=1e-6)
    ramp = np.linspace(0, 1, TIMES.size)
    assert supply_energy_j(TIMES, np.full(TIMES.size, -1e-3), ramp, 0, 10e-9) == pytest.approx(5e-12, rel=1e-6)
    assert integral(TIMES, np.ones(TIMES.size), 1.2345e-9, 2.3456e-9) == pytest.approx(1.1111e-9, rel=1e-9)


def test_crossings_are_interpolated_and_in_one_direction():
    assert crossing_s(TIMES, RISE, 0.5) == pytest.approx(1e-9 * np.log(2), rel=1e-6)
    wave = np.sin(2 * np.pi * TIMES / 4e-9)
    assert crossing_s(TIMES, wave, 0.0, rising=False) == pytest.approx(2e-9, rel=1e-6)
    assert crossing_s(TIMES, wave, 0.0, after_s=3e-9) == pytest.approx(4e-9, rel=1e-6)
    with pytest.raises(MeasureError, match="it does not rise through 2 after 0 s; it is between -1 and 1"):
        crossing_s(TIMES, wave, 2.0)


def test_settling_is_the_last_time_outside():
    assert settling_s(TIMES, RISE, 1.0, 0.01, start_s=0) == pytest.approx(1e-9 * np.log(100), rel=1e-4)
    ringing = 1 - np.exp(-TIMES / 1e-9) * np.cos(2 * np.pi * TIMES / 0.5e-9)
    found = settling_s(TIMES, ringing, 1.0, 0.1, start_s=0)
    assert np.all(np.abs(ringing[found + 1e-15 < TIMES] - 1) <= 0.1 + 1e-6)
    assert settling_s(TIMES, np.ones(TIMES.size), 1.0, 0.01, start_s=1e-9) == 0
    with pytest.raises(MeasureError, match=r"it ends at 0\.99\d+, not within 1e-06 of 1"):
        settling_s(TIMES, RISE, 1.0, 1e-6, start_s=0)
    with pytest.raises(MeasureError, match="is not within the waveform"):
        settling_s(TIMES, RISE, 1.0, 0.1, start_s=20e-9)


def test_linearity_is_taken_from_the_end_points():
    levels = np.arange(8) * 0.1 + 0.3
    levels[4] += 0.05
    integral_lsb, differential_lsb = linearity_lsb(levels)
    np.testing.assert_allclose(integral_lsb, [0, 0, 0, 0, 0.5, 0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(differential_lsb, [0, 0, 0, 0.5, -0.5, 0, 0], atol=1e-9)
    with pytest.raises(MeasureError, match="at least three codes"):
        linearity_lsb([0, 1])


def test_spread_and_its_error():
    samples = np.random.default_rng(3).normal(0, 2.0, 4000)
    deviation, error = spread(samples)
    assert abs(deviation - 2) < 4 * error  # wrong in one of 16,000 seeds
    assert error == pytest.approx(2 / np.sqrt(2 * 3999), rel=0.05)
    with pytest.raises(MeasureError, match="1 samples have no spread"):
        spread([1.0])
