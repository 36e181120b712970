"""A capacitive DAC: a code becomes a voltage between 0.3 and 0.7 V by charge sharing in a binary array.

::

    0.7 V --[500 ohm]--+-----------+----- ...
                       |           |
                      [P]         [P]   bit low: on                    ideal buffer
    bit --[inverter]---+  +--||----+  +--||----+-------- top ----+---- x1 ---- line
                      [N] |  C    [N] |  2C    |                 |
                       |           |           C (dummy)        [N] reset
    0.3 V -------------+-----------+-----------+-----------------+

All bottom plates start at 0.3 V, and so does the top plate; then the plates of the bits that are 1 go to 0.7 V.
An ideal buffer without input capacitance drives the line: what a real one adds in energy, noise, error and time is
not in here, and for a line with hundreds of cells that is more than the array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from circuits import analytic, frame, measure
from circuits.cell import CORNERS, TEMPERATURES_K, Cell, Conditions, Entry, Measured, Picture, Point
from circuits.cells.pulse_width_dac import Gates, gate_area_m2
from circuits.decks import Deck
from circuits.laws import Law
from circuits.simulator import Waveforms

FloatArray = npt.NDArray[np.float64]

HIGH_V = frame.COMMON_MODE_V + frame.READ_VOLTAGE_V
LOW_V = frame.COMMON_MODE_V - frame.READ_VOLTAGE_V
SPAN_V = HIGH_V - LOW_V
MIN_BITS, MAX_BITS = 3, 10
EDGE_S = 5e-12
RELEASE_S, CODE_S = 0.1e-9, 0.3e-9
OPTIONS: dict[str, float | str | bool] = {"method": "gear", "reltol": 1e-4, "abstol": 1e-11, "chgtol": 1e-17}


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Dimensions.

    Parameters
    ----------
    bits
        Resolution, 3 to 10, offset binary.
    unit_capacitance_f
        Smallest capacitor, > 0; assumed.
    reference_resistance_ohm
        Output resistance of the reference of 0.7 V, > 0; assumed.
    high_width_m, low_width_m
        Widths of the switches of every bit to 0.7 V (PMOS) and 0.3 V (NMOS).
    reset_width_m
        Width of the switch that resets the top plate.
    """

    bits: int = 7
    unit_capacitance_f: float = 0.5e-15
    reference_resistance_ohm: float = 500.0
    high_width_m: float = 1e-6
    low_width_m: float = 0.6e-6
    reset_width_m: float = 120e-9

    def __post_init__(self) -> None:
        if not MIN_BITS <= self.bits <= MAX_BITS:
            raise ValueError(f"bits = {self.bits} of a capacitive DAC; {MIN_BITS} to {MAX_BITS} are allowed")
        if min(self.unit_capacitance_f, self.reference_resistance_ohm) <= 0:
            raise ValueError(f"{self}: capacitance and resistance are above 0")

    @property
    def capacitance_f(self) -> float:
        """Of the whole array, dummy included."""
        return float(2**self.bits * self.unit_capacitance_f)

    @property
    def series_capacitance_f(self) -> float:
        """What the reference charges in a step of the highest bit: half the array in series with the other half."""
        return self.capacitance_f / 4


def nominal_capacitors_f(parameters: Parameters) -> FloatArray:
    """Return the capacitors of bit 0, 1, …, and the dummy, float64 (bits + 1,)."""
    return parameters.unit_capacitance_f * np.array([*(2.0**bit for bit in range(parameters.bits)), 1.0])


def drawn_capacitors_f(parameters: Parameters, draw: np.random.Generator) -> FloatArray:
    """Return capacitors with mismatch: independent, relative spread falling with the root of the capacitance."""
    nominal = nominal_capacitors_f(parameters)
    spread = frame.CAPACITOR_MISMATCH_AT_1FF * np.sqrt(1e-15 / nominal)
    return np.asarray(nominal * (1 + spread * draw.standard_normal(nominal.size)))


def levels_v(capacitors_f: FloatArray) -> FloatArray:
    """Return the level of each code, float64 (2^bits,), by charge sharing."""
    bits = capacitors_f.size - 1
    codes = np.arange(2**bits)
    on = (codes[:, None] >> np.arange(bits)) & 1
    return np.asarray(LOW_V + SPAN_V * (on @ capacitors_f[:-1]) / capacitors_f.sum())


