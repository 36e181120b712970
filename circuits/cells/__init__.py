"""The cells of the periphery, one netlist per file; see `circuits.cell` for what each brings."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from circuits.cell import Cell
from device_models.names import unknown_name

CELLS = (
    "pulse_driver",
    "pulse_width_dac",
    "capacitive_dac",
    "crossbar",
    "memristor",
    "tia",
    "summing_stage",
    "sample_hold",
    "sar_adc",
)


@cache
def cell(name: str) -> Cell:
    """Return a cell by name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in CELLS:
        raise ValueError(f"cell {name!r} {unknown_name(name, CELLS)}")
    found: Cell = import_module(f"circuits.cells.{name}").CELL
    return found
