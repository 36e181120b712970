"""The plan of a step: performs each operation, and writes it to the trace.

The scheduler is the only writer of the trace. In training the activity of an operation comes from the kernels;
in pricing without training it is assumed; what is recorded for an activity is the same function in both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
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
        self.trace = Trace()
        self.mini_batches = 0
        self.total_mini_batches = 1
        self._places = {shape.name: place for place, shape in enumerate(shapes)}
        self.plans: list[Plan] = []
        self._learning_rate = 0.0
        self._read_tiles = sum(value != 0 for value in algorithm.significances)

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
        logits = network.forward(images, self._forward)
        loss, error = cross_entropy(logits, labels)
        network.backward(error, self._backward)
        for layer, plan in zip(network.layers, self.plans, strict=True):
            for step in plan:
                if not isinstance(step, Forward) and self.mini_batches % step.every == 0:
                    self._record(self.floorplans[self._places[layer.name]], step, step.perform(layer))
            if self.algorithm.significances and self.device.fades:
                layer.matrix.age()
            layer.bias -= np.float32(self._learning_rate) * layer.bias_gradient()
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

    def _forward(self, layer: Layer, values: Values) -> Values:
        return self._read(layer, values, Forward(tiles=self._read_tiles))

    def _backward(self, layer: Layer, errors: Values) -> Values:
        return self._read(layer, errors, Backward(tiles=self._read_tiles))

    def _read(self, layer: Layer, values: Values, step: Forward) -> Values:
        result: Values
        result, activity = layer.matrix.read(values, forward=step.forward)
        self._record(self.floorplans[self._places[layer.name]], step, activity, vectors=len(values))
        return result

    # The trace.

    def _record(
        self,
        floor: LayerFloorplan,
        step: Step,
        activity: Activity,
        times: float = 1,
        vectors: float | None = None,
    ) -> None:
        """Write what one mini-batch did, or `times` mini-batches alike, with its activity to the trace."""
        counts = step.counts(floor, activity, times)
        converts = floor.tiles > 0 and counts[operations.INDEX["adc_conversions"]] > 0
        bits = (self.hardware.dac_bits, self.hardware.adc_bits) if converts else (0, 0)
        self.trace.append(Operation(step.kind, floor.shape.name, step.tile, counts, *bits))
        if step.kind == "forward":
            # A vector that bound management reads again is still one vector for the neurons.
            vectors = activity.vectors if vectors is None else vectors
            neurons = operations.neuron_counts(floor, vectors)
            self.trace.append(Operation("digital", floor.shape.name, "neurons", neurons))

    def _record_program(self, floor: LayerFloorplan, *, pulses: float, cells: float) -> None:
        counts = operations.program_counts(floor, pulses=pulses, cells=cells)
        self.trace.append(Operation("program", floor.shape.name, "0", counts))

    def _record_calibration(self, floor: LayerFloorplan, tile: int, *, programmed: float) -> None:
        pulses = self.algorithm.zero_shift_pulses
        counts = operations.calibration_counts(floor, pulses=pulses, programmed=programmed)
        self.trace.append(Operation("calibrate", floor.shape.name, str(tile), counts))

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
                times = mini_batches // step.every
                if times:
                    activity = step.assumed(floor, self.hardware.number, samples * floor.shape.positions, times)
                    self._record(floor, step, activity, times)


def expected_program_pulses(shape: MatrixShape, logical_step: float) -> float:
    """Return the mean number of pulses ⌈|w| / step⌉ over all weights, uniform within ±1/sqrt(fan-in)."""
    bound = 1 / math.sqrt(shape.inputs)
    part = logical_step / bound
    steps = math.ceil(1 / part)
    # The k-th pulse is needed with probability 1 - k part, k = 0 … steps - 1.
    return shape.cells * (steps - part * steps * (steps - 1) / 2)
