"""Plans of the algorithms against the rules of their papers, warm start, parameters and their complaints.

The rules of residual learning are those of arXiv:2510.02516: section 3.2, Algorithm 1, appendices I and K.
"""

from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from cosim.algorithms import ALGORITHMS
from cosim.algorithms.agad import ReferencedTransfer
from cosim.algorithms.chopped_tiki_taka_v2 import ChoppedTransfer, ChoppedUpdate
from cosim.algorithms.e_rider import Retrack, SignedUpdate, TrackedTransfer
from cosim.algorithms.residual_learning import (
    PULSE_WINDOW,
    SHARE_MIN,
    ResidualLearningParameters,
    averaged_plateau,
    loss_plateau,
    visits,
)
from cosim.algorithms.residual_learning_health import HOP_RATIO_MIN
from cosim.algorithms.residual_learning_settings import (
    COOLING,
    FINEST,
    GAMMA_MAX,
    GAMMA_MIN,
    GRADIENT_STEP,
    SETTINGS,
    TRANSFER_DEFAULTS,
    SettingBasis,
)
from cosim.algorithms.residual_learning_v2 import LeakyTransfer
from cosim.algorithms.tiki_taka_v2 import BufferedTransfer
from cosim.config import ConfigError, make_study
from cosim.health import noise_spread
from cosim.plan import (
    Accumulate,
    Backward,
    ColumnTransfer,
    DigitalUpdate,
    Forward,
    Transfer,
    Update,
    WriteBuffer,
)
from cost_model.floorplan import MatrixShape, StorageNeeds
from cost_model.operations import PulseActivity
from device_models.families import ConstantStep, SoftBounds

SHAPE = MatrixShape("dense", 10, 20)
TEN = SoftBounds(dw_min=0.2)


def make(name, **parameters):
    kind = ALGORITHMS[name]
    return kind(kind.parameters_type(**parameters))


def residual(tiles, **parameters):
    return make("residual_learning", **{"setting": "paper", "warm_start": "off", "tiles": tiles} | parameters)


def transfers_of(plan):
    return [step for step in plan if isinstance(step, Transfer)]


def transfers(algorithm, shape=SHAPE):
    return transfers_of(algorithm.plan(shape, 0.05))


# All algorithms.


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_step_starts_with_one_forward_and_one_backward_read(name):
    plan = make(name).plan(SHAPE, 0.1)
    assert plan[:2] == (Forward(), Backward())
    assert not any(isinstance(step, Forward | Backward) for step in plan[2:])
    assert all(step.every >= 1 for step in plan)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_has_its_name_and_a_summary(name):
    algorithm = make(name)
    assert algorithm.name == algorithm.parameters.name == name
    assert algorithm.summary.strip()
    assert ALGORITHMS[name].parameters_type.model_validate(algorithm.parameters.model_dump()) == algorithm.parameters


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - {"residual_learning"}))
def test_algorithms_of_one_phase_ignore_the_loss_and_have_no_state(name):
    algorithm = make(name)
    before = algorithm.plan(SHAPE, 0.1)
    for loss in (1.0, 2.0, 3.0):
        assert not algorithm.observe(loss, epoch_end=True)
        assert not algorithm.observe(loss, epoch_end=False)
    algorithm.settle()
    assert algorithm.plan(SHAPE, 0.1) == before
    assert algorithm.state() == {}
    assert algorithm.notes() == []
    algorithm.restore({})


def test_plan_of_digital_sgd():
    algorithm = make("digital_sgd")
    assert algorithm.significances == ()
    assert algorithm.plan(SHAPE, 0.3)[2:] == (DigitalUpdate(rate=0.3),)
    assert algorithm.storage(8) == StorageNeeds(matrices=1, stored_samples=8)


def test_plan_of_analog_sgd():
    algorithm = make("analog_sgd", weight_scale=0.5)
    assert algorithm.significances == (0.5,)
    assert algorithm.plan(SHAPE, 0.3)[2:] == (Update(target=0, rate=0.3),)
    assert algorithm.storage(8) == StorageNeeds()


def test_plan_of_tiki_taka_v2():
    algorithm = make("tiki_taka_v2", fast_rate=0.2, transfer_rate=3.0, transfer_every=4, transfer_columns=5)
    # Tile 1 is fast and hidden from reads, tile 0 carries the weight.
    assert algorithm.significances == (1.0, 0.0)
    update, transfer = algorithm.plan(SHAPE, 0.5)[2:]
    assert update == Update(target=1, rate=0.2)
    assert transfer == BufferedTransfer(
        source=1, target=0, rate=3.0 * 0.5, columns=5, threshold=1.0, momentum=0.1, forget=True, every=4
    )
    assert algorithm.storage(8) == StorageNeeds(matrices=1)


def test_plan_of_mixed_precision():
    algorithm = make("mixed_precision", write_every=3)
    assert algorithm.significances == (1.0,)
    assert algorithm.plan(SHAPE, 0.5)[2:] == (Accumulate(rate=0.5), WriteBuffer(target=0, every=3))
    assert algorithm.storage(8) == StorageNeeds(matrices=1, stored_samples=8)


def test_plan_of_tiki_taka_v1():
    algorithm = make("tiki_taka_v1", gamma=0.4, weight_scale=0.5, fast_rate=0.2, transfer_rate=3.0, transfer_every=4)
    assert algorithm.significances == (0.5, 0.2)
    assert make("tiki_taka_v1").significances == (1.0, 0.0)
    assert algorithm.plan(SHAPE, 0.5)[2:] == (
        Update(target=1, rate=0.2),
        Transfer(source=1, target=0, rate=1.5, columns=1, every=4),
    )
    assert algorithm.storage(8) == StorageNeeds()


def test_plan_of_chopped_tiki_taka_v2():
    algorithm = make("chopped_tiki_taka_v2", fast_rate=0.2, transfer_rate=3.0, chop_probability=0.2, momentum=0.5)
    assert algorithm.significances == (1.0, 0.0)
    update, transfer = algorithm.plan(SHAPE, 0.5)[2:]
    assert update == ChoppedUpdate(target=1, rate=0.2, auto_scale=False)
    assert transfer == ChoppedTransfer(
        source=1, target=0, rate=1.5, columns=1, momentum=0.5, forget=True, probability=0.2, random=True,
        output_probability=0.0,
    )  # fmt: skip
    assert algorithm.storage(8) == StorageNeeds(matrices=1)


