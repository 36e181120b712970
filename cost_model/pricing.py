"""Trace x price list = bill."""

from __future__ import annotations

from collections.abc import Sequence

from cost_model.bill import Bill, make_bill
from cost_model.components import AreaCharge, Charge, area_charges, charges
from cost_model.floorplan import LayerFloorplan, StorageNeeds
from cost_model.hardware import Hardware, HardwareError
from cost_model.operations import INDEX
from cost_model.trace import Trace


def price(
    trace: Trace,
    hardware: Hardware,
    plans: Sequence[LayerFloorplan],
    *,
    algorithm: str,
    storage: StorageNeeds,
    samples: float,
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

    Raises
    ------
    HardwareError
        If a kind of operation in the trace has no price, or `samples` is not positive.
    """
    if not samples > 0:
        raise HardwareError(f"samples = {samples} is not allowed; a bill is per training sample")
    storage_byte = sum(plan.storage_byte(storage) for plan in plans)
    rows = operation_rows(trace, charges(hardware, algorithm), samples)
    return make_bill(rows + area_rows(plans, area_charges(hardware), storage_byte), float(storage_byte))


def operation_rows(trace: Trace, price_list: Sequence[Charge], samples: float) -> list[dict[str, object]]:
    """Return one bill line per operation and charge with a non-zero count."""
    rows: list[dict[str, object]] = []
    for (layer, tile, kind), totals in trace.rows():
        applicable = [charge for charge in price_list if kind in charge.operations]
        if not applicable:
            raise HardwareError(f"operation {kind!r} of layer {layer} has no price in this preset")
        for charge in applicable:
            count = float(totals[INDEX[charge.per]]) / samples
            if count == 0:
                continue
            rows.append(
                {
                    "layer": layer,
                    "tile": tile,
                    "operation": kind,
                    "component": charge.component,
                    "count": count,
                    "energy_j": count * charge.energy_j.value if charge.energy_j else 0.0,
                    "latency_s": count * charge.latency_s.value if charge.latency_s else 0.0,
                    "area_m2": 0.0,
                    "source": charge.source,
                    "per": charge.per,
                }
            )
    return rows


def area_rows(
    plans: Sequence[LayerFloorplan], price_list: Sequence[AreaCharge], storage_byte: int
) -> list[dict[str, object]]:
    """Return one bill line per layer and area charge; storage stands once, for the network."""
    places = [(plan.shape.name, plan.instances()) for plan in plans]
    places.append(("network", {"storage_bytes": float(storage_byte)}))
    return [
        {
            "layer": layer,
            "tile": "all",
            "operation": "floorplan",
            "component": charge.component,
            "count": instances[charge.per],
            "energy_j": 0.0,
            "latency_s": 0.0,
            "area_m2": instances[charge.per] * charge.area_m2.value,
            "source": charge.area_m2.describe(),
            "per": charge.per,
        }
        for layer, instances in places
        for charge in price_list
        if instances.get(charge.per, 0.0) > 0
    ]
