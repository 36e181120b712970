"""Where the area goes: a map to scale, and what the weights alone would take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from cosim.reporting.breakdown import COMPONENTS
from cosim.reporting.engineering import area
from cosim.reporting.style import TEXT_COLOUR, Style, add_legend, fill, fill_styles, legend_rows, new_figure

ARRAY = "array"
PERIPHERY = "periphery"
M2_TO_MM2 = 1e6
CHARACTER_SHARE, LINE_SHARE = 0.018, 0.045  # of the side of the map: a layer too small for its name bears none
BARS = ("one copy of the weights", "arrays of all tiles", "arrays and periphery", "whole design")


@dataclass(frozen=True)
class Block:
    """A rectangle on the map: left and bottom corner, width and height, in the unit of the map."""

    left: float
    bottom: float
    width: float
    height: float


def tree_map(sizes: Sequence[float], block: Block) -> list[Block]:
    """Divide a rectangle into rectangles of given sizes that are nearly square.

    Rows of rectangles are laid along the shorter side; a row takes one more as long as its worst ratio of sides
    improves.

    Parameters
    ----------
    sizes : sequence of float
        Positive numbers in any unit, the largest first.
    block : Block
        What to divide: the whole of it is used.

    Returns
    -------
    list of Block
        One for each size, in the same order; areas are proportional to the sizes.

    References
    ----------
    Bruls, Huizing and van Wijk, "Squarified treemaps", 2000.
    """
    if not sizes:
        return []
    if min(sizes) <= 0:
        raise ValueError(f"a map needs positive sizes, and the smallest of {len(sizes)} is {min(sizes):g}")
    factor = block.width * block.height / math.fsum(sizes)
    areas = [size * factor for size in sizes]
    placed: list[Block] = []
    while len(placed) < len(areas):
        side = min(block.width, block.height)
        count = _row_length(areas[len(placed) :], side)
        row, block = _lay_row(areas[len(placed) : len(placed) + count], block)
        placed += row
    return placed


def areas_by_component(floorplan: pd.DataFrame, bill: pd.DataFrame) -> pd.DataFrame:
    """Return the area of each layer by component, in m².

    Parameters
    ----------
    floorplan : pandas.DataFrame
        Rows of ``floorplan.csv`` of one run.
    bill : pandas.DataFrame
        Rows of ``bill.csv`` of the same run. Where it has no areas, the periphery stays in one piece.

    Returns
    -------
    pandas.DataFrame
        One row per layer in the order of the floorplan, one column per component, the largest layer anywhere.
    """
    layers = list(dict.fromkeys(floorplan["layer"]))
    priced = bill[bill["area_m2"] > 0] if "layer" in bill else bill.iloc[:0]
    if priced.empty:
        pieces = {ARRAY: floorplan["array_area_m2"], PERIPHERY: floorplan["periphery_area_m2"]}
        return pd.DataFrame(pieces).fillna(0.0).groupby(floorplan["layer"]).sum().reindex(layers)
    sums = priced.groupby(["layer", "component"])["area_m2"].sum().unstack(fill_value=0)
    return sums.reindex([*layers, *(name for name in sums.index if name not in layers)]).fillna(0.0)


def totals(floorplan: pd.DataFrame, areas: pd.DataFrame) -> dict[str, float]:
    """Return the areas of `BARS` in m²; the last one adds what layers share, such as memory, where there is any."""
    tiled = floorplan[floorplan["tiles"] > 0]
    arrays = float(tiled["array_area_m2"].sum())
    with_periphery = arrays + float(tiled["periphery_area_m2"].sum())
    whole = float(areas.to_numpy().sum())
    values = (float(tiled["one_copy_area_m2"].sum()), arrays, with_periphery, whole)
    shown = dict(zip(BARS, values, strict=True))
    if math.isclose(whole, with_periphery, rel_tol=0.005):
        del shown[BARS[3]]
    return {name: value for name, value in shown.items() if value > 0}


def plot_map(axes: Axes, areas: pd.DataFrame, styles: Mapping[str, Style]) -> None:
    """Draw a square of the whole area, divided by layer and then by component, with sides in mm.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    areas : pandas.DataFrame
        What `areas_by_component` returns.
    styles : mapping of str to Style
        Fill and hatch of each component.
    """
    layers = areas.sum(axis=1)
    layers = layers[layers > 0].sort_values(ascending=False, kind="stable")
    side = math.sqrt(float(layers.sum()) * M2_TO_MM2)
    for layer, block in zip(layers.index, tree_map(list(layers), Block(0, 0, side, side)), strict=True):
        parts = areas.loc[layer]
        parts = parts[parts > 0].sort_values(ascending=False, kind="stable")
        for component, part in zip(parts.index, tree_map(list(parts), block), strict=True):
            look = fill(styles[str(component)])
            axes.add_patch(Rectangle((part.left, part.bottom), part.width, part.height, linewidth=0.4, **look))
        outline: dict[str, Any] = {"facecolor": "none", "edgecolor": TEXT_COLOUR, "linewidth": 1.6, "zorder": 3}
        axes.add_patch(Rectangle((block.left, block.bottom), block.width, block.height, **outline))
        _write_layer(axes, f"{layer}\n{area(float(layers[layer]))}", block, side)
    axes.set_xlim(0, side)
    axes.set_ylim(0, side)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("mm")
    axes.set_ylabel("mm")


def plot_totals(axes: Axes, shown: Mapping[str, float]) -> None:
    """Draw the areas with and without what surrounds the weights, on a logarithmic axis where they differ much."""
    values = [value * M2_TO_MM2 for value in shown.values()]
    axes.barh(range(len(values)), values, height=0.6, color="#9a9a9a", edgecolor=TEXT_COLOUR, linewidth=0.5)
    first = min(shown.values())
    for place, size_m2 in enumerate(shown.values()):
        ratio = f" (×{size_m2 / first:.3g})" if size_m2 > 1.0005 * first else ""
        above: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "bottom", "fontsize": 8}
        axes.annotate(f"{area(size_m2)}{ratio}", (0.01, place - 0.33), **above)
    if max(values) > 10 * min(values):
        axes.set_xscale("log")
        axes.set_xlim(min(values) / 3, 1.3 * max(values))
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(values)), [name.replace(" and ", "\nand ").replace(" of ", "\nof ") for name in shown])
    axes.set_ylim(len(values) - 0.5, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("area (mm²" + (", log scale)" if axes.get_xscale() == "log" else ")"))


def draw_floorplan(floorplan: pd.DataFrame, bill: pd.DataFrame) -> Figure:
    """Draw the map of one run, and beside it the area of the weights with and without their surroundings."""
    areas = areas_by_component(floorplan, bill)
    present = [str(name) for name in areas.columns if (areas[name] > 0).any()]
    styles = fill_styles(present, COMPONENTS)
    handles = [
        Patch(label=name.replace("_", " "), linewidth=0.5, **fill(styles[name]))
        for name in (*COMPONENTS, PERIPHERY, *present)
        if name in present
    ]
    handles = list({str(handle.get_label()): handle for handle in handles}.values())
    figure = new_figure(4.3 + 0.2 * legend_rows(handles))
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    plot_map(left, areas, styles)
    left.set_title("the area, to scale")
    plot_totals(right, totals(floorplan, areas))
    right.set_title("what the weights need")
    add_legend(figure, handles)
    return figure


def _row_length(areas: Sequence[float], side: float) -> int:
    count = 1
    while count < len(areas) and _worst_ratio(areas[: count + 1], side) <= _worst_ratio(areas[:count], side):
        count += 1
    return count


def _worst_ratio(row: Sequence[float], side: float) -> float:
    total = math.fsum(row)
    return max(side**2 * max(row) / total**2, total**2 / (side**2 * min(row)))


def _lay_row(areas: Sequence[float], block: Block) -> tuple[list[Block], Block]:
    """Fill one row along the shorter side, and return it with what is left of the block."""
    total, along_left = math.fsum(areas), block.height <= block.width
    side = block.height if along_left else block.width
    depth, row, offset = total / side, [], 0.0
    for size in areas:
        length = size / depth
        if along_left:
            row.append(Block(block.left, block.bottom + offset, depth, length))
        else:
            row.append(Block(block.left + offset, block.bottom, length, depth))
        offset += length
    if along_left:
        return row, Block(block.left + depth, block.bottom, max(block.width - depth, 0.0), block.height)
    return row, Block(block.left, block.bottom + depth, block.width, max(block.height - depth, 0.0))


def _write_layer(axes: Axes, text: str, block: Block, side: float) -> None:
    name = text.split("\n")[0]
    shown = next((words for words in (text, name) if _fits(words.split("\n"), block, side)), "")
    axes.text(
        block.left + block.width / 2,
        block.bottom + block.height / 2,
        shown,
        ha="center",
        va="center",
        fontsize=8,
        zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85 if shown else 0.0, "pad": 1.5},
    )


def _fits(lines: Sequence[str], block: Block, side: float) -> bool:
    characters = max(len(line) for line in lines)
    return block.width > CHARACTER_SHARE * characters * side and block.height > LINE_SHARE * len(lines) * side
