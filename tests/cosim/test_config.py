from __future__ import annotations

import copy
import json
import math
import os
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosim.algorithms import ALGORITHMS
from cosim.config import ConfigError, Point, load_study, lookup, make_study
from cosim.data import SHAPES
from cosim.network import NETWORKS
from cost_model.hardware import list_hardware
from device_models.families import PowerResponse
from device_models.presets import list_devices

PRESETS = Path(__file__).parents[2] / "cosim" / "presets"


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else copy.deepcopy(value)
    return result


def with_leaf(tree: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    for section in reversed(key.split(".")):
        value = {section: value}
    return merged(tree, value)


def leaf_keys(tree: dict[str, Any], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, value in tree.items():
        keys += leaf_keys(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
    return keys


def run_ids(tree: dict[str, Any]) -> list[str]:
    return [point.run_id for point in make_study(tree).points]


def refusal(tree: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        make_study(tree, where="some/study.toml")
    message = str(caught.value)
    assert message.startswith("some/study.toml: ")
    assert "\n" not in message
    assert len(message) < 1500
    return message


def study(**sections: Any) -> dict[str, Any]:
    return {"schema": 1, **sections}


# Keys and types.

SECTIONS = {
    "": ("titel", "title"),
    "data": ("train_sample", "train_samples"),
    "network": ("size", "sizes"),
    "training": ("epoch", "epochs"),
    "training.schedule": ("evry", "every"),
    "device": ("state", "states"),
    "hardware": ("array_row", "array_rows"),
    "hardware.adc": ("bit", "bits"),
    "hardware.dac": ("bit", "bits"),
    "hardware.values": ("flop_energ_j", "flop_energy_j"),
}


@pytest.mark.parametrize(("section", "misspelt", "nearest"), [(key, *pair) for key, pair in SECTIONS.items()])
def test_misspelt_key_is_refused_and_the_nearest_one_named(section: str, misspelt: str, nearest: str) -> None:
    key = f"{section}.{misspelt}".lstrip(".")

    message = refusal(with_leaf(study(), key, 1))

    assert key in message
    assert "unknown" in message
    assert f"nearest: {nearest!r}" in message
    assert "known" in message.split("nearest", 1)[1]


@pytest.mark.parametrize(
    "algorithm", [name for name in ALGORITHMS if len(ALGORITHMS[name].parameters_type.model_fields) > 1]
)
def test_misspelt_parameter_of_every_algorithm_is_refused_and_the_nearest_one_named(algorithm: str) -> None:
    parameter = list(ALGORITHMS[algorithm].parameters_type.model_fields)[-1]

    message = refusal(study(algorithm={"name": algorithm, parameter[:-1]: 1}))

    assert f"algorithm.{parameter[:-1]}" in message
    assert f"nearest: {parameter!r}" in message


def test_a_key_unlike_any_other_is_refused_with_the_known_keys_alone() -> None:
    message = refusal(study(training={"zzzzzz": 1}))

    assert "training.zzzzzz" in message
    assert "nearest" not in message
    assert "known keys of training: epochs, batch_size, learning_rate, schedule" in message


@pytest.mark.parametrize("name", ["data", "network", "training", "device", "algorithm", "hardware"])
@pytest.mark.parametrize("value", [3, "x", [1, 2], True])
def test_a_section_that_is_no_table_is_refused(name: str, value: Any) -> None:
    message = refusal(study(**{name: value}))

    assert f"{name} = {value!r}" in message
    assert f"[{name}]" in message


WRONG = [
    # wrong type
    ("seed", "1"),
    ("seed", 1.5),
    ("seed", True),
    ("title", 3),
    ("data.name", 3),
    ("data.path", 3),
    ("data.train_samples", "all"),
    ("data.train_samples", 64.0),
    ("network.sizes", 64),
    ("network.sizes", "64"),
    ("network.sizes", {"first": 64}),
    ("network.activation", "softmax"),
    ("training.epochs", "1"),
    ("training.epochs", 1.5),
    ("training.epochs", True),
    ("training.epochs", [1]),
    ("training.batch_size", 8.0),
    ("training.learning_rate", "0.1"),
    ("training.learning_rate", True),
    ("training.schedule", "step"),
    ("training.schedule", ["step"]),
    ("training.schedule.name", "linear"),
    ("device.states", 10.0),
    ("device.states", "ten"),
    ("device.dw_min", "0.1"),
    ("hardware.ideal_io", 1),
    ("hardware.ideal_io", "yes"),
    ("hardware.noise_management", "average_abs_max"),
    ("hardware.noise_management", False),
    ("hardware.bound_management", "shift"),
    ("hardware.array_rows", 128.0),
    ("hardware.adc", 8),
    ("hardware.adc", [8]),
    ("hardware.adc.bits", 8.0),
    ("hardware.adc.model", "no_such_model"),
    ("hardware.adc.shared_by_tiles", 1),
    ("hardware.dac.model", "no_such_model"),
    ("hardware.values", [1.0]),
    ("hardware.values.flop_energy_j", "2 V"),
    ("algorithm.tiles", "4"),
    ("algorithm.tiles", True),
    ("algorithm.tiles", 4.0),
    ("algorithm.gamma", "half"),
    ("algorithm.setting", "papr"),
    ("algorithm.setting", 3),
    ("algorithm.setting", ["paper"]),
    # out of range
    ("seed", -1),
    ("seed", 2**63),
    ("data.train_samples", 0),
    ("data.train_samples", -5),
    ("data.train_samples", 1438),
    ("data.test_samples", 361),
    ("training.epochs", 0),
    ("training.batch_size", 0),
    ("training.batch_size", -8),
    ("training.learning_rate", -1.0),
    ("training.learning_rate", math.nan),
    ("training.learning_rate", math.inf),
    ("training.learning_rate", 1e30),
    ("training.schedule.every", 0),
    ("training.schedule.factor", 1.5),
    ("training.schedule.factor", 0.0),
    ("training.epochs", 10**400),
    ("training.batch_size", 10**400),
    ("device.states", 0),
    ("device.states", 1),
    ("device.states", -10),
    ("device.states", 10**400),
    ("device.dw_min", 0.0),
    ("device.dw_min", -0.1),
    ("device.dw_min", math.nan),
    ("device.dw_min", 1e-300),
    ("device.dw_min", 3.0),
    ("device.dw_min_dtod", -0.3),
    ("device.dw_min_std", math.inf),
    ("device.up_down", 1.0),
    ("device.up_down", -1.0),
    ("device.w_max", -1.0),
    ("device.w_max", 1e300),
    ("device.w_min", 0.5),
    ("device.w_min", -math.inf),
    ("algorithm.tiles", 0),
    ("algorithm.tiles", 33),
    ("algorithm.gamma", 0.0),
    ("algorithm.gamma", 1.0),
    ("algorithm.gamma", math.nan),
    ("algorithm.fast_rate", -0.1),
    ("algorithm.fast_rate", math.inf),
    ("algorithm.transfer_rate", -1.0),
    ("algorithm.transfer_rate_ratio", math.inf),
    ("algorithm.transfer_period", 0),
    ("hardware.node_nm", 7),
    ("hardware.node_nm", 0),
    ("hardware.node_nm", math.nan),
    ("hardware.array_rows", 0),
    ("hardware.array_cols", 10**9),
    ("hardware.adc.bits", 0),
    ("hardware.adc.bits", 3),
    ("hardware.adc.bits", 30),
    ("hardware.adc.full_scale", 0.0),
    ("hardware.adc.full_scale", math.inf),
    ("hardware.adc.columns_per_adc", 0),
    ("hardware.adc.columns_per_adc", 10**400),
    ("hardware.dac.bits", 1),
    ("hardware.dac.bits", 20),
    ("hardware.values.flop_energy_j", -2.0),
    ("hardware.values.flop_energy_j", math.nan),
    ("hardware.values.vector_bytes", 1.5),
    ("hardware.values.activity_drive", 1.5),
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=[f"{key}={str(value)[:20]}" for key, value in WRONG])
def test_value_that_is_not_allowed_is_refused_with_its_key_and_itself(key: str, value: Any) -> None:
    base = study(algorithm={"name": "residual_learning"})

    message = refusal(with_leaf(base, key, value))

    assert key in message
    assert repr(value)[:90] in message or f"{value:g}" in message


@pytest.mark.parametrize(("key", "value"), [("network.sizes", [64, 0, 10]), ("network.sizes", [64, True, 10])])
def test_a_wrong_element_of_a_list_is_refused_with_its_place(key: str, value: Any) -> None:
    assert f"{key}.1 = {value[1]!r} is not allowed" in refusal(with_leaf(study(), key, value))


@pytest.mark.parametrize("sizes", [[10], [32, 10], [64, 32, 11], [784, 10]])
def test_sizes_that_do_not_fit_the_data_are_refused_with_the_ends_that_fit(sizes: list[int]) -> None:
    message = refusal(study(network={"sizes": sizes}))

    assert f"network.sizes = {sizes}" in message
    assert "first must be 64" in message
    assert "last 10" in message


def test_lenet5_on_digits_is_refused_with_the_data_it_takes() -> None:
    message = refusal(study(network={"name": "lenet5"}))

    assert "lenet5" in message
    assert "(8, 8, 1)" in message
    assert "'mnist'" in message


def test_lenet5_with_sizes_is_refused() -> None:
    message = refusal(study(network={"name": "lenet5", "sizes": [784, 10]}, data={"name": "mnist"}))

    assert "network.sizes" in message
    assert "fixed" in message


def test_states_and_granularity_together_are_refused() -> None:
    message = refusal(study(device={"states": 10, "dw_min": 0.1}))

    assert "device.states and device.dw_min" in message


NAMES = [
    ("data.name", "digit", "digits", list(SHAPES)),
    ("network.name", "mpl", "mlp", list(NETWORKS)),
    ("device.preset", "soft_bound", "soft_bounds", list_devices()),
    ("hardware.preset", "sar_45", "sar_45nm", list_hardware()),
    ("algorithm.name", "residual", "residual_learning", list(ALGORITHMS)),
]


@pytest.mark.parametrize(("key", "given_name", "nearest", "known"), NAMES, ids=[name[0] for name in NAMES])
def test_unknown_name_is_refused_with_the_nearest_and_all_known_ones(
    key: str, given_name: str, nearest: str, known: list[str]
) -> None:
    message = refusal(with_leaf(study(), key, given_name))

    heading = "known (or the path of a .toml file)" if key == "device.preset" else "known"
    assert f"{key} = {given_name!r} is unknown; nearest: {nearest!r}; {heading}: " in message
    assert message.endswith(", ".join(known))


@pytest.mark.parametrize(
    "key", ["training.schedule.name", "algorithm.setting", "hardware.adc.model", "network.activation"]
)
def test_unknown_choice_is_refused_with_all_choices(key: str) -> None:
    message = refusal(with_leaf(study(algorithm={"name": "residual_learning"}), key, "nonsense"))

    assert f"{key} = 'nonsense' is not allowed; it must be '" in message


def test_unknown_value_of_the_hardware_is_refused_with_the_known_ones() -> None:
    message = refusal(study(hardware={"values": {"no_such_price_j": 1.0}}))

    assert "hardware.values.no_such_price_j is unknown" in message
    assert "flop_energy_j" in message


def test_missing_schema_is_refused() -> None:
    assert "schema is missing" in refusal({"title": "x"})


@pytest.mark.parametrize("schema", [0, 2, "1", 1.0, True, [1]])
def test_another_schema_is_refused(schema: Any) -> None:
    message = refusal({"schema": schema})

    assert f"schema = {schema!r} is not allowed" in message
    assert "schema = 1" in message


def test_algorithm_without_a_name_is_refused_with_the_known_ones() -> None:
    message = refusal(study(algorithm={"tiles": 4}))

    assert "algorithm.name is missing" in message
    assert "residual_learning" in message


# Sweeps.

BAD_SWEEPS = [
    (3, "sweep must be a table"),
    ([1], "sweep must be a table"),
    ({"seed": 1}, "non-empty list"),
    ({"seed": []}, "non-empty list"),
    ({"seed": {"a": 1}}, "non-empty list"),
    ({"seed": [1, "2"]}, "seed = '2' is not allowed"),
    ({"algorithm.tils": [1]}, "nearest: 'tiles'"),
    ({"nonsense": [1]}, "'nonsense' is unknown"),
    ({"nonsense.deep": [1]}, "'nonsense' is unknown"),
    ({"": [1]}, "unknown"),
    ({"data..name": ["digits"]}, "unknown"),
    ({"seed.value": [1]}, "seed is not a section"),
    ({"title.x": [1]}, "title is not a section"),
    ({"sweep.seed": [1]}, "a sweep cannot be swept"),
    ({"algorithm": [{"tiles": 3}]}, "algorithm.name is missing"),
    ({"algorithm": ["analog_sgd"]}, "algorithm = 'analog_sgd' is not allowed"),
    ({"device": [{"preset": "nonsense"}]}, "device.preset = 'nonsense' is unknown"),
    ({"seed": list(range(400)), "training.epochs": list(range(1, 400))}, "159600 points"),
]


@pytest.mark.parametrize(("sweep", "part"), BAD_SWEEPS, ids=[str(sweep)[:30] for sweep, _ in BAD_SWEEPS])
def test_sweep_that_is_not_allowed_is_refused(sweep: Any, part: str) -> None:
    base = study(title="x", seed=1, algorithm={"name": "residual_learning"})

    assert part in refusal(base | {"sweep": sweep})


def test_points_come_in_the_order_of_the_sweep_the_last_axis_fastest() -> None:
    checked = make_study(
        study(algorithm={"name": "residual_learning"}, sweep={"algorithm.tiles": [4, 1, 2], "seed": [7, 3]})
    )

    found = [(point.resolved["algorithm"]["tiles"], point.seed) for point in checked.points]

    assert found == [(4, 7), (4, 3), (1, 7), (1, 3), (2, 7), (2, 3)]
    assert checked.swept_keys == ("algorithm.tiles", "seed")


def test_a_later_axis_overrides_an_earlier_one_that_it_contains() -> None:
    tables = [{"name": "residual_learning", "tiles": 2}, {"name": "residual_learning", "tiles": 3}]

    checked = make_study(study(sweep={"algorithm": tables, "algorithm.tiles": [5, 6]}))

    assert [point.resolved["algorithm"]["tiles"] for point in checked.points] == [5, 6]


def test_duplicate_points_collapse_to_the_first() -> None:
    checked = make_study(study(sweep={"seed": [3, 1, 3, 2, 1]}))

    assert [point.seed for point in checked.points] == [3, 1, 2]


def test_points_that_differ_only_in_what_has_no_influence_collapse() -> None:
    assert len(make_study(study(sweep={"title": ["one", "two"]})).points) == 1


def test_swept_tables_count_as_all_their_leaves() -> None:
    tables = [{"name": "analog_sgd"}, {"name": "residual_learning", "tiles": 2}]
    designs = [{"adc": {"bits": 7}}, {"array_rows": 64, "adc": {"bits": 8, "full_scale": 2.0}}]

    checked = make_study(study(sweep={"algorithm": tables, "hardware": designs}))

    assert checked.swept_keys == (
        "algorithm.name",
        "algorithm.tiles",
        "hardware.adc.bits",
        "hardware.array_rows",
        "hardware.adc.full_scale",
    )


def test_lookup_returns_none_where_a_point_has_no_such_value() -> None:
    assert lookup({"algorithm": {"name": "analog_sgd"}}, "algorithm.tiles") is None
    assert lookup({"seed": 3}, "seed.deeper") is None
    assert lookup({"a": {"b": 2}}, "a.b") == 2


# The resolved study.

RESIDUAL = {"name": "residual_learning"}
SWEEPS: dict[str, dict[str, Any]] = {
    "none": study(),
    "lenet5": study(data={"name": "mnist", "path": "mnist"}, network={"name": "lenet5"}),
    "step_schedule": study(training={"schedule": {"name": "step", "every": 2}}),
    "granularity": study(device={"dw_min": 0.05, "w_max": 0.6}),
    "states": study(device={"states": 7}),
    "paper": study(algorithm=RESIDUAL | {"setting": "paper", "tiles": 6}),
    "algorithm_tables": study(
        sweep={
            "algorithm": [
                {"name": "digital_sgd"},
                {"name": "mixed_precision", "write_every": 3},
                {"name": "residual_learning", "tiles": 2},
                {
                    "name": "residual_learning",
                    "tiles": 6,
                    "setting": "paper",
                    "transfer_period_ratio": 3,
                    "gamma": 0.25,
                },
            ],
            "device.states": [4, 10],
        }
    ),
    "tiles": study(algorithm=RESIDUAL, sweep={"algorithm.tiles": [1, 2, 4, 6, 8]}),
    "setting_and_tiles": study(
        algorithm=RESIDUAL, sweep={"algorithm.setting": ["paper", "balanced"], "algorithm.tiles": [3, 5]}
    ),
    "gamma": study(algorithm=RESIDUAL, sweep={"algorithm.gamma": [0.2, 0.5]}),
    "device_states": study(sweep={"device.states": [4, 10, 16]}),
    "device_tables": study(sweep={"device": [{"states": 4}, {"dw_min": 0.01}, {"preset": "constant_step"}]}),
    "device_presets": study(sweep={"device.preset": list_devices()}),
    "adc_bits": study(sweep={"hardware.adc.bits": [6, 8]}),
    "managements": study(
        hardware={"noise_management": "abs_max_np_sum"},
        sweep={"hardware.bound_management": ["off", "iterative", "iterative_worst_case"]},
    ),
    "hardware_tables": study(sweep={"hardware": [{"adc": {"bits": 6}}, {"array_rows": 64, "dac": {"bits": 5}}]}),
    "hardware_presets": study(
        sweep={"hardware.preset": list_hardware(), "seed": [1, 2]},
    ),
    "seed": study(sweep={"seed": [5, 6]}),
    "sizes": study(sweep={"network.sizes": [[64, 10], [64, 16, 10]]}),
    "values": study(
        hardware={"values": {"flop_time_s": 0.1}},
        sweep={"hardware.values.flop_energy_j": [1.0, 3.0], "hardware.values.cell_area_m2": [1e-6, 5e-6]},
    ),
    "data_name": study(sweep={"data.name": ["digits", "mnist"]}),
    "networks": study(data={"name": "mnist"}, sweep={"network.name": ["mlp", "lenet5"]}),
}


@pytest.mark.parametrize("tree", SWEEPS.values(), ids=SWEEPS)
def test_resolved_study_is_a_valid_study_of_the_same_points(tree: dict[str, Any]) -> None:
    checked = make_study(tree)

    again = make_study(checked.resolved)
    through_toml = make_study(tomllib.loads(tomli_w.dumps(checked.resolved)))

    assert [point.run_id for point in again.points] == [point.run_id for point in checked.points]
    assert {point.run_id for point in through_toml.points} == {point.run_id for point in checked.points}
    assert again.resolved == checked.resolved
    assert again.swept_keys == checked.swept_keys


@pytest.mark.parametrize("tree", SWEEPS.values(), ids=SWEEPS)
def test_each_resolved_point_is_a_valid_study_of_that_one_point(tree: dict[str, Any]) -> None:
    for point in make_study(tree).points:
        assert run_ids(point.resolved) == [point.run_id]


def test_resolved_study_holds_every_default() -> None:
    resolved = make_study(study()).resolved

    assert resolved["data"] == {"name": "digits", "train_samples": 1437, "test_samples": 360}
    assert resolved["network"]["sizes"] == [64, 32, 10]
    assert resolved["hardware"]["adc"]["bits"] == 8
    assert (resolved["hardware"]["noise_management"], resolved["hardware"]["bound_management"]) == ("abs_max", "off")
    assert resolved["algorithm"]["name"] == "residual_learning"
    assert "sweep" not in resolved


def test_managements_of_reads_reach_the_points() -> None:
    swept = {"hardware.bound_management": ["off", "iterative_worst_case"]}

    points = make_study(study(hardware={"noise_management": "max"}, sweep=swept)).points

    assert [point.noise_management for point in points] == ["max", "max"]
    assert [point.bound_management for point in points] == ["off", "iterative_worst_case"]


def test_making_a_study_leaves_the_tree_as_it_was() -> None:
    tree = study(algorithm=RESIDUAL, sweep={"algorithm.tiles": [1, 2]}, hardware={"adc": {"bits": 8}})
    before = json.dumps(tree)

    make_study(tree)

    assert json.dumps(tree) == before


# Identity of a point.


def test_run_id_is_twelve_hexadecimal_digits() -> None:
    (run_id,) = run_ids(study())

    assert len(run_id) == 12
    assert int(run_id, 16) >= 0


@pytest.mark.parametrize("change", [{"title": "another"}, {"data": {"path": "elsewhere"}}])
def test_run_id_does_not_depend_on_title_or_place_of_the_data(change: dict[str, Any]) -> None:
    assert run_ids(merged(study(), change)) == run_ids(study())


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"training": {"learning_rate": 0.05, "epochs": 10}},
        {"data": {"train_samples": 1437}},
        {"network": {"sizes": [64, 32, 10]}},
        {"hardware": {"node_nm": 45}},
        {"algorithm": {"name": "residual_learning", "tiles": 4}},
    ],
)
def test_run_id_does_not_depend_on_whether_a_default_is_written_down(change: dict[str, Any]) -> None:
    assert run_ids(merged(study(), change)) == run_ids(study())


BASES: dict[str, dict[str, Any]] = {
    name: study(
        data={"train_samples": 100, "test_samples": 50},
        training={"schedule": {"name": "step", "every": 3, "factor": 0.5}},
        hardware={"values": {"flop_energy_j": 2.0}},
        algorithm={"name": name},
    )
    for name in ALGORITHMS
}
OTHER_VALUES: dict[str, Any] = {
    "data.name": None,  # needs other sizes; has its own test
    "network.name": None,
    "network.sizes": [64, 10],
    "network.activation": "relu",
    "training.schedule.name": "constant",
    "device.preset": "generic_linear",
    "device.w_min": -0.5,
    "device.lifetime": 100.0,
    "algorithm.name": None,
    "algorithm.setting": "paper",
    "algorithm.warm_start": "mini_batch",
    "hardware.preset": None,  # a preset prices its own node; has its own test
    "hardware.node_nm": None,
    "hardware.noise_management": "max",
    "hardware.bound_management": "iterative",
    "hardware.pulses.pulse_type": "mean_count",
    "hardware.adc.model": "survey",
    "hardware.adc.table": None,  # goes with model = "table"; has its own test
    "hardware.adc.rate_hz": None,  # goes with a published model; has its own test
    "hardware.dac.model": "capacitive",
    "hardware.cell.model": "reram",
    "hardware.schedule.layers": "pipelined",
    "hardware.schedule.updates": "as_ready",
    "hardware.schedule.transfers": "hidden",
    "title": None,
    "schema": None,
}
LEAVES = [
    (name, key)
    for name, base in BASES.items()
    for key in leaf_keys(make_study(base).points[0].resolved)
    if OTHER_VALUES.get(key, "") is not None and (name == "residual_learning" or key.startswith("algorithm."))
]


def other_value(key: str, value: Any) -> Any:
    if key in OTHER_VALUES:
        return OTHER_VALUES[key]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value - 1 if value > 1 else value + 1
    return value * 0.9 if value else 0.01


@pytest.mark.parametrize(("algorithm", "key"), LEAVES)
def test_run_id_changes_with_every_leaf_of_the_resolved_study(algorithm: str, key: str) -> None:
    resolved = make_study(BASES[algorithm]).points[0].resolved
    value = other_value(key, lookup(resolved, key))

    changed = make_study(with_leaf(resolved, key, value)).points[0]

    assert lookup(changed.resolved, key) == value
    assert changed.run_id != make_study(resolved).points[0].run_id


def test_run_id_changes_with_names_that_bring_other_defaults() -> None:
    trees = [
        study(data={"name": "digits"}),
        study(data={"name": "mnist"}),
        study(data={"name": "fashion_mnist"}),
        study(data={"name": "mnist"}, network={"name": "lenet5"}),
        *(study(hardware={"preset": name}) for name in list_hardware() if name != "sar_45nm"),
        *(study(algorithm={"name": name}) for name in ALGORITHMS if name != "residual_learning"),
        study(device={"states": 10}),
    ]

    assert len({run_ids(tree)[0] for tree in trees}) == len(trees)


# Files.


def test_paths_start_from_the_folder_of_the_study_file(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('schema = 1\n[data]\nname = "mnist"\npath = "../data"\n')

    checked = load_study(path)

    assert checked.data_path == tmp_path / "../data"
    assert checked.points[0].data_path == checked.data_path


# Devices: a preset or a file, and any parameter of its family.


DEVICE_FILE = """schema = 1
family = "{family}"
summary = "A device of one's own"
provenance = {{ unit = "1", kind = "assumed", note = "made up" }}
[values]
dw_min = {{ value = {dw_min} }}
gamma_r = {{ value = 1.5 }}
"""


def write_device(path: Path, family: str = "power_response", dw_min: float = 0.02) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(DEVICE_FILE.format(family=family, dw_min=dw_min))
    return path


def own_device(folder: Path, preset: str, **device: Any) -> Point:
    (point,) = make_study(study(device={"preset": preset} | device), folder=folder).points
    return point


def test_a_device_file_is_found_from_the_folder_of_the_study(tmp_path: Path) -> None:
    write_device(tmp_path / "devices" / "mine.toml")
    path = tmp_path / "studies" / "study.toml"
    path.parent.mkdir()
    path.write_text('schema = 1\n[device]\npreset = "../devices/mine.toml"\ngamma_r = 2.5\n')

    (point,) = load_study(path).points

    assert point.device == PowerResponse(dw_min=0.02, gamma_r=2.5)
    assert point.resolved["device"]["preset"] == "../devices/mine.toml"
    assert point.device_name == "mine"


def test_run_id_does_not_depend_on_where_the_device_file_lies(tmp_path: Path) -> None:
    for place in ("one", "other"):
        write_device(tmp_path / place / "mine.toml")

    points = [own_device(tmp_path, "one/mine.toml"), own_device(tmp_path / "other", "mine.toml")]

    assert points[0].run_id == points[1].run_id


@pytest.mark.parametrize(
    "other", [{"dw_min": 0.03}, {"family": "exponential_response"}], ids=["another value", "another family"]
)
def test_run_id_depends_on_what_the_device_file_says(tmp_path: Path, other: dict[str, Any]) -> None:
    write_device(tmp_path / "one" / "mine.toml")
    write_device(tmp_path / "other" / "mine.toml", **other)
    swept = {"device.preset": ["one/mine.toml", "other/mine.toml"]}

    points = make_study(study(sweep=swept), folder=tmp_path).points

    assert len({point.run_id for point in points}) == 2


def test_any_parameter_of_the_family_is_taken_and_written_out() -> None:
    given = {
        "preset": "piecewise_step",
        "piecewise_up": [1.5, 1, 1, 1, 0.5],
        "write_noise_std": 2,
        "subtract_symmetry_point": True,
    }

    (point,) = make_study(study(device=given)).points

    assert point.resolved["device"]["piecewise_up"] == [1.5, 1.0, 1.0, 1.0, 0.5]
    assert (point.device.write_noise_std, point.device.subtract_symmetry_point) == (2.0, True)
    assert make_study(point.resolved).points[0].run_id == point.run_id


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ({"gamma_up": 0.1}, "device.gamma_up is unknown; known: states, dw_min, "),
        ({"preset": "linear_step", "gama_up": 0.1}, "device.gama_up is unknown; nearest: 'gamma_up'"),
        ({"dw_min": "0.1"}, "device.dw_min = '0.1' is not allowed; it must be a number"),
        ({"dw_min": [0.1, 0.2]}, "device.dw_min = [0.1, 0.2] is not allowed; it must be one number"),
        ({"dw_min": True}, "device.dw_min = True is not allowed; it must be a number"),
        ({"dw_min": {"value": 0.1}}, "device.dw_min = {'value': 0.1} is not allowed; it must be a number"),
        ({"dw_min": 10**400}, "0 is not allowed; at most 1e+09 in magnitude"),
        ({"refresh_every": 10**400}, "device.refresh_every = 1000"),
        ({"one_sided": 2}, "device.one_sided = 2 is not allowed; true or false"),
        ({"refresh_every": 1.5}, "device.refresh_every = 1.5 is not allowed; it must be a whole number"),
        ({"lifetime": 0.5}, "device.lifetime = 0.5 is not allowed; at least 1 mini-batch, or 0 for no decay"),
        ({"preset": "none.toml"}, "device.preset = 'none.toml': there is no such file"),
    ],
)
def test_a_device_that_cannot_exist_is_refused_in_one_paragraph(device: dict[str, Any], expected: str) -> None:
    assert expected in refusal(study(device=device))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("gamma_r", "gama_r", "values.gama_r is unknown; nearest: 'gamma_r'"),
        ("power_response", "power_respons", "family = 'power_respons' is unknown; nearest: 'power_response'"),
        ("schema = 1", "schema = 2", "is no device preset: schema must be 1"),
        ('kind = "assumed", ', "", "missing keys ['kind']"),
        ("{ value = 1.5 }", "1.5", "values.gamma_r = 1.5 is not a table with value, unit, kind, source"),
        ("[values]", "[values", "cannot be read as TOML"),
        ("{ value = 0.02 }", "{ value = -0.02 }", "device.dw_min = -0.02 is not allowed"),
    ],
)
def test_a_bad_device_file_is_refused_in_one_paragraph(tmp_path: Path, old: str, new: str, expected: str) -> None:
    path = write_device(tmp_path / "mine.toml")
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(ConfigError) as caught:
        own_device(tmp_path, "mine.toml")

    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def read_refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_study(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def test_missing_study_file_is_refused(tmp_path: Path) -> None:
    assert "no such study file" in read_refusal(tmp_path / "none.toml")


def test_directory_instead_of_a_study_file_is_refused(tmp_path: Path) -> None:
    assert "directory" in read_refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"   \n\n"])
