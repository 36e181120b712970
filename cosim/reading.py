"""A read of one or several matrices through the periphery: convert in, multiply, convert out, add up."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import astuple, replace

import numpy as np
import numpy.typing as npt

from cosim.converters import IDEAL, ConverterBank, Converters
from cosim.kernels.convert import (
    add_noise,
    all_finite,
    bend_columns,
    convert_bit_by_bit,
    convert_columns,
    drive_lines,
    lengthen_pulses,
    line_activity,
    scale_rows,
    shift_levels,
)
from cosim.periphery import NoiseManagement, Periphery
from cosim.threads import do_parts, parts_of
from cost_model.operations import ReadActivity
from device_models.kernels.random_numbers import make_key

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

WORST_CASE: NoiseManagement = "abs_max_np_sum"
# Sources of random numbers within a read; the converters of its first attempt take theirs from its own key.
CONVERTER_NOISE, INPUT_NOISE, WEIGHT_NOISE, LINE_BLOCK = range(4)
# A product of fewer vectors wastes the processor.
LEAST_VECTORS = 32


def checked(name: str, values: npt.ArrayLike, lines: int) -> FloatArray:
    """Return values as a contiguous float32 array of shape (batch, lines).

    Raises
    ------
    ValueError
        If the shape is wrong or a value is NaN or infinite.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} has dtype {array.dtype}; real numbers are allowed")
    if array.ndim != 2 or array.shape[1] != lines:
        raise ValueError(f"{name} has shape {array.shape}; expected (batch, {lines})")
    array = np.ascontiguousarray(array, dtype=np.float32)
    if not all_finite(array.ravel()):
        raise ValueError(f"{name} holds NaN or infinity; only finite numbers are allowed")
    return array


def read_matrices(
    matrices: Sequence[FloatArray],
    values: FloatArray,
    periphery: Periphery,
    block: int,
    key: np.uint64,
    *,
    forward: bool = True,
    converters: Converters = IDEAL,
) -> tuple[FloatArray, ReadActivity]:
    """Read one or several matrices with the same inputs: convert in, multiply, convert out, add up.

    Each matrix has converters of its own, and so has each block of `block` input lines, because a physical array
    has no more lines; their digital results are added.

    Parameters
    ----------
    matrices
        float32 (outputs, inputs) each; several only where tiles do not share converters.
    values
        float32 (vectors, inputs), finite.
    periphery
        The converters.
    block
        Input lines of a physical array.
    key
        Address of the random numbers.
    forward
        False for a read without bound management: of the transpose, or of single lines.
    converters
        The errors of each of them, for all matrices; ideal but for what `periphery` says of all.

    Returns
    -------
    float32 (vectors, outputs), and the activity of the input lines, in which a vector counts as often as it is read.
    """
    watched = forward and periphery.bound_management != "off" and periphery.adc_levels > 0
    if watched or not periphery.is_plain:
        return _managed_read(matrices, values, periphery, converters, block, key, watched)
    vectors, outputs = len(values), matrices[0].shape[0]
    parts = parts_of(vectors, values.size * outputs * len(matrices), least=LEAST_VECTORS)
    if len(parts) < 2:
        return _plain_read(matrices, values, periphery, converters, block, key, 0, vectors)
    pieces = do_parts(
        lambda begin, end: _plain_read(matrices, values[begin:end], periphery, converters, block, key, begin, vectors),
        parts,
    )
    activity = np.sum([astuple(activity) for _, activity in pieces], axis=0)
    return np.concatenate([total for total, _ in pieces]), ReadActivity(*activity.tolist())


def _plain_read(
    matrices: Sequence[FloatArray],
    values: FloatArray,
    periphery: Periphery,
    converters: Converters,
    block: int,
    key: np.uint64,
    first_vector: int,
    all_vectors: int,
) -> tuple[FloatArray, ReadActivity]:
    """Do what `read_matrices` does where nothing is managed, for vectors that follow the first ones of a batch."""
    vectors, lines = values.shape
    if not periphery.adc_levels and not periphery.dac_levels:
        total = values @ matrices[0].T
        for matrix in matrices[1:]:
            total += values @ matrix.T
        return total, ReadActivity(vectors, *line_activity(values))
    driven = np.empty_like(values)
    scales = np.empty(vectors)
    active, drive = drive_lines(values, periphery.dac_levels, driven, scales)
    _misdrive(driven, periphery, converters)
    activity = ReadActivity(vectors, active, drive)
    if not periphery.adc_levels:
        total = driven @ matrices[0].T
        for matrix in matrices[1:]:
            total += driven @ matrix.T
        scale_rows(total, scales)
        return total, activity
    outputs = matrices[0].shape[0]
    total = np.zeros((vectors, outputs), dtype=np.float32)
    first = first_vector * outputs
    for number, (matrix, start, bank) in enumerate(_places(matrices, lines, block, converters)):
        part = driven[:, start : start + block] @ matrix[:, start : start + block].T
        if periphery.output_nonlinearity:
            bend_columns(part, np.float32(periphery.bend))
        _convert(part, periphery, bank, key, first, total, number > 0)
        first += all_vectors * outputs
    scale_rows(total, scales)
    return total, activity


