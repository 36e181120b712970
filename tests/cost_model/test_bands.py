"""How sure a bill is: the range of each number, the bands that they make together, and which number decides."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from circuits.calibration import NOMINAL, ROOM_K
from cost_model.bands import (
    KIND_RANGES,
    LAYOUT,
    TORNADO_COLUMNS,
    Assumption,
    assumption,
    assumptions_of,
    monte_carlo,
    tornado,
    with_corners,
)
from cost_model.bill import FIGURES
from cost_model.components import area_charges, charges
from cost_model.floorplan import MatrixShape
from cost_model.models import calibrated
from cost_model.price import Price, derived, price_of
from cost_model.pricing import Totals, price_totals
from device_models.quantity import KINDS, Quantity
from tests.cost_model.designs import hardware, schedule

SHAPES = [MatrixShape("dense1", 20, 64, backward=False), MatrixShape("dense2", 10, 20)]


def number(value=2.0, kind="assumed", low=None, high=None, unit="J"):
    return Quantity(value, unit, kind, "neurosim", "of a test", low=low, high=high)


def factor_of(name, low, high):
    return Assumption(name, number(), low, high)


def energy_is(cost):
    """Return what prices a design by a function of its factors; latency and area do not depend on them."""

    def evaluate(design):
        return Totals(cost(lambda name: design.factors.get(name, 1.0)), 5.0, 7.0, 0)

    return evaluate


def priced(design):
    scheduler = schedule("analog_sgd", SHAPES, design, samples=8, mini_batches=8)
    terms = {"algorithm": "analog_sgd", "storage": scheduler.algorithm.storage(1), "samples": 8}
    return price_totals(scheduler.rows(), design, scheduler.floorplans, **terms)


def resting_on(design):
    """Return the assumptions of a design's operations and areas."""
    area = priced(design).area_m2
    listed = charges(design, "analog_sgd", area_m2=area)
    prices = [price for charge in listed for price in (charge.energy_j, charge.latency_s) if price is not None]
    return assumptions_of([*prices, *(charge.area_m2 for charge in area_charges(design))])


# ---- the range of a number


