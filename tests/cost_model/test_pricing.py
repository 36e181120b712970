"""Trace x prices = bill, and the bill closes."""

import numpy as np
import pytest

from cosim.algorithms import ALGORITHMS
from cost_model.components import area_charges, charges
from cost_model.floorplan import MatrixShape, StorageNeeds
from cost_model.hardware import HardwareError
from cost_model.operations import INDEX, Operation, counts
from cost_model.pricing import area_rows, operation_rows, price
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
    price_list = charges(design, "analog_sgd")
    totals = dict(scheduler.trace.rows())
    bill = bill_of(scheduler, samples=10)
    operations = bill.lines[bill.lines["operation"] != "floorplan"]
    for line in operations.itertuples():
        candidates = [
            charge
            for charge in price_list
            if (charge.component, charge.per) == (line.component, line.per) and line.operation in charge.operations
        ]
        assert line.count == totals[line.layer, line.tile, line.operation][INDEX[line.per]] / 10
        expected = [
            (charge.energy_j.value * line.count if charge.energy_j else 0.0, charge.source) for charge in candidates
        ]
        assert (line.energy_j, line.source) in expected


def test_prices_are_per_training_sample():
    trace = Trace()
    trace.append(Operation("forward", "dense1", "all", counts(performed=6, reads=6, adc_conversions=60), 7, 8))
    design = hardware()
    rows = operation_rows(trace, charges(design, "analog_sgd"), samples=3)
    adc = next(row for row in rows if row["component"] == "adc")
    assert adc["count"] == 20
    energy = design.calibration.quantity("sar_adc", "energy_j", bits=8)
    assert adc["energy_j"] == 20 * energy.value
    assert adc["source"] == energy.describe()
    assert {row["per"] for row in rows} == {"reads", "adc_conversions"}


@pytest.mark.parametrize("samples", [0, -1, float("nan")])
def test_a_bill_needs_samples(samples):
    with pytest.raises(HardwareError, match=f"samples = {samples} is not allowed; a bill is per training sample"):
        price(Trace(), hardware(), [], algorithm="analog_sgd", storage=StorageNeeds(), samples=samples)


def test_an_operation_without_a_price_is_refused_rather_than_free():
    trace = Trace()
    trace.append(Operation("update", "dense1", "0", counts(performed=1)))
    price_list = [charge for charge in charges(hardware(), "analog_sgd") if "update" not in charge.operations]
    with pytest.raises(HardwareError, match="operation 'update' of layer dense1 has no price in this preset"):
        operation_rows(trace, price_list, samples=1)


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
    rows = {row["component"]: row for row in area_rows([floor], area_charges(design), storage_byte=0)}
    cells = floor.instances()["array_weights"]
    assert rows["array"]["area_m2"] == pytest.approx(cells * 2 * design.number("cell_area_m2"), rel=1e-12, abs=0)
    assert rows["adc"]["count"] == floor.instances()["adcs"]
    assert "sram" not in rows


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
