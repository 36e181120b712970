"""The page of a study: one file that holds everything and loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined, Template

from cosim.reporting.atomic import atomic_path
from cosim.reporting.breakdown import BillLine, bill_lines
from cosim.reporting.cost_sections import (
    CHECK_HEADERS,
    FLOORPLAN_HEADERS,
    BandRow,
    band_headers,
    band_rows,
    band_sentence,
    check_rows,
    check_sentence,
    design_table,
    floorplan_tables,
)
from cosim.reporting.cost_tables import write_tables_of
from cosim.reporting.engineering import engineering, percent, percent_spread
from cosim.reporting.figures import SECTIONS, Drawing, configurations_of, save_drawings
from cosim.reporting.frames import RunFrames, load_run
from cosim.reporting.price_notes import Notes, price_notes
from cosim.reporting.provenance import kind_counts, sources
from cosim.reporting.table import BILL_HEADERS, RESULT_HEADERS, bill_cells, result_rows
from cosim.reporting.tiles import EXPLANATION, tile_tables

DIGITAL = "digital_sgd"
UNBROKEN_SPACE = "\N{NO-BREAK SPACE}"
HEADING_NAMES = {"operation": "by operation", "component": "by component", "total": ""}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure inside the page."""

    caption: str
    alternative: str
    address: str


@dataclass(frozen=True, kw_only=True)
class BillRow:
    """One line of a bill: its name, and its cells with what each is made of."""

    name: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class BillGroup:
    """Consecutive lines of a bill under one heading."""

    heading: str
    lines: tuple[BillRow, ...]


@dataclass(frozen=True, kw_only=True)
class Bill:
    """The summed bill of one configuration."""

    label: str
    total: str
    groups: tuple[BillGroup, ...]


def write_page(folder: Path) -> Path:
    """Write the figures, the page and the bills as tables (bill.md, bill.tex) of a run folder.

    Parameters
    ----------
    folder : Path
        What `cosim run` or `cosim price` left.

    Returns
    -------
    Path
        ``folder/index.html``, replaced as a whole; the same files give the same bytes.

    Raises
    ------
    ValueError
        If the folder holds none of ``results.csv``, ``bill.csv`` and ``designs.csv``.
    """
    frames = load_run(folder)
    configurations = configurations_of(frames)
    pictures = save_drawings(frames, configurations)
    page = frames.folder / "index.html"
    with atomic_path(page) as temporary:
        html = _template().render(_content(frames, configurations, pictures))
        temporary.write_text(html, encoding="utf-8", newline="\n")
    write_tables_of(frames)
    return page


@cache
def _template() -> Template:
    source = resources.files("cosim.reporting").joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(source)


def _content(
    frames: RunFrames, configurations: pd.DataFrame, drawn: Sequence[tuple[Drawing, Path]]
) -> Mapping[str, Any]:
    trained = not frames.results.empty
    found = sources(frames.bill) if not frames.bill.empty else []
    bands = band_rows(frames.bands, configurations)
    checks = check_rows(frames.checks, configurations)
    return {
        "title": str(frames.summary.get("title") or "Study"),
        "lead": _lead(frames, configurations) if trained else _priced_lead(frames, configurations, bands),
        "origin": _origin(frames.summary),
        "result_headers": RESULT_HEADERS,
        "results": result_rows(configurations) if trained else [],
        "several_seeds": trained and int(configurations["seeds"].max()) > 1,
        "pictures": {name: _pictures(drawn, name) for name in SECTIONS},
        "several": len(configurations) > 1,
        "floorplan_headers": FLOORPLAN_HEADERS,
        "floorplans": floorplan_tables(frames.floorplan, configurations),
        "band_headers": band_headers(),
        "bands": bands,
        "check_headers": CHECK_HEADERS,
        "checks": checks,
        "check_sentence": check_sentence(checks),
        "designs": design_table(frames.designs) if len(frames.designs) > 1 else None,
        "tiles": tile_tables(frames.tiles, frames.results, configurations) if trained else [],
        "tiles_explained": EXPLANATION,
        "bill_headers": BILL_HEADERS,
        "bills": _bills(frames.bill, configurations),
        "sources": found,
        "kinds": [(kind, count, percent(share, 0)) for kind, count, share in kind_counts(found)],
        "percent": percent,
        "study": frames.study,
        "notes": _notes(frames),
    }


