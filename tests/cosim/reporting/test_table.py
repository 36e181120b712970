import io
import math

import pandas as pd
import pytest
from rich.console import Console

from cosim.reporting.configurations import summarise
from cosim.reporting.frames import load_run
from cosim.reporting.table import bill_table, result_rows, results_table


def printed(table):
    console = Console(width=200, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def cells(text, start):
    """Texts between the bars of the row that starts so."""
    line = next(line for line in text.splitlines() if line.lstrip("│ ").startswith(start))
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_results_are_written_with_spread_and_units(row):
    rows = pd.DataFrame([row(seed=1, test_accuracy=0.94), row(seed=2, test_accuracy=0.96)])
    assert cells(printed(results_table(rows)), "residual") == [
        "residual learning, 4 tiles", "95.0 ± 1.4 %", "2", "8.00 nJ", "3.00 µs", "0.100 mm²", "512 byte",
    ]  # fmt: skip


def test_missing_values_are_dashes(row):
    missing = {"test_accuracy": math.nan, "energy_per_sample_j": math.nan, "digital_storage_byte": math.nan}
    assert cells(printed(results_table(pd.DataFrame([row(**missing)]))), "residual")[1:] == [
        "–", "1", "–", "3.00 µs", "0.100 mm²", "–",
    ]  # fmt: skip


def test_best_of_each_count_of_states_is_marked(row):
    rows = [
        row(algorithm="digital_sgd", states=None, test_accuracy=0.99),
        row(states=4, tiles=2, test_accuracy=0.7),
        row(states=4, tiles=4, test_accuracy=0.8),
        row(states=10, tiles=2, test_accuracy=0.9),
        row(states=10, tiles=4, test_accuracy=math.nan),
        row(states=10, tiles=6, test_accuracy=0.85),
    ]
    assert [line.best for line in result_rows(summarise(pd.DataFrame(rows)))] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]


def test_the_marked_row_is_bold(row):
    table = results_table(pd.DataFrame([row(tiles=2, test_accuracy=0.7), row(tiles=4, test_accuracy=0.8)]))
    assert [str(line.style or "") for line in table.rows] == ["", "bold"]


def test_a_table_without_rows(row):
    assert results_table(pd.DataFrame([row()]).iloc[:0]).row_count == 0


def test_square_brackets_are_text(row):
    assert "[red]x[/red]" in printed(results_table(pd.DataFrame([row(algorithm="[red]x[/red]")])))


def test_bill_table_ends_with_the_total(priced):
    bill = load_run(priced).bill
    text = printed(bill_table(bill[bill["run_id"] == "aa"]))
    assert cells(text, "forward") == ["forward", "3.00 nJ", "37.5 %", "1.00 µs", "33.3 %", ""]
    assert cells(text, "adc") == ["adc", "5.00 nJ", "62.5 %", "2.00 µs", "66.7 %", "0.100 mm²"]
    assert cells(text, "floorplan") == ["floorplan", "", "", "", "", "0.100 mm²"]
    assert cells(text, "total") == ["total", "8.00 nJ", "100.0 %", "3.00 µs", "100.0 %", "0.100 mm²"]


@pytest.mark.parametrize("heading", ["forward", "adc", "total"])
def test_bill_of_two_runs_is_their_mean(priced, heading):
    bill = load_run(priced).bill
    mean = cells(printed(bill_table(bill)), heading)[1]
    single = cells(printed(bill_table(bill[bill["run_id"] == "aa"])), heading)[1]
    assert float(mean.split()[0]) == pytest.approx(1.5 * float(single.split()[0]), rel=5e-3)
