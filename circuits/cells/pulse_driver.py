"""A pulse driver: brings a line from 1.0 V to 2.0 V or 0 V and back, from logic of 1.0 V.

::

                         2 V ---[P]---[P]---+                       every gate sees at most 1 V:
    up ---[ shift ]---------gate    gate=1V |                       logic of 0 and 1 V switches the lower half,
    up or down -[ shift ]--gate             |                       levels shifted to 1 and 2 V the upper half
                         1 V ---[P]---[N]---+--- line
    up or down ------------gate             |
    down -------------------gate    gate=1V |
                         0 V ---[N]---[N]---+

The thick-oxide transistors of the cards have a threshold of 1.5 V: at gates of 1.0 to 2.0 V they conduct next to
nothing. So the driver stacks transistors of the core between 0, 1 and 2 V. A level shifter is a latch between 1 and
2 V, which pairs of cascoded transistors pull over. NMOS between 1 and 2 V sit in a well of their own at 1 V.
Widths of the line switches grow with the cells of a line, so the voltage lost in them does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from circuits import frame, measure
from circuits.cell import CORNERS, TEMPERATURES_K, Cell, Conditions, Entry, Measured, Picture, Point
from circuits.cells.pulse_width_dac import NARROW_M, Gates, gate_area_m2
from circuits.decks import Deck
from circuits.laws import Law
from circuits.simulator import Waveforms

IDLE_V = frame.WRITE_SUPPLY_V / 2
EDGE_S = 20e-12
# Two pulses, up and down, that fill most of a slot.
LEAD_S, PULSE_S = 0.5e-9, 4e-9
STARTS_S = {"up": LEAD_S, "down": LEAD_S + frame.PULSE_SLOT_S}
END_S = LEAD_S + 2 * frame.PULSE_SLOT_S
# A cell sees the swings of two lines: each must exceed half of its threshold.
SWING_THRESHOLD_V = frame.THRESHOLD_VOLTAGE_V / 2
KEPT_SHARE = 0.9  # of a slot that must be above the threshold of a cell
OPTIONS: dict[str, float | str | bool] = {"method": "gear", "reltol": 1e-4, "abstol": 1e-10}


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Dimensions of the driver of one line.

    Parameters
    ----------
    cells
        Cross-points on the line, at least 1.
    high_width_per_cell_m, low_width_per_cell_m, idle_width_per_cell_m
        Widths, per cell, of each transistor to 2.0 V, to 0 V and to 1.0 V.
    """

    cells: int = 128
    high_width_per_cell_m: float = 100e-9
    low_width_per_cell_m: float = 60e-9
    idle_width_per_cell_m: float = 100e-9

    def __post_init__(self) -> None:
        if self.cells < 1:
            raise ValueError(f"cells = {self.cells} on a line; at least 1 is needed")


def _level_shifter(low: Gates, high: Gates, name: str, active: str, idle: str) -> None:
    """Add a latch between 1 and 2 V: node `name` is at 1 V while `active` is high, at 2 V while `idle` is."""
    for node, other, signal in ((name, f"{name}_o", active), (f"{name}_o", name, idle)):
        high.transistor("p", node, other, "v2", 200e-9)
        high.transistor("n", node, other, "v1", NARROW_M)
        high.transistor("p", node, "v1", f"{node}_u", 1e-6, threshold="VTL")
        low.transistor("n", f"{node}_u", "v1", f"{node}_l", 0.6e-6)
        low.transistor("n", f"{node}_l", signal, "0", 0.6e-6)


def netlist(parameters: Parameters) -> str:
    """Return the subcircuit; ports vdd (logic), v2, v1 (the write supply and its half), up, down, line."""
    low, high = Gates("vdd"), Gates("v2", "v1")
    low.inverter("up", "up_b", 2)
    low.nor(["up", "down"], "rest")
    low.inverter("rest", "busy", 2)
    _level_shifter(low, high, "shift_up", "up", "up_b")
    _level_shifter(low, high, "shift_busy", "busy", "rest")
    to_high, to_low, to_idle = (
        parameters.cells * width
        for width in (
            parameters.high_width_per_cell_m,
            parameters.low_width_per_cell_m,
            parameters.idle_width_per_cell_m,
        )
    )
    high.taper("shift_up", "gate_high", to_high)
    high.taper("shift_busy", "gate_idle", to_idle)
    low.taper("down", "gate_low", to_low)
    low.taper("busy", "gate_idle_p", to_idle)
    switches = Gates("v2")
    for kind, drain, gate, source, width in (
        ("p", "top", "gate_high", "v2", to_high),
        ("p", "line", "v1", "top", to_high),
        ("n", "line", "gate_idle", "middle", to_idle),
        ("p", "middle", "gate_idle_p", "v1", to_idle),
        ("n", "line", "v1", "bottom", to_low),
        ("n", "bottom", "gate_low", "0", to_low),
    ):
        switches.transistor(kind, drain, gate, source, width)
    lines = [
        line.replace("M", f"M{letter}", 1)
        for letter, group in (("L", low), ("H", high), ("S", switches))
        for line in group.lines
    ]
    return "\n".join([".subckt pulse_driver vdd v2 v1 up down line", *lines, ".ends"])


