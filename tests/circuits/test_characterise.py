"""Characterisation: points in parallel, kept and resumed; the table changes as a whole or not at all."""

from dataclasses import replace

import numpy as np
import pytest

from circuits import characterise as subject
from circuits.calibration import read_calibration
from circuits.cell import Entry, Point, unit_of
from circuits.characterise import CharacterisationError, characterise, write_atomically
from circuits.simulator import has_ngspice
from tests.oracles import toy_cell

needs_ngspice = pytest.mark.skipif(not has_ngspice(), reason="ngspice is not installed")
TABLE = "generic_45nm.csv"
OTHER = "sample_hold,energy_j,,,,,,,1e-15,J,assumed,,why"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "cell", lambda name: toy_cell.CELL)
    monkeypatch.setattr(subject, "CELLS", ("toy", "sample_hold"))
    monkeypatch.setattr("circuits.cells.cell", lambda name: toy_cell.CELL)
    table = tmp_path / "table"
    table.mkdir()
    (table / TABLE).write_text(f"# old\n# sample_hold: kept line\n{','.join(subject.COLUMNS)}\n{OTHER}\n")
    return {"table_folder": table, "cache_folder": tmp_path / "cache"}


@needs_ngspice
def test_points_become_rows_and_laws(folders):
    seen = []
    (done,) = characterise(["toy"], progress=lambda *counts: seen.append(counts), **folders)
    assert seen[0] == (0, 4)
    assert seen[-1] == (4, 4)
    table = folders["table_folder"]
    calibration = read_calibration(
        "generic_45nm", (table / TABLE).read_text(), (table / "generic_45nm_laws.csv").read_text()
    )
    for bits in toy_cell.BITS:
        found = calibration.quantity("toy", "latency_s", bits=bits)
        assert found.value == pytest.approx(bits * 1e-12 * np.log(2), rel=0.01)
        assert (found.kind, found.source) == ("measured", "simulation")
    assert calibration.quantity("sample_hold", "energy_j").value == 1e-15
    law = calibration.laws["toy", "latency_s"]
    assert law.coefficients["a"] == pytest.approx(1e-12 * np.log(2), rel=0.01)
    assert (law.fitted_points, law.held_out_points) == (3, 1)
    assert law.worst_held_out_error == pytest.approx(done.laws[0].worst_held_out_error, rel=1e-3)
    header = " | ".join(calibration.header)
    assert "toy: 4 points, decks " in header
    assert "ngspice-" in header
    assert "sample_hold: kept line" in header
    assert not any(line == "old" for line in calibration.header)
    assert "transistor cards (SHA-256): nominal " in header


@needs_ngspice
def test_finished_points_are_kept(folders, monkeypatch):
    characterise(["toy"], **folders)
    before = (folders["table_folder"] / TABLE).read_text()

    def refuse(*arguments, **keywords):
        raise AssertionError("a kept point was simulated again")

    monkeypatch.setattr(subject, "run_point", refuse)
    characterise(["toy"], **folders)
    assert (folders["table_folder"] / TABLE).read_text() == before
    broken = next(folders["cache_folder"].glob("*/*.json"))
    broken.write_text("{")
    with pytest.raises(Exception, match=r"simulated again|pickle"):
        characterise(["toy"], **folders)


@needs_ngspice
def test_two_processes_give_the_same_table(folders, tmp_path):
    characterise(["toy"], **folders)
    one = (folders["table_folder"] / TABLE).read_text()
    characterise(["toy"], workers=2, **{**folders, "cache_folder": tmp_path / "other"})
    assert (folders["table_folder"] / TABLE).read_text() == one


@needs_ngspice
def test_a_failing_point_leaves_the_table_as_it_was_and_keeps_the_others(folders, monkeypatch):
    singular = "V1 a 0 1\nV2 a 0 2\nR1 a b 1k\nC1 b 0 1f"
    bad = Point("step", {"bits": 9}, (toy_cell.deck(9, singular),), toy_cell.measure)
    spoiled = replace(toy_cell.CELL, points=lambda: [bad, *toy_cell.points()])
    monkeypatch.setattr(subject, "cell", lambda name: spoiled)
    table = folders["table_folder"]
    before = {file.name: file.read_text() for file in table.iterdir()}
    with pytest.raises(CharacterisationError) as caught:
        characterise(["toy"], **folders)
    assert str(caught.value).startswith(
        "1 of 5 points failed, the table is as it was: step at bits = 9: deck 'toy of 9 bits': ngspice failed: "
    )
    assert {file.name: file.read_text() for file in table.iterdir()} == before
    assert len(list(folders["cache_folder"].glob("*/*.json"))) == 4


@needs_ngspice
def test_a_table_that_cannot_be_written_stays(folders, monkeypatch):
    table = folders["table_folder"]
    before = {file.name: file.read_text() for file in table.iterdir()}
    characterise(["toy"], **{**folders, "table_folder": folders["cache_folder"] / "elsewhere"})

    def full(self, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile._TemporaryFileWrapper.write", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        characterise(["toy"], **folders)
    assert {file.name: file.read_text() for file in table.iterdir()} == before


def test_a_missing_simulator_is_told_before_anything_else(folders, tmp_path, monkeypatch):
    subject.simulator_version.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CharacterisationError, match="ngspice is not installed"):
        characterise(["toy"], **folders)


def test_unknown_cells_are_named():
    with pytest.raises(ValueError, match=r"cell 'laser' is unknown; .*sar_adc"):
        characterise(["laser"])


def test_files_are_replaced_together(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    write_atomically(one, "a", two, "b")
    assert (one.read_text(), two.read_text()) == ("a", "b")
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        write_atomically(one, "c", tmp_path / "one" / "below", "d")
    assert (one.read_text(), two.read_text()) == ("a", "b")
    assert {file.name for file in tmp_path.iterdir()} == {"one", "two"}


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        *(("energy_j", "J"), ("latency_s", "s"), ("area_m2", "m2"), ("min_conductance_s", "S"), ("offset_v", "V")),
        *(
            ("noise_lsb", "1"),
            ("gain_error", "1"),
            ("nonlinearity", "1"),
            ("segment_resistance_ohm", "ohm"),
            ("droop_v_per_s", "V/s"),
        ),
    ],
)
def test_the_name_of_a_quantity_gives_its_unit(quantity, unit):
    assert unit_of(quantity) == unit
    assert Entry(quantity, {}, 1.0).unit == unit
