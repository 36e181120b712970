"""A study file becomes a checked tree: unknown keys are refused, defaults filled in, sweeps expanded to points."""

from __future__ import annotations

import copy
import difflib
import hashlib
import itertools
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cosim.algorithms import ALGORITHMS, Algorithm, Parameters
from cosim.data import SHAPES, DataShape
from cosim.network import NETWORKS, LayerSpec, NetworkError
from cost_model.hardware import Hardware, HardwareError, hardware_preset, list_hardware
from device_models.parameters import DeviceError, PulsedDevice
from device_models.presets import list_devices, load_device
from device_models.quantity import ProvenanceError

POINTS_MAX = 100_000
# Far above anything that can be built or trained, far below where arithmetic overflows.
COUNT_MAX, NUMBER_MAX, STATES_MAX = 10**9, 1e6, 10**6
SHOWN_CHARACTERS = 100
Count = Annotated[int, Field(ge=1, le=COUNT_MAX)]
Spread = Annotated[float, Field(ge=0, le=100)]


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
    """Which device: a preset, with any of its parameters overridden."""

    preset: str = "soft_bounds"
    states: int | None = Field(None, ge=2, le=STATES_MAX)
    dw_min: float | None = Field(None, gt=0)
    dw_min_dtod: Spread | None = None
    dw_min_std: Spread | None = None
    up_down: float | None = None
    up_down_dtod: Spread | None = None
    w_max: float | None = Field(None, le=NUMBER_MAX)
    w_min: float | None = Field(None, ge=-NUMBER_MAX)
    w_max_dtod: Spread | None = None
    w_min_dtod: Spread | None = None


class AdcSection(Section):
    """Converters of the sensed lines."""

    model: Literal["spice_sar"] = "spice_sar"
    bits: int | None = Field(None, ge=1)
    full_scale: float | None = Field(None, ge=1 / NUMBER_MAX, le=NUMBER_MAX)
    columns_per_adc: Count | None = None
    shared_by_tiles: bool | None = None


class DacSection(Section):
    """Converters of the driven lines."""

    model: Literal["pulse_width"] = "pulse_width"
    bits: int | None = Field(None, ge=1)


class HardwareSection(Section):
    """What is built: a preset, with any of its settings and values overridden."""

    preset: str = "sar_45nm"
    node_nm: float | None = Field(None, gt=0)
    ideal_io: bool | None = None
    array_rows: int | None = Field(None, ge=1, le=65536)
    array_cols: int | None = Field(None, ge=1, le=65536)
    adc: AdcSection = AdcSection()
    dac: DacSection = DacSection()
    values: dict[str, Annotated[float, Field(ge=0)]] = {}


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


@dataclass(frozen=True)
class Point:
    """One configuration with one seed, ready to run.

    Parameters
    ----------
    resolved
        The checked tree with every default filled in, as plain data.
    data_path
        Folder of the data files; None for embedded data.
    """

    resolved: dict[str, Any]
    data_path: Path | None
    device: PulsedDevice
    hardware: Hardware
    ideal_io: bool
    data: DataShape
    layers: tuple[LayerSpec, ...]

    @property
    def run_id(self) -> str:
        """Twelve hexadecimal digits that stand for everything that can change a result."""
        content = {key: value for key, value in self.resolved.items() if key not in ("title",)}
        content["data"] = {key: value for key, value in content["data"].items() if key != "path"}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.resolved["seed"])

    @property
    def train_samples(self) -> int:
        """Training samples per epoch."""
        return int(self.resolved["data"]["train_samples"])

    def algorithm(self) -> Algorithm:
        """Return a fresh instance of the algorithm."""
        table = self.resolved["algorithm"]
        kind = ALGORITHMS[table["name"]]
        return kind(kind.parameters_type.model_validate(table))


