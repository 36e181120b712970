"""Parts outside the calibration table: published figures, formulas calculated a second way, and what is refused."""

import math

import numpy as np
import pytest

from circuits import frame
from cost_model import parts
from cost_model.parts import PartError

ALL = [
    parts.bit_serial_dac(),
    *(parts.r2r_dac(bits) for bits in (2, 8, 10)),
    *(parts.row_driver(128, write=write, node_nm=node) for write in (False, True) for node in (22, 32)),
    parts.row_driver(1024),
    *(parts.column_mux(node_nm=node) for node in (22, 32)),
    *(parts.register(8, node_nm=node) for node in (22, 32, 40)),
    *(parts.adder(16, node_nm=node) for node in (22, 32, 40)),
    parts.adder(64),
    *(parts.shift_add(node_nm=node) for node in (22, 32)),
    *(parts.max_pool(node_nm=node) for node in (22, 32)),
    parts.comparator(32),
    *(parts.integer_unit(operation, bits) for operation in ("add", "multiply") for bits in (8, 32)),
    *(parts.floating_point_unit(operation, bits) for operation in ("add", "multiply") for bits in (16, 32)),
    *(parts.sram(capacity) for capacity in (1024, 8192, 2**20)),
    parts.wire(1e-3, bits=8),
    *(parts.off_chip_memory(kind) for kind in parts.OFF_CHIP_MEMORIES),
]
SCALED = {
    "bit_serial_dac": parts.bit_serial_dac,
    "row_driver": lambda **ratios: parts.row_driver(300, **ratios),
    "row_driver_write": lambda **ratios: parts.row_driver(300, write=True, **ratios),
    "column_mux": parts.column_mux,
    "register": lambda **ratios: parts.register(8, **ratios),
    "adder": lambda **ratios: parts.adder(8, **ratios),
    "shift_add": parts.shift_add,
    "max_pool": parts.max_pool,
    "comparator": lambda **ratios: parts.comparator(8, **ratios),
    "integer": lambda **ratios: parts.integer_unit("add", 8, **ratios),
    "float": lambda **ratios: parts.floating_point_unit("add", 16, **ratios),
    "sram": lambda **ratios: parts.sram(4096, **ratios),
}


def ladder(legs_ohm, series_ohm, end_ohm, codes):
    """Return the output and the current out of the reference of 1 V of an R-2R ladder, node by node, for each code."""
    bits = len(legs_ohm)
    nodes = np.diag(1 / legs_ohm)
    nodes[0, 0] += 1 / end_ohm
    for node, ohm in enumerate(series_ohm):
        pair = np.ix_([node, node + 1], [node, node + 1])
        nodes[pair] += np.array([[1, -1], [-1, 1]]) / ohm
    volts = np.linalg.solve(nodes, (codes / legs_ohm).T)
    currents = ((codes.T - volts) / legs_ohm[:, None]).T
    return volts[bits - 1], (codes * currents).sum(axis=1)


# ---- what every part says


@pytest.mark.parametrize("part", ALL, ids=lambda part: part.name)
def test_a_part_has_numbers_units_ranges_and_sources(part):
    for name, unit in parts.UNITS.items():
        quantity = getattr(part, name)
        low, high = part.ranges[name]
        assert quantity.unit == unit
        assert 0 <= low <= quantity.value <= high < math.inf
        assert quantity.describe().split(":", 1)[1].strip()
    assert part.energy_j.value > 0
    assert part.action


def test_every_figure_is_read_and_none_is_left_over():
    known = parts.figures()
    used = {"row_driver", "r2r_dac", "sram", "wire", "leakage", *parts.OFF_CHIP_MEMORIES}
    used |= {part.name for part in ALL}
    assert {part for part, _, _ in known} <= used
    for key, quantity in known.items():
        assert quantity.low <= quantity.value <= quantity.high, key
        assert quantity.note.strip(), key


@pytest.mark.parametrize("make", SCALED.values(), ids=SCALED)
def test_ratios_scale_numbers_and_ranges(make):
    plain, scaled = make(), make(energy_ratio=0.5, area_ratio=0.25, latency_ratio=2.0)
    ratios = {"energy_j": 0.5, "area_m2": 0.25, "leakage_w": 0.25, "latency_s": 2.0}
    for name, ratio in ratios.items():
        assert getattr(scaled, name).value == pytest.approx(ratio * getattr(plain, name).value)
        assert scaled.ranges[name] == pytest.approx(tuple(ratio * limit for limit in plain.ranges[name]))
    with pytest.raises(PartError, match=r"energy_ratio = 0.0 is not allowed; a finite number above 0"):
        make(energy_ratio=0.0)


# ---- beside the literature


