"""A whole study: every point trained or priced, on one or several processes, resumed where it stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from cosim.config import Point, Study, load_study, make_study
from cosim.experiment import price_point
from cosim.probe import health_lines, point_health
from cosim.record import Record, design_name
from cosim.workers import run_errors, train_points

Progress = Callable[[int, int], None]


def read_study(study: str | os.PathLike[str] | Mapping[str, Any] | Study) -> tuple[Study, str]:
    """Return a checked study from a file, a tree or a study, and a short name for its folder."""
    if isinstance(study, Study):
        return study, "study"
    if isinstance(study, Mapping):
        return make_study(study), "study"
    path = Path(study)
    return load_study(path), path.stem


def run(
    study: str | os.PathLike[str] | Mapping[str, Any] | Study,
    out: str | os.PathLike[str] | None = None,
    *,
    workers: int = 1,
    dask: str | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
    page: bool = True,
) -> Record:
    """Train and price every point of a study that is not finished yet.

    Parameters
    ----------
    study
        A study file, or its content.
    out
        Folder of the results; ``runs/NAME`` where not given.
    workers
        Processes, >= 1. Results do not depend on it.
    dask
        Address of a Dask scheduler whose workers train the points instead; needs the extra ``dask``.
    progress
        Called with the epochs that are done and the epochs of the whole study.
    tell
        Called, before anything is trained, with a line about the health of each point that has any, and with a
        warning for every rule that it breaks.
    page
        Whether to write index.html at the end.

    Returns
    -------
    Record
        The folder; `record.results` is a table.

    Raises
    ------
    ConfigError, DataError
        For bad input; nothing is written then.
    RunError
        If a process died, or memory or the range of numbers did not suffice; finished rows are kept.
    """
    checked, name = read_study(study)
    if workers < 1:
        raise ValueError(f"workers = {workers} is not allowed; at least 1")
    record = Record(Path(out) if out is not None else Path("runs") / name)
    record.refuse_other_schema(checked)
    finished = record.finished()
    health = _health([point for point in checked.points if point.run_id not in finished], checked, tell)
    with record.locked():
        changed = record.open(checked)
        finished = record.finished()
        todo = [point for point in checked.points if point.run_id not in finished]
        if changed or todo:
            record.write_summary(checked, health)
        _train(todo, record, checked, _Meter(checked, finished, progress), workers=workers, dask=dask)
        if todo:
            record.write_summary(checked, health)
        if page and (changed or todo or not (record.folder / "index.html").exists()):
            from cosim.reporting.page import write_page

            write_page(record.folder)
    return record


def _train(todo: list[Point], record: Record, study: Study, meter: _Meter, *, workers: int, dask: str | None) -> None:
    """Train points, and add their rows as they come."""
    points = {point.run_id: point for point in todo}
    outcomes = train_points(todo, record.checkpoint, meter, workers=workers, dask=dask)
    with closing(outcomes):
        for outcome in outcomes:
            record.append(outcome, points[outcome.run_id], study.swept_keys)


def price(study: str | os.PathLike[str] | Mapping[str, Any] | Study) -> pd.DataFrame:
    """Price every point of a study without training it and without reading data.

    Returns
    -------
    DataFrame
        The columns of bill.csv, per training sample, at the activity that the hardware preset assumes.
    """
    return price_tables(read_study(study)[0])[0]


def price_tables(study: Study) -> tuple[pd.DataFrame, pd.DataFrame, list[tuple[Point, float]]]:
    """Return the bills and traces of all points, and every point with its digital storage in byte."""
    bills, traces, points = [], [], []
    for point in study.points:
        with run_errors(point):
            bill, scheduler = price_point(point)
        bills.append(_with_run_id(point, bill.lines))
        traces.append(_with_run_id(point, scheduler.trace.to_frame()))
        points.append((point, bill.digital_storage_byte))
    return pd.concat(bills, ignore_index=True), pd.concat(traces, ignore_index=True), points


def _with_run_id(point: Point, table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([pd.Series(point.run_id, index=table.index, name="run_id"), table], axis=1)


class _Meter:
    """Adds up the epochs of all points."""

    def __init__(self, study: Study, finished: set[str], progress: Progress | None) -> None:
        self._epochs = {point.run_id: int(point.resolved["training"]["epochs"]) for point in study.points}
        self._done = {run_id: epochs for run_id, epochs in self._epochs.items() if run_id in finished}
        self._progress = progress
        self._tell()

    def __call__(self, run_id: str, epochs_done: int) -> None:
        self._done[run_id] = epochs_done
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(sum(self._done.values()), sum(self._epochs.values()))


def _health(points: list[Point], study: Study, tell: Callable[[str], None] | None) -> list[str]:
    """Read every data set of these points once, so that bad data is refused before anything is written.

    Returns the warnings about what will not train well.
    """
    from cosim.data import load_data

    loaded = {}
    told: set[str] = set()
    warnings: list[str] = []
    keys = [key for key in study.swept_keys if key != "seed"]  # seeds change none of the rules
    for point in points:
        wanted = (point.resolved["data"]["name"], point.data_path)
        if wanted not in loaded:
            loaded[wanted] = load_data(*wanted, seed=0)
        name = design_name(point, keys) or study.title
        if name in told:
            continue
        told.add(name)
        checks = point_health(point, loaded[wanted])
        line, broken = health_lines(name, checks)
        warnings += broken
        if tell is not None and checks:
            for text in (f"Health of {line}", *(f"Warning: {entry}" for entry in broken)):
                tell(text)
    return warnings
