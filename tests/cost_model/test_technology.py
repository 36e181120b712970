import itertools

import pytest

from cost_model import technology
from cost_model.technology import (
    TABLES,
    TechnologyError,
    digital_area_ratio,
    digital_delay_ratio,
    digital_energy_ratio,
    wire_capacitance_f_per_m,
    wire_resistance_ohm_per_cell,
    wire_resistance_ohm_per_m,
    wire_width_m,
)

NODES_NM = (130, 90, 65, 45, 40, 32, 28, 22, 20, 16, 14, 10, 7)
WIRE_NODES_NM = (130, 90, 65, 45, 40, 32, 28, 22, 16, 14, 10, 7)

# The paper's quadratics with one kind of transistor at every node (Stillmaker and Baas 2017): a, b, c.
ONE_KIND = {
    "high performance": {
        45: (1.018, -0.3107, 0.1539),
        32: (0.8367, -0.4341, 0.1701),
        20: (0.373, -0.1582, 0.04104),
        16: (0.2958, -0.1241, 0.03024),
        14: (0.2363, -0.09675, 0.02239),
        10: (0.2068, -0.09311, 0.02375),
        7: (0.1776, -0.09097, 0.02447),
    },
    "low power": {
        45: (1.103, -0.362, 0.2767),
        32: (0.9559, -0.7823, 0.471),
        20: (0.2632, -0.14, 0.06841),
        16: (0.2139, -0.1187, 0.05639),
        14: (0.1556, -0.06472, 0.03066),
        10: (0.1261, -0.0518, 0.02769),
        7: (0.09365, -0.03409, 0.02043),
    },
}
# High-performance gates at 0.8 V, from the same paper's cubics, in its unit.
DELAYS = {130: 56.17, 90: 40.65, 65: 31.65, 45: 16.96, 32: 8.32, 20: 10.22, 16: 6.73, 14: 4.51, 10: 3.65, 7: 2.87}


@pytest.mark.parametrize(("from_nm", "to_nm", "ratio"), [(32, 45, 1.52), (20, 32, 2.98), (32, 65, 1.88)])
def test_energy_ratios_are_the_published_ones(from_nm, to_nm, ratio):
    assert digital_energy_ratio(from_nm, to_nm) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize(
    ("from_nm", "to_nm", "ratio"),
    [
        *[(45, 32, 0.46), (32, 20, 0.46), (65, 32, 0.31), (65, 45, 0.66), (130, 7, 0.0092), (7, 130, 110)],
        *[(32, 14, 0.38), (130, 32, 0.072), (90, 65, 0.53), (65, 14, 0.12), (16, 14, 0.91), (20, 7, 0.28)],
    ],
)
def test_area_ratios_are_the_printed_ones_to_their_digits(from_nm, to_nm, ratio):
    assert float(f"{digital_area_ratio(from_nm, to_nm):.2g}") == ratio


@pytest.mark.parametrize("voltage_v", [0.7, 0.8, 0.9, 1.0])
def test_energy_falls_with_the_node_at_every_voltage(voltage_v):
    ratios = [digital_energy_ratio(130, node, voltage_v) for node in NODES_NM]
    assert ratios[0] == 1
    assert all(later < earlier for earlier, later in itertools.pairwise(ratios))


@pytest.mark.parametrize("ratio", [digital_area_ratio, digital_delay_ratio])
def test_area_and_delay_fall_with_the_node(ratio):
    ratios = [ratio(130, node) for node in NODES_NM]
    assert all(later < earlier for earlier, later in itertools.pairwise(ratios))


@pytest.mark.parametrize("ratio", [digital_energy_ratio, digital_area_ratio, digital_delay_ratio])
def test_going_by_a_node_between_changes_nothing(ratio):
    assert ratio(45, 28) * ratio(28, 14) == pytest.approx(ratio(45, 14))
    assert ratio(22, 22) == 1


def test_a_node_between_two_is_on_the_power_law_through_them():
    middle = (32 * 20) ** 0.5
    assert digital_area_ratio(32, middle) == pytest.approx(digital_area_ratio(32, 20) ** 0.5)
    assert digital_energy_ratio(32, middle, 0.9) == pytest.approx(digital_energy_ratio(32, 20, 0.9) ** 0.5)
    assert wire_width_m((22 * 14) ** 0.5) == pytest.approx((40e-9 * 32e-9) ** 0.5)


def test_neurosim_components_are_within_the_bands():
    # Its 32-bit adder at 32 and 22 nm (energy, area), and its 45 and 22 nm runs (accumulation, area).
    for table, ratio, published in (
        ("digital_energy", digital_energy_ratio(32, 22), 34.1 / 64.8),
        ("digital_area", digital_area_ratio(32, 22), 44 / 94),
        ("digital_energy", digital_energy_ratio(45, 22), 2.48 / 9.92),
        ("digital_area", digital_area_ratio(45, 22), 58_990 / 246_805),
    ):
        low, high = TABLES[table].band
        assert low <= published / ratio <= high


