"""Text about a study: one training step hop by hop, what a bill without training assumes, what can be listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from rich.console import RenderableType
from rich.table import Table

from circuits.calibration import load_calibration
from cosim.algorithms import ALGORITHMS
from cosim.config import Point, Study, lookup
from cosim.data import list_data
from cosim.exploration import read_condition, why_none
from cosim.network import NETWORKS
from cosim.plan import Plan
from cosim.pricing import scheduled
from cosim.probe import point_health
from cosim.sections import HardwareSection
from cosim.study import Priced, PricedStudy
from cost_model.adc import ADC_MODELS
from cost_model.cells import list_cells, load_cell
from cost_model.floorplan import LayerFloorplan
from cost_model.hardware import DAC_BITS, SIMULATED_ADC, SIMULATED_CELL, SIMULATED_DACS, hardware_preset, list_hardware
from device_models.parameters import PulsedDevice
from device_models.presets import device_preset, list_devices, load_device


def explain_study(study: Study) -> str:
    """Return the ten hops of one training step with the numbers of the study's first point."""
    point = study.points[0]
    scheduler = scheduled(point)  # a mean step: after a warm start, with the transfers that the assumed pulses ask for
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
        " 8  cosim/scheduler.py rows: activity adds up per step and joins the trace as Operations with their counts",
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


def price_report(priced: PricedStudy, conditions: Sequence[str], smallest: str) -> Iterator[RenderableType]:
    """Yield what `cosim price` prints: designs, the bill of a single one with its band and checks, what was assumed."""
    yield designs_table(priced, conditions, smallest)
    if len(priced.detailed) == 1:
        yield from _one_bill(priced.detailed[0])
    for note in price_notes(priced):
        yield f"Note: {note}"


def designs_table(priced: PricedStudy, conditions: Sequence[str], smallest: str) -> Table:
    """Return the designs that have a bill, in the order of the question."""
    from cosim.reporting.engineering import area, engineering, percent, storage

    designs, keys = priced.designs, priced.study.swept_keys
    title = f"{priced.study.title}: priced without training, per training sample"
    if len(priced.detailed) < len(designs):
        kept = int(designs["kept"].sum())
        limits = f" within {' and '.join(conditions)}" if conditions else " on the Pareto front"
        counted = kept if conditions else int(designs["on_front"].sum())
        title += f"; {counted} of {len(designs)} designs{limits}, the smallest {smallest} first"
    known = bool(designs["test_accuracy"].notna().any())
    table = Table(title=title)
    names = [key.split(".", 1)[-1].replace("_", " ") for key in keys]
    for heading in ("run_id", *names, "energy", "latency", "area", "digital storage", *(["accuracy"] if known else [])):
        table.add_column(heading, justify="left" if heading == "run_id" else "right")
    for one in priced.detailed:
        table.add_row(
            one.point.run_id,
            *(str(_swept(one.point, key)) for key in keys),
            engineering(float(one.bill["energy_j"].sum()), "J"),
            engineering(float(one.bill["latency_s"].sum()), "s"),
            area(float(one.bill["area_m2"].sum())),
            storage(one.digital_storage_byte),
            *([percent(one.accuracy) if one.accuracy is not None else "unknown"] if known else []),
        )
    return table


def _one_bill(priced: Priced) -> Iterator[RenderableType]:
    from cosim.reporting.engineering import area, engineering
    from cosim.reporting.table import bill_table

    yield bill_table(priced.bill)
    written: dict[str, tuple[str, Callable[[float], str]]] = {
        "energy_per_sample_j": ("energy", lambda value: engineering(value, "J")),
        "latency_per_sample_s": ("latency", lambda value: engineering(value, "s")),
        "area_m2": ("area", area),
    }
    bands = Table(title="How sure: 9 in 10 draws of all assumptions within")
    for heading in ("figure", "low", "nominal", "high", "decided most by"):
        bands.add_column(heading, justify="left" if heading in ("figure", "decided most by") else "right")
    tornado = priced.tables["tornado.csv"]
    for row in priced.tables["bands.csv"].to_dict("records"):
        name, write = written[row["figure"]]
        most = ", ".join(tornado.loc[tornado["figure"] == row["figure"], "assumption"].head(3))
        bands.add_row(name, *(write(row[end]) for end in ("low", "nominal", "high")), most)
    yield bands
    for check in priced.tables["checks.csv"].to_dict("records"):
        if not check["holds"]:
            yield f"Warning: {check['text']}"


