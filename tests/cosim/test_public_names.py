from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cosim
from cosim import Periphery, PulsedUpdate, Tile, TileGroup
from device_models import list_devices, load_device

ROOT = Path(__file__).parents[2]
DEVICE: dict[str, Any] = {"dw_min": 0.01, "w_min": -0.6, "w_max": 0.6, "dw_min_dtod": 0.3, "dw_min_std": 0.3}


def modules_after(code: str, folder: Path) -> set[str]:
    """Return the top names of the modules that a fresh process has loaded after some code."""
    script = f"{code}\nimport sys, json\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(result.stdout.splitlines()[-1]))


HEAVY = {"numba", "pandas", "scipy", "matplotlib", "torch"}


def test_importing_the_packages_imports_nothing_heavy(tmp_path: Path) -> None:
    loaded = modules_after("import cosim, cost_model, circuits, device_models", tmp_path)

    assert loaded & HEAVY == set()


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "from cosim.cli import main\nfor words in (['--help'], ['run', '--help'], ['list', '--help']):\n    main(words)"
    )

    assert modules_after(code, tmp_path) & (HEAVY | {"numpy"}) == set()


def test_pricing_imports_no_compiler_and_no_figures(tmp_path: Path) -> None:
    code = (
        "import cosim\n"
        "tree = {'schema': 1, 'data': {'name': 'mnist'}, 'network': {'name': 'lenet5'},\n"
        "        'sweep': {'algorithm.name': ['digital_sgd', 'residual_learning']}}\n"
        "assert len(cosim.price(tree)) > 10\n"
        "from cosim.cli import main\n"
        "open('study.toml', 'w').write('schema = 1')\n"
        "assert main(['explain', 'study.toml']) == 0"
    )

    assert modules_after(code, tmp_path) & {"numba", "llvmlite", "matplotlib"} == set()


