"""The linear regression on one weight matrix with which the reference simulator, aihwkit 1.2.0, was measured.

Data, order and learning rate are fixed; only devices, pulses and noise are random. Nothing is read backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import stats

from cosim.algorithms import ALGORITHMS
from cosim.periphery import Periphery
from cosim.plan import Forward, Step
from cosim.tile_group import TileGroup
from cost_model.floorplan import MatrixShape
from device_models import FAMILIES
from tests.validation.copies import perform

LINES, SAMPLES, BATCH, EPOCHS = 16, 512, 8, 30
RATE = 0.1
SPREADS = {"dw_min_dtod": 0.1, "dw_min_std": 0.3, "w_max_dtod": 0.1, "w_min_dtod": 0.1, "up_down_dtod": 0.01}
DEFAULT_IO = Periphery(dac_bits=7, adc_bits=9, full_scale=12.0, output_noise=0.06, bound_management="iterative")
# Their rate of the fast tile is 1.0 times the learning rate where ours is absolute; the transfer's is 1.0 times it.
SETTINGS: dict[str, dict[str, Any]] = {
    "AnalogSGD": {"name": "analog_sgd"},
    "AnalogSGD_ConstantStep": {"name": "analog_sgd"},
    "TTv1": {"name": "tiki_taka_v1", "fast_rate": RATE, "transfer_rate": 1.0},
    "TTv2": {"name": "tiki_taka_v2", "fast_rate": RATE, "transfer_rate": 1.0, "threshold": 1.0, "momentum": 0.1},
    "Chopped": {"name": "chopped_tiki_taka_v2", "fast_rate": 0.1, "transfer_rate": 1.0, "chop_probability": 0.1},
    "AGAD": {"name": "agad", "fast_rate": 0.1, "transfer_rate": 1.0, "chop_probability": 0.1, "tail_weight": 5.0},
    "MixedPrecision": {"name": "mixed_precision"},
}
THEIR_SEEDS = 6
TABLE_BIAS = 0.006  # of a standard deviation: their normal numbers come from a table of 32,768
# Loss and weight error after the last epoch, each with its standard deviation over seeds: measured with aihwkit 1.2.0.
FINAL = {
    "AnalogSGD|variation|default_io": (0.06159, 0.00296, 0.0283, 0.0016),
    "AnalogSGD_ConstantStep|variation|default_io": (0.05004, 0.00169, 0.0231, 0.0010),
    "TTv1|variation|default_io": (0.08968, 0.00610, 0.0385, 0.0022),
    "TTv2|variation|default_io": (0.06734, 0.00216, 0.0311, 0.0007),
    "Chopped|variation|default_io": (0.06303, 0.00238, 0.0293, 0.0012),
    "AGAD|variation|default_io": (0.05184, 0.00219, 0.0258, 0.0011),
    "MixedPrecision|variation|default_io": (0.02848, 0.00071, 0.0061, 0.0005),
    "AnalogSGD|variation|perfect_io": (0.01442, 0.00188, 0.0184, 0.0015),
    "AnalogSGD_ConstantStep|variation|perfect_io": (0.01001, 0.00060, 0.0146, 0.0007),
    "TTv1|variation|perfect_io": (0.05099, 0.00469, 0.0356, 0.0018),
    "TTv2|variation|perfect_io": (0.04128, 0.00297, 0.0311, 0.0010),
    "Chopped|variation|perfect_io": (0.03867, 0.00531, 0.0303, 0.0019),
    "AGAD|variation|perfect_io": (0.00995, 0.00066, 0.0178, 0.0005),
    "MixedPrecision|variation|perfect_io": (0.00048, 0.00004, 0.0035, 0.0003),
    "AnalogSGD|no_variation|default_io": (0.05837, 0.00250, 0.0280, 0.0010),
    "AnalogSGD_ConstantStep|no_variation|default_io": (0.04744, 0.00125, 0.0212, 0.0009),
    "TTv1|no_variation|default_io": (0.08357, 0.00447, 0.0364, 0.0014),
    "TTv2|no_variation|default_io": (0.06454, 0.00436, 0.0297, 0.0010),
    "Chopped|no_variation|default_io": (0.05965, 0.00469, 0.0281, 0.0018),
    "AGAD|no_variation|default_io": (0.05071, 0.00339, 0.0247, 0.0016),
    "MixedPrecision|no_variation|default_io": (0.02847, 0.00035, 0.0057, 0.0002),
    "AnalogSGD|no_variation|perfect_io": (0.01202, 0.00087, 0.0173, 0.0007),
    "AnalogSGD_ConstantStep|no_variation|perfect_io": (0.00862, 0.00075, 0.0142, 0.0009),
    "TTv1|no_variation|perfect_io": (0.04386, 0.00519, 0.0335, 0.0026),
    "TTv2|no_variation|perfect_io": (0.03810, 0.00157, 0.0306, 0.0005),
    "Chopped|no_variation|perfect_io": (0.03489, 0.00278, 0.0293, 0.0007),
    "AGAD|no_variation|perfect_io": (0.00750, 0.00065, 0.0155, 0.0010),
    "MixedPrecision|no_variation|perfect_io": (0.00042, 0.00004, 0.0030, 0.0003),
}


@dataclass(frozen=True)
class Curves:
    """Loss and root-mean-square weight error after each epoch, (seeds, epochs)."""

    loss: np.ndarray
    weight_error: np.ndarray


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the weights to be found, the inputs and the right outputs."""
    draw = np.random.RandomState(2024)
    target = draw.uniform(-0.3, 0.3, (LINES, LINES)).astype(np.float32)
    inputs = draw.uniform(-1, 1, (SAMPLES, LINES)).astype(np.float32)
    return target, inputs, inputs @ target.T


