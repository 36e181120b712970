"""What must hold for any design: more hardware never costs less, bills add up, nothing is NaN."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.algorithms import ALGORITHMS
from cost_model.cells import list_cells
from cost_model.floorplan import MatrixShape
from cost_model.hardware import hardware_preset
from cost_model.latency import Schedule
from cost_model.trace import Trace
from tests.cost_model.designs import PRESETS, assumed_bill, bill_of, hardware, schedule
from tests.cost_model.test_pricing import check_closes

ADC_BITS = hardware().calibration.bits("sar_adc")
RESIDUAL = {"setting": "paper", "warm_start": "off", "transfer_columns": 3}

SCHEDULES = [
    Schedule(),
    Schedule(layers="pipelined"),
    Schedule(updates="as_ready"),
    Schedule(layers="pipelined", transfers="hidden"),
    Schedule(updates="as_ready", transfers="hidden"),
]

lengths = st.integers(1, 300)
algorithms = st.sampled_from(sorted(ALGORITHMS))
presets = st.sampled_from(PRESETS)


def quick(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


@st.composite
def networks(draw, layers=3):
    """Return shapes of a chain of layers, the first without a backward read."""
    sizes = draw(st.lists(lengths, min_size=2, max_size=layers + 1))
    return [
        MatrixShape(f"layer{place}", sizes[place + 1], sizes[place], draw(st.integers(1, 5)), backward=place > 0)
        for place in range(len(sizes) - 1)
    ]


@st.composite
def designs(draw):
    preset = draw(presets)
    own = preset == "sar_45nm"  # the paper's constants price no part by itself
    longest = 256 if own else 4096  # circuit simulation ends there
    return hardware(
        preset,
        array_rows=draw(st.sampled_from([1, 16, 128, longest])),
        array_cols=draw(st.sampled_from([1, 16, 128, longest])),
        dac_model=draw(st.sampled_from(["pulse_width", *(["capacitive", "r2r"] if own else [])])),
        adc_model=draw(st.sampled_from(["spice_sar", *(["survey", "neurosim", "walden"] if own else [])])),
        cell_model=draw(st.sampled_from(["spice_reram", *(list_cells() if own else [])])),
        schedule=draw(st.sampled_from(SCHEDULES)),
        adc_bits=draw(st.sampled_from([bits for bits in ADC_BITS if bits <= 8])),
        columns_per_adc=draw(st.sampled_from([1, 8, 1000])),
        shared_by_tiles=draw(st.booleans()),
    )


@quick(40)
@given(shapes=networks(), design=designs(), algorithm=algorithms, samples=st.integers(1, 40), batch=st.integers(1, 50))
def test_every_small_study_has_a_bill_that_closes(shapes, design, algorithm, samples, batch):
    bill = assumed_bill(algorithm, shapes, design, samples=samples, batch_size=batch)
    check_closes(bill)
    assert math.isfinite(bill.digital_storage_byte)
    assert bill.digital_storage_byte > 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_smallest_study_has_a_bill_that_closes(preset, algorithm):
    bill = assumed_bill(algorithm, [MatrixShape("one", 1, 1, backward=False)], hardware(preset), samples=1)
    check_closes(bill)


@quick(12)
@given(shapes=networks(), algorithm=algorithms, shared=st.booleans())
def test_more_bits_never_cost_less_energy_area_or_time(shapes, algorithm, shared):
    bills = [
        assumed_bill(algorithm, shapes, hardware(adc_bits=bits, shared_by_tiles=shared), samples=8) for bits in ADC_BITS
    ]
    for figure in ("energy_per_sample_j", "area_m2", "latency_per_sample_s"):
        values = [getattr(bill, figure) for bill in bills]
        assert values == sorted(values)


@quick(12)
@given(shapes=networks(), preset=presets, shared=st.booleans(), tiles=st.integers(1, 20))
def test_more_tiles_never_cost_less_energy_or_area(shapes, preset, shared, tiles):
    design = hardware(preset, shared_by_tiles=shared)
    fewer, more = (
        assumed_bill("residual_learning", shapes, design, samples=16, tiles=count, **RESIDUAL)
        for count in (tiles, tiles + 1)
    )
    assert more.energy_per_sample_j >= fewer.energy_per_sample_j
    assert more.area_m2 >= fewer.area_m2


@quick(12)
@given(shapes=networks(), preset=presets, algorithm=algorithms, samples=st.integers(1, 30), batch=st.integers(1, 4))
def test_training_twice_as_long_costs_the_same_per_sample_beside_the_programming(
    shapes, preset, algorithm, samples, batch
):
    design = hardware(preset)
    # One period for all transfers, so that twice the mini-batches are twice the transfers.
    parts = {"transfer_period": 1, "transfer_period_ratio": 1} if algorithm == "residual_learning" else {}
    once, twice = (
        bill_of(
            schedule(algorithm, shapes, design, samples=times * samples * batch, mini_batches=times * samples, **parts),
            samples=times * samples * batch,
        )
        for times in (1, 2)
    )
    for operation in ("forward", "backward", "digital", "update", "transfer"):
        assert twice.energy_of(operation) == pytest.approx(once.energy_of(operation), rel=1e-12, abs=0)
    for operation in ("forward", "backward", "digital"):
        assert twice.latency_of(operation) == pytest.approx(once.latency_of(operation), rel=1e-12, abs=0)
    assert twice.energy_of("program") == pytest.approx(once.energy_of("program") / 2, rel=1e-12, abs=0)
    assert twice.area_m2 == once.area_m2


@quick(12)
@given(shapes=networks(), algorithm=algorithms, samples=st.integers(1, 30))
def test_twice_the_positions_are_twice_the_reads(shapes, algorithm, samples):
    doubled = [replace(shape, positions=2 * shape.positions) for shape in shapes]
    one, two = (
        schedule(algorithm, layers, hardware(), samples=samples, mini_batches=samples).trace.to_frame()
        for layers in (shapes, doubled)
    )
    reads = one["operation"].isin(["forward", "backward", "digital"])
    names = one.columns.difference(["layer", "tile", "operation", "dac_bits", "adc_bits", "sram_bytes"])
    np.testing.assert_allclose(two[reads][names], 2 * one[reads][names], rtol=1e-12)
    # A digital matrix passes, and a transfer happens, once per mini-batch, whatever the positions.
    assert two["sram_bytes"].equals(one["sram_bytes"])
    transfers = one["operation"] == "transfer"
    assert two[transfers].equals(one[transfers])


@quick(12)
@given(shapes=networks(), preset=presets, algorithm=algorithms, times=st.tuples(*[st.integers(1, 30)] * 2))
def test_the_energies_of_a_sum_of_traces_are_the_sum_of_their_energies(shapes, preset, algorithm, times):
    design = hardware(preset)
    parts = [schedule(algorithm, shapes, design, samples=count, mini_batches=count) for count in times]
    total = Trace.from_frame(pd.concat([part.trace.to_frame() for part in parts]))
    energies = [bill_of(part, samples=1).energy_per_sample_j for part in parts]
    assert bill_of(parts[0], samples=1, trace=total).energy_per_sample_j == pytest.approx(
        sum(energies), rel=1e-12, abs=0
    )


@quick(12)
@given(shapes=networks(), algorithm=algorithms, preset=presets, data=st.data())
def test_a_higher_price_never_lowers_a_bill(shapes, algorithm, preset, data):
    values = hardware_preset(preset)["values"]
    names = [name for name in values if name.endswith(("_j", "time_s", "area_m2", "byte_m2"))]
    name = data.draw(st.sampled_from(names))
    dearer = hardware(preset, overrides={name: 2 * values[name]["value"] + 1e-15})
    plain = assumed_bill(algorithm, shapes, hardware(preset), samples=8)
    changed = assumed_bill(algorithm, shapes, dearer, samples=8)
    for figure in ("energy_per_sample_j", "area_m2", "latency_per_sample_s"):
        assert getattr(changed, figure) >= getattr(plain, figure)
