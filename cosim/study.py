"""A whole study: every point trained or priced, on one or several processes, resumed where it stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cosim.config import Point, Study, Sweep, load_study, make_study
from cosim.costing import cost_tables
from cosim.exploration import (
    ACCURACY,
    COSTS,
    explore,
    groups,
    is_vectorised,
    pareto_front,
    read_condition,
    read_figure,
    satisfying,
)
from cosim.priced_run import PricedRun
from cosim.pricing import price_point
from cosim.probe import health_lines, point_health
from cosim.record import Record, design_name
from cosim.workers import run_errors, train_points
from cost_model.bill import FIGURES

Progress = Callable[[int, int], None]
# Designs of a sweep that get a bill each: all up to this many, else a few of the front.
DETAILED_MAX, DETAILED_FEW = 64, 12


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
        Called, before anything is trained, with a line about the health of each point that has any, with a warning
        for every rule that it breaks, and with the number of finished points whose rows were found incomplete.
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
        before = record.finished()
        changed = record.open(checked)
        finished = record.finished()
        if tell is not None and before - finished:
            tell(
                f"{record.folder}: results.csv had {len(before - finished)} points whose rows are missing from another "
                "table; they were taken out, and those of this study go on from their checkpoints or are trained again"
            )
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


def price(
    study: str | os.PathLike[str] | Mapping[str, Any] | Study, *, run: str | os.PathLike[str] | None = None
) -> pd.DataFrame:
    """Price every point of a study without training it and without reading data.

    Parameters
    ----------
    study
        A study file, or its content.
    run
        Folder of a finished run whose activity is priced; what the hardware preset assumes where not given.

    Returns
    -------
    DataFrame
        The columns of bill.csv, per training sample.
    """
    checked, source = read_study(study)[0], None if run is None else PricedRun(Path(run))
    return pd.concat([_priced(point, source).bill for point in checked.points], ignore_index=True)


@dataclass(frozen=True)
class Priced:
    """One point, priced without training.

    Parameters
    ----------
    point
        What it is.
    bill, trace
        Tables with a column run_id.
    tables
        The tables beside the bill by file name; see `cosim.costing`.
    digital_storage_byte
        Digital memory of the whole network.
    trained
        Whether the activity is that of a run.
    accuracy
        Test accuracy of that run on this hardware; None where it is not known.
    """

    point: Point
    bill: pd.DataFrame
    trace: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    digital_storage_byte: float
    trained: bool
    accuracy: float | None = None


@dataclass(frozen=True)
class PricedStudy:
    """What `cosim price` found.

    Parameters
    ----------
    study
        The checked study; its points are those with a bill.
    designs
        A row per design: swept keys, costs, accuracy where known, whether it is on the Pareto front and whether it
        keeps all conditions.
    detailed
        The designs with a bill: all of a small study, else those that were asked for or are on the front.
    asked_run
        Whether a finished run was to lend its activity.
    """

    study: Study
    designs: pd.DataFrame
    detailed: Sequence[Priced]
    asked_run: bool = False

    def files(self) -> dict[str, pd.DataFrame]:
        """Return the tables that a folder holds, by file name."""
        tables = {"designs.csv": self.designs}
        if not self.detailed:
            return tables
        for name in ("bill", "trace"):
            parts = [getattr(priced, name) for priced in self.detailed]
            tables[f"{name}.csv"] = pd.concat(parts, ignore_index=True)
        for name in self.detailed[0].tables:
            parts = [priced.tables[name] for priced in self.detailed]
            tables[name] = pd.concat(parts, ignore_index=True)
        return tables


def price_study(
    sweep: Sweep,
    *,
    run: Path | None = None,
    conditions: Sequence[str] = (),
    smallest: str = "energy",
    bands: bool = True,
) -> PricedStudy:
    """Price every design of a sweep, and make the bills of those that matter.

    Parameters
    ----------
    sweep
        The study.
    run
        Folder of a finished run: its activity is priced and its accuracy stands beside the costs.
    conditions
        Limits such as ``energy <= 2 uJ``.
    smallest
        Figure by which designs that keep all conditions are ordered.
    bands
        Whether to work out floorplan, schedule, bands and checks of each bill too.

    Raises
    ------
    ConfigError
        If something is not allowed.
    """
    limits = [read_condition(text, [*sweep.axes, *COSTS, ACCURACY]) for text in conditions]
    column = read_figure(smallest)
    source = None if run is None else PricedRun(run)
    found = groups(sweep)
    designs = explore(found, run=source, where=sweep.where)
    designs["on_front"] = pareto_front(designs)
    designs["kept"] = satisfying(designs, limits)
    designs.insert(0, "design", range(len(designs)))
    shown = designs
    if limits or len(designs) > DETAILED_MAX:
        chosen = designs[designs["kept"] & (designs["on_front"] | bool(limits))]
        shown = chosen.sort_values([column, *FIGURES], kind="stable").head(DETAILED_FEW)
    keys = list(sweep.axes)
    points = [sweep.point(_values(sweep, row, keys)) for row in shown["design"]]
    unique = list({point.run_id: point for point in points}.values())
    detailed = [_priced(point, source, tables=bands) for point in unique]
    study = sweep.study([group.point for group in found], unique)
    return PricedStudy(study, designs, detailed, asked_run=run is not None)


def _values(sweep: Sweep, design: int, keys: Sequence[str]) -> dict[str, Any]:
    """Return the values of the swept keys of a design by its number: groups first, the vectorised keys fastest."""
    outer = [key for key in keys if not is_vectorised(key)]
    order = [*outer, *(key for key in keys if key not in outer)]
    places = np.unravel_index(design, [len(sweep.axes[key]) for key in order]) if order else ()
    return {key: sweep.axes[key][int(place)] for key, place in zip(order, places, strict=True)}


def _priced(point: Point, source: PricedRun | None, *, tables: bool = False) -> Priced:
    match = None if source is None else source.match(point)
    activity = None if match is None else match.trained[match.choose(point, {})[0]].activity
    with run_errors(point):
        bill, scheduler = price_point(point, activity)
        beside = cost_tables(point, scheduler, bill, activity) if tables else {}
    return Priced(
        point,
        _with_run_id(point, bill.lines),
        _with_run_id(point, scheduler.trace.to_frame()),
        {name: _with_run_id(point, table) for name, table in beside.items()},
        bill.digital_storage_byte,
        activity is not None,
        _known(float(match.accuracy(point, {})[0])) if match is not None else None,
    )


def _known(accuracy: float) -> float | None:
    return accuracy if np.isfinite(accuracy) else None


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
