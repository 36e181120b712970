"""Checks of a design against physics: what a read loses, how long it settles, what clips, wears out or gets hot.

Each check compares one number with one limit. It reports both, holding or not, and says what to change where it fails.
They are hand formulas on the design as it is priced, and none of them changes a price.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields

import pandas as pd

from circuits import frame
from cost_model.bill import Bill
from cost_model.cells import CellModel, load_cell
from cost_model.components import charges
from cost_model.floorplan import LayerFloorplan
from cost_model.hardware import Hardware, HardwareError
from cost_model.models import calibrated, cell_value, read_window
from cost_model.operations import Counts
from cost_model.pricing import NETWORK
from cost_model.technology import wire_resistance_ohm_per_cell
from cost_model.trace import Trace
from device_models.quantity import Quantity

IR_DROP_LIMIT = Quantity(
    0.05, "1", "assumed", "", "at the far cell, the bound that lengths of lines are mostly given for"
)
RANGE_USED_LIMIT = Quantity(
    0.25, "1", "assumed", "", "part of the range of a converter below which two of its bits are lost"
)
RANGE_SIGMAS = 4.0  # of a Gaussian sum, beyond which 6 columns in 100,000 lie
# A column conducts its full-scale current at this `adc_full_scale`: weights to 0.6 over the conductances of a cell.
FULL_SCALE = Quantity(
    4.0, "1", "derived", "simulation", "0.6 x 12 uA / (0.2 V x 9 uS): circuits.frame, and the usual bound of a weight"
)
POWER_DENSITY_LIMIT = Quantity(
    1e6,
    "W/m2",
    "assumed",
    "",
    "100 W/cm2, the round figure for a processor under a heat sink and forced air; nothing measured stands behind it",
    low=5e5,
    high=1.5e6,
)
NOTHING_DRIVEN = 1e-12  # of the drive of a line; less is a study without inputs
ROUNDING = 1e-9  # of sums that are the same but for the order of their parts


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Parameters
    ----------
    check
        ``ir_drop``, ``settling``, ``adc_range``, ``access_transistor``, ``endurance``, ``power_density`` or
        ``extrapolation``.
    layer
        Name of the layer, or ``network`` where the layer does not matter.
    value, limit
        The number and what it is compared with, finite, in `unit`.
    unit
        SI unit; ``1`` for a ratio or a count.
    holds
        Whether the design passes.
    text
        One sentence with the numbers and, where it fails, what to change.
    """

    check: str
    layer: str
    value: float
    limit: float
    unit: str
    holds: bool
    text: str


@dataclass(frozen=True)
class _Read:
    """How a layer is read in one direction.

    Parameters
    ----------
    plan
        The layer.
    forward
        Whether inputs are driven; else outputs are.
    density
        Part of the driven lines with an input other than zero.
    drive
        Mean |input| over full scale, lines at zero included.
    """

    plan: LayerFloorplan
    forward: bool
    density: float
    drive: float

    @property
    def name(self) -> str:
        return "forward" if self.forward else "backward"

    @property
    def driven_lines(self) -> int:
        """Driven lines of an array: the weights on one of its sensed lines."""
        return int(self.plan.sides(self.forward)[0].block_lines)

    @property
    def mean_square(self) -> float:
        """Mean squared input: those other than zero spread evenly from zero to twice their mean, none beyond 1."""
        return min(4 / 3 * self.drive**2 / self.density, self.drive)


