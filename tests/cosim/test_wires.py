"""Reads through wires: effective weights against the exact solution, while weights change."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from circuits.wires import effective_conductance
from cosim.config import ConfigError, make_study
from cosim.data import load_data
from cosim.experiment import Training
from cosim.periphery import Periphery
from cosim.pricing import price_point
from cosim.tile import Tile
from cosim.tile_group import TileGroup
from cosim.wires import ERROR_MAX_LSB, WiredTile, Wires
from device_models import load_device
from tests.oracles.resistive_grid import Grid

WIRES = Wires(segment_resistance_ohm=5.0, min_conductance_s=2e-6, max_conductance_s=5e-5)
DEVICE = load_device("soft_bounds", dw_min=0.02, w_max=1.0, w_min=-1.0, w_max_dtod=0.2, w_min_dtod=0.2)


def random_weights(shape, seed=3, scale=0.5) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-scale, scale, shape).astype(np.float32)


def exact_weights(tile: Tile, wires: Wires, inputs_per_array: int, outputs_per_array: int) -> np.ndarray:
    """Return the effective weights of a tile, array by array, straight from the definition."""
    reach = max(abs(tile.device.w_max), abs(tile.device.w_min))
    slope = (wires.max_conductance_s - wires.min_conductance_s) / reach
    lower = tile.second_devices if tile.device.one_sided else np.maximum(-tile.weights, 0)
    result = np.zeros(tile.shape)
    for sign, cells in ((1, tile.weights + lower), (-1, lower)):
        conductance_s = (wires.min_conductance_s + slope * cells).astype(float)
        for first in range(0, tile.shape[0], outputs_per_array):
            for line in range(0, tile.shape[1], inputs_per_array):
                part = np.s_[first : first + outputs_per_array, line : line + inputs_per_array]
                seen = effective_conductance(conductance_s[part].T, wires.segment_resistance_ohm).T
                result[part] += sign * seen / slope
    return result


@pytest.mark.parametrize("preset", ["soft_bounds", "pcm"])
@pytest.mark.parametrize("blocks", [(30, 20), (10, 7)])
def test_a_solved_tile_reads_like_its_arrays(preset, blocks):
    device = DEVICE if preset == "soft_bounds" else load_device(preset)
    tile = Tile((20, 30), device, seed=1)
    tile.set_weights(random_weights((20, 30)))
    wired = WiredTile(tile, WIRES, *blocks)
    wired.measure()
    np.testing.assert_allclose(wired.effective(), exact_weights(tile, WIRES, *blocks), atol=2e-6)


def test_a_read_is_what_a_circuit_simulation_of_both_arrays_gives():
    group = TileGroup((6, 8), DEVICE, seed=1, wires=WIRES)
    group.set_weights(random_weights((6, 8)))
    voltages = np.random.default_rng(4).uniform(-1, 1, (5, 8))
    slope = WIRES.max_conductance_s - WIRES.min_conductance_s
    cells = [WIRES.min_conductance_s + slope * np.maximum(sign * group.weights, 0).astype(float).T for sign in (1, -1)]
    currents = [Grid(one, WIRES.segment_resistance_ohm).column_currents(voltages) for one in cells]
    np.testing.assert_allclose(group.forward(voltages), (currents[0] - currents[1]) / slope, atol=2e-6)


def test_backward_reads_and_column_reads_go_through_the_same_wires():
    group = TileGroup((12, 9), DEVICE, significances=(1.0, 0.5), seed=2, wires=WIRES)
    for place, tile in enumerate(group.tiles):
        tile.set_weights(random_weights((12, 9), seed=place))
    group.recombine()
    parts = [exact_weights(tile, WIRES, 9, 12) for tile in group.tiles]
    errors = random_weights((4, 12), seed=9, scale=1)
    np.testing.assert_allclose(group.backward(errors), errors @ (parts[0] + 0.5 * parts[1]), atol=1e-5)
    np.testing.assert_allclose(group.read_columns(1, np.array([2, 7])), parts[1][:, [2, 7]].T, atol=2e-6)


def test_between_two_solutions_the_error_is_of_second_order():
    tile = Tile((40, 50), DEVICE, seed=1)
    wired = WiredTile(tile, replace(WIRES, segment_resistance_ohm=1.0), 50, 40)
    start, inputs = random_weights((40, 50)), random_weights((30, 50), seed=5, scale=1)

    def error(change: float, *, corrected: bool) -> float:
        """Return the largest error of a read after all weights have changed."""
        tile.set_weights(start)
        wired.measure()
        tile.set_weights(start + change * random_weights((40, 50), seed=8, scale=1))
        if not corrected:
            wired.solved[0], wired.solved[1] = np.maximum(tile.weights, 0), np.maximum(-tile.weights, 0)
        wired.forget()
        return float(np.abs(inputs @ (wired.effective() - exact_weights(tile, wired.wires, 50, 40)).T).max())

    for change in (0.05, 0.2):
        assert error(change, corrected=True) < 0.1 * error(change, corrected=False)


def test_thin_wires_are_ideal_wires():
    ideal = TileGroup((12, 9), DEVICE, seed=2)
    wired = TileGroup((12, 9), DEVICE, seed=2, wires=replace(WIRES, segment_resistance_ohm=1e-6))
    inputs = random_weights((4, 9), seed=9)
    for group in (ideal, wired):
        group.set_weights(random_weights((12, 9)))
    np.testing.assert_allclose(wired.forward(inputs), ideal.forward(inputs), atol=1e-5)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (1, 1)])
def test_the_smallest_tiles_have_wires_too(shape):
    group = TileGroup(shape, DEVICE, seed=2, wires=WIRES)
    group.set_weights(np.full(shape, 0.5))
    assert group.forward(np.ones((3, shape[1]))).shape == (3, shape[0])
    assert group.backward(np.ones((0, shape[0]))).shape == (0, shape[1])


def test_currents_drop_more_the_larger_the_resistance():
    sums = []
    for ohms in (0.1, 1.0, 10.0, 100.0):
        group = TileGroup((32, 32), DEVICE, seed=2, wires=replace(WIRES, segment_resistance_ohm=ohms))
        group.set_weights(np.full((32, 32), 0.5))
        sums.append(group.forward(np.ones((1, 32))).sum())
    assert sums[0] > sums[1] > sums[2] > sums[3] > 0
    assert sums[0] == pytest.approx(0.5 * 32 * 32, rel=0.02)


def test_reads_stay_within_their_error_while_pulses_change_the_weights():
    # A coarse device on the read tile, converters of 8 bits: every update moves the weights by many steps.
    device = load_device("soft_bounds", states=10)
    periphery = Periphery(dac_bits=7, adc_bits=8, full_scale=4.0)
    group = TileGroup(
        (40, 60), device, significances=(1.0, 0.25), seed=5, periphery=periphery, wires=WIRES, array_rows=32
    )
    group.set_weights(random_weights((40, 60), scale=0.1))
    generator = np.random.default_rng(6)
    worst, lsb = 0.0, 4.0 / 127
    for _ in range(60):
        inputs = generator.uniform(-1, 1, (8, 60)).astype(np.float32)
        group.read(inputs, forward=True)
        assert group.wired is not None
        exact = sum(
            significance * exact_weights(tile, WIRES, 30, 40)
            for tile, significance in zip(group.tiles, group.significances, strict=True)
        )
        scaled = inputs / np.abs(inputs).max(axis=1, keepdims=True)
        worst = max(worst, np.abs(scaled @ (group.wired.composite - exact).T).max() / lsb)
        for place in range(2):
            group.update(place, inputs, generator.normal(size=(8, 40)).astype(np.float32), 0.002)
    assert worst < ERROR_MAX_LSB
    assert group.wired.solutions < 2 * 60  # it has not solved at every step
    assert group.wired.error_lsb < ERROR_MAX_LSB


ALGORITHMS = (
    {"name": "analog_sgd"},
    {"name": "tiki_taka_v1"},
    {"name": "tiki_taka_v2"},
    {"name": "chopped_tiki_taka_v2"},
    {"name": "agad"},
    {"name": "mixed_precision"},
    {"name": "residual_learning", "tiles": 3},
    {"name": "residual_learning_v2"},
    {"name": "e_rider"},
)


def study_of(algorithm, wires=None, **hardware):
    return make_study(
        {
            "schema": 1,
            "data": {"name": "digits", "train_samples": 64, "test_samples": 32},
            "network": {"name": "mlp", "sizes": [64, 12, 10]},
            "training": {"epochs": 1},
            "device": {"states": 16},
            "algorithm": algorithm,
            "hardware": {"array_rows": 32, "array_cols": 8} | hardware | ({} if wires is None else {"wires": wires}),
        },
        folder=Path(),
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm["name"])
def test_every_algorithm_trains_through_wires(algorithm):
    (point,) = study_of(algorithm, {"segment_resistance_ohm": 20.0}).points
    data = load_data("digits", None, train_samples=64, test_samples=32, seed=1)
    training = Training(point, data)
    row = training.epoch()
    assert np.isfinite(row["train_loss"])
    errors = [tile["wire_error_lsb"] for tile in training.tiles]
    assert len(errors) == 2 * max(len(training.network.layers[0].matrix.tiles), 1)
    assert all(isinstance(error, float) and 0 <= error < 1 for error in errors)
    (ideal,) = study_of(algorithm).points
    assert Training(ideal, data).epoch()["train_loss"] != row["train_loss"]


def test_a_training_through_wires_resumes_to_the_bit(tmp_path):
    (point,) = study_of({"name": "residual_learning", "tiles": 3}, {"segment_resistance_ohm": 20.0}).points
    data = load_data("digits", None, train_samples=64, test_samples=32, seed=1)
    through, first, second = Training(point, data), Training(point, data), Training(point, data)
    through.epoch()
    first.epoch()
    first.save(tmp_path / "point.npz")
    assert second.load(tmp_path / "point.npz")
    through.epoch()
    second.epoch()
    for one, other in zip(through.network.layers, second.network.layers, strict=True):
        assert one.matrix.wired is not None
        np.testing.assert_array_equal(one.matrix.wired.composite, other.matrix.wired.composite)
        np.testing.assert_array_equal(one.matrix.weights, other.matrix.weights)
    assert through.history[-1]["test_loss"] == second.history[-1]["test_loss"]


def test_wires_change_no_price():
    wired, ideal = (
        study_of({"name": "analog_sgd"}, wires).points[0] for wires in ({"segment_resistance_ohm": 1.0}, None)
    )
    assert wired.run_id != ideal.run_id
    assert price_point(wired)[0].energy_per_sample_j == price_point(ideal)[0].energy_per_sample_j


@pytest.mark.parametrize(
    ("wires", "words"),
    [
        ({"segment_resistance_ohm": 0.0}, ["hardware.wires.segment_resistance_ohm", "0.0", "greater than 0"]),
        ({}, ["hardware.wires.segment_resistance_ohm is missing"]),
        ({"segment_resistance_ohm": 1.0, "min_conductance_s": 1e-4}, ["hardware.wires", "min_conductance_s", "below"]),
        ({"segment_resistance": 1.0}, ["hardware.wires.segment_resistance", "segment_resistance_ohm"]),
    ],
)
def test_wires_that_cannot_be_are_refused(wires, words):
    with pytest.raises(ConfigError) as refusal:
        study_of({"name": "analog_sgd"}, wires)
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize("given", [{"segment_resistance_ohm": 0.0}, {"segment_resistance_ohm": float("nan")}])
def test_the_python_name_refuses_them_too(given):
    with pytest.raises(ValueError, match="segment_resistance_ohm"):
        Wires(**given)
    with pytest.raises(ValueError, match="0 < min < max"):
        Wires(segment_resistance_ohm=1.0, min_conductance_s=2e-5)
