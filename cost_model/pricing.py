"""Trace x price list = bill; of one design, or the totals of many at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cost_model.bill import NOTHING, Bill, Line, Sum, make_bill, total
from cost_model.components import AreaCharge, Charge, LeakageCharge, area_charges, charges, leakage_charges
from cost_model.floorplan import LayerFloorplan, StorageNeeds
from cost_model.hardware import SIMULATED_ADC, Hardware, HardwareError
from cost_model.latency import time_sample
from cost_model.models import MODELS
from cost_model.numbers import Number
from cost_model.operations import KINDS, Counts
from cost_model.trace import Address, Trace

NETWORK = "network"  # what the layers share


@dataclass(frozen=True)
class Totals:
    """What one training sample costs, without its lines; numbers, or arrays with one number per design."""

    energy_per_sample_j: Number
    latency_per_sample_s: Number
    area_m2: Number
    digital_storage_byte: Number


def price(
    trace: Trace,
    hardware: Hardware,
    plans: Sequence[LayerFloorplan],
    *,
    algorithm: str,
    storage: StorageNeeds,
    samples: float,
    batch_size: int = 1,
) -> Bill:
    """Price a trace per training sample.

    Parameters
    ----------
    trace
        Operations of the whole training.
    hardware
        The design, with its prices.
    plans
        Floorplan of every layer.
    algorithm
        Name of the algorithm; some published prices hold for one algorithm only.
    storage
        What the algorithm keeps in digital memory.
    samples
        Training samples that the trace covers, > 0.
    batch_size
        Samples of a mini-batch, which a pipeline of layers keeps, >= 1.

    Raises
    ------
    HardwareError
        If a kind of operation in the trace has no price, or `samples` is not positive.
    """
    stored, areas, price_list = _price_list(hardware, plans, algorithm, storage, samples, batch_size)
    lines = list(operation_lines(trace.rows(), price_list, samples))
    durations = _durations(plans)
    for line in lines:
        _lengthen(durations, line)
    timing = time_sample(durations, hardware.schedule, batch_size)
    for line in lines:
        if line.latency_s is not NOTHING:
            line.latency_s = line.latency_s * timing.weights[line.layer, line.operation]
    latency = total(line.latency_s for line in lines)
    leaks = leakage_lines(plans, leakage_charges(hardware), latency, stored, _converting(lines, hardware))
    return make_bill([*lines, *leaks, *areas], float(stored), timing.bars)


def price_totals(
    rows: Iterable[tuple[Address, Counts]],
    hardware: Hardware,
    plans: Sequence[LayerFloorplan],
    *,
    algorithm: str,
    storage: StorageNeeds,
    samples: float,
    batch_size: int = 1,
) -> Totals:
    """Return the totals of the bills that `price` would make, for one design or for many at once, to the same bits.

    Parameters and errors are those of `price`, but for the rows of a trace, which may come one by one: of many designs
    only what is still needed is kept.

    Raises
    ------
    ArithmeticError
        If a total is NaN, infinite or negative.
    """
    stored, areas, price_list = _price_list(hardware, plans, algorithm, storage, samples, batch_size)
    durations = _durations(plans)
    energy, latency, timed, conversions = Sum(), Sum(), [], []
    for line in operation_lines(rows, price_list, samples):
        energy.add(line.energy_j)
        if _converts(line):
            conversions.append(line)
        if line.latency_s is not NOTHING:
            _lengthen(durations, line)
            timed.append((line.layer, line.operation, line.latency_s))
    timing = time_sample(durations, hardware.schedule, batch_size)
    for layer, operation, latency_s in timed:
        latency.add(latency_s * timing.weights[layer, operation])
    converting = _converting(conversions, hardware)
    for line in leakage_lines(plans, leakage_charges(hardware), latency.value, stored, converting):
        energy.add(line.energy_j)
    figures = (energy.value, latency.value, total(line.area_m2 for line in areas), stored)
    for name, figure in zip(("energy", "latency", "area", "storage"), figures, strict=True):
        if not (np.isfinite(figure).all() and np.greater_equal(figure, 0).all()):
            raise ArithmeticError(f"the {name} of a bill is NaN, infinite or negative")
    return Totals(*(np.broadcast_to(figure, hardware.designs)[()] for figure in figures))


def _price_list(
    hardware: Hardware,
    plans: Sequence[LayerFloorplan],
    algorithm: str,
    storage: StorageNeeds,
    samples: float,
    batch_size: int,
) -> tuple[Number, list[Line], list[Charge]]:
    """Return the digital storage in byte, the areas, and the prices of operations."""
    if not samples > 0:
        raise HardwareError(f"samples = {samples} is not allowed; a bill is per training sample")
    if hardware.schedule.layers == "pipelined":
        storage = storage.keeping(batch_size)
    stored = total(plan.storage_byte(storage) for plan in plans)
    areas = area_lines(plans, area_charges(hardware), stored)
    return stored, areas, charges(hardware, algorithm, area_m2=total(line.area_m2 for line in areas))


def _durations(plans: Sequence[LayerFloorplan]) -> dict[str, dict[str, Number]]:
    return {plan.shape.name: {} for plan in plans}


def _lengthen(durations: dict[str, dict[str, Number]], line: Line) -> None:
    """Add the latency of a line to the duration of its operation."""
    parts = durations.setdefault(line.layer, {})
    parts[line.operation] = total((parts.get(line.operation, NOTHING), line.latency_s))


def operation_lines(
    rows: Iterable[tuple[Address, Counts]], price_list: Sequence[Charge], samples: float
) -> Iterator[Line]:
    """Yield one line per operation and charge with a non-zero count; latencies as if nothing overlapped."""
    by_kind = {kind: _per_sample(price_list, kind, samples) for kind in KINDS}
    for (layer, tile, kind), totals in rows:
        if not by_kind[kind]:
            raise HardwareError(f"operation {kind!r} of layer {layer} has no price in this preset")
        for charge, energy_j, latency_s in by_kind[kind]:
            counted = totals.get(charge.per, 0.0)
            if np.ndim(counted) == 0 and counted == 0:
                continue
            line = Line(layer, tile, kind, charge.component, counted, per=charge.per, origin=charge, samples=samples)
            if energy_j is not None:
                line.energy_j = counted * energy_j
            if latency_s is not None:
                line.latency_s = counted * latency_s
            yield line


def _per_sample(
    price_list: Sequence[Charge], kind: str, samples: float
) -> list[tuple[Charge, Number | None, Number | None]]:
    """Return the charges of a kind of operation with their energy and latency over the number of samples."""
    return [
        (
            charge,
            None if charge.energy_j is None else charge.energy_j.value / samples,
            None if charge.latency_s is None else charge.latency_s.value / samples,
        )
        for charge in price_list
        if kind in charge.operations
    ]


def area_lines(plans: Sequence[LayerFloorplan], price_list: Sequence[AreaCharge], storage_byte: Number) -> list[Line]:
    """Return one line per layer and area charge; storage stands once, for the network."""
    return [
        Line(
            *(layer, "all", "floorplan", charge.component, instances[charge.per]),
            area_m2=instances[charge.per] * charge.area_m2.value,
            per=charge.per,
            origin=charge,
        )
        for layer, instances in _places(plans, storage_byte)
        for charge in price_list
        if np.any(np.greater(instances.get(charge.per, 0.0), 0))
    ]


def _converting(lines: Iterable[Line], hardware: Hardware) -> dict[str, Number]:
    """Return, per layer, the seconds that its converters convert during a sample; static power is in their energy."""
    busy: dict[str, Number] = {}
    if hardware.adc_model == SIMULATED_ADC:  # draws nothing else
        return busy
    latency_s = MODELS["adc_latency"](hardware).value
    for line in lines:
        if _converts(line):
            seconds = line.count / line.samples * latency_s
            busy[line.layer] = total((busy.get(line.layer, NOTHING), seconds))
    return busy


def _converts(line: Line) -> bool:
    return line.component == "adc" and line.per == "adc_conversions"


def leakage_lines(
    plans: Sequence[LayerFloorplan],
    price_list: Sequence[LeakageCharge],
    latency_s: Number,
    storage_byte: Number,
    converting_s: Mapping[str, Number] | None = None,
) -> list[Line]:
    """Return one line per layer and leaking component: its instances, for as long as a sample takes.

    Converters leak while they do not convert: `converting_s` are the seconds per layer in which they do.
    """
    lines = []
    for layer, instances in _places(plans, storage_byte):
        for charge in price_list:
            held = instances.get(charge.per, 0.0) * latency_s
            if charge.per == "adcs" and converting_s:
                held = np.maximum(held - converting_s.get(layer, 0.0), 0.0)
            if np.any(np.greater(held, 0)):
                lines.append(
                    Line(
                        *(layer, "all", "leakage", charge.component, held),
                        energy_j=held * charge.power_w.value,
                        per=f"seconds of {charge.per}",
                        origin=charge,
                    )
                )
    return lines


def _places(plans: Sequence[LayerFloorplan], storage_byte: Number) -> list[tuple[str, dict[str, Number]]]:
    places = [(plan.shape.name, plan.instances()) for plan in plans]
    return [*places, (NETWORK, {"storage_bytes": 1.0 * storage_byte})]
