from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pytest

import cosim.study
from cosim.algorithms import ALGORITHMS, Algorithm, Parameters
from cosim.config import ConfigError, make_study, make_sweep
from cosim.data import DataError, load_data
from cosim.experiment import Training, learning_rate_at
from cosim.explain import explain_study
from cosim.plan import Activity, Backward, Forward, Plan, Step, Update
from cosim.pricing import bill_of
from cosim.record import Record
from cosim.study import price, price_study, run
from cosim.workers import RunError
from cost_model.floorplan import LayerFloorplan, MatrixShape
from cost_model.operations import ReadActivity, counts

ROOT = Path(__file__).parents[2]
TABLES = ("results.csv", "history.csv", "bill.csv", "trace.csv")
# Counts that follow from the values of data and weights; every other count follows from shapes alone.
ACTIVITY = [
    "lines_driven",
    "cell_drive",
    "pulse_slots",
    "line_slots",
    "pulses",
    "half_selects",
    "coincidences",
    "cells_touched",
]
BASE: dict[str, Any] = {
    "schema": 1,
    "data": {"name": "digits", "train_samples": 100, "test_samples": 50},
    "network": {"sizes": [64, 16, 10]},
    "training": {"epochs": 2, "learning_rate": 0.1},
}
TREE: dict[str, Any] = BASE | {
    "title": "A tiny study",
    "sweep": {
        "algorithm": [{"name": name} for name in ALGORITHMS] + [{"name": "residual_learning", "setting": "paper"}],
    },
}


def numbers(folder: Path, tables: tuple[str, ...] = TABLES) -> dict[str, list[tuple[str, ...]]]:
    """Return all rows as text, sorted, without what may differ between two runs."""
    result = {}
    for name in tables:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            header, *body = csv.reader(file)
        kept = [place for place, column in enumerate(header) if column not in ("seconds", "commit")]
        result[name] = sorted(tuple(row[place] for place in kept) for row in body)
    return result


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {name: ((folder / name).read_bytes(), (folder / name).stat().st_mtime_ns) for name in TABLES}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    run(TREE, folder, page=False)
    return folder


# Running a study.


def test_same_study_in_another_folder_gives_the_same_numbers(undisturbed: Path, tmp_path: Path) -> None:
    run(TREE, tmp_path / "run", page=False)

    assert numbers(tmp_path / "run") == numbers(undisturbed)


def test_workers_change_no_number(undisturbed: Path, tmp_path: Path) -> None:
    record = run(TREE, tmp_path / "run", workers=2, page=False)

    assert numbers(tmp_path / "run") == numbers(undisturbed)
    assert json.loads((record.folder / "summary.json").read_text())["finished"] == len(TREE["sweep"]["algorithm"])


DRIVER = """
import json, sys
import cosim.study
cosim.study.run(json.loads(sys.argv[1]), sys.argv[2], page=False)
"""


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **variables}


@pytest.mark.parametrize("threads", ["1", "2"])
def test_threads_change_no_number(tmp_path: Path, threads: str) -> None:
    # Wide enough for a BLAS that would share its work among threads.
    wide = BASE | {"network": {"sizes": [64, 300, 10]}, "training": {"epochs": 1, "batch_size": 100}}
    tree = wide | {"sweep": {"algorithm.name": ["digital_sgd", "residual_learning"]}}
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    run(tree, tmp_path / "here", page=False)

    subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(tree), str(tmp_path / "there")],
        env=environment(**dict.fromkeys(names, threads)),
        check=True,
    )

    assert numbers(tmp_path / "there") == numbers(tmp_path / "here")


@pytest.mark.parametrize("workers", [1, 2])
def test_finished_study_run_again_touches_no_table(undisturbed: Path, tmp_path: Path, workers: int) -> None:
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    before = contents(folder)

    run(TREE, folder, workers=workers, page=False)
    run(folder / "study.toml", folder, workers=workers, page=False)

    assert contents(folder) == before
    assert not list(folder.glob("study-*.toml"))


def test_a_further_value_on_an_axis_only_adds_rows(tmp_path: Path) -> None:
    axis = {"device.states": [4, 10], "seed": [1]}
    tree = BASE | {"algorithm": {"name": "analog_sgd"}, "sweep": axis}
    run(tree, tmp_path / "run", page=False)
    before = {name: content for name, (content, _) in contents(tmp_path / "run").items()}

    record = run(tree | {"sweep": axis | {"seed": [1, 2]}}, tmp_path / "run", page=False)

    after = {name: content for name, (content, _) in contents(tmp_path / "run").items()}
    assert all(after[name].startswith(before[name]) and len(after[name]) > len(before[name]) for name in TABLES)
    assert len(record.results) == 4


