"""What every algorithm says: its parameters, its tiles, the operations of a step, what it keeps in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from cosim.health import Budget, Check, symmetric_point_check
from cosim.plan import Plan
from cost_model.floorplan import MatrixShape, StorageNeeds
from device_models.parameters import PulsedDevice


class Parameters(BaseModel):
    """Base of every algorithm's parameters; a subclass has a `name` that is a literal."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    name: str


class Algorithm(ABC):
    """One training algorithm.

    Parameters
    ----------
    parameters
        An instance of the class attribute `parameters_type`.
    """

    name: ClassVar[str]
    parameters_type: ClassVar[type[Parameters]]
    summary: ClassVar[str]

    def __init__(self, parameters: Any) -> None:
        self.parameters = parameters
        self.device: PulsedDevice | None = None
        self.progress = 0.0

    def prepare(self, device: PulsedDevice) -> None:
        """Learn which devices it trains; plans may depend on them."""
        self.device = device

    @property
    @abstractmethod
    def significances(self) -> tuple[float, ...]:
        """Significance of each tile in the composite weight, coarsest first; empty for a digital weight."""

    @abstractmethod
    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Return the operations of a step for one layer, in order; `learning_rate` is the scheduled one."""

    @property
    def references(self) -> tuple[int, ...]:
        """Tiles beside which a reference array stands: those that zero-shifting calibrates, if it is asked for."""
        return self.zero_symmetric_tiles if self.zero_shift_pulses else ()

    @property
    def zero_symmetric_tiles(self) -> tuple[int, ...]:
        """Tiles whose symmetric point must read 0 for the algorithm to find its optimum; none by default."""
        return ()

    @property
    def zero_shift_pulses(self) -> int:
        """Alternating pulses with which a symmetric point is found before training; 0 for no calibration."""
        return int(getattr(self.parameters, "zero_shift_pulses", 0))

    def storage(self, batch_size: int) -> StorageNeeds:
        """Return what the algorithm keeps in digital memory; nothing but one sample's vectors by default."""
        return StorageNeeds()

    @property
    def changes_with_progress(self) -> bool:
        """Whether plans depend on `progress`, the part of the training that is done, 0 to 1, or on counted pulses."""
        return False

    def health(self, budget: Budget) -> list[Check]:
        """Return the numbers that decide whether training works; here, the symmetric points that must read 0."""
        if not self.zero_symmetric_tiles or self.zero_shift_pulses:
            return []
        return [symmetric_point_check(budget.device)]

    def observe(self, loss: float, *, epoch_end: bool) -> bool:
        """See the loss of a mini-batch, or the mean of an epoch; return whether the plan has changed."""
        return False

    def observe_pulses(self, layer: str, per_cell: float) -> None:  # noqa: B027 (most algorithms do not count)
        """See how many device pulses a counted update of one mini-batch gave a cross-point, mean over the layer."""

    def settle(self) -> None:  # noqa: B027 (most algorithms have one phase)
        """Go to the last phase of training; pricing without training assumes it from the start."""

    def notes(self) -> list[str]:
        """Return what a reader of a bill made without training should know."""
        return []

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what changes during training; nothing by default."""
        return {}

    def restore(self, state: dict[str, npt.NDArray[np.generic]]) -> None:  # noqa: B027 (nothing to restore by default)
        """Take over a state that `state` returned."""