SUPPLIES_V = {"dd": frame.CORE_SUPPLY_V, "2": frame.WRITE_SUPPLY_V, "1": IDLE_V}


def _bench(parameters: Parameters, far_v: float) -> list[str]:
    """Return the driver with its line: cells to lines at a voltage, and wire capacitance."""
    cells = parameters.cells
    return [
        netlist(parameters),
        f"Vdd vdd 0 {frame.CORE_SUPPLY_V}",
        f"V2 v2 0 {frame.WRITE_SUPPLY_V}",
        f"V1 v1 0 {IDLE_V}",
        f"Vfar far 0 {far_v}",
        f"Rload line far {1 / (cells * frame.MEAN_CONDUCTANCE_S)!r}",
        f"Cload line 0 {cells * frame.CELL_CAPACITANCE_F!r}",
        "Xdriver vdd v2 v1 up down line pulse_driver",
    ]


def pulse_deck(
    parameters: Parameters, *, corner: str = "nominal", temperature_k: float = 300.0, pulse_s: float = PULSE_S
) -> Deck:
    """Return the bench of a pulse up and one down, on a line of half-selected cells."""
    body = _bench(parameters, IDLE_V)
    for name, start in STARTS_S.items():
        stop = start + pulse_s
        corners = f"0 0 {start:g} 0 {start + EDGE_S:g} 1 {stop:g} 1 {stop + EDGE_S:g} 0"
        body.append(f"V{name} {name} 0 pwl({corners})")
    return Deck(
        title=f"pulse_driver: {parameters.cells} cells, {corner}, {temperature_k:g} K",
        body="\n".join(body),
        analysis=f".tran {EDGE_S:g} {END_S:g} 0 {5 * EDGE_S:g}",
        save=("i(vdd)", "i(v2)", "i(v1)", "i(vfar)", "v(up)", "v(down)", "v(line)", "v(xdriver.gate_high)"),
        corner=corner,
        temperature_k=temperature_k,
        options=OPTIONS,
    )


def idle_deck(parameters: Parameters, *, corner: str = "nominal", temperature_k: float = 300.0) -> Deck:
    """Return the operating point of an idle line all of whose cells are selected from the other side, at 0 V."""
    body = [*_bench(parameters, 0.0), "Vup up 0 0", "Vdown down 0 0"]
    return Deck(
        title=f"pulse_driver: idle, {parameters.cells} cells",
        body="\n".join(body),
        analysis=".op",
        save=("v(line)",),
        corner=corner,
        temperature_k=temperature_k,
    )


def threshold_times_s(found: Waveforms, name: str) -> tuple[float, float]:
    """Return when the pulse up or down begins and ends to exceed half of a cell's threshold, after its input begins."""
    start = STARTS_S[name]
    swing = (found["v(line)"] - IDLE_V) * (1 if name == "up" else -1)
    on = measure.crossing_s(found.axis, swing, SWING_THRESHOLD_V, after_s=start)
    off = measure.crossing_s(found.axis, swing, SWING_THRESHOLD_V, rising=False, after_s=on)
    middle = start + EDGE_S / 2
    return on - middle, off - middle