def test_plan_of_agad():
    algorithm = make("agad", fast_rate=0.2, auto_scale=True, transfer_rate=3.0, tail_weight=2.0)
    assert algorithm.significances == (1.0, 0.0)
    update, transfer = algorithm.plan(SHAPE, 0.5)[2:]
    assert update == ChoppedUpdate(target=1, rate=0.2, auto_scale=True)
    assert transfer == ReferencedTransfer(
        source=1, target=0, rate=1.5, columns=1, momentum=0.0, forget=True, probability=0.1, random=False,
        tail_weight=2.0,
    )  # fmt: skip
    # Buffer, running mean and reference (Rasch et al. 2024, Table 1: 3 N^2).
    assert algorithm.storage(8) == StorageNeeds(matrices=3)


def test_plan_of_residual_learning_v2():
    algorithm = make("residual_learning_v2", gamma=0.4, weight_scale=0.5, fast_rate=0.2, threshold=2.0)
    assert algorithm.significances == (0.5, 0.2)
    assert algorithm.plan(SHAPE, 0.5)[2:] == (
        Update(target=1, rate=0.2),
        LeakyTransfer(source=1, target=0, rate=0.1, columns=1, threshold=2.0),
    )
    assert algorithm.storage(8) == StorageNeeds(matrices=1)


def test_plan_of_e_rider():
    algorithm = make("e_rider", gamma=0.4, weight_scale=0.5, fast_rate=0.2, transfer_columns=3)
    assert algorithm.significances == (0.5, 0.2, -0.2)
    assert algorithm.plan(SHAPE, 0.5)[2:] == (
        SignedUpdate(target=1, rate=0.2),
        TrackedTransfer(source=1, target=0, rate=0.05, share=0.05, columns=3),
        Retrack(probability=0.05),
    )
    assert algorithm.storage(8) == StorageNeeds(matrices=1)


@pytest.mark.parametrize("name", ["tiki_taka_v1", "tiki_taka_v2", "residual_learning_v2"])
def test_the_residual_tile_has_a_reference_array_where_it_is_zero_shifted(name):
    assert make(name).references == ()
    assert make(name).zero_symmetric_tiles == (1,)
    shifted = make(name, zero_shift_pulses=50)
    assert (shifted.references, shifted.zero_shift_pulses) == ((1,), 50)


def test_every_step_describes_itself():
    for name in ALGORITHMS:
        words = [step.describe() for step in make(name).plan(SHAPE, 0.1)]
        assert words[:2] == ["forward", "backward"]
        assert all(word and "\n" not in word for word in words)
        assert len(set(words)) == len(words)


WITH_COLUMNS = [name for name, kind in ALGORITHMS.items() if "transfer_columns" in kind.parameters_type.model_fields]


@pytest.mark.parametrize("name", WITH_COLUMNS)
def test_a_transfer_has_at_most_as_many_columns_as_the_fan_in(name):
    algorithm = residual(2, transfer_columns=50) if name == "residual_learning" else make(name, transfer_columns=50)
    for inputs, columns in ((1, 1), (20, 20), (50, 50), (51, 50)):
        plan = algorithm.plan(MatrixShape("dense", 10, inputs), 0.1)
        assert [step.columns for step in plan if isinstance(step, ColumnTransfer)] == [columns]


# Residual learning: the rules.


def test_tile_zero_is_the_coarsest_and_the_last_takes_the_gradient_alone():
    algorithm = residual(5, gamma=0.5, weight_scale=2.0)
    assert algorithm.significances == (2.0, 1.0, 0.5, 0.25, 0.125)
    updates = [step for step in algorithm.plan(SHAPE, 0.05) if isinstance(step, Update)]
    assert updates == [Update(target=4, rate=1.0)]


def test_every_tile_is_written_by_the_next_finer_one_from_fine_to_coarse():
    steps = transfers(residual(5))
    assert [(step.source, step.target) for step in steps] == [(4, 3), (3, 2), (2, 1), (1, 0)]


def test_periods_of_the_paper_are_absolute_and_grow_toward_the_coarse_tiles():
    # Finest first: 2·5ᵏ mini-batches.
    assert [step.every for step in transfers(residual(7))] == [2, 10, 50, 250, 1250, 6250]


def test_rates_of_the_paper_belong_to_the_source_and_are_largest_for_the_finest():
    # Source n has 0.1·1.2ⁿ.
    rates = {step.source: step.rate for step in transfers(residual(6))}
    assert rates == pytest.approx({n: 0.1 * 1.2**n for n in range(1, 6)}, rel=1e-12, abs=0)
    assert max(rates, key=rates.get) == 5


def test_one_column_per_event():
    assert [step.columns for step in transfers(residual(6))] == [1] * 5


def test_rates_do_not_follow_the_learning_rate():
    algorithm = residual(4)
    assert algorithm.plan(SHAPE, 0.05) == algorithm.plan(SHAPE, 5.0)
    assert next(step for step in algorithm.plan(SHAPE, 0.05) if isinstance(step, Update)).rate == 1.0


def test_a_single_tile_learns_without_transfers():
    algorithm = residual(1)
    assert algorithm.plan(SHAPE, 0.05) == (Forward(), Backward(), Update(target=0, rate=1.0))
    assert algorithm.significances == (1.0,)
    warmed = residual(1, warm_start="epoch")
    assert not warmed.observe(1.0, epoch_end=True)
    assert not warmed.observe(2.0, epoch_end=True)


def test_no_digital_matrix_is_kept():
    assert residual(8).storage(128) == StorageNeeds()


