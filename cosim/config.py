"""A study file becomes a checked tree: unknown keys are refused, defaults filled in, sweeps expanded to points."""

from __future__ import annotations

import copy
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from circuits.calibration import CalibrationError
from cosim.algorithms import ALGORITHMS, Algorithm
from cosim.data import SHAPES, DataShape
from cosim.network import NETWORKS, LayerSpec, NetworkError
from cosim.periphery import BoundManagement, NoiseManagement, Periphery
from cosim.sections import (
    STATES_MAX,
    ConfigError,
    DeviceSection,
    HardwareSection,
    PointSection,
    WiresSection,
    check_algorithm,
    check_sections,
)
from cosim.sweep import check_size, checked_axes, combinations, common_part, leaf_keys_of, lookup, with_values, without
from cost_model.adc import AdcError, read_table
from cost_model.cells import list_cells
from cost_model.components import check_prices
from cost_model.hardware import SIMULATED_ADC, SIMULATED_CELL, Hardware, HardwareError, hardware_preset
from cost_model.latency import Schedule
from device_models.parameters import DeviceError, PulsedDevice
from device_models.presets import load_device
from device_models.quantity import ProvenanceError

__all__ = ["ConfigError", "Point", "Study", "Sweep", "load_study", "load_sweep", "lookup", "make_study", "make_sweep"]


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
        content["device"] = content["device"] | {"preset": self.device_name, "family": self.device.family}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def device_name(self) -> str:
        """Name of the device's preset, or of its file without folder and ending."""
        return Path(self.resolved["device"]["preset"]).name.removesuffix(".toml")

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.resolved["seed"])

    @property
    def noise_management(self) -> NoiseManagement:
        """How inputs of reads are scaled."""
        name: NoiseManagement = self.resolved["hardware"]["noise_management"]
        return name

    @property
    def bound_management(self) -> BoundManagement:
        """What happens where outputs of reads clip."""
        name: BoundManagement = self.resolved["hardware"]["bound_management"]
        return name

    @property
    def train_samples(self) -> int:
        """Training samples per epoch."""
        return int(self.resolved["data"]["train_samples"])

    def notes(self) -> list[str]:
        """Return what a reader of the bill should know about this point."""
        others = (name for name in list_cells() if name != "reram")  # which the circuits are simulated with
        cell = next((name for name in others if self.device_name.startswith(name)), None)
        algorithm, priced = self.algorithm(), self.hardware.cell_model
        if cell is None or priced == cell or not algorithm.significances:
            return algorithm.notes()
        other = f'devices of {self.device_name} are priced as cells of {priced}; see hardware.cell.model = "{cell}"'
        return [*algorithm.notes(), other]

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


@dataclass(frozen=True)
class Sweep:
    """A study file before its points are made: what all of them have in common, and what is swept.

    Parameters
    ----------
    base
        The content without the sweep.
    axes
        Dotted keys, each with its values; empty where nothing is swept.
    where
        Name of its origin, for messages.
    folder
        Folder that relative paths start from.
    """

    base: Mapping[str, Any]
    axes: Mapping[str, list[Any]]
    where: str
    folder: Path

    def point(self, swept: Mapping[str, Any]) -> Point:
        """Return the point with the given values of the swept keys.

        Raises
        ------
        ConfigError
            If something is not allowed.
        """
        section = check_sections(with_values(dict(self.base), swept, self.where), self.where)
        try:
            return _resolve(section, self.folder)
        except (
            *(AdcError, CalibrationError, ConfigError, DeviceError, HardwareError, NetworkError, ProvenanceError),
        ) as error:
            raise ConfigError(f"{self.where}: {error}") from None

    def study(self, points: Sequence[Point], shown: Sequence[Point] | None = None) -> Study:
        """Return the study of points of this sweep.

        Parameters
        ----------
        points
            At least one with each combination of values that others follow from.
        shown
            The points that the study has; all of the above where not given.
        """
        return Study(
            points[0].resolved["title"],
            _resolved_tree(points, self.axes),
            tuple(points if shown is None else shown),
            leaf_keys_of(self.axes),
            points[0].data_path,
            self.folder,
        )


def load_study(path: Path) -> Study:
    """Read and check a study file.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not TOML, or holds something that is not allowed; nothing has run then.
    """
    return _all_points(load_sweep(path))


def load_sweep(path: Path) -> Sweep:
    """Read a study file, without making its points yet.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not TOML, or its sweep is not a table of lists.
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
    return make_sweep(tree, where=str(path), folder=path.parent)


def make_sweep(tree: Mapping[str, Any], *, where: str = "study", folder: Path | None = None) -> Sweep:
    """Take a study given as a tree of plain data apart, without making its points yet.

    Raises
    ------
    ConfigError
        If its sweep is not a table of lists, or it has no schema.
    """
    base = copy.deepcopy(dict(tree))
    sweep = base.pop("sweep", {})
    if "schema" not in base:
        raise ConfigError(f"{where}: schema is missing; a study starts with `schema = 1`")
    return Sweep(base, checked_axes(sweep, where), where, folder or Path())


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
    return _all_points(make_sweep(tree, where=where, folder=folder))


def _all_points(sweep: Sweep) -> Study:
    check_size(sweep.axes, sweep.where)
    points = [sweep.point(swept) for swept in combinations(sweep.axes)]
    unique = {point.run_id: point for point in reversed(points)}
    return sweep.study([unique[run_id] for run_id in dict.fromkeys(point.run_id for point in points)])


def _resolved_tree(points: Sequence[Point], axes: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return the study with every default that holds for all points, and the sweep as given.

    What differs between points is either swept or follows from what is swept, so it must not be fixed here.
    """
    common = points[0].resolved
    for point in points[1:]:
        common = common_part(common, point.resolved)
    for key in axes:
        common = without(common, key.split("."))
    return common | ({"sweep": copy.deepcopy(dict(axes))} if axes else {})