@pytest.mark.parametrize("kind", ONE_KIND)
@pytest.mark.parametrize("voltage_v", [0.7, 0.8, 1.0])
def test_the_energy_band_holds_the_choice_of_transistors(kind, voltage_v):
    energy = {node: a * voltage_v**2 + b * voltage_v + c for node, (a, b, c) in ONE_KIND[kind].items()}
    low, high = TABLES["digital_energy"].band
    for from_nm, to_nm in itertools.combinations(energy, 2):  # downwards, as a design is scaled
        other = energy[to_nm] / energy[from_nm]
        assert low <= other / digital_energy_ratio(from_nm, to_nm, voltage_v) <= high, (from_nm, to_nm)


def test_the_delay_band_holds_simulated_gates():
    low, high = TABLES["digital_delay"].band
    for from_nm, to_nm in itertools.combinations(DELAYS, 2):
        simulated = DELAYS[to_nm] / DELAYS[from_nm]
        assert low <= simulated / digital_delay_ratio(from_nm, to_nm) <= high, (from_nm, to_nm)


@pytest.mark.parametrize(
    ("node_nm", "four_v15", "two_v15", "four_v21", "two_v21"),
    [
        (130, 0.34, 0.17, 0.23, 0.12),
        (65, 0.60, 0.30, 0.48, 0.24),
        (45, 0.83, 0.42, 1.34, 0.67),
        (32, 1.28, 0.64, 2.12, 1.06),
        (22, 1.86, 0.93, 2.97, 1.48),
        (14, 2.52, 1.26, 4.92, 2.46),
        (7, 5.56, 2.78, 10.1, 5.05),
    ],
)
def test_wire_resistance_per_cell_is_the_tabulated_one(node_nm, four_v15, two_v15, four_v21, two_v21):
    for pitch, table, expected in (
        (4, "v1.5", four_v15),
        (2, "v1.5", two_v15),
        (4, "v2.1", four_v21),
        (2, "v2.1", two_v21),
    ):
        # Width and resistance per length are both tabulated with three digits.
        assert wire_resistance_ohm_per_cell(node_nm, pitch, table) == pytest.approx(expected, rel=0.01, abs=0.005)


@pytest.mark.parametrize("table", technology.WIRE_TABLES)
def test_wires_get_narrower_and_more_resistive(table):
    resistances = [wire_resistance_ohm_per_m(node, table) for node in WIRE_NODES_NM]
    widths = [wire_width_m(node, table) for node in WIRE_NODES_NM]
    assert resistances == sorted(resistances)
    assert widths == sorted(widths, reverse=True)
    assert wire_resistance_ohm_per_m(22, table) / wire_resistance_ohm_per_m(65, table) > 8


def test_each_release_of_the_wires_is_in_the_band_of_the_other():
    for node in (130, 65, 45, 32, 22, 14, 7):
        ratio = wire_resistance_ohm_per_m(node, "v2.1") / wire_resistance_ohm_per_m(node, "v1.5")
        low, high = TABLES["wire_resistance_v1.5"].band
        assert low <= ratio <= high
        low, high = TABLES["wire_resistance_v2.1"].band
        assert low <= 1 / ratio <= high


def test_wire_capacitance_of_a_22_nm_cell():
    assert wire_capacitance_f_per_m(22) * 4 * wire_width_m(22) == pytest.approx(32e-18)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: digital_energy_ratio(45, 5), "node 5 nm is outside table digital_energy: 7 to 130 nm"),
        (lambda: digital_energy_ratio(180, 45), "node 180 nm is outside table digital_energy"),
        (lambda: digital_energy_ratio(45, 32, 1.2), "supply voltage 1.2 V is outside table digital_energy: 0.7 to 1 V"),
        (lambda: digital_energy_ratio(45, 32, float("nan")), "supply voltage nan V"),
        (lambda: digital_area_ratio(45, 3), "node 3 nm is outside table digital_area"),
        (lambda: digital_delay_ratio(250, 45), "node 250 nm is outside table digital_delay"),
        (lambda: wire_resistance_ohm_per_m(float("nan")), "node nan nm is outside table wire_resistance_v1.5"),
        (lambda: wire_resistance_ohm_per_m(5, "v2.1"), "outside table wire_resistance_v2.1: 7 to 130 nm"),
        (lambda: wire_resistance_ohm_per_m(22, "v3"), "wire table 'v3' is unknown; known: v1.5, v2.1"),
        (lambda: wire_resistance_ohm_per_cell(22, 0), "cell pitch 0 is not a positive number"),
        (lambda: wire_capacitance_f_per_m(True), "node True nm is outside table wire_capacitance"),
    ],
)
def test_nothing_is_extrapolated(call, said):
    with pytest.raises(TechnologyError) as error:
        call()
    assert said in str(error.value)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_table_says_where_it_is_from(table):
    quantity = table.quantity(2.0)
    assert (quantity.value, quantity.unit, quantity.kind) == (2.0, table.unit, table.kind)
    assert quantity.low < 2.0 < quantity.high
    assert table.note
    assert table.band_why
    assert table.nodes_nm[0] == 130
    assert table.nodes_nm[-1] == 7
