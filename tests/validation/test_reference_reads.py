"""Reads of the reference simulator: every case that was measured there, forward and backward."""

import math

import numpy as np
import pytest

from cosim.periphery import Periphery
from cosim.reading import read_matrices
from tests.oracles.reference_simulator import section

EXACT = [
    "perfect",
    "dac_adc_default_nonoise",
    "dac_only",
    "adc_only",
    "no_noise_management",
    "nm_max",
    "nm_absmax_npsum",
    "sat_no_bm",
    "sat_bm_iterative",
    "out_nonlinearity_0.5",
]
NOISY = ["default", "noise_only", "inp_noise_0.05"]
MANAGEMENTS = {
    "AbsMax": "abs_max",
    "Max": "max",
    "AbsMaxNPSum": "abs_max_np_sum",
    "None": "off",
    "Iterative": "iterative",
}


def periphery_of(settings):
    """Return the periphery that settings of the reference describe; -1 stands for an ideal converter there."""
    if settings.get("is_perfect"):
        return Periphery()
    return Periphery(
        dac_bits=None if settings.get("inp_res") == -1 else 7,
        adc_bits=None if settings.get("out_res") == -1 else 9,
        full_scale=settings.get("out_bound", 12.0),
        input_noise=settings.get("inp_noise", 0.0),
        output_noise=settings.get("out_noise", 0.06),
        output_nonlinearity=settings.get("out_nonlinearity", 0.0),
        noise_management=MANAGEMENTS[settings.get("noise_management", "AbsMax")],
        bound_management=MANAGEMENTS[settings.get("bound_management", "Iterative")],
    )


def reads(name, repeats=1):
    """Yield direction, weights, result and activity of each read of a case."""
    reference = section("mvm")
    case = reference["cases"][name]
    saturating = case.get("uses") == "W_sat,x_sat"
    weights = np.array(reference["W_sat" if saturating else "W"], np.float32)
    vectors = {"forward": reference["x_sat" if saturating else "x"], "backward": reference["d"]}
    for direction, matrix in (("forward", weights), ("backward", weights.T)):
        if not saturating or direction == "forward":
            inputs = np.tile(np.float32(vectors[direction]), (repeats, 1))
            forward = direction == "forward"
            result, activity = read_matrices(
                [matrix], inputs, periphery_of(case["io"]), matrix.shape[1], np.uint64(17), forward=forward
            )
            yield direction, case, matrix, result, activity


def test_no_case_is_left_out():
    assert set(section("mvm", "cases")) == {*EXACT, *NOISY}


@pytest.mark.parametrize("name", EXACT)
def test_reads_without_noise_agree(name):
    for direction, case, _, result, activity in reads(name):
        # The file holds weights, inputs and results to seven digits.
        np.testing.assert_allclose(result[0], case[direction], atol=3e-6, rtol=1e-6)
        # The saturating vector gives 25.7 of 12: in range at a quarter of the input.
        assert activity.vectors == (3 if name == "sat_bm_iterative" else 1)


@pytest.mark.parametrize("name", NOISY)
def test_reads_with_noise_agree_in_mean_and_deviation(name):
    repeats = section("mvm", "cases", name, "n_trials")
    for direction, case, matrix, result, _ in reads(name, repeats):
        mean, deviation = np.array(case[f"{direction}_mean"]), np.array(case[f"{direction}_std"])
        # 4.5 sigma of the difference of two samples, at most 24 numbers each: a false alarm once in 3,000. The
        # normals of the reference come from a table of 32,768: off by 1/181 sigma, their spread by 0.4 % (4 sigma
        # again), and noise of the inputs shifts a column by the sum of its weights over their length.
        shift = np.abs(matrix.sum(axis=1)) / np.linalg.norm(matrix, axis=1) if name.startswith("inp") else 1.0
        slack = 4.5 * math.sqrt(2 / repeats) + 4 / 181 * shift
        assert np.all(np.abs(result.mean(axis=0, dtype=float) - mean) < slack * deviation)
        spread = result.std(axis=0, dtype=float)
        np.testing.assert_allclose(spread, deviation, rtol=4.5 / math.sqrt(repeats) + 4 / math.sqrt(2 * 32_768))
