"""Trace x prices = bill, and the bill closes."""

import numpy as np
import pytest

from cosim.algorithms import ALGORITHMS
from cost_model.components import area_charges, charges, leakage_charges
from cost_model.floorplan import MatrixShape, StorageNeeds
from cost_model.hardware import HardwareError
from cost_model.operations import Operation, counts
from cost_model.pricing import (
    Totals,
    area_lines,
    leakage_lines,
    operation_lines,
    price,
    price_totals,
)
from cost_model.trace import Trace
from tests.cost_model.designs import PRESETS, assumed_bill, bill_of, hardware, schedule

SHAPES = [
    MatrixShape("dense1", 40, 150, backward=False),
    MatrixShape("dense2", 10, 40),
]


def check_closes(bill):
    """Check that the parts of a bill add up to its totals, whichever way they are cut."""
    lines = bill.lines
    numbers = lines[["count", "energy_j", "latency_s", "area_m2", "share"]].to_numpy()
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()
    totals = {
        "energy_j": bill.energy_per_sample_j,
        "latency_s": bill.latency_per_sample_s,
        "area_m2": bill.area_m2,
    }
    for column, total in totals.items():
        for cut in ("layer", "tile", "operation", "component", "source"):
            assert lines.groupby(cut)[column].sum().sum() == pytest.approx(total, rel=1e-12, abs=0)
    operations = lines["operation"].unique()
    assert bill.energy_of(*operations) == pytest.approx(bill.energy_per_sample_j, rel=1e-12, abs=0)
    assert sum(bill.latency_of(name) for name in operations) == pytest.approx(
        bill.latency_per_sample_s, rel=1e-12, abs=0
    )
    if bill.energy_per_sample_j:
        assert lines["share"].sum() == pytest.approx(1, rel=1e-12, abs=0)
        np.testing.assert_allclose(lines["share"] * bill.energy_per_sample_j, lines["energy_j"], rtol=1e-12)
    assert lines["source"].str.len().gt(0).all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("shared_by_tiles", [True, False])
def test_bills_of_all_algorithms_close(preset, algorithm, shared_by_tiles):
    bill = assumed_bill(algorithm, SHAPES, hardware(preset, shared_by_tiles=shared_by_tiles), batch_size=8)
    check_closes(bill)
    assert bill.latency_per_sample_s > 0
    assert bill.area_m2 > 0 or (preset, algorithm) == ("multi_tile_paper", "digital_sgd")
    assert set(bill.lines["layer"]) <= {"dense1", "dense2", "network"}


def test_every_line_is_its_count_times_the_price_of_its_charge():
    design = hardware()
    scheduler = schedule("analog_sgd", SHAPES, design, samples=10, mini_batches=10)
    totals = dict(scheduler.trace.rows())
    bill = bill_of(scheduler, samples=10)
    side_area = bill.area_m2
    price_list = charges(design, "analog_sgd", area_m2=side_area)
    operations = bill.lines[~bill.lines["operation"].isin(["floorplan", "leakage"])]
    assert len(operations) > 50
    for line in operations.itertuples():
        candidates = [
            charge
            for charge in price_list
            if (charge.component, charge.per) == (line.component, line.per) and line.operation in charge.operations
        ]
        counted = totals[line.layer, line.tile, line.operation][line.per]
        assert line.count == counted / 10
        expected = [
            (counted * (charge.energy_j.value / 10) if charge.energy_j else 0.0, charge.source) for charge in candidates
        ]
        assert (line.energy_j, line.source) in expected


def test_prices_are_per_training_sample():
    trace = Trace()
    trace.append(Operation("forward", "dense1", "all", counts(performed=6, reads=6, adc_conversions=60), 7, 8))
    design = hardware()
    lines = list(operation_lines(trace.rows(), charges(design, "analog_sgd"), samples=3))
    adc = next(line for line in lines if line.component == "adc")
    energy = design.calibration.quantity("sar_adc", "energy_j", bits=8)
    assert adc.energy_j == 60 * (energy.value / 3)
    assert adc.record()["count"] == 20
    assert adc.record()["source"] == energy.describe()
    assert {line.per for line in lines} == {"reads", "adc_conversions"}
    assert not any(line.area_m2 for line in lines)


def test_counts_of_zero_make_no_line():
    trace = Trace()
    trace.append(Operation("forward", "dense1", "all", counts(performed=6, reads=0, adc_conversions=0.0)))
    assert list(operation_lines(trace.rows(), charges(hardware(), "analog_sgd"), samples=3)) == []


