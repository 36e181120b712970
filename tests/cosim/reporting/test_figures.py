import math
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cosim.reporting.accuracy_axis import set_accuracy_axis
from cosim.reporting.configurations import summarise
from cosim.reporting.cost_breakdown import OTHERS, plot_breakdown, stack
from cosim.reporting.engineering import axis_scale
from cosim.reporting.figures import configurations_of, drawings, write_figures
from cosim.reporting.frames import load_run
from cosim.reporting.learning_curves import mean_curves, plot_learning_curve
from cosim.reporting.style import fill_styles, save_figure, series_styles
from cosim.reporting.trade_off import AREA, ENERGY, draw_trade_off, drawable, plot_trade_off

EVERY_FIGURE = [
    "accuracy_against_energy.svg",
    "accuracy_against_area.svg",
    "learning_curves.svg",
    "energy_by_operation.svg",
    "energy_by_component.svg",
    "latency_by_operation.svg",
]


@pytest.fixture
def axes():
    return Figure().subplots()


def configurations(study):
    return summarise(load_run(study).results)


def names(folder):
    return [path.name for path in write_figures(folder)]


def test_every_figure_is_an_svg_and_the_same_tables_give_the_same_bytes(study, reported):
    paths = write_figures(study)
    assert [path.name for path in paths] == EVERY_FIGURE
    assert sorted(path.name for path in (study / "figures").iterdir()) == sorted(EVERY_FIGURE)
    for path in paths:
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
        assert path.read_bytes() == (reported / "figures" / path.name).read_bytes()
        assert b"dc:date" not in path.read_bytes()


def test_drawing_leaves_the_settings_of_matplotlib_alone(priced):
    before = dict(mpl.rcParams)
    write_figures(priced)
    assert dict(mpl.rcParams) == before


def test_one_row_is_enough(make_run, row):
    assert names(make_run([row()])) == EVERY_FIGURE


def test_dollar_signs_are_text_not_formulas(make_run, row):
    rows = [row(algorithm="a$b"), row(algorithm=r"$\nonsense{$")]
    assert names(make_run(rows)) == EVERY_FIGURE


def test_without_results_only_the_bill_is_drawn(priced):
    assert names(priced) == EVERY_FIGURE[3:]


def test_figures_without_numbers_are_left_out(make_run, row):
    folder = make_run([row(test_accuracy=math.nan)])
    assert names(folder) == EVERY_FIGURE[3:]
    (folder / "bill.csv").unlink()
    assert names(folder) == []


def test_a_diverged_run_does_not_stop_the_figures(make_run, row):
    rows = [row(seed=1, test_accuracy=0.1, test_loss=math.nan), row(seed=2, test_accuracy=1.0)]
    assert names(make_run(rows)) == EVERY_FIGURE


def test_an_error_while_writing_leaves_the_old_figure(tmp_path):
    path = tmp_path / "figure.svg"
    path.write_text("old")

    class Broken(Figure):
        def savefig(self, fname, **settings):
            fname.write_text("half")
            raise RuntimeError("no space")

    with pytest.raises(RuntimeError, match="no space"):
        save_figure(Broken(), path, source="results.csv")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("figure.svg", "old")]


def test_points_on_the_front_are_filled_and_the_others_hollow(axes, row):
    rows = [
        row(algorithm="a", energy_per_sample_j=1e-9, test_accuracy=0.8),
        row(algorithm="b", energy_per_sample_j=2e-9, test_accuracy=0.7),
        row(algorithm="c", energy_per_sample_j=3e-9, test_accuracy=0.9),
    ]
    points = summarise(pd.DataFrame(rows))
    scale = axis_scale(points["energy_per_sample_j"], "J")
    plot_trade_off(axes, points, cost=ENERGY, scale=scale, styles=series_styles(points["series"]))
    front, *markers = axes.lines[0], *(container.lines[0] for container in axes.containers)
    assert [marker.get_markerfacecolor() == "white" for marker in markers] == [False, True, False]
    assert front.get_xdata() == pytest.approx([1, 3])
    assert front.get_ydata() == pytest.approx([80, 90])
    assert front.get_drawstyle() == "steps-post"


def test_error_bars_show_the_spread_over_the_seeds(axes, study):
    points = configurations(study).iloc[[2]]
    scale = axis_scale(points["energy_per_sample_j"], "J")
    plot_trade_off(axes, points, cost=ENERGY, scale=scale, styles=series_styles(points["series"]))
    (low, high) = axes.containers[0].lines[2][0].get_segments()[0][:, 1]
    assert high - low == pytest.approx(2 * 100 * points["test_accuracy_spread"].iloc[0])


def test_one_panel_for_each_count_of_states(study):
    figure = draw_trade_off(configurations(study), AREA)
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == [
        "4 conductance states",
        "10 conductance states",
    ]


def test_what_was_not_priced_is_not_drawn_at_zero(row):
    points = summarise(pd.DataFrame([row(area_m2=0.0), row(tiles=2), row(tiles=3, area_m2=math.nan)]))
    assert drawable(points, AREA)["tiles"].tolist() == [2]


