"""A number with its unit, its kind and its source."""

import math

import pytest

from device_models.quantity import ProvenanceError, Quantity, quantity_from_table, sources


def test_sources_are_citations():
    assert "li2025" in sources()
    assert all(len(text) > 20 for text in sources().values())


def test_a_quantity_describes_itself():
    assert Quantity(1.0, "J", "measured", "li2025", "one read").describe() == "measured: li2025; one read"
    assert Quantity(1.0, "J", "assumed", "", "a guess").describe() == "assumed: a guess"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((math.nan, "J", "assumed", "", "why"), r"value nan \[J\] is not finite \(why\)"),
        ((math.inf, "J", "fitted", "li2025", ""), r"value inf \[J\] is not finite \(li2025\)"),
        ((1.0, "J", "guessed", "", "x"), "kind 'guessed' is unknown; known: measured, fitted, derived, assumed"),
        ((1.0, "J", "measured", "", "x"), r"a measured value needs a source: 1.0 \[J\] x"),
        ((1.0, "J", "fitted", "", "x"), "a fitted value needs a source"),
        ((1.0, "J", "assumed", "li2025", ""), r"an assumed value needs a note that says why: 1.0 \[J\]"),
        ((1.0, "J", "derived", "nobody1999", ""), "source 'nobody1999' is not listed in device_models/sources.toml"),
    ],
)
def test_a_number_without_provenance_is_refused(given, message):
    with pytest.raises(ProvenanceError, match=message):
        Quantity(*given)


def test_a_table_becomes_a_quantity():
    table = {"value": 2, "unit": "1", "kind": "fitted", "source": "rasch2021", "note": "default"}
    quantity = quantity_from_table(table, "here")
    assert quantity == Quantity(2.0, "1", "fitted", "rasch2021", "default")
    assert isinstance(quantity.value, float)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"value": 1, "unit": "1"}, r"here: unknown keys \[\], missing keys \['kind'\]"),
        ({"value": 1, "unit": "1", "kind": "derived", "sauce": "x"}, r"here: unknown keys \['sauce'\], missing keys"),
        ({"value": 1, "unit": "1", "kind": "assumed"}, "here: an assumed value needs a note"),
    ],
)
def test_a_bad_table_is_refused_with_its_place(table, message):
    with pytest.raises(ProvenanceError, match=message):
        quantity_from_table(table, "here")
