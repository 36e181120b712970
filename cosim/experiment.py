"""One point of a study, from its seed to its accuracy and its bill."""

from __future__ import annotations

import json
import math
import os
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cosim.config import Point
from cosim.costing import cost_tables
from cosim.health import noise_level, verdict
from cosim.pricing import bill_of, make_scheduler
from cosim.scheduler import Scheduler
from cost_model.bill import Bill
from cost_model.operations import PulseActivity

if TYPE_CHECKING:  # the pricing path stays free of compiled kernels
    from cosim.data import Data
    from cosim.layers import Network

EVALUATION_BATCH = 256
CHECKPOINT_SECONDS = 10.0
# Streams of random numbers beside those of the tile groups, far from them.
WEIGHT_STREAM = 1 << 32
ORDER_STREAM = 1 << 33
State = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Outcome:
    """What a finished point leaves.

    Parameters
    ----------
    run_id
        Identity of the point.
    history
        One row per epoch.
    tiles
        One row per epoch, layer and tile: what it holds and what that means.
    activity
        What happened in every operation of the whole training, whatever the arrays.
    trace
        The same as counts in the floorplan.
    bill
        The trace, priced per training sample.
    tables
        What stands behind the bill, by file name; see `cosim.costing`.
    results
        The row of the point: losses, accuracy, energy, latency, area, storage, seconds.
    """

    run_id: str
    history: list[dict[str, Any]]
    tiles: list[dict[str, Any]]
    activity: pd.DataFrame
    trace: pd.DataFrame
    bill: Bill
    tables: dict[str, pd.DataFrame]
    results: dict[str, Any]


def identity(point: Point) -> dict[str, Any]:
    """Return the columns of a row that say what was run."""
    resolved, algorithm = point.resolved, point.algorithm()
    tiles = len(algorithm.significances)
    return {
        "run_id": point.run_id,
        "seed": point.seed,
        "algorithm": algorithm.name,
        "tiles": tiles,
        "states": round(point.device.states, 6) if tiles else None,
        "device": point.device_name if tiles else None,
        "network": resolved["network"]["name"],
        "data": resolved["data"]["name"],
        "epochs": resolved["training"]["epochs"],
    }


