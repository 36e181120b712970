from __future__ import annotations

import csv
import json
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import cosim
from cosim.config import ConfigError, load_study, make_study, make_sweep
from cosim.costing import COST_TABLES
from cosim.record import Record
from cosim.study import price_study, run
from cosim.tables import ACTIVITY_COLUMNS, HISTORY_COLUMNS, RESULT_COLUMNS, TRACE_COLUMNS
from cost_model.bill import COLUMNS as BILL_COLUMNS
from cost_model.operations import COUNTS

# In the order that a point writes them.
TABLES = ("history.csv", "bill.csv", "activity.csv", "trace.csv", "results.csv")
BASE: dict[str, Any] = {
    "schema": 1,
    "title": "A tiny study",
    "data": {"name": "digits", "train_samples": 64, "test_samples": 40},
    "network": {"sizes": [64, 8, 10]},
    "training": {"epochs": 2, "learning_rate": 0.1},
}
TREE: dict[str, Any] = BASE | {
    "sweep": {
        "algorithm": [
            {"name": "digital_sgd"},
            {"name": "residual_learning", "tiles": 2},
            {"name": "tiki_taka_v2"},
        ],
        "hardware.adc.bits": [6, 8],
    }
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(TREE, folder, page=False)
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def numbers(folder: Path) -> dict[str, list[tuple[str, ...]]]:
    """Return all rows of all tables as text, sorted, without what may differ between two runs."""
    result = {}
    for name in TABLES:
        header, *body = rows(folder / name)
        kept = [place for place, column in enumerate(header) if column not in ("seconds", "commit")]
        result[name] = sorted(tuple(row[place] for place in kept) for row in body)
    return result


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# Columns.


def test_results_start_with_the_agreed_columns_then_swept_keys_version_commit(finished: Path) -> None:
    agreed = (
        "run_id, seed, algorithm, tiles, states, device, network, data, epochs, train_loss, test_loss, test_accuracy, "
        "energy_per_sample_j, latency_per_sample_s, area_m2, digital_storage_byte, seconds"
    ).split(", ")

    (header, *_) = rows(finished / "results.csv")

    assert header == [*agreed, "algorithm.name", "algorithm.tiles", "hardware.adc.bits", "version", "commit"]
    assert list(RESULT_COLUMNS) == agreed


def test_other_tables_have_the_agreed_columns(finished: Path) -> None:
    bill = "layer, tile, operation, component, count, energy_j, latency_s, area_m2, share, source".split(", ")
    history = "run_id, epoch, samples, learning_rate, train_loss, test_loss, test_accuracy, seconds".split(", ")

    assert rows(finished / "bill.csv")[0][: 1 + len(bill)] == ["run_id", *bill]
    assert rows(finished / "bill.csv")[0] == ["run_id", *BILL_COLUMNS]
    assert rows(finished / "history.csv")[0] == history == list(HISTORY_COLUMNS)
    assert rows(finished / "trace.csv")[0] == list(TRACE_COLUMNS)
    assert rows(finished / "activity.csv")[0] == list(ACTIVITY_COLUMNS)
    for name, columns in COST_TABLES.items():
        assert rows(finished / name)[0] == ["run_id", *columns]
    assert rows(finished / "trace.csv")[0][:4] == ["run_id", "layer", "tile", "operation"]
    assert set(COUNTS) < set(TRACE_COLUMNS)


def test_a_swept_seed_gives_no_second_column(tmp_path: Path) -> None:
    record = run(BASE | {"sweep": {"seed": [1, 2]}, "algorithm": {"name": "digital_sgd"}}, tmp_path / "run", page=False)

    assert list(record.results.columns) == [*RESULT_COLUMNS, "version", "commit"]
    assert record.results["seed"].tolist() == [1, 2]


def test_nested_swept_tables_give_one_column_per_leaf_with_the_value_used(tmp_path: Path) -> None:
    designs = [{"adc": {"bits": 7}}, {"array_rows": 32}]
    tree = BASE | {"algorithm": {"name": "digital_sgd"}, "sweep": {"hardware": designs, "network.sizes": [[64, 10]]}}

    results = run(tree, tmp_path / "run", page=False).results

    assert results["hardware.adc.bits"].tolist() == [7, 8]
    assert results["hardware.array_rows"].tolist() == [128, 32]
    assert results["network.sizes"].tolist() == ["[64, 10]"] * 2


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_read_by_pandas_without_options(finished: Path, name: str) -> None:
    table = pd.read_csv(finished / name)

    assert len(table) == len(rows(finished / name)) - 1
    texts = {"run_id", "algorithm", "device", "network", "data", "layer", "tile", "operation", "component", "source"}
    texts |= {"per", "version", "commit", "algorithm.name"}
    for column in set(table.columns) - texts:
        assert pd.api.types.is_numeric_dtype(table[column]), column


def test_tables_are_utf8_with_unix_line_ends(finished: Path) -> None:
    for name in TABLES:
        content = (finished / name).read_bytes()
        assert b"\r" not in content
        assert content.decode().endswith("\n")


def test_there_is_one_result_per_point_and_one_row_of_history_per_epoch(finished: Path) -> None:
    record, study = Record(finished), make_study(TREE)

    assert record.results["run_id"].tolist() == [point.run_id for point in study.points]
    assert record.history.groupby("run_id").size().tolist() == [2] * 6
    assert record.history["samples"].tolist() == [64, 128] * 6
    assert (record.results["version"] == cosim.__version__).all()


def test_result_repeats_the_last_epoch_of_the_history(finished: Path) -> None:
    record = Record(finished)
    last = record.history.groupby("run_id").last()

    for result in record.results.to_dict("records"):
        for column in ("train_loss", "test_loss", "test_accuracy", "seconds"):
            assert result[column] == last.loc[result["run_id"], column]


def test_bill_adds_up_to_the_result_of_each_point(finished: Path) -> None:
    record = Record(finished)
    sums = record.bill.groupby("run_id")[["energy_j", "latency_s", "area_m2", "share"]].sum()

    for result in record.results.to_dict("records"):
        bill = sums.loc[result["run_id"]]
        assert bill["energy_j"] == pytest.approx(result["energy_per_sample_j"], rel=1e-12)
        assert bill["latency_s"] == pytest.approx(result["latency_per_sample_s"], rel=1e-12)
        assert bill["area_m2"] == pytest.approx(result["area_m2"], rel=1e-12)
        assert bill["share"] == pytest.approx(1)


def test_a_digital_point_has_no_device(finished: Path) -> None:
    results = Record(finished).results
    digital = results[results["algorithm"] == "digital_sgd"]

    assert digital[["states", "device"]].isna().all(axis=None)
    assert (digital["tiles"] == 0).all()


def test_every_operation_of_the_bill_stands_in_the_trace(finished: Path) -> None:
    record = Record(finished)
    keys = ["run_id", "layer", "tile", "operation"]
    bill = record.bill[~record.bill["operation"].isin(["floorplan", "leakage"])]

    assert set(map(tuple, bill[keys].values.tolist())) <= set(map(tuple, record.trace[keys].values.tolist()))


# Study and summary.


def test_summary_says_what_was_run(finished: Path) -> None:
    summary = json.loads((finished / "summary.json").read_text())

    assert summary["title"] == "A tiny study"
    assert summary["points"] == summary["finished"] == 6
    assert summary["shown_run_ids"] == [point.run_id for point in make_study(TREE).points]
    assert summary["version"] == cosim.__version__
    assert all(isinstance(note, str) for note in summary["notes"])


def test_study_in_the_folder_has_the_same_points_in_the_same_order(finished: Path) -> None:
    there, given = load_study(finished / "study.toml"), make_study(TREE)

    assert [point.run_id for point in there.points] == [point.run_id for point in given.points]
    assert there.swept_keys == given.swept_keys
    assert there.resolved == given.resolved


LONG = {
    "name": "residual_learning",
    "tiles": 3,
    "gamma": 0.25,
    "weight_scale": 0.5,
    "transfer_rate": 0.05,
    "transfer_rate_ratio": 1.1,
    "transfer_period": 3,
    "transfer_period_ratio": 4,
}
AXES: dict[str, list[Any]] = {
    "algorithm": [LONG, {"name": "analog_sgd"}],
    "device.states": [4, 10],
    "network.sizes": [[64, 10], [64, 8, 10]],
    "hardware": [{"adc": {"bits": 7}}, {"array_rows": 32, "values": {"flop_energy_j": 1.5}}],
    "training.schedule": [{"name": "constant"}],
    "title": ['with "quotes", \\ and ünïcode'],
    "hardware.ideal_io": [True],
    "training.learning_rate": [1, 1e-7],
}


def test_order_of_the_axes_outlives_the_file(tmp_path: Path) -> None:
    study = make_study(BASE | {"sweep": AXES})

    Record(tmp_path / "run").open(study)
    there = load_study(tmp_path / "run" / "study.toml")

    assert [point.run_id for point in there.points] == [point.run_id for point in study.points]
    assert there.swept_keys == study.swept_keys
    assert there.resolved == study.resolved


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"name": "mnist", "path": "files/mnist"}},
        {"data": {"name": "mnist"}, "sweep": {"data.path": ["files/mnist"]}},
        {"data": {"name": "mnist", "path": "files/mnist"}, "sweep": {"seed": [1, 2]}},
        {"sweep": {"data": [{"name": "mnist", "path": "files/mnist"}, {"name": "digits"}]}},
        {"sweep": {"data": [{"name": "digits"}, {"name": "mnist", "path": "files/mnist"}]}},
    ],
    ids=["given", "swept_path", "given_beside_a_sweep", "swept_tables", "swept_tables_digits_first"],
)
def test_place_of_the_data_is_kept_relative_to_the_folder(tmp_path: Path, change: dict[str, Any]) -> None:
    tree = {"schema": 1, "algorithm": {"name": "digital_sgd"}} | change
    study = make_study(tree, folder=tmp_path / "studies")

    Record(tmp_path / "runs" / "one").open(study)
    Record(tmp_path / "runs" / "one").open(load_study(tmp_path / "runs" / "one" / "study.toml"))
    there = load_study(tmp_path / "runs" / "one" / "study.toml")

    assert [point.run_id for point in there.points] == [point.run_id for point in study.points]
    places = {point.data_path.resolve() for point in there.points if point.data_path}
    assert places == {(tmp_path / "studies/files/mnist").resolve()}


