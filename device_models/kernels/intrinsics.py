"""Instructions of the processor that the compiled language has no word for, and what plain Python does for them."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from device_models.kernels.compile import config

FLOAT, INT = ir.FloatType(), ir.IntType(32)

if config.DISABLE_JIT:

    def count_bits(word):
        """Return how many bits of a uint32 are set."""
        return np.uint32(int(word).bit_count())

    def float_bits(value):
        """Return the bits of a float32 as int32."""
        return np.float32(value).view(np.int32)

    def bits_float(bits):
        """Return the float32 that has these bits."""
        return np.int32(bits).view(np.float32)

    def fused(factor, other, added):
        """Return factor x other + added in float32, rounded once."""
        return np.float32(np.float64(factor) * np.float64(other) + np.float64(added))

    def choose(condition, one, other):
        """Return one of two numbers of one type without a branch, for conditions that nobody can guess."""
        return one if condition else other

else:

    @intrinsic
    def count_bits(_typing, _word):
        """Return how many bits of a uint32 are set."""
        return types.uint32(types.uint32), lambda _context, builder, _signature, given: builder.ctpop(given[0])

    @intrinsic
    def float_bits(_typing, _value):
        """Return the bits of a float32 as int32."""
        return types.int32(types.float32), lambda _context, builder, _signature, given: builder.bitcast(given[0], INT)

    @intrinsic
    def bits_float(_typing, _bits):
        """Return the float32 that has these bits."""
        return types.float32(types.int32), lambda _context, builder, _signature, given: builder.bitcast(given[0], FLOAT)

    @intrinsic
    def fused(_typing, _factor, _other, _added):
        """Return factor x other + added in float32, rounded once."""
        single = types.float32
        return single(single, single, single), lambda _context, builder, _signature, given: builder.fma(*given)

    @intrinsic
    def choose(_typing, _condition, one, other):
        """Return one of two numbers of one type without a branch, for conditions that nobody can guess."""
        assert one == other, "both numbers must have one type"
        return one(types.boolean, one, one), lambda _context, builder, _signature, given: builder.select(*given)
