"""Networks by name: layers, messages, initial weights."""

import numpy as np
import pytest
from scipy import stats

from cosim.network import NETWORKS, NetworkError, convolution, dense, initial_weights, lenet5, mlp


def test_lenet5_has_the_weights_of_the_paper():
    layers = lenet5((28, 28, 1), 10, [], "tanh")
    shapes = [(spec.shape.outputs, spec.shape.inputs, spec.shape.positions) for spec in layers]
    assert shapes == [(16, 25, 576), (32, 400, 64), (128, 512, 1), (10, 128, 1)]
    assert [spec.shape.backward for spec in layers] == [False, True, True, True]
    assert [spec.pool for spec in layers] == [True, True, False, False]
    assert sum(spec.shape.cells + spec.shape.outputs for spec in layers) == 80_202  # weights and biases


def test_each_layer_takes_what_the_one_before_gives():
    elements = 28 * 28
    for spec in lenet5((28, 28, 1), 10, [], "tanh"):
        if spec.kernel:
            height, width, channels = spec.image
            assert height * width * channels == elements
            elements = spec.shape.positions * spec.shape.outputs // (4 if spec.pool else 1)
        else:
            assert spec.shape.inputs == elements
            elements = spec.shape.outputs
    assert elements == 10


def test_an_mlp_has_an_activation_between_its_layers():
    layers = mlp((2, 3, 1), 4, [6, 5, 7, 4], "relu")
    assert [(spec.shape.name, spec.shape.outputs, spec.shape.inputs) for spec in layers] == [
        ("dense1", 5, 6),
        ("dense2", 7, 5),
        ("dense3", 4, 7),
    ]
    assert [spec.activations for spec in layers] == [("relu",), ("relu",), ()]
    assert [spec.shape.backward for spec in layers] == [False, True, True]
    assert [spec.activations for spec in mlp((2, 3, 1), 4, [6, 4], "tanh")] == [()]


def test_a_convolution_counts_its_positions_and_elements():
    shape = convolution("one", (8, 6, 3), 5, 3, "tanh", pool=False).shape
    assert (shape.inputs, shape.outputs, shape.positions) == (27, 5, 24)
    assert (shape.input_elements, shape.output_elements) == (144, 120)


@pytest.mark.parametrize("sizes", [[], [6], [5, 4], [6, 3], [4, 6]])
def test_sizes_that_do_not_fit_the_data(sizes):
    message = r"network.sizes = \[.*\] does not fit the data: the first must be 6 \(pixels\), the last 4 \(classes\)"
    with pytest.raises(NetworkError, match=message):
        mlp((2, 3, 1), 4, sizes, "tanh")


def test_images_that_lenet5_does_not_take():
    with pytest.raises(NetworkError, match=r"'lenet5' takes images of \(28, 28, 1\), the data has \(8, 8, 1\); use"):
        lenet5((8, 8, 1), 10, [], "tanh")


def test_lenet5_has_fixed_sizes():
    with pytest.raises(NetworkError, match=r"network\.sizes is given, but 'lenet5' has fixed sizes; remove it or use"):
        lenet5((28, 28, 1), 10, [784, 10], "tanh")


def test_networks_are_known_by_name():
    assert NETWORKS == {"mlp": mlp, "lenet5": lenet5}


@pytest.mark.parametrize("spec", [dense("one", 60, 100), convolution("two", (8, 8, 4), 60, 5, pool=False)])
def test_initial_weights_are_uniform_within_one_over_root_fan_in(spec):
    weights, biases = initial_weights(spec, seed=1, stream=2)
    assert weights.shape == (60, 100)
    assert biases.shape == (60,)
    assert weights.dtype == biases.dtype == np.float32
    for values in (weights.ravel(), biases):
        assert np.abs(values).max() <= 0.1
        assert stats.kstest(values, "uniform", args=(-0.1, 0.2)).pvalue > 1e-4


def test_initial_weights_depend_on_seed_and_stream():
    first, again, *others = (
        initial_weights(dense("one", 3, 4), seed=seed, stream=stream)[0]
        for seed, stream in ((1, 2), (1, 2), (2, 2), (1, 3))
    )
    np.testing.assert_array_equal(first, again)
    for other in others:
        assert not np.any(first == other)