@pytest.mark.parametrize(
    "change",
    [
        {"device": {"preset": "devices/mine.toml"}},
        {"sweep": {"device.preset": ["devices/mine.toml", "soft_bounds"]}},
        {"sweep": {"device": [{"preset": "soft_bounds"}, {"preset": "devices/mine.toml", "dw_min": 0.1}]}},
    ],
    ids=["given", "swept", "swept_tables"],
)
def test_place_of_a_device_file_is_kept_relative_to_the_folder(tmp_path: Path, change: dict[str, Any]) -> None:
    file = tmp_path / "studies" / "devices" / "mine.toml"
    file.parent.mkdir(parents=True)
    values = 'provenance = { unit = "1", kind = "assumed", note = "made up" }\nvalues = { dw_min = { value = 0.02 } }\n'
    file.write_text(f'schema = 1\nfamily = "constant_step"\nsummary = "Mine"\n{values}')
    study = make_study({"schema": 1} | change, folder=tmp_path / "studies")

    Record(tmp_path / "runs" / "one").open(study)
    Record(tmp_path / "runs" / "one").open(load_study(tmp_path / "runs" / "one" / "study.toml"))
    again = load_study(tmp_path / "runs" / "one" / "study.toml")

    assert [point.run_id for point in again.points] == [point.run_id for point in study.points]
    assert [point.device for point in again.points] == [point.device for point in study.points]
    assert "../../studies/devices/mine.toml" in (tmp_path / "runs" / "one" / "study.toml").read_text()
    assert not list((tmp_path / "runs" / "one").glob("study-*.toml"))


