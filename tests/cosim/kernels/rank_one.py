"""An array of devices that only the update kernel touches, for the kernel tests."""

import numpy as np

from cosim.kernels.trains import STOCHASTIC
from cosim.kernels.update import ACTIVITY, pulsed_update
from device_models import PulsedDevice
from device_models.kernels.pulse import FAMILY_CODES
from device_models.parameters import COMPLEX, MULTIPLICATIVE
from device_models.population import populate


def float32(values) -> np.ndarray:
    return np.atleast_2d(np.asarray(values, dtype=np.float32))


class Devices:
    """Devices with what they hold and what is read, all zero at first.

    `reference` adds a second array, never pulsed, that is subtracted. With `one_by_one` the noise of a family whose
    noise is in proportion to the step is given as complex noise without its other two parts: the same physics, for
    which the kernel has no shorter way than the pulses of `device_models.kernels.pulse`, one by one.
    """

    def __init__(
        self,
        device: PulsedDevice,
        shape: tuple[int, int],
        *,
        seed: int = 2,
        reference: bool = False,
        one_by_one: bool = False,
    ) -> None:
        self.device, self.shape = device, shape
        self.noise = device.noise()
        if one_by_one:
            assert self.noise == (MULTIPLICATIVE, 0.0, 0.0)
            self.noise = (COMPLEX, 0.0, 0.0)
        sides = (0, 1) if device.one_sided else (0,)
        populations = [populate(device, shape, seed=seed, stream=0, side=side) for side in sides]
        self.parameters = np.stack([population.parameters for population in populations])
        self.stored = np.zeros((2 if device.one_sided or reference else 1, *shape), dtype=np.float32)
        self.write_noise = device.write_noise_std * device.dw_min
        plain = len(self.stored) == 1 and self.write_noise == 0
        self.weights = self.stored[0] if plain else np.zeros(shape, dtype=np.float32)
        self.composite = np.zeros(shape, dtype=np.float32)

    def named(self, side: int = 0) -> dict[str, np.ndarray]:
        names = ("step_up", "step_down", "bound_max", "bound_min")
        return {name: self.parameters[side, place].astype(float) for place, name in enumerate(names)}

    def update(
        self,
        inputs,
        errors,
        rate,
        *,
        longest=31,
        managements=(True, True),
        pulse_type=STOCHASTIC,
        error_share=1.0,
        resolution=0.0,
        stochastic_rounding=False,
        key=1,
        significance=0.0,
    ) -> dict[str, float]:
        """Pulse the devices and return the activity by name."""
        activity = pulsed_update(
            FAMILY_CODES[self.device.family],
            self.weights,
            self.stored,
            self.parameters,
            self.device.one_sided,
            self.device.curve(),
            self.noise,
            self.device.tables(),
            self.device.dw_min_std,
            self.write_noise,
            True,  # each row decides for itself whether its devices are gentle enough to be done together
            float32(inputs),
            float32(errors),
            rate,
            self.device.granularity,
            (longest, *managements, pulse_type, float(error_share), float(resolution), stochastic_rounding),
            np.uint64(key),
            self.composite,
            significance,
        )
        return dict(zip(ACTIVITY, activity.tolist(), strict=True))
