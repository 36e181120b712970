from __future__ import annotations

import gzip
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomli_w

import cosim.study
from cosim.cli import main
from cosim.workers import RunError

ROOT = Path(__file__).parents[2]
BASE: dict[str, Any] = {
    "schema": 1,
    "title": "From the command line",
    "data": {"train_samples": 64, "test_samples": 20},
    "network": {"sizes": [64, 10]},
    "training": {"epochs": 1},
    "algorithm": {"name": "residual_learning", "tiles": 2},
    "sweep": {"seed": [1, 2]},
}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(tomli_w.dumps(BASE))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "study.toml").write_text(tomli_w.dumps(BASE))
    assert main(["run", str(folder / "study.toml"), "--out", str(folder / "run"), "--workers", "1"]) == 0
    return folder / "run"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 2) -> str:
    """Run a command that must fail; return its one paragraph on stderr."""
    capsys.readouterr()
    assert main(list(map(str, arguments))) == code
    captured = capsys.readouterr()
    assert captured.err.startswith("cosim: ")
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("\n")
    assert "Traceback" not in captured.err + captured.out
    return captured.err


# Bad input: exit code 2, one paragraph, nothing written.

TEXTS = {
    "unknown key": ("schema = 1\ncolour = 3\n", ["'colour'", "known keys"]),
    "misspelt key": ("schema = 1\n[training]\nepoch = 3\n", ["'training.epoch'", "nearest: 'epochs'"]),
    "text for a number": ('schema = 1\nseed = "x"\n', ["seed = 'x'", "integer"]),
    "fraction for a whole number": ("schema = 1\n[training]\nepochs = 1.5\n", ["training.epochs = 1.5", "integer"]),
    "truth for a number": ("schema = 1\n[training]\nepochs = true\n", ["training.epochs = True", "integer"]),
    "list for a table": ("schema = 1\ntraining = [1]\n", ["training = [1]", "[training]"]),
    "several": ("schema = 1\nseed = -1\n[training]\nepochs = 0\nbatch_size = 0\nlearning_rate = nan\n", ["and 1 more"]),
    "no states": ("schema = 1\n[device]\nstates = 0\n", ["device.states = 0", "2"]),
    "gamma": ('schema = 1\n[algorithm]\nname = "residual_learning"\ngamma = 1.0\n', ["algorithm.gamma = 1.0", "1"]),
    "unknown data": ('schema = 1\n[data]\nname = "mnits"\n', ["data.name = 'mnits'", "nearest: 'mnist'"]),
    "no schema": ("seed = 1\n", ["schema is missing", "schema = 1"]),
    "schema 2": ("schema = 2\n", ["schema = 2", "schema = 1"]),
    "empty": ("", ["empty"]),
    "TOML": ("schema = 1\n[data\n", ["not valid TOML", "line 2"]),
    "sweep": ("schema = 1\nsweep = 3\n", ["sweep must be a table"]),
    "empty axis": ("schema = 1\n[sweep]\nseed = []\n", ['sweep."seed" = []', "non-empty list"]),
    "axis": ('schema = 1\n[sweep]\n"device.statse" = [4]\n', ["device.statse is unknown", "nearest: 'states'"]),
    "axis below a value": ('schema = 1\ntitle = "x"\n[sweep]\n"title.x" = [4]\n', ["title is not a section"]),
    "line break in a key": ('schema = 1\n"a\\nb" = 1\n', ["unknown"]),
    "line break in an axis": ('schema = 1\n[sweep]\n"a\\nb" = 1\n', ["non-empty list"]),
    "line break in a price": ('schema = 1\n[hardware.values]\n"a\\nb" = 1\n', ["is unknown"]),
    "sizes": ("schema = 1\n[network]\nsizes = [10, 10]\n", ["network.sizes = [10, 10]", "64"]),
    "lenet5": ('schema = 1\n[network]\nname = "lenet5"\n', ["lenet5", "mnist"]),
    "bits": ("schema = 1\n[hardware.adc]\nbits = 16\n", ["hardware.adc.bits = 16", "4 to 10"]),
    "node": ("schema = 1\n[hardware]\nnode_nm = 28\n", ["hardware.node_nm = 28", "45"]),
    "samples": ("schema = 1\n[data]\ntrain_samples = 2000\n", ["data.train_samples = 2000", "1437"]),
}