def test_a_value_less_on_an_axis_keeps_the_rows_and_shows_fewer(undisturbed: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    before = contents(folder)
    fewer = TREE["sweep"]["algorithm"][-2:]

    run(
        TREE | {"sweep": {"algorithm": [*fewer, {"name": "residual_learning", "setting": "paper"}]}}, folder, page=False
    )

    assert contents(folder) == before
    assert json.loads((folder / "summary.json").read_text())["points"] == len({json.dumps(table) for table in fewer})


def test_bill_adds_up_to_the_result_of_every_algorithm(undisturbed: Path) -> None:
    record = Record(undisturbed)
    sums = record.bill.groupby("run_id")[["energy_j", "latency_s", "area_m2"]].sum()

    for result in record.results.to_dict("records"):
        found = sums.loc[result["run_id"]].tolist()
        expected = [result[name] for name in ("energy_per_sample_j", "latency_per_sample_s", "area_m2")]
        assert found == pytest.approx(expected, rel=1e-12)


def test_progress_counts_the_epochs_of_all_points_and_those_done_before(tmp_path: Path) -> None:
    tree = BASE | {"algorithm": {"name": "digital_sgd"}, "sweep": {"seed": [1, 2]}}
    first: list[tuple[int, int]] = []
    again: list[tuple[int, int]] = []

    run(tree, tmp_path / "run", progress=lambda *report: first.append(report), page=False)
    run(tree, tmp_path / "run", progress=lambda *report: again.append(report), page=False)

    assert first == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert again == [(4, 4)]


def test_folder_is_named_after_the_study_where_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(
        'schema = 1\n[data]\ntrain_samples = 64\n[training]\nepochs = 1\n[algorithm]\nname = "digital_sgd"\n'
    )

    record = run("mine.toml", page=False)

    assert record.folder == Path("runs/mine")
    assert len(record.results) == 1


def test_no_worker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers = 0 is not allowed"):
        run(TREE, tmp_path / "run", workers=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("path", [None, "nowhere"])
def test_missing_data_is_refused_before_anything_is_written(tmp_path: Path, path: str | None) -> None:
    section = {"name": "mnist"} | ({"path": path} if path else {})

    with pytest.raises(DataError, match=path or r"data\.path"):
        run(BASE | {"data": section, "network": {}}, tmp_path / "run")

    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("error", "part"),
    [(MemoryError(), "not enough memory"), (OverflowError("too large"), "cannot be priced: too large")],
    ids=["memory", "overflow"],
)
def test_a_point_beyond_the_machine_is_a_failed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, part: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(cosim.workers, "train_point", fail)

    with pytest.raises(RunError, match=part):
        run(BASE, tmp_path / "run", page=False)


def test_a_worker_that_dies_ends_the_run_and_the_other_workers(tmp_path: Path) -> None:
    endless = BASE | {"training": {"epochs": 10**9}, "algorithm": {"name": "digital_sgd"}, "sweep": {"seed": [1, 2]}}

    def kill_one(done: int, total: int) -> None:
        if done:
            multiprocessing.active_children()[0].kill()

    with pytest.raises(RunError, match="a worker process died"):
        run(endless, tmp_path / "run", workers=2, progress=kill_one, page=False)

    for _ in range(600):
        if not multiprocessing.active_children():
            break
        time.sleep(0.05)
    assert not multiprocessing.active_children()


# Kill and resume.

# Stops for good at a named moment, and says so by a file.
KILLED = """
import json, sys, time
from pathlib import Path
import cosim.experiment, cosim.study
from cosim.experiment import Training
from cosim.record import Record

tree, folder, moment = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
cosim.experiment.CHECKPOINT_SECONDS = -1.0
calls = {"save": 0, "row": 0}

def stop():
    Path(folder + ".stopped").touch()
    time.sleep(600)

def before(owner, name, action):
    original = getattr(owner, name)
    def wrapped(*arguments):
        action(*arguments)
        return original(*arguments)
    setattr(owner, name, wrapped)

def saving(training, path):
    calls["save"] += 1
    if moment == "in_a_checkpoint" and calls["save"] == 5:
        path.with_suffix(".1.tmp").write_bytes(b"part of a checkpoint")
        stop()

def appending(record, name, rows, columns):
    calls["row"] += name == "history.csv"
    if moment == "after_the_first_row" and calls["row"] == 2:
        stop()
    if moment == "in_a_bill" and calls["row"] == 2 and name == "bill.csv":
        with (record.folder / name).open("a") as file:
            file.write(f"{rows[0]['run_id']},dense1,0,pro")
        stop()

before(Training, "save", saving)
before(Record, "_append", appending)
if moment == "after_start":
    before(cosim.workers, "train_point", lambda *_: stop())
cosim.study.run(tree, folder, page=False)
"""
KILLED_TREE = BASE | {
    "training": {"epochs": 3, "learning_rate": 0.1},
    "sweep": {"algorithm": [{"name": "residual_learning", "warm_start": "epoch"}, {"name": "mixed_precision"}]},
}


def wait_for(condition: Any, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        if condition():
            return
        assert process.poll() is None, "the process ended by itself"
        time.sleep(0.05)
    raise AssertionError("what was waited for did not come")


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("never_killed") / "run"
    run(KILLED_TREE, folder, page=False)
    return folder


@pytest.mark.parametrize(
    ("moment", "rows"),
    [
        ("after_start", 0),
        ("in_a_checkpoint", 1),
        ("after_the_first_row", 1),
        ("in_a_bill", 1),
    ],
)
def test_killed_and_resumed_gives_the_same_rows(never_killed: Path, tmp_path: Path, moment: str, rows: int) -> None:
    folder, stopped = tmp_path / "run", tmp_path / "run.stopped"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, json.dumps(KILLED_TREE), str(folder), moment],
        env=environment(),
        start_new_session=True,
    )
    try:
        wait_for(stopped.exists, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(Record(folder).finished()) == rows
    if moment == "in_a_checkpoint":
        assert len(list((folder / "checkpoints").glob("*.npz"))) == 2

    run(KILLED_TREE, folder, page=False)

    assert numbers(folder) == numbers(never_killed)


ENDLESS = """
import json, sys
from pathlib import Path
import cosim.study

def report(done, total):
    if done >= 4:
        Path(sys.argv[2] + ".training").touch()

cosim.study.run(json.loads(sys.argv[1]), sys.argv[2], workers=2, page=False, progress=report)
"""


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs the process table of Linux")
def test_workers_end_when_their_parent_was_killed(tmp_path: Path) -> None:
    endless = BASE | {"training": {"epochs": 10**9}, "algorithm": {"name": "digital_sgd"}, "sweep": {"seed": [1, 2]}}
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, json.dumps(endless), str(tmp_path / "run")],
        env=environment(),
        start_new_session=True,
    )
    try:
        wait_for((tmp_path / "run.training").exists, process)
        workers = children(process.pid)
        assert len(workers) >= 2
        process.kill()  # the parent alone: nobody tells the workers
        process.wait()
        for _ in range(600):
            if not any(map(alive, workers)):
                break
            time.sleep(0.05)
        assert not [pid for pid in workers if alive(pid)]
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


