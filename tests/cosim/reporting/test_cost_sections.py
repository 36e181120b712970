import pandas as pd
import pytest

from cosim.reporting.cost_sections import band_rows, band_sentence, check_rows, check_sentence, design_table
from cosim.reporting.frames import load_run

CONFIGURATIONS = pd.DataFrame({"label": ["four tiles", "six tiles"]})


def check(run_id, configuration, value, holds, name="wires"):
    texts = {"check": name, "layer": "fc1", "unit": "s", "text": "why"}
    return {"run_id": run_id, "configuration": configuration, "value": value, "limit": 5e-9, "holds": holds} | texts


def test_a_check_that_any_seed_breaks_is_broken_and_stands_first():
    first_seed = [check("a", 0, 1e-9, True, "area"), check("a", 0, 4e-9, True)]
    checks = pd.DataFrame([*first_seed, check("b", 0, 6e-9, False), check("c", 1, 1e-9, True)])
    rows = check_rows(checks, CONFIGURATIONS)
    assert [(row.label, row.cells[0], row.cells[2], row.holds) for row in rows] == [
        ("four tiles", "wires", "6.00 ns", False),
        ("four tiles", "area", "1.00 ns", True),
        ("six tiles", "wires", "1.00 ns", True),
    ]
    assert check_sentence(rows) == "1 of 3 checks is broken."
    assert check_sentence(rows[1:]) == "All 2 checks hold."
    assert check_sentence(rows[1:2]) == "The one check holds."


def test_results_without_a_band_are_dashes_and_not_in_the_sentence(priced, add_cost_model):
    frames = load_run(add_cost_model(priced, ["aa"]))
    (row,) = band_rows(frames.bands, CONFIGURATIONS)
    assert [(cell.nominal, cell.band) for cell in row.cells] == [
        ("8.00 nJ", "6.00–12.0 nJ"), ("–", "–"), ("0.100 mm²", "0.0500–0.300 mm²"),
    ]  # fmt: skip
    assert "latency" not in band_sentence(row)
    (empty,) = band_rows(frames.bands.assign(low=float("nan")), CONFIGURATIONS)
    assert band_sentence(empty) == ""


@pytest.mark.parametrize("accuracy", [None, 0.9])
def test_the_front_is_listed_with_its_swept_values(tmp_path, add_cost_model, accuracy):
    table = design_table(
        load_run(add_cost_model(tmp_path, [])).designs.assign(test_accuracy=accuracy).astype({"test_accuracy": float})
    )
    known = ("accuracy",) if accuracy else ()
    assert table.headers == ("", "design", "adc bits", "energy", "latency", "area", "storage", *known)
    assert [row[:4] for row in table.rows] == [("A", "2", "6", "6.00 nJ"), ("B", "0", "4", "8.00 nJ")]
    assert {len(row) for row in table.rows} == {len(table.headers)}
