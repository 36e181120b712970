"""The activity of a training: it survives its table, its text and its state, and prices what the training priced."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cosim.activity import ACTIVITY_COLUMNS, ActivityLog
from cosim.algorithms import ALGORITHMS
from cosim.config import Point, make_study
from cosim.data import load_data
from cosim.experiment import Training
from cosim.pricing import bill_of, make_scheduler, price_point
from cosim.record import Record
from cosim.study import run
from cost_model.bill import FIGURES
from cost_model.operations import PulseActivity, ReadActivity

READS = ReadActivity(vectors=3, lines=10.0, drive=0.1 + 0.2)
PULSES = PulseActivity(vectors=4, slots=5, input_pulses=6, output_pulses=3, coincidences=1 / 3, cells_touched=2)
FORWARD, BACKWARD, UPDATE = (
    ("dense1", "all", "forward"),
    ("dense2", "all", "backward"),
    ("dense1", "0", "update"),
)


def log_of(*entries: tuple[Any, ...]) -> ActivityLog:
    log = ActivityLog()
    for address, activity, times, vectors in entries:
        log.add(address, activity, times=times, vectors=vectors)
    return log


def some_log() -> ActivityLog:
    return log_of((FORWARD, READS, 1, 3), (UPDATE, PULSES, 2, 4), (BACKWARD, READS, 1, 3), (FORWARD, READS, 1, 3))


def entries(log: ActivityLog) -> list[tuple[Any, ...]]:
    """Return everything that a log holds, as plain numbers."""
    return [
        (
            address,
            type(done.activity).__name__,
            done.times,
            done.vectors,
            *tuple(float(getattr(done.activity, field.name)) for field in fields(done.activity)),
        )
        for address, done in log
    ]


def exactly(source: Path | io.StringIO, numbers: Sequence[str]) -> pd.DataFrame:
    """Read a table of text with every bit of its numbers."""
    return pd.read_csv(source, dtype=str).astype(dict.fromkeys(numbers, float))


# ---- the log


def test_what_an_operation_did_is_added_up_by_address_in_order_of_first_appearance() -> None:
    log = some_log()

    assert [address for address, _ in log] == [FORWARD, UPDATE, BACKWARD]
    assert (log[FORWARD].times, log[FORWARD].vectors) == (2, 6)
    assert log[FORWARD].activity == ReadActivity(6, 20.0, (0.1 + 0.2) * 2)
    assert log[UPDATE].activity == PULSES
    assert UPDATE in log
    assert ("dense1", "1", "update") not in log


def test_adding_leaves_the_activity_as_it_was() -> None:
    first = ReadActivity(1, 2.0, 3.0)

    log_of((FORWARD, first, 1, 1), (FORWARD, READS, 1, 3))

    assert first == ReadActivity(1, 2.0, 3.0)


@pytest.mark.parametrize("log", [ActivityLog(), log_of((UPDATE, PULSES, 2, 4)), some_log()])
def test_round_trips_keep_every_bit(log: ActivityLog) -> None:
    frame = log.to_frame()
    again = ActivityLog()
    again.restore(log.state())
    exact = exactly(io.StringIO(frame.to_csv(index=False)), ACTIVITY_COLUMNS[3:])

    assert list(frame.columns) == list(ACTIVITY_COLUMNS)
    assert entries(ActivityLog.from_frame(frame)) == entries(log)
    assert entries(ActivityLog.from_frame(exact)) == entries(log)
    assert entries(again) == entries(log)


def test_the_text_of_random_numbers_keeps_every_bit() -> None:
    generator = np.random.Generator(np.random.PCG64(5))
    log = log_of(
        *(
            (
                ("layer", str(place), "update"),
                PulseActivity(*(generator.random(6) * 10.0 ** generator.integers(-9, 9))),
                1,
                1,
            )
            for place in range(200)
        )
    )
    text = "\n".join(
        [
            ",".join(ACTIVITY_COLUMNS),
            *(
                ",".join("" if value is None or value != value else str(value) for value in row)
                for row in log.to_frame().astype(object).to_numpy().tolist()
            ),
        ]
    )

    assert entries(ActivityLog.from_frame(exactly(io.StringIO(text), ACTIVITY_COLUMNS[3:]))) == entries(log)


def test_a_restored_log_goes_on_without_touching_the_state() -> None:
    state = log_of((FORWARD, READS, 1, 3)).state()
    before = {name: array.copy() for name, array in state.items()}
    again = log_of((BACKWARD, READS, 1, 3))
    again.restore(state)
    again.add(FORWARD, READS, times=1, vectors=3)

    assert entries(again) == entries(log_of((FORWARD, READS, 1, 3), (FORWARD, READS, 1, 3)))
    assert all(np.array_equal(state[name], before[name], equal_nan=name == "numbers") for name in state)


def test_a_state_can_be_saved_without_pickles(tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", **some_log().state())  # type: ignore[arg-type]
    again = ActivityLog()
    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        again.restore({name: file[name] for name in file.files})

    assert entries(again) == entries(some_log())


@pytest.mark.parametrize("columns", [["times"], ["layer", "slots"], ["drive"]])
def test_a_table_without_a_column_is_refused(columns: list[str]) -> None:
    with pytest.raises(ValueError, match=f"activity: columns are missing: {', '.join(columns)}"):
        ActivityLog.from_frame(some_log().to_frame().drop(columns=columns))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize(
    ("row", "column"), [(0, "times"), (0, "layer_vectors"), (0, "drive"), (1, "vectors"), (1, "coincidences")]
)
def test_a_table_with_a_number_that_no_activity_has_is_refused(row: int, column: str, number: float) -> None:
    frame = some_log().to_frame()
    frame.loc[row, column] = number

    with pytest.raises(ValueError, match=r"activity: dense1 (forward|update): a number is missing or negative"):
        ActivityLog.from_frame(frame)


# ---- against trainings

BASE: dict[str, Any] = {
    "schema": 1,
    "data": {"name": "digits", "train_samples": 61, "test_samples": 5},
    "network": {"name": "mlp", "sizes": [64, 8, 10]},
    "training": {"epochs": 2, "batch_size": 7, "learning_rate": 0.1},
    "hardware": {"array_rows": 24, "array_cols": 6, "adc": {"columns_per_adc": 4}},
}
RESIDUAL = {"name": "residual_learning", "tiles": 3}
STUDIES: dict[str, dict[str, Any]] = {name: {"algorithm": {"name": name}} for name in ALGORITHMS} | {
    "warm_epoch": {"algorithm": RESIDUAL | {"warm_start": "epoch"}},
    "warm_mini_batch": {"algorithm": RESIDUAL | {"warm_start": "mini_batch"}},
    "still_warm": {"algorithm": RESIDUAL | {"warm_start": "phases", "warm_start_mini_batches": 1000}},
    "cooling": {"algorithm": RESIDUAL | {"cooling": 0.1}},
    "zero_shift": {"algorithm": {"name": "tiki_taka_v2", "zero_shift_pulses": 30, "transfer_columns": 5}},
    "zero_shift_residual": {"algorithm": {"name": "residual_learning_v2", "zero_shift_pulses": 30}},
    "tracker": {"algorithm": {"name": "e_rider", "chop_probability": 0.5, "transfer_columns": 5}},
    "pairs": {"algorithm": {"name": "analog_sgd"}, "device": {"preset": "pcm", "refresh_every": 4}},
    "pipelined": {
        "algorithm": {"name": "tiki_taka_v1"},
        "hardware": {"schedule": {"layers": "pipelined", "transfers": "hidden"}, "adc": {"model": "survey"}},
    },
    "bounds": {"algorithm": {"name": "analog_sgd"}, "hardware": {"bound_management": "iterative"}},
}


def point_of(tree: dict[str, Any]) -> Point:
    (point,) = make_study(BASE | tree).points
    return point


def trained(point: Point) -> Training:
    training = Training(point, load_data("digits", None, train_samples=61, test_samples=5, seed=1))
    for _ in range(2):
        training.epoch()
    return training


@pytest.mark.parametrize("name", STUDIES)
def test_the_activity_of_a_training_prices_what_the_training_priced(name: str) -> None:
    point = point_of(STUDIES[name])
    training = trained(point)
    bill = bill_of(point, training.scheduler)
    frame = training.scheduler.activity.to_frame()

    again, scheduler = price_point(point, activity=ActivityLog.from_frame(frame))

    pd.testing.assert_frame_equal(again.lines, bill.lines, check_exact=True)
    assert (again.digital_storage_byte, again.bars) == (bill.digital_storage_byte, bill.bars)
    pd.testing.assert_frame_equal(scheduler.trace.to_frame(), training.scheduler.trace.to_frame(), check_exact=True)
    assert training.outcome().activity.equals(frame)


@pytest.mark.parametrize("name", ["residual_learning", "warm_mini_batch", "zero_shift", "tracker"])
def test_a_run_folder_prices_what_its_training_priced(name: str, tmp_path: Path) -> None:
    tree = BASE | STUDIES[name]
    record = run(tree, tmp_path / "run", page=False)
    (point,) = make_study(tree).points

    bill, _ = price_point(point, activity=ActivityLog.from_frame(record.activity))

    (result,) = record.results.to_dict("records")
    columns = ("count", "energy_j", "latency_s", "area_m2", "share")
    stored = exactly(tmp_path / "run" / "bill.csv", columns)
    for column in columns:
        assert bill.lines[column].tolist() == stored[column].tolist()
    for figure in FIGURES:
        assert exactly(tmp_path / "run" / "results.csv", FIGURES).loc[0, figure] == getattr(bill, figure)
    assert result["run_id"] == point.run_id
    assert set(record.activity["run_id"]) == {point.run_id}
    assert Record(tmp_path / "run").activity.equals(record.activity)


@pytest.mark.parametrize("name", ["analog_sgd", "residual_learning", "mixed_precision"])
def test_activity_does_not_depend_on_arrays_and_converters_that_are_ideal(name: str) -> None:
    one, other = (
        point_of(STUDIES[name] | {"hardware": {"ideal_io": True} | design})
        for design in (
            {"array_rows": 24, "array_cols": 6},
            {"adc": {"model": "survey", "bits": 6, "columns_per_adc": 1}},
        )
    )
    first, second = trained(one), trained(other)
    activity = first.scheduler.activity

    pd.testing.assert_frame_equal(activity.to_frame(), second.scheduler.activity.to_frame(), check_exact=True)
    moved, _ = price_point(other, activity=activity)
    pd.testing.assert_frame_equal(moved.lines, bill_of(other, second.scheduler).lines, check_exact=True)
    assert moved.energy_per_sample_j != bill_of(one, first.scheduler).energy_per_sample_j


def test_vectors_that_bound_management_reads_again_enter_the_layer_once() -> None:
    tree = {
        "algorithm": {"name": "analog_sgd"},
        "hardware": {"bound_management": "iterative", "adc": {"full_scale": 0.05}},
    }
    done = trained(point_of(tree)).scheduler.activity[("dense1", "all", "forward")]

    assert done.vectors == 2 * 61
    assert done.activity.vectors > done.vectors


def test_a_training_that_was_restored_after_its_last_epoch_is_priced_alike(tmp_path: Path) -> None:
    point = point_of(STUDIES["warm_mini_batch"])
    training = trained(point)
    training.save(tmp_path / "checkpoint.npz")
    again = Training(point, training.data)

    assert again.load(tmp_path / "checkpoint.npz")
    assert entries(again.scheduler.activity) == entries(training.scheduler.activity)
    pd.testing.assert_frame_equal(again.outcome().bill.lines, training.outcome().bill.lines, check_exact=True)


def test_activity_of_another_study_is_refused() -> None:
    log = trained(point_of(STUDIES["tiki_taka_v1"])).scheduler.activity
    wider = BASE | {"network": {"name": "mlp", "sizes": [64, 10]}, "algorithm": {"name": "tiki_taka_v1"}}
    (other,) = make_study(wider).points

    with pytest.raises(ValueError, match="activity: there is no layer 'dense2'; layers: dense1"):
        price_point(other, activity=log)
    with pytest.raises(ValueError, match="activity: analog_sgd has no operation 'transfer' in layer 'dense1'"):
        price_point(point_of(STUDIES["analog_sgd"]), activity=log)


def test_pricing_with_a_training_s_activity_leaves_it_as_it_was() -> None:
    point = point_of(STUDIES["residual_learning"])
    log = trained(point).scheduler.activity
    before = entries(log)

    price_point(point, activity=log)

    assert entries(log) == before
    assert make_scheduler(point).activity is not log
