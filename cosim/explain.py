"""Text about a study: one training step hop by hop, what a bill without training assumes, what can be listed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from rich.console import RenderableType
from rich.table import Table

from cosim.algorithms import ALGORITHMS
from cosim.config import Point, Study, lookup
from cosim.data import list_data
from cosim.experiment import make_scheduler
from cosim.network import NETWORKS
from cosim.plan import Plan
from cosim.probe import point_health
from cost_model.floorplan import LayerFloorplan
from cost_model.hardware import hardware_preset, list_hardware
from device_models.parameters import PulsedDevice
from device_models.presets import device_preset, list_devices, load_device


def explain_study(study: Study) -> str:
    """Return the ten hops of one training step with the numbers of the study's first point."""
    point = study.points[0]
    scheduler = make_scheduler(point)
    training = point.resolved["training"]
    scheduler.set_learning_rate(training["learning_rate"])
    plans = list(zip(scheduler.floorplans, scheduler.plans, strict=True))
    lines = [
        f"{study.title}: one training step of point 1 of {len(study.points)}, {point.run_id}",
        "",
        " 1  cosim run -> cosim/config.py: the TOML file becomes a checked tree; "
        f"{len(study.points)} points" + (f", swept: {', '.join(study.swept_keys)}" if study.swept_keys else ""),
        f" 2  cosim/experiment.py: seed {point.seed}, {point.train_samples} images of {point.data.name}, "
        f"network {point.resolved['network']['name']}, {training['epochs']} epochs of batch {training['batch_size']}",
        f" 3  cosim/scheduler.py step: asks {point.algorithm().name} for its plan",
        *(f"      {floor.shape.name}: {describe_plan(plan)}" for floor, plan in plans),
        " 4  cosim/layers.py: images become vectors, layer after layer",
        *(f"      {_vectors(floor, training['batch_size'])}" for floor, _ in plans),
        " 5  cosim/tile_group.py: one weight, "
        f"{_many(len(scheduler.algorithm.significances), 'tile')} "
        f"of significance {_numbers(scheduler.algorithm.significances)}",
        " 6  cosim/tile.py, cosim/periphery.py: "
        f"DAC {point.hardware.dac_bits} bits, ADC {point.hardware.adc_bits} bits, "
        f"converter errors {'off' if point.ideal_io else 'on'}; "
        f"arrays of {point.hardware.array_rows} x {point.hardware.array_cols}{_wires(point)}",
        *(f"      {_arrays(floor)}" for floor, _ in plans if floor.tiles),
        " 7  cosim/kernels over cross-points, device_models/kernels for one device: "
        f"{point.device.family}, {point.device.states:g} states, cycle-to-cycle noise {point.device.dw_min_std:g}",
        " 8  cosim/scheduler.py _record: activity adds up per step and joins the trace as Operations with their counts",
        f" 9  cost_model/pricing.py: trace x price list {point.hardware.preset} = bill.csv",
        "10  cosim/record.py: the row joins results.csv; cosim/reporting makes the page",
        *_health(point),
    ]
    return "\n".join(lines)


def _health(point: Point) -> Iterator[str]:
    """Yield the rules that decide whether training works, as far as they are known without data."""
    checks = point_health(point)
    if checks:
        yield ""
        yield "Health, without a look at the data:"
    for check in checks:
        yield f"   {'  ' if check.kept else '! '}{check.text()}"


def describe_plan(plan: Plan) -> str:
    """Return the operations of a step as one line."""
    return ", ".join(step.describe() for step in plan)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "none (digital)"


def _wires(point: Point) -> str:
    wires = point.resolved["hardware"].get("wires")
    return f", wires of {wires['segment_resistance_ohm']:g} ohm per cell" if wires else ", ideal wires"


def _vectors(floor: LayerFloorplan, batch: int) -> str:
    shape = floor.shape
    return f"{shape.name}: {shape.outputs} x {shape.inputs} weights, {shape.positions * batch} vectors per mini-batch"


