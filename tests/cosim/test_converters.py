"""Converters one by one: how they are drawn, who shares one, and what a read makes of their errors."""

import math
from dataclasses import replace

import numpy as np
import pytest

from cosim import threads
from cosim.converters import IDEAL, ConverterBank, Converters, capacitor_weights, draw_converters, in_pieces
from cosim.kernels.convert import PIECE
from cosim.periphery import Periphery
from cosim.threads import use_threads
from cosim.tile import Tile
from cosim.tile_group import TileGroup
from cost_model.floorplan import Conventions, LayerFloorplan, MatrixShape, Side
from device_models.families import ConstantStep
from tests.oracles import conversion

WIDE = ConstantStep(dw_min=0.001, w_max=50.0, w_min=-50.0)
GAMMA = (1.0, 0.5, 0.25)
COARSE = {"dac_bits": 5, "adc_bits": 5, "full_scale": 2.0}
OFF = {"adc_capacitor_mismatch": 0.2, "adc_offset_lsb": 0.5, "columns_per_adc": 2}


def draws(seed: int, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).normal(size=shape).astype(np.float32)


def group_of(shape=(5, 7), **kwargs) -> TileGroup:
    """Return a group of three tiles with different weights, on arrays of three inputs and four outputs."""
    settings = {"significances": GAMMA, "seed": 3, "array_rows": 3, "array_cols": 4} | kwargs
    group = TileGroup(shape, WIDE, **settings)
    for place, tile in enumerate(group.tiles):
        tile.set_weights(0.3 * draws(place, *shape))
    group.recombine()
    return group


def drawn(periphery: Periphery, inputs: int = 7, outputs: int = 5, **kwargs) -> Converters:
    settings = {"tiles": 1, "seed": 3, "stream": 2, "forward": True} | kwargs
    return draw_converters(periphery, Side(inputs, 3), Side(outputs, 4), **settings)