@pytest.mark.parametrize(
    ("bits", "node_nm", "energy_fj", "area_um2", "latency_ns"),
    [
        *((8, 22, 8.6, 11, 0.5), (16, 22, 17.1, 22, 1.0), (32, 22, 34.1, 44, 2.0)),
        *((8, 32, 16.3, 24, None), (16, 32, 32.5, 47, None), (32, 32, 64.8, 94, None), (32, 40, 210, 278, None)),
    ],
)
def test_adders_are_those_of_the_tools(bits, node_nm, energy_fj, area_um2, latency_ns):
    adder = parts.adder(bits, node_nm=node_nm)
    assert adder.energy_j.value == pytest.approx(energy_fj * 1e-15, rel=0.01)
    assert adder.area_m2.value == pytest.approx(area_um2 * 1e-12, rel=0.02)
    if latency_ns is not None:
        assert adder.latency_s.value == pytest.approx(latency_ns * 1e-9)


@pytest.mark.parametrize(("columns", "energy_fj"), [(128, 16), (256, 26), (512, 47)])
def test_row_drivers_are_those_of_neurosim(columns, energy_fj):
    assert parts.row_driver(columns).energy_j.value == pytest.approx(energy_fj * 1e-15, rel=0.02)


def test_row_drivers_at_32_nm_and_for_writes():
    assert parts.row_driver(128, node_nm=32).energy_j.value == pytest.approx(30e-15, rel=0.01)
    assert parts.row_driver(128, write=True).energy_j.value == pytest.approx(0.68e-12)
    assert parts.row_driver(128, write=True, node_nm=32).energy_j.value == pytest.approx(1.09e-12)
    reads = [parts.row_driver(columns).energy_j.value for columns in (128, 512)]
    writes = [parts.row_driver(columns, write=True).energy_j.value for columns in (128, 512)]
    assert writes[1] / writes[0] == pytest.approx(reads[1] / reads[0])


def test_beyond_its_columns_a_row_driver_has_a_wider_range_and_says_so():
    inside, beyond = parts.row_driver(512), parts.row_driver(1024)
    assert "extrapolated" in beyond.energy_j.note
    assert "extrapolated" not in inside.energy_j.note
    spread = [part.energy_j.high / part.energy_j.low for part in (inside, beyond)]
    assert spread[1] > 3.5 * spread[0]


def test_small_parts_are_those_of_neurosim_and_aladdin():
    assert parts.register(8).energy_j.value == pytest.approx(20e-15)
    assert parts.register(8, node_nm=32).area_m2.value == pytest.approx(20.9e-12, rel=0.01)
    assert parts.register(1, node_nm=40).energy_j.value == pytest.approx(9e-15)
    assert parts.comparator(32).energy_j.value == pytest.approx(29e-15, rel=0.01)
    assert parts.comparator(32).area_m2.value == pytest.approx(71e-12, rel=0.01)
    assert parts.shift_add(node_nm=32).energy_j.value == pytest.approx(131e-15)
    assert parts.max_pool().energy_j.value == pytest.approx(4.6e-15)
    assert parts.max_pool(16, 7).energy_j.value == pytest.approx(4 * 4.6e-15)
    assert 8 * parts.column_mux().area_m2.value == pytest.approx(8.8e-12)
    assert parts.floating_point_unit("multiply", 32).energy_j.value == 3.7e-12
    assert parts.integer_unit("multiply", 32).energy_j.value == 3.1e-12


def test_a_wide_adder_of_the_puma_alu_is_within_the_range():
    low, high = parts.adder(16, node_nm=32).ranges["energy_j"]
    assert low < 0.27e-12 <= high * 1.01
    assert low < 0.1e-12 * 16 / 32 / 1.52 < high  # Horowitz, 45 nm to 32 nm


def test_the_two_readings_of_a_bit_serial_dac_are_the_ends_of_its_range():
    low, high = parts.bit_serial_dac().ranges["energy_j"]
    power_w = 4e-3 / 1024
    assert low == pytest.approx(power_w * 1e-9, rel=0.01)
    assert high / low == pytest.approx(107, rel=0.01)
    assert high == pytest.approx(power_w * 100e-9, rel=0.07)


def test_sram_follows_depth_and_its_range_holds_larger_and_smaller_memories():
    reference = parts.sram(8192)
    assert reference.energy_j.value == pytest.approx(10e-12)
    deep = parts.sram(32 * 1024)
    assert deep.energy_j.value == pytest.approx(10e-12 * 4**0.78)
    assert parts.sram(8192, 128).energy_j.value == pytest.approx(2 * 10e-12 * 0.5**0.78)
    assert deep.area_m2.value == pytest.approx(4 * reference.area_m2.value)
    assert deep.leakage_w.value == pytest.approx(4 * reference.leakage_w.value)
    for capacity, published in ((32 * 1024, 20e-12), (2**20, 100e-12), (1024, 8e-12)):
        low, high = parts.sram(capacity).ranges["energy_j"]
        assert low < published < high, capacity


