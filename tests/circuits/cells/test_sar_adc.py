"""The converter: codes at its clock, energies against charge, noise two ways, offset, levels, entries, laws."""

import math

import numpy as np
import pytest

from circuits import analytic
from circuits.cell import Measured
from circuits.cells import sar_adc, strong_arm
from circuits.cells.sar_adc import SarAdc
from circuits.cells.strong_arm import Comparator
from circuits.decks import Deck
from circuits.laws import fit_law
from circuits.measure import MeasureError, linearity_lsb
from circuits.simulator import has_ngspice, simulate

needs_ngspice = pytest.mark.skipif(not has_ngspice(), reason="ngspice is not installed")


@needs_ngspice
@pytest.mark.parametrize("fraction", [0.0, 0.29, 0.99])
def test_codes_are_right_and_energies_close(fraction):
    p = SarAdc(bits=4)
    conditions = {"bits": 4, "fraction": fraction}
    found = sar_adc.measure_conversion([simulate(sar_adc.conversion_deck(p, p.input_v(fraction)))], conditions)
    assert found["code"] == math.floor(16 * fraction)
    assert found["code_error"] == 0
    parts = ("reference", "driver", "logic", "comparator")
    assert found["energy_j"] == pytest.approx(sum(found[f"energy_{part}_j"] for part in parts))
    assert all(found[f"energy_{part}_j"] > 1e-15 for part in parts)
    assert 0 < found["settling_s"] < p.settle_s


@needs_ngspice
def test_the_wrong_clock_shows_as_a_wrong_code():
    class Hasty(SarAdc):
        compare_s = 6e-11  # the comparator alone needs more than twice that

    p = Hasty(bits=4)
    deck = sar_adc.conversion_deck(p, p.input_v(0.29))
    waveforms = simulate(deck)
    code = sum(int(waveforms.final(f"v(q{bit})") > 0.5) << bit for bit in range(4))
    assert code != 4


@needs_ngspice
def test_the_reference_gives_the_charge_of_the_hand_formula():
    p, fraction = SarAdc(bits=6), 0.29
    waveforms = simulate(sar_adc.conversion_deck(p, p.input_v(fraction)))
    found = sar_adc.measure_conversion([waveforms], {"bits": 6, "fraction": fraction})
    # 0.85 is the attenuation at 6 bits; 0.1 the bottom plate, whose junctions and gates the formula leaves out.
    by_hand_j = analytic.sar_reference_energy_j(6, p.unit_f, 18, 0.1, 0.9, 0.85, 0.1)
    assert 1.0 < found["energy_reference_j"] / by_hand_j < 1.6


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_the_formula_of_the_reference_by_hand(bits):
    # No parasitics, top code: the first trial lifts half of the array from mid-scale; with one bit that is all.
    unit_f, high_v = 1e-15, 1.0
    found = analytic.sar_reference_energy_j(bits, unit_f, 2**bits - 1, 0.0, high_v, 1.0, 0.0)
    if bits == 1:
        # Array 2 C, input 0.75: bottoms rise by 0.25 and fall by 0.75; the top follows by -0.25; the cap takes 0.5 C.
        assert found == pytest.approx(0.5e-15)
    # Whatever the path, the charge given is at least that left on the capacitors that end at the reference.
    assert 0 < found < unit_f * 2**bits * high_v**2


@needs_ngspice
def test_levels_lie_on_a_line_and_mismatch_moves_them_as_computed():
    p = SarAdc(bits=4)
    plain = sar_adc.measure_levels([simulate(sar_adc.levels_deck(p))], {"bits": 4})
    assert abs(plain["gain_error"]) < 1e-3
    assert plain["systematic_inl_lsb"] < 0.02
    assert 0.6 < plain["attenuation"] < 0.95
    # Ten times the mismatch, so that it stands far above what the simulation resolves.
    drawn_f = sar_adc.drawn_capacitors_f(p, 1, seed=3)
    units_f = p.unit_f * np.array([1, 2, 4, 8, 1])
    many_f = units_f + 10 * (drawn_f - units_f)
    codes, found_v, _ = sar_adc.levels_v(simulate(sar_adc.levels_deck(p, capacitors_f=many_f[0])), p)
    expected_v = 0.1 + 0.8 * sar_adc.mismatched_levels(many_f)[0][codes]
    assert np.abs(expected_v - 0.1 - codes * p.lsb_v).max() > 0.05 * p.lsb_v
    np.testing.assert_allclose(found_v, expected_v, atol=0.01 * p.lsb_v)


