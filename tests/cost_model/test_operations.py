"""What operations activate, against counts worked out by hand, and their linearity."""

from dataclasses import replace

import numpy as np
import pytest

from cost_model import operations
from cost_model.floorplan import Conventions, LayerFloorplan, MatrixShape
from cost_model.operations import COUNTS, NO_WORK, PulseActivity, ReadActivity, TransferWork

# 2 outputs x 3 inputs on arrays of 2 input lines and 8 output lines: the inputs spread over two arrays.
SHAPE = MatrixShape("dense", outputs=2, inputs=3)
READS = ReadActivity(vectors=4, lines=10, drive=6.5)
PULSES = PulseActivity(vectors=4, slots=5, input_pulses=6, output_pulses=3, coincidences=2, cells_touched=2)
BUFFERED = TransferWork(operations=2, accesses=2, comparisons=1)


def plan(*, tiles=2, array_rows=2, array_cols=8, columns_per_adc=8, shared_by_tiles=True, shape=SHAPE, **conventions):
    return LayerFloorplan(
        shape, tiles, array_rows, array_cols, columns_per_adc, shared_by_tiles, Conventions(**conventions)
    )


def named(counts):
    """Return the counts that are not zero, and see that there is no other name than those of `COUNTS`."""
    assert set(counts) <= set(COUNTS)
    return {name: float(value) for name, value in counts.items() if value}


def test_counts_are_named_and_what_is_absent_is_zero():
    one, other = operations.counts(reads=3, pulses=2.5), operations.counts(reads=1, comparisons=4)
    assert dict(one + other) == {"reads": 4, "pulses": 2.5, "comparisons": 4}
    assert dict(one) == {"reads": 3, "pulses": 2.5}
    assert dict(other) == {"reads": 1, "comparisons": 4}
    assert one + operations.counts() == one


def test_counts_of_many_designs_add_design_by_design():
    many = operations.counts(reads=np.array([3, 5])) + operations.counts(reads=np.array([1, 2]), pulses=7)
    assert many["reads"].tolist() == [4, 7]
    assert many["pulses"] == 7


def test_an_unknown_count_is_refused():
    with pytest.raises(ValueError, match=r"count 'wishes' is unknown; known: performed, reads, "):
        operations.counts(reads=1, wishes=2)


def test_forward_read_of_two_tiles_with_shared_converters():
    counts = operations.read_counts(plan(), READS, tiles=2, forward=True)
    assert named(counts) == {
        "performed": 4,
        "reads": 4,
        "lines_driven": 20,  # 10 active lines in each of 2 tiles; the outputs fit one array
        "cell_reads": 48,  # 4 vectors x 6 cross-points x 2 tiles
        "cell_drive": 26,  # 6.5 full pulses x 2 outputs x 2 tiles
        "dac_conversions": 12,  # 4 vectors x 3 inputs, shared by all tiles
        "column_reads": 32,  # 4 vectors x 2 outputs x 2 arrays x 2 tiles
        "summations": 16,  # 4 vectors x 2 outputs x 2 arrays
        "summation_rounds": 4,
        "sample_holds": 16,
        "adc_conversions": 16,  # one per output and array, whatever the number of tiles
        "adc_rounds": 8,  # 2 outputs take turns on one converter, 4 times
        "accumulations": 8,  # 4 vectors x 2 outputs x (2 arrays - 1)
        "digital_operations": 20,  # scaling 3 inputs and 2 outputs, 4 times
        "register_bytes": 20,
        "bus_bytes": 8,  # 4 vectors of 2 outputs go on to the next layer
    }


def test_forward_read_of_two_tiles_with_converters_of_their_own():
    shared = named(operations.read_counts(plan(), READS, tiles=2, forward=True))
    private = named(operations.read_counts(plan(shared_by_tiles=False), READS, tiles=2, forward=True))
    changed = {name: value for name, value in private.items() if shared.get(name) != value}
    assert changed == {
        "summations": 32,  # 16 for each tile
        "sample_holds": 32,
        "adc_conversions": 32,
        "accumulations": 24,  # 4 vectors x 2 outputs x (2 arrays x 2 tiles - 1)
    }
    assert set(shared) == set(private)


