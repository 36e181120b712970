"""Devices by name or file: one TOML file per device, a source for every value."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from device_models.families import FAMILIES
from device_models.names import unknown_name
from device_models.parameters import LARGEST, DeviceError, PulsedDevice
from device_models.quantity import ProvenanceError, Quantity, quantity_from_table

PRESETS = files("device_models") / "presets"
FILE_KEYS = {"schema", "family", "summary", "provenance", "values"}


@dataclass(frozen=True)
class DevicePreset:
    """A named device.

    Parameters
    ----------
    name
        Name of the preset; for a file of one's own, the file's name without ending.
    family
        Response family, a key of `device_models.families.FAMILIES`.
    summary
        One line.
    values
        The parameters that it sets; the others keep the defaults of the family.
    """

    name: str
    family: str
    summary: str
    values: Mapping[str, Quantity]


def list_devices() -> list[str]:
    """Return the names of all device presets, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in PRESETS.iterdir() if entry.name.endswith(".toml"))


def device_preset(name: str | Path) -> DevicePreset:
    """Return a preset by name, or from a file whose name ends in .toml.

    Capitals and underscores make no difference: ReRamES is reram_es.

    Raises
    ------
    DeviceError
        If there is no such preset or file, or the file is not a device preset.
    ProvenanceError
        If a value has no unit, kind or source.
    """
    if str(name).endswith(".toml"):
        return _read_file(Path(name))
    known = list_devices()
    spelled = {_plain(entry): entry for entry in known}
    if _plain(str(name)) not in spelled:
        heading = "known (or the path of a .toml file)"
        raise DeviceError(f"device.preset = {str(name)!r} {unknown_name(str(name), known, heading)}")
    return _packaged(spelled[_plain(str(name))])


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


@cache
def _packaged(name: str) -> DevicePreset:
    return _from_table(name, tomllib.loads((PRESETS / f"{name}.toml").read_text(encoding="utf-8")), name)


def _read_file(path: Path) -> DevicePreset:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DeviceError(f"device.preset = {str(path)!r}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise DeviceError(f"device.preset = {str(path)!r} cannot be read as TOML: {error}") from None
    return _from_table(path.stem, table, str(path))


def _from_table(name: str, table: Mapping[str, Any], where: str) -> DevicePreset:
    """Return a preset from a table; `provenance` says what a value does not say about itself."""
    unknown, missing = set(table) - FILE_KEYS, {"schema", "family", "summary", "values"} - set(table)
    if unknown or missing or table.get("schema") != 1:
        raise DeviceError(
            f"{where} is no device preset: schema must be 1, unknown keys {sorted(unknown)}, missing {sorted(missing)}"
        )
    family = str(table["family"])
    if family not in FAMILIES:
        raise DeviceError(f"{where}: family = {family!r} {unknown_name(family, FAMILIES)}")
    known = [field.name for field in fields(FAMILIES[family])]
    common = table.get("provenance", {})
    for key, part in (("provenance", common), ("values", table["values"])):
        if not isinstance(part, dict):
            raise DeviceError(f"{where}: {key} = {part!r} is not a table")
    values: dict[str, Quantity] = {}
    for key, entry in table["values"].items():
        if key not in known:
            raise DeviceError(f"{where}: values.{key} {unknown_name(key, known)}")
        if not isinstance(entry, dict):
            raise ProvenanceError(f"{where}: values.{key} = {entry!r} is not a table with value, unit, kind, source")
        values[key] = quantity_from_table({**common, **entry}, f"{where}: {key}")
    return DevicePreset(name, family, str(table["summary"]), values)


def load_device(name: str | Path, *, states: float | None = None, **overrides: Any) -> PulsedDevice:
    """Return a device by preset name or file, with any parameter overridden by keyword.

    Parameters
    ----------
    name
        Name of a preset, see `list_devices`, or path of a .toml file.
    states
        Number of conductance states, >= 2; scales dw_min so that (w_max - w_min) / granularity is this number.
    **overrides
        Parameters of the family, see `device_models.families`.

    Raises
    ------
    DeviceError
        For an unknown preset or parameter, or a value outside its range.
    """
    preset = device_preset(name)
    record = FAMILIES[preset.family]
    types = {field.name: field for field in fields(record)}
    for key in overrides:
        if key not in types:
            raise DeviceError(f"device.{key} {unknown_name(key, ['states', *types])}")
    given: dict[str, Any] = {key: (entry.value, *entry.further) for key, entry in preset.values.items()}
    given |= {key: tuple(value) if isinstance(value, list | tuple) else (value,) for key, value in overrides.items()}
    parameters = {key: _typed(key, value, types[key].default, types[key].type) for key, value in given.items()}
    if states is None:
        if "dw_min" not in parameters:
            raise DeviceError(f"{name}: values.dw_min is missing; give it, or device.states")
        return record(**parameters)
    if not 2 <= states < math.inf:
        raise DeviceError(f"device.states = {states} is not allowed; a device needs at least 2 states")
    if "dw_min" in overrides:
        raise DeviceError("device.states and device.dw_min are both given; give one of them")
    # Granularity is proportional to dw_min: a device with a small one tells by how much.
    small = abs(parameters.get("w_max", 1.0) - parameters.get("w_min", -1.0)) / 1e6 or 1.0
    return record(**{**parameters, "dw_min": small * record(**{**parameters, "dw_min": small}).states / states})


def _typed(key: str, numbers: tuple[Any, ...], default: Any, annotation: Any) -> Any:
    """Return a value as its field holds it: a tuple, a bool, an int or a float."""
    flag = default is not MISSING and isinstance(default, bool)
    if any(not hasattr(number, "__float__") or (isinstance(number, bool) and not flag) for number in numbers):
        raise DeviceError(f"device.{key} = {numbers[0]!r} is not allowed; it must be a number")
    for number in numbers:  # a file holds whole numbers of any size
        if isinstance(number, int) and abs(number) > LARGEST:
            raise DeviceError(f"device.{key} = {number!r:.100} is not allowed; at most {LARGEST:g} in magnitude")
    if "tuple" in str(annotation):
        return tuple(float(number) for number in numbers)
    if len(numbers) != 1:
        raise DeviceError(f"device.{key} = {list(numbers)!r} is not allowed; it must be one number")
    if flag:
        if numbers[0] not in (0, 1):
            raise DeviceError(f"device.{key} = {numbers[0]!r} is not allowed; true or false")
        return bool(numbers[0])
    if default is not MISSING and isinstance(default, int):
        if not float(numbers[0]).is_integer():
            raise DeviceError(f"device.{key} = {numbers[0]!r} is not allowed; it must be a whole number")
        return int(numbers[0])
    return float(numbers[0])
