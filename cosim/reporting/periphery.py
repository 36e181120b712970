"""What `cosim characterise` leaves for people: per cell its points, its laws against them, and its waveforms."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from rich.table import Table
from rich.text import Text

from circuits.calibration import CONDITIONS, NOMINAL, ROOM_K
from circuits.cell import Entry, Measured, Picture
from circuits.characterise import Characterised
from circuits.laws import FittedLaw
from circuits.simulator import simulate
from cosim.reporting.atomic import atomic_path
from cosim.reporting.engineering import Scale, axis_scale, engineering, percent
from cosim.reporting.style import (
    COLOURS,
    LINES,
    MARKERS,
    add_legend,
    house_style,
    new_figure,
    remove_empty,
    save_figure,
)

COLUMNS = 3
PANEL_INCH = 2.4
CURVE_POINTS = 60
FORMULA_CHARACTERS = 36
AXIS_NAMES = {
    "bits": "bits",
    "tiles": "tiles",
    "gamma": "gain against the coarsest tile",
    "cells": "cross-points on the line",
}
UNIT_SYMBOLS = {"m2": "m²", "ohm": "Ω", "1": ""}


def write_report(done: Sequence[Characterised], folder: Path) -> Path:
    """Write ``cells.md`` with its figures and points into a folder, and return its path.

    The cells that are not among `done` keep what an earlier call wrote.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for one in done:
        name = one.cell.name
        _write(folder / f"{name}_points.csv", points_csv(one.measured))
        if one.laws:
            _draw_laws(one, folder / f"{name}_laws.svg")
        pictures = one.cell.pictures()
        if pictures:
            _draw_waveforms(pictures, folder / f"{name}_waveforms.svg")
        _write(folder / f"{name}.md", _cell_text(one, bool(pictures)))
    from circuits.cells import CELLS

    written = [name for name in CELLS if (folder / f"{name}.md").is_file()]
    links = "\n".join(f"* [{name.replace('_', ' ')}]({name}.md)" for name in written)
    _write(
        folder / "cells.md",
        f"# Cells of the periphery\n\nWritten by `cosim characterise`; the table has the same numbers.\n\n{links}\n",
    )
    return folder / "cells.md"


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def points_csv(measured: Sequence[Measured]) -> str:
    """Return all simulated points as CSV: bench, conditions, quantity, value."""
    conditions = list(dict.fromkeys(itertools.chain.from_iterable(point.conditions for point in measured)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["bench", *conditions, "quantity", "value"])
    for point in measured:
        given = [point.conditions.get(name, "") for name in conditions]
        writer.writerows([point.bench, *given, name, f"{value:.9g}"] for name, value in point.values.items())
    return text.getvalue()


def _cell_text(one: Characterised, has_pictures: bool) -> str:
    name = one.cell.name
    parts = [f"# {name.replace('_', ' ')}\n\n{one.cell.summary}\n"]
    if one.laws:
        parts.append(f"![Laws]({name}_laws.svg)\n")
        lines = [
            "| quantity | law | coefficients | worst error, fitted | held out | used |",
            "|---|---|---|---|---|---|",
        ]
        for law in one.laws:
            coefficients = ", ".join(f"{key} = {value:.4g}" for key, value in law.coefficients.items())
            used = "law" if law.is_accurate else "the table interpolates"
            lines.append(
                f"| `{law.law.quantity}` | {law.law.formula} | {coefficients} | "
                f"{percent(law.worst_fit_error)} ({law.fitted_points} points) | "
                f"{percent(law.worst_held_out_error)} ({law.held_out_points}) | {used} |"
            )
        parts.append("\n".join(lines) + "\n")
    if has_pictures:
        parts.append(f"![Waveforms]({name}_waveforms.svg)\n")
    names = [condition for condition in CONDITIONS if any(condition in entry.conditions for entry in one.entries)]
    lines = [
        f"| quantity | {' | '.join([*names, 'value', 'kind', 'how'])} |".replace("|  |", "|"),
        "|" + "---|" * (len(names) + 4),
    ]
    for entry in one.entries:
        given = [_plain(entry.conditions.get(condition, "")) for condition in names]
        lines.append(f"| `{entry.quantity}` | {' | '.join([*given, _value(entry), entry.kind, entry.note])} |")
    parts.append("\n".join(lines) + "\n")
    parts.append(f"All {len(one.measured)} simulated points: [`{name}_points.csv`]({name}_points.csv).\n")
    return "\n".join(parts)


def _plain(value: float | int | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _value(entry: Entry) -> str:
    if entry.unit == "1":
        return f"{entry.value:.4g}"
    if entry.unit == "m2":
        return f"{entry.value * 1e12:.4g} µm²"
    return engineering(entry.value, UNIT_SYMBOLS.get(entry.unit, entry.unit))


def summary_table(done: Sequence[Characterised]) -> Table:
    """Lay out cells and laws for a terminal."""
    table = Table(title="Characterised cells")
    for header in ("cell", "points", "entries", "law", "worst error held out", "used"):
        table.add_column(header, justify="right" if header in ("points", "entries") else "left")
    for one in done:
        rows = [
            (
                f"{law.law.quantity} = {law.law.formula}",
                percent(law.worst_held_out_error),
                "law" if law.is_accurate else "table interpolates",
            )
            for law in one.laws
        ] or [("", "", "")]
        for place, row in enumerate(rows):
            first = (one.cell.name, str(len(one.measured)), str(len(one.entries))) if place == 0 else ("", "", "")
            table.add_row(*(Text(text) for text in (*first, *row)))
    return table


def _draw_laws(one: Characterised, path: Path) -> None:
    with house_style():
        rows = -(-len(one.laws) // COLUMNS)
        figure = new_figure(PANEL_INCH * rows + 0.5)
        grid = figure.subplots(rows, COLUMNS, squeeze=False)
        for axes, law in zip(grid.flat, one.laws, strict=False):
            _plot_law(axes, law, [entry for entry in one.entries if entry.quantity == law.law.quantity])
        remove_empty(grid, len(one.laws))
        shown = dict(marker="o", linestyle="", color=COLOURS[0])
        corners = [
            Line2D([], [], marker=MARKERS[place], linestyle="", color=COLOURS[place], label=label)
            for place, label in enumerate(("fast", "slow", "248 K", "358 K"), start=1)
        ]
        add_legend(
            figure,
            [
                Line2D([], [], label="fitted", **shown),  # type: ignore[arg-type]
                Line2D([], [], label="held out", markerfacecolor="white", **shown),  # type: ignore[arg-type]
                Line2D([], [], color=COLOURS[0], label="law"),
                *corners,
            ],
        )
        save_figure(figure, path, source=f"{one.cell.name}_points.csv")


def _plot_law(axes: Axes, law: FittedLaw, entries: Sequence[Entry]) -> None:
    name, *others = law.law.variables
    unit = entries[0].unit
    scale = (
        axis_scale([entry.value for entry in entries], UNIT_SYMBOLS.get(unit, unit)) if unit != "1" else Scale(1, "")
    )
    if unit == "m2":
        scale = Scale(1e12, "µm²")
    nominal = [entry for entry in entries if _corner_place(entry) == 0]
    groups: dict[tuple[float, ...], list[Entry]] = {}
    for entry in nominal:
        groups.setdefault(tuple(float(entry.conditions[other]) for other in others), []).append(entry)
    for place, (fixed, members) in enumerate(groups.items()):
        line = LINES[place % len(LINES)]
        low, high = (pick(float(entry.conditions[name]) for entry in members) for pick in (min, max))
        places = np.linspace(low, high, CURVE_POINTS)
        curve = [scale.factor * law({name: x, **dict(zip(others, fixed, strict=True))}) for x in places]
        axes.plot(places, curve, color=COLOURS[0], linestyle=line, linewidth=1.2)
        if len(groups) > 1:
            fixed_text = ", ".join(f"{other} {value:g}" for other, value in zip(others, fixed, strict=True))
            axes.annotate(fixed_text, (high, curve[-1]), xytext=(4, -2), textcoords="offset points", fontsize=6.5)
        for entry in members:
            held_out = law.law.held_out({key: float(entry.conditions[key]) for key in law.law.variables})
            face = "white" if held_out else COLOURS[0]
            axes.plot(
                float(entry.conditions[name]),
                scale.factor * entry.value,
                marker="o",
                markersize=4.5,
                color=COLOURS[0],
                markerfacecolor=face,
            )
    for entry in entries:
        corner = _corner_place(entry)
        if corner:
            axes.plot(
                float(entry.conditions[name]),
                scale.factor * entry.value,
                marker=MARKERS[corner],
                markersize=4,
                linestyle="",
                color=COLOURS[corner],
            )
    formula = law.law.formula if len(law.law.formula) <= FORMULA_CHARACTERS else "(law: see the table)"
    axes.set_title(f"{law.law.quantity}\n{formula}", fontsize=8)
    axes.set_xlabel(AXIS_NAMES[name])
    axes.set_ylabel(scale.unit or "1")
    axes.set_ylim(bottom=0)


def _corner_place(entry: Entry) -> int:
    """Return 0 for nominal and 300 K, and the place of a corner or temperature in the legend."""
    corner = entry.conditions.get("corner", NOMINAL)
    temperature = float(entry.conditions.get("temperature_k", ROOM_K))
    if corner != NOMINAL:
        return 1 if corner == "fast" else 2
    return 0 if temperature == ROOM_K else 3 if temperature < ROOM_K else 4


def _draw_waveforms(pictures: Sequence[Picture], path: Path) -> None:
    panels = [(picture, simulate(picture.deck)) for picture in pictures]
    count = sum(len(picture.panels) for picture in pictures)
    with house_style():
        figure = new_figure(1.6 * count + 0.4)
        grid = np.atleast_1d(figure.subplots(count, 1))
        place = 0
        for picture, waves in panels:
            times = axis_scale([float(waves.axis[-1])], "s")
            for number, (label, vectors) in enumerate(picture.panels):
                axes = grid[place]
                _plot_waves(axes, waves.axis * times.factor, {name: waves[name].real for name in vectors})
                axes.set_ylabel(label)
                axes.set_title(picture.deck.title if number == 0 else "", fontsize=8.5)
                if number == len(picture.panels) - 1:
                    axes.set_xlabel(f"time ({times.unit})")
                place += 1
        save_figure(figure, path, source=path.stem)


def _plot_waves(axes: Axes, times: np.ndarray, vectors: Mapping[str, np.ndarray]) -> None:
    for place, (name, values) in enumerate(vectors.items()):
        style = dict(color=COLOURS[place % len(COLOURS)], linestyle=LINES[place % len(LINES)])
        axes.plot(times, values, linewidth=1.1, label=name, **style)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7.5)
