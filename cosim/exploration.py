"""Many designs at once: a sweep over hardware keys, priced as arrays, its Pareto front, and the best under limits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from circuits.calibration import CalibrationError
from cosim.activity import ActivityLog
from cosim.config import ConfigError, Point, Sweep
from cosim.costing import evaluator
from cosim.pareto import undominated
from cosim.priced_run import Match, PricedRun
from cosim.sections import check_sections, shown
from cosim.sweep import combinations, with_values
from cost_model.bill import FIGURES
from cost_model.hardware import Hardware, HardwareError
from cost_model.numbers import Number
from device_models.names import unknown_name

CHUNK = 32768  # designs at once: enough to hide the fixed work, few enough for the caches
DESIGNS_MAX = 20_000_000
# Swept keys that become arrays, and the settings of `Hardware` that they are.
SETTINGS = {
    "hardware.array_rows": "array_rows",
    "hardware.array_cols": "array_cols",
    "hardware.adc.bits": "adc_bits",
    "hardware.adc.rate_hz": "adc_rate_hz",
    "hardware.adc.columns_per_adc": "columns_per_adc",
    "hardware.adc.shared_by_tiles": "shared_by_tiles",
    "hardware.dac.bits": "dac_bits",
}
MAPPINGS = {"hardware.values.": "overrides", "hardware.cell.": "cell_values"}
COSTS = (*FIGURES, "digital_storage_byte")
ACCURACY = "test_accuracy"
ALIASES = {
    **{"energy": "energy_per_sample_j", "latency": "latency_per_sample_s", "area": "area_m2"},
    **{"storage": "digital_storage_byte", "accuracy": ACCURACY},
}


def is_vectorised(key: str) -> bool:
    """Say whether a swept key becomes an array, so that its values cost next to nothing each."""
    return key in SETTINGS or (key.startswith(tuple(MAPPINGS)) and key != "hardware.cell.model")


@dataclass(frozen=True)
class Group:
    """Designs that differ in vectorised keys alone.

    Parameters
    ----------
    point
        One of them.
    outer
        Values of the other swept keys.
    inner
        Vectorised keys with their values.
    """

    point: Point
    outer: Mapping[str, Any]
    inner: Mapping[str, Sequence[Any]]

    @property
    def size(self) -> int:
        """Number of designs."""
        return math.prod(len(values) for values in self.inner.values())

    def columns(self, start: int, stop: int) -> dict[str, npt.NDArray[Any]]:
        """Return the values of the vectorised keys for designs `start` to `stop`, the last key fastest."""
        if not self.inner:
            return {}
        places = np.unravel_index(np.arange(start, stop), [len(values) for values in self.inner.values()])
        return {key: np.asarray(values)[place] for (key, values), place in zip(self.inner.items(), places, strict=True)}


def groups(sweep: Sweep) -> list[Group]:
    """Return the designs of a sweep, group by group; every value of every axis has been checked.

    Raises
    ------
    ConfigError
        If a value is not allowed, or the sweep is too large.
    """
    inner = {key: values for key, values in sweep.axes.items() if is_vectorised(key)}
    outer = {key: values for key, values in sweep.axes.items() if key not in inner}
    count = math.prod(len(values) for values in sweep.axes.values())
    if count > DESIGNS_MAX:
        raise ConfigError(f"{sweep.where}: the sweep has {count} designs; at most {DESIGNS_MAX} are allowed")
    first = {key: values[0] for key, values in inner.items()}
    others = {key: values[0] for key, values in outer.items()}
    for key, values in inner.items():
        for value in values[1:]:  # types and ranges; what depends on other keys is checked for all designs at once
            check_sections(with_values(dict(sweep.base), {**others, **first, key: value}, sweep.where), sweep.where)
    return [Group(sweep.point({**chosen, **first}), chosen, inner) for chosen in combinations(outer)]


def many(hardware: Hardware, columns: Mapping[str, npt.NDArray[Any]]) -> Hardware:
    """Return a hardware of many designs: vectorised keys take an array each.

    Raises
    ------
    HardwareError
        If a design is not allowed.
    """
    changes: dict[str, Any] = {"overrides": dict(hardware.overrides), "cell_values": dict(hardware.cell_values)}
    for key, values in columns.items():
        if key in SETTINGS:
            changes[SETTINGS[key]] = values
            continue
        prefix = next(prefix for prefix in MAPPINGS if key.startswith(prefix))
        changes[MAPPINGS[prefix]][key.removeprefix(prefix)] = values
    return replace(hardware, **changes)


def explore(found: Sequence[Group], *, run: PricedRun | None = None, where: str = "study") -> pd.DataFrame:
    """Price every design of a sweep.

    Parameters
    ----------
    found
        What `groups` returned.
    run
        A finished run: its activity is priced, and its accuracy stands beside the costs, for the designs that train
        the same. Where it has no such configuration, the preset's activity is assumed and the accuracy is unknown.
    where
        Name of the study, for messages.

    Returns
    -------
    DataFrame
        A row per design: the swept keys, energy_per_sample_j, latency_per_sample_s, area_m2, digital_storage_byte and
        test_accuracy, NaN where it is not known.

    Raises
    ------
    ConfigError
        If a design cannot be priced.
    """
    frames = []
    for group in found:
        match = None if run is None else run.match(group.point)
        for start in range(0, group.size, CHUNK):
            columns = group.columns(start, min(start + CHUNK, group.size))
            count = min(CHUNK, group.size - start)
            try:
                costs = _costs(group.point, columns, match, count)
            except (ArithmeticError, CalibrationError, HardwareError) as error:
                raise ConfigError(f"{where}: {error}") from None
            accuracy = np.nan if match is None else match.accuracy(group.point, columns)
            filled = {name: np.broadcast_to(value, (count,)) for name, value in {**costs, ACCURACY: accuracy}.items()}
            outer = {key: _cell(value) for key, value in group.outer.items()}
            frames.append(pd.DataFrame({**outer, **columns, **filled}))
    return pd.concat(frames, ignore_index=True)


def _cell(value: Any) -> Any:
    """Return the value of a key as one cell of a table."""
    return value if isinstance(value, str | int | float | bool) else str(value)


def _costs(point: Point, columns: Mapping[str, npt.NDArray[Any]], match: Match | None, count: int) -> dict[str, Number]:
    """Return the costs of designs; where a run was trained on several of them, each with its own activity."""
    if match is None:
        return _priced(point, columns, None)
    chosen = match.choose(point, columns)
    costs = {name: np.empty(count) for name in COSTS}
    for place in np.unique(chosen):
        own = chosen == place
        part = {key: values[own] for key, values in columns.items()}
        for name, values in _priced(point, part, match.trained[place].activity).items():
            costs[name][own] = values
    return costs


def _priced(point: Point, columns: Mapping[str, npt.NDArray[Any]], activity: ActivityLog | None) -> dict[str, Number]:
    totals = evaluator(point, activity)(many(point.hardware, columns))
    return {name: getattr(totals, name) for name in COSTS}


def pareto_front(designs: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Mark the designs that no other beats: energy, latency, area low, and accuracy high where any is known.

    Returns
    -------
    numpy.ndarray of bool, shape (designs,)
        True where no other design is at least as good in all and better in one; equal designs are all kept. Designs of
        unknown accuracy are left out where the accuracy of others is known.
    """
    costs = designs[list(FIGURES)].to_numpy(dtype=float)
    known = np.isfinite(costs).all(axis=1)
    if designs[ACCURACY].notna().any():
        costs = np.column_stack([costs, -designs[ACCURACY].to_numpy(dtype=float)])
        known &= designs[ACCURACY].notna().to_numpy()
    front = np.zeros(len(designs), dtype=bool)
    front[known] = undominated(costs[known])
    return front