def test_the_column_of_a_single_tile_is_integrated_too():
    for shared in (True, False):
        counts = named(operations.read_counts(plan(tiles=1, shared_by_tiles=shared), READS, tiles=1, forward=True))
        assert counts["summations"] == counts["adc_conversions"] == 16


def test_backward_read_exchanges_the_sides():
    counts = operations.read_counts(plan(), ReadActivity(vectors=4, lines=7, drive=3), tiles=2, forward=False)
    assert named(counts) == {
        "performed": 4,
        "reads": 4,
        "lines_driven": 28,  # 7 active output lines in 2 arrays of 2 tiles
        "cell_reads": 48,
        "cell_drive": 18,  # 3 full pulses x 3 inputs x 2 tiles
        "dac_conversions": 8,  # 4 vectors x 2 outputs
        "column_reads": 24,  # 4 vectors x 3 inputs x 2 tiles; no partial sums, the outputs fit one array
        "summations": 12,
        "summation_rounds": 4,
        "sample_holds": 12,
        "adc_conversions": 12,
        "adc_rounds": 8,  # an array senses at most 2 of the 3 inputs
        "digital_operations": 20,
        "register_bytes": 20,
        "bus_bytes": 12,  # 4 vectors of 3 errors go on to the earlier layer
    }


def test_the_first_layer_fetches_its_samples_from_outside_the_chip():
    first = MatrixShape("dense", outputs=2, inputs=3, backward=False)
    counts = named(operations.read_counts(plan(shape=first), READS, tiles=2, forward=True))
    assert counts["off_chip_bytes"] == 12  # 4 samples of 3 inputs
    later = named(operations.read_counts(plan(), READS, tiles=2, forward=True))
    assert counts == later | {"off_chip_bytes": 12}
    # A convolution reads each of its elements many times, but fetches it once per sample.
    strided = MatrixShape("conv", outputs=2, inputs=3, positions=4, input_elements=5, backward=False)
    counts = named(operations.read_counts(plan(shape=strided, vector_bytes=2), READS, tiles=2, forward=True))
    assert counts["off_chip_bytes"] == 10  # 4 vectors are one sample, of 5 elements of 2 bytes
    assert counts["bus_bytes"] == 16


def test_bit_serial_inputs_read_once_per_bit_and_shift_and_add():
    floor = replace(plan(), input_cycles=7, bit_density=0.5, bit_serial=True)
    counts = named(operations.read_counts(floor, READS, tiles=2, forward=True))
    once = named(operations.read_counts(plan(), READS, tiles=2, forward=True))
    per_read = (
        *("reads", "cell_reads", "dac_conversions", "column_reads", "summations", "summation_rounds"),
        *("sample_holds", "adc_conversions", "adc_rounds"),
    )
    assert {name: counts[name] for name in per_read} == {name: 7 * once[name] for name in per_read}
    assert counts["shift_adds"] == counts["adc_conversions"]  # each converted value has its place in the sum
    assert counts["lines_driven"] == 10 * 7 * 0.5 * 2  # half of the bits of 10 lines, on the arrays of 2 tiles
    assert counts["cell_drive"] == 10 * 7 * 0.5 * 2 * 2  # in full, whatever the value: no 6.5 of 10
    same = ("performed", "accumulations", "digital_operations", "register_bytes", "bus_bytes")
    assert {name: counts[name] for name in same} == {name: once[name] for name in same}
    assert set(counts) == {*per_read, *same, "shift_adds", "lines_driven", "cell_drive"}


