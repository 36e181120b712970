"""The health of a study before it is trained: what it measures on the first mini-batch, where its lines appear."""

import json
import math

import numpy as np
import pytest
import tomli_w

from cosim.cli import main
from cosim.config import make_study
from cosim.data import Data, load_data
from cosim.experiment import WEIGHT_STREAM, Training
from cosim.explain import explain_study
from cosim.health import Check
from cosim.network import initial_weights
from cosim.probe import first_products, health_lines, point_health
from cosim.study import run

BASE = {
    "schema": 1,
    "data": {"name": "digits", "train_samples": 64, "test_samples": 20},
    "network": {"sizes": [64, 12, 10]},
    "training": {"epochs": 1, "batch_size": 8},
    "hardware": {"ideal_io": True},
    "algorithm": {"name": "residual_learning", "tiles": 3},
}
LOUD = {"name": "residual_learning", "tiles": 2, "gamma": 0.5, "weight_scale": 1.0, "fast_rate": 1.0}


def point_of(**sections):
    (point,) = make_study(BASE | sections).points
    return point


def data_of(samples, seed=1):
    return load_data("digits", None, train_samples=samples, test_samples=5, seed=seed)


# The first mini-batch.


def test_first_products_is_the_sum_of_products_per_cross_point():
    point, batch = point_of(training={"batch_size": 2}), data_of(2)
    first, second = (
        initial_weights(spec, seed=point.seed, stream=WEIGHT_STREAM + place) for place, spec in enumerate(point.layers)
    )
    images = batch.train_images.reshape(2, 64).astype(float)
    hidden = np.tanh(images @ first[0].T + first[1])
    logits = hidden @ second[0].T + second[1]
    error = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    error[np.arange(2), batch.train_labels] -= 1
    error /= 2  # the loss is a mean over the mini-batch
    hidden_error = (error @ second[0]) * (1 - hidden**2)
    expected = {
        "dense1": sum(np.abs(np.outer(hidden_error[k], images[k])).mean() for k in range(2)),
        "dense2": sum(np.abs(np.outer(error[k], hidden[k])).mean() for k in range(2)),
    }
    assert first_products(point, batch) == pytest.approx(expected, rel=1e-5)


def test_only_the_first_mini_batch_is_looked_at():
    point, few, many = point_of(), data_of(8), data_of(64)
    np.testing.assert_array_equal(few.train_images, many.train_images[:8])
    assert first_products(point, few) == first_products(point, many)


def test_fewer_images_than_a_mini_batch_are_enough():
    assert first_products(point_of(training={"batch_size": 100}), data_of(3))["dense1"] > 0


@pytest.mark.parametrize("batch", [8, 64])
def test_first_products_predicts_the_coincidences_of_the_first_mini_batch(batch):
    ratios = []
    for seed in range(16):
        point = point_of(
            seed=seed,
            data=BASE["data"] | {"train_samples": batch},
            training={"epochs": 1, "batch_size": batch},
            device={"w_max_dtod": 0.0, "w_min_dtod": 0.0},
        )
        data = data_of(batch, seed)
        training = Training(point, data)
        training.epoch()
        products = first_products(point, data)
        rate = point.algorithm().parameters.fast_rate / point.device.granularity
        measured = {row["layer"]: row["coincidences_per_mini_batch"] for row in training.tiles if row["tile"] == 2}
        ratios.append([measured[layer] / (rate * products[layer]) for layer in ("dense1", "dense2")])
    # Single ratios scatter by 0.18 at most, their mean by 0.045; measured 0.93 to 1.00. 12 % is 2.6 standard errors.
    assert np.mean(ratios, axis=0) == pytest.approx([1.0, 1.0], abs=0.12)


def test_activity_of_a_convolution_counts_every_position():
    point = point_of(
        data={"name": "mnist", "path": "nowhere"}, network={"name": "lenet5"}, training={"batch_size": 1, "epochs": 1}
    )
    images = np.random.Generator(np.random.Philox(key=[1, 1])).random((1, 28, 28, 1), dtype=np.float32)
    data = Data(images, np.zeros(1, dtype=np.int64), images, np.zeros(1, dtype=np.int64), point.data)
    products = first_products(point, data)
    assert list(products) == ["conv1", "conv2", "dense1", "dense2"]
    assert all(0 < value < math.inf for value in products.values())


# The rules of a point.


def names(checks):
    return [check.name for check in checks]


def test_without_data_the_rule_of_the_first_mini_batch_is_left_out():
    point = point_of()
    without, found = point_health(point), point_health(point, data_of(64))
    assert names(found)[:-1] == names(without)
    assert names(found)[-1] == "transfer rate x memory of the finest tile"


