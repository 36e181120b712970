"""Multi-tile residual learning: the finest tile takes the gradient, each coarser one slowly takes over the finer one.

Tile 0 is the coarsest, tile N = tiles - 1 the finest; W̄ = kappa Σ gammaⁿ Wₙ (Li et al., arXiv:2510.02516).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationInfo, model_validator

from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.algorithms.residual_learning_health import cascade_checks
from cosim.algorithms.residual_learning_settings import SETTINGS, TRANSFER_DEFAULTS, SettingBasis, paper_setting
from cosim.health import Budget, Check, forgotten_share
from cosim.plan import Backward, Forward, Plan, Step, Transfer, Update
from cost_model.floorplan import MatrixShape

AGGRESSIVE_SWITCHES = 3
MILD_WINDOW = 5
SHARE_MIN = 1e-9  # of a column per mini-batch, where a layer gets no pulses at all
PULSE_WINDOW = 1000  # mini-batches that counted pulses are averaged over


class ResidualLearningParameters(Parameters):
    """Parameters of residual learning; `setting` fills what is not given, for the study's training, network and device.

    Transfers are set by `column_rate`, from which columns, period and rate of each layer follow; or one by one by
    `transfer_rate` and what follows it.
    """

    name: Literal["residual_learning"] = "residual_learning"
    setting: Literal["balanced", "paper"] = "balanced"
    tiles: int = Field(4, ge=1, le=32, description="number of tiles")
    gamma: float = Field(gt=0, lt=1, description="ratio of significance between neighbouring tiles")
    weight_scale: float = Field(gt=0, le=10, description="kappa: significance of the coarsest tile")
    fast_rate: float = Field(ge=0, description="rate of the finest tile, constant")
    column_rate: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of a column of the finest tile that its neighbour takes over per mini-batch",
    )
    column_rate_ratio: float | None = Field(None, ge=1, description="each coarser transfer is this many times slower")
    loop_gain: float | None = Field(
        None,
        ge=0,
        description="column_rate is lowered to this over the memory of the finest tile, from the pulses that it gets "
        "in each layer; 0: not at all",
    )
    cooling: float = Field(1.0, gt=0, le=1, description="what is left of the transfer rates at the end of the training")
    transfer_rate: float | None = Field(None, ge=0, description="of source tile n: times transfer_rate_ratio^n")
    transfer_rate_ratio: float | None = Field(None, gt=0)
    transfer_period: int | None = Field(None, ge=1, description="mini-batches between transfers of the finest tile")
    transfer_period_ratio: int | None = Field(None, ge=1, description="each coarser transfer is this many times rarer")
    transfer_columns: int | None = Field(None, ge=1, description="columns per transfer, at most the fan-in")
    warm_start: Literal["off", "phases", "plateau", "epoch", "mini_batch"] = Field(
        description="off; phases of fixed length; until the averaged loss stops falling; or as printed in Algorithm 1, "
        "with the loss looked at after each epoch or each mini-batch"
    )
    warm_start_mini_batches: int = Field(
        1250, ge=1, description="length of a phase, or mini-batches that the loss is averaged over"
    )
    zero_shift_pulses: int = Field(0, ge=0, description="pulses that find every tile's symmetric point; 0: none")

    @model_validator(mode="before")
    @classmethod
    def fill_from_setting(cls, given: Any, info: ValidationInfo) -> Any:
        """Fill what is not given from the named setting, for the study where it is known."""
        if not isinstance(given, dict):
            return given
        given = {key: value for key, value in given.items() if value is not None}
        setting, tiles = SETTINGS.get(str(given.get("setting", "balanced"))), given.get("tiles", 4)
        basis = SettingBasis(**(info.context or {}))
        try:
            filled = (setting or paper_setting)(tiles, given, basis)
        except (TypeError, ArithmeticError):  # a value of a wrong type or range; the checks that follow name it
            filled = paper_setting(1, given, basis)
        missing = TRANSFER_DEFAULTS if set(TRANSFER_DEFAULTS) & set(given) else {}
        return missing | filled | given

    @model_validator(mode="after")
    def one_way_to_transfer(self) -> ResidualLearningParameters:
        """Refuse transfers that are given both ways."""
        one_by_one = any(getattr(self, key) is not None for key in TRANSFER_DEFAULTS)
        if self.loop_gain and one_by_one:
            raise ValueError("loop_gain lowers column_rate, which is not given; leave it out, or give column_rate")
        if self.column_rate is not None and one_by_one:
            raise ValueError(
                "column_rate is given together with transfer_rate, transfer_period or transfer_columns, which follow "
                "from it; give either column_rate or those"
            )
        return self


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
        self.pulses: dict[str, float] = {}  # per cross-point and mini-batch, by layer
        self.counted: dict[str, int] = {}
        self.settled = False

    @property
    def significances(self) -> tuple[float, ...]:
        """Kappa gammaⁿ, coarsest first."""
        own = self.parameters
        return tuple(own.weight_scale * own.gamma**n for n in range(own.tiles))

    @property
    def zero_symmetric_tiles(self) -> tuple[int, ...]:
        """All tiles that are transferred from (Li et al., Assumption 4: G vanishes at 0 only)."""
        return tuple(range(1, self.parameters.tiles))

    @property
    def changes_with_progress(self) -> bool:
        """Whether transfers cool down or follow the pulses."""
        return bool(self.parameters.cooling < 1 or self.parameters.loop_gain)

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Forward, backward, pulsed update of the finest tile; then the cascade, or warm-start transfers."""
        own = self.parameters
        update = Update(target=self.finest, rate=own.fast_rate, counted=bool(own.loop_gain))
        steps: tuple[Step, ...] = (Forward(), Backward(), update)
        if self.warmed >= self.finest:
            return (*steps, *(self.transfer(n, n - 1, shape) for n in range(self.finest, 0, -1)))
        steps = (*steps, self.transfer(self.finest, self.warmed, shape))
        as_printed = own.warm_start in ("epoch", "mini_batch")
        if as_printed or self.warmed == self.finest - 1:
            return steps
        # The finest pair stays at work: its neighbour would stand empty while a coarse tile is warmed.
        return (*steps, self.transfer(self.finest, self.finest - 1, shape))

    def transfer(self, source: int, target: int, shape: MatrixShape) -> Transfer:
        """Return the transfer from one tile to another; rate and period are those of the source."""
        own = self.parameters
        if own.column_rate is not None:
            pulses = self.pulses.get(shape.name, 0.0)  # nothing moves before the first pulses are counted
            share = self.column_share(source, shape, pulses) * self.left
            columns, every, rate = visits(share, shape.inputs, self.visit_rate)
        else:
            columns, every, rate = self.given_visits(source, shape)
            rate *= self.left
        return Transfer(source=source, target=target, rate=rate, columns=columns, every=every)

    def given_visits(self, source: int, shape: MatrixShape) -> tuple[int, int, float]:
        """Return columns, period and uncooled rate of a transfer where they are given one by one."""
        own = self.parameters
        every = own.transfer_period * own.transfer_period_ratio ** (self.finest - source)
        return min(own.transfer_columns, shape.inputs), every, own.transfer_rate * own.transfer_rate_ratio**source

    @property
    def left(self) -> float:
        """What cooling has left of the transfers; their mean over a training that is priced without being done."""
        cooling: float = self.parameters.cooling
        return self.mean_left if self.settled else cooling**self.progress

    @property
    def mean_left(self) -> float:
        """The mean of cooling^progress over a training."""
        cooling: float = self.parameters.cooling
        return (1 - cooling) / -math.log(cooling) if cooling < 1 else 1.0

    def column_share(self, source: int, shape: MatrixShape, pulses: float | None = None) -> float:
        """Return the share of a column that moves on per mini-batch, rate x columns / (fan-in x period), uncooled.

        `pulses` of the finest tile per cross-point and mini-batch limit it to `loop_gain` over the tile's memory.
        """
        own = self.parameters
        if own.column_rate is None:
            columns, every, rate = self.given_visits(source, shape)
            return rate * columns / (shape.inputs * every)
        share = own.column_rate
        if own.loop_gain and pulses is not None and self.device is not None:
            forgotten = forgotten_share(self.device, pulses)
            if forgotten is not None:
                share = min(share, max(own.loop_gain * forgotten, SHARE_MIN))
        return float(share / own.column_rate_ratio ** (self.finest - source))

    def observe_pulses(self, layer: str, per_cell: float) -> None:
        """Average the pulses of the finest tile, over all mini-batches at first and over `PULSE_WINDOW` later."""
        seen = self.counted[layer] = min(self.counted.get(layer, 0) + 1, PULSE_WINDOW)
        mean = self.pulses.get(layer, 0.0)
        self.pulses[layer] = mean + (per_cell - mean) / seen

    @property
    def visit_rate(self) -> float:
        """Rate with which a full column sends at most one pulse per cross-point: granularity over bound."""
        device = self.device
        return 0.2 if device is None else min(device.granularity / device.w_max, 1.0)

    def observe(self, loss: float, *, epoch_end: bool) -> bool:
        """During warm start, move on to the next finer tile when the phase is over."""
        own = self.parameters
        if self.warmed >= self.finest or epoch_end != (own.warm_start == "epoch"):
            return False
        self.losses.append(loss)
        over: bool
        if own.warm_start == "phases":
            over = len(self.losses) >= own.warm_start_mini_batches
        elif own.warm_start == "plateau":
            over = averaged_plateau(self.losses, own.warm_start_mini_batches)
        else:
            over = loss_plateau(self.losses, self.warmed)
        if over:
            self.warmed += 1
            if own.warm_start in ("phases", "plateau"):
                self.losses.clear()
        return over

    def health(self, budget: Budget) -> list[Check]:
        """Return the rules that decide whether a cascade works."""
        return [*super().health(budget), *cascade_checks(self, budget)]

    def settle(self) -> None:
        """Go straight to the cascade, with the transfers of a mean mini-batch."""
        self.warmed = self.finest
        self.settled = True

    def notes(self) -> list[str]:
        """Return what pricing assumes about the warm start."""
        if self.parameters.warm_start == "off":
            return []
        return ["warm start ends in training; without it the cascade is priced from the start"]

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the tile that is being warmed up, the losses seen and the pulses counted."""
        return {
            "warmed": np.array(self.warmed),
            "losses": np.array(self.losses, dtype=np.float64),
            "layers": np.array(list(self.pulses), dtype=np.str_),
            "pulses": np.array(list(self.pulses.values()), dtype=np.float64),
            "counted": np.array(list(self.counted.values()), dtype=np.int64),
        }

    def restore(self, state: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take over a state that `state` returned."""
        self.warmed = int(state["warmed"])
        self.losses = [float(value) for value in state["losses"]]
        layers = state["layers"].tolist()
        self.pulses = dict(zip(layers, state["pulses"].tolist(), strict=True))
        self.counted = dict(zip(layers, state["counted"].tolist(), strict=True))


