"""Convolution as vector reads: image patches to vectors and back, pooling. Images are (n, height, width, channels).

Inner loops run along slices: the compiler then knows that the index counts from the start, and uses vector
instructions.
"""

import numpy as np

from device_models.kernels.compile import array

FIRST, SECOND, THIRD, FOURTH = np.int8(0), np.int8(1), np.int8(2), np.int8(3)


@array
def image_to_patches(images, edge, patches):
    """Copy every kernel x kernel patch into one row of `patches`, position after position.

    Parameters
    ----------
    images
        float32 (n, height, width, channels).
    edge
        A tuple with one element for each pixel of the patch's edge, such as `(0,) * kernel`. Only its length
        matters, and the compiler knows that of a tuple: runs of a few pixels are copied without a loop.
    patches
        float32 (n * positions, kernel * kernel * channels), set; the columns run over (row, column, channel).
    """
    count, height, width, channels = images.shape
    lines = images.reshape(count, height, width * channels)
    kernel = len(edge)
    run = kernel * channels  # neighbouring values of one image line stay neighbours in the patch
    position = 0
    for image in range(count):
        for top in range(height - kernel + 1):
            for left in range(width - kernel + 1):
                for row in range(kernel):
                    if channels == 1:
                        for place in range(kernel):
                            patches[position, row * kernel + place] = lines[image, top + row, left + place]
                    else:
                        source = lines[image, top + row, left * channels : left * channels + run]
                        target = patches[position, row * run : (row + 1) * run]
                        for place in range(run):
                            target[place] = source[place]
                position += 1


@array
def patches_to_image(patches, kernel, images):
    """Add every patch back to where it came from; `images` is set, shapes as in `image_to_patches`."""
    count, height, width, channels = images.shape
    images[:] = np.float32(0.0)
    lines = images.reshape(count, height, width * channels)
    run = kernel * channels
    position = 0
    for image in range(count):
        for top in range(height - kernel + 1):
            for left in range(width - kernel + 1):
                for row in range(kernel):
                    source = patches[position, row * run : (row + 1) * run]
                    target = lines[image, top + row, left * channels : left * channels + run]
                    for place in range(run):
                        target[place] += source[place]
                position += 1


@array
def max_pool(images, bias, pooled, choices):
    """Take the largest of each 2 x 2 square and add the bias; a last odd row or column is left out.

    Parameters
    ----------
    images
        float32 (n, height, width, channels).
    bias
        float32 (channels,).
    pooled
        float32 (n, height // 2, width // 2, channels), set.
    choices
        int8, shape of `pooled`, set: which value was taken, 0 to 3 in reading order; the first of equals.
    """
    count, height, width, channels = pooled.shape
    for image in range(count):
        for row in range(height):
            for column in range(width):
                zero, one = images[image, 2 * row, 2 * column], images[image, 2 * row, 2 * column + 1]
                two, three = images[image, 2 * row + 1, 2 * column], images[image, 2 * row + 1, 2 * column + 1]
                best, choice = pooled[image, row, column], choices[image, row, column]
                # One array is written per loop: with two, the compiler gives up on vector instructions.
                for channel in range(channels):
                    value, taken = zero[channel], FIRST
                    if one[channel] > value:
                        value, taken = one[channel], SECOND
                    if two[channel] > value:
                        value, taken = two[channel], THIRD
                    choice[channel] = FOURTH if three[channel] > value else taken
                for channel in range(channels):
                    value = one[channel] if one[channel] > zero[channel] else zero[channel]
                    value = two[channel] if two[channel] > value else value
                    best[channel] = (three[channel] if three[channel] > value else value) + bias[channel]


@array
def max_unpool(errors, choices, images):
    """Give each error to the value that was chosen; `images` is set, the other values get zero."""
    count, height, width, channels = errors.shape
    nothing = np.float32(0.0)
    if images.shape[1] % 2:
        images[:, -1] = nothing
    if images.shape[2] % 2:
        images[:, :, -1] = nothing
    for image in range(count):
        for row in range(height):
            for column in range(width):
                error, choice = errors[image, row, column], choices[image, row, column]
                for corner in range(4):
                    target, chosen = images[image, 2 * row + corner // 2, 2 * column + corner % 2], np.int8(corner)
                    for channel in range(channels):
                        target[channel] = error[channel] if choice[channel] == chosen else nothing
