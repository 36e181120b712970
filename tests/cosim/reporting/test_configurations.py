import math
import statistics

import pandas as pd
import pytest

from cosim.reporting.configurations import assign_configurations, panels, summarise
from cosim.reporting.labels import algorithm_name, design_names


def table(*rows):
    return pd.DataFrame(rows)


def labels(*rows):
    return list(summarise(table(*rows))["label"])


def test_rows_that_differ_only_in_seed_and_outcome_are_one_configuration(row):
    rows = table(
        row(seed=1, seconds=1.0),
        row(seed=2, seconds=9.0, test_accuracy=0.1, train_loss=math.nan),
        row(seed=1, tiles=6),
        row(seed=3),
    )
    assert list(assign_configurations(rows)["configuration"]) == [0, 0, 1, 0]


@pytest.mark.parametrize("column", ["algorithm", "tiles", "states", "device", "network", "data", "epochs"])
def test_every_identity_column_separates(row, column):
    rows = table(row(), row(**{column: 99}))
    assert summarise(rows).index.tolist() == [0, 1]


def test_a_swept_key_separates(row):
    rows = table(row(**{"hardware.adc.bits": 6}), row(**{"hardware.adc.bits": 8}))
    assert len(summarise(rows)) == 2


def test_a_swept_count_of_states_does_not_split_what_has_no_states(row):
    digital = {"algorithm": "digital_sgd", "tiles": None, "states": None}
    rows = table(row(**digital, **{"device.states": 4}), row(**digital, **{"device.states": 10}))
    summary = summarise(rows)
    assert len(summary) == 1
    assert summary["seeds"].tolist() == [1]


def test_mean_and_sample_standard_deviation_over_seeds(row):
    accuracies = [0.90, 0.93, 0.99]
    rows = table(*(row(seed=seed, test_accuracy=value) for seed, value in enumerate(accuracies)))
    summary = summarise(rows).iloc[0]
    assert summary["seeds"] == 3
    assert summary["test_accuracy"] == pytest.approx(statistics.mean(accuracies), rel=1e-12)
    assert summary["test_accuracy_spread"] == pytest.approx(statistics.stdev(accuracies), rel=1e-12)
    assert summary["energy_per_sample_j_spread"] == 0


def test_one_seed_has_no_spread(row):
    assert math.isnan(summarise(table(row()))["test_accuracy_spread"].iloc[0])


def test_no_rows_give_no_configurations(row):
    assert summarise(table(row()).iloc[:0]).empty


def test_label_of_residual_learning_names_tiles_and_states(row):
    assert labels(row(states=4), row(states=10)) == [
        "residual learning, 4 tiles · 4 states",
        "residual learning, 4 tiles · 10 states",
    ]


def test_states_that_do_not_vary_stay_out_of_the_label(row):
    assert labels(row(tiles=1), row(tiles=2)) == ["residual learning, 1 tile", "residual learning, 2 tiles"]


def test_other_algorithms_name_no_tiles(row):
    assert labels(row(algorithm="tiki_taka_v2", tiles=2), row(algorithm="analog_sgd", tiles=1)) == [
        "Tiki-Taka v2",
        "Analog SGD",
    ]


def test_varying_swept_keys_are_appended_and_constant_ones_are_not(row):
    rows = [row(**{"hardware.adc.bits": bits, "training.learning_rate": 0.1}) for bits in (6, 8)]
    assert labels(*rows) == ["residual learning, 4 tiles · adc.bits 6", "residual learning, 4 tiles · adc.bits 8"]


def test_devices_and_epochs_enter_where_they_vary(row):
    rows = [row(device="soft_bounds", epochs=2), row(device="linear_step", epochs=5)]
    assert labels(*rows) == [
        "residual learning, 4 tiles · soft_bounds · 2 epochs",
        "residual learning, 4 tiles · linear_step · 5 epochs",
    ]


def test_no_two_labels_are_equal(row):
    rows = [row(algorithm=name, tiles=tiles) for name in ("a_b", "a b") for tiles in (1, 1)]
    found = labels(*rows)
    assert len(found) == len(set(found)) == 2


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        ("digital_sgd", "digital SGD"),
        ("analog_sgd", "Analog SGD"),
        ("tiki_taka_v2", "Tiki-Taka v2"),
        ("mixed_precision", "mixed precision"),
        ("residual_learning", "residual learning"),
        ("my_new_rule", "my new rule"),
    ],
)
def test_algorithm_names(algorithm, name):
    assert algorithm_name(algorithm) == name


def test_panels_split_by_states_and_repeat_the_reference(row):
    digital = row(algorithm="digital_sgd", states=None)
    parts = panels(summarise(table(digital, row(states=4), row(states=10), row(states=4, tiles=2))))
    assert [part.title for part in parts] == ["4 conductance states", "10 conductance states"]
    assert [part.configurations["algorithm"].tolist().count("digital_sgd") for part in parts] == [1, 1]
    assert [len(part.configurations) for part in parts] == [3, 2]


def test_one_count_of_states_needs_one_panel_without_title(row):
    parts = panels(summarise(table(row(states=None, algorithm="digital_sgd"), row(), row(tiles=2))))
    assert [(part.title, len(part.configurations)) for part in parts] == [("", 3)]


def test_priced_designs_are_named_by_label_then_title_then_run():
    assert design_names(["a"], {"title": "Study"}) == ["Study"]
    assert design_names(["a", "b"], {"title": "Study"}) == ["run a", "run b"]
    assert design_names(["a", "b"], {"labels": {"b": "six tiles"}}) == ["run a", "six tiles"]
