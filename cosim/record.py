"""The folder that a run leaves: append-only tables, the resolved study, a summary."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import math
import os
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w

from cosim import __version__
from cosim.config import ConfigError, Point, Study, lookup
from cosim.costing import COST_TABLES
from cosim.experiment import Outcome
from cosim.tables import (
    ACTIVITY_COLUMNS,
    BILL_COLUMNS,
    HISTORY_COLUMNS,
    RESULT_COLUMNS,
    TILE_COLUMNS,
    TOTALS,
    TRACE_COLUMNS,
)


class Record:
    """A run folder: what is in it, and how rows join it.

    A point is finished when its row stands in results.csv; the rows of its history, bill and trace are written
    before that, so a kill at any moment leaves at most rows without a result, which the next run takes out. So it
    does with a result whose history or bill is not whole: the point is done again.

    Parameters
    ----------
    folder
        Where the files are, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def results(self) -> pd.DataFrame:
        """One row per configuration and seed."""
        return self._table("results.csv")

    @property
    def history(self) -> pd.DataFrame:
        """One row per epoch."""
        return self._table("history.csv")

    @property
    def bill(self) -> pd.DataFrame:
        """The bill of every point, per training sample."""
        return self._table("bill.csv")

    @property
    def tiles(self) -> pd.DataFrame:
        """What every tile held after each epoch: mean |W| as a fraction of the bound, and the verdict."""
        return self._table("tiles.csv")

    @property
    def activity(self) -> pd.DataFrame:
        """What happened in the operations of every point, whatever the arrays; to the last bit."""
        text = pd.read_csv(self.folder / "activity.csv", dtype=str)  # numbers read from text keep every bit
        names = [name for name in ACTIVITY_COLUMNS[4:] if name in text]
        return text.assign(**{name: text[name].astype(float) for name in names})

    @property
    def trace(self) -> pd.DataFrame:
        """The operations of every point, added up over its training."""
        return self._table("trace.csv")

    def _table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / name, dtype={"run_id": str, "tile": str})

    def checkpoint(self, run_id: str) -> Path:
        """Return the checkpoint file of a point."""
        return self.folder / "checkpoints" / f"{run_id}.npz"

    def finished(self) -> set[str]:
        """Return the run_ids whose rows are complete."""
        return {row[0] for row in _rows(self.folder / "results.csv")}

    def open(self, study: Study) -> bool:
        """Make the folder ready for a study; rows that are there stay.

        Returns
        -------
        bool
            Whether the folder held another study, or none, before.

        Raises
        ------
        ConfigError
            If the folder cannot be written, or holds tables of another schema; nothing is changed then.
        """
        self.refuse_other_schema(study)
        headers = self._headers(study)
        with _writing(self.folder):
            (self.folder / "checkpoints").mkdir(parents=True, exist_ok=True)
            for name, header in headers.items():
                if not (self.folder / name).exists() or not (self.folder / name).stat().st_size:
                    _replace(self.folder / name, _text([header]))
            whole = self._whole()
            for name, header in headers.items():
                self._keep(name, header, whole)
            return self._write_study(study)

    def refuse_other_schema(self, study: Study) -> None:
        """Refuse a folder whose tables have other columns than this study would write.

        Raises
        ------
        ConfigError
            With the columns that are missing and those that are too many.
        """
        for name, header in self._headers(study).items():
            _refuse_other_schema(self.folder / name, header)

    def append(self, outcome: Outcome, point: Point, swept_keys: Iterable[str]) -> None:
        """Add the rows of a finished point, its result last."""
        identity = {"run_id": outcome.run_id}
        bill = [identity | row for row in _records(outcome.bill.lines)]
        counted = outcome.activity.astype(object).where(outcome.activity.notna(), None)
        activity = [identity | row for row in _records(counted)]
        trace = [identity | row for row in _records(outcome.trace)]
        with _writing(self.folder):
            self._append("history.csv", outcome.history, HISTORY_COLUMNS)
            self._append("tiles.csv", outcome.tiles, TILE_COLUMNS)
            self._append("bill.csv", bill, BILL_COLUMNS)
            for name, columns in COST_TABLES.items():
                rows = [identity | row for row in _records(outcome.tables[name])]
                self._append(name, rows, ("run_id", *columns))
            self._append("activity.csv", activity, ACTIVITY_COLUMNS)
            self._append("trace.csv", trace, TRACE_COLUMNS)
            swept = {key: lookup(point.resolved, key) for key in _extra(swept_keys)}
            row = outcome.results | swept | {"version": __version__, "commit": source_commit()}
            self._append("results.csv", [row], (*RESULT_COLUMNS, *swept, "version", "commit"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the folder; the lock ends with the process, however that ends.

        Raises
        ------
        ConfigError
            If another run is writing the folder, or it cannot be written.
        """
        with _writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            folder = os.open(self.folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConfigError(
                    f"{self.folder}: another run is writing this folder; wait for it, or give another one with --out"
                ) from None
            yield
        finally:
            os.close(folder)

    def write_summary(self, study: Study, warnings: Iterable[str] = (), notes: Iterable[str] = ()) -> None:
        """Write summary.json: what the page and a reader need beside the tables."""
        own = dict.fromkeys(note for point in study.points for note in point.notes())
        summary = {
            "title": study.title,
            "version": __version__,
            "commit": source_commit(),
            "points": len(study.points),
            "finished": len(self.finished() & {point.run_id for point in study.points}),
            "shown_run_ids": [point.run_id for point in study.points],
            "labels": {point.run_id: design_name(point, _differing(study)) for point in study.points},
            "notes": [*LIMITS, *own, *notes, *(f"Warning: {warning}." for warning in warnings)],
        }
        with _writing(self.folder):
            _replace(self.folder / "summary.json", json.dumps(summary, indent=2) + "\n")

    def write_price(self, study: Study, tables: Mapping[str, pd.DataFrame], notes: Iterable[str] = ()) -> None:
        """Write the tables of a study that was priced without training, by file name; what was there is replaced."""
        _refuse_trained(self.folder)
        with _writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write_study(study)
            for name, table in tables.items():
                _replace(self.folder / name, table.to_csv(index=False))
        self.write_summary(study, notes=notes)

    def _headers(self, study: Study) -> dict[str, tuple[str, ...]]:
        swept = _extra(study.swept_keys)
        return {
            "results.csv": (*RESULT_COLUMNS, *swept, "version", "commit"),
            "history.csv": HISTORY_COLUMNS,
            "tiles.csv": TILE_COLUMNS,
            "bill.csv": BILL_COLUMNS,
            **{name: ("run_id", *columns) for name, columns in COST_TABLES.items()},
            "activity.csv": ACTIVITY_COLUMNS,
            "trace.csv": TRACE_COLUMNS,
        }

    def _append(self, name: str, rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> None:
        names = list(columns)
        with (self.folder / name).open("a", encoding="utf-8", newline="") as file:
            file.write(_text([_field(row[column]) for column in names] for row in rows))
            file.flush()
            os.fsync(file.fileno())

    def _whole(self) -> set[str]:
        """Return the run_ids whose history has every epoch and whose bill adds up to their result."""
        epochs = Counter(row[0] for row in _rows(self.folder / "history.csv"))
        # Neurons follow from the forward reads: they have a row in the trace and none in the activity.
        traced = Counter(row[0] for row in _rows(self.folder / "trace.csv") if row[2] != "neurons")
        acted = Counter(row[0] for row in _rows(self.folder / "activity.csv"))
        columns = [BILL_COLUMNS.index(name) for name in TOTALS]
        billed: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(columns))
        for row in _rows(self.folder / "bill.csv"):
            billed[row[0]] = [total + _number(row, place) for total, place in zip(billed[row[0]], columns, strict=True)]
        columns = [RESULT_COLUMNS.index(name) for name in TOTALS.values()]
        return {
            row[0]
            for row in _rows(self.folder / "results.csv")
            if 0 < traced[row[0]] == acted[row[0]]
            and _number(row, RESULT_COLUMNS.index("epochs")) == epochs[row[0]]
            and np.allclose(billed[row[0]], [_number(row, place) for place in columns], rtol=1e-9, atol=0)
        }

    def _keep(self, name: str, header: tuple[str, ...], run_ids: set[str]) -> None:
        """Take out of a table what does not belong to the given points, and a torn last row."""
        path = self.folder / name
        rows = list(_rows(path))
        kept = [row for row in rows if row[0] in run_ids]
        if len(kept) < len(rows) or not path.read_bytes().endswith(b"\n"):
            _replace(path, _text([header, *kept]))

    def _write_study(self, study: Study) -> bool:
        """Write study.toml, keeping an earlier one under a number; return whether it was another one, or none."""
        text, path = _study_text(_with_moved_paths(study, self.folder)), self.folder / "study.toml"
        if path.exists():
            if path.read_bytes() == text.encode():
                return False
            earlier = len(list(self.folder.glob("study-*.toml"))) + 1
            os.replace(path, self.folder / f"study-{earlier}.toml")
        _replace(path, text)
        return True


LIMITS = (
    "Circuit values come from simulations of a generic 45 nm without layout; those marked assumed say why.",
    "Control logic, clocks and the sequencing of phases are not priced; neither is evaluation on test images.",
    "Op-amps are taken to be off between reads; their start-up is not priced.",
    "Programming the initial weights is counted as the least number of pulses, without verifying reads.",
)


def _with_moved_paths(study: Study, folder: Path) -> dict[str, Any]:
    """Return the resolved study with its paths, of data and of device files, relative to another folder."""

    def moved(key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: moved(name, child) for name, child in value.items()}
        is_path = isinstance(value, str) and (key in ("path", "table") or (key == "preset" and value.endswith(".toml")))
        return os.path.relpath(study.folder / value, folder) if is_path else value

    tree = {
        key: moved(key, value) if key in ("data", "device", "hardware") else value
        for key, value in study.resolved.items()
    }
    axes = tree.get("sweep", {})
    places = (*("data", "data.path", "device", "device.preset", "hardware", "hardware.adc", "hardware.adc.table"),)
    swept = {key: [moved(key.split(".")[-1], value) for value in axes[key]] for key in places if key in axes}
    return tree | ({"sweep": axes | swept} if axes else {})


def _study_text(tree: Mapping[str, Any]) -> str:
    """Return a study as TOML; the sweep inline, because tables of their own would change the order of its axes."""
    text = tomli_w.dumps({key: value for key, value in tree.items() if key != "sweep"})
    if "sweep" in tree:
        text += "\n[sweep]\n" + "".join(f"{_toml_key(key)} = {_inline(axis)}\n" for key, axis in tree["sweep"].items())
    return text


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml_key(key)} = {_inline(child)}" for key, child in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").removesuffix("\n")


def _toml_key(key: str) -> str:
    return tomli_w.dumps({key: 0}).removesuffix(" = 0\n")


def _differing(study: Study) -> list[str]:
    """Return the swept keys in which the points of a study differ; all of them where it has one point."""
    keys = list(study.swept_keys)
    found = [key for key in keys if len({str(lookup(point.resolved, key)) for point in study.points}) > 1]
    return found or keys


def design_name(point: Point, swept_keys: Iterable[str]) -> str:
    """Return the swept values of a point as a short name; empty where nothing is swept."""
    found = {key: lookup(point.resolved, key) for key in swept_keys}
    values = {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in found.items()}
    parts = [
        str(value).replace("_", " ") if key.endswith(".name") else f"{key.split('.', 1)[-1].replace('_', ' ')} {value}"
        for key, value in values.items()
        if value is not None
    ]
    return ", ".join(parts)


def _extra(swept_keys: Iterable[str]) -> list[str]:
    return [key for key in swept_keys if key not in RESULT_COLUMNS]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False, name=None)]


def _field(value: Any) -> Any:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else value


def _text(rows: Iterable[Iterable[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def _rows(path: Path) -> Iterator[list[str]]:
    """Yield the complete rows of a table, without its header; a row without an end of line is torn."""
    if path.exists():
        yield from [row for row in csv.reader(io.StringIO(_complete_text(path))) if row][1:]


def _number(row: list[str], place: int) -> float:
    """Return a number of a table; NaN where the table was damaged."""
    try:
        return float(row[place])
    except (IndexError, ValueError):
        return math.nan


def _complete_text(path: Path) -> str:
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1].decode("utf-8")


def _replace(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8", newline="")
    os.replace(temporary, path)


def _refuse_other_schema(path: Path, header: tuple[str, ...]) -> None:
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        return
    try:
        rows = list(csv.reader(io.StringIO(_complete_text(path)), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise ConfigError(
            f"{path}: this is not a table that can be read; give another folder with --out, or move this one away"
        ) from None
    found = rows[0] if rows else []
    if found and found != list(header):
        missing = ", ".join(name for name in header if name not in found) or "none"
        surplus = ", ".join(name for name in found if name not in header) or "none"
        raise ConfigError(
            f"{path}: the table was written by another schema or sweep: columns missing: {missing}; "
            f"surplus: {surplus}. Nothing was changed; give another folder with --out, or move this one away"
        )


def _refuse_trained(folder: Path) -> None:
    if (folder / "results.csv").exists():
        raise ConfigError(
            f"{folder}: this folder holds the results of a training; "
            "a bill without training would replace theirs. Give another folder with --out"
        )


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn an error of the file system into a message that says which folder and what next."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{folder}: the folder cannot be written ({error.strerror or error}); give a writable one with --out"
        ) from None


@cache
def source_commit() -> str:
    """Return the commit of the source, with ``+`` where it was changed; empty where there is no repository."""
    here = Path(__file__).resolve().parent
    git = ["git", "-C", str(here)]
    try:
        top = subprocess.run([*git, "ls-files", "--error-unmatch", __file__], capture_output=True, check=False)
        if top.returncode:
            return ""
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
