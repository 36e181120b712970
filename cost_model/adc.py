"""Published models of analog-to-digital converters: energy, time, area and leakage of one converter.

They answer the same question and differ by an order of magnitude, so each figure comes with a band, and a design names
the model that it was priced with. What they are:

* `survey`: a regression through the best fifth of the published converters; the optimist's line of silicon;
* `neurosim`: a small SAR converter as an array simulator fitted it to circuit simulation; no reference, no clocking;
* `isaac`: the converter of one published accelerator, scaled with its resolution;
* `walden`, `schreier`: a figure of merit, the median of published single SAR converters, with its textbook law.

`survey`, `walden` and `schreier` are laws of *effective* bits. A converter of b nominal bits has 0.5 to 1.8 fewer, so
calling the nominal bits effective is on the expensive side.
"""

from __future__ import annotations

import csv
import math
import numbers
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from device_models.quantity import KINDS, OWN_MEASUREMENT, Quantity

DEFAULT_RATE_HZ = 1e8
LARGEST = 1e6  # in a table of converters: no resolution, node, energy, time or area is beyond
FIGURES = ("energy", "latency", "area", "leakage")


class AdcError(ValueError):
    """A converter asked for outside its model's validity, or a table of converters that cannot be used."""


@dataclass(frozen=True)
class AdcFigures:
    """Figures of one converter, each with its band as `low` and `high`.

    Parameters
    ----------
    energy_j
        Per conversion, dynamic and static while converting [J]: do not add `leakage_w` for that time.
    latency_s
        From the start of a conversion to its result [s].
    area_m2
        Of one converter [m²].
    leakage_w
        Drawn while powered and not converting [W].
    """

    energy_j: Quantity
    latency_s: Quantity
    area_m2: Quantity
    leakage_w: Quantity


# bits, node [nm], rate [Hz] (0 where the model fixes its own), column resistance [Ω] (inf: converter alone)
Law = Callable[[int, float, float, float], AdcFigures]


@dataclass(frozen=True)
class AdcModel:
    """One model of converters, with where it holds and how far to trust it; can be pickled and hashed.

    Parameters
    ----------
    name, summary
        Key of `hardware.adc.model`, and one sentence.
    bits
        Resolutions (lowest, highest).
    node_nm
        Technology nodes (lowest, highest) [nm].
    rate_hz
        Conversions per second (lowest, highest) [Hz]; None where the model fixes its own rate.
    band
        Relative (low, high) of each of `FIGURES`, between which the truth is believed to lie.
    band_why
        What each band rests on.
    law
        The model's formula: figures without bands, of settings that have been checked.
    nodes_nm
        The only nodes of the model [nm]; empty where every node of `node_nm` will do.
    column_resistance_ohm
        Resistances (lowest, highest) [Ω] of the column that the converter reads, where the energy of a conversion
        contains the column's current; None where the model knows no column and ignores it.
    """

    name: str
    summary: str
    bits: tuple[int, int]
    node_nm: tuple[float, float]
    rate_hz: tuple[float, float] | None
    band: Mapping[str, tuple[float, float]] = field(hash=False)
    band_why: Mapping[str, str] = field(hash=False, repr=False)
    law: Law = field(hash=False, compare=False, repr=False)
    nodes_nm: tuple[float, ...] = ()
    column_resistance_ohm: tuple[float, float] | None = None

    def figures(
        self,
        bits: int,
        node_nm: float,
        rate_hz: float | None = None,
        column_resistance_ohm: float | None = None,
    ) -> AdcFigures:
        """Return the figures of one converter.

        Parameters
        ----------
        bits
            Resolution.
        node_nm
            Technology node [nm].
        rate_hz
            Conversions per second [Hz]; None: 1e8 where the model has a choice. To be left out where it has none.
        column_resistance_ohm
            Parallel resistance of the cells that one column drives [Ω], for a model whose energy contains the column's
            current; None: the converter alone. Give it, or price the column's current yourself, but not both.

        Raises
        ------
        AdcError
            If a setting is outside the model's validity; the message names it and the models that know it.
        """
        if isinstance(bits, bool) or not isinstance(bits, numbers.Integral):
            raise AdcError(f"hardware.adc.bits = {bits!r} is not a whole number")
        self._require("hardware.adc.bits", bits, self.bits, "bits", "bits")
        self._require("hardware.node_nm", node_nm, self.node_nm, "nm", "node_nm")
        if self.nodes_nm and node_nm not in self.nodes_nm:
            known = ", ".join(f"{node:g}" for node in self.nodes_nm)
            raise AdcError(f"hardware.node_nm = {node_nm:g} is unknown to ADC model {self.name!r}; it has {known} nm")
        if self.rate_hz is None and rate_hz is not None:
            raise AdcError(
                f"hardware.adc.rate_hz = {rate_hz!r}: ADC model {self.name!r} fixes its own rate; leave the key out"
            )
        if self.rate_hz is not None:
            rate_hz = DEFAULT_RATE_HZ if rate_hz is None else rate_hz
            self._require("hardware.adc.rate_hz", rate_hz, self.rate_hz, "Hz", "rate_hz")
        resistance = math.inf
        if self.column_resistance_ohm is not None and column_resistance_ohm is not None:
            resistance = column_resistance_ohm
            self._require("column resistance", resistance, self.column_resistance_ohm, "ohm", "")
        plain = self.law(int(bits), float(node_nm), float(rate_hz or 0.0), float(resistance))
        return AdcFigures(
            energy_j=self._banded(plain.energy_j, "energy"),
            latency_s=self._banded(plain.latency_s, "latency"),
            area_m2=self._banded(plain.area_m2, "area"),
            leakage_w=self._banded(plain.leakage_w, "leakage"),
        )

    def _banded(self, quantity: Quantity, figure: str) -> Quantity:
        low, high = (quantity.value * factor for factor in self.band[figure])
        return replace(quantity, low=low, high=high)

    def _require(self, key: str, value: float, limits: tuple[float, float], unit: str, attribute: str) -> None:
        if not isinstance(value, bool) and limits[0] <= value <= limits[1]:
            return
        others = []
        for model in ADC_MODELS.values():
            known = getattr(model, attribute) if attribute else None
            if known is not None and known[0] <= value <= known[1] and model is not self:
                others.append(model.name)
        advice = f"models that know it: {', '.join(others)}" if others else "no other model of the list knows it"
        raise AdcError(
            f"{key} = {value:g} is outside ADC model {self.name!r}: {limits[0]:g} to {limits[1]:g} {unit}, and nothing "
            f"is extrapolated; {advice}"
        )


