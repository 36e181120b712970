"""The scheduler: what a real training records against what pricing on shapes alone records."""

import ast
import io
import math
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cosim
from cosim.algorithms import ALGORITHMS
from cosim.config import make_study
from cosim.data import SHAPES, Data, load_data
from cosim.experiment import Training
from cosim.plan import Calibrate, Program, Refresh
from cosim.pricing import bill_of, make_scheduler, price_point
from cosim.scheduler import Scheduler, expected_program_pulses
from cost_model.floorplan import MatrixShape
from cost_model.operations import COUNTS
from cost_model.pricing import price
from cost_model.trace import Trace

EPOCHS = 2
# What depends on the data: read pulses, and everything about update pulses.
READ_ACTIVITY = {"lines_driven", "cell_drive"}
PULSE_ACTIVITY = {"pulse_slots", "line_slots", "pulses", "half_selects", "coincidences", "cells_touched"}

# Sixteen to twenty mini-batches; the periods 3, 5 and 2·3ᵏ divide none of these numbers evenly throughout.
ALGORITHM_TABLES = {
    "digital_sgd": {},
    "analog_sgd": {},
    "tiki_taka_v1": {"transfer_every": 3, "transfer_columns": 5, "fast_rate": 0.5, "gamma": 0.3},
    "tiki_taka_v2": {"transfer_every": 3, "transfer_columns": 5, "fast_rate": 0.5, "zero_shift_pulses": 40},
    "chopped_tiki_taka_v2": {"transfer_every": 3, "transfer_columns": 5, "output_chop_probability": 0.5},
    "agad": {"transfer_columns": 8, "chop_probability": 0.5, "auto_scale": True},
    "mixed_precision": {"write_every": 3},
    "residual_learning": {
        "tiles": 4,
        "setting": "paper",
        "warm_start": "off",
        "transfer_period": 2,
        "transfer_period_ratio": 3,
        "transfer_columns": 7,
    },
    "residual_learning_v2": {"transfer_every": 3, "transfer_columns": 5, "zero_shift_pulses": 30},
    "e_rider": {"transfer_columns": 5, "chop_probability": 0.5},
}


def point_of(name, *, samples=61, batch_size=7, hardware=None, **tree):
    tree = {
        "schema": 1,
        "data": {"name": "digits", "train_samples": samples, "test_samples": 5},
        "network": {"name": "mlp", "sizes": [64, 8, 10]},
        "training": {"epochs": EPOCHS, "batch_size": batch_size, "learning_rate": 0.1},
        "algorithm": {"name": name} | ALGORITHM_TABLES[name],
        "hardware": {"array_rows": 24, "array_cols": 6, "adc": {"columns_per_adc": 4}} | (hardware or {}),
    } | tree
    (point,) = make_study(tree).points
    return point


def trained(point, data=None):
    wanted = point.resolved["data"]
    data = data or load_data(
        wanted["name"], None, train_samples=wanted["train_samples"], test_samples=wanted["test_samples"], seed=1
    )
    training = Training(point, data)
    for _ in range(point.resolved["training"]["epochs"]):
        training.epoch()
    return training


def by_address(scheduler):
    return scheduler.trace.to_frame().set_index(["layer", "tile", "operation"])


def data_dependent(tile, operation):
    """Return the counts of an operation that no plan can foretell."""
    if operation in ("forward", "backward"):
        return READ_ACTIVITY if tile == "all" else set()
    if tile.startswith("buffer>"):
        return PULSE_ACTIVITY | {"performed"}  # only rows with a whole multiple are written
    if operation in ("update", "transfer", "program", "refresh"):
        return PULSE_ACTIVITY | ({"performed"} if operation == "program" else set())
    if operation == "calibrate":
        return PULSE_ACTIVITY - {
            "half_selects",
            "cells_touched",
        }  # the pulses that bring the reference to what was found
    return set()


