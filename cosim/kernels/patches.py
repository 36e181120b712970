"""Convolution as vector reads: image patches to vectors and back, pooling. Images are (n, height, width, channels)."""

import numpy as np

from device_models.kernels.compile import array


@array
def image_to_patches(images, kernel, patches):
    """Copy every kernel x kernel patch into one row of `patches`, position after position.

    Parameters
    ----------
    images
        float32 (n, height, width, channels).
    kernel
        Edge of the patch.
    patches
        float32 (n * positions, kernel * kernel * channels), set; the columns run over (row, column, channel).
    """
    count, height, width, channels = images.shape
    lines = images.reshape(count, height, width * channels)
    run = kernel * channels  # neighbouring values of one image line stay neighbours in the patch
    position = 0
    for image in range(count):
        for top in range(height - kernel + 1):
            for left in range(width - kernel + 1):
                for row in range(kernel):
                    for place in range(run):
                        patches[position, row * run + place] = lines[image, top + row, left * channels + place]
                position += 1


@array
def patches_to_image(patches, kernel, images):
    """Add every patch back to where it came from; `images` is set, shapes as in `image_to_patches`."""
    count, height, width, channels = images.shape
    images[:] = 0.0
    lines = images.reshape(count, height, width * channels)
    run = kernel * channels
    position = 0
    for image in range(count):
        for top in range(height - kernel + 1):
            for left in range(width - kernel + 1):
                for row in range(kernel):
                    for place in range(run):
                        lines[image, top + row, left * channels + place] += patches[position, row * run + place]
                position += 1


@array
def max_pool(images, pooled, choices):
    """Take the largest of each 2 x 2 square; `choices` (int64) remembers which, 0 to 3; the first of equals wins."""
    count, height, width, channels = pooled.shape
    for image in range(count):
        for row in range(height):
            for column in range(width):
                for channel in range(channels):
                    best = images[image, 2 * row, 2 * column, channel]
                    choice = 0
                    for corner in range(1, 4):
                        value = images[image, 2 * row + corner // 2, 2 * column + corner % 2, channel]
                        if value > best:
                            best = value
                            choice = corner
                    pooled[image, row, column, channel] = best
                    choices[image, row, column, channel] = choice


@array
def max_unpool(errors, choices, images):
    """Give each error to the value that was chosen; `images` is set, the other values get zero."""
    count, height, width, channels = errors.shape
    images[:] = np.float32(0.0)
    for image in range(count):
        for row in range(height):
            for column in range(width):
                for channel in range(channels):
                    corner = choices[image, row, column, channel]
                    images[image, 2 * row + corner // 2, 2 * column + corner % 2, channel] = errors[
                        image, row, column, channel
                    ]
