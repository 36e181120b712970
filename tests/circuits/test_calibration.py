"""Calibration tables: the committed ones, the reader, and what is said about missing or broken entries."""

import re

import pytest

from circuits import Calibration, CalibrationError, list_calibrations, load_calibration
from circuits.calibration import COLUMNS, read_calibration
from device_models.quantity import sources

HEADER = ",".join(COLUMNS)
ROW = "sar_adc,bits,8,energy_j,1e-13,J,assumed,,a guess"


def table(*rows: str) -> Calibration:
    return read_calibration("test", "\n".join(["# how it was made", HEADER, *rows]))


@pytest.mark.parametrize("name", list_calibrations())
def test_committed_tables_are_complete(name):
    calibration = load_calibration(name)
    assert calibration.name == name
    units = {"energy_j": "J", "latency_s": "s", "area_m2": "m2", "power_w": "W"}
    for (cell, quantity, setting), number in calibration.rows.items():
        assert number.unit == units.get(quantity, "1"), (cell, quantity, setting)
        assert number.value >= 0, (cell, quantity, setting)
        assert number.source or number.note, (cell, quantity, setting)
        assert not number.source or number.source in sources(), (cell, quantity, setting)
    for cell in ("sar_adc", "pulse_width_dac"):
        settings = calibration.settings(cell)
        assert settings == list(range(settings[0], settings[-1] + 1))
        for quantity in {name for owner, name, _ in calibration.rows if owner == cell}:
            assert all((cell, quantity, setting) in calibration.rows for setting in settings), (cell, quantity)


def test_entries_are_found_by_cell_quantity_and_setting():
    calibration = table(ROW, "sar_adc,bits,9,energy_j,2e-13,J,assumed,,a guess", "tia,,,power_w,4e-5,W,assumed,,why")
    assert calibration.quantity("sar_adc", "energy_j", 9).value == 2e-13
    assert calibration.quantity("tia", "power_w").unit == "W"
    assert calibration.settings("sar_adc") == [8, 9]
    assert calibration.settings("tia") == []


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (("laser", "energy_j"), "calibration test: no cell 'laser'; cells: sar_adc, tia"),
        (("sar_adc", "colour", 8), "calibration test: sar_adc has no 'colour'; it has energy_j"),
        (("sar_adc", "energy_j", 12), "calibration test: sar_adc is not characterised at setting 12; settings: 8"),
        (("tia", "power_w", 3), "tia is not characterised at setting 3; settings: none"),
    ],
)
def test_what_is_missing_is_named(address, message):
    calibration = table(ROW, "tia,,,power_w,4e-5,W,assumed,,why")
    with pytest.raises(CalibrationError, match=message):
        calibration.quantity(*address)


def test_unknown_tables_are_named_with_the_known_ones():
    with pytest.raises(CalibrationError, match=r"calibration 'nowhere_1nm' is unknown; known: .*generic_45nm"):
        load_calibration("nowhere_1nm")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW.replace("1e-13", "much"), r"row \[.*'much'.*\]: could not convert string to float: 'much'"),
        (ROW.replace(",8,", ",eight,"), "invalid literal for int"),
        (ROW.replace("a guess", ""), "an assumed value needs a note"),
        (ROW.replace("assumed,,", "measured,nobody1999,"), "source 'nobody1999' is not listed"),
        ("sar_adc,bits,8", "calibration test: row "),
        (f"{ROW}\n{ROW}", re.escape("calibration test: ('sar_adc', 'energy_j', 8) is given twice")),
    ],
)
def test_broken_rows_are_quoted(row, message):
    with pytest.raises(CalibrationError, match=message):
        table(row)


@pytest.mark.parametrize("text", ["", "cell,value\ntia,1", "# only a comment"])
def test_other_columns_are_refused(text):
    with pytest.raises(CalibrationError, match=r"calibration test: columns are .*, expected .*'cell', 'parameter'"):
        read_calibration("test", text)
