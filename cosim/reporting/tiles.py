"""What every tile holds at the end of a training, for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cosim.health import NOISE_BAND, UNUSED_BELOW, WINDUP_ABOVE

WIND_UP = "wind-up"
NAMED_IN_A_LINE = 3
EXPLANATION = (
    "Mean |W| of each tile as a fraction of its bound after the last epoch, with what that means; tile 0 is the "
    f"coarsest, the last one takes the gradient. Unused: below {UNUSED_BELOW:g}. Noise: within {100 * NOISE_BAND:g} % "
    "of what pulses in random directions leave. Wind-up: driven toward its bounds, "
    f"above {WINDUP_ABOVE:g} and above that noise. Working: anything else."
)


@dataclass(frozen=True, kw_only=True)
class TileCell:
    """One tile of one layer: its mean |W|, and its verdict in a word."""

    magnitude: str
    verdict: str

    @property
    def wound_up(self) -> bool:
        """Whether it was driven toward its bounds."""
        return self.verdict == WIND_UP


@dataclass(frozen=True, kw_only=True)
class TileTable:
    """The tiles of one configuration, layer by layer."""

    label: str
    seed: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, tuple[TileCell, ...]], ...]

    @property
    def summary(self) -> str:
        """How many tiles there are of each verdict that is not `working`."""
        cells = [cell for _, row in self.rows for cell in row]
        counts = {verdict: sum(cell.verdict == verdict for cell in cells) for verdict in (WIND_UP, "noise", "unused")}
        return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count) or "all working"


def tile_tables(tiles: pd.DataFrame, results: pd.DataFrame, configurations: pd.DataFrame) -> list[TileTable]:
    """Lay out the tiles of every configuration that has several.

    Parameters
    ----------
    tiles, results : pandas.DataFrame
        Rows of ``tiles.csv`` and ``results.csv``, with a column ``configuration``.
    configurations : pandas.DataFrame
        What `cosim.reporting.configurations.summarise` returns for these results.

    Returns
    -------
    list of TileTable
        In the order of the configurations, each with the lowest of its seeds that has rows.
    """
    last = last_epochs(tiles)
    found = []
    for number, configuration in configurations.iterrows():
        runs = results[(results["configuration"] == number) & results["run_id"].isin(last["run_id"])]
        if not runs.empty and float(configuration["tiles"]) > 1:
            first = runs.sort_values("seed", kind="stable").iloc[0]
            rows = last[last["run_id"] == first["run_id"]]
            found.append(_table(str(configuration["label"]), str(first["seed"]), rows))
    return found


def wind_up_lines(tiles: pd.DataFrame, results: pd.DataFrame, configurations: pd.DataFrame) -> list[str]:
    """Say, in one line for each configuration, which tiles ended in wind-up in any of its seeds, worst first.

    Parameters
    ----------
    tiles, results, configurations : pandas.DataFrame
        As for `tile_tables`.

    Returns
    -------
    list of str
        Nothing for configurations without such tiles.
    """
    last = last_epochs(tiles)
    wound = last[last["verdict"] == WIND_UP].sort_values("mean_abs_weight", ascending=False, kind="stable")
    lines = []
    for number, configuration in configurations.iterrows():
        runs = results.loc[results["configuration"] == number, "run_id"]
        worst = wound[wound["run_id"].isin(runs)].drop_duplicates(["layer", "tile"])
        if worst.empty or not float(configuration["tiles"]) > 1:
            continue
        named = ", ".join(
            f"{row['layer']} tile {row['tile']} (mean |W| {row['mean_abs_weight']:.2f})"
            for _, row in worst.head(NAMED_IN_A_LINE).iterrows()
        )
        more = f" and {len(worst) - NAMED_IN_A_LINE} more" if len(worst) > NAMED_IN_A_LINE else ""
        lines.append(f"Wind-up: {named}{more} in {configuration['label']}: see tiles.csv")
    return lines


def last_epochs(tiles: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows of the last epoch of each run, whole ones only; one for each layer and tile."""
    whole = tiles.dropna(subset=["epoch", "layer", "tile", "mean_abs_weight", "verdict"])
    last = whole[whole["epoch"] == whole.groupby("run_id")["epoch"].transform("max")]
    once = last.drop_duplicates(["run_id", "layer", "tile"], keep="last")
    return once.assign(tile=once["tile"].astype("int64"))


def _table(label: str, seed: str, rows: pd.DataFrame) -> TileTable:
    numbers: Sequence[int] = sorted(rows["tile"].unique())
    layers = list(dict.fromkeys(rows["layer"]))
    cells = {
        (row["layer"], row["tile"]): TileCell(magnitude=f"{row['mean_abs_weight']:.2f}", verdict=str(row["verdict"]))
        for _, row in rows.iterrows()
    }
    nothing = TileCell(magnitude="", verdict="")
    return TileTable(
        label=label,
        seed=seed,
        headers=("layer", *(f"tile {number}" for number in numbers)),
        rows=tuple((str(layer), tuple(cells.get((layer, number), nothing) for number in numbers)) for layer in layers),
    )
