"""A memristive cross-point: a conductance that pulses above a threshold change step by step.

::

    row o----[ G(w) ]----o column        state o----+----+----+
                                                    |    |    |
             I = G(w) V(row, column)              move  clip  C
                                                    |    |    |
                                                   gnd  gnd  gnd

The voltage of the port `state` is the weight w. Row above column by more than the threshold moves it up, column above
row moves it down, and nothing else does. During a pulse the rate is the step at the weight of its beginning, which
the node `held` remembers, over the time that the pulse is above the threshold: a pulse changes w by the step of the
device model, whatever its law. What the overdrive beyond the threshold does to the rate is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from circuits import frame, measure
from circuits.cell import Cell, Conditions, Entry, Measured, Picture, Point
from circuits.decks import Deck
from circuits.simulator import Waveforms
from device_models import PulsedDevice, load_device
from device_models.kernels.pulse import FAMILY_CODES, FIRST_TABULATED, mean_change, tabulated_change
from device_models.population import populate

FloatArray = npt.NDArray[np.float64]

# The pulse of one slot: a guard, an edge, the top, an edge, a guard.
GUARD_S = 0.25e-9
EDGE_S = 0.25e-9
TOP_S = frame.PULSE_SLOT_S - 2 * GUARD_S - 2 * EDGE_S
# An edge from 0 to 2 V is above 1.5 V for a quarter of its time.
ABOVE_THRESHOLD_S = TOP_S + 2 * EDGE_S * (1 - frame.THRESHOLD_VOLTAGE_V / frame.WRITE_SUPPLY_V)
IDLE_V = frame.WRITE_SUPPLY_V / 2

# A weight of 1 is 1 V here, so a step of 0.01 is some mA through the state capacitor: numbers that SPICE likes.
STATE_CAPACITANCE_F = 1e-9
FOLLOW_S = 2e-11  # short beside the guard between two pulses
LINEAR_FAMILIES = ("constant_step", "soft_bounds", "soft_bounds_reference", "generic_linear", "linear_step")
TABLE_NODES = 65
OPTIONS: dict[str, float | str | bool] = {"method": "gear", "reltol": 1e-5, "vntol": 1e-8}


@dataclass(frozen=True, kw_only=True)
class Memristor:
    """One cross-point: its step law, its conductance range and its threshold.

    Parameters
    ----------
    weights
        Weights at which steps are given, ascending; the first and the last are the bounds; at least two. Two are a
        straight line, the closed form of soft bounds.
    steps_up, steps_down
        Change of one pulse at these weights, each at least 0, in weight units; linear between them.
    min_conductance_s, max_conductance_s
        Conductances at `min_weight` and `max_weight`, linear between and beyond; above 0 at both bounds.
    min_weight, max_weight
        See there.
    threshold_v
        Voltage that a pulse must exceed, > 0; assumed.
    smoothing_v
        Width of the threshold, > 0: keeps the equations differentiable.
    pulse_s
        Time that one pulse is above the threshold, > 0.

    Raises
    ------
    ValueError
        For a cell that cannot be.
    """

    weights: tuple[float, ...]
    steps_up: tuple[float, ...]
    steps_down: tuple[float, ...]
    min_conductance_s: float = frame.MIN_CONDUCTANCE_S
    max_conductance_s: float = frame.MAX_CONDUCTANCE_S
    min_weight: float = -1.0
    max_weight: float = 1.0
    threshold_v: float = frame.THRESHOLD_VOLTAGE_V
    smoothing_v: float = 0.05
    pulse_s: float = ABOVE_THRESHOLD_S

    def __post_init__(self) -> None:
        counts = (len(self.weights), len(self.steps_up), len(self.steps_down))
        if counts[0] < 2 or len(set(counts)) > 1:
            raise ValueError(f"a memristor with {counts} weights, steps up and down; as many of each, at least two")
        # Equal bounds are a stuck device: it holds one weight and has no steps.
        if (np.diff(self.weights) <= 0).any() and any((*self.steps_up, *self.steps_down)):
            raise ValueError(f"weights {self.weights} of a memristor do not ascend")
        if min(*self.steps_up, *self.steps_down) < 0:
            raise ValueError("a memristor with steps below 0; both directions are given as positive numbers")
        if not self.max_weight > self.min_weight:
            raise ValueError(f"max_weight = {self.max_weight} of a memristor is not above min_weight")
        if min(self.threshold_v, self.smoothing_v, self.pulse_s) <= 0:
            raise ValueError("threshold_v, smoothing_v and pulse_s of a memristor are above 0")
        lowest = min(self.conductance_s(self.weights[0]), self.conductance_s(self.weights[-1]))
        if not lowest > 0:
            raise ValueError(f"a memristor that conducts {lowest:g} S at a bound; above 0 is needed")

    @property
    def conductance_per_weight_s(self) -> float:
        """Slope of the conductance over the weight."""
        return (self.max_conductance_s - self.min_conductance_s) / (self.max_weight - self.min_weight)

    def conductance_s(self, weight: float) -> float:
        """Return the conductance at a weight."""
        return self.min_conductance_s + self.conductance_per_weight_s * (weight - self.min_weight)

    def weight(self, conductance_s: float) -> float:
        """Return the weight with a conductance."""
        return self.min_weight + (conductance_s - self.min_conductance_s) / self.conductance_per_weight_s


def netlist(parameters: Memristor, name: str = "memristor") -> str:
    """Return the subcircuit of a cell; ports row, column, state."""
    low, high = parameters.weights[0], parameters.weights[-1]
    threshold, width = parameters.threshold_v, parameters.smoothing_v
    above = f"0.5*(1+tanh((v(row,column)-{threshold!r})/{width!r}))"
    below = f"0.5*(1+tanh((-v(row,column)-{threshold!r})/{width!r}))"
    rate = STATE_CAPACITANCE_F / parameters.pulse_s
    follow = STATE_CAPACITANCE_F / FOLLOW_S
    up = _curve(parameters.weights, parameters.steps_up, rate)
    down = _curve(parameters.weights, parameters.steps_down, rate)
    conductance = f"{parameters.conductance_s(0.0)!r}+{parameters.conductance_per_weight_s!r}*v(state)"
    return "\n".join(
        [
            f".subckt {name} row column state",
            f"Bcell row column i=v(row,column)*({conductance})",
            f"Cstate state 0 {STATE_CAPACITANCE_F!r}",
            f"Bmove 0 state i={above}*({up})-{below}*({down})",
            # Back to the bound, as the device model clips; without effect between the bounds.
            f"Bclip 0 state i={follow!r}*(max({low!r}-v(state),0)-max(v(state)-({high!r}),0))",
            f"Chold held 0 {STATE_CAPACITANCE_F!r}",
            f"Bhold 0 held i={follow!r}*(1-{above}-{below})*(v(state)-v(held))",
            ".ends",
        ]
    )


def _curve(weights: Sequence[float], steps: Sequence[float], scale: float) -> str:
    """Return steps over the held weight as an expression."""
    if weights[0] == weights[-1]:
        return "0"
    if len(weights) == 2:
        slope = (steps[1] - steps[0]) / (weights[1] - weights[0])
        return f"{scale * steps[0]!r}+{scale * slope!r}*(v(held)-({weights[0]!r}))"
    pairs = ",".join(f"{float(weight)!r},{scale * step!r}" for weight, step in zip(weights, steps, strict=True))
    return f"pwl(v(held),{pairs})"


def array_of_memristors(device: PulsedDevice, parameters: npt.ArrayLike, **given: float) -> list[list[Memristor]]:
    """Return the cells of an array of devices.

    Parameters
    ----------
    device
        Response family with what its devices share.
    parameters
        (4 or 6, rows, columns), see `device_models.population.Population.parameters`.
    **given
        Further parameters of `Memristor`. Where they say nothing of weights, the conductance range spans the widest
        bounds of the array.

    Returns
    -------
    Rows of cells. Steps are those of the device model without cycle-to-cycle noise: exact for straight laws and for
    tabulated families, elsewhere linear between 65 weights that are denser towards the bounds.
    """
    values = np.asarray(parameters, dtype=np.float64)
    if values.ndim != 3 or len(values) < 4:
        raise ValueError(f"parameters have shape {values.shape}; (4 or 6, rows, columns) is needed")
    widest = float(np.abs(values[2:4]).max())
    range_ = {"min_weight": -widest, "max_weight": widest, **given}
    return [
        [_memristor(device, values[:, row, column], range_) for column in range(values.shape[2])]
        for row in range(values.shape[1])
    ]


def _memristor(device: PulsedDevice, values: FloatArray, given: dict[str, float]) -> Memristor:
    nodes = TABLE_NODES
    if device.family in LINEAR_FAMILIES:
        nodes = 2
    elif FAMILY_CODES[device.family] >= FIRST_TABULATED:
        nodes = device.tables().shape[1]
    shares = np.linspace(0.0, 1.0, nodes)
    if nodes == TABLE_NODES and FAMILY_CODES[device.family] < FIRST_TABULATED:
        shares = (1 - np.cos(np.pi * shares)) / 2  # denser towards the bounds, where steps of some laws end steeply
    weights = values[3] + (values[2] - values[3]) * shares
    weights[-1] = values[2]
    steps = {up: tuple(max(change_of(device, values, weight, up), 0.0) for weight in weights) for up in (True, False)}
    return Memristor(weights=tuple(weights.tolist()), steps_up=steps[True], steps_down=steps[False], **given)


def change_of(device: PulsedDevice, values: FloatArray, weight: float, up: bool) -> float:
    """Return the size of the mean step of one device in one direction, by the device model's own kernel.

    Parameters
    ----------
    values
        (4 or 6,), one device of `Population.parameters`.
    """
    step_up, step_down, high, low, *extra = (float(value) for value in values)
    family = FAMILY_CODES[device.family]
    if family >= FIRST_TABULATED:
        change = tabulated_change(family, weight, up, step_up, step_down, high, low, device.tables())
    else:
        extra_up, extra_down = extra or (0.0, 0.0)
        change = mean_change(family, weight, up, step_up, step_down, high, low, extra_up, extra_down, device.curve())
    return float(change if up else -change)


def predicted_weights(
    device: PulsedDevice, values: FloatArray, weight: float, directions: Sequence[bool]
) -> FloatArray:
    """Return the weight before and after each pulse of the device model, float64 (pulses + 1,)."""
    track = [weight]
    for up in directions:
        change = change_of(device, values, track[-1], up)
        track.append(min(max(track[-1] + (change if up else -change), float(values[3])), float(values[2])))
    return np.array(track)


def pulse_corners(slot: int, level_v: float, *, idle_v: float = IDLE_V) -> list[tuple[float, float]]:
    """Return (time, voltage) of the pulse of a slot."""
    start = slot * frame.PULSE_SLOT_S + GUARD_S
    times = (start, start + EDGE_S, start + EDGE_S + TOP_S, start + 2 * EDGE_S + TOP_S)
    return list(zip(times, (idle_v, level_v, level_v, idle_v), strict=True))


def pulse_source(name: str, node: str, levels_v: Sequence[float | None], *, idle_v: float = IDLE_V) -> str:
    """Return a source with one pulse per slot to a level, or none where the level is None."""
    corners = [(0.0, idle_v)]
    for slot, level in enumerate(levels_v):
        if level is not None:
            corners += pulse_corners(slot, level, idle_v=idle_v)
    return f"V{name} {node} 0 pwl({' '.join(f'{time:.6e} {voltage!r}' for time, voltage in corners)})"


def pulse_deck(
    cell: Memristor, weight: float, directions: Sequence[bool], *, column_selected: bool = True, title: str = "pulses"
) -> Deck:
    """Return the bench of one cell: a pulse per slot, up or down; half-selected where its column stays idle."""
    high, low = frame.WRITE_SUPPLY_V, 0.0
    rows = [high if up else low for up in directions]
    columns = [(low if up else high) if column_selected else None for up in directions]
    end = (len(directions) + 1) * frame.PULSE_SLOT_S
    body = "\n".join(
        [
            netlist(cell),
            pulse_source("row", "row", rows),
            pulse_source("column", "column", columns),
            "Xcell row column state memristor",
            f".ic v(state)={weight!r}",
        ]
    )
    return Deck(
        title=f"memristor: {title}",
        body=body,
        analysis=f".tran {EDGE_S / 5:g} {end:g} 0 {EDGE_S / 2:g}",
        save=("v(row)", "v(column)", "v(state)", "i(vrow)", "i(vcolumn)"),
        options=OPTIONS,
    )


def sampled_weights(waveforms: Waveforms, vector: str, slots: int, first_slot: int = 0) -> FloatArray:
    """Return a state at the beginning of each slot and after the last, float64 (slots + 1,)."""
    times = (first_slot + np.arange(slots + 1)) * frame.PULSE_SLOT_S
    return np.asarray(np.interp(times, waveforms.axis, waveforms[vector]))


PULSES = 31
DEVICES = ("soft_bounds", "constant_step", "power_response", "exponential_step", "measured_table")
STATES = 20.0
HALF_SELECTS = 10


def _single(name: str) -> tuple[PulsedDevice, FloatArray]:
    """Return the nominal device of a preset with 20 states, and its parameters as an array holds them."""
    quiet = {"dw_min_dtod": 0.0, "w_max_dtod": 0.0, "w_min_dtod": 0.0, "up_down_dtod": 0.0}
    device = load_device(name, states=STATES, **quiet)
    return device, np.asarray(populate(device, (1, 1), seed=0, stream=0).parameters[:, 0, 0], dtype=np.float64)


def _tracking(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    device, values = _single(str(conditions["device"]))
    directions = [True] * PULSES + [False] * PULSES
    expected = np.diff(predicted_weights(device, values, 0.0, directions))
    found = np.diff(sampled_weights(waveforms[0], "v(state)", len(directions)))
    return {
        "step_error": float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))),
        "step_slope": float(found @ expected / (expected @ expected)),
    }


def _disturbance(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    device, values = _single("soft_bounds")
    weights = sampled_weights(waveforms[0], "v(state)", HALF_SELECTS)
    step = change_of(device, values, float(weights[0]), True)
    return {"half_select_drift": abs(float(weights[-1] - weights[0])) / HALF_SELECTS / step}


def _energy(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    found = waveforms[0]
    start, end = 0.0, frame.PULSE_SLOT_S
    energies = [
        measure.supply_energy_j(found.axis, found[f"i(v{line})"], found[f"v({line})"], start, end)
        for line in ("row", "column")
    ]
    return {"energy_j": sum(energies)}


def _mean_cell() -> tuple[Memristor, float]:
    """Return a soft-bounds cell and the weight at which it has the mean conductance of an array."""
    device, values = _single("soft_bounds")
    cell = array_of_memristors(device, values[:, None, None])[0][0]
    return cell, cell.weight(frame.MEAN_CONDUCTANCE_S)


def points() -> list[Point]:
    """Return tracking for families with a formula and with a table, half selects, and energies of a pulse."""
    directions = [True] * PULSES + [False] * PULSES
    found = []
    for name in DEVICES:
        device, values = _single(name)
        cell = array_of_memristors(device, values[:, None, None])[0][0]
        deck = pulse_deck(cell, 0.0, directions, title=f"{name}, {PULSES} pulses up and down")
        found.append(Point("tracking", {"device": name}, (deck,), _tracking))
    cell, weight = _mean_cell()
    half = pulse_deck(cell, weight, [True] * HALF_SELECTS, column_selected=False, title="half-selected")
    found.append(Point("half_select", {}, (half,), _disturbance))
    still = replace(
        cell, steps_up=(0.0, 0.0), steps_down=(0.0, 0.0)
    )  # so that the conductance is the mean one throughout
    for selected in (True, False):
        deck = pulse_deck(still, weight, [True], column_selected=selected, title="one pulse")
        found.append(Point("energy", {"selected": int(selected)}, (deck,), _energy))
    return found


def entries(measured: Sequence[Measured]) -> list[Entry]:
    """Return the worst tracking of all devices, the drift of a half-selected cell and energies per pulse."""
    tracking = [point.values for point in measured if point.bench == "tracking"]
    names = ", ".join(DEVICES)
    note = f"{PULSES} pulses up and down, {STATES:g} states; worst of {names}"
    found = [
        Entry("step_error", {}, max(v["step_error"] for v in tracking), source="simulation", note=f"rms; {note}"),
        Entry(
            "step_gain_error",
            {},
            max(abs(v["step_slope"] - 1) for v in tracking),
            source="simulation",
            note=f"slope of simulated over modelled steps, less 1; {note}",
        ),
    ]
    for point in measured:
        if point.bench == "half_select":
            note = "change per half-selected pulse of 1 V over a full step; the threshold of 1.5 V is assumed"
            found.append(
                Entry("half_select_drift", {}, point.values["half_select_drift"], source="simulation", note=note)
            )
        if point.bench == "energy":
            quantity = "pulse_energy_j" if point.conditions["selected"] else "half_select_energy_j"
            note = f"one pulse through a cell of {frame.MEAN_CONDUCTANCE_S * 1e6:g} uS, 5 ns slot"
            found.append(Entry(quantity, {}, point.values["energy_j"], source="simulation", note=note))
    note = "one pulse slot of the published cost figures; the step law does not depend on it"
    found.append(Entry("latency_s", {}, frame.PULSE_SLOT_S, "assumed", "li2025", note))
    return found


def pictures() -> list[Picture]:
    """Return pulses up and down with the state that follows them."""
    device, values = _single("soft_bounds")
    cell = array_of_memristors(device, values[:, None, None])[0][0]
    deck = pulse_deck(cell, 0.0, [True] * 6 + [False] * 6, title="six pulses up, six down")
    return [Picture(deck, (("line voltages [V]", ("v(row)", "v(column)")), ("weight", ("v(state)",))))]


CELL = Cell(
    "memristor", "cross-point whose conductance moves with pulses above a threshold", points, entries, (), pictures
)