def check_design(
    hardware: Hardware,
    plans: Sequence[LayerFloorplan],
    bill: Bill,
    trace: Trace,
    *,
    samples: float,
    device_endurance: float | None = None,
    segment_resistance_ohm: float | None = None,
    epoch_samples: float | None = None,
) -> list[Finding]:
    """Return what the checks find, layer by layer in the order of the network, then for the network as a whole.

    A digital matrix has no findings, and a layer that is never read has none about reads. Where a preset has no circuit
    simulation behind it, the range of its converters is not known in amperes, and ``adc_range`` is left out.

    Parameters
    ----------
    hardware
        One design, not many.
    plans
        Floorplan of every layer.
    bill
        Its bill, per training sample.
    trace
        Operations of the whole training.
    samples
        Training samples that the trace covers, > 0.
    device_endurance
        Pulses that a device stands, > 0; None for those of the cell of the design.
    segment_resistance_ohm
        Wire from one cell to the next, > 0; None for that of the calibration table, or else of the node.
    epoch_samples
        Training samples of an epoch, > 0; a lifetime is then given in epochs too.

    Raises
    ------
    HardwareError
        If `hardware` stands for many designs, or a number is not allowed.
    """
    if hardware.designs:
        raise HardwareError(f"checks: {hardware.designs[0]} designs are given at once; check one at a time")
    given = {
        "samples": samples,
        "device_endurance": device_endurance,
        "segment_resistance_ohm": segment_resistance_ohm,
        "epoch_samples": epoch_samples,
    }
    for name, number in given.items():
        if number is not None and not 0 < number < math.inf:
            raise HardwareError(f"checks: {name} = {number} is not allowed; finite and above 0")
    ohm = _segment_resistance_ohm(hardware) if segment_resistance_ohm is None else segment_resistance_ohm
    endurance = endurance_pulses(hardware) if device_endurance is None else device_endurance
    found: list[Finding] = []
    for plan in plans:
        if not plan.tiles:
            continue
        rows = {address[1:]: counts for address, counts in trace.rows() if address[0] == plan.shape.name}
        reads = list(_reads(plan, rows))
        if reads:
            found.append(_ir_drop(hardware, plan, reads, ohm))
            found += _settling(hardware, plan, reads, ohm)
            found += _adc_range(hardware, plan, reads)
        found.append(_endurance(plan, rows, samples, endurance, epoch_samples))
    if any(plan.tiles for plan in plans):
        simulated = "cell" in hardware.table.get("components", ()) and hardware.number("cell_area_m2") > 0
        if hardware.cell is not None or simulated:
            found.append(_access_transistor(hardware))
        found.append(_extrapolation(hardware))
    return [*found, *_power_density(bill)]


def findings_frame(findings: Sequence[Finding]) -> pd.DataFrame:
    """Return findings as a table with the columns check, layer, value, limit, unit, holds, text."""
    return pd.DataFrame([astuple(one) for one in findings], columns=[field.name for field in fields(Finding)])


def line_loss(cells: int, segment_resistance_ohm: float, conductance_s: float) -> float:
    """Return the part of the voltage that is lost at the far end of one line, with one segment before every cell.

    Exact for a ladder of equal cells: 1 - cosh(a/2)/cosh((N + 1/2) a) with 2 sinh(a/2) = sqrt(r G), which begins as
    N (N + 1)/2 r G. It holds for a driven line between lines at 0 V, and for a sensed line between driven ones.

    Parameters
    ----------
    cells
        N, >= 1.
    segment_resistance_ohm, conductance_s
        r of each segment and G of each cell, > 0.
    """
    step = _ladder_step(segment_resistance_ohm, conductance_s)
    length = (cells + 0.5) * step
    return 1 - 2 * math.cosh(step / 2) * math.exp(-length) / (1 + math.exp(-2 * length))


def cells_within(loss: float, segment_resistance_ohm: float, conductance_s: float) -> int:
    """Return the most cells of a line that loses no more than `loss`, above 0 and below 1, at its far end."""
    step = _ladder_step(segment_resistance_ohm, conductance_s)
    return math.floor(math.acosh(math.cosh(step / 2) / (1 - loss)) / step - 0.5)


def _ladder_step(segment_resistance_ohm: float, conductance_s: float) -> float:
    return 2 * math.asinh(math.sqrt(segment_resistance_ohm * conductance_s) / 2)


def endurance_pulses(hardware: Hardware) -> float:
    """Return the pulses that a device of the design stands; those of ReRAM for the simulated cell."""
    if hardware.cell is None:
        return load_cell("reram").endurance_pulses.value
    return float(cell_value(hardware, "endurance_pulses").value)


def _reads(plan: LayerFloorplan, rows: Mapping[tuple[str, str], Counts]) -> Iterator[_Read]:
    """Yield the directions in which the tiles of a layer were read with something."""
    for forward in (True, False):
        name = "forward" if forward else "backward"
        counts = Counts()
        for (_, kind), more in rows.items():
            if kind == name:
                counts += more
        drive = float(counts.get("cell_drive", 0.0))
        if drive / max(float(counts.get("cell_reads", 0.0)), 1.0) > NOTHING_DRIVEN:
            # One line reaches the arrays of all blocks of the other side, and there every line of it.
            _, sensed = plan.sides(forward)
            cells = float(counts["cell_reads"])
            reached = float(counts["lines_driven"]) / float(sensed.blocks) * sensed.lines
            yield _Read(plan, forward, min(reached / cells, 1.0), min(drive / cells, 1.0))


def _segment_resistance_ohm(hardware: Hardware) -> float:
    if hardware.calibration is None:
        return wire_resistance_ohm_per_cell(hardware.node_nm)
    return float(calibrated(hardware, "crossbar", "segment_resistance_ohm").value)


