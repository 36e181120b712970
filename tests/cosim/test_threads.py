"""Threads: the same bits whatever their count."""

import numpy as np
import pytest

from cosim import threads
from cosim.periphery import Periphery
from cosim.threads import do_parts, parts_of, use_threads
from cosim.tile import PulsedUpdate, Tile
from device_models import load_device

DEVICES = {
    "whole rows": (load_device("soft_bounds", dw_min=0.001, dw_min_std=0.3), {}),
    "listed": (load_device("linear_step", dw_min=0.01, dw_min_std=0.3), {}),
    "long trains": (load_device("constant_step", dw_min=0.001), {"max_train_length": 100}),
}


def run(count: int, device, update) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    inputs, errors = (generator.uniform(-1, 1, (130, lines)).astype(np.float32) for lines in (60, 50))
    periphery = Periphery(dac_bits=7, adc_bits=8, noise_lsb=0.3)
    with use_threads(count):
        tile = Tile((50, 60), device, seed=3, periphery=periphery, update=PulsedUpdate(**update))
        activity = tile.update(inputs, errors, 0.02)
        return [tile.weights.copy(), tile.forward(inputs), tile.backward(errors), np.array(str(activity))]


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("work", [1 << 13, 1 << 40])
def test_results_do_not_depend_on_the_number_of_threads_or_parts(name, work, monkeypatch):
    alone = run(1, *DEVICES[name])
    monkeypatch.setattr(threads, "PART_WORK", work)
    for count in (1, 2, 3):
        for one, other in zip(alone, run(count, *DEVICES[name]), strict=True):
            np.testing.assert_array_equal(one, other)


def test_parts_cover_everything_once():
    for count, work, least in ((0, 10, 1), (1, 1 << 40, 1), (100, 1 << 26, 32), (7, 1 << 26, 1), (7, 0, 1)):
        parts = parts_of(count, work, least=least)
        assert [place for begin, end in parts for place in range(begin, end)] == list(range(count))
        assert all(end - begin >= least for begin, end in parts[:-1])
    assert len(parts_of(100, 1 << 26)) == 4


def test_errors_of_a_part_reach_the_caller():
    def fail(begin: int, end: int) -> int:
        if begin:
            raise ValueError("part two")
        return end

    with use_threads(2), pytest.raises(ValueError, match="part two"):
        do_parts(fail, [(0, 1), (1, 2)])


def test_a_number_of_threads_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1 thread"), use_threads(0):
        pass
