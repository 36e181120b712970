"""What a trace of operations costs: floorplan, components, latency, bill."""

from typing import Any

_PLACES = {
    "ADC_MODELS": "cost_model.adc",
    "Bill": "cost_model.bill",
    "Conventions": "cost_model.floorplan",
    "Hardware": "cost_model.hardware",
    "HardwareError": "cost_model.hardware",
    "LayerFloorplan": "cost_model.floorplan",
    "MatrixShape": "cost_model.floorplan",
    "Operation": "cost_model.operations",
    "Schedule": "cost_model.latency",
    "StorageNeeds": "cost_model.floorplan",
    "Trace": "cost_model.trace",
    "check_design": "cost_model.checks",
    "list_cells": "cost_model.cells",
    "list_hardware": "cost_model.hardware",
    "load_cell": "cost_model.cells",
    "monte_carlo": "cost_model.bands",
    "price": "cost_model.pricing",
    "price_totals": "cost_model.pricing",
    "tornado": "cost_model.bands",
}
__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that importing the package is quick."""
    if name not in _PLACES:
        raise AttributeError(f"module 'cost_model' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
