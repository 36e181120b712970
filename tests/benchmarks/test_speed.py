"""Speed as ratios: every row is timed beside a baseline in the same process; `make bench` prints both.

The group of a benchmark names its baseline; the `per sgemm` or `per digital step` column of the extra info is not
computed here, because the ratio of two rows of one group is the number to read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from cosim.config import make_study
from cosim.data import SHAPES, Data
from cosim.experiment import Training
from cosim.periphery import Periphery
from cosim.tile import Tile
from device_models import load_device

LINES, BATCH = 512, 64
STEP_IMAGES = 8


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(limits=1):
        yield


def vectors(scale_errors=1.0):
    generator = np.random.default_rng(1)
    inputs = generator.uniform(-1, 1, (BATCH, LINES)).astype(np.float32)
    errors = (scale_errors * generator.uniform(-1, 1, (BATCH, LINES))).astype(np.float32)
    return inputs, errors


@pytest.mark.benchmark(group="512 x 512, batch 64")
def test_sgemm_baseline(benchmark):
    inputs, errors = vectors()
    benchmark(lambda: errors.T @ inputs)


@pytest.mark.parametrize(
    ("family", "cycle_noise", "coincidences"),
    [("soft_bounds", 0.3, 2.5), ("constant_step", 0.0, 2.5), ("soft_bounds", 0.3, 0.01)],
)
@pytest.mark.benchmark(group="512 x 512, batch 64")
def test_pulsed_update(benchmark, family, cycle_noise, coincidences):
    inputs, errors = vectors()
    dw_min = 0.001
    # The mean of |x d| is 1/4 and k = rate / dw_min where the largest |x| and |d| are 1.
    rate = 4 * coincidences * dw_min
    device = load_device(family, dw_min=dw_min, dw_min_std=cycle_noise, w_max=1.0, w_min=-1.0)
    tile = Tile((LINES, LINES), device, seed=1)
    activity = tile.update(inputs, errors, rate)
    assert activity.coincidences / (BATCH * LINES**2) == pytest.approx(coincidences, rel=0.1)
    benchmark(tile.update, inputs, errors, rate)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.benchmark(group="512 x 512, batch 64")
def test_read_with_converters(benchmark, direction):
    inputs, _ = vectors()
    periphery = Periphery(dac_bits=7, adc_bits=8, full_scale=12.0, noise_lsb=0.2)
    tile = Tile((LINES, LINES), load_device("soft_bounds"), seed=1, periphery=periphery)
    benchmark(getattr(tile, direction), inputs)


@pytest.mark.parametrize(
    ("algorithm", "ideal_io"),
    [
        ({"name": "digital_sgd"}, True),
        ({"name": "analog_sgd"}, True),
        ({"name": "analog_sgd"}, False),
        ({"name": "residual_learning", "tiles": 6}, True),
        ({"name": "residual_learning", "tiles": 6}, False),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else ("ideal" if value else "converters"),
)
@pytest.mark.benchmark(group="LeNet-5 step, batch 8")
def test_lenet5_step(benchmark, algorithm, ideal_io):
    study = make_study(
        {
            "schema": 1,
            "data": {"name": "mnist", "train_samples": STEP_IMAGES, "test_samples": 1},
            "network": {"name": "lenet5"},
            "device": {"states": 10},
            "algorithm": algorithm,
            "hardware": {"ideal_io": ideal_io},
        },
        folder=Path(),
    )
    generator = np.random.default_rng(1)
    images = generator.uniform(0, 1, (STEP_IMAGES, 28, 28, 1)).astype(np.float32)
    labels = generator.integers(0, 10, STEP_IMAGES)
    training = Training(study.points[0], Data(images, labels, images[:1], labels[:1], SHAPES["mnist"]))
    training.scheduler.set_learning_rate(0.05)
    benchmark(training.scheduler.step, training.network, training.train_images, labels)
