"""The health of a study before it is trained: the rules of its algorithms, its first mini-batch if there is data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cosim.config import Point
from cosim.health import Budget, Check

if TYPE_CHECKING:  # the pricing path stays free of compiled kernels
    from cosim.data import Data


def point_health(point: Point, data: Data | None = None) -> list[Check]:
    """Return the rules that decide whether the training of a point works, each with its number.

    Parameters
    ----------
    point
        What is to be trained.
    data
        Its images; without them the rules that need the size of the first gradient are left out.
    """
    training = point.resolved["training"]
    algorithm = point.algorithm()
    if not algorithm.significances:
        return []
    algorithm.prepare(point.device)
    budget = Budget(
        device=point.device,
        shapes=[spec.shape for spec in point.layers],
        mini_batches=training["epochs"] * math.ceil(point.train_samples / training["batch_size"]),
        products=None if data is None else first_products(point, data),
    )
    return algorithm.health(budget)


def first_products(point: Point, data: Data) -> dict[str, float]:
    """Return `Budget.products`: how large the first gradients of every layer are, on exact digital weights."""
    from cosim.digital_matrix import DigitalMatrix
    from cosim.experiment import WEIGHT_STREAM
    from cosim.layers import Network, cross_entropy
    from cosim.network import initial_weights

    network = Network(point.layers, [DigitalMatrix((spec.shape.outputs, spec.shape.inputs)) for spec in point.layers])
    for place, (layer, spec) in enumerate(zip(network.layers, point.layers, strict=True)):
        weights, biases = initial_weights(spec, seed=point.seed, stream=WEIGHT_STREAM + place)
        layer.matrix.set_weights(weights)
        layer.bias[:] = biases
    batch = point.resolved["training"]["batch_size"]
    images = data.train_images[:batch].reshape(min(batch, len(data.train_images)), -1)
    logits = network.forward(images, lambda layer, values: layer.matrix.read(values, forward=True)[0])
    _, error = cross_entropy(logits, data.train_labels[:batch])
    network.backward(error, lambda layer, errors: layer.matrix.read(errors, forward=False)[0])
    products = {}
    for layer in network.layers:
        sums = np.abs(layer.inputs).sum(axis=1) @ np.abs(layer.errors).sum(axis=1)
        products[layer.name] = float(sums) / layer.spec.shape.cells
    return products


def health_lines(name: str, checks: list[Check]) -> tuple[str, list[str]]:
    """Return one line with the numbers of a point, and one warning for every broken rule."""
    line = f"{name}: " + "; ".join(f"{check.name} {check.value:.3g}" for check in checks)
    return line, [f"{name}: {check.text()}" for check in checks if not check.kept]