def _managed_read(
    matrices: Sequence[FloatArray],
    values: FloatArray,
    periphery: Periphery,
    converters: Converters,
    block: int,
    key: np.uint64,
    watched: bool,
) -> tuple[FloatArray, ReadActivity]:
    """Do what `read_matrices` does; where watched, vectors that clip are read again with their input halved.

    A vector whose columns all stay in range gets what it would get without bound management, bit for bit.
    """
    scales = input_scales(values, periphery.noise_management, periphery)
    total = np.zeros((len(values), matrices[0].shape[0]), dtype=np.float32)
    rows = np.arange(len(values))
    starts_over = periphery.bound_management == "iterative_worst_case" and periphery.noise_management != WORST_CASE
    reads = lines = drive = 0.0
    factor = 1.0
    for attempt in itertools.count():
        clipped, active, pulses = _read_rows(
            matrices, values, rows, scales, periphery, converters, block, key, attempt, total
        )
        reads, lines, drive = reads + rows.size, lines + active, drive + pulses
        rows = rows[clipped]
        if not (watched and rows.size and periphery.may_read_again(factor)):
            break
        if starts_over and attempt == 0:
            scales[rows] = input_scales(values[rows], WORST_CASE, periphery)
        else:
            scales[rows] *= 2
            factor *= 2
    scale_rows(total, scales)
    return total, ReadActivity(reads, lines, drive)


def _read_rows(
    matrices: Sequence[FloatArray],
    values: FloatArray,
    rows: npt.NDArray[np.int64],
    scales: DoubleArray,
    periphery: Periphery,
    converters: Converters,
    block: int,
    key: np.uint64,
    attempt: int,
    total: FloatArray,
) -> tuple[npt.NDArray[np.bool_], int, float]:
    """Read chosen vectors once into their rows of `total`; `attempt` counts the reads of a vector from 0.

    Driven lines get input noise; a column gets weight noise, bends, gets output noise and is converted, in this
    order (Rasch et al., AICAS 2021).

    Returns
    -------
    bool (chosen,), which of them clip; the lines driven, and the duration of their pulses.
    """
    lines = values.shape[1]
    driven = np.empty((rows.size, lines), dtype=np.float32)
    active, drive = drive_lines(values, periphery.dac_levels, driven, scales, rows)
    _misdrive(driven, periphery, converters)
    if periphery.input_noise:
        add_noise(driven, rows, np.full(rows.size, periphery.input_noise), _source_key(key, INPUT_NOISE, attempt), 0)
    weight_key = _source_key(key, WEIGHT_NOISE, attempt)
    converter_key = key if attempt == 0 else _source_key(key, CONVERTER_NOISE, attempt)
    clipped = np.zeros(rows.size, dtype=np.bool_)
    conversions = 0
    for matrix, start, bank in _places(matrices, lines, block, converters):
        inputs = driven[:, start : start + block]
        part = inputs @ matrix[:, start : start + block].T
        if periphery.weight_noise:
            lengths = np.sqrt(np.square(inputs, dtype=np.float64).sum(axis=1))
            add_noise(part, rows, periphery.weight_noise * lengths, weight_key, conversions)
        if periphery.output_nonlinearity:
            bend_columns(part, np.float32(periphery.bend))
        if periphery.adc_levels:
            _convert(part, periphery, bank, converter_key, conversions, total, conversions > 0, (rows, clipped))
        else:
            if periphery.output_noise:
                add_noise(part, rows, np.full(rows.size, periphery.output_noise), converter_key, conversions)
            total[rows] += part
        conversions += total.size
    return clipped, active, drive