# ---- laws: value of each figure; constants, bands and sources are in adc_models.toml -------------------------------
Values = tuple[float, float, float, float]  # energy [J], latency [s], area [m²], leakage [W]
Constants = Mapping[str, Any]


def _energy_of_merit_j(bits: float, merit_db: float) -> float:
    """Return E = ½·10^((SNDR − FoM_S)/10) with SNDR = 6.02·bits + 1.76."""
    return float(0.5 * 10 ** ((6.02 * bits + 1.76 - merit_db) / 10))


def _survey_area_m2(node_nm: float, rate_hz: float, energy_j: float) -> float:
    constant, by_node, by_rate, by_energy = _published()["survey"]["law"]["area_um2"]
    logarithm = (
        constant + by_node * math.log(node_nm) + by_rate * math.log(rate_hz) + by_energy * math.log(energy_j * 1e12)
    )
    return 1e-12 * math.exp(logarithm)


def _at_rate(energy_j: float, node_nm: float, rate_hz: float, idle_share: float) -> Values:
    return energy_j, 1 / rate_hz, _survey_area_m2(node_nm, rate_hz, energy_j), idle_share * energy_j * rate_hz


def _survey(law: Constants, bits: int, node_nm: float, rate_hz: float, column_resistance_ohm: float) -> Values:
    (at_one_hertz, by_rate), (at_no_bits, by_bit) = law["merit_rate_db"], law["merit_bits_db"]
    merit_db = min(at_one_hertz - by_rate * math.log(rate_hz), at_no_bits + by_bit * bits)
    constant, by_node, by_bits = law["energy_pj"]
    scale = math.exp(constant + by_node * math.log(node_nm) - by_bits * math.log(bits))
    return _at_rate(1e-12 * scale * _energy_of_merit_j(bits, merit_db), node_nm, rate_hz, law["idle_share"])


def _neurosim(law: Constants, bits: int, node_nm: float, rate_hz: float, column_resistance_ohm: float) -> Values:
    per_bit_w, constant_w, column_v2 = law[f"{node_nm:g}"]
    latency_s = (bits + 1) * law["step_s"]
    energy_j = (per_bit_w * bits + constant_w + column_v2 / column_resistance_ohm) * latency_s
    constant_m2, per_bit_m2 = law["area_m2"]
    area_m2 = (constant_m2 + per_bit_m2 * bits) * (node_nm / 22) ** 2
    return energy_j, latency_s, area_m2, law["leakage_w_per_m2"] * area_m2


