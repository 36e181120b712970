"""The memristive cell against the device model, against hand formulas of its energy, and bad input."""

import numpy as np
import pytest

from circuits import analytic, frame, measure
from circuits.cells import memristor
from circuits.cells.memristor import Memristor
from circuits.decks import Deck
from circuits.simulator import has_ngspice, simulate
from device_models import load_device
from device_models.population import populate

needs_ngspice = pytest.mark.skipif(not has_ngspice(), reason="ngspice is not installed")


def cell_of(name, seed=3, **overrides):
    """Return a device, the parameters of one of its kind, and its cell."""
    device = load_device(name, **overrides)
    values = populate(device, (1, 1), seed=seed, stream=0).parameters.astype(np.float64)
    return device, values[:, 0, 0], memristor.array_of_memristors(device, values)[0][0]


@needs_ngspice
@pytest.mark.parametrize(
    ("name", "start", "rms_max"),
    [
        ("soft_bounds", 0.0, 0.005),
        ("linear_step", 0.2, 0.005),
        ("constant_step", 0.3, 0.01),  # clipped at its bound
        ("exponential_step", 0.0, 0.01),
        ("power_step", 0.0, 0.01),
        ("piecewise_step", 0.1, 0.01),
    ],
)
def test_steps_are_those_of_the_device_model(name, start, rms_max):
    device, values, cell = cell_of(name, states=20)
    directions = [True] * 12 + [False] * 20 + [True] * 3
    found = np.diff(
        memristor.sampled_weights(simulate(memristor.pulse_deck(cell, start, directions)), "v(state)", len(directions))
    )
    expected = np.diff(memristor.predicted_weights(device, values, start, directions))
    assert np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)) < rms_max


@needs_ngspice
def test_a_coarse_device_takes_whole_steps():
    # Four states: within one pulse the step law changes by half, which a rate that follows the weight would miss.
    quiet = {"dw_min_dtod": 0.0, "w_max_dtod": 0.0, "w_min_dtod": 0.0, "up_down_dtod": 0.0}
    _, _, cell = cell_of("soft_bounds", states=4, **quiet)
    weights = memristor.sampled_weights(simulate(memristor.pulse_deck(cell, 0.0, [True, True])), "v(state)", 2)
    assert weights == pytest.approx([0.0, 0.5, 0.75], abs=5e-4)


@needs_ngspice
def test_half_selected_cells_and_reads_leave_the_state_alone():
    _, _, cell = cell_of("soft_bounds", states=20)
    found = simulate(memristor.pulse_deck(cell, 0.25, [True, False] * 3, column_selected=False))
    assert abs(found["v(state)"] - 0.25).max() < 1e-6 * cell.steps_up[0]
    # Above the threshold the same bench moves it.
    moved = simulate(memristor.pulse_deck(cell, 0.25, [True]))
    assert moved.final("v(state)") > 0.27


@needs_ngspice
def test_energy_of_a_pulse_is_that_of_a_conductance():
    _, _, cell = cell_of("soft_bounds", states=1e6)  # hardly moves
    weight = cell.weight(4e-6)
    assert cell.conductance_s(weight) == pytest.approx(4e-6, rel=1e-12)
    for selected, voltage in ((True, frame.WRITE_SUPPLY_V), (False, frame.WRITE_SUPPLY_V / 2)):
        found = simulate(memristor.pulse_deck(cell, weight, [True], column_selected=selected))
        energy = sum(
            measure.supply_energy_j(found.axis, found[f"i(v{line})"], found[f"v({line})"], 0.0, frame.PULSE_SLOT_S)
            for line in ("row", "column")
        )
        expected = analytic.ohmic_pulse_energy_j(4e-6, voltage, memristor.TOP_S, memristor.EDGE_S)
        assert energy == pytest.approx(expected, rel=2e-3)


def test_straight_laws_have_a_closed_form_and_others_a_table():
    assert "pwl" not in memristor.netlist(cell_of("soft_bounds", states=20)[2])
    assert "pwl" in memristor.netlist(cell_of("power_response", states=20)[2])


def test_each_device_of_an_array_has_its_own_cell():
    device = load_device("soft_bounds", states=20, dw_min_dtod=0.3, w_max_dtod=0.2)
    parameters = populate(device, (2, 3), seed=5, stream=0).parameters
    cells = memristor.array_of_memristors(device, parameters, min_conductance_s=2e-6)
    assert (len(cells), len(cells[0])) == (2, 3)
    assert cells[1][2].weights == pytest.approx((parameters[3, 1, 2], parameters[2, 1, 2]))
    middle = np.interp(0.0, cells[1][2].weights, cells[1][2].steps_up)
    assert middle == pytest.approx(parameters[0, 1, 2], rel=1e-6)
    assert min(cell.conductance_s(cell.weights[0]) for row in cells for cell in row) >= 2e-6 * (1 - 1e-9)


def test_a_stuck_device_has_a_netlist_that_does_not_move():
    device = load_device("soft_bounds", states=20, corrupt_devices_prob=1.0)
    parameters = populate(device, (1, 1), seed=5, stream=0).parameters
    cell = memristor.array_of_memristors(device, parameters)[0][0]
    body = memristor.netlist(cell) + "\nXc a 0 w memristor\nVa a 0 1\n.ic v(w)=0"
    assert Deck(title="stuck", body=body, analysis=".op", save=("v(w)",))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weights": (0.0,)}, "at least two"),
        ({"weights": (1.0, -1.0)}, "do not ascend"),
        ({"steps_up": (-0.1, 0.0)}, "below 0"),
        ({"max_weight": -2.0}, "not above min_weight"),
        ({"threshold_v": 0.0}, "are above 0"),
        ({"min_weight": -0.5, "max_weight": 0.5}, "at a bound"),
    ],
)
def test_cells_that_cannot_be_are_refused(given, message):
    good = {"weights": (-1.0, 1.0), "steps_up": (0.2, 0.0), "steps_down": (0.0, 0.2)}
    with pytest.raises(ValueError, match=message):
        Memristor(**{**good, **given})


def test_parameters_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 2, 2\)"):
        memristor.array_of_memristors(load_device("soft_bounds", states=20), np.ones((3, 2, 2)))


@needs_ngspice
def test_characterisation_gives_a_table():
    from circuits.cell import Measured

    measured = [Measured(point.bench, point.conditions, point.run()) for point in memristor.CELL.points()]
    found = {entry.quantity: entry for entry in memristor.CELL.entries(measured)}
    assert found["step_error"].value < 0.01
    assert found["half_select_drift"].value < 1e-6
    ratio = found["pulse_energy_j"].value / found["half_select_energy_j"].value
    assert ratio == pytest.approx(4, rel=0.01)  # twice the voltage
    assert found["pulse_energy_j"].unit == "J"
