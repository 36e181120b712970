"""Reads and updates of whole arrays as circuits, for given conductances, inputs and pulse trains.

::

    forward read, one column of one tile          the column of all tiles

    +x o--wire--[G main]--wire--+                 TIA 0 o--[Rs]--+----||----+
                                +--(-)TIA--o      TIA 1 o--[Rs]--+   C      |
    -x o--wire--[G ref ]--wire--+   [Rf]               ...       +--(-)-----+--o out

A weight is a pair of cells on one column: x drives the row of the main cell, -x that of the reference. Each column of
each tile has a transimpedance amplifier (TIA) whose feedback resistor is its tile's significance; the columns of all
tiles meet in one integrator. For the backward read the columns are driven, each row has its TIA, and those of the
references are inverted before they meet the others.

Inputs are amplitudes in a sweep of operating points, where a resistor of the same gain stands for the integrator, or
lengths of pulses in a transient. Wires are solved at DC: with 1 ohm and 0.04 fF a segment their own time constants are
below a picosecond, so a transient takes the conductances that the ends of the lines see.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from circuits import frame
from circuits.cells import memristor
from circuits.cells.memristor import Memristor
from circuits.cells.opamp import DEFAULT as NOMINAL
from circuits.cells.opamp import OpAmp
from circuits.cells.opamp import netlist as opamp_netlist
from circuits.decks import Deck
from circuits.simulator import Waveforms, simulate
from circuits.wires import effective_conductance

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

IDEAL_GAIN = 1e10  # its error, some 5e-10 here, is far below what single precision leaves of a model
RESET_S, GUARD_S = 4e-9, 0.5e-9
EDGE_S = 50e-12  # half of both edges together: a pulse is as long at half its height as its code says
RESET_S_PER_V = 5e-3  # conductance of the reset switch, closed
OPEN_S = 1e-15
LINEAR: dict[str, float | str | bool] = {"reltol": 1e-9, "abstol": 1e-18, "vntol": 1e-13, "gmin": 1e-16}
# Steps of a weight come out to 0.3 % of each other at these; a tenth of the tolerances takes five times as long.
WRITE: dict[str, float | str | bool] = {"method": "gear", "reltol": 1e-4, "trtol": 30, "vntol": 1e-5}
WRITE_STEP_S = 1e-9
TRANSIENT: dict[str, float | str | bool] = {"method": "gear", "reltol": 1e-4, "gmin": 1e-16}


@dataclass(frozen=True, kw_only=True)
class ReadCircuit:
    """Arrays of a tile group with the amplifiers of one direction.

    Parameters
    ----------
    conductance_s
        float64 (tiles, 2, inputs, outputs), above 0: main and reference cells.
    feedback_ohm, summing_ohm
        float64 (tiles, sensed), above 0; sensed lines are outputs, or inputs where `transposed`.
    capacitance_f
        Of the integrator, > 0.
    window_s
        Length of a full pulse, > 0.
    segment_resistance_ohm
        Of the wires, from one cell to the next; 0 for none.
    tia
        Op-amp of each tile's TIAs, (tiles,); None for ideal ones.
    summing
        Op-amp of the integrators; None for ideal ones.
    tia_offset_v, summing_offset_v
        Offsets at the inputs of real op-amps, float64 (tiles, sensed) and (sensed,).
    transposed
        Whether outputs are driven and inputs sensed.
    """

    conductance_s: FloatArray
    feedback_ohm: FloatArray
    summing_ohm: FloatArray
    capacitance_f: float
    window_s: float
    segment_resistance_ohm: float = 0.0
    tia: tuple[OpAmp, ...] | None = None
    summing: OpAmp | None = None
    tia_offset_v: FloatArray | None = None
    summing_offset_v: FloatArray | None = None
    transposed: bool = False

    def __post_init__(self) -> None:
        cells = self.conductance_s.shape
        if len(cells) != 4 or cells[1] != 2 or not (np.isfinite(self.conductance_s) & (self.conductance_s > 0)).all():
            raise ValueError(f"conductance_s has shape {cells}; (tiles, 2, inputs, outputs), all above 0, is needed")
        wanted = (cells[0], self.sensed)
        for name in ("feedback_ohm", "summing_ohm", "tia_offset_v"):
            given = getattr(self, name)
            if given is not None and given.shape != wanted:
                raise ValueError(f"{name} has shape {given.shape}; {wanted} is needed")
        if self.tia is not None and len(self.tia) != cells[0]:
            raise ValueError(f"{len(self.tia)} op-amps for {cells[0]} tiles; one for each is needed")

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return int(self.conductance_s.shape[0])

    @property
    def driven(self) -> int:
        """Number of values of an input vector."""
        return int(self.conductance_s.shape[3 if self.transposed else 2])

    @property
    def sensed(self) -> int:
        """Number of results of a read."""
        return int(self.conductance_s.shape[2 if self.transposed else 3])

    def lines(self, sensed: IntArray) -> ReadCircuit:
        """Return the circuit of a few sensed lines; those without wires do not see each other."""
        if self.segment_resistance_ohm:
            raise ValueError("lines of a circuit with wires cannot be taken alone; use `without_wires` first")
        axis = 2 if self.transposed else 3
        return replace(
            self,
            conductance_s=np.take(self.conductance_s, sensed, axis=axis),
            feedback_ohm=self.feedback_ohm[:, sensed],
            summing_ohm=self.summing_ohm[:, sensed],
            tia_offset_v=None if self.tia_offset_v is None else self.tia_offset_v[:, sensed],
            summing_offset_v=None if self.summing_offset_v is None else self.summing_offset_v[sensed],
        )

    def tile(self, number: int) -> ReadCircuit:
        """Return the circuit of one tile alone."""
        one = slice(number, number + 1)
        return replace(
            self,
            conductance_s=self.conductance_s[one],
            feedback_ohm=self.feedback_ohm[one],
            summing_ohm=self.summing_ohm[one],
            tia=None if self.tia is None else self.tia[one],
            tia_offset_v=None if self.tia_offset_v is None else self.tia_offset_v[one],
        )

    def without_wires(self) -> ReadCircuit:
        """Return the circuit whose cells conduct what the ends of their lines see of them; the same at DC."""
        if not self.segment_resistance_ohm:
            return self
        seen = np.empty_like(self.conductance_s)
        for tile, pair in enumerate(self.conductance_s):
            rows = pair.transpose(1, 0, 2).reshape(-1, pair.shape[2])
            effective = effective_conductance(rows, self.segment_resistance_ohm)
            seen[tile] = effective.reshape(pair.shape[1], 2, -1).transpose(1, 0, 2)
        return replace(self, conductance_s=seen, segment_resistance_ohm=0.0)


@dataclass(frozen=True)
class PulseRead:
    """A transient of several reads, one after the other.

    Parameters
    ----------
    output_v
        float64 (vectors, sensed): the integrators about the common mode at the end of each read.
    drift_v
        Likewise: how much they still move in another settling time.
    tia_peak_v
        Largest excursion of a TIA from the common mode.
    waveforms
        What was saved; `shown` are the vectors of one line worth looking at, by what they are.
    """

    output_v: FloatArray
    drift_v: FloatArray
    tia_peak_v: float
    waveforms: Waveforms
    shown: dict[str, str]


@dataclass(frozen=True)
class _Sense:
    """One TIA: its node at the array, its tile, the line that it counts for, and with which sign."""

    node: str
    tile: int
    line: int
    sign: int


def sweep_reads(circuit: ReadCircuit, inputs: npt.ArrayLike, *, timeout_s: float = 600.0) -> FloatArray:
    """Return the outputs for inputs coded as amplitudes, all vectors in one sweep.

    With wires the tiles are simulated one after the other and added, which is exact for ideal op-amps alone.

    Parameters
    ----------
    inputs
        (vectors, driven), 1 for the full read voltage.

    Returns
    -------
    float64 (vectors, sensed), in volts about the common mode.
    """
    values = _checked(inputs, circuit)
    if circuit.segment_resistance_ohm and circuit.tia is not None:
        raise ValueError("a sweep takes wires with ideal op-amps; use `without_wires` for real ones")
    if circuit.segment_resistance_ohm and circuit.tiles > 1:
        parts = [sweep_reads(circuit.tile(n), values, timeout_s=timeout_s) for n in range(circuit.tiles)]
        return np.asarray(np.sum(parts, axis=0))
    deck = sweep_deck(circuit, values)
    found = simulate(deck, timeout_s=timeout_s)
    return np.stack([found[name] for name in deck.save], axis=1)[: len(values)]


def sweep_deck(circuit: ReadCircuit, values: FloatArray) -> Deck:
    """Return the deck of `sweep_reads`; values are (vectors, driven).

    Voltages are counted from the common mode: beside 0.5 V the inputs of ideal op-amps would drown in rounding.
    """
    lines = ["vsel sel 0 0"]
    for node, line, sign in _drives(circuit):
        levels = sign * frame.READ_VOLTAGE_V * values[:, line]
        pairs = ",".join(f"{number},{level:.17g}" for number, level in enumerate([*levels, levels[-1]]))
        lines.append(f"b{node} {node} 0 v=pwl(v(sel),{pairs})")
    gain_ohm = circuit.window_s / circuit.capacitance_f
    lines += [*_array(circuit), *_linear_amplifiers(circuit)]
    lines += [f"rf_{line} s{line} o{line} {gain_ohm:.17g}" for line in range(circuit.sensed)]
    return Deck(
        title=f"sweep of {len(values)} reads of {circuit.tiles} tiles",
        body="\n".join(lines),
        analysis=f".dc vsel 0 {max(len(values) - 1, 1)} 1",
        save=tuple(f"v(o{line})" for line in range(circuit.sensed)),
        options=LINEAR,
    )


def settling_s(circuit: ReadCircuit, time_constants: float = 7.0) -> float:
    """Return the time that a sound TIA of the coarsest tile needs to settle: so many of its time constants.

    Its time constant is (1 + feedback x array conductance) / (2 pi x gain-bandwidth product); 1 ns at least, for the
    second pole. It is that of the nominal op-amp, whatever the circuit has.
    """
    cells = circuit.driven * (1 if circuit.transposed else 2)
    gain = 1 + float(circuit.feedback_ohm.max()) * cells * frame.MEAN_CONDUCTANCE_S
    return 1e-9 + time_constants * gain / (2 * math.pi * NOMINAL.bandwidth_hz)


def pulse_reads(
    circuit: ReadCircuit,
    codes: npt.ArrayLike,
    *,
    tick_s: float = frame.TICK_S,
    settle_s: float,
    timeout_s: float = 600.0,
) -> PulseRead:
    """Return the outputs for inputs coded as lengths of pulses, in one transient.

    Each read is a reset of the integrators, the pulses, and a time in which the amplifiers settle.

    Parameters
    ----------
    codes
        (vectors, driven), whole numbers of ticks with the sign of the pulse.
    tick_s
        Length of a tick.
    settle_s
        Time from the end of the window to the sample, > 0; as long again is simulated after it.
    """
    given = _checked(codes, circuit)
    if circuit.segment_resistance_ohm or circuit.tia is None or circuit.summing is None:
        raise ValueError("a transient takes real op-amps, and a circuit `without_wires`")
    sample_s = RESET_S + GUARD_S + circuit.window_s + settle_s
    cycle_s = sample_s + settle_s
    end_s = len(given) * cycle_s
    lines = [f"vrst rst 0 pwl({_reset_corners(len(given), cycle_s)})"]
    for node, line, sign in _drives(circuit):
        lines.append(f"v{node} {node} 0 pwl({_pulse_corners(given[:, line] * sign, cycle_s, tick_s)})")
    lines += [*_array(circuit), *_line_capacitors(circuit), *_amplifiers(circuit, circuit.tia, circuit.summing)]
    for line in range(circuit.sensed):
        lines.append(f"cf_{line} s{line} o{line} {circuit.capacitance_f:.17g}")
        closed = "0.5*(1+tanh((v(rst)-0.5)/0.05))"
        lines.append(f"brst_{line} s{line} o{line} i=v(s{line},o{line})*({OPEN_S}+{RESET_S_PER_V}*{closed})")
    outputs = [f"v(o{line})" for line in range(circuit.sensed)]
    tia_outputs = [f"v(t{sense.node})" for sense in _senses(circuit)]
    first_drive = _drives(circuit)[2 * int(np.abs(given).sum(axis=0).argmax()) if not circuit.transposed else 0][0]
    deck = Deck(
        title=f"transient of {len(given)} reads of {circuit.tiles} tiles",
        body="\n".join(lines),
        analysis=f".tran {tick_s / 5:g} {end_s:.9g} 0 {2 * tick_s:g}",
        save=(*outputs, *tia_outputs, f"v({first_drive})"),
        options=TRANSIENT,
    )
    found = simulate(deck, timeout_s=timeout_s)
    starts_s = np.arange(len(given)) * cycle_s
    times_s = np.concatenate([starts_s + sample_s, starts_s + cycle_s - 2 * EDGE_S])
    sampled = np.stack([np.interp(times_s, found.axis, found[name]) for name in outputs], axis=1)
    at_sample, later = np.split(sampled, 2)
    peak = max(float(np.abs(found[name] - frame.COMMON_MODE_V).max()) for name in tia_outputs)
    largest = int(np.abs(at_sample[0] - frame.COMMON_MODE_V).argmax())
    shown = {"row line": f"v({first_drive})"}
    shown |= {f"TIA of tile {sense.tile}": f"v(t{sense.node})" for sense in _senses(circuit) if sense.line == largest}
    shown["integrator"] = outputs[largest]
    return PulseRead(at_sample - frame.COMMON_MODE_V, later - at_sample, peak, found, shown)


def _checked(values: npt.ArrayLike, circuit: ReadCircuit) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not len(array) or array.shape[1] != circuit.driven or not np.isfinite(array).all():
        raise ValueError(f"inputs have shape {array.shape}; (vectors, {circuit.driven}), all finite, is needed")
    return array


def _drives(circuit: ReadCircuit) -> list[tuple[str, int, int]]:
    """Return node, input and sign of each driver."""
    if circuit.transposed:
        return [(f"d{line}", line, 1) for line in range(circuit.driven)]
    return [(f"x{side}{line}", line, sign) for line in range(circuit.driven) for side, sign in (("p", 1), ("n", -1))]


def _senses(circuit: ReadCircuit) -> list[_Sense]:
    tiles, lines = range(circuit.tiles), range(circuit.sensed)
    if circuit.transposed:
        pairs = (("p", 1), ("n", -1))
        return [_Sense(f"a{tile}_{line}{s}", tile, line, sign) for tile in tiles for line in lines for s, sign in pairs]
    return [_Sense(f"a{tile}_{line}", tile, line, 1) for tile in tiles for line in lines]


def _array(circuit: ReadCircuit) -> Iterator[str]:
    """Yield the cells of all tiles, and their wires."""
    tiles, _, inputs, outputs = circuit.conductance_s.shape
    for tile in range(tiles):
        for place in range(2 * inputs):
            line, side = divmod(place, 2)
            mark = "pn"[side]
            row_end = f"a{tile}_{line}{mark}" if circuit.transposed else f"x{mark}{line}"
            for output in range(outputs):
                column_end = f"d{output}" if circuit.transposed else f"a{tile}_{output}"
                ohm = 1 / circuit.conductance_s[tile, side, line, output]
                name = f"{tile}_{place}_{output}"
                if not circuit.segment_resistance_ohm:
                    yield f"r{name} {row_end} {column_end} {ohm:.17g}"
                    continue
                segment = f"{circuit.segment_resistance_ohm:.17g}"
                yield f"r{name} r{name} c{name} {ohm:.17g}"
                before = f"r{tile}_{place}_{output - 1}" if output else row_end
                yield f"rr{name} {before} r{name} {segment}"
                after = f"c{tile}_{place + 1}_{output}" if place + 1 < 2 * inputs else column_end
                yield f"rc{name} c{name} {after} {segment}"


def _line_capacitors(circuit: ReadCircuit) -> Iterator[str]:
    """Yield what the cells add to the node of each TIA."""
    cells = circuit.driven * (1 if circuit.transposed else 2)
    for sense in _senses(circuit):
        yield f"cl{sense.node} {sense.node} 0 {cells * frame.CELL_CAPACITANCE_F:.9g}"


def _joined(circuit: ReadCircuit, reference: str) -> Iterator[str]:
    """Yield the resistors of the TIAs and those that join them, references inverted."""
    for sense in _senses(circuit):
        node = sense.node
        yield f"rt{node} {node} t{node} {circuit.feedback_ohm[sense.tile, sense.line]:.17g}"
        joined = f"t{node}"
        if sense.sign < 0:
            joined = f"i{node}"
            yield f"ei{node} {joined} {reference} {reference} t{node} 1"
        yield f"rs{node} {joined} s{sense.line} {circuit.summing_ohm[sense.tile, sense.line]:.17g}"


def _linear_amplifiers(circuit: ReadCircuit) -> Iterator[str]:
    """Yield what is behind the array with op-amps that have gain, offset and output resistance alone."""
    yield from _joined(circuit, "0")
    for sense in _senses(circuit):
        offset = 0.0 if circuit.tia_offset_v is None else float(circuit.tia_offset_v[sense.tile, sense.line])
        opamp = None if circuit.tia is None else circuit.tia[sense.tile]
        yield from _linear_opamp(sense.node, f"t{sense.node}", opamp, offset)
    for line in range(circuit.sensed):
        offset = 0.0 if circuit.summing_offset_v is None else float(circuit.summing_offset_v[line])
        yield from _linear_opamp(f"s{line}", f"o{line}", circuit.summing, offset)


def _linear_opamp(node: str, output: str, opamp: OpAmp | None, offset_v: float) -> Iterator[str]:
    """Yield an op-amp that inverts its input `node`."""
    if opamp is None:
        yield f"e{output} {output} 0 0 {node} {IDEAL_GAIN:g}"
        return
    plus = "0"
    if offset_v:
        plus = f"p{output}"
        yield f"v{plus} {plus} 0 {offset_v:.17g}"
    yield f"e{output} e{output} 0 {plus} {node} {opamp.gain:.17g}"
    yield f"re{output} e{output} {output} {opamp.output_ohm:.17g}"


def _amplifiers(circuit: ReadCircuit, tia: Sequence[OpAmp], summing: OpAmp) -> Iterator[str]:
    """Yield what is behind the array with op-amps that also have a bandwidth and end at their supplies."""
    named = {f"tia{tile}": opamp for tile, opamp in enumerate(tia)} | {"sum": summing}
    for name, opamp in named.items():
        yield opamp_netlist("behavioural", opamp).replace("opamp_behavioural", name)
    yield f"vcm cm 0 {frame.COMMON_MODE_V}"
    yield f"vdd vdd 0 {frame.CORE_SUPPLY_V}"
    yield from _joined(circuit, "cm")
    for sense in _senses(circuit):
        offset = 0.0 if circuit.tia_offset_v is None else float(circuit.tia_offset_v[sense.tile, sense.line])
        yield f"xt{sense.node} cm {sense.node} t{sense.node} vdd tia{sense.tile} vos={offset:.9g}"
    for line in range(circuit.sensed):
        offset = 0.0 if circuit.summing_offset_v is None else float(circuit.summing_offset_v[line])
        yield f"xo{line} cm s{line} o{line} vdd sum vos={offset:.9g}"


def _reset_corners(reads: int, cycle_s: float) -> str:
    corners = ["0 1"]
    for number in range(reads):
        start = number * cycle_s
        if number:
            corners.append(f"{start + EDGE_S:.9e} 1")
        corners += [f"{start + RESET_S:.9e} 1", f"{start + RESET_S + EDGE_S:.9e} 0"]
        corners.append(f"{start + cycle_s:.9e} 0")
    return " ".join(corners)


def _pulse_corners(ticks: FloatArray, cycle_s: float, tick_s: float) -> str:
    idle = frame.COMMON_MODE_V
    corners = [f"0 {idle}"]
    for number, count in enumerate(ticks):
        if count:
            level = idle + np.sign(count) * frame.READ_VOLTAGE_V
            start = number * cycle_s + RESET_S + GUARD_S
            stop = start + abs(count) * tick_s
            corners += [f"{start:.9e} {idle}", f"{start + EDGE_S:.9e} {level:.9g}"]
            corners += [f"{stop:.9e} {level:.9g}", f"{stop + EDGE_S:.9e} {idle}"]
    return " ".join(corners)


@dataclass(frozen=True)
class Phase:
    """What happens in one slot of a write: levels of the lines in volts, None where a line is idle."""

    row_v: tuple[float | None, ...]
    column_v: tuple[float | None, ...]


def write_phases(input_trains: npt.ArrayLike, error_trains: npt.ArrayLike) -> list[Phase]:
    """Return the slots in which an array gets the coincidences of signed trains, as -error x input demands.

    Each slot of the trains takes up to four: lines of one sign at a time, up before down, because a selected row at
    2 V and a selected column at 0 V move every cell between them the same way. Slots without a coincidence are
    left out.

    Parameters
    ----------
    input_trains, error_trains
        (slots, rows) and (slots, columns): -1, 0 or 1.
    """
    inputs, errors = np.asarray(input_trains), np.asarray(error_trains)
    high, low = frame.WRITE_SUPPLY_V, 0.0
    phases = []
    for given, error in zip(inputs, errors, strict=True):
        for sign in (1, -1):
            rows = given == sign
            for up in (True, False):
                columns = error == (-sign if up else sign)
                if rows.any() and columns.any():
                    row_v, column_v = (high, low) if up else (low, high)
                    phases.append(
                        Phase(
                            tuple(row_v if fires else None for fires in rows),
                            tuple(column_v if fires else None for fires in columns),
                        )
                    )
    return phases


def write_deck(cells: Sequence[Sequence[Memristor]], weights: npt.ArrayLike, phases: Sequence[Phase]) -> Deck:
    """Return the bench of an array that is pulsed; cells are rows of columns, weights (rows, columns)."""
    states = np.asarray(weights, dtype=np.float64)
    body = []
    for row, line in enumerate(cells):
        for column, cell in enumerate(line):
            name = f"{row}_{column}"
            body += [memristor.netlist(cell, f"m{name}"), f"x{name} r{row} c{column} w{name} m{name}"]
            body.append(f".ic v(w{name})={states[row, column]:.9g}")
    for row in range(states.shape[0]):
        body.append(memristor.pulse_source(f"r{row}", f"r{row}", [phase.row_v[row] for phase in phases]))
    for column in range(states.shape[1]):
        body.append(memristor.pulse_source(f"c{column}", f"c{column}", [phase.column_v[column] for phase in phases]))
    names = [f"{row}_{column}" for row in range(states.shape[0]) for column in range(states.shape[1])]
    lines = [f"v(r{row})" for row in range(states.shape[0])] + [f"v(c{column})" for column in range(states.shape[1])]
    return Deck(
        title=f"write of {states.shape[0]} x {states.shape[1]} cells in {len(phases)} slots",
        body="\n".join(body),
        analysis=f".tran {memristor.EDGE_S / 5:g} {(len(phases) + 1) * frame.PULSE_SLOT_S:.9g} 0 {WRITE_STEP_S:g}",
        save=(*(f"v(w{name})" for name in names), *lines),
        options=WRITE,
    )


def written_weights(
    cells: Sequence[Sequence[Memristor]], weights: npt.ArrayLike, phases: Sequence[Phase], *, timeout_s: float = 600.0
) -> tuple[FloatArray, Waveforms | None]:
    """Return the weights after a write, float64 (rows, columns), and its waveforms; None where no line was pulsed."""
    before = np.array(weights, dtype=np.float64)
    if not phases:
        return before, None
    found = simulate(write_deck(cells, before, phases), timeout_s=timeout_s)
    after = [[found.final(f"v(w{row}_{column})") for column in range(before.shape[1])] for row in range(len(before))]
    return np.array(after), found