def _isaac(law: Constants, bits: int, node_nm: float, rate_hz: float, column_resistance_ohm: float) -> Values:
    energy_j = law["energy_j"][bits - law["first_bits"]]
    area_m2 = law["area_m2"][bits - law["first_bits"]]
    return energy_j, 1 / law["rate_hz"], area_m2, law["idle_share"] * energy_j * law["rate_hz"]


def _walden(law: Constants, bits: int, node_nm: float, rate_hz: float, column_resistance_ohm: float) -> Values:
    return _at_rate(law["merit_j_per_step"] * 2**bits, node_nm, rate_hz, law["idle_share"])


def _schreier(law: Constants, bits: int, node_nm: float, rate_hz: float, column_resistance_ohm: float) -> Values:
    return _at_rate(_energy_of_merit_j(bits, law["merit_db"]), node_nm, rate_hz, law["idle_share"])


_FORMULAS = {"survey": _survey, "neurosim": _neurosim, "isaac": _isaac, "walden": _walden, "schreier": _schreier}
_UNITS = dict(zip(FIGURES, ("J", "s", "m2", "W"), strict=True))


@cache
def _published() -> dict[str, dict[str, Any]]:
    text = (files("cost_model") / "adc_models.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _published_figures(
    name: str, bits: int, node_nm: float, rate_hz: float, column_resistance_ohm: float
) -> AdcFigures:
    table = _published()[name]
    values = _FORMULAS[name](table["law"], bits, node_nm, rate_hz, column_resistance_ohm)
    energy, latency, area, leakage = (
        Quantity(value, _UNITS[figure], entry["kind"], entry.get("source", ""), entry["note"])
        for figure, value in zip(FIGURES, values, strict=True)
        for entry in (table[figure],)
    )
    if name == "neurosim" and node_nm > 32:  # its area was run at 22 and 32 nm
        area = replace(area, kind="assumed", note=table["area"]["note_assumed"])
    return AdcFigures(energy, latency, area, leakage)


def _model(name: str, table: Mapping[str, Any]) -> AdcModel:
    return AdcModel(
        name=name,
        summary=table["summary"],
        bits=_pair(table["bits"]),
        node_nm=_pair(table["node_nm"]),
        rate_hz=_pair(table["rate_hz"]) if "rate_hz" in table else None,
        band={figure: (table[figure]["low"], table[figure]["high"]) for figure in FIGURES},
        band_why={figure: table[figure]["why"] for figure in FIGURES},
        law=partial(_published_figures, name),
        nodes_nm=tuple(table.get("nodes_nm", ())),
        column_resistance_ohm=_pair(table["column_resistance_ohm"]) if "column_resistance_ohm" in table else None,
    )


def _pair(limits: list[Any]) -> tuple[Any, Any]:
    low, high = limits
    return low, high


ADC_MODELS: dict[str, AdcModel] = {name: _model(name, table) for name, table in _published().items()}


# ---- table of a study's own ----------------------------------------------------------------------------------------
_REQUIRED = ("bits", "energy_j", "latency_s", "area_m2", "source")
_OPTIONAL = ("node_nm", "leakage_w", "kind")