@dataclass(frozen=True)
class Condition:
    """A limit that a design must keep: a column, a comparison, a number."""

    column: str
    comparison: str
    limit: float
    text: str

    def holds(self, designs: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Return which designs keep it; where the column is not known, none does.

        Raises
        ------
        ConfigError
            If the column holds names.
        """
        try:
            values = designs[self.column].to_numpy(dtype=float)
        except (TypeError, ValueError):
            raise ConfigError(
                f"--where {self.text!r}: {self.column} holds names, not numbers; give it one value in the study instead"
            ) from None
        compare = {"<=": np.less_equal, ">=": np.greater_equal, "<": np.less, ">": np.greater, "=": np.equal}
        result: npt.NDArray[np.bool_] = compare[self.comparison](values, self.limit) & np.isfinite(values)
        return result


PREFIXES = {"": 1.0, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6}
UNITS: Mapping[str, tuple[str, ...]] = {
    "energy_per_sample_j": ("J",),
    "latency_per_sample_s": ("s",),
    "area_m2": ("m2", "m²"),
    "digital_storage_byte": ("B",),
    ACCURACY: ("%",),
}
CONDITION = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(<=|>=|==|=|<|>)\s*([-+0-9.eE]+)\s*([fpnumkMµ]?)(J|s|m2|m²|B|%|)\s*")


def read_condition(text: str, columns: Sequence[str]) -> Condition:
    """Read a limit such as ``energy <= 2 uJ``, ``area <= 1.5 mm2``, ``accuracy >= 95 %`` or ``hardware.adc.bits >= 6``.

    Raises
    ------
    ConfigError
        If it cannot be read, or names no column.
    """
    found = CONDITION.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"--where {text!r} is not a limit; write a figure, a comparison and a number, for example "
            "'energy <= 2 uJ', 'area <= 1.5 mm2' or 'accuracy >= 95 %'"
        )
    name, comparison, number, prefix, unit = found.groups()
    column = ALIASES.get(name, name)
    if prefix == "m" and not unit:  # a metre is no unit of a limit; 5 m is not 5 milli of something
        raise ConfigError(f"--where {text!r}: {number} m is not a number with a unit; write for example 5 mm2 or 5 ms")
    if column not in columns:
        known = [*ALIASES, *columns]
        raise ConfigError(f"--where {text!r}: {name} {unknown_name(name, known)}")
    try:
        value = float(number)
    except ValueError:
        raise ConfigError(f"--where {text!r}: {number} is not a number") from None
    allowed = UNITS.get(column, ())
    if unit and unit not in allowed:
        rule = f"its unit is {allowed[0]}" if allowed else "it has no unit"
        raise ConfigError(f"--where {text!r}: {name} is not in {unit}; {rule}")
    factor = PREFIXES[prefix]
    if unit in ("m2", "m²"):
        factor = factor**2
    return Condition(column, "=" if comparison == "==" else comparison, value * (0.01 if unit == "%" else factor), text)


def read_figure(name: str) -> str:
    """Return the column that a figure of merit stands for: energy, latency, area or storage.

    Raises
    ------
    ConfigError
        If there is no such figure.
    """
    column = ALIASES.get(name, name)
    if column not in COSTS:
        known = [alias for alias, target in ALIASES.items() if target in COSTS]
        raise ConfigError(f"--smallest {shown(name)} {unknown_name(name, known)}")
    return column


def satisfying(designs: pd.DataFrame, conditions: Sequence[Condition]) -> npt.NDArray[np.bool_]:
    """Return which designs keep all conditions."""
    kept = np.ones(len(designs), dtype=bool)
    for condition in conditions:
        kept &= condition.holds(designs)
    return kept


def why_none(designs: pd.DataFrame, conditions: Sequence[Condition]) -> Iterator[str]:
    """Yield, per condition, how many designs keep it and how close the best one comes."""
    for condition in conditions:
        values = designs[condition.column].to_numpy(dtype=float)
        values = values[np.isfinite(values)]
        if not len(values):
            yield f"{condition.text}: {condition.column} is not known for any design"
            continue
        best = values.min() if condition.comparison in ("<=", "<") else values.max()
        kept = int(condition.holds(designs).sum())
        yield f"{condition.text}: kept by {kept} of {len(designs)} designs; best {best:.4g}"
