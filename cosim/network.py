"""Networks by name: which layers they have, and their initial weights. No arrays are read here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cost_model.floorplan import MatrixShape

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LayerSpec:
    """One layer with weights, and the digital work that follows it.

    Parameters
    ----------
    shape
        Its weight matrix.
    kernel
        Edge of the patch of a convolution; 0 for a dense layer.
    image
        (height, width, channels) of the images that enter a convolution.
    pool
        Whether 2 x 2 maximum pooling follows.
    activations
        Names of the activations that follow, in order.
    """

    shape: MatrixShape
    kernel: int = 0
    image: tuple[int, int, int] = (1, 1, 1)
    pool: bool = False
    activations: tuple[str, ...] = ()


def dense(name: str, outputs: int, inputs: int, *activations: str, backward: bool = True) -> LayerSpec:
    """Return a fully connected layer."""
    return LayerSpec(MatrixShape(name, outputs, inputs, backward=backward), activations=tuple(activations))


def convolution(
    name: str,
    image: tuple[int, int, int],
    outputs: int,
    kernel: int,
    *activations: str,
    pool: bool,
    backward: bool = True,
) -> LayerSpec:
    """Return a convolution without padding, stride 1; every output position is one vector read."""
    height, width, channels = image
    positions = (height - kernel + 1) * (width - kernel + 1)
    shape = MatrixShape(
        name,
        outputs,
        kernel * kernel * channels,
        positions,
        input_elements=height * width * channels,
        output_elements=positions * outputs,
        backward=backward,
    )
    return LayerSpec(shape, kernel, image, pool, tuple(activations))


class NetworkError(ValueError):
    """A network that does not fit its data: what was given and what is allowed."""


def mlp(image: tuple[int, int, int], classes: int, sizes: Sequence[int], activation: str) -> list[LayerSpec]:
    """Return a multi-layer perceptron.

    Parameters
    ----------
    image, classes
        (height, width, channels) of the images and the number of classes.
    sizes
        All widths, from the pixels to the classes.
    activation
        Between the layers: tanh, sigmoid or relu.

    Raises
    ------
    NetworkError
        If the first size is not the number of pixels or the last not the number of classes.
    """
    pixels = image[0] * image[1] * image[2]
    if len(sizes) < 2 or sizes[0] != pixels or sizes[-1] != classes:
        raise NetworkError(
            f"network.sizes = {list(sizes)} does not fit the data: "
            f"the first must be {pixels} (pixels), the last {classes} (classes)"
        )
    last = len(sizes) - 2
    return [
        dense(
            f"dense{place + 1}",
            sizes[place + 1],
            sizes[place],
            *([activation] if place < last else []),
            backward=place > 0,
        )
        for place in range(last + 1)
    ]


def lenet5(image: tuple[int, int, int], classes: int, sizes: Sequence[int], activation: str) -> list[LayerSpec]:
    """Return the LeNet-5 of the multi-tile paper: 16 x 25, 32 x 400, 128 x 512 and 10 x 128 weights.

    Pooling comes before tanh here; the two commute because tanh rises, so nothing changes.

    Raises
    ------
    NetworkError
        If the images are not 28 x 28 with one channel, or sizes or another activation are asked for.

    References
    ----------
    Li et al., arXiv:2510.02516, Appendix K, and its released scripts.
    """
    if image != (28, 28, 1):
        raise NetworkError(
            f"network.name = 'lenet5' takes images of (28, 28, 1), the data has {image}; "
            "use data.name = 'mnist' or 'fashion_mnist', or network.name = 'mlp'"
        )
    if sizes:
        raise NetworkError(
            "network.sizes is given, but 'lenet5' has fixed sizes; remove it or use network.name = 'mlp'"
        )
    return [
        convolution("conv1", (28, 28, 1), 16, 5, activation, pool=True, backward=False),
        convolution("conv2", (12, 12, 16), 32, 5, activation, activation, pool=True),
        dense("dense1", 128, 512, activation),
        dense("dense2", classes, 128),
    ]


NETWORKS: dict[str, Callable[..., list[LayerSpec]]] = {"mlp": mlp, "lenet5": lenet5}


def initial_weights(spec: LayerSpec, *, seed: int, stream: int) -> tuple[FloatArray, FloatArray]:
    """Return weights and biases, uniform within ±1/sqrt(fan-in)."""
    bound = 1 / np.sqrt(spec.shape.inputs)
    generator = np.random.Generator(np.random.Philox(key=[seed, stream]))
    weights = generator.uniform(-bound, bound, (spec.shape.outputs, spec.shape.inputs))
    biases = generator.uniform(-bound, bound, spec.shape.outputs)
    return weights.astype(np.float32), biases.astype(np.float32)
