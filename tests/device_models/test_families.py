"""Response curves of every family against the formulas of the papers, written out here, and what follows from them."""

import math

import numpy as np
import pytest

from device_models import FAMILIES
from device_models.families import (
    ConstantStep,
    ExponentialResponse,
    ExponentialStep,
    GenericLinear,
    LinearStep,
    MeasuredTable,
    PiecewiseStep,
    PowerResponse,
    PowerStep,
    SoftBounds,
    SoftBoundsReference,
)
from tests.device_models.family_cases import CASES, inside

ASYMMETRIC = {"w_max": 1.2, "w_min": -0.8}
TAU = {"w_max": 0.7, "w_min": -0.7}


@pytest.mark.parametrize("name", CASES)
def test_steps_follow_the_formulas_of_the_papers(name):
    device, up, down = CASES[name]
    weights = inside(device)
    np.testing.assert_allclose(device.q_up(weights), [up(weight) for weight in weights], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(device.q_down(weights), [down(weight) for weight in weights], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", CASES)
def test_steps_of_many_weights_have_their_shape(name):
    device = CASES[name][0]
    for response in (device.q_up, device.q_down, device.slope_up, device.slope_down):
        assert response(np.zeros((2, 3))).shape == (2, 3)
        assert response(0.1).shape == ()


@pytest.mark.parametrize("name", CASES)
def test_slopes_are_the_derivatives_of_the_steps(name):
    device = CASES[name][0]
    weights, small = inside(device, 50), 1e-6
    for step, slope in ((device.q_up, device.slope_up), (device.q_down, device.slope_down)):
        measured = (step(weights + small) - step(weights - small)) / (2 * small)
        np.testing.assert_allclose(slope(weights), measured, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_symmetric_and_asymmetric_part_make_up_the_steps(name):
    device, up, down = CASES[name]
    for weight in inside(device):
        symmetric, asymmetric = float(device.symmetric_part(weight)), float(device.asymmetric_part(weight))
        assert symmetric - asymmetric == pytest.approx(up(weight))
        assert symmetric + asymmetric == pytest.approx(down(weight))
        assert symmetric**2 - asymmetric**2 == pytest.approx(up(weight) * down(weight))


TAU_PARTS = {
    "generic linear": (GenericLinear(dw_min=0.01, c_lin=0.3, **TAU), lambda x: 1 - 0.3 * x, lambda x: x - 0.3),
    "power": (
        PowerResponse(dw_min=0.01, gamma_r=3.0, **TAU),
        lambda x: ((1 + x) ** 3 + (1 - x) ** 3) / 2,
        lambda x: ((1 + x) ** 3 - (1 - x) ** 3) / 2,
    ),
    "exponential": (
        ExponentialResponse(dw_min=0.01, gamma_r=2.0, **TAU),
        lambda x: (math.e**2 * math.cosh(2 * x) - 1) / (math.e**2 - 1),
        lambda x: math.e**2 * math.sinh(2 * x) / (math.e**2 - 1),
    ),
}


@pytest.mark.parametrize("name", TAU_PARTS)
def test_parts_have_the_closed_forms_of_the_papers(name):
    device, symmetric, asymmetric = TAU_PARTS[name]
    for x in np.linspace(-0.95, 0.95, 9):
        assert float(device.symmetric_part(0.7 * x)) == pytest.approx(symmetric(x))
        assert float(device.asymmetric_part(0.7 * x)) == pytest.approx(asymmetric(x), abs=1e-15)


def test_parts_of_linear_steps_with_unequal_bounds():
    device = LinearStep(dw_min=0.01, gamma_up=1.0, gamma_down=1.0, **ASYMMETRIC)
    for weight in inside(device):
        assert float(device.symmetric_part(weight)) == pytest.approx(1 - (1 / 1.2 - 1 / 0.8) * weight / 2)
        assert float(device.asymmetric_part(weight)) == pytest.approx((1 / 1.2 + 1 / 0.8) * weight / 2)


SYMMETRIC_POINTS = {
    "special linear, tau 0.7": (LinearStep(dw_min=0.01, gamma_up=1.0, gamma_down=1.0, **TAU), 0.0),
    "generic linear: c tau": (GenericLinear(dw_min=0.01, c_lin=0.3, **TAU), 0.21),
    "generic linear: -c tau": (GenericLinear(dw_min=0.01, c_lin=-0.5, **TAU), -0.35),
    "soft bounds, weaker down: tau c / (2 - c)": (SoftBounds(dw_min=0.01, up_down=0.2, **TAU), 0.7 * 0.2 / 1.8),
    "soft bounds, weaker up": (SoftBounds(dw_min=0.01, up_down=-0.2, **TAU), -0.7 * 0.2 / 1.8),
    "soft bounds, unequal bounds": (
        SoftBounds(dw_min=0.01, up_down=0.1, **ASYMMETRIC),
        (1 - 0.9) / (1 / 1.2 + 0.9 / 0.8),
    ),
    "linear step": (
        LinearStep(dw_min=0.01, up_down=0.1, gamma_up=0.5, gamma_down=0.3, **TAU),
        (1 - 0.9) / (0.5 / 0.7 + 0.9 * 0.3 / 0.7),
    ),
    "power response": (PowerResponse(dw_min=0.01, gamma_r=3.0, **TAU), 0.0),
    "exponential response": (ExponentialResponse(dw_min=0.01, gamma_r=4.0, **TAU), 0.0),
    "power step, middle of the range": (PowerStep(dw_min=0.01, pow_gamma=1.5, **ASYMMETRIC), 0.2),
    "power step, weaker down": (
        PowerStep(dw_min=0.01, pow_gamma=2.0, up_down=0.2, **TAU),
        # (0.7 - w) / (0.7 + w) = sqrt(0.8)
        0.7 * (1 - math.sqrt(0.8)) / (1 + math.sqrt(0.8)),
    ),
    "piecewise": (PiecewiseStep(dw_min=0.01, piecewise_up=(2.0, 0.0), piecewise_down=(0.0, 1.0)), 1 / 3),
    "table": (MeasuredTable(dw_min=0.01, up_mean=(1.4, 0.8), down_mean=(1.0, 1.0)), 1 / 3),
}


@pytest.mark.parametrize("name", SYMMETRIC_POINTS)
def test_symmetric_point_has_its_closed_form(name):
    device, expected = SYMMETRIC_POINTS[name]
    assert device.symmetric_point() == pytest.approx(expected, abs=1e-12)
    assert float(device.asymmetric_part(device.symmetric_point())) == pytest.approx(0, abs=1e-12)


def test_of_several_symmetric_points_the_one_next_to_zero_counts():
    device = PiecewiseStep(dw_min=0.01, piecewise_up=(1, 1, 1, 1, 1), piecewise_down=(0, 2, 0.5, 1.2, 1.5))
    assert device.symmetric_point() == pytest.approx(-1 / 6)


def test_a_weight_at_which_nothing_moves_is_no_symmetric_point():
    device = PiecewiseStep(dw_min=0.01, piecewise_up=(1.0, 1.0, 0.0), piecewise_down=(0.5, 0.5, 0.0))
    assert device.symmetric_point() is None
    assert device.asymmetry_slope() is None


def test_reference_shifts_the_symmetric_point():
    assert SoftBounds(dw_min=0.01, up_down=0.2, reference_mean=0.05).symmetric_point() == pytest.approx(1 / 9 - 0.05)


def test_subtracted_symmetric_point_is_read_as_zero():
    device = SoftBoundsReference(dw_min=0.01, up_down=0.2, subtract_symmetry_point=True)
    assert device.symmetric_point() == pytest.approx(0, abs=1e-12)
    assert device.device_symmetric_point() == pytest.approx(1 / 9)
    assert device.reference() == pytest.approx(1 / 9)


@pytest.mark.parametrize(
    "device",
    [
        ConstantStep(dw_min=0.01),
        ConstantStep(dw_min=0.01, up_down=0.1),
        LinearStep(dw_min=0.01),
        LinearStep(dw_min=0.01, gamma_up=0.1, gamma_down=0.1, up_down=0.5),
        SoftBounds(dw_min=0.01, one_sided=True),
        PiecewiseStep(dw_min=0.01, piecewise_up=(1.0, 0.5), piecewise_down=(1.0, 0.5)),
    ],
    ids=["every", "imbalance", "flat", "too much imbalance", "pair", "equal tables"],
)
def test_devices_without_a_symmetric_point_of_their_own(device):
    assert device.symmetric_point() is None
    assert device.asymmetry_slope() is None
    assert device.reference() == 0


# The penalty (G / F)' at the symmetric point; tau = 0.7.
ASYMMETRY_SLOPES = {
    "soft bounds: 1 / tau": (SoftBounds(dw_min=0.01, **TAU), 1 / 0.7),
    "generic linear: 1 / (tau (1 - c^2))": (GenericLinear(dw_min=0.01, c_lin=0.3, **TAU), 1 / (0.7 * (1 - 0.09))),
    "power: gamma / tau": (PowerResponse(dw_min=0.01, gamma_r=3.0, **TAU), 3 / 0.7),
    "exponential: gamma e^gamma / (tau (e^gamma - 1))": (
        ExponentialResponse(dw_min=0.01, gamma_r=2.0, **TAU),
        2 / 0.7 * math.e**2 / (math.e**2 - 1),
    ),
    "linear, unequal bounds": (
        LinearStep(dw_min=0.01, gamma_up=1.0, gamma_down=1.0, **ASYMMETRIC),
        (1 / 1.2 + 1 / 0.8) / 2,
    ),
}


@pytest.mark.parametrize("name", ASYMMETRY_SLOPES)
def test_asymmetry_slope_has_its_closed_form(name):
    device, expected = ASYMMETRY_SLOPES[name]
    assert device.asymmetry_slope() == pytest.approx(expected)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[0].symmetric_point() is not None])
def test_asymmetry_slope_is_the_derivative_of_the_ratio(name):
    device, up, down = CASES[name]

    def ratio(weight: float) -> float:
        return (down(weight) - up(weight)) / (down(weight) + up(weight))

    point, small = device.device_symmetric_point(), 1e-7
    measured = (ratio(point + small) - ratio(point)) / small  # at a node of a table the slope is the one above it
    assert device.asymmetry_slope() == pytest.approx(measured, rel=1e-5)


@pytest.mark.parametrize(("gamma", "step"), [(0.5, 1.41), (1, 2), (2, 4), (3, 8), (4, 16)])
def test_power_response_at_the_opposite_bound(gamma, step):
    device = PowerResponse(dw_min=0.01, gamma_r=gamma)
    assert float(device.q_up(-1)) == float(device.q_down(1)) == pytest.approx(step, abs=0.005)
    assert float(device.q_up(1)) == float(device.q_down(-1)) == 0


@pytest.mark.parametrize(("gamma", "step"), [(0.5, 2.65), (1, 3.72), (2, 8.39), (3, 21.1), (4, 55.6)])
def test_exponential_response_at_the_opposite_bound(gamma, step):
    device = ExponentialResponse(dw_min=0.01, gamma_r=gamma)
    assert float(device.q_up(-1)) == pytest.approx(step, rel=0.002)
    assert float(device.q_up(-1)) == float(device.q_down(1))
    assert float(device.q_up(1)) == float(device.q_down(-1)) == 0


def test_power_response_with_exponent_one_is_soft_bounds():
    weights = np.linspace(-1, 1, 11)
    power, soft = PowerResponse(dw_min=0.01, gamma_r=1.0), SoftBounds(dw_min=0.01)
    np.testing.assert_allclose(power.q_up(weights), soft.q_up(weights))
    np.testing.assert_allclose(power.q_down(weights), soft.q_down(weights))


def test_flat_exponential_response_tends_to_soft_bounds():
    weights = np.linspace(-1, 1, 11)
    flat, soft = ExponentialResponse(dw_min=0.01, gamma_r=1e-6), SoftBounds(dw_min=0.01)
    np.testing.assert_allclose(flat.q_up(weights), soft.q_up(weights), atol=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.5])
