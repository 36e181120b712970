"""Turn the results of `make bench` into reports/speed: ratios beside their targets, and the machine."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

SPEED, WIRES = "tests/benchmarks/test_speed.py::", "tests/benchmarks/test_wires_speed.py::"
PRICES = "tests/benchmarks/test_pricing_speed.py::"
SGEMM = SPEED + "test_sgemm_baseline"
STEP = SPEED + "test_lenet5_step[{}]"
THROUGH = SPEED + "test_lenet5_through_wires[{}]"


class Row(NamedTuple):
    """One line of the table: a time over a baseline of the same run."""

    work: str
    test: str
    baseline: str
    baseline_test: str
    target: float
    beyond: float


ROWS = (
    Row("update, soft bounds, noise, 2.5 coincidences", SPEED + "test_pulsed_update[soft_bounds-0.3-2.5]",
        "sgemm", SGEMM, 60, 25),
    Row("update, constant step, 2.5 coincidences", SPEED + "test_pulsed_update[constant_step-0.0-2.5]",
        "sgemm", SGEMM, 10, 4),
    Row("update, soft bounds, noise, 0.01 coincidences", SPEED + "test_pulsed_update[soft_bounds-0.3-0.01]",
        "sgemm", SGEMM, 3, 1),
    Row("update, constant step, 0.01 coincidences", SPEED + "test_pulsed_update[constant_step-0.0-0.01]",
        "sgemm", SGEMM, 3, 1),
    Row("forward read, converters and noise", SPEED + "test_read_with_converters[forward]", "sgemm", SGEMM, 2, 1.3),
    Row("backward read, converters and noise", SPEED + "test_read_with_converters[backward]", "sgemm", SGEMM, 2, 1.3),
    Row("LeNet-5 step, digital_sgd", STEP.format("digital_sgd-ideal"),
        "PyTorch", SPEED + "test_lenet5_step_of_torch", 0.7, 0.4),
    Row("LeNet-5 step, analog_sgd, ideal converters", STEP.format("analog_sgd-ideal"),
        "digital_sgd", STEP.format("digital_sgd-ideal"), 1.5, 1.2),
    Row("LeNet-5 step, analog_sgd, converters", STEP.format("analog_sgd-converters"),
        "digital_sgd", STEP.format("digital_sgd-ideal"), 2.5, 1.7),
    Row("LeNet-5 step, residual_learning, 6 tiles", STEP.format("residual_learning-ideal"),
        "analog_sgd", STEP.format("analog_sgd-ideal"), 1.5, 1.2),
    Row("LeNet-5 step, analog_sgd, wires", THROUGH.format("analog_sgd-wires"),
        "without wires", THROUGH.format("analog_sgd-ideal wires"), 5, 2),
    Row("LeNet-5 step, residual_learning, 6 tiles, wires", THROUGH.format("residual_learning-wires"),
        "without wires", THROUGH.format("residual_learning-ideal wires"), 5, 2),
    Row("update, 1024 lines, two threads", SPEED + "test_threads[update-2]",
        "one thread", SPEED + "test_threads[update-1]", 1 / 1.7, 1 / 1.9),
    Row("forward read, 1024 lines, two threads", SPEED + "test_threads[forward-2]",
        "one thread", SPEED + "test_threads[forward-1]", 1 / 1.7, 1 / 1.9),
    Row("wires, 128 lines, one input to 1e-6", WIRES + "test_one_input",
        "scipy splu, factor and solve", WIRES + "test_sparse_direct_solver_baseline", 1 / 100, 1 / 250),
    Row("wires, 128 lines, effective conductance", WIRES + "test_effective_conductance",
        "scipy splu, factor and solve", WIRES + "test_sparse_direct_solver_baseline", float("nan"), float("nan")),
    Row("price of one of 120,960 designs, LeNet-5, 6 tiles", PRICES + "test_many_designs",
        "a bill by itself", PRICES + "test_single_bills", 1 / 500, 1 / 2000),
    Row("price of one of 120,960 designs, LeNet-5, 6 tiles", PRICES + "test_many_designs", "1 s", "", 1e-5, 2e-6),
    Row("import to first trained step, warm caches", SPEED + "test_first_step[warm]", "1 s", "", 1.5, 0.8),
    Row("import to first trained step, cold caches", SPEED + "test_first_step[cold]", "1 s", "", 25, float("nan")),
)  # fmt: skip
COLUMNS = ("work", "baseline", "time_s", "baseline_time_s", "ratio", "target", "beyond", "verdict")


def bytes_per_cross_point() -> float:
    """Return what a tile of soft bounds with every variation holds in memory."""
    import tracemalloc

    from cosim.tile import Tile
    from device_models import load_device

    spreads = {name: 0.3 for name in ("dw_min_dtod", "dw_min_std", "w_max_dtod", "w_min_dtod")}
    device = load_device("soft_bounds", dw_min=0.01, up_down_dtod=0.01, **spreads)
    Tile((8, 8), device, seed=1)
    tracemalloc.start()
    tile = Tile((512, 512), device, seed=1)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken / (tile.shape[0] * tile.shape[1])


def verdict_of(ratio: float, target: float, beyond: float) -> str:
    """Return how a ratio stands to its targets."""
    if np.isnan(ratio):
        return "not measured here"
    if np.isnan(target):
        return ""
    return "beyond the target" if ratio <= beyond else "met" if ratio <= target else "missed"


def table(times: dict[str, float]) -> list[dict[str, object]]:
    """Return the rows of the table from the time of every benchmark."""
    rows: list[dict[str, object]] = []
    for work, test, baseline, baseline_test, target, beyond in ROWS:
        time, other = times.get(test, np.nan), times.get(baseline_test, np.nan) if baseline_test else 1.0
        ratio = time / other
        values = (work, baseline, time, other, ratio, target, beyond, verdict_of(ratio, target, beyond))
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    memory = bytes_per_cross_point()
    held = ("memory per cross-point, soft bounds", "1 byte", np.nan, np.nan, memory, 24.0, 16.0)
    rows.append(dict(zip(COLUMNS, (*held, verdict_of(memory, 24, 16)), strict=True)))
    return rows


def written(value: object) -> str:
    """Return a cell as the CSV holds it: four digits, nothing where there is no number."""
    return str(value) if not isinstance(value, float) else "" if np.isnan(value) else f"{value:.4g}"


def main() -> None:
    """Write benchmarks.csv and machine.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="file that pytest wrote with --benchmark-json")
    parser.add_argument("folder", type=Path, help="where the table goes")
    given = parser.parse_args()
    results = json.loads(given.results.read_text(encoding="utf-8"))
    # The shortest time is what the work takes; where every so many steps solve a network, it would leave these out.
    times = {
        entry["fullname"]: float(entry["stats"]["mean" if "wires" in entry["name"] else "min"])
        / entry["extra_info"].get("designs", 1)
        for entry in results["benchmarks"]
    }
    given.folder.mkdir(parents=True, exist_ok=True)
    with (given.folder / "benchmarks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in table(times):
            writer.writerow({name: written(value) for name, value in row.items()})
            print(f"{row['work']:50s} {written(row['ratio']):>9s} x {row['baseline']!s:30s} {row['verdict']}")
    processor = results["machine_info"]["cpu"]
    machine = {
        "processor": processor.get("brand_raw", ""),
        "threads": processor.get("count"),
        "python": results["machine_info"]["python_version"],
        "date": results["datetime"][:10],
        "commit": results["commit_info"].get("id", ""),
    }
    (given.folder / "machine.json").write_text(json.dumps(machine, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
