"""What the periphery does: its cells as netlists, and one calibration table that gives both error and energy.

`circuits.wires` solves crossbars whose wires have resistance.
"""

from typing import Any

from circuits.calibration import Calibration, CalibrationError, list_calibrations, load_calibration

__all__ = ["Calibration", "CalibrationError", "list_calibrations", "load_calibration", "wires"]


def __getattr__(name: str) -> Any:
    """Import the solver on first use: pricing needs no compiled kernels."""
    if name != "wires":
        raise AttributeError(f"module 'circuits' has no attribute {name!r}")
    from importlib import import_module

    return import_module("circuits.wires")