# One point.

# Tables whose choppers, references, buffers and gains change within an epoch.
CHECKPOINTED: dict[str, dict[str, Any]] = {name: {"algorithm": {"name": name}} for name in ALGORITHMS} | {
    "warm_epoch": {"algorithm": {"name": "residual_learning", "tiles": 3, "warm_start": "epoch"}},
    "warm_mini_batch": {"algorithm": {"name": "residual_learning", "tiles": 3, "warm_start": "mini_batch"}},
    "zero_shift": {"algorithm": {"name": "tiki_taka_v1", "gamma": 0.3, "zero_shift_pulses": 30}},
    "choppers": {
        "algorithm": {
            "name": "chopped_tiki_taka_v2",
            "transfer_columns": 64,
            "output_chop_probability": 0.5,
            "auto_scale": True,
        }
    },
    "reference": {"algorithm": {"name": "agad", "transfer_columns": 64, "chop_probability": 0.5, "chop_random": True}},
    "tracker": {"algorithm": {"name": "e_rider", "chop_probability": 0.5}},
    "pairs": {"algorithm": {"name": "analog_sgd"}, "device": {"preset": "pcm"}},
    "write_noise": {"algorithm": {"name": "tiki_taka_v2"}, "device": {"preset": "reram_es", "diffusion": 0.01}},
}