def visits(share: float, inputs: int, most: float) -> tuple[int, int, float]:
    """Return columns, period and rate of transfers that take over a share of every column per mini-batch.

    As few columns as possible: the rate is as near to `most` as whole columns and periods of a power of two allow, so
    that visits stay in step where the share changes slowly.
    """
    per_mini_batch = share * inputs / most
    if per_mini_batch >= 1:
        columns, period = min(math.ceil(per_mini_batch), inputs), 1
    else:
        columns, period = 1, 2 ** int(math.log2(1 / per_mini_batch))
    return columns, period, share * inputs * period / columns


def loss_plateau(losses: list[float], switches: int) -> bool:
    """Return whether the loss has reached a plateau (Li et al., Algorithm 1, LossPlateau).

    For the first switches any rise of the loss counts; later, two rises among the last five changes.
    """
    if switches <= AGGRESSIVE_SWITCHES:
        return len(losses) >= 2 and losses[-1] > losses[-2]
    recent = losses[-(MILD_WINDOW + 1) :]
    rises = sum(after > before for before, after in pairwise(recent))
    return len(losses) > MILD_WINDOW and rises >= 2


def averaged_plateau(losses: list[float], window: int) -> bool:
    """Return whether the mean loss of the last `window` mini-batches is not below that of the `window` before them."""
    if len(losses) < 2 * window or len(losses) % window:
        return False
    return sum(losses[-window:]) >= sum(losses[-2 * window : -window])
