"""A network at work: activations, convolution with pooling, gradients against finite differences, loss, states."""

import weakref

import numpy as np
import pytest
from scipy import special

from cosim.digital_matrix import DigitalMatrix
from cosim.layers import ACTIVATIONS, Layer, Network, cross_entropy
from cosim.network import LayerSpec, convolution, dense, initial_weights, lenet5, mlp
from cosim.tile_group import TileGroup
from device_models import load_device
from tests.oracles import convolution as oracle


def draws(seed: int, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).normal(size=shape).astype(np.float32)


def digital(specs: list[LayerSpec], seed: int = 1) -> Network:
    """Return a network on digital weights, with weights and biases set."""
    network = Network(specs, [DigitalMatrix((spec.shape.outputs, spec.shape.inputs)) for spec in specs])
    for place, layer in enumerate(network.layers):
        weights, bias = initial_weights(layer.spec, seed=seed, stream=place)
        layer.matrix.set_weights(weights)
        layer.bias[:] = bias
    return network


def forward(network: Network, images: np.ndarray) -> np.ndarray:
    return network.forward(images, lambda layer, values: layer.matrix.read(values, forward=True)[0])


def backward(network: Network, error: np.ndarray) -> None:
    network.backward(error, lambda layer, errors: layer.matrix.read(errors, forward=False)[0])


# Activations and loss