def netlist(parameters: Parameters, capacitors_f: FloatArray | None = None) -> str:
    """Return the subcircuit; ports vdd (bit drivers), vh, vl, reset, top, then b0 … of the code."""
    capacitors = nominal_capacitors_f(parameters) if capacitors_f is None else capacitors_f
    gates = Gates()
    lines = []
    for bit in range(parameters.bits):
        gates.inverter(f"b{bit}", f"g{bit}", 2)
        gates.transistor("p", f"p{bit}", f"g{bit}", "vh", parameters.high_width_m, threshold="VTL")
        gates.transistor("n", f"p{bit}", f"g{bit}", "vl", parameters.low_width_m, threshold="VTL")
        lines.append(f"Cb{bit} top p{bit} {float(capacitors[bit])!r}")
    lines.append(f"Cdummy top vl {float(capacitors[-1])!r}")
    gates.transistor("n", "top", "reset", "vl", parameters.reset_width_m)
    ports = " ".join(f"b{bit}" for bit in range(parameters.bits))
    return "\n".join([f".subckt capacitive_dac vdd vh vl reset top {ports}", *gates.lines, *lines, ".ends"])


def settle_s(parameters: Parameters) -> float:
    """Return a generous time for the array to settle: some 30 time constants with switches of 700 ohm."""
    return 0.1e-9 + 30 * (parameters.reference_resistance_ohm + 1400.0) * parameters.series_capacitance_f


def step_deck(
    parameters: Parameters,
    code: int,
    *,
    capacitors_f: FloatArray | None = None,
    corner: str = "nominal",
    temperature_k: float = 300.0,
) -> Deck:
    """Return the bench of one conversion: reset released, code applied, code taken away and reset again.

    Parameters
    ----------
    parameters
        Dimensions.
    code
        0 to 2^bits - 1.
    capacitors_f
        Of bit 0, 1, … and the dummy; nominal where not given.
    corner, temperature_k
        Of the transistors.
    """
    if not 0 <= code < 2**parameters.bits:
        raise ValueError(f"code {code} with {parameters.bits} bits; 0 to {2**parameters.bits - 1} are allowed")
    back = CODE_S + settle_s(parameters)
    end = back + settle_s(parameters)
    ports = " ".join(f"b{bit}" for bit in range(parameters.bits))
    body = [
        netlist(parameters, capacitors_f),
        f"Vdd vdd 0 {frame.CORE_SUPPLY_V}",
        f"Vh source 0 {HIGH_V}",
        f"Rh source vh {parameters.reference_resistance_ohm!r}",
        f"Vl vl 0 {LOW_V}",
        f"Vreset reset 0 pwl(0 1 {RELEASE_S:g} 1 {RELEASE_S + EDGE_S:g} 0 {back:g} 0 {back + EDGE_S:g} 1)",
        f"Vstep step 0 pwl(0 0 {CODE_S:g} 0 {CODE_S + EDGE_S:g} 1 {back:g} 1 {back + EDGE_S:g} 0)",
        f"Xdac vdd vh vl reset top {ports} capacitive_dac",
        "Ebuffer line 0 top 0 1",
        f"Rline line 0 {1 / (128 * frame.MEAN_CONDUCTANCE_S)!r}",
    ]
    for bit in range(parameters.bits):
        # A bit that stays 0 is tied low; one that becomes 1 follows the step.
        body.append(f"Eb{bit} b{bit} 0 step 0 {code >> bit & 1}")
    return Deck(
        title=f"capacitive_dac: {parameters.bits} bits, code {code}",
        body="\n".join(body),
        analysis=f".tran {EDGE_S / 5:g} {end:g} 0 {settle_s(parameters) / 400:g}",
        save=("i(vdd)", "i(vh)", "i(vl)", "v(top)", "v(step)"),
        corner=corner,
        temperature_k=temperature_k,
        options=OPTIONS,
    )