@pytest.mark.parametrize("command", ["run", "price", "explain"])
@pytest.mark.parametrize(("text", "parts"), TEXTS.values(), ids=TEXTS)
def test_bad_study_is_refused_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, text: str, parts: list[str]
) -> None:
    path, out = tmp_path / "bad.toml", tmp_path / "out"
    path.write_text(text)

    message = refused(capsys, command, path, *([] if command == "explain" else ["--out", out]))

    assert str(path) in message
    assert [part for part in parts if part not in message] == []
    assert not out.exists()


@pytest.mark.parametrize("command", ["run", "price", "explain"])
def test_study_file_that_cannot_be_read_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")

    assert "no such study file" in refused(capsys, command, tmp_path / "none.toml")
    assert "irectory" in refused(capsys, command, tmp_path)
    assert "irectory" in refused(capsys, command, tmp_path / "binary.toml" / "study.toml")
    assert "UTF-8" in refused(capsys, command, tmp_path / "binary.toml")


def test_bad_study_leaves_an_existing_folder_as_it_is(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(finished)
    bad = tmp_path / "bad.toml"
    bad.write_text("schema = 1\n[training]\nepochs = 0\n")

    refused(capsys, "run", bad, "--out", finished)
    refused(capsys, "price", bad, "--out", finished)

    assert contents(finished) == before


def write_mnist(folder: Path, header: bytes) -> None:
    folder.mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(header))


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        (None, ["files/mnist", "no readable folder"]),
        (b"", ["train-images-idx3-ubyte.gz", "header"]),
        (struct.pack(">4I", 1234, 60000, 28, 28), ["magic number 2051", "1234"]),
        (struct.pack(">4I", 2051, 5, 28, 28), ["60000 images", "5 in its header"]),
        (struct.pack(">4I", 2051, 60000, 28, 28), ["truncated"]),
    ],
    ids=["no folder", "empty", "magic", "count", "truncated"],
)
def test_bad_data_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: bytes | None, parts: list[str]
) -> None:
    (tmp_path / "files").mkdir()
    if files is not None:
        write_mnist(tmp_path / "files" / "mnist", files)
    path = tmp_path / "study.toml"
    path.write_text('schema = 1\n[data]\nname = "mnist"\npath = "files/mnist"\n')

    message = refused(capsys, "run", path, "--out", tmp_path / "out")

    assert [part for part in parts if part not in message] == []
    assert not (tmp_path / "out").exists()


def test_missing_path_of_the_data_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "study.toml"
    path.write_text('schema = 1\n[data]\nname = "mnist"\n')

    assert "data.path" in refused(capsys, "run", path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["run", "price"])