def test_local_counters_of_figure_9():
    # All T = 2: at step t, from 0, the tiles after the finest have counted (t + 1) // 2, // 4 and // 8 transfers.
    steps = transfers(residual(4, transfer_period=2, transfer_period_ratio=2))
    done = Counter()
    rows = {}
    for mini_batch in range(1, 9):
        done.update(step.target for step in steps if mini_batch % step.every == 0)
        rows[mini_batch - 1] = (mini_batch - 1, *(done[tile] for tile in (2, 1, 0)))
    assert rows == {
        0: (0, 0, 0, 0),
        1: (1, 1, 0, 0),
        2: (2, 1, 0, 0),
        3: (3, 2, 1, 0),
        4: (4, 2, 1, 0),
        5: (5, 3, 1, 0),
        6: (6, 3, 1, 0),
        7: (7, 4, 2, 1),
    }


def point_of(tiles, **parameters):
    (point,) = make_study(
        {
            "schema": 1,
            "data": {"name": "digits", "train_samples": 8, "test_samples": 2},
            "network": {"name": "mlp", "sizes": [64, 4, 10]},
            "device": {"w_max_dtod": 0.0, "w_min_dtod": 0.0},
            "hardware": {"ideal_io": True},
            "algorithm": {"name": "residual_learning", "setting": "paper", "tiles": tiles} | parameters,
        }
    ).points
    return point


def test_only_the_coarsest_tile_gets_initial_weights():
    from cosim.experiment import WEIGHT_STREAM, make_network
    from cosim.network import initial_weights
    from cosim.pricing import make_scheduler

    point = point_of(4, weight_scale=0.5)
    network = make_network(point, make_scheduler(point))
    for place, layer in enumerate(network.layers):
        wanted, _ = initial_weights(point.layers[place], seed=point.seed, stream=WEIGHT_STREAM + place)
        coarsest, *others = layer.matrix.tiles
        np.testing.assert_allclose(coarsest.weights, wanted / 0.5, rtol=1e-6)
        assert not any(tile.weights.any() for tile in others)
        np.testing.assert_allclose(layer.matrix.weights, wanted, rtol=1e-6)


def test_a_transfer_leaves_its_source_as_it_was_and_goes_on_with_the_next_column():
    from cosim.experiment import make_network
    from cosim.pricing import make_scheduler

    point = point_of(3)
    group = make_network(point, make_scheduler(point)).layers[1].matrix
    generator = np.random.Generator(np.random.PCG64(5))
    content = generator.uniform(-0.9, 0.9, group.shape)
    group.tiles[2].set_weights(content)
    group.recombine()
    step = residual(3, transfer_rate=5.0).transfer(2, 1, MatrixShape("dense2", *group.shape))
    for column in range(group.shape[1] + 1):
        before = group.tiles[1].weights.copy()
        step.perform(SimpleNamespace(matrix=group))
        np.testing.assert_array_equal(group.tiles[2].weights, content.astype(np.float32))
        changed = np.flatnonzero((group.tiles[1].weights != before).any(axis=0))
        assert changed.tolist() == [column % group.shape[1]]
    # What arrives has the sign of what was read: the target follows its source.
    agreement = np.sign(group.tiles[1].weights) == np.sign(content)
    assert agreement[group.tiles[1].weights != 0].mean() > 0.9


# Warm start.


def plateau(losses, switches):
    return loss_plateau([float(value) for value in losses], switches)


@pytest.mark.parametrize("switches", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([], False),
        ([1], False),
        ([2, 1], False),
        ([1, 1], False),
        ([1, 2], True),
        ([3, 1, 2], True),
        ([1, 5, 4], False),  # an earlier rise is forgotten
    ],
)
def test_at_first_any_rise_of_the_loss_is_a_plateau(losses, expected, switches):
    assert plateau(losses, switches) is expected


@pytest.mark.parametrize("switches", [4, 5, 30])
@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([1, 2, 3, 4, 5], False),  # six entries are needed
        ([6, 5, 4, 3, 2, 1], False),
        ([6, 5, 4, 3, 2, 3], False),  # one rise in five changes
        ([6, 5, 6, 3, 2, 3], True),  # two rises
        ([6, 5, 6, 3, 4, 3], True),  # the last change need not be one of them
        ([1, 1, 1, 1, 1, 1], False),
        ([1, 2, 3, 2, 1.5, 1.2, 1.1, 1], False),  # rises further back do not count
        ([9, 1, 2, 1.5, 1.2, 1.1, 1.3], True),
    ],
)
def test_later_two_rises_among_five_changes_are_a_plateau(losses, expected, switches):
    assert plateau(losses, switches) is expected


def test_a_warm_start_feeds_one_tile_after_the_other_from_the_finest():
    algorithm = residual(4, warm_start="epoch")
    for warmed in range(3):
        # Rate and period are those of the finest tile, whichever tile is warmed.
        assert transfers(algorithm) == [Transfer(source=3, target=warmed, rate=0.1 * 1.2**3, columns=1, every=2)]
        assert [step.target for step in algorithm.plan(SHAPE, 0.1) if isinstance(step, Update)] == [3]
        assert not algorithm.observe(10.0 - warmed, epoch_end=True)
        assert algorithm.observe(11.0 - warmed, epoch_end=True)
    assert transfers(algorithm) == transfers(residual(4))
    assert not algorithm.observe(99.0, epoch_end=True)


def test_a_long_warm_start_is_aggressive_for_four_tiles_and_mild_for_the_others():
    algorithm = residual(7, warm_start="epoch")
    switches = []
    # A saw-tooth: the loss rises after every second epoch.
    for epoch in range(40):
        if algorithm.observe(100.0 - epoch + 3 * (epoch % 2), epoch_end=True):
            switches.append(epoch)
    assert switches[:4] == [1, 3, 5, 7]
    # Two rises among five changes are already seen, so the mild rule fires at once here.
    assert switches[4:] == [8, 9]
    assert algorithm.warmed == algorithm.finest == 6


def test_the_mild_rule_waits_while_one_rise_stands_alone():
    algorithm = residual(6, warm_start="epoch")
    algorithm.warmed = 4
    losses = [9.0, 8.0, 7.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.0, 3.0, 2.5, 2.6]
    seen = [algorithm.observe(loss, epoch_end=True) for loss in losses]
    assert seen == [False] * 11 + [True]


