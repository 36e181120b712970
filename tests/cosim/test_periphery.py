"""The converters as training sees them: what is allowed, and where their errors come from."""

import math
from dataclasses import fields, replace

import pytest

from cosim.periphery import Periphery
from cost_model.hardware import Hardware
from tests.cost_model.designs import hardware


def design(**changed):
    """Return a design with arrays of 96 x 64."""
    settings = {"adc_bits": 8, "dac_bits": 7, "adc_full_scale": 3.0, "array_rows": 96, "array_cols": 64}
    return hardware(**settings | changed)


def test_without_settings_it_is_ideal():
    ideal = Periphery()
    assert (ideal.dac_levels, ideal.adc_levels, ideal.noise_lsb, ideal.gain_mismatch) == (0, 0, 0.0, 0.0)
    assert ideal.shared_by_tiles


@pytest.mark.parametrize(("bits", "levels"), [(2, 1), (3, 3), (7, 63), (9, 255), (16, 32767), (None, 0)])
def test_positive_levels(bits, levels):
    assert Periphery(dac_bits=bits).dac_levels == levels
    assert Periphery(adc_bits=bits).adc_levels == levels


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dac_bits": 1}, "periphery: dac_bits = 1 is not allowed; 2 to 16 bits, or None for ideal"),
        ({"adc_bits": 17}, "periphery: adc_bits = 17 is not allowed; 2 to 16 bits, or None for ideal"),
        ({"adc_bits": 0}, "periphery: adc_bits = 0 is not allowed"),
        ({"full_scale": 0.0}, "periphery: full_scale = 0.0 is not allowed; it must be above 0"),
        ({"full_scale": math.nan}, "periphery: full_scale = nan is not allowed"),
        ({"noise_lsb": -0.1}, "periphery: noise_lsb = -0.1 is not allowed; it is at least 0"),
        ({"gain_mismatch": math.nan}, "periphery: gain_mismatch = nan is not allowed; it is at least 0"),
        ({"input_noise": -1.0}, "periphery: input_noise = -1.0 is not allowed; it is at least 0"),
        ({"output_noise": -0.06}, "periphery: output_noise = -0.06 is not allowed; it is at least 0"),
        ({"weight_noise": math.nan}, "periphery: weight_noise = nan is not allowed; it is at least 0"),
        ({"output_nonlinearity": -0.5}, "periphery: output_nonlinearity = -0.5 is not allowed; it is at least 0"),
        ({"noise_management_threshold": -1.0}, "noise_management_threshold = -1.0 is not allowed; it is at least 0"),
        ({"noise_management_w_max": 0.0}, "noise_management_w_max = 0.0 is not allowed; it must be above 0"),
        ({"bound_resolution_max": 0.0}, "bound_resolution_max = 0.0 is not allowed; it must be above 0"),
        ({"bound_factor_max": 0.5}, "periphery: bound_factor_max = 0.5 is not allowed; it is at least 1"),
        (
            {"adc_capacitor_mismatch": -0.1, "adc_bits": 8},
            "periphery: adc_capacitor_mismatch = -0.1 is not allowed; it is at least 0",
        ),
        ({"adc_offset_lsb": math.nan, "adc_bits": 8}, "periphery: adc_offset_lsb = nan is not allowed"),
        ({"dac_capacitor_mismatch": -1.0, "dac_bits": 8}, "periphery: dac_capacitor_mismatch = -1.0 is not allowed"),
        ({"dac_offset_lsb": -1.0, "dac_bits": 8}, "dac_offset_lsb = -1.0 is not allowed; it must be above -1"),
        ({"dac_offset_lsb": math.nan, "dac_bits": 8}, "periphery: dac_offset_lsb = nan is not allowed"),
        ({"columns_per_adc": 0}, "periphery: columns_per_adc = 0 is not allowed; it is at least 1"),
        ({"adc_offset_lsb": 0.3}, "periphery: adc_offset_lsb = 0.3 has no effect without adc_bits"),
        ({"dac_offset_lsb": -0.1, "adc_bits": 8}, "periphery: dac_offset_lsb = -0.1 has no effect without dac_bits"),
        (
            {"dac_offset_lsb": 0.1, "dac_capacitor_mismatch": 0.01, "dac_bits": 7},
            "periphery: dac_offset_lsb = 0.1 is of a pulse-width DAC, dac_capacitor_mismatch = 0.01 of a capacitive "
            "one; one of them must be 0",
        ),
        ({"input_bound": 0.0}, "periphery: input_bound = 0.0 is not allowed; it must be above 0"),
        (
            {"input_bound": 2.0},
            "periphery: input_bound = 2.0 has no effect with noise_management = 'abs_max', which scales the input "
            "itself; set noise_management = 'off'",
        ),
        (
            {"noise_management": "average_abs_max"},
            "periphery: noise_management = 'average_abs_max' is not allowed; known: abs_max, max, constant, "
            "abs_max_np_sum, off",
        ),
        (
            {"bound_management": "shift"},
            "periphery: bound_management = 'shift' is not allowed; known: off, iterative, iterative_worst_case",
        ),
    ],
)
def test_impossible_converters_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Periphery(**given)


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({}, True),
        ({"dac_bits": 7, "adc_bits": 8, "noise_lsb": 0.2, "output_noise": 0.06}, True),
        ({"bound_management": "iterative"}, True),
        ({"output_noise": 0.06}, False),
        ({"input_noise": 0.01}, False),
        ({"weight_noise": 0.01}, False),
        ({"output_nonlinearity": 0.1}, False),
        ({"output_nonlinearity": 0.1, "output_noise": 0.06, "adc_bits": 8}, True),
        ({"dac_bits": 7, "dac_offset_lsb": 0.1}, True),
        ({"adc_bits": 7, "adc_offset_lsb": 0.1, "adc_capacitor_mismatch": 0.1}, True),
        ({"noise_management": "max"}, False),
        ({"noise_management_threshold": 0.5}, False),
    ],
)
def test_what_the_short_way_of_reading_can_do(given, plain):
    assert Periphery(**given).is_plain == plain