def test_a_transferred_column_is_one_hot_and_needs_a_single_cycle():
    write = PulseActivity(2, 2, 2, 3, 3, 3)
    serial = replace(plan(), input_cycles=7, bit_density=0.5, bit_serial=True)
    found, plain = (operations.transfer_counts(floor, write, reads=2, work=BUFFERED) for floor in (serial, plan()))
    assert named(found) == named(plain)


def test_counts_of_many_designs_are_those_of_each():
    rows, cols, sharing, shared = [1, 2, 2, 5], [8, 1, 2, 5], [8, 1, 2, 1], [True, True, False, False]
    cells = {"array_rows": rows, "array_cols": cols, "columns_per_adc": sharing, "shared_by_tiles": shared}
    many = plan(**{name: np.array(values) for name, values in cells.items()})
    for place in range(4):
        one = plan(**{name: values[place] for name, values in cells.items()})
        for function in (
            lambda floor: operations.read_counts(floor, READS, tiles=2, forward=True),
            lambda floor: operations.read_counts(floor, READS, tiles=2, forward=False),
            lambda floor: operations.update_counts(floor, PULSES),
            lambda floor: operations.transfer_counts(floor, PULSES, reads=3, work=BUFFERED),
            lambda floor: operations.buffer_write_counts(floor, PULSES, writes=2),
            lambda floor: operations.calibration_counts(floor, pulses=10, programmed=4),
        ):
            picked = {name: np.broadcast_to(value, 4)[place] for name, value in function(many).items()}
            assert named(picked) == named(function(one))


def test_converters_shared_by_few_lines_take_few_rounds():
    wide = MatrixShape("wide", outputs=20, inputs=3)
    for columns_per_adc, rounds in ((1, 1), (4, 4), (8, 8), (64, 8)):  # an array has 8 output lines, 3 hold the 20
        floor = plan(shape=wide, columns_per_adc=columns_per_adc)
        counts = operations.read_counts(floor, ReadActivity(1, 1, 1), tiles=1, forward=True)
        assert named(counts)["adc_rounds"] == min(rounds, 7)  # 20 lines on 3 arrays: 7 on the fullest


def test_update_pulses_every_array_and_sets_up_its_trains():
    assert named(operations.update_counts(plan(), PULSES)) == {
        "performed": 4,
        "pulse_slots": 5,
        "line_slots": 25,  # 5 slots x 5 lines
        "pulses": 12,  # 6 input pulses on one array each, 3 output pulses on two arrays each
        "half_selects": 17,  # 6 x 2 outputs + 3 x 3 inputs, less 2 coincidences that stand in both
        "coincidences": 2,
        "cells_touched": 2,
        "digital_operations": 20,  # 4 vectors x 5 lines
        "register_bytes": 20,
    }


def test_update_counts_both_vectors_as_fan_in_where_the_paper_does():
    counts = named(operations.update_counts(plan(vector_length="fan_in"), PULSES))
    assert counts["digital_operations"] == 24  # 4 vectors x (3 + 3)


def test_transfer_reads_and_writes_only_the_array_that_holds_the_column():
    write = PulseActivity(vectors=2, slots=2, input_pulses=2, output_pulses=3, coincidences=3, cells_touched=3)
    counts = operations.transfer_counts(plan(), write, reads=2)
    assert named(counts) == {
        "performed": 2,
        "reads": 2,
        "lines_driven": 2,  # one-hot
        "cell_reads": 8,  # 2 reads of an array with 2 x 2 cross-points
        "cell_drive": 4,  # one line at full scale over 2 outputs
        "dac_conversions": 2,
        "column_reads": 4,
        "summations": 4,
        "summation_rounds": 2,
        "sample_holds": 4,
        "adc_conversions": 4,  # one per output: no partial sums
        "adc_rounds": 4,
        "register_bytes": 4,  # 2 outputs of one byte
        "pulse_slots": 2,
        "line_slots": 8,  # 2 slots x (2 + 2) lines
        "pulses": 5,
        "half_selects": 4,  # 2 x 2 outputs + 3 x 2 inputs - 2 x 3
        "coincidences": 3,
        "cells_touched": 3,
    }