def back(name: str, errors: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return errors brought back through an activation."""
    results = np.full(values.shape, np.nan, dtype=np.float32)
    ACTIVATIONS[name][1](errors, values, results)
    return results


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_errors_go_back_by_the_slope_of_the_activation(name):
    function = ACTIVATIONS[name][0]
    points = np.linspace(-3.05, 3.05, 62)
    step = 1e-5
    slopes = (function(points + step) - function(points - step)) / (2 * step)
    errors, values = draws(15, 62), function(points.astype(np.float32))
    np.testing.assert_allclose(back(name, errors, values), errors * slopes, atol=1e-5)
    square = back(name, errors.reshape(2, 31), values)
    np.testing.assert_array_equal(square, back(name, errors, values))


def test_activations_stay_in_single_precision_and_do_not_overflow():
    extremes = np.array([-1e30, -100, 0, 100, 1e30], dtype=np.float32)
    for name, (function, _) in ACTIVATIONS.items():
        values = function(extremes)
        assert values.dtype == np.float32, name
        assert np.all(np.isfinite(values)), name
        assert np.all(np.isfinite(back(name, np.ones_like(values), values))), name
    points = np.linspace(-20, 20, 101, dtype=np.float32)
    np.testing.assert_allclose(ACTIVATIONS["sigmoid"][0](points), special.expit(points), atol=1e-7)


@pytest.mark.parametrize("scale", [0.1, 1.0, 50.0, 1e4])
def test_cross_entropy_is_the_mean_log_softmax_of_the_label(scale):
    logits, labels = draws(1, 20, 7) * np.float32(scale), np.arange(20) % 7
    loss, gradient = cross_entropy(logits, labels)
    expected = special.log_softmax(logits.astype(float), axis=1)
    assert loss == pytest.approx(-expected[np.arange(20), labels].mean(), rel=1e-9)
    np.testing.assert_allclose(gradient, (np.exp(expected) - np.eye(7)[labels]) / 20, atol=1e-7)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-7)


# Layers


def test_a_dense_layer_adds_its_bias_and_activates():
    network = digital([dense("one", 4, 6, "tanh")])
    inputs, layer = draws(2, 5, 6), network.layers[0]
    expected = np.tanh(inputs @ layer.matrix.weights.T + layer.bias)
    np.testing.assert_allclose(forward(network, inputs), expected, atol=1e-6)


@pytest.mark.parametrize(("edge", "pool"), [(6, True), (7, True), (6, False)])
@pytest.mark.parametrize("activations", [(), ("tanh",), ("relu", "sigmoid")])
def test_a_convolution_equals_direct_loops(edge, pool, activations):
    spec = convolution("one", (edge, edge, 2), 3, 3, *activations, pool=pool)
    network = digital([spec])
    images, layer = draws(3, 4, edge, edge, 2), network.layers[0]
    filters = layer.matrix.weights.astype(float).reshape(3, 3, 3, 2)
    expected = oracle.convolve(images, filters) + layer.bias
    expected = oracle.max_pool(expected) if pool else expected
    for name in activations:
        expected = ACTIVATIONS[name][0](expected)
    result = forward(network, images.reshape(4, -1))
    np.testing.assert_allclose(result, expected.reshape(4, -1), atol=1e-5)
    assert result.dtype == np.float32
    assert layer.inputs.shape == (4 * spec.shape.positions, 18)


@pytest.mark.parametrize("edge", [6, 7])
def test_a_pooled_layer_without_activation_passes_errors_back(edge):
    network = digital([convolution("one", (edge, edge, 1), 2, 3, pool=True)])
    layer, images = network.layers[0], draws(4, 3, edge, edge, 1)
    result = forward(network, images.reshape(3, -1))
    error = draws(5, *result.shape)
    convolved = (layer.inputs @ layer.matrix.weights.T + layer.bias).reshape(3, edge - 2, edge - 2, 2)
    half = (edge - 2) // 2
    expected = oracle.max_pool_backward(error.reshape(3, half, half, 2), convolved)
    np.testing.assert_array_equal(layer.errors_from(error), expected.reshape(-1, 2).astype(np.float32))


def test_errors_go_back_to_the_pixels_they_came_from():
    spec = convolution("one", (5, 4, 2), 3, 3, pool=False)
    layer = Layer(spec, DigitalMatrix((3, 18)))
    filters, errors = draws(6, 3, 3, 3, 2), draws(7, 2, 3, 2, 3)
    result = layer.errors_to_inputs(errors.reshape(-1, 3) @ filters.reshape(3, -1))
    expected = oracle.convolve_backward(errors, filters, (2, 5, 4, 2))
    np.testing.assert_allclose(result, expected.reshape(2, -1), atol=1e-5)


@pytest.mark.parametrize("pool", [True, False])
def test_the_bias_changes_by_the_sum_of_the_errors(pool):
    spec = convolution("one", (7, 6, 2), 3, 2, "tanh", pool=pool)
    network = digital([spec])
    layer = network.layers[0]
    layer.bias[:] = [0.5, -0.25, 1]
    errors = layer.errors_from(draws(16, *forward(network, draws(17, 4, 84)).shape))
    layer.change_bias(0.1)
    np.testing.assert_allclose(layer.bias, [0.5, -0.25, 1] - 0.1 * errors.astype(float).sum(axis=0), atol=1e-5)


def test_a_step_leaves_what_it_is_given_and_what_it_gave_before():
    specs, pixels = NETWORKS["like lenet5"]
    network, images = digital(specs), draws(18, 3, pixels)
    error = draws(19, 3, 3)
    given = images.copy(), error.copy()
    logits = forward(network, images)
    backward(network, error)
    arrays = [logits, *(part for layer in network.layers for part in (layer.inputs, layer.errors))]
    kept = [part.copy() for part in arrays]
    forward(network, 2 * images)
    backward(network, 3 * error)
    for part, before in zip([images, error, *arrays], [*given, *kept], strict=True):
        np.testing.assert_array_equal(part, before)


def test_the_vectors_of_a_mini_batch_make_room_for_those_of_the_next():
    specs, pixels = NETWORKS["like lenet5"]
    network, held = digital(specs), []
    backward(network, draws(19, *forward(network, draws(18, 3, pixels)).shape))
    errors = [weakref.ref(layer.errors) for layer in network.layers]

    def read(layer, values):
        held.append(errors[len(held)]())
        return layer.matrix.read(values, forward=True)[0]

    network.forward(draws(20, 3, pixels), read)
    assert held == [None] * len(specs)


# Gradients

NETWORKS = {
    "mlp": (mlp((3, 4, 1), 3, [12, 8, 6, 3], "tanh"), 12),
    "mlp with sigmoid": (mlp((3, 4, 1), 3, [12, 8, 3], "sigmoid"), 12),
    "mlp with relu": (mlp((3, 4, 1), 3, [12, 8, 3], "relu"), 12),
    "like lenet5": (
        [
            convolution("conv1", (14, 14, 1), 4, 3, "tanh", pool=True, backward=False),
            convolution("conv2", (6, 6, 4), 5, 3, "tanh", "tanh", pool=True),
            dense("dense1", 8, 20, "tanh"),
            dense("dense2", 3, 8),
        ],
        196,
    ),
    "odd edges, no pooling": (
        [
            convolution("conv1", (7, 6, 2), 3, 3, "sigmoid", pool=False, backward=False),
            convolution("conv2", (5, 4, 3), 2, 2, "tanh", pool=True),
            dense("dense1", 3, 4),
        ],
        84,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_equal_finite_differences(name):
    specs, pixels = NETWORKS[name]
    network, images, labels = digital(specs), draws(8, 12, pixels), np.arange(12) % 3
    _, error = cross_entropy(forward(network, images), labels)
    backward(network, error)
    gradients = [(layer.errors.T @ layer.inputs, layer.errors.sum(axis=0)) for layer in network.layers]
    # Central differences along random directions. Single precision leaves about 1e-7 / (2 step) of error; the step
    # is short so that few activations pass the kink of relu or change place in a pool.
    step = 5e-4
    for layer, (of_weights, of_bias) in zip(network.layers, gradients, strict=True):
        assert np.linalg.norm(of_weights) > 0.05
        start, bias = layer.matrix.weights.copy(), layer.bias.copy()
        for seed in range(4):
            along, bias_along = draws(seed, *start.shape), draws(seed + 9, *bias.shape)
            scale = np.sqrt(np.sum(along**2) + np.sum(bias_along**2))
            along, bias_along = along / scale, bias_along / scale
            losses = []
            for sign in (1, -1):
                layer.matrix.set_weights(start + sign * step * along)
                layer.bias[:] = bias + sign * step * bias_along
                losses.append(cross_entropy(forward(network, images), labels)[0])
            layer.matrix.set_weights(start)
            layer.bias[:] = bias
            slope = float(np.sum(of_weights * along) + np.sum(of_bias * bias_along))
            assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(slope, rel=0.02, abs=2e-4), layer.name


def test_gradient_descent_lowers_the_loss():
    specs, pixels = NETWORKS["like lenet5"]
    network, images, labels = digital(specs), draws(9, 12, pixels), np.arange(12) % 3
    losses = []
    for _ in range(60):
        loss, error = cross_entropy(forward(network, images), labels)
        losses.append(loss)
        backward(network, error)
        for layer in network.layers:
            layer.matrix.add_outer_products(layer.inputs, layer.errors, 0.5)
            layer.bias -= np.float32(0.5) * layer.errors.sum(axis=0)
    assert losses[-1] < 0.1 < 0.9 < losses[0]


def test_errors_stop_where_nothing_comes_before():
    network, reads = digital(lenet5((28, 28, 1), 10, [], "tanh")), []
    logits = forward(network, draws(10, 2, 784))
    assert logits.shape == (2, 10)

    def read(layer, errors):
        reads.append(layer.name)
        return layer.matrix.read(errors, forward=False)[0]

    network.backward(draws(11, 2, 10), read)
    assert reads == ["dense2", "dense1", "conv2"]
    assert [len(layer.errors) for layer in network.layers] == [2 * 576, 2 * 64, 2, 2]


def test_ideal_tiles_read_like_digital_weights():
    specs, pixels = NETWORKS["like lenet5"]
    exact, images = digital(specs), draws(12, 3, pixels)
    device = load_device("soft_bounds", w_max_dtod=0.0, w_min_dtod=0.0)
    groups = [
        TileGroup((spec.shape.outputs, spec.shape.inputs), device, significances=(1.0, 0.5), seed=1, group=place)
        for place, spec in enumerate(specs)
    ]
    analog = Network(specs, groups)
    for layer, other in zip(analog.layers, exact.layers, strict=True):
        layer.matrix.set_weights(other.matrix.weights)
        layer.bias[:] = other.bias
    np.testing.assert_allclose(forward(analog, images), forward(exact, images), atol=1e-5)
    error = draws(13, 3, 3)
    backward(analog, error)
    backward(exact, error)
    for one, other in zip(analog.layers, exact.layers, strict=True):
        np.testing.assert_allclose(one.errors, other.errors, atol=1e-5)


# States


def test_a_restored_network_answers_the_same():
    specs, pixels = NETWORKS["like lenet5"]
    network, images = digital(specs), draws(14, 3, pixels)
    state, before = network.state(), forward(network, images)
    other = digital(specs, seed=2)
    assert not np.allclose(forward(other, images), before)
    other.restore(state)
    np.testing.assert_array_equal(forward(other, images), before)
    assert set(state) == {f"{spec.shape.name}/{part}" for spec in specs for part in ("bias", "weights")}


def test_a_state_does_not_change_with_the_network():
    network = digital(mlp((1, 2, 1), 2, [2, 2], "tanh"))
    state = network.state()
    network.layers[0].bias += 1
    network.layers[0].matrix.add_outer_products(np.ones((1, 2)), np.ones((1, 2)), 1.0)
    assert not np.array_equal(state["dense1/bias"], network.state()["dense1/bias"])
    assert not np.array_equal(state["dense1/weights"], network.state()["dense1/weights"])


def test_a_network_needs_a_weight_for_every_layer():
    with pytest.raises(ValueError, match="shorter"):
        Network(mlp((1, 2, 1), 2, [2, 3, 2], "tanh"), [DigitalMatrix((3, 2))])