def _conductances_s(hardware: Hardware) -> tuple[float, float]:
    """Return the mean and the largest conductance of a device."""
    if hardware.cell is not None:
        mean = cell_value(hardware, "mean_conductance_s")
        return float(mean.value), max(float(mean.value), hardware.cell.ranges["mean_conductance_s"][1])
    if hardware.calibration is None:
        return frame.MEAN_CONDUCTANCE_S, frame.MAX_CONDUCTANCE_S
    names = ("mean_conductance_s", "max_conductance_s")
    mean_s, largest_s = (float(calibrated(hardware, "crossbar", name).value) for name in names)
    return mean_s, largest_s


def _line_cells(hardware: Hardware, plan: LayerFloorplan, *, of_inputs: bool) -> int:
    """Return the cells on one line of an array.

    The cells of a weight lie side by side on one output line and each on an input line of its own, x and -x, as in
    `circuits.in_the_loop`.
    """
    inputs, outputs = plan.sides(forward=True)
    return int(outputs.block_lines) if of_inputs else int(inputs.block_lines * _cells_per_weight(hardware))


def _cells_per_weight(hardware: Hardware) -> float:
    return float(hardware.number("cells_per_weight")) if "cells_per_weight" in hardware.table["values"] else 1.0


def _ir_drop(hardware: Hardware, plan: LayerFloorplan, reads: Sequence[_Read], ohm: float) -> Finding:
    """Compare what is lost at the far end of the busier line with a limit.

    A driven line is at full height while it is driven, whatever the others do; in a sensed line the currents of all
    driven lines add up, taken as of one sign.
    """
    mean_s, largest_s = _conductances_s(hardware)
    limit = IR_DROP_LIMIT.value
    lines = []
    for read in reads:
        for role, of_inputs, part in (("driven", read.forward, 1.0), ("sensed", not read.forward, read.drive)):
            cells = _line_cells(hardware, plan, of_inputs=of_inputs)
            lines.append((part * line_loss(cells, ohm, mean_s), role, of_inputs, part, cells, read))
    value, role, of_inputs, part, cells, read = max(lines, key=lambda line: line[0])
    worst = max(line_loss(count, ohm, largest_s) for *_, count, _ in lines)
    side, key = ("an input", "array_cols") if of_inputs else ("an output", "array_rows")
    text = (
        f"layer {plan.shape.name}: a {read.name} read loses {100 * value:.3g}% of its voltage at the far end of "
        f"{side} line that is {role} ({cells} cells of {mean_s * 1e6:.3g} uS, {ohm:.3g} ohm each"
        f"{'' if role == 'driven' else f', {part:.0%} of the lines on at a time'}; limit {limit:.0%}), and "
        f"{100 * worst:.3g}% with all cells at {largest_s * 1e6:.3g} uS and all lines on"
    )
    if value > limit:
        most = cells_within(limit / part, ohm, mean_s)
        each = 1.0 if of_inputs else _cells_per_weight(hardware)
        text += (
            f"; set hardware.{key} to {int(most // each)} or less, or take wider wires"
            if most >= each
            else "; not even one weight fits: take wider wires or cells that conduct less"
        )
    return Finding("ir_drop", plan.shape.name, value, limit, "1", value <= limit, text)


def _settling(hardware: Hardware, plan: LayerFloorplan, reads: Sequence[_Read], ohm: float) -> Iterator[Finding]:
    """Compare the time that a read is given with what its lines and amplifiers need.

    Amplitudes must settle while they are held. Pulses are integrated, so all that they need is time after them.
    """
    name, cells = plan.shape.name, max(_line_cells(hardware, plan, of_inputs=side) for side in (True, False))
    weights = max(read.driven_lines for read in reads)
    elmore_s = 0.5 * ohm * _cell_capacitance_f(hardware) * cells**2
    line_s = max(elmore_s, _simulated_s(hardware, "crossbar", weights) or 0.0)
    tia_s = _simulated_s(hardware, "tia", weights)
    needs = {f"the line ({elmore_s * 1e12:.3g} ps by r c N^2/2)": line_s, "the op-amp of its TIA": tia_s or 0.0}
    limit = _read_latency_s(hardware)
    if hardware.dac_model == "bit_serial" or hardware.calibration is not None:
        needs["the inputs"] = float(read_window(hardware).value)
    if hardware.calibration is not None:
        needs["summing and holding"] = float(
            calibrated(hardware, "summing_stage", "latency_s").value
            + calibrated(hardware, "sample_hold", "latency_s").value
        )
    if limit <= 0:  # a price list without time
        return
    value = sum(needs.values())
    holds = value <= limit * (1 + ROUNDING)
    listed = ", ".join(f"{what} {seconds * 1e9:.3g} ns" for what, seconds in needs.items() if seconds)
    text = f"layer {name}: a read is given {limit * 1e9:.3g} ns and needs {value * 1e9:.3g} ns ({listed})"
    if tia_s is None:
        text += f"; no op-amp is counted, none is characterised on lines of {weights} weights"
    if not holds:
        text += f"; let a read take {math.ceil(value * 1e10) * 1e-10:.6g} s or more, or take smaller arrays"
    yield Finding("settling", name, value, limit, "s", holds, text)


