"""One weight over several tiles: composite, converters, transfers, buffers, states."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.algorithms.tiki_taka_v2 import BufferedTransfer
from cosim.digital_matrix import DigitalMatrix
from cosim.periphery import Periphery
from cosim.plan import Transfer
from cosim.tile import PulsedUpdate, Tile
from cosim.tile_group import STREAMS_PER_GROUP, TileGroup
from device_models import load_device
from device_models.families import ConstantStep, LinearStep, SoftBounds
from tests.oracles import conversion, transfer_rules

WIDE = ConstantStep(dw_min=0.001, w_max=50.0, w_min=-50.0)
GAMMA = (1.0, 0.5, 0.25)


def draws(seed: int, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).normal(size=shape).astype(np.float32)


def group_of(shape=(5, 7), device=WIDE, **kwargs) -> TileGroup:
    """Return a group whose tiles hold different weights."""
    group = TileGroup(shape, device, **{"significances": GAMMA, "seed": 3} | kwargs)
    for place, tile in enumerate(group.tiles):
        tile.set_weights(0.3 * draws(place, *shape))
    group.recombine()
    return group


def composite_of(group: TileGroup) -> np.ndarray:
    return sum(s * tile.weights.astype(float) for s, tile in zip(group.significances, group.tiles, strict=True))


def transfer(group: TileGroup, source: int, target: int, *, columns: int, rate: float):
    return Transfer(source=source, target=target, columns=columns, rate=rate).perform(SimpleNamespace(matrix=group))


def buffered_transfer(group: TileGroup, source: int, target: int, *, forget: bool = True, **rule: float):
    step = BufferedTransfer(source=source, target=target, forget=forget, **rule)
    return step.perform(SimpleNamespace(matrix=group))


# Composite weight


def test_setting_weights_fills_the_first_tile_that_is_read():
    weights = 0.2 * draws(1, 4, 6)
    for significances, carrier in (((0.25, 0.5), 0), ((0.0, 2.0, 1.0), 1)):
        group = group_of((4, 6), significances=significances)
        group.set_weights(weights)
        np.testing.assert_allclose(group.weights, weights, rtol=1e-6)
        for place, tile in enumerate(group.tiles):
            expected = weights / significances[place] if place == carrier else np.zeros((4, 6))
            np.testing.assert_allclose(tile.weights, expected, rtol=1e-6)


def test_programming_clips_to_the_bounds_of_the_carrying_tile():
    group = TileGroup((10, 10), load_device("soft_bounds"), significances=(0.5, 0.25), seed=1)
    group.set_weights(np.full((10, 10), 3.0))
    np.testing.assert_allclose(group.weights, 0.5 * group.tiles[0].device_parameters["bound_max"], rtol=1e-6)


steps = st.lists(
    st.tuples(st.sampled_from(["update", "transfer", "buffered", "write"]), st.integers(0, 2), st.integers(0, 2)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(sequence=steps, seed=st.integers(0, 10**6), name=st.sampled_from(["soft_bounds", "constant_step"]))
def test_the_composite_follows_any_sequence_of_updates_and_transfers(sequence, seed, name):
    periphery = Periphery(dac_bits=7, adc_bits=8, noise_lsb=0.2, gain_mismatch=0.1)
    group = group_of((4, 5), load_device(name), seed=seed, periphery=periphery)
    for number, (step, one, other) in enumerate(sequence):
        match step:
            case "update":
                group.update(one, draws(number, 3, 5), draws(number + 99, 3, 4), 0.3)
            case "transfer":
                transfer(group, one, other, columns=2, rate=0.8)
            case "buffered":
                buffered_transfer(group, one, other, columns=3, rate=0.5, threshold=0.3, momentum=0.1)
            case "write":
                group.accumulate(draws(number, 3, 5), draws(number + 99, 3, 4), 0.3)
                group.write_buffer(one)
    np.testing.assert_allclose(group.weights, composite_of(group), atol=3e-6)
    for tile in group.tiles:
        bounds = tile.device_parameters
        assert np.all((tile.weights >= bounds["bound_min"]) & (tile.weights <= bounds["bound_max"]))
    group.recombine()
    np.testing.assert_allclose(group.weights, composite_of(group), rtol=1e-6, atol=1e-7)


def test_the_composite_is_a_read_only_view():
    group = group_of()
    with pytest.raises(ValueError, match="read-only"):
        group.weights[0, 0] = 1


def test_the_gain_of_each_tile_differs_as_configured():
    gains = []
    for seed in range(600):
        group = TileGroup((1, 1), WIDE, significances=GAMMA, seed=seed, periphery=Periphery(gain_mismatch=0.05))
        gains.append(np.array(group.significances) / GAMMA - 1)
    spread = np.array(gains)
    assert np.all(np.abs(spread.mean(axis=0)) < 4 * 0.05 / math.sqrt(600))
    np.testing.assert_allclose(spread.std(axis=0), 0.05, rtol=4 / math.sqrt(1200))
    assert np.abs(np.corrcoef(spread.T)[np.triu_indices(3, 1)]).max() < 4 / math.sqrt(600)
    assert TileGroup((1, 1), WIDE, significances=GAMMA).significances == GAMMA


def test_a_read_uses_the_gains_that_the_stage_really_has():
    for shared in (True, False):
        group = group_of(periphery=Periphery(gain_mismatch=0.2, shared_by_tiles=shared))
        assert np.all(np.abs(np.array(group.significances) / GAMMA - 1) > 1e-4)
        inputs = draws(9, 4, 7)
        np.testing.assert_allclose(group.forward(inputs), inputs @ composite_of(group).T, rtol=1e-4, atol=1e-5)


# Reads


@pytest.mark.parametrize("shared", [True, False])
def test_an_ideal_read_is_a_product_with_the_composite(shared):
    group = group_of(periphery=Periphery(shared_by_tiles=shared), array_rows=3, array_cols=2)
    inputs, errors = draws(4, 9, 7), draws(5, 9, 5)
    np.testing.assert_allclose(group.forward(inputs), inputs @ composite_of(group).T, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(group.backward(errors), errors @ composite_of(group), rtol=1e-5, atol=1e-5)
    assert group.forward(inputs).dtype == np.float32


@pytest.mark.parametrize(("rows", "cols"), [(100, 100), (3, 2), (7, 5)])
def test_shared_converters_quantise_the_sum_once_per_array(rows, cols):
    periphery = Periphery(dac_bits=7, adc_bits=6, full_scale=3.0)
    group = group_of(periphery=periphery, array_rows=rows, array_cols=cols)
    inputs, errors = draws(4, 9, 7), draws(5, 9, 5)
    forward = conversion.read(group.weights, inputs, 7, 6, 3.0, rows)
    backward = conversion.read(group.weights.T, errors, 7, 6, 3.0, cols)
    np.testing.assert_allclose(group.forward(inputs), forward, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(group.backward(errors), backward, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [100, 3])
def test_private_converters_quantise_every_tile_and_add_digitally(rows):
    periphery = Periphery(dac_bits=7, adc_bits=6, full_scale=3.0, shared_by_tiles=False)
    group = group_of(periphery=periphery, array_rows=rows)
    inputs = draws(4, 9, 7)
    pairs = zip(GAMMA, group.tiles, strict=True)
    expected = sum(conversion.read(np.float32(s) * tile.weights, inputs, 7, 6, 3.0, rows) for s, tile in pairs)
    result = group.forward(inputs)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
    shared = group_of(periphery=Periphery(dac_bits=7, adc_bits=6, full_scale=3.0), array_rows=rows)
    assert not np.allclose(result, shared.forward(inputs), atol=1e-3)


@pytest.mark.parametrize(("shared", "conversions"), [(True, 1), (False, 3)])
def test_noise_comes_once_per_converter(shared, conversions):
    periphery = Periphery(adc_bits=16, noise_lsb=40.0, shared_by_tiles=shared)
    group = TileGroup((50, 6), WIDE, significances=GAMMA, periphery=periphery)
    result = group.forward(np.ones((300, 6))) * periphery.adc_levels / periphery.full_scale
    assert result.std() == pytest.approx(40 * math.sqrt(conversions), rel=4 / math.sqrt(2 * result.size))


@pytest.mark.parametrize("shared", [True, False])
def test_tiles_without_significance_are_not_read(shared):
    group = group_of(significances=(0.5, 0.0), periphery=Periphery(adc_bits=12, shared_by_tiles=shared))
    inputs, before = draws(4, 9, 7), None
    assert group.carrier == 0
    for content in (0.1, 0.7):
        group.tiles[1].set_weights(np.full((5, 7), content))
        result = group.forward(inputs)
        assert before is None or np.array_equal(result, before)
        before = result


def test_a_group_of_one_tile_reads_like_the_tile():
    periphery = Periphery(dac_bits=6, adc_bits=7)
    weights, inputs, errors = 0.3 * draws(1, 5, 7), draws(2, 8, 7), draws(3, 8, 5)
    group, tile = TileGroup((5, 7), WIDE, periphery=periphery), Tile((5, 7), WIDE, periphery=periphery)
    group.set_weights(weights)
    tile.set_weights(weights)
    np.testing.assert_array_equal(group.forward(inputs), tile.forward(inputs))
    np.testing.assert_array_equal(group.backward(errors), tile.backward(errors))


# Updates and transfers


def test_an_update_touches_one_tile():
    group = group_of()
    before = [tile.weights.copy() for tile in group.tiles]
    activity = group.update(1, draws(6, 4, 7), draws(7, 4, 5), 0.1)
    moved = [not np.array_equal(tile.weights, old) for tile, old in zip(group.tiles, before, strict=True)]
    assert moved == [False, True, False]
    assert activity.vectors == 4
    np.testing.assert_allclose(group.weights, composite_of(group), atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 7, 9])
def test_transfers_take_the_columns_in_cyclic_order(count):
    group, pointer = group_of(), 0
    for _ in range(6):
        expected = transfer_rules.cyclic_columns(pointer, count, 7)
        assert group.next_columns(2, count).tolist() == expected
        pointer = (pointer + count) % 7
    # every source has a pointer of its own
    assert group.next_columns(1, 2).tolist() == [0, 1]


def test_a_transfer_moves_only_the_columns_it_reads_and_leaves_the_source():
    group = group_of()
    source, other = group.tiles[2].weights.copy(), group.tiles[0].weights.copy()
    for expected in ([0, 1, 2], [3, 4, 5], [0, 1, 6]):
        before = group.tiles[1].weights.copy()
        activity = transfer(group, 2, 1, columns=3, rate=0.5)
        changed = np.flatnonzero((group.tiles[1].weights != before).any(axis=0))
        assert changed.tolist() == expected
        assert activity.vectors == 3
    np.testing.assert_array_equal(group.tiles[2].weights, source)
    np.testing.assert_array_equal(group.tiles[0].weights, other)


def test_the_mean_change_of_a_transfer_is_rate_times_column():
    # Lemma 1 with x = 1: variance at most rate |w| dw_min; 4.5 sigma of the mean over 400 transfers per column.
    dw_min, rate, repeats = 0.05, 0.1, 400
    group = TileGroup((6, 3), ConstantStep(dw_min=dw_min, w_max=1e3, w_min=-1e3), significances=(1.0, 0.5), seed=2)
    column = 0.4 * draws(8, 6, 3)
    group.tiles[1].set_weights(column)
    group.recombine()
    for _ in range(repeats):
        transfer(group, 1, 0, columns=3, rate=rate)
    sigma = np.sqrt(rate * np.abs(column) * dw_min / repeats)
    assert np.all(np.abs(group.tiles[0].weights / repeats - rate * column) <= 4.5 * sigma)
    np.testing.assert_allclose(group.weights, composite_of(group), atol=1e-3)


def test_columns_are_read_through_the_converter():
    noiseless = Periphery(adc_bits=5, full_scale=2.0)
    group = group_of(periphery=noiseless)
    values = group.read_columns(2, np.array([4, 0]))
    weights = group.tiles[2].weights[:, [4, 0]].T
    expected = [[conversion.nearest_level(float(w), 2.0, 5) for w in column] for column in weights]
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)
    ideal = group_of()
    np.testing.assert_array_equal(ideal.read_columns(2, np.array([4, 0])), ideal.tiles[2].weights[:, [4, 0]].T)


def test_every_column_read_draws_new_noise():
    group = group_of(periphery=Periphery(adc_bits=10, noise_lsb=20.0))
    first, second = (group.read_columns(1, np.array([2])) for _ in range(2))
    assert not np.array_equal(first, second)


def test_mixed_precision_writes_whole_granularities_and_keeps_the_rest():
    dw_min, rate = 0.05, 0.1
    group = TileGroup((4, 6), ConstantStep(dw_min=dw_min, w_max=99, w_min=-99), seed=5)
    total, pulsed = np.zeros((4, 6)), 0.0
    for number in range(30):
        inputs, errors = draws(number, 3, 6), draws(100 + number, 3, 4)
        group.accumulate(inputs, errors, rate)
        total -= rate * errors.T.astype(float) @ inputs
        before = group.digital_matrix("gradient").copy()
        activity = group.write_buffer(0)
        rests = np.vectorize(lambda level: transfer_rules.mixed_precision_rule(level, dw_min)[0])(before.astype(float))
        numbers = np.rint((before - rests) / dw_min)
        np.testing.assert_allclose(group.digital_matrix("gradient"), rests, atol=1e-6)
        assert activity.vectors == np.count_nonzero(numbers.any(axis=1))
        pulsed += np.abs(numbers).sum()
    # What was written and what is left is the sum of the gradients, but for the randomness of trains of several
    # pulses: Lemma 1, variance below dw_min^2 per pulse; 4.5 sigma.
    error = group.tiles[0].weights + group.digital_matrix("gradient") - total
    assert np.abs(error).max() <= 4.5 * dw_min * math.sqrt(pulsed / 24)


def test_equal_counts_are_written_without_chance():
    # All elements of a row carry the same number of pulses: every line fires in every slot.
    for dw_min in (0.05, 0.1, 0.2, 0.3):
        group = TileGroup((3, 4), ConstantStep(dw_min=dw_min, w_max=99, w_min=-99), seed=6)
        group.digital_matrix("gradient")[:] = (np.array([[3], [-7], [0]]) * 1.0001 * dw_min).astype(np.float32)
        activity = group.write_buffer(0)
        np.testing.assert_allclose(group.tiles[0].weights, np.array([[3], [-7], [0]]) * np.full(4, dw_min), rtol=1e-5)
        assert (activity.slots, activity.coincidences) == (10, 40)


@pytest.mark.parametrize("update", [None, PulsedUpdate(max_train_length=3, pulse_type="mean_count", error_share=0.2)])
def test_signed_counts_reach_the_devices_exactly(update):
    # Whatever the settings of updates are: each count is that many single pulses.
    group = TileGroup((4, 6), ConstantStep(dw_min=0.25, w_max=99, w_min=-99), significances=GAMMA, update=update)
    counts = np.float32([[1, 0, -1, 3], [0, 0, 0, 0], [-2, 5, 1, 0]])
    activity = group.pulse_columns(1, np.array([4, 0, 2]), counts)
    expected = np.zeros((4, 6))
    expected[:, [4, 0, 2]] = 0.25 * counts.T
    np.testing.assert_array_equal(group.tiles[1].weights, expected)
    np.testing.assert_allclose(group.weights, 0.5 * expected)
    assert (activity.coincidences, activity.vectors) == (13, 15)


def test_new_gains_need_a_recombination_and_keep_their_errors():
    group = group_of(periphery=Periphery(gain_mismatch=0.2))
    errors = np.array(group.significances) / GAMMA
    before = group.weights.copy()
    group.set_significances((1.0, -0.5, 2.0))
    np.testing.assert_allclose(np.array(group.significances) / (1.0, -0.5, 2.0), errors, rtol=1e-12)
    np.testing.assert_array_equal(group.weights, before)
    group.recombine()
    np.testing.assert_allclose(group.weights, composite_of(group), atol=1e-6)


def test_ageing_reaches_every_tile_and_the_composite():
    group = group_of(device=ConstantStep(dw_min=0.001, w_max=50, w_min=-50, lifetime=4.0))
    before = [tile.weights.astype(float) for tile in group.tiles]
    group.age()
    for tile, old in zip(group.tiles, before, strict=True):
        np.testing.assert_allclose(tile.weights, 0.75 * old, rtol=1e-6)
    np.testing.assert_allclose(group.weights, composite_of(group), rtol=1e-6)


def test_a_refresh_reaches_every_tile_and_the_composite_follows():
    device = LinearStep(dw_min=0.01, w_min=0.0, w_max=1.0, one_sided=True, refresh_every=1)
    group = TileGroup((3, 4), device, significances=(1.0, 0.5))
    for tile in group.tiles:
        tile.pulse(up=True, count=90)
        tile.pulse(up=False, count=80)
    group.recombine()
    np.testing.assert_allclose(group.weights, 1.5 * 0.1, rtol=1e-4)
    activity = group.refresh()
    assert activity.coincidences == 2 * 12 * (10 + 2)  # 10 pulses to write, 2 to reset each of 12 pairs in 2 tiles
    np.testing.assert_allclose(group.weights, composite_of(group), atol=1e-6)
    np.testing.assert_allclose(group.weights, 1.5 * 0.1, rtol=1e-4)
    assert group.refresh().coincidences == 0


def test_updates_use_the_settings_of_the_group():
    plain = PulsedUpdate(max_train_length=7, update_management=False, train_length_management=False)
    group = group_of(update=plain)
    assert group.update(0, draws(1, 3, 7), draws(2, 3, 5), 0.01).slots == 21


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (1, 1)])
@pytest.mark.parametrize("shared", [True, False])
def test_empty_and_single_groups_work(shape, shared):
    periphery = Periphery(dac_bits=7, adc_bits=8, noise_lsb=0.1, shared_by_tiles=shared)
    group = TileGroup(shape, load_device("soft_bounds"), significances=(1.0, 0.5), periphery=periphery)
    group.set_weights(np.full(shape, 0.25))
    inputs, errors = np.ones((2, shape[1]), np.float32), np.ones((2, shape[0]), np.float32)
    assert group.forward(inputs).shape == errors.shape
    assert group.backward(errors).shape == inputs.shape
    assert group.update(1, inputs, errors, 0.1).vectors == 2
    group.accumulate(inputs, errors, 0.1)
    group.write_buffer(0)
    if shape[1]:
        transfer(group, 1, 0, columns=1, rate=0.1)
        buffered_transfer(group, 1, 0, columns=1, rate=0.1, threshold=1.0, momentum=0.1)
    assert group.weights.shape == shape


# Seeds and states


def exercise(group: TileGroup) -> list[np.ndarray]:
    results = []
    for number in range(3):
        group.update(2, draws(number, 4, 7), draws(number + 50, 4, 5), 0.5)
        transfer(group, 2, 1, columns=2, rate=0.9)
        buffered_transfer(group, 1, 0, columns=2, rate=0.7, threshold=0.5, momentum=0.1)
        results += [group.forward(draws(70, 2, 7)), group.backward(draws(71, 2, 5)), group.weights.copy()]
    return results


def noisy_group(**kwargs) -> TileGroup:
    periphery = Periphery(dac_bits=7, adc_bits=8, noise_lsb=0.5, gain_mismatch=0.1)
    return TileGroup((5, 7), load_device("soft_bounds"), significances=GAMMA, periphery=periphery, **kwargs)


def test_same_seed_same_result_other_seed_or_group_other_result():
    first = exercise(noisy_group(seed=7, group=1))
    for one, other in zip(first, exercise(noisy_group(seed=7, group=1)), strict=True):
        np.testing.assert_array_equal(one, other)
    for seed, group in ((8, 1), (7, 2)):
        assert not np.array_equal(first[-1], exercise(noisy_group(seed=seed, group=group))[-1])


def test_tiles_of_a_run_do_not_share_devices():
    groups = [TileGroup((4, 4), SoftBounds(dw_min=0.1, dw_min_dtod=0.3), significances=GAMMA, group=g) for g in (0, 1)]
    steps_up = [tile.device_parameters["step_up"] for group in groups for tile in group.tiles]
    assert len(np.unique(steps_up)) == 6 * 16


def test_a_restored_group_continues_bit_for_bit():
    group = noisy_group(seed=9)
    exercise(group)
    state = {name: np.array(value) for name, value in group.state().items()}
    expected = exercise(group)
    other = noisy_group(seed=9)
    other.restore(state)
    for one, again in zip(expected, exercise(other), strict=True):
        np.testing.assert_array_equal(one, again)


def test_memory_is_restored_as_it_was_and_nothing_else_stays():
    group = noisy_group()
    state = group.state()
    exercise(group)
    group.digital_array("signs", (7,), 1.0)[2] = -1
    assert not any(name.startswith("memory") for name in state)
    later = group.state()
    group.restore(state)
    assert group.memory == {}
    group.restore(later)
    assert set(group.memory) == {"buffer", "signs"}
    np.testing.assert_array_equal(group.digital_array("signs", (7,)), [1, 1, -1, 1, 1, 1, 1])


def test_a_state_does_not_change_with_the_group():
    group = noisy_group()
    group.digital_matrix("mean")
    state = group.state()
    copies = {name: np.array(value) for name, value in state.items()}
    group.digital_matrix("mean")[:] = 3
    exercise(group)
    for name, value in copies.items():
        np.testing.assert_array_equal(state[name], value, err_msg=name)


# Messages


@pytest.mark.parametrize("significances", [(), (0.0,), (0.0, 0.0)])
def test_a_group_needs_a_tile_that_carries_weight(significances):
    with pytest.raises(ValueError, match=r"significances \[.*\]: at least one tile must carry weight"):
        TileGroup((2, 2), WIDE, significances=significances)


def test_a_group_has_no_more_tiles_than_streams():
    with pytest.raises(ValueError, match="64 tiles are too many; at most 63"):
        TileGroup((1, 1), WIDE, significances=[1.0] * STREAMS_PER_GROUP)


def test_wrong_shapes_are_named():
    group = group_of()
    with pytest.raises(ValueError, match=r"inputs has shape \(2, 5\); expected \(batch, 7\)"):
        group.forward(np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"errors has shape \(2, 7\); expected \(batch, 5\)"):
        group.backward(np.zeros((2, 7)))
    with pytest.raises(ValueError, match=r"weights have shape \(7, 5\); this tile has \(5, 7\)"):
        group.set_weights(np.zeros((7, 5)))


# The digital weight


def test_a_digital_matrix_is_exact():
    matrix, weights = DigitalMatrix((5, 7)), draws(1, 5, 7)
    matrix.set_weights(weights)
    np.testing.assert_array_equal(matrix.weights, weights)
    inputs, errors = draws(2, 9, 7), draws(3, 9, 5)
    forward, activity = matrix.read(inputs, forward=True)
    np.testing.assert_allclose(forward, inputs @ weights.T, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(matrix.read(errors, forward=False)[0], errors @ weights, rtol=1e-6, atol=1e-6)
    assert (activity.vectors, activity.lines, activity.drive) == (9, 0, 0)
    matrix.add_outer_products(inputs, errors, 0.1)
    np.testing.assert_allclose(matrix.weights, weights - 0.1 * errors.T @ inputs, rtol=1e-5, atol=1e-6)
    state = matrix.state()
    matrix.add_outer_products(inputs, errors, 0.1)
    matrix.recombine()
    matrix.restore(state)
    np.testing.assert_array_equal(matrix.weights, state["weights"])


@pytest.mark.parametrize("shape", [(1, 7), (5, 6), (7, 5)])
def test_a_digital_matrix_takes_its_own_shape_only(shape):
    with pytest.raises(ValueError, match=r"weights ha(s|ve) shape"):
        DigitalMatrix((5, 7)).set_weights(np.zeros(shape))
