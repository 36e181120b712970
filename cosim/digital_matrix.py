"""A weight in digital memory, and the outer products that change digital matrices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cosim.kernels.products import TOGETHER
from cosim.kernels.products import subtract_outer_products as subtract_where_not_zero
from cosim.reading import FloatArray, checked
from cost_model.operations import ReadActivity

LONG_ROW = 64  # inputs; below, the loops of the kernel do not pay, and a transposed copy costs next to nothing


def subtract_outer_products(matrix: FloatArray, inputs: FloatArray, errors: FloatArray, rate: float) -> None:
    """Change a digital matrix, float32 (outputs, inputs), by -rate dᵀx."""
    if matrix.shape[1] < LONG_ROW:
        change = (inputs.T @ errors).T  # this way round BLAS is faster
    elif len(errors) <= TOGETHER or np.count_nonzero(errors != 0) < errors.size / 3:
        # Few vectors, less than their product; or few errors: behind a max pooling three quarters are zero.
        subtract_where_not_zero(matrix, inputs, errors, np.float32(rate))
        return
    else:
        change = errors.T @ inputs
    change *= np.float32(rate)
    matrix -= change


class DigitalMatrix:
    """A weight in digital memory, exact: what `digital_sgd` trains."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._weights = np.zeros(shape, dtype=np.float32)

    @property
    def weights(self) -> FloatArray:
        """float32 (outputs, inputs), a read-only view."""
        view = self._weights.view()
        view.flags.writeable = False
        return view

    def set_weights(self, weights: npt.ArrayLike) -> None:
        """Store the weights.

        Raises
        ------
        ValueError
            For a wrong shape, NaN or infinity.
        """
        array = checked("weights", weights, self.shape[1])
        if array.shape != self.shape:
            raise ValueError(f"weights have shape {array.shape}; this matrix has {self.shape}")
        self._weights[:] = array

    def read(self, values: FloatArray, *, forward: bool) -> tuple[FloatArray, ReadActivity]:
        """Return the exact product, forward W x, backward Wᵀ d."""
        matrix = self._weights.T if forward else self._weights
        return values @ matrix, ReadActivity(len(values), 0, 0)

    def add_outer_products(self, inputs: FloatArray, errors: FloatArray, rate: float) -> None:
        """Change the weight by -rate dᵀx."""
        subtract_outer_products(self._weights, inputs, errors, rate)

    def recombine(self) -> None:
        """Do nothing: there is one matrix only."""

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the weights."""
        return {"weights": self._weights.copy()}

    def restore(self, state: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take over a state that `state` returned."""
        self._weights[:] = state["weights"]
