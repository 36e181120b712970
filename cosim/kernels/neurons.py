"""What neurons compute on errors: back through an activation, the change of the bias, the loss.

`back_through_…` take three float32 arrays of one size, of any shape: `errors` behind the activation, `values` that it
gave, and `results`, contiguous, set to the errors in front of it.
"""

import math

import numpy as np

from device_models.kernels.compile import array

ZERO, ONE = np.float32(0.0), np.float32(1.0)


@array
def back_through_tanh(errors, values, results):
    """Multiply by the slope, 1 - value²."""
    errors, values, results = errors.ravel(), values.ravel(), results.ravel()
    for place in range(len(results)):
        results[place] = errors[place] * (ONE - values[place] * values[place])


@array
def back_through_sigmoid(errors, values, results):
    """Multiply by the slope, value (1 - value)."""
    errors, values, results = errors.ravel(), values.ravel(), results.ravel()
    for place in range(len(results)):
        results[place] = errors[place] * (values[place] * (ONE - values[place]))


@array
def back_through_relu(errors, values, results):
    """Multiply by the slope, 1 where the value is above zero and 0 elsewhere."""
    errors, values, results = errors.ravel(), values.ravel(), results.ravel()
    for place in range(len(results)):
        results[place] = errors[place] if values[place] > ZERO else ZERO


@array
def back_through_identity(errors, values, results):
    """Copy the errors: the slope is 1."""
    errors, results = errors.ravel(), results.ravel()
    for place in range(len(results)):
        results[place] = errors[place]


@array
def subtract_sum_of_rows(values, rate, total):
    """Subtract rate times the sum of the rows of a matrix, float32 (n, columns), from `total`, float32 (columns,)."""
    rows = np.zeros(len(total), dtype=np.float32)
    for row in range(len(values)):
        for column in range(len(rows)):
            rows[column] += values[row, column]
    for column in range(len(rows)):
        total[column] -= rate * rows[column]


@array
def softmax_cross_entropy(logits, labels, gradient):
    """Return the mean softmax cross-entropy, computed in double precision.

    Parameters
    ----------
    logits
        float32 (n, classes).
    labels
        Integers (n,), 0 to classes - 1.
    gradient
        float32 (n, classes), set: the gradient of the mean at the logits.
    """
    count, classes = logits.shape
    exponentials = np.empty(classes)
    loss = 0.0
    for sample in range(count):
        largest = np.float64(logits[sample, 0])  # float() would stay single once compiled
        for place in range(1, classes):
            largest = max(largest, np.float64(logits[sample, place]))
        total = 0.0
        for place in range(classes):
            exponentials[place] = math.exp(np.float64(logits[sample, place]) - largest)
            total += exponentials[place]
        label = labels[sample]
        loss += math.log(total) - (np.float64(logits[sample, label]) - largest)
        for place in range(classes):
            wanted = 1.0 if place == label else 0.0
            gradient[sample, place] = (exponentials[place] / total - wanted) / count
    return loss / count
