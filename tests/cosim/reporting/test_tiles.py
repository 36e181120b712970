import re

import pandas as pd
import pytest

from cosim.reporting.configurations import summarise
from cosim.reporting.frames import load_run
from cosim.reporting.page import write_page
from cosim.reporting.tiles import EXPLANATION, tile_tables, wind_up_lines

QUIET = {"conv2": [0.12, 0.45, 0.27], "dense2": [0.02, 0.4, 0.3]}
WOUND = {"conv2": [0.12, 0.83, 0.27], "dense2": [0.66, 0.71, 0.91]}
SECTION = re.compile(r'<section id="tiles">.*?</section>', re.DOTALL)


def section(folder):
    html = write_page(folder).read_text(encoding="utf-8")
    found = SECTION.search(html)
    assert ('href="#tiles"' in html) == (found is not None)
    return "" if found is None else found.group()


def plain(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def of(folder, function):
    frames = load_run(folder)
    return function(frames.tiles, frames.results, summarise(frames.results))


@pytest.fixture
def two(make_run, row, add_tiles):
    """Two configurations of two seeds each; the second one winds up."""
    rows = [
        row(run_id=f"{name}{seed}", seed=seed, tiles=tiles) for seed in (2, 1) for name, tiles in (("a", 3), ("b", 4))
    ]
    folder = make_run(rows)
    loud = {layer: [*values, 0.3] for layer, values in WOUND.items()}
    still = {layer: [*values, 0.3] for layer, values in QUIET.items()}
    add_tiles(folder, {"a2": WOUND, "a1": QUIET, "b2": still, "b1": loud})
    return folder


# The page.


def test_the_page_shows_every_tile_of_every_layer_with_its_verdict(two):
    html = section(two)
    assert html.count("<details") == html.count("<table") == 2
    text = plain(html)
    assert "What the tiles hold" in text
    assert "layer tile 0 tile 1 tile 2 conv2 0.12 working 0.45 working 0.27 noise" in text
    assert "dense2 0.02 unused 0.40 working 0.30 noise" in text
    assert "conv2 0.12 working 0.83 wind-up 0.27 noise 0.30 noise" in text


def test_a_verdict_is_a_word_and_wind_up_stands_out_without_colour(two):
    html = section(two)
    cells = [plain(cell) for cell in re.findall(r"<td>.*?</td>", html)]
    assert cells
    assert all(re.fullmatch(r"0\.\d\d (unused|noise|working|wind-up)", cell) for cell in cells)
    assert re.findall(r"<strong>(.*?)</strong>", html) == ["wind-up"] * sum("wind-up" in cell for cell in cells)
    assert "style=" not in html


def test_the_section_says_what_its_words_mean(two):
    text = plain(section(two))
    assert EXPLANATION in text
    assert all(word in EXPLANATION.lower() for word in ("unused", "noise", "working", "wind-up"))


def test_the_first_seed_stands_for_its_configuration(two):
    tables = of(two, tile_tables)
    assert [table.seed for table in tables] == ["1", "1"]
    assert [table.summary for table in tables] == ["2 noise, 1 unused", "4 wind-up, 3 noise"]
    assert "seed 1" in plain(section(two))


def test_a_single_table_is_open_and_names_no_seed(make_run, row, add_tiles):
    folder = make_run([row(run_id="a", tiles=3)])
    add_tiles(folder, {"a": QUIET})
    html = section(folder)
    assert "<details open>" in html
    assert "seed" not in plain(html)


@pytest.mark.parametrize("content", [None, "", "header"])
def test_a_folder_without_rows_of_tiles_has_no_section(make_run, row, add_tiles, content):
    folder = make_run([row(run_id="a")])
    add_tiles(folder, {})
    if content is None:
        (folder / "tiles.csv").unlink()
    elif not content:
        (folder / "tiles.csv").write_text("")
    assert section(folder) == ""
    assert of(folder, wind_up_lines) == []


def test_a_priced_folder_has_no_section(priced, add_tiles):
    add_tiles(priced, {"aa": QUIET})
    assert section(priced) == ""


@pytest.mark.parametrize("tiles", [1, None])
def test_a_configuration_without_several_tiles_has_no_table(make_run, row, add_tiles, tiles):
    folder = make_run([row(run_id="a", tiles=tiles), row(run_id="b", tiles=3)])
    add_tiles(folder, {"a": {"conv2": [0.9]}, "b": QUIET})
    assert len(of(folder, tile_tables)) == 1
    assert of(folder, wind_up_lines) == []


def test_a_configuration_of_which_nothing_is_known_has_no_table(make_run, row, add_tiles):
    folder = make_run([row(run_id="a", tiles=3), row(run_id="b", tiles=4)])
    add_tiles(folder, {"b": QUIET})
    assert [table.label for table in of(folder, tile_tables)] == ["residual learning, 4 tiles"]


def test_only_shown_runs_have_tables(two):
    (two / "summary.json").write_text('{"shown_run_ids": ["a1", "a2"]}')
    assert [table.label for table in of(two, tile_tables)] == ["residual learning, 3 tiles"]


def test_a_row_cut_short_is_left_out(make_run, row, add_tiles):
    folder = make_run([row(run_id="a", tiles=3)])
    add_tiles(folder, {"a": QUIET})
    with (folder / "tiles.csv").open("a") as file:
        file.write("a,2,conv2,")
    (table,) = of(folder, tile_tables)
    assert [len(cells) for _, cells in table.rows] == [3, 3]


def test_a_missing_column_of_tiles_is_named(two):
    pd.read_csv(two / "tiles.csv").drop(columns="verdict").to_csv(two / "tiles.csv", index=False)
    with pytest.raises(ValueError, match=r"tiles\.csv: lacks the columns verdict"):
        load_run(two)


def test_names_in_the_tables_are_escaped(make_run, row, add_tiles):
    folder = make_run([row(run_id="a", tiles=3)])
    add_tiles(folder, {"a": {"<b>layer": [0.1, 0.2, 0.3]}})
    assert "&lt;b&gt;layer" in section(folder)


def test_warnings_stand_among_the_notes(make_run, row):
    folder = make_run([row()], summary={"title": "A study", "notes": ["Warning: mine: step 2: lower fast_rate."]})
    html = write_page(folder).read_text(encoding="utf-8")
    assert "<li>Warning: mine: step 2: lower fast_rate.</li>" in html.split('<section id="notes">')[1]


# The line in the terminal.


def test_one_line_for_each_configuration_that_wound_up_worst_first(make_run, row, add_tiles):
    folder = make_run([row(run_id="a", tiles=3), row(run_id="b", tiles=4)])
    add_tiles(folder, {"a": QUIET, "b": {"conv2": [0.1, 0.83, 0.2, 0.3], "fc": [0.1, 0.61, 0.2, 0.3]}})
    assert of(folder, wind_up_lines) == [
        "Wind-up: conv2 tile 1 (mean |W| 0.83), fc tile 1 (mean |W| 0.61) in residual learning, 4 tiles: see tiles.csv"
    ]


def test_a_line_names_three_tiles_and_counts_the_others(two):
    first, second = of(two, wind_up_lines)
    # Any seed counts: of the first configuration only the second one wound up.
    assert first == (
        "Wind-up: dense2 tile 2 (mean |W| 0.91), conv2 tile 1 (mean |W| 0.83), dense2 tile 1 (mean |W| 0.71) "
        "and 1 more in residual learning, 3 tiles: see tiles.csv"
    )
    assert "residual learning, 4 tiles" in second


def test_a_tile_that_wound_up_in_two_seeds_is_named_once_with_its_worst(make_run, row, add_tiles):
    folder = make_run([row(run_id=f"a{seed}", seed=seed, tiles=2) for seed in (1, 2)])
    add_tiles(folder, {"a1": {"fc": [0.7, 0.3]}, "a2": {"fc": [0.8, 0.3]}})
    assert of(folder, wind_up_lines) == [
        "Wind-up: fc tile 0 (mean |W| 0.80) in residual learning, 2 tiles: see tiles.csv"
    ]


def test_only_the_end_of_a_training_counts(make_run, row, add_tiles):
    folder = make_run([row(run_id="a", tiles=2)])
    add_tiles(folder, {"a": {"fc": [0.3, 0.3]}})
    table = pd.read_csv(folder / "tiles.csv")
    table.loc[table["epoch"] == 1, "verdict"] = "wind-up"
    table.to_csv(folder / "tiles.csv", index=False)
    assert of(folder, wind_up_lines) == []
