"""Measure how time and memory grow with array size, batch, train length and tiles: CSV, figure, fitted exponents."""

from __future__ import annotations

import argparse
import csv
import math
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from threadpoolctl import threadpool_limits

from cosim.periphery import Periphery
from cosim.tile import PulsedUpdate, Tile
from device_models import load_device
from tests.benchmarks.lenet5_step import lenet5

SIZES = (64, 128, 256, 512, 1024, 2048, 4096)
BATCHES = (1, 4, 16, 64, 256, 1024)
LENGTHS = (1, 3, 10, 31, 100, 310, 1000)
TILES = (2, 3, 4, 6, 8)
LINES, BATCH, GRANULARITY = 256, 16, 0.0005
SECONDS = 0.5  # spent on each point, at least three calls
COLUMNS = ("axis", "value", "work", "quantity", "measured")
LABELS = {
    "size": "lines of a square tile",
    "batch": "vectors in a batch",
    "length": "slots of a train",
    "tiles": "tiles",
}
MARKERS = ("o", "s", "^", "D")

Measured = tuple[int, str, str, float]  # value of the axis, work, quantity, number


def best(call: Callable[..., Any], *given: Any) -> float:
    """Return the shortest time of a call in seconds."""
    call(*given)
    times: list[float] = []
    while len(times) < 3 or sum(times) < SECONDS:
        started = time.perf_counter()
        call(*given)
        times.append(time.perf_counter() - started)
    return min(times)


def tile_of(lines: int, **update: Any) -> Tile:
    """Return a tile of soft bounds with all its variation, and converters of 8 bits."""
    spreads = {name: 0.3 for name in ("dw_min_dtod", "dw_min_std", "w_max_dtod", "w_min_dtod")}
    device = load_device("soft_bounds", dw_min=GRANULARITY, w_max=1.0, w_min=-1.0, **spreads)
    periphery = Periphery(dac_bits=7, adc_bits=8, full_scale=12.0, noise_lsb=0.2)
    return Tile((lines, lines), device, seed=1, periphery=periphery, update=PulsedUpdate(**update))


def tile_times(tile: Tile, batch: int) -> Iterator[tuple[str, str, float]]:
    """Yield the times of updates with few and many pulses per cross-point and vector, and of a read."""
    generator = np.random.default_rng(1)
    inputs, errors = generator.uniform(-1, 1, (2, batch, tile.shape[0])).astype(np.float32)
    for pulses in (0.01, 2.5):
        # The mean of |x d| is 1/4.
        yield f"update, {pulses:g} pulses", "time_s", best(tile.update, inputs, errors, 4 * pulses * GRANULARITY)
    yield "forward read", "time_s", best(tile.forward, inputs)


def size_rows() -> Iterator[Measured]:
    """Yield time and memory of square tiles."""
    for lines in SIZES:
        tracemalloc.start()
        tile = tile_of(lines)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        yield lines, "tile", "memory_byte", held
        for row in tile_times(tile, BATCH):
            yield lines, *row


def batch_rows() -> Iterator[Measured]:
    """Yield the times of batches."""
    tile = tile_of(LINES)
    for batch in BATCHES:
        for row in tile_times(tile, batch):
            yield batch, *row


def length_rows() -> Iterator[Measured]:
    """Yield the times of updates with trains of fixed length and one pulse in 16 slots in the mean."""
    inputs, errors = np.random.default_rng(1).uniform(-1, 1, (2, BATCH, LINES)).astype(np.float32)
    for length in LENGTHS:
        tile = tile_of(LINES, max_train_length=length, train_length_management=False)
        seconds = best(tile.update, inputs, errors, length / 4 * GRANULARITY)
        yield length, "update, 1/16 pulse per slot", "time_s", seconds


def tiles_rows() -> Iterator[Measured]:
    """Yield the times of training steps with several tiles."""
    for tiles in TILES:
        _, step = lenet5({"name": "residual_learning", "tiles": tiles}, ideal_io=False)
        yield tiles, "LeNet-5 step, batch 8", "time_s", best(step)


AXES = {"size": size_rows, "batch": batch_rows, "length": length_rows, "tiles": tiles_rows}


def exponent(values: np.ndarray, measured: np.ndarray) -> float:
    """Return the slope of the upper half of the points on logarithmic axes, where fixed costs count least."""
    upper = slice(len(values) // 2, None)
    return float(np.polyfit(np.log(values[upper]), np.log(measured[upper]), 1)[0])


def draw(rows: list[dict[str, str]], path: Path) -> None:
    """Draw one panel for each axis, and the memory in a fifth."""
    mpl.rcParams |= {"font.size": 8, "svg.hashsalt": "growth", "svg.fonttype": "none"}
    panels = [(axis, "time_s") for axis in LABELS] + [("size", "memory_byte")]
    figure, grid = plt.subplots(2, 3, figsize=(9.6, 5.6), layout="constrained")
    for place, (axis, quantity) in enumerate(panels):
        axes = grid.flat[place]
        chosen = [row for row in rows if row["axis"] == axis and row["quantity"] == quantity]
        for number, work in enumerate(dict.fromkeys(row["work"] for row in chosen)):
            points = np.array([(float(row["value"]), float(row["measured"])) for row in chosen if row["work"] == work])
            label = f"{work}: exponent {exponent(*points.T):.2f}"
            axes.loglog(
                *points.T,
                marker=MARKERS[number],
                color=str(0.3 * number),
                linestyle=("-", "--", ":")[number % 3],
                label=label,
            )
        axes.set_xlabel(LABELS[axis])
        if axis == "tiles":
            axes.set_xticks(TILES, [str(tiles) for tiles in TILES])
            axes.minorticks_off()
        axes.set_ylabel("time in s" if quantity == "time_s" else "memory in byte")
        axes.legend(fontsize=6.5, loc="upper left")
        low, high = axes.get_ylim()
        axes.set_ylim(low, high * math.sqrt(high / low))
        axes.grid(visible=True, which="major", linewidth=0.3)
    grid.flat[-1].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Write growth.csv and growth.svg; an axis that the table has already is left as it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "growth.csv"
    if not table.exists():
        table.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    with table.open(newline="", encoding="utf-8") as file:
        done = {row["axis"] for row in csv.DictReader(file)}
    for axis in LABELS:
        if axis in done:
            continue
        with threadpool_limits(limits=1):
            rows = list(AXES[axis]())
        with table.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows((axis, *row[:3], f"{row[3]:.4g}") for row in rows)
    with table.open(newline="", encoding="utf-8") as file:
        draw(list(csv.DictReader(file)), folder / "growth.svg")


if __name__ == "__main__":
    main()