def _device(section: DeviceSection, folder: Path) -> PulsedDevice:
    given = section.model_dump(exclude_none=True, exclude={"preset"})
    own_file = section.preset.endswith(".toml")
    device = load_device(folder / section.preset if own_file else section.preset, **given)
    if device.states > STATES_MAX:
        raise ConfigError(f"device.dw_min = {device.dw_min:g} gives {device.states:g} states; at most {STATES_MAX}")
    return device


def _resolve(section: PointSection, folder: Path) -> Point:
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
    device = _device(section.device, folder)
    algorithm = check_algorithm(section, inputs=max(layer.shape.inputs for layer in layers), states=device.states)
    if device.one_sided and ALGORITHMS[algorithm.name](algorithm).references:
        raise ConfigError(
            f"algorithm.zero_shift_pulses: {section.device.preset!r} is a pair of one-sided devices, which leaves "
            "no place for a reference array and has no symmetric point; set it to 0, or take algorithm agad"
        )
    hardware, ideal_io = _hardware(section.hardware, folder)
    check_prices(hardware, algorithm.name)  # what has no price is refused before anything is trained
    if not ideal_io:
        Periphery.from_hardware(hardware, ideal=False)
    resolved = section.model_dump(mode="json", by_alias=True)
    resolved["network"]["sizes"] = list(sizes)
    resolved["algorithm"] = algorithm.model_dump(mode="json")
    resolved["data"]["train_samples"] = section.data.train_samples or data.train_samples
    resolved["data"]["test_samples"] = section.data.test_samples or data.test_samples
    resolved["device"] |= {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(device).items()
    }
    if section.device.states is not None:
        resolved["device"]["dw_min"] = None
    resolved["hardware"] = _resolved_hardware(section.hardware, hardware, ideal_io)
    path = None if section.data.path is None else folder / section.data.path
    return Point(_without_none(resolved), path, device, hardware, ideal_io, data, tuple(layers))


def _without_none(tree: dict[str, Any]) -> dict[str, Any]:
    items = ((key, _without_none(value) if isinstance(value, dict) else value) for key, value in tree.items())
    return {key: value for key, value in items if value is not None}


def _hardware(section: HardwareSection, folder: Path) -> tuple[Hardware, bool]:
    table = hardware_preset(section.preset)
    default = table["defaults"]

    def pick(given: Any, name: str, otherwise: Any = None) -> Any:
        return default.get(name, otherwise) if given is None else given

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
        dac_model=pick(section.dac.model, "dac_model", "pulse_width"),
        adc_model=pick(section.adc.model, "adc_model", SIMULATED_ADC),
        adc_rate_hz=section.adc.rate_hz,
        adc_table=None if section.adc.table is None else read_table(folder / section.adc.table),
        cell_model=pick(section.cell.model, "cell_model", SIMULATED_CELL),
        cell_values=section.cell.model_dump(exclude={"model"}),
        schedule=_schedule(section),
        overrides=dict(section.values),
    )
    return hardware, bool(pick(section.ideal_io, "ideal_io"))


def _schedule(section: HardwareSection) -> Schedule:
    try:
        return Schedule(**section.schedule.model_dump())
    except ValueError as error:
        raise HardwareError(str(error)) from None


def _resolved_wires(section: WiresSection, hardware: Hardware) -> dict[str, float]:
    """Return the wires with the conductances of the calibration table where the study gives none."""
    given = section.model_dump(mode="json")
    for name in ("min_conductance_s", "max_conductance_s"):
        if given[name] is None:
            given[name] = hardware.simulated.quantity("crossbar", name).value
    if given["min_conductance_s"] >= given["max_conductance_s"]:
        raise HardwareError(
            f"hardware.wires: min_conductance_s = {given['min_conductance_s']:g} is not allowed; it must be below "
            f"max_conductance_s = {given['max_conductance_s']:g}"
        )
    return given


def _resolved_hardware(section: HardwareSection, hardware: Hardware, ideal_io: bool) -> dict[str, Any]:
    return {
        "preset": hardware.preset,
        "node_nm": hardware.node_nm,
        "ideal_io": ideal_io,
        "noise_management": section.noise_management,
        "bound_management": section.bound_management,
        "array_rows": hardware.array_rows,
        "array_cols": hardware.array_cols,
        "adc": {
            "model": hardware.adc_model,
            "bits": hardware.adc_bits,
            "rate_hz": hardware.adc_rate_hz,
            "table": section.adc.table,
            "full_scale": hardware.adc_full_scale,
            "columns_per_adc": hardware.columns_per_adc,
            "shared_by_tiles": hardware.shared_by_tiles,
        },
        "dac": {"model": hardware.dac_model, "bits": hardware.dac_bits},
        "cell": {"model": hardware.cell_model, **hardware.cell_values},
        "schedule": section.schedule.model_dump(),
        "pulses": section.pulses.model_dump(mode="json"),
        "wires": None if section.wires is None else _resolved_wires(section.wires, hardware),
        "values": dict(section.values),
    }