def test_a_transfer_adds_its_work_on_digital_matrices():
    write = PulseActivity(vectors=2, slots=2, input_pulses=2, output_pulses=3, coincidences=3, cells_touched=3)
    plain = operations.transfer_counts(plan(), write, reads=2)
    buffered = operations.transfer_counts(plan(), write, reads=2, work=BUFFERED)
    added = {
        "buffer_operations": 8,  # 2 reads x 2 outputs, multiplied and added
        "comparisons": 4,
        "sram_bytes": 32,  # 4 values read and written, 4 bytes each
    }
    assert named(buffered) == named(plain) | added
    assert not set(added) & set(named(plain))


def test_transfer_counts_do_not_depend_on_sharing_of_converters():
    write = PulseActivity(2, 2, 2, 3, 3, 3)
    shared, private = (
        operations.transfer_counts(plan(shared_by_tiles=value), write, reads=2, work=BUFFERED)
        for value in (True, False)
    )
    assert named(shared) == named(private)


def test_outer_products_read_and_write_the_whole_digital_matrix():
    assert named(operations.outer_product_counts(plan(), 3, mini_batches=2)) == {
        "performed": 3,
        "digital_operations": 6,  # the rate, once per output
        "buffer_operations": 36,  # 2 per element of 2 x 3
        "register_bytes": 15,
        "sram_bytes": 96,  # 6 elements read and written, 4 bytes each, in two mini-batches
    }
    twice = operations.outer_product_counts(plan(outer_product_vectors=2), 3, mini_batches=2)
    assert named(twice)["digital_operations"] == 12


def test_buffer_write_scans_the_whole_matrix_and_pulses_due_rows():
    write = PulseActivity(vectors=3, slots=4, input_pulses=5, output_pulses=4, coincidences=5, cells_touched=4)
    assert named(operations.buffer_write_counts(plan(), write, writes=2)) == {
        "performed": 3,
        "pulse_slots": 4,
        "line_slots": 20,
        "pulses": 13,  # 5 input pulses, 4 output pulses on two arrays each
        "half_selects": 12,  # 5 x 2 + 4 x 3 - 2 x 5
        "coincidences": 5,
        "cells_touched": 4,
        "comparisons": 12,
        "sram_bytes": 48,
    }


def test_buffer_write_pulses_only_the_arrays_that_hold_the_row():
    write = PulseActivity(vectors=1, slots=1, input_pulses=1, output_pulses=1, coincidences=1, cells_touched=1)
    counts = named(operations.buffer_write_counts(plan(array_cols=1), write, writes=1))
    assert counts["pulses"] == 3  # the input on one array of the row, the output on both of its arrays
    assert counts["line_slots"] == 4  # 3 inputs and one output


def test_digital_matrix_products_and_updates():
    assert named(operations.digital_matrix_counts(plan(tiles=0), 4, mini_batches=2, update=False)) == {
        "performed": 4,
        "buffer_operations": 48,
        "register_bytes": 20,
        "sram_bytes": 48,  # 6 elements of 4 bytes, in two mini-batches
    }
    updated = operations.digital_matrix_counts(plan(tiles=0), 4, mini_batches=2, update=True)
    assert named(updated)["sram_bytes"] == 96


def test_neurons_do_five_operations_per_output():
    assert named(operations.neuron_counts(plan(), 3)) == {
        "performed": 3,
        "digital_operations": 30,
        "register_bytes": 12,
    }


def test_programming_goes_row_by_row():
    assert named(operations.program_counts(plan(), pulses=12, cells=6)) == {
        "performed": 2,
        "pulse_slots": 4,  # 12 pulses, 3 cells of a row at a time
        "line_slots": 20,
        "pulses": 24,
        "coincidences": 12,
        "cells_touched": 6,
    }
    assert named(operations.program_counts(plan(), pulses=0, cells=0)) == {}