@needs_ngspice
def test_the_transition_is_within_a_tenth_of_an_lsb():
    deck = sar_adc.transition_deck(SarAdc(bits=4), 0.29)
    found = sar_adc.measure_transition([simulate(deck)], {"bits": 4})
    assert abs(found["systematic_offset_v"]) < 0.1 * SarAdc(bits=4).lsb_v


@needs_ngspice
def test_the_comparator_needs_longer_for_less():
    deck = strong_arm.decision_deck(Comparator(), strong_arm.half_steps_v())
    found = strong_arm.measure_decisions([simulate(deck)], {})
    delays_s = [found[f"delay_{bits}_s"] for bits in strong_arm.RESOLUTIONS]
    assert delays_s == sorted(delays_s)
    assert all(
        delay_s + sar_adc.LATCH_S < SarAdc(bits=bits).compare_s
        for bits, delay_s in zip(strong_arm.RESOLUTIONS, delays_s, strict=True)
    )
    # Between the charge of its loads alone and ten times that.
    loads_j = 4 * Comparator().load_f
    assert loads_j < found["decision_energy_j"] < 10 * loads_j


@needs_ngspice
def test_noise_by_impulses_is_that_of_drawn_currents():
    conditions = {"temperature_k": 300.0}
    found = strong_arm.measure_noise([simulate(strong_arm.noise_deck(Comparator()))], conditions)
    assert found["input_pair_noise_v"] < found["noise_v"] < 2 * found["input_pair_noise_v"]
    deck = strong_arm.noise_check_deck(Comparator(), found["input_pair_conductance_s"], clocks=36)
    drawn = strong_arm.measure_noise_check([simulate(deck)], conditions)
    # Standard error of 36 samples is 12 %; three of them are missed at one seed of 370, and this seed is fixed.
    assert drawn["input_pair_noise_v"] == pytest.approx(found["input_pair_noise_v"], rel=0.36)
    assert abs(drawn["mean_v"]) < 3.3 * found["input_pair_noise_v"] / math.sqrt(36)


@needs_ngspice
def test_the_offset_follows_the_input_pair():
    found_v = {}
    for shift_v in (-0.01, 0.01):
        deck = strong_arm.offset_deck(Comparator(), 0)
        text = strong_arm.netlist(Comparator(), {"1": shift_v})
        own = deck.body.index(".subckt comparator")
        shifted = text[: text.index(".subckt comparator")] + deck.body[own:]
        waveforms = simulate(
            Deck(title="offset", body=shifted, analysis=deck.analysis, save=deck.save, corner="nominal")
        )
        found_v[shift_v] = strong_arm.measure_offset([waveforms], {})["offset_v"]
    # A higher threshold at the plus input calls for more there: the offset is minus that, within two servo steps.
    assert found_v[0.01] == pytest.approx(-0.01, abs=5e-4)
    assert found_v[-0.01] == pytest.approx(0.01, abs=5e-4)


def test_draws_of_the_offset_are_those_of_pelgrom():
    drawn = [
        float(line.split()[3])
        for sample in range(200)
        for line in strong_arm.offset_deck(Comparator(), sample).body.splitlines()
        if line.startswith("vshift1 ")
    ]
    sigma_v = 2.5e-9 / math.sqrt(2e-6 * 1e-7)
    # Standard error 5 %; 4 of them are missed once in 16,000 seeds.
    assert np.std(drawn) == pytest.approx(sigma_v, rel=0.2)


def test_mismatch_follows_the_formula_for_binary_arrays():
    p = SarAdc(bits=8)
    levels = sar_adc.mismatched_levels(sar_adc.drawn_capacitors_f(p, 4000))
    assert levels.shape == (4000, 256)
    # The step at mid scale spreads by sqrt(2^n - 1) units, in LSB, for so many take part; standard error 1 %.
    step_lsb = (levels[:, 128] - levels[:, 127]) * 256 - 1
    assert np.std(step_lsb) == pytest.approx(sar_adc.unit_mismatch(p) * math.sqrt(255), rel=0.05)
    inl_lsb, dnl_lsb = linearity_lsb(levels[0])
    assert np.abs(inl_lsb).max() > 0
    assert dnl_lsb.shape == (255,)


def test_area_counts_every_slice():
    areas = [sar_adc.area_m2(SarAdc(bits=bits)) for bits in (4, 5, 6)]
    assert areas == sorted(areas)
    slice_m2 = strong_arm.gate_area_m2(_block(sar_adc.netlist(SarAdc(bits=4)), "bit_slice"))
    array_m2 = 2 * (SarAdc(bits=5).array_f - SarAdc(bits=4).array_f) / 2e-3
    assert areas[1] - areas[0] > 4 * slice_m2 + array_m2
    # In least widths: three inverters of 3, two pass gates of 3, a NOR of 10 and a NAND of 8.
    assert slice_m2 == pytest.approx((3 * 3 + 2 * 3 + 10 + 8) * 90e-9 * 50e-9)