def test_a_changed_study_keeps_the_earlier_file(folder: Path) -> None:
    before = (folder / "study.toml").read_bytes()

    Record(folder).open(make_study(TREE | {"title": "another"}))

    assert (folder / "study-1.toml").read_bytes() == before
    assert tomllib.loads((folder / "study.toml").read_text())["title"] == "another"


def test_an_unreadable_study_in_the_folder_is_set_aside(folder: Path) -> None:
    (folder / "study.toml").write_bytes(b"\xff\xfe")

    Record(folder).open(make_study(TREE))

    assert (folder / "study-1.toml").read_bytes() == b"\xff\xfe"
    assert load_study(folder / "study.toml").points


# Folders that cannot be used.


def test_folder_that_is_a_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")

    with pytest.raises(ConfigError, match="cannot be written"):
        Record(tmp_path / "run").open(make_study(TREE))

    assert (tmp_path / "run").read_text() == "mine"


def test_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(ConfigError, match=r"cannot be written \(Not a directory\)"):
        Record(tmp_path / "file" / "run").open(make_study(TREE))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError("broken")])
def test_system_that_does_not_write_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Path, "mkdir", refuse)

    with pytest.raises(ConfigError, match=error.strerror or "broken") as caught:
        Record(tmp_path / "run").open(make_study(TREE))
    assert "--out" in str(caught.value)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    "content",
    [b"run_id,accuracy\n1,2\n", b"\xff\xfe\x00binary\n", b"run_id,seed\n", b'"open quote\n\n'],
    ids=["other_columns", "not_text", "header_alone", "not_csv"],
)
def test_table_of_another_schema_is_refused_and_nothing_changes(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    before = contents(folder)

    with pytest.raises(ConfigError, match="--out") as caught:
        Record(folder).open(make_study(TREE))

    assert str(folder / name) in str(caught.value)
    assert contents(folder) == before


def test_table_of_another_sweep_is_refused_with_the_columns_that_differ(folder: Path) -> None:
    before = contents(folder)

    with pytest.raises(ConfigError, match=r"missing: device\.states") as caught:
        Record(folder).open(make_study(BASE | {"sweep": {"device.states": [4]}}))

    assert "surplus: algorithm.name, algorithm.tiles, hardware.adc.bits" in str(caught.value)
    assert contents(folder) == before


def test_directory_instead_of_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run" / "results.csv").mkdir(parents=True)

    with pytest.raises(ConfigError, match=r"results\.csv"):
        Record(tmp_path / "run").open(make_study(TREE))

    assert [path.name for path in (tmp_path / "run").rglob("*")] == ["results.csv"]


def test_an_empty_table_is_started_anew(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "results.csv").touch()

    Record(tmp_path / "run").open(make_study(TREE))

    assert rows(tmp_path / "run" / "results.csv")[0][0] == "run_id"


# Folders that a kill has left.


def last_point(table: bytes) -> int:
    """Return where the rows of the last point of a table start."""
    lines = table.splitlines(keepends=True)
    last = lines[-1].split(b",", 1)[0]
    return sum(len(line) for line in lines if line.split(b",", 1)[0] != last)


# Bytes between two cuts.
STEPS = {"history.csv": 5, "bill.csv": 151, "activity.csv": 31, "trace.csv": 97, "results.csv": 11}


def torn(tables: dict[str, bytes]) -> Iterator[dict[str, bytes]]:
    """Yield what a kill leaves while the last point joins the tables, at many bytes."""
    for place, name in enumerate(TABLES):
        starts = {other: last_point(tables[other]) for other in TABLES}
        for end in {*range(starts[name], len(tables[name]), STEPS[name]), len(tables[name]) - 1}:
            later = {other: tables[other][: starts[other]] for other in TABLES[place + 1 :]}
            yield tables | later | {name: tables[name][:end]}


def write(folder: Path, tables: dict[str, bytes]) -> None:
    for name, content in tables.items():
        (folder / name).write_bytes(content)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three points with few rows each: one layer."""
    folder = tmp_path_factory.mktemp("small") / "run"
    run(SMALL, folder, page=False)
    return folder


SMALL = BASE | {
    "network": {"sizes": [64, 10]},
    "algorithm": {"name": "residual_learning", "tiles": 1},
    "sweep": {"seed": [1, 2, 3]},
}


def test_rows_of_a_point_without_its_result_are_taken_out_wherever_it_was_killed(small: Path, tmp_path: Path) -> None:
    folder, study = tmp_path / "run", make_study(SMALL)
    shutil.copytree(small, folder)
    tables = {name: (small / name).read_bytes() for name in TABLES}
    without_last = {name: content[: last_point(content)] for name, content in tables.items()}

    for left in torn(tables):
        write(folder, left)
        Record(folder).open(study)
        assert {name: (folder / name).read_bytes() for name in TABLES} == without_last


@pytest.mark.parametrize("name", TABLES)
def test_a_table_torn_by_itself_costs_only_the_points_it_tears(small: Path, tmp_path: Path, name: str) -> None:
    folder, study = tmp_path / "run", make_study(SMALL)
    shutil.copytree(small, folder)
    tables = {name: (small / name).read_bytes() for name in TABLES}
    without_last = {name: content[: last_point(content)] for name, content in tables.items()}
    kept = last_point(tables[name])

    # Activity and trace have no sum to be held against: there only the loss of all rows is seen.
    unsummed = name in ("activity.csv", "trace.csv")
    for end in range(kept, kept + 1) if unsummed else range(kept, len(tables[name]), STEPS[name]):
        write(folder, tables | {name: tables[name][:end]})
        Record(folder).open(study)
        assert {name: (folder / name).read_bytes() for name in TABLES} == without_last


def test_a_row_torn_inside_a_character_is_taken_out(folder: Path) -> None:
    for name in TABLES:
        with (folder / name).open("ab") as file:
            file.write('abcdef,"±'.encode()[:-1])

    Record(folder).open(make_study(TREE))

    assert len(Record(folder).results) == 6
    assert all((folder / name).read_bytes().endswith(b"\n") for name in TABLES)


@pytest.mark.parametrize("damage", ["", ",,,", "not a number", "x\ny"])
def test_a_damaged_result_is_taken_out(folder: Path, damage: str) -> None:
    path = folder / "results.csv"
    lines = path.read_text().splitlines(keepends=True)
    run_id = lines[2].split(",", 1)[0]
    path.write_text("".join([*lines[:2], f"{run_id},{damage}\n", *lines[3:]]))

    Record(folder).open(make_study(TREE))

    assert len(Record(folder).results) == 5
    assert run_id not in set(Record(folder).bill["run_id"])


def test_blank_lines_do_no_harm(folder: Path) -> None:
    for name in TABLES:
        with (folder / name).open("a") as file:
            file.write("\n\n")

    Record(folder).open(make_study(TREE))

    assert len(Record(folder).finished()) == 6


@pytest.mark.parametrize("cut", [0, 1, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("name", TABLES)
def test_next_run_completes_what_was_torn(small: Path, tmp_path: Path, name: str, cut: float) -> None:
    folder = tmp_path / "run"
    shutil.copytree(small, folder)
    tables = {name: (small / name).read_bytes() for name in TABLES}
    start, place = last_point(tables[name]), TABLES.index(name)
    end = start + (cut if cut in (0, 1) else int(cut * (len(tables[name]) - start)))
    write(folder, {other: tables[other][: last_point(tables[other])] for other in TABLES[place + 1 :]})
    (folder / name).write_bytes(tables[name][:end])

    run(SMALL, folder, page=False)

    assert numbers(folder) == numbers(small)


@pytest.mark.parametrize("checkpoints", [True, False])
@pytest.mark.parametrize("name", TABLES)
def test_next_run_completes_what_a_lost_table_held(folder: Path, finished: Path, name: str, checkpoints: bool) -> None:
    (folder / name).unlink()
    if not checkpoints:
        shutil.rmtree(folder / "checkpoints")

    run(TREE, folder, page=False)

    assert numbers(folder) == numbers(finished)


def test_points_whose_rows_are_incomplete_are_told_of(folder: Path) -> None:
    (folder / "bill.csv").unlink()
    lines: list[str] = []

    run(TREE, folder, page=False, tell=lines.append)
    run(TREE, folder, page=False, tell=lines.append)

    assert [line.split("; ")[0] for line in lines if "results.csv" in line] == [
        f"{folder}: results.csv had 6 points whose rows are missing from another table"
    ]


# Pricing without training.


def test_price_folder_holds_bill_trace_study_and_summary(tmp_path: Path) -> None:
    study = make_study(TREE)

    Record(tmp_path / "run").write_price(study, price_study(make_sweep(TREE)).files(), ["a note"])

    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        *("designs.csv", "bill.csv", "trace.csv", *COST_TABLES),
        *("study.toml", "summary.json"),
    }
    assert "a note" in json.loads((tmp_path / "run" / "summary.json").read_text())["notes"]
    assert rows(tmp_path / "run" / "bill.csv")[0] == ["run_id", *BILL_COLUMNS]
    assert rows(tmp_path / "run" / "trace.csv")[0] == list(TRACE_COLUMNS)
    assert set(pd.read_csv(tmp_path / "run" / "bill.csv")["run_id"]) == {point.run_id for point in study.points}


def test_price_does_not_replace_the_bill_of_a_training(folder: Path) -> None:
    before, study = contents(folder), make_study(TREE)
    tables = price_study(make_sweep(TREE), bands=False).files()

    with pytest.raises(ConfigError, match="holds the results of a training"):
        Record(folder).write_price(study, tables)

    assert contents(folder) == before


def test_a_run_in_the_folder_of_a_price_replaces_the_assumed_bill(tmp_path: Path, finished: Path) -> None:
    study = make_study(TREE)
    Record(tmp_path / "run").write_price(study, price_study(make_sweep(TREE), bands=False).files())

    run(TREE, tmp_path / "run", page=False)

    assert numbers(tmp_path / "run") == numbers(finished)