def check_agreement(point, training):
    """Check that the counts of a plan are those of the training, wherever the data have no say."""
    _, priced = price_point(point)
    run, plan = by_address(training.scheduler), by_address(priced)
    assert set(run.index) == set(plan.index)
    for (layer, tile, operation), row in run.iterrows():
        assumed = plan.loc[layer, tile, operation]
        assert row[["dac_bits", "adc_bits"]].tolist() == assumed[["dac_bits", "adc_bits"]].tolist()
        exact = [name for name in COUNTS if name not in data_dependent(tile, operation)]
        assert row[exact].to_dict() == assumed[exact].to_dict(), (layer, tile, operation)
    return run


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("batch_size", [7, 8, 61])
@pytest.mark.parametrize("shared_by_tiles", [True, False])
def test_counts_of_a_training_are_those_of_its_plan(name, batch_size, shared_by_tiles):
    hardware = {"array_rows": 24, "array_cols": 6, "adc": {"columns_per_adc": 4, "shared_by_tiles": shared_by_tiles}}
    point = point_of(name, batch_size=batch_size, hardware=hardware)
    training = trained(point)
    run = check_agreement(point, training)
    assert training.scheduler.mini_batches == EPOCHS * math.ceil(61 / batch_size)
    vectors = run["performed"].unstack("operation")
    reads = "digital" if name == "digital_sgd" else "all"
    assert vectors.loc[("dense1", reads), "forward"] == EPOCHS * 61
    assert vectors.loc[("dense2", reads), "backward"] == EPOCHS * 61
    assert ("dense1", reads, "backward") not in run.index


@pytest.mark.parametrize("name", ["tiki_taka_v2", "residual_learning"])
def test_counts_agree_for_a_batch_of_one_and_ideal_converters(name):
    point = point_of(name, samples=19, batch_size=1, hardware={"ideal_io": True})
    check_agreement(point, trained(point))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_counts_agree_for_convolutions(name):
    generator = np.random.Generator(np.random.PCG64(3))
    images = generator.random((5, 28, 28, 1), dtype=np.float32)
    data = Data(images, np.arange(5), images, np.arange(5), SHAPES["mnist"])
    point = point_of(
        name,
        batch_size=2,
        data={"name": "mnist", "train_samples": 5, "test_samples": 5},
        network={"name": "lenet5"},
        hardware={},
        training={"epochs": 1, "batch_size": 2, "learning_rate": 0.1},
    )
    run = check_agreement(point, trained(point, data))
    reads = "digital" if name == "digital_sgd" else "all"
    assert run.loc["conv1", reads, "forward"]["performed"] == 5 * 24 * 24
    assert run.loc["conv2", reads, "backward"]["performed"] == 5 * 8 * 8


@pytest.mark.parametrize("name", ALGORITHMS)
def test_activity_of_a_training_is_possible(name):
    point = point_of(name)
    run = by_address(trained(point).scheduler)
    for (layer, tile, operation), row in run.iterrows():
        spec = next(spec for spec in point.layers if spec.shape.name == layer)
        place = (layer, tile, operation)
        assert (row[list(COUNTS)] >= 0).all(), place
        assert row["cells_touched"] <= row["coincidences"] <= row["pulse_slots"] * spec.shape.cells, place
        assert row["cell_drive"] <= row["cell_reads"], place
        if operation == "update" and tile.isdigit():
            assert row["coincidences"] > 0, place


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_recorded_training_costs_what_the_training_cost(name):
    point = point_of(name)
    training = trained(point)
    samples = EPOCHS * 61
    bill = bill_of(point, training.scheduler)
    text = training.scheduler.trace.to_frame().to_csv(index=False)
    again = price(
        Trace.from_frame(pd.read_csv(io.StringIO(text))),
        point.hardware,
        make_scheduler(point).floorplans,
        algorithm=name,
        storage=training.scheduler.algorithm.storage(7),
        samples=samples,
        batch_size=7,
    )
    pd.testing.assert_frame_equal(bill.lines, again.lines, check_exact=True)
    assert bill.digital_storage_byte == again.digital_storage_byte
    assert training.outcome().results["energy_per_sample_j"] == bill.energy_per_sample_j


@pytest.mark.parametrize("name", ALGORITHMS)
def test_lines_of_a_bill_without_activity_do_not_need_the_training(name):
    point = point_of(name)
    real = bill_of(point, trained(point).scheduler)
    priced, _ = price_point(point)
    keys = ["layer", "tile", "operation", "component", "per"]
    both = real.lines.merge(priced.lines, on=keys, suffixes=("_run", "_priced"))
    both = both[both["operation"] != "leakage"]  # leaks for as long as a sample takes, pulses included
    fixed = both[[line.per not in data_dependent(line.tile, line.operation) for line in both.itertuples()]]
    assert len(fixed) > 5
    assert fixed["energy_j_run"].tolist() == fixed["energy_j_priced"].tolist()
    assert fixed["area_m2_run"].tolist() == fixed["area_m2_priced"].tolist()
    assert real.area_m2 == priced.area_m2
    assert real.digital_storage_byte == priced.digital_storage_byte


