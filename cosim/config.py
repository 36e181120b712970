"""A study file becomes a checked tree: unknown keys are refused, defaults filled in, sweeps expanded to points."""

from __future__ import annotations

import copy
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from circuits.calibration import CalibrationError
from cosim.algorithms import ALGORITHMS, Algorithm, Parameters
from cosim.data import SHAPES, DataShape
from cosim.network import NETWORKS, LayerSpec, NetworkError
from cosim.periphery import BoundManagement, NoiseManagement, Periphery
from cosim.sections import STATES_MAX, ConfigError, HardwareSection, PointSection, WiresSection, check_sections
from cosim.sweep import checked_axes, combinations, common_part, leaf_keys_of, lookup, with_values, without
from cost_model.components import area_charges, charges
from cost_model.hardware import Hardware, HardwareError, hardware_preset
from device_models.parameters import DeviceError, PulsedDevice
from device_models.presets import load_device
from device_models.quantity import ProvenanceError

__all__ = ["ConfigError", "Point", "Study", "load_study", "lookup", "make_study"]


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
        algorithm = self.algorithm()
        device = self.device
        held = device.reference_mean or device.reference_std or device.subtract_symmetry_point
        doubled = bool(algorithm.significances) and (device.one_sided or bool(held) or bool(algorithm.references))
        beside = "the second devices of pairs" if device.one_sided else "reference arrays"
        return [*algorithm.notes(), *([f"area and read energy of {beside} are not in the bill"] if doubled else [])]

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
    axes = checked_axes(sweep, where)
    folder = folder or Path()
    points = [_point(with_values(base, swept, where), where, folder) for swept in combinations(axes)]
    identities = [point.run_id for point in points]
    unique = {run_id: point for run_id, point in zip(reversed(identities), reversed(points), strict=True)}
    points = [unique[run_id] for run_id in dict.fromkeys(identities)]
    return Study(
        points[0].resolved["title"],
        _resolved_tree(points, axes),
        tuple(points),
        leaf_keys_of(axes),
        points[0].data_path,
        folder,
    )


def _resolved_tree(points: list[Point], axes: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return the study with every default that holds for all points, and the sweep as given.

    What differs between points is either swept or follows from what is swept, so it must not be fixed here.
    """
    common = points[0].resolved
    for point in points[1:]:
        common = common_part(common, point.resolved)
    for key in axes:
        common = without(common, key.split("."))
    return common | ({"sweep": copy.deepcopy(dict(axes))} if axes else {})


def _point(tree: dict[str, Any], where: str, folder: Path) -> Point:
    section, algorithm = check_sections(tree, where)
    try:
        return _resolve(section, algorithm, folder)
    except (DeviceError, HardwareError, CalibrationError, NetworkError, ProvenanceError, ConfigError) as error:
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
    own_file = section.device.preset.endswith(".toml")
    device = load_device(folder / section.device.preset if own_file else section.device.preset, **given)
    if device.states > STATES_MAX:
        raise ConfigError(f"device.dw_min = {device.dw_min:g} gives {device.states:g} states; at most {STATES_MAX}")
    if device.one_sided and ALGORITHMS[algorithm.name](algorithm).references:
        raise ConfigError(
            f"algorithm.zero_shift_pulses: {section.device.preset!r} is a pair of one-sided devices, which leaves "
            "no place for a reference array and has no symmetric point; set it to 0, or take algorithm agad"
        )
    hardware, ideal_io = _hardware(section.hardware)
    charges(hardware, algorithm.name)  # what has no price is refused before anything is trained
    area_charges(hardware)
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
        dac_model=section.dac.model,
        overrides=dict(section.values),
    )
    return hardware, bool(pick(section.ideal_io, "ideal_io"))


def _resolved_wires(section: WiresSection, hardware: Hardware) -> dict[str, float]:
    """Return the wires with the conductances of the calibration table where the study gives none."""
    given = section.model_dump(mode="json")
    for name in ("min_conductance_s", "max_conductance_s"):
        if given[name] is None:
            given[name] = hardware.calibration.quantity("crossbar", name).value
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
            "model": section.adc.model,
            "bits": hardware.adc_bits,
            "full_scale": hardware.adc_full_scale,
            "columns_per_adc": hardware.columns_per_adc,
            "shared_by_tiles": hardware.shared_by_tiles,
        },
        "dac": {"model": hardware.dac_model, "bits": hardware.dac_bits},
        "pulses": section.pulses.model_dump(mode="json"),
        "wires": None if section.wires is None else _resolved_wires(section.wires, hardware),
        "values": dict(section.values),
    }
