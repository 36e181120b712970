"""One crossbar array of devices: read it, pulse it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosim.kernels.convert import all_finite, convert_columns, drive_lines, scale_rows
from cosim.kernels.update import SLOTS_MAX, pulse_all, pulsed_update
from cosim.periphery import Periphery
from cost_model.operations import PulseActivity, ReadActivity
from device_models.kernels.compile import make_key
from device_models.kernels.pulse import FAMILY_CODES
from device_models.parameters import PulsedDevice
from device_models.population import PARAMETER_NAMES, populate

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PulsedUpdate:
    """How a rank-1 update becomes pulse trains.

    Parameters
    ----------
    max_train_length
        Longest train in slots, 1 to 63.
    update_management
        Balance input and error side so that neither saturates first.
    train_length_management
        Use no more slots than the largest update needs; switches update management on. Without it every train
        has the full length.
    """

    max_train_length: int = 31
    update_management: bool = True
    train_length_management: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.max_train_length <= SLOTS_MAX:
            raise ValueError(f"max_train_length = {self.max_train_length} is not allowed; 1 to {SLOTS_MAX} slots")


def checked(name: str, values: npt.ArrayLike, lines: int) -> FloatArray:
    """Return values as a contiguous float32 array of shape (batch, lines).

    Raises
    ------
    ValueError
        If the shape is wrong or a value is NaN or infinite.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} has dtype {array.dtype}; real numbers are allowed")
    if array.ndim != 2 or array.shape[1] != lines:
        raise ValueError(f"{name} has shape {array.shape}; expected (batch, {lines})")
    array = np.ascontiguousarray(array, dtype=np.float32)
    if not all_finite(array.ravel()):
        raise ValueError(f"{name} holds NaN or infinity; only finite numbers are allowed")
    return array


def read_matrices(
    matrices: Sequence[FloatArray],
    values: FloatArray,
    periphery: Periphery,
    block: int,
    key: np.uint64,
) -> tuple[FloatArray, ReadActivity]:
    """Read one or several matrices with the same inputs: convert in, multiply, convert out, add up.

    Each matrix has converters of its own, and so has each block of `block` input lines, because a physical array
    has no more lines; their digital results are added.

    Parameters
    ----------
    matrices
        float32 (outputs, inputs) each; several only where tiles do not share converters.
    values
        float32 (vectors, inputs), finite.
    periphery
        The converters.
    block
        Input lines of a physical array.
    key
        Address of the random numbers.

    Returns
    -------
    float32 (vectors, outputs), and the activity of the input lines.
    """
    vectors, lines = values.shape
    driven = np.empty_like(values)
    scales = np.empty(vectors)
    active, drive = drive_lines(values, periphery.dac_levels, driven, scales)
    activity = ReadActivity(vectors, active, drive)
    if not periphery.adc_levels:
        total = driven @ matrices[0].T
        for matrix in matrices[1:]:
            total += driven @ matrix.T
        scale_rows(total, scales)
        return total, activity
    total = np.zeros((vectors, matrices[0].shape[0]), dtype=np.float32)
    conversions = 0
    for matrix in matrices:
        for start in range(0, lines, block):
            part = driven[:, start : start + block] @ matrix[:, start : start + block].T
            convert_columns(
                part,
                periphery.adc_levels,
                periphery.full_scale,
                periphery.noise_lsb,
                key,
                conversions,
                total,
                conversions > 0,
            )
            conversions += part.size
    scale_rows(total, scales)
    return total, activity


