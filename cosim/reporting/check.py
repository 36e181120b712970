"""What `cosim check` leaves for people: the table of what was compared, waveforms, figures and a page."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined, Template
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter
from rich.table import Table
from rich.text import Text

from cosim.check import Check, Finding
from cosim.reporting.atomic import atomic_path
from cosim.reporting.style import (
    FAINT_COLOUR,
    FILLS,
    HATCHES,
    LINES,
    TEXT_COLOUR,
    add_legend,
    house_style,
    new_figure,
    save_figure,
    series_styles,
)

HEADERS = (
    *("place", "operation", "cells", "compared"),
    *("rms / LSB", "largest / LSB", "relative error", "tolerance", "result"),
)
NUMBERS = slice(4, 8)  # those of the headers that stand above numbers
CAUSES = ("wires", "gain error", "settling", "offset", "quantisation", "total", "unexplained")
OPERATIONS = ("forward", "backward", "update", "transfer")
VERDICTS = {True: "pass", False: "FAIL", None: ""}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure inside the page."""

    caption: str
    alternative: str
    address: str


@dataclass(frozen=True)
class Row:
    """A line of the table of results: its cells, each with whether it is a number, what is to say, and the verdict."""

    cells: list[tuple[str, bool]]
    note: str
    passed: bool | None