def measure_step(waveforms: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    """Return energies of a conversion without static power, the level, and the settling to half an LSB."""
    found, time = waveforms[0], waveforms[0].axis
    parameters = Parameters(bits=int(conditions["bits"]))
    top, end = found["v(top)"], float(time[-1])
    back = CODE_S + settle_s(parameters)
    reference = driver = static = 0.0
    for name, level in (("dd", frame.CORE_SUPPLY_V), ("h", HIGH_V), ("l", LOW_V)):
        current = found[f"i(v{name})"]
        idle = measure.supply_energy_j(time, current, level, 0.2e-9, CODE_S) / (CODE_S - 0.2e-9)
        energy = measure.supply_energy_j(time, current, level, CODE_S, end) - idle * (end - CODE_S)
        static += idle
        if name == "dd":
            driver += energy
        else:
            reference += energy
    final = float(np.interp(back, time, top))
    half = SPAN_V / 2**parameters.bits / 2
    values = {
        "reference_energy_j": reference,
        "driver_energy_j": driver,
        "static_power_w": static,
        "level_v": final,
        "released_v": float(np.interp(CODE_S, time, top)),
    }
    if abs(final - values["released_v"]) > half:
        middle = CODE_S + EDGE_S / 2
        values["latency_s"] = measure.settling_s(time, top, final, half, start_s=middle, end_s=back)
    return values


BITS = range(MIN_BITS, MAX_BITS + 1)
CORNER_BITS = 7
SAMPLE_BITS, SAMPLES, SAMPLE_CODES = 4, 3, (4, 8, 12)
MONTE_CARLO = 1000
SEED = 4711
# Five codes from 0 to full scale: Simpson's rule is exact for the energy, which is quadratic in the code.
SIMPSON = (1, 4, 2, 4, 1)


def _codes(bits: int) -> tuple[int, ...]:
    quarter = 2 ** (bits - 2)
    return (0, quarter, 2 * quarter, 3 * quarter, 4 * quarter - 1)


def _sample_f(sample: int) -> FloatArray:
    """Return the capacitors of one sample with mismatch."""
    return drawn_capacitors_f(Parameters(bits=SAMPLE_BITS), np.random.default_rng([SEED, sample]))


def points() -> list[Point]:
    """Return five codes for each number of bits, corners for 7 bits, and samples with mismatch."""
    found = []
    settings = [(corner, 300.0) for corner in CORNERS] + [("nominal", kelvin) for kelvin in TEMPERATURES_K[1:]]
    for bits in BITS:
        for corner, kelvin in settings if bits == CORNER_BITS else settings[:1]:
            for code in _codes(bits):
                deck = step_deck(Parameters(bits=bits), code, corner=corner, temperature_k=kelvin)
                at: Conditions = {"bits": bits, "corner": corner, "temperature_k": kelvin, "code": code}
                found.append(Point("step", at, (deck,), measure_step))
    parameters = Parameters(bits=SAMPLE_BITS)
    for sample in range(SAMPLES):
        capacitors = _sample_f(sample)
        for code in SAMPLE_CODES:
            deck = step_deck(parameters, code, capacitors_f=capacitors)
            found.append(Point("sample", {"bits": SAMPLE_BITS, "sample": sample, "code": code}, (deck,), measure_step))
    return found


def nonlinearity_lsb(bits: int, samples: int = MONTE_CARLO) -> tuple[float, float]:
    """Return the mean over samples of the largest integral and differential non-linearity by mismatch, in LSB."""
    parameters = Parameters(bits=bits)
    worst = []
    for sample in range(samples):
        capacitors = drawn_capacitors_f(parameters, np.random.default_rng([SEED, bits, sample]))
        integral, differential = measure.linearity_lsb(levels_v(capacitors))
        worst.append((np.abs(integral).max(), np.abs(differential).max()))
    means = np.mean(worst, axis=0)
    return float(means[0]), float(means[1])


def _mismatch_errors_lsb(measured: Sequence[Measured]) -> list[float]:
    """Return by how much the shifts of simulated levels by mismatch differ from those of `levels_v`, in LSB."""
    parameters = Parameters(bits=SAMPLE_BITS)
    nominal = levels_v(nominal_capacitors_f(parameters))
    simulated = {
        int(point.conditions["code"]): point.values["level_v"]
        for point in measured
        if point.bench == "step"
        and (point.conditions["bits"], point.conditions["corner"], point.conditions["temperature_k"])
        == (SAMPLE_BITS, "nominal", 300.0)
    }
    errors = []
    for point in measured:
        if point.bench == "sample":
            code = int(point.conditions["code"])
            expected = levels_v(_sample_f(int(point.conditions["sample"])))[code] - nominal[code]
            shift = point.values["level_v"] - simulated[code]
            errors.append(abs(shift - expected) / SPAN_V * 2**SAMPLE_BITS)
    return errors


def dac_area_m2(parameters: Parameters) -> float:
    """Return the area: capacitors, and gate areas times the overhead for wires and wells."""
    gates = frame.AREA_OVERHEAD * gate_area_m2(netlist(parameters))
    return gates + parameters.capacitance_f / frame.CAPACITANCE_PER_AREA_F_M2


def entries(measured: Sequence[Measured]) -> list[Entry]:
    """Return energy, latency, transfer errors, mismatch, noise and area over bits."""
    found: list[Entry] = []
    settings = {
        tuple(point.conditions[key] for key in ("bits", "corner", "temperature_k"))
        for point in measured
        if point.bench == "step"
    }
    for bits, corner, kelvin in sorted(settings):
        at: Conditions = {"bits": bits, "corner": corner, "temperature_k": kelvin}
        steps = {
            int(point.conditions["code"]): point.values
            for point in measured
            if point.bench == "step" and all(point.conditions[key] == at[key] for key in at)
        }
        codes = _codes(int(bits))
        weights = np.array(SIMPSON) / sum(SIMPSON)
        reference = float(weights @ [steps[code]["reference_energy_j"] for code in codes])
        driver = float(np.mean([steps[code]["driver_energy_j"] / max(code.bit_count(), 1) for code in codes[1:]]))
        energy = reference + driver * int(bits) / 2
        lsb = SPAN_V / 2 ** int(bits)
        levels = [(steps[code]["level_v"] - LOW_V) / lsb for code in codes]
        slope, offset = np.polyfit(codes, levels, 1)
        deviation = float(np.abs(np.polyval((slope, offset), codes) - levels).max())
        for quantity, value, note in (
            ("energy_j", energy, "one conversion, mean over codes, half of the bits driven; without the buffer"),
            ("reference_energy_j", reference, "part of it from the references, mean over codes"),
            ("latency_s", steps[codes[2]]["latency_s"], "step of the highest bit to half an LSB; without the buffer"),
            ("offset_lsb", float(offset), "charge of the reset switch"),
            ("gain_error", float(slope) - 1, "capacitance of the reset switch and of the bottom plates"),
            ("systematic_inl_lsb", deviation, "largest deviation of five codes from a line, without mismatch"),
            ("static_power_w", steps[0]["static_power_w"], "leakage"),
        ):
            found.append(Entry(quantity, at, value, source="simulation", note=note))
    found.append(
        Entry(
            "mismatch_check_lsb",
            {"bits": SAMPLE_BITS},
            max(_mismatch_errors_lsb(measured)),
            source="simulation",
            note=f"shift of levels by mismatch, simulated less charge sharing; worst of {SAMPLES} samples",
        )
    )
    for bits in BITS:
        parameters = Parameters(bits=bits)
        integral, differential = nonlinearity_lsb(bits)
        noise = analytic.sampling_noise_v(parameters.capacitance_f, 300.0)
        note = f"mean of the largest magnitude over {MONTE_CARLO} samples of capacitor mismatch, charge sharing"
        found += [
            Entry("inl_lsb", {"bits": bits}, integral, "derived", note=note),
            Entry("dnl_lsb", {"bits": bits}, differential, "derived", note=note),
            Entry("noise_v", {"bits": bits, "temperature_k": 300.0}, noise, "derived", note="sqrt(kT/C) of the array"),
            Entry(
                "noise_lsb",
                {"bits": bits, "temperature_k": 300.0},
                noise * 2**bits / SPAN_V,
                "derived",
                note="sqrt(kT/C) of the array over the step of 0.4 V/2^bits",
            ),
            Entry(
                "area_m2",
                {"bits": bits},
                dac_area_m2(parameters),
                "derived",
                note=f"capacitors at 2 fF/um2, gate areas times {frame.AREA_OVERHEAD:g}; without the buffer",
            ),
        ]
    unit = Parameters().unit_capacitance_f
    found += [
        Entry(
            "unit_capacitance_f",
            {},
            unit,
            "assumed",
            note="about the smallest metal capacitor that is matched in practice; keeps 10 bits at 0.5 pF",
        ),
        Entry(
            "capacitor_mismatch",
            {},
            float(frame.CAPACITOR_MISMATCH_AT_1FF * np.sqrt(1e-15 / unit)),
            "assumed",
            note="relative sigma of one unit: 0.5 % at 1 fF, with the inverse root of the capacitance",
        ),
        Entry(
            "reference_resistance_ohm",
            {},
            Parameters().reference_resistance_ohm,
            "assumed",
            note="output of a reference buffer that many lines share",
        ),
    ]
    return found


def pictures() -> list[Picture]:
    """Return one conversion."""
    return [Picture(step_deck(Parameters(), 64), (("code [V]", ("v(step)",)), ("top plate [V]", ("v(top)",))))]


LAWS = (
    Law(
        quantity="energy_j",
        formula="a + b bits + c 2^bits",
        variables=("bits",),
        start={"a": 1e-17, "b": 2e-15, "c": 1e-17},
        evaluate=lambda at, of: of["a"] + of["b"] * at["bits"] + of["c"] * 2 ** at["bits"],
        held_out=lambda at: at["bits"] in (5, 7, 9),
    ),
    Law(
        quantity="latency_s",
        formula="a + (b + c bits) 2^bits",
        variables=("bits",),
        start={"a": 1e-11, "b": 1e-14, "c": 1e-13},
        evaluate=lambda at, of: of["a"] + (of["b"] + of["c"] * at["bits"]) * 2 ** at["bits"],
        held_out=lambda at: at["bits"] in (5, 7, 9),
    ),
    Law(
        quantity="inl_lsb",
        formula="a 2^(bits/2) + b + c 2^(-bits/2)",
        variables=("bits",),
        start={"a": 6e-3, "b": -5e-3, "c": -1e-2},
        evaluate=lambda at, of: of["a"] * 2 ** (at["bits"] / 2) + of["b"] + of["c"] * 2 ** (-at["bits"] / 2),
        held_out=lambda at: at["bits"] in (5, 7, 9),
    ),
)

CELL = Cell("capacitive_dac", "code to a voltage by charge sharing in a binary array", points, entries, LAWS, pictures)
