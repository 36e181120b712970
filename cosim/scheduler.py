"""The plan of a step: performs each operation, and writes it to the trace.

The scheduler is the only writer of the trace. In training the activity of an operation comes from the kernels;
in pricing without training it is assumed; what is recorded for an activity is the same function in both. Counts are
linear in the activity, so a training adds activity up and counts when the trace is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cosim.activity import Activity, ActivityLog, Address
from cosim.algorithms import Algorithm
from cosim.plan import Backward, Calibrate, Forward, Plan, Program, Refresh, Step, Update, programming
from cost_model import operations
from cost_model.floorplan import LayerFloorplan, MatrixShape
from cost_model.hardware import Hardware
from cost_model.operations import Counts, Operation, PulseActivity
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
        self.activity = ActivityLog()
        self._steps: dict[Address, Step] = {}
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
                    activity = step.perform(layer)
                    self._add(layer, step, activity)
                    self._tell(layer.spec.shape, step, activity, mini_batches=1)
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
                self._calibrated(floor, place, programmed=float(np.ceil(reference).sum()))
            layer.matrix.set_weights(weight)
            layer.bias[:] = bias
            if floor.tiles:
                carrier = layer.matrix.tiles[layer.matrix.carrier]
                needed = np.ceil(np.abs(carrier.weights) / carrier.device.granularity)
                self._programmed(floor, pulses=float(needed.sum()), cells=float(np.count_nonzero(needed)))

    def _read_forward(self, layer: Layer, inputs: Values) -> Values:
        return self._read(layer, inputs, self._forward)

    def _read_backward(self, layer: Layer, errors: Values) -> Values:
        return self._read(layer, errors, self._backward)

    def _read(self, layer: Layer, values: Values, step: Forward) -> Values:
        result: Values
        result, activity = layer.matrix.read(values, forward=step.forward)
        self._add(layer, step, activity)
        return result

    def _tell(self, shape: MatrixShape, step: Step, activity: Activity, *, mini_batches: int) -> None:
        """Tell the algorithm how many device pulses it gave, where it has asked for a count."""
        if isinstance(step, Update) and step.counted:
            assert isinstance(activity, PulseActivity)
            self.algorithm.observe_pulses(shape.name, float(activity.coincidences) / shape.cells / mini_batches)

    # The trace.

    @property
    def trace(self) -> Trace:
        """Everything done so far, as counts in the floorplans."""
        trace = Trace()
        for (layer, tile, kind), counts in self.rows():
            converts = bool(np.any(counts.get("adc_conversions", 0.0)))
            bits = (self.hardware.dac_bits, self.hardware.adc_bits) if converts else (0, 0)
            trace.append(Operation(kind, layer, tile, counts, *bits))
        return trace

    def rows(self) -> Iterator[tuple[Address, Counts]]:
        """Yield everything done so far, address by address, as counts in the floorplans."""
        for address, done in self.activity:
            layer, _, kind = address
            floor = self.floorplans[self._places[layer]]
            yield address, self._step_at(address).counts(floor, done.activity, done.times)
            if kind == "forward":
                yield (layer, "neurons", "digital"), operations.neuron_counts(floor, done.vectors)

    def _add(self, layer: Layer, step: Step, activity: Activity) -> None:
        """Add what one mini-batch did to what steps of this kind did to the layer before."""
        self._note(layer.name, step, activity, times=step.size, vectors=len(layer.inputs))

    def _note(self, layer: str, step: Step, activity: Activity, *, times: float, vectors: float) -> None:
        address = (layer, step.tile, step.kind)
        self._steps.setdefault(address, step)
        self.activity.add(address, activity, times=times, vectors=vectors)

    def _step_at(self, address: Address) -> Step:
        """Return a step that counts what was done at an address.

        Where the plan has moved on since, as after a warm start, steps of the same kind count alike.
        """
        if address not in self._steps:
            layer, tile, kind = address
            reads = [self._forward, self._backward] if kind in ("forward", "backward") else []
            known = [*self.plans[self._places[layer]], *reads, Refresh()]
            if tile.isdecimal():
                known += [
                    Program(target=int(tile)),
                    Calibrate(target=int(tile), pulses=self.algorithm.zero_shift_pulses),
                ]
            alike = [step for step in known if step.kind == kind]
            if not alike:
                raise ValueError(f"activity: {self.algorithm.name} has no operation {kind!r} in layer {layer!r}")
            self._steps[address] = next((step for step in alike if step.tile == tile), alike[0])
        return self._steps[address]

    def _programmed(self, floor: LayerFloorplan, *, pulses: float, cells: float) -> None:
        rows = floor.shape.outputs if cells else 0
        self._note(floor.shape.name, Program(target=0), programming(pulses, cells, rows), times=1, vectors=0)

    def _calibrated(self, floor: LayerFloorplan, tile: int, *, programmed: float) -> None:
        step = Calibrate(target=tile, pulses=self.algorithm.zero_shift_pulses)
        done = programming(programmed, floor.shape.cells, floor.shape.outputs)
        self._note(floor.shape.name, step, done, times=1, vectors=0)

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
        self.settle()
        self._assume_pulses(samples=samples, mini_batches=mini_batches)
        scale = next((value for value in self.algorithm.significances if value), 0.0)
        for floor, plan in zip(self.floorplans, self.plans, strict=True):
            name = floor.shape.name
            if floor.tiles:
                pulses = expected_program_pulses(floor.shape, self.device.granularity * scale)
                self._programmed(floor, pulses=pulses, cells=floor.shape.cells)
                for place in self.algorithm.references:
                    point = abs(self.device.device_symmetric_point() or 0.0) / self.device.granularity
                    self._calibrated(floor, place, programmed=math.ceil(point) * floor.shape.cells)
            for step in plan:
                performed, vectors = mini_batches // step.every, samples * floor.shape.positions
                if performed:
                    times = performed * step.size
                    activity = step.assumed(floor, self.hardware.number, vectors, times)
                    self._note(name, step, activity, times=times, vectors=vectors)

    def _assume_pulses(self, *, samples: int, mini_batches: int) -> None:
        """Tell an algorithm that counts pulses what the preset itself assumes: one plan for designs of any activity."""
        counted = False
        for floor, plan in zip(self.floorplans, self.plans, strict=True):
            for step in plan:
                if isinstance(step, Update) and step.counted:
                    vectors = samples * floor.shape.positions
                    activity = step.assumed(floor, lambda name: self.hardware.quantity(name).value, vectors, 1)
                    self._tell(floor.shape, step, activity, mini_batches=mini_batches)
                    counted = True
        if counted:
            self.set_learning_rate(self._learning_rate)

    def take_activity(self, log: ActivityLog) -> None:
        """Record the activity of another training of the same study, perhaps on another design.

        Raises
        ------
        ValueError
            If it has a layer or an operation that this study does not have.
        """
        self.settle()
        for (layer, tile, kind), _ in log:
            if layer not in self._places:
                raise ValueError(f"activity: there is no layer {layer!r}; layers: {', '.join(self._places)}")
            self._step_at((layer, tile, kind))
        self.activity = log

    def settle(self) -> None:
        """Take the plans of the last phase of a training, at a learning rate of 1: rates change no counts."""
        self.algorithm.settle()
        self.set_learning_rate(1.0)


def expected_program_pulses(shape: MatrixShape, logical_step: float) -> float:
    """Return the mean number of pulses ⌈|w| / step⌉ over all weights, uniform within ±1/sqrt(fan-in)."""
    bound = 1 / math.sqrt(shape.inputs)
    part = logical_step / bound
    steps = math.ceil(1 / part)
    # The k-th pulse is needed with probability 1 - k part, k = 0 … steps - 1.
    return shape.cells * (steps - part * steps * (steps - 1) / 2)
