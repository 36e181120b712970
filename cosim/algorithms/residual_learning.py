"""Multi-tile residual learning: the finest tile takes the gradient, each coarser one slowly takes over the finer one.

Tile 0 is the coarsest, tile N = tiles - 1 the finest; W̄ = kappa Σ gammaⁿ Wₙ (Li et al., arXiv:2510.02516).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.plan import Backward, Forward, Plan, Transfer, Update
from cost_model.floorplan import MatrixShape

AGGRESSIVE_SWITCHES = 3
MILD_WINDOW = 5


def paper_setting(tiles: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the vectors of the released code: gamma 0.5, periods 2·5ᵏ, one column, rates 0.1·1.2ⁿ, fast rate 1."""
    return {
        "gamma": 0.5,
        "weight_scale": 1.0,
        "fast_rate": 1.0,
        "transfer_rate": 0.1,
        "transfer_rate_ratio": 1.2,
        "transfer_period": 2,
        "transfer_period_ratio": 5,
        "transfer_columns": 1,
        "warm_start": "epoch",
    }


def balanced_setting(tiles: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a setting for short budgets: quiet finest tile, 32 columns per transfer, no warm start.

    The step of the finest tile in the composite weight, fast_rate kappa gammaᴺ, is 0.03 whatever gamma and kappa
    are given. With few tiles more transfers only bring noise into heavy tiles, so fewer columns are moved.
    """
    gamma = given.get("gamma", 0.5)
    weight_scale = given.get("weight_scale", 0.5 if tiles > 4 else 0.25)
    many = tiles > 3
    return {
        "gamma": gamma,
        "weight_scale": weight_scale,
        "fast_rate": 0.03 / (weight_scale * gamma ** (tiles - 1)),
        "transfer_rate": 0.02 if many else 0.1,
        "transfer_rate_ratio": 1.2,
        "transfer_period": 2,
        "transfer_period_ratio": 5,
        "transfer_columns": 32 if many else 2,
        "warm_start": "off",
    }


SETTINGS: dict[str, Callable[[int, Mapping[str, Any]], dict[str, Any]]] = {
    "balanced": balanced_setting,
    "paper": paper_setting,
}


class ResidualLearningParameters(Parameters):
    """Parameters of residual learning; `setting` fills what is not given."""

    name: Literal["residual_learning"] = "residual_learning"
    setting: Literal["balanced", "paper"] = "balanced"
    tiles: int = Field(4, ge=1, le=32, description="number of tiles")
    gamma: float = Field(gt=0, lt=1, description="ratio of significance between neighbouring tiles")
    weight_scale: float = Field(gt=0, le=10, description="kappa: significance of the coarsest tile")
    fast_rate: float = Field(ge=0, description="rate of the finest tile, constant")
    transfer_rate: float = Field(ge=0, description="rate of source tile n is transfer_rate x transfer_rate_ratio^n")
    transfer_rate_ratio: float = Field(gt=0)
    transfer_period: int = Field(ge=1, description="mini-batches between transfers of the finest tile")
    transfer_period_ratio: int = Field(ge=1, description="each coarser transfer is this many times rarer")
    transfer_columns: int = Field(ge=1, description="columns per transfer, at most the fan-in")
    warm_start: Literal["off", "epoch", "mini_batch"] = Field(
        description="Algorithm 1, lines 1 to 18, with the loss looked at after each epoch or each mini-batch"
    )

    @model_validator(mode="before")
    @classmethod
    def fill_from_setting(cls, given: Any) -> Any:
        """Fill what is not given from the named setting."""
        if not isinstance(given, dict):
            return given
        setting, tiles = SETTINGS.get(str(given.get("setting", "balanced"))), given.get("tiles", 4)
        try:
            filled = setting(tiles, given) if setting else paper_setting(1, given)
        except (TypeError, ArithmeticError):  # a value of a wrong type or range; the checks that follow name it
            filled = paper_setting(1, given)
        return filled | given


class ResidualLearning(Algorithm):
    """Gradient to the finest tile; every tile passes its columns on to the next coarser one, more rarely each time."""

    name: ClassVar[str] = "residual_learning"
    parameters_type: ClassVar[type[Parameters]] = ResidualLearningParameters
    summary: ClassVar[str] = "geometric sum of tiles, column transfers from fine to coarse"

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters)
        self.finest = parameters.tiles - 1
        self.warmed = 0 if parameters.warm_start != "off" else self.finest
        self.losses: list[float] = []

    @property
    def significances(self) -> tuple[float, ...]:
        """Kappa gammaⁿ, coarsest first."""
        own = self.parameters
        return tuple(own.weight_scale * own.gamma**n for n in range(own.tiles))

    def period(self, source: int) -> int:
        """Return the mini-batches between transfers out of a tile."""
        own = self.parameters
        return int(own.transfer_period * own.transfer_period_ratio ** (self.finest - source))

    def transfer(self, source: int, target: int, shape: MatrixShape) -> Transfer:
        """Return the transfer from one tile to another; rate and period are those of the source."""
        own = self.parameters
        return Transfer(
            source=source,
            target=target,
            rate=own.transfer_rate * own.transfer_rate_ratio**source,
            columns=min(own.transfer_columns, shape.inputs),
            every=self.period(source),
        )

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Forward, backward, pulsed update of the finest tile; then the cascade, or a warm-start transfer."""
        steps = (Forward(), Backward(), Update(tile=self.finest, rate=self.parameters.fast_rate))
        if self.warmed < self.finest:
            return (*steps, self.transfer(self.finest, self.warmed, shape))
        return (*steps, *(self.transfer(n, n - 1, shape) for n in range(self.finest, 0, -1)))

    def observe(self, loss: float, *, epoch_end: bool) -> bool:
        """During warm start, move on to the next finer tile when the loss has reached a plateau."""
        if self.warmed >= self.finest or epoch_end != (self.parameters.warm_start == "epoch"):
            return False
        self.losses.append(loss)
        if not loss_plateau(self.losses, self.warmed):
            return False
        self.warmed += 1
        return True

    def settle(self) -> None:
        """Go straight to the cascade."""
        self.warmed = self.finest

    def notes(self) -> list[str]:
        """Return what pricing assumes about the warm start."""
        if self.parameters.warm_start == "off":
            return []
        return ["warm start ends when the loss says so; without training the cascade is priced from the start"]

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the tile that is being warmed up and the losses seen."""
        return {"warmed": np.array(self.warmed), "losses": np.array(self.losses, dtype=np.float64)}

    def restore(self, state: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take over a state that `state` returned."""
        self.warmed = int(state["warmed"])
        self.losses = [float(value) for value in state["losses"]]


def loss_plateau(losses: list[float], switches: int) -> bool:
    """Return whether the loss has reached a plateau (Li et al., Algorithm 1, LossPlateau).

    For the first switches any rise of the loss counts; later, two rises among the last five changes.
    """
    if switches <= AGGRESSIVE_SWITCHES:
        return len(losses) >= 2 and losses[-1] > losses[-2]
    recent = losses[-(MILD_WINDOW + 1) :]
    rises = sum(after > before for before, after in pairwise(recent))
    return len(losses) > MILD_WINDOW and rises >= 2
