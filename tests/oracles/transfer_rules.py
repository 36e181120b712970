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


def buffer_rule(level: float, read: float, rate: float, threshold: float, momentum: float) -> tuple[float, int]:
    """Tiki-Taka v2 with a forgetting buffer: new H and the pulses n, |n| <= 1 (Gokmen 2021; Rasch et al. 2024).

    H <- H + rate w; n = clip(trunc(H / threshold), -1, 1); where n is not 0, H <- momentum H.
    """
    level = level + rate * read
    number = int(np.clip(np.trunc(level / threshold), -1, 1))
    return (momentum * level if number else level), number


def mixed_precision_rule(level: float, granularity: float) -> tuple[float, int]:
    """n = trunc(X / granularity); X <- X - n granularity (Nandakumar et al. 2020)."""
    number = int(np.trunc(level / granularity))
    return level - number * granularity, number
