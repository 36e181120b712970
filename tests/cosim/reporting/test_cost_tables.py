import re

import pandas as pd
import pytest

from cosim.reporting.cost_tables import bill_latex, bill_markdown, write_cost_tables

BILL = pd.DataFrame(
    [
        ("a", "forward", "adc", 3e-9, 1e-6, 0.0),
        ("a", "backward", "adc", 2e-9, 1e-6, 0.0),
        ("a", "update", "drivers", 2e-9, 1e-6, 0.0),
        ("a", "floorplan", "sram", 0.0, 0.0, 3e-7),
        ("a", "floorplan", "adc", 0.0, 0.0, 1e-7),
        ("b", "forward", "adc", 6e-9, 1e-6, 0.0),
    ],
    columns=["run_id", "operation", "component", "energy_j", "latency_s", "area_m2"],
)
BANDS = pd.DataFrame(
    [("a", "energy_per_sample_j", 5e-9, 7e-9, 9e-9, 1000.0), ("a", "area_m2", 2e-7, 4e-7, 6e-7, 1000.0)],
    columns=["run_id", "figure", "low", "nominal", "high", "draws"],
)
HOSTILE = r"50 % & $x_1$ #2 {a} ~ ^ \end{table} | *b* µ"


def body(markdown):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if line[:1] == "|"]


def test_the_table_of_a_run_sums_by_component_and_by_operation():
    header, _, *rows = body(bill_markdown(BILL[BILL["run_id"] == "a"], BANDS))
    assert header == [
        "component", "forward (nJ)", "backward (nJ)", "update (nJ)", "energy (nJ)", "latency (µs)", "area (mm²)",
    ]  # fmt: skip
    assert rows == [
        ["adc", "3.00", "2.00", "–", "5.00", "2.00", "0.100"],
        ["drivers", "–", "–", "2.00", "2.00", "1.00", "–"],
        ["sram", "–", "–", "–", "–", "–", "0.300"],
        ["total", "3.00", "2.00", "2.00", "7.00", "3.00", "0.400"],
        ["latency (µs)", "1.00", "1.00", "1.00", "–", "3.00", "–"],
    ]


def test_each_result_has_its_unit_and_its_band_where_there_is_one():
    text = bill_markdown(BILL[BILL["run_id"] == "a"], BANDS)
    assert "* Energy per training sample: 7.00 nJ, 5 % to 95 %: 5.00–9.00 nJ (1000 draws)" in text
    assert "* Latency per training sample: 3.00 µs\n" in text
    assert "* Area: 0.400 mm², 5 % to 95 %: 0.200–0.600 mm² (1000 draws)" in text
    assert "%:" not in bill_markdown(BILL[BILL["run_id"] == "a"], BANDS.iloc[:0])


def test_what_is_far_below_the_unit_is_said_to_be_so():
    small = pd.DataFrame([("a", "transfer", "adc", 1e-15, 0.0, 0.0)], columns=BILL.columns)
    rows = body(bill_markdown(pd.concat([BILL[BILL["run_id"] == "a"], small]), BANDS))
    assert rows[2][4] == "&lt;0.001"
    assert "$<$0.001" in bill_latex(pd.concat([BILL[BILL["run_id"] == "a"], small]), BANDS)


def test_a_table_for_each_run():
    text = bill_markdown(BILL, BANDS, {"a": "four tiles"})
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["four tiles", "run b"]
    assert bill_latex(BILL, BANDS).count(r"\begin{tabular}") == 2


def test_latex_is_balanced_and_has_equal_columns():
    text = bill_latex(BILL[BILL["run_id"] == "a"], BANDS)
    assert [text.count(rf"\{rule}rule") for rule in ("top", "mid", "bottom")] == [1, 2, 1]
    columns = re.search(r"\\begin\{tabular\}\{@\{\}(lr*)@\{\}\}", text).group(1)
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(columns) - 1}
    assert text.count("{") == text.count("}")
    assert text.isascii()


def test_names_cannot_break_the_tables():
    names = {"a": HOSTILE}
    latex = bill_latex(BILL[BILL["run_id"] == "a"], BANDS, names)
    assert latex.count(r"\end{table}") == 1
    bare = re.sub(
        r"\\textbackslash\{\}|\\text\w+\{\}|\\[&%$#_{}]|\$(?:\\mu|<|>)\$",
        "",
        latex.split(r"\caption{")[1].split(", per")[0],
    )
    assert not re.search(r"[&%$#_{}~^\\]", bare)
    markdown = bill_markdown(BILL[BILL["run_id"] == "a"], BANDS, names)
    assert r"\| \*b\*" in markdown


def test_tables_are_written_beside_the_page_with_the_names_of_the_configurations(priced):
    (priced / "summary.json").write_text('{"labels": {"aa": "four tiles", "bb": "six tiles"}}')
    paths = write_cost_tables(priced)
    assert [path.name for path in paths] == ["bill.md", "bill.tex"]
    first = [path.read_bytes() for path in paths]
    assert b"## four tiles" in first[0]
    assert first == [path.read_bytes() for path in write_cost_tables(priced)]


def test_seeds_of_one_configuration_bear_their_run_id(priced):
    (priced / "summary.json").write_text('{"labels": {"aa": "four tiles", "bb": "four tiles"}}')
    assert "## four tiles, run bb" in write_cost_tables(priced)[0].read_text()


def test_without_a_bill_nothing_is_written(make_run, row):
    folder = make_run([row()])
    (folder / "bill.csv").unlink()
    assert write_cost_tables(folder) == []


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"nothing to report"):
        write_cost_tables(tmp_path)
