"""The schedule of a training sample: which operations overlap, and what each of them adds to its latency."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cost_model.numbers import Number

# Operations in the three phases of a sample, and what happens once before the training.
INPUT_SIDE, OUTPUT_SIDE = ("forward", "digital"), ("backward",)
WRITES, TRANSFERS, ONCE = ("update",), ("transfer", "refresh"), ("program", "calibrate")
Durations = Mapping[str, Mapping[str, Number]]


@dataclass(frozen=True)
class Schedule:
    """Which operations of a training sample overlap.

    Parameters
    ----------
    layers
        ``sequential``: one sample passes through the layers at a time; ``pipelined``: the samples of a mini-batch
        follow each other through the layers, forward and then backward, so that vectors of all of them are kept.
    updates
        ``together``: all layers write at the same time, after the backward pass (Li et al., arXiv:2510.02516,
        Table 7); ``as_ready``: each layer writes as soon as its error is known and its arrays are free.
    transfers
        ``serial``: after the updates; ``hidden``: while other layers are read, as far as that takes long enough.
    """

    layers: Literal["sequential", "pipelined"] = "sequential"
    updates: Literal["together", "as_ready"] = "together"
    transfers: Literal["serial", "hidden"] = "serial"

    def __post_init__(self) -> None:
        if self.layers == "pipelined" and self.updates == "as_ready":
            raise ValueError(
                "hardware.schedule: updates = 'as_ready' is not allowed with layers = 'pipelined', where a layer is "
                "read until the last sample of the mini-batch has passed; set updates = 'together'"
            )


@dataclass(frozen=True)
class Bar:
    """One operation of one layer in time.

    Parameters
    ----------
    layer, operation
        What is done where.
    start_s, duration_s
        When, from the first read of the sample on.
    critical
        Whether it adds to the latency of the sample.
    hidden
        Whether it is done beside other work on purpose.
    """

    layer: str
    operation: str
    start_s: float
    duration_s: float
    critical: bool
    hidden: bool


@dataclass(frozen=True)
class Timing:
    """What the operations of a sample add to its latency.

    Parameters
    ----------
    weights
        (layer, operation) to the part of its duration that counts, 0 to 1; the rest is overlapped by other work.
    bars
        Where operations stand as a sample passes; those of the first design where there are many.
    """

    weights: Mapping[tuple[str, str], Number]
    bars: Sequence[Bar] = ()


def time_sample(durations: Durations, schedule: Schedule, batch_size: int = 1) -> Timing:
    """Place the operations of a training sample in time.

    Parameters
    ----------
    durations
        Layer to operation to seconds per training sample, as if nothing overlapped; layers in the order of the
        network.
    schedule
        What overlaps.
    batch_size
        Samples of a mini-batch, >= 1; only a pipeline depends on it.

    Returns
    -------
    Timing
        Weights that make the latency of a sample from the durations, and where they stand in time.
    """
    layers = list(durations)
    first, last = (_sums(durations, kinds) for kinds in (INPUT_SIDE, OUTPUT_SIDE))
    writes, transfers, once = (_sums(durations, kinds) for kinds in (WRITES, TRANSFERS, ONCE))
    weights: dict[tuple[str, str], Number] = {}
    for kinds, times in ((INPUT_SIDE, first), (OUTPUT_SIDE, last)):
        slowest = _slowest(times)
        for place, layer in enumerate(layers):
            part: Number = 1.0
            if schedule.layers == "pipelined":
                part = np.where(slowest == place, 1.0, 1.0 / batch_size)
            weights |= {(layer, kind): part for kind in kinds}
    serial = schedule.transfers == "serial"
    written = [write + (transfer if serial else 0.0) for write, transfer in zip(writes, transfers, strict=True)]
    if schedule.updates == "as_ready":
        remaining = [_total(last[place:]) for place in range(len(layers))]
        chosen = _slowest([ready + write for ready, write in zip(remaining, written, strict=True)])
    else:
        chosen = _slowest(written)
    for place, layer in enumerate(layers):
        counted = np.where(chosen == place, 1.0, 0.0)
        weights |= {(layer, kind): counted for kind in (*WRITES, *(TRANSFERS if serial else ()))}
        if schedule.updates == "as_ready":  # the backward reads of earlier layers go on beside the slowest write
            weights |= {(layer, kind): np.where(chosen <= place, 1.0, 0.0) for kind in OUTPUT_SIDE}
        weights |= {(layer, kind): np.where(_slowest(once) == place, 1.0, 0.0) for kind in ONCE}
    if not serial:
        path = _total(
            [
                time * weights[layer, kind]
                for layer, parts in durations.items()
                for kind, time in parts.items()
                if kind not in (*TRANSFERS, *ONCE)
            ]
        )
        busy = [
            durations[layer].get("forward", 0.0) + last[place] + writes[place] + transfers[place]
            for place, layer in enumerate(layers)
        ]
        busiest = _slowest(busy)
        for place, layer in enumerate(layers):
            exposed = np.maximum(busy[place] - path, 0.0)
            part = np.divide(exposed, transfers[place], out=np.zeros_like(exposed + 0.0), where=transfers[place] > 0)
            weights |= {(layer, kind): np.where(busiest == place, part, 0.0) for kind in TRANSFERS}
    return Timing(weights, _bars(durations, schedule, weights))


def _sums(durations: Durations, kinds: Sequence[str]) -> list[Number]:
    return [_total([parts[kind] for kind in kinds if kind in parts]) for parts in durations.values()]


def _total(numbers: Sequence[Number]) -> Number:
    total: Number = 0.0
    for number in numbers:
        total = total + number
    return total


def _slowest(times: Sequence[Number]) -> Number:
    """Return the place of the largest number, the first where several are equal; per design."""
    return np.argmax(np.stack(np.broadcast_arrays(*times)), axis=0) if times else 0


def _bars(durations: Durations, schedule: Schedule, weights: Mapping[tuple[str, str], Number]) -> list[Bar]:
    """Return where operations stand while one sample passes; transfers that are hidden fill the gaps of their layer."""
    single = {
        layer: {kind: float(np.reshape(time, -1)[0]) for kind, time in parts.items()}
        for layer, parts in durations.items()
    }

    def bar(layer: str, kind: str, start: float, length: float) -> Bar:
        weight = float(np.reshape(weights.get((layer, kind), 0.0), -1)[0])
        hidden = schedule.transfers == "hidden" and kind in TRANSFERS
        return Bar(layer, kind, start, length, critical=weight > 0, hidden=hidden)

    bars: list[Bar] = []
    now = 0.0
    for layer, parts in single.items():
        for kind in INPUT_SIDE:
            bars.append(bar(layer, kind, now, parts.get(kind, 0.0)))
            now += parts.get(kind, 0.0)
    ready = {}
    for layer in reversed(single):
        for kind in OUTPUT_SIDE:
            bars.append(bar(layer, kind, now, single[layer].get(kind, 0.0)))
            now += single[layer].get(kind, 0.0)
        ready[layer] = now
    for layer, parts in single.items():
        start = ready[layer] if schedule.updates == "as_ready" else now
        for kind in (*WRITES, *(TRANSFERS if schedule.transfers == "serial" else ())):
            bars.append(bar(layer, kind, start, parts.get(kind, 0.0)))
            start += parts.get(kind, 0.0)
    if schedule.transfers == "hidden":
        for layer, parts in single.items():
            gaps = _gaps([taken for taken in bars if taken.layer == layer and taken.operation != "digital"])
            for kind in TRANSFERS:
                for start, length in _fill(gaps, parts.get(kind, 0.0)):
                    bars.append(bar(layer, kind, start, length))
    return [one for one in bars if one.duration_s > 0]


def _gaps(taken: Sequence[Bar]) -> list[tuple[float, float]]:
    """Return the times between bars, from 0 on; the last one does not end."""
    edges, now = [], 0.0
    for start, end in sorted((bar.start_s, bar.start_s + bar.duration_s) for bar in taken):
        edges.append((now, start))
        now = max(now, end)
    return [*edges, (now, math.inf)]


def _fill(gaps: list[tuple[float, float]], length: float) -> list[tuple[float, float]]:
    """Take a length out of gaps, the first ones first, and return start and length of its parts."""
    parts = []
    for place, (start, end) in enumerate(gaps):
        part = min(length, end - start)
        if part > 0:
            parts.append((start, part))
            gaps[place] = (start + part, end)
            length -= part
    return parts
