"""The schedule of a sample: what overlaps, by hand and against a flow shop; and where its operations stand in time."""

import itertools

import numpy as np
import pytest

from cost_model.floorplan import MatrixShape
from cost_model.latency import ONCE, TRANSFERS, Schedule, Timing, time_sample
from tests.cost_model.designs import assumed_bill, hardware

SEQUENTIAL = Schedule()
SCHEDULES = [
    Schedule(*choice)
    for choice in itertools.product(("sequential", "pipelined"), ("together", "as_ready"), ("serial", "hidden"))
    if choice[:2] != ("pipelined", "as_ready")
]
KINDS = ("forward", "digital", "backward", "update", "transfer", "refresh", "program", "calibrate")


def latency_of(durations, schedule=SEQUENTIAL, batch_size=1):
    """Return the latency that the weights make."""
    weights = time_sample(durations, schedule, batch_size).weights
    return sum(time * weights[layer, kind] for layer, parts in durations.items() for kind, time in parts.items())


def drawn(seed, layers=4, designs=()):
    """Return random durations of a chain of layers, in which the first passes no error on."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return {
        f"layer{place}": {
            kind: generator.random(designs) for kind in KINDS if (place, kind) != (0, "backward")
        }
        for place in range(layers)
    }  # fmt: skip


# ---- sequential, together, serial: as in Table 7 of the multi-tile paper


def test_reads_and_digital_work_all_count():
    durations = {"a": {"forward": 1.0, "digital": 3.0}, "b": {"forward": 9.0, "backward": 2.0}}
    assert latency_of(durations) == 15.0
    timing = time_sample(durations, SEQUENTIAL)
    assert {timing.weights[layer, kind] for layer, parts in durations.items() for kind in parts} == {1.0}


def test_only_the_layer_with_the_slowest_writes_counts():
    durations = {
        "a": {"forward": 1.0, "update": 3.0, "transfer": 3.0},
        "b": {"update": 5.0, "backward": 1.0, "transfer": 0.5},
    }
    # a writes for 6 s, b for 5.5 s: a's two parts count, though b's update is the longest single one.
    weights = time_sample(durations, SEQUENTIAL).weights
    found = {
        place: float(weights[place]) for place in ((layer, kind) for layer in durations for kind in durations[layer])
    }
    assert found == {
        ("a", "forward"): 1, ("a", "update"): 1, ("a", "transfer"): 1,
        ("b", "update"): 0, ("b", "backward"): 1, ("b", "transfer"): 0,
    }  # fmt: skip


def test_of_equally_slow_layers_one_counts():
    assert latency_of({"a": {"update": 2.0}, "b": {"update": 2.0}}) == 2.0


def test_a_refresh_is_a_write_like_a_transfer():
    assert latency_of({"a": {"update": 2.0, "refresh": 4.0}, "b": {"transfer": 5.0}}) == 6.0


def test_what_happens_once_is_a_phase_of_its_own():
    durations = {"a": {"program": 1.0, "calibrate": 6.0, "update": 1.0}, "b": {"program": 4.0, "update": 5.0}}
    assert latency_of(durations) == (1 + 6) + 5  # the slowest programming is a's, the slowest update b's
    weights = time_sample(durations, SEQUENTIAL).weights
    assert (weights["a", "program"], weights["b", "program"]) == (1, 0)
    assert (weights["a", "update"], weights["b", "update"]) == (0, 1)


def test_nothing_takes_no_time():
    assert time_sample({}, SEQUENTIAL) == Timing({}, [])
    assert latency_of({"a": {}}) == 0
    assert time_sample({"a": {"forward": 0.0}}, SEQUENTIAL).bars == []


# ---- the other schedules


@pytest.mark.parametrize("transfer", [0.0, 2.5])
def test_writes_as_ready_start_when_the_error_of_their_layer_is_known(transfer):
    # Forward 6 s. Backward: c in 2 s, b in 3 s; a has none. So c is ready after 8, b and a after 11 s.
    durations = {
        "a": {"forward": 1.0, "update": 1.0},
        "b": {"forward": 2.0, "backward": 3.0, "update": 2.0},
        "c": {"forward": 3.0, "backward": 2.0, "update": 4.0, "transfer": transfer},
    }
    expected = max(11 + 1, 11 + 2, 8 + 4 + transfer)
    assert latency_of(durations, Schedule(updates="as_ready")) == expected
    assert latency_of(durations) == 11 + 4 + transfer
    weights = time_sample(durations, Schedule(updates="as_ready")).weights
    assert weights["b", "backward"] == (1.0 if transfer == 0 else 0.0)  # it goes on beside c's transfer


@pytest.mark.parametrize("seed", range(20))
def test_writes_as_ready_end_when_the_last_layer_has_finished(seed):
    durations = drawn(seed)
    layers = list(durations)
    now = sum(parts["forward"] + parts["digital"] for parts in durations.values())
    ends = []
    for layer in reversed(layers):
        now += durations[layer].get("backward", 0.0)
        ends.append(now + sum(durations[layer][kind] for kind in ("update", "transfer", "refresh")))
    once = max(parts["program"] + parts["calibrate"] for parts in durations.values())
    assert latency_of(durations, Schedule(updates="as_ready")) == pytest.approx(max(ends) + once, rel=1e-14)


def flow_shop(times, jobs):
    """Return when the last of `jobs` equal jobs leaves a chain of machines, event by event."""
    free = [0.0] * len(times)
    for _ in range(jobs):
        ready = 0.0
        for machine, time in enumerate(times):
            ready = free[machine] = max(ready, free[machine]) + time
    return free[-1]


@pytest.mark.parametrize("batch_size", [1, 2, 7, 100])
@pytest.mark.parametrize("seed", range(5))
def test_a_pipeline_is_a_flow_shop_of_the_mini_batch(seed, batch_size):
    durations = drawn(seed)
    forward = [parts["forward"] + parts["digital"] for parts in durations.values()]
    backward = [parts.get("backward", 0.0) for parts in durations.values()]
    writes = max(sum(parts[kind] for kind in ("update", "transfer", "refresh")) for parts in durations.values())
    once = max(parts["program"] + parts["calibrate"] for parts in durations.values())
    reads = flow_shop(forward, batch_size) + flow_shop(backward, batch_size)
    found = latency_of(durations, Schedule(layers="pipelined"), batch_size)
    assert found == pytest.approx(reads / batch_size + writes + once, rel=1e-14)


def test_a_pipeline_of_one_sample_is_no_pipeline():
    durations = drawn(1)
    assert latency_of(durations, Schedule(layers="pipelined")) == latency_of(durations)


def test_a_pipeline_by_hand():
    durations = {"a": {"forward": 2.0, "digital": 1.0}, "b": {"forward": 5.0, "backward": 4.0}}
    # 4 samples: 3 + 5 s for the first, 5 s for each of 3 more; 4 s for each of 4 errors.
    assert latency_of(durations, Schedule(layers="pipelined"), 4) == (3 + 5 + 3 * 5) / 4 + 4


def test_transfers_hide_while_other_layers_are_read_and_only_what_is_left_shows():
    durations = {
        "a": {"forward": 1.0, "update": 1.0, "transfer": 2.0},
        "b": {"forward": 10.0, "backward": 4.0, "update": 3.0, "transfer": 1.5},
    }
    hidden = Schedule(transfers="hidden")
    # The path is 1 + 10 + 4 + 3 = 18 s; b is read and written for 17 s of it, so 0.5 of its 1.5 s show.
    assert latency_of(durations, hidden) == 18.5
    assert latency_of(durations) == 18 + 1.5
    weights = time_sample(durations, hidden).weights
    assert weights["b", "transfer"] == pytest.approx(1 / 3)
    assert weights["a", "transfer"] == 0
    assert latency_of(durations | {"b": durations["b"] | {"transfer": 1.0}}, hidden) == 18.0


def test_of_transfers_that_do_not_fit_only_the_longest_shows():
    durations = {
        "a": {"forward": 1.0, "update": 1.0, "transfer": 20.0},
        "b": {"forward": 2.0, "backward": 2.0, "update": 1.0, "transfer": 30.0},
    }
    hidden = Schedule(transfers="hidden")
    assert latency_of(durations, hidden) == pytest.approx(2 + 2 + 1 + 30)  # b's arrays are never free
    assert time_sample(durations, hidden).weights["a", "transfer"] == 0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("updates", ["together", "as_ready"])
def test_hidden_transfers_expose_what_does_not_fit_beside_the_reads_of_their_layer(seed, updates):
    durations = drawn(seed)
    if seed % 2:  # more transfers than the reads of other layers can hide
        durations["layer2"]["transfer"] = 50.0
    plain = {
        layer: {kind: time for kind, time in parts.items() if kind not in TRANSFERS}
        for layer, parts in durations.items()
    }
    once = max(parts["program"] + parts["calibrate"] for parts in durations.values())
    path = latency_of(plain, Schedule(updates=updates)) - once
    busy = [
        sum(parts.get(kind, 0.0) for kind in ("forward", "backward", "update", "transfer", "refresh"))
        for parts in durations.values()
    ]
    found = latency_of(durations, Schedule(updates=updates, transfers="hidden"))
    assert found == pytest.approx(max(path, *busy) + once, rel=1e-13)
    assert bool(seed % 2) == (found > path + once + 1e-9)


# ---- every schedule


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_no_schedule_is_slower_than_the_sequential_one(schedule, seed):
    durations = drawn(seed)
    timing = time_sample(durations, schedule, 5)
    assert set(timing.weights) == {(layer, kind) for layer in durations for kind in KINDS}
    assert all(0 <= weight <= 1 for weight in timing.weights.values())
    assert latency_of(durations, schedule, 5) <= latency_of(durations) * (1 + 1e-14)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize("batch_size", [1, 6])
def test_many_designs_have_the_bits_of_single_ones(schedule, batch_size):
    count = 60
    many = drawn(7, designs=count)
    many["layer1"]["transfer"] = many["layer1"]["transfer"] * np.repeat([0.0, 1.0, 5.0], 20)  # none, some, exposed
    many["layer2"]["digital"] = 0.25  # the same for all designs
    many["layer3"] = {kind: np.where(np.arange(count) % 5, time, 1.0) for kind, time in many["layer3"].items()}
    many["layer2"]["update"] = np.where(np.arange(count) % 5, many["layer2"]["update"], 1.0)  # ties
    weights = time_sample(many, schedule, batch_size).weights
    latency = np.broadcast_to(latency_of(many, schedule, batch_size), count)
    for place in range(count):
        one = {
            layer: {kind: float(np.broadcast_to(time, count)[place]) for kind, time in parts.items()}
            for layer, parts in many.items()
        }
        timing = time_sample(one, schedule, batch_size)
        assert latency_of(one, schedule, batch_size) == latency[place]
        assert {key: float(weight) for key, weight in timing.weights.items()} == {
            key: float(np.broadcast_to(weight, count)[place]) for key, weight in weights.items()
        }


def test_a_pipeline_reads_a_layer_until_the_end_so_that_it_cannot_write_before():
    with pytest.raises(ValueError, match=r"updates = 'as_ready' is not allowed with layers = 'pipelined'.*'together'"):
        Schedule(layers="pipelined", updates="as_ready")


# ---- bars


def end_of(bar):
    return bar.start_s + bar.duration_s


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize("seed", range(10))
def test_the_arrays_of_a_layer_do_one_thing_at_a_time(schedule, seed):
    durations = drawn(seed)
    if seed % 2:
        durations["layer2"]["transfer"] *= 10
    bars = time_sample(durations, schedule, 3).bars
    assert all(bar.start_s >= 0 and bar.duration_s > 0 for bar in bars)
    for layer, parts in durations.items():
        own = sorted((bar.start_s, end_of(bar)) for bar in bars if bar.layer == layer and bar.operation != "digital")
        assert all(start >= end - 1e-12 for (_, end), (start, _) in itertools.pairwise(own))
        for kind, time in parts.items():  # every operation of a sample stands there with its whole duration
            shown = sum(bar.duration_s for bar in bars if (bar.layer, bar.operation) == (layer, kind))
            assert shown == (0 if kind in ONCE else pytest.approx(time, rel=1e-12)), (layer, kind)


@pytest.mark.parametrize("updates", ["together", "as_ready"])
@pytest.mark.parametrize("seed", range(10))
def test_the_last_bar_ends_at_the_latency_where_nothing_is_hidden_or_pipelined(updates, seed):
    durations = drawn(seed)
    sample = {
        layer: {kind: time for kind, time in parts.items() if kind not in ONCE} for layer, parts in durations.items()
    }
    schedule = Schedule(updates=updates)
    end = max(map(end_of, time_sample(durations, schedule).bars))
    assert end == pytest.approx(latency_of(sample, schedule), rel=1e-13)


def test_hidden_transfers_end_at_the_latency_too():
    durations = drawn(3)
    sample = {
        layer: {kind: time for kind, time in parts.items() if kind not in ONCE} for layer, parts in durations.items()
    }
    for scale in (0.1, 20.0):
        sample["layer2"]["transfer"] = scale
        bars = time_sample(sample, Schedule(transfers="hidden")).bars
        end = max(map(end_of, bars))
        assert end == pytest.approx(latency_of(sample, Schedule(transfers="hidden")), rel=1e-13)


def test_bars_show_the_first_of_many_designs():
    many = drawn(5, designs=(3,))
    first = {layer: {kind: float(time[0]) for kind, time in parts.items()} for layer, parts in many.items()}
    assert time_sample(many, SEQUENTIAL).bars == time_sample(first, SEQUENTIAL).bars


def places(bars):
    return [(bar.layer, bar.operation, bar.start_s, bar.duration_s) for bar in bars]


def test_bars_by_hand():
    durations = {
        "a": {"forward": 1.0, "digital": 0.5, "update": 3.0, "transfer": 1.0},
        "b": {"forward": 2.0, "backward": 4.0, "update": 1.0, "program": 9.0},
    }
    reads = [("a", "forward", 0, 1), ("a", "digital", 1, 0.5), ("b", "forward", 1.5, 2), ("b", "backward", 3.5, 4)]
    together = [("a", "update", 7.5, 3), ("a", "transfer", 10.5, 1), ("b", "update", 7.5, 1)]
    serial = time_sample(durations, SEQUENTIAL).bars
    assert places(serial) == [*reads, *together]
    assert [bar.critical for bar in serial] == [True] * 6 + [False]  # b writes beside a
    assert not any(bar.hidden for bar in serial)
    hidden = time_sample(durations, Schedule(transfers="hidden")).bars
    assert places(hidden) == [*reads, together[0], together[2], ("a", "transfer", 1, 1)]  # while b is read
    assert [bar.hidden for bar in hidden] == [False] * 6 + [True]
    assert not hidden[-1].critical


# ---- in a bill


def test_the_latency_column_sums_to_the_latency_of_a_sample():
    small, large = MatrixShape("small", 10, 10, backward=False), MatrixShape("large", 300, 300)
    parts = {"tiles": 2, "transfer_columns": 1, "setting": "paper", "warm_start": "off", "transfer_period": 1}
    both = assumed_bill("residual_learning", [small, large], hardware(), **parts)
    alone = [assumed_bill("residual_learning", [shape], hardware(), **parts) for shape in (small, large)]
    assert both.lines["latency_s"].sum() == pytest.approx(both.latency_per_sample_s, rel=1e-14, abs=0)
    serial = ("forward", "backward", "digital")
    parallel = ("update", "transfer")
    for kinds, combined in ((serial, sum), (parallel, max), (("program",), max)):
        expected = combined(bill.latency_of(*kinds) for bill in alone)
        assert both.latency_of(*kinds) == pytest.approx(expected, rel=1e-12, abs=0)
    writes = both.lines[both.lines["operation"].isin((*parallel, "program"))]
    assert writes.loc[writes["layer"] == "small", "latency_s"].eq(0).all()
    assert writes.loc[writes["layer"] == "small", "energy_j"].sum() > 0


def test_a_bill_has_the_bars_of_its_sample():
    shapes = [MatrixShape("small", 10, 10, backward=False), MatrixShape("large", 300, 300)]
    bill = assumed_bill("analog_sgd", shapes, hardware())
    end = max(map(end_of, bill.bars))
    assert end == pytest.approx(bill.latency_per_sample_s - bill.latency_of("program"), rel=1e-12)
    assert {bar.operation for bar in bill.bars} == {"forward", "digital", "backward", "update"}


def test_a_pipeline_needs_less_time_and_no_other_energy_but_leakage_and_memory():
    shapes = [MatrixShape("one", 100, 100, backward=False), MatrixShape("two", 100, 100), MatrixShape("three", 10, 100)]
    plain, pipelined = (
        assumed_bill("analog_sgd", shapes, hardware(schedule=Schedule(layers=layers)), batch_size=16)
        for layers in ("sequential", "pipelined")
    )
    assert pipelined.latency_of("forward") < 0.6 * plain.latency_of("forward")
    kinds = ("forward", "backward", "digital", "update", "program")
    assert [pipelined.latency_of(kind) for kind in kinds[3:]] == [plain.latency_of(kind) for kind in kinds[3:]]
    # The vectors of 16 samples are kept at once: more memory, so a larger chip and longer wires.
    assert pipelined.digital_storage_byte > 8 * plain.digital_storage_byte / 2
    assert pipelined.area_m2 > plain.area_m2
    wires = [bill.lines.query("component == 'wires'")["energy_j"].sum() for bill in (plain, pipelined)]
    others = [bill.energy_of(*kinds) - wire for bill, wire in zip((plain, pipelined), wires, strict=True)]
    assert wires[1] > wires[0]
    assert others[1] == pytest.approx(others[0], rel=1e-12)


def test_one_read_takes_the_pulse_the_settling_and_the_conversions_in_series():
    shape = [MatrixShape("dense", 64, 64, backward=False)]
    design = hardware(columns_per_adc=16)
    table = design.calibration.quantity
    bill = assumed_bill("analog_sgd", shape, design)
    analog = bill.lines[(bill.lines["operation"] == "forward") & (bill.lines["component"] != "digital")]
    lines = {"cells": 128}
    expected = (
        table("crossbar", "latency_s", **lines).value
        + table("pulse_width_dac", "latency_s", bits=7).value
        + table("tia", "latency_s", gamma=1.0, **lines).value
        + table("summing_stage", "latency_s", tiles=8).value
        + table("sample_hold", "latency_s", bits=8).value
        + 16 * table("sample_hold", "read_latency_s", bits=8).value
        + 16 * table("sar_adc", "latency_s", bits=8).value
    )
    assert analog["latency_s"].sum() == pytest.approx(expected, rel=1e-12, abs=0)
