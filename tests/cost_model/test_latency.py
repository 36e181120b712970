"""The critical path: reads in series, updates of all layers at the same time."""

import pandas as pd
import pytest

from cost_model.floorplan import MatrixShape
from cost_model.latency import critical_path
from tests.cost_model.designs import assumed_bill, hardware


def lines_of(*rows):
    return pd.DataFrame(rows, columns=["layer", "operation", "latency_s"])


def test_reads_and_digital_work_all_count():
    lines = lines_of(("a", "forward", 1.0), ("b", "forward", 9.0), ("b", "backward", 2.0), ("a", "digital", 3.0))
    assert critical_path(lines).all()


def test_only_the_layer_with_the_slowest_writes_counts():
    lines = lines_of(
        ("a", "forward", 1.0),
        ("a", "update", 3.0),
        ("a", "transfer", 3.0),
        ("b", "update", 5.0),
        ("b", "backward", 1.0),
        ("b", "transfer", 0.5),
    )
    # a writes for 6 s, b for 5.5 s: a's two parts count, though b's update is the longest single one.
    assert critical_path(lines).tolist() == [True, True, True, False, True, False]


def test_of_equally_slow_layers_one_counts():
    lines = lines_of(("a", "update", 2.0), ("b", "update", 2.0))
    assert lines.loc[critical_path(lines), "latency_s"].sum() == 2.0


def test_area_lines_stay_on_the_path_with_their_zero():
    lines = lines_of(("a", "floorplan", 0.0), ("b", "update", 2.0), ("a", "update", 3.0))
    assert critical_path(lines).tolist() == [True, False, True]


def test_the_latency_column_sums_to_the_latency_of_a_sample():
    small, large = MatrixShape("small", 10, 10, backward=False), MatrixShape("large", 300, 300)
    parts = {"tiles": 2, "transfer_columns": 1, "setting": "paper", "warm_start": "off", "transfer_period": 1}
    both = assumed_bill("residual_learning", [small, large], hardware(), **parts)
    alone = [assumed_bill("residual_learning", [shape], hardware(), **parts) for shape in (small, large)]
    assert both.lines["latency_s"].sum() == pytest.approx(both.latency_per_sample_s, rel=1e-14, abs=0)
    serial = ("forward", "backward", "digital")
    parallel = ("program", "update", "transfer")
    assert both.latency_of(*serial) == pytest.approx(sum(bill.latency_of(*serial) for bill in alone), rel=1e-12, abs=0)
    assert both.latency_of(*parallel) == pytest.approx(
        max(bill.latency_of(*parallel) for bill in alone), rel=1e-12, abs=0
    )
    writes = both.lines[both.lines["operation"].isin(parallel)]
    assert writes.loc[writes["layer"] == "small", "latency_s"].eq(0).all()
    assert writes.loc[writes["layer"] == "small", "energy_j"].sum() > 0


def test_one_read_takes_the_pulse_the_settling_and_the_conversions_in_series():
    shape = [MatrixShape("dense", 64, 64, backward=False)]
    design = hardware(columns_per_adc=16)
    table = design.calibration.quantity
    bill = assumed_bill("analog_sgd", shape, design)
    analog = bill.lines[(bill.lines["operation"] == "forward") & (bill.lines["component"] != "digital")]
    lines = {"cells": 128}
    expected = (
        table("crossbar", "latency_s", **lines).value
        + table("pulse_width_dac", "latency_s", bits=7).value
        + table("tia", "latency_s", gamma=1.0, **lines).value
        + table("summing_stage", "latency_s", tiles=8).value
        + table("sample_hold", "latency_s", bits=8).value
        + 16 * table("sample_hold", "read_latency_s", bits=8).value
        + 16 * table("sar_adc", "latency_s", bits=8).value
    )
    assert analog["latency_s"].sum() == pytest.approx(expected, rel=1e-12, abs=0)