@pytest.mark.parametrize("samples", [0, -1, float("nan")])
def test_a_bill_needs_samples(samples):
    with pytest.raises(HardwareError, match=f"samples = {samples} is not allowed; a bill is per training sample"):
        price(Trace(), hardware(), [], algorithm="analog_sgd", storage=StorageNeeds(), samples=samples)


def test_an_operation_without_a_price_is_refused_rather_than_free():
    trace = Trace()
    trace.append(Operation("update", "dense1", "0", counts(performed=1)))
    price_list = [charge for charge in charges(hardware(), "analog_sgd") if "update" not in charge.operations]
    with pytest.raises(HardwareError, match="operation 'update' of layer dense1 has no price in this preset"):
        list(operation_lines(trace.rows(), price_list, samples=1))


def test_area_stands_once_per_layer_and_storage_once_for_the_network():
    design = hardware()
    floors = [design.floorplan(shape, 2) for shape in SHAPES]
    bill = price(Trace(), design, floors, algorithm="analog_sgd", storage=StorageNeeds(matrices=1), samples=1)
    assert bill.lines["operation"].eq("floorplan").all()
    assert not bill.lines.duplicated(["layer", "component", "per"]).any()
    stored = sum(floor.storage_byte(StorageNeeds(matrices=1)) for floor in floors)
    assert bill.digital_storage_byte == stored
    sram = bill.lines[bill.lines["component"] == "sram"]
    assert sram["layer"].tolist() == ["network"]
    assert sram["count"].tolist() == [stored]
    assert bill.energy_per_sample_j == bill.latency_per_sample_s == 0
    assert bill.lines["share"].eq(0).all()


def test_the_area_of_a_layer_is_its_instances_times_their_areas():
    design = hardware()
    floor = design.floorplan(SHAPES[0], 3)
    lines = {line.component: line for line in area_lines([floor], area_charges(design), storage_byte=0)}
    cells = floor.instances()["array_weights"]
    assert lines["array"].area_m2 == pytest.approx(cells * 2 * design.number("cell_area_m2"), rel=1e-12, abs=0)
    assert lines["adc"].count == floor.instances()["adcs"]
    assert "sram" not in lines


def test_what_leaks_leaks_for_as_long_as_a_sample_takes():
    design = hardware(adc_model="survey")
    floor = design.floorplan(SHAPES[0], 3)
    lines = {line.component: line for line in leakage_lines([floor], leakage_charges(design), 2e-6, 500)}
    assert set(lines) == {"drivers", "dac", "adc", "digital", "sram"}
    adc = lines["adc"]
    assert (adc.layer, adc.tile, adc.operation, adc.per) == ("dense1", "all", "leakage", "seconds of adcs")
    assert adc.count == floor.instances()["adcs"] * 2e-6
    leak = design.adc_source.figures(8, 45).leakage_w.value
    assert adc.energy_j == pytest.approx(floor.instances()["adcs"] * 2e-6 * leak, rel=1e-12, abs=0)
    assert (lines["sram"].layer, lines["sram"].count) == ("network", 500 * 2e-6)
    assert not any(line.latency_s or line.area_m2 for line in lines.values())
    assert leakage_lines([floor], leakage_charges(design), 0.0, 500) == []


def test_the_leakage_of_a_bill_is_that_of_its_own_latency():
    bill = assumed_bill("analog_sgd", SHAPES, hardware())
    leaks = bill.lines[bill.lines["operation"] == "leakage"]
    drivers = leaks[leaks["component"] == "drivers"].set_index("layer")
    instances = hardware().floorplan(SHAPES[0], 1).instances()
    assert drivers.loc["dense1", "count"] == pytest.approx(instances["lines"] * bill.latency_per_sample_s, rel=1e-12)
    assert 0 < bill.energy_of("leakage") < bill.energy_per_sample_j
    # A simulated converter leaks in its conversions, so it has no leakage of its own.
    assert leaks.loc[leaks["component"] == "adc", "energy_j"].eq(0).all()


def test_a_published_converter_leaks_while_it_does_not_convert():
    design = hardware(adc_model="survey")
    bill = assumed_bill("analog_sgd", SHAPES, design)
    adc = bill.lines[bill.lines["component"] == "adc"].set_index(["layer", "operation", "per"])
    instances = design.floorplan(SHAPES[0], 1).instances()["adcs"]
    converted = adc.loc[("dense1", "forward", "adc_conversions"), "count"] / 1e8  # seconds, 1e8 conversions each
    held = instances * bill.latency_per_sample_s
    assert 0 < converted < held
    count = adc.loc[("dense1", "leakage", "seconds of adcs"), "count"]
    assert count == pytest.approx(held - converted, rel=1e-9, abs=0)


