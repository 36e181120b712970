"""Updates and transfers: trains of the mini-batch, pulsed onto memristive cells that are the tile's own devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from circuits.cells.memristor import array_of_memristors
from circuits.in_the_loop import Phase, sweep_reads, write_phases, written_weights
from circuits.simulator import Waveforms
from cosim.check.bench import Bench
from cosim.check.findings import IDEAL_TOLERANCE, Check, Fault, Finding, Operation
from cosim.check.places import Place, busiest
from cosim.check.training import Trained
from cosim.kernels.convert import convert_columns
from cosim.kernels.trains import WORD_SLOTS, draw_trains, words_of
from cosim.layers import Layer
from cosim.periphery import Periphery
from cosim.plan import Transfer, Update
from cosim.tile import Tile
from cosim.tile_group import TileGroup

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]

UPDATE_TOLERANCE = 0.01
UPDATE_SIZE, PHASES_MAX = 16, 28
RATE_FACTORS = (1.0, 10.0, 100.0, 1e3, 1e4)


@dataclass(frozen=True)
class Trains:
    """Signed trains of a mini-batch: int8 (vectors, slots, lines), -1, 0 or 1."""

    inputs: npt.NDArray[np.int8]
    errors: npt.NDArray[np.int8]

    @property
    def hits(self) -> npt.NDArray[np.int64]:
        """Coincidences, (vectors, outputs, inputs)."""
        fired, met = np.abs(self.errors).astype(np.float32), np.abs(self.inputs).astype(np.float32)
        counts: npt.NDArray[np.int64] = np.matmul(fired.swapaxes(1, 2), met).astype(np.int64)
        return counts

    def cut(self, vectors: npt.NDArray[np.int64], outputs: slice, inputs: slice) -> list[Phase]:
        """Return the write slots that some lines get from some vectors, one after the other."""
        given = self.inputs[vectors][:, :, inputs].reshape(-1, inputs.stop - inputs.start)
        error = self.errors[vectors][:, :, outputs].reshape(-1, outputs.stop - outputs.start)
        return write_phases(given, error)


def trains_of(tile: Tile, inputs: SingleArray, errors: SingleArray, rate: float) -> Trains:
    """Return the trains that the next update of a tile will draw, without drawing them there."""
    before = tile.state()
    key = tile.next_key()
    tile.restore(before)
    rules = tile.update_settings.rules
    vectors, words = len(inputs), words_of(rules[0], rules[3])
    input_words = np.zeros((vectors, words, inputs.shape[1]), dtype=np.uint32)
    error_words = np.zeros((vectors, words, errors.shape[1]), dtype=np.uint32)
    fired = [np.zeros((vectors, lines), dtype=np.int32) for lines in (errors.shape[1], inputs.shape[1])]
    counts = [np.zeros(vectors, dtype=np.int32) for _ in range(3)]
    granularity = tile.device.granularity
    draw_trains(
        inputs, errors, 0, vectors, rate, granularity, rules, key, error_words, input_words,
        fired[0], counts[0], fired[1], counts[1], counts[2], np.zeros(4),
    )  # fmt: skip
    lengths = counts[2]
    return Trains(*(_expanded(words, lengths) for words in (input_words, error_words)))


def _expanded(words: npt.NDArray[np.uint32], lengths: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    """Return words of trains as signed slots, (vectors, slots, lines); none after the end of a train."""
    slots = int(lengths.max(initial=0))
    trains = np.zeros((len(words), slots, words.shape[2]), dtype=np.int8)
    for slot in range(slots):
        word = words[:, slot // WORD_SLOTS]
        fires = (word >> np.uint32(slot % WORD_SLOTS)) & np.uint32(1)
        sign = np.where(word >> np.uint32(31), -1, 1)
        trains[:, slot] = np.where(lengths[:, None] > slot, fires * sign, 0)
    return trains


def check_update(done: Check, trained: Trained, number: int, size: int) -> None:
    """Pulse the trains of a few vectors of the mini-batch onto memristive cells, and compare the change."""
    layer = trained.layers[number]
    step = next((step for step in _plan(trained, number) if isinstance(step, Update)), None)
    reason = "this algorithm updates no tile by pulses" if step is None else _not_pulsed(layer, step.target)
    if step is None or reason:
        done.findings.append(_skipped(layer, "update", reason))
        return
    tile: Tile = layer.matrix.tiles[step.target]
    inputs, errors = trained.inputs[number], trained.errors[number]
    for factor in RATE_FACTORS:
        trains = trains_of(tile, inputs, errors, step.rate * factor)
        outputs, columns = busiest(trains.hits.sum(axis=0), size)
        chosen = _vectors_that_fit(trains, outputs, columns)
        if chosen.size:
            break
    else:
        done.findings.append(_skipped(layer, "update", "no pulses coincide"))
        return
    quiet = np.zeros_like(errors)
    quiet[chosen] = errors[chosen]
    note = f"tile {step.target}, {_counted(chosen.size, 'vector')}" + _raised(factor)
    _compare_write(
        done, layer, "update", tile, Place(number, layer.name, outputs, columns), trains.cut(chosen, outputs, columns),
        lambda: tile.update(inputs, quiet, step.rate * factor), note,
    )  # fmt: skip


def check_transfer(done: Check, trained: Trained, number: int, size: int, fault: Fault) -> None:
    """Read columns of the finer tile in the circuit, and pulse what it gave onto cells of the coarser tile."""
    layer = trained.layers[number]
    steps = [step for step in _plan(trained, number) if isinstance(step, Transfer)]
    reason = "this algorithm transfers no column straight to another tile"
    if steps:
        reason = _not_pulsed(layer, steps[0].target)
    if reason:
        done.findings.append(_skipped(layer, "transfer", reason))
        return
    group: TileGroup = layer.matrix
    # The transfer whose source holds most has something to move.
    step = max(steps, key=lambda step: float(np.abs(group.tiles[step.source].weights).mean()) * step.rate)
    source, target = group.tiles[step.source], group.tiles[step.target]
    outputs, inputs = busiest(np.abs(source.weights), size)
    columns = np.arange(inputs.start, inputs.stop)
    place = Place(number, layer.name, outputs, inputs)
    model, found = _column_reads(trained, place, step.source, columns, fault)
    difference = (found - model[:, outputs]) / (
        trained.point.hardware.adc_full_scale / (2 ** (trained.point.hardware.adc_bits - 1) - 1)
    )
    error = float(np.abs(found - model[:, outputs]).max() / max(float(np.abs(model[:, outputs]).max()), 1e-30))
    done.findings.append(
        Finding(
            place=place.name, operation="transfer", level="ideal", cause="column read",
            rms_lsb=float(np.sqrt(np.mean(difference**2))), max_lsb=float(np.abs(difference).max()),
            relative_error=error, tolerance=IDEAL_TOLERANCE, passed=error <= IDEAL_TOLERANCE,
            note=f"{len(columns)} columns of tile {step.source}, converted",
        )
    )  # fmt: skip
    read = model.copy()
    read[:, outputs] = found
    one_hot = np.zeros((len(columns), group.shape[1]), dtype=np.float32)
    one_hot[np.arange(len(columns)), columns] = 1.0
    for factor in RATE_FACTORS:
        trains = trains_of(target, one_hot, -read, step.rate * factor)
        chosen = _vectors_that_fit(trains, outputs, inputs)
        if chosen.size:
            break
    else:
        done.findings.append(_skipped(layer, "transfer", "no pulses coincide"))
        return
    quiet = np.zeros_like(model)
    quiet[chosen] = model[chosen]
    note = f"tile {step.source} to {step.target}, {_counted(chosen.size, 'column')}" + _raised(factor)
    _compare_write(
        done, layer, "transfer", target, place, trains.cut(chosen, outputs, inputs),
        lambda: target.update(one_hot, -quiet, step.rate * factor), note,
    )  # fmt: skip


def _column_reads(
    trained: Trained, place: Place, source: int, columns: npt.NDArray[np.int64], fault: Fault
) -> tuple[SingleArray, SingleArray]:
    """Return columns of a tile as its group reads them, and the outputs of the place as the circuit does; converted."""
    hardware = trained.point.hardware
    plain = (
        Periphery()
        if trained.point.ideal_io
        else Periphery(adc_bits=hardware.adc_bits, full_scale=hardware.adc_full_scale)
    )
    outputs, inputs = trained.layers[place.layer].matrix.shape
    whole = Place(place.layer, place.layer_name, slice(0, outputs), slice(0, inputs))
    model = Bench(trained, whole, Fault()).model(real=False, periphery=plain).read_columns(source, columns)
    bench = Bench(trained, place, fault)
    tile = bench.model(real=False).tiles[source]
    volts = sweep_reads(bench.circuit([tile], np.ones(1), transposed=False), np.eye(place.shape[1]))
    values = (volts / bench.lsb_v * bench.lsb).astype(np.float32)
    if not plain.adc_levels:
        return model, values
    found = np.empty_like(values)
    convert_columns(values, plain.adc_levels, plain.full_scale, 0.0, np.uint64(0), 0, found, False)
    return model, found


def _vectors_that_fit(trains: Trains, outputs: slice, inputs: slice) -> npt.NDArray[np.int64]:
    """Return the vectors with the most coincidences in a window, in order, as many as there is time for."""
    hits = trains.hits[:, outputs, inputs].sum(axis=(1, 2))
    order = [int(vector) for vector in np.argsort(-hits, kind="stable") if hits[vector]]
    chosen: list[int] = []
    phases = 0
    for vector in order:
        phases += len(trains.cut(np.array([vector]), outputs, inputs))
        if chosen and phases > PHASES_MAX:
            break
        chosen.append(vector)
    return np.array(sorted(chosen), dtype=np.int64)


def _compare_write(
    done: Check,
    layer: Layer,
    operation: Operation,
    tile: Tile,
    place: Place,
    phases: list[Phase],
    act: Callable[[], object],
    note: str,
) -> None:
    """Let the tile act and the circuit do the same, and compare the changes in a sub-array."""
    before = tile.state()
    act()
    after = tile.state()
    tile.restore(before)
    rows, columns = place.outputs, place.inputs
    held = before["stored"][0, rows, columns].astype(np.float64)
    wanted = after["stored"][0, rows, columns].astype(np.float64) - held
    parameters = tile.populations[0].parameters[:, rows, columns].transpose(0, 2, 1)
    written, waveforms = written_weights(array_of_memristors(tile.device, parameters), held.T, phases)
    change = written.T - held
    error = float(np.sqrt(np.mean((change - wanted) ** 2) / np.mean(wanted**2)))
    done.findings.append(
        Finding(
            place=place.name, operation=operation, level="real", cause="all", relative_error=error,
            tolerance=UPDATE_TOLERANCE, passed=error <= UPDATE_TOLERANCE,
            note=f"{note}, {np.count_nonzero(wanted)} of {wanted.size} cells change",
        )
    )  # fmt: skip
    step = tile.device.granularity
    table = pd.DataFrame({"model_steps": (wanted / step).ravel(), "circuit_steps": (change / step).ravel()})
    table.insert(0, "operation", operation)
    table.insert(0, "place", place.name)
    done.scatter.append(table)
    if done.update is None and waveforms is not None:
        done.update = _written_table(waveforms, wanted)


def _written_table(waveforms: Waveforms, wanted: FloatArray) -> pd.DataFrame:
    """Return the lines and the weight of the cell that changes most, and of a neighbour that should not change."""
    output, line = (int(place) for place in np.unravel_index(int(np.abs(wanted).argmax()), wanted.shape))
    rests = np.flatnonzero(wanted[output] == 0)
    vectors = {
        "row line [V]": f"v(r{line})",
        "column line [V]": f"v(c{output})",
        "weight of the cell": f"v(w{line}_{output})",
    }
    if rests.size:
        vectors["weight of a cell that is not selected"] = f"v(w{rests[0]}_{output})"
    return pd.DataFrame({"time_s": waveforms.axis} | {name: waveforms[vector] for name, vector in vectors.items()})


def _plan(trained: Trained, number: int) -> Any:
    return trained.training.scheduler.plans[number]


def _not_pulsed(layer: Layer, target: int) -> str:
    """Return why writes of a tile cannot be compared; nothing where they can."""
    tile: Tile = layer.matrix.tiles[target]
    if tile.update_settings.pulse_type != "stochastic":
        return f"pulse type {tile.update_settings.pulse_type} has no trains of single pulses"
    return "pairs of one-sided devices are not simulated" if tile.device.one_sided else ""


def _skipped(layer: Layer, operation: Operation, reason: str) -> Finding:
    return Finding(place=layer.name, operation=operation, level="real", cause="all", note=f"not simulated: {reason}")


def _raised(factor: float) -> str:
    return "" if factor == 1 else f", rate times {factor:g} so that pulses coincide"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
