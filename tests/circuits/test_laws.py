"""Laws: fitted on some points, judged on those that the fit never saw."""

import numpy as np
import pytest

from circuits.laws import Law, LawError, fit_law

TRUTH = {"a": -0.7e-15, "b": 19.35e-15, "c": 0.309e-15}


def sar_energy(at, k):
    return k["a"] + k["b"] * at["bits"] + k["c"] * 2 ** at["bits"]


def law(**changed):
    return Law(
        **{
            **{"quantity": "energy_j", "formula": "a + b n + c 2^n", "variables": ("bits",)},
            **{"start": dict.fromkeys(TRUTH, 1e-15), "evaluate": sar_energy},
            "held_out": lambda at: at["bits"] in (5, 7, 9),
            **changed,
        }
    )


def points(noise=0.0, seed=1):
    draws = np.random.default_rng(seed).normal(size=7)
    return [
        ({"bits": bits}, sar_energy({"bits": bits}, TRUTH) * (1 + noise * draw))
        for bits, draw in zip(range(4, 11), draws, strict=True)
    ]


def test_a_law_that_holds_is_recovered():
    fitted = fit_law(law(), points())
    for name, value in TRUTH.items():
        assert fitted.coefficients[name] == pytest.approx(value, rel=1e-6)
    assert (fitted.fitted_points, fitted.held_out_points) == (4, 3)
    assert fitted.worst_held_out_error < 1e-9
    assert fitted.is_accurate
    assert fitted({"bits": 7}) == pytest.approx(sar_energy({"bits": 7}, TRUTH))
    assert fitted.covers({"bits": 4.5})
    assert not fitted.covers({"bits": 11})
    assert not fitted.covers({"tiles": 4})


def test_points_that_are_held_out_do_not_move_the_fit_and_are_judged():
    moved = [(at, value * (1.08 if at["bits"] == 7 else 1)) for at, value in points()]
    fitted = fit_law(law(), moved)
    assert fitted.coefficients["b"] == pytest.approx(TRUTH["b"], rel=1e-6)
    assert fitted.worst_held_out_error == pytest.approx(1 - 1 / 1.08, rel=1e-6)
    assert fitted.worst_fit_error < 1e-9
    assert not fitted.is_accurate


def test_a_law_that_lacks_a_term_is_told_apart():
    two_terms = law(
        formula="a + c 2^n",
        start={"a": 1e-13, "c": 1e-15},
        evaluate=lambda at, k: k["a"] + k["c"] * 2 ** at["bits"],
    )
    assert fit_law(two_terms, points()).worst_fit_error > 0.05


def test_a_law_without_judges_or_with_too_few_points_is_refused():
    with pytest.raises(LawError, match="4 points for 3 coefficients, and 0 held out"):
        fit_law(law(), [pair for pair in points() if pair[0]["bits"] % 2 == 0])
    with pytest.raises(LawError, match="2 points for 3 coefficients, and 3 held out; at least 3 and 1 are needed"):
        fit_law(law(), points()[1:6])
    with pytest.raises(LawError, match="relative errors need values above 0"):
        fit_law(law(), [*points(), ({"bits": 12}, 0.0)])
