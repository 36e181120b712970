"""The sections of a study file: keys, types, ranges and names, and what a person is told when one is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cosim.algorithms import ALGORITHMS, Parameters
from cosim.data import SHAPES
from cosim.network import NETWORKS
from cosim.periphery import BoundManagement, NoiseManagement
from cost_model.hardware import AdcModelName, DacModel
from device_models.names import unknown_name

# Far above anything that can be built or trained, far below where arithmetic overflows.
VALUE_MAX, BITS_MAX = 1e12, 64
COUNT_MAX, NUMBER_MAX, STATES_MAX = 10**9, 1e6, 10**6
SHOWN_CHARACTERS = 100
Count = Annotated[int, Field(ge=1, le=COUNT_MAX)]


class ConfigError(ValueError):
    """A study that cannot be run: what was given, what is allowed, where, what next."""


class Section(BaseModel):
    """Base of the sections of a study: unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DataSection(Section):
    """Which images to train on."""

    name: str = "digits"
    path: str | None = None
    train_samples: int | None = Field(None, ge=1)
    test_samples: int | None = Field(None, ge=1)


class NetworkSection(Section):
    """Which network to train."""

    name: str = "mlp"
    sizes: list[Count] = []
    activation: Literal["tanh", "sigmoid", "relu"] = "tanh"


class ScheduleSection(Section):
    """How the learning rate changes: times `factor` after each `every` epochs."""

    name: Literal["constant", "step"] = "constant"
    every: Count = 30
    factor: float = Field(0.5, gt=0, le=1)


class TrainingSection(Section):
    """How long and how fast to train."""

    epochs: Count = 10
    batch_size: Count = 8
    learning_rate: float = Field(0.05, ge=0, le=NUMBER_MAX)
    schedule: ScheduleSection = ScheduleSection()


class DeviceSection(Section):
    """Which device: a preset or a file, with any parameter of its family overridden (checked by `load_device`)."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    preset: str = "soft_bounds"
    states: int | None = Field(None, ge=2, le=STATES_MAX)


class AdcSection(Section):
    """Converters of the sensed lines."""

    model: AdcModelName | None = None
    bits: int | None = Field(None, ge=1, le=BITS_MAX)
    rate_hz: float | None = Field(None, gt=0, le=1e12)
    table: str | None = None
    full_scale: float | None = Field(None, ge=1 / NUMBER_MAX, le=NUMBER_MAX)
    columns_per_adc: Count | None = None
    shared_by_tiles: bool | None = None


class DacSection(Section):
    """Converters of the driven lines."""

    model: DacModel | None = None
    bits: int | None = Field(None, ge=1, le=BITS_MAX)


class CellSection(Section):
    """Storage cell: a model, with any of its values overridden (checked by `Hardware`)."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    model: str | None = None

    @model_validator(mode="after")
    def _check_numbers(self) -> CellSection:
        for name, number in (self.model_extra or {}).items():
            if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) <= VALUE_MAX:
                raise ValueError(f"{name} = {shown(number)} is not allowed; a number up to {VALUE_MAX:g}")
        return self


class OverlapSection(Section):
    """Which operations overlap in time; the same keys as `cost_model.latency.Schedule`."""

    layers: Literal["sequential", "pipelined"] = "sequential"
    updates: Literal["together", "as_ready"] = "together"
    transfers: Literal["serial", "hidden"] = "serial"


class PulsesSection(Section):
    """How updates become pulse trains; the same keys and ranges as `cosim.tile.PulsedUpdate`."""

    pulse_type: Literal["stochastic", "mean_count", "deterministic"] = "stochastic"
    max_train_length: int = Field(31, ge=1, le=1024)
    update_management: bool = True
    train_length_management: bool = True
    error_share: float = Field(1.0, gt=0, le=1)
    resolution: float = Field(0.0, ge=0, lt=1)
    stochastic_rounding: bool = False


class WiresSection(Section):
    """Lines with resistance, as in `cosim.wires.Wires`; conductances are those of the table where not given."""

    segment_resistance_ohm: float = Field(gt=0, le=NUMBER_MAX)
    min_conductance_s: float | None = Field(None, gt=0, le=1)
    max_conductance_s: float | None = Field(None, gt=0, le=1)

    @model_validator(mode="after")
    def _check_order(self) -> WiresSection:
        low, high = self.min_conductance_s, self.max_conductance_s
        if low is not None and high is not None and low >= high:
            raise ValueError(
                f"min_conductance_s = {low:g} is not allowed; it must be below max_conductance_s = {high:g}"
            )
        return self


class HardwareSection(Section):
    """What is built: a preset, with any of its settings and values overridden."""

    preset: str = "sar_45nm"
    node_nm: float | None = Field(None, gt=0)
    ideal_io: bool | None = None
    noise_management: NoiseManagement = "abs_max"
    bound_management: BoundManagement = "off"
    array_rows: int | None = Field(None, ge=1, le=65536)
    array_cols: int | None = Field(None, ge=1, le=65536)
    adc: AdcSection = AdcSection()
    dac: DacSection = DacSection()
    cell: CellSection = CellSection()
    schedule: OverlapSection = OverlapSection()
    pulses: PulsesSection = PulsesSection()
    wires: WiresSection | None = None
    values: dict[str, Annotated[float, Field(ge=0, le=VALUE_MAX)]] = {}


