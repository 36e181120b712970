"""Calibration tables: the committed ones, the reader, and what is said about missing or broken entries."""

import re
from dataclasses import replace

import pytest

from circuits import Calibration, CalibrationError, list_calibrations, load_calibration
from circuits.calibration import COLUMNS, read_calibration
from circuits.laws import FittedLaw, Law, fit_law
from device_models.quantity import sources

HEADER = ",".join(COLUMNS)
ROW = "sar_adc,energy_j,8,,,,nominal,300,1e-13,J,assumed,,a guess"
TIA = "tia,power_w,,,,,,,4e-5,W,assumed,,why"


def table(*rows: str) -> Calibration:
    return read_calibration("test", "\n".join(["# how it was made", HEADER, *rows]))


@pytest.mark.parametrize("name", list_calibrations())
def test_committed_tables_are_complete(name):
    calibration = load_calibration(name)
    assert calibration.name == name
    assert calibration.header
    units = {"energy_j": "J", "latency_s": "s", "area_m2": "m2", "power_w": "W"}
    for row in calibration.rows:
        number = row.quantity
        assert number.unit == units.get(row.name, number.unit), row
        assert number.value >= 0 or row.name not in units, row
        assert number.source or number.note, row
        assert not number.source or number.source in sources(), row
    for cell in ("sar_adc", "pulse_width_dac"):
        bits = calibration.bits(cell)
        assert bits == list(range(bits[0], bits[-1] + 1))
        for quantity in ("energy_j", "latency_s", "area_m2"):
            assert all(calibration.quantity(cell, quantity, bits=number, cells=128).value > 0 for number in bits)


@pytest.mark.parametrize("name", list_calibrations())
def test_committed_laws_give_what_a_new_fit_gives(name):
    calibration = load_calibration(name)
    for (cell, quantity), law in calibration.laws.items():
        points = [
            (row.numbers, row.quantity.value)
            for row in calibration.rows
            if (row.cell, row.name) == (cell, quantity) and row.holds_at("nominal", 300.0)
        ]
        again = fit_law(law.law, points)
        assert again.held_out_points == law.held_out_points > 0
        # The table has six digits of each point.
        assert again.worst_held_out_error == pytest.approx(law.worst_held_out_error, abs=1e-3)
        for conditions, _ in points:
            assert again(conditions) == pytest.approx(law(conditions), rel=1e-3)


def test_rows_are_found_by_their_conditions():
    fast = ROW.replace("nominal", "fast").replace("1e-13", "3e-13")
    calibration = table(ROW, ROW.replace(",8,", ",9,").replace("1e-13", "2e-13"), fast, TIA)
    assert calibration.quantity("sar_adc", "energy_j", bits=9).value == 2e-13
    assert calibration.quantity("sar_adc", "energy_j", bits=8, corner="fast").value == 3e-13
    assert calibration.quantity("sar_adc", "energy_j", bits=8, cells=64).value == 1e-13
    assert calibration.quantity("tia", "power_w", corner="slow", temperature_k=358.0).unit == "W"
    assert calibration.bits("sar_adc") == [8, 9]
    assert calibration.bits("tia") == []


def test_between_rows_the_table_interpolates_and_says_so():
    corners = {(16, 1.0): 1.0, (64, 1.0): 3.0, (16, 0.5): 2.0, (64, 0.5): 8.0}
    rows = [f"tia,latency_s,,,{gamma},{cells},,,{value},s,assumed,,why" for (cells, gamma), value in corners.items()]
    calibration = table(*rows)
    assert calibration.quantity("tia", "latency_s", gamma=1.0, cells=40).value == pytest.approx(2.0)
    found = calibration.quantity("tia", "latency_s", gamma=0.75, cells=40)
    assert found.value == pytest.approx((2.0 + 5.0) / 2)
    assert found.kind == "derived"
    assert found.note == "interpolated at cells = 40, gamma = 0.75 in: why"
    assert calibration.range_of("tia", "latency_s", "cells") == (16, 64)


def test_a_law_stands_between_rows_only_where_it_is_accurate():
    law = Law("latency_s", "a n^2", ("cells",), {"a": 1.0}, lambda at, k: k["a"] * at["cells"] ** 2, lambda at: False)
    rows = [f"tia,latency_s,,,,{cells},nominal,300,{cells**2},s,assumed,,why" for cells in (1, 2, 4)]
    accurate = FittedLaw(law, {"a": 1.0}, {"cells": (1, 4)}, 2, 1, 0.0, 0.01)
    calibration = replace(table(*rows), laws={("tia", "latency_s"): accurate})
    found = calibration.quantity("tia", "latency_s", cells=3)
    assert (found.value, found.kind, found.source) == (9.0, "fitted", "simulation")
    assert found.note == "a n^2, within 1.0% of points held out of the fit"
    assert calibration.quantity("tia", "latency_s", cells=4).kind == "assumed"
    rough = replace(calibration, laws={("tia", "latency_s"): replace(accurate, worst_held_out_error=0.06)})
    assert rough.quantity("tia", "latency_s", cells=3).value == 10.0


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (("laser", "energy_j", {}), "calibration test: no cell 'laser'; cells: sar_adc, tia"),
        (("sar_adc", "colour", {"bits": 8}), "calibration test: sar_adc has no 'colour'; it has energy_j"),
        (("sar_adc", "energy_j", {"bits": 12}), "sar_adc energy_j is not characterised at bits = 12; it is at 8"),
        (("sar_adc", "energy_j", {}), "sar_adc energy_j depends on bits; say at which"),
        (
            ("sar_adc", "energy_j", {"bits": 8, "corner": "slow"}),
            "sar_adc energy_j is not characterised at corner 'slow', 300 K",
        ),
    ],
)
def test_what_is_missing_is_named(address, message):
    calibration = table(ROW, TIA)
    cell, quantity, conditions = address
    with pytest.raises(CalibrationError, match=message):
        calibration.quantity(cell, quantity, **conditions)


def test_unknown_tables_are_named_with_the_known_ones():
    with pytest.raises(CalibrationError, match=r"calibration 'nowhere_1nm' is unknown; known: .*generic_45nm"):
        load_calibration("nowhere_1nm")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW.replace("1e-13", "much"), r"row \[.*'much'.*\]: could not convert string to float: 'much'"),
        (ROW.replace(",8,", ",eight,"), "could not convert string to float: 'eight'"),
        (ROW.replace("a guess", ""), "an assumed value needs a note"),
        (ROW.replace("assumed,,", "measured,nobody1999,"), "source 'nobody1999' is not listed"),
        ("sar_adc,energy_j,8", "calibration test: row "),
        (f"{ROW}\n{ROW}", re.escape("calibration test: ('sar_adc', 'energy_j', ('bits', 8.0), ")),
    ],
)
def test_broken_rows_are_quoted(row, message):
    with pytest.raises(CalibrationError, match=message):
        table(row)


@pytest.mark.parametrize("text", ["", "cell,value\ntia,1", "# only a comment"])
def test_other_columns_are_refused(text):
    with pytest.raises(CalibrationError, match=r"calibration test: columns are .*, expected .*'cell', 'quantity'"):
        read_calibration("test", text)
