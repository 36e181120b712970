"""Speed as ratios: every row is timed beside a baseline in the same process; `make bench` prints and keeps both.

The ratio of two rows of one group is the number to read; `scripts/bench_table.py` works it out beside the targets.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from cosim.periphery import Periphery
from cosim.threads import use_threads
from cosim.tile import Tile
from device_models import load_device
from tests.benchmarks.lenet5_step import STEP_IMAGES, lenet5

LINES, BATCH = 512, 64
MANY_LINES = 1024


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(limits=1):
        yield


def vectors(lines=LINES):
    generator = np.random.default_rng(1)
    inputs, errors = generator.uniform(-1, 1, (2, BATCH, lines)).astype(np.float32)
    return inputs, errors


@pytest.mark.benchmark(group="512 x 512, batch 64")
def test_sgemm_baseline(benchmark):
    inputs, errors = vectors()
    benchmark(lambda: errors.T @ inputs)


@pytest.mark.parametrize(
    ("family", "cycle_noise", "coincidences"),
    [("soft_bounds", 0.3, 2.5), ("constant_step", 0.0, 2.5), ("soft_bounds", 0.3, 0.01), ("constant_step", 0.0, 0.01)],
)
@pytest.mark.benchmark(group="512 x 512, batch 64")
def test_pulsed_update(benchmark, family, cycle_noise, coincidences):
    inputs, errors = vectors()
    dw_min = 0.001
    # The mean of |x d| is 1/4 and k = rate / dw_min where the largest |x| and |d| are 1.
    rate = 4 * coincidences * dw_min
    spreads = {"dw_min_dtod": 0.3, "w_max_dtod": 0.3, "w_min_dtod": 0.3} if cycle_noise else {}
    device = load_device(family, dw_min=dw_min, dw_min_std=cycle_noise, w_max=1.0, w_min=-1.0, **spreads)
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


CONFIGURATIONS = [
    ({"name": "digital_sgd"}, True),
    ({"name": "analog_sgd"}, True),
    ({"name": "analog_sgd"}, False),
    ({"name": "residual_learning", "tiles": 6}, True),
    ({"name": "residual_learning", "tiles": 6}, False),
]


@pytest.mark.parametrize(
    ("algorithm", "ideal_io"),
    CONFIGURATIONS,
    ids=lambda value: value["name"] if isinstance(value, dict) else ("ideal" if value else "converters"),
)
@pytest.mark.benchmark(group="LeNet-5 step, batch 8")
def test_lenet5_step(benchmark, algorithm, ideal_io):
    _, step = lenet5(algorithm, ideal_io=ideal_io)
    benchmark(step)


@pytest.mark.benchmark(group="LeNet-5 step, batch 8")
def test_lenet5_step_of_torch(benchmark):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is the baseline of one row only")
    torch.set_num_threads(1)
    nn = torch.nn
    network = nn.Sequential(
        nn.Conv2d(1, 16, 5), nn.MaxPool2d(2), nn.Tanh(), nn.Conv2d(16, 32, 5), nn.MaxPool2d(2), nn.Tanh(),
        nn.Flatten(), nn.Linear(512, 128), nn.Tanh(), nn.Linear(128, 10),
    )  # fmt: skip
    optimiser, loss = torch.optim.SGD(network.parameters(), lr=0.05), nn.CrossEntropyLoss()
    images, labels = torch.rand(STEP_IMAGES, 1, 28, 28), torch.randint(0, 10, (STEP_IMAGES,))

    def step():
        optimiser.zero_grad()
        loss(network(images), labels).backward()
        optimiser.step()

    benchmark(step)


@pytest.mark.parametrize("wires", [False, True], ids=["ideal wires", "wires"])
@pytest.mark.parametrize("algorithm", [CONFIGURATIONS[1][0], CONFIGURATIONS[3][0]], ids=lambda value: value["name"])
@pytest.mark.benchmark(group="LeNet-5 through wires, 50 steps of batch 8")
def test_lenet5_through_wires(benchmark, algorithm, wires):
    # A step costs more where the network is solved anew: the mean over many steps counts, after the first ones.
    training, step = lenet5(algorithm, ideal_io=False, wires=wires)
    for _ in range(1 if benchmark.disabled else 100):
        step()
    benchmark.pedantic(lambda: [step() for _ in range(1 if benchmark.disabled else 50)], rounds=4)
    if wires:
        errors = [layer.matrix.wired.error_lsb for layer in training.network.layers]
        benchmark.extra_info["largest error of a read in LSB"] = max(errors)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("work", ["update", "forward"])
@pytest.mark.benchmark(group="1024 x 1024 on threads")
def test_threads(benchmark, work, count):
    inputs, errors = vectors(MANY_LINES)
    periphery = Periphery(dac_bits=7, adc_bits=8, full_scale=12.0, noise_lsb=0.2)
    device = load_device("soft_bounds", dw_min=0.001, dw_min_std=0.3, w_max=1.0, w_min=-1.0)
    tile = Tile((MANY_LINES, MANY_LINES), device, seed=1, periphery=periphery)
    with use_threads(count):
        if work == "update":
            benchmark(tile.update, inputs, errors, 0.01)
        else:
            benchmark(tile.forward, inputs)


@pytest.mark.parametrize("caches", ["warm", "cold"])
@pytest.mark.benchmark(group="from import to the first trained step")
def test_first_step(benchmark, caches, tmp_path, monkeypatch):
    if caches == "cold":
        if benchmark.disabled:
            pytest.skip("compiling everything anew takes a minute; make bench does")
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    command = [sys.executable, "-m", "tests.benchmarks.lenet5_step"]
    benchmark.pedantic(subprocess.run, (command,), {"check": True}, rounds=1 if caches == "cold" else 3)