def _block(text, name):
    start = text.index(f".subckt {name} ")
    return text[start : text.index(".ends", start)]


@pytest.mark.parametrize("bits", [0, 1, 13])
def test_bits_out_of_range_are_refused(bits):
    with pytest.raises(ValueError, match=f"bits = {bits} is not allowed; 2 to 12"):
        SarAdc(bits=bits)


@pytest.fixture(scope="module")
def points():
    return sar_adc.CELL.points()


def _measured(points, code_error=0.0):
    """Made-up measurements, plausible in form: all points of the cell, none simulated."""
    found = []
    for point in points:
        bits = int(point.conditions.get("bits", 0))
        values = {
            "levels": {"gain_error": 1e-4, "systematic_inl_lsb": 0.01, "attenuation": 0.9, "array_offset_v": 0.0},
            "transition": {"systematic_offset_v": 1e-4},
            "offset": {"offset_v": 1e-3 * (-1) ** int(point.conditions.get("sample", 0))},
            "noise": {"noise_v": 5e-4},
            "decision": {
                "decision_energy_j": 6e-14,
                **{f"delay_{n}_s": 1.5e-10 + 5e-12 * n for n in strong_arm.RESOLUTIONS},
            },
            "conversion": {
                "code_error": code_error,
                "energy_j": 1e-14 + 7e-14 * bits + 5e-16 * 2**bits,
                "energy_comparator_j": 6e-14 * bits,
                "energy_reference_j": 4e-16 * 2**bits,
                "energy_driver_j": 1e-14 + 1e-16 * 2**bits,
                "energy_logic_j": 1e-14 * bits,
                "settling_s": 1e-10,
                "kickback_v": 1e-2,
            },
        }[point.bench]
        found.append(Measured(point.bench, point.conditions, values))
    return found


def test_entries_cover_all_resolutions_and_laws_fit_them(points):
    table = sar_adc.CELL.entries(_measured(points))
    nominal = {"corner": "nominal", "temperature_k": 300.0}
    asked = {
        "energy_j", "energy_comparator_j", "energy_reference_j", "energy_logic_j", "latency_s", "noise_lsb", "noise_v",
        "gain_error", "inl_lsb", "dnl_lsb", "area_m2",
    }  # fmt: skip
    for bits in range(4, 11):
        assert asked <= {entry.quantity for entry in table if entry.conditions == {"bits": bits, **nominal}}
    assert {"offset_v", "unit_capacitance_f", "capacitor_mismatch"} <= {entry.quantity for entry in table}
    addresses = [(entry.quantity, tuple(sorted(entry.conditions.items()))) for entry in table]
    assert len(set(addresses)) == len(addresses)
    assert all(entry.note for entry in table)
    assert all(entry.source == "simulation" for entry in table if entry.kind != "assumed")
    by_name = {entry.quantity: entry for entry in table}
    assert by_name["offset_v"].value == pytest.approx(1e-3, rel=0.02)
    lsb_v = 0.8 / 2**8
    noise = next(e.value for e in table if e.quantity == "noise_lsb" and e.conditions == {"bits": 8, **nominal})
    sampled_v2 = 2 * 1.380649e-23 * 300 / 128e-15 / 0.9
    assert noise == pytest.approx(math.sqrt(sampled_v2 + (5e-4 / 0.9) ** 2) / lsb_v, rel=1e-6)
    for law in sar_adc.CELL.laws:
        pairs = [
            (entry.conditions, entry.value)
            for entry in table
            if entry.quantity == law.quantity and entry.conditions.get("bits") and _has(entry.conditions, nominal)
        ]
        fitted = fit_law(law, pairs)
        assert fitted.worst_held_out_error < (0.2 if "lsb" in law.quantity else 0.02), law.quantity


def _has(conditions, wanted):
    return all(conditions.get(name) == value for name, value in wanted.items())


def test_a_clock_that_is_too_fast_is_an_error(points):
    with pytest.raises(MeasureError, match=r"wrong codes by \[1\.0, 1\.0\].*its clock is too fast"):
        sar_adc.CELL.entries(_measured(points, code_error=1.0))
    with pytest.raises(MeasureError, match="0 points of bench 'decision'"):
        sar_adc.CELL.entries([found for found in _measured(points) if found.bench != "decision"])