def test_a_bus_of_isaac_lies_within_the_range_of_a_wire_of_its_length():
    """54 fJ per bit over a tile of 0.372 mm², half of the wires changing."""
    low, high = parts.wire(math.sqrt(0.372) * 1e-3).ranges["energy_j"]
    assert low < 54e-15 < high
    assert parts.wire(2e-3, bits=4).energy_j.value == pytest.approx(8 * parts.wire(1e-3).energy_j.value)
    assert parts.wire(1e-3, activity=0.0).energy_j.value == 0
    assert parts.wire(1e-3, activity=1.0).energy_j.value == pytest.approx(0.5 * 2e-13 * 1.5)


def test_off_chip_memory_is_per_bit():
    assert parts.off_chip_memory("hbm2").energy_j.value == 3.9e-12
    assert parts.off_chip_memory("gddr5").energy_j.value == 14e-12
    assert parts.off_chip_memory("hbm2").area_m2.value == 0
    # 24 bits per weight and image of a 784 x 512 layer: 37.6 uJ in NeuroSim.
    assert 24 * 784 * 512 * parts.off_chip_memory("hbm2").energy_j.value == pytest.approx(37.6e-6, rel=0.01)


def test_leakage_is_that_of_the_layer_it_was_taken_from():
    density = parts.leakage_density()
    chip_m2 = (127_193 + 58_990 + 202_252 + 4_060) * 1e-12
    assert density.value * chip_m2 == pytest.approx(1.2e-6, rel=0.01)
    assert density.high * chip_m2 == pytest.approx(1.07e-3, rel=0.01)
    adder = parts.adder(8)
    assert adder.leakage_w.value == pytest.approx(density.value * adder.area_m2.value)
    assert adder.leakage_w.high == pytest.approx(density.high * adder.area_m2.high)


# ---- the ladder


def test_a_ladder_with_its_latches_is_within_a_factor_of_a_published_dac():
    """BRAHMS: 8 bits, 1.1 GS/s, 40 nm: 0.291 pJ and 438 µm²; a unit of 5 kΩ settles in its cycle."""
    dac, latches = parts.r2r_dac(8, span_v=1.0, unit_ohm=5e3, window_s=1 / 1.1e9), parts.register(8, node_nm=40)
    assert 0.291e-12 / 2 < dac.energy_j.value + latches.energy_j.value < 0.291e-12 * 2
    area_m2 = dac.area_m2.value + latches.area_m2.value
    assert 438e-12 / 6 < area_m2 < 438e-12
    assert dac.energy_j.low < 0.291e-12 < dac.energy_j.high
    assert dac.area_m2.low < 438e-12 < dac.area_m2.high


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_the_mean_conductance_is_the_mean_over_all_codes(bits):
    unit = 1e4
    codes = (np.arange(2**bits)[:, None] >> np.arange(bits)) & 1
    legs, series = np.full(bits, 2 * unit), np.full(bits - 1, unit)
    output, current = ladder(legs, series, 2 * unit, codes)
    assert output * 2**bits == pytest.approx(np.arange(2**bits), abs=1e-9)
    assert parts.r2r_mean_conductance_s(bits, unit) == pytest.approx(current.mean())


def test_settling_is_that_of_the_simulated_ladder():
    assert parts.r2r_dac(3).latency_s.value == pytest.approx(0.61e-9, rel=0.04)
    assert parts.r2r_dac(8).latency_s.value == pytest.approx(1.45e-9, rel=0.03)
    assert parts.r2r_dac(8, unit_ohm=5e3).latency_s.value == pytest.approx(parts.r2r_dac(8).latency_s.value / 2)


def test_a_longer_window_and_a_larger_span_take_more():
    base = parts.r2r_dac(8)
    window = 2 * base.latency_s.value
    static_j = 0.4**2 * parts.r2r_mean_conductance_s(8, 1e4) * base.latency_s.value
    longer = parts.r2r_dac(8, window_s=window)
    assert longer.energy_j.value - base.energy_j.value == pytest.approx(static_j)
    wider = parts.r2r_dac(8, span_v=0.8)
    assert wider.energy_j.value - base.energy_j.value == pytest.approx(3 * static_j)
    switches_j = base.energy_j.value - static_j
    assert parts.r2r_dac(8, energy_ratio=0.5).energy_j.value == pytest.approx(static_j + switches_j / 2)
    with pytest.raises(PartError, match=r"8 bits of 10000 ohm settle in 1.44e-09 s: give at least that"):
        parts.r2r_dac(8, window_s=1e-9)