def test_out_folder_that_is_a_file_or_below_one_is_refused(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")

    for out in (taken, taken / "below"):
        message = refused(capsys, command, study, "--out", out)
        assert f"{out}: the folder cannot be written" in message
        assert "--out" in message
    assert taken.read_text() == "mine"


def test_out_folder_without_room_is_refused(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)

    assert "(Read-only file system)" in refused(capsys, "run", study, "--out", tmp_path / "out")


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\xff\xfe\x00\n"], ids=["other columns", "not text"])
def test_results_of_another_schema_are_refused_and_left_alone(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.csv").write_bytes(content)

    message = refused(capsys, "run", study, "--out", tmp_path / "out")

    assert "results.csv" in message
    assert contents(tmp_path / "out") == {"results.csv": content}


def test_price_does_not_replace_a_training(study: Path, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(finished)

    assert "results of a training" in refused(capsys, "price", study, "--out", finished)
    assert contents(finished) == before


USAGE = {
    "unknown command": (["frobnicate"], ["frobnicate", "cosim --help"]),
    "unknown option": (["run", "x.toml", "--wrkers", "2"], ["--wrkers", "--workers"]),
    "missing study": (["run"], ["study", "cosim run --help"]),
    "surplus argument": (["explain", "a", "b"], ["(b)", "cosim explain --help"]),
    "no workers": (["run", "x.toml", "--workers", "0"], ["--workers 0", "greater than or equal to 1"]),
    "half a worker": (["run", "x.toml", "--workers", "0.5"], ["--workers 0.5", "integer"]),
    "unknown list": (["list", "nonsense"], ["'nonsense'", "'devices'", "'data'"]),
    "missing list": (["list"], ["kind", "devices"]),
    "missing folder": (["report"], ["folder"]),
    "missing value": (["run", "x.toml", "--out"], ["--out"]),
}


@pytest.mark.parametrize(("arguments", "parts"), USAGE.values(), ids=USAGE)
def test_wrong_usage_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], parts: list[str]) -> None:
    message = refused(capsys, *arguments)

    assert [part for part in parts if part not in message] == []
    assert f"given: cosim {' '.join(arguments)}" in message


def test_report_on_a_folder_without_tables_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()

    for folder in (tmp_path / "empty", tmp_path / "none", tmp_path / "file"):
        message = refused(capsys, "report", folder)
        assert str(folder) in message
        assert "cosim run" in message
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\n", b"a,b\n1,2\n", b'"open\n', b"a,b\n1,2,3\n1\n1,2,3,4\n"])
def test_report_on_tables_that_cannot_be_read_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "results.csv").write_bytes(content)

    assert str(tmp_path) in refused(capsys, "report", tmp_path)


# A failed run: exit code 1.


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (RunError("a worker process died"), "a worker process died"),
        (KeyboardInterrupt(), "interrupted"),
        (OSError(28, "No space left on device", "runs/x.csv"), "runs/x.csv: No space left on device"),
    ],
)
def test_failed_run_ends_with_one(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException, part: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cosim.study, "run", fail)

    assert part in refused(capsys, "run", study, code=1)


# Sends what Ctrl-C sends, to the command and its workers, once training has begun.
INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
import cosim.study
from cosim.cli import main

original = cosim.study.run

def run(*arguments, progress, **options):
    def report(done, total):
        progress(done, total)
        if done > 3 and not sent:
            sent.append(True)
            os.killpg(0, signal.SIGINT)
    sent = []
    return original(*arguments, progress=report, **options)

