"""The report of `cosim characterise`: points, laws and waveforms of each cell; and the command around it."""

from dataclasses import replace

import pandas as pd
import pytest

from circuits import characterise as characterising
from circuits.cell import Picture
from circuits.simulator import has_ngspice, simulator_version
from cosim.cli import main
from cosim.reporting.periphery import points_csv, write_report
from tests.oracles import toy_cell

needs_ngspice = pytest.mark.skipif(not has_ngspice(), reason="ngspice is not installed")


def pictures():
    return [Picture(toy_cell.deck(4), (("output (V)", ("v(b)",)),))]


@pytest.fixture
def toy(tmp_path, monkeypatch):
    cell = replace(toy_cell.CELL, pictures=pictures)
    for place in ("circuits.characterise.cell", "circuits.cells.cell"):
        monkeypatch.setattr(place, lambda name: cell)
    for place in ("circuits.characterise.CELLS", "circuits.cells.CELLS"):
        monkeypatch.setattr(place, ("toy",))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@needs_ngspice
def test_the_report_has_points_laws_and_waveforms(toy):
    done = characterising.characterise(["toy"], table_folder=toy / "table", cache_folder=toy / "cache")
    written = write_report(done, toy / "report")
    assert written.read_text().endswith("* [toy](toy.md)\n")
    names = {path.name for path in (toy / "report").iterdir()}
    assert names == {"cells.md", "toy.md", "toy_laws.svg", "toy_points.csv", "toy_waveforms.svg"}
    points = pd.read_csv(toy / "report" / "toy_points.csv")
    assert points.columns.tolist() == ["bench", "bits", "quantity", "value"]
    assert points["bits"].tolist() == list(toy_cell.BITS)
    assert points["value"].tolist() == pytest.approx([one.values["latency_s"] for one in done[0].measured])
    text = (toy / "report" / "toy.md").read_text()
    assert "| `latency_s` | a n | a = 6.9" in text
    assert "(3 points)" in text
    assert text.count("| measured | 50 % |") == 4
    first = {path.name: path.read_bytes() for path in (toy / "report").iterdir()}
    write_report(done, toy / "report")
    assert {path.name: path.read_bytes() for path in (toy / "report").iterdir()} == first


@needs_ngspice
def test_the_command_writes_table_and_report(toy, capsys):
    arguments = ["characterise", "toy", "--out", str(toy / "report"), "--table", str(toy / "table"), "--workers", "1"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "latency_s = a n" in shown
    assert "law" in shown
    assert (toy / "table" / "generic_45nm.csv").is_file()
    assert (toy / "report" / "cells.md").is_file()


def test_an_unknown_cell_is_bad_input(tmp_path, capsys):
    assert main(["characterise", "laser", "--table", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("cosim: cell 'laser' is unknown; ")
    assert "sar_adc" in told
    assert list(tmp_path.iterdir()) == []


def test_without_a_simulator_the_command_fails_and_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    simulator_version.cache_clear()
    assert main(["characterise", "memristor", "--table", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("cosim: ngspice is not installed; install it, for example with: apt-get")
    assert list(tmp_path.iterdir()) == []


def test_points_of_different_benches_share_one_table():
    one, other = (
        characterising.Measured(bench, conditions, {"energy_j": 1e-15})
        for bench, conditions in (("a", {"bits": 4}), ("b", {"cells": 64, "bits": 5}))
    )
    assert points_csv([one, other]) == ("bench,bits,cells,quantity,value\na,4,,energy_j,1e-15\nb,5,64,energy_j,1e-15\n")