def of_outputs(bank: ConverterBank, outputs: int, bits: int) -> list[tuple[float, ...]]:
    """Return offset and worths of bits of the converter of each output."""
    numbers = np.concatenate([bank.offsets[:, None], bank.weights[:, :bits]], axis=1)
    return [tuple(numbers[line // PIECE, :, line % PIECE].tolist()) for line in range(outputs)]


def adcs_of(converters: Converters, tile: int, outputs: int, bits: int = 5):
    """Return the converters of a tile as the oracle takes them."""
    return [
        [(conversion.capacitors_of(np.array(one[1:])), one[0]) for one in of_outputs(bank, outputs, bits)]
        for bank in converters.banks[tile]
    ]


def assert_reads(result: np.ndarray, weights: np.ndarray, inputs: np.ndarray, **settings) -> None:
    pairs = ((values, conversion.scale_of(values)) for values in inputs)
    expected = [conversion.read_once(weights, *pair, **settings)[0] for pair in pairs]
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


# Arrays of capacitors


@pytest.mark.parametrize(("bits", "mismatch"), [(4, 0.01), (8, 0.007), (10, 0.002)])
def test_levels_are_off_as_those_of_binary_arrays_are(bits, mismatch):
    # Level c of N units: c (1 - c / N) units off independently, in the middle N / 4. This is the end-point INL.
    count, codes = 4000, 2**bits
    weights = capacitor_weights(bits, mismatch, count, np.random.Generator(np.random.PCG64(1)))
    for code in {1, codes // 4, codes // 2 - 1, codes // 2, codes - 1}:
        error = sum(weights[:, place] for place in range(bits) if code & 2 ** (bits - 1 - place)) - code
        sigma = mismatch * math.sqrt(code * (1 - code / codes))
        # 4 sigma of mean and deviation, and the square of the mismatch: wrong once in 1,000 over all cases.
        assert abs(error.mean()) < sigma * (4 / math.sqrt(count) + 2 * mismatch)
        assert error.std() == pytest.approx(sigma, rel=4 / math.sqrt(2 * count) + 2 * mismatch)
    middle = weights[:, 0] - codes // 2
    assert middle.std() == pytest.approx(mismatch * math.sqrt(codes) / 2, rel=4 / math.sqrt(2 * count) + 2 * mismatch)


def test_equal_capacitors_make_ideal_levels():
    weights = capacitor_weights(8, 0.0, 3, np.random.Generator(np.random.PCG64(1)))
    np.testing.assert_array_equal(weights, np.tile(2.0 ** np.arange(8)[::-1], (3, 1)))


def test_an_array_does_not_depend_on_how_many_follow():
    few, many = (capacitor_weights(6, 0.1, count, np.random.Generator(np.random.PCG64(1))) for count in (3, 8))
    np.testing.assert_array_equal(few, many[:3])


@pytest.mark.parametrize("lines", [0, 1, 5, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7])
def test_numbers_of_lines_are_repeated_or_cut(lines):
    offsets, weights = np.arange(float(lines)), 1.0 + np.arange(lines * 5.0).reshape(lines, 5)
    laid_out, bits = in_pieces(offsets, weights)
    pieces = max(1, math.ceil(lines / PIECE))
    assert laid_out.shape == (pieces, PIECE)
    assert bits.shape == (pieces, 8, PIECE)
    repeats = PIECE // max(lines, 1) if pieces == 1 else 1
    length = repeats * lines
    np.testing.assert_array_equal(laid_out.ravel()[:length], np.tile(offsets, repeats))
    by_line = bits.transpose(0, 2, 1).reshape(-1, 8)[:length]
    np.testing.assert_array_equal(by_line[:, :5], np.tile(weights, (repeats, 1)))
    assert np.isinf(by_line[:, 5:]).all()


# Who has which


def test_converters_without_errors_are_not_drawn():
    assert drawn(Periphery(dac_bits=7, adc_bits=8, noise_lsb=0.3, dac_offset_lsb=0.1)) is IDEAL
    assert not drawn(Periphery(dac_bits=7, adc_bits=8, dac_capacitor_mismatch=0.1)).banks
    assert drawn(Periphery(dac_bits=7, adc_bits=8, adc_capacitor_mismatch=0.1)).dac_weights is None


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("columns_per_adc", [1, 2, 3, 8])
@pytest.mark.parametrize(("inputs", "outputs"), [(7, 5), (3, 4), (9, 12)])
def test_there_are_as_many_converters_as_are_paid_for(inputs, outputs, columns_per_adc, shared):
    periphery = Periphery(**COARSE, **OFF | {"columns_per_adc": columns_per_adc}, shared_by_tiles=shared)
    group = TileGroup((outputs, inputs), WIDE, significances=GAMMA, periphery=periphery, array_rows=3, array_cols=4)
    shape = MatrixShape("layer", outputs=outputs, inputs=inputs)
    plan = LayerFloorplan(shape, 3, 3, 4, columns_per_adc, shared, Conventions())
    found = set()
    for forward, sensed in ((True, outputs), (False, inputs)):
        banks = group._converters[forward].banks
        assert len(banks) == (1 if shared else 3)
        for bank in (bank for blocks in banks for bank in blocks):
            found |= {(forward, *numbers) for numbers in of_outputs(bank, sensed, 5)}
    # The last array of a side is paid for in full, and may need fewer.
    even = inputs % 3 == 0 and outputs % 4 == 0
    paid = plan.instances()["adcs"]
    assert len(found) == paid if even else 0.75 * paid < len(found) <= paid


def test_neighbours_of_an_array_share_a_converter():
    # Nine outputs on arrays of four are three, three and three; two of them take turns.
    bank = drawn(Periphery(**COARSE, **OFF), outputs=9).banks[0][0]
    numbers = of_outputs(bank, 9, 5)
    groups = [0, 0, 1, 2, 2, 3, 4, 4, 5]
    for one, other in ((one, other) for one in range(9) for other in range(9)):
        assert (numbers[one] == numbers[other]) == (groups[one] == groups[other])


def test_same_seed_same_converters():
    periphery = Periphery(**COARSE, **OFF, dac_capacitor_mismatch=0.1)
    first = drawn(periphery)
    for changed in ({}, {"seed": 4}, {"stream": 5}, {"forward": False}):
        other = drawn(periphery, **changed)
        assert np.array_equal(first.dac_weights, other.dac_weights) == (not changed)
        for name in ("offsets", "weights"):
            one, two = (getattr(each.banks[0][1], name) for each in (first, other))
            assert np.array_equal(one, two) == (not changed)


def test_tiles_and_blocks_have_converters_of_their_own():
    converters = drawn(Periphery(**COARSE, **OFF), tiles=3)
    banks = [bank for blocks in converters.banks for bank in blocks]
    assert (len(converters.banks), len(banks)) == (3, 9)
    assert len({bank.weights.tobytes() for bank in banks}) == len({bank.offsets.tobytes() for bank in banks}) == 9
    assert converters.of_tiles([2, 0]).banks == (converters.banks[2], converters.banks[0])
    assert converters.of_block(1, 2).banks == ((converters.banks[1][2],),)


def test_offsets_are_spread_evenly_and_do_not_depend_on_the_capacitors():
    periphery = Periphery(adc_bits=4, adc_offset_lsb=0.3)
    wide, high = Side(30, 1), Side(300, 300)
    banks, others = (
        draw_converters(one, wide, high, tiles=1, seed=1, stream=1, forward=True).banks[0]
        for one in (periphery, replace(periphery, adc_capacitor_mismatch=0.1))
    )
    offsets = np.array([bank.offsets[0, :300] for bank in banks], dtype=float).ravel()
    np.testing.assert_array_equal(offsets, np.ravel([bank.offsets[0, :300] for bank in others]))
    # 9,000 numbers: mean and deviation (of an even spread, of which the square deviates by 0.89) to 4 sigma.
    assert abs(offsets.mean()) < 4 * 0.3 / math.sqrt(offsets.size)
    assert offsets.std() == pytest.approx(0.3, rel=2 * 0.9 / math.sqrt(offsets.size))
    assert 0.99 < np.abs(offsets).max() / (0.3 * math.sqrt(3)) <= 1 + 1e-6


# Reads


@pytest.mark.parametrize("more", [{}, {"dac_capacitor_mismatch": 0.1}, {"dac_offset_lsb": -0.4}])
@pytest.mark.parametrize("management", ["abs_max", "max"])
@pytest.mark.parametrize("shared", [True, False])
def test_a_read_goes_through_the_converters_of_its_arrays(shared, management, more):
    # `max` of vectors whose largest magnitude is positive scales them alike, and takes the long way.
    periphery = Periphery(**COARSE, **OFF, **more, shared_by_tiles=shared, noise_management=management)
    group = group_of(periphery=periphery)
    for forward, lines, block, result in ((True, 7, 3, group.forward), (False, 5, 3, group.backward)):
        values = draws(4 + lines, 40, lines)
        values *= np.sign(values[np.arange(40), np.abs(values).argmax(axis=1)])[:, None]
        converters = group._converters[forward]
        settings = COARSE | {"block": block, "pulse_error": more.get("dac_offset_lsb", 0.0)}
        if converters.dac_weights is not None:
            weights = converters.dac_weights[0, :5, :lines].T
            settings["dacs"] = [conversion.capacitors_of(line) for line in weights]
        read = result(values)
        scales = [conversion.scale_of(vector) for vector in values]
        matrices = (
            [group.weights] if shared else [np.float32(s) * t.weights for s, t in zip(GAMMA, group.tiles, strict=True)]
        )
        expected = np.zeros_like(read, dtype=float)
        for tile, matrix in enumerate(matrices):
            matrix = matrix if forward else matrix.T
            settings["adcs"] = adcs_of(converters, tile, len(matrix))
            pairs = zip(values, scales, strict=True)
            expected += [conversion.read_once(matrix, *pair, **settings)[0] for pair in pairs]
        np.testing.assert_allclose(read, expected, rtol=1e-5, atol=1e-5)


def test_a_tile_on_its_own_is_one_array():
    tile = Tile((5, 7), WIDE, seed=2, stream=6, periphery=Periphery(**COARSE, **OFF))
    tile.set_weights(0.3 * draws(1, 5, 7))
    inputs, errors = draws(4, 20, 7), draws(5, 20, 5)
    for forward, values, matrix in ((True, inputs, tile.weights), (False, errors, tile.weights.T)):
        result = tile.forward(values) if forward else tile.backward(values)
        adcs = adcs_of(tile._converters[forward], 0, len(matrix))
        assert_reads(result, matrix, values, **COARSE, adcs=adcs)


@pytest.mark.parametrize("more", [{}, {"noise_management": "max"}, {"dac_capacitor_mismatch": 0.1}])
@pytest.mark.parametrize("shared", [True, False])
def test_columns_are_read_through_the_converters_of_their_block(shared, more):
    # Seven inputs on arrays of three: 0 to 2, 3 to 5, and 6.
    group = group_of(periphery=Periphery(**COARSE, **OFF, **more, shared_by_tiles=shared))
    columns = np.array([6, 0, 1, 4, 3, 0])
    converters = group._converters[True]
    for source in (0, 2):
        read = group.read_columns(source, columns)
        settings = dict(COARSE)
        if converters.dac_weights is not None:
            settings["dacs"] = [conversion.capacitors_of(line) for line in converters.dac_weights[0, :5, :7].T]
        for values, column in zip(read, columns, strict=True):
            adcs = adcs_of(converters, 0 if shared else source, 5)[column // 3]
            matrix, one_hot = group.tiles[source].weights, np.eye(7)[column]
            expected, _, _ = conversion.read_once(matrix, one_hot, 1.0, **settings, adcs=[adcs])
            np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)


def test_a_column_is_read_at_the_duration_that_its_pulse_has():
    group = group_of(periphery=Periphery(dac_bits=5, dac_offset_lsb=0.5))
    np.testing.assert_allclose(
        group.read_columns(0, np.array([4, 1])), (1 + 0.5 / 15) * group.tiles[0].weights.T[[4, 1]]
    )


def test_a_tile_keeps_its_converters_when_others_are_not_read():
    periphery = Periphery(**COARSE, **OFF, shared_by_tiles=False)
    inputs = draws(4, 30, 7)
    group = group_of(periphery=periphery, significances=(0.0, 0.0, 1.0))
    settings = COARSE | {"block": 3, "adcs": adcs_of(group._converters[True], 2, 5)}
    assert_reads(group.forward(inputs), group.tiles[2].weights, inputs, **settings)


@pytest.mark.parametrize("bound_management", ["iterative", "iterative_worst_case"])
def test_only_vectors_that_clip_are_read_again(bound_management):
    plain = Periphery(**COARSE | {"full_scale": 0.7}, **OFF, noise_lsb=0.2)
    inputs = draws(4, 60, 7)
    once = group_of(periphery=plain).forward(inputs)
    group = group_of(periphery=replace(plain, bound_management=bound_management))
    again, activity = group.read(inputs, forward=True)
    differ = (once != again).any(axis=1)
    assert 5 < differ.sum() < 55
    assert activity.vectors >= 60 + differ.sum()


def test_the_activity_is_that_of_the_codes():
    inputs = draws(4, 9, 7)
    ideal, off = Periphery(dac_bits=5, adc_bits=8), Periphery(dac_bits=5, adc_bits=8, dac_offset_lsb=0.3)
    assert (
        group_of(periphery=ideal).read(inputs, forward=True)[1] == group_of(periphery=off).read(inputs, forward=True)[1]
    )


# Same numbers again

EVERYTHING = Periphery(**COARSE, **OFF, noise_lsb=0.3, dac_capacitor_mismatch=0.1, output_nonlinearity=0.2)


@pytest.mark.parametrize("work", [1 << 13, 1 << 40])
def test_reads_do_not_depend_on_threads_or_parts(work, monkeypatch):
    def read(count: int) -> list[np.ndarray]:
        with use_threads(count):
            group = TileGroup((30, 60), WIDE, seed=3, periphery=EVERYTHING, array_rows=16, array_cols=20)
            group.set_weights(0.2 * draws(1, 30, 60))
            return [group.forward(draws(2, 130, 60)), group.backward(draws(3, 130, 30))]

    alone = read(1)
    monkeypatch.setattr(threads, "PART_WORK", work)
    for count in (1, 2):
        for one, other in zip(alone, read(count), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shared", [True, False])
def test_a_resumed_group_has_the_same_converters(shared):
    periphery, inputs = replace(EVERYTHING, shared_by_tiles=shared), draws(4, 9, 7)
    first, second = (group_of(periphery=periphery) for _ in range(2))
    first.forward(inputs)
    state = first.state()
    assert not any("converter" in name for name in state)
    second.restore(state)
    np.testing.assert_array_equal(first.forward(inputs), second.forward(inputs))
    np.testing.assert_array_equal(first.read_columns(1, np.array([5])), second.read_columns(1, np.array([5])))


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_empty_groups(shape):
    group = TileGroup(shape, WIDE, periphery=EVERYTHING)
    for vectors in (0, 2):
        assert group.forward(np.ones((vectors, shape[1]))).shape == (vectors, shape[0])
        assert group.backward(np.ones((vectors, shape[0]))).shape == (vectors, shape[1])
