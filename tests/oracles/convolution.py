"""Convolution and pooling by direct loops over every index. Images are (n, height, width, channels)."""

import numpy as np


def convolve(images: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Return the cross-correlation without padding; filters are (outputs, kernel, kernel, channels)."""
    count, height, width, channels = images.shape
    outputs, kernel = filters.shape[:2]
    result = np.zeros((count, height - kernel + 1, width - kernel + 1, outputs))
    for n, y, x, output in np.ndindex(result.shape):
        for row, column, channel in np.ndindex(kernel, kernel, channels):
            result[n, y, x, output] += (
                float(images[n, y + row, x + column, channel]) * filters[output, row, column, channel]
            )
    return result


def convolve_backward(errors: np.ndarray, filters: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the gradient of `convolve` at the images, given the gradient at its result."""
    result = np.zeros(shape)
    kernel, channels = filters.shape[1], filters.shape[3]
    for n, y, x, output in np.ndindex(errors.shape):
        for row, column, channel in np.ndindex(kernel, kernel, channels):
            result[n, y + row, x + column, channel] += errors[n, y, x, output] * filters[output, row, column, channel]
    return result


def max_pool(images: np.ndarray) -> np.ndarray:
    """Return the largest of each 2 x 2 square; a last odd row or column is left out."""
    count, height, width, channels = images.shape
    result = np.zeros((count, height // 2, width // 2, channels))
    for n, y, x, channel in np.ndindex(result.shape):
        result[n, y, x, channel] = images[n, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2, channel].max()
    return result


def max_pool_backward(errors: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return the gradient of `max_pool` at the images: the first largest value of a square takes it all."""
    result = np.zeros(images.shape)
    for n, y, x, channel in np.ndindex(errors.shape):
        square = [(2 * y, 2 * x), (2 * y, 2 * x + 1), (2 * y + 1, 2 * x), (2 * y + 1, 2 * x + 1)]
        best = max(square, key=lambda place: images[n, place[0], place[1], channel])
        result[n, best[0], best[1], channel] += errors[n, y, x, channel]
    return result
