"""`cosim fit`: what it prints, what it leaves, what it refuses, and that a study takes the result."""

import pandas as pd
import pytest
import tomli_w

from cosim.cli import main
from device_models import load_device
from tests.device_models.pulse_trains import measure_case


@pytest.fixture
def measurement(tmp_path):
    path = tmp_path / "sample.csv"
    measure_case("soft_bounds", seed=1, cycles=3).to_csv(path, index=False)
    return path


def test_fit_leaves_preset_parameters_and_figure(measurement, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["fit", str(measurement), "--family", "soft_bounds", "--out", str(out)]) == 0

    assert sorted(path.name for path in out.iterdir()) == ["fit.png", "parameters.csv", "sample.toml"]
    device = load_device(out / "sample.toml")
    table = pd.read_csv(out / "parameters.csv").set_index("parameter")
    assert list(table.columns) == ["value", "low_95", "high_95", "unit", "spread"]
    assert device.dw_min == pytest.approx(table.loc["dw_min", "value"])
    assert table.loc["conductance_per_weight_s", "unit"] == "S"
    assert (out / "fit.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "dw_min" in printed
    assert "95 % interval" in printed
    assert "one device was measured" in printed
    assert str(out / "sample.toml") in printed


def test_results_lie_in_runs_where_no_folder_is_given(measurement, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "sample.csv", "--family", "soft_bounds", "--w-min", "-0.5", "--w-max", "0.5"]) == 0
    assert load_device(tmp_path / "runs" / "fit_sample" / "sample.toml").w_max == 0.5


def test_the_same_measurement_gives_the_same_bytes(measurement, tmp_path, capsys):
    for name in ("a", "b"):
        assert main(["fit", str(measurement), "--family", "measured_table", "--out", str(tmp_path / name)]) == 0
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_a_study_trains_with_the_fitted_device(measurement, tmp_path, capsys):
    assert main(["fit", str(measurement), "--family", "soft_bounds", "--out", str(tmp_path / "fitted")]) == 0
    study = tmp_path / "study.toml"
    tree = {
        "schema": 1,
        "data": {"train_samples": 32, "test_samples": 20},
        "network": {"sizes": [64, 10]},
        "training": {"epochs": 1},
        "device": {"preset": "fitted/sample.toml"},
        "algorithm": {"name": "analog_sgd"},
    }
    study.write_text(tomli_w.dumps(tree))

    assert main(["run", str(study), "--out", str(tmp_path / "run"), "--workers", "1"]) == 0

    results = pd.read_csv(tmp_path / "run" / "results.csv")
    assert results["test_accuracy"].between(0, 1).all()
    assert results["states"].iloc[0] == pytest.approx(load_device(tmp_path / "fitted" / "sample.toml").states)


def test_bad_input_is_one_paragraph_and_nothing_is_written(measurement, tmp_path, capsys):
    out = tmp_path / "out"
    text = measurement.read_text()

    def refused(*arguments):
        capsys.readouterr()
        assert main(["fit", *map(str, arguments), "--out", str(out)]) == 2
        message = capsys.readouterr().err
        assert message.startswith("cosim: ")
        assert message.count("\n") == 1
        assert not out.exists()
        return message

    assert "no such file" in refused(tmp_path / "none.csv", "--family", "soft_bounds")
    assert "nearest: 'soft_bounds'" in refused(measurement, "--family", "soft_bond")
    assert "family" in refused(measurement)
    bad = tmp_path / "bad.csv"
    for content, part in (
        (b"", "cannot be read as CSV"),
        (b"\xff\xfe\x00\x01", "cannot be read as CSV"),
        (text.replace("direction", "way", 1).encode(), "no column 'direction'"),
        (text.replace("5,up", "five,up", 1).encode(), "pulse = 'five'"),
    ):
        bad.write_bytes(content)
        message = refused(bad, "--family", "soft_bounds")
        assert part in message
        assert str(bad) in message


def test_help_shows_an_example(capsys):
    assert main(["fit", "--help"]) == 0
    assert "cosim fit measurement.csv --family soft_bounds" in " ".join(capsys.readouterr().out.split())