def test_empty_study_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)

    assert "empty" in read_refusal(path)


def test_study_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(b"schema = 1\ntitle = '\xff\xfe'\n")

    assert "UTF-8" in read_refusal(path)


BAD_TOML = {
    "syntax": ("schema = 1\nseed = \n", "line 2"),
    "twice": ("schema = 1\nschema = 1\n", "line 2"),
    "open_string": ('schema = 1\n\ntitle = "x\n', "line 3"),
    "deep": ("schema = " + "[" * 20_000, "nested too deeply"),
    "digits": ("schema = 1" + "0" * 5_000, "TOML"),
}


@pytest.mark.parametrize(("text", "part"), BAD_TOML.values(), ids=BAD_TOML)
def test_invalid_toml_is_refused_with_its_line(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text)

    message = read_refusal(path)

    assert "not valid TOML" in message
    assert part in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads a file whatever its mode")
def test_study_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text("schema = 1\n")
    path.chmod(0)

    assert "cannot be read: Permission denied" in read_refusal(path)


def test_study_file_that_the_system_does_not_open_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)

    assert "cannot be read: Permission denied" in read_refusal(tmp_path / "study.toml")


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.toml")), ids=lambda path: path.stem)
def test_preset_studies_are_valid(path: Path) -> None:
    assert load_study(path).points