def test_transfers_happen_after_every_period():
    # 18 mini-batches of 7 columns, periods 2, 6 and 18.
    point = point_of("residual_learning")
    run = by_address(trained(point).scheduler)["performed"]
    assert run["dense1", "3>2", "transfer"] == 9 * 7
    assert run["dense1", "2>1", "transfer"] == 3 * 7
    assert run["dense1", "1>0", "transfer"] == 1 * 7
    # dense2 has 8 inputs, so 7 columns fit; a wider transfer is cut to the fan-in.
    point = point_of("residual_learning", algorithm={"name": "residual_learning", "tiles": 2, "transfer_columns": 32})
    run = by_address(trained(point).scheduler)["performed"]
    assert run["dense1", "1>0", "transfer"] == 9 * 32
    assert run["dense2", "1>0", "transfer"] == 9 * 8


@pytest.mark.parametrize("name", ["analog_sgd", "tiki_taka_v1"])
def test_pairs_are_refreshed_in_training_and_in_pricing(name):
    point = point_of(name, device={"preset": "pcm", "refresh_every": 4})
    run = check_agreement(point, trained(point))
    tiles = len(point.algorithm().significances)
    # Four refreshes in 18 mini-batches, each reading both devices of every pair, column by column.
    assert run.loc["dense1", "all", "refresh"]["performed"] == 4 * 2 * 64 * tiles
    assert run.loc["dense2", "all", "refresh"]["performed"] == 4 * 2 * 8 * tiles
    never = point_of(name, device={"preset": "pcm", "refresh_every": 0})
    assert "refresh" not in by_address(price_point(never)[1]).index.get_level_values("operation")


def test_zero_shifting_is_recorded_once_per_layer_before_the_programming():
    point = point_of("tiki_taka_v2")
    rows = [address for address, _ in trained(point).scheduler.trace.rows()]
    assert [address for address in rows if address[2] == "calibrate"] == [
        ("dense1", "1", "calibrate"), ("dense2", "1", "calibrate")
    ]  # fmt: skip
    run = by_address(price_point(point)[1])
    assert run.loc["dense1", "1", "calibrate"]["coincidences"] >= 40 * 64 * 8
    plain = point_of("tiki_taka_v2", algorithm={"name": "tiki_taka_v2"})
    assert "calibrate" not in by_address(price_point(plain)[1]).index.get_level_values("operation")


def test_fading_devices_age_once_per_mini_batch():
    point = point_of(
        "analog_sgd", device={"preset": "constant_step", "lifetime": 10.0}, training={"learning_rate": 0.0}
    )
    training = Training(point, load_data("digits", None, train_samples=61, test_samples=5, seed=1))
    before = [layer.matrix.tiles[0].weights.astype(float) for layer in training.network.layers]
    training.scheduler.set_learning_rate(0.0)
    for _ in range(5):
        training.scheduler.step(training.network, training.train_images[:7], training.data.train_labels[:7])
    for layer, old in zip(training.network.layers, before, strict=True):
        np.testing.assert_allclose(layer.matrix.tiles[0].weights, 0.9**5 * old, rtol=1e-4)
        gain = layer.matrix.significances[0]
        np.testing.assert_allclose(layer.matrix.weights, gain * layer.matrix.tiles[0].weights, rtol=1e-5)


def test_a_transfer_rarer_than_the_training_leaves_no_trace():
    table = {"name": "tiki_taka_v2", "transfer_every": 19}
    point = point_of("tiki_taka_v2", algorithm=table)
    run = check_agreement(point, trained(point))
    assert "transfer" not in run.index.get_level_values("operation")


def test_a_tile_that_carries_no_weight_is_not_read_with_the_others():
    hidden, plain = (by_address(price_point(point_of(name))[1]) for name in ("tiki_taka_v2", "analog_sgd"))
    for place in (("dense1", "all", "forward"), ("dense2", "all", "forward"), ("dense2", "all", "backward")):
        pd.testing.assert_series_equal(hidden.loc[place], plain.loc[place])
    all_four = by_address(price_point(point_of("residual_learning"))[1])
    place = ("dense1", "all", "forward")
    assert all_four.loc[place, "column_reads"] == 4 * plain.loc[place, "column_reads"]