def msb_step_error_lsb(units, bits):
    """Return the error of the step from 011…1 to 100…0, of a ladder of 3 b + 1 unit resistors around 1 ohm."""
    codes = np.array([[1.0] * (bits - 1) + [0.0], [0.0] * (bits - 1) + [1.0]])
    legs = units[: 2 * bits].reshape(bits, 2).sum(axis=1)
    output, _ = ladder(legs, units[2 * bits + 2 :], units[2 * bits : 2 * bits + 2].sum(), codes)
    return (output[1] - output[0]) * 2**bits - 1


@pytest.mark.parametrize(("bits", "tolerance"), [(2, 0.07), (3, 0.035), (4, 0.013), (7, 0.003), (10, 0.001)])
def test_the_equivalent_mismatch_has_the_msb_error_of_the_ladder(bits, tolerance):
    """Sensitivities of the step to each resistor, by solving the ladder, against the error of unit capacitors."""
    count, change = 3 * bits + 1, 1e-6
    slopes = [msb_step_error_lsb(1 + change * np.eye(count)[unit], bits) / change for unit in range(count)]
    capacitors_lsb = math.sqrt(2**bits - 1) * parts.r2r_unit_mismatch(bits, 1.0)
    assert capacitors_lsb == pytest.approx(np.linalg.norm(slopes), rel=tolerance)


def test_the_equivalent_mismatch_holds_for_drawn_resistors_and_capacitors():
    bits, draws, rng = 6, 4000, np.random.default_rng(7)
    resistors = 1 + frame.RESISTOR_MISMATCH * rng.standard_normal((draws, 3 * bits + 1))
    ladder_lsb = np.array([msb_step_error_lsb(units, bits) for units in resistors])
    capacitors = 1 + parts.r2r_unit_mismatch(bits) * rng.standard_normal((draws, 2**bits))
    half = 2 ** (bits - 1)
    steps = capacitors[:, :half].sum(axis=1) - capacitors[:, half : 2 * half - 1].sum(axis=1)
    capacitor_lsb = steps / capacitors.mean(axis=1) - 1
    assert ladder_lsb.std() == pytest.approx(capacitor_lsb.std(), rel=0.05)


def test_the_equivalent_mismatch_is_proportional_and_grows_with_the_root_of_the_codes():
    assert parts.r2r_unit_mismatch(8, 0.01) == pytest.approx(2 * parts.r2r_unit_mismatch(8, 0.005))
    assert parts.r2r_unit_mismatch(8, 0.0) == 0
    assert parts.r2r_unit_mismatch(10) == pytest.approx(0.447 * 2**5 * 0.005, rel=0.002)


# ---- what is refused


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: parts.r2r_dac(1), "r2r_dac: bits = 1 is not allowed; a whole number from 2 to 10"),
        (lambda: parts.r2r_dac(8.5), "bits = 8.5 is not allowed"),
        (lambda: parts.r2r_dac(8, unit_ohm=0.0), "r2r_dac: unit_ohm = 0.0 is not allowed"),
        (lambda: parts.r2r_dac(8, span_v=math.nan), "r2r_dac: span_v = nan is not allowed"),
        (lambda: parts.r2r_unit_mismatch(11), "bits = 11 is not allowed"),
        (lambda: parts.r2r_unit_mismatch(8, -0.1), "resistor_mismatch = -0.1 is not allowed"),
        (lambda: parts.row_driver(8), "row_driver: columns = 8 is not allowed; a whole number from 16 to 4096"),
        (lambda: parts.row_driver(128, node_nm=45), "row_driver: node_nm = 45 has no figure; 22, 32 have"),
        (lambda: parts.adder(8, node_nm=7), "adder: node_nm = 7 has no figure; 22, 32, 40 have: take the nearest"),
        (lambda: parts.adder(True), "adder: bits = True is not allowed"),
        (lambda: parts.integer_unit("divide", 8), "integer operation = 'divide' is unknown"),
        (lambda: parts.floating_point_unit("add", 8), "float add: bits = 8 is not allowed; 16 or 32 have a figure"),
        (lambda: parts.sram(32), "sram: capacity_byte = 32 is not allowed; 64 to 16777216"),
        (lambda: parts.sram(64, 1024), "sram: word_bits = 1024 is more than a capacity of 64 bytes holds"),
        (lambda: parts.wire(1.0), "wire: length_m = 1.0 is not allowed; 0 to 0.1"),
        (lambda: parts.wire(1e-3, activity=1.5), "wire: activity = 1.5 is not allowed; 0 to 1"),
        (lambda: parts.off_chip_memory("hbm"), "off_chip_memory = 'hbm' is unknown; nearest: 'hbm2'"),
    ],
)
def test_what_has_no_figure_is_refused(make, message):
    with pytest.raises(PartError, match=message):
        make()