def write_check(done: Check, folder: Path, title: str) -> Path:
    """Write ``check.csv``, ``scatter.csv``, the waveforms, figures and ``index.html``; returns the page.

    Parameters
    ----------
    done : Check
        What `cosim.check.check` returned.
    folder : Path
        Made where it does not exist; what an earlier check left is replaced.
    title : str
        Heading of the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"check.csv": done.table, "waveforms_read.csv": done.read, "waveforms_update.csv": done.update}
    tables["scatter.csv"] = pd.concat(done.scatter, ignore_index=True) if done.scatter else None
    for name, table in tables.items():
        if table is None:
            (folder / name).unlink(missing_ok=True)
            continue
        with atomic_path(folder / name) as temporary:
            table.to_csv(temporary, index=False)
    pictures = [_saved(figure, folder, name, *texts) for figure, name, *texts in _drawn(done)]
    page = folder / "index.html"
    with atomic_path(page) as temporary:
        temporary.write_text(_template().render(_content(done, title, pictures)), encoding="utf-8", newline="\n")
    return page


def check_table(done: Check) -> Table:
    """Lay out what has a tolerance for a terminal."""
    table = Table(title="Circuit against behavioural tiles")
    for place, header in enumerate(HEADERS):
        table.add_column(header, justify="right" if header in HEADERS[NUMBERS] else "left", no_wrap=place < 3)
    for finding in done.findings:
        if finding.passed is not None or finding.note.startswith("not simulated"):
            style = "bold red" if finding.passed is False else ""
            table.add_row(*(Text(cell, style=style) for cell in cells_of_finding(finding)))
    return table


def split_table(done: Check) -> Table:
    """Lay out the causes of the difference of real cells, over all places."""
    table = Table(title="Real cells less ideal ones, forward reads of all places")
    for header, justify in (("cause", "left"), ("rms / LSB", "right"), ("largest / LSB", "right")):
        table.add_column(header, justify=justify)  # type: ignore[arg-type]  # rich's literal
    for cause, rms, largest in split(done.findings):
        table.add_row(cause, _number(rms), _number(largest))
    return table


def split(findings: Sequence[Finding]) -> list[tuple[str, float, float]]:
    """Return cause, rms and largest difference in LSB over the forward reads of all places."""
    rows = []
    for cause in CAUSES:
        found = [f for f in findings if f.cause == cause and f.operation == "forward" and f.level == "real"]
        if found:
            rms = math.sqrt(sum(finding.rms_lsb**2 for finding in found) / len(found))
            rows.append((cause, rms, max(finding.max_lsb for finding in found)))
    return rows


def cells_of_finding(finding: Finding) -> tuple[str, ...]:
    """Return a finding as text, in the order of `HEADERS`."""
    compared = finding.cause if not finding.note.startswith("not simulated") else finding.note
    return (
        finding.place,
        finding.operation,
        finding.level,
        compared,
        _number(finding.rms_lsb),
        _number(finding.max_lsb),
        _number(finding.relative_error),
        _number(finding.tolerance) + (" LSB" if finding.tolerance_is_in_lsb else ""),
        VERDICTS[finding.passed],
    )


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2g}"


@cache
def _template() -> Template:
    source = resources.files("cosim.reporting").joinpath("check.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)


def _content(done: Check, title: str, pictures: Sequence[Picture]) -> Mapping[str, Any]:
    compared = sum(finding.passed is not None for finding in done.findings)
    verdict = f"All {compared} comparisons pass." if done.passed else f"Failed: {done.reasons()}."
    return {
        "title": title,
        "lead": f"{verdict} {LEAD}",
        "facts": list(done.facts.items()),
        "headers": [(header, header in HEADERS[NUMBERS]) for header in (*HEADERS[1:], "note")],
        "groups": _groups(done.findings),
        "causes": [(cause, _number(rms), _number(largest)) for cause, rms, largest in split(done.findings)],
        "pictures": pictures,
        "notes": NOTES,
    }


def _groups(findings: Sequence[Finding]) -> list[tuple[str, list[Row]]]:
    """Return the findings that are more than a cause, by place in the order in which places came first."""
    groups: dict[str, list[Row]] = {}
    for finding in findings:
        if finding.passed is None and (finding.cause in CAUSES or not finding.note):
            continue
        _, *cells = cells_of_finding(finding)
        numbers = [header in HEADERS[NUMBERS] for header in HEADERS[1:]]
        note = "" if finding.note.startswith("not simulated") else finding.note
        groups.setdefault(finding.place, []).append(Row(list(zip(cells, numbers, strict=True)), note, finding.passed))
    return list(groups.items())


LEAD = (
    "Sub-arrays of the trained conductances were simulated in ngspice with inputs and errors of one mini-batch, and "
    "compared with what the behavioural tiles give."
)
NOTES = (
    "A place is a layer with its first and last output and its first and last input, counted from 0. A tolerance "
    "without a unit is that of the relative error; one in LSB is that of the rms difference, or of the largest one "
    "for drift. LSB are those of the converter that a column has in the study.",
    "Ideal cells: no wires, inputs as amplitudes, op-amps without limits; a sweep of operating points against a tile "
    "group with ideal converters. The error is the largest difference over the largest result.",
    "Real cells, forward: each cause is added to those above it, and its line is the change that it makes. Wires: "
    "pairs of cells on one column, solved by ngspice. Gain error: finite gain, and resistors off by 0.5 % rms. "
    "Settling: pulses of the DAC's length instead of amplitudes, op-amps with a bandwidth and supplies; it holds the "
    "gain that an integrator of finite bandwidth loses. Offset: of every op-amp, not trimmed. Quantisation: rounding "
    "of an ideal converter.",
    "Unexplained: the integrators' voltages, less what they show without an input and less the gain error that the "
    "design is known to have, against a tile group with its wires and gain mismatch. The tile model holds a pair of "
    "cells in two arrays; the circuit has both on one column.",
    "Drift: what the integrators still move after the sample; a TIA that is too slow shows here.",
    "Updates and transfers: trains that the tile draws for vectors of the mini-batch, onto memristive cells with the "
    "steps and bounds of the tile's devices, without cycle-to-cycle noise. The error is the rms difference over the "
    "rms change. Lines of one sign are pulsed at a time, up before down.",
    "Op-amps are behavioural, with the gain, bandwidth and output resistance of the transistor cell; sample-and-hold "
    "and the converter's own errors are not in this circuit. A transient takes the array as its ends see it: the "
    "wires' own time constants are below a picosecond.",
)


def _drawn(done: Check) -> list[tuple[Figure, str, str, str]]:
    """Return figures with name, caption and alternative text."""
    drawn = []
    with house_style():
        if done.scatter:
            drawn.append(
                (
                    draw_scatter(pd.concat(done.scatter, ignore_index=True)),
                    "scatter",
                    "What the circuit gives against what the tile model gives: reads in LSB of the converter, with "
                    "ideal and with real cells, and changes of weights in steps of the device; below, the "
                    "difference.",
                    "Scatter plots of circuit against model for forward reads, backward reads and writes; points lie "
                    "on the diagonal.",
                )
            )
        rows = [f for f in done.findings if f.level == "real" and f.operation == "forward" and f.cause in CAUSES]
        if rows:
            drawn.append(
                (
                    draw_split(rows),
                    "split",
                    "Where the difference between real and ideal cells comes from, in LSB of the converter: rms at "
                    "each place (marks) and over all (bars). Unexplained is against tiles with wires and gain "
                    "mismatch, once the constant offset of each column is taken off; its tolerance is the dashed line.",
                    "Bars of the rms difference in LSB by cause: "
                    + ", ".join(f"{cause} {rms:.2g}" for cause, rms, _ in split(done.findings))
                    + ".",
                )
            )
        for table, name, caption in (
            (
                done.read,
                "waveforms_read",
                "One forward read: the row line whose pulses are longest, and the TIAs and the integrator of the "
                "column with the largest result.",
            ),
            (
                done.update,
                "waveforms_update",
                "One update: row, column and weight of the cell that changes most, and the weight of a cell of the "
                "same column that must not change.",
            ),
        ):
            if table is not None:
                drawn.append((draw_waveforms(table), name, caption, caption))
    return drawn


def _saved(figure: Figure, folder: Path, name: str, caption: str, alternative: str) -> Picture:
    path = save_figure(figure, folder / "figures" / f"{name}.svg", source="check.csv")
    address = "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
    return Picture(caption=caption, alternative=alternative, address=address)


def draw_scatter(table: pd.DataFrame) -> Figure:
    """Draw circuit against model, and the difference below; reads in LSB, writes in steps of the device.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of ``scatter.csv``.
    """
    figure = new_figure(4.6)
    grid = figure.subplots(2, 3, sharex="col", height_ratios=(2, 1))
    writes = table["operation"].isin(("update", "transfer"))
    styles = series_styles(("ideal cells", "real cells", "update", "transfer"))
    panels = (
        (
            "forward reads",
            "LSB",
            {"ideal cells": _reads(table, "forward", "ideal"), "real cells": _reads(table, "forward", "real")},
        ),
        ("backward reads", "LSB", {"ideal cells": _reads(table, "backward", "ideal")}),
        ("writes", "steps", {name: table[writes & (table["operation"] == name)] for name in ("update", "transfer")}),
    )
    for column, (title, unit, series) in enumerate(panels):
        upper, lower = grid[:, column]
        for name, rows in series.items():
            if rows.empty:
                continue
            key = "lsb" if unit == "LSB" else "steps"
            model, found = rows[f"model_{key}"].to_numpy(), rows[f"circuit_{key}"].to_numpy()
            style = styles[name]
            marks = {
                "linestyle": "",
                "marker": style.marker,
                "color": style.colour,
                "markersize": 3.2,
                "fillstyle": "none",
            }
            upper.plot(model, found, **marks)
            lower.plot(model, found - model, **marks)
        low, high = upper.get_xlim()
        upper.plot((low, high), (low, high), color=FAINT_COLOUR, zorder=0)
        upper.set_xlim(low, high)
        upper.set_title(title)
        lower.set_xlabel(f"tile model ({unit})")
        upper.set_ylabel(f"circuit ({unit})")
        lower.set_ylabel(f"difference ({unit})")
    add_legend(
        figure,
        [
            Line2D([], [], linestyle="", marker=s.marker, color=s.colour, fillstyle="none", label=n)
            for n, s in styles.items()
        ],
    )
    return figure


def _reads(table: pd.DataFrame, operation: str, level: str) -> pd.DataFrame:
    if "level" not in table:
        return table.iloc[:0]
    return table[(table["operation"] == operation) & (table["level"] == level)]


def draw_split(rows: Sequence[Finding]) -> Figure:
    """Draw the rms difference of every cause: bars over all places, a mark for each place."""
    figure = new_figure(3.4)
    axes = figure.subplots()
    causes = [cause for cause in CAUSES if any(row.cause == cause for row in rows)]
    places = series_styles(dict.fromkeys(row.place for row in rows))
    for height, cause in enumerate(causes):
        found = [row for row in rows if row.cause == cause]
        rms = math.sqrt(sum(row.rms_lsb**2 for row in found) / len(found))
        axes.barh(
            height, rms, color=FILLS[height], hatch=HATCHES[height % len(HATCHES)], edgecolor=TEXT_COLOUR, linewidth=0.6
        )
        for row in found:
            style = places[row.place]
            axes.plot(
                row.rms_lsb, height, marker=style.marker, color=style.colour, markeredgecolor="white", markersize=6
            )
        tolerances = [row.tolerance for row in found if not math.isnan(row.tolerance)]
        if tolerances:
            axes.plot([tolerances[0]] * 2, (height - 0.45, height + 0.45), color=TEXT_COLOUR, linestyle=LINES[1])
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yticks(range(len(causes)), causes)
    axes.invert_yaxis()
    axes.set_xlabel("rms difference (LSB of the converter)")
    axes.grid(False, axis="y")
    handles: list[Line2D | Patch] = [
        Line2D([], [], linestyle="", marker=style.marker, color=style.colour, label=name)
        for name, style in places.items()
    ]
    handles.append(Line2D([], [], color=TEXT_COLOUR, linestyle=LINES[1], label="tolerance"))
    add_legend(figure, handles)
    return figure


def draw_waveforms(table: pd.DataFrame) -> Figure:
    """Draw a table of waveforms: voltages of lines in one panel, the rest below; time in ns."""
    time_ns = table["time_s"].to_numpy() * 1e9
    names = [name for name in table.columns if name != "time_s"]
    lines = [name for name in names if "line" in name]
    others = [name for name in names if name not in lines]
    figure = new_figure(4.4)
    upper, lower = figure.subplots(2, 1, sharex=True)
    styles = series_styles(names)
    for axes, chosen in ((upper, lines), (lower, others)):
        for name in chosen:
            axes.plot(time_ns, table[name], color=styles[name].colour, linestyle=styles[name].line, linewidth=1.2)
        _label(axes, chosen)
    lower.set_xlabel("time (ns)")
    add_legend(
        figure, [Line2D([], [], color=s.colour, linestyle=s.line, label=n.split(" [")[0]) for n, s in styles.items()]
    )
    return figure


def _label(axes: Axes, names: Sequence[str]) -> None:
    axes.set_ylabel("weight" if all("weight" in name for name in names) else "voltage (V)")
    axes.margins(x=0.01)
    low, high = axes.get_ylim()
    if not np.isclose(low, high):
        axes.set_ylim(low, high)
