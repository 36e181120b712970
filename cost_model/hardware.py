"""A hardware preset with the study's settings: what is built, and which prices hold for it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Literal, get_args

import numpy as np

from circuits.calibration import Calibration, CalibrationError, load_calibration
from cost_model.adc import ADC_MODELS, AdcModel
from cost_model.cells import CellError, CellModel, list_cells, load_cell
from cost_model.floorplan import Conventions, LayerFloorplan, MatrixShape
from cost_model.latency import Schedule
from cost_model.numbers import Designs, Number, designs_of, first_where
from cost_model.price import Price, price_of
from device_models.names import unknown_name
from device_models.quantity import Quantity, quantity_from_table

PRESETS = files("cost_model") / "presets"
WHOLE_NUMBERS = frozenset({"vector_bytes", "buffer_bytes", "bias_bytes", "outer_product_vectors", "transfer_vectors"})
FRACTIONS = frozenset({"activity_pulse_probability", "activity_input_density", "activity_drive", "input_bit_density"})

AT_LEAST = {"cells_per_weight": 1, "write_phases": 1, "vector_bytes": 1}

AdcModelName = Literal["spice_sar", "survey", "neurosim", "isaac", "walden", "schreier", "table"]
DacModel = Literal["pulse_width", "capacitive", "r2r", "bit_serial"]
SIMULATED_ADC, SIMULATED_CELL = "spice_sar", "spice_reram"
SIMULATED_DACS = ("pulse_width", "capacitive")
DAC_BITS = {"r2r": (2, 10), "bit_serial": (1, 16)}


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
    """Arrays, converters and prices of one design, or of many.

    Every number may be an array of shape (n,): the object then stands for n designs, and what is counted and priced
    for it are arrays with the same bits that n single designs would give.

    Parameters
    ----------
    preset
        Name of the price list.
    node_nm
        Technology node; a preset prices the node that it was made for.
    array_rows, array_cols
        Input lines and output lines of a physical array, >= 1.
    adc_bits, dac_bits
        Resolution of the converters; within the range of their models.
    dac_model
        ``pulse_width``: inputs are durations of pulses of one height; ``capacitive`` and ``r2r``: heights, held by a
        buffer; ``bit_serial``: one bit after the other, each with a read of its own.
    adc_full_scale
        Largest converted column output, in units of weight times full-scale input.
    columns_per_adc
        Lines that take turns on one converter, >= 1.
    shared_by_tiles
        One converter per column for all tiles, or one set per tile.
    adc_model
        ``spice_sar`` reads the calibration table; ``table`` is `adc_table`; the others are those of `cost_model.adc`.
    adc_rate_hz
        Conversions per second, for models that ask for it; None for their usual rate.
    adc_table
        Converters measured by somebody else; only with ``table``.
    cell_model
        ``spice_reram`` reads the calibration table; the others are those of `cost_model.cells`.
    cell_values
        Values of the cell replaced by the study, name to number.
    schedule
        Which operations overlap in time.
    overrides
        Values of the preset replaced by the study, name to number in the preset's unit.
    factors
        What numbers of the price list are multiplied by, name of the assumption to factor; see `cost_model.bands`.

    Raises
    ------
    HardwareError
        If a setting is outside what the preset, its models and its calibration table hold.
    """

    preset: str
    node_nm: float
    array_rows: Number
    array_cols: Number
    adc_bits: Number
    adc_full_scale: float
    columns_per_adc: Number
    shared_by_tiles: Number
    dac_bits: Number
    dac_model: DacModel = "pulse_width"
    adc_model: AdcModelName = "spice_sar"
    adc_rate_hz: Number | None = None
    adc_table: AdcModel | None = None
    cell_model: str = SIMULATED_CELL
    cell_values: Mapping[str, Number] = field(default_factory=dict)
    schedule: Schedule = field(default_factory=Schedule)
    overrides: Mapping[str, Number] = field(default_factory=dict)
    factors: Mapping[str, Number] = field(default_factory=dict)

    def __post_init__(self) -> None:
        node = self.table["node_nm"]
        if self.node_nm != node:
            raise HardwareError(
                f"hardware.node_nm = {self.node_nm:g} is not priced by preset {self.preset!r}; it holds for {node:g} nm"
            )
        self._check_names()
        self._check_bits("adc", "sar_adc" if self.adc_model == SIMULATED_ADC else None, self.adc_bits)
        self._check_bits("dac", self.dac_cell if self.dac_model in SIMULATED_DACS else None, self.dac_bits)
        for name, number in self.overrides.items():
            if name not in self.table["values"]:
                raise HardwareError(f"hardware.values.{name} {unknown_name(name, self.table['values'])}")
            wrong = ~(np.isfinite(number) & (np.floor(number) == number)) if name in WHOLE_NUMBERS else False
            if found := first_where(wrong, number):
                raise HardwareError(f"hardware.values.{name} = {found[0]} is not allowed; it must be a whole number")
            outside = ~(np.greater_equal(number, 0) & np.less_equal(number, 1)) if name in FRACTIONS else False
            if found := first_where(outside, number):
                raise HardwareError(f"hardware.values.{name} = {found[0]} is not allowed; it must be between 0 and 1")
        for name, least in AT_LEAST.items():
            if name in self.overrides and (
                found := first_where(np.less(self.overrides[name], least), self.overrides[name])
            ):
                raise HardwareError(f"hardware.values.{name} = {found[0]} is not allowed; it must be at least {least}")

    def _check_names(self) -> None:
        models = get_args(AdcModelName)
        if self.adc_model not in models:
            raise HardwareError(f"hardware.adc.model = {self.adc_model!r} {unknown_name(self.adc_model, models)}")
        if (self.adc_model == "table") != (self.adc_table is not None):
            raise HardwareError(
                f"hardware.adc.model = {self.adc_model!r}: hardware.adc.table names a CSV of measured converters, and "
                'goes with model = "table" alone'
            )
        if self.dac_model not in get_args(DacModel):
            raise HardwareError(
                f"hardware.dac.model = {self.dac_model!r} {unknown_name(self.dac_model, get_args(DacModel))}"
            )
        if self.dac_model == "bit_serial" and "input_bit_density" not in self.table["values"]:
            raise HardwareError(
                f"hardware.dac.model = 'bit_serial' is not priced by preset {self.preset!r}, which has no "
                "input_bit_density and no price for shifting and adding; take a preset that has"
            )
        cells = [SIMULATED_CELL, *list_cells()]
        if self.cell_model not in cells:
            raise HardwareError(f"hardware.cell.model = {self.cell_model!r} {unknown_name(self.cell_model, cells)}")
        if self.cell is None and self.cell_values:
            raise HardwareError(
                f"hardware.cell.{next(iter(self.cell_values))}: the numbers of {SIMULATED_CELL!r} come from the "
                f"calibration table; to give some of your own take one of {', '.join(list_cells())}"
            )
        if self.cell is not None:
            known = list(self.cell.quantities())
            for name in self.cell_values:
                if name not in known:
                    raise HardwareError(f"hardware.cell.{name} {unknown_name(name, known)}")
            try:
                self.cell.values(self.cell_values)
            except CellError as error:
                raise HardwareError(f"hardware.cell: {error}") from None
        self._check_parts()
        simulated = (
            ("adc", self.adc_model == SIMULATED_ADC),
            ("dac", self.dac_model in SIMULATED_DACS),
            ("cell", self.cell_model == SIMULATED_CELL),
        )
        for key, needed in simulated:
            if needed and self.calibration is None and key in self.table.get("components", ()):
                raise HardwareError(
                    f"hardware.{key}.model = {getattr(self, f'{key}_model')!r} is known for 45 nm from circuit "
                    f"simulation; preset {self.preset!r} of {self.node_nm:g} nm has none: take a published model"
                )

    def _check_parts(self) -> None:
        """Refuse what the preset does not price, so that no setting is accepted and ignored."""
        defaults, priced = self.table["defaults"], self.table.get("components", ())
        for key, usual in (("adc", SIMULATED_ADC), ("dac", "pulse_width"), ("cell", SIMULATED_CELL)):
            own, given = defaults.get(f"{key}_model", usual), getattr(self, f"{key}_model")
            if key not in priced and given != own:
                raise HardwareError(
                    f"hardware.{key}.model = {given!r} is not allowed: preset {self.preset!r} prices no {key} by "
                    "itself; leave it out, or take a preset that does, such as 'sar_45nm'"
                )
        if self.adc_rate_hz is not None and self.adc_model == SIMULATED_ADC:
            raise HardwareError(
                "hardware.adc.rate_hz is not allowed with model 'spice_sar', which converts as fast as it was "
                "simulated; the models survey, walden and schreier take a rate"
            )
        fewest, most = self.table.get("array_lines", (1, None))
        for name in ("array_rows", "array_cols") if most else ():
            lines = getattr(self, name)
            if found := first_where(np.less(lines, fewest) | np.greater(lines, most), lines):
                raise HardwareError(
                    f"hardware.{name} = {found[0]} is not allowed: the macro of preset {self.preset!r} is known with "
                    f"{fewest} to {most} lines"
                )

    def _check_bits(self, key: str, simulated_cell: str | None, bits: Number) -> None:
        if simulated_cell is None or self.calibration is None:
            low, high = (
                self.adc_source.bits if key == "adc" and self.adc_source else DAC_BITS.get(self.dac_model, (1, 16))
            )
            model = self.adc_model if key == "adc" else self.dac_model
            if found := first_where(np.less(bits, low) | np.greater(bits, high), bits):
                raise HardwareError(
                    f"hardware.{key}.bits = {found[0]} is outside model {model!r}; allowed: {low} to {high}"
                )
            return
        known = self.calibration.bits(simulated_cell)
        if found := first_where(~np.isin(bits, known), bits):
            raise HardwareError(
                f"hardware.{key}.bits = {found[0]} is not in calibration table {self.calibration.name!r}; "
                f"allowed: {known[0]} to {known[-1]}"
            )

    @cached_property
    def designs(self) -> Designs:
        """Shape of the settings that are arrays: () for one design, (n,) for n."""
        numbers = (
            *(self.array_rows, self.array_cols, self.adc_bits, self.columns_per_adc, self.shared_by_tiles),
            *(self.dac_bits, self.adc_rate_hz if self.adc_rate_hz is not None else 0.0),
            *(*self.cell_values.values(), *self.overrides.values(), *self.factors.values()),
        )
        return designs_of(*numbers)

    @property
    def table(self) -> Mapping[str, Any]:
        """The TOML table of the preset."""
        return hardware_preset(self.preset)

    @property
    def dac_cell(self) -> str:
        """Name of the simulated cell that converts inputs."""
        return f"{self.dac_model}_dac"

    @property
    def input_cycles(self) -> Number:
        """Reads that one input vector takes: one per bit where inputs are bit-serial."""
        return self.dac_bits if self.dac_model == "bit_serial" else 1

    @property
    def adc_source(self) -> AdcModel | None:
        """The published model of the converters; None where they are simulated."""
        return self.adc_table if self.adc_model == "table" else ADC_MODELS.get(self.adc_model)

    @cached_property
    def cell(self) -> CellModel | None:
        """The storage cell; None where it is the simulated one."""
        return None if self.cell_model == SIMULATED_CELL else load_cell(self.cell_model)

    @property
    def calibration(self) -> Calibration | None:
        """The calibration table that gives the error and the energy of the periphery; None where there is none."""
        name = self.table.get("calibration")
        return None if name is None else load_calibration(name)

    @property
    def simulated(self) -> Calibration:
        """The calibration table of a design that has one.

        Raises
        ------
        CalibrationError
            If the preset has none.
        """
        if self.calibration is None:
            raise CalibrationError(
                f"hardware preset {self.preset!r} has no circuit simulation behind it; set hardware.ideal_io = true, "
                "or take a preset that has"
            )
        return self.calibration

    @cached_property
    def prices(self) -> dict[Any, Price]:
        """Prices that were asked for, so that each is worked out once."""
        return {}

    @property
    def conventions(self) -> Conventions:
        """How digital work and storage are counted."""
        return Conventions(
            vector_length=self.table["vector_length"],
            vector_bytes=self._whole("vector_bytes"),
            buffer_bytes=self._whole("buffer_bytes"),
            bias_bytes=self._whole("bias_bytes"),
            outer_product_vectors=self._whole("outer_product_vectors"),
            transfer_vectors=self._whole("transfer_vectors"),
        )

    def _whole(self, name: str) -> Number:
        number = self.number(name)
        return number.astype(np.int64) if isinstance(number, np.ndarray) else int(number)

    def quantity(self, name: str) -> Quantity:
        """Return a value of the preset as it stands there.

        Raises
        ------
        HardwareError
            If the preset has no such value.
        """
        values = _preset_values(self.preset)
        if name not in values:
            raise HardwareError(f"hardware {self.preset}: no value is called {name!r}")
        return values[name]

    def value(self, name: str) -> Price:
        """Return a value of the preset, or the study's number in its place, times its factor."""
        quantity, factor = self.quantity(name), self.factors.get(name, 1.0)
        if name not in self.overrides:
            price = price_of(quantity, name, factor)
        else:
            given = given_quantity(self.overrides[name], quantity.unit, name)
            price = replace(price_of(given, name), value=self.overrides[name] * factor)
        if name in FRACTIONS and name in self.factors:
            return replace(price, value=np.minimum(price.value, 1.0))
        return price

    def number(self, name: str) -> Number:
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
            self.input_cycles,
            self.number("input_bit_density") if self.dac_model == "bit_serial" else 1.0,
            self.dac_model == "bit_serial",
        )


def given_quantity(number: Number, unit: str, name: str) -> Quantity:
    """Return a number that a study gives, as one that is known exactly; the first of many, or of those not finite."""
    bad = first_where(~np.isfinite(number), number)
    first = float(np.reshape(number, -1)[0]) if bad is None else bad[0]
    return Quantity(first, unit, "assumed", "", f"{name} as given in the study", low=first, high=first)


@cache
def _preset_values(preset: str) -> dict[str, Quantity]:
    table = hardware_preset(preset)["values"]
    return {name: quantity_from_table(entry, f"hardware {preset}: {name}") for name, entry in table.items()}
