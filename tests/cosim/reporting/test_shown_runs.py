import pytest

from cosim.reporting.figures import configurations_of
from cosim.reporting.frames import load_run
from cosim.reporting.shown_runs import shown_runs


@pytest.fixture
def tiled(study, add_cost_model):
    """A study whose configuration number n has n + 1 tiles, the last first."""
    run_ids = [f"{number:02d}e{seed}" for number in range(7) for seed in (1, 2)]
    add_cost_model(study, run_ids)
    frames = load_run(study)
    frames.floorplan["tiles"] = 7.0 - frames.floorplan["configuration"]
    return frames


@pytest.mark.parametrize(("limit", "shown"), [(1, [0]), (2, [6, 0]), (3, [6, 3, 0]), (20, [6, 5, 4, 3, 2, 1, 0])])
def test_runs_are_spread_over_the_tiles_and_the_one_with_most_is_among_them(tiled, limit, shown):
    runs = shown_runs(tiled, configurations_of(tiled), tiled.schedule, limit)
    assert [run.run_id for run in runs] == [f"{number:02d}e1" for number in shown]
    assert all(set(run.rows["run_id"]) == {run.run_id} for run in runs)
    assert len({run.label for run in runs}) == len(runs)


def test_an_only_run_needs_no_name(make_run, row, add_cost_model):
    frames = load_run(add_cost_model(make_run([row()]), ["0001"]))
    (run,) = shown_runs(frames, configurations_of(frames), frames.tornado, 1)
    assert (run.run_id, run.label) == ("0001", "")


def test_without_a_floorplan_the_bill_numbers_the_tiles(priced, add_cost_model):
    add_cost_model(priced, ["aa", "bb"])
    (priced / "floorplan.csv").unlink()
    bill = (priced / "bill.csv").read_text().replace("bb,fc1,0,", "bb,fc1,5,")
    (priced / "bill.csv").write_text(bill)
    frames = load_run(priced)
    assert shown_runs(frames, configurations_of(frames), frames.schedule, 1)[0].run_id == "bb"