def test_only_the_finest_tile_takes_the_gradient():
    run = by_address(trained(point_of("residual_learning")).scheduler)
    updates = run[run.index.get_level_values("operation") == "update"]
    assert set(updates.index.get_level_values("tile")) == {"3"}


def test_the_mini_batch_count_runs_on_over_epochs():
    # 9 mini-batches per epoch and a period of 2: transfers after 2, 4, … 18, not anew from each epoch.
    point = point_of("residual_learning")
    run = by_address(trained(point).scheduler)
    assert run.loc["dense2", "3>2", "transfer"]["performed"] / 7 == 18 // 2


def test_evaluation_is_not_priced():
    training = trained(point_of("analog_sgd"))
    before = training.scheduler.trace.to_frame()
    training.evaluate()
    pd.testing.assert_frame_equal(training.scheduler.trace.to_frame(), before)


def test_programming_is_recorded_once_per_layer_on_the_coarsest_tile():
    for name in ALGORITHMS:
        point = point_of(name)
        scheduler = trained(point).scheduler
        tiles = [tile for (_, tile, kind), _ in scheduler.trace.rows() if kind == "program"]
        # E-RIDER programs its tracker again and again, in the trace under its number.
        assert [tile for tile in tiles if tile != "2"] == (["0", "0"] if scheduler.floorplans[0].tiles else [])
        assert ("2" in tiles) == (name == "e_rider")


@pytest.mark.parametrize(("outputs", "inputs", "step"), [(1, 1, 0.3), (40, 50, 0.01), (30, 60, 0.2), (7, 9, 5.0)])
def test_the_expected_pulses_of_programming_are_their_mean_over_uniform_weights(outputs, inputs, step):
    bound = 1 / math.sqrt(inputs)
    magnitudes = (np.arange(200_000) + 0.5) / 200_000 * bound
    mean = np.ceil(magnitudes / step).mean()
    expected = expected_program_pulses(MatrixShape("layer", outputs, inputs), step)
    assert expected == pytest.approx(outputs * inputs * mean, rel=1e-4, abs=0)


def test_assumed_programming_is_near_that_of_a_training():
    point = point_of("analog_sgd", network={"name": "mlp", "sizes": [64, 100, 10]}, device={"states": 1000})
    _, priced = price_point(point)
    run, plan = by_address(trained(point).scheduler), by_address(priced)
    place = ("dense1", "0", "program")
    assert plan.loc[place, "coincidences"] == pytest.approx(run.loc[place, "coincidences"], rel=0.05, abs=0)


def test_pricing_assumes_the_last_phase_of_a_warm_start():
    table = ALGORITHM_TABLES["residual_learning"] | {"warm_start": "epoch"}
    point = point_of("residual_learning", algorithm={"name": "residual_learning"} | table)
    _, priced = price_point(point)
    tiles = by_address(priced).xs("transfer", level="operation").loc["dense1"].index
    assert set(tiles) == {"3>2", "2>1", "1>0"}
    assert priced.algorithm.notes()


def test_one_step_in_the_order_of_its_plan():
    point = point_of("residual_learning")
    training = Training(point, load_data("digits", None, train_samples=61, test_samples=5, seed=1))
    scheduler = training.scheduler
    scheduler.set_learning_rate(0.1)
    images, labels = training.train_images[:7], training.data.train_labels[:7]
    scheduler.mini_batches = 17
    scheduler.step(training.network, images, labels)
    assert [address for address, _ in scheduler.trace.rows() if address[2] != "program"] == [
        ("dense1", "all", "forward"),
        ("dense1", "neurons", "digital"),
        ("dense2", "all", "forward"),
        ("dense2", "neurons", "digital"),
        ("dense2", "all", "backward"),
        *(
            (layer, tile, kind)
            for layer in ("dense1", "dense2")
            for tile, kind in (("3", "update"), ("3>2", "transfer"), ("2>1", "transfer"), ("1>0", "transfer"))
        ),
    ]


