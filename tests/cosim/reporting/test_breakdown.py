import math

import pandas as pd
import pytest

from cosim.reporting.breakdown import bill_lines, cost_by
from cosim.reporting.frames import load_run
from cosim.reporting.provenance import kind_counts, sources


def lines(bill, heading):
    return {line.name: line for line in bill_lines(bill) if line.heading == heading}


def test_lines_of_each_heading_add_up_to_the_total(priced):
    bill = load_run(priced).bill
    total = lines(bill, "total")["total"]
    assert total.energy_j == pytest.approx(bill["energy_j"].sum() / 2)  # two runs
    for heading in ("operation", "component"):
        parts = lines(bill, heading).values()
        assert sum(line.energy_j for line in parts) == pytest.approx(total.energy_j)
        assert sum(line.latency_s for line in parts) == pytest.approx(total.latency_s)
        assert sum(line.area_m2 for line in parts) == pytest.approx(total.area_m2)
        assert sum(line.energy_share for line in parts) == pytest.approx(1)


def test_operations_stand_in_the_order_of_a_step_and_unknown_ones_last(priced):
    bill = load_run(priced).bill
    bill.loc[bill["operation"] == "update", "operation"] = "a_new_one"
    assert list(lines(bill, "operation")) == ["forward", "backward", "a new one", "floorplan"]


def test_a_free_design_has_no_shares(priced):
    bill = load_run(priced).bill.assign(energy_j=0.0)
    assert math.isnan(lines(bill, "total")["total"].energy_share)


def test_costs_are_means_over_the_runs_of_a_configuration(make_run, row):
    rows = [row(run_id="a", seed=1, energy_per_sample_j=8e-9), row(run_id="b", seed=2, energy_per_sample_j=24e-9)]
    bill = load_run(make_run(rows)).bill
    costs = cost_by(bill, "component", "energy_j")
    assert list(costs.index) == [0]
    assert costs.loc[0].to_dict() == pytest.approx({"adc": 10e-9, "drivers": 4e-9, "registers": 2e-9})


def test_what_costs_nothing_has_no_column(priced):
    assert "floorplan" not in cost_by(load_run(priced).bill, "operation", "energy_j").columns


def test_each_source_is_listed_once_with_what_it_priced(priced):
    found = sources(load_run(priced).bill)
    assert [source.text for source in found] == [
        "measured: table sar_adc",
        "fitted: line of drivers",
        "assumed: eight bits; horowitz2014",
        "derived: count times cell",
    ]
    assert found[0].components == ("adc",)
    assert found[0].operations == ("backward", "forward")
    assert found[0].energy_share == pytest.approx(5 / 8)


def test_kinds_are_counted_in_order_of_trust(priced):
    counts = kind_counts(sources(load_run(priced).bill))
    assert [(kind, count) for kind, count, _ in counts] == [
        ("measured", 1),
        ("fitted", 1),
        ("derived", 1),
        ("assumed", 1),
    ]
    assert [share for _, _, share in counts] == pytest.approx([5 / 8, 2 / 8, 0, 1 / 8])


def test_an_unknown_or_missing_source_is_called_not_stated(priced):
    bill = load_run(priced).bill
    bill["source"] = pd.Series([None, "hearsay"] * 5, dtype="object")
    found = sources(bill)
    assert {(source.text, source.kind) for source in found} == {("not stated", "not stated"), ("hearsay", "not stated")}
