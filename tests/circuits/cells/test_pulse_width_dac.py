"""The pulse-width DAC: durations, signs, corners, energies against hand formulas; bad input."""

import numpy as np
import pytest

from circuits import frame, measure
from circuits.cells import pulse_width_dac as dac
from circuits.cells.pulse_width_dac import Parameters
from circuits.model_cards import CardsMissingError, card_text
from circuits.simulator import has_ngspice, simulate


def _ready():
    try:
        card_text("nominal")
    except CardsMissingError:
        return False
    return has_ngspice()


needs_ngspice = pytest.mark.skipif(not _ready(), reason="ngspice or the transistor cards are not installed")


def convert(code, parameters=None, **conditions):
    """Return what one conversion measures."""
    given = parameters or Parameters(bits=3)
    found = simulate(dac.line_deck(given, code, **conditions))
    return dac.measure_line([found], {"bits": given.bits, "cells": given.cells})


@needs_ngspice
def test_durations_are_codes_and_both_rows_follow_the_sign():
    ticks = {code: convert(code) for code in (-3, 0, 1, 3)}
    assert abs(ticks[0]["row_ticks"]) < 1e-3
    slope = (ticks[3]["row_ticks"] - ticks[1]["row_ticks"]) / 2
    # What is missing is lost in the switches: 542 ohm um of PMOS at 0.7 V into 128 cells of 3 uS.
    switch_ohm = 542e-6 / (128 * Parameters().high_width_per_cell_m)
    assert slope == pytest.approx(1 / (1 + switch_ohm * 128 * frame.MEAN_CONDUCTANCE_S), abs=3e-3)
    assert ticks[1]["row_ticks"] == pytest.approx(slope, abs=0.05)  # the offset is a few hundredths of a tick
    assert ticks[-3]["row_ticks"] == pytest.approx(-ticks[3]["reference_ticks"], abs=2e-3)
    assert ticks[-3]["reference_ticks"] == pytest.approx(-ticks[3]["row_ticks"], abs=2e-3)


@needs_ngspice
@pytest.mark.parametrize(("corner", "temperature_k"), [("slow", 358.0), ("fast", 248.0)])
def test_the_pulse_ends_at_its_code_in_every_corner(corner, temperature_k):
    found = convert(5, Parameters(bits=4), corner=corner, temperature_k=temperature_k)
    assert found["row_ticks"] == pytest.approx(5, abs=0.25)
    assert found["reference_ticks"] == pytest.approx(5, abs=0.25)


@needs_ngspice
def test_bus_energy_is_capacitance_times_edges():
    light, heavy = (convert(2, Parameters(bits=3, bus_capacitance_f=farad)) for farad in (0.5e-15, 5e-15))
    # Rising edges within four ticks: bit 0 and its complement two and one, bit 1 one, the tick four, start one.
    expected = 9 * 4.5e-15 * frame.CORE_SUPPLY_V**2
    assert heavy["bus_energy_j"] - light["bus_energy_j"] == pytest.approx(expected, rel=0.05)


@needs_ngspice
def test_drive_energy_grows_with_the_line_and_static_power_is_small():
    small, large = (convert(2, Parameters(bits=3, cells=cells)) for cells in (32, 128))
    assert 2 < large["drive_energy_j"] / small["drive_energy_j"] < 4.5
    assert 0 < small["static_power_w"] < large["static_power_w"] < 1e-6


@needs_ngspice
@pytest.mark.parametrize(("corner", "temperature_k"), [("nominal", 300.0), ("slow", 358.0)])
def test_the_counter_counts_every_tick(corner, temperature_k):
    bits = 4
    found = simulate(dac.counter_deck(bits, corner=corner, temperature_k=temperature_k))
    # Reset holds through the edge at 1.5 ticks; a value is read just before the next edge.
    times = (2.4 + np.arange(2 ** (bits - 1))) * frame.TICK_S
    counts = sum(
        (np.interp(times, found.axis, found[f"v(n{bit})"]) > 0.5).astype(int) << bit for bit in range(bits - 1)
    )
    assert counts.tolist() == list(range(2 ** (bits - 1)))
    measured = dac.measure_counter([found], {"bits": bits})
    assert 0 < measured["counter_delay_s"] < dac.COUNT_DELAY_S
    assert 1e-15 < measured["counter_energy_j"] < 1e-13


def test_transfer_separates_offset_gain_and_nonlinearity():
    codes = [1, 2, 3, 4]
    assert dac.transfer(codes, [0.98 * code - 0.02 for code in codes]) == pytest.approx((-0.02, -0.02, 0), abs=1e-12)
    assert dac.transfer(codes, [1, 2.1, 3.1, 4])[2] == pytest.approx(0.05, rel=1e-6)


def test_gate_area_adds_up_width_times_length():
    text = "M1 d g s b NMOS_VTL w=1u l=50n\nR1 a b 1k\nM2 d g s b PMOS_VTL w=2u l=100n"
    assert dac.gate_area_m2(text) == pytest.approx(0.25e-12)


@pytest.mark.parametrize("bits", range(3, 9))
def test_decks_of_every_size_are_valid_and_areas_grow(bits):
    if not _ready():
        pytest.skip("the transistor cards are not installed")
    assert dac.line_deck(Parameters(bits=bits), 1)
    assert dac.counter_deck(bits)
    if bits > 3:
        assert dac.line_area_m2(Parameters(bits=bits)) > dac.line_area_m2(Parameters(bits=bits - 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Parameters(bits=9), "3 to 8"),
        (lambda: Parameters(cells=0), "at least 1"),
        (lambda: dac.line_deck(Parameters(bits=3), 4), "at most 3"),
    ],
)
def test_settings_that_cannot_be_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@needs_ngspice
def test_read_supplies_give_what_the_cells_take():
    found = simulate(dac.line_deck(Parameters(bits=3), 3))
    window = (dac.START_S, float(found.axis[-1]))
    # Both rows swing alike in opposite directions, so the middle supply gives next to nothing over a pulse.
    charge = measure.integral(found.axis, found["i(vh)"] + found["i(vl)"], *window)
    through = measure.integral(found.axis, found["v(row)"] - 0.5, *window) * 128 * frame.MEAN_CONDUCTANCE_S
    assert abs(charge) < 0.05 * through
    high = -measure.integral(found.axis, found["i(vh)"], *window)
    assert high == pytest.approx(through, rel=0.05)
