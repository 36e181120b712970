"""The converters of an array one by one: capacitors that are not quite equal, offsets that calibration leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cosim.kernels.convert import BITS_TOGETHER, PIECE
from cosim.periphery import Periphery
from cost_model.floorplan import Side

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

# Sources of random numbers, each for a forward and a backward read; a tile's devices draw at other addresses.
ADDRESS = 2
ADC_CAPACITORS, ADC_OFFSETS, DAC_CAPACITORS = 0, 2, 4


@dataclass(frozen=True)
class ConverterBank:
    """The converters that read all outputs of a matrix for one block of its input lines.

    Parameters
    ----------
    offsets
        float32 (pieces, PIECE), what the converter of an output reads too low, in LSB.
    weights
        float32 (pieces, places for bits, PIECE), what its bits are worth in LSB, the highest first.
    """

    offsets: FloatArray
    weights: FloatArray


@dataclass(frozen=True)
class Converters:
    """The physical converters of one direction of a read.

    Parameters
    ----------
    banks
        For each matrix that is read, one bank per block of input lines; nothing for ideal arrays of capacitors.
    dac_weights
        float32 (pieces, places for bits, PIECE), what the bits of each input line's DAC are worth in its steps;
        None for ideal ones.
    """

    banks: tuple[tuple[ConverterBank, ...], ...] = ()
    dac_weights: FloatArray | None = None

    def of_tiles(self, tiles: Sequence[int]) -> Converters:
        """Return the converters of some matrices, in this order."""
        return replace(self, banks=tuple(self.banks[tile] for tile in tiles)) if self.banks else self

    def of_block(self, tile: int, block: int) -> Converters:
        """Return the converters that a read of one block of one matrix needs."""
        return replace(self, banks=((self.banks[tile][block],),)) if self.banks else self


IDEAL = Converters()


def draw_converters(
    periphery: Periphery, driven: Side, sensed: Side, *, tiles: int, seed: int, stream: int, forward: bool
) -> Converters:
    """Draw the converters of one direction of a read; same seed and stream, same converters.

    Every physical array has its own: `Periphery.columns_per_adc` neighbouring outputs of an array take turns on one
    ADC. A line has one DAC, which feeds the arrays of all tiles. Forward and backward reads convert on different
    sides of the arrays.

    Parameters
    ----------
    periphery
        How far they are off.
    driven, sensed
        Lines that are driven and lines that are read.
    tiles
        Tiles with ADCs of their own; 1 where they share them.
    seed, stream
        Address of the random numbers.
    forward
        Direction of the read.
    """
    if not periphery.adc_errs and not periphery.dac_capacitor_mismatch:
        return IDEAL

    def generator(source: int) -> np.random.Generator:
        counter = [0, 0, ADDRESS, source + (0 if forward else 1)]
        return np.random.Generator(np.random.Philox(key=[seed, stream], counter=counter))

    banks: list[tuple[ConverterBank, ...]] = []
    if periphery.adc_errs and periphery.adc_bits:
        per_array = math.ceil(sensed.block_lines / periphery.columns_per_adc)
        per_bank = per_array * sensed.blocks
        count = tiles * driven.blocks * per_bank
        weights = capacitor_weights(
            periphery.adc_bits, periphery.adc_capacitor_mismatch, count, generator(ADC_CAPACITORS)
        )
        # Whole codes of an offset are subtracted digitally: what is left of it is anything up to half of a step.
        reach = math.sqrt(3) * periphery.adc_offset_lsb
        offsets = generator(ADC_OFFSETS).uniform(-reach, reach, count)
        outputs = np.arange(sensed.lines)
        block, line = np.divmod(outputs, max(sensed.block_lines, 1))
        converter = block * per_array + line // periphery.columns_per_adc
        for tile in range(tiles):
            places = [(tile * driven.blocks + number) * per_bank + converter for number in range(driven.blocks)]
            banks.append(tuple(ConverterBank(*in_pieces(offsets[place], weights[place])) for place in places))
    dac_weights = None
    if periphery.dac_capacitor_mismatch and periphery.dac_bits:
        spread = periphery.dac_capacitor_mismatch
        drawn = capacitor_weights(periphery.dac_bits, spread, driven.lines, generator(DAC_CAPACITORS))
        _, dac_weights = in_pieces(np.zeros(driven.lines), drawn)
    return Converters(tuple(banks), dac_weights)


def capacitor_weights(bits: int, mismatch: float, count: int, generator: np.random.Generator) -> DoubleArray:
    """Draw binary arrays of capacitors, and return what their bits are worth, float64 (count, bits), highest first.

    Capacitor k consists of 2^k units, beside a dummy of one unit. Units are off independently, so capacitor k is off
    by mismatch / sqrt(2^k) of its value. A bit is worth its share of the whole array, 2^bits steps.

    Parameters
    ----------
    bits
        Resolution, >= 1.
    mismatch
        Relative standard deviation of one unit capacitor, >= 0.
    count
        Number of arrays.
    generator
        Source of random numbers; an array's numbers do not depend on how many follow.
    """
    units = 2.0 ** np.append(np.arange(bits)[::-1], 0)
    capacitors = units + mismatch * np.sqrt(units) * generator.standard_normal((count, bits + 1))
    weights: DoubleArray = 2.0**bits * capacitors[:, :bits] / capacitors.sum(axis=1, keepdims=True)
    return weights


def in_pieces(offsets: DoubleArray, weights: DoubleArray) -> tuple[FloatArray, FloatArray]:
    """Lay out what belongs to lines as the kernels go through them: in pieces of `PIECE` numbers.

    Many lines are cut into pieces; few are repeated, because a kernel takes several vectors at a time. Bits are filled
    up to a multiple of `BITS_TOGETHER` with bits that are worth more than anything, and so are never set.

    Parameters
    ----------
    offsets
        (lines,).
    weights
        (lines, bits).

    Returns
    -------
    float32 (pieces, PIECE), and float32 (pieces, places for bits, PIECE).
    """
    lines, bits = weights.shape
    places = math.ceil(bits / BITS_TOGETHER) * BITS_TOGETHER
    rows = np.full((lines, 1 + places), np.inf, dtype=np.float32)
    rows[:, 0], rows[:, 1 : 1 + bits] = offsets, weights
    pieces = max(1, math.ceil(lines / PIECE))
    repeats = max(1, PIECE // max(lines, 1))
    room = np.zeros((pieces * PIECE, 1 + places), dtype=np.float32)
    filled = np.tile(rows, (repeats, 1))
    room[: len(filled)] = filled
    laid_out = np.ascontiguousarray(room.reshape(pieces, PIECE, 1 + places).transpose(0, 2, 1))
    return np.ascontiguousarray(laid_out[:, 0]), np.ascontiguousarray(laid_out[:, 1:])
