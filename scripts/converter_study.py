"""Draw accuracy and energy over converter bits: `python -m scripts.converter_study reports/periphery/converters`.

The folder is one that `cosim run` left for a sweep over ``hardware.adc.bits`` and ``hardware.dac.bits``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from cosim.reporting.style import COLOURS, LINES, MARKERS, add_legend, house_style, new_figure, save_figure

ADC, DAC = "hardware.adc.bits", "hardware.dac.bits"
KNEE_POINTS = 0.01


def read_study(folder: Path) -> pd.DataFrame:
    """Return mean and spread of the accuracy, seeds and energy per pair of resolutions."""
    results = pd.read_csv(folder / "results.csv")
    grouped = results.groupby([ADC, DAC])
    return pd.DataFrame(
        {
            "accuracy": grouped["test_accuracy"].mean(),
            "spread": grouped["test_accuracy"].std(ddof=1),
            "seeds": grouped.size(),
            "energy_j": grouped["energy_per_sample_j"].mean(),
            "latency_s": grouped["latency_per_sample_s"].mean(),
            "area_m2": grouped["area_m2"].mean(),
        }
    ).reset_index()


def knee(table: pd.DataFrame) -> pd.Series:
    """Return the cheapest pair whose mean accuracy is within a point of the best one."""
    good = table[table["accuracy"] >= table["accuracy"].max() - KNEE_POINTS]
    return good.loc[good["energy_j"].idxmin()]


def main(folder: Path) -> None:
    """Write ``converters.csv`` and ``figures/converters.svg``, and print the knee."""
    table = read_study(folder)
    table.to_csv(folder / "converters.csv", index=False, float_format="%.6g")
    best = knee(table)
    with house_style():
        figure = new_figure(3.6)
        left, right = figure.subplots(1, 2)
        grid = 100 * table.pivot(index=DAC, columns=ADC, values="accuracy")
        left.imshow(grid, cmap="Blues", origin="lower", aspect="auto", vmin=max(float(np.nanmin(grid)), 50), vmax=100)
        for (row, column), value in np.ndenumerate(grid.to_numpy()):
            dark = value > 80
            left.text(
                column, row, f"{value:.1f}", ha="center", va="center", fontsize=7.5, color="white" if dark else "black"
            )
        left.set_xticks(range(len(grid.columns)), [str(bits) for bits in grid.columns])
        left.set_yticks(range(len(grid.index)), [str(bits) for bits in grid.index])
        left.grid(visible=False)
        left.set_xlabel("ADC bits")
        left.set_ylabel("DAC bits")
        left.set_title("test accuracy (%), mean over seeds")
        for place, (bits, rows) in enumerate(table.groupby(DAC)):
            right.errorbar(
                1e9 * rows["energy_j"],
                100 * rows["accuracy"],
                yerr=100 * rows["spread"].fillna(0),
                color=COLOURS[place % len(COLOURS)],
                marker=MARKERS[place],
                linestyle=LINES[place % len(LINES)],
                linewidth=1,
                markersize=4,
                label=f"DAC {bits} bits",
            )
        right.plot(
            1e9 * best["energy_j"], 100 * best["accuracy"], "o", markersize=12, markerfacecolor="none", color="black"
        )
        right.set_xlabel("energy per training sample (nJ)")
        right.set_ylabel("test accuracy (%)")
        right.set_title(f"along a line: ADC {table[ADC].min()} to {table[ADC].max()} bits; ring: knee")
        add_legend(figure, right.get_legend_handles_labels()[0])
        save_figure(figure, folder / "figures" / "converters.svg", source="results.csv")
    print(best.to_string())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scripts.converter_study FOLDER")
    main(Path(sys.argv[1]))
