import base64
import json
import re
from html.parser import HTMLParser

import pytest

from cosim.reporting.page import write_page

HOSTILE = '<script>alert("x")</script>'


class Reader(HTMLParser):
    """Collects what a browser would: tags with their attributes, and the text between them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in {"meta", "img", "br", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def read_written(folder):
    return Reader((folder / "index.html").read_text(encoding="utf-8"))


def read(folder):
    return Reader(write_page(folder).read_text(encoding="utf-8"))


def test_the_page_has_every_section(reported):
    page = read_written(reported)
    assert [attributes["id"] for attributes in page.all("section")] == [
        "results", "trade-off", "learning", "cost", "study", "sources", "notes",
    ]  # fmt: skip
    assert {link["href"] for link in page.all("a")} == {f"#{section['id']}" for section in page.all("section")}
    assert page.open == []
    for text in ("residual learning, 6 tiles · 10 states", "97.8 ± 0.4 %", "Wires are ideal.", "schema = 1"):
        assert text in page.text


def test_the_page_loads_nothing(reported):
    page = read_written(reported)
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:image/svg+xml;base64,"))
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    html = (reported / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|https?://", html)


def test_every_figure_is_inside_with_a_text_for_those_who_cannot_see_it(reported):
    page = read_written(reported)
    images = page.all("img")
    drawn = {path.read_bytes() for path in (reported / "figures").iterdir()}
    assert {base64.b64decode(image["src"].split(",")[1]) for image in images} == drawn
    assert len(images) == 6
    assert all(len(image["alt"]) > 30 for image in images)


def test_it_fits_a_phone(reported):
    page = read_written(reported)
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    html = (reported / "index.html").read_text(encoding="utf-8")
    assert html.count("<table") == len(re.findall(r'<div class="wide"[^>]*>\s*<table', html))


def test_text_from_files_is_escaped_everywhere(make_run, row):
    rows = [
        row(run_id="a", algorithm=HOSTILE, network=HOSTILE, data=HOSTILE, **{"hardware.note": HOSTILE}),
        row(run_id="b", algorithm=HOSTILE, network=HOSTILE, data=HOSTILE, **{"hardware.note": "x"}),
    ]
    summary = {"title": HOSTILE, "notes": [HOSTILE], "version": HOSTILE, "commit": HOSTILE}
    folder = make_run(rows, summary=summary, study=f'title = "{HOSTILE}"\n')
    bill = (folder / "bill.csv").read_text()
    (folder / "bill.csv").write_text(
        bill.replace("fitted: line of drivers", "<script>alert(1)</script>").replace("registers", "<b>")
    )
    page = read(folder)
    assert not {"script", "b"} & {tag for tag, _ in page.tags}
    assert HOSTILE in page.text
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_same_tables_give_the_same_bytes(study, reported):
    assert write_page(study).read_bytes() == (reported / "index.html").read_bytes()


def test_nothing_but_page_figures_and_tables_of_the_bill_is_written(reported):
    files = {"results.csv", "history.csv", "bill.csv", "summary.json", "study.toml"}
    assert {path.name for path in reported.iterdir()} == files | {"index.html", "figures", "bill.md", "bill.tex"}


def test_the_lead_tells_devices_from_the_digital_reference(reported):
    text = read_written(reported).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "7 configurations, 2 seeds each, lenet5 on mnist." in text
    assert "Best on devices: 97.8 ± 0.4 % by residual learning, 6 tiles · 10 states, for 12.0 nJ" in text
    assert "Digital reference: 98.8 ± 0.4 % by digital SGD, for 90.0 nJ" in text


def test_one_row(make_run, row):
    page = read(make_run([row()]))
    assert "1 configuration, one seed, lenet5 on mnist." in page.text
    assert "±" not in page.text
    assert [bill for bill in page.all("details") if "open" in bill] == [{"open": None}]


def test_a_priced_study_shows_its_bill_alone(priced):
    page = read(priced)
    assert "2 designs priced per training sample; nothing was trained." in page.text
    assert [attributes["id"] for attributes in page.all("section")] == ["cost", "sources"]
    assert "16.0 nJ" in page.text


def test_results_without_a_bill(study):
    (study / "bill.csv").unlink()
    sections = {attributes["id"] for attributes in read(study).all("section")}
    assert sections == {"results", "trade-off", "learning", "study", "notes"}


def test_missing_and_diverged_values(make_run, row):
    rows = [
        row(run_id="a", seed=1, test_accuracy=0.1, test_loss=float("nan")),
        row(run_id="b", seed=1, tiles=2, test_accuracy=float("nan"), energy_per_sample_j=float("nan")),
    ]
    page = read(make_run(rows))
    assert "1 row without a finite test loss" in page.text
    assert "10.0 %" in page.text
    assert "nan" not in page.text


def test_nothing_known_of_any_accuracy(make_run, row):
    page = read(make_run([row(test_accuracy=float("nan"))]))
    assert "Highest test accuracy" not in page.text


def test_rows_of_other_studies_are_counted(study):
    shown = ["02e1", "02e2"]
    (study / "summary.json").write_text(json.dumps({"shown_run_ids": shown, "points": 6}), encoding="utf-8")
    text = read(study).text
    assert "12 other rows kept in results.csv and not shown" in text
    assert "In progress: 2 of 6 points are finished." in text
    assert "digital SGD" not in text


def test_tables_without_rows_still_make_a_page(study):
    for name in ("results.csv", "history.csv", "bill.csv"):
        header = (study / name).read_text().splitlines()[0]
        (study / name).write_text(header + "\n")
    assert [attributes["id"] for attributes in read(study).all("section")] == ["study", "notes"]


def test_sources_are_counted_by_kind(reported):
    text = read_written(reported).text
    assert re.search(r"measured: 1 source, 6[23] % of the energy", text)  # 62.5 %
    assert "assumed: eight bits; horowitz2014" in text


def test_an_empty_folder_is_refused_with_the_next_step(tmp_path):
    with pytest.raises(ValueError, match=r"needs results\.csv or bill\.csv \(or .* run `cosim run STUDY\.toml` first"):
        write_page(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_tables_of_the_cost_model_have_sections_of_their_own(priced, add_cost_model):
    page = read(add_cost_model(priced, ["aa", "bb"]))
    assert [attributes["id"] for attributes in page.all("section")] == [
        "floorplan", "time", "cost", "sureness", "checks", "designs", "sources",
    ]  # fmt: skip
    assert {link["href"] for link in page.all("a")} == {f"#{section['id']}" for section in page.all("section")}
    assert {path.name for path in (priced / "figures").iterdir()} >= {
        "floorplan.svg", "schedule.svg", "tornado.svg", "designs.svg",
    }  # fmt: skip
    for text in ("4 / 20 / 10", "10 × 20", "6.00–12.0 nJ", "2 of 6 checks are broken.", "Every design on the front"):
        assert text in page.text
    assert "nan" not in page.text


def test_a_study_with_the_tables_of_the_cost_model(study, add_cost_model):
    run_ids = ["00e1", "00e2", "06e1", "06e2", "old"]
    page = read(add_cost_model(study, run_ids))
    assert "1 of 3" not in page.text
    assert "2 of 6 checks are broken." in page.text  # two configurations; their seeds are not counted twice
    assert "for the first seed" in page.text


def test_broken_checks_stand_first_and_are_open(priced, add_cost_model):
    text = read(add_cost_model(priced, ["aa"])).text
    assert 0 < text.index("Broken.") < text.index("What holds") < text.index("settling")
    assert "fc10.080.05Broken. far" in text[text.index("ir drop") : text.index("What holds")]


def test_the_band_of_a_single_design_is_in_its_lead(priced, add_cost_model):
    bill = (priced / "bill.csv").read_text().splitlines()
    (priced / "bill.csv").write_text("\n".join(line for line in bill if not line.startswith("bb")) + "\n")
    text = read(add_cost_model(priced, ["aa"])).text
    assert "Energy 8.00 nJ (6.00–12.0 nJ), area 0.100 mm² (0.0500–0.300 mm²); brackets: 5 % to 95 % of 500" in text


def test_numbers_of_the_bill_tell_counts_prices_and_sources(priced):
    titles = [attributes["title"] for attributes in read(priced).all("td") if "title" in attributes]
    assert any("adc" in title and "(measured: table sar_adc)" in title for title in titles)
    bill = (priced / "bill.csv").read_text().splitlines()
    header, *rows = bill
    (priced / "bill.csv").write_text("\n".join([header + ",per", *(row + ",conversions" for row in rows)]) + "\n")
    rows = (priced / "bill.csv").read_text().replace("fc1,0,1,", "fc1,0,1000,")
    (priced / "bill.csv").write_text(rows)
    titles = [attributes["title"] for attributes in read(priced).all("td") if "title" in attributes]
    assert (
        "forward: 1\N{NARROW NO-BREAK SPACE}000 conversions × 3.00 pJ = 3.00 nJ (measured: table sar_adc)"
        in "".join(titles)
    )


def test_a_search_alone_makes_a_page(tmp_path, add_cost_model):
    page = read(add_cost_model(tmp_path, []))
    assert [attributes["id"] for attributes in page.all("section")] == ["designs"]
    assert "3 designs searched." in page.text


def test_sources_and_texts_of_the_cost_model_are_escaped(priced, add_cost_model):
    add_cost_model(priced, ["aa"])
    for name, word in (("checks", "far"), ("floorplan", "fc1"), ("schedule", "fc1"), ("tornado", "adc_energy")):
        path = priced / f"{name}.csv"
        path.write_text(path.read_text().replace(word, "<script>"))
    path = priced / "bill.csv"
    path.write_text(path.read_text().replace("measured: table sar_adc", "x' onmouseover=y><script>"))
    html = write_page(priced).read_text(encoding="utf-8")
    assert "<script" not in html
    assert not [tag for tag in Reader(html).tags if "onmouseover" in tag[1]]


def test_the_same_tables_of_the_cost_model_give_the_same_bytes(priced, add_cost_model):
    add_cost_model(priced, ["aa", "bb"])
    first = write_page(priced).read_bytes()
    assert write_page(priced).read_bytes() == first


@pytest.mark.parametrize("name", ["floorplan", "schedule", "bands", "tornado", "checks", "designs"])
def test_a_table_without_rows_leaves_its_section_out(priced, add_cost_model, name):
    add_cost_model(priced, ["aa"])
    header = (priced / f"{name}.csv").read_text().splitlines()[0]
    (priced / f"{name}.csv").write_text(header + "\n")
    sections = {attributes["id"] for attributes in read(priced).all("section")}
    own = {"floorplan": "floorplan", "schedule": "time", "checks": "checks", "designs": "designs"}
    assert own.get(name) not in sections
    assert "sureness" in sections  # bands and tornado: either one is enough