def test_noise_before_the_converter_is_in_its_lsb():
    assert Periphery(adc_bits=8, full_scale=12.7, noise_lsb=0.3, output_noise=0.04).converter_noise == pytest.approx(
        0.5
    )
    assert Periphery(adc_bits=8, noise_lsb=0.3).converter_noise == 0.3


@pytest.mark.parametrize(
    ("given", "last"), [({}, 512), ({"bound_factor_max": 5}, 4), ({"dac_bits": 7}, 8), ({"dac_bits": 2}, 0)]
)
def test_division_of_the_input_after_which_no_read_follows(given, last):
    periphery = Periphery(**given)
    assert [factor for factor in (2**n for n in range(20)) if periphery.may_read_again(factor)][-1:] == [last][
        : last > 0
    ]


@pytest.mark.parametrize(
    ("given", "errs"),
    [({}, False), ({"adc_capacitor_mismatch": 0.1}, True), ({"adc_offset_lsb": 0.1}, True), ({"noise_lsb": 1}, False)],
)
def test_converters_differ_where_their_capacitors_or_offsets_do(given, errs):
    assert Periphery(adc_bits=8, **given).adc_errs == errs


@pytest.mark.parametrize("dac_model", ["pulse_width", "capacitive"])
@pytest.mark.parametrize("shared", [True, False])
def test_every_error_comes_from_the_table(dac_model, shared):
    used = design(dac_model=dac_model, shared_by_tiles=shared)
    number = used.calibration.quantity
    capacitive = dac_model == "capacitive"
    noise_v = math.hypot(
        number("summing_stage", "read_noise_v", tiles=4 if shared else 1).value,
        number("sample_hold", "noise_v", bits=8).value,
    )
    expected = Periphery(
        dac_bits=7,
        adc_bits=8,
        full_scale=3.0,
        noise_lsb=number("sar_adc", "noise_lsb", bits=8).value,
        gain_mismatch=number("summing_stage", "gain_mismatch").value,
        output_noise=3.0 * noise_v / 0.4,  # full scale is 0.4 V at the converter
        output_nonlinearity=max(number("tia", "nonlinearity", cells=96, gamma=1.0).value, 0),
        adc_capacitor_mismatch=number("sar_adc", "capacitor_mismatch").value,
        adc_offset_lsb=1 / math.sqrt(12),
        dac_offset_lsb=0.0 if capacitive else number("pulse_width_dac", "offset_lsb", bits=7).value,
        dac_capacitor_mismatch=number("capacitive_dac", "capacitor_mismatch").value if capacitive else 0.0,
        columns_per_adc=8,
        shared_by_tiles=shared,
    )
    found = Periphery.from_hardware(used, ideal=False, tiles=4)
    for name in (field.name for field in fields(Periphery)):
        value = getattr(expected, name)
        assert getattr(found, name) == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value), name


def test_columns_that_stretch_count_as_straight(monkeypatch):
    used = design()
    rows = [
        replace(row, quantity=replace(row.quantity, value=-0.001)) if row.name == "nonlinearity" else row
        for row in used.calibration.rows
    ]
    monkeypatch.setattr(Hardware, "calibration", replace(used.calibration, rows=rows))
    assert Periphery.from_hardware(used, ideal=False).output_nonlinearity == 0


@pytest.mark.parametrize("bits", [4, 8, 10])
def test_errors_come_from_the_table_that_prices_the_converters(bits):
    used = design(adc_bits=bits)
    periphery, table = Periphery.from_hardware(used, ideal=False), used.calibration
    assert periphery.noise_lsb == table.quantity("sar_adc", "noise_lsb", bits=bits).value > 0
    assert periphery.gain_mismatch == table.quantity("summing_stage", "gain_mismatch").value > 0
    assert periphery.adc_capacitor_mismatch == table.quantity("sar_adc", "capacitor_mismatch").value > 0
    assert (periphery.noise_management, periphery.bound_management) == ("abs_max", "off")


def test_managements_are_those_of_the_design():
    managed = Periphery.from_hardware(
        design(), ideal=False, noise_management="max", bound_management="iterative_worst_case"
    )
    assert (managed.noise_management, managed.bound_management) == ("max", "iterative_worst_case")


@pytest.mark.parametrize("shared", [True, False])
def test_ideal_io_switches_every_error_off(shared):
    assert Periphery.from_hardware(design(shared_by_tiles=shared), ideal=True) == Periphery(shared_by_tiles=shared)
