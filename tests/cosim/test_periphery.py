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
    ],
)
def test_impossible_converters_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Periphery(**given)


@pytest.mark.parametrize("bits", [4, 8, 10])
def test_errors_come_from_the_table_that_prices_the_converters(bits):
    hardware = design(adc_bits=bits, shared_by_tiles=False)
    periphery = Periphery.from_hardware(hardware, ideal=False)
    table = hardware.calibration
    assert periphery.noise_lsb == table.quantity("sar_adc", "noise_lsb", bits).value > 0
    assert periphery.gain_mismatch == table.quantity("summing_stage", "gain_mismatch").value > 0
    assert (periphery.dac_bits, periphery.adc_bits, periphery.full_scale) == (7, bits, 3.0)
    assert not periphery.shared_by_tiles


@pytest.mark.parametrize("shared", [True, False])
def test_ideal_io_switches_every_error_off(shared):
    assert Periphery.from_hardware(design(shared_by_tiles=shared), ideal=True) == Periphery(shared_by_tiles=shared)