def read_lines(
    matrix: FloatArray,
    lines: npt.NDArray[np.int64],
    periphery: Periphery,
    block: int,
    key: np.uint64,
    *,
    tile: int = 0,
    converters: Converters = IDEAL,
) -> FloatArray:
    """Read single input lines of one matrix, each at full scale, as a transfer does.

    One array is read and one conversion made per output; there is nothing for noise management or bound management
    to do.

    Parameters
    ----------
    matrix
        float32 (outputs, inputs).
    lines
        Input lines, one for each vector.
    periphery, block, key
        As of `read_matrices`.
    tile
        Whose converters read the matrix.
    converters
        The errors of all converters.

    Returns
    -------
    float32 (lines, outputs)
    """
    result = np.empty((lines.size, matrix.shape[0]), dtype=np.float32)
    if not periphery.is_plain:
        direct = replace(periphery, noise_management="off", bound_management="off")
        for number, rows in _by_block(lines, block, converters):
            selections = np.zeros((rows.size, matrix.shape[1]), dtype=np.float32)
            selections[np.arange(rows.size), lines[rows]] = 1.0
            result[rows], _ = read_matrices(
                [matrix],
                selections,
                direct,
                matrix.shape[1],
                _source_key(key, LINE_BLOCK, number) if number else key,
                forward=False,
                converters=converters.of_block(tile, number),
            )
        return result
    values = np.ascontiguousarray(matrix[:, lines].T)
    if periphery.dac_offset_lsb or converters.dac_weights is not None:
        drive = np.ones((1, matrix.shape[1]), dtype=np.float32)
        _misdrive(drive, periphery, converters)
        values *= drive[0, lines][:, None]
    if not periphery.adc_levels:
        return values
    if periphery.output_nonlinearity:
        bend_columns(values, np.float32(periphery.bend))
    for number, rows in _by_block(lines, block, converters):
        bank = converters.banks[tile][number] if converters.banks else None
        if rows.size == lines.size:
            _convert(values, periphery, bank, key, 0, result, False)
        else:
            _convert(values[rows], periphery, bank, key, 0, result, False, (rows, np.zeros(rows.size, dtype=np.bool_)))
    return result


def _by_block(
    lines: npt.NDArray[np.int64], block: int, converters: Converters
) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Yield the blocks that lines lie in, with the places of these lines; all are in one where converters are equal."""
    if not converters.banks:
        yield 0, np.arange(lines.size)
        return
    blocks = lines // block
    for number in sorted(set(blocks.tolist())):
        yield number, np.flatnonzero(blocks == number)


def _misdrive(driven: FloatArray, periphery: Periphery, converters: Converters) -> None:
    """Give driven lines the fixed errors of their DACs, in place."""
    if converters.dac_weights is not None:
        shift_levels(driven, periphery.dac_levels, converters.dac_weights)
    elif periphery.dac_offset_lsb:
        lengthen_pulses(driven, periphery.dac_offset_lsb / periphery.dac_levels)


def _places(
    matrices: Sequence[FloatArray], lines: int, block: int, converters: Converters
) -> Iterator[tuple[FloatArray, int, ConverterBank | None]]:
    """Yield the blocks that are converted on their own: matrix, first line, converters."""
    for number, matrix in enumerate(matrices):
        for place, start in enumerate(range(0, lines, block)):
            yield matrix, start, converters.banks[number][place] if converters.banks else None


def _convert(
    part: FloatArray,
    periphery: Periphery,
    bank: ConverterBank | None,
    key: np.uint64,
    first: int,
    total: FloatArray,
    accumulate: bool,
    chosen: tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]] | tuple[()] = (),
) -> None:
    """Convert columns with converters of a bank, or with ideal ones; `chosen` are rows and whether they clip."""
    given = (part, periphery.adc_levels, periphery.full_scale, periphery.converter_noise, key, first, total, accumulate)
    if bank is None:
        convert_columns(*given, *chosen)
    else:
        convert_bit_by_bit(*given, bank.offsets, bank.weights, *chosen)


def _source_key(key: np.uint64, source: int, attempt: int) -> np.uint64:
    return np.uint64(make_key(key, source, attempt))


def input_scales(values: FloatArray, rule: NoiseManagement, periphery: Periphery) -> DoubleArray:
    """Return what noise management divides each vector by, for (vectors, inputs) float64 (vectors,), >= 0."""
    if rule == "off":
        return np.full(len(values), periphery.input_bound)
    threshold = periphery.noise_management_threshold
    if rule == "constant":
        return np.full(len(values), threshold or 1.0)
    scales: DoubleArray = (values if rule == "max" else np.abs(values)).max(axis=1, initial=0.0).astype(np.float64)
    if threshold:
        scales = np.minimum(scales, threshold)
    if rule == WORST_CASE:
        positive = np.maximum(values, 0).sum(axis=1, dtype=np.float64)
        negative = np.maximum(-values, 0).sum(axis=1, dtype=np.float64)
        needed = np.maximum(positive, negative) * (periphery.noise_management_w_max / periphery.full_scale)
        scales = np.maximum(scales, np.minimum(needed, scales * periphery.reduction_max))
    return scales
