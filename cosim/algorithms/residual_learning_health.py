"""The rules that decide whether a cascade of residual learning works, as numbers with their limits.

Gradient step: fast rate x kappa gammaᴺ is the rate of SGD. Noise floor: a tile whose pulses are mostly noise keeps a
spread of τ sqrt(g / (2τ - g)) whatever its rate; in the weight that is times kappa gammaᴺ. Range: the finer tiles
together must reach half a step of the coarsest one, or they cannot take it back. Slowing: a tile that is moved as fast
as the finer one has no time to settle (the theory's inner loops). Sweeps: a tile that takes over less than a few times
its neighbour does nothing in this training. Wind-up: a transfer faster than the finest tile can forget overshoots, and
where the pulses become fewer during the training the memory becomes longer; `loop_gain` keeps the two in proportion.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from cosim.health import Budget, Check, at_least, at_most, forgotten_share, noise_spread
from cost_model.floorplan import MatrixShape

if TYPE_CHECKING:
    from cosim.algorithms.residual_learning import ResidualLearning

STEP_MAX, NOISE_MAX, HOP_RATIO_MIN, WINDUP_MAX, SWEEPS_MIN = 0.15, 0.05, 2.0, 1.0, 5.0
ROUNDING = 1e-9


def cascade_checks(algorithm: ResidualLearning, budget: Budget) -> list[Check]:
    """Return the checks that apply: step and noise always, the others where there are tiles to transfer between."""
    own, device = algorithm.parameters, budget.device
    finest = algorithm.significances[-1]
    checks = [_step(own.fast_rate * finest, finest), _noise(noise_spread(device) * finest, own.tiles)]
    if own.tiles == 1:
        return checks
    checks.append(_range(own.gamma, own.tiles, device.granularity / device.w_max))
    if own.tiles > 2:
        checks.append(_slowing(algorithm, budget.shapes[0]))
    return [*checks, _sweeps(algorithm, budget), *_windup(algorithm, budget)]


def _step(step: float, finest: float) -> Check:
    advice = "" if step <= STEP_MAX else f"lower fast_rate to {at_most(STEP_MAX / finest)} or less"
    return Check("gradient step in the weight", step, f"at most {STEP_MAX:g}", advice)


def _noise(floor: float, tiles: int) -> Check:
    advice = ""
    if floor > NOISE_MAX:
        keys = "gamma or weight_scale" if tiles > 1 else "weight_scale"
        advice = f"add tiles, or lower {keys} by a factor of {at_least(floor / NOISE_MAX)}"
    return Check("noise floor of the finest tile", floor, f"at most {NOISE_MAX:g} in weight units", advice)


def _range(gamma: float, tiles: int, step: float) -> Check:
    """Return the reach of the finer tiles over half a step of the coarsest, in its own units."""
    reach, advice = _reach(gamma, tiles), ""
    if reach < step / 2:
        enough = next((share / 100 for share in range(1, 100) if _reach(share / 100, tiles) >= step / 2), None)
        advice = "take finer devices" if enough is None else f"raise gamma to {enough:g}, or take finer devices"
    return Check("reach of the finer tiles", reach, f"at least half a coarse step, {step / 2:.3g}", advice)


def _reach(gamma: float, tiles: int) -> float:
    return sum(gamma**n for n in range(1, tiles))


def _slowing(algorithm: ResidualLearning, shape: MatrixShape) -> Check:
    """Return how much slower each transfer is than the next finer one, at least."""
    own = algorithm.parameters
    shares = [algorithm.column_share(source, shape) for source in range(1, own.tiles)]
    ratio = min((finer / coarser for coarser, finer in pairwise(shares) if coarser > 0), default=math.inf)
    advice = ""
    if ratio < HOP_RATIO_MIN * (1 - ROUNDING):
        key = "transfer_period_ratio" if own.column_rate is None else "column_rate_ratio"
        advice = f"raise {key} by a factor of {at_least(HOP_RATIO_MIN / ratio)}"
    return Check("slowing of each coarser transfer", ratio, f"at least {HOP_RATIO_MIN:g}", advice)


def _sweeps(algorithm: ResidualLearning, budget: Budget) -> Check:
    """Return how often the slowest layer passes the finest tile on during the training."""
    finest = algorithm.finest
    shares = [
        algorithm.column_share(finest, shape, _expected_pulses(algorithm, budget, shape)) for shape in budget.shapes
    ]
    share = min(shares)
    layer = budget.shapes[shares.index(share)]
    sweeps = share * budget.mini_batches * algorithm.mean_left
    limit = f"at least {SWEEPS_MIN:g}, slowest layer {layer.name}"
    held = share < algorithm.column_share(finest, layer)
    advice = "" if sweeps >= SWEEPS_MIN else _more_sweeps(sweeps, algorithm.parameters.column_rate, held=held)
    return Check("sweeps of the finest tile", sweeps, limit, advice)


def _more_sweeps(sweeps: float, column_rate: float | None, *, held: bool) -> str:
    """Return what to change for `SWEEPS_MIN` sweeps, where the loop gain holds the transfers back or does not."""
    if not sweeps:
        return "raise transfer_rate above 0"
    factor = SWEEPS_MIN / sweeps
    longer = f"train {at_least(factor)} times longer"
    if held:
        return f"raise loop_gain or fast_rate by a factor of {at_least(factor)}, or {longer}"
    if column_rate is None:
        return f"raise transfer_rate by a factor of {at_least(factor)}, or {longer}"
    return (
        f"raise column_rate to {at_least(column_rate * factor)}, or {longer}" if column_rate * factor <= 1 else longer
    )


def _windup(algorithm: ResidualLearning, budget: Budget) -> list[Check]:
    """Return transfer rate x memory of the finest tile in the layer where it is largest; nothing without data."""
    own, values = algorithm.parameters, {}
    for shape in budget.shapes:
        pulses = _expected_pulses(algorithm, budget, shape)
        forgotten = None if pulses is None else forgotten_share(budget.device, pulses)
        if forgotten:
            values[shape.name] = algorithm.column_share(algorithm.finest, shape, pulses) / forgotten
    if not values:
        return []
    layer = max(values, key=lambda name: values[name])
    product, advice = values[layer], ""
    if product > WINDUP_MAX * (1 + ROUNDING):
        if own.loop_gain:
            advice = f"lower loop_gain to {WINDUP_MAX:g} or less"
        else:
            key, other = ("transfer_rate", "") if own.column_rate is None else ("column_rate", ", or give loop_gain")
            advice = f"lower {key} or raise fast_rate by a factor of {at_least(product / WINDUP_MAX)}{other}"
    limit = f"at most {WINDUP_MAX:g}, layer {layer}, first mini-batch"
    return [Check("transfer rate x memory of the finest tile", product, limit, advice)]


def _expected_pulses(algorithm: ResidualLearning, budget: Budget, shape: MatrixShape) -> float | None:
    """Return the pulses of the finest tile per cross-point in a mini-batch like the first one."""
    if budget.products is None:
        return None
    return float(algorithm.parameters.fast_rate * budget.products[shape.name] / budget.device.granularity)
