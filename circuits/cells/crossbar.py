"""A crossbar: rows x columns of cells between wires that have resistance and capacitance.

::

    row0 --r--+--------r--+--------r--+          r: segment of wire, c: its capacitance to ground at every node
              |  cell     |  cell     |  cell
              +--+        +--+        +--+
    row1 --r--+--|-----r--+--|-----r--+--|
              |  |        |  |        |  |
              +--+        +--+        +--+
                 r           r           r
                 |           |           |
                col0        col1        col2     one segment before the first and after the last cell, as in wires.py

Cells are resistors for reads and memristors for updates. The rows of a pair lie side by side: main row +x, reference
row -x, on the same columns. Wires are modelled after a generic 45 nm back end; both numbers are assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse
import scipy.sparse.linalg

from circuits import frame, measure
from circuits.cell import Cell, Conditions, Entry, Measured, Picture, Point
from circuits.cells import memristor
from circuits.cells.memristor import Memristor
from circuits.decks import Deck
from circuits.laws import Law
from circuits.simulator import Waveforms
from circuits.wires import effective_conductance
from device_models import load_device
from device_models.population import populate

FloatArray = npt.NDArray[np.float64]
SignArray = npt.NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class Wires:
    """Wires of an array.

    Parameters
    ----------
    segment_resistance_ohm
        Resistance from one cell to the next, > 0.
    cell_capacitance_f
        Capacitance of a line per cell, >= 0; 0 leaves it out.
    """

    segment_resistance_ohm: float = frame.SEGMENT_RESISTANCE_OHM
    cell_capacitance_f: float = frame.CELL_CAPACITANCE_F

    def __post_init__(self) -> None:
        if not (self.segment_resistance_ohm > 0 and self.cell_capacitance_f >= 0):
            raise ValueError(f"{self}: the resistance must be above 0, the capacitance at least 0")


def netlist(parameters: Wires, rows: int, columns: int, cell: Callable[[int, int, str, str], str]) -> str:
    """Return the wires of an array with a cell at every crossing.

    Parameters
    ----------
    parameters
        Wires.
    rows, columns
        Size; the ports are row0 … and col0 ….
    cell
        Row, column and the two nodes of a crossing to the line of its element.
    """
    resistance, capacitance = parameters.segment_resistance_ohm, parameters.cell_capacitance_f
    lines = []
    for row in range(rows):
        for column in range(columns):
            upper, lower = f"r{row}_{column}", f"c{row}_{column}"
            left = f"r{row}_{column - 1}" if column else f"row{row}"
            below = f"c{row + 1}_{column}" if row + 1 < rows else f"col{column}"
            lines += [
                f"Rr{row}_{column} {left} {upper} {resistance!r}",
                f"Rc{row}_{column} {lower} {below} {resistance!r}",
            ]
            lines.append(cell(row, column, upper, lower))
            if capacitance:
                lines += [f"Cr{row}_{column} {upper} 0 {capacitance!r}", f"Cc{row}_{column} {lower} 0 {capacitance!r}"]
    return "\n".join(lines)


def pair_rows(main_s: npt.ArrayLike, reference_s: npt.ArrayLike) -> FloatArray:
    """Return the conductances of main and reference rows in turn, (2 rows, columns), from two (rows, columns)."""
    main, reference = np.asarray(main_s, dtype=np.float64), np.asarray(reference_s, dtype=np.float64)
    if main.ndim != 2 or main.shape != reference.shape:
        raise ValueError(f"main has shape {main.shape}, reference {reference.shape}; two equal matrices are needed")
    return np.stack([main, reference], axis=1).reshape(-1, main.shape[1])


def pair_voltages(inputs: npt.ArrayLike) -> FloatArray:
    """Return row voltages about the common mode, (batch, 2 rows), from inputs in [-1, 1], (batch, rows)."""
    given = frame.READ_VOLTAGE_V * np.asarray(inputs, dtype=np.float64)
    return np.stack([given, -given], axis=2).reshape(len(given), -1)


def _resistors(conductance_s: FloatArray) -> Callable[[int, int, str, str], str]:
    return lambda row, column, upper, lower: (
        f"Rx{row}_{column} {upper} {lower} {1 / float(conductance_s[row, column])!r}"
    )


def read_deck(conductance_s: npt.ArrayLike, row_voltage_v: npt.ArrayLike, wires: Wires) -> Deck:
    """Return the operating point of an array of resistors: rows at voltages, columns sensed at 0 V.

    Parameters
    ----------
    conductance_s
        (rows, columns), above 0.
    row_voltage_v
        (rows,).
    wires
        Their capacitance makes no difference here.
    """
    conductance, voltages = np.asarray(conductance_s, dtype=np.float64), np.asarray(row_voltage_v, dtype=np.float64)
    rows, columns = conductance.shape
    quiet = Wires(segment_resistance_ohm=wires.segment_resistance_ohm, cell_capacitance_f=0.0)
    body = [netlist(quiet, rows, columns, _resistors(conductance))]
    body += [f"Vrow{row} row{row} 0 {float(voltages[row])!r}" for row in range(rows)]
    body += [f"Vcol{column} col{column} 0 0" for column in range(columns)]
    corner = columns - 1
    save = [f"i(vcol{column})" for column in range(columns)] + [f"v(r0_{corner})", f"v(c0_{corner})"]
    return Deck(title=f"crossbar: read {rows} x {columns}", body="\n".join(body), analysis=".op", save=tuple(save))


def read_currents(waveforms: Waveforms, columns: int) -> FloatArray:
    """Return the column currents of `read_deck`, (columns,)."""
    return np.array([waveforms.final(f"i(vcol{column})") for column in range(columns)])


# The edge is short beside the time constant of one segment, so that the charge comes at the full voltage.
STEP_START_S, STEP_EDGE_S = 1e-15, 1e-17


def settling_deck(cells: int, wires: Wires, *, mesh: bool = False) -> Deck:
    """Return the bench of a column current after all rows of a square array step by the read voltage.

    Without `mesh` one row line, with cells to ground, stands for all rows: its far end drives the cells of the last
    column. That leaves out only what the other columns lift the column end of a row's cells by, below 1 % here.
    """
    end = STEP_START_S + 40 * wires.segment_resistance_ohm * wires.cell_capacitance_f * cells**2
    step = f"pwl(0 0 {STEP_START_S:g} 0 {STEP_START_S + STEP_EDGE_S:g} {frame.READ_VOLTAGE_V})"
    resistance = 1 / frame.MEAN_CONDUCTANCE_S
    ohm, farad = wires.segment_resistance_ohm, wires.cell_capacitance_f
    if mesh:
        conductance = np.full((cells, cells), frame.MEAN_CONDUCTANCE_S)
        body = [netlist(wires, cells, cells, _resistors(conductance))]
        body += [f"Vrow{row} row{row} 0 {step}" for row in range(cells)]
        body += [f"Vcol{column} col{column} 0 0" for column in range(cells)]
    else:
        body = [f"Vrow0 row0 0 {step}", f"Rr0 row0 r1 {ohm!r}", f"Ecopy far 0 r{cells} 0 1"]
        for cell in range(1, cells + 1):
            body += [f"Cr{cell} r{cell} 0 {farad!r}", f"Rg{cell} r{cell} 0 {resistance!r}"]
            if cell < cells:
                body.append(f"Rr{cell} r{cell} r{cell + 1} {ohm!r}")
            below = f"c{cell + 1}" if cell < cells else "col"
            body += [f"Rc{cell} c{cell} {below} {ohm!r}", f"Cc{cell} c{cell} 0 {farad!r}"]
            body += [f"Rx{cell} far c{cell} {resistance!r}"]
        body += [f"Vcol{cells - 1} col 0 0"]
    return Deck(
        title=f"crossbar: settling, {cells} x {cells}, {'mesh' if mesh else 'two lines'}",
        body="\n".join(body),
        analysis=f".tran {end / 1000:g} {end:g} 0 {end / 500:g}",
        save=(f"i(vcol{cells - 1})", "i(vrow0)", "v(row0)"),
        options={"method": "gear", "reltol": 1e-5},
    )


def cell_voltages(
    conductance_s: npt.ArrayLike, row_voltage_v: npt.ArrayLike, segment_resistance_ohm: float
) -> FloatArray:
    """Return the voltage across every cell of a read, (rows, columns), by the nodal equations."""
    conductance = np.asarray(conductance_s, dtype=np.float64)
    rows, columns = conductance.shape
    wire = 1 / segment_resistance_ohm
    row_line = scipy.sparse.diags_array([2.0] * (columns - 1) + [1.0]) - _neighbours(columns)
    column_line = scipy.sparse.diags_array([1.0] + [2.0] * (rows - 1)) - _neighbours(rows)
    cells = scipy.sparse.diags_array(conductance.ravel())
    upper = wire * scipy.sparse.kron(scipy.sparse.eye_array(rows), row_line) + cells
    lower = wire * scipy.sparse.kron(column_line, scipy.sparse.eye_array(columns)) + cells
    sources = np.zeros((2, rows, columns))
    sources[0, :, 0] = wire * np.asarray(row_voltage_v, dtype=np.float64)
    mesh = scipy.sparse.block_array([[upper, -cells], [-cells, lower]], format="csc")
    solved = scipy.sparse.linalg.spsolve(mesh, sources.ravel()).reshape(2, rows, columns)
    return np.asarray(solved[0] - solved[1])


def _neighbours(count: int) -> scipy.sparse.dia_array:
    ones = np.ones(count - 1)
    return scipy.sparse.diags_array([ones, ones], offsets=[-1, 1], shape=(count, count))


@dataclass(frozen=True)
class Trains:
    """Pulses of an update, slot by slot.

    Parameters
    ----------
    rows, columns
        int8 (slots, lines) of -1, 0 and 1: whether a line has a pulse in a slot, and the sign of its value. A cell
        moves up where row and column coincide with the same sign, down where with opposite ones.
    """

    rows: SignArray
    columns: SignArray

    def __post_init__(self) -> None:
        for trains in (self.rows, self.columns):
            if trains.ndim != 2 or not np.isin(trains, (-1, 0, 1)).all():
                raise ValueError("trains are (slots, lines) of -1, 0 and 1")
        if len(self.rows) != len(self.columns):
            raise ValueError(f"{len(self.rows)} slots on the rows, {len(self.columns)} on the columns")

    @property
    def phases(self) -> list[tuple[int, int]]:
        """Signs of row and column of each phase of a slot.

        A cell sees the difference of two lines, which is no product: rows at 2 V with columns at 0 V move up every
        coincidence of both. So each pair of signs needs its own phase: two where one side has one sign only, else four.
        """
        return [
            (row, column)
            for row in (1, -1)
            for column in (1, -1)
            if (self.rows == row).any() and (self.columns == column).any()
        ]


def update_deck(cells: Sequence[Sequence[Memristor]], weights: npt.ArrayLike, trains: Trains, wires: Wires) -> Deck:
    """Return the bench of a pulsed update of an array of memristors.

    Parameters
    ----------
    cells
        Rows of cells, each its own device.
    weights
        (rows, columns), before the update.
    trains
        Pulses; the lines are driven by ideal sources.
    wires
        Wires.

    Returns
    -------
    A deck that saves the state of each cell as ``v(w{row}_{column})`` and the current of each line.
    """
    initial = np.asarray(weights, dtype=np.float64)
    rows, columns = len(cells), len(cells[0])
    if initial.shape != (rows, columns) or (trains.rows.shape[1], trains.columns.shape[1]) != initial.shape:
        raise ValueError(
            f"weights have shape {initial.shape}, trains {trains.rows.shape[1]} rows and {trains.columns.shape[1]} "
            f"columns; the array has {rows} x {columns}"
        )
    names: dict[Memristor, str] = {}
    for cell in (cell for line in cells for cell in line):
        names.setdefault(cell, f"memristor{len(names)}")
    body = [memristor.netlist(cell, name) for cell, name in names.items()]

    def instance(row: int, column: int, upper: str, lower: str) -> str:
        return f"Xm{row}_{column} {upper} {lower} w{row}_{column} {names[cells[row][column]]}"

    body.append(netlist(wires, rows, columns, instance))
    high, low = frame.WRITE_SUPPLY_V, 0.0
    phases = trains.phases or [(1, 1)]
    for prefix, line_trains, side in (("row", trains.rows, 0), ("col", trains.columns, 1)):
        for line in range(line_trains.shape[1]):
            levels: list[float | None] = []
            for slot in range(len(line_trains)):
                for phase in phases:
                    up = phase[0] == phase[1]
                    level = (high if up else low) if side == 0 else (low if up else high)
                    levels.append(level if line_trains[slot, line] == phase[side] else None)
            body.append(memristor.pulse_source(f"{prefix}{line}", f"{prefix}{line}", levels))
    body += [
        f".ic v(w{row}_{column})={float(initial[row, column])!r}" for row in range(rows) for column in range(columns)
    ]
    end = (len(trains.rows) * len(phases) + 1) * frame.PULSE_SLOT_S
    states = [f"v(w{row}_{column})" for row in range(rows) for column in range(columns)]
    lines = [f"row{row}" for row in range(rows)] + [f"col{column}" for column in range(columns)]
    return Deck(
        title=f"crossbar: update {rows} x {columns}, {len(trains.rows)} slots of {len(phases)} phases",
        body="\n".join(body),
        analysis=f".tran {memristor.EDGE_S / 5:g} {end:g} 0 {memristor.EDGE_S:g}",
        save=(*states, *(f"v({line})" for line in lines), *(f"i(v{line})" for line in lines)),
        options=memristor.OPTIONS,
    )


def final_weights(waveforms: Waveforms, rows: int, columns: int) -> FloatArray:
    """Return the weights after `update_deck`, (rows, columns)."""
    return np.array([[waveforms.final(f"v(w{row}_{column})") for column in range(columns)] for row in range(rows)])


def coincidences(trains: Trains, row: int, column: int) -> list[bool]:
    """Return the pulses that a cell sees, in the order of slots: True is up."""
    both = trains.rows[:, row] * trains.columns[:, column]
    return [bool(sign > 0) for sign in both if sign]


READ_SIZES = (8, 16, 32)
DROP_SIZES = (16, 32, 64, 128, 256)
SETTLING_SIZES = (16, 32, 48, 64, 96, 128, 192, 256)
SETTLING_TOLERANCE = 1 / 512  # half an LSB of 8 bits
MESH_SIZE = 16
UPDATE_ROWS, UPDATE_COLUMNS, UPDATE_SLOTS = 4, 4, 15
SEED = 20240


def update_case(seed: int = SEED) -> tuple[Deck, FloatArray]:
    """Return the bench of a 4 x 4 array of different devices, and the weights that the device model gives."""
    draw = np.random.default_rng(seed)
    device = load_device("soft_bounds", states=100, dw_min_dtod=0.3, w_max_dtod=0.2, w_min_dtod=0.2)
    parameters = np.asarray(
        populate(device, (UPDATE_ROWS, UPDATE_COLUMNS), seed=seed, stream=0).parameters, dtype=np.float64
    )
    start = draw.uniform(0.5, 0.9, parameters.shape[1:]) * np.where(
        draw.random(parameters.shape[1:]) < 0.5, parameters[2], parameters[3]
    )
    signs = [draw.choice(np.array([-1, 1], dtype=np.int8), lines) for lines in (UPDATE_ROWS, UPDATE_COLUMNS)]
    trains = Trains(
        *(np.asarray(sign * (draw.random((UPDATE_SLOTS, sign.size)) < 0.5), dtype=np.int8) for sign in signs)
    )
    expected = np.empty_like(start)
    for row, column in np.ndindex(*start.shape):
        pulses = coincidences(trains, row, column)
        expected[row, column] = memristor.predicted_weights(
            device, parameters[:, row, column], float(start[row, column]), pulses
        )[-1]
    deck = update_deck(memristor.array_of_memristors(device, parameters), start, trains, Wires())
    return deck, np.stack([start, expected])


def _read_case(cells: int) -> tuple[FloatArray, FloatArray]:
    """Return conductances and row voltages of a read of main and reference rows."""
    draw = np.random.default_rng([SEED, cells])
    pair = draw.uniform(frame.MIN_CONDUCTANCE_S, frame.MAX_CONDUCTANCE_S, (2, cells // 2, cells))
    return pair_rows(pair[0], pair[1]), pair_voltages(draw.uniform(-1, 1, (1, cells // 2)))[0]


def _read(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    cells = int(conditions["cells"])
    conductance, voltages = _read_case(cells)
    expected = voltages @ effective_conductance(conductance, frame.SEGMENT_RESISTANCE_OHM)
    found = read_currents(waveforms[0], cells)
    return {"solver_error": float(np.abs(found - expected).max() / np.abs(expected).max())}


def _drop(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    corner = int(conditions["cells"]) - 1
    found = waveforms[0].final(f"v(r0_{corner})") - waveforms[0].final(f"v(c0_{corner})")
    return {"ir_drop": 1 - found / frame.READ_VOLTAGE_V}


def _settling(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    cells, found = int(conditions["cells"]), waveforms[0]
    current = found[f"i(vcol{cells - 1})"]
    start = STEP_START_S + STEP_EDGE_S
    final = float(current[-1])
    latency = measure.settling_s(found.axis, current, final, abs(final) * SETTLING_TOLERANCE, start_s=start)
    # What the source gives beyond the power that it gives at the end, which is that of the cells and wires.
    drawn, voltage = found["i(vrow0)"], found["v(row0)"]
    taken = measure.supply_energy_j(found.axis, drawn, voltage, 0.0, float(found.axis[-1]))
    steady = -float(drawn[-1]) * float(voltage[-1]) * (float(found.axis[-1]) - start)
    return {"latency_s": latency, "charge_energy_j": taken - steady}


def _update(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    _, (start, expected) = update_case()
    found = final_weights(waveforms[0], *start.shape)
    return {"update_error": float(np.sqrt(np.mean((found - expected) ** 2) / np.mean((expected - start) ** 2)))}


def points() -> list[Point]:
    """Return reads, drops and settling over the size, and one pulsed update."""
    found = []
    for cells in READ_SIZES:
        found.append(Point("read", {"cells": cells}, (read_deck(*_read_case(cells), Wires()),), _read))
    for cells in (size for size in DROP_SIZES if size <= READ_SIZES[-1]):
        uniform = np.full((cells, cells), frame.MEAN_CONDUCTANCE_S)
        deck = read_deck(uniform, np.full(cells, frame.READ_VOLTAGE_V), Wires())
        found.append(Point("drop", {"cells": cells}, (deck,), _drop))
    for cells in SETTLING_SIZES:
        found.append(Point("settling", {"cells": cells}, (settling_deck(cells, Wires()),), _settling))
    found.append(Point("mesh", {"cells": MESH_SIZE}, (settling_deck(MESH_SIZE, Wires(), mesh=True),), _settling))
    found.append(Point("update", {}, (update_case()[0],), _update))
    return found


def drop_of(cells: int) -> float:
    """Return the relative loss of voltage at the far cell of a uniform square array, all rows driven."""
    uniform = np.full((cells, cells), frame.MEAN_CONDUCTANCE_S)
    across = cell_voltages(uniform, np.ones(cells), frame.SEGMENT_RESISTANCE_OHM)
    return 1 - float(across[0, -1])


def entries(measured: Sequence[Measured]) -> list[Entry]:
    """Return wires and cells as assumed, and what follows from them."""
    wire = "a minimum-pitch wire of a generic 45 nm back end; arrays of larger cells have more"
    found = [
        Entry("segment_resistance_ohm", {}, frame.SEGMENT_RESISTANCE_OHM, "assumed", note=f"per cell and line: {wire}"),
        Entry("cell_capacitance_f", {}, frame.CELL_CAPACITANCE_F, "assumed", note=f"per cell and line: {wire}"),
        Entry(
            "min_conductance_s",
            {},
            frame.MIN_CONDUCTANCE_S,
            "assumed",
            note="on/off ratio of 10, as resistive memories that are trained commonly have",
        ),
        Entry(
            "max_conductance_s",
            {},
            frame.MAX_CONDUCTANCE_S,
            "assumed",
            note="high enough for reads in nanoseconds, low enough for 128 rows on one wire",
        ),
        Entry(
            "mean_conductance_s",
            {},
            frame.MEAN_CONDUCTANCE_S,
            "assumed",
            note="per device; trained weights are small, so main and reference are both near the low end",
        ),
        Entry(
            "cell_power_w",
            {},
            frame.READ_VOLTAGE_V**2 * frame.MEAN_CONDUCTANCE_S,
            "derived",
            note="V^2 G of one device at the mean conductance, while its row has a read pulse of 0.2 V",
        ),
    ]
    drops = {int(point.conditions["cells"]): point.values["ir_drop"] for point in measured if point.bench == "drop"}
    for cells in DROP_SIZES:
        note = "relative loss of voltage at the far cell; uniform cells of the mean conductance, all rows driven"
        if cells in drops:
            found.append(Entry("ir_drop", {"cells": cells}, drops[cells], source="simulation", note=note))
        else:
            found.append(Entry("ir_drop", {"cells": cells}, drop_of(cells), "derived", note=f"{note}; nodal equations"))
    for point in measured:
        if point.bench == "settling":
            size = {"cells": point.conditions["cells"]}
            note = "last column of a square array within half an LSB of 8 bits after all rows step; ideal drivers"
            found.append(Entry("latency_s", size, point.values["latency_s"], source="simulation", note=note))
            note = "one row line of this many cells, charged by 0.2 V; beyond what its cells take"
            found.append(
                Entry("charge_energy_j", size, point.values["charge_energy_j"], source="simulation", note=note)
            )
        if point.bench == "update":
            note = "rms of simulated less modelled weights over rms update; 4 x 4 soft-bounds devices that differ"
            found.append(Entry("update_error", {}, point.values["update_error"], source="simulation", note=note))
    errors = [point.values["solver_error"] for point in measured if point.bench == "read"]
    note = "largest difference of a column current between SPICE and circuits.wires over the largest; worst of reads"
    found.append(Entry("solver_error", {}, max(errors), source="simulation", note=note))
    return found


def pictures() -> list[Picture]:
    """Return an update with two lines and the states they drive."""
    deck, _ = update_case()
    return [
        Picture(
            deck,
            (
                ("line voltages [V]", ("v(row0)", "v(col0)")),
                ("weight", ("v(w0_0)", "v(w0_1)", "v(w1_0)", "v(w1_1)")),
            ),
        )
    ]


LAWS = (
    Law(
        quantity="latency_s",
        formula="a cells^2 + b cells",
        variables=("cells",),
        start={"a": 1e-16, "b": 1e-16},
        evaluate=lambda at, of: of["a"] * at["cells"] ** 2 + of["b"] * at["cells"],
        held_out=lambda at: at["cells"] in (48, 96, 192),
    ),
    Law(
        quantity="charge_energy_j",
        formula="a cells/(1 + b cells^2)",
        variables=("cells",),
        start={"a": 1e-18, "b": 1e-6},
        evaluate=lambda at, of: of["a"] * at["cells"] / (1 + of["b"] * at["cells"] ** 2),
        held_out=lambda at: at["cells"] in (48, 96, 192),
    ),
    Law(
        quantity="ir_drop",
        formula="1 - 1/(1 + a cells (cells + 1) + b cells^4)",
        variables=("cells",),
        start={"a": 3e-6, "b": 1e-12},
        evaluate=lambda at, of: 1 - 1 / (1 + of["a"] * at["cells"] * (at["cells"] + 1) + of["b"] * at["cells"] ** 4),
        held_out=lambda at: at["cells"] in (32, 128),
    ),
)

CELL = Cell("crossbar", "array of cells between resistive wires", points, entries, LAWS, pictures)
