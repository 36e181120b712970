"""What `cosim fit` leaves: the preset, the parameters with their intervals, and how well they describe the data."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from rich.table import Table
from rich.text import Text

from cosim.reporting.atomic import atomic_path
from cosim.reporting.engineering import axis_scale
from cosim.reporting.style import LINES, add_legend, house_style, new_figure, series_styles
from device_models.fitting import Fit

MOST_DEVICES = 4
BAND_POINTS = 40
HEADERS = ("parameter", "value", "95 % interval", "spread over devices", "unit")


def read_frame(path: Path) -> pd.DataFrame:
    """Return a measurement as text, so that a bad cell can be named as it was written.

    Raises
    ------
    ValueError
        If the file is not CSV.
    """
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as CSV: {str(error).strip()}") from None


def write_fit(fit: Fit, folder: Path, name: str, source: str) -> Path:
    """Write ``NAME.toml``, ``parameters.csv`` and ``fit.png`` into a folder, and return the path of the preset.

    Parameters
    ----------
    fit : Fit
        What `device_models.fitting.fit_device` returned.
    folder : Path
        Made where it does not exist.
    name : str
        Name of the preset.
    source : str
        Name of the measured file.
    """
    picture = io.BytesIO()
    with house_style():
        draw_fit(fit).savefig(picture, format="png", dpi=150, metadata={"Software": None, "Source": source})
    preset = folder / f"{name}.toml"
    contents = {
        preset: fit.preset_toml(source).encode(),
        folder / "parameters.csv": fit.parameters.to_csv(index=False).encode(),
        folder / "fit.png": picture.getvalue(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    return preset


def fit_table(fit: Fit) -> Table:
    """Lay out the parameters for a terminal; lists of nodes are left to ``parameters.csv``."""
    table = Table(title=f"{fit.device.family} fitted")
    for place, header in enumerate(HEADERS):
        table.add_column(header, justify="right" if 0 < place < 4 else "left", no_wrap=True)
    for row in fit.parameters.itertuples():
        if "[" in str(row.parameter):
            continue
        low, high, spread = float(row.low_95), float(row.high_95), float(row.spread)  # type: ignore[arg-type]
        interval = "unknown" if np.isnan(low) else "exact" if low == high else f"{low:.4g} … {high:.4g}"
        cells = (row.parameter, f"{row.value:.4g}", interval, "" if np.isnan(spread) else f"{spread:.2g}", row.unit)
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def draw_fit(fit: Fit) -> Figure:
    """Draw measured and fitted trajectories of a few devices, and the residual of the step against the conductance."""
    residuals = fit.residuals
    scale = axis_scale(residuals["measured"], fit.unit if fit.unit == "S" else "")
    unit = f" ({scale.unit})" if scale.unit else ""
    figure = new_figure(6.2)
    upper, lower = figure.subfigures(2, 1, squeeze=False)[:, 0]
    names = list(dict.fromkeys(residuals["device"]))[:MOST_DEVICES]
    grid = np.atleast_1d(upper.subplots(1, len(names), sharey=True))
    for axes, name in zip(grid, names, strict=True):
        _plot_trajectory(axes, residuals[residuals["device"] == name], scale.factor)
        axes.set_title(f"device {name}")
        axes.set_xlabel("pulse")
    grid[0].set_ylabel(f"conductance{unit}")
    panels = lower.subplots(1, 2, sharey=True)
    for axes, up in zip(panels, (True, False), strict=True):
        shown = residuals[residuals["up"] == up]
        _plot_residuals(axes, shown, scale.factor)
        axes.set_title(f"{'up' if up else 'down'} pulses: measured minus fitted step")
        axes.set_xlabel(f"conductance before the pulse{unit}")
    panels[0].set_ylabel(f"residual of the step{unit}")
    add_legend(figure, _handles())
    return figure


STYLES = series_styles(("measured", "fitted"))


def _plot_trajectory(axes: Axes, rows: pd.DataFrame, factor: float) -> None:
    axes.plot(rows["pulse"], factor * rows["measured"], ".", color=STYLES["measured"].colour, markersize=2.5)
    starts = (rows["up"] != rows["up"].shift()).cumsum()
    for _, part in rows.groupby(starts):
        axes.plot(part["pulse"], factor * part["trajectory"], color=STYLES["fitted"].colour, linewidth=1.3)


def _plot_residuals(axes: Axes, rows: pd.DataFrame, factor: float) -> None:
    """Plot single residuals, faint where the pulse did not count, and two standard deviations of the fitted noise."""
    residual = factor * (rows["step"] - rows["fitted_step"])
    for used, colour in ((True, STYLES["measured"].colour), (False, "#bbbbbb")):
        chosen = rows["used"] == used
        axes.plot(
            factor * rows["conductance"][chosen],
            residual[chosen],
            ".",
            color=colour,
            markersize=2.5,
            alpha=0.6,
            zorder=2,
        )
    ordered = rows.sort_values("conductance", kind="stable")
    bins = np.array_split(np.arange(len(ordered)), min(BAND_POINTS, max(len(ordered) // 4, 1)))
    places = [factor * float(ordered["conductance"].iloc[part].mean()) for part in bins]
    band, outer = (
        np.array([2 * factor * float(np.sqrt((ordered[name].iloc[part] ** 2).mean())) for part in bins])
        for name in ("noise", "noise_read")
    )
    axes.fill_between(places, -band, band, color=STYLES["fitted"].colour, alpha=0.22, linewidth=0, zorder=1)
    for sign in (-1, 1):
        axes.plot(places, sign * outer, color=STYLES["fitted"].colour, linewidth=0.9, linestyle=LINES[1], zorder=3)
    axes.axhline(0, color=STYLES["fitted"].colour, linewidth=1)


def _handles() -> list[Line2D | Patch]:
    return [
        Line2D([], [], marker=".", linestyle="", color=STYLES["measured"].colour, label="measured"),
        Line2D([], [], marker=".", linestyle="", color="#bbbbbb", label="not used: may end at a bound"),
        Line2D([], [], color=STYLES["fitted"].colour, label="fitted, anew from each reversal"),
        Patch(color=STYLES["fitted"].colour, alpha=0.22, label="fitted cycle-to-cycle noise, ±2 σ"),
        Line2D([], [], color=STYLES["fitted"].colour, linewidth=0.9, linestyle=LINES[1], label="with read noise, ±2 σ"),
    ]