def test_the_length_of_the_training_is_that_of_the_point():
    def sweeps(**sections):
        (check,) = [check for check in point_health(point_of(**sections)) if check.name.startswith("sweeps")]
        return check.value

    once = sweeps()
    assert sweeps(training={"epochs": 3, "batch_size": 8}) == pytest.approx(3 * once, rel=1e-12)
    # 64 images in mini-batches of 7 are ten mini-batches instead of eight.
    assert sweeps(training={"epochs": 1, "batch_size": 7}) == pytest.approx(once * 10 / 8, rel=1e-12)


def test_a_digital_algorithm_has_no_health():
    assert point_health(point_of(algorithm={"name": "digital_sgd"}), data_of(64)) == []


def test_visits_are_those_of_the_trained_devices():
    # With 4 states a visit moves more: fewer columns, the same share.
    coarse, fine = (
        [check.value for check in point_health(point_of(device={"states": states})) if check.name.startswith("sweeps")]
        for states in (4, 40)
    )
    assert coarse == pytest.approx(fine, rel=1e-12)


def test_one_line_has_every_number_and_each_broken_rule_is_a_warning():
    checks = [Check("step", 0.5, "at most 1"), Check("noise", 0.25, "at most 0.1", "add tiles")]
    assert health_lines("mine", checks) == (
        "mine: step 0.5; noise 0.25",
        ["mine: noise 0.25 (at most 0.1): add tiles"],
    )


# Where the lines appear.


def test_run_tells_a_line_per_point_and_every_broken_rule_before_it_trains(tmp_path):
    told, done = [], []
    tree = BASE | {"sweep": {"algorithm": [LOUD, {"name": "digital_sgd"}]}}
    run(tree, tmp_path / "run", page=False, tell=lambda line: told.append((len(done), line)),
        progress=lambda *report: done.append(report))  # fmt: skip
    assert {before for before, _ in told} == {0}
    lines = [line for _, line in told]
    assert [line for line in lines if line.startswith("Health of ")] == lines[:1]  # the digital point has none
    assert "gradient step in the weight 0.5" in lines[0]
    assert all(line.startswith("Warning: ") for line in lines[1:])
    assert any("lower fast_rate to 0.3 or less" in line for line in lines)


def test_warnings_are_notes_of_the_summary(tmp_path):
    folder = tmp_path / "run"
    told = []
    run(BASE | {"algorithm": LOUD}, folder, page=False, tell=told.append)
    notes = json.loads((folder / "summary.json").read_text())["notes"]
    warned = [line for line in told if line.startswith("Warning: ")]
    assert warned
    assert [note for note in notes if note.startswith("Warning: ")] == [f"{line}." for line in warned]


def test_seeds_of_one_setting_are_warned_of_once(tmp_path):
    tree = BASE | {"algorithm": LOUD, "sweep": {"seed": [1, 2], "algorithm.gamma": [0.5]}}
    run(tree, tmp_path / "run", page=False)
    notes = json.loads((tmp_path / "run" / "summary.json").read_text())["notes"]
    assert sum("lower fast_rate" in note for note in notes) == len(
        {note for note in notes if "lower fast_rate" in note}
    )


def test_explain_lists_every_rule_and_marks_the_broken_ones():
    text = explain_study(make_study(BASE | {"algorithm": LOUD}))
    lines = text.split("Health, without a look at the data:\n")[1].splitlines()
    checks = point_health(point_of(algorithm=LOUD))
    assert lines == [f"   {'  ' if check.kept else '! '}{check.text()}" for check in checks]
    assert any(line.startswith("   ! gradient step") for line in lines)
    assert any(line.startswith("     reach") for line in lines)


def test_explain_of_a_digital_study_says_nothing_of_health():
    assert "Health" not in explain_study(make_study(BASE | {"algorithm": {"name": "digital_sgd"}}))


def test_the_command_prints_health_and_warnings_in_whole_lines(tmp_path, capsys):
    path = tmp_path / "study.toml"
    path.write_text(tomli_w.dumps(BASE | {"algorithm": LOUD}))
    assert main(["run", str(path), "--out", str(tmp_path / "out"), "--workers", "1"]) == 0
    shown = capsys.readouterr().out.splitlines()
    (health,) = [line for line in shown if line.startswith("Health of ")]
    assert "noise floor of the finest tile" in health
    assert health.endswith(tuple("0123456789"))
    assert [line for line in shown if line.startswith("Warning: ") and line.endswith("lower fast_rate to 0.3 or less")]
