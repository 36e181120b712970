"""Devices by name: one TOML file per device, a source for every value."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files
from typing import Any

from device_models.names import unknown_name
from device_models.parameters import FAMILIES, DeviceError, PulsedDevice
from device_models.quantity import Quantity, quantity_from_table

PRESETS = files("device_models") / "presets"


def list_devices() -> list[str]:
    """Return the names of all device presets, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in PRESETS.iterdir() if entry.name.endswith(".toml"))


@cache
def device_preset(name: str) -> tuple[str, str, Mapping[str, Quantity]]:
    """Return family, one-line summary and sourced values of a preset.

    Raises
    ------
    DeviceError
        If no preset has this name; the message names the nearest and all known ones.
    """
    known = list_devices()
    if name not in known:
        raise DeviceError(f"device.preset = {name!r} {unknown_name(name, known)}")
    table: dict[str, Any] = tomllib.loads((PRESETS / f"{name}.toml").read_text(encoding="utf-8"))
    values = {key: quantity_from_table(entry, f"device {name}: {key}") for key, entry in table["values"].items()}
    return table["family"], table["summary"], values


def load_device(name: str, *, states: float | None = None, **overrides: float) -> PulsedDevice:
    """Return a device by preset name, with any parameter overridden by keyword.

    Parameters
    ----------
    name
        Name of a preset, see `list_devices`.
    states
        Number of conductance states, >= 2; sets ``dw_min = (w_max - w_min) / states``.
    **overrides
        Parameters of the family, see `PulsedDevice`.

    Raises
    ------
    DeviceError
        For an unknown preset or parameter, or a value outside its range.
    """
    family, _, values = device_preset(name)
    record = FAMILIES[family]
    known = [field.name for field in fields(record)]
    for key in overrides:
        if key not in known:
            raise DeviceError(f"device.{key} {unknown_name(key, ['states', *known])}")
    parameters = {key: quantity.value for key, quantity in values.items()} | overrides
    if states is not None:
        if states < 2:
            raise DeviceError(f"device.states = {states} is not allowed; a device needs at least 2 states")
        if "dw_min" in overrides:
            raise DeviceError("device.states and device.dw_min are both given; give one of them")
        parameters["dw_min"] = (parameters["w_max"] - parameters["w_min"]) / states
    return record(**parameters)