@pytest.mark.parametrize(("rule", "epoch_end"), [("epoch", True), ("mini_batch", False)])
def test_a_warm_start_looks_at_the_losses_that_it_was_told_to(rule, epoch_end):
    algorithm = residual(3, warm_start=rule)
    for loss in (1.0, 2.0, 3.0):
        assert not algorithm.observe(loss, epoch_end=not epoch_end)
    assert not algorithm.observe(1.0, epoch_end=epoch_end)
    assert algorithm.observe(2.0, epoch_end=epoch_end)
    assert algorithm.warmed == 1


def test_without_warm_start_the_loss_changes_nothing():
    algorithm = residual(3)
    assert not any(algorithm.observe(loss, epoch_end=end) for loss in (1.0, 2.0, 3.0) for end in (True, False))
    assert transfers(algorithm) == transfers(residual(3))
    assert algorithm.notes() == []


def test_settling_goes_to_the_cascade_and_a_note_says_so():
    algorithm = residual(4, warm_start="epoch")
    (note,) = algorithm.notes()
    assert "the cascade is priced from the start" in note
    algorithm.settle()
    assert transfers(algorithm) == transfers(residual(4))


@pytest.mark.parametrize("observed", [[], [3.0], [3.0, 4.0], [3.0, 4.0, 5.0, 1.0]])
def test_a_warm_start_goes_on_from_its_state(observed):
    one, other = residual(6, warm_start="epoch"), residual(6, warm_start="epoch")
    for loss in observed:
        one.observe(loss, epoch_end=True)
    other.restore(one.state())
    assert (other.warmed, other.losses) == (one.warmed, one.losses)
    assert other.plan(SHAPE, 0.1) == one.plan(SHAPE, 0.1)
    for loss in (2.0, 6.0, 5.0, 7.0):
        assert one.observe(loss, epoch_end=True) == other.observe(loss, epoch_end=True)
    assert one.plan(SHAPE, 0.1) == other.plan(SHAPE, 0.1)
    assert one.state().keys() == other.state().keys()
    assert all(np.array_equal(one.state()[key], other.state()[key]) for key in one.state())


# Parameters and settings.

LENET5 = ("mnist", "lenet5", 512)  # data, network, fan-in of its widest layer


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("tiles", range(1, 33))
def test_a_setting_fills_every_parameter_for_any_number_of_tiles(setting, tiles):
    parameters = ResidualLearningParameters(setting=setting, tiles=tiles)
    filled = SETTINGS[setting](tiles, {}, SettingBasis())
    assert {key: getattr(parameters, key) for key in filled} == filled
    # Transfers are set in one of two ways, completely.
    ways = ("column_rate", "column_rate_ratio", "loop_gain"), tuple(TRANSFER_DEFAULTS)
    given = [{getattr(parameters, key) is not None for key in way} for way in ways]
    assert given in ([{True}, {False}], [{False}, {True}])
    assert all(
        getattr(parameters, key) is not None
        for key in ResidualLearningParameters.model_fields
        if key not in sum(ways, ())
    )
    assert len(make("residual_learning", setting=setting, tiles=tiles).significances) == tiles


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gamma", 0.31),
        ("weight_scale", 0.77),
        ("fast_rate", 0.123),
        ("transfer_rate", 0.0),
        ("transfer_rate_ratio", 1.5),
        ("transfer_period", 11),
        ("transfer_period_ratio", 1),
        ("transfer_columns", 9),
        ("warm_start", "mini_batch"),
        ("cooling", 0.5),
    ],
)
def test_a_given_key_wins_over_its_setting(setting, key, value):
    parameters = ResidualLearningParameters(setting=setting, tiles=6, **{key: value})
    assert getattr(parameters, key) == value
    defaults = TRANSFER_DEFAULTS if key in TRANSFER_DEFAULTS else {}
    others = {**defaults, **SETTINGS[setting](6, {key: value}, SettingBasis()), key: value}
    assert {name: getattr(parameters, name) for name in others} == others


@pytest.mark.parametrize("tiles", [1, 2, 3, 4, 5, 8, 12])
@pytest.mark.parametrize("given", [{}, {"gamma": 0.2}, {"weight_scale": 2.0}, {"gamma": 0.9, "weight_scale": 0.1}])
def test_the_balanced_setting_keeps_the_finest_step_in_the_composite_weight(tiles, given):
    algorithm = make("residual_learning", setting="balanced", tiles=tiles, **given)
    assert algorithm.parameters.fast_rate * algorithm.significances[-1] == pytest.approx(
        GRADIENT_STEP, rel=1e-12, abs=0
    )


@pytest.mark.parametrize("tiles", range(2, 13))
def test_the_balanced_setting_brings_the_finest_tile_to_its_significance_within_the_limits_of_gamma(tiles):
    algorithm = make("residual_learning", tiles=tiles)
    gamma, finest = algorithm.parameters.gamma, algorithm.significances[-1]
    assert GAMMA_MIN <= gamma <= GAMMA_MAX
    if gamma == GAMMA_MIN:
        assert finest > FINEST
    elif gamma == GAMMA_MAX:
        assert finest <= FINEST
    else:
        assert finest == pytest.approx(FINEST, rel=1e-12)


@pytest.mark.parametrize("tiles", [1, 2, 4, 5, 9])
@pytest.mark.parametrize("states", [2, 4, 7, 10, 16, 1000])
@pytest.mark.parametrize(("data", "network", "inputs"), [("digits", "mlp", 64), LENET5, ("mnist", "mlp", 784)])
def test_the_coarsest_tile_adds_no_more_noise_to_a_sum_than_in_lenet5_at_ten_states(
    tiles, states, data, network, inputs
):
    def resolved(data, network, inputs, states, **given):
        (point,) = make_study(
            {
                "schema": 1,
                "data": {"name": data},
                "network": {"name": network},
                "device": {"states": states},
                "algorithm": {"name": "residual_learning", "tiles": tiles, **given},
            }
        ).points
        scale = point.resolved["algorithm"]["weight_scale"]
        return point.resolved, scale, scale * noise_spread(point.device) * np.sqrt(inputs)

    _, usual, limit = resolved(*LENET5, 10)
    tree, scale, noise = resolved(data, network, inputs, states)
    assert noise <= limit * (1 + 1e-12)
    assert scale <= usual
    assert scale == usual or noise == pytest.approx(limit, rel=1e-12)
    assert resolved(data, network, inputs, states, weight_scale=0.3)[1] == 0.3
    # What is resolved stays what it is on another device.
    (other,) = make_study(tree | {"device": {"states": 5}}).points
    assert other.resolved["algorithm"] == tree["algorithm"]


