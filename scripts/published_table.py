"""Test accuracy beside Table 1 of arXiv 2510.02516: `python -m scripts.published_table reports/mnist_lenet5_10_states`.

The folder is one that `cosim run` left; in it ``seeds`` may be another, of further seeds, and ``earlier`` may hold
results.csv and history.csv of points that were trained with an earlier version.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from cosim.reporting.accuracy_axis import set_accuracy_axis
from cosim.reporting.labels import algorithm_name
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
    default = results["algorithm"].map({"residual_learning": "balanced"}).fillna("")
    setting = results["algorithm.setting"].fillna(default) if "algorithm.setting" in results else default
    return results.assign(setting=setting), history


def summary(algorithm: str, tiles: int, setting: str, rows: pd.DataFrame) -> dict[str, object]:
    """Return a row of the table from the epochs of all seeds of a configuration."""
    end = rows["epoch"].max()
    last, late = rows[rows["epoch"] == end], rows[rows["epoch"] > end - LAST].groupby("run_id")["test_accuracy"]
    return {
        "algorithm": algorithm,
        "tiles": tiles,
        "setting": setting,
        "seeds": len(last),
        "published": PUBLISHED.get((algorithm, tiles), float("nan")),
        "last_epoch": 100 * last["test_accuracy"].mean(),
        "last_epoch_std": 100 * last["test_accuracy"].std(),  # over seeds
        "last_epochs_mean": 100 * late.mean().mean(),
        "last_epochs_std": 100 * late.std().mean(),  # over the epochs of a seed
        "best_epoch": 100 * rows.groupby("run_id")["test_accuracy"].max().mean(),
        "train_loss": last["train_loss"].mean(),
    }


def name_of(algorithm: str, tiles: int, setting: str) -> str:
    """Return a configuration in the words of a reader."""
    name = algorithm_name(algorithm)
    return f"{name}, {tiles} tiles, {setting}" if setting else name


def main(folder: Path) -> None:
    """Write ``table.csv`` and ``figures/table_1.svg``, and print the table."""
    results, history = rows_of(folder)
    if (folder / "seeds").is_dir():
        further, curves = rows_of(folder / "seeds")
        results, history = pd.concat([results, further]), pd.concat([history, curves])
    if (folder / "earlier").is_dir():
        before, curves = rows_of(folder / "earlier")
        before["setting"] = before["setting"].replace(EARLIER)
        results, history = pd.concat([results, before]), pd.concat([history, curves])
    points = results[["run_id", "algorithm", "tiles", "setting"]]
    groups = list(history.merge(points, on="run_id").groupby(["algorithm", "tiles", "setting"]))
    table = pd.DataFrame([summary(*key, rows) for key, rows in groups])
    table.to_csv(folder / "table.csv", index=False, float_format="%.6g")
    names = [name_of(*key) for key, _ in groups]
    with house_style():
        figure = new_figure(4.2)
        axes, handles, styles = figure.subplots(), [], series_styles(names)
        for name, (_, rows) in zip(names, groups, strict=True):
            epochs, style = 100 * rows.groupby("epoch")["test_accuracy"].agg(["mean", "min", "max"]), styles[name]
            look = {"color": style.colour, "linestyle": style.line, "linewidth": 1.1}
            marks = {"marker": style.marker, "markersize": 4, "markevery": 10}
            handles += axes.plot(epochs.index, epochs["mean"], label=name, **look, **marks)
            axes.fill_between(epochs.index, epochs["min"], epochs["max"], color=style.colour, alpha=0.25, linewidth=0)
        published = table.assign(name=names).drop_duplicates(["algorithm", "tiles"]).sort_values("published")
        for place, (name, value) in enumerate(zip(published["name"], published["published"], strict=True)):
            style, right = styles[name], history["epoch"].max() + 3 * (1 + place % 2)  # neighbours side by side
            axes.plot(right, value, style.marker, color=style.colour, mfc="white")
        drawn = 100 * history["test_accuracy"]
        axes.set_ylabel(set_accuracy_axis(axes, drawn.min(), max(drawn.max(), table["published"].max())))
        axes.set_xlabel("epochs of 60,000 images (bands: all seeds; open marks: published)")
        add_legend(figure, handles)
        save_figure(figure, folder / "figures" / "table_1.svg", source="history.csv")
    print(table.round(2).to_string())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scripts.published_table FOLDER")
    main(Path(sys.argv[1]))
