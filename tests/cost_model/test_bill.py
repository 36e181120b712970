"""The bill as a table, and the numbers that it refuses."""

from dataclasses import dataclass

import numpy as np
import pytest

from cost_model.bill import COLUMNS, NOTHING, Line, make_bill, total


@dataclass(frozen=True)
class Named:
    source: str


def row(**changed):
    line = {
        "layer": "dense1",
        "tile": "all",
        "operation": "forward",
        "component": "adc",
        "count": 2.0,
        "energy_j": 3.0,
        "latency_s": 5.0,
        "per": "adc_conversions",
        "origin": Named("assumed: a test"),
    }
    return Line(**line | changed)


def test_columns_are_those_that_are_promised():
    promised = "layer, tile, operation, component, count, energy_j, latency_s, area_m2, share, source, per"
    assert list(make_bill([row()], 0).lines.columns) == list(COLUMNS) == promised.split(", ")


def test_totals_and_shares():
    bill = make_bill([row(), row(operation="backward", energy_j=1.0), row(operation="floorplan", area_m2=7.0)], 11)
    assert bill.energy_per_sample_j == 7.0
    assert bill.latency_per_sample_s == 15.0
    assert bill.area_m2 == 7.0
    assert bill.digital_storage_byte == 11
    assert bill.lines["share"].tolist() == [3 / 7, 1 / 7, 3 / 7]
    assert bill.energy_of("forward", "backward") == 4.0
    assert bill.latency_of("backward") == 5.0
    assert bill.energy_of("update") == 0.0


def test_a_bill_without_energy_has_no_shares():
    bill = make_bill([row(energy_j=0.0)], 0)
    assert bill.lines["share"].tolist() == [0.0]


def test_a_line_becomes_a_row_with_the_count_of_one_sample_and_its_source():
    lines = make_bill([row(count=6.0, samples=4), row(origin=None)], 0).lines
    assert lines["count"].tolist() == [1.5, 2.0]
    assert lines["source"].tolist() == ["assumed: a test", ""]
    assert lines.loc[0, ["layer", "tile", "operation", "component", "per"]].tolist() == [
        *("dense1", "all", "forward", "adc", "adc_conversions"),
    ]


PARTS = [0.1, 1e-17, 0.2, 0.3, 1e3, -0.0, 0.7]
TOTALS = ("energy_per_sample_j", "latency_per_sample_s", "area_m2")


def test_lines_of_zero_leave_every_bit_of_the_totals():
    rows = [row(energy_j=part, latency_s=part, area_m2=part) for part in PARTS]
    zero = row(energy_j=0.0, latency_s=0.0)
    bills = [make_bill(lines, 0) for lines in (rows, [zero, *rows[:3], zero, *rows[3:], zero])]
    for figure in TOTALS:
        assert len({getattr(bill, figure) for bill in bills}) == 1


def test_the_order_of_the_lines_hardly_changes_the_totals():
    rows = [row(energy_j=part, latency_s=part, area_m2=part) for part in PARTS]
    forward, backward = make_bill(rows, 0), make_bill(rows[::-1], 0)
    for figure in TOTALS:
        assert getattr(forward, figure) == pytest.approx(getattr(backward, figure), rel=1e-15, abs=0)
        assert getattr(forward, figure) == pytest.approx(sum(sorted(PARTS)), rel=1e-15, abs=0)


def test_a_total_is_the_sum_in_the_order_given_for_one_design_and_for_many():
    parts = np.array([[0.1, 3.0], [0.2, 1e-17], [0.3, 0.0]])
    many = total([NOTHING, *parts, NOTHING])
    singles = [total([NOTHING, *column, NOTHING]) for column in parts.T.tolist()]
    assert many.tolist() == singles == [0.1 + 0.2 + 0.3, 3.0 + 1e-17]
    assert 0.1 + 0.2 + 0.3 != 0.3 + 0.2 + 0.1  # the order shows in the last bit
    assert total([0.5, parts[0]]).tolist() == [0.6, 3.5]
    assert total([]) == total([NOTHING, NOTHING]) == 0


def test_a_total_does_not_change_the_numbers_that_it_adds():
    first = np.array([1.0, 2.0])
    total([first, first])
    assert first.tolist() == [1, 2]


def test_an_empty_bill_costs_nothing():
    bill = make_bill([], 0)
    assert (bill.energy_per_sample_j, bill.latency_per_sample_s, bill.area_m2) == (0, 0, 0)
    assert list(bill.lines.columns) == list(COLUMNS)


@pytest.mark.parametrize("column", ["count", "energy_j", "latency_s", "area_m2"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1e-30])
def test_a_number_that_no_bill_can_hold_is_refused(column, number):
    with pytest.raises(ArithmeticError, match=r"bill line .*'component': 'adc'.* holds a NaN, infinite or negative"):
        make_bill([row(component="dac"), row(**{column: number})], 0)