def test_the_band_is_the_spread_over_the_seeds(axes, study):
    frames = load_run(study)
    curve = mean_curves(frames.history).query("configuration == 1")
    plot_learning_curve(axes, curve, style=next(iter(series_styles(["a"]).values())), sample_factor=0.01)
    assert axes.lines[0].get_xdata() == pytest.approx([1, 2])
    assert axes.lines[0].get_ydata()[-1] == pytest.approx(100 * np.mean([0.105, 0.11]))
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(100 * (np.mean([0.105, 0.11]) + np.std([0.105, 0.11], ddof=1)))


def test_one_seed_has_no_band(axes, make_run, row):
    curve = mean_curves(load_run(make_run([row()])).history)
    plot_learning_curve(axes, curve, style=next(iter(series_styles(["a"]).values())))
    assert len(axes.lines) == 1
    assert not axes.collections


def test_comparable_costs_are_stacked_as_they_are(priced):
    bars = stack(load_run(priced).bill, "operation", "energy_j")
    assert bars.label == "energy per training sample (nJ)"
    assert bars.parts.sum(axis=1).tolist() == pytest.approx([8, 16])
    assert bars.totals.tolist() == ["8.00 nJ", "16.0 nJ"]


def test_costs_far_apart_are_stacked_as_shares(study):
    bars = stack(load_run(study).bill, "operation", "energy_j")
    assert "share" in bars.label
    assert bars.parts.sum(axis=1).tolist() == pytest.approx([100] * 7)
    assert bars.totals.tolist()[:2] == ["90.0 nJ", "5.00 nJ"]


def test_small_parts_are_joined(priced):
    bill = load_run(priced).bill
    bill.loc[bill["component"].isin(["drivers", "registers"]), "energy_j"] *= 0.01
    bars = stack(bill, "component", "energy_j")
    assert list(bars.parts.columns) == ["adc", OTHERS]
    assert bars.parts.sum(axis=1).tolist() == pytest.approx([5.03, 10.06])


def test_bars_stand_end_to_end(axes):
    parts = pd.DataFrame({"adc": [1.0, 2.0], "tia": [3.0, 4.0]})
    styles = fill_styles(parts.columns, ["adc", "tia"])
    plot_breakdown(axes, parts, labels=["a", "b"], totals=["4 J", "6 J"], styles=styles)
    assert [patch.get_x() for patch in axes.patches] == [0, 0, 1, 2]
    assert [patch.get_width() for patch in axes.patches] == [1, 2, 3, 4]
    assert [text.get_text() for text in axes.texts] == ["4 J", "6 J"]


def test_styles_differ_in_more_than_colour():
    styles = list(series_styles(str(number) for number in range(40)).values())
    assert len({(style.colour, style.marker) for style in styles}) == 40
    assert len({style.marker for style in styles[:8]}) == 8
    fills = list(fill_styles([str(number) for number in range(12)], []).values())
    assert len({(style.colour, style.hatch) for style in fills}) == 12


def test_a_known_part_looks_the_same_in_every_study():
    assert fill_styles(["tia"], ["adc", "tia"])["tia"] == fill_styles(["adc", "tia", "new"], ["adc", "tia"])["tia"]


@pytest.mark.parametrize(("low", "high", "log"), [(95.0, 98.0, False), (10.0, 98.0, True), (10.0, 100.0, True)])
def test_accuracies_far_apart_get_an_axis_that_spreads_the_good_ones(axes, low, high, log):
    label = set_accuracy_axis(axes, low, high)
    assert ("log" in label) == log
    bottom, top = axes.get_ylim()
    assert bottom <= low
    assert top >= min(high, 99.9)
    where = axes.transData.transform([(0, 95), (0, 98), (0, 10), (0, 13)])[:, 1]
    assert (where[1] - where[0] > 2 * (where[3] - where[2])) == log


def cost_captions(folder):
    frames = load_run(folder)
    return {drawing.name: drawing.caption for drawing in drawings(frames, configurations_of(frames))}


def test_figures_of_the_cost_model_say_where_tables_disagree(priced, add_cost_model):
    captions = cost_captions(add_cost_model(priced, ["aa"]))
    assert "The latency in the bill" not in captions["schedule"]  # 3 µs in both
    assert "adds up to" not in captions["floorplan"]  # 0.1 mm² in both
    for name, cell in (("schedule", ",1e-06,True,"), ("floorplan", ",7e-08,")):
        text = (priced / f"{name}.csv").read_text()
        assert cell in text
        (priced / f"{name}.csv").write_text(
            text.replace(cell, cell.replace("1e-06", "2e-06").replace("7e-08", "9e-08"))
        )
    captions = cost_captions(priced)
    assert "The latency in the bill of run aa is 3.00 µs." in captions["schedule"]
    assert "The floorplan adds up to 0.120 mm²." in captions["floorplan"]


def test_configurations_that_are_not_drawn_in_time_are_counted(study, add_cost_model):
    captions = cost_captions(add_cost_model(study, [f"{number:02d}e1" for number in range(7)]))
    assert "4 more configurations are not drawn." in captions["schedule"]


def test_work_that_takes_no_time_is_not_drawn(priced, add_cost_model):
    add_cost_model(priced, ["aa"])
    table = pd.read_csv(priced / "schedule.csv")
    table.assign(duration_s=0.0).to_csv(priced / "schedule.csv", index=False)
    assert "schedule" not in cost_captions(priced)