def _arrays(floor: LayerFloorplan) -> str:
    inputs, outputs = floor.sides(forward=True)
    blocks = inputs.blocks * outputs.blocks
    return (
        f"{floor.shape.name}: {_many(blocks, 'array')} per tile, "
        f"{_many(inputs.blocks - 1, 'addition')} of partial sums per output, "
        f"{floor.adc_rounds(True)} conversions in turn per read"
    )


def price_report(study: Study, bill: pd.DataFrame, points: list[tuple[Point, float]]) -> Iterator[RenderableType]:
    """Yield what `cosim price` prints: a line per point, the bill of a single point, what was assumed."""
    from cosim.reporting.engineering import area, engineering, storage
    from cosim.reporting.table import bill_table

    table = Table(title=f"{study.title}: priced without training, per training sample")
    for heading in ("run_id", *study.swept_keys, "energy", "latency", "area", "digital storage"):
        table.add_column(heading, justify="left" if heading == "run_id" else "right")
    for point, stored in points:
        lines = bill[bill["run_id"] == point.run_id]
        table.add_row(
            point.run_id,
            *(str(_swept(point, key)) for key in study.swept_keys),
            engineering(float(lines["energy_j"].sum()), "J"),
            engineering(float(lines["latency_s"].sum()), "s"),
            area(float(lines["area_m2"].sum())),
            storage(stored),
        )
    yield table
    if len(points) == 1:
        yield bill_table(bill)
    yield assumptions(points[0][0])


def _swept(point: Point, key: str) -> object:
    value = lookup(point.resolved, key)
    return "" if value is None else value


def assumptions(point: Point) -> str:
    """Return the activity that a bill without training assumes, and what the algorithm has to say."""
    names = [name for name in hardware_preset(point.hardware.preset)["values"] if name.startswith("activity_")]
    given = ", ".join(f"{name.removeprefix('activity_')} {point.hardware.number(name):g}" for name in names)
    notes = "".join(f"\nNote: {note}." for note in point.notes())
    return f"Assumed activity ({point.hardware.preset}): {given}.{notes}"


def listing(kind: str) -> Table:
    """Return the table of what a study can name: devices, algorithms, networks, hardware or data."""
    headings, rows = {
        "devices": (("device", "family", "states", "symmetric point", "summary", "sources"), _devices),
        "algorithms": (("algorithm", "parameters", "summary"), _algorithms),
        "networks": (("network", "summary"), _networks),
        "hardware": (("hardware", "node", "summary"), _hardware),
        "data": (("data", "images", "samples", "licence", "where"), _data),
    }[kind]
    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows():
        table.add_row(*row)
    return table


def _devices() -> Iterator[tuple[str, ...]]:
    for name in list_devices():
        preset, device = device_preset(name), load_device(name)
        origins = sorted({quantity.source for quantity in preset.values.values() if quantity.source})
        states, point = f"{device.states:.0f}", _symmetric_point(device)
        yield name, preset.family, states, point, preset.summary, ", ".join(origins)


def _symmetric_point(device: PulsedDevice) -> str:
    """Return where up and down steps are equal in the weights that are read: a number, every or none."""
    point = device.symmetric_point()
    if point is not None:
        return f"{round(point, 3) + 0.0:.3f}"  # + 0.0 turns -0.0 into 0.0
    everywhere = not np.any(device.asymmetric_part(np.linspace(device.w_min, device.w_max)))
    return "every" if everywhere and not device.one_sided else "none"


def _algorithms() -> Iterator[tuple[str, ...]]:
    for name, algorithm in ALGORITHMS.items():
        parameters = [key for key in algorithm.parameters_type.model_fields if key != "name"]
        yield name, ", ".join(parameters), algorithm.summary


def _networks() -> Iterator[tuple[str, ...]]:
    for name, builder in NETWORKS.items():
        yield name, (builder.__doc__ or "").split("\n", 1)[0]


def _hardware() -> Iterator[tuple[str, ...]]:
    for name in list_hardware():
        table = hardware_preset(name)
        yield name, f"{table['node_nm']} nm", table["summary"]


def _data() -> Iterator[tuple[str, ...]]:
    for row in list_data():
        yield tuple(map(str, row))
