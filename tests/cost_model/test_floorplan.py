"""Logical matrices on physical arrays: blocks, instances, utilisation, storage."""

from dataclasses import replace

import numpy as np
import pytest

from cost_model.floorplan import Conventions, LayerFloorplan, MatrixShape, StorageNeeds


def plan(outputs, inputs, *, tiles=1, rows=128, cols=128, columns_per_adc=8, shared=True, backward=True, **conventions):
    shape = MatrixShape("layer", outputs, inputs, backward=backward)
    return LayerFloorplan(shape, tiles, rows, cols, columns_per_adc, shared, Conventions(**conventions))


def test_a_layer_knows_its_cells_and_values():
    dense = MatrixShape("dense", 10, 128)
    assert dense.cells == 1280
    assert dense.elements == 138
    convolution = MatrixShape("conv", 16, 25, positions=576, input_elements=784, output_elements=9216)
    assert convolution.cells == 400
    assert convolution.elements == 10_000
    assert MatrixShape("conv", 16, 25, positions=576).elements == 576 * 41


@pytest.mark.parametrize(
    ("outputs", "inputs", "blocks"),
    [(1, 1, (1, 1)), (128, 128, (1, 1)), (129, 128, (1, 2)), (128, 129, (2, 1)), (250, 785, (7, 2))],
)
def test_sides_spread_over_as_many_arrays_as_they_need(outputs, inputs, blocks):
    floor = plan(outputs, inputs)
    driven, sensed = floor.sides(forward=True)
    assert (driven.lines, sensed.lines) == (inputs, outputs)
    assert (driven.blocks, sensed.blocks) == blocks
    assert floor.sides(forward=False) == (sensed, driven)


@pytest.mark.parametrize(
    ("outputs", "columns_per_adc", "rounds"),
    [(1, 8, 1), (5, 8, 5), (64, 8, 8), (64, 1, 1), (250, 128, 125), (250, 256, 125)],
)
def test_lines_take_turns_on_the_busiest_converter(outputs, columns_per_adc, rounds):
    assert plan(outputs, 3, columns_per_adc=columns_per_adc).adc_rounds(forward=True) == rounds


def test_one_line_reaches_the_arrays_beside_each_other():
    floor = plan(250, 785)
    column = floor.reached_by_one_line(forward=True)
    assert (column.shape.outputs, column.shape.inputs) == (250, 113)  # 785 lines on 7 arrays
    row = floor.reached_by_one_line(forward=False)
    assert (row.shape.outputs, row.shape.inputs) == (125, 785)
    assert plan(20, 30).reached_by_one_line(forward=True) == plan(20, 30)


def test_instances_of_a_layer_on_fourteen_arrays():
    # 785 inputs on 7 arrays of 128, 250 outputs on 2: 14 arrays per tile, 3 tiles, shared converters.
    instances = plan(250, 785, tiles=3).instances()
    assert instances == {
        "cross_points": 3 * 250 * 785,
        "array_weights": 3 * 14 * 128 * 128,
        "lines": 3 * (785 * 2 + 250 * 7),
        "dacs": 785 + 250,
        "tias": 3 * (250 * 7 + 785 * 2),
        "summing_stages": 250 * 7 + 785 * 2,
        "sample_holds": 250 * 7 + 785 * 2,
        # 125 outputs on 16 converters in each of 14 arrays, 113 inputs on 15 converters in each of 14 arrays
        "adcs": 14 * 16 + 14 * 15,
        "digital_units": 1,
    }


def test_private_converters_and_summing_stages_come_once_per_tile():
    shared, private = plan(250, 785, tiles=3).instances(), plan(250, 785, tiles=3, shared=False).instances()
    assert private["adcs"] == 3 * shared["adcs"]
    assert private["sample_holds"] == 3 * shared["sample_holds"]
    assert private["summing_stages"] == 3 * shared["summing_stages"]
    same = set(shared) - {"adcs", "sample_holds", "summing_stages"}
    assert all(shared[name] == private[name] for name in same)


def test_a_single_tile_has_summing_stages_that_integrate():
    assert plan(10, 10).instances()["summing_stages"] == 20


