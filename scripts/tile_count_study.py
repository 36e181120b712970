"""Tile count against accuracy and cost: `python -m scripts.tile_count_study reports/tile_count`.

The folder is one that `cosim run` left for a sweep over ``algorithm.tiles`` and ``device.states``; ``prices`` in it is
what ``cosim price prices.toml --run .`` left for the same sweep with shared and private converters.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from cosim.reporting.accuracy_axis import set_accuracy_axis
from cosim.reporting.style import COLOURS, LINES, MARKERS, add_legend, house_style, new_figure, save_figure

TILES, STATES, SHARED = "algorithm.tiles", "device.states", "hardware.adc.shared_by_tiles"


def main(folder: Path) -> None:
    """Write ``tile_count.csv`` and ``figures/tile_count.svg``, and print the table."""
    designs = pd.read_csv(folder / "prices" / "designs.csv")
    columns = [STATES, TILES, SHARED, "test_accuracy", "energy_per_sample_j", "latency_per_sample_s", "area_m2"]
    table = designs[columns].sort_values([STATES, TILES, SHARED]).reset_index(drop=True)
    table.to_csv(folder / "tile_count.csv", index=False, float_format="%.6g")
    with house_style():
        figure = new_figure(3.4)
        accuracy, energy, area = figure.subplots(1, 3)
        for place, (states, rows) in enumerate(table.groupby(STATES)):
            look = {"color": COLOURS[place], "marker": MARKERS[place], "markersize": 4, "linewidth": 1.2}
            shared, private = rows[rows[SHARED]], rows[~rows[SHARED]]
            accuracy.plot(shared[TILES], 100 * shared["test_accuracy"], label=f"{states:g} states", **look)
            for part, line in ((shared, LINES[0]), (private, LINES[1])):
                energy.plot(part[TILES], 1e6 * part["energy_per_sample_j"], linestyle=line, **look)
                area.plot(part[TILES], 1e6 * part["area_m2"], linestyle=line, **look)
        percent = 100 * table["test_accuracy"]
        accuracy.set_ylabel(set_accuracy_axis(accuracy, percent.min(), percent.max()))
        energy.set_ylabel("energy per training sample (µJ)")
        area.set_ylabel("area (mm²)")
        for axes, title in (
            (accuracy, "accuracy"),
            (energy, "full line: shared converters"),
            (area, "dashed: a set per tile"),
        ):
            axes.set_xlabel("tiles")
            axes.set_xticks(range(2, 11, 2))
            axes.set_title(title)
        for axes in (energy, area):
            axes.set_ylim(bottom=0)
        add_legend(figure, accuracy.get_legend_handles_labels()[0])
        save_figure(figure, folder / "figures" / "tile_count.svg", source="tile_count.csv")
    print(table.to_string())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scripts.tile_count_study FOLDER")
    main(Path(sys.argv[1]))
