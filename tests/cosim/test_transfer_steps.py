"""What the steps of each algorithm do to the tiles, against rules written apart, element after element.

The devices are free of noise and far from their bounds, and what is read from the fast tile is given, so every pulse
is known.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from cosim.algorithms.agad import ReferencedTransfer
from cosim.algorithms.chopped_tiki_taka_v2 import AVERAGE_RATE, ChoppedTransfer, ChoppedUpdate
from cosim.algorithms.e_rider import Retrack, SignedUpdate, TrackedTransfer
from cosim.algorithms.residual_learning_v2 import LeakyTransfer
from cosim.algorithms.tiki_taka_v2 import BufferedTransfer
from cosim.plan import Transfer
from cosim.tile import PulsedUpdate
from cosim.tile_group import TileGroup
from cost_model.floorplan import MatrixShape
from device_models.families import ConstantStep
from tests.cost_model.designs import algorithm
from tests.oracles import transfer_rules as oracle

STEP = 2.0**-6
DEVICE = ConstantStep(dw_min=STEP, w_max=64, w_min=-64)
SHAPE = (4, 6)
SLOW, FAST = 0, 1


def draws(seed: int, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).normal(size=shape).astype(np.float32)


def group_of(tiles=2, **kwargs) -> TileGroup:
    return TileGroup(SHAPE, DEVICE, significances=(1.0, 0.0, 0.0)[:tiles], seed=3, **kwargs)


def layer_of(group, vectors=3, seed=1) -> SimpleNamespace:
    return SimpleNamespace(
        matrix=group, inputs=draws(seed, vectors, SHAPE[1]), errors=draws(seed + 1, vectors, SHAPE[0])
    )


def visits(step, events, scale, seed=5):
    """Perform a transfer on given reads; yield after each event the group, the columns, the reads and the pulses."""
    group, start = group_of(), 0
    total = np.zeros(SHAPE)
    for event in range(events):
        reads = scale * draws(seed + event, *SHAPE) + np.float32(0.4 * scale)
        group.tiles[FAST].set_weights(reads)
        activity = step.perform(SimpleNamespace(matrix=group))
        now = group.tiles[SLOW].weights / STEP
        pulses, total = now - total, now.astype(float)
        columns = oracle.cyclic_columns(start, step.columns, SHAPE[1])
        start = (start + step.columns) % SHAPE[1]
        others = [column for column in range(SHAPE[1]) if column not in columns]
        assert not pulses[:, others].any()
        assert activity.coincidences == np.abs(pulses).sum()
        yield group, columns, reads.astype(float), pulses


def check_elements(step, elements, events, scale):
    """Compare pulses and buffer of every element with its rule; return the number of pulses."""
    seen = 0.0
    for group, columns, reads, pulses in visits(step, events, scale):
        for row in range(SHAPE[0]):
            for column in columns:
                element = elements[row][column]
                assert pulses[row, column] == element.visit(reads[row, column])
        buffer = group.digital_matrix("buffer")
        levels = [[element.level for element in line] for line in elements]
        np.testing.assert_allclose(buffer, levels, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(levels).max()))
        seen += np.abs(pulses).sum()
    return seen


def elements_of(make):
    return [[make() for _ in range(SHAPE[1])] for _ in range(SHAPE[0])]


class Plain:
    """An element whose rule is a function of level and read."""

    def __init__(self, rule):
        self.rule, self.level = rule, 0.0

    def visit(self, read):
        self.level, number = self.rule(self.level, read)
        return number


# Tiki-Taka v2 and residual learning v2


@pytest.mark.parametrize(("momentum", "forget"), [(0.1, True), (0.0, True), (1.0, True), (0.0, False), (0.3, False)])
@pytest.mark.parametrize("threshold", [1.0, 2.5])
def test_the_buffer_of_tiki_taka_v2(momentum, forget, threshold):
    step = BufferedTransfer(
        source=FAST, target=SLOW, columns=4, rate=0.3, threshold=threshold, momentum=momentum, forget=forget
    )

    def rule(level, read):
        return oracle.buffer_rule(level, read, 0.3, threshold * STEP, momentum, forget)

    assert check_elements(step, elements_of(lambda: Plain(rule)), 30, 2 * STEP) > 30


def test_the_buffer_fires_exactly_at_its_threshold():
    group = group_of()
    group.digital_matrix("buffer")[:, 0] = np.float32(STEP) * np.float32([1, -1, 0.999, 1.001])
    step = BufferedTransfer(source=FAST, target=SLOW, columns=1, rate=1.0, threshold=1.0, momentum=0.5, forget=True)
    assert step.perform(SimpleNamespace(matrix=group)).coincidences == 3
    np.testing.assert_allclose(group.tiles[SLOW].weights[:, 0], STEP * np.array([1, -1, 0, 1]))
    np.testing.assert_allclose(group.digital_matrix("buffer")[:, 0], STEP * np.array([0.5, -0.5, 0.999, 0.5005]))


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_the_leaking_buffer_of_residual_learning_v2(rate):
    step = LeakyTransfer(source=FAST, target=SLOW, columns=4, rate=rate, threshold=1.5)

    def rule(level, read):
        return oracle.leaky_rule(level, read, rate, 1.5 * STEP)

    assert check_elements(step, elements_of(lambda: Plain(rule)), 30, 3 * STEP) > 10


# Choppers


@pytest.mark.parametrize(("momentum", "forget"), [(0.0, True), (0.25, True), (0.0, False)])
@pytest.mark.parametrize(("probability", "period"), [(0.5, 2), (0.3, 4), (1.0, 2)])
def test_the_chopped_buffer_with_regular_choppers(momentum, forget, probability, period):
    step = ChoppedTransfer(
        source=FAST, target=SLOW, columns=4, rate=0.3, momentum=momentum, forget=forget, probability=probability,
        random=False, output_probability=0.0,
    )  # fmt: skip
    # Its rate is over the granularity of the fast tile.
    elements = elements_of(lambda: oracle.Chopped(0.3 / STEP, momentum, forget, period))
    assert check_elements(step, elements, 40, 2 * STEP) > 80


@pytest.mark.parametrize(("momentum", "forget"), [(0.0, True), (0.25, True), (0.0, False)])
@pytest.mark.parametrize(("probability", "period", "tail"), [(0.5, 2, 1.0), (0.2, 5, 3.0), (1.0, 2, 9.0)])
def test_the_reference_of_agad(momentum, forget, probability, period, tail):
    step = ReferencedTransfer(
        source=FAST, target=SLOW, columns=4, rate=0.3, momentum=momentum, forget=forget, probability=probability,
        random=False, tail_weight=tail,
    )  # fmt: skip
    share = min(tail / period, 1)
    elements = elements_of(lambda: oracle.Referenced(0.3 / STEP, momentum, forget, period, share))
    assert check_elements(step, elements, 60, 2 * STEP) > 80


def test_agad_does_not_pulse_for_an_offset_of_the_fast_tile():
    # A constant read is all offset: chopped Tiki-Taka fires at every visit, up and down in turn; AGAD never does.
    pulses = {}
    for kind, own in ((ChoppedTransfer, {"output_probability": 0.0}), (ReferencedTransfer, {"tail_weight": 5.0})):
        group = group_of()
        group.tiles[FAST].set_weights(np.full(SHAPE, 20 * STEP))
        step = kind(
            source=FAST, target=SLOW, columns=6, rate=0.2, momentum=0.0, forget=True, probability=0.2, random=False,
            **own,
        )  # fmt: skip
        pulses[kind] = sum(step.perform(SimpleNamespace(matrix=group)).coincidences for _ in range(40))
        np.testing.assert_allclose(group.tiles[SLOW].weights, 0, atol=1e-6)
    assert pulses == {ChoppedTransfer: 40 * 24, ReferencedTransfer: 0}


@pytest.mark.parametrize("kind", [ChoppedTransfer, ReferencedTransfer])
def test_random_choppers_flip_as_often_as_asked_one_by_one(kind):
    own = {"output_probability": 0.0} if kind is ChoppedTransfer else {"tail_weight": 1.0}
    step = kind(
        source=FAST, target=SLOW, columns=6, rate=0.0, momentum=0.0, forget=True, probability=0.1, random=True, **own
    )
    group, signs = group_of(), []
    for _ in range(1000):
        step.perform(SimpleNamespace(matrix=group))
        signs.append(group.digital_array("input_chopper", (6,)).copy())
    flips = np.diff(signs, axis=0) != 0
    if kind is ReferencedTransfer:  # a regular flip in every tenth visit stays
        assert np.all(flips[8::10])
        flips = np.delete(flips, np.s_[8::10], axis=0)
    assert abs(flips.mean() - 0.1) < 4 * math.sqrt(0.09 / flips.size)
    assert np.abs(np.corrcoef(flips.T)[np.triu_indices(6, 1)]).max() < 4 / math.sqrt(len(flips))


def test_output_choppers_flip_after_a_full_pass_only():
    step = ChoppedTransfer(
        source=FAST, target=SLOW, columns=2, rate=0.0, momentum=0.0, forget=True, probability=0.0, random=True,
        output_probability=1.0,
    )  # fmt: skip
    group, seen = group_of(), []
    for _ in range(9):
        step.perform(SimpleNamespace(matrix=group))
        seen.append(group.digital_array("output_chopper", (4,), 1.0).copy())
    np.testing.assert_array_equal(np.array(seen)[:, 0], [1, 1, -1, -1, -1, 1, 1, 1, -1])
    assert all(np.all(signs == signs[0]) for signs in seen)


def test_signs_of_the_choppers_stand_on_both_sides_of_update_and_transfer():
    # With all kinds of signs, update and transfer together move the weight as without any: the signs cancel.
    counted = PulsedUpdate(pulse_type="mean_count")
    step = ChoppedTransfer(
        source=FAST, target=SLOW, columns=6, rate=0.5, momentum=0.0, forget=False, probability=0.0, random=True,
        output_probability=0.0,
    )  # fmt: skip
    results = []
    for chopped in (False, True):
        group = group_of(update=counted)
        if chopped:
            group.digital_array("input_chopper", (6,), 1.0)[:] = [1, -1, 1, 1, -1, -1]
            group.digital_array("output_chopper", (4,), 1.0)[:] = [-1, 1, 1, -1]
        layer = layer_of(group)
        for _ in range(5):
            ChoppedUpdate(target=FAST, rate=0.1, auto_scale=False).perform(layer)
            step.perform(layer)
        results.append((group.tiles[FAST].weights.copy(), group.tiles[SLOW].weights.copy()))
    (fast, slow), (signed, same) = results
    signs = np.outer([-1, 1, 1, -1], [1, -1, 1, 1, -1, -1])
    np.testing.assert_allclose(signed, signs * fast, atol=1e-6)
    np.testing.assert_array_equal(same, slow)
    assert np.abs(slow).max() > 3 * STEP


def test_auto_scale_lets_the_largest_update_take_the_longest_train(monkeypatch):
    group, rates = group_of(update=PulsedUpdate(max_train_length=20)), []
    monkeypatch.setattr(group, "update", lambda tile, inputs, errors, rate: rates.append(rate))
    step, expected, maxima = ChoppedUpdate(target=FAST, rate=0.7, auto_scale=True), [], []
    for number in range(30):
        layer = layer_of(group, seed=100 + number)
        step.perform(layer)
        seen = [np.abs(values).max(axis=1).mean() for values in (layer.inputs, layer.errors)]
        maxima = [old + AVERAGE_RATE * (new - old) for old, new in zip(maxima, seen, strict=True)] if maxima else seen
        expected.append(0.7 * 20 * STEP / math.prod(maxima))
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["chopped_tiki_taka_v2", "agad"])
def test_the_buffer_averages_over_as_many_mini_batches_as_asked(name):
    # Rasch et al. 2024, Eq. 14: lambda n_s n / (gamma_0 delta), with n columns of which one is read in n_s batches.
    own = algorithm(name, transfer_rate=2.0, transfer_every=3, transfer_columns=2, accumulation=200.0).parameters
    assert own.buffer_rate(MatrixShape("dense", 10, 40), 0.05) == pytest.approx(2.0 * 0.05 * 3 * 40 / 2 / 200)
    own = algorithm(name, transfer_rate=2.0, transfer_every=3).parameters
    assert own.buffer_rate(MatrixShape("dense", 10, 40), 0.05) == 0.1


# Residual learning, Tiki-Taka v1, E-RIDER


def test_a_plain_transfer_adds_rate_times_the_column():
    # Reads are whole multiples of what makes one pulse, so counted pulses are exact.
    group = group_of(update=PulsedUpdate(pulse_type="mean_count"))
    reads = np.rint(4 * draws(9, *SHAPE)) * 2 * STEP
    group.tiles[FAST].set_weights(reads)
    step = Transfer(source=FAST, target=SLOW, columns=3, rate=0.5)
    for number in (1, 2):
        step.perform(SimpleNamespace(matrix=group))
        np.testing.assert_allclose(group.tiles[SLOW].weights[:, : 3 * number], 0.5 * reads[:, : 3 * number], atol=1e-6)
    np.testing.assert_allclose(group.tiles[FAST].weights, reads)


def rider_group() -> TileGroup:
    return TileGroup(
        SHAPE, DEVICE, significances=(1.0, 0.25, -0.25), seed=3, update=PulsedUpdate(pulse_type="mean_count")
    )


def test_e_rider_moves_the_weight_by_the_residual_and_lets_the_mean_follow():
    group = rider_group()
    group.digital_array("chopper", (1,), 1.0)[:] = -1
    weight, mean = np.zeros(SHAPE), np.zeros(SHAPE)
    step = TrackedTransfer(source=1, target=0, columns=4, rate=0.5, share=0.25)
    for event in range(7):
        residual, tracker = (np.rint(4 * draws(seed + event, *SHAPE)) * 2 * STEP for seed in (20, 50))
        group.tiles[1].set_weights(residual)
        group.tiles[2].set_weights(tracker)
        step.perform(SimpleNamespace(matrix=group))
        for column in oracle.cyclic_columns(4 * event % 6, 4, 6):
            weight[:, column] += 0.5 * -1 * (residual - tracker)[:, column]
            mean[:, column] = 0.75 * mean[:, column] + 0.25 * residual[:, column]
        np.testing.assert_allclose(group.tiles[0].weights, weight, atol=1e-5)
        np.testing.assert_allclose(group.digital_matrix("mean"), mean, atol=1e-6)


def test_e_rider_pulses_its_residual_tile_with_the_sign_of_the_chopper():
    weights = []
    for sign in (1, -1):
        group = rider_group()
        group.digital_array("chopper", (1,), 1.0)[:] = sign
        SignedUpdate(target=1, rate=0.2).perform(layer_of(group))
        weights.append(sign * group.tiles[1].weights)
    np.testing.assert_array_equal(*weights)
    assert weights[0].any()


def test_a_flip_of_e_rider_moves_the_mean_to_the_tracker_and_turns_the_residual_around():
    group = rider_group()
    contents = [0.3 * draws(seed, *SHAPE) for seed in (1, 2, 3, 4)]
    for tile, content in zip(group.tiles, contents[:3], strict=True):
        tile.set_weights(content)
    group.digital_matrix("mean")[:] = contents[3]
    group.recombine()
    np.testing.assert_allclose(group.weights, contents[0] + 0.25 * (contents[1] - contents[2]), atol=1e-6)
    activity = Retrack(probability=1.0).perform(SimpleNamespace(matrix=group))
    np.testing.assert_allclose(group.weights, contents[0] - 0.25 * (contents[1] - contents[3]), atol=1e-6)
    np.testing.assert_array_equal(group.tiles[2].weights, contents[3])
    assert activity.coincidences == np.ceil(np.abs(contents[3] - contents[2]) / np.float32(STEP)).sum()
    assert activity.vectors == SHAPE[0]


def test_without_a_flip_of_e_rider_nothing_changes():
    group = rider_group()
    group.digital_matrix("mean")[:] = 1
    activity = Retrack(probability=0.0).perform(SimpleNamespace(matrix=group))
    assert activity.coincidences == activity.vectors == 0
    assert not group.tiles[2].weights.any()
    assert group.significances == (1.0, 0.25, -0.25)


def test_e_rider_flips_as_often_as_asked():
    group, step = rider_group(), Retrack(probability=0.05)
    signs = []
    for _ in range(2000):
        step.perform(SimpleNamespace(matrix=group))
        signs.append(group.digital_array("chopper", (1,), 1.0).item())
    flips = np.count_nonzero(np.diff(signs))
    assert abs(flips / 1999 - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 1999)