# Whatever is given, nothing but a ConfigError comes out.

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
    st.sampled_from(["digits", "mlp", "residual_learning", "paper", "soft_bounds", "sar_45nm", "step"]),
)
JUNK = st.recursive(
    SCALARS, lambda child: st.lists(child, max_size=3) | st.dictionaries(st.text(max_size=6), child, max_size=3)
)
KEYS = st.sampled_from(
    [
        *leaf_keys(BASES["residual_learning"]),
        *leaf_keys(make_study(study()).resolved),
        "hardware.adc",
        "sweep",
        "a.b",
        "",
    ]
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JUNK)
def test_junk_never_raises_anything_but_a_config_error(junk: Any) -> None:
    tree = junk if isinstance(junk, dict) else {"schema": junk}
    with suppress(ConfigError):
        make_study(tree)
    with suppress(ConfigError):
        make_study(tree | {"schema": 1})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(KEYS, JUNK, KEYS, st.lists(JUNK, max_size=2) | JUNK)
def test_junk_in_a_known_place_never_raises_anything_but_a_config_error(
    key: str, junk: Any, swept_key: str, axis: Any
) -> None:
    base = study(algorithm={"name": "residual_learning"})
    with suppress(ConfigError):
        make_study(with_leaf(base, key, junk))
    with suppress(ConfigError):
        make_study(base | {"sweep": {swept_key: axis, key: [junk]}})


