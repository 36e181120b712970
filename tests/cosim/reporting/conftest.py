"""Small run folders: made of plain CSV, as a run would leave them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.reporting.frames import FLOORPLAN_NUMBERS
from cosim.reporting.page import write_page
from cosim.tables import TILE_COLUMNS

RESULT = {
    "run_id": "0001",
    "seed": 1,
    "algorithm": "residual_learning",
    "tiles": 4,
    "states": 10,
    "device": "soft_bounds",
    "network": "lenet5",
    "data": "mnist",
    "epochs": 2,
    "train_loss": 0.1,
    "test_loss": 0.2,
    "test_accuracy": 0.95,
    "energy_per_sample_j": 8e-9,
    "latency_per_sample_s": 3e-6,
    "area_m2": 1e-7,
    "digital_storage_byte": 512,
    "seconds": 3.0,
}
BILL = (
    # operation, component, energy_j, latency_s, area_m2, source
    ("forward", "adc", 3e-9, 1e-6, 0.0, "measured: table sar_adc"),
    ("backward", "adc", 2e-9, 1e-6, 0.0, "measured: table sar_adc"),
    ("update", "drivers", 2e-9, 1e-6, 0.0, "fitted: line of drivers"),
    ("update", "registers", 1e-9, 0.0, 0.0, "assumed: eight bits; horowitz2014"),
    ("floorplan", "adc", None, None, 1e-7, "derived: count times cell"),
)


def result_row(**values: Any) -> dict[str, Any]:
    """One row of results.csv, with the given values changed or swept keys added."""
    return RESULT | values | {"version": "0.1.0", "commit": "abc"}


def bill_rows(run_id: str, factor: float = 1.0) -> list[dict[str, Any]]:
    names = ("operation", "component", "energy_j", "latency_s", "area_m2", "source")
    rows = [dict(zip(names, line, strict=True)) for line in BILL]
    for row in rows:
        row["energy_j"] = None if row["energy_j"] is None else factor * row["energy_j"]
    return [{"run_id": run_id, "layer": "fc1", "tile": 0, "count": 1, "share": 0.0} | row for row in rows]


def history_rows(run_id: str, accuracy: float, epochs: int = 2) -> list[dict[str, Any]]:
    fixed = {"run_id": run_id, "learning_rate": 0.05, "train_loss": 1.0, "test_loss": 1.0, "seconds": 1.0}
    return [
        fixed | {"epoch": epoch, "samples": 100 * epoch, "test_accuracy": accuracy * epoch / epochs}
        for epoch in range(1, epochs + 1)
    ]


def tile_rows(run_id: str, magnitudes: Mapping[str, Sequence[float]], epochs: int = 2) -> list[dict[str, Any]]:
    """Rows of tiles.csv; the magnitudes, by layer, are those after the last epoch."""
    words = {0.0: "unused", 0.05: "working", 0.25: "noise", 0.35: "working", 0.6: "wind-up"}
    rows = []
    for epoch in range(1, epochs + 1):
        for layer, values in magnitudes.items():
            for tile, value in enumerate(values):
                magnitude = value if epoch == epochs else 0.01
                word = words[max(border for border in words if border <= magnitude)]
                fixed = {"run_id": run_id, "epoch": epoch, "layer": layer, "tile": tile, "significance": 0.5**tile}
                measured = {"mean_abs_weight": magnitude, "coincidences_per_mini_batch": 0.1, "verdict": word}
                rows.append(fixed | measured)
    return rows


def write_tiles(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    pd.DataFrame(rows, columns=list(TILE_COLUMNS)).to_csv(folder / "tiles.csv", index=False)


def write_run(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any] | None = None,
    study: str = "schema = 1\n",
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    run_ids = [str(row["run_id"]) for row in rows]
    pd.DataFrame(rows).to_csv(folder / "results.csv", index=False)
    history = [line for row in rows for line in history_rows(str(row["run_id"]), row["test_accuracy"])]
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    factors = [row["energy_per_sample_j"] / 8e-9 for row in rows]
    bill = [line for run_id, factor in zip(run_ids, factors, strict=True) for line in bill_rows(run_id, factor)]
    pd.DataFrame(bill).to_csv(folder / "bill.csv", index=False)
    (folder / "summary.json").write_text(json.dumps(summary or {"title": "A study"}), encoding="utf-8")
    (folder / "study.toml").write_text(study, encoding="utf-8")
    return folder


def study_rows() -> list[dict[str, Any]]:
    """Three algorithms on devices at two numbers of states, and a digital reference; two seeds each."""
    points = [("digital_sgd", None, None, 0.98, 90e-9)]
    for states, gain in ((4, 0.0), (10, 0.05)):
        points += [
            ("analog_sgd", 1, states, 0.10 + gain, 5e-9),
            ("residual_learning", 2, states, 0.85 + gain, 8e-9),
            ("residual_learning", 6, states, 0.92 + gain, 12e-9),
        ]
    return [
        result_row(
            run_id=f"{number:02d}e{seed}",  # pandas would read 01e1 as the number 10
            seed=seed,
            algorithm=algorithm,
            tiles=tiles,
            states=states,
            test_accuracy=accuracy + 0.005 * seed,
            energy_per_sample_j=energy,
            **{"device.states": states or 4},
        )
        for number, (algorithm, tiles, states, accuracy, energy) in enumerate(points)
        for seed in (1, 2)
    ]


def write_cost_model(folder: Path, run_ids: Sequence[str]) -> Path:
    """Leave the tables of the cost model: two layers, a broken check for each run, and three designs.

    Without runs, the designs alone.
    """
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in COST_TABLES}
    for run_id in run_ids:
        for name, rows in COST_TABLES.items():
            tables[name] += [({"run_id": run_id} if name != "designs" else {}) | row for row in rows]
    tables["designs"] = list(COST_TABLES["designs"])
    for name, rows in tables.items():
        if rows:
            pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    return folder


def _floorplan(layer: str, **values: Any) -> dict[str, Any]:
    empty = dict.fromkeys(FLOORPLAN_NUMBERS)
    return {"layer": layer} | empty | values


def _operation(layer: str, operation: str, start_s: float, duration_s: float, **flags: bool) -> dict[str, Any]:
    times = {"start_s": start_s, "duration_s": duration_s}
    return {"layer": layer, "operation": operation, **times, "critical": True, "hidden": False, **flags}


def _design(number: int, energy_j: float, area_m2: float, on_front: bool) -> dict[str, Any]:
    costs = {"energy_per_sample_j": energy_j, "latency_per_sample_s": 1e-6, "area_m2": area_m2}
    rest = {"digital_storage_byte": 512.0, "test_accuracy": None, "on_front": on_front}
    return {"design": number, "hardware.adc_bits": 4 + number, **costs, **rest}


ASSUMPTION = {"unit": "J", "kind": "assumed", "source": "horowitz2014"}
COST_TABLES: Mapping[str, Sequence[dict[str, Any]]] = {
    "floorplan": (
        _floorplan(
            "fc1", tiles=4, outputs=10, inputs=20, arrays=8, rows_used=20, cols_used=10, utilisation=0.25,
            converter_sets=2, adcs=4, dacs=20, tias=10, array_area_m2=2e-8, periphery_area_m2=7e-8,
            one_copy_area_m2=1e-9,
        ),
        _floorplan("network", periphery_area_m2=1e-8),
    ),
    "schedule": (
        _operation("fc1", "forward", 0.0, 1e-6),
        _operation("fc1", "backward", 1e-6, 1e-6),
        _operation("fc1", "update", 2e-6, 1e-6),
        _operation("fc1", "transfer", 2e-6, 5e-7, critical=False, hidden=True),
    ),
    "bands": (
        {"figure": "energy_per_sample_j", "low": 6e-9, "nominal": 8e-9, "high": 1.2e-8, "draws": 500},
        {"figure": "area_m2", "low": 5e-8, "nominal": 1e-7, "high": 3e-7, "draws": 500},
    ),
    "tornado": (
        {"figure": "energy_per_sample_j", "assumption": "adc_energy", "nominal": 1e-12, "assumption_low": 5e-13,
         "assumption_high": 2e-12, "low": 6e-9, "high": 1.1e-8} | ASSUMPTION,
        {"figure": "energy_per_sample_j", "assumption": "register_energy", "nominal": 1e-14, "assumption_low": 5e-15,
         "assumption_high": 2e-14, "low": 7.9e-9, "high": 8.2e-9} | ASSUMPTION,
    ),
    "checks": (
        {"check": "settling", "layer": "fc1", "value": 3e-9, "limit": 5e-9, "unit": "s", "holds": True, "text": "fast"},
        {"check": "ir_drop", "layer": "fc1", "value": 0.08, "limit": 0.05, "unit": "1", "holds": False, "text": "far"},
        {"check": "memory", "layer": None, "value": 512.0, "limit": None, "unit": None, "holds": True, "text": None},
    ),
    "designs": (_design(0, 8e-9, 1e-7, True), _design(1, 9e-9, 2e-7, False), _design(2, 6e-9, 3e-7, True)),
}  # fmt: skip


@pytest.fixture
def add_cost_model() -> Callable[..., Path]:
    """Add the tables of the cost model to a folder, the same rows for each run."""
    return write_cost_model


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    return result_row


@pytest.fixture
def add_tiles() -> Callable[..., None]:
    """Write tiles.csv into a run folder: mean |W| by run, layer and tile."""

    def add(folder: Path, magnitudes: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
        write_tiles(folder, [line for run_id, layers in magnitudes.items() for line in tile_rows(run_id, layers)])

    return add


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a run folder of the given rows."""

    def make(rows: Sequence[Mapping[str, Any]], **files: Any) -> Path:
        return write_run(tmp_path / "run", rows, **files)

    return make


def write_study(folder: Path) -> Path:
    return write_run(folder, study_rows(), {"title": "Tiles", "notes": ["Wires are ideal."]})


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path / "study")


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Share one study with its page, for tests that only read it."""
    folder = write_study(tmp_path_factory.mktemp("reported"))
    write_page(folder)
    return folder


@pytest.fixture
def priced(tmp_path: Path) -> Path:
    """Leave a folder as `cosim price` does: a bill of two runs and no result."""
    folder = tmp_path / "priced"
    folder.mkdir()
    pd.DataFrame([*bill_rows("aa"), *bill_rows("bb", 2.0)]).to_csv(folder / "bill.csv", index=False)
    (folder / "summary.json").write_text('{"title": "Priced"}', encoding="utf-8")
    return folder