def test_a_number_with_a_range_of_its_own_has_that():
    found = assumption("gate", number(2.0, low=0.5, high=3.0))
    assert (found.name, found.low, found.high) == ("gate", 0.25, 1.5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_without_a_range_has_that_of_its_kind(kind):
    found = assumption("gate", number(kind=kind))
    assert (found.low, found.high) == KIND_RANGES[kind]


def test_the_less_sure_a_kind_is_the_wider_is_its_range():
    ordered = [KIND_RANGES[kind] for kind in ("measured", "fitted", "derived", "assumed")]
    assert set(KIND_RANGES) == set(KINDS)
    assert all(wide[0] < narrow[0] < 1 < narrow[1] < wide[1] for narrow, wide in itertools.pairwise(ordered))


def test_a_range_that_begins_at_zero_ends_at_a_thousandth():
    found = assumption("gate", number(2.0, low=0.0, high=2.0))
    assert (found.low, found.high) == (1e-3, 1.0)


@pytest.mark.parametrize(
    ("cell", "quantity"), [("sar_adc", "energy_j"), ("sar_adc", "latency_s"), ("tia", "power_w"), ("tia", "latency_s")]
)
def test_a_simulated_number_has_the_range_of_its_corners_and_of_layout(cell, quantity):
    table = hardware().simulated
    rows = table.rows_of(cell, quantity)
    ratios = []
    for row in rows:
        (nominal,) = (
            other.quantity.value for other in rows if other.numbers == row.numbers and other.holds_at(NOMINAL, ROOM_K)
        )
        ratios.append(row.quantity.value / nominal)
    price = calibrated(hardware(), cell, quantity)
    ((name, quoted),) = price.assumptions.items()
    assert name == f"{cell} {quantity}"
    assert quoted.value == price.value
    layout = LAYOUT.get(price.unit, 1.0)
    if len(set(ratios)) > 1:
        expected = (min(ratios), max(ratios) * layout)
    elif price.unit == "s" and price.kind == "derived":
        expected = (1, 1)  # whole clock periods
    else:
        expected = (KIND_RANGES[price.kind][0], KIND_RANGES[price.kind][1] * layout)
    assert (quoted.low / quoted.value, quoted.high / quoted.value) == pytest.approx(expected, rel=1e-12)


def test_simulated_numbers_with_and_without_corners_are_among_them():
    table = hardware().simulated
    spreads = {(row.cell, row.name): table.spread(row.cell, row.name) for row in table.rows}
    assert any(spread is None for spread in spreads.values())
    known = [spread for spread in spreads.values() if spread is not None]
    assert known
    assert all(0 < low <= 1 <= high for low, high in known)


def test_a_number_of_either_sign_keeps_no_corners():
    negative = number(-1.0, kind="measured", unit="1")
    assert with_corners(hardware().simulated, "tia", "nonlinearity", negative) is negative


def test_assumptions_stand_once_in_the_order_in_which_prices_name_them():
    one, two, three = (price_of(number(value), name) for value, name in ((1.0, "a"), (2.0, "b"), (3.0, "c")))
    both = derived(6.0, "J", "c x b", three, two)
    assert [found.name for found in assumptions_of([one, both, two])] == ["a", "c", "b"]


def test_numbers_that_move_nothing_are_left_out():
    prices = [
        price_of(number(0.0), "zero"),
        price_of(number(2.0, low=2.0, high=2.0), "exact"),
        price_of(number(2.0, low=1.0, high=2.0), "lower"),
        price_of(number(2.0, low=2.0, high=4.0), "higher"),
        Price(3.0, "J", "derived"),
    ]
    assert [found.name for found in assumptions_of(prices)] == ["lower", "higher"]


def test_a_number_that_the_study_gives_is_exact():
    plain, given = (
        {found.name for found in resting_on(hardware(overrides=overrides))}
        for overrides in ({}, {"flop_energy_j": 1e-12})
    )
    assert plain - given == {"flop_energy_j"}


# ---- Monte Carlo

DRAWS = 20_000


def quantile_error(distribution, probability, draws):
    """Return the standard error of a sample's quantile."""
    density = distribution.pdf(distribution.ppf(probability))
    return math.sqrt(probability * (1 - probability) / draws) / density


@pytest.mark.parametrize("high", [1.1, 2.0, 5.0])
def test_the_percentiles_of_one_number_are_those_of_a_log_normal(high):
    band = monte_carlo(
        energy_is(lambda factor: 3 * factor("x")), hardware(), [factor_of("x", 1 / high, high)], draws=DRAWS
    )
    expected = stats.lognorm(s=math.log(high) / stats.norm.ppf(0.95), scale=3)
    energy = band.set_index("figure").loc["energy_per_sample_j"]
    for found, probability in ((energy["low"], 0.05), (energy["high"], 0.95)):
        assert abs(found - expected.ppf(probability)) < 4 * quantile_error(expected, probability, DRAWS)
    assert expected.ppf(0.05) == pytest.approx(3 / high)
    assert expected.ppf(0.95) == pytest.approx(3 * high)


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.2), (0.9, 4.0), (1.0, 2.0), (0.2, 1.0)])
def test_either_side_of_a_number_has_its_own_width(low, high):
    drawn = {}

    def evaluate(design):
        drawn.update(design.factors)
        return Totals(design.factors.get("x", 1.0), 1.0, 1.0, 0)

    band = monte_carlo(evaluate, hardware(), [factor_of("x", low, high)], draws=DRAWS).iloc[0]
    assert band["low"] == pytest.approx(low, rel=0.05)
    assert band["high"] == pytest.approx(high, rel=0.05)
    factors = drawn["x"]
    assert np.median(factors) == pytest.approx(1, rel=0.05)
    for side, end in ((factors[factors < 1], low), (factors[factors > 1], high)):
        if end == 1:
            assert not len(side)
            continue
        # What falls outside of the range stands at its end: one draw in ten of this side.
        at_end = np.isclose(side, end, rtol=1e-12)
        assert at_end.mean() == pytest.approx(0.1, abs=5 * math.sqrt(0.09 / len(side)))
        assert (np.abs(np.log(side)) <= abs(math.log(end)) * (1 + 1e-12)).all()
        half = stats.halfnorm(scale=abs(math.log(end)) / stats.norm.ppf(0.95))
        inside = half.cdf(np.abs(np.log(side[~at_end]))) / 0.9
        assert stats.kstest(inside, "uniform").pvalue > 1e-3


def test_figures_come_in_order_with_their_nominal_value():
    band = monte_carlo(energy_is(lambda factor: 3 * factor("x")), hardware(), [factor_of("x", 0.5, 2.0)], draws=50)
    assert list(band.columns) == ["figure", "low", "nominal", "high", "draws"]
    assert band["figure"].tolist() == list(FIGURES)
    assert band["nominal"].tolist() == [3, 5, 7]
    assert band["draws"].tolist() == [50] * 3
    untouched = band.iloc[1:]
    assert (untouched["low"] == untouched["nominal"]).all()
    assert (untouched["high"] == untouched["nominal"]).all()