@pytest.mark.parametrize("tiles", range(3, 33))
def test_the_balanced_setting_slows_its_coarsest_transfer_no_further_with_more_tiles(tiles):
    shares = [moved(step) for step in transfers(gained(0.01, tiles=tiles, column_rate=None, column_rate_ratio=None))]
    ratios = [finer / coarser for finer, coarser in pairwise(shares)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=1e-9)
    assert HOP_RATIO_MIN * (1 - 1e-9) <= ratios[0] <= 6 * (1 + 1e-9)
    if tiles <= 6:
        assert ratios[0] == pytest.approx(6, rel=1e-9)
    elif ratios[0] > HOP_RATIO_MIN * (1 + 1e-9):
        assert shares[0] / shares[-1] == pytest.approx(6**4, rel=1e-9)


@pytest.mark.parametrize(
    ("samples", "epochs", "batch", "cooling"),
    [
        (240, 2, 8, COOLING),  # 60 mini-batches
        (1000, 100, 8, COOLING),  # as many as the setting was made for
        (1000, 400, 8, COOLING / 2),
        (1000, 400, 32, COOLING / np.sqrt(400 * 32 / 12_500)),  # the last mini-batch of an epoch is not full
    ],
)
def test_the_balanced_setting_cools_longer_trainings_further(samples, epochs, batch, cooling):
    tree = {
        "schema": 1,
        "data": {"name": "digits", "train_samples": samples},
        "training": {"epochs": epochs, "batch_size": batch},
        "algorithm": {"name": "residual_learning", "tiles": 3},
    }
    (point,) = make_study(tree).points
    assert point.resolved["algorithm"]["cooling"] == pytest.approx(cooling, rel=1e-12)
    assert make_study(tree | {"algorithm": tree["algorithm"] | {"cooling": 0.7}}).points[0].resolved["algorithm"][
        "cooling"
    ] == pytest.approx(0.7)
    # What is resolved stays what it is in a study of another length.
    longer = point.resolved | {"training": point.resolved["training"] | {"epochs": 999}}
    assert make_study(longer).points[0].resolved["algorithm"] == point.resolved["algorithm"]


def test_trainings_of_different_length_are_cooled_each_by_its_own():
    tree = {
        "schema": 1,
        "data": {"name": "digits"},
        "algorithm": {"name": "residual_learning"},
        "sweep": {"training.epochs": [10, 1000]},
    }
    study = make_study(tree)
    first, second = (point.resolved["algorithm"]["cooling"] for point in study.points)
    assert second < first == COOLING
    again = make_study(study.resolved)
    assert [point.run_id for point in again.points] == [point.run_id for point in study.points]


@pytest.mark.parametrize("share", [1e-4, 0.003, 0.02, 0.5])
@pytest.mark.parametrize("inputs", [1, 9, 64, 785])
@pytest.mark.parametrize("most", [0.01, 0.2, 1.0])
def test_columns_and_periods_of_a_column_rate_take_over_that_share_per_mini_batch(share, inputs, most):
    columns, every, rate = visits(share, inputs, most)
    assert rate * columns / (inputs * every) == pytest.approx(share, rel=1e-12)
    assert 1 <= columns <= inputs
    assert every >= 1
    assert columns == 1 or every == 1
    # As near to the largest rate as whole numbers and powers of two allow, unless every column moves each time.
    assert rate <= most * (1 + 1e-9) or columns == inputs
    assert rate > most / 2 * (1 - 1e-9) or (columns, every) == (1, 1)
    assert every & (every - 1) == 0


def test_transfers_cannot_be_given_both_ways():
    message = complaint(column_rate=0.1, transfer_rate=0.2)
    assert "algorithm: column_rate is given together with transfer_rate" in message
    assert "Value error" not in message


def complaint(**algorithm):
    with pytest.raises(ConfigError) as caught:
        make_study({"schema": 1, "algorithm": {"name": "residual_learning"} | algorithm})
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"gamma": 1.0}, "study: algorithm.gamma = 1.0 is not allowed; it must be less than 1"),
        ({"gamma": 2.0}, "study: algorithm.gamma = 2.0 is not allowed; it must be less than 1"),
        ({"gamma": 0.0}, "study: algorithm.gamma = 0.0 is not allowed; it must be greater than 0"),
        ({"tiles": 0}, "study: algorithm.tiles = 0 is not allowed; it must be greater than or equal to 1"),
        ({"tiles": 33}, "study: algorithm.tiles = 33 is not allowed; it must be less than or equal to 32"),
        ({"tiles": 2.5}, "study: algorithm.tiles = 2.5 is not allowed; it must be a valid integer"),
        ({"tiles": "four"}, "study: algorithm.tiles = 'four' is not allowed; it must be a valid integer"),
        (
            {"fast_rate": -0.1},
            "study: algorithm.fast_rate = -0.1 is not allowed; it must be greater than or equal to 0",
        ),
        (
            {"transfer_rate": -1.0},
            "study: algorithm.transfer_rate = -1.0 is not allowed; it must be greater than or equal to 0",
        ),
        (
            {"transfer_rate_ratio": 0.0},
            "study: algorithm.transfer_rate_ratio = 0.0 is not allowed; it must be greater than 0",
        ),
        (
            {"transfer_period": 0},
            "study: algorithm.transfer_period = 0 is not allowed; it must be greater than or equal to 1",
        ),
        ({"setting": "papper"}, "study: algorithm.setting = 'papper' is not allowed; it must be 'balanced' or 'paper'"),
        (
            {"warm_start": "on"},
            "study: algorithm.warm_start = 'on' is not allowed; "
            "it must be 'off', 'phases', 'plateau', 'epoch' or 'mini_batch'",
        ),
    ],
)
def test_a_parameter_outside_its_range_is_refused_with_what_is_allowed(given, expected):
    assert complaint(**given) == expected or complaint(**given).startswith(f"{expected},")


