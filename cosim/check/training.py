"""The network that is checked: restored from a run or trained, with what its layers read in one mini-batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from circuits.simulator import INSTALL, has_ngspice
from cosim.config import ConfigError, Point, Study, load_study
from cosim.experiment import Training, learning_rate_at
from cosim.layers import Layer, cross_entropy
from cosim.workers import RunError

SingleArray = npt.NDArray[np.float32]


@dataclass
class Trained:
    """A trained network without cycle-to-cycle noise, and what its layers read in one mini-batch."""

    point: Point
    training: Training
    inputs: list[SingleArray]
    errors: list[SingleArray]

    @property
    def layers(self) -> list[Layer]:
        """The layers at work."""
        return self.training.network.layers


def train_or_restore(target: Path, run_id: str | None, steps: int | None) -> Trained:
    """Return the network of a run folder or of a study, with the vectors that one mini-batch brings to its layers.

    Raises
    ------
    ConfigError
        If there is nothing that can be simulated: no checkpoint, or a digital algorithm.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        if target.is_dir():
            if steps is not None:
                raise ConfigError(f"--steps trains a study; {target} is a run folder, whose networks are trained")
            training = _restored(target, run_id)
        else:
            if run_id is not None:
                raise ConfigError(f"--run-id chooses from a run folder; {target} is not a folder")
            training = _trained(target, steps)
        return _with_vectors(training)


def _restored(folder: Path, run_id: str | None) -> Training:
    path = folder / "study.toml"
    if not path.exists():
        raise ConfigError(f"{folder}: there is no study.toml; give the folder of a run, or a study file")
    study = load_study(path)
    stored = {
        point.run_id: point for point in study.points if (folder / "checkpoints" / f"{point.run_id}.npz").exists()
    }
    if not stored:
        raise ConfigError(
            f"{folder}: no checkpoint of this study in checkpoints/; one that another version left belongs to none of "
            f"its points. Run the study again, or give its file: cosim check {path}"
        )
    analog = {name: point for name, point in stored.items() if point.algorithm().significances}
    if run_id is not None:
        if run_id not in stored:
            raise ConfigError(f"{folder}: run-id {run_id!r} has no checkpoint; there are {', '.join(stored)}")
        if run_id not in analog:
            raise ConfigError(
                f"{folder}: run {run_id} is digital, without tiles; analog runs: {', '.join(analog) or 'none'}"
            )
        chosen = run_id
    elif analog:
        chosen = max(analog, key=lambda name: len(analog[name].algorithm().significances))
    else:
        raise ConfigError(f"{folder}: every run with a checkpoint is digital; a run with tiles is needed")
    training = _quiet(analog[chosen])
    if not training.load(folder / "checkpoints" / f"{chosen}.npz"):
        raise ConfigError(f"{folder}: checkpoint {chosen}.npz is damaged; run the study again")
    return training


def _trained(path: Path, steps: int | None) -> Training:
    study: Study = load_study(path)
    point = next((point for point in study.points if point.algorithm().significances), None)
    if point is None:
        raise ConfigError(
            f"{path}: every point is digital; a point with tiles is needed, for example residual_learning"
        )
    need_ngspice()  # before an epoch is trained for nothing
    noisy, quiet = Training(point, _data(point)), _quiet(point)
    if steps is None:
        noisy.epoch()
    else:
        _take_steps(noisy, steps)
    quiet.network.restore(noisy.network.state())
    quiet.scheduler.algorithm.restore(noisy.scheduler.algorithm.state())
    quiet.scheduler.mini_batches = noisy.scheduler.mini_batches
    quiet.history = noisy.history
    return quiet


def need_ngspice() -> None:
    """Raise `RunError` with what to install where ngspice is missing."""
    if not has_ngspice():
        raise RunError(f"ngspice is not installed; {INSTALL}")


def _data(point: Point) -> Any:
    from cosim.data import load_data

    wanted = point.resolved["data"]
    return load_data(
        wanted["name"],
        point.data_path,
        train_samples=wanted["train_samples"],
        test_samples=wanted["test_samples"],
        seed=point.seed,
    )


def _quiet(point: Point) -> Training:
    """Return a point ready to take a state, with the same devices but for their cycle-to-cycle noise."""
    device = replace(point.device, dw_min_std=0.0, write_noise_std=0.0)
    return Training(replace(point, device=device), _data(point))


def _take_steps(training: Training, steps: int) -> None:
    batch = training.point.resolved["training"]["batch_size"]
    training.scheduler.set_learning_rate(learning_rate_at(training.point.resolved["training"], 0))
    for number in range(steps):
        chosen = np.arange(number * batch, (number + 1) * batch) % len(training.train_images)
        training.scheduler.step(training.network, training.train_images[chosen], training.data.train_labels[chosen])


def _with_vectors(training: Training) -> Trained:
    """Pass a mini-batch through the network, forward and backward, and plan its next step."""
    batch = training.point.resolved["training"]["batch_size"]
    network = training.network
    images, labels = training.train_images[:batch], training.data.train_labels[:batch]
    logits = network.forward(images, lambda layer, values: layer.matrix.read(values, forward=True)[0])
    _, error = cross_entropy(logits, labels)
    network.backward(error, lambda layer, values: layer.matrix.read(values, forward=False)[0])
    rate = learning_rate_at(training.point.resolved["training"], max(training.epochs_done - 1, 0))
    training.scheduler.set_learning_rate(rate)
    inputs = [layer.inputs.copy() for layer in network.layers]
    errors = [layer.errors.copy() for layer in network.layers]
    return Trained(training.point, training, inputs, errors)
