"""One crossbar array of devices: read it, pulse it, let it age."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from cosim.converters import Converters, draw_converters
from cosim.kernels.ageing import age_devices, expose
from cosim.kernels.update import SLOPE_MAX
from cosim.periphery import Periphery
from cosim.pulsing import update_tile
from cosim.reading import FloatArray, checked, read_matrices
from cost_model.floorplan import Side
from cost_model.operations import PulseActivity
from device_models.kernels.pulse import FAMILY_CODES
from device_models.kernels.random_numbers import make_key
from device_models.parameters import PulsedDevice
from device_models.population import parameter_names, populate

PULSE_TYPES = ("stochastic", "mean_count", "deterministic")
SLOTS_MAX = 1024


@dataclass(frozen=True, kw_only=True)
class PulsedUpdate:
    """How a rank-1 update becomes pulse trains.

    Parameters
    ----------
    max_train_length
        Longest train in slots, 1 to 1024.
    update_management
        Balance input and error side so that neither saturates first.
    train_length_management
        Use no more slots than the largest update needs; switches update management on. Without it every train
        has the full length.
    pulse_type
        ``stochastic``: every line draws a train, coinciding pulses act; ``mean_count``: rounded numbers of pulses and
        of coincidences, nothing drawn; ``deterministic``: the rounded product of both probabilities.
    error_share
        Errors above this fraction of the largest one count as that, in (0, 1]; a smaller one lets small errors use
        the slots that a single large one would need.
    resolution
        Step of the probabilities that a pulse generator can set, in [0, 1); 0 for continuous.
    stochastic_rounding
        Whether probabilities are rounded to that step at random, instead of to the nearest.

    Raises
    ------
    ValueError
        If a value is outside its range.

    References
    ----------
    Gokmen and Vlasov, Front. Neurosci. 10 (2016); Rasch et al., AICAS 2021.
    """

    max_train_length: int = 31
    update_management: bool = True
    train_length_management: bool = True
    pulse_type: Literal["stochastic", "mean_count", "deterministic"] = "stochastic"
    error_share: float = 1.0
    resolution: float = 0.0
    stochastic_rounding: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.max_train_length <= SLOTS_MAX:
            raise ValueError(f"max_train_length = {self.max_train_length} is not allowed; 1 to {SLOTS_MAX} slots")
        if self.pulse_type not in PULSE_TYPES:
            raise ValueError(f"pulse_type = {self.pulse_type!r} is unknown; known: {', '.join(PULSE_TYPES)}")
        if not 0 < self.error_share <= 1:
            raise ValueError(f"error_share = {self.error_share} is not allowed; above 0 and at most 1")
        if not 0 <= self.resolution < 1:
            raise ValueError(f"resolution = {self.resolution} is not allowed; at least 0 and below 1")

    @cached_property
    def rules(self) -> tuple[int, bool, bool, int, float, float, bool]:
        """What the kernels take, see `cosim.kernels.trains.draw_trains`."""
        return (
            self.max_train_length,
            self.update_management,
            self.train_length_management,
            PULSE_TYPES.index(self.pulse_type),
            float(self.error_share),
            float(self.resolution),
            self.stochastic_rounding,
        )


# Every line that is not zero fires once, for certain.
SINGLE_PULSE = PulsedUpdate(max_train_length=1, update_management=False, train_length_management=False)


class Tile:
    """One array of devices with its periphery.

    A weight is what one device holds; or a device minus its reference; or a pair of one-sided devices, plus minus
    minus. With write noise it differs from what the devices hold.

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
    reference
        Whether a reference array stands beside the devices even if they have no reference value of their own;
        `zero_shift` needs it.

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
        reference: bool = False,
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
        self.changes = 0  # how often what the devices hold has changed
        self._seed, self._stream = seed, stream
        self._tables = device.tables()
        self._write_noise = device.write_noise_std * device.dw_min
        self._gentle = device.dw_min <= SLOPE_MAX * min(abs(device.w_max), abs(device.w_min))
        sides = (0, 1) if device.one_sided else (0,)
        populations = [populate(device, self.shape, seed=seed, stream=stream, side=side) for side in sides]
        one = populations[0].parameters
        self._parameters = (
            one[None] if len(sides) == 1 else np.stack([population.parameters for population in populations])
        )
        self.populations = [
            replace(population, parameters=self._parameters[side]) for side, population in enumerate(populations)
        ]
        held = self.populations[0].reference
        self.has_reference = reference or held is not None
        if reference and device.one_sided:
            raise ValueError("reference: the second device of a one-sided pair leaves no place for a reference array")
        self._stored = np.zeros((2 if device.one_sided or self.has_reference else 1, *self.shape), dtype=np.float32)
        if held is not None:
            self._stored[1] = held
        plain = len(self._stored) == 1 and self._write_noise == 0
        self._weights = self._stored[0] if plain else np.zeros(self.shape, dtype=np.float32)
        self._program(np.zeros(self.shape))

    @property
    def weights(self) -> FloatArray:
        """float32 (outputs, inputs), a read-only view: what a perfect read gives."""
        view = self._weights.view()
        view.flags.writeable = False
        return view

    @property
    def device_parameters(self) -> dict[str, FloatArray]:
        """Per-device arrays of shape (outputs, inputs): step_up, step_down, bound_max, bound_min, what the family adds.

        With a reference array also `reference`; of one-sided pairs the second devices' end in ``_minus``.
        """
        names = parameter_names(self.device)
        arrays = {name: self._parameters[0, place].copy() for place, name in enumerate(names)}
        if self.device.one_sided:
            arrays |= {f"{name}_minus": self._parameters[1, place].copy() for place, name in enumerate(names)}
        if self.has_reference:
            arrays["reference"] = self._stored[1].copy()
        return arrays

    @property
    def second_devices(self) -> FloatArray:
        """What the second devices of one-sided pairs hold, float32 (outputs, inputs); (0, 0) where there are none."""
        return self._stored[1] if self.device.one_sided else np.zeros((0, 0), dtype=np.float32)

    def set_weights(self, weights: npt.ArrayLike) -> None:
        """Program the tile: each device takes the value, or its own nearest bound; a reference stays as it is.

        Raises
        ------
        ValueError
            For a wrong shape, NaN or infinity.
        """
        array = np.asarray(weights)
        if array.shape != self.shape:
            raise ValueError(f"weights have shape {array.shape}; this tile has {self.shape}")
        self._program(checked("weights", array, self.shape[1]))

    def _program(self, weights: npt.NDArray[np.floating]) -> None:
        if self.device.one_sided:
            targets = [np.maximum(weights, 0), np.maximum(-weights, 0)]
        else:
            targets = [weights + self._stored[1] if self.has_reference else weights]
        for side, target in enumerate(targets):
            self._store(side, target)
        self._expose()

    def _store(self, side: int, values: npt.ArrayLike) -> None:
        bounds = self._parameters[side]
        self._stored[side] = np.clip(values, bounds[3], bounds[2])
        self.changes += 1

    def _expose(self, where: npt.NDArray[np.bool_] | None = None) -> None:
        """Let the weights follow what the devices hold; write noise is drawn anew everywhere, or `where` told."""
        if self._weights.base is self._stored:
            return
        key = self.next_key() if self._write_noise else np.uint64(0)
        fresh = self._weights if where is None else np.empty_like(self._weights)
        expose(fresh, self._stored, self._write_noise, key)
        if where is not None:
            self._weights[where] = fresh[where]

    def next_key(self) -> np.uint64:
        """Return the address of the random numbers of the next action."""
        self.actions += 1
        return np.uint64(make_key(self._seed, self._stream, self.actions))

    def forward(self, inputs: npt.ArrayLike) -> FloatArray:
        """Return W x for each vector: (batch, inputs) to (batch, outputs), float32, through the periphery."""
        return self._read(checked("inputs", inputs, self.shape[1]), forward=True)

    def backward(self, errors: npt.ArrayLike) -> FloatArray:
        """Return Wᵀ d for each vector: (batch, outputs) to (batch, inputs), float32, through the periphery."""
        return self._read(checked("errors", errors, self.shape[0]), forward=False)

    def _read(self, values: FloatArray, *, forward: bool) -> FloatArray:
        matrix, block = (self._weights if forward else self._weights.T), max(values.shape[1], 1)
        converters = self._converters[forward]
        return read_matrices(
            [matrix], values, self.periphery, block, self.next_key(), forward=forward, converters=converters
        )[0]

    @cached_property
    def _converters(self) -> dict[bool, Converters]:
        """The converters of a tile that is read on its own, as one array, by direction."""
        outputs, inputs = (Side(lines, max(lines, 1)) for lines in self.shape)
        sides = {True: (inputs, outputs), False: (outputs, inputs)}
        return {
            forward: draw_converters(
                self.periphery, *pair, tiles=1, seed=self._seed, stream=self._stream, forward=forward
            )
            for forward, pair in sides.items()
        }

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
        activity = update_tile(
            self._devices(),
            inputs,
            errors,
            float(rate),
            self.device.granularity,
            settings.rules,
            self.next_key(),
            composite,
            float(significance),
        )
        self.changes += activity.coincidences > 0
        return activity

    def _devices(self) -> tuple[object, ...]:
        """Return the arguments that describe the devices to a kernel, see `pulsed_update`."""
        return (
            FAMILY_CODES[self.device.family],
            self._weights,
            self._stored,
            self._parameters,
            self.device.one_sided,
            self.device.curve(),
            self.device.noise(),
            self._tables,
            self.device.dw_min_std,
            self._write_noise,
            self._gentle,
        )

    def pulse(self, up: bool, count: int = 1) -> None:
        """Give every device `count` pulses of one direction; a down pulse goes to the second device of a pair.

        Raises
        ------
        ValueError
            If count is negative.
        """
        if count < 0:
            raise ValueError(f"count = {count} is not allowed; it must be at least 0")
        lines = np.ones((count, self.shape[1]), dtype=np.float32)
        errors = np.full((count, self.shape[0]), -1.0 if up else 1.0, dtype=np.float32)
        self.rank_one(lines, errors, self.device.granularity, SINGLE_PULSE, self._weights, 0.0)

    def zero_shift(self, pulses: int) -> None:
        """Find the symmetric point of every device by alternating pulses, and let the reference array hold it.

        Up and down pulses pull a device to its symmetric point; after `pulses` of them the reference takes over its
        state, and the weight reads 0 (Kim et al., arXiv:1907.10228; Xiao et al., arXiv:2602.21321, Algorithm 1).

        Parameters
        ----------
        pulses
            Number of pulses, >= 1; about 1/granularity are needed, and the error left is of the order of the
            granularity.

        Raises
        ------
        ValueError
            If the tile has no reference array, or for a number of pulses below 1.
        """
        if not self.has_reference:
            raise ValueError("zero_shift needs a reference array; make the tile with reference=True")
        if pulses < 1:
            raise ValueError(f"pulses = {pulses} is not allowed; at least 1")
        for number in range(pulses):
            self.pulse(up=number % 2 == 0)
        self._stored[1] = self._stored[0]
        self.changes += 1
        self._expose()

    def reset(self, columns: npt.ArrayLike | None = None) -> None:
        """Reset all devices, or those of some columns, to their reset value with its spread."""
        chosen = np.zeros(self.shape, dtype=bool)
        chosen[:, slice(None) if columns is None else np.asarray(columns)] = True
        self._reset_where(chosen)

    def _reset_where(self, chosen: npt.NDArray[np.bool_]) -> None:
        key = int(self.next_key())
        for side, population in enumerate(self.populations):
            normal = np.random.Generator(np.random.Philox(key=key + side)).standard_normal(self.shape)
            fresh = population.reset + self.device.reset_std * normal
            self._store(side, np.where(chosen, fresh, self._stored[side]))
        self._expose(chosen)

    def age(self) -> None:
        """Let one mini-batch pass without pulses: decay toward the reset value, diffusion."""
        if not self.device.fades:
            return
        for side, population in enumerate(self.populations):
            decay = population.decay if population.decay is not None else np.ones(self.shape, dtype=np.float32)
            diffusion = population.diffusion if population.diffusion is not None else np.zeros_like(decay)
            key = self.next_key()
            age_devices(self._stored, side, self._parameters, decay, diffusion, population.reset, key)
        self.changes += 1
        self._expose()

    def worn_pairs(self) -> npt.NDArray[np.bool_]:
        """Return which one-sided pairs need a refresh: both devices up, one of them far up."""
        larger, smaller = self._stored.max(axis=0), self._stored.min(axis=0)
        device = self.device
        return np.asarray(
            (larger > device.refresh_upper_threshold * device.w_max)
            & (smaller > device.refresh_lower_threshold * device.w_max)
        )

    def refresh(self, composite: FloatArray, significance: float) -> PulseActivity:
        """Reset worn one-sided pairs and write their difference again, by trains of pulses, column after column."""
        worn = self.worn_pairs()
        columns = np.flatnonzero(worn.any(axis=0))
        if not len(columns):
            return PulseActivity(0, 0, 0, 0, 0, 0)
        difference = np.where(worn, self._weights, 0)[:, columns]
        before = self._weights.copy()
        self._reset_where(worn)
        composite += np.float32(significance) * (self._weights - before)
        selections = np.zeros((len(columns), self.shape[1]), dtype=np.float32)
        selections[np.arange(len(columns)), columns] = 1.0
        errors = np.ascontiguousarray(-difference.T)
        # Two slots reset the worn pairs of a column, one for each of their devices.
        resets, slots = 2.0 * float(worn.sum()), 2.0 * len(columns)
        reset = PulseActivity(0, slots, slots, resets, resets, resets / 2)
        return reset + self.rank_one(selections, errors, 1.0, PulsedUpdate(), composite, significance)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what changes: weights, what the devices hold, the number of actions so far."""
        return {"weights": self._weights.copy(), "stored": self._stored.copy(), "actions": np.array(self.actions)}

    def restore(self, state: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take over a state that `state` returned."""
        self._stored[:] = state["stored"]
        self._weights[:] = state["weights"]
        self.actions = int(state["actions"])
