"""What every algorithm says: its parameters, its tiles, the operations of a step, what it keeps in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from cosim.plan import Plan
from cost_model.floorplan import MatrixShape, StorageNeeds


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

    @property
    @abstractmethod
    def significances(self) -> tuple[float, ...]:
        """Significance of each tile in the composite weight, coarsest first; empty for a digital weight."""

    @abstractmethod
    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Return the operations of a step for one layer, in order; `learning_rate` is the scheduled one."""

    def storage(self, batch_size: int) -> StorageNeeds:
        """Return what the algorithm keeps in digital memory; nothing but one sample's vectors by default."""
        return StorageNeeds()

    def observe(self, loss: float, *, epoch_end: bool) -> bool:
        """See the loss of a mini-batch, or the mean of an epoch; return whether the plan has changed."""
        return False

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