def test_ranges_of_no_width_make_bands_of_no_width():
    known = resting_on(hardware())
    exact = [replace(one, low=1.0, high=1.0) for one in known]
    for assumptions in ([], exact):
        band = monte_carlo(priced, hardware(), assumptions, draws=20)
        assert (band["low"] == band["nominal"]).all()
        assert (band["high"] == band["nominal"]).all()


def test_bands_come_again_with_their_seed():
    known = resting_on(hardware())
    one, again, other = (monte_carlo(priced, hardware(), known, draws=40, seed=seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one, again, check_exact=True)
    assert (one["low"] != other["low"]).all()
    assert (one["nominal"] == other["nominal"]).all()


def test_numbers_are_drawn_independently_by_streams_of_their_own():
    drawn = []

    def evaluate(design):
        drawn.append(dict(design.factors))
        return Totals(1.0, 1.0, 1.0, 0)

    known = [factor_of(name, 0.5, 2.0) for name in "abc"]
    for assumptions in (known, known[:2]):
        monte_carlo(evaluate, hardware(), assumptions, draws=DRAWS)
    three, _, two, _ = drawn
    assert all(np.array_equal(three[name], two[name]) for name in two)
    correlations = np.corrcoef([np.log(three[name]) for name in "abc"])
    assert np.abs(correlations - np.eye(3)).max() < 4 / math.sqrt(DRAWS)


def test_the_bands_of_a_bill_hold_its_nominal_value_and_have_a_width():
    band = monte_carlo(priced, hardware(), resting_on(hardware()), draws=300)
    assert (band["low"] < band["nominal"]).all()
    assert (band["nominal"] < band["high"]).all()
    nominal = priced(hardware())
    assert band["nominal"].tolist() == [getattr(nominal, figure) for figure in FIGURES]


@pytest.mark.parametrize("draws", [0, 19])
def test_percentiles_of_few_draws_are_refused(draws):
    with pytest.raises(ValueError, match=f"draws = {draws} is not allowed; percentiles need at least 20"):
        monte_carlo(priced, hardware(), [], draws=draws)


# ---- tornado


def test_one_number_alone_moves_a_linear_cost_exactly():
    weights = {"a": 1.0, "b": 8.0, "c": 2.0}
    known = [factor_of("a", 0.5, 2.0), factor_of("b", 0.75, 1.25), factor_of("c", 0.25, 1.0)]
    table = tornado(energy_is(lambda factor: sum(w * factor(name) for name, w in weights.items())), hardware(), known)
    energy = table[table["figure"] == "energy_per_sample_j"].set_index("assumption")
    for one in known:
        expected = [11 + weights[one.name] * (end - 1) for end in (one.low, one.high)]
        assert energy.loc[one.name, ["low", "high"]].tolist() == expected
    assert energy.index.tolist() == ["b", "a", "c"]  # swings of 4, 1.5 and 1.5
    assert energy.loc["b", ["nominal", "assumption_low", "assumption_high"]].tolist() == [2.0, 1.5, 2.5]
    assert energy.loc["b", ["unit", "kind", "source"]].tolist() == ["J", "assumed", "neurosim"]


def test_the_tornado_of_a_bill_has_every_number_for_every_figure_the_largest_swing_first():
    known = resting_on(hardware())
    table = tornado(priced, hardware(), known)
    assert tuple(table.columns) == TORNADO_COLUMNS
    assert table["figure"].drop_duplicates().tolist() == list(FIGURES)
    for _, rows in table.groupby("figure"):
        assert sorted(rows["assumption"]) == sorted(one.name for one in known)
        swings = (rows["high"] - rows["low"]).abs().to_numpy()
        assert (np.diff(swings) <= 0).all()
        assert swings[0] > 0
    assert table["source"].str.len().gt(0).all()


@pytest.mark.parametrize("name", ["flop_energy_j", "sar_adc energy_j", "cell_area_m2", "tia power_w", "write_phases"])
def test_a_bar_of_the_tornado_is_the_bill_at_either_end(name):
    known = resting_on(hardware())
    one = next(found for found in known if found.name == name)
    table = tornado(priced, hardware(), known).set_index(["figure", "assumption"])
    for end in ("low", "high"):
        alone = priced(hardware(factors={name: getattr(one, end)}))
        for figure in FIGURES:
            assert table.loc[(figure, name), end] == getattr(alone, figure)
    moved = [figure for figure in FIGURES if table.loc[(figure, name), "low"] != table.loc[(figure, name), "high"]]
    assert moved


def test_a_tornado_of_nothing_is_empty():
    table = tornado(priced, hardware(), [])
    assert table.empty
    assert tuple(table.columns) == TORNADO_COLUMNS
