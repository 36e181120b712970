"""The trace adds operations up, and survives its table unchanged."""

import io

import numpy as np
import pandas as pd
import pytest

from cost_model.operations import COUNTS, Operation, counts
from cost_model.trace import Trace

FIRST = Operation("forward", "dense1", "all", counts(performed=2, reads=2, cell_drive=0.1), 7, 8)
SECOND = Operation("forward", "dense1", "all", counts(performed=3, reads=3, cell_drive=0.2), 7, 8)
OTHER_TILE = Operation("update", "dense1", "0", counts(performed=1, pulses=1 / 3))
OTHER_LAYER = Operation("forward", "dense2", "all", counts(performed=1), 7, 8)


def trace_of(*operations):
    trace = Trace()
    for operation in operations:
        trace.append(operation)
    return trace


def same(one, other):
    pd.testing.assert_frame_equal(one.to_frame(), other.to_frame(), check_exact=True)
    return True


def test_alike_operations_are_added_up_and_others_kept_apart():
    trace = trace_of(FIRST, OTHER_TILE, SECOND, OTHER_LAYER)
    addresses = [address for address, _ in trace.rows()]
    assert addresses == [("dense1", "all", "forward"), ("dense1", "0", "update"), ("dense2", "all", "forward")]
    total = dict(trace.rows())["dense1", "all", "forward"]
    assert total["performed"] == 5
    assert total["cell_drive"] == pytest.approx(0.3, rel=1e-12, abs=0)


def test_appending_leaves_the_operation_as_it_was():
    before = dict(FIRST.counts)
    trace_of(FIRST, SECOND, SECOND)
    assert before == FIRST.counts


def test_the_order_of_operations_does_not_change_the_sums():
    one = dict(trace_of(FIRST, SECOND, OTHER_TILE).rows())
    other = dict(trace_of(OTHER_TILE, SECOND, FIRST).rows())
    assert one.keys() == other.keys()
    assert one == other


def test_an_unknown_kind_is_refused_with_the_known_ones():
    known = "program, calibrate, forward, backward, update, transfer, refresh, digital"
    with pytest.raises(ValueError, match=f"'teleport' is unknown; known: {known}"):
        Trace().append(Operation("teleport", "dense1", "all", counts()))


def test_the_table_has_one_named_column_per_count():
    frame = trace_of(FIRST, OTHER_TILE).to_frame()
    assert list(frame.columns) == ["layer", "tile", "operation", *COUNTS, "dac_bits", "adc_bits"]
    assert frame.loc[0, ["dac_bits", "adc_bits"]].tolist() == [7, 8]
    assert frame.loc[1, ["dac_bits", "adc_bits"]].tolist() == [0, 0]


@pytest.mark.parametrize("operations", [(), (FIRST,), (FIRST, OTHER_TILE, SECOND, OTHER_LAYER)])
def test_round_trip_through_the_table(operations):
    trace = trace_of(*operations)
    assert same(trace, Trace.from_frame(trace.to_frame()))


def test_round_trip_through_a_csv_file():
    trace = trace_of(FIRST, OTHER_TILE, SECOND, OTHER_LAYER)
    text = trace.to_frame().to_csv(index=False)
    assert same(trace, Trace.from_frame(pd.read_csv(io.StringIO(text))))


def test_a_trace_that_was_read_goes_on():
    again = Trace.from_frame(trace_of(FIRST).to_frame())
    again.append(SECOND)
    assert same(again, trace_of(FIRST, SECOND))


def test_counts_of_many_designs_are_added_up_design_by_design():
    many = [
        Operation("forward", "dense1", "all", counts(performed=2, reads=np.array([2, 3])), 7, 8),
        Operation("forward", "dense1", "all", counts(reads=np.array([10, 20]), pulses=0.5), 7, 8),
    ]
    total = dict(trace_of(*many).rows())["dense1", "all", "forward"]
    assert total["reads"].tolist() == [12, 23]
    assert (total["performed"], total["pulses"]) == (2, 0.5)
    assert many[0].counts["reads"].tolist() == [2, 3]


def test_a_table_without_a_column_is_refused():
    frame = trace_of(FIRST).to_frame().drop(columns=["adc_bits", "pulses"])
    with pytest.raises(ValueError, match="trace: columns are missing: adc_bits, pulses"):
        Trace.from_frame(frame)
