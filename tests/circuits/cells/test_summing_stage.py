import math

import numpy as np
import pytest

from circuits.analytic import summing_stage_gain_error
from circuits.cell import Measured
from circuits.cells import summing_stage as stage
from circuits.cells.summing_stage import SummingStage
from circuits.frame import RESISTOR_MISMATCH
from circuits.measure import reset_noise_rms
from circuits.model_cards import CardsMissingError, card_file
from circuits.simulator import has_ngspice, simulate


def _has_cards() -> bool:
    try:
        return card_file("nominal").is_file()
    except CardsMissingError:
        return False


spice = pytest.mark.skipif(not (has_ngspice() and _has_cards()), reason="needs ngspice and the transistor cards")


def output_v(found, time_s):
    return float(np.interp(time_s, found.axis, found["v(out)"]))


def test_a_width_out_of_range_is_refused():
    with pytest.raises(ValueError, match="reset_w_m = 0 is not allowed"):
        SummingStage(reset_w_m=0)


def test_shares_fall_with_gamma_and_add_to_one():
    assert stage.shares(3) == pytest.approx([4 / 7, 2 / 7, 1 / 7])


def test_the_noise_of_an_integrator_between_two_samples():
    # White noise through an ideal integrator has a density a/f, and its change over T a power of 2 pi^2 T a^2.
    frequency = np.geomspace(1e3, 1e12, 900)
    found = reset_noise_rms(frequency, 10.0 / frequency, 32e-9)
    assert found == pytest.approx(math.sqrt(2 * math.pi**2 * 32e-9) * 10.0, rel=0.01)


def test_the_spread_of_the_gains_is_that_of_two_resistors():
    # The draws of the Monte Carlo itself, without a simulator: sqrt(2) times 0.5 %, 200 samples, standard error 5 %.
    draws = [1 + RESISTOR_MISMATCH * np.random.default_rng([stage.SEED, n]).standard_normal(2) for n in range(200)]
    measured = [
        Measured("mismatch", {"sample": n}, {"gain_ohm": 2e4 * feedback / summing})
        for n, (feedback, summing) in enumerate(draws)
    ]
    row = next(row for row in stage.entries(measured) if row.quantity == "gain_mismatch")
    assert row.value == pytest.approx(math.sqrt(2) * RESISTOR_MISMATCH, rel=0.15)


def test_each_tile_adds_the_area_of_its_resistor_and_switch():
    # 50 kohm at 0.01 um2 per 100 ohm, and two gates of 3 um times 50 nm times the overhead of 4.
    assert stage.area_m2(5) - stage.area_m2(4) == pytest.approx(5e-12 + 4 * 2 * 3e-6 * 50e-9)


@spice
def test_ideal_parts_integrate_exactly():
    found = simulate(stage.cycle_deck(3, -1.0, kind="ideal"))
    assert output_v(found, stage.HOLD_AT_S - 1e-10) - 0.5 == pytest.approx(stage.BENCH_SCALE_V, rel=5e-3)
    assert output_v(found, stage.END_S) == pytest.approx(0.5, abs=1e-4)


@spice
@pytest.mark.parametrize("tiles", [1, 6])
def test_transistors_lose_what_bandwidth_and_switches_explain(tiles):
    found = stage.read_point(tiles).run()
    formula = summing_stage_gain_error(
        tiles=tiles,
        resistance_ohm=50e3,
        capacitance_f=0.4e-12,
        switch_ohm=200.0,
        opamp_gain=3000.0,
        bandwidth_hz=1.28e9,
        window_s=32e-9,
    )
    assert found["gain_error"] == pytest.approx(formula, rel=0.08)
    assert found["latency_s"] < 6e-9
    assert found["droop_v"] < stage.HALF_LSB_V / 4
    assert found["noise_v"] < found["read_noise_v"] < 2 * stage.HALF_LSB_V
    # All but a few per cent is the op-amp's current over the cycle.
    time_s = 32e-9 + found["latency_s"]
    assert found["energy_j"] == pytest.approx(found["power_w"] * time_s, rel=0.04)


@spice
@pytest.mark.parametrize("corner", ["fast", "slow"])
def test_a_read_works_in_the_corners(corner):
    kelvin = 358.0 if corner == "fast" else 248.0
    high, low = (simulate(stage.cycle_deck(2, level, corner=corner, temperature_k=kelvin)) for level in (-1.0, 1.0))
    moved = [output_v(one, stage.HOLD_AT_S - 1e-10) for one in (high, low)]
    assert moved[0] - moved[1] == pytest.approx(2 * stage.BENCH_SCALE_V, rel=0.03)
    # The reset leaves only what its switch injects and the op-amp's offset.
    assert output_v(high, stage.END_S) == pytest.approx(output_v(low, stage.END_S), abs=2e-4)


@spice
def test_a_tile_has_the_gain_of_its_two_resistors():
    gains = []
    for sample in range(4):
        draws = 1 + RESISTOR_MISMATCH * np.random.default_rng([stage.SEED, sample]).standard_normal(2)
        sweep = simulate(stage.mismatch_deck(sample))
        gains.append(stage.measure_mismatch([sweep], {})["gain_ohm"] * draws[1] / draws[0])
    # What is left is the loss of the two op-amps, and a few per cent of a switch of 200 ohm.
    assert np.mean(gains) == pytest.approx(20e3, rel=0.03)
    assert np.ptp(gains) / np.mean(gains) < 5e-4