def learning_rate_at(training: dict[str, Any], epoch: int) -> float:
    """Return the learning rate of an epoch, counted from 0."""
    schedule, rate = training["schedule"], float(training["learning_rate"])
    if schedule["name"] == "constant":
        return rate
    factor: float = schedule["factor"] ** (epoch // schedule["every"])
    return rate * factor


class Training:
    """A point in training: everything that changes, and its checkpoint.

    Parameters
    ----------
    point
        What to train.
    data
        Images and labels.
    """

    def __init__(self, point: Point, data: Data) -> None:
        self.point, self.data = point, data
        self.scheduler = make_scheduler(point)
        training = point.resolved["training"]
        self.scheduler.total_mini_batches = training["epochs"] * math.ceil(
            len(data.train_images) / training["batch_size"]
        )
        self.network = make_network(point, self.scheduler)
        self.history: list[dict[str, Any]] = []
        self.tiles: list[dict[str, Any]] = []
        self._pulsed: dict[tuple[str, str], float] = {}
        self.seconds = 0.0
        self.train_images = data.train_images.reshape(len(data.train_images), -1)
        self.test_images = data.test_images.reshape(len(data.test_images), -1)

    @property
    def epochs_done(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    def epoch(self) -> dict[str, Any]:
        """Train one epoch, evaluate, and return its row of the history."""
        started = time.perf_counter()
        training, epoch = self.point.resolved["training"], self.epochs_done
        rate, batch = learning_rate_at(training, epoch), training["batch_size"]
        self.scheduler.set_learning_rate(rate)
        generator = np.random.Generator(np.random.Philox(key=[self.point.seed, ORDER_STREAM + epoch]))
        order = generator.permutation(len(self.train_images))
        total = 0.0
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            images, labels = self.train_images[chosen], self.data.train_labels[chosen]
            total += self.scheduler.step(self.network, images, labels) * len(chosen)
        self.scheduler.end_epoch(self.network, total / len(order))
        test_loss, test_accuracy = self.evaluate()
        self.seconds += time.perf_counter() - started
        self.history.append(
            {
                "run_id": self.point.run_id,
                "epoch": epoch + 1,
                "samples": (epoch + 1) * len(order),
                "learning_rate": rate,
                "train_loss": total / len(order),
                "test_loss": test_loss,
                "test_accuracy": test_accuracy,
                "seconds": self.seconds,
            }
        )
        self.tiles += self._tile_rows(epoch + 1, math.ceil(len(order) / batch))
        return self.history[-1]

    def _tile_rows(self, epoch: int, mini_batches: int) -> list[dict[str, Any]]:
        """Return what every tile holds after an epoch, and how often it was pulsed by updates in it."""
        rows: list[dict[str, Any]] = []
        device = self.point.device
        noise = noise_level(device)
        pulsed = self._coincidences()
        for layer in self.network.layers:
            wired = getattr(layer.matrix, "wired", None)
            for number, tile in enumerate(getattr(layer.matrix, "tiles", ())):
                address = (layer.name, str(number))
                hits = pulsed.get(address, 0.0) - self._pulsed.get(address, 0.0)
                magnitude = float(np.abs(tile.weights).mean()) / device.w_max
                rows.append(
                    {
                        "run_id": self.point.run_id,
                        "epoch": epoch,
                        "layer": layer.name,
                        "tile": number,
                        "significance": layer.matrix.nominal_significances[number],
                        "mean_abs_weight": magnitude,
                        "coincidences_per_mini_batch": hits / layer.spec.shape.cells / mini_batches,
                        "wire_error_lsb": "" if wired is None else float(wired.errors_lsb[number]),
                        "verdict": verdict(magnitude, noise),
                    }
                )
        self._pulsed = pulsed
        return rows

    def _coincidences(self) -> dict[tuple[str, str], float]:
        """Return the device pulses of updates so far, by layer and tile."""
        return {
            (layer, tile): float(done.activity.coincidences)
            for (layer, tile, kind), done in self.scheduler.activity
            if kind == "update" and isinstance(done.activity, PulseActivity)
        }

    def evaluate(self) -> tuple[float, float]:
        """Return loss and accuracy on the test images, read through the same periphery; evaluation is not priced."""
        from cosim.layers import cross_entropy

        loss, correct = 0.0, 0
        for start in range(0, len(self.test_images), EVALUATION_BATCH):
            images = self.test_images[start : start + EVALUATION_BATCH]
            labels = self.data.test_labels[start : start + EVALUATION_BATCH]
            logits = self.network.forward(images, lambda layer, values: layer.matrix.read(values, forward=True)[0])
            loss += cross_entropy(logits, labels)[0] * len(labels)
            correct += int((logits.argmax(axis=1) == labels).sum())
        return loss / len(self.test_images), correct / len(self.test_images)

    def outcome(self) -> Outcome:
        """Return what the finished training leaves."""
        bill = bill_of(self.point, self.scheduler)
        last = self.history[-1]
        results = identity(self.point) | {
            "train_loss": last["train_loss"],
            "test_loss": last["test_loss"],
            "test_accuracy": last["test_accuracy"],
            "energy_per_sample_j": bill.energy_per_sample_j,
            "latency_per_sample_s": bill.latency_per_sample_s,
            "area_m2": bill.area_m2,
            "digital_storage_byte": int(bill.digital_storage_byte),
            "seconds": self.seconds,
        }
        log = self.scheduler.activity
        return Outcome(
            run_id=self.point.run_id,
            history=self.history,
            tiles=self.tiles,
            activity=log.to_frame(),
            trace=self.scheduler.trace.to_frame(),
            bill=bill,
            tables=cost_tables(self.point, self.scheduler, bill, log),
            results=results,
        )

    def save(self, path: Path) -> None:
        """Write a checkpoint; a reader sees the old one or the new one, never a part."""
        state: State = {
            "mini_batches": np.array(self.scheduler.mini_batches),
            "history": np.array(json.dumps(self.history)),
            "tiles": np.array(json.dumps(self.tiles)),
            "seconds": np.array(self.seconds),
        }
        for prefix, part in self._parts().items():
            state |= {f"{prefix}:{name}": value for name, value in part.state().items()}
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.savez(file, **state)  # type: ignore[arg-type]  # the stubs mistake a name for allow_pickle
        os.replace(temporary, path)

    def load(self, path: Path) -> bool:
        """Take over a checkpoint; return False where the file is damaged, and this training is to be thrown away."""
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                state: State = {name: file[name] for name in file.files}
            self._restore(state)
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error):
            return False
        return True

    def _restore(self, state: State) -> None:
        self.scheduler.mini_batches = int(state["mini_batches"])
        self.history = json.loads(str(state["history"]))
        self.tiles = json.loads(str(state["tiles"]))
        self.seconds = float(state["seconds"])
        for prefix, part in self._parts().items():
            own = {name.split(":", 1)[1]: value for name, value in state.items() if name.startswith(f"{prefix}:")}
            part.restore(own)
        self.scheduler.set_learning_rate(learning_rate_at(self.point.resolved["training"], self.epochs_done))
        self._pulsed = self._coincidences()

    def _parts(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "algorithm": self.scheduler.algorithm,
            "activity": self.scheduler.activity,
        }


def make_network(point: Point, scheduler: Scheduler) -> Network:
    """Return the network of a point with its initial weights; their programming stands in the trace."""
    from cosim.digital_matrix import DigitalMatrix
    from cosim.layers import Network
    from cosim.network import initial_weights
    from cosim.periphery import Periphery
    from cosim.tile import PulsedUpdate
    from cosim.tile_group import TileGroup
    from cosim.wires import Wires

    significances = scheduler.algorithm.significances
    periphery = Periphery.from_hardware(
        point.hardware,
        ideal=point.ideal_io,
        tiles=max(sum(1 for value in significances if value), 1),
        noise_management=point.noise_management,
        bound_management=point.bound_management,
    )
    wires = point.resolved["hardware"].get("wires")
    matrices: list[TileGroup | DigitalMatrix] = []
    for place, spec in enumerate(point.layers):
        shape = (spec.shape.outputs, spec.shape.inputs)
        if not significances:
            matrices.append(DigitalMatrix(shape))
            continue
        matrices.append(
            TileGroup(
                shape,
                point.device,
                significances=significances,
                seed=point.seed,
                group=place,
                periphery=periphery,
                array_rows=point.hardware.array_rows,
                array_cols=point.hardware.array_cols,
                references=scheduler.algorithm.references,
                update=PulsedUpdate(**point.resolved["hardware"]["pulses"]),
                wires=None if wires is None else Wires(**wires),
            )
        )
    network = Network(point.layers, matrices)
    weights = [
        initial_weights(spec, seed=point.seed, stream=WEIGHT_STREAM + place) for place, spec in enumerate(point.layers)
    ]
    scheduler.program(network, weights)
    return network


def train_point(point: Point, checkpoint: Path | None = None, report: Callable[[int], None] | None = None) -> Outcome:
    """Train a point, from its last checkpoint where there is one, and price what it did.

    Parameters
    ----------
    point
        What to train.
    checkpoint
        File to continue from and to write to; none is written where not given.
    report
        Called with the number of epochs that are done.
    """
    from threadpoolctl import threadpool_limits

    from cosim.data import load_data

    wanted = point.resolved["data"]
    data = load_data(
        wanted["name"],
        point.data_path,
        train_samples=wanted["train_samples"],
        test_samples=wanted["test_samples"],
        seed=point.seed,
    )
    # One BLAS thread: matrix products round differently with their number of threads.
    with threadpool_limits(limits=1):
        training = Training(point, data)
        if checkpoint is not None and checkpoint.exists() and not training.load(checkpoint):
            training = Training(point, data)
        epochs = point.resolved["training"]["epochs"]
        saved = time.monotonic()
        while training.epochs_done < epochs:
            training.epoch()
            if report is not None:
                report(training.epochs_done)
            due = time.monotonic() - saved > CHECKPOINT_SECONDS or training.epochs_done == epochs
            if checkpoint is not None and due:
                training.save(checkpoint)
                saved = time.monotonic()
        return training.outcome()