def test_programming_counts_the_rows_that_are_written():
    assert named(operations.program_counts(plan(), pulses=12, cells=6, rows=8))["performed"] == 8
    assert "performed" not in named(operations.program_counts(plan(), pulses=0, cells=0, rows=0))


def test_calibration_pulses_all_devices_at_once_and_programs_the_reference():
    # 10 alternating pulses on 2 x 3 devices, then 4 device pulses on the reference, row by row.
    found = operations.calibration_counts(plan(), pulses=10, programmed=4)
    whole = PulseActivity(10, 10, 30, 20, 60, 60)
    program = operations.program_counts(plan(), pulses=4, cells=6)
    assert found == operations.pulse_counts(plan(), whole) + program
    assert named(found)["performed"] == 12
    assert named(found)["coincidences"] == 64
    assert "half_selects" not in named(found)


def scaled(activity, factor):
    return type(activity)(*(factor * getattr(activity, name) for name in activity.__slots__))


@pytest.mark.parametrize("factor", [2, 7])
@pytest.mark.parametrize("shared_by_tiles", [True, False])
def test_counts_of_many_are_the_sum_of_counts_of_one(factor, shared_by_tiles):
    floor = plan(shared_by_tiles=shared_by_tiles, array_cols=1)
    more = scaled(PULSES, factor)
    reads = scaled(READS, factor)
    pairs = [
        (operations.update_counts(floor, PULSES), operations.update_counts(floor, more)),
        (
            operations.outer_product_counts(floor, 1, mini_batches=1),
            operations.outer_product_counts(floor, factor, mini_batches=factor),
        ),
        (operations.neuron_counts(floor, 1), operations.neuron_counts(floor, factor)),
        *(
            (
                operations.read_counts(floor, READS, tiles=2, forward=forward),
                operations.read_counts(floor, reads, tiles=2, forward=forward),
            )
            for forward in (True, False)
        ),
        *(
            (
                operations.transfer_counts(floor, PULSES, reads=1, work=work),
                operations.transfer_counts(floor, more, reads=factor, work=work),
            )
            for work in (BUFFERED, NO_WORK)
        ),
        *(
            (
                operations.digital_matrix_counts(floor, 1, mini_batches=1, update=update),
                operations.digital_matrix_counts(floor, factor, mini_batches=factor, update=update),
            )
            for update in (True, False)
        ),
        (
            operations.calibration_counts(floor, pulses=30, programmed=5),
            operations.calibration_counts(floor, pulses=30 * factor, programmed=5 * factor, times=factor),
        ),
        (
            operations.program_counts(floor, pulses=3, cells=2, rows=2),
            operations.program_counts(floor, pulses=3 * factor, cells=2 * factor, rows=2 * factor),
        ),
        (
            operations.buffer_write_counts(floor, PULSES, writes=1),
            operations.buffer_write_counts(floor, more, writes=factor),
        ),
    ]
    for one, many in pairs:
        assert set(many) == set(one)
        for name, value in one.items():
            assert many[name] == pytest.approx(factor * value, rel=1e-14, abs=0)


def test_the_first_layer_fetches_the_samples_and_every_layer_sends_its_outputs_on():
    first = MatrixShape("conv", outputs=2, inputs=3, positions=4, input_elements=7, backward=False)
    moved = operations.moved_counts(plan(shape=first), 8, forward=True)
    assert named(moved) == {"bus_bytes": 16, "off_chip_bytes": 14}  # 8 vectors of 2 outputs; 2 samples of 7 values
    assert named(operations.moved_counts(plan(), 8, forward=True)) == {"bus_bytes": 16}
    assert named(operations.moved_counts(plan(), 8, forward=False)) == {"bus_bytes": 24}
    dense = MatrixShape("dense", outputs=2, inputs=3, backward=False)
    assert named(operations.moved_counts(plan(shape=dense), 8, forward=True))["off_chip_bytes"] == 24