def test_a_layer_that_passes_no_error_on_senses_one_side_only():
    instances = plan(250, 785, backward=False).instances()
    assert instances["dacs"] == 785
    assert instances["tias"] == instances["sample_holds"] == 250 * 7
    assert instances["adcs"] == 14 * 16


def test_a_digital_layer_occupies_no_analog_hardware():
    instances = plan(10, 10, tiles=0).instances()
    assert {name: value for name, value in instances.items() if value} == {"digital_units": 1}


@pytest.mark.parametrize(
    ("outputs", "inputs", "utilisation"), [(128, 128, 1.0), (1, 1, 1 / 128**2), (64, 129, 0.5 * 129 / 256)]
)
def test_utilisation_is_the_used_part_of_the_arrays(outputs, inputs, utilisation):
    instances = plan(outputs, inputs, tiles=4).instances()
    assert instances["cross_points"] / instances["array_weights"] == pytest.approx(utilisation, rel=1e-15, abs=0)


def test_storage_of_vectors_matrices_and_biases():
    floor = plan(10, 128)
    assert floor.storage_byte(StorageNeeds()) == 138 + 40
    assert floor.storage_byte(StorageNeeds(matrices=1)) == 138 + 4 * 1280 + 40
    assert floor.storage_byte(StorageNeeds(matrices=2, stored_samples=8)) == 8 * 138 + 8 * 1280 + 40


def test_storage_as_the_papers_count_it():
    paper = {"vector_length": "fan_in", "buffer_bytes": 1, "bias_bytes": 0}
    floor = plan(10, 128, **paper)
    assert floor.vector_lengths == (128, 128)
    assert floor.storage_byte(StorageNeeds()) == 2 * 128
    assert floor.storage_byte(StorageNeeds(matrices=1, stored_samples=4)) == 1280 + 2 * 128 * 4


def test_vectors_have_the_lengths_of_the_matrix_by_default():
    assert plan(10, 128).vector_lengths == (128, 10)


def test_a_pipeline_keeps_the_vectors_of_a_mini_batch():
    assert StorageNeeds(matrices=2).keeping(16) == StorageNeeds(matrices=2, stored_samples=16)
    assert StorageNeeds(stored_samples=32).keeping(16).stored_samples == 32


def test_arrays_and_their_use():
    floor = plan(250, 785, tiles=3)
    assert floor.arrays == 3 * 14
    assert floor.utilisation == 250 * 785 / (14 * 128 * 128)
    assert plan(10, 10, tiles=0).utilisation == 1


def test_one_line_of_a_bit_serial_layer_is_read_in_a_single_cycle():
    serial = replace(plan(250, 785), input_cycles=8, bit_density=0.2, bit_serial=True)
    for forward in (True, False):
        reached = serial.reached_by_one_line(forward=forward)
        assert reached == plan(250, 785).reached_by_one_line(forward=forward)


SETTINGS = {
    "rows": [1, 128, 100, 7, 1000],
    "cols": [128, 3, 100, 1, 64],
    "columns_per_adc": [8, 1, 200, 5, 64],
    "shared": [True, False, True, False, False],
}


@pytest.mark.parametrize("tiles", [0, 1, 3])
@pytest.mark.parametrize("backward", [True, False])
def test_a_floorplan_of_many_designs_has_the_numbers_of_each(tiles, backward):
    many = plan(250, 785, tiles=tiles, backward=backward, **{key: np.array(value) for key, value in SETTINGS.items()})
    for place in range(5):
        own = {key: value[place] for key, value in SETTINGS.items()}
        one = plan(250, 785, tiles=tiles, backward=backward, **own)
        found = {name: float(np.broadcast_to(number, 5)[place]) for name, number in many.instances().items()}
        assert found == {name: float(number) for name, number in one.instances().items()}
        assert np.broadcast_to(many.utilisation, 5)[place] == one.utilisation
        for forward in (True, False):
            assert many.adc_rounds(forward)[place] == one.adc_rounds(forward)
            reached, alone = (floor.reached_by_one_line(forward=forward).shape for floor in (many, one))
            assert np.broadcast_to(reached.inputs, 5)[place] == alone.inputs
            assert np.broadcast_to(reached.outputs, 5)[place] == alone.outputs
