"""A network at work: vectors, activations, pooling, loss; reading the weights is the scheduler's business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.kernels.neurons import (
    back_through_identity,
    back_through_relu,
    back_through_sigmoid,
    back_through_tanh,
    softmax_cross_entropy,
    subtract_sum_of_rows,
)
from cosim.kernels.patches import image_to_patches, max_pool, max_unpool, patches_to_image
from cosim.network import LayerSpec

FloatArray = npt.NDArray[np.float32]
Function = Callable[[FloatArray], FloatArray]
BackThrough = Callable[[FloatArray, FloatArray, FloatArray], None]


def _sigmoid(values: FloatArray) -> FloatArray:
    # tanh does not overflow, the direct form does.
    half = np.float32(0.5)
    result: FloatArray = half * (np.tanh(half * values) + np.float32(1))
    return result


# Name: function, and the kernel that brings errors back through it: of errors, values of the function, and results.
ACTIVATIONS: dict[str, tuple[Function, BackThrough]] = {
    "tanh": (np.tanh, back_through_tanh),
    "sigmoid": (_sigmoid, back_through_sigmoid),
    "relu": (lambda values: np.maximum(values, 0), back_through_relu),
    "identity": (lambda values: values, back_through_identity),
}


class Layer:
    """One layer at work: turns what enters into vectors, and what the weights answer into what leaves.

    Parameters
    ----------
    spec
        What the layer is.
    matrix
        Its weight: a `TileGroup` or a `DigitalMatrix`.
    """

    def __init__(self, spec: LayerSpec, matrix: Any) -> None:
        self.spec = spec
        self.name = spec.shape.name
        self.matrix = matrix
        self.bias = np.zeros(spec.shape.outputs, dtype=np.float32)
        height, width, _ = spec.image
        self._edges = height - spec.kernel + 1, width - spec.kernel + 1
        self._values: list[FloatArray] = []
        self._choices: npt.NDArray[np.int8] | None = None
        self.forget()

    def forget(self) -> None:
        """Let the vectors of the mini-batch before go: the next ones then take the same memory, still in the cache."""
        self.inputs: FloatArray = np.empty((0, self.spec.shape.inputs), dtype=np.float32)
        self.errors: FloatArray = np.empty((0, self.spec.shape.outputs), dtype=np.float32)
        self._bias_errors: FloatArray = self.errors

    def to_vectors(self, values: FloatArray) -> FloatArray:
        """Return the input vectors of the weight: (n, elements) to (n * positions, inputs)."""
        if not self.spec.kernel:
            return values
        images = values.reshape(-1, *self.spec.image)
        shape = self.spec.shape
        patches = np.empty((len(images) * shape.positions, shape.inputs), dtype=np.float32)
        image_to_patches(images, (0,) * self.spec.kernel, patches)
        return patches

    def from_vectors(self, outputs: FloatArray) -> FloatArray:
        """Return what leaves the layer: add the bias, pool, activate; (n * positions, outputs) to (n, elements)."""
        values = self._pool(outputs) if self.spec.pool else outputs + self.bias
        self._values = []
        for name in self.spec.activations:
            values = ACTIVATIONS[name][0](values)
            self._values.append(values)
        return values.reshape(len(outputs) // self.spec.shape.positions, -1)

    def errors_from(self, error: FloatArray) -> FloatArray:
        """Return the error vectors at the weight's outputs from the error of what left the layer."""
        for name, value in zip(reversed(self.spec.activations), reversed(self._values), strict=True):
            before = np.empty(value.shape, dtype=np.float32)
            ACTIVATIONS[name][1](error, value, before)
            error = before
        outputs = self.spec.shape.outputs
        self._bias_errors = error.reshape(-1, outputs)
        if self._choices is None:
            return self._bias_errors
        images = np.empty((len(self._choices), *self._edges, outputs), dtype=np.float32)
        max_unpool(error.reshape(self._choices.shape), self._choices, images)
        return images.reshape(-1, outputs)

    def change_bias(self, rate: float) -> None:
        """Subtract rate times the sum of the error vectors that `errors_from` gave last."""
        # The errors before unpooling, which adds nothing but zeros.
        subtract_sum_of_rows(self._bias_errors, np.float32(rate), self.bias)

    def errors_to_inputs(self, vectors: FloatArray) -> FloatArray:
        """Return the error of what entered the layer from the error vectors at the weight's inputs."""
        if not self.spec.kernel:
            return vectors
        samples = len(vectors) // self.spec.shape.positions
        images = np.empty((samples, *self.spec.image), dtype=np.float32)
        patches_to_image(vectors, self.spec.kernel, images)
        return images.reshape(samples, -1)

    def _pool(self, values: FloatArray) -> FloatArray:
        height, width = self._edges
        images = values.reshape(-1, height, width, self.spec.shape.outputs)
        shape = (len(images), height // 2, width // 2, self.spec.shape.outputs)
        pooled = np.empty(shape, dtype=np.float32)
        self._choices = np.empty(shape, dtype=np.int8)
        max_pool(images, self.bias, pooled, self._choices)
        return pooled


Read = Callable[[Layer, FloatArray], FloatArray]


class Network:
    """Layers with their weights.

    Parameters
    ----------
    specs
        The layers, in order.
    matrices
        The weight of each layer.
    """

    def __init__(self, specs: Sequence[LayerSpec], matrices: Sequence[Any]) -> None:
        self.layers = [Layer(spec, matrix) for spec, matrix in zip(specs, matrices, strict=True)]

    def forward(self, images: FloatArray, read: Read) -> FloatArray:
        """Return the logits: (n, elements) to (n, classes); `read` reads a layer's weight."""
        values = images
        for layer in self.layers:
            layer.forget()
            layer.inputs = layer.to_vectors(values)
            values = layer.from_vectors(read(layer, layer.inputs))
        return values

    def backward(self, error: FloatArray, read: Read) -> None:
        """Leave the error vectors in every layer; `read` reads a layer's weight backward."""
        for layer in reversed(self.layers):
            layer.errors = layer.errors_from(error)
            if layer.spec.shape.backward:
                error = layer.errors_to_inputs(read(layer, layer.errors))

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return everything that training changes, as named arrays."""
        state: dict[str, npt.NDArray[np.generic]] = {}
        for layer in self.layers:
            state[f"{layer.name}/bias"] = layer.bias.copy()
            state |= {f"{layer.name}/{name}": value for name, value in layer.matrix.state().items()}
        return state

    def restore(self, state: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take over a state that `state` returned."""
        for layer in self.layers:
            prefix = f"{layer.name}/"
            own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
            layer.bias[:] = own.pop("bias")
            layer.matrix.restore(own)


def cross_entropy(logits: FloatArray, labels: npt.NDArray[np.int64]) -> tuple[float, FloatArray]:
    """Return the mean softmax cross-entropy and its gradient at the logits, (n, classes) float32."""
    gradient = np.empty(logits.shape, dtype=np.float32)
    loss = softmax_cross_entropy(logits, labels, gradient)
    return float(loss), gradient