def measure_pulses(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return energies, times and levels of both pulses, static power, and the error of an idle line."""
    found, time = waveforms[0], waveforms[0].axis
    line, cells = found["v(line)"], int(conditions["cells"])
    static_start = LEAD_S / 2
    idle = {
        name: measure.supply_energy_j(time, found[f"i(v{name})"], level, static_start, LEAD_S) / (LEAD_S - static_start)
        for name, level in SUPPLIES_V.items()
    }
    values: dict[str, float] = {"static_power_w": sum(idle.values())}
    delays, ends, rises, errors, returns = [], [], [], [], []
    by_supply = dict.fromkeys(SUPPLIES_V, 0.0)
    taken = 0.0
    for name, start in STARTS_S.items():
        end = start + frame.PULSE_SLOT_S
        for supply, level in SUPPLIES_V.items():
            energy = measure.supply_energy_j(time, found[f"i(v{supply})"], level, start, end)
            by_supply[supply] += (energy - idle[supply] * frame.PULSE_SLOT_S) / 2
        across = line - IDLE_V
        conductance = cells * frame.MEAN_CONDUCTANCE_S
        load = measure.integral(time, across**2, start, end) + IDLE_V * measure.integral(time, across, start, end)
        taken += conductance * load / 2
        rising = name == "up"
        swing = across if rising else -across
        on, off = threshold_times_s(found, name)
        delays.append(on)
        ends.append(off)
        top = float(measure.between(time, swing, start + PULSE_S / 2, start + PULSE_S)[1].mean())
        errors.append(IDLE_V - top)
        stop = start + PULSE_S + EDGE_S / 2
        returns.append(measure.crossing_s(time, swing, 0.1 * top, rising=False, after_s=stop) - stop)
        tenth = measure.crossing_s(time, swing, 0.1 * top, after_s=start)
        rises.append(measure.crossing_s(time, swing, 0.9 * top, after_s=start) - tenth)
    # A cell is pulsed while one of its lines is up and the other down.
    lost = PULSE_S - (min(ends) - max(delays))
    values |= {
        "energy_j": sum(by_supply.values()) - taken,
        "logic_energy_j": by_supply["dd"],
        "high_energy_j": by_supply["2"],
        "middle_energy_j": by_supply["1"],
        "load_energy_j": taken,
        "delay_s": max(delays),
        "rise_s": max(rises),
        "coincidence_lost_s": lost,
        "stretch_s": max(abs(off - on - PULSE_S) for on, off in zip(delays, ends, strict=True)),
        "latency_s": lost / (1 - KEPT_SHARE) + max(returns),
        "select_error_v": max(errors),
    }
    if len(waveforms) > 1:
        values["half_select_error_v"] = IDLE_V - waveforms[1].final("v(line)")
    return values


CELLS = (16, 32, 64, 96, 128, 192, 256)
MIDDLE_CELLS = 128


def driver_area_m2(parameters: Parameters) -> float:
    """Return the area: gate areas times the overhead for wires and wells."""
    return frame.AREA_OVERHEAD * gate_area_m2(netlist(parameters))


def points() -> list[Point]:
    """Return pulses over the cells of a line, and corners and temperatures for the middle one."""
    found = []
    settings = [(corner, 300.0) for corner in CORNERS] + [("nominal", kelvin) for kelvin in TEMPERATURES_K[1:]]
    for cells in CELLS:
        for corner, kelvin in settings if cells == MIDDLE_CELLS else settings[:1]:
            parameters = Parameters(cells=cells)
            decks = (
                pulse_deck(parameters, corner=corner, temperature_k=kelvin),
                idle_deck(parameters, corner=corner, temperature_k=kelvin),
            )
            at: Conditions = {"cells": cells, "corner": corner, "temperature_k": kelvin}
            found.append(Point("pulse", at, decks, measure_pulses))
    return found


NOTES = {
    "energy_j": "one pulse in one slot, mean of up and down, beyond what the cells of the line take and idle power",
    "load_energy_j": "what a line gives to half-selected cells of 3 uS in one pulse of 4 ns, mean of up and down",
    "logic_energy_j": "part of one pulse from the supply of 1.0 V, logic",
    "high_energy_j": "part of one pulse from the supply of 2.0 V, cells included",
    "static_power_w": "an idle line",
    "delay_s": "input to line at three quarters of its swing, the slower direction",
    "rise_s": "10 to 90 % of the swing, the slower direction",
    "coincidence_lost_s": "width of a pulse less the time that one line is up and the other down, beyond the threshold",
    "stretch_s": "largest change of the width of a pulse on one line, at three quarters of its swing",
    "latency_s": "shortest slot: a pulse of ten times the width that a coincidence loses, and its end",
    "select_error_v": "lost in the switches of a selected line while all its cells are half-selected",
    "half_select_error_v": "shift of an idle line while all its cells are half-selected from the other side",
}


def entries(measured: Sequence[Measured]) -> list[Entry]:
    """Return what each point measured, and areas."""
    found = [
        Entry(quantity, point.conditions, point.values[quantity], source="simulation", note=note)
        for point in measured
        for quantity, note in NOTES.items()
    ]
    for cells in CELLS:
        note = f"gate areas times {frame.AREA_OVERHEAD:g}; one line"
        area = driver_area_m2(Parameters(cells=cells))
        found.append(Entry("area_m2", {"cells": cells}, area, "derived", note=note))
    return found


def pictures() -> list[Picture]:
    """Return a pulse up and a pulse down."""
    return [
        Picture(
            pulse_deck(Parameters()),
            (("inputs [V]", ("v(up)", "v(down)")), ("gate [V]", ("v(xdriver.gate_high)",)), ("line [V]", ("v(line)",))),
        )
    ]


LAWS = tuple(
    Law(
        quantity=quantity,
        formula="a + b cells",
        variables=("cells",),
        start=start,
        evaluate=lambda at, of: of["a"] + of["b"] * at["cells"],
        held_out=lambda at: at["cells"] in (64, 192),
    )
    for quantity, start in (
        ("energy_j", {"a": 5e-14, "b": 2e-15}),
        ("static_power_w", {"a": 1e-7, "b": 1e-8}),
        ("area_m2", {"a": 1e-12, "b": 1e-14}),
    )
)

CELL = Cell(
    "pulse_driver", "brings a line to 2.0 V or 0 V for a pulse, from logic of 1.0 V", points, entries, LAWS, pictures
)