@pytest.mark.parametrize("name", CHECKPOINTED)
def test_training_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path: Path, name: str) -> None:
    tree = BASE | CHECKPOINTED[name] | {"training": {"epochs": 3, "learning_rate": 0.1}}
    (point,) = make_study(tree).points
    data = load_data("digits", None, train_samples=100, test_samples=50, seed=point.seed)
    straight, first, second = Training(point, data), Training(point, data), Training(point, data)

    for _ in range(3):
        straight.epoch()
    first.epoch()
    first.save(tmp_path / "checkpoint.npz")
    second.load(tmp_path / "checkpoint.npz")
    second.epoch()
    second.save(tmp_path / "checkpoint.npz")
    third = Training(point, data)
    third.load(tmp_path / "checkpoint.npz")
    third.epoch()

    def without_seconds(training: Training) -> list[dict[str, Any]]:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in training.history]

    assert without_seconds(third) == without_seconds(straight)
    expected, found = straight.network.state(), third.network.state()
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)
    pd.testing.assert_frame_equal(third.scheduler.trace.to_frame(), straight.scheduler.trace.to_frame())
    bills = [bill_of(point, training.scheduler).lines for training in (third, straight)]
    pd.testing.assert_frame_equal(*bills, check_exact=True)


# An algorithm of one's own: a class and an entry.


@dataclass(frozen=True, kw_only=True)
class Shrink(Step):
    """Reset the next column of a tile: a step that no algorithm of the package has."""

    target: int
    every: int = 2
    kind: ClassVar[str] = "digital"

    @property
    def tile(self) -> str:
        return str(self.target)

    def perform(self, layer: Any) -> Activity:
        layer.matrix.tiles[self.target].reset(layer.matrix.next_columns(self.target, 1))
        layer.matrix.recombine()
        return ReadActivity(1, 0, 0)

    def counts(self, floor: LayerFloorplan, activity: Activity, times: float) -> Any:
        return counts(performed=activity.vectors, digital_operations=7 * activity.vectors)

    def assumed(self, floor: LayerFloorplan, number: Any, vectors: float, times: float) -> Activity:
        return ReadActivity(times, 0, 0)

    def describe(self) -> str:
        return f"reset of a column of tile {self.target}"


class ShrinkingParameters(Parameters):
    name: Literal["shrinking_sgd"] = "shrinking_sgd"


class ShrinkingSGD(Algorithm):
    name = "shrinking_sgd"
    parameters_type = ShrinkingParameters
    summary = "analog SGD that forgets"
    significances = (1.0,)

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        return Forward(), Backward(), Update(target=0, rate=learning_rate), Shrink(target=0)


def test_an_algorithm_with_a_step_of_its_own_trains_and_is_priced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ALGORITHMS, "shrinking_sgd", ShrinkingSGD)
    tree = BASE | {"algorithm": {"name": "shrinking_sgd"}}

    record = run(tree, tmp_path / "run", page=False)
    priced = price_study(make_sweep(tree), bands=False).files()["trace.csv"]

    keys = ["layer", "tile", "operation"]
    trained, priced = record.trace.set_index(keys), priced.set_index(keys)
    assert set(trained.index) == set(priced.index)
    for trace in (trained, priced):
        # 26 mini-batches, a reset after every second one.
        assert trace.loc[("dense1", "0", "digital"), ["performed", "digital_operations"]].tolist() == [13, 91]
    assert set(record.bill.query("operation == 'digital' and tile == '0'")["component"]) == {"digital"}
    assert record.results["algorithm"].tolist() == ["shrinking_sgd"]
    assert "reset of a column of tile 0" in explain_study(make_study(tree))


