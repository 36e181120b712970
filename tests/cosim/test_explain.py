from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from rich.console import Console

from cosim.algorithms import ALGORITHMS
from cosim.config import make_study, make_sweep
from cosim.data import SHAPES
from cosim.explain import assumed_activity, describe_plan, explain_study, listing, price_report
from cosim.network import NETWORKS
from cosim.pricing import make_scheduler
from cosim.study import price_study
from cost_model.cells import list_cells
from cost_model.hardware import AdcModelName, DacModel, list_hardware
from device_models.families import ConstantStep
from device_models.presets import list_devices

ROOT = Path(__file__).parents[2]
TREE: dict[str, Any] = {
    "schema": 1,
    "title": "Which hops",
    "seed": 17,
    "data": {"train_samples": 123},
    "network": {"sizes": [64, 24, 10]},
    "training": {"epochs": 7, "batch_size": 5, "learning_rate": 0.125},
    "device": {"states": 12, "dw_min_std": 0.25},
    "algorithm": {"name": "residual_learning", "tiles": 3, "gamma": 0.25, "weight_scale": 0.5, "transfer_columns": 4},
    "hardware": {"array_rows": 32, "array_cols": 16, "adc": {"bits": 7, "columns_per_adc": 4}, "dac": {"bits": 6}},
    "sweep": {"algorithm.transfer_period": [3, 4]},
}


def hops(text: str) -> dict[int, str]:
    """Return the numbered lines, each with the lines below it."""
    parts = re.split(r"^ ?(\d+)  ", text, flags=re.MULTILINE)[1:]
    return {int(number): body for number, body in zip(parts[::2], parts[1::2], strict=True)}


def shown(renderable: object) -> str:
    console = Console(width=400)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_explanation_has_ten_numbered_hops_in_order() -> None:
    assert list(hops(explain_study(make_study(TREE)))) == list(range(1, 11))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_file_and_folder_that_a_hop_names_exists(algorithm: str) -> None:
    text = explain_study(make_study({"schema": 1, "algorithm": {"name": algorithm}}))
    named = set(re.findall(r"\b(?:cosim|cost_model|circuits|device_models)/[\w/]+(?:\.\w+)?", text))

    assert len(named) >= 9
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_functions_that_a_hop_names_exist() -> None:
    text = explain_study(make_study(TREE))

    for path, function in re.findall(r"(cosim/\w+\.py) (\w+):", text):
        assert f"def {function}(" in (ROOT / path).read_text()
    assert "cosim/scheduler.py step:" in text


def test_each_hop_shows_the_numbers_of_the_study() -> None:
    study = make_study(TREE)
    found = hops(explain_study(study))

    assert "2 points, swept: algorithm.transfer_period" in found[1]
    for part in ("seed 17", "123 images of digits", "network mlp", "7 epochs of batch 5"):
        assert part in found[2]
    assert "residual_learning" in found[3]
    assert "(4 columns" in found[3]
    assert "every 3)" in found[3]
    assert "dense1: 24 x 64 weights, 5 vectors" in found[4]
    assert "dense2: 10 x 24 weights, 5 vectors" in found[4]
    assert "3 tiles of significance 0.5, 0.125, 0.03125" in found[5]
    for part in ("DAC 6 bits", "ADC 7 bits", "errors on", "arrays of 32 x 16"):
        assert part in found[6]
    assert "dense1: 4 arrays per tile, 1 addition of partial sums per output" in found[6]
    assert "soft_bounds, 12 states, cycle-to-cycle noise 0.25" in found[7]
    assert "sar_45nm" in found[9]


def test_explanation_starts_with_title_and_point() -> None:
    study = make_study(TREE)

    first = explain_study(study).splitlines()[0]

    assert first == f"Which hops: one training step of point 1 of 2, {study.points[0].run_id}"


def test_explanation_counts_the_vectors_of_a_convolution() -> None:
    tree = {"schema": 1, "data": {"name": "mnist"}, "network": {"name": "lenet5"}, "training": {"batch_size": 2}}

    found = hops(explain_study(make_study(tree)))

    assert f"conv1: 16 x 25 weights, {24 * 24 * 2} vectors" in found[4]


def test_explanation_of_ideal_converters_says_so() -> None:
    text = explain_study(make_study({"schema": 1, "hardware": {"ideal_io": True}}))

    assert "converter errors off" in text