def price_notes(priced: PricedStudy) -> list[str]:
    """Return what a reader of bills without training should know."""
    notes = []
    trained = [one.trained for one in priced.detailed]
    if not all(trained) and priced.detailed:
        if priced.asked_run:
            notes.append(
                f"the run has nothing like {len(trained) - sum(trained)} of {len(trained)} of these bills (another "
                "network, data, training, device or algorithm): their activity is assumed, their accuracy unknown"
            )
        assumed = {one.point.hardware.preset: one.point for one in priced.detailed if not one.trained}
        notes += [assumed_activity(point) for point in assumed.values()]
    if any(trained):
        notes.append(f"activity of {sum(trained)} of {len(trained)} bills is that of a finished run")
    own = dict.fromkeys(note for one in priced.detailed for note in one.point.notes())
    return [*notes, *own]


def assumed_activity(point: Point) -> str:
    """Return the activity that a bill without training assumes."""
    names = [name for name in hardware_preset(point.hardware.preset)["values"] if name.startswith("activity_")]
    given = ", ".join(f"{name.removeprefix('activity_')} {float(point.hardware.number(name)):g}" for name in names)
    return f"assumed activity ({point.hardware.preset}): {given}"


def no_design(designs: pd.DataFrame, conditions: Sequence[str]) -> str:
    """Return why no design keeps all conditions."""
    limits = [read_condition(text, list(designs.columns)) for text in conditions]
    return "no design keeps all limits: " + "; ".join(why_none(designs, limits))


def _swept(point: Point, key: str) -> object:
    value = lookup(point.resolved, key)
    return "" if value is None else value


def listing(kind: str) -> Table:
    """Return the table of what a study can name: devices, algorithms, networks, hardware or data."""
    headings, rows = {
        "devices": (("device", "family", "states", "symmetric point", "summary", "sources"), _devices),
        "algorithms": (("algorithm", "parameters", "summary"), _algorithms),
        "networks": (("network", "summary"), _networks),
        "hardware": (("hardware", "name", "holds for", "summary"), _hardware),
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
    """Yield presets, and the models of converters and cells that a study can put into them."""
    for name in list_hardware():
        table = hardware_preset(name)
        yield "preset", name, f"{table['node_nm']:g} nm", table["summary"]
    simulated = load_calibration(hardware_preset(HardwareSection().preset)["calibration"])
    cells = {SIMULATED_ADC: ("adc.model", "sar_adc"), **{name: ("dac.model", f"{name}_dac") for name in SIMULATED_DACS}}
    for name, (key, cell) in cells.items():
        bits = simulated.bits(cell)
        yield key, name, f"45 nm, {bits[0]} to {bits[-1]} bits", f"as simulated; calibration table {simulated.name}"
    for name, adc in ADC_MODELS.items():
        nodes = sorted(adc.nodes_nm) if adc.nodes_nm else list(adc.node_nm)
        held = ", ".join(f"{node:g}" for node in nodes) if adc.nodes_nm else f"{nodes[0]:g} to {nodes[-1]:g}"
        yield "adc.model", name, f"{held} nm, {adc.bits[0]} to {adc.bits[1]} bits", adc.summary
    yield "adc.model", "table", "what its rows hold for", "converters of your own: hardware.adc.table names a CSV"
    for name, (low, high) in DAC_BITS.items():
        yield "dac.model", name, f"{low} to {high} bits", DAC_SUMMARIES[name]
    yield "cell.model", SIMULATED_CELL, "45 nm", f"as simulated; calibration table {simulated.name}"
    for name in list_cells():
        yield "cell.model", name, "any node", load_cell(name).summary


DAC_SUMMARIES = {
    "r2r": "resistor ladder; heights, held by a buffer",
    "bit_serial": "one read per bit of an input; priced, not simulated",
}


def _data() -> Iterator[tuple[str, ...]]:
    for row in list_data():
        yield tuple(map(str, row))
