"""How the figures look: colours for colour-blind readers, and marks that survive greyscale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cosim.reporting.atomic import atomic_path

WIDTH_INCH = 8.4
TEXT_COLOUR = "#222222"
FAINT_COLOUR = "#d5d5d5"
# Okabe and Ito, 2008, without their yellow, which vanishes on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">", "h")
LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
HATCHES = ("", "////", "..", "\\\\\\\\", "xxx", "---", "|||", "+++", "//", "\\\\", "--")
FILLS = (
    "#0072b2",
    "#e69f00",
    "#56b4e9",
    "#d55e00",
    "#b8e0d2",
    "#cc79a7",
    "#f0e442",
    "#009e73",
    "#d9d9d9",
    "#444444",
    "#f7c59f",
    "#8a6fb0",
)
SETTINGS: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#777777",
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.unicode_minus": True,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "hatch.linewidth": 0.7,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "cosim",
    "text.color": TEXT_COLOUR,
    "text.parse_math": False,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}


@dataclass(frozen=True, kw_only=True)
class Style:
    """How one thing is drawn in every figure of a study."""

    colour: str
    marker: str = "o"
    line: Any = "-"
    hatch: str = ""


def series_styles(names: Iterable[str]) -> dict[str, Style]:
    """Give each name a colour, a marker and a line of its own, in order of appearance."""
    return {
        name: Style(
            colour=COLOURS[place % len(COLOURS)],
            marker=MARKERS[place % len(MARKERS)],
            line=LINES[place % len(LINES)],
        )
        for place, name in enumerate(dict.fromkeys(names))
    }


def fill_styles(names: Iterable[str], known: Sequence[str]) -> dict[str, Style]:
    """Give each name a fill and a hatch: always the same for a known name, whatever else is drawn."""
    order = [*known, *(name for name in dict.fromkeys(names) if name not in known)]
    return {
        name: Style(colour=FILLS[place % len(FILLS)], hatch=HATCHES[place % len(HATCHES)])
        for place, name in enumerate(order)
    }


def fill(style: Style) -> dict[str, Any]:
    """Return a style as arguments of a bar or a patch; the ink of hatch and edge contrasts with the colour."""
    return {"facecolor": style.colour, "hatch": style.hatch, "edgecolor": ink(style.colour)}


def ink(colour: str) -> str:
    """White on dark fills, dark on light ones."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 110 else "#333333"


def house_style() -> AbstractContextManager[None]:
    """Set the look of what is drawn inside the block, and only there."""
    return rc_context(SETTINGS)


def new_figure(height_inch: float) -> Figure:
    """Make an empty figure as wide as the page, outside pyplot."""
    return Figure(figsize=(WIDTH_INCH, height_inch), layout="constrained", facecolor="white")


def remove_empty(grid: NDArray[Any], used: int) -> None:
    """Blank the panels after the used ones, and number the axis of the panel above each."""
    columns = grid.shape[1]
    for place, axes in enumerate(grid.flat):
        if place >= used:
            axes.set_axis_off()
        elif place + columns >= used:
            axes.tick_params(labelbottom=True)


def add_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Put a legend above the panels, as wide as the figure allows."""
    figure.legend(handles=list(handles), loc="outside upper left", ncols=_legend_columns(handles))


def legend_rows(handles: Sequence[Artist]) -> int:
    """Count the rows that the legend takes."""
    return -(-len(handles) // _legend_columns(handles))


def _legend_columns(handles: Sequence[Artist]) -> int:
    longest = max(len(str(handle.get_label())) for handle in handles)
    fitting = int((WIDTH_INCH - 0.4) / (0.068 * longest + 0.5))
    return max(1, min(fitting, len(handles)))


def save_figure(figure: Figure, path: Path, *, source: str) -> Path:
    """Write a figure as SVG; the same figure gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None, "Title": path.stem.replace("_", " "), "Source": source}
    with atomic_path(path) as temporary, house_style():
        figure.savefig(temporary, format="svg", metadata=metadata)
    return path