@dataclass(frozen=True)
class Study:
    """A checked study: its resolved tree and its points.

    Parameters
    ----------
    title
        As given.
    resolved
        The tree with every default, and the sweep as given; itself a valid study.
    points
        One per combination of swept values, in the order of the sweep.
    swept_keys
        Dotted keys of the leaves that the sweep sets.
    data_path
        Folder of the data files; None for embedded data.
    folder
        Folder that the paths in `resolved` start from.
    """

    title: str
    resolved: dict[str, Any]
    points: tuple[Point, ...]
    swept_keys: tuple[str, ...]
    data_path: Path | None
    folder: Path


def load_study(path: Path) -> Study:
    """Read and check a study file.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not TOML, or holds something that is not allowed; nothing has run then.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such study file") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: the study file cannot be read: {reason}") from None
    if not text.strip():
        raise ConfigError(
            f"{path}: the study file is empty; `cosim demo` leaves a complete one in runs/demo/study.toml"
        )
    try:
        tree = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: this is not valid TOML: tables or lists are nested too deeply") from None
    except ValueError as error:  # a TOMLDecodeError, or a number with more digits than Python reads
        raise ConfigError(f"{path}: this is not valid TOML: {error}") from None
    return make_study(tree, where=str(path), folder=path.parent)


def make_study(tree: Mapping[str, Any], *, where: str = "study", folder: Path | None = None) -> Study:
    """Check a study given as a tree of plain data.

    Parameters
    ----------
    tree
        The content of a study file.
    where
        Name of its origin, for messages.
    folder
        Folder that relative paths start from; the working directory where not given.

    Raises
    ------
    ConfigError
        If something is not allowed.
    """
    base = copy.deepcopy(dict(tree))
    sweep = base.pop("sweep", {})
    if "schema" not in base:
        raise ConfigError(f"{where}: schema is missing; a study starts with `schema = 1`")
    axes = _checked_axes(sweep, where)
    folder = folder or Path()
    points = [_point(_with_values(base, swept, where), where, folder) for swept in _combinations(axes)]
    identities = [point.run_id for point in points]
    unique = {run_id: point for run_id, point in zip(reversed(identities), reversed(points), strict=True)}
    points = [unique[run_id] for run_id in dict.fromkeys(identities)]
    return Study(
        points[0].resolved["title"],
        _resolved_tree(points, axes),
        tuple(points),
        _leaves(axes),
        points[0].data_path,
        folder,
    )


def _resolved_tree(points: list[Point], axes: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return the study with every default that holds for all points, and the sweep as given.

    What differs between points is either swept or follows from what is swept, so it must not be fixed here.
    """
    common = points[0].resolved
    for point in points[1:]:
        common = _common(common, point.resolved)
    for key in axes:
        common = _without(common, key.split("."))
    return common | ({"sweep": copy.deepcopy(dict(axes))} if axes else {})