cosim.study.run = run
sys.exit(main(sys.argv[1:]))
"""


def test_interrupt_ends_the_run_and_its_workers_with_one_paragraph(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(tomli_w.dumps(BASE | {"training": {"epochs": 10**9}, "algorithm": {"name": "digital_sgd"}}))

    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "run", str(path), "--out", str(tmp_path / "out"), "--workers", "2"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        start_new_session=True,
    )

    assert result.returncode == 1
    assert result.stderr == "cosim: interrupted; finished rows are kept, the same command goes on from here\n"


# What works.


def test_run_leaves_the_agreed_files(finished: Path) -> None:
    left = {path.name for path in finished.iterdir()}

    agreed = {
        "study.toml",
        "results.csv",
        "history.csv",
        "tiles.csv",
        "bill.csv",
        "trace.csv",
        "summary.json",
        "index.html",
    }
    beside_the_bill = {"activity.csv", "floorplan.csv", "schedule.csv", "bands.csv", "tornado.csv", "checks.csv"}
    assert left == agreed | beside_the_bill | {"bill.md", "bill.tex", "figures", "checkpoints"}
    assert list((finished / "figures").glob("*.svg")) + list((finished / "figures").glob("*.png"))


def test_run_shows_the_results_and_the_page(
    study: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(finished, tmp_path / "again")
    before = contents(out)

    assert main(["run", str(study), "--out", str(out), "--workers", "1"]) == 0

    shown = capsys.readouterr().out
    assert "From the command line" in shown
    assert "residual learning" in shown
    assert f"Page: {out / 'index.html'}" in shown
    assert {name: content for name, content in contents(out).items() if name.endswith((".csv", ".html"))} == {
        name: content for name, content in before.items() if name.endswith((".csv", ".html"))
    }


def test_a_folder_from_before_wires_is_still_reported(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(finished, tmp_path / "older")
    tiles = pd.read_csv(out / "tiles.csv").drop(columns="wire_error_lsb")
    tiles.to_csv(out / "tiles.csv", index=False)

    assert main(["report", str(out)]) == 0

    assert "What the tiles hold" in (out / "index.html").read_text()


def test_run_names_the_tiles_that_wound_up_after_the_results(
    study: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(finished, tmp_path / "again")
    header, *body = (out / "tiles.csv").read_text().splitlines()
    rows = [row.split(",") for row in body]
    magnitude, word = header.split(",").index("mean_abs_weight"), header.split(",").index("verdict")
    for row in rows:
        row[magnitude], row[word] = ("0.83", "wind-up") if row[3] == "1" else ("0.2", "noise")
    (out / "tiles.csv").write_text("\n".join([header, *map(",".join, rows)]) + "\n")

    assert main(["run", str(study), "--out", str(out), "--workers", "1"]) == 0

    lines = capsys.readouterr().out.splitlines()
    (said,) = [line for line in lines if line.startswith("Wind-up: ")]
    assert said == "Wind-up: dense1 tile 1 (mean |W| 0.83) in residual learning, 2 tiles: see tiles.csv"
    assert lines.index(said) > max(place for place, line in enumerate(lines) if "│" in line)


def test_run_says_nothing_of_wind_up_where_there_is_none(
    study: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(finished, tmp_path / "again")
    header = (out / "tiles.csv").read_text().splitlines()[0]
    (out / "tiles.csv").write_text(header + "\n")

    assert main(["run", str(study), "--out", str(out), "--workers", "1"]) == 0

    assert "Wind-up" not in capsys.readouterr().out


def test_price_shows_every_point_and_what_it_assumes(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["price", str(study)]) == 0

    shown = capsys.readouterr().out
    for point in cosim.study.load_study(study).points:
        assert point.run_id in shown
    assert "Note: assumed activity (sar_45nm): update_slots 1.2" in shown
    assert not (study.parent / "runs").exists()


def test_price_writes_a_page_where_a_folder_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "study.toml", tmp_path / "out"
    path.write_text('schema = 1\n[data]\nname = "mnist"\n[network]\nname = "lenet5"\n')

    assert main(["price", str(path), "--out", str(out)]) == 0
    page = (out / "index.html").read_bytes()
    assert main(["report", str(out)]) == 0

    assert f"Page: {out / 'index.html'}" in capsys.readouterr().out
    assert (out / "index.html").read_bytes() == page
    assert not (out / "results.csv").exists()


def test_price_of_one_design_says_how_sure_it_is_and_what_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "study.toml"
    path.write_text('schema = 1\n[data]\nname = "mnist"\n[network]\nname = "lenet5"\n')

    assert main(["price", str(path)]) == 0

    shown = capsys.readouterr().out
    assert "Bill per training sample" in shown
    assert "How sure: 9 in 10 draws" in shown
    assert "Warning: layer dense1: a backward read loses" in shown


def test_price_finds_the_smallest_design_within_limits(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "study.toml", tmp_path / "out"
    tree = {key: value for key, value in BASE.items() if key != "sweep"}
    axes = {"hardware.adc.bits": [6, 8], "hardware.array_rows": [32, 64, 128], "hardware.adc.columns_per_adc": [1, 8]}
    path.write_text(tomli_w.dumps({**tree, "sweep": axes}))

    limits = ["--where", "hardware.adc.bits >= 8", "--where", "latency <= 1 us", "--smallest", "area"]
    assert main(["price", str(path), *limits, "--out", str(out)]) == 0

    shown = capsys.readouterr().out
    assert "of 12 designs within hardware.adc.bits >= 8 and latency <= 1 us, the smallest area first" in " ".join(
        shown.split()
    )
    designs = pd.read_csv(out / "designs.csv")
    assert len(designs) == 12
    kept = designs[designs["kept"]]
    assert (kept["hardware.adc.bits"] == 8).all()
    assert (kept["latency_per_sample_s"] <= 1e-6).all()
    areas = pd.read_csv(out / "bill.csv").groupby("run_id", sort=False)["area_m2"].sum()
    assert areas.iloc[0] == pytest.approx(kept["area_m2"].min(), rel=1e-12)


def test_price_takes_over_activity_and_accuracy_of_a_run(
    study: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["price", str(study), "--run", str(finished), "--out", str(tmp_path / "out")]) == 0

    assert "is that of a finished run" in capsys.readouterr().out
    results = pd.read_csv(finished / "results.csv").set_index("run_id")
    bill = pd.read_csv(tmp_path / "out" / "bill.csv").groupby("run_id")["energy_j"].sum()
    assert set(bill.index) == set(results.index)
    np.testing.assert_allclose(bill, results.loc[bill.index, "energy_per_sample_j"], rtol=1e-12)
    designs = pd.read_csv(tmp_path / "out" / "designs.csv")
    assert sorted(designs["energy_per_sample_j"]) == sorted(results["energy_per_sample_j"])
    assert designs["test_accuracy"].notna().all()


def test_price_fails_where_no_design_keeps_the_limits(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "price", study, "--where", "energy <= 1 fJ", code=1)
    assert "no design keeps all limits: energy <= 1 fJ: kept by 0 of" in told
    assert "; best " in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "energy"], "--where 'energy' is not a limit"),
        (["--where", "beauty >= 1"], "beauty is unknown"),
        (["--smallest", "beauty"], "--smallest 'beauty' is unknown"),
        (["--run", "nowhere"], "nowhere: this is not the folder of a run that can be priced again"),
    ],
)
def test_price_refuses_questions_that_it_cannot_answer(
    study: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert message in refused(capsys, "price", study, *arguments)


def test_explain_shows_ten_hops(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(study)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line[:4].strip() for line in lines if line[:2].strip().isdigit()] == [str(hop) for hop in range(1, 11)]
    assert "seed 1, 64 images of digits" in "\n".join(lines)


def test_report_writes_the_page_again(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(finished, tmp_path / "run")
    page = (folder / "index.html").read_bytes()
    (folder / "index.html").unlink()
    shutil.rmtree(folder / "figures")

    assert main(["report", str(folder)]) == 0

    assert (folder / "index.html").read_bytes() == page
    assert contents(folder).keys() == contents(finished).keys()


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("devices", "soft_bounds"),
        ("algorithms", "residual_learning"),
        ("networks", "lenet5"),
        ("hardware", "sar_45nm"),
        ("data", "fashion_mnist"),
    ],
)
def test_list_shows_what_a_study_can_name(capsys: pytest.CaptureFixture[str], kind: str, part: str) -> None:
    assert main(["list", kind]) == 0
    assert part in capsys.readouterr().out


def test_demo_runs_its_preset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "demo.toml").write_text(tomli_w.dumps(BASE | {"title": "Tiny demo"}))
    monkeypatch.setattr("cosim.cli.files", lambda package: tmp_path if package == "cosim" else None)
    monkeypatch.chdir(tmp_path)

    assert main(["demo", "--workers", "1"]) == 0

    assert "Tiny demo" in capsys.readouterr().out
    assert (tmp_path / "runs" / "demo" / "index.html").exists()
    assert len(cosim.study.Record(tmp_path / "runs" / "demo").results) == 2


def test_demo_of_the_package_is_a_valid_study() -> None:
    study = cosim.study.load_study(ROOT / "cosim" / "presets" / "demo.toml")

    assert study.resolved["data"]["name"] == "digits"
    assert len(study.points) > 1


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["list", "--help"]])
def test_help_is_shown(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(words) == 0
    assert "Usage" in capsys.readouterr().out


def test_command_without_arguments_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    code = main([])

    captured = capsys.readouterr()
    assert code == 2
    assert "explain" in captured.out + captured.err
    assert "Traceback" not in captured.err


def test_module_is_the_command(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "cosim", "run", "none.toml"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "cosim: none.toml: there is no such study file\n"
    assert list(tmp_path.iterdir()) == []