def train(case: str, seed: int, *, late_write: bool = True) -> tuple[list[float], list[float]]:
    """Return loss and weight error of every epoch of one run.

    Parameters
    ----------
    case
        "algorithm|variation or no_variation|default_io or perfect_io".
    seed
        Seed of devices and noise.
    late_write
        Whether mixed precision writes after the first sample of the next mini-batch, as the reference does.
    """
    name, variation, periphery = case.split("|")
    family = "constant_step" if name.endswith("ConstantStep") else "soft_bounds_reference"
    spreads = SPREADS if variation == "variation" else {}
    algorithm = ALGORITHMS[SETTINGS[name]["name"]]
    rules = algorithm(algorithm.parameters_type(**SETTINGS[name]))
    matrix = TileGroup(
        (LINES, LINES),
        FAMILIES[family](dw_min=0.01, **spreads),
        significances=rules.significances,
        seed=seed,
        periphery=DEFAULT_IO if periphery == "default_io" else Periphery(),
    )
    plan = [step for step in rules.plan(MatrixShape("regression", LINES, LINES), RATE) if not isinstance(step, Forward)]
    layer: Any = SimpleNamespace(matrix=matrix)
    target, inputs, outputs = data()
    losses, weight_errors, number = [], [], 0
    for _ in range(EPOCHS):
        loss = 0.0
        for first in range(0, SAMPLES, BATCH):
            batch = slice(first, first + BATCH)
            residual = matrix.read(inputs[batch], forward=True)[0] - outputs[batch]
            loss += float((residual**2).sum()) / 2 / BATCH
            number += 1
            layer.inputs, layer.errors = inputs[batch], residual / np.float32(BATCH)
            if late_write and name == "MixedPrecision":
                write_late(plan, layer, first=number == 1)
            else:
                perform(plan, layer, number)
        losses.append(loss * BATCH / SAMPLES)
        matrix.recombine()
        weight_errors.append(float(np.sqrt(((matrix.weights - target) ** 2).mean())))
    return losses, weight_errors


def write_late(plan: list[Step], layer: Any, *, first: bool) -> None:
    """Do the steps of mixed precision as the reference does: write once the first sample has been added.

    In the first mini-batch nothing is written.
    """
    accumulate, write = plan
    inputs, errors = layer.inputs, layer.errors
    layer.inputs, layer.errors = inputs[:1], errors[:1]
    accumulate.perform(layer)
    if not first:
        write.perform(layer)
    layer.inputs, layer.errors = inputs[1:], errors[1:]
    accumulate.perform(layer)


def curves(case: str, seeds: int, *, late_write: bool = True) -> Curves:
    """Return the curves of some runs of a case; no two cases share a seed."""
    first = 100 * list(FINAL).index(case)
    runs = np.array([train(case, first + seed, late_write=late_write) for seed in range(seeds)])
    return Curves(runs[:, 0], runs[:, 1])


def score(values: np.ndarray, mean: np.ndarray, spread: np.ndarray, rounding: float) -> np.ndarray:
    """Return how far our mean, over the first axis, is from theirs: a t-test with pooled spread, as a normal score.

    `mean` and `spread` are theirs, each up to a rounding error.
    """
    count = len(values)
    spread = np.sqrt(spread**2 + rounding**2)
    pooled = np.sqrt(((THEIR_SEEDS - 1) * spread**2 + values.var(axis=0) * count) / (THEIR_SEEDS + count - 2))
    difference = values.mean(axis=0) - mean
    excess = np.sign(difference) * (np.abs(difference) - TABLE_BIAS * spread - rounding).clip(0)
    ratio = excess / (pooled * np.sqrt(1 / count + 1 / THEIR_SEEDS))
    # By the tail that is left: scores beyond 8 stay finite.
    return np.sign(ratio) * stats.norm.isf(stats.t.sf(np.abs(ratio), THEIR_SEEDS + count - 2))


def final_scores(case: str, runs: Curves) -> tuple[float, float]:
    """Return the scores of loss and weight error after the last epoch."""
    loss, loss_spread, error, error_spread = FINAL[case]
    # Printed to 5 and 4 decimals.
    return (
        float(score(runs.loss[:, -1], loss, loss_spread, 5e-6)),
        float(score(runs.weight_error[:, -1], error, error_spread, 5e-5)),
    )
