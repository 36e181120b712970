"""Convolution as vector reads, and pooling: against direct loops and against scipy."""

import numpy as np
import pytest
from scipy import signal

from cosim.kernels.patches import image_to_patches, max_pool, max_unpool, patches_to_image
from tests.oracles import convolution as oracle

SHAPES = [(2, 6, 5, 3, 3), (1, 4, 4, 1, 4), (3, 5, 7, 2, 1), (1, 1, 1, 1, 1)]


def images_of(shape, seed=1):
    return np.random.Generator(np.random.PCG64(seed)).normal(size=shape).astype(np.float32)


def to_patches(images, kernel):
    count, height, width, channels = images.shape
    positions = (height - kernel + 1) * (width - kernel + 1)
    patches = np.full((count * positions, kernel * kernel * channels), np.nan, dtype=np.float32)
    image_to_patches(images, (0,) * kernel, patches)
    return patches


def to_image(patches, kernel, shape):
    images = np.full(shape, np.nan, dtype=np.float32)
    patches_to_image(patches, kernel, images)
    return images


def pool(images):
    count, height, width, channels = images.shape
    shape = (count, height // 2, width // 2, channels)
    pooled, choices = np.full(shape, np.nan, dtype=np.float32), np.full(shape, -1, dtype=np.int8)
    max_pool(images, np.zeros(channels, dtype=np.float32), pooled, choices)
    return pooled, choices


@pytest.mark.parametrize(("count", "height", "width", "channels", "kernel"), SHAPES)
def test_a_convolution_is_a_product_with_the_patches(count, height, width, channels, kernel):
    images = images_of((count, height, width, channels))
    filters = images_of((4, kernel, kernel, channels), seed=2).astype(np.float64)
    ours = to_patches(images, kernel).astype(np.float64) @ filters.reshape(4, -1).T
    expected = oracle.convolve(images, filters)
    np.testing.assert_allclose(ours.reshape(expected.shape), expected, atol=1e-12)
    for n in range(count):
        for output in range(4):
            correlated = sum(
                signal.correlate(images[n, :, :, channel].astype(float), filters[output, :, :, channel], "valid")
                for channel in range(channels)
            )
            np.testing.assert_allclose(ours.reshape(expected.shape)[n, :, :, output], correlated, atol=1e-12)


@pytest.mark.parametrize(("count", "height", "width", "channels", "kernel"), SHAPES)
def test_the_way_back_is_the_gradient_of_the_convolution(count, height, width, channels, kernel):
    shape = (count, height, width, channels)
    filters = images_of((4, kernel, kernel, channels), seed=3)
    errors = images_of((count, height - kernel + 1, width - kernel + 1, 4), seed=4)
    ours = to_image(errors.reshape(-1, 4) @ filters.reshape(4, -1), kernel, shape)
    np.testing.assert_allclose(ours, oracle.convolve_backward(errors, filters, shape), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("count", "height", "width", "channels", "kernel"), SHAPES)
def test_patches_and_back_are_adjoint(count, height, width, channels, kernel):
    images = images_of((count, height, width, channels), seed=5)
    patches = to_patches(images, kernel)
    others = images_of(patches.shape, seed=6)
    left = np.vdot(patches.astype(float), others)
    assert left == pytest.approx(np.vdot(images, to_image(others, kernel, images.shape).astype(float)), abs=1e-4)


def test_a_pixel_comes_back_as_often_as_it_is_used():
    images = np.ones((1, 4, 4, 1), dtype=np.float32)
    back = to_image(to_patches(images, 3), 3, images.shape)
    np.testing.assert_array_equal(back[0, :, :, 0], np.outer([1, 2, 2, 1], [1, 2, 2, 1]))


@pytest.mark.parametrize("shape", [(2, 6, 4, 3), (1, 5, 7, 2), (1, 2, 2, 1), (0, 4, 4, 1)])
def test_pooling_takes_the_largest_and_gives_it_the_error(shape):
    images = images_of(shape, seed=7)
    pooled, choices = pool(images)
    np.testing.assert_array_equal(pooled, oracle.max_pool(images))
    errors = images_of(pooled.shape, seed=8)
    back = np.full(shape, np.nan, dtype=np.float32)
    max_unpool(errors, choices, back)
    np.testing.assert_array_equal(back, oracle.max_pool_backward(errors, images))


def test_of_equal_values_the_first_is_chosen():
    pooled, choices = pool(np.zeros((1, 2, 2, 1), dtype=np.float32))
    assert choices.item() == 0
    pooled, choices = pool(np.array([[1, 2], [2, 0]], dtype=np.float32).reshape(1, 2, 2, 1))
    assert (pooled.item(), choices.item()) == (2, 1)


def test_the_bias_is_added_to_what_was_chosen():
    images, bias = images_of((2, 4, 6, 3), seed=9), np.float32([0.5, -2, 0])
    pooled, choices = np.empty((2, 2, 3, 3), np.float32), np.empty((2, 2, 3, 3), np.int8)
    max_pool(images, bias, pooled, choices)
    plain, same = pool(images)
    np.testing.assert_array_equal(pooled, plain + bias)
    np.testing.assert_array_equal(choices, same)