def test_a_plan_changes_between_steps_when_a_warm_start_moves_on():
    table = {"name": "residual_learning", "setting": "paper", "tiles": 3, "warm_start": "mini_batch"}
    point = point_of("residual_learning", algorithm=table | {"transfer_period": 1})
    training = Training(point, load_data("digits", None, train_samples=61, test_samples=5, seed=1))
    scheduler = training.scheduler
    scheduler.set_learning_rate(0.1)
    losses, targets, before = [], [], {}
    for start in range(0, 56, 7):
        chosen = slice(start, start + 7)
        losses.append(
            scheduler.step(training.network, training.train_images[chosen], training.data.train_labels[chosen])
        )
        rows = by_address(scheduler)["performed"].xs("transfer", level="operation").loc["dense1"].to_dict()
        targets += [tile for tile in rows if rows[tile] != before.get(tile)]
        before = rows
    # Tile 0 is warmed until the loss first rises, then tile 1; then transfers cascade.
    rises = [place + 2 for place, (before, after) in enumerate(pairwise(losses)) if after > before]
    assert rises, "the losses of this seed must rise at least once"
    assert targets[: rises[0]] == ["2>0"] * rises[0]
    assert targets[rises[0]] == "2>1"


def test_only_the_scheduler_writes_the_trace():
    package = Path(cosim.__file__).parent
    writers, makers = set(), set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            target = node.func
            if ast.unparse(target).split(".")[-2:] in (["trace", "append"], ["_trace", "append"]):
                writers.add(path.name)
            if ast.unparse(target).split(".")[-1] == "Operation":
                makers.add(path.name)
    assert writers == makers == {"scheduler.py"}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_counts_are_linear_in_activity_and_times(name):
    scheduler = make_scheduler(point_of(name))
    scheduler.set_learning_rate(0.1)
    pairs = zip(scheduler.floorplans, scheduler.plans, strict=True)
    beside = (Refresh(), Program(target=0), Calibrate(target=0, pulses=30))
    for floor, step in [(floor, step) for floor, plan in pairs for step in (*plan, *beside)]:
        kind = type(step.assumed(floor, scheduler.hardware.number, 1, 1))
        one, other = (kind(*(float(scale * 2**place) for place in range(len(fields(kind))))) for scale in (3, 5))
        nothing = kind(*(0.0 for _ in fields(kind)))
        both = step.counts(floor, one + other, 11)
        assert both == step.counts(floor, one, 4) + step.counts(floor, other, 7), step
        assert not any(map(float, step.counts(floor, nothing, 0).values())), step
        assert any(map(float, both.values())), step


@pytest.mark.parametrize("name", ["digital_sgd", "tiki_taka_v2", "residual_learning"])
def test_it_does_not_matter_how_often_the_trace_is_asked_for(name):
    table = {"name": name} | ALGORITHM_TABLES[name] | ({"cooling": 0.1} if name == "residual_learning" else {})
    point = point_of(name, algorithm=table, batch_size=2)
    data = load_data("digits", None, train_samples=61, test_samples=5, seed=1)
    often, once = Training(point, data), Training(point, data)
    for training, asked in ((often, True), (once, False)):
        training.scheduler.set_learning_rate(0.1)
        for start in range(0, 60, 2):  # more steps than `REPLAN_EVERY`
            chosen = slice(start, start + 2)
            images, labels = training.train_images[chosen], training.data.train_labels[chosen]
            training.scheduler.step(training.network, images, labels)
            assert not asked or training.scheduler.trace.rows()
    one, other = by_address(often.scheduler), by_address(once.scheduler)
    assert one.index.tolist() == other.index.tolist()
    whole = one.columns.difference(["cell_drive"])  # sums of whole numbers are exact
    pd.testing.assert_frame_equal(one[whole], other[whole], check_exact=True)
    np.testing.assert_allclose(one["cell_drive"], other["cell_drive"], rtol=1e-12)


def test_pricing_needs_no_learning_rate_and_records_the_same_twice():
    point = point_of("tiki_taka_v2")
    (_, one), (_, other) = price_point(point), price_point(point)
    pd.testing.assert_frame_equal(one.trace.to_frame(), other.trace.to_frame(), check_exact=True)
    zero = point_of("tiki_taka_v2", training={"epochs": EPOCHS, "batch_size": 7, "learning_rate": 0.0})
    pd.testing.assert_frame_equal(price_point(zero)[1].trace.to_frame(), one.trace.to_frame(), check_exact=True)


def test_a_scheduler_has_one_floorplan_per_layer_with_all_tiles():
    point = point_of("residual_learning")
    scheduler = Scheduler(point.algorithm(), point.hardware, [spec.shape for spec in point.layers], point.device)
    assert [floor.tiles for floor in scheduler.floorplans] == [4, 4]
    assert [floor.shape.name for floor in scheduler.floorplans] == ["dense1", "dense2"]