def _lead(frames: RunFrames, configurations: pd.DataFrame) -> str:
    facts = (
        _count(len(configurations), "configuration"),
        _seeds(configurations["seeds"]),
        f"{_listed(frames.results['network'])} on {_listed(frames.results['data'])}",
    )
    digital = configurations["algorithm"] == DIGITAL
    sentences = [", ".join(facts) + ".", _best("Highest test accuracy", configurations)]
    if digital.any() and not digital.all():
        sentences[1:] = [
            _best("Best on devices", configurations[~digital]),
            _best("Digital reference", configurations[digital]),
        ]
    return " ".join(sentence for sentence in sentences if sentence)


def _best(claim: str, configurations: pd.DataFrame) -> str:
    if configurations["test_accuracy"].isna().all():
        return ""
    best = configurations.iloc[int(configurations["test_accuracy"].argmax())]
    accuracy = percent_spread(float(best["test_accuracy"]), float(best["test_accuracy_spread"]))
    energy = engineering(float(best["energy_per_sample_j"]), "J")
    accuracy, energy = (text.replace(" ", UNBROKEN_SPACE) for text in (accuracy, energy))
    return f"{claim}: {accuracy} by {best['label']}, for {energy} per training sample."


def _priced_lead(frames: RunFrames, configurations: pd.DataFrame, bands: Sequence[BandRow]) -> str:
    if configurations.empty and not frames.designs.empty:
        return f"{_count(len(frames.designs), 'design')} searched."
    said = f"{_count(len(configurations), 'design')} priced per training sample; nothing was trained."
    return " ".join((said, band_sentence(bands[0]))) if len(configurations) == len(bands) == 1 else said


def _seeds(seeds: pd.Series[int]) -> str:
    fewest, most = int(seeds.min()), int(seeds.max())
    if fewest != most:
        return f"{fewest} to {most} seeds each"
    return "one seed" if most == 1 else f"{most} seeds each"


def _origin(summary: Mapping[str, Any]) -> str:
    parts = [f"{name} {summary[name]}" for name in ("version", "commit") if summary.get(name)]
    return ", ".join(("cosim", *parts)) if parts else "cosim"


def _listed(values: pd.Series[str]) -> str:
    return ", ".join(str(value) for value in values.dropna().unique()) or "unnamed"


def _pictures(drawn: Sequence[tuple[Drawing, Path]], section: str) -> list[Picture]:
    return [
        Picture(caption=drawing.caption, alternative=drawing.alternative, address=_embedded(path))
        for drawing, path in drawn
        if drawing.section == section
    ]


def _embedded(path: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _bills(bill: pd.DataFrame, configurations: pd.DataFrame) -> list[Bill]:
    billed = configurations[configurations.index.isin(bill["configuration"])]
    return [
        _bill(str(configuration["label"]), bill[bill["configuration"] == number])
        for number, configuration in billed.iterrows()
    ]


def _bill(label: str, rows: pd.DataFrame) -> Bill:
    lines, notes = bill_lines(rows), price_notes(rows)
    groups = tuple(
        BillGroup(heading=name, lines=tuple(_bill_row(line, notes) for line in lines if line.heading == heading))
        for heading, name in HEADING_NAMES.items()
    )
    return Bill(label=label, total=engineering(lines[-1].energy_j, "J"), groups=groups)


def _bill_row(line: BillLine, notes: Notes) -> BillRow:
    """Give energy and its share the note of the energy, latency and its share that of the latency."""
    name, *cells = bill_cells(line)
    energy, latency, size = notes.get((line.heading, line.name), ("", "", ""))
    hovers = (energy, energy, latency, latency, size)
    return BillRow(name=name, cells=tuple(zip(cells, hovers, strict=True)))


def _notes(frames: RunFrames) -> list[str]:
    not_finite = int((~np.isfinite(frames.results["test_loss"])).sum())
    counted = (
        (frames.rows_not_shown, "other row", "kept in results.csv and not shown: not of this study."),
        (
            frames.rows_repeated,
            "row",
            "not shown: a later one has the same configuration and seed (a second run, or a swept key that "
            "this algorithm does not use).",
        ),
        (frames.runs_unfinished, "run", "without a result yet, not shown."),
        (not_finite, "row", "without a finite test loss: training diverged."),
    )
    notes = [str(note) for note in frames.summary.get("notes") or ()]
    return [*_progress(frames), *notes, *(f"{_count(number, noun)} {text}" for number, noun, text in counted if number)]


def _progress(frames: RunFrames) -> list[str]:
    points, finished = frames.summary.get("points"), len(frames.results)
    if frames.results.empty or not isinstance(points, int) or finished + frames.rows_repeated >= points:
        return []
    return [f"In progress: {finished + frames.rows_repeated} of {points} points are finished."]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
