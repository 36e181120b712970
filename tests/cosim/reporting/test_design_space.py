import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection, PolyCollection

from cosim.reporting.design_space import (
    MOST_POINTS,
    draw_designs,
    drawable,
    front_points,
    swept_names,
    swept_text,
)


def designs(count, accuracy=False, front=8):
    """Designs along a line: energy rises with the number, area and latency fall; the first few are on the front."""
    number = np.arange(count)
    return pd.DataFrame(
        {
            "design": number,
            "algorithm.tiles": 1 + number % 4,
            "hardware.adc_bits": 8,
            "energy_per_sample_j": 1e-6 * (1 + number),
            "latency_per_sample_s": 1e-3 / (1 + number),
            "area_m2": 1e-5 / (1 + number),
            "digital_storage_byte": 1000.0,
            "test_accuracy": 0.9 if accuracy else math.nan,
            "on_front": number < front,
        }
    )


def test_only_keys_that_differ_are_swept():
    assert swept_names(designs(10)) == ["algorithm.tiles"]


def test_designs_without_a_price_are_left_out():
    table = designs(5)
    table.loc[1, "area_m2"] = 0.0
    table.loc[2, "latency_per_sample_s"] = math.nan
    assert list(drawable(table)["design"]) == [0, 3, 4]


def test_the_best_in_each_respect_have_a_letter():
    table = designs(100, accuracy=True, front=40)
    table.loc[17, "test_accuracy"] = 0.95
    points = front_points(table)
    assert len(points) == 20
    named = {point.design: point.letter for point in points if point.letter}
    assert {"0", "17", "39"} <= set(named)  # cheapest, most accurate, smallest and fastest
    assert list(named.values()) == list("ABCDEF")
    assert [point.costs["energy_per_sample_j"] for point in points] == sorted(
        point.costs["energy_per_sample_j"] for point in points
    )
    assert swept_text(points[0]) == "tiles 1"


@pytest.mark.parametrize("front", [0, 1, 3, 20])
def test_small_fronts_are_listed_whole(front):
    assert len(front_points(designs(30, front=front))) == front


@pytest.mark.parametrize("count", [10, MOST_POINTS + 100])
def test_many_designs_are_counted_in_hexagons_and_the_front_is_drawn_point_by_point(count):
    figure = draw_designs(designs(count))
    for axes in figure.axes[:2]:
        hexagons = [one for one in axes.collections if isinstance(one, PolyCollection)]
        assert bool(hexagons) is (count > MOST_POINTS)
        points = [one for one in axes.collections if isinstance(one, PathCollection)][-1]
        assert len(points.get_offsets()) == 8
        if hexagons:
            assert hexagons[0].get_array().sum() == pytest.approx(count - 8)


def test_accuracy_is_the_colour_where_it_is_known():
    assert len(draw_designs(designs(10)).axes) == 2
    figure = draw_designs(designs(10, accuracy=True))
    assert figure.axes[2].get_ylabel() == "test accuracy (%)"


def test_letters_and_key_agree():
    figure = draw_designs(designs(50))
    written = {text.get_text() for text in figure.axes[0].texts}
    key = figure._supxlabel.get_text().splitlines()
    assert written == {line[0] for line in key} == set("ABCDEF")
