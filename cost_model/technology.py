"""How wires and digital circuits change from one technology node to another: tables, and the ratios between nodes.

Every table has a kind, a source, a range of nodes and a band (`TABLES`). Between two nodes of a table a value is
interpolated on the straight line of its logarithm over the logarithm of the node; outside a table it is refused. A
ratio multiplies a number that is known at `from_nm` to give the number at `to_nm`. Node names are labels of a
generation, not lengths: half of the band of every ratio is owed to that.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from device_models.quantity import Quantity

VOLTAGE_V = (0.7, 1.0)
WIRE_TABLES = ("v1.5", "v2.1")


class TechnologyError(ValueError):
    """A node or a voltage outside the tables."""


@dataclass(frozen=True)
class TechnologyTable:
    """Where the values of one table come from, and how far to trust them.

    Parameters
    ----------
    name
        As messages and `TABLES` call it.
    unit
        SI unit of the values; ``"1"`` for ratios between nodes.
    kind, source, note
        As of a `Quantity`.
    nodes_nm
        Tabulated nodes, falling [nm]; the first and the last bound the range.
    band
        Factors (low, high) on a value, between which the truth is believed to lie.
    band_why
        What the band rests on.
    """

    name: str
    unit: str
    kind: str
    source: str
    note: str
    nodes_nm: tuple[float, ...]
    band: tuple[float, float]
    band_why: str

    def quantity(self, value: float) -> Quantity:
        """Return a value of this table with its unit, kind, source and band."""
        low, high = (value * factor for factor in self.band)
        return Quantity(value, self.unit, self.kind, self.source, self.note, low=low, high=high)


def wire_resistance_ohm_per_m(node_nm: float, table: str = "v1.5") -> float:
    """Return the resistance per length of a minimum-width array wire [Ω/m].

    Parameters
    ----------
    node_nm
        Technology node, 7 to 130 [nm].
    table
        ``v1.5`` (default; resistivity with the barrier's share of the cross-section) or ``v2.1``: the two releases of
        the source differ by up to ×2.9 because they take different wire widths.

    Raises
    ------
    TechnologyError
        If the node is outside the table or the table is unknown.
    """
    return _wires(node_nm, table, "ohm_per_m")


def wire_width_m(node_nm: float, table: str = "v1.5") -> float:
    """Return the width of a minimum-width array wire [m]; parameters and errors as `wire_resistance_ohm_per_m`."""
    return _wires(node_nm, table, "width_m")


def wire_resistance_ohm_per_cell(node_nm: float, pitch_widths: float = 4.0, table: str = "v1.5") -> float:
    """Return the wire resistance across one cell [Ω]: resistance per length · pitch · wire width.

    The source counts a cell's pitch (2 or 4) in wire widths and not in nodes: 4 widths are 160 nm at 22 nm, and not 88.

    Parameters
    ----------
    node_nm, table
        As of `wire_resistance_ohm_per_m`.
    pitch_widths
        Pitch of the cells in wire widths, > 0.

    Raises
    ------
    TechnologyError
        As `wire_resistance_ohm_per_m`, or if the pitch is not positive.
    """
    if not (math.isfinite(pitch_widths) and pitch_widths > 0):
        raise TechnologyError(f"cell pitch {pitch_widths!r} is not a positive number of wire widths; usual: 2 or 4")
    return wire_resistance_ohm_per_m(node_nm, table) * pitch_widths * wire_width_m(node_nm, table)


def wire_capacitance_f_per_m(node_nm: float) -> float:
    """Return the capacitance per length of an array wire [F/m]: 0.2 fF/µm at every node from 7 to 130 nm.

    The capacitance of the access devices on the wire comes on top.

    Raises
    ------
    TechnologyError
        If the node is outside the range.
    """
    _require_node(TABLES["wire_capacitance"], node_nm)
    return 0.2e-9


def digital_energy_ratio(from_nm: float, to_nm: float, voltage_v: float = 0.8) -> float:
    """Return energy per operation of digital logic at `to_nm` over that at `from_nm`, both at one supply voltage.

    Each node has a quadratic a·V² + b·V + c; the ratio is that of the two. Between nodes the logarithm of the
    quadratic's value is interpolated.

    Parameters
    ----------
    from_nm, to_nm
        Technology nodes, 7 to 130 [nm].
    voltage_v
        Supply, 0.7 to 1.0 [V].

    Raises
    ------
    TechnologyError
        If a node or the voltage is outside the range.
    """
    low, high = VOLTAGE_V
    if not low <= voltage_v <= high:
        raise TechnologyError(
            f"supply voltage {voltage_v!r} V is outside table digital_energy: {low:g} to {high:g} V; scale a number "
            "that was taken at another voltage with V² first"
        )
    table = TABLES["digital_energy"]
    columns = _columns("digital_energy")
    energy = tuple(
        a * voltage_v**2 + b * voltage_v + c
        for a, b, c in zip(columns["a_per_v2"], columns["b_per_v"], columns["c"], strict=True)
    )
    return _interpolated(table, energy, to_nm) / _interpolated(table, energy, from_nm)


def digital_area_ratio(from_nm: float, to_nm: float) -> float:
    """Return area of digital logic at `to_nm` over that at `from_nm`, nodes 7 to 130 nm.

    Raises
    ------
    TechnologyError
        If a node is outside the range.
    """
    table = TABLES["digital_area"]
    area = _columns("digital_area")["relative_area"]
    return _interpolated(table, area, to_nm) / _interpolated(table, area, from_nm)


def digital_delay_ratio(from_nm: float, to_nm: float) -> float:
    """Return gate delay at `to_nm` over that at `from_nm`, taken as the ratio of the nodes, 7 to 130 nm.

    Raises
    ------
    TechnologyError
        If a node is outside the range.
    """
    table = TABLES["digital_delay"]
    return _require_node(table, to_nm) / _require_node(table, from_nm)


def _wires(node_nm: float, table: str, column: str) -> float:
    if table not in WIRE_TABLES:
        raise TechnologyError(f"wire table {table!r} is unknown; known: {', '.join(WIRE_TABLES)}")
    return _interpolated(TABLES[f"wire_resistance_{table}"], _columns("wires")[f"{table}_{column}"], node_nm)


def _require_node(table: TechnologyTable, node_nm: float) -> float:
    high, low = table.nodes_nm[0], table.nodes_nm[-1]
    if isinstance(node_nm, bool) or not low <= node_nm <= high:
        raise TechnologyError(
            f"node {node_nm!r} nm is outside table {table.name}: {low:g} to {high:g} nm ({table.source}); nothing is "
            "extrapolated, choose hardware.node_nm in this range"
        )
    return float(node_nm)


def _interpolated(table: TechnologyTable, values: tuple[float, ...], node_nm: float) -> float:
    """Return the value at a node: the table's own, or the power law through its two neighbours."""
    node = _require_node(table, node_nm)
    if node in table.nodes_nm:
        return values[table.nodes_nm.index(node)]
    below = next(index for index, known in enumerate(table.nodes_nm) if known < node)
    share = math.log(table.nodes_nm[below - 1] / node) / math.log(table.nodes_nm[below - 1] / table.nodes_nm[below])
    return math.exp((1 - share) * math.log(values[below - 1]) + share * math.log(values[below]))


@cache
def _columns(file: str) -> dict[str, tuple[float, ...]]:
    text = (files("cost_model") / "technology_tables" / f"{file}.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return {name: tuple(float(row[name]) for row in rows) for name in rows[0]}


def _wire_table(version: str, band: tuple[float, float], barrier: str) -> TechnologyTable:
    return TechnologyTable(
        f"wire_resistance_{version}",
        "ohm/m",
        "derived",
        "neurosim",
        f"resistance per length from the wire width, aspect ratio and resistivity of release {version[1:]}, {barrier}",
        _columns("wires")["node_nm"],
        band,
        "the other release's widths and resistivities for the same nodes: the spread is the band",
    )


_DIGITAL = _columns("digital_energy")["node_nm"]
TABLES: Mapping[str, TechnologyTable] = {
    table.name: table
    for table in (
        _wire_table("v1.5", (0.6, 2.9), "with barrier thinning"),
        _wire_table("v2.1", (0.35, 1.7), "bulk cross-section"),
        TechnologyTable(
            "wire_capacitance",
            "F/m",
            "assumed",
            "neurosim",
            "0.2 fF/µm at every node, as NeuroSim and hwcomponents take it: all of a cross-section shrinks together",
            (130.0, 7.0),
            (0.75, 1.5),
            "assumed: neighbours at minimum or double spacing, and the insulator of the generation",
        ),
        TechnologyTable(
            "digital_energy",
            "1",
            "fitted",
            "stillmaker2017",
            "quadratic in the supply voltage per node: low-power transistors at 45 and 32 nm, high-performance ones "
            "from 20 nm down, bulk above; both nodes at one voltage",
            _DIGITAL,
            (0.7, 1.45),
            "the same paper's fits with one kind of transistor at both nodes move a ratio that crosses 32 to 20 nm by "
            "0.72 to 1.42 over 0.7 to 1.0 V; NeuroSim's adder from 32 to 22 nm lies ×1.27 above",
        ),
        TechnologyTable(
            "digital_area",
            "1",
            "fitted",
            "stillmaker2017",
            "one relative area per node, from which every printed ratio follows to its printed digits",
            _DIGITAL,
            (0.8, 1.25),
            "NeuroSim's adder from 32 to 22 nm shrinks to 0.47, this table to 0.54; the rest is assumed",
        ),
        TechnologyTable(
            "digital_delay",
            "1",
            "assumed",
            "",
            "gate delay linear in the node, as constant-field scaling has it",
            (130.0, 7.0),
            (0.5, 2.0),
            "high-performance gates at 0.8 V (Stillmaker and Baas 2017) scatter about the line by ×0.69 to ×1.36 per "
            "node; low-power ones at 45 and 32 nm are 6 to 11 times slower and lie outside",
        ),
    )
}
