import pandas as pd
import pytest
from matplotlib.figure import Figure

from cosim.reporting.engineering import axis_scale
from cosim.reporting.tornado import draw_tornado, drawn, largest, plot_tornado

COLUMNS = (
    "figure",
    "assumption",
    "nominal",
    "assumption_low",
    "assumption_high",
    "unit",
    "kind",
    "source",
    "low",
    "high",
)
ENERGY = "energy_per_sample_j"


def rows(*swings, figure=ENERGY):
    """Assumptions named by number, each with the result at its low and its high end."""
    return pd.DataFrame(
        [(figure, f"price_{number}", 1e-12, 4e-13, 2e-12, "J", "assumed", "a2020", *ends)
         for number, ends in enumerate(swings)],
        columns=list(COLUMNS),
    )  # fmt: skip


@pytest.fixture
def axes():
    return Figure().subplots()


def test_the_largest_swing_comes_first_and_what_moves_nothing_is_left_out():
    table = rows((0.9, 1.1), (0.5, 1.2), (1.0, 1.0), (1.3, 0.8), (0.99, 1.0), (0.8, 1.0), (0.7, 1.0))
    assert list(largest(table, ENERGY)["assumption"]) == ["price_1", "price_3", "price_6", "price_0", "price_5"]
    assert largest(table, "area_m2").empty


def test_bars_reach_from_the_nominal_result_to_both_ends(axes):
    plot_tornado(axes, rows((0.5e-6, 3e-6)), nominal=1e-6, scale=axis_scale([1e-6], "J"))
    reaches = sorted((bar.get_x(), bar.get_width()) for bar in axes.patches)
    assert [number for bar in reaches for number in bar] == pytest.approx([1.0, -0.5, 1.0, 2.0])
    assert {text.get_text() for text in axes.texts} == {"−50 %", "+200 %"}
    assert axes.get_yticklabels()[0].get_text() == "price 0\n400 fJ – 2.00 pJ, assumed"


def test_where_both_ends_lie_on_one_side_the_shorter_bar_is_on_top_and_one_number_is_written(axes):
    plot_tornado(axes, rows((1.1, 1.5)), nominal=1.0, scale=axis_scale([1.0], "J"))
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.5, 0.1])
    assert [text.get_text() for text in axes.texts] == ["+50 %"]


def test_a_panel_for_each_result_that_anything_moves():
    table = pd.concat(
        [rows((0.5, 2.0)), rows((1.0, 1.0), figure="latency_per_sample_s"), rows((1e-6, 3e-6), figure="area_m2")]
    )
    nominal = {ENERGY: 1.0, "latency_per_sample_s": 1.0, "area_m2": 2e-6}
    assert list(drawn(table, nominal)) == [ENERGY, "area_m2"]
    figure = draw_tornado(table, nominal)
    assert [axes.get_xlabel() for axes in figure.axes] == ["energy per training sample (J)", "area (mm²)"]


def test_an_assumption_without_unit_or_kind_is_a_plain_number(axes):
    table = rows((0.9, 1.1)).assign(unit=None, kind=None, assumption_low=4, assumption_high=16)
    plot_tornado(axes, table, nominal=1.0, scale=axis_scale([1.0], "J"))
    assert axes.get_yticklabels()[0].get_text() == "price 0\n4–16"
