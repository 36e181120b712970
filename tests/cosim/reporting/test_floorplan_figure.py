import math

import pandas as pd
import pytest
from matplotlib.figure import Figure

from cosim.reporting.floorplan_figure import (
    Block,
    areas_by_component,
    draw_floorplan,
    plot_map,
    plot_totals,
    totals,
    tree_map,
)
from cosim.reporting.style import fill_styles

FLOORPLAN = pd.DataFrame(
    {
        "layer": ["conv1", "dense1", "network"],
        "tiles": [6.0, 6.0, math.nan],
        "array_area_m2": [1e-9, 2e-9, 0.0],
        "periphery_area_m2": [3e-8, 6e-8, 5e-8],
        "one_copy_area_m2": [1e-10, 2e-10, math.nan],
    }
)
BILL = pd.DataFrame(
    {
        "layer": ["conv1", "conv1", "conv1", "dense1", "dense1", "network", "dense1"],
        "component": ["array", "adc", "tia", "array", "tia", "sram", "tia"],
        "area_m2": [1e-9, 1e-8, 2e-8, 2e-9, 6e-8, 5e-8, 0.0],
    }
)


@pytest.mark.parametrize("sizes", [[1.0], [6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0], [1e6, 1.0, 1e-3], [1.0] * 17])
def test_a_map_is_to_scale_and_fills_its_block(sizes):
    block = Block(1.0, 2.0, 6.0, 4.0)
    placed = tree_map(sizes, block)
    whole = sum(sizes)
    for size, part in zip(sizes, placed, strict=True):
        assert part.width * part.height == pytest.approx(24.0 * size / whole, rel=1e-9)
        assert part.left >= 1.0 - 1e-9
        assert part.left + part.width <= 7.0 + 1e-9
        assert part.bottom >= 2.0 - 1e-9
        assert part.bottom + part.height <= 6.0 + 1e-9
    for number, one in enumerate(placed):
        for other in placed[number + 1 :]:
            across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
            up = min(one.bottom + one.height, other.bottom + other.height) - max(one.bottom, other.bottom)
            assert min(across, up) < 1e-9


def test_the_published_example_of_squarified_maps():
    # Bruls 2000, fig. 4: sizes 6 6 4 3 2 2 1 in 6 x 4; the first two share the left column of width 3.
    placed = tree_map([6, 6, 4, 3, 2, 2, 1], Block(0, 0, 6, 4))
    assert [(part.width, part.height) for part in placed[:2]] == [(3.0, 2.0), (3.0, 2.0)]
    assert max(max(part.width / part.height, part.height / part.width) for part in placed) < 3


def test_equal_blocks_are_square():
    assert {(round(part.width, 9), round(part.height, 9)) for part in tree_map([1.0] * 4, Block(0, 0, 2, 2))} == {
        (1.0, 1.0)
    }


def test_a_map_of_nothing_is_refused():
    assert tree_map([], Block(0, 0, 1, 1)) == []
    with pytest.raises(ValueError, match=r"positive sizes, and the smallest of 2 is 0"):
        tree_map([1.0, 0.0], Block(0, 0, 1, 1))


def test_areas_come_from_the_bill_or_else_in_two_pieces():
    areas = areas_by_component(FLOORPLAN, BILL)
    assert areas.loc["conv1", "tia"] == 2e-8
    assert areas.to_numpy().sum() == pytest.approx(BILL["area_m2"].sum())
    rough = areas_by_component(FLOORPLAN, BILL.assign(area_m2=0.0))
    assert list(rough.columns) == ["array", "periphery"]
    assert rough.loc["network", "periphery"] == 5e-8


def test_totals_tell_the_weights_from_what_stands_around_them():
    shown = totals(FLOORPLAN, areas_by_component(FLOORPLAN, BILL))
    assert list(shown.values()) == pytest.approx([3e-10, 3e-9, 9.3e-8, 1.43e-7])
    alone = FLOORPLAN[FLOORPLAN["layer"] != "network"]
    areas = areas_by_component(alone, BILL[BILL["layer"] != "network"])
    assert "whole design" not in totals(alone, areas)


def test_the_sides_of_the_map_are_millimetres():
    areas = areas_by_component(FLOORPLAN, BILL)
    axes = Figure().subplots()
    plot_map(axes, areas, fill_styles(areas.columns, ()))
    assert axes.get_xlim()[1] ** 2 == pytest.approx(0.143)
    drawn = sum(patch.get_width() * patch.get_height() for patch in axes.patches if patch.get_facecolor()[3] > 0)
    assert drawn == pytest.approx(0.143)


@pytest.mark.parametrize(("largest", "scale"), [(3e-9, "linear"), (3e-7, "log")])
def test_the_axis_is_logarithmic_where_areas_differ_much(largest, scale):
    axes = Figure().subplots()
    plot_totals(axes, {"one": 1e-9, "other": largest})
    assert axes.get_xscale() == scale
    assert axes.texts[0].get_text() == "0.00100 mm²"
    assert ("log scale" in axes.get_xlabel()) is (scale == "log")


def test_the_legend_names_every_component_once():
    figure = draw_floorplan(FLOORPLAN, BILL)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["adc", "tia", "array", "sram"]