def test_every_wrong_parameter_is_named():
    message = complaint(gamma=1.5, transfer_columns=0)
    assert "algorithm.gamma = 1.5" in message
    assert "algorithm.transfer_columns = 0" in message


def test_an_unknown_parameter_names_the_nearest():
    message = complaint(tile=3)
    assert message.startswith("study: key 'algorithm.tile' is unknown; nearest: 'tiles'; known keys of algorithm: ")


def test_an_unknown_algorithm_names_the_nearest_and_all():
    message = complaint(name="residual_lerning")
    assert "algorithm.name = 'residual_lerning' is unknown; nearest: 'residual_learning'; known: " in message
    assert all(name in message for name in ALGORITHMS)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("key", ["gamma", "weight_scale", "fast_rate", "transfer_rate", "transfer_rate_ratio"])
def test_a_parameter_that_is_not_finite_is_refused(key, value):
    assert f"algorithm.{key} = {value} is not allowed" in complaint(**{key: value})


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("analog_sgd", {"weight_scale": 0.0}, "algorithm.weight_scale = 0.0 is not allowed; it must be greater than 0"),
        ("tiki_taka_v2", {"transfer_every": 0}, "algorithm.transfer_every = 0 is not allowed"),
        ("tiki_taka_v2", {"transfer_columns": 0}, "algorithm.transfer_columns = 0 is not allowed"),
        ("tiki_taka_v2", {"fast_rate": -1.0}, "algorithm.fast_rate = -1.0 is not allowed"),
        ("tiki_taka_v2", {"threshold": 0.0}, "algorithm.threshold = 0.0 is not allowed"),
        ("tiki_taka_v2", {"momentum": 1.1}, "algorithm.momentum = 1.1 is not allowed"),
        ("tiki_taka_v1", {"gamma": 1.0}, "algorithm.gamma = 1.0 is not allowed"),
        ("tiki_taka_v1", {"zero_shift_pulses": -1}, "algorithm.zero_shift_pulses = -1 is not allowed"),
        ("chopped_tiki_taka_v2", {"chop_probability": 1.1}, "algorithm.chop_probability = 1.1 is not allowed"),
        ("chopped_tiki_taka_v2", {"auto_scale": 1}, "algorithm.auto_scale = 1 is not allowed"),
        ("agad", {"chop_probability": 0.0}, "algorithm.chop_probability = 0.0 is not allowed"),
        ("agad", {"tail_weight": 0.0}, "algorithm.tail_weight = 0.0 is not allowed"),
        ("residual_learning_v2", {"transfer_rate": 0.0}, "algorithm.transfer_rate = 0.0 is not allowed"),
        ("e_rider", {"gamma": 0.0}, "algorithm.gamma = 0.0 is not allowed"),
        ("e_rider", {"tracking_share": 1.5}, "algorithm.tracking_share = 1.5 is not allowed"),
        ("mixed_precision", {"write_every": 0}, "algorithm.write_every = 0 is not allowed"),
        ("digital_sgd", {"tiles": 2}, "key 'algorithm.tiles' is unknown"),
        ("analog_sgd", {"gamma": 0.5}, "key 'algorithm.gamma' is unknown"),
    ],
)
def test_parameters_of_the_other_algorithms_are_checked_too(name, given, expected):
    assert expected in complaint(name=name, **given)


# Warm starts of fixed length and by the averaged loss.


def pairs(algorithm):
    return [(step.source, step.target) for step in transfers(algorithm)]


@pytest.mark.parametrize("rule", ["phases", "plateau"])
def test_these_warm_starts_feed_the_tiles_from_the_coarsest_and_keep_the_finest_pair_at_work(rule):
    algorithm = residual(5, warm_start=rule, warm_start_mini_batches=3)
    seen = []
    for _ in range(200):
        if not seen or seen[-1] != pairs(algorithm):
            seen.append(pairs(algorithm))
        algorithm.observe(1.0, epoch_end=False)
    # The last phase feeds the neighbour of the finest tile: that pair alone; then the cascade.
    assert seen == [
        [(4, 0), (4, 3)],
        [(4, 1), (4, 3)],
        [(4, 2), (4, 3)],
        [(4, 3)],
        [(4, 3), (3, 2), (2, 1), (1, 0)],
    ]


def test_phases_have_their_length_whatever_the_loss():
    algorithm = residual(4, warm_start="phases", warm_start_mini_batches=7)
    ended = [number for number in range(1, 60) if algorithm.observe(100.0 - number, epoch_end=False)]
    assert ended == [7, 14, 21]
    assert pairs(algorithm) == pairs(residual(4))


@pytest.mark.parametrize("rule", ["phases", "plateau"])
def test_these_warm_starts_count_mini_batches_and_not_epochs(rule):
    algorithm = residual(3, warm_start=rule, warm_start_mini_batches=2)
    assert not any(algorithm.observe(1.0, epoch_end=True) for _ in range(50))
    assert algorithm.warmed == 0


