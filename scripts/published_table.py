"""Test accuracy beside Table 1 of arXiv 2510.02516: `python -m scripts.published_table reports/mnist_lenet5_10_states`.

The folder is one that `cosim run` left; ``earlier`` in it may hold results.csv and history.csv of points that were
trained with an earlier version.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from cosim.reporting.style import add_legend, house_style, new_figure, save_figure, series_styles

PUBLISHED = {
    ("tiki_taka_v1", 2): 78.65,
    ("tiki_taka_v2", 2): 95.43,
    ("mixed_precision", 1): 99.13,
    ("residual_learning", 3): 95.07,
    ("residual_learning", 4): 97.10,
    ("residual_learning", 6): 98.53,
}
LAST = 10  # epochs whose mean tells how much a single one may jump
# A name of its own in the setting column, for what was trained before transfers followed the pulses.
EARLIER = {"balanced": "one constant rate"}


def rows_of(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return results and history of a folder, with the setting as a column."""
    results, history = pd.read_csv(folder / "results.csv"), pd.read_csv(folder / "history.csv")
    setting = results["algorithm.setting"].fillna("") if "algorithm.setting" in results else ""
    return results.assign(setting=setting), history


def main(folder: Path) -> None:
    """Write ``table.csv`` and ``figures/table_1.svg``, and print the table."""
    results, history = rows_of(folder)
    if (folder / "earlier").is_dir():
        before, curves = rows_of(folder / "earlier")
        before["setting"] = before["setting"].replace(EARLIER)
        results, history = pd.concat([results, before]), pd.concat([history, curves])
    curves = history.merge(results[["run_id", "algorithm", "tiles", "setting"]], on="run_id")
    table = pd.DataFrame(
        [
            {
                **dict(zip(("algorithm", "tiles", "setting"), key, strict=True)),
                "seeds": rows["run_id"].nunique(),
                "published": PUBLISHED.get(key[:2]),
                "last_epoch": 100 * rows[rows["epoch"] == rows["epoch"].max()]["test_accuracy"].mean(),
                "last_epochs_mean": 100 * rows[rows["epoch"] > rows["epoch"].max() - LAST]["test_accuracy"].mean(),
                "last_epochs_std": 100 * rows[rows["epoch"] > rows["epoch"].max() - LAST]["test_accuracy"].std(),
                "best_epoch": 100 * rows.groupby("run_id")["test_accuracy"].max().mean(),
                "train_loss": rows[rows["epoch"] == rows["epoch"].max()]["train_loss"].mean(),
            }
            for key, rows in curves.groupby(["algorithm", "tiles", "setting"])
        ]
    )
    table.to_csv(folder / "table.csv", index=False, float_format="%.6g")
    with house_style():
        figure = new_figure(3.6)
        axes, handles = figure.subplots(), []
        names = {
            key: f"{key[0].replace('_', ' ')}, {key[1]} tiles, {key[2]}" if key[2] else key[0].replace("_", " ")
            for key in curves.groupby(["algorithm", "tiles", "setting"]).groups
        }
        styles = series_styles(names.values())
        for key, name in names.items():
            rows = curves[(curves[["algorithm", "tiles", "setting"]] == list(key)).all(axis=1)]
            mean, style = rows.groupby("epoch")["test_accuracy"].mean(), styles[name]
            look = {"color": style.colour, "linestyle": style.line, "linewidth": 1.1}
            marks = {"marker": style.marker, "markersize": 4, "markevery": 10}
            handles += axes.plot(mean.index, 100 - 100 * mean, label=name, **look, **marks)
            if key[:2] in PUBLISHED and key[2] not in EARLIER.values():
                axes.plot(mean.index.max() + 3, 100 - PUBLISHED[key[:2]], style.marker, color=style.colour, mfc="white")
        axes.set_yscale("log")
        worst = axes.get_ylim()[1]
        ticks = [tick for tick in (1, 2, 3, 5, 10, 20, 50, 90) if tick < worst]
        axes.set_yticks(ticks, [f"{100 - tick}" for tick in ticks])
        axes.set_ylim(worst, 0.7)
        axes.minorticks_off()
        axes.set_xlabel("epochs of 60,000 images (open marks: published)")
        axes.set_ylabel("test accuracy (%, log error scale)")
        add_legend(figure, handles)
        save_figure(figure, folder / "figures" / "table_1.svg", source="history.csv")
    print(table.round(2).to_string())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scripts.published_table FOLDER")
    main(Path(sys.argv[1]))
