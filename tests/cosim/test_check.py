"""The circuit in the loop: a sound circuit passes, a faulty one fails, bad input is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomli_w

import cosim.check as package
from circuits.simulator import has_ngspice
from cosim.check import COLUMNS, Check, Fault, check, reads, training
from cosim.check.bench import Bench
from cosim.check.places import busiest, places_of
from cosim.check.training import Trained, train_or_restore
from cosim.check.writes import check_transfer, check_update, trains_of
from cosim.cli import main
from cosim.config import ConfigError, load_study, make_study
from cosim.data import load_data
from cosim.experiment import Training
from cosim.kernels.update import ACTIVITY
from cosim.record import Record
from cosim.workers import RunError

needs_ngspice = pytest.mark.skipif(not has_ngspice(), reason="ngspice is not installed")
BASE: dict[str, Any] = {
    "schema": 1,
    "title": "Checked",
    "data": {"train_samples": 64, "test_samples": 20},
    "network": {"sizes": [64, 12, 10]},
    "training": {"epochs": 1},
    "device": {"states": 20, "dw_min_std": 0.3, "dw_min_dtod": 0.3},
    "algorithm": {"name": "residual_learning", "tiles": 2},
}


def study_file(folder: Path, **sections: Any) -> Path:
    path = folder / "study.toml"
    path.write_text(tomli_w.dumps(BASE | sections))
    return path


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checked")
    three = {"name": "residual_learning", "tiles": 3, "transfer_rate": 0.5, "transfer_period": 1}  # soon all hold much
    swept = {"algorithm": [BASE["algorithm"], three, {"name": "digital_sgd"}]}
    base = {key: value for key, value in BASE.items() if key != "algorithm"}
    study = make_study(base | {"sweep": swept})
    record = Record(folder / "run")
    record.open(study)
    for point in study.points:
        wanted = point.resolved["data"]
        data = load_data(
            "digits", None, train_samples=wanted["train_samples"], test_samples=wanted["test_samples"], seed=point.seed
        )
        trainer = Training(point, data)
        trainer.epoch()
        trainer.save(record.checkpoint(point.run_id))
    return record.folder


@pytest.fixture(scope="module")
def trained(run_folder: Path) -> Trained:
    return train_or_restore(run_folder, None, None)


@pytest.fixture(scope="module")
def sound(trained: Trained) -> Check:
    return checked(trained)


def checked(trained: Trained, fault: Fault | None = None, *, tolerance_lsb: float = 0.5) -> Check:
    """Check one place of 8 x 8 weights where inputs are large: the last layer, behind a tanh. Faults: forward alone."""
    done = Check()
    bench = Bench(trained, places_of(trained.layers, 8)[-1], fault or Fault())
    for forward in (True, False) if fault is None else (True,):
        reads.check_ideal(done, bench, forward=forward)
        reads.check_real(done, bench, tolerance_lsb, forward=forward)
    return done


def line(done: Check, operation: str, level: str, cause: str) -> Any:
    found = done.table.query("operation == @operation and level == @level and cause == @cause")
    assert len(found) == 1
    return found.iloc[0]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 2) -> str:
    capsys.readouterr()
    assert main(["check", *map(str, arguments)]) == code
    message = capsys.readouterr().err
    assert message.startswith("cosim: ")
    assert message.count("\n") == 1
    assert "Traceback" not in message
    return message


def test_the_run_with_the_most_tiles_is_restored_as_it_was_trained(run_folder: Path, trained: Trained) -> None:
    assert len(trained.layers[0].matrix.tiles) == 3
    with np.load(run_folder / "checkpoints" / f"{trained.point.run_id}.npz") as stored:
        np.testing.assert_array_equal(stored["network:dense1/tile2.weights"], trained.layers[0].matrix.tiles[2].weights)


@needs_ngspice
def test_ideal_cells_agree_to_single_precision(sound: Check) -> None:
    for operation in ("forward", "backward"):
        assert line(sound, operation, "ideal", "all").relative_error < 1e-6


@needs_ngspice
def test_sound_circuit_passes_and_its_causes_add_up(sound: Check) -> None:
    assert sound.passed, sound.reasons()
    assert list(sound.table.columns) == list(COLUMNS)
    causes = ["wires", "gain error", "settling", "offset", "quantisation"]
    sizes = [line(sound, "forward", "real", cause).rms_lsb for cause in causes]
    assert all(size > 0 for size in sizes)
    assert line(sound, "forward", "real", "total").rms_lsb < sum(sizes)
    assert line(sound, "forward", "real", "quantisation").max_lsb <= 0.5 + 1e-9
    assert line(sound, "forward", "real", "unexplained").rms_lsb < 0.25


@needs_ngspice
def test_tolerance_decides(trained: Trained, sound: Check) -> None:
    below = line(sound, "forward", "real", "unexplained").rms_lsb / 2
    assert not checked(trained, Fault(), tolerance_lsb=below).passed


@needs_ngspice
def test_offsets_are_those_of_the_calibration_table(trained: Trained, sound: Check) -> None:
    spread_v = trained.point.hardware.calibration.quantity("tia", "input_offset_v").value
    offset = line(sound, "forward", "real", "offset")
    assert f"{spread_v * 1e3:.3g} mV" in offset.note
    # The integrator adds the offset of every tile's TIA over the window, and each op-amp has one of its own.
    assert offset.rms_lsb * 0.8 / 2**8 > spread_v


@needs_ngspice
def test_wires_of_the_study_are_those_of_the_circuit(tmp_path: Path) -> None:
    path = study_file(tmp_path, hardware={"wires": {"segment_resistance_ohm": 20.0}})
    trained = train_or_restore(path, None, 2)
    place = places_of(trained.layers, 6)[-1]
    done, usual = Check(), Check()
    bench = Bench(trained, place, Fault())
    table = trained.point.hardware.calibration
    assert bench.group.wired is not None  # the network was trained through them too
    assert bench.wires.segment_resistance_ohm == 20
    assert bench.wires.max_conductance_s == table.quantity("crossbar", "max_conductance_s").value
    for forward in (True, False):
        reads.check_ideal(done, bench, forward=forward)
        reads.check_real(done, bench, 0.5, forward=forward)
    check_update(done, trained, place.layer, 4)
    check_transfer(done, trained, place.layer, 4, Fault())
    assert done.passed, done.reasons()
    bench.wires = replace(bench.wires, segment_resistance_ohm=1.0)
    reads.check_real(usual, bench, 0.5, forward=False)
    ratio = line(done, "backward", "real", "wires").rms_lsb / line(usual, "backward", "real", "wires").rms_lsb
    assert ratio == pytest.approx(20, rel=0.1)


@needs_ngspice
@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        (Fault(tile=0, gain_factor=1.2), ("ideal", "all")),
        (Fault(tile=1, gain_factor=0.8), ("ideal", "all")),
        (Fault(tile=0, swapped_outputs=(0, 5)), ("ideal", "all")),
        (Fault(tile=0, slowness=10.0), ("real", "drift")),
    ],
    ids=["gain of tile 0", "gain of tile 1", "swapped columns", "slow TIA"],
)
def test_deliberate_faults_are_found(trained: Trained, fault: Fault, wrong: tuple[str, str]) -> None:
    done = checked(trained, fault)
    assert not done.passed
    finding = next(f for f in done.failures if (f.level, f.cause) == wrong and f.operation == "forward")
    assert finding.place in done.reasons()
    assert f"tolerance {finding.tolerance:g}" in done.reasons()


@needs_ngspice
def test_updates_and_transfers_follow_the_tile(trained: Trained) -> None:
    done = Check()
    before = [tile.weights.copy() for tile in trained.layers[0].matrix.tiles]
    check_update(done, trained, 0, 6)
    check_transfer(done, trained, 0, 6, Fault())
    assert done.passed, done.reasons()
    assert [finding.operation for finding in done.findings] == ["update", "transfer", "transfer"]
    assert done.update is not None
    for tile, weights in zip(trained.layers[0].matrix.tiles, before, strict=True):
        np.testing.assert_array_equal(tile.weights, weights)


@needs_ngspice
def test_swapped_columns_are_found_in_a_transfer(trained: Trained) -> None:
    done = Check()
    check_transfer(done, trained, 0, 6, Fault(swapped_outputs=(0, 3)))
    assert "column read" in [finding.cause for finding in done.failures]


def test_trains_are_those_that_the_tile_draws(trained: Trained) -> None:
    tile = trained.layers[0].matrix.tiles[-1]
    inputs, errors = trained.inputs[0], trained.errors[0]
    state = tile.state()
    trains = trains_of(tile, inputs, errors, 5.0)
    activity = tile.update(inputs, errors, 5.0)
    tile.restore(state)
    assert trains.hits.sum() == activity.coincidences > 0
    assert np.abs(trains.inputs).sum() == activity.input_pulses
    assert ACTIVITY[2] == "input_pulses"


def test_busiest_window_holds_the_largest_sum() -> None:
    activity = np.zeros((9, 7), dtype=int)
    activity[6, 2] = activity[7, 3] = 5
    outputs, inputs = busiest(activity, 2)
    assert (outputs, inputs) == (slice(6, 8), slice(2, 4))
    assert busiest(activity, 20) == (slice(0, 9), slice(0, 7))


def test_places_are_corners_and_middles_once(trained: Trained) -> None:
    names = [place.name for place in places_of(trained.layers, 8)]
    assert names[:3] == ["dense1 0-7 x 0-7", "dense1 4-11 x 56-63", "dense1 2-9 x 28-35"]
    assert len(set(names)) == len(names) == 6
    assert len(places_of(trained.layers, 48)) == 4  # the second layer is one place


@needs_ngspice
def test_command_writes_tables_figures_and_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "places_of", lambda layers, size: places_of(layers, size)[:1])
    monkeypatch.setattr(reads, "REAL_VECTORS", 1)
    monkeypatch.setattr(reads, "REAL_LINES", 2)
    path = study_file(tmp_path, network={"sizes": [64, 10]})
    out = tmp_path / "out"
    assert main(["check", str(path), "--out", str(out), "--size", "4", "--steps", "3"]) == 0
    printed = capsys.readouterr().out
    assert "unexplained" in printed
    table = pd.read_csv(out / "check.csv")
    assert tuple(table.columns) == COLUMNS
    assert set(table["operation"]) == {"forward", "backward", "update", "transfer"}
    page = (out / "index.html").read_text()
    for name in ("scatter", "split", "waveforms_read", "waveforms_update"):
        assert (out / "figures" / f"{name}.svg").is_file()
    assert page.count("<img") == 4
    assert "All " in page
    for text in ("0.5 LSB", ">dense1 0-3 x 0-3<", "mini-batches", "4 x 4 weights"):
        assert text in page
    assert pd.read_csv(out / "waveforms_read.csv")["time_s"].is_monotonic_increasing


@needs_ngspice
def test_command_fails_with_what_is_wrong_and_by_how_much(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "places_of", lambda layers, size: places_of(layers, size)[:1])
    monkeypatch.setattr(package, "Fault", lambda: Fault(gain_factor=1.2))
    path = study_file(tmp_path, network={"sizes": [64, 10]})
    message = refused(capsys, path, "--out", tmp_path / "out", "--size", 2, "--steps", 1, code=1)
    assert "the check failed" in message
    assert "tolerance 1e-06" in message
    assert (tmp_path / "out" / "index.html").is_file()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--size", 0], "1 to 48"),
        (["--size", 49], "1 to 48"),
        (["--tolerance-lsb", 0], "above 0"),
        (["--steps", 0], "at least 1"),
        (["--run-id", "abc"], "not a folder"),
    ],
)
def test_bad_options_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[object], part: str
) -> None:
    assert part in refused(capsys, study_file(tmp_path), *options)


def test_bad_targets_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], run_folder: Path) -> None:
    digital = study_file(tmp_path, algorithm={"name": "digital_sgd"})
    assert "digital" in refused(capsys, digital)
    assert "no checkpoint" in refused(capsys, tmp_path)
    assert "no such study file" in refused(capsys, tmp_path / "none.toml")
    (tmp_path / "empty").mkdir()
    assert "no study.toml" in refused(capsys, tmp_path / "empty")
    assert "has no checkpoint; there are" in refused(capsys, run_folder, "--run-id", "abc")
    assert "trains a study" in refused(capsys, run_folder, "--steps", 2)
    study = load_study(run_folder / "study.toml")
    digital_run = next(point.run_id for point in study.points if not point.algorithm().significances)
    assert "is digital" in refused(capsys, run_folder, "--run-id", digital_run)


def test_missing_ngspice_is_a_failure_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "has_ngspice", lambda: False)
    path = study_file(tmp_path)
    assert "apt-get install" in refused(capsys, path, "--steps", 1, code=1)
    with pytest.raises(RunError, match="ngspice"):
        check(path, steps=1)
    with pytest.raises(ConfigError, match="size"):
        check(path, size=100)
