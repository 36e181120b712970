"""The pulse driver: three levels in all corners, pulses that survive, energy of the load; bad input."""

import pytest

from circuits import analytic, frame, measure
from circuits.cells import pulse_driver as driver
from circuits.cells.pulse_driver import Parameters
from circuits.model_cards import CardsMissingError, card_text
from circuits.simulator import has_ngspice, simulate


def _ready():
    try:
        card_text("nominal")
    except CardsMissingError:
        return False
    return has_ngspice()


needs_ngspice = pytest.mark.skipif(not _ready(), reason="ngspice or the transistor cards are not installed")


def mean_v(found, start_s, end_s, vector="v(line)"):
    return measure.integral(found.axis, found[vector], start_s, end_s) / (end_s - start_s)


@needs_ngspice
@pytest.mark.parametrize(
    ("corner", "temperature_k"),
    [("nominal", 300.0), ("slow", 248.0), ("slow", 358.0), ("fast", 248.0), ("fast", 358.0)],
)
def test_a_line_has_three_levels_in_every_corner(corner, temperature_k):
    found = simulate(driver.pulse_deck(Parameters(cells=128), corner=corner, temperature_k=temperature_k))
    up, down = driver.STARTS_S["up"], driver.STARTS_S["down"]
    assert mean_v(found, 0.1e-9, 0.4e-9) == pytest.approx(1.0, abs=0.01)
    assert mean_v(found, up + 1e-9, up + 4e-9) == pytest.approx(2.0, abs=0.06)
    assert mean_v(found, up + 4.8e-9, up + 5e-9) == pytest.approx(1.0, abs=0.03)
    assert mean_v(found, down + 1e-9, down + 4e-9) == pytest.approx(0.0, abs=0.06)
    assert mean_v(found, down + 4.8e-9, down + 5e-9) == pytest.approx(1.0, abs=0.03)
    # Levels of the upper half stay between 1 and 2 V, but for coupling at the edges.
    gate = found["v(xdriver.gate_high)"]
    assert gate.min() > 0.85
    assert gate.max() < 2.15


@needs_ngspice
def test_a_coincidence_in_the_shortest_slot_keeps_its_width():
    parameters = Parameters(cells=64)
    values = driver.measure_pulses([simulate(driver.pulse_deck(parameters))], {"cells": 64})
    width = values["coincidence_lost_s"] / (1 - driver.KEPT_SHARE)
    assert width < values["latency_s"] < frame.PULSE_SLOT_S / 5
    found = simulate(driver.pulse_deck(parameters, pulse_s=width))
    times = [driver.threshold_times_s(found, name) for name in ("up", "down")]
    overlap = min(off for _, off in times) - max(on for on, _ in times)
    assert 0.85 * width < overlap <= width


@needs_ngspice
def test_energy_of_the_load_is_that_of_its_cells():
    cells = 128
    found = [simulate(driver.pulse_deck(Parameters(cells=cells))), simulate(driver.idle_deck(Parameters(cells=cells)))]
    values = driver.measure_pulses(found, {"cells": cells})
    swing = 1 - values["select_error_v"]
    expected = analytic.ohmic_pulse_energy_j(cells * frame.MEAN_CONDUCTANCE_S, swing, driver.PULSE_S, 0.0)
    assert values["load_energy_j"] == pytest.approx(expected, rel=0.06)
    assert 0 < values["half_select_error_v"] < 0.1
    assert 0 < values["energy_j"] < values["load_energy_j"]
    parts = values["logic_energy_j"] + values["high_energy_j"] + values["middle_energy_j"]
    assert parts == pytest.approx(values["energy_j"] + values["load_energy_j"], rel=1e-9)


@needs_ngspice
def test_energy_grows_with_the_line():
    energies = []
    for cells in (32, 128):
        found = simulate(driver.pulse_deck(Parameters(cells=cells)))
        energies.append(driver.measure_pulses([found], {"cells": cells})["energy_j"])
    assert 1.5 < energies[1] / energies[0] < 4


def test_area_grows_with_the_line():
    areas = [driver.driver_area_m2(Parameters(cells=cells)) for cells in (16, 64, 256)]
    assert areas[0] < areas[1] < areas[2]
    # The six line switches alone.
    widths = 2 * (100e-9 + 60e-9 + 100e-9) * 256
    assert areas[2] > frame.AREA_OVERHEAD * widths * 50e-9


def test_a_line_without_cells_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Parameters(cells=0)