def test_every_public_name_exists_and_no_other_does() -> None:
    for name in cosim.__all__:
        assert getattr(cosim, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Tiles'"):
        _ = cosim.Tiles
    assert cosim.__version__.count(".") == 2


def test_a_bad_study_raises_the_public_error() -> None:
    with pytest.raises(cosim.ConfigError, match="schema is missing"):
        cosim.price({})
    assert issubclass(cosim.ConfigError, ValueError)


def test_run_returns_a_record_with_tables(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    data, network = "[data]\ntrain_samples = 64\ntest_samples = 20\n", "[network]\nsizes = [64, 10]\n"
    path.write_text(f"schema = 1\n{data}{network}[training]\nepochs = 1\n")

    record = cosim.run(path, tmp_path / "run", page=False)

    assert isinstance(record, cosim.Record)
    assert len(record.results) == 1
    assert record.results["run_id"].tolist() == record.history["run_id"].tolist()
    assert set(record.bill["run_id"]) == set(record.trace["run_id"]) == set(record.results["run_id"])


def test_price_takes_a_file_a_path_as_text_or_a_tree(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text("schema = 1\n")

    bill = cosim.price(path)

    assert cosim.price(str(path)).equals(bill)
    assert cosim.price({"schema": 1}).equals(bill)
    assert list(bill.columns)[:11] == [
        "run_id",
        *("layer", "tile", "operation", "component", "count", "energy_j", "latency_s", "area_m2", "share", "source"),
    ]


def test_devices_load_by_name_with_any_parameter_overridden() -> None:
    device = load_device("soft_bounds", **DEVICE)

    assert {"soft_bounds", "constant_step"} <= set(list_devices())
    assert {name: getattr(device, name) for name in DEVICE} == DEVICE
    with pytest.raises(ValueError, match="nearest: 'dw_min'"):
        load_device("soft_bounds", dw_mim=0.1)
    with pytest.raises(ValueError, match="nearest: 'soft_bounds'"):
        load_device("soft_bound")


def make_tile(**options: Any) -> Tile:
    settings = PulsedUpdate(max_train_length=31, update_management=True, train_length_management=True)
    return Tile((4, 6), load_device("soft_bounds", **DEVICE), seed=1, update=settings, **options)


def test_a_tile_is_programmed_read_and_pulsed() -> None:
    tile, generator = make_tile(), np.random.default_rng(0)
    weights = generator.uniform(-0.1, 0.1, (4, 6)).astype(np.float32)
    inputs, errors = generator.normal(size=(3, 6)).astype(np.float32), generator.normal(size=(3, 4)).astype(np.float32)

    tile.set_weights(weights)

    np.testing.assert_array_equal(tile.weights, weights)
    assert tile.weights.dtype == np.float32
    assert not tile.weights.flags.writeable
    np.testing.assert_allclose(tile.forward(inputs), inputs @ weights.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tile.backward(errors), errors @ weights, rtol=1e-5, atol=1e-6)
    assert tile.forward(inputs).dtype == tile.backward(errors).dtype == np.float32
    activity = tile.update(inputs, errors, 0.1)
    assert activity.vectors == 3
    assert (tile.weights != weights).any()
    before = tile.weights.copy()
    tile.pulse(up=True, count=5)
    assert tile.weights.mean() > before.mean()


def test_a_tile_shows_the_parameters_of_its_devices() -> None:
    parameters = make_tile().device_parameters

    assert {array.shape for array in parameters.values()} == {(4, 6)}
    assert parameters["step_up"].std() > 0


def test_a_tile_reads_through_its_periphery() -> None:
    coarse, exact = make_tile(periphery=Periphery(adc_bits=4, dac_bits=3)), make_tile()
    weights = np.full((4, 6), 0.05, dtype=np.float32)
    inputs = np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 6)
    for tile in (coarse, exact):
        tile.set_weights(weights)

    assert not np.array_equal(coarse.forward(inputs), exact.forward(inputs))


def test_a_tile_group_holds_one_weight_on_several_tiles() -> None:
    group = TileGroup((4, 6), load_device("soft_bounds", **DEVICE), significances=(1.0, 0.5), seed=1)
    weights = np.full((4, 6), 0.05, dtype=np.float32)

    group.set_weights(weights)

    assert len(group.tiles) == 2
    np.testing.assert_allclose(group.weights, weights, atol=1e-6)
    np.testing.assert_allclose(group.forward(np.ones((1, 6), dtype=np.float32)), np.full((1, 4), 0.3), rtol=1e-5)


BAD_CALLS = {
    "shape of inputs": (lambda tile: tile.forward(np.ones((2, 5), dtype=np.float32)), r"\(2, 5\)"),
    "rank of inputs": (lambda tile: tile.forward(np.ones(6, dtype=np.float32)), r"\(batch, 6\)"),
    "shape of errors": (lambda tile: tile.backward(np.ones((2, 6), dtype=np.float32)), r"\(batch, 4\)"),
    "NaN": (lambda tile: tile.forward(np.full((1, 6), np.nan)), "NaN"),
    "infinity": (lambda tile: tile.backward(np.full((1, 4), np.inf)), "infinity"),
    "dtype": (lambda tile: tile.forward(np.full((1, 6), "x")), "dtype"),
    "shape of weights": (lambda tile: tile.set_weights(np.zeros((6, 4))), r"\(4, 6\)"),
    "NaN weight": (lambda tile: tile.set_weights(np.full((4, 6), np.nan)), "NaN"),
    "batches": (lambda tile: tile.update(np.ones((2, 6)), np.ones((3, 4)), 0.1), "2 vectors"),
    "negative rate": (lambda tile: tile.update(np.ones((2, 6)), np.ones((2, 4)), -0.1), "learning_rate = -0.1"),
    "NaN rate": (lambda tile: tile.update(np.ones((2, 6)), np.ones((2, 4)), float("nan")), "learning_rate = nan"),
    "pulses": (lambda tile: tile.pulse(up=True, count=-1), "count = -1"),
    "periphery": (lambda _: Periphery(adc_bits=1), "adc_bits = 1"),
    "train length": (lambda _: PulsedUpdate(max_train_length=0), "max_train_length = 0"),
    "seed": (lambda _: Tile((4, 6), load_device("soft_bounds"), seed=-1), "seed = -1"),
    "tile shape": (lambda _: Tile((4, -6), load_device("soft_bounds")), r"\(4, -6\)"),
}


@pytest.mark.parametrize(("call", "part"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_argument_is_refused_with_what_was_given(call: Any, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        call(make_tile())