def _cell_capacitance_f(hardware: Hardware) -> float:
    if hardware.cell is not None:
        return float(cell_value(hardware, "line_capacitance_f_per_cell").value)
    if hardware.calibration is None:
        return frame.CELL_CAPACITANCE_F
    return float(calibrated(hardware, "crossbar", "cell_capacitance_f").value)


def _simulated_s(hardware: Hardware, cell: str, weights: int) -> float | None:
    """Return the settling of a simulated cell on a line of so many weights; None where it was not characterised."""
    table = hardware.calibration
    if table is None:
        return None
    low, high = table.range_of(cell, "latency_s", "cells")
    if weights > high:
        return None
    gamma = 1.0 if "gamma" in table.conditions_of(cell, "latency_s") else None
    latency = table.quantity(cell, "latency_s", cells=max(weights, int(low)), gamma=gamma)
    return latency.value * float(hardware.factors.get(f"{cell} latency_s", 1.0))


def _read_latency_s(hardware: Hardware) -> float:
    """Return the time that the price list gives one read before its conversions, whatever the algorithm."""
    return sum(
        float(charge.latency_s.value)
        for charge in charges(hardware, "")
        if charge.latency_s and "forward" in charge.operations and charge.per in ("reads", "summation_rounds")
    )


def _adc_range(hardware: Hardware, plan: LayerFloorplan, reads: Sequence[_Read]) -> Iterator[Finding]:
    """Compare the currents of a column with the full scale of its converter, both of one tile.

    A column is a random sum: as many terms as lines, each a mean conductance times an input of either sign.
    """
    if hardware.calibration is None:
        return
    mean_s, largest_s = _conductances_s(hardware)
    volts = frame.READ_VOLTAGE_V if hardware.cell is None else float(cell_value(hardware, "read_voltage_v").value)
    scale = float(hardware.adc_full_scale)
    limit = frame.FULL_SCALE_CURRENT_A * scale / FULL_SCALE.value
    sums = [(_column_sigma_a(read, volts * mean_s), read) for read in reads]
    sigma, read = max(sums, key=lambda one: one[0])  # one range serves both directions: that of the larger sum
    lines = read.driven_lines
    possible = lines * volts * largest_s
    value = min(RANGE_SIGMAS * sigma, possible)
    clipped = math.erfc(limit / (math.sqrt(2) * sigma)) if possible > limit else 0.0
    text = (
        f"layer {plan.shape.name}: a column of a {read.name} read reaches {value * 1e6:.3g} uA ({RANGE_SIGMAS:g} sigma "
        f"of {lines} lines at {mean_s * 1e6:.3g} uS, mean input {read.drive:.3g} of full scale; "
        f"{lines * volts * mean_s * read.drive * 1e6:.3g} uA if all had one sign) of {limit * 1e6:.3g} uA full scale, "
        f"and {clipped:.2g} of the columns clip"
    )
    holds = RANGE_USED_LIMIT.value * limit <= value <= limit
    if value < limit:
        text += f", {math.log2(limit / value):.2g} of {hardware.adc_bits} bits are spare"
    if not holds:
        text += f"; for this layer set hardware.adc.full_scale to about {scale * value / limit:.2g}, not {scale:g}"
    yield Finding("adc_range", plan.shape.name, value, limit, "A", holds, text)


def _column_sigma_a(read: _Read, full_input_a: float) -> float:
    """Return the standard deviation of the current of a column, whose cells give `full_input_a` at full scale."""
    return full_input_a * math.sqrt(read.driven_lines * read.mean_square)