def test_zero_shifting_of_one_sided_pairs_is_refused():
    tree = {
        "schema": 1,
        "device": {"preset": "pcm"},
        "algorithm": {"name": "tiki_taka_v1", "zero_shift_pulses": 100},
    }
    with pytest.raises(ConfigError, match=r"zero_shift_pulses.*pcm.*no place for a reference.*agad"):
        make_study(tree)


@pytest.mark.parametrize("preset", ["soft_bounds", "pcm", "reram_array_om"])
def test_the_second_device_of_a_weight_is_in_the_bill(preset):
    from cosim.pricing import price_point

    tree = {"schema": 1, "device": {"preset": preset}, "algorithm": {"name": "tiki_taka_v1"}}
    (one,) = make_study(tree | {"hardware": {"values": {"cells_per_weight": 1.0}}}).points
    (both,) = make_study(tree).points
    other_cell = ['devices of pcm are priced as cells of spice_reram; see hardware.cell.model = "pcm"']
    assert both.notes() == (other_cell if preset == "pcm" else [])
    as_pcm = {"hardware": {"cell": {"model": "pcm"}}} if preset == "pcm" else {}
    assert make_study(tree | as_pcm).points[0].notes() == []
    bills = [price_point(point)[0].lines for point in (one, both)]
    areas, reads = (
        [
            bill.query(f"component == 'array' and operation == '{operation}' and per == '{per}'")[column].sum()
            for bill in bills
        ]
        for operation, per, column in (("floorplan", "array_weights", "area_m2"), ("forward", "cell_drive", "energy_j"))
    )
    assert areas[1] == pytest.approx(2 * areas[0])
    assert reads[1] == pytest.approx(2 * reads[0])


