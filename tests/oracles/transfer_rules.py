"""What the digital side of a transfer does, element after element, from the papers' formulas."""

import numpy as np


def cyclic_columns(start: int, count: int, width: int) -> list[int]:
    """Return the columns of one transfer event: one after the other, again from 0 after the last."""
    columns = []
    pointer = start
    for _ in range(count):
        columns.append(pointer)
        pointer = 0 if pointer + 1 == width else pointer + 1
    return columns


def buffer_rule(
    level: float, read: float, rate: float, threshold: float, momentum: float, forget: bool = True
) -> tuple[float, int]:
    """Tiki-Taka v2: new H and the pulses n, |n| <= 1 (Gokmen 2021; Rasch et al. 2024).

    H <- H + rate w; n = clip(trunc(H / threshold), -1, 1); where n is not 0, H <- momentum H if the buffer forgets,
    else H <- H - (1 - momentum) n threshold.
    """
    level = level + rate * read
    number = int(np.clip(np.trunc(level / threshold), -1, 1))
    if number and forget:
        level = momentum * level
    elif number:
        level -= (1 - momentum) * number * threshold
    return level, number


def leaky_rule(level: float, read: float, rate: float, threshold: float) -> tuple[float, int]:
    """Residual learning v2: H <- (1 - b) H + b w; at |H| >= threshold one pulse, taken out of H (Wu et al. 2025)."""
    level = (1 - rate) * level + rate * read
    if abs(level) < threshold:
        return level, 0
    number = 1 if level > 0 else -1
    return level - number * threshold, number


class Chopped:
    """One element of chopped Tiki-Taka v2 (Rasch et al. 2024, Eq. 11), its chopper flipping every `period` visits."""

    def __init__(self, rate: float, momentum: float, forget: bool, period: int) -> None:
        self.rate, self.momentum, self.forget, self.period = rate, momentum, forget, period
        self.level, self.sign, self.visits = 0.0, 1, 0

    def visit(self, read: float) -> int:
        """Take one read in, and return the pulses."""
        self.level, number = buffer_rule(self.level, self.sign * read, self.rate, 1.0, self.momentum, self.forget)
        self.visits += 1
        if self.visits % self.period == 0:
            self.sign = -self.sign
        return number


class Referenced:
    """One element of AGAD (Rasch et al. 2024, Eqs. 12 and 13): the reference is the mean of the last period."""

    def __init__(self, rate: float, momentum: float, forget: bool, period: int, share: float) -> None:
        self.rule = rate, 1.0, momentum, forget
        self.period, self.share = period, share
        self.level, self.sign, self.visits = 0.0, 1, 0
        self.mean, self.reference, self.flipped = 0.0, 0.0, False

    def visit(self, read: float) -> int:
        """Take one read in, and return the pulses; none before the first period is over."""
        if self.flipped:
            self.reference = self.mean
        self.level, number = buffer_rule(self.level, self.sign * (read - self.reference), *self.rule)
        self.mean = (1 - self.share) * self.mean + self.share * read
        self.visits += 1
        self.flipped = self.visits % self.period == 0
        if self.flipped:
            self.sign = -self.sign
        return number if self.visits > self.period + 1 else 0


def mixed_precision_rule(level: float, granularity: float) -> tuple[float, int]:
    """n = trunc(X / granularity); X <- X - n granularity (Nandakumar et al. 2020)."""
    number = int(np.trunc(level / granularity))
    return level - number * granularity, number
