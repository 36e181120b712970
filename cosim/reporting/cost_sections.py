"""What the page says about area, sureness, limits and searched designs, as text ready to show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cosim.reporting.design_space import MOST_LISTED, drawable, front_points, short_name, swept_names
from cosim.reporting.engineering import (
    MISSING,
    area,
    engineering,
    percent,
    quantity,
    quantity_range,
    storage,
)
from cosim.reporting.tornado import RESULTS

FLOORPLAN_HEADERS = (
    "layer",
    "weights",
    "tiles",
    "arrays",
    "used",
    "sets",
    "ADC / DAC / TIA",
    "area of arrays",
    "of periphery",
    "of one copy",
)
CHECK_HEADERS = ("check", "layer", "value", "limit", "what it means")


@dataclass(frozen=True, kw_only=True)
class FloorplanTable:
    """The floorplan of one configuration; the cells follow `FLOORPLAN_HEADERS`."""

    label: str
    total: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Banded:
    """A result with the range it may lie in."""

    nominal: str
    band: str


@dataclass(frozen=True, kw_only=True)
class BandRow:
    """The banded results of one configuration, in the order of `RESULTS`."""

    label: str
    cells: tuple[Banded, ...]
    draws: str


@dataclass(frozen=True, kw_only=True)
class CheckRow:
    """One check; the cells follow `CHECK_HEADERS`."""

    label: str
    cells: tuple[str, ...]
    holds: bool


@dataclass(frozen=True, kw_only=True)
class DesignTable:
    """Points of the front, each with its letter on the figure first."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


def floorplan_tables(floorplan: pd.DataFrame, configurations: pd.DataFrame) -> list[FloorplanTable]:
    """Lay out the floorplan of the first run of each configuration."""
    return [
        FloorplanTable(
            label=label,
            total=area(float(rows[["array_area_m2", "periphery_area_m2"]].sum().sum())),
            rows=tuple(_floorplan_cells(row) for _, row in rows.iterrows()),
        )
        for label, rows in _first_runs(floorplan, configurations)
    ]


def band_rows(bands: pd.DataFrame, configurations: pd.DataFrame) -> list[BandRow]:
    """Write nominal and band of each result, for the first run of each configuration."""
    found = []
    for label, rows in _first_runs(bands, configurations):
        cells = tuple(_banded(rows, name) for name in RESULTS)
        draws = rows["draws"].dropna()
        found.append(BandRow(label=label, cells=cells, draws=f"{draws.max():.0f}" if len(draws) else MISSING))
    return found


def band_headers() -> list[str]:
    """Return what `BandRow.cells` are."""
    return [name.replace(" per training sample", "") for name, _ in RESULTS.values()]


def band_sentence(row: BandRow) -> str:
    """Say the banded results of one design in a sentence; empty without any."""
    known = [
        f"{name} {cell.nominal} ({cell.band})"
        for name, cell in zip(band_headers(), row.cells, strict=True)
        if cell.band != MISSING
    ]
    if not known:
        return ""
    text = ", ".join(known)
    return f"{text[0].upper()}{text[1:]}; brackets: 5 % to 95 % of {row.draws} draws of the assumptions."


def check_rows(checks: pd.DataFrame, configurations: pd.DataFrame) -> list[CheckRow]:
    """Write every check, the broken ones first; a check that one run breaks is broken for its configuration."""
    ordered = checks.sort_values("holds", kind="stable").drop_duplicates(["configuration", "check", "layer"])
    return [
        CheckRow(
            label=str(configurations.loc[row["configuration"], "label"]),
            cells=_check_cells(row),
            holds=bool(row["holds"]),
        )
        for _, row in ordered.iterrows()
    ]


def check_sentence(rows: Sequence[CheckRow]) -> str:
    """Say how many checks hold."""
    broken = sum(not row.holds for row in rows)
    if not broken:
        return f"All {len(rows)} checks hold." if len(rows) > 1 else "The one check holds."
    return f"{broken} of {len(rows)} checks {'is' if broken == 1 else 'are'} broken."


def design_table(designs: pd.DataFrame) -> DesignTable:
    """Lay out points of the front of a search."""
    names = swept_names(designs)
    trained = bool(designs["test_accuracy"].notna().any())
    costs = ("energy", "latency", "area", "storage", *(("accuracy",) if trained else ()))
    points = front_points(designs)
    front = int(drawable(designs)["on_front"].sum())
    note = f"{len(points)} of the {front} designs on the front" if front > len(points) else "Every design on the front"
    return DesignTable(
        headers=("", "design", *(short_name(name) for name in names), *costs),
        rows=tuple(
            (
                point.letter,
                point.design,
                *(_cell(value) for value in point.swept.values()),
                *_design_costs(point.costs)[: len(costs)],
            )
            for point in points
        ),
        note=f"{note}, the cheapest in energy first."
        + (
            f" At most {MOST_LISTED} are listed: the best in each respect, and others spread between."
            if front > len(points)
            else ""
        ),
    )


def _first_runs(table: pd.DataFrame, configurations: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    first = table.drop_duplicates("configuration").sort_values("configuration", kind="stable")
    return [
        (str(configurations.loc[number, "label"]), table[table["run_id"] == run_id])
        for number, run_id in zip(first["configuration"], first["run_id"], strict=True)
    ]


def _floorplan_cells(row: pd.Series[float]) -> tuple[str, ...]:
    weights = "" if pd.isna(row["outputs"]) else f"{row['outputs']:.0f} × {row['inputs']:.0f}"
    counts = {name: _count(row[name]) for name in ("tiles", "arrays", "converter_sets", "adcs", "dacs", "tias")}
    areas = [_area(row[name]) for name in ("array_area_m2", "periphery_area_m2", "one_copy_area_m2")]
    used = "" if pd.isna(row["utilisation"]) else percent(float(row["utilisation"]), 0)
    converters = " / ".join(filter(None, (counts[name] for name in ("adcs", "dacs", "tias"))))
    return (
        str(row["layer"]),
        weights,
        counts["tiles"],
        counts["arrays"],
        used,
        counts["converter_sets"],
        converters,
        *areas,
    )


def _count(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.0f}"


def _area(value: float) -> str:
    return "" if pd.isna(value) or value == 0 else area(float(value))


def _banded(rows: pd.DataFrame, name: str) -> Banded:
    found = rows[rows["figure"] == name]
    if found.empty:
        return Banded(nominal=MISSING, band=MISSING)
    unit, row = RESULTS[name][1], found.iloc[0]
    low, high = float(row["low"]), float(row["high"])
    band = MISSING if math.isnan(low) or math.isnan(high) else quantity_range(low, high, unit)
    return Banded(nominal=quantity(float(row["nominal"]), unit), band=band)


def _check_cells(row: pd.Series[float]) -> tuple[str, ...]:
    unit = "1" if pd.isna(row["unit"]) else str(row["unit"])
    texts = ("" if pd.isna(row[name]) else str(row[name]).replace("_", " ") for name in ("check", "layer"))
    numbers = (quantity(float(row[name]), unit) for name in ("value", "limit"))
    return (*texts, *numbers, "" if pd.isna(row["text"]) else str(row["text"]))


def _design_costs(row: pd.Series[float]) -> tuple[str, ...]:
    return (
        engineering(float(row["energy_per_sample_j"]), "J"),
        engineering(float(row["latency_per_sample_s"]), "s"),
        area(float(row["area_m2"])),
        storage(float(row["digital_storage_byte"])),
        percent(float(row["test_accuracy"])),
    )


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
