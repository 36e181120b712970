"""The plan of a step: performs each operation, and writes it to the trace.

The scheduler is the only writer of the trace. In training the activity of an operation comes from the kernels;
in pricing without training it is assumed; what is recorded for an activity is the same function in both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cosim.algorithms import Algorithm
from cosim.plan import (
    Accumulate,
    Backward,
    BufferedTransfer,
    DigitalUpdate,
    Forward,
    Plan,
    Step,
    Transfer,
    Update,
    WriteBuffer,
)
from cost_model import operations
from cost_model.floorplan import LayerFloorplan, MatrixShape
from cost_model.hardware import Hardware
from cost_model.operations import FloatArray, Operation, PulseActivity, ReadActivity
from cost_model.trace import Trace

if TYPE_CHECKING:  # the pricing path stays free of compiled kernels
    from cosim.layers import FloatArray as Values
    from cosim.layers import Layer, Network

Activity = ReadActivity | PulseActivity


class Scheduler:
    """Performs the operations that an algorithm asks for, layer by layer, and records each of them.

    Parameters
    ----------
    algorithm
        Says which operations make a step.
    hardware
        The design.
    shapes
        The weight matrix of every layer.
    """

    def __init__(self, algorithm: Algorithm, hardware: Hardware, shapes: Sequence[MatrixShape]) -> None:
        self.algorithm = algorithm
        self.hardware = hardware
        self.floorplans = [hardware.floorplan(shape, len(algorithm.significances)) for shape in shapes]
        self.trace = Trace()
        self.mini_batches = 0
        self._places = {shape.name: place for place, shape in enumerate(shapes)}
        self.plans: list[Plan] = []
        self._learning_rate = 0.0
        self._read_tiles = sum(value != 0 for value in algorithm.significances)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Ask the algorithm for the plan of every layer at this learning rate."""
        self._learning_rate = learning_rate
        self.plans = [self._plan(floor.shape, learning_rate) for floor in self.floorplans]

    def _plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Return the plan of one layer; the first one passes no error on."""
        steps = self.algorithm.plan(shape, learning_rate)
        return [step for step in steps if shape.backward or not isinstance(step, Backward)]

    # One training step.

    def step(self, network: Network, images: Values, labels: npt.NDArray[np.int64]) -> float:
        """Train on one mini-batch and return its mean loss."""
        from cosim.layers import cross_entropy

        self.mini_batches += 1
        logits = network.forward(images, self._forward)
        loss, error = cross_entropy(logits, labels)
        network.backward(error, self._backward)
        for layer, plan in zip(network.layers, self.plans, strict=True):
            for step in plan:
                if not isinstance(step, Forward | Backward) and self.mini_batches % step.every == 0:
                    self._perform(layer, step)
            layer.bias -= np.float32(self._learning_rate) * layer.errors.sum(axis=0)
        if self.algorithm.observe(loss, epoch_end=False):
            self.set_learning_rate(self._learning_rate)
        return loss

    def end_epoch(self, network: Network, mean_loss: float) -> None:
        """Let the algorithm see the mean loss, and free the composite weights of rounding errors."""
        if self.algorithm.observe(mean_loss, epoch_end=True):
            self.set_learning_rate(self._learning_rate)
        for layer in network.layers:
            layer.matrix.recombine()

    def program(self, network: Network, weights: Sequence[tuple[Values, Values]]) -> None:
        """Bring initial weights and biases into the network; on tiles, by closed-loop pulses."""
        for layer, floor, (weight, bias) in zip(network.layers, self.floorplans, weights, strict=True):
            layer.matrix.set_weights(weight)
            layer.bias[:] = bias
            if floor.tiles:
                carrier = layer.matrix.tiles[layer.matrix.carrier]
                needed = np.ceil(np.abs(carrier.weights) / carrier.device.dw_min)
                self._record_program(floor, pulses=float(needed.sum()), cells=float(np.count_nonzero(needed)))

    def _forward(self, layer: Layer, values: Values) -> Values:
        result: Values
        result, activity = layer.matrix.read(values, forward=True)
        self._record(self.floorplans[self._places[layer.name]], Forward(), activity)
        return result

    def _backward(self, layer: Layer, errors: Values) -> Values:
        result: Values
        result, activity = layer.matrix.read(errors, forward=False)
        self._record(self.floorplans[self._places[layer.name]], Backward(), activity)
        return result

    def _perform(self, layer: Layer, step: Step) -> None:
        floor, group = self.floorplans[self._places[layer.name]], layer.matrix
        activity: Activity = ReadActivity(len(layer.inputs), 0, 0)
        match step:
            case Update():
                activity = group.update(step.tile, layer.inputs, layer.errors, step.rate)
            case Transfer():
                activity = group.transfer(step.source, step.target, columns=step.columns, rate=step.rate)
            case BufferedTransfer():
                activity = group.buffered_transfer(
                    step.source,
                    step.target,
                    columns=step.columns,
                    rate=step.rate,
                    threshold=step.threshold,
                    momentum=step.momentum,
                )
            case Accumulate():
                group.accumulate(layer.inputs, layer.errors, step.rate)
            case WriteBuffer():
                activity = group.write_buffer(step.target)
            case DigitalUpdate():
                group.add_outer_products(layer.inputs, layer.errors, step.rate)
        self._record(floor, step, activity)

    # The trace.

    def _record(self, floor: LayerFloorplan, step: Step, activity: Activity, times: float = 1) -> None:
        """Write what one mini-batch did, or `times` mini-batches alike, with its activity to the trace."""
        kind, tile, counts = self._counted(floor, step, activity, times)
        converts = floor.tiles > 0 and counts[operations.INDEX["adc_conversions"]] > 0
        bits = (self.hardware.dac_bits, self.hardware.adc_bits) if converts else (0, 0)
        self.trace.append(Operation(kind, floor.shape.name, tile, counts, *bits))
        if isinstance(step, Forward):
            neurons = operations.neuron_counts(floor, activity.vectors)
            self.trace.append(Operation("digital", floor.shape.name, "neurons", neurons))

    def _counted(
        self, floor: LayerFloorplan, step: Step, activity: Activity, times: float
    ) -> tuple[str, str, FloatArray]:
        vectors = activity.vectors
        match step, activity:
            case ((Forward() | Backward()), ReadActivity()):
                forward = isinstance(step, Forward)
                kind = "forward" if forward else "backward"
                if not floor.tiles:
                    return (
                        kind,
                        "digital",
                        operations.digital_matrix_counts(floor, vectors, mini_batches=times, update=False),
                    )
                tiles = self._read_tiles
                return kind, "all", operations.read_counts(floor, activity, tiles=tiles, forward=forward)
            case Update(), PulseActivity():
                return "update", str(step.tile), operations.update_counts(floor, activity)
            case ((Transfer() | BufferedTransfer()), PulseActivity()):
                buffered = isinstance(step, BufferedTransfer)
                reads = times * step.columns
                counts = operations.transfer_counts(floor, activity, reads=reads, buffered=buffered)
                return "transfer", f"{step.source}>{step.target}", counts
            case Accumulate(), _:
                return "update", "buffer", operations.outer_product_counts(floor, vectors, mini_batches=times)
            case WriteBuffer(), PulseActivity():
                counts = operations.buffer_write_counts(floor, activity, writes=times)
                return "transfer", f"buffer>{step.target}", counts
            case _:
                return (
                    "update",
                    "digital",
                    operations.digital_matrix_counts(floor, vectors, mini_batches=times, update=True),
                )

    def _record_program(self, floor: LayerFloorplan, *, pulses: float, cells: float) -> None:
        counts = operations.program_counts(floor, pulses=pulses, cells=cells)
        self.trace.append(Operation("program", floor.shape.name, "0", counts))

    # Pricing on shapes alone.

    def assume_training(self, *, samples: int, mini_batches: int, dw_min: float) -> None:
        """Record a whole training without doing it: the same plans, with the activity that the preset assumes.

        Parameters
        ----------
        samples
            Training samples over all epochs.
        mini_batches
            Mini-batches over all epochs.
        dw_min
            Granularity of the device, for the pulses of the initial programming.
        """
        self.algorithm.settle()
        self.set_learning_rate(1.0)
        scale = next((value for value in self.algorithm.significances if value), 0.0)
        for floor, plan in zip(self.floorplans, self.plans, strict=True):
            if floor.tiles:
                pulses = expected_program_pulses(floor.shape, dw_min * scale)
                self._record_program(floor, pulses=pulses, cells=floor.shape.cells)
            for step in plan:
                times = mini_batches // step.every
                if times:
                    activity = self._assumed(floor, step, samples * floor.shape.positions, times)
                    self._record(floor, step, activity, times)

    def _assumed(self, floor: LayerFloorplan, step: Step, vectors: float, times: float) -> Activity:
        number = self.hardware.number
        inputs, outputs = floor.shape.inputs, floor.shape.outputs
        fires = number("activity_pulse_probability")
        match step:
            case Update():
                slots = vectors * number("activity_update_slots")
                hits = slots * inputs * outputs * fires**2
                return PulseActivity(vectors, slots, slots * inputs * fires, slots * outputs * fires, hits, hits)
            case Transfer() | BufferedTransfer():
                name = "activity_transfer_slots" if isinstance(step, Transfer) else "activity_buffer_slots"
                columns = times * step.columns
                slots = columns * number(name)
                hits = slots * outputs * fires
                return PulseActivity(columns, slots, slots, hits, hits, hits)
            case WriteBuffer():
                slots = times * outputs * number("activity_buffer_slots")
                hits = slots * inputs * fires
                return PulseActivity(times * outputs, slots, hits, slots, hits, hits)
            case _:
                driven, _ = floor.sides(not isinstance(step, Backward))
                lines = vectors * driven.lines * number("activity_input_density")
                return ReadActivity(vectors, lines, lines * number("activity_drive"))


def expected_program_pulses(shape: MatrixShape, logical_step: float) -> float:
    """Return the mean number of pulses ⌈|w| / step⌉ over all weights, uniform within ±1/sqrt(fan-in)."""
    bound = 1 / math.sqrt(shape.inputs)
    part = logical_step / bound
    steps = math.ceil(1 / part)
    # The k-th pulse is needed with probability 1 - k part, k = 0 … steps - 1.
    return shape.cells * (steps - part * steps * (steps - 1) / 2)