def test_explanation_of_a_digital_study_says_that_there_are_no_tiles() -> None:
    text = explain_study(make_study({"schema": 1, "algorithm": {"name": "digital_sgd"}}))

    assert "none (digital)" in hops(text)[5]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_plan_of_every_algorithm_is_described_step_by_step(algorithm: str) -> None:
    (point,) = make_study({"schema": 1, "algorithm": {"name": algorithm}}).points
    scheduler = make_scheduler(point)
    scheduler.set_learning_rate(0.05)

    for floor, plan in zip(scheduler.floorplans, scheduler.plans, strict=True):
        words = describe_plan(plan)
        assert words.startswith("forward, backward, " if floor.shape.backward else "forward, ")
        assert floor.shape.backward or "backward" not in words
        assert "None" not in words


LISTS = {
    "devices": list_devices(),
    "algorithms": list(ALGORITHMS),
    "networks": list(NETWORKS),
    "hardware": list_hardware(),
    "data": list(SHAPES),
}


@pytest.mark.parametrize(("kind", "names"), LISTS.items(), ids=LISTS)
def test_listing_names_everything_of_its_kind(kind: str, names: list[str]) -> None:
    table = listing(kind)
    first = list(table.columns[0].cells)
    if kind == "hardware":  # presets, and below them the models that a study can put into them
        keys, first = first, list(table.columns[1].cells)
        assert {"adc.model", "dac.model", "cell.model"} <= set(keys)
        models = [*get_args(AdcModelName), *get_args(DacModel), "spice_reram", *list_cells()]
        assert sorted(first[len(names) :]) == sorted(models)
        assert set(keys[: len(names)]) == {"preset"}
        first = first[: len(names)]

    assert first == names
    assert all(str(cell) for column in table.columns[:2] for cell in column.cells if column.header != "parameters")


def devices_listed() -> dict[str, dict[str, str]]:
    """Return the rows of the device list: heading to cell."""
    table = listing("devices")
    headings = [str(column.header) for column in table.columns]
    rows = zip(*(map(str, column.cells) for column in table.columns), strict=True)
    return {row[0]: dict(zip(headings, row, strict=True)) for row in rows}


def test_device_list_shows_family_states_summary_and_sources() -> None:
    row = devices_listed()["reram_es"]

    assert (row["family"], row["states"], row["sources"]) == ("exponential_step", "959", "gong2018")
    assert row["summary"].startswith("ReRAM")


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("reram_es", "-0.217"),
        ("generic_linear", "0.060"),
        ("ecram", "0.000"),
        ("reram_array_om", "0.000"),
        ("constant_step", "every"),
        ("pcm", "none"),
    ],
)
def test_device_list_shows_the_symmetric_point(name: str, point: str) -> None:
    assert devices_listed()[name]["symmetric point"] == point


def test_constant_steps_with_imbalance_have_no_symmetric_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosim.explain.load_device", lambda name: ConstantStep(dw_min=0.1, up_down=0.2))

    assert {row["symmetric point"] for row in devices_listed().values()} == {"none"}


def report(tree: dict[str, Any], *, bands: bool = False, conditions: tuple[str, ...] = ()) -> list[Any]:
    """Return what `cosim price` prints, part by part."""
    return list(price_report(price_study(make_sweep(tree), bands=bands, conditions=conditions), conditions, "energy"))


def test_price_report_has_a_line_per_point_and_what_was_assumed() -> None:
    parts = report(TREE)

    text = shown(parts[0])
    for point in make_study(TREE).points:
        assert point.run_id in text
    assert "transfer period" in text
    assert "input_density" in shown(parts[1])


def test_price_report_of_one_point_shows_its_bill_and_how_sure_it_is() -> None:
    parts = report({key: value for key, value in TREE.items() if key != "sweep"}, bands=True)

    assert "adc" in shown(parts[1])
    assert "decided most by" in shown(parts[2])
    assert "assumed activity (sar_45nm)" in shown(parts[-1])


def test_price_report_leaves_empty_what_a_point_does_not_have() -> None:
    tables = [{"name": "analog_sgd"}, {"name": "residual_learning", "tiles": 5}]

    text = shown(report({"schema": 1, "sweep": {"algorithm": tables}})[0])

    assert "None" not in text
    assert "5" in text


def test_assumptions_follow_the_study() -> None:
    tree = {"schema": 1, "hardware": {"values": {"activity_drive": 0.125}}}

    assert "drive 0.125" in assumed_activity(make_study(tree).points[0])


def test_assumptions_of_a_warm_start_come_with_a_note() -> None:
    tree = {"schema": 1, "algorithm": {"name": "residual_learning", "warm_start": "epoch"}}

    assert "Note: warm start" in "".join(map(str, report(tree, bands=True)[3:]))
