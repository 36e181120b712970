import pandas as pd
import pytest
from matplotlib.figure import Figure

from cosim.reporting.engineering import axis_scale
from cosim.reporting.gantt import SHORTEST_SHARE, draw_schedules, end_s, layers, plot_schedule, waits
from cosim.reporting.shown_runs import ShownRun
from cosim.reporting.style import fill_styles

ROWS = (
    # layer, operation, start_s, duration_s, critical, hidden
    ("conv1", "forward", 0.0, 8e-6, True, False),
    ("dense1", "forward", 8e-6, 2e-9, True, False),
    ("dense1", "backward", 8.002e-6, 1e-6, True, False),
    ("dense1", "transfer", 8.002e-6, 3e-6, False, True),
    ("conv1", "update", 9.002e-6, 0.998e-6, True, False),
)


def schedule(rows=ROWS, factor=1.0):
    frame = pd.DataFrame(rows, columns=["layer", "operation", "start_s", "duration_s", "critical", "hidden"])
    return frame.assign(start_s=factor * frame["start_s"], duration_s=factor * frame["duration_s"])


def run(factor=1.0, label=""):
    return ShownRun(run_id="a", label=label, rows=schedule(factor=factor))


def bars(axes):
    return [patch for patch in axes.patches if patch.get_facecolor()[3] > 0]


@pytest.fixture
def axes():
    return Figure().subplots()


def draw(axes, rows):
    plot_schedule(axes, rows, scale=axis_scale([1e-5], "s"), span=1e-5, styles=fill_styles(rows["operation"], ()))


def test_a_row_for_each_layer_the_first_to_begin_on_top(axes):
    draw(axes, schedule(ROWS[::-1]))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["conv1", "dense1"]
    assert axes.yaxis_inverted()


def test_bars_stand_at_their_time_and_the_shortest_stays_visible(axes):
    draw(axes, schedule())
    widths = {round(bar.get_x(), 3): bar.get_width() for bar in bars(axes) if bar.get_height() > 0.5}
    assert widths[0.0] == pytest.approx(8.0)
    assert widths[8.0] == pytest.approx(SHORTEST_SHARE * 10.0)  # 2 ns of 10 µs


def test_the_critical_path_is_outlined_and_hidden_work_is_thin_and_faint(axes):
    draw(axes, schedule())
    outlines = [patch for patch in axes.patches if patch.get_facecolor()[3] == 0]
    assert sorted(round(patch.get_x(), 3) for patch in outlines) == [0.0, 8.0, 8.002, 9.002]
    (hidden,) = [bar for bar in bars(axes) if bar.get_height() < 0.5]
    assert hidden.get_alpha() < 1
    assert hidden.get_width() == pytest.approx(3.0)


def test_short_operations_are_told_in_words():
    text = waits(schedule()).replace("\N{NO-BREAK SPACE}", " ")
    assert text == (
        "The sample waits for: forward 8.00 µs (80 %), backward 1.00 µs (10 %), update 998 ns (10 %). "
        "Hidden: transfer 3.00 µs."
    )
    short = schedule((("a", "forward", 0.0, 1.0, True, False), ("a", "transfer", 1.0, 4e-4, True, False)))
    assert "transfer 400 µs (0.04 %)" in waits(short).replace("\N{NO-BREAK SPACE}", " ")


def test_hidden_work_does_not_prolong_the_sample():
    assert end_s(schedule()) == pytest.approx(10e-6)
    assert layers(schedule()) == ["conv1", "dense1"]


def test_alone_a_run_gets_a_close_up_of_layers_too_short_to_see():
    # dense1 works for a thousandth of the sample, in one place
    short = schedule((*ROWS[:2], ("dense1", "backward", 8.002e-6, 8e-9, True, False), ROWS[4]))
    figure = draw_schedules([ShownRun(run_id="a", label="", rows=short)])
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == [
        "10.0 µs", "the same, close up: dense1 (10.0 ns)",
    ]  # fmt: skip
    low, high = figure.axes[1].get_xlim()
    assert 7.99 < low < 8.0 < 8.01 < high < 8.02


@pytest.mark.parametrize(("factor", "shared"), [(3.0, True), (30.0, False)])
def test_runs_of_comparable_time_share_the_axis(factor, shared):
    figure = draw_schedules([run(label="slow", factor=factor), run(label="fast")])
    first, second = (axes.get_xlim() for axes in figure.axes)
    assert (first == pytest.approx(second)) is shared


def test_all_hidden_work_still_has_an_end():
    rows = schedule((("a", "transfer", 1e-6, 1e-6, False, True),))
    assert end_s(rows) == pytest.approx(2e-6)
    assert len(draw_schedules([ShownRun(run_id="a", label="", rows=rows)]).axes) == 1
