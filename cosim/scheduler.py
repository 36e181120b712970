"""The plan of a step: performs each operation, and writes it to the trace.

The scheduler is the only writer of the trace. In training the activity of an operation comes from the kernels;
in pricing without training it is assumed; what is recorded for an activity is the same function in both. Counts are
linear in the activity, so a training adds activity up and counts when the trace is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cosim.algorithms import Algorithm
from cosim.plan import Activity, Backward, Forward, Plan, Refresh, Step
from cost_model import operations
from cost_model.floorplan import LayerFloorplan, MatrixShape
from cost_model.hardware import Hardware
from cost_model.operations import Operation
from cost_model.trace import Trace
from device_models.parameters import PulsedDevice

if TYPE_CHECKING:  # the pricing path stays free of compiled kernels
    from cosim.layers import FloatArray as Values
    from cosim.layers import Layer, Network

REPLAN_EVERY = 25  # mini-batches, where plans follow the progress of the training


@dataclass(slots=True)
class Done:
    """What a step did to a layer since it was last written to the trace.

    Parameters
    ----------
    activity
        Sum over the times.
    times
        How often the step was performed.
    vectors
        Vectors that entered the layer, those of a read once even where bound management read them again.
    """

    activity: Activity
    times: float
    vectors: float


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
    device
        The devices of the tiles; pairs that need a refresh get a step of their own in every plan.
    """

    def __init__(
        self, algorithm: Algorithm, hardware: Hardware, shapes: Sequence[MatrixShape], device: PulsedDevice
    ) -> None:
        self.algorithm = algorithm
        self.algorithm.prepare(device)
        self.hardware = hardware
        self.device = device
        self.floorplans = [hardware.floorplan(shape, len(algorithm.significances)) for shape in shapes]
        self._trace = Trace()
        self._done: dict[tuple[str, Step], Done] = {}
        self.mini_batches = 0
        self.total_mini_batches = 1
        self._places = {shape.name: place for place, shape in enumerate(shapes)}
        self.plans: list[Plan] = []
        self._learning_rate = 0.0
        self._read_tiles = sum(value != 0 for value in algorithm.significances)
        self._forward, self._backward = Forward(tiles=self._read_tiles), Backward(tiles=self._read_tiles)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Ask the algorithm for the plan of every layer at this learning rate and progress."""
        self._learning_rate = learning_rate
        self.algorithm.progress = min(self.mini_batches / self.total_mini_batches, 1.0)
        self.plans = [self._plan(floor.shape, learning_rate) for floor in self.floorplans]

    def _plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Return the plan of one layer: the first one passes no error on, and pairs may need a refresh."""
        steps: list[Step] = [
            replace(step, tiles=self._read_tiles) if isinstance(step, Forward) else step
            for step in self.algorithm.plan(shape, learning_rate)
            if shape.backward or not isinstance(step, Backward)
        ]
        if self.algorithm.significances and self.device.one_sided and self.device.refresh_every:
            steps.append(Refresh(every=self.device.refresh_every))
        return steps

    # One training step.

    def step(self, network: Network, images: Values, labels: npt.NDArray[np.int64]) -> float:
        """Train on one mini-batch and return its mean loss."""
        from cosim.layers import cross_entropy

        self.mini_batches += 1
        logits = network.forward(images, self._read_forward)
        loss, error = cross_entropy(logits, labels)
        network.backward(error, self._read_backward)
        for layer, plan in zip(network.layers, self.plans, strict=True):
            for step in plan:
                if not isinstance(step, Forward) and self.mini_batches % step.every == 0:
                    self._add(layer, step, step.perform(layer))
            if self.algorithm.significances and self.device.fades:
                layer.matrix.age()
            layer.change_bias(self._learning_rate)
        changed = self.algorithm.observe(loss, epoch_end=False)
        if changed or (self.algorithm.changes_with_progress and self.mini_batches % REPLAN_EVERY == 0):
            self.set_learning_rate(self._learning_rate)
        return loss

    def end_epoch(self, network: Network, mean_loss: float) -> None:
        """Let the algorithm see the mean loss, and free the composite weights of rounding errors."""
        if self.algorithm.observe(mean_loss, epoch_end=True):
            self.set_learning_rate(self._learning_rate)
        for layer in network.layers:
            layer.matrix.recombine()

    def program(self, network: Network, weights: Sequence[tuple[Values, Values]]) -> None:
        """Calibrate what the algorithm asks for, then bring initial weights and biases into the network.

        Tiles are programmed by closed-loop pulses.
        """
        for layer, floor, (weight, bias) in zip(network.layers, self.floorplans, weights, strict=True):
            for place in self.algorithm.references:
                tile = layer.matrix.tiles[place]
                tile.zero_shift(self.algorithm.zero_shift_pulses)
                reference = np.abs(tile.device_parameters["reference"]) / tile.device.granularity
                self._record_calibration(floor, place, programmed=float(np.ceil(reference).sum()))
            layer.matrix.set_weights(weight)
            layer.bias[:] = bias
            if floor.tiles:
                carrier = layer.matrix.tiles[layer.matrix.carrier]
                needed = np.ceil(np.abs(carrier.weights) / carrier.device.granularity)
                self._record_program(floor, pulses=float(needed.sum()), cells=float(np.count_nonzero(needed)))

    def _read_forward(self, layer: Layer, inputs: Values) -> Values:
        return self._read(layer, inputs, self._forward)

    def _read_backward(self, layer: Layer, errors: Values) -> Values:
        return self._read(layer, errors, self._backward)

    def _read(self, layer: Layer, values: Values, step: Forward) -> Values:
        result: Values
        result, activity = layer.matrix.read(values, forward=step.forward)
        self._add(layer, step, activity)
        return result

    # The trace.

    @property
    def trace(self) -> Trace:
        """Everything recorded so far."""
        for (name, step), done in self._done.items():
            self._record(self.floorplans[self._places[name]], step, done)
        self._done.clear()
        return self._trace

    def _add(self, layer: Layer, step: Step, activity: Activity) -> None:
        """Add what one mini-batch did to what equal steps did to the layer before."""
        done = self._done.get((layer.name, step))
        if done is None:
            self._done[layer.name, step] = Done(activity, 1, len(layer.inputs))
        else:
            done.activity += activity  # type: ignore[operator]  # equal steps give activities of one type
            done.times += 1
            done.vectors += len(layer.inputs)

    def _record(self, floor: LayerFloorplan, step: Step, done: Done) -> None:
        """Write what a step did to the trace."""
        counts = step.counts(floor, done.activity, done.times)
        converts = floor.tiles > 0 and counts[operations.INDEX["adc_conversions"]] > 0
        bits = (self.hardware.dac_bits, self.hardware.adc_bits) if converts else (0, 0)
        self._trace.append(Operation(step.kind, floor.shape.name, step.tile, counts, *bits))
        if step.kind == "forward":
            neurons = operations.neuron_counts(floor, done.vectors)
            self._trace.append(Operation("digital", floor.shape.name, "neurons", neurons))

    def _record_program(self, floor: LayerFloorplan, *, pulses: float, cells: float) -> None:
        counts = operations.program_counts(floor, pulses=pulses, cells=cells)
        self._trace.append(Operation("program", floor.shape.name, "0", counts))

    def _record_calibration(self, floor: LayerFloorplan, tile: int, *, programmed: float) -> None:
        pulses = self.algorithm.zero_shift_pulses
        counts = operations.calibration_counts(floor, pulses=pulses, programmed=programmed)
        self._trace.append(Operation("calibrate", floor.shape.name, str(tile), counts))

    # Pricing on shapes alone.

    def assume_training(self, *, samples: int, mini_batches: int) -> None:
        """Record a whole training without doing it: the same plans, with the activity that the preset assumes.

        Parameters
        ----------
        samples
            Training samples over all epochs.
        mini_batches
            Mini-batches over all epochs.
        """
        self.algorithm.settle()
        self.set_learning_rate(1.0)
        scale = next((value for value in self.algorithm.significances if value), 0.0)
        for floor, plan in zip(self.floorplans, self.plans, strict=True):
            if floor.tiles:
                pulses = expected_program_pulses(floor.shape, self.device.granularity * scale)
                self._record_program(floor, pulses=pulses, cells=floor.shape.cells)
                for place in self.algorithm.references:
                    point = abs(self.device.device_symmetric_point() or 0.0) / self.device.granularity
                    self._record_calibration(floor, place, programmed=math.ceil(point) * floor.shape.cells)
            for step in plan:
                times, vectors = mini_batches // step.every, samples * floor.shape.positions
                if times:
                    activity = step.assumed(floor, self.hardware.number, vectors, times)
                    self._record(floor, step, Done(activity, times, vectors))


def expected_program_pulses(shape: MatrixShape, logical_step: float) -> float:
    """Return the mean number of pulses ⌈|w| / step⌉ over all weights, uniform within ±1/sqrt(fan-in)."""
    bound = 1 / math.sqrt(shape.inputs)
    part = logical_step / bound
    steps = math.ceil(1 / part)
    # The k-th pulse is needed with probability 1 - k part, k = 0 … steps - 1.
    return shape.cells * (steps - part * steps * (steps - 1) / 2)