def test_a_checkpoint_is_replaced_as_a_whole(tmp_path: Path) -> None:
    (point,) = make_study(BASE | {"algorithm": {"name": "analog_sgd"}}).points
    training = Training(point, load_data("digits", None, train_samples=100, test_samples=50, seed=1))

    training.save(tmp_path / "checkpoint.npz")
    training.epoch()
    training.save(tmp_path / "checkpoint.npz")

    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_seeds_give_different_trainings(tmp_path: Path) -> None:
    record = run(BASE | {"sweep": {"seed": [1, 2, 3]}}, tmp_path / "run", page=False)

    assert record.results["train_loss"].nunique() == 3


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ({"name": "constant", "every": 2, "factor": 0.5}, [1.0, 1.0, 1.0, 1.0, 1.0]),
        ({"name": "step", "every": 2, "factor": 0.5}, [1.0, 1.0, 0.5, 0.5, 0.25]),
        ({"name": "step", "every": 1, "factor": 1.0}, [1.0, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_learning_rate_follows_the_schedule(schedule: dict[str, Any], rates: list[float]) -> None:
    training = {"learning_rate": 1.0, "schedule": schedule}

    assert [learning_rate_at(training, epoch) for epoch in range(5)] == rates


def test_learning_rate_of_the_history_is_the_scheduled_one(tmp_path: Path) -> None:
    training = {"epochs": 3, "learning_rate": 0.2, "schedule": {"name": "step", "every": 1, "factor": 0.5}}
    tree = BASE | {"training": training, "algorithm": {"name": "digital_sgd"}}

    assert run(tree, tmp_path / "run", page=False).history["learning_rate"].tolist() == [0.2, 0.1, 0.05]


# Pricing without training.


def test_price_reads_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("data was read")

    monkeypatch.setattr("cosim.data.load_data", refuse)
    tree = {"schema": 1, "data": {"name": "mnist"}, "network": {"name": "lenet5"}}

    bill = price(tree)

    assert set(bill["layer"]) == {"conv1", "conv2", "dense1", "dense2", "network"}
    assert (bill.groupby("run_id")[["energy_j", "latency_s", "area_m2"]].sum() > 0).all(axis=None)


def test_price_gives_the_columns_of_the_bill(undisturbed: Path) -> None:
    priced = price_study(make_sweep(TREE), bands=False)
    bill, trace = (priced.files()[name] for name in ("bill.csv", "trace.csv"))

    assert list(bill.columns) == list(Record(undisturbed).bill.columns)
    assert list(trace.columns) == list(Record(undisturbed).trace.columns)
    assert price(TREE).equals(bill)
    results = Record(undisturbed).results.set_index("run_id")
    for one in priced.detailed:
        assert one.digital_storage_byte == results.loc[one.point.run_id, "digital_storage_byte"]


def test_price_counts_what_training_counts_wherever_data_has_no_say(undisturbed: Path) -> None:
    keys = ["run_id", "layer", "tile", "operation"]
    trained = Record(undisturbed).trace.set_index(keys).sort_index()
    priced = price_study(make_sweep(TREE), bands=False).files()["trace.csv"].set_index(keys).sort_index()
    results = Record(undisturbed).results.set_index("run_id")
    cascade = results.index[results["algorithm"] != "residual_learning"]
    free = [column for column in trained.columns if column not in ACTIVITY]

    # A warm start ends when the loss says so, rows of a digital buffer are written where they have something, and
    # a tracker (tile 2) is programmed by chance.
    tiles, kinds = (trained.index.get_level_values(name) for name in ("tile", "operation"))
    by_chance = tiles.str.startswith("buffer>") | ((tiles == "2") & (kinds == "program"))
    settled = trained.index.get_level_values("run_id").isin(cascade) & ~by_chance
    assert trained.loc[settled].index.isin(priced.index).all()
    pd.testing.assert_frame_equal(
        trained.loc[settled, free], priced.loc[trained.loc[settled].index, free], check_exact=True, check_dtype=False
    )


def test_price_and_training_agree_on_every_line_of_a_digital_bill(undisturbed: Path) -> None:
    results = Record(undisturbed).results
    (run_id,) = results.loc[results["algorithm"] == "digital_sgd", "run_id"]
    keys = ["run_id", "layer", "tile", "operation", "component", "per", "source"]
    trained, priced = (bill.set_index(keys).sort_index() for bill in (Record(undisturbed).bill, price(TREE)))

    pd.testing.assert_frame_equal(trained.loc[[run_id]], priced.loc[[run_id]], rtol=1e-12)


def test_price_and_training_agree_on_area_of_every_algorithm(undisturbed: Path) -> None:
    areas = price(TREE).groupby("run_id")["area_m2"].sum()

    for result in Record(undisturbed).results.to_dict("records"):
        assert areas[result["run_id"]] == pytest.approx(result["area_m2"], rel=1e-12)


def test_price_beyond_the_range_of_numbers_is_a_failed_run() -> None:
    values = {"flop_energy_j": 1.7e308}

    with pytest.raises((RunError, ConfigError), match=r"device|energy|hardware|priced"):
        price(BASE | {"algorithm": {"name": "analog_sgd"}, "hardware": {"values": values}})
