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


@dataclass(frozen=True, kw_only=True)
class RunFrames:
    """The rows of one study that a report shows.

    Attributes
    ----------
    folder : Path
        Where they were read.
    results, history, bill, tiles : pandas.DataFrame
        The CSV files, each with a column ``configuration``; empty where the file is missing.
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
        ``summary.json``; each may be missing, but not both ``results.csv`` and ``bill.csv``.

    Returns
    -------
    RunFrames
        The rows of the current study, each assigned to its configuration.

    Raises
    ------
    ValueError
        If there is neither a result nor a bill, or if a file lacks a column.
    """
    folder = Path(folder)
    if not any((folder / name).is_file() for name in ("results.csv", "bill.csv")):
        raise ValueError(
            f"{folder}: nothing to report: needs results.csv or bill.csv; run `cosim run STUDY.toml` first"
        )
    frames = RunFrames(
        folder=folder,
        results=_read(folder / "results.csv", RESULT_COLUMNS, RESULT_NUMBERS),
        history=_read(folder / "history.csv", HISTORY_NEEDED, HISTORY_NUMBERS),
        bill=_read(folder / "bill.csv", BILL_NEEDED, BILL_NUMBERS),
        tiles=_read(folder / "tiles.csv", TILE_NEEDED, TILE_NUMBERS),
        study=_read_text(folder / "study.toml"),
        summary=_read_summary(folder / "summary.json"),
    )
    return _with_configurations(_shown(frames))


def _read(path: Path, columns: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    if not path.is_file() or path.stat().st_size == 0:
        return pd.DataFrame(columns=list(columns)).astype(dict.fromkeys(numbers, float))
    frame = pd.read_csv(path, dtype={"run_id": str})
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(f"{path}: lacks the columns {', '.join(missing)}; it has {', '.join(frame.columns)}")
    for name in numbers:  # a row cut short by a kill may hold half a number
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype(float)
    return frame.dropna(subset=["run_id"]).reset_index(drop=True)


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
    return replace(
        frames,
        results=frames.results[frames.results["run_id"].isin(run_ids)],
        history=frames.history[frames.history["run_id"].isin(run_ids)],
        bill=frames.bill[frames.bill["run_id"].isin(run_ids)],
        tiles=frames.tiles[frames.tiles["run_id"].isin(run_ids)],
    )


def _with_configurations(frames: RunFrames) -> RunFrames:
    if frames.results.empty:
        return _priced_only(frames)
    assigned = assign_configurations(frames.results)
    results = assigned.drop_duplicates(["configuration", "seed"], keep="last")
    known = set(assigned["run_id"])
    unfinished = (set(frames.history["run_id"]) | set(frames.bill["run_id"])) - known
    configuration = results.drop_duplicates("run_id").set_index("run_id")["configuration"]
    return replace(
        frames,
        results=results.reset_index(drop=True),
        history=_join(frames.history.drop_duplicates(["run_id", "epoch"], keep="last"), configuration),
        bill=_join(frames.bill, configuration),
        tiles=_join(frames.tiles, configuration),
        rows_repeated=len(assigned) - len(results),
        runs_unfinished=len(unfinished),
    )


def _priced_only(frames: RunFrames) -> RunFrames:
    run_ids = list(pd.unique(pd.concat([frames.bill["run_id"], frames.history["run_id"]])))
    names = design_names(run_ids, frames.summary)
    numbers, _ = pd.factorize(pd.Series(names, dtype="object"))
    configuration = pd.Series(numbers, index=run_ids, dtype="int64")
    return replace(
        frames,
        results=frames.results.assign(configuration=pd.Series(dtype="int64")),
        history=_join(frames.history, configuration),
        bill=_join(frames.bill, configuration),
        tiles=_join(frames.tiles, configuration),
    )


def _join(rows: pd.DataFrame, configuration: pd.Series[int]) -> pd.DataFrame:
    kept = rows[rows["run_id"].isin(configuration.index)]
    return kept.assign(configuration=kept["run_id"].map(configuration).astype("int64")).reset_index(drop=True)
