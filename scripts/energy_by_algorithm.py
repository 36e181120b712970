"""Where the energy of one training sample goes, for every algorithm: `python -m scripts.energy_by_algorithm FOLDER`.

The folder is one that `cosim run` left for a sweep over algorithms.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from cosim.reporting.labels import algorithm_name
from cosim.reporting.style import add_legend, fill_styles, house_style, new_figure, save_figure

ORDER = ("tia", "summing_stage", "dac", "adc", "sample_hold", "array", "drivers", "pulse_generators", "digital", "sram")
REST = "other"


def main(folder: Path) -> None:
    """Write ``energy.csv`` and ``figures/energy.svg``, and print the table."""
    bill, results = pd.read_csv(folder / "bill.csv"), pd.read_csv(folder / "results.csv")
    names = {
        row.run_id: algorithm_name(row.algorithm) + (f", {row.tiles} tiles" if "residual" in row.algorithm else "")
        for row in results.itertuples()
    }
    bill["algorithm"] = bill["run_id"].map(names)
    bill["part"] = np.where(bill["component"].isin(ORDER), bill["component"], REST)
    table = bill.pivot_table(index="algorithm", columns="part", values="energy_j", aggfunc="sum", fill_value=0.0)
    table = table[[name for name in (*ORDER, REST) if name in table]]
    table = table.loc[table.sum(axis=1).sort_values().index]
    whole = results.assign(algorithm=results["run_id"].map(names)).set_index("algorithm")
    columns = ["energy_per_sample_j", "latency_per_sample_s", "area_m2", "digital_storage_byte"]
    table.join(whole[columns]).to_csv(folder / "energy.csv", float_format="%.6g")
    with house_style():
        figure = new_figure(0.34 * len(table) + 1.6)
        axes = figure.subplots()
        styles, left, handles = fill_styles(table.columns, ORDER), np.zeros(len(table)), []
        for name in table:
            style, width = styles[name], 1e6 * table[name].to_numpy()
            handles.append(
                axes.barh(
                    table.index,
                    width,
                    left=left,
                    color=style.colour,
                    hatch=style.hatch,
                    edgecolor="#333333",
                    linewidth=0.4,
                    label=name.replace("_", " "),
                )
            )
            left += width
        for place, total in enumerate(left):
            axes.text(total, place, f" {total:.2f}", va="center", fontsize=8)
        axes.set_xlabel("energy per training sample (µJ)")
        axes.set_xlim(0, 1.08 * left.max())
        add_legend(figure, handles)
        save_figure(figure, folder / "figures" / "energy.svg", source="energy.csv")
    print((1e6 * table).round(3).assign(total=1e6 * table.sum(axis=1)).to_string())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scripts.energy_by_algorithm FOLDER")
    main(Path(sys.argv[1]))
