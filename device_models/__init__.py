"""How one resistive device answers a pulse: parameters, presets, populations of devices, scalar physics."""

from device_models.parameters import ConstantStep, DeviceError, PulsedDevice, SoftBounds
from device_models.presets import list_devices, load_device
from device_models.quantity import Quantity

__all__ = [
    "ConstantStep",
    "DeviceError",
    "PulsedDevice",
    "Quantity",
    "SoftBounds",
    "list_devices",
    "load_device",
]
