"""Pulsed updates of a tile, on one thread or on several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.kernels.trains import draw_trains, gather_events, words_of
from cosim.kernels.update import WORDS_MAX, pulse_rows, pulsed_update
from cosim.threads import do_parts, parts_of
from cost_model.operations import PulseActivity

FloatArray = npt.NDArray[np.float32]


def update_tile(
    devices: tuple[Any, ...],
    inputs: FloatArray,
    errors: FloatArray,
    rate: float,
    granularity: float,
    rules: tuple[Any, ...],
    key: np.uint64,
    composite: FloatArray,
    significance: float,
) -> PulseActivity:
    """Do `cosim.kernels.update.pulsed_update`, whose parameters these are; the first eleven of them are `devices`.

    Every row and every vector has random numbers of its own: how the work is shared changes nothing.
    """
    vectors, columns = inputs.shape
    rows = errors.shape[1]
    row_parts = parts_of(rows, vectors * rows * columns)
    if len(row_parts) < 2:
        activity = pulsed_update(*devices, inputs, errors, rate, granularity, rules, key, composite, significance)
        return PulseActivity(*activity.tolist())
    most = max(1, min(vectors, WORDS_MAX // (words_of(rules[0], rules[3]) * (rows + columns))))
    settings = rate, granularity, rules, key
    total = np.zeros(6)
    for first in range(0, vectors, most):
        count = min(most, vectors - first)
        total += _update_batch(devices, inputs, errors, first, count, settings, row_parts, composite, significance)
    return PulseActivity(*total.tolist())


def _update_batch(
    devices: tuple[Any, ...],
    inputs: FloatArray,
    errors: FloatArray,
    first: int,
    count: int,
    settings: tuple[Any, ...],
    row_parts: Sequence[tuple[int, int]],
    composite: FloatArray,
    significance: float,
) -> npt.NDArray[np.float64]:
    """Draw the trains of `count` vectors in parts, then pulse the rows in parts; returns the activity."""
    rate, granularity, rules, key = settings
    (_, columns), (_, rows) = inputs.shape, errors.shape
    words = words_of(rules[0], rules[3])
    error_words = np.empty((count, words, rows), dtype=np.uint32)
    input_words = np.empty((count, words, columns), dtype=np.uint32)
    fired_rows, row_counts = np.empty((count, rows), dtype=np.int32), np.empty(count, dtype=np.int32)
    fired_columns, column_counts = np.empty((count, columns), dtype=np.int32), np.empty(count, dtype=np.int32)
    lengths = np.empty(count, dtype=np.int32)
    trains = error_words, input_words, fired_rows, row_counts, fired_columns, column_counts, lengths

    def draw(begin: int, end: int) -> npt.NDArray[np.float64]:
        activity = np.zeros(6)
        own = [array[begin:end] for array in trains]
        draw_trains(inputs, errors, first + begin, first + end, rate, granularity, rules, key, *own, activity)
        return activity

    def pulse(begin: int, end: int) -> npt.NDArray[np.float64]:
        activity = np.zeros(6)
        pulse_rows(
            begin, end, *devices, rules[3], error_words, input_words, fired_columns, column_counts, lengths,
            row_starts, events, key, first, composite, significance, activity,
        )  # fmt: skip
        return activity

    drawn = do_parts(draw, parts_of(count, count * rows * columns))
    row_starts, events = np.empty(rows + 1, dtype=np.int64), np.empty(count * rows, dtype=np.int32)
    gather_events(fired_rows, row_counts, lengths, row_starts, events)
    activity: npt.NDArray[np.float64] = np.sum(drawn + do_parts(pulse, row_parts), axis=0)
    return activity