def test_power_step_is_the_power_response_times_two_to_the_minus_gamma(gamma):
    response, step = PowerResponse(dw_min=0.01, gamma_r=gamma), PowerStep(dw_min=0.01, pow_gamma=gamma)
    weights = np.linspace(-1, 1, 11)
    np.testing.assert_allclose(step.q_up(weights), 2**-gamma * response.q_up(weights))
    np.testing.assert_allclose(step.q_down(weights), 2**-gamma * response.q_down(weights))
    assert step.granularity == pytest.approx(2**-gamma * response.granularity)


def test_exponential_step_and_exponential_response_are_different_families():
    step, response = ExponentialStep(dw_min=0.01), ExponentialResponse(dw_min=0.01)
    assert FAMILIES["exponential_step"] is ExponentialStep
    assert FAMILIES["exponential_response"] is ExponentialResponse
    # One stays near a constant step up to its bound; the other grows exponentially toward the opposite bound.
    assert float(step.q_up(-1)) == pytest.approx(1, abs=1e-2)
    assert float(response.q_up(-1)) == pytest.approx(math.e + 1)


GRANULARITIES = {
    "constant, whatever the imbalance": (ConstantStep(dw_min=0.01, up_down=0.2), 0.01),
    "power step: dw_min 2^-gamma": (PowerStep(dw_min=0.01, pow_gamma=1.5), 0.01 * 0.5**1.5),
    "exponential step: mean of both at 0": (
        ExponentialStep(dw_min=0.01, up_down=0.2, A_up=0.1, A_down=0.3, b=0.0),
        0.01 * (0.9 + 0.7) / 2,
    ),
    "pair of exponential steps: dw_min": (
        ExponentialStep(dw_min=0.01, w_max=2.0, w_min=0.0, A_up=-20.0, A_down=-2.0, a=-1.0, b=0.0, one_sided=True),
        0.01,
    ),
    "piecewise: middle node": (
        PiecewiseStep(dw_min=0.01, piecewise_up=(1.0, 0.8, 0.2), piecewise_down=(0.2, 0.6, 1.0)),
        0.007,
    ),
    "table: mean of both at 0": (MeasuredTable(dw_min=0.01, up_mean=(2.0, 1.0), down_mean=(1.0, 1.0)), 0.0125),
}


@pytest.mark.parametrize("name", GRANULARITIES)
def test_granularity_and_number_of_states(name):
    device, expected = GRANULARITIES[name]
    assert device.granularity == pytest.approx(expected)
    assert device.states == pytest.approx((device.w_max - device.w_min) / expected)


def test_families_know_their_own_name():
    assert all(record.family == name for name, record in FAMILIES.items())
    assert {case[0].family for case in CASES.values()} == set(FAMILIES)
