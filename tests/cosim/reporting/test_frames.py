import json
from pathlib import Path

import pandas as pd
import pytest

from cosim.reporting.frames import load_run


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_run_ids_stay_text(study):
    frames = load_run(study)
    assert set(frames.results["run_id"]) >= {"00e1", "06e2"}
    assert set(frames.bill["run_id"]) == set(frames.results["run_id"]) == set(frames.history["run_id"])


def test_rows_of_all_files_carry_the_configuration_of_their_run(study):
    frames = load_run(study)
    expected = frames.results.set_index("run_id")["configuration"]
    for rows in (frames.history, frames.bill):
        assert (rows["configuration"] == rows["run_id"].map(expected)).all()


def test_only_shown_runs_are_read_and_the_others_counted(study):
    shown = ["02e1", "02e2", "03e1"]
    (study / "summary.json").write_text(json.dumps({"shown_run_ids": shown}), encoding="utf-8")
    frames = load_run(study)
    assert list(frames.results["run_id"]) == shown
    assert set(frames.bill["run_id"]) == set(frames.history["run_id"]) == set(shown)
    assert frames.rows_not_shown == 14 - 3


def test_a_later_row_of_the_same_seed_replaces_the_earlier(make_run, row):
    folder = make_run([row(run_id="a", test_accuracy=0.5), row(run_id="b", test_accuracy=0.9)])
    frames = load_run(folder)
    assert list(frames.results["test_accuracy"]) == [0.9]
    assert frames.rows_repeated == 1
    assert set(frames.bill["run_id"]) == {"b"}
    assert frames.runs_unfinished == 0


def test_a_resumed_epoch_counts_once(make_run, row):
    folder = make_run([row()])
    append(folder / "history.csv", "0001,0.05,1.0,1.0,1.0,2,200,0.99\n")
    history = load_run(folder).history
    assert list(history["epoch"]) == [1, 2]
    assert history["test_accuracy"].iloc[-1] == 0.99


def test_a_run_without_result_is_left_out_and_counted(make_run, row):
    folder = make_run([row()])
    append(folder / "history.csv", "late,0.05,1.0,1.0,1.0,1,100,0.2\n")
    frames = load_run(folder)
    assert frames.runs_unfinished == 1
    assert set(frames.history["run_id"]) == {"0001"}


def test_half_a_number_at_the_end_is_missing_not_an_error(make_run, row):
    folder = make_run([row()])
    append(folder / "results.csv", "0002,2,residual_learning,4,10,soft_bounds,lenet5,mnist,2,0.1,0.2,0.9,1.2e-")
    results = load_run(folder).results
    assert results["energy_per_sample_j"].isna().tolist() == [False, True]
    assert results["test_accuracy"].tolist() == [0.95, 0.9]


@pytest.mark.parametrize("name", ["results.csv", "history.csv", "bill.csv"])
@pytest.mark.parametrize("rows", ["none", "header"])
def test_empty_tables_have_numbers(study, name, rows):
    header = (study / name).read_text().splitlines()[0] + "\n"
    (study / name).write_text(header if rows == "header" else "")
    frames = load_run(study)
    table = {"results.csv": frames.results, "history.csv": frames.history, "bill.csv": frames.bill}[name]
    assert table.empty
    number = "energy_j" if name == "bill.csv" else "test_accuracy"
    assert table[number].dtype == float


def test_runs_of_one_name_are_seeds_of_one_priced_design(priced):
    (priced / "summary.json").write_text(json.dumps({"labels": {"aa": "four tiles", "bb": "four tiles"}}))
    assert set(load_run(priced).bill["configuration"]) == {0}


def test_tables_of_the_cost_model_are_read_with_their_kinds(study, add_cost_model):
    frames = load_run(add_cost_model(study, ["02e1", "gone"]))
    number = frames.results.set_index("run_id")["configuration"]["02e1"]
    for name in ("floorplan", "schedule", "bands", "tornado", "checks"):
        rows = getattr(frames, name)
        assert set(rows["run_id"]) == {"02e1"}
        assert set(rows["configuration"]) == {number}
    assert frames.checks["holds"].tolist() == [True, False, True]
    assert frames.schedule["hidden"].tolist() == [False, False, False, True]
    assert frames.designs["on_front"].tolist() == [True, False, True]


@pytest.mark.parametrize("name", ["floorplan", "schedule", "bands", "tornado", "checks", "designs"])
def test_tables_of_the_cost_model_may_be_missing_and_must_be_whole(priced, add_cost_model, name):
    assert getattr(load_run(priced), name).empty
    add_cost_model(priced, ["aa"])
    table = pd.read_csv(priced / f"{name}.csv")
    last = table.columns[-1]
    table.drop(columns=last).to_csv(priced / f"{name}.csv", index=False)
    with pytest.raises(ValueError, match=rf"{name}\.csv: lacks the columns {last}; it has"):
        load_run(priced)


def test_a_folder_without_tables_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"run `cosim run STUDY\.toml` first") as caught:
        load_run(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "results.csv or bill.csv" in str(caught.value)


def test_a_missing_column_is_named(study):
    table = pd.read_csv(study / "bill.csv").drop(columns=["energy_j", "source"])
    table.to_csv(study / "bill.csv", index=False)
    with pytest.raises(ValueError, match=r"bill\.csv: lacks the columns energy_j, source; it has run_id"):
        load_run(study)


def test_a_damaged_summary_is_named(study):
    (study / "summary.json").write_text("{")
    with pytest.raises(ValueError, match=r"summary\.json: is not valid JSON"):
        load_run(study)
    (study / "summary.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"summary\.json: holds a list"):
        load_run(study)