def test_a_plateau_waits_while_the_averaged_loss_falls():
    algorithm = residual(3, warm_start="plateau", warm_start_mini_batches=4)
    # Every second loss rises, but each window of four is lower than the one before, until the fifth.
    losses = [10.0 - 2 * min(number // 4, 3) + (-1) ** number for number in range(20)]
    assert [number for number, loss in enumerate(losses, 1) if algorithm.observe(loss, epoch_end=False)] == [20]
    assert (algorithm.warmed, algorithm.losses) == (1, [])


@pytest.mark.parametrize(
    ("losses", "window", "expected"),
    [
        ([], 1, False),
        ([1], 1, False),
        ([1, 1], 1, True),  # not below
        ([2, 1], 1, False),
        ([1, 2], 1, True),
        ([5, 1, 2, 4], 2, True),
        ([5, 1, 2, 3.9], 2, False),
        ([9, 9, 5, 1, 2, 4], 2, True),  # windows further back do not count
        ([5, 1, 2, 4, 9], 2, False),  # looked at after whole windows
    ],
)
def test_a_plateau_compares_the_last_two_windows(losses, window, expected):
    assert averaged_plateau(losses, window) is expected


@pytest.mark.parametrize("rule", ["phases", "plateau"])
@pytest.mark.parametrize("observed", [0, 1, 4, 5, 9, 11])
def test_these_warm_starts_go_on_from_their_state(rule, observed):
    losses = np.random.Generator(np.random.Philox(key=[11, 0])).random(60).tolist()
    one, other = (residual(5, warm_start=rule, warm_start_mini_batches=5) for _ in range(2))
    for loss in losses[:observed]:
        one.observe(loss, epoch_end=False)
    other.restore(one.state())
    assert [one.observe(loss, epoch_end=False) for loss in losses] == [
        other.observe(loss, epoch_end=False) for loss in losses
    ]
    assert (one.warmed, one.losses, one.plan(SHAPE, 0.1)) == (other.warmed, other.losses, other.plan(SHAPE, 0.1))


# Cooling.


@pytest.mark.parametrize("given", [{"column_rate": 0.1}, {"transfer_rate": 0.3}])
@pytest.mark.parametrize(("progress", "left"), [(0.0, 1.0), (0.5, 0.2), (1.0, 0.04)])
def test_transfers_cool_down_geometrically_and_the_gradient_does_not(given, progress, left):
    cooled, constant = (make("residual_learning", tiles=4, cooling=cooling, **given) for cooling in (0.04, 1.0))
    cooled.progress = constant.progress = progress
    assert cooled.changes_with_progress
    assert constant.changes_with_progress == ("column_rate" in given)  # whose loop gain follows the pulses
    for found, whole in zip(transfers(cooled), transfers(constant), strict=True):
        assert moved(found) == pytest.approx(left * moved(whole), rel=1e-12)
        assert found.columns / found.every <= whole.columns / whole.every
        if "transfer_rate" in given:
            assert (found.columns, found.every) == (whole.columns, whole.every)
    assert cooled.plan(SHAPE, 0.1)[:3] == constant.plan(SHAPE, 0.1)[:3]


def moved(step):
    """Return the share of a column that a transfer moves per mini-batch."""
    return step.rate * step.columns / (SHAPE.inputs * step.every)


def cooling_study(**algorithm):
    return make_study(
        {
            "schema": 1,
            "data": {"name": "digits", "train_samples": 240, "test_samples": 20},
            "network": {"sizes": [64, 8, 10]},
            "training": {"epochs": 2, "batch_size": 8},
            "algorithm": {"name": "residual_learning", "tiles": 3, "column_rate": 0.2} | algorithm,
        }
    )


def test_cooled_transfers_are_priced_at_their_mean():
    from cosim.pricing import scheduled

    def columns(**given):
        log = scheduled(cooling_study(loop_gain=0, column_rate_ratio=1.0, **given).points[0]).activity
        return sum(done.times for (_, tile, _), done in log if tile == "2>1")

    mean = (1 - 0.01) / np.log(100)
    # Columns come one by one: the first layer has 64 of them.
    assert columns(cooling=0.01) == pytest.approx(mean * columns(cooling=1.0), rel=0.1)


# Loop gain.


def gained(pulses, *, device=TEN, **parameters):
    """Return an algorithm whose finest tile gets `pulses` per cross-point in each mini-batch."""
    given = {"tiles": 4, "column_rate": 0.02, "column_rate_ratio": 4.0, "cooling": 1.0, "loop_gain": 0.3}
    algorithm = make("residual_learning", **given | parameters)
    algorithm.prepare(device)
    for _ in range(3):
        algorithm.observe_pulses(SHAPE.name, pulses)
    return algorithm


@pytest.mark.parametrize("pulses", [1e-4, 3e-3, 0.1, 10.0])
@pytest.mark.parametrize("gain", [0.05, 0.3, 2.0])
def test_transfers_go_no_faster_than_the_loop_gain_over_the_memory_of_the_finest_tile(pulses, gain):
    memory = 1 / (0.2 * pulses)  # ten states between -1 and 1: each pulse forgets a fifth
    expected = min(gain / memory, 0.02)
    for hops, step in enumerate(transfers(gained(pulses, loop_gain=gain))):
        assert moved(step) == pytest.approx(expected / 4.0**hops, rel=1e-9)
        assert step.source == 3 - hops


def test_the_memory_is_that_of_the_device():
    forty = SoftBounds(dw_min=0.05)
    assert moved(transfers(gained(0.01, device=forty))[0]) == pytest.approx(0.3 * 0.05 * 0.01, rel=1e-9)
    # No pull, no memory to wait for.
    assert moved(transfers(gained(0.01, device=ConstantStep(dw_min=0.1)))[0]) == pytest.approx(0.02, rel=1e-9)


def test_each_layer_follows_its_own_pulses_and_waits_until_it_has_seen_some():
    algorithm = gained(0.01)
    other = MatrixShape("other", 10, 20)
    assert moved(transfers(algorithm, other)[0]) <= SHARE_MIN
    algorithm.observe_pulses("other", 1.0)
    assert moved(transfers(algorithm, other)[0]) == pytest.approx(0.02, rel=1e-9)
    assert moved(transfers(algorithm)[0]) == pytest.approx(0.3 * 0.2 * 0.01, rel=1e-9)


def test_a_layer_without_pulses_stops_its_transfers():
    assert moved(transfers(gained(0.0))[0]) <= SHARE_MIN


def test_pulses_are_averaged_over_all_mini_batches_and_then_over_a_window():
    algorithm = gained(0.0)
    seen = [0.0] * 3
    for value in np.random.Generator(np.random.Philox(key=[3, 0])).random(PULSE_WINDOW - 3):
        algorithm.observe_pulses(SHAPE.name, value)
        seen.append(value)
        assert algorithm.pulses[SHAPE.name] == pytest.approx(np.mean(seen), rel=1e-9)
    before = algorithm.pulses[SHAPE.name]
    for _ in range(PULSE_WINDOW):
        algorithm.observe_pulses(SHAPE.name, 0.0)
    assert algorithm.pulses[SHAPE.name] == pytest.approx(before * (1 - 1 / PULSE_WINDOW) ** PULSE_WINDOW, rel=1e-9)


@pytest.mark.parametrize("pulses", [0.0, 1e-4, 10.0])
def test_a_loop_gain_of_0_holds_no_transfer_back(pulses):
    algorithm = gained(pulses, loop_gain=0)
    assert [moved(step) for step in transfers(algorithm)] == pytest.approx([0.02, 0.005, 0.00125], rel=1e-9)
    assert moved(transfers(algorithm, MatrixShape("unseen", 10, 20))[0]) == pytest.approx(0.02, rel=1e-9)
    assert not algorithm.changes_with_progress


def test_updates_are_counted_where_the_loop_gain_asks_for_it_and_nowhere_else():
    def counted(**parameters):
        algorithm = make("residual_learning", tiles=3, **parameters)
        return [step.counted for step in algorithm.plan(SHAPE, 0.05) if isinstance(step, Update)]

    assert counted() == [True]
    assert counted(transfer_rate=0.1) == counted(setting="paper") == counted(loop_gain=0) == [False]


def test_a_count_takes_two_operations_per_slot():
    from cosim.pricing import make_scheduler

    floor = make_scheduler(cooling_study().points[0]).floorplans[0]
    activity = PulseActivity(8, 11, 30, 20, 60, 55)
    plain, counted = (Update(target=2, rate=1.0, counted=value).counts(floor, activity, 8) for value in (False, True))
    assert counted["digital_operations"] - plain["digital_operations"] == 22
    assert plain == counted | {"digital_operations": plain["digital_operations"]}


def test_the_pulses_seen_are_part_of_the_state():
    one, other = gained(0.013), gained(7.0)
    other.restore(one.state())
    for algorithm in (one, other):
        algorithm.observe_pulses(SHAPE.name, 0.5)
        algorithm.observe_pulses("later", 0.1)
    assert (one.pulses, one.counted, one.plan(SHAPE, 0.1)) == (other.pulses, other.counted, other.plan(SHAPE, 0.1))


def test_a_training_counts_the_pulses_of_its_finest_tile():
    from cosim.data import load_data
    from cosim.experiment import Training

    (point,) = cooling_study().points
    training = Training(point, load_data("digits", None, train_samples=240, test_samples=20, seed=1))
    training.epoch()
    algorithm, log = training.scheduler.algorithm, training.scheduler.activity
    for layer in training.network.layers:
        mean = log[(layer.name, "2", "update")].activity.coincidences / layer.spec.shape.cells / 30
        assert algorithm.pulses[layer.name] == pytest.approx(mean, rel=1e-9)
        assert algorithm.counted[layer.name] == 30


def test_pricing_holds_transfers_back_by_the_pulses_that_the_preset_assumes():
    from cosim.pricing import scheduled

    (point,) = cooling_study(cooling=1.0, column_rate=1.0, loop_gain=0.2).points
    first, second = (transfers_of(plan)[0] for plan in scheduled(point).plans)
    # 1.2 slots and 5 % of the lines, for 8 samples: 0.024 pulses per cross-point, of which each forgets a fifth.
    for step, inputs in ((first, 64), (second, 8)):
        share = step.rate * step.columns / (inputs * step.every)
        assert share == pytest.approx(0.2 * 0.2 * 1.2 * 0.05**2 * 8, rel=1e-9)


def test_a_loop_gain_without_a_column_rate_is_refused():
    assert "loop_gain lowers column_rate" in complaint(transfer_rate=0.1, loop_gain=0.2)
    assert make("residual_learning", transfer_rate=0.1, loop_gain=0).parameters.column_rate is None


def test_a_training_follows_its_own_progress():
    from cosim.data import load_data
    from cosim.experiment import Training

    (point,) = cooling_study(cooling=0.01).points
    training = Training(point, load_data("digits", None, train_samples=240, test_samples=20, seed=1))
    scheduler, found = training.scheduler, []
    plan = scheduler.algorithm.plan
    scheduler.algorithm.plan = lambda *arguments: (
        found.append((scheduler.mini_batches, scheduler.algorithm.progress)) or plan(*arguments)
    )
    for _ in range(2):
        training.epoch()
    # 60 mini-batches in all: at the start of each epoch and every 25th.
    assert sorted(set(found)) == [(0, 0.0), (25, 25 / 60), (30, 0.5), (50, 50 / 60)]


@pytest.mark.parametrize(
    "algorithm",
    [
        {"cooling": 0.01},
        {"cooling": 0.01, "warm_start": "phases", "warm_start_mini_batches": 17},
        {"cooling": 1.0, "warm_start": "plateau", "warm_start_mini_batches": 7},
    ],
)
def test_a_cooling_or_warming_training_goes_on_in_the_middle_to_the_same_bits(tmp_path, algorithm):
    from cosim.data import load_data
    from cosim.experiment import Training

    (point,) = cooling_study(**algorithm).points
    data = load_data("digits", None, train_samples=240, test_samples=20, seed=1)
    straight, first, second = (Training(point, data) for _ in range(3))
    for training in (straight, straight, first):
        training.epoch()
    first.save(tmp_path / "checkpoint.npz")
    assert second.load(tmp_path / "checkpoint.npz")
    second.epoch()
    expected, found = straight.network.state(), second.network.state()
    assert all(np.array_equal(found[key], value) for key, value in expected.items())
    assert second.tiles == straight.tiles
    assert second.scheduler.trace.to_frame().equals(straight.scheduler.trace.to_frame())
    assert second.scheduler.plans == straight.scheduler.plans