class PointSection(Section):
    """A whole study without its sweep: one point."""

    schema_version: Literal[1] = Field(1, alias="schema")
    title: str = "Untitled study"
    seed: int = Field(1, ge=0, lt=2**63)
    data: DataSection = DataSection()
    network: NetworkSection = NetworkSection()
    training: TrainingSection = TrainingSection()
    device: DeviceSection = DeviceSection()
    algorithm: dict[str, Any] = {"name": "residual_learning"}
    hardware: HardwareSection = HardwareSection()


def check_sections(tree: Mapping[str, Any], where: str) -> PointSection:
    """Check the keys, types, ranges and names of a study without a sweep, but for those of the algorithm.

    Parameters
    ----------
    tree
        The content of a study file, with a `schema`.
    where
        Name of its origin, for messages.

    Raises
    ------
    ConfigError
        If something is not allowed.
    """
    if type(tree["schema"]) is not int or tree["schema"] != 1:
        raise ConfigError(f"{where}: schema = {shown(tree['schema'])} is not allowed; this version reads schema = 1")
    _refuse_unknown_keys(tree, PointSection, where, "")
    try:
        section = PointSection.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_explain(error, '')}") from None
    _known_name("data.name", section.data.name, list(SHAPES), where)
    _known_name("network.name", section.network.name, list(NETWORKS), where)
    return section


def check_algorithm(section: PointSection, *, inputs: int, states: float) -> Parameters:
    """Check the parameters of the algorithm, whose defaults may depend on the rest of the study.

    Parameters
    ----------
    section
        The study.
    inputs
        Fan-in of its widest layer.
    states
        Conductance states of its device.

    Raises
    ------
    ConfigError
        If something is not allowed.
    """
    samples = section.data.train_samples or SHAPES[section.data.name].train_samples
    mini_batches = section.training.epochs * math.ceil(samples / section.training.batch_size)
    context = {"mini_batches": mini_batches, "inputs": inputs, "states": states}
    try:
        return ALGORITHMS[section.algorithm["name"]].parameters_type.model_validate(section.algorithm, context=context)
    except ValidationError as error:
        raise ConfigError(_explain(error, "algorithm.")) from None


def _known_name(key: str, name: str, known: Iterable[str], where: str) -> None:
    if name not in known:
        raise ConfigError(f"{where}: {key} = {shown(name)} {unknown_name(name, known)}")


def shown(value: Any) -> str:
    """Return a value as a message shows it; long ones are cut."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _refuse_unknown_keys(tree: Mapping[str, Any], model: type[BaseModel], where: str, prefix: str) -> None:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for key, value in tree.items():
        if key not in fields and model.model_config["extra"] != "allow":
            known = [*fields, "sweep"] if not prefix else list(fields)
            heading = f"known keys of {prefix.rstrip('.') or 'the study'}"
            raise ConfigError(f"{where}: key {prefix + key!r} {unknown_name(key, known, heading)}")
        known_table = key in fields and isinstance(value, dict)
        child = _section_model(key, value, fields[key].annotation, where) if known_table else None
        if child is not None:
            _refuse_unknown_keys(value, child, where, f"{prefix}{key}.")


def _section_model(key: str, value: Mapping[str, Any], annotation: Any, where: str) -> type[BaseModel] | None:
    if key == "algorithm":
        name = value.get("name")
        if name is None:
            raise ConfigError(f"{where}: algorithm.name is missing; known: {', '.join(ALGORITHMS)}")
        _known_name("algorithm.name", str(name), list(ALGORITHMS), where)
        return ALGORITHMS[str(name)].parameters_type
    choices = get_args(annotation) or (annotation,)  # a section that may be left out is a union with None
    models = (choice for choice in choices if isinstance(choice, type) and issubclass(choice, BaseModel))
    return next(models, None)


def _explain(error: ValidationError, prefix: str) -> str:
    """Return one paragraph from the first few complaints of the checker."""
    complaints = [_complaint(entry, prefix) for entry in error.errors(include_url=False)[:3]]
    more = error.error_count() - len(complaints)
    return "; ".join(complaints) + (f"; and {more} more" if more > 0 else "")


def _complaint(entry: Any, prefix: str) -> str:
    key = prefix + ".".join(map(str, entry["loc"]))
    message = entry["msg"].removeprefix("Input should be ")
    if entry["type"] == "value_error":  # a rule of a whole section, in its own words
        return f"{key.rstrip('.')}: {message.removeprefix('Value error, ')}"
    if entry["type"] == "missing":
        return f"{key} is missing"
    if entry["type"] in ("model_type", "dict_type"):
        message = f"a section, that is [{key}] followed by its keys"
    return f"{key} = {shown(entry['input'])} is not allowed; it must be {message}"