def _common(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both: dict[str, Any] = {}
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            both[key] = _common(one[key], other[key])
        elif one[key] == other[key]:
            both[key] = one[key]
    return {key: both[key] for key in one if key in both}


def _without(tree: Mapping[str, Any], path: list[str]) -> dict[str, Any]:
    rest = {key: value for key, value in tree.items() if key != path[0] or len(path) > 1}
    if len(path) > 1 and isinstance(rest.get(path[0]), dict):
        rest[path[0]] = _without(rest[path[0]], path[1:])
    return rest


def _checked_axes(sweep: Any, where: str) -> dict[str, list[Any]]:
    if not isinstance(sweep, dict):
        raise ConfigError(f"{where}: sweep must be a table of dotted keys, each with a list of values")
    for key, values in sweep.items():
        if key.split(".")[0] == "sweep":
            raise ConfigError(f'{where}: sweep."{key}": a sweep cannot be swept; give the dotted key of a value')
        if not isinstance(values, list) or not values:
            raise ConfigError(
                f'{where}: sweep."{key}" = {_shown(values)} is not allowed; '
                "give a non-empty list, for example [1, 2, 4]"
            )
    count = 1
    for values in sweep.values():
        count *= len(values)
    if count > POINTS_MAX:
        raise ConfigError(f"{where}: the sweep has {count} points; at most {POINTS_MAX} are allowed")
    return dict(sweep)


def _combinations(axes: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _with_values(base: dict[str, Any], swept: Mapping[str, Any], where: str) -> dict[str, Any]:
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


def _leaves(axes: Mapping[str, list[Any]]) -> tuple[str, ...]:
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


def _point(tree: dict[str, Any], where: str, folder: Path) -> Point:
    if type(tree["schema"]) is not int or tree["schema"] != 1:
        raise ConfigError(f"{where}: schema = {_shown(tree['schema'])} is not allowed; this version reads schema = 1")
    _refuse_unknown_keys(tree, PointSection, where, "")
    try:
        section = PointSection.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_explain(error, where, "")) from None
    try:
        algorithm = ALGORITHMS[section.algorithm["name"]].parameters_type.model_validate(section.algorithm)
    except ValidationError as error:
        raise ConfigError(_explain(error, where, "algorithm.")) from None
    _known_name("data.name", section.data.name, list(SHAPES), where)
    _known_name("network.name", section.network.name, list(NETWORKS), where)
    _known_name("device.preset", section.device.preset, list_devices(), where)
    _known_name("hardware.preset", section.hardware.preset, list_hardware(), where)
    try:
        return _resolve(section, algorithm, folder)
    except (DeviceError, HardwareError, NetworkError, ProvenanceError, ConfigError) as error:
        raise ConfigError(f"{where}: {error}") from None


def _resolve(section: PointSection, algorithm: Parameters, folder: Path) -> Point:
    data = SHAPES[section.data.name]
    for name, limit in (("train_samples", data.train_samples), ("test_samples", data.test_samples)):
        asked = getattr(section.data, name)
        if asked is not None and asked > limit:
            raise ConfigError(f"data.{name} = {asked} is more than {data.name!r} has; at most {limit}")
    sizes = section.network.sizes
    if not sizes and section.network.name == "mlp":
        height, width, channels = data.image_shape
        sizes = [height * width * channels, 32, data.classes]
    layers = NETWORKS[section.network.name](data.image_shape, data.classes, sizes, section.network.activation)
    given = section.device.model_dump(exclude_none=True, exclude={"preset"})
    device = load_device(section.device.preset, **given)
    if device.states > STATES_MAX:
        raise ConfigError(f"device.dw_min = {device.dw_min:g} gives {device.states:g} states; at most {STATES_MAX}")
    hardware, ideal_io = _hardware(section.hardware)
    resolved = section.model_dump(mode="json", by_alias=True)
    resolved["network"]["sizes"] = list(sizes)
    resolved["algorithm"] = algorithm.model_dump(mode="json")
    resolved["data"]["train_samples"] = section.data.train_samples or data.train_samples
    resolved["data"]["test_samples"] = section.data.test_samples or data.test_samples
    resolved["device"] |= {name: getattr(device, name) for name in DEVICE_PARAMETERS}
    if section.device.states is not None:
        resolved["device"]["dw_min"] = None
    resolved["hardware"] = _resolved_hardware(section.hardware, hardware, ideal_io)
    path = None if section.data.path is None else folder / section.data.path
    return Point(_without_none(resolved), path, device, hardware, ideal_io, data, tuple(layers))


def _without_none(tree: dict[str, Any]) -> dict[str, Any]:
    items = ((key, _without_none(value) if isinstance(value, dict) else value) for key, value in tree.items())
    return {key: value for key, value in items if value is not None}


DEVICE_PARAMETERS = [name for name in DeviceSection.model_fields if name not in ("preset", "states")]


def _hardware(section: HardwareSection) -> tuple[Hardware, bool]:
    table = hardware_preset(section.preset)
    default = table["defaults"]

    def pick(given: Any, name: str) -> Any:
        return default[name] if given is None else given

    hardware = Hardware(
        preset=section.preset,
        node_nm=float(table["node_nm"]) if section.node_nm is None else section.node_nm,
        array_rows=pick(section.array_rows, "array_rows"),
        array_cols=pick(section.array_cols, "array_cols"),
        adc_bits=pick(section.adc.bits, "adc_bits"),
        adc_full_scale=pick(section.adc.full_scale, "adc_full_scale"),
        columns_per_adc=pick(section.adc.columns_per_adc, "columns_per_adc"),
        shared_by_tiles=pick(section.adc.shared_by_tiles, "shared_by_tiles"),
        dac_bits=pick(section.dac.bits, "dac_bits"),
        overrides=dict(section.values),
    )
    return hardware, bool(pick(section.ideal_io, "ideal_io"))


def _resolved_hardware(section: HardwareSection, hardware: Hardware, ideal_io: bool) -> dict[str, Any]:
    return {
        "preset": hardware.preset,
        "node_nm": hardware.node_nm,
        "ideal_io": ideal_io,
        "array_rows": hardware.array_rows,
        "array_cols": hardware.array_cols,
        "adc": {
            "model": section.adc.model,
            "bits": hardware.adc_bits,
            "full_scale": hardware.adc_full_scale,
            "columns_per_adc": hardware.columns_per_adc,
            "shared_by_tiles": hardware.shared_by_tiles,
        },
        "dac": {"model": section.dac.model, "bits": hardware.dac_bits},
        "values": dict(section.values),
    }


def _known_name(key: str, name: str, known: list[str], where: str) -> None:
    if name not in known:
        raise ConfigError(
            f"{where}: {key} = {_shown(name)} is unknown{_nearest(name, known)}; known: {', '.join(known)}"
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _nearest(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; nearest: {nearest[0]!r}" if nearest else ""


def _refuse_unknown_keys(tree: Mapping[str, Any], model: type[BaseModel], where: str, prefix: str) -> None:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for key, value in tree.items():
        if key not in fields:
            known = [*fields, "sweep"] if not prefix else list(fields)
            raise ConfigError(
                f"{where}: key {prefix + key!r} is unknown{_nearest(key, known)}; "
                f"known keys of {'the study' if not prefix else prefix.rstrip('.')}: {', '.join(known)}"
            )
        child = _section_model(key, value, fields[key].annotation, where) if isinstance(value, dict) else None
        if child is not None:
            _refuse_unknown_keys(value, child, where, f"{prefix}{key}.")


def _section_model(key: str, value: Mapping[str, Any], annotation: Any, where: str) -> type[BaseModel] | None:
    if key == "algorithm":
        name = value.get("name")
        if name is None:
            raise ConfigError(f"{where}: algorithm.name is missing; known: {', '.join(ALGORITHMS)}")
        _known_name("algorithm.name", str(name), list(ALGORITHMS), where)
        return ALGORITHMS[str(name)].parameters_type
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _explain(error: ValidationError, where: str, prefix: str) -> str:
    """Return one paragraph from the first few complaints of the checker."""
    complaints = [_complaint(entry, prefix) for entry in error.errors(include_url=False)[:3]]
    more = error.error_count() - len(complaints)
    return f"{where}: {'; '.join(complaints)}" + (f"; and {more} more" if more > 0 else "")


def _complaint(entry: Any, prefix: str) -> str:
    key = prefix + ".".join(map(str, entry["loc"]))
    message = entry["msg"].removeprefix("Input should be ")
    if entry["type"] == "missing":
        return f"{key} is missing"
    if entry["type"] in ("model_type", "dict_type"):
        message = f"a section, that is [{key}] followed by its keys"
    return f"{key} = {_shown(entry['input'])} is not allowed; it must be {message}"
