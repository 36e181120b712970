"""Pricing many designs as arrays beside a loop of single bills, in the same process."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.config import make_sweep
from cosim.exploration import explore, groups
from cosim.pricing import price_point

STUDY = {
    "schema": 1,
    "data": {"name": "mnist", "path": "."},
    "network": {"name": "lenet5"},
    "algorithm": {"name": "residual_learning", "tiles": 6},
}
AXES = {
    "hardware.adc.bits": [4, 5, 6, 7, 8, 9, 10],
    "hardware.dac.bits": [4, 5, 6, 7],
    "hardware.array_rows": [32, 64, 96, 128, 192, 256],
    "hardware.array_cols": [32, 64, 96, 128, 192, 256],
    "hardware.adc.columns_per_adc": [1, 2, 4, 8, 16, 32],
    "hardware.adc.shared_by_tiles": [True, False],
    "hardware.values.flop_energy_j": [0.5e-12, 1e-12, 2e-12, 4e-12, 8e-12],
    "hardware.values.cell_area_m2": [1e-14, 3e-14],
}
DESIGNS, SINGLE = int(np.prod([len(values) for values in AXES.values()])), 10


@pytest.mark.benchmark(group="pricing designs of LeNet-5 with six tiles")
def test_many_designs(benchmark):
    axes = AXES if not benchmark.disabled else {key: values[:2] for key, values in AXES.items()}
    found = groups(make_sweep({**STUDY, "sweep": axes}))
    designs = benchmark.pedantic(explore, (found,), rounds=1 if benchmark.disabled else 3, warmup_rounds=1)
    benchmark.extra_info["designs"] = len(designs)
    single = groups(make_sweep({**STUDY, "sweep": {key: values[:1] for key, values in axes.items()}}))[0].point
    assert designs["energy_per_sample_j"].iloc[0] == price_point(single)[0].energy_per_sample_j


@pytest.mark.benchmark(group="pricing designs of LeNet-5 with six tiles")
def test_single_bills(benchmark):
    sweep = make_sweep({**STUDY, "sweep": {**AXES, "hardware.values.flop_energy_j": [1e-12]}})
    points = [
        sweep.point({key: values[place % len(values)] for key, values in sweep.axes.items()}) for place in range(SINGLE)
    ]
    benchmark.extra_info["designs"] = SINGLE
    benchmark.pedantic(lambda: [price_point(point) for point in points], rounds=1 if benchmark.disabled else 3)