def _access_transistor(hardware: Hardware) -> Finding:
    """Compare the width of the access transistor with the side of a square cell."""
    cell, values = _written_cell(hardware)
    value = float(cell.access_width_m(values))
    limit = math.sqrt(float(cell.cell_area_m2(hardware.node_nm, values)))
    feature_m = hardware.node_nm * 1e-9
    text = (
        f"cell {hardware.cell_model}: its access transistor must be {value / feature_m:.3g} F wide to pass the write "
        f"current, the side of the cell is {limit / feature_m:.3g} F (F = {hardware.node_nm:g} nm)"
    )
    if value > limit:
        side = (value / feature_m) ** 2
        text += f"; take a cell of {side:.3g} F2 or more, less write current, or a folded transistor"
    return Finding("access_transistor", NETWORK, value, limit, "m", value <= limit, text)


def _written_cell(hardware: Hardware) -> tuple[CellModel, dict[str, float]]:
    """Return the cell with its numbers; the simulated one is ReRAM with those of its circuit."""
    if hardware.cell is not None:
        return hardware.cell, {name: float(number) for name, number in hardware.cell_values.items()}
    values = {"write_voltage_v": frame.WRITE_SUPPLY_V, "max_write_conductance_s": _conductances_s(hardware)[1]}
    if "cell_area_m2" in hardware.table["values"]:
        values["cell_area_f2"] = float(hardware.number("cell_area_m2")) / (hardware.node_nm * 1e-9) ** 2
    return load_cell("reram"), values


def _endurance(
    plan: LayerFloorplan,
    rows: Mapping[tuple[str, str], Counts],
    samples: float,
    endurance: float,
    epoch_samples: float | None,
) -> Finding:
    """Compare the device pulses of the training with the endurance, for the tile that is pulsed most.

    The mean over the cells of a tile: a hot spot wears faster. Half-selected cells do not switch and do not count.
    """
    pulses: dict[str, float] = {}
    for (tile, _), counts in rows.items():
        written = tile.rpartition(">")[2]
        if more := float(counts.get("coincidences", 0.0)):
            pulses[written] = pulses.get(written, 0.0) + more
    everywhere = pulses.pop("all", 0.0) / plan.tiles  # a refresh writes all tiles
    tile = max(pulses, key=lambda name: pulses[name], default="all")
    value = (pulses.get(tile, 0.0) + everywhere) / plan.shape.cells
    text = f"layer {plan.shape.name}, tile {tile}: {value:.3g} pulses per cell on average in {samples:.3g} samples"
    if value > 0:
        lasting = endurance / value
        epochs = "" if epoch_samples is None else f", {lasting * samples / epoch_samples:.3g} epochs"
        text += (
            f", so the {endurance:.3g} that a device stands last for {lasting * samples:.3g} samples{epochs} or "
            f"{lasting:.3g} times this training; a hot spot wears out before the mean"
        )
    else:
        text += f" of the {endurance:.3g} that a device stands"
    if value > endurance:
        text += "; take a device that stands more, larger steps of a weight, or fewer writes to this tile"
    return Finding("endurance", plan.shape.name, value, endurance, "1", value <= endurance, text)


def _power_density(bill: Bill) -> Iterator[Finding]:
    """Compare the mean power over the whole area with what cooling takes away; nothing where either is zero."""
    latency_s, area_m2 = bill.latency_per_sample_s, bill.area_m2
    if not latency_s * area_m2 > 0:
        return
    watts = bill.energy_per_sample_j / latency_s
    value, limit = watts / area_m2, POWER_DENSITY_LIMIT.value
    text = (
        f"{watts:.3g} W on {area_m2 * 1e6:.3g} mm2 are {value * 1e-6:.3g} W/mm2 on average; air takes away about "
        f"{limit * 1e-6:g} W/mm2 (assumed)"
    )
    if value > limit:
        text += f"; spread it over {watts / limit * 1e6:.3g} mm2, run slower, or cool with a liquid"
    yield Finding("power_density", NETWORK, value, limit, "W/m2", value <= limit, text)


def _extrapolation(hardware: Hardware) -> Finding:
    """Count the numbers of the cell that leave their published range."""
    cell, count = hardware.cell, len(hardware.cell_values)
    beyond = [] if cell is None else cell.outside_ranges(hardware.cell_values)
    if cell is not None:
        inside = f"cell {cell.name}: {count} numbers of the study are all within what is published"
    elif hardware.calibration is not None:
        inside = f"cell {hardware.cell_model}: its numbers are those of the calibration table, never extrapolated"
    else:
        inside = f"preset {hardware.preset} prices its cells as a whole; the checks take the simulated cell of 45 nm"
    text = "; ".join(beyond) or inside
    return Finding("extrapolation", NETWORK, float(len(beyond)), 0.0, "1", not beyond, text)
