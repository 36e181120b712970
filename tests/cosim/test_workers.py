"""Points on a Dask cluster of this machine, and a second run on the same folder."""

import fcntl
import os
import subprocess
import sys

import pandas as pd
import pytest

import cosim
from cosim.cli import main
from cosim.config import ConfigError

STUDY = """
schema = 1
[data]
train_samples = 96
test_samples = 60
[training]
epochs = 2
[sweep]
algorithm = [{ name = "analog_sgd" }, { name = "residual_learning", tiles = 2 }]
seed = [1, 2]
"""
# The cluster has a process of its own: it starts threads and servers that a test run should not inherit.
CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def scheduler_address(tmp_path):
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    cluster = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield cluster.stdout.readline().strip()
    finally:
        cluster.stdin.close()
        cluster.wait(timeout=30)
        cluster.stdout.close()


def rows(folder):
    results = pd.read_csv(folder / "results.csv", dtype=str)
    return sorted(map(tuple, results.drop(columns="seconds").fillna("").to_numpy()))


def test_dask_workers_give_the_same_rows_as_this_process(study, tmp_path, scheduler_address):
    seen = []
    cosim.run(study, tmp_path / "here", page=False)
    cosim.run(
        study,
        tmp_path / "cluster",
        dask=scheduler_address,
        page=False,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert rows(tmp_path / "here") == rows(tmp_path / "cluster")
    assert seen[0] == (0, 8)
    assert seen[-1] == (8, 8)


def test_a_scheduler_that_does_not_answer_is_a_failed_run(study, tmp_path, capsys, monkeypatch):
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    monkeypatch.setattr("cosim.workers.DASK_TIMEOUT_SECONDS", 0.5)
    assert main(["run", str(study), "--out", str(tmp_path / "run"), "--dask", "tcp://127.0.0.1:9"]) == 1
    assert "no Dask scheduler answers there" in capsys.readouterr().err


def test_dask_that_is_not_installed_is_bad_input(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["run", str(study), "--out", str(tmp_path / "run"), "--dask", "tcp://127.0.0.1:9"]) == 2
    assert "pip install 'cosim[dask]'" in capsys.readouterr().err


def test_a_second_run_on_the_same_folder_is_refused(study, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="another run is writing this folder"):
            cosim.run(study, folder, page=False)
        assert list(folder.iterdir()) == []
    finally:
        os.close(handle)
    assert len(cosim.run(study, folder, page=False).results) == 4


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_starts_the_point_again(study, tmp_path, damage):
    whole = cosim.run(study, tmp_path / "whole", page=False)
    folder = tmp_path / "again"
    (folder / "checkpoints").mkdir(parents=True)
    for run_id in whole.results["run_id"]:
        good = whole.checkpoint(run_id).read_bytes()
        (folder / "checkpoints" / f"{run_id}.npz").write_bytes(good[: len(good) // 2] if damage is None else damage)
    cosim.run(study, folder, page=False)
    assert rows(folder) == rows(tmp_path / "whole")
