"""The sweep of a study: a cartesian product over dotted keys."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from cosim.sections import ConfigError, shown

POINTS_MAX = 100_000


def common_part(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that two trees have in common with equal values."""
    both: dict[str, Any] = {}
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            both[key] = common_part(one[key], other[key])
        elif one[key] == other[key]:
            both[key] = one[key]
    return {key: both[key] for key in one if key in both}


def without(tree: Mapping[str, Any], path: list[str]) -> dict[str, Any]:
    """Return a tree without the value, or section, at a path of keys."""
    rest = {key: value for key, value in tree.items() if key != path[0] or len(path) > 1}
    if len(path) > 1 and isinstance(rest.get(path[0]), dict):
        rest[path[0]] = without(rest[path[0]], path[1:])
    return rest


def checked_axes(sweep: Any, where: str) -> dict[str, list[Any]]:
    """Return the axes of a sweep: dotted keys, each with a non-empty list of values."""
    if not isinstance(sweep, dict):
        raise ConfigError(f"{where}: sweep must be a table of dotted keys, each with a list of values")
    for key, values in sweep.items():
        if key.split(".")[0] == "sweep":
            raise ConfigError(f'{where}: sweep."{key}": a sweep cannot be swept; give the dotted key of a value')
        if not isinstance(values, list) or not values:
            raise ConfigError(
                f'{where}: sweep."{key}" = {shown(values)} is not allowed; give a non-empty list, for example [1, 2, 4]'
            )
    return dict(sweep)


def check_size(axes: Mapping[str, list[Any]], where: str) -> None:
    """Refuse a sweep with more points than can be trained, or listed one by one.

    Raises
    ------
    ConfigError
        With the number of points, and how many are allowed.
    """
    count = math.prod(len(values) for values in axes.values())
    if count > POINTS_MAX:
        raise ConfigError(f"{where}: the sweep has {count} points; at most {POINTS_MAX} are allowed")


def combinations(axes: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Yield the values of the swept keys for every point, the last axis fastest."""
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def with_values(base: dict[str, Any], swept: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a study with the swept values of one point in place."""
    tree = copy.deepcopy(base)
    for key, value in swept.items():
        *sections, leaf = key.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise ConfigError(f'{where}: sweep."{key}": {section} is not a section')
        place[leaf] = copy.deepcopy(value)
    return tree


def leaf_keys_of(axes: Mapping[str, list[Any]]) -> tuple[str, ...]:
    """Return dotted keys; an axis whose values are tables counts as all the keys of its tables."""
    keys: dict[str, None] = {}
    for key, values in axes.items():
        for value in values:
            keys |= dict.fromkeys(_leaf_keys(key, value))
    return tuple(keys)


def _leaf_keys(key: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield key
        return
    for name, child in value.items():
        yield from _leaf_keys(f"{key}.{name}", child)


def lookup(tree: Mapping[str, Any], key: str) -> Any:
    """Return the value at a dotted key, or None where there is none."""
    value: Any = tree
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
