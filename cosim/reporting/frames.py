"""What a run left in its folder, read into data frames."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cosim.reporting.configurations import assign_configurations
from cosim.reporting.labels import design_names
from cosim.tables import OUTCOMES, RESULT_COLUMNS, TILE_COLUMNS

RESULT_NUMBERS = (*OUTCOMES, "seconds")
HISTORY_NUMBERS = ("epoch", "samples", "test_accuracy")
HISTORY_NEEDED = ("run_id", *HISTORY_NUMBERS)
TILE_NEEDED = tuple(name for name in TILE_COLUMNS if name != "wire_error_lsb")  # older folders lack it
TILE_NUMBERS = ("epoch", "tile", "mean_abs_weight")
BILL_NUMBERS = ("energy_j", "latency_s", "area_m2")
BILL_NEEDED = ("run_id", "operation", "component", *BILL_NUMBERS, "source")
FLOORPLAN_NUMBERS = (
    "tiles",
    "outputs",
    "inputs",
    "arrays",
    "rows_used",
    "cols_used",
    "utilisation",
    "converter_sets",
    "adcs",
    "dacs",
    "tias",
    "array_area_m2",
    "periphery_area_m2",
    "one_copy_area_m2",
)
FLOORPLAN_NEEDED = ("run_id", "layer", *FLOORPLAN_NUMBERS)
SCHEDULE_NUMBERS = ("start_s", "duration_s")
SCHEDULE_FLAGS = ("critical", "hidden")
SCHEDULE_NEEDED = ("run_id", "layer", "operation", *SCHEDULE_NUMBERS, *SCHEDULE_FLAGS)
BAND_NUMBERS = ("low", "nominal", "high", "draws")
BAND_NEEDED = ("run_id", "figure", *BAND_NUMBERS)
TORNADO_NUMBERS = ("nominal", "assumption_low", "assumption_high", "low", "high")
TORNADO_NEEDED = ("run_id", "figure", "assumption", "unit", "kind", "source", *TORNADO_NUMBERS)
CHECK_NUMBERS = ("value", "limit")
CHECK_FLAGS = ("holds",)
CHECK_NEEDED = ("run_id", "check", "layer", "unit", "text", *CHECK_NUMBERS, *CHECK_FLAGS)
DESIGN_COSTS = ("energy_per_sample_j", "latency_per_sample_s", "area_m2", "digital_storage_byte")
DESIGN_NUMBERS = (*DESIGN_COSTS, "test_accuracy")
DESIGN_FLAGS = ("on_front",)
DESIGN_NEEDED = ("design", *DESIGN_NUMBERS, *DESIGN_FLAGS)
TRUE_WORDS = frozenset(("true", "1", "1.0"))
OF_RUNS = ("bill", "tiles", "floorplan", "schedule", "bands", "tornado", "checks")


@dataclass(frozen=True, kw_only=True)
class RunFrames:
    """The rows of one study that a report shows.

    Attributes
    ----------
    folder : Path
        Where they were read.
    results, history, bill, tiles : pandas.DataFrame
        The CSV files, each with a column ``configuration``; empty where the file is missing.
    floorplan, schedule, bands, tornado, checks : pandas.DataFrame
        The same for the tables of the cost model, which older folders lack.
    designs : pandas.DataFrame
        Every design of a search, one row each: not tied to a run.
    study : str
        The resolved study file, verbatim; empty where it is missing.
    summary : Mapping
        Content of ``summary.json``.
    rows_not_shown : int
        Rows of ``results.csv`` that belong to an earlier study.
    rows_repeated : int
        Rows of the current study that a later row of the same configuration and seed replaces.
    runs_unfinished : int
        Runs with a history or a bill and no result yet.
    """

    folder: Path
    results: pd.DataFrame
    history: pd.DataFrame
    bill: pd.DataFrame
    tiles: pd.DataFrame
    floorplan: pd.DataFrame
    schedule: pd.DataFrame
    bands: pd.DataFrame
    tornado: pd.DataFrame
    checks: pd.DataFrame
    designs: pd.DataFrame
    study: str = ""
    summary: Mapping[str, Any]
    rows_not_shown: int = 0
    rows_repeated: int = 0
    runs_unfinished: int = 0


def load_run(folder: Path) -> RunFrames:
    """Read a run folder.

    Parameters
    ----------
    folder : Path
        Folder with ``results.csv``, ``history.csv``, ``bill.csv``, ``tiles.csv``, ``study.toml`` and
        ``summary.json``, and of the cost model ``floorplan.csv``, ``schedule.csv``, ``bands.csv``,
        ``tornado.csv``, ``checks.csv`` and ``designs.csv``; each may be missing, but not all three of
        ``results.csv``, ``bill.csv`` and ``designs.csv``.

    Returns
    -------
    RunFrames
        The rows of the current study, each assigned to its configuration.

    Raises
    ------
    ValueError
        If there is no result, no bill and no design, or if a file lacks a column.
    """
    folder = Path(folder)
    if not any((folder / name).is_file() for name in ("results.csv", "bill.csv", "designs.csv")):
        raise ValueError(
            f"{folder}: nothing to report: needs results.csv or bill.csv (or designs.csv, of a search); run "
            "`cosim run STUDY.toml` first"
        )
    frames = RunFrames(
        folder=folder,
        results=_read(folder / "results.csv", RESULT_COLUMNS, RESULT_NUMBERS),
        history=_read(folder / "history.csv", HISTORY_NEEDED, HISTORY_NUMBERS),
        bill=_read(folder / "bill.csv", BILL_NEEDED, BILL_NUMBERS),
        tiles=_read(folder / "tiles.csv", TILE_NEEDED, TILE_NUMBERS),
        floorplan=_read(folder / "floorplan.csv", FLOORPLAN_NEEDED, FLOORPLAN_NUMBERS),
        schedule=_read(folder / "schedule.csv", SCHEDULE_NEEDED, SCHEDULE_NUMBERS, SCHEDULE_FLAGS),
        bands=_read(folder / "bands.csv", BAND_NEEDED, BAND_NUMBERS),
        tornado=_read(folder / "tornado.csv", TORNADO_NEEDED, TORNADO_NUMBERS),
        checks=_read(folder / "checks.csv", CHECK_NEEDED, CHECK_NUMBERS, CHECK_FLAGS),
        designs=_read(folder / "designs.csv", DESIGN_NEEDED, DESIGN_NUMBERS, DESIGN_FLAGS),
        study=_read_text(folder / "study.toml"),
        summary=_read_summary(folder / "summary.json"),
    )
    return _with_configurations(_shown(frames))


def _read(path: Path, columns: Sequence[str], numbers: Sequence[str], flags: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table whose first needed column names the row; a row without that name is dropped."""
    if not path.is_file() or path.stat().st_size == 0:
        kinds = dict.fromkeys(numbers, "float") | dict.fromkeys(flags, "bool")
        return pd.DataFrame(columns=list(columns)).astype(kinds)
    frame = pd.read_csv(path, dtype={"run_id": str, "layer": str, "unit": str})
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(f"{path}: lacks the columns {', '.join(missing)}; it has {', '.join(frame.columns)}")
    for name in numbers:  # a row cut short by a kill may hold half a number
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype(float)
    for name in flags:  # and half a word
        frame[name] = frame[name].astype(str).str.strip().str.lower().isin(TRUE_WORDS)
    return frame.dropna(subset=[columns[0]]).reset_index(drop=True)


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _read_summary(path: Path) -> Mapping[str, Any]:
    text = _read_text(path).strip()
    if not text:
        return {}
    try:
        summary = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: is not valid JSON ({error}); run `cosim run STUDY.toml` again") from error
    if not isinstance(summary, dict):
        raise ValueError(f"{path}: holds a {type(summary).__name__}; a table of keys and values is needed")
    return summary