def read_table(path: Path) -> AdcModel:
    """Read converters from a CSV file: one row per resolution, or per resolution and node.

    Columns: bits, energy_j, latency_s, area_m2, source (free text: who measured what), and optionally node_nm (without
    it the rows hold at every node), leakage_w (0 where absent) and kind (measured where absent). Rows are used as they
    are: a resolution or node between two rows is refused. Lines that start with ``#`` are skipped.

    Parameters
    ----------
    path
        CSV file in UTF-8 with a header.

    Returns
    -------
    AdcModel
        Named ``table``. Its bands are 1: a table gives no spread.

    Raises
    ------
    AdcError
        If the file cannot be read, a column is missing, unknown or twice there, or a row has no source, a bad number or
        the place of another row; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AdcError(f"hardware.adc.table = {str(path)!r} cannot be read: {error}") from None
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if len(numbered) < 2:
        raise AdcError(f"{path}: no rows; expected a header with {', '.join(_REQUIRED)} and one row per resolution")
    header, *cells = [[cell.strip() for cell in row] for row in csv.reader(line for _, line in numbered)]
    missing = [name for name in _REQUIRED if name not in header]
    unknown = [name for name in header if name not in _REQUIRED + _OPTIONAL]
    if missing or unknown or len(set(header)) < len(header):
        raise AdcError(
            f"{path} line {numbered[0][0]}: columns {header}; missing {missing}, unknown {unknown}; needed, each once: "
            f"{', '.join(_REQUIRED)}; optional: {', '.join(_OPTIONAL)}"
        )
    if len(cells) != len(numbered) - 1:
        raise AdcError(f"{path}: a cell spans several lines; each converter needs one line")
    rows: dict[tuple[int, float | None], AdcFigures] = {}
    for (number, _), row in zip(numbered[1:], cells, strict=True):
        place = f"{path} line {number}"
        if len(row) != len(header):
            raise AdcError(f"{place}: {len(row)} cells under {len(header)} columns")
        entry = dict(zip(header, row, strict=True))
        bits = _number(entry, "bits", place)
        if bits != int(bits):
            raise AdcError(f"{place}: bits = {entry['bits']!r} is not a whole number")
        key = (int(bits), _number(entry, "node_nm", place) if "node_nm" in entry else None)
        if key in rows:
            raise AdcError(f"{place}: a second row for {_row_name(key)}")
        rows[key] = _row_figures(entry, path.name, place)
    return _table_model(path, rows)


def _row_figures(entry: dict[str, str], name: str, place: str) -> AdcFigures:
    if not entry["source"]:
        raise AdcError(f"{place}: the row has no source; say in the column source where its numbers are from")
    kind = entry.get("kind") or "measured"
    if kind not in KINDS:
        raise AdcError(f"{place}: kind = {kind!r} is unknown; known: {', '.join(KINDS)}")
    source = f"{OWN_MEASUREMENT}{name}"
    if entry.get("leakage_w"):
        leakage = Quantity(_number(entry, "leakage_w", place, zero=True), "W", kind, source, entry["source"])
    else:
        leakage = Quantity(0.0, "W", "assumed", source, "the table has no leakage: taken as none")
    return AdcFigures(
        energy_j=Quantity(_number(entry, "energy_j", place), "J", kind, source, entry["source"]),
        latency_s=Quantity(_number(entry, "latency_s", place), "s", kind, source, entry["source"]),
        area_m2=Quantity(_number(entry, "area_m2", place), "m2", kind, source, entry["source"]),
        leakage_w=leakage,
    )


def _number(entry: dict[str, str], column: str, place: str, *, zero: bool = False) -> float:
    try:
        value = float(entry[column])
    except ValueError:
        value = math.nan
    if not (value <= LARGEST and (value > 0 or (zero and value == 0))):
        kind = "number >= 0" if zero else "positive number"
        raise AdcError(f"{place}: {column} = {entry[column]!r} is not a {kind} up to {LARGEST:g}")
    return value


def _row_name(key: tuple[int, float | None]) -> str:
    return f"{key[0]} bits" + ("" if key[1] is None else f" at {key[1]:g} nm")


def _look_up(
    file: str,
    rows: Mapping[tuple[int, float | None], AdcFigures],
    bits: int,
    node_nm: float,
    rate_hz: float,
    column_resistance_ohm: float,
) -> AdcFigures:
    found = rows.get((bits, None)) or rows.get((bits, node_nm))
    if found is None:
        raise AdcError(
            f"hardware.adc.bits = {bits}, hardware.node_nm = {node_nm:g}: no such row in {file}; it has "
            f"{', '.join(map(_row_name, rows))}, and nothing is interpolated: add a row or choose one of them"
        )
    return found


def _table_model(path: Path, rows: Mapping[tuple[int, float | None], AdcFigures]) -> AdcModel:
    all_bits = [bits for bits, _ in rows]
    nodes = sorted({node for _, node in rows if node is not None})
    return AdcModel(
        name="table",
        summary=f"Converters of {path.name}.",
        bits=(min(all_bits), max(all_bits)),
        node_nm=(nodes[0], nodes[-1]) if nodes else (0.0, math.inf),
        rate_hz=None,
        band=dict.fromkeys(FIGURES, (1.0, 1.0)),
        band_why=dict.fromkeys(FIGURES, "the table gives no spread"),
        law=partial(_look_up, str(path), rows),
    )
