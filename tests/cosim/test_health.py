"""The rules that say whether a training can work: their numbers against simulation, their borders, their advice."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest

from cosim.algorithms import ALGORITHMS
from cosim.algorithms.residual_learning_health import NOISE_MAX, STEP_MAX, SWEEPS_MIN, WINDUP_MAX
from cosim.health import (
    NOISE_BAND,
    OFFSET_MAX,
    UNUSED_BELOW,
    WINDUP_ABOVE,
    Budget,
    Check,
    at_least,
    at_most,
    noise_level,
    noise_spread,
    symmetric_point_check,
    verdict,
)
from cosim.tile import SINGLE_PULSE, Tile
from cost_model.floorplan import MatrixShape
from device_models.families import ConstantStep, GenericLinear, LinearStep, SoftBounds
from device_models.presets import load_device

# Noise of a device that sees up and down pulses at random.


def simulated_spread(device, pulses):
    """Return the spread of 4,096 devices after random pulses; its standard error is 1.1 % or less."""
    tile = Tile((1, 4096), device, seed=7)
    signs = np.random.Generator(np.random.Philox(key=[5, 0])).choice([-1.0, 1.0], size=(pulses, 4096))
    for row in signs.astype(np.float32):
        # Line k gets up or down on its own: a slot for the up pulses, one for the down pulses.
        for error, chosen in ((-1.0, row > 0), (1.0, row < 0)):
            lines = chosen.astype(np.float32)[None]
            errors = np.array([[error]], dtype=np.float32)
            tile.rank_one(lines, errors, device.granularity, SINGLE_PULSE, np.zeros_like(tile.weights), 0.0)
    return float(tile.weights.std())


SPREADS = {
    "soft bounds, 4 states": SoftBounds(dw_min=0.5),
    "soft bounds, 10 states": SoftBounds(dw_min=0.2),
    "soft bounds, 40 states": SoftBounds(dw_min=0.05),
    "soft bounds within 0.6": SoftBounds(dw_min=0.1, w_max=0.6, w_min=-0.6),
    "generic linear, c 0.2": GenericLinear(dw_min=0.2, c_lin=0.2),
    "generic linear, c 0.5": GenericLinear(dw_min=0.1, c_lin=0.5),
    "linear step, slope 0.5": LinearStep(dw_min=0.05, gamma_up=0.5, gamma_down=0.5),
}


@pytest.mark.parametrize("device", SPREADS.values(), ids=SPREADS)
def test_noise_spread_is_that_of_devices_under_random_pulses(device):
    # 4 %: three and a half standard errors, or the curvature that the formula leaves out.
    memory = 1 / (device.granularity * device.asymmetry_slope())
    assert noise_spread(device) == pytest.approx(simulated_spread(device, round(6 * memory)), rel=0.04)


@pytest.mark.parametrize(("states", "expected"), [(10, 0.333), (4, 0.577)])
def test_noise_spread_is_that_of_the_multi_tile_reproduction(states, expected):
    assert noise_spread(load_device("soft_bounds", states=states)) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(("states", "expected"), [(10, 0.27), (4, 0.50)])
def test_noise_level_is_the_mean_magnitude_that_was_measured(states, expected):
    # A Gaussian is assumed; with 4 states the weights are uniform instead, 8 % more.
    assert noise_level(load_device("soft_bounds", states=states)) == pytest.approx(expected, rel=0.1)


def test_devices_without_a_pull_wander_over_their_range():
    device = ConstantStep(dw_min=0.1, w_max=0.6, w_min=-0.6)
    assert noise_spread(device) == pytest.approx(1.2 / math.sqrt(12), rel=1e-12)
    assert noise_spread(load_device("pcm")) == pytest.approx(2 / math.sqrt(12), rel=1e-12)


def test_a_weak_pull_leaves_no_more_than_the_range():
    device = LinearStep(dw_min=0.2, gamma_up=0.1, gamma_down=0.1)
    assert noise_spread(device) == pytest.approx(2 / math.sqrt(12), rel=1e-12)
    # 15 %: the bounds are hard, and a step is a tenth of the range.
    assert simulated_spread(device, 300) == pytest.approx(noise_spread(device), rel=0.15)


# Verdicts.

SMALL = 1e-9


@pytest.mark.parametrize(
    ("magnitude", "noise", "expected"),
    [
        (0.0, 0.266, "unused"),
        (UNUSED_BELOW - SMALL, 0.266, "unused"),
        (UNUSED_BELOW - SMALL, 0.04, "unused"),  # although it is the noise of many states
        (UNUSED_BELOW, 0.266, "working"),
        (0.2 * (1 - NOISE_BAND) - SMALL, 0.2, "working"),
        (0.2 * (1 - NOISE_BAND) + SMALL, 0.2, "noise"),
        (0.2, 0.2, "noise"),
        (0.2 * (1 + NOISE_BAND) - SMALL, 0.2, "noise"),
        (0.2 * (1 + NOISE_BAND) + SMALL, 0.2, "working"),
        (WINDUP_ABOVE, 0.2, "working"),
        (WINDUP_ABOVE + SMALL, 0.2, "wind-up"),
        (WINDUP_ABOVE + SMALL, 0.5, "noise"),  # devices of few states are that loud by noise alone
        (0.5 * (1 + NOISE_BAND) + SMALL, 0.5, "wind-up"),
        (1.0, 0.266, "wind-up"),
    ],
)
def test_verdicts_change_at_their_borders(magnitude, noise, expected):
    assert verdict(magnitude, noise) == expected


@pytest.mark.parametrize("states", [4, 10, 40])
def test_a_tile_under_random_pulses_is_called_noise(states):
    device = load_device("soft_bounds", states=states, dw_min_dtod=0.0, w_max_dtod=0.0, w_min_dtod=0.0)
    tile = Tile((64, 64), device, seed=3)
    generator = np.random.Generator(np.random.Philox(key=[3, 0]))
    for _ in range(40):
        lines, errors = (generator.choice([-1.0, 1.0], (8, 64)).astype(np.float32) for _ in range(2))
        tile.rank_one(lines, errors, 0.5 * device.granularity, tile.update_settings, np.zeros_like(tile.weights), 0.0)
    assert verdict(float(np.abs(tile.weights).mean()), noise_level(device)) == "noise"


# Symmetric points.


@pytest.mark.parametrize(
    ("device", "offset"),
    [
        (SoftBounds(dw_min=0.2), 0.0),
        (load_device("soft_bounds"), 0.0),
        (GenericLinear(dw_min=0.1, c_lin=0.2), 0.1),
        (GenericLinear(dw_min=0.1, c_lin=2 * OFFSET_MAX - SMALL), OFFSET_MAX),
        (GenericLinear(dw_min=0.1, c_lin=2 * OFFSET_MAX + SMALL), OFFSET_MAX),
        (GenericLinear(dw_min=0.1, c_lin=-0.2), 0.1),
        (GenericLinear(dw_min=0.1, c_lin=0.2, subtract_symmetry_point=True), 0.0),
        (GenericLinear(dw_min=0.1, c_lin=0.2, reference_mean=0.2), 0.0),
        (ConstantStep(dw_min=0.1), 0.0),
        (ConstantStep(dw_min=0.1, up_down=0.1), math.inf),
        (load_device("pcm"), math.inf),
    ],
)
def test_symmetric_point_over_the_range(device, offset):
    check = symmetric_point_check(device)
    assert check.value == pytest.approx(offset, abs=1e-8)
    assert check.kept == (check.value <= OFFSET_MAX)


def test_advice_for_a_shifted_symmetric_point_names_keys_and_algorithms():
    (advice,) = {symmetric_point_check(GenericLinear(dw_min=0.1, c_lin=c)).advice for c in (0.1, -0.5)}
    assert "zero_shift_pulses" in advice
    names = [name for name in ALGORITHMS if re.search(rf"\b{name}\b", advice)]
    assert names == ["agad", "e_rider"]
    # Following it keeps the rule.
    assert not [name for name in names if checks(GenericLinear(dw_min=0.1, c_lin=0.5), name=name)]
    assert "subtract_symmetry_point" in advice


def test_advice_for_devices_without_a_symmetric_point_does_not_calibrate_it():
    advice = symmetric_point_check(load_device("pcm")).advice
    assert "agad or e_rider, or another device" in advice
    assert "zero_shift_pulses" not in advice


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name not in ("agad", "e_rider")])
def test_zero_shifting_silences_the_symmetric_point(name):
    fields = ALGORITHMS[name].parameters_type.model_fields
    device = GenericLinear(dw_min=0.1, c_lin=0.2)
    broken = [check for check in checks(device, name=name) if "symmetric point" in check.name]
    # Algorithms that transfer a tile's content are told; those that do not have nothing to be told.
    assert len(broken) == ("zero_shift_pulses" in fields)
    if broken:
        assert not broken[0].kept
        shifted = checks(device, name=name, zero_shift_pulses=100)
        assert not [check for check in shifted if "symmetric point" in check.name]


# Residual learning: each rule on either side of its limit, and what its advice does.

SHAPES = (MatrixShape("conv", 16, 25, 64), MatrixShape("dense", 10, 400))
TEN = SoftBounds(dw_min=0.2)


def checks(device=TEN, *, name="residual_learning", mini_batches=10_000, products=None, **parameters):
    kind = ALGORITHMS[name]
    algorithm = kind(kind.parameters_type(**parameters))
    algorithm.prepare(device)
    return algorithm.health(Budget(device, SHAPES, mini_batches, products))


def rule(start, *arguments, **options):
    (found,) = [check for check in checks(*arguments, **options) if check.name.startswith(start)]
    return found


def number(pattern, text):
    return float(re.search(pattern, text).group(1))


@pytest.mark.parametrize("tiles", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("states", [10, 40])
def test_the_balanced_setting_keeps_every_rule_in_a_long_training(tiles, states):
    products = {"conv": 0.02, "dense": 0.006}  # of a first mini-batch of LeNet-5
    found = checks(load_device("soft_bounds", states=states), tiles=tiles, products=products, mini_batches=75_000)
    broken = [check.text() for check in found if not check.kept]
    # At ten states one tile is not quiet enough.
    expected = ["noise"] if (tiles, states) == (1, 10) else []
    assert [text.split(" ")[0] for text in broken] == expected


@pytest.mark.parametrize("finest", [1 / 64, 0.011, 0.16, 0.5])
def test_gradient_step(finest):
    limit = STEP_MAX / finest
    for fast_rate, kept in ((limit * (1 - 1e-6), True), (limit * (1 + 1e-6), False), (50 * limit, False)):
        check = rule("gradient step", tiles=2, weight_scale=1.0, gamma=finest, fast_rate=fast_rate)
        assert check.value == pytest.approx(fast_rate * finest, rel=1e-12)
        assert check.kept is kept
    advised = number(r"lower fast_rate to ([\d.e+-]+) or less", check.advice)
    assert rule("gradient step", tiles=2, weight_scale=1.0, gamma=finest, fast_rate=advised).kept
    assert advised == pytest.approx(limit, rel=0.01)


@pytest.mark.parametrize("tiles", [1, 2, 4])
@pytest.mark.parametrize("states", [4, 10, 37])
def test_noise_floor(tiles, states):
    device = SoftBounds(dw_min=2 / states)
    limit = NOISE_MAX / noise_spread(device) / 0.7 ** (tiles - 1)
    given = {"tiles": tiles, "gamma": 0.7, "fast_rate": 0.01}
    for weight_scale, kept in ((limit * (1 - 1e-6), True), (limit * (1 + 1e-6), False), (3.337 * limit, False)):
        check = rule("noise floor", device, weight_scale=weight_scale, **given)
        assert check.value == pytest.approx(noise_spread(device) * weight_scale * 0.7 ** (tiles - 1), rel=1e-12)
        assert check.kept is kept
    factor = number(r"by a factor of ([\d.]+)$", check.advice)
    assert rule("noise floor", device, weight_scale=weight_scale / factor, **given).kept
    assert ("gamma" in check.advice) == (tiles > 1)
    if tiles > 1:
        assert rule("noise floor", device, weight_scale=weight_scale, **(given | {"gamma": 0.7 / factor})).kept
    assert rule("noise floor", device, weight_scale=weight_scale, **(given | {"tiles": tiles + 12})).kept


@pytest.mark.parametrize("tiles", [2, 3, 6])
@pytest.mark.parametrize("states", [3, 4, 10, 100])
def test_reach_of_the_finer_tiles(tiles, states):
    device = SoftBounds(dw_min=2 / states)
    for gamma in (0.005, 0.05, 0.2, 0.5, 0.9):
        check = rule("reach", device, tiles=tiles, gamma=gamma)
        reach = sum(gamma**n for n in range(1, tiles))
        assert check.value == pytest.approx(reach, rel=1e-12)
        assert check.kept is (reach >= 1 / states)
        if not check.kept:
            advised = number(r"raise gamma to ([\d.]+),", check.advice)
            assert gamma < advised
            assert rule("reach", device, tiles=tiles, gamma=advised).kept
            finer = dataclasses.replace(device, dw_min=2 * reach * (1 - 1e-6))
            assert rule("reach", finer, tiles=tiles, gamma=gamma).kept


def test_devices_of_one_state_are_told_to_be_finer_where_no_gamma_is_enough():
    assert rule("reach", ConstantStep(dw_min=2.0), tiles=2, gamma=0.5).advice == "take finer devices"


@pytest.mark.parametrize("cooling", [1.0, 0.02])
@pytest.mark.parametrize("transfers", ["column_rate", "transfer_rate"])
def test_sweeps_of_the_slowest_layer(cooling, transfers):
    # One column per mini-batch of 400 and of 25 at rate 0.1: the wide layer is the slow one, unless told by share.
    wholly = {"transfer_period": 1, "transfer_columns": 1, "transfer_rate_ratio": 1.0}
    given = {"tiles": 3, "cooling": cooling} | (wholly if transfers == "transfer_rate" else {})
    share = 1.0 if transfers == "column_rate" else 1 / 400
    mean = np.mean(cooling ** np.linspace(0, 1, 100_001))
    limit = SWEEPS_MIN / (10_000 * share * mean)
    for rate, kept in ((limit * 1.001, True), (limit * 0.999, False), (limit / 7.3, False)):
        check = rule("sweeps", **given, **{transfers: rate})
        assert check.value == pytest.approx(rate / limit * SWEEPS_MIN, rel=1e-4)
        assert check.kept is kept
    assert ("slowest layer dense" in check.limit) or transfers == "column_rate"
    assert transfers in check.advice
    how = r"to ([\d.e+-]+)," if transfers == "column_rate" else r"by a factor of ([\d.]+),"
    advised = number(how, check.advice) * (1 if transfers == "column_rate" else rate)
    assert rule("sweeps", **given, **{transfers: advised}).kept
    longer = math.ceil(10_000 * number(r"train ([\d.]+) times longer", check.advice))
    assert rule("sweeps", **given, **{transfers: rate}, mini_batches=longer).kept


def test_a_training_too_short_for_any_column_rate_is_told_to_be_longer():
    check = rule("sweeps", tiles=2, mini_batches=2, cooling=1.0, column_rate=0.5)
    assert check.advice == "train 5 times longer"


def test_transfers_that_are_off_are_told_to_be_switched_on():
    off = {"tiles": 2, "transfer_rate": 0.0, "products": {"conv": 1.0, "dense": 1.0}}
    assert rule("sweeps", **off).advice == "raise transfer_rate above 0"
    assert rule("transfer rate x memory", **off).kept


@pytest.mark.parametrize("transfers", ["column_rate", "transfer_rate"])
def test_transfer_rate_times_memory_of_the_finest_tile(transfers):
    # 5 pulses in 1,000 mini-batches, each forgetting a fifth: a memory of 1,000 mini-batches.
    products = {"conv": 1.0, "dense": 0.001}
    given = {"tiles": 3, "fast_rate": 1.0, "products": products}
    given |= {"transfer_period": 1, "transfer_columns": 400} if transfers == "transfer_rate" else {"setting": "paper"}
    ratio = 1.2**2 if transfers == "transfer_rate" else 1.0
    for rate, kept in ((0.999e-3, True), (1.001e-3, False), (0.00734, False)):
        check = rule("transfer rate x memory", **given, **{transfers: rate / ratio})
        assert check.value == pytest.approx(WINDUP_MAX * rate / 1e-3, rel=1e-9)
        assert check.kept is kept
    assert "layer dense" in check.limit
    factor = number(rf"lower {transfers} or raise fast_rate by a factor of ([\d.]+)", check.advice)
    assert check.advice.endswith(", or give loop_gain") is (transfers == "column_rate")
    assert rule("transfer rate x memory", **given, loop_gain=0, **{transfers: rate / ratio}) == check
    assert rule("transfer rate x memory", **given, **{transfers: rate / ratio / factor}).kept
    faster = given | {"fast_rate": factor}
    assert rule("transfer rate x memory", **faster, **{transfers: rate / ratio}).kept


@pytest.mark.parametrize("gain", [0.2, 1.0, 3.0])
def test_a_loop_gain_is_the_product_of_rate_and_memory_in_every_layer_that_it_holds_back(gain):
    products = {"conv": 1.0, "dense": 0.001}  # pulses per cross-point: 5 and 0.005, of which each forgets a fifth
    given = {"tiles": 3, "fast_rate": 1.0, "products": products, "column_rate": 0.02, "loop_gain": gain}
    check = rule("transfer rate x memory", **given)
    assert check.value == pytest.approx(gain, rel=1e-9)
    assert check.kept is (gain <= WINDUP_MAX)
    assert check.advice == ("" if gain <= WINDUP_MAX else "lower loop_gain to 1 or less")
    # 10,000 mini-batches at gain x 0.001.
    assert rule("sweeps", cooling=1.0, **given).value == pytest.approx(10 * gain, rel=1e-9)


def test_too_few_sweeps_of_transfers_that_the_loop_gain_holds_back_are_told_to_raise_it():
    given = {"tiles": 3, "products": {"conv": 1.0, "dense": 0.001}, "column_rate": 0.02, "cooling": 1.0}
    check = rule("sweeps", fast_rate=1.0, loop_gain=0.1, **given)
    factor = number(r"raise loop_gain or fast_rate by a factor of ([\d.]+), or train [\d.]+ times", check.advice)
    assert rule("sweeps", fast_rate=1.0, loop_gain=0.1 * factor, **given).kept
    assert rule("sweeps", fast_rate=factor, loop_gain=0.1, **given).kept


def test_memory_is_not_judged_without_data_or_without_forgetting():
    def judged(device, products):
        found = checks(device, tiles=2, products=products)
        return any(check.name.startswith("transfer rate x memory") for check in found)

    assert judged(TEN, {"conv": 1.0, "dense": 1.0})
    assert not judged(TEN, None)
    assert not judged(TEN, {"conv": 0.0, "dense": 0.0})
    assert not judged(ConstantStep(dw_min=0.1), {"conv": 1.0, "dense": 1.0})


def test_a_single_tile_has_no_transfers_to_judge():
    names = [check.name for check in checks(tiles=1, products={"conv": 1.0, "dense": 1.0})]
    assert not [name for name in names if name.startswith(("reach", "sweeps", "transfer"))]


def test_health_does_not_depend_on_how_far_a_training_has_cooled():
    kind = ALGORITHMS["residual_learning"]
    algorithm = kind(kind.parameters_type(tiles=3, cooling=0.1))
    algorithm.prepare(TEN)
    budget = Budget(TEN, SHAPES, 10_000, {"conv": 1.0, "dense": 0.001})
    before = algorithm.health(budget)
    algorithm.progress = 0.7
    assert [check.value for check in algorithm.health(budget)] == pytest.approx([check.value for check in before])


# Text.


def test_a_kept_rule_says_its_number_and_a_broken_one_what_to_change():
    assert Check("step", 0.12345, "at most 1").text() == "step 0.123 (at most 1)"
    assert Check("step", 2.0, "at most 1", "lower fast_rate").text() == "step 2 (at most 1): lower fast_rate"


@pytest.mark.parametrize("value", [1e-5, 0.00123449, 0.9375, 9.6, 3.3366, 123456.0])
def test_advised_numbers_are_rounded_to_the_safe_side(value):
    low, high = float(at_most(value)), float(at_least(value))
    assert low <= value * (1 + 1e-12)
    assert high >= value * (1 - 1e-12)
    assert high - low <= 0.0101 * value
    assert json.loads(at_most(value)) == low


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"column_rate": 0.02, "column_rate_ratio": 1.5}, "column_rate_ratio"),
        ({"setting": "paper", "transfer_period_ratio": 1, "warm_start": "off"}, "transfer_period_ratio"),
    ],
)
def test_coarser_transfers_that_are_hardly_slower_are_warned_of(given, key):
    check = rule("slowing", tiles=4, **given)
    assert not check.kept
    assert f"raise {key}" in check.advice
    assert rule("slowing", tiles=4, **given | {key: 3 if key == "transfer_period_ratio" else 2.0}).kept


def test_two_tiles_have_no_coarser_transfer():
    assert not any("slowing" in check.name for check in checks(tiles=2))
