"""Test accuracy beside Table 8 of arXiv 2502.06309: `python -m scripts.response_table reports/mnist_fcn_responses`.

The folder is one that `cosim run` left; ``seeds`` and ``weight_scale`` in it are others, of further seeds and of
the same networks with a scale between device weight and logical weight.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from cosim.reporting.accuracy_axis import set_accuracy_axis
from cosim.reporting.labels import algorithm_name
from cosim.reporting.style import add_legend, house_style, new_figure, save_figure, series_styles

FOLDERS = (".", "seeds", "weight_scale")
NAMES = {"analog_sgd": algorithm_name("analog_sgd"), "tiki_taka_v1": "residual learning"}  # gamma > 0 makes it that
RESPONSES = {"power_response": "power response", "exponential_response": "exponential response"}
# tau = 0.6; where every seed failed the table says "below 15" and has no number.
PUBLISHED = {
    ("power_response", 0.5, "analog_sgd"): 96.01,
    ("power_response", 0.5, "tiki_taka_v1"): 96.92,
    ("power_response", 1.0, "tiki_taka_v1"): 97.39,
    ("power_response", 2.0, "tiki_taka_v1"): 96.93,
    ("exponential_response", 0.5, "tiki_taka_v1"): 97.27,
    ("exponential_response", 1.0, "tiki_taka_v1"): 97.46,
    ("exponential_response", 2.0, "tiki_taka_v1"): 97.19,
}
KEYS = ["device", "gamma_r", "algorithm", "weight_scale"]


def rows_of(folder: Path) -> pd.DataFrame:
    """Return the accuracies (%) of all seeds with the keys of the table."""
    results = pd.concat([pd.read_csv(folder / name / "results.csv") for name in FOLDERS if (folder / name).is_dir()])
    scale = results.get("algorithm.weight_scale", pd.Series(1.0, results.index)).fillna(1.0)
    return results.rename(columns={"device.gamma_r": "gamma_r"}).assign(
        weight_scale=scale, accuracy=100 * results["test_accuracy"]
    )[[*KEYS, "seed", "accuracy"]]


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return mean and sample standard deviation over seeds beside what was published."""
    table = rows.groupby(KEYS)["accuracy"].agg(seeds="count", mean="mean", std="std").reset_index()
    keys = zip(table["device"], table["gamma_r"], table["algorithm"], strict=True)
    return table.assign(published=[PUBLISHED.get(key, float("nan")) for key in keys])


def main(folder: Path) -> None:
    """Write ``table.csv`` and ``figures/table_8.svg``, and print the table."""
    table = summary(rows_of(folder))
    table.to_csv(folder / "table.csv", index=False, float_format="%.6g")
    lines = list(table.groupby(["algorithm", "weight_scale"]))
    names = [f"{NAMES[algorithm]}, weight scale {scale:g}" for (algorithm, scale), _ in lines]
    styles, handles = series_styles(names), {}
    with house_style():
        figure = new_figure(3.4)
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (device, title) in zip(panels, RESPONSES.items(), strict=True):
            for name, (_, rows) in zip(names, lines, strict=True):
                own, style = rows[rows["device"] == device], styles[name]
                handles[name] = axes.errorbar(
                    own["gamma_r"],
                    own["mean"],
                    own["std"].fillna(0.0),
                    label=name,
                    color=style.colour,
                    linestyle=style.line,
                    marker=style.marker,
                    capsize=2,
                )
                if (own["weight_scale"] == 1.0).all():
                    look = {"color": style.colour, "mfc": "white", "linestyle": "none"}
                    axes.plot(1.06 * own["gamma_r"], own["published"], style.marker, **look)
            axes.set_xscale("log", base=2)
            axes.set_xticks([0.5, 1.0, 2.0], ["0.5", "1", "2"])
            axes.set_title(title)
            axes.set_xlabel(r"exponent $\gamma_r$ of the response (open: published)")
        drawn = table[["mean", "published"]].stack()
        panels[0].set_ylabel(set_accuracy_axis(panels[0], drawn.min(), drawn.max()))
        add_legend(figure, list(handles.values()))
        save_figure(figure, folder / "figures" / "table_8.svg", source="table.csv")
    print(table.round(2).to_string())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scripts.response_table FOLDER")
    main(Path(sys.argv[1]))
