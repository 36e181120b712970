"""Put two bills of the same study side by side: `python -m scripts.bill_comparison BEFORE.csv AFTER.csv FOLDER`.

Each is the ``bill.csv`` of `cosim price` or `cosim run`; the figure and table are by component.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.patches import Patch

from cosim.reporting.style import COLOURS, HATCHES, add_legend, house_style, new_figure, save_figure

FIGURES = {"energy_j": ("energy per sample (nJ)", 1e9), "latency_s": ("latency per sample (µs)", 1e6)}
AREA = ("area (mm²)", 1e6)


def compare(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return energy, latency and area per component of both bills, largest energy first."""
    columns = ["energy_j", "latency_s", "area_m2"]
    parts = [bill.groupby("component")[columns].sum() for bill in (before, after)]
    table = parts[0].add_suffix("_before").join(parts[1].add_suffix("_after"), how="outer").fillna(0.0)
    table = table.sort_values("energy_j_after", ascending=False)
    table.loc["total"] = table.sum()
    return table


def main(before: Path, after: Path, folder: Path) -> None:
    """Write ``bill_before_after.csv`` and ``bill_before_after.svg``."""
    table = compare(pd.read_csv(before), pd.read_csv(after))
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "bill_before_after.csv", float_format="%.4g")
    with house_style():
        figure = new_figure(3.8)
        panels = figure.subplots(1, 3, sharey=True)
        places = np.arange(len(table))
        for axes, (name, (label, factor)) in zip(panels, {**FIGURES, "area_m2": AREA}.items(), strict=True):
            for offset, when, colour, hatch in (
                (0.2, "before", COLOURS[5], HATCHES[1]),
                (-0.2, "after", COLOURS[0], ""),
            ):
                values = factor * table[f"{name}_{when}"].to_numpy()[::-1]
                axes.barh(places + offset, values, height=0.38, color=colour, hatch=hatch, edgecolor="white")
            axes.set_xlabel(label)
            axes.grid(axis="y", visible=False)
        panels[0].set_yticks(places, [name.replace("_", " ") for name in table.index[::-1]])
        add_legend(
            figure,
            [
                Patch(facecolor=COLOURS[5], hatch=HATCHES[1], edgecolor="white", label="values assumed"),
                Patch(facecolor=COLOURS[0], label="values simulated"),
            ],
        )
        save_figure(figure, folder / "bill_before_after.svg", source="bill_before_after.csv")
    print(table.to_string(float_format="%.3g"))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python -m scripts.bill_comparison BEFORE.csv AFTER.csv FOLDER")
    main(*(Path(argument) for argument in sys.argv[1:]))
