"""Many designs at once: each its single bill to the last bit, the front against a slow search, limits, refusals."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cosim.config import ConfigError, make_study, make_sweep
from cosim.explain import price_notes
from cosim.exploration import (
    ACCURACY,
    CHUNK,
    COSTS,
    explore,
    groups,
    is_vectorised,
    pareto_front,
    read_condition,
    read_figure,
    satisfying,
    why_none,
)
from cosim.priced_run import PricedRun
from cosim.pricing import price_point
from cosim.study import price_study, run
from cost_model.bill import FIGURES

STUDY: dict[str, Any] = {
    "schema": 1,
    "seed": 3,
    "data": {"name": "digits", "train_samples": 40, "test_samples": 40},
    "network": {"name": "mlp", "sizes": [64, 20, 10]},
    "training": {"epochs": 2, "batch_size": 4},
    "device": {"preset": "soft_bounds", "states": 10},
    "algorithm": {"name": "residual_learning", "tiles": 3},
}
AXES: dict[str, list[Any]] = {
    "hardware.adc.bits": [4, 8],
    "algorithm.tiles": [2, 3],
    "hardware.array_rows": [16, 48, 200],
    "hardware.adc.shared_by_tiles": [True, False],
    "hardware.values.flop_energy_j": [1e-12, 3e-12],
    "hardware.adc.model": ["spice_sar", "survey"],
}


def sweep_of(axes: dict[str, list[Any]], **changes: Any) -> Any:
    return make_sweep({**STUDY, **changes, "sweep": axes})


def test_keys_of_numbers_become_arrays_and_keys_of_names_do_not() -> None:
    assert is_vectorised("hardware.adc.bits")
    assert is_vectorised("hardware.values.flop_energy_j")
    assert is_vectorised("hardware.cell.read_voltage_v")
    for key in ("hardware.cell.model", "hardware.adc.model", "hardware.preset", "algorithm.tiles", "device.states"):
        assert not is_vectorised(key)


def test_every_design_costs_what_its_single_bill_says_to_the_last_bit() -> None:
    sweep = sweep_of(AXES)
    designs = explore(groups(sweep))
    assert len(designs) == np.prod([len(values) for values in AXES.values()])
    assert not designs[list(AXES)].duplicated().any()
    for row in designs.to_dict("records"):
        bill, _ = price_point(sweep.point({key: row[key] for key in AXES}))
        assert [row[name] for name in COSTS] == [getattr(bill, name) for name in COSTS]
        assert np.isnan(row[ACCURACY])


def test_a_study_without_a_sweep_is_one_design() -> None:
    designs = explore(groups(sweep_of({})))
    assert len(designs) == 1
    bill, _ = price_point(make_study(STUDY).points[0])
    assert designs["energy_per_sample_j"].tolist() == [bill.energy_per_sample_j]


def test_designs_of_several_chunks_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found = groups(sweep_of(AXES))
    whole = explore(found)
    monkeypatch.setattr("cosim.exploration.CHUNK", 5)
    pd.testing.assert_frame_equal(explore(found), whole, check_exact=True)
    assert CHUNK > 1000


@pytest.mark.parametrize(
    ("key", "values", "message"),
    [
        ("hardware.adc.bits", [8, 3], "hardware.adc.bits = 3 is not in calibration table"),
        ("hardware.adc.bits", [8, "many"], "hardware.adc.bits = 'many' is not allowed"),
        ("hardware.array_rows", [128, 0], "hardware.array_rows = 0 is not allowed"),
        ("hardware.array_rows", [128, 512], "hardware.array_rows = 512 is beyond calibration table"),
        ("hardware.adc.columns_per_adc", [1, -2], "hardware.adc.columns_per_adc = -2 is not allowed"),
        ("hardware.values.flop_energy", [1.0], "hardware.values.flop_energy is unknown; nearest: 'flop_energy_j'"),
        ("hardware.values.activity_drive", [0.5, 2.0], "hardware.values.activity_drive = 2.0 is not allowed"),
        ("hardware.cell.read_voltage_v", [0.1], "the numbers of 'spice_reram' come from the calibration table"),
        ("hardware.node_nm", [22], "hardware.node_nm = 22 is not priced by preset 'sar_45nm'; it holds for 45 nm"),
    ],
)
def test_a_value_that_no_design_can_have_is_refused_by_name(key: str, values: list[Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        explore(groups(sweep_of({key: values})))
    assert message in str(caught.value)


def test_what_a_later_design_lacks_in_the_calibration_table_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"{bits},1e-13,1e-9,1e-10,bench\n" for bits in (8, 12))
    (tmp_path / "adc.csv").write_text(f"bits,energy_j,latency_s,area_m2,source\n{rows}")
    hardware = {"ideal_io": True, "adc": {"model": "table", "table": "adc.csv"}}
    sweep = make_sweep({**STUDY, "hardware": hardware, "sweep": {"hardware.adc.bits": [8, 12]}}, folder=tmp_path)
    with pytest.raises(ConfigError, match=r"sample_hold .* is not characterised at bits = 12"):
        explore(groups(sweep))


def test_a_limit_on_names_and_a_bad_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = sweep_of({"hardware.adc.model": ["spice_sar", "survey"]})
    with pytest.raises(ConfigError, match=r"hardware\.adc\.model holds names, not numbers"):
        price_study(sweep, conditions=["hardware.adc.model >= 3"], bands=False)
    monkeypatch.setattr("cosim.study.explore", lambda *_, **__: pytest.fail("priced before the limits were read"))
    with pytest.raises(ConfigError, match="enregy is unknown"):
        price_study(sweep, conditions=["enregy <= 1"])


def slow_front(rows: np.ndarray) -> list[bool]:
    """Return which rows no other beats, pair by pair; all columns are to be small."""
    return [not any((other <= row).all() and (other < row).any() for other in rows) for row in rows]


@pytest.mark.parametrize("known", [False, True])
def test_the_front_is_what_a_search_over_all_pairs_finds(known: bool) -> None:
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(generator.integers(1, 6, (300, 4)).astype(float), columns=[*FIGURES, ACCURACY])
    if not known:
        frame[ACCURACY] = np.nan
    columns = frame[[*FIGURES]].to_numpy()
    if known:
        columns = np.column_stack([columns, -frame[ACCURACY]])
    expected = slow_front(columns)
    assert pareto_front(frame).tolist() == expected
    assert 0 < sum(expected) < 300


def test_a_design_of_unknown_accuracy_is_not_on_a_front_with_accuracy() -> None:
    frame = pd.DataFrame({name: [1.0, 2.0, 1.5] for name in FIGURES} | {ACCURACY: [np.nan, 0.9, 0.9]})
    assert pareto_front(frame).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("text", "column", "comparison", "limit"),
    [
        ("energy <= 2 uJ", "energy_per_sample_j", "<=", 2e-6),
        ("energy<2e-6", "energy_per_sample_j", "<", 2e-6),
        ("area <= 1.5 mm2", "area_m2", "<=", 1.5e-6),
        ("area <= 40 µm²", "area_m2", "<=", 40e-12),
        ("latency <= 100 ns", "latency_per_sample_s", "<=", 1e-7),
        ("accuracy >= 95 %", ACCURACY, ">=", 0.95),
        ("accuracy >= 0.95", ACCURACY, ">=", 0.95),
        ("storage < 16 kB", "digital_storage_byte", "<", 16e3),
        ("hardware.adc.bits == 8", "hardware.adc.bits", "=", 8),
    ],
)
def test_limits_are_read_with_their_units(text: str, column: str, comparison: str, limit: float) -> None:
    condition = read_condition(text, [*COSTS, ACCURACY, "hardware.adc.bits"])
    assert (condition.column, condition.comparison) == (column, comparison)
    assert condition.limit == pytest.approx(limit, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("energy", "is not a limit; write a figure, a comparison and a number"),
        ("energy <= much", "is not a limit"),
        ("energy <= 1-2", "1-2 is not a number"),
        ("area <= 0.25 J", "area is not in J; its unit is m2"),
        ("energy <= 6 %", "energy is not in %; its unit is J"),
        ("latency <= 1 m", "1 m is not a number with a unit"),
        ("enregy <= 1", "enregy is unknown; nearest: 'energy'"),
    ],
)
def test_a_limit_that_cannot_be_read_says_why(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match="--where") as caught:
        read_condition(text, [*COSTS, ACCURACY])
    assert message in str(caught.value)
    with pytest.raises(ConfigError, match="--smallest 'enrgy' is unknown; nearest: 'energy'"):
        read_figure("enrgy")


def test_limits_keep_what_they_say_and_tell_how_close_the_best_came() -> None:
    frame = pd.DataFrame({"energy_per_sample_j": [1.0, 2.0, 3.0], ACCURACY: [0.8, np.nan, 0.9]})
    limits = [read_condition(text, list(frame)) for text in ("energy <= 2", "accuracy >= 85 %")]
    assert limits[0].holds(frame).tolist() == [True, True, False]
    assert satisfying(frame, limits).tolist() == [False, False, False]
    assert list(why_none(frame, limits)) == [
        "energy <= 2: kept by 2 of 3 designs; best 1",
        "accuracy >= 85 %: kept by 1 of 3 designs; best 0.9",
    ]


def test_the_best_design_within_limits_is_the_one_that_a_search_finds() -> None:
    sweep = sweep_of(AXES)
    priced = price_study(sweep, conditions=["hardware.adc.bits >= 8", "energy <= 20 nJ"], smallest="area", bands=False)
    kept = priced.designs[(priced.designs["hardware.adc.bits"] == 8) & (priced.designs["energy_per_sample_j"] <= 20e-9)]
    assert priced.designs["kept"].sum() == len(kept) > 0
    areas = [one.bill["area_m2"].sum() for one in priced.detailed]
    assert areas == sorted(areas)
    assert areas[0] == pytest.approx(kept["area_m2"].min(), rel=1e-12)
    assert all(one.point.hardware.adc_bits == 8 for one in priced.detailed)


def test_every_design_of_a_small_study_has_its_bill_in_the_order_of_the_sweep() -> None:
    axes = {"algorithm.tiles": [3, 2], "hardware.adc.bits": [8, 6]}
    priced = price_study(sweep_of(axes), bands=False)
    found = [(one.point.resolved["algorithm"]["tiles"], one.point.hardware.adc_bits) for one in priced.detailed]
    assert found == list(itertools.product([3, 2], [8, 6]))
    energies = [one.bill["energy_j"].sum() for one in priced.detailed]
    np.testing.assert_allclose(energies, priced.designs["energy_per_sample_j"], rtol=1e-12)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explored") / "run"
    run({**STUDY, "hardware": {"ideal_io": True}, "sweep": {"seed": [3, 4]}}, folder, page=False)
    return folder


def test_a_run_lends_its_activity_and_its_accuracy(trained: Path) -> None:
    study = {**STUDY, "hardware": {"ideal_io": True}}
    record = pd.read_csv(trained / "results.csv")
    priced = price_study(make_sweep(study), run=trained, bands=False)
    own = record[record["seed"] == 3].iloc[0]
    assert priced.designs["energy_per_sample_j"].tolist() == [own["energy_per_sample_j"]]
    assert priced.designs["latency_per_sample_s"].tolist() == [own["latency_per_sample_s"]]
    assert priced.detailed[0].accuracy == pytest.approx(record["test_accuracy"].mean(), rel=1e-12)
    assert priced.detailed[0].trained
    assumed = price_study(make_sweep(study), bands=False)
    assert assumed.designs["energy_per_sample_j"].iloc[0] != own["energy_per_sample_j"]
    assert not assumed.detailed[0].trained


def test_each_design_of_a_run_gets_its_own_activity(tmp_path: Path) -> None:
    study = {**STUDY, "sweep": {"seed": [1, 2], "hardware.adc.bits": [6, 8]}}
    run(study, tmp_path / "run", page=False)
    results = pd.read_csv(tmp_path / "run" / "results.csv")
    priced = price_study(make_sweep(study), run=tmp_path / "run", bands=False)
    both = priced.designs.merge(results, on=["seed", "hardware.adc.bits"], suffixes=("", "_of_run"))
    assert len(both) == 4
    for figure in FIGURES:
        assert both[figure].tolist() == both[f"{figure}_of_run"].tolist()
    bills = [one.bill["energy_j"].sum() for one in priced.detailed]
    np.testing.assert_allclose(bills, both["energy_per_sample_j"], rtol=1e-12)
    mean = results.groupby("hardware.adc.bits")["test_accuracy"].mean()
    assert both["test_accuracy"].tolist() == pytest.approx(mean[both["hardware.adc.bits"]].tolist())


def test_a_run_that_trained_something_else_is_said_so(trained: Path) -> None:
    other = {**STUDY, "hardware": {"ideal_io": True}, "algorithm": {"name": "analog_sgd"}}
    priced = price_study(make_sweep(other), run=trained, bands=False)
    assert not priced.detailed[0].trained
    assert "the run has nothing like 1 of 1 of these bills" in price_notes(priced)[0]


def test_accuracy_of_ideal_converters_holds_for_every_converter_and_that_of_another_training_for_none(
    trained: Path,
) -> None:
    source = PricedRun(trained)
    axes = {"hardware.adc.bits": [6, 8], "algorithm.tiles": [3, 2]}
    ideal = {"ideal_io": True}
    designs = explore(groups(sweep_of(axes, hardware=ideal)), run=source)
    assert designs[designs["algorithm.tiles"] == 3][ACCURACY].notna().all()
    assert designs[designs["algorithm.tiles"] == 2][ACCURACY].isna().all()


def test_accuracy_with_real_converters_holds_for_those_alone(tmp_path: Path) -> None:
    real = {"ideal_io": False, "adc": {"bits": 8}}
    run({**STUDY, "hardware": real}, tmp_path / "real", page=False)
    axes = {"hardware.adc.bits": [6, 8], "hardware.values.flop_energy_j": [1e-12, 2e-12]}
    designs = explore(groups(sweep_of(axes, hardware=real)), run=PricedRun(tmp_path / "real"))
    assert designs[designs["hardware.adc.bits"] == 8][ACCURACY].notna().all()
    assert designs[designs["hardware.adc.bits"] == 6][ACCURACY].isna().all()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, trained: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"study.toml, results.csv, activity.csv, trace.csv missing; give one that `cosim run`"
    ):
        PricedRun(tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("study.toml", "results.csv", "trace.csv"):
        (broken / name).write_bytes((trained / name).read_bytes())
    (broken / "activity.csv").write_text("nonsense\n1\n")
    with pytest.raises(ConfigError, match="the tables of the run cannot be read"):
        PricedRun(broken)
    lines = (trained / "activity.csv").read_text().splitlines(keepends=True)
    (broken / "activity.csv").write_text("".join(lines[:3]))
    with pytest.raises(ConfigError, match=r"2 rows of run .*, where its trace has \d+; a table is not whole"):
        PricedRun(broken)