def test_a_table_of_converters_is_found_from_the_folder_of_the_study(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("bits,energy_j,latency_s,area_m2,source\n8,1e-12,1e-9,1e-9,a paper\n")
    tree = study(hardware={"adc": {"model": "table", "table": "mine.csv"}})

    (point,) = make_study(tree, folder=tmp_path).points

    assert point.resolved["hardware"]["adc"]["table"] == "mine.csv"
    assert point.hardware.adc_source.figures(8, 45).energy_j.value == 1e-12
    with pytest.raises(ConfigError, match=r"mine.csv.* cannot be read"):
        make_study(tree, folder=tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r'goes with model = "table" alone'):
        make_study(study(hardware={"adc": {"table": "mine.csv"}}), folder=tmp_path)


def test_run_id_depends_on_the_rate_of_published_converters() -> None:
    trees = [study(hardware={"adc": {"model": "survey"} | rate}) for rate in ({}, {"rate_hz": 1e8}, {"rate_hz": 2e8})]

    assert len({run_ids(tree)[0] for tree in trees}) == 3


def test_values_of_a_cell_reach_the_hardware_and_are_written_out() -> None:
    cell = {"model": "ecram", "write_pulse_s": 2e-6}

    (point,) = make_study(study(hardware={"cell": cell})).points

    assert point.hardware.cell_values == {"write_pulse_s": 2e-6}
    assert point.resolved["hardware"]["cell"] == cell
    assert make_study(point.resolved).points[0].run_id == point.run_id


@pytest.mark.parametrize(
    ("hardware", "expected"),
    [
        ({"cell": {"model": "ecram", "write_puls_s": 1.0}}, "hardware.cell.write_puls_s is unknown; nearest"),
        ({"cell": {"write_pulse_s": 1.0}}, "hardware.cell.write_pulse_s: the numbers of 'spice_reram'"),
        ({"cell": {"model": "ecram", "write_pulse_s": "long"}}, "hardware.cell"),
        ({"adc": {"model": "survey", "bits": 12}}, "hardware.adc.bits = 12 is outside model 'survey'"),
        ({"adc": {"model": "survey", "rate_hz": 1e11}}, "hardware.adc.rate_hz = 1e.11 is outside ADC model 'survey'"),
        ({"dac": {"model": "bit_serial"}}, "hardware.dac.model = 'bit_serial' is not priced by preset 'sar_45nm'"),
        (
            {"schedule": {"layers": "pipelined", "updates": "as_ready"}},
            "hardware.schedule: updates = 'as_ready' is not allowed with layers = 'pipelined'",
        ),
    ],
)
def test_components_that_cannot_be_priced_are_refused_before_anything_runs(
    hardware: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        make_study(study(hardware=hardware))


def test_pulse_trains_of_a_study_reach_the_tiles_and_have_the_defaults_of_the_tile():
    from cosim.experiment import make_network
    from cosim.pricing import make_scheduler
    from cosim.tile import PulsedUpdate

    def settings(**pulses):
        tree = {"schema": 1, "algorithm": {"name": "analog_sgd"}, "hardware": {"pulses": pulses}}
        point = make_study(tree).points[0]
        return make_network(point, make_scheduler(point)).layers[0].matrix.tiles[0].update_settings

    assert settings() == PulsedUpdate()
    given = {"pulse_type": "deterministic", "max_train_length": 100, "update_management": False}
    assert settings(**given, train_length_management=False) == PulsedUpdate(**given, train_length_management=False)


@pytest.mark.parametrize("pulses", [{"pulse_type": "random"}, {"max_train_length": 0}, {"error_share": 0.0}])
def test_impossible_pulse_trains_are_refused(pulses):
    with pytest.raises(ConfigError, match=rf"hardware\.pulses\.{next(iter(pulses))} = .* is not allowed"):
        make_study({"schema": 1, "algorithm": {"name": "analog_sgd"}, "hardware": {"pulses": pulses}})
