import math

import pytest

from cosim.reporting.engineering import area, axis_scale, percent_spread, quantity, quantity_range, storage
from cosim.reporting.table import engineering


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.00 J"),
        (12.34e-9, "12.3 nJ"),
        (123.4e-9, "123 nJ"),
        (1.234e-6, "1.23 µJ"),
        (999.4e-9, "999 nJ"),
        (999.6e-9, "1.00 µJ"),
        (9.996e-9, "10.0 nJ"),
        (99.96e-9, "100 nJ"),
        (1e-9, "1.00 nJ"),
        (1e-12, "1.00 pJ"),
        (4.5e3, "4.50 kJ"),
        (-2.5e-9, "-2.50 nJ"),
        (1e-21, "0.00100 aJ"),
        (2e18, "2000 PJ"),
        (0.0, "0 J"),
        (math.inf, "inf J"),
        (math.nan, "–"),
    ],
)
def test_three_digits_and_a_prefix(value, text):
    assert engineering(value, "J") == text


@pytest.mark.parametrize("exponent", range(-18, 16))
def test_reading_the_text_back_gives_the_value(exponent):
    prefixes = {
        "a": -18,
        "f": -15,
        "p": -12,
        "n": -9,
        "µ": -6,
        "m": -3,
        "": 0,
        "k": 3,
        "M": 6,
        "G": 9,
        "T": 12,
        "P": 15,
    }
    for digits in (1.0, 3.456, 9.99):
        number, unit = engineering(digits * 10.0**exponent, "s").split()
        assert float(number) * 10.0 ** prefixes[unit[:-1]] == pytest.approx(digits * 10.0**exponent, rel=5e-3)
        assert 1 <= float(number) < 1000


@pytest.mark.parametrize(
    ("value_m2", "text"),
    [
        (1.5e-6, "1.50 mm²"),
        (3.12e-7, "0.312 mm²"),
        (1e-9, "0.00100 mm²"),
        (5e-10, "500 µm²"),
        (0.0, "0 mm²"),
        (math.nan, "–"),
    ],
)
def test_area(value_m2, text):
    assert area(value_m2) == text


@pytest.mark.parametrize(
    ("size_byte", "text"), [(0, "0 byte"), (512, "512 byte"), (999.6, "1.00 kB"), (176_760, "177 kB"), (2e6, "2.00 MB")]
)
def test_storage_counts_in_thousands(size_byte, text):
    assert storage(size_byte) == text


def test_spread_is_left_out_where_there_is_none():
    assert percent_spread(0.9512, 0.0031) == "95.1 ± 0.3 %"
    assert percent_spread(0.9512, math.nan) == "95.1 %"
    assert percent_spread(math.nan, math.nan) == "–"


def test_the_largest_value_chooses_the_unit_of_an_axis():
    scale = axis_scale([2e-9, 40e-9, math.nan, 0.0], "J")
    assert scale.unit == "nJ"
    assert 40e-9 * scale.factor == pytest.approx(40)
    assert axis_scale([math.nan], "J").unit == "J"
    assert axis_scale([1e-7], "m²").factor == 1e6


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.2e-12, "J", "1.20 pJ"),
        (2e-10, "F/m", "200 pF/m"),
        (1e5, "ohm", "100 kΩ"),
        (3e-11, "m2", "30.0 µm²"),
        (0.05, "1", "0.05"),
        (300.0, "K", "300 K"),
        (8.0, "bit", "8 bit"),
        (math.nan, "J", "–"),
    ],
)
def test_a_quantity_is_written_as_its_unit_asks(value, unit, text):
    assert quantity(value, unit) == text


@pytest.mark.parametrize(
    ("low", "high", "unit", "text"),
    [
        (4e-10, 6e-10, "J", "400–600 pJ"),
        (4e-13, 1.2e-12, "J", "400 fJ – 1.20 pJ"),
        (8, 10, "bit", "8–10 bit"),
        (0.1, 0.5, "1", "0.1–0.5"),
        (1.2e-10, 2.2e-9, "m2", "120–2200 µm²"),
        (2.45e-6, 9.38e-6, "m²", "2.45–9.38 mm²"),
        (5e-9, 5e-9, "s", "5.00 ns"),
        (-0.1, -0.2, "1", "-0.1 – -0.2"),
    ],
)
def test_a_range_has_its_unit_once_where_both_ends_share_it(low, high, unit, text):
    assert quantity_range(low, high, unit) == text
