"""A hardware preset with the study's settings: what is built, and which prices hold for it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from circuits.calibration import Calibration, load_calibration
from cost_model.floorplan import Conventions, LayerFloorplan, MatrixShape
from device_models.names import unknown_name
from device_models.quantity import Quantity, quantity_from_table

PRESETS = files("cost_model") / "presets"
WHOLE_NUMBERS = frozenset({"vector_bytes", "buffer_bytes", "bias_bytes", "outer_product_vectors"})
FRACTIONS = frozenset({"activity_pulse_probability", "activity_input_density", "activity_drive"})


DacModel = Literal["pulse_width", "capacitive"]


class HardwareError(ValueError):
    """Hardware that cannot be priced: what was given and what is allowed."""


def list_hardware() -> list[str]:
    """Return the names of all hardware presets, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in PRESETS.iterdir() if entry.name.endswith(".toml"))


@cache
def hardware_preset(name: str) -> Mapping[str, Any]:
    """Return a hardware preset as its TOML table.

    Raises
    ------
    HardwareError
        If no preset has this name.
    """
    known = list_hardware()
    if name not in known:
        raise HardwareError(f"hardware.preset = {name!r} {unknown_name(name, known)}")
    return tomllib.loads((PRESETS / f"{name}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Hardware:
    """Arrays, converters and prices of one design.

    Parameters
    ----------
    preset
        Name of the price list.
    node_nm
        Technology node; a preset prices the node that it was made for.
    array_rows, array_cols
        Input lines and output lines of a physical array, >= 1.
    adc_bits, dac_bits
        Resolution of the converters; must be in the calibration table.
    dac_model
        ``pulse_width``: inputs are durations of pulses of one height; ``capacitive``: heights, held by a buffer.
    adc_full_scale
        Largest converted column output, in units of weight times full-scale input.
    columns_per_adc
        Lines that take turns on one converter, >= 1.
    shared_by_tiles
        One converter per column for all tiles, or one set per tile.
    overrides
        Values of the preset replaced by the study, name to number in the preset's unit.

    Raises
    ------
    HardwareError
        If a setting is outside what the preset and its calibration table hold.
    """

    preset: str
    node_nm: float
    array_rows: int
    array_cols: int
    adc_bits: int
    adc_full_scale: float
    columns_per_adc: int
    shared_by_tiles: bool
    dac_bits: int
    dac_model: DacModel = "pulse_width"
    overrides: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        node = self.table["node_nm"]
        if self.node_nm != node:
            raise HardwareError(
                f"hardware.node_nm = {self.node_nm:g} is not priced by preset {self.preset!r}; it holds for {node:g} nm"
            )
        for key, cell, bits in (
            ("adc", "sar_adc", self.adc_bits),
            ("dac", self.dac_cell, self.dac_bits),
        ):
            known = self.calibration.bits(cell)
            if bits not in known:
                raise HardwareError(
                    f"hardware.{key}.bits = {bits} is not in calibration table {self.calibration.name!r}; "
                    f"allowed: {known[0]} to {known[-1]}"
                )
        for name, number in self.overrides.items():
            if name in WHOLE_NUMBERS and not float(number).is_integer():
                raise HardwareError(f"hardware.values.{name} = {number} is not allowed; it must be a whole number")
            if name in FRACTIONS and not 0 <= number <= 1:
                raise HardwareError(f"hardware.values.{name} = {number} is not allowed; it must be between 0 and 1")
            if name not in self.table["values"]:
                raise HardwareError(f"hardware.values.{name} {unknown_name(name, self.table['values'])}")

    @property
    def table(self) -> Mapping[str, Any]:
        """The TOML table of the preset."""
        return hardware_preset(self.preset)

    @property
    def dac_cell(self) -> str:
        """Name of the cell that converts inputs."""
        return f"{self.dac_model}_dac"

    @property
    def calibration(self) -> Calibration:
        """The calibration table that gives the error and the energy of the periphery."""
        return load_calibration(self.table["calibration"])

    @property
    def conventions(self) -> Conventions:
        """How digital work and storage are counted."""
        return Conventions(
            vector_length=self.table["vector_length"],
            vector_bytes=int(self.number("vector_bytes")),
            buffer_bytes=int(self.number("buffer_bytes")),
            bias_bytes=int(self.number("bias_bytes")),
            outer_product_vectors=int(self.number("outer_product_vectors")),
        )

    def value(self, name: str) -> Quantity:
        """Return a value of the preset, or the study's number in its place."""
        quantity = _preset_values(self.preset)[name]
        if name not in self.overrides:
            return quantity
        return Quantity(self.overrides[name], quantity.unit, "assumed", "", f"{name} as given in the study")

    def number(self, name: str) -> float:
        """Return a value of the preset, or the study's number in its place, without its provenance."""
        return self.value(name).value

    def floorplan(self, shape: MatrixShape, tiles: int) -> LayerFloorplan:
        """Return the floorplan of one layer held by `tiles` tiles."""
        return LayerFloorplan(
            shape,
            tiles,
            self.array_rows,
            self.array_cols,
            self.columns_per_adc,
            self.shared_by_tiles,
            self.conventions,
        )


@cache
def _preset_values(preset: str) -> dict[str, Quantity]:
    table = hardware_preset(preset)["values"]
    return {name: quantity_from_table(entry, f"hardware {preset}: {name}") for name, entry in table.items()}