def _shown(frames: RunFrames) -> RunFrames:
    shown = frames.summary.get("shown_run_ids")
    if shown is None:
        return frames
    run_ids = [str(run_id) for run_id in shown]
    selected = _select(frames, run_ids)
    return replace(selected, rows_not_shown=len(frames.results) - len(selected.results))


def _select(frames: RunFrames, run_ids: Sequence[str]) -> RunFrames:
    selected: dict[str, Any] = {}
    for name in ("results", "history", *OF_RUNS):
        rows = getattr(frames, name)
        selected[name] = rows[rows["run_id"].isin(run_ids)]
    return replace(frames, **selected)


def _with_configurations(frames: RunFrames) -> RunFrames:
    if frames.results.empty:
        return _priced_only(frames)
    assigned = assign_configurations(frames.results)
    results = assigned.drop_duplicates(["configuration", "seed"], keep="last")
    known = set(assigned["run_id"])
    unfinished = (set(frames.history["run_id"]) | set(frames.bill["run_id"])) - known
    configuration = results.drop_duplicates("run_id").set_index("run_id")["configuration"]
    joined: dict[str, Any] = {name: _join(getattr(frames, name), configuration) for name in OF_RUNS}
    return replace(
        frames,
        results=results.reset_index(drop=True),
        history=_join(frames.history.drop_duplicates(["run_id", "epoch"], keep="last"), configuration),
        **joined,
        rows_repeated=len(assigned) - len(results),
        runs_unfinished=len(unfinished),
    )


def _priced_only(frames: RunFrames) -> RunFrames:
    run_ids = list(pd.unique(pd.concat([frames.bill["run_id"], frames.history["run_id"]])))
    names = design_names(run_ids, frames.summary)
    numbers, _ = pd.factorize(pd.Series(names, dtype="object"))
    configuration = pd.Series(numbers, index=run_ids, dtype="int64")
    joined: dict[str, Any] = {name: _join(getattr(frames, name), configuration) for name in OF_RUNS}
    return replace(
        frames,
        results=frames.results.assign(configuration=pd.Series(dtype="int64")),
        history=_join(frames.history, configuration),
        **joined,
    )


def _join(rows: pd.DataFrame, configuration: pd.Series[int]) -> pd.DataFrame:
    kept = rows[rows["run_id"].isin(configuration.index)]
    return kept.assign(configuration=kept["run_id"].map(configuration).astype("int64")).reset_index(drop=True)