def test_wires_and_samples_from_outside_stand_in_the_bill():
    bill = assumed_bill("analog_sgd", SHAPES, hardware(), samples=64)
    lines = bill.lines.set_index(["component", "layer", "operation"])
    off_chip = lines.loc["off_chip"]
    assert off_chip.index.tolist() == [("dense1", "forward")]
    assert off_chip["count"].tolist() == [150]
    assert off_chip["energy_j"].tolist() == pytest.approx([150 * 3.12e-11])
    assert lines.loc["wires"]["count"].to_dict() == {
        ("dense1", "forward"): 40, ("dense2", "forward"): 10, ("dense2", "backward"): 40,
    }  # fmt: skip


# ---- the totals alone


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("preset", PRESETS)
def test_totals_have_the_bits_of_the_bill(preset, algorithm):
    design = hardware(preset)
    scheduler = schedule(algorithm, SHAPES, design, samples=24, mini_batches=3)
    terms = {
        "algorithm": algorithm,
        "storage": scheduler.algorithm.storage(8),
        "samples": 24,
        "batch_size": 8,
    }
    bill = price(scheduler.trace, design, scheduler.floorplans, **terms)
    totals = price_totals(iter(scheduler.trace.rows()), design, scheduler.floorplans, **terms)
    assert totals == Totals(
        bill.energy_per_sample_j, bill.latency_per_sample_s, bill.area_m2, bill.digital_storage_byte
    )


def test_totals_of_many_designs_have_one_number_each_even_where_all_agree():
    design = hardware(overrides={"flop_energy_j": np.array([1e-12, 2e-12, 3e-12])})
    scheduler = schedule("analog_sgd", SHAPES, design, samples=8, mini_batches=8)
    totals = price_totals(
        *(scheduler.trace.rows(), design, scheduler.floorplans),
        algorithm="analog_sgd",
        storage=StorageNeeds(),
        samples=8,
    )
    assert len(set(totals.energy_per_sample_j)) == 3
    for figure in ("latency_per_sample_s", "area_m2", "digital_storage_byte"):
        assert np.shape(getattr(totals, figure)) == (3,)
        assert len(set(getattr(totals, figure))) == 1


def test_a_total_that_is_no_number_is_refused():
    trace = Trace()
    trace.append(Operation("forward", "dense1", "all", counts(adc_conversions=float("inf"))))
    terms = {"algorithm": "analog_sgd", "storage": StorageNeeds(), "samples": 1}
    with pytest.raises(ArithmeticError, match="the energy of a bill is NaN, infinite or negative"):
        price_totals(trace.rows(), hardware(), [], **terms)


def test_energy_of_a_run_on_split_arrays_charges_every_driver_once_per_array():
    # The same layer on one array and on four: each array has drivers of its own, the converters see partial sums.
    shape = [MatrixShape("dense", 64, 64)]
    whole, split = (
        assumed_bill("analog_sgd", shape, hardware(array_rows=lines, array_cols=lines)) for lines in (64, 32)
    )

    def count(bill, operation, per):
        lines = bill.lines
        return lines[(lines["operation"] == operation) & (lines["per"] == per)]["count"].sum()

    for operation, per in (("forward", "lines_driven"), ("update", "pulses"), ("forward", "adc_conversions")):
        assert count(split, operation, per) == pytest.approx(2 * count(whole, operation, per), rel=1e-12, abs=0)
    assert count(split, "forward", "dac_conversions") == count(whole, "forward", "dac_conversions")
    assert count(whole, "forward", "accumulations") == 0
    assert count(split, "forward", "accumulations") == 64


def test_sharing_converters_saves_conversions_and_converters():
    shared, private = (
        assumed_bill("residual_learning", SHAPES, hardware(shared_by_tiles=value), tiles=6) for value in (True, False)
    )

    def adc(bill, operation, column):
        lines = bill.lines
        return lines.loc[(lines["component"] == "adc") & (lines["operation"] == operation), column].sum()

    for operation in ("forward", "backward"):
        ratio = adc(private, operation, "energy_j") / adc(shared, operation, "energy_j")
        assert ratio == pytest.approx(6, rel=1e-12, abs=0)
    assert adc(private, "transfer", "energy_j") == adc(shared, "transfer", "energy_j")
    assert adc(private, "floorplan", "area_m2") == pytest.approx(
        6 * adc(shared, "floorplan", "area_m2"), rel=1e-12, abs=0
    )
