"""The bill as a table, and the numbers that it refuses."""

import pytest

from cost_model.bill import COLUMNS, make_bill


def row(**changed):
    line = {
        "layer": "dense1",
        "tile": "all",
        "operation": "forward",
        "component": "adc",
        "count": 2.0,
        "energy_j": 3.0,
        "latency_s": 5.0,
        "area_m2": 0.0,
        "source": "assumed: a test",
        "per": "adc_conversions",
    }
    return line | changed


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


def test_writes_off_the_critical_path_cost_energy_and_no_time():
    bill = make_bill([row(operation="update"), row(operation="update", layer="dense2", latency_s=6.0)], 0)
    assert bill.latency_per_sample_s == bill.latency_of("update") == 6.0
    assert bill.energy_of("update") == 6.0


def test_a_bill_without_energy_has_no_shares():
    bill = make_bill([row(energy_j=0.0)], 0)
    assert bill.lines["share"].tolist() == [0.0]


def test_totals_depend_neither_on_the_order_of_the_lines_nor_on_lines_of_zero():
    parts = [0.1, 1e-17, 0.2, 0.3, 1e17, -0.0, 0.7]
    rows = [row(energy_j=part, latency_s=part, area_m2=part) for part in parts]
    zero = row(energy_j=0.0, latency_s=0.0)
    bills = [make_bill(lines, 0) for lines in (rows, rows[::-1], [zero, *rows, zero])]
    for figure in ("energy_per_sample_j", "latency_per_sample_s", "area_m2"):
        assert len({getattr(bill, figure) for bill in bills}) == 1


def test_an_empty_bill_costs_nothing():
    bill = make_bill([], 0)
    assert (bill.energy_per_sample_j, bill.latency_per_sample_s, bill.area_m2) == (0, 0, 0)
    assert list(bill.lines.columns) == list(COLUMNS)


@pytest.mark.parametrize("column", ["count", "energy_j", "latency_s", "area_m2"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1e-30])
def test_a_number_that_no_bill_can_hold_is_refused(column, number):
    with pytest.raises(ArithmeticError, match=r"bill line .*'component': 'adc'.* holds a NaN, infinite or negative"):
        make_bill([row(component="dac"), row(**{column: number})], 0)
