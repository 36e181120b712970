"""How one resistive device answers a pulse: parameters, presets, populations of devices, scalar physics."""

from device_models.families import (
    FAMILIES,
    ConstantStep,
    ExponentialResponse,
    ExponentialStep,
    GenericLinear,
    LinearStep,
    MeasuredTable,
    PiecewiseStep,
    PowerResponse,
    PowerStep,
    SoftBounds,
    SoftBoundsReference,
)
from device_models.parameters import DeviceError, PulsedDevice
from device_models.presets import list_devices, load_device
from device_models.quantity import Quantity

__all__ = [
    "FAMILIES",
    "ConstantStep",
    "DeviceError",
    "ExponentialResponse",
    "ExponentialStep",
    "GenericLinear",
    "LinearStep",
    "MeasuredTable",
    "PiecewiseStep",
    "PowerResponse",
    "PowerStep",
    "PulsedDevice",
    "Quantity",
    "SoftBounds",
    "SoftBoundsReference",
    "list_devices",
    "load_device",
]
