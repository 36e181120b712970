"""A LeNet-5 in training, for the benchmarks; run as a module it takes one step."""

from pathlib import Path

import numpy as np

from cosim.config import make_study
from cosim.data import SHAPES, Data
from cosim.experiment import Training

STEP_IMAGES = 8


def lenet5(algorithm, *, ideal_io=True, wires=False, images=STEP_IMAGES):
    """Return a LeNet-5 in training on random images, and one step of it."""
    study = make_study(
        {
            "schema": 1,
            "data": {"name": "mnist", "train_samples": images, "test_samples": 1},
            "network": {"name": "lenet5"},
            "device": {"states": 10},
            "algorithm": algorithm,
            "hardware": {"ideal_io": ideal_io} | ({"wires": {"segment_resistance_ohm": 1.0}} if wires else {}),
        },
        folder=Path(),
    )
    generator = np.random.default_rng(1)
    images_ = generator.uniform(0, 1, (images, 28, 28, 1)).astype(np.float32)
    labels = generator.integers(0, 10, images)
    training = Training(study.points[0], Data(images_, labels, images_[:1], labels[:1], SHAPES["mnist"]))
    training.scheduler.set_learning_rate(0.05)
    return training, lambda: training.scheduler.step(training.network, training.train_images, labels)


if __name__ == "__main__":
    lenet5({"name": "analog_sgd"}, ideal_io=False)[1]()