class Tile:
    """One array of devices with its periphery.

    Parameters
    ----------
    shape
        (outputs, inputs), each >= 0.
    device
        Parameters of the devices.
    seed
        Non-negative; same seed, same devices and same random behaviour.
    periphery
        Converters of `forward` and `backward`; ideal where not given.
    update
        How updates become pulse trains.
    stream
        Number that tells tiles with the same seed apart.

    Raises
    ------
    ValueError
        For a shape or seed that is not allowed.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        device: PulsedDevice,
        *,
        seed: int = 0,
        periphery: Periphery | None = None,
        update: PulsedUpdate | None = None,
        stream: int = 0,
    ) -> None:
        if len(shape) != 2 or min(shape) < 0:
            raise ValueError(f"tile shape {shape} is not allowed; expected (outputs, inputs), each at least 0")
        if seed < 0 or stream < 0:
            raise ValueError(f"seed = {seed}, stream = {stream}: both must be at least 0")
        self.shape = (int(shape[0]), int(shape[1]))
        self.device = device
        self.periphery = periphery or Periphery()
        self.update_settings = update or PulsedUpdate()
        self.actions = 0
        self._seed, self._stream = seed, stream
        self._family = FAMILY_CODES[device.family]
        self._parameters = populate(device, self.shape, seed=seed, stream=stream)
        self._weights = np.zeros(self.shape, dtype=np.float32)

    @property
    def weights(self) -> FloatArray:
        """float32 (outputs, inputs), a read-only view."""
        view = self._weights.view()
        view.flags.writeable = False
        return view

    @property
    def device_parameters(self) -> dict[str, FloatArray]:
        """Per-device arrays of shape (outputs, inputs): step_up, step_down, bound_max, bound_min."""
        return {name: self._parameters[..., place].copy() for place, name in enumerate(PARAMETER_NAMES)}

    def set_weights(self, weights: npt.ArrayLike) -> None:
        """Program the tile: each device takes the value, or its own nearest bound.

        Raises
        ------
        ValueError
            For a wrong shape, NaN or infinity.
        """
        array = np.asarray(weights)
        if array.shape != self.shape:
            raise ValueError(f"weights have shape {array.shape}; this tile has {self.shape}")
        array = checked("weights", array, self.shape[1])
        self._weights[:] = np.clip(array, self._parameters[..., 3], self._parameters[..., 2])

    def next_key(self) -> np.uint64:
        """Return the address of the random numbers of the next action."""
        self.actions += 1
        return np.uint64(make_key(self._seed, self._stream, self.actions))

    def forward(self, inputs: npt.ArrayLike) -> FloatArray:
        """Return W x for each vector: (batch, inputs) to (batch, outputs), float32, through the periphery."""
        values = checked("inputs", inputs, self.shape[1])
        return read_matrices([self._weights], values, self.periphery, max(self.shape[1], 1), self.next_key())[0]

    def backward(self, errors: npt.ArrayLike) -> FloatArray:
        """Return Wᵀ d for each vector: (batch, outputs) to (batch, inputs), float32, through the periphery."""
        values = checked("errors", errors, self.shape[0])
        return read_matrices([self._weights.T], values, self.periphery, max(self.shape[0], 1), self.next_key())[0]

    def update(self, inputs: npt.ArrayLike, errors: npt.ArrayLike, learning_rate: float) -> PulseActivity:
        """Change W by -learning_rate dᵀx by pulse coincidences, sample after sample.

        Parameters
        ----------
        inputs, errors
            (batch, inputs) and (batch, outputs), finite.
        learning_rate
            Finite and >= 0.

        Returns
        -------
        PulseActivity
            What the pulse trains really did.

        Raises
        ------
        ValueError
            For wrong shapes, values or rate.
        """
        values, targets = checked("inputs", inputs, self.shape[1]), checked("errors", errors, self.shape[0])
        if len(values) != len(targets):
            raise ValueError(f"inputs hold {len(values)} vectors, errors {len(targets)}; expected as many")
        if not 0 <= learning_rate < float("inf"):
            raise ValueError(f"learning_rate = {learning_rate} is not allowed; it must be finite and at least 0")
        return self.rank_one(values, targets, learning_rate, self.update_settings, self._weights, 0.0)

    def rank_one(
        self,
        inputs: FloatArray,
        errors: FloatArray,
        rate: float,
        settings: PulsedUpdate,
        composite: FloatArray,
        significance: float,
    ) -> PulseActivity:
        """Do what `update` does on checked arrays, and keep a composite weight up to date with it."""
        activity = pulsed_update(
            self._family,
            self._weights,
            self._parameters,
            self.device.dw_min_std,
            inputs,
            errors,
            float(rate),
            self.device.dw_min,
            settings.max_train_length,
            settings.update_management,
            settings.train_length_management,
            self.next_key(),
            composite,
            float(significance),
        )
        return PulseActivity(*activity.tolist())

    def pulse(self, up: bool, count: int = 1) -> None:
        """Give every device `count` pulses of one direction.

        Raises
        ------
        ValueError
            If count is negative.
        """
        if count < 0:
            raise ValueError(f"count = {count} is not allowed; it must be at least 0")
        pulse_all(self._family, self._weights, self._parameters, self.device.dw_min_std, up, count, self.next_key())

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what changes: weights and the number of actions so far."""
        return {"weights": self._weights.copy(), "actions": np.array(self.actions)}

    def restore(self, state: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take over a state that `state` returned."""
        self._weights[:] = state["weights"]
        self.actions = int(state["actions"])
