"""The converters as training sees them: what is allowed, and where their errors come from."""

import math
from types import SimpleNamespace

import pytest

from circuits import load_calibration
from cosim.periphery import Periphery


def design(**changed):
    """Return a stand-in for a hardware design: the converters that a periphery looks at."""
    settings = {
        "dac_bits": 7,
        "adc_bits": 8,
        "adc_full_scale": 3.0,
        "shared_by_tiles": True,
        "calibration": load_calibration("generic_45nm"),
    }
    return SimpleNamespace(**settings | changed)


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


@pytest.mark.parametrize("bits", [4, 8, 10])
def test_errors_come_from_the_table_that_prices_the_converters(bits):
    hardware = design(adc_bits=bits, shared_by_tiles=False)
    periphery = Periphery.from_hardware(hardware, ideal=False)
    table = hardware.calibration
    assert periphery.noise_lsb == table.quantity("sar_adc", "noise_lsb", bits).value > 0
    assert periphery.gain_mismatch == table.quantity("summing_stage", "gain_mismatch").value > 0
    assert (periphery.dac_bits, periphery.adc_bits, periphery.full_scale) == (7, bits, 3.0)
    assert not periphery.shared_by_tiles
    assert (periphery.noise_management, periphery.bound_management) == ("abs_max", "off")


def test_managements_are_those_of_the_design():
    managed = Periphery.from_hardware(
        design(), ideal=False, noise_management="max", bound_management="iterative_worst_case"
    )
    assert (managed.noise_management, managed.bound_management) == ("max", "iterative_worst_case")


@pytest.mark.parametrize("shared", [True, False])
def test_ideal_io_switches_every_error_off(shared):
    assert Periphery.from_hardware(design(shared_by_tiles=shared), ideal=True) == Periphery(shared_by_tiles=shared)
