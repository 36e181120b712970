import numpy as np
import pytest

from circuits.analytic import sampling_noise_v
from circuits.cells import sample_hold as hold
from circuits.cells.sample_hold import SampleHold
from circuits.measure import noise_rms
from circuits.model_cards import CardsMissingError, card_file
from circuits.simulator import Waveforms, has_ngspice, simulate


def _has_cards() -> bool:
    try:
        return card_file("nominal").is_file()
    except CardsMissingError:
        return False


spice = pytest.mark.skipif(not (has_ngspice() and _has_cards()), reason="needs ngspice and the transistor cards")


def made_up_cycle(level_v, output_v, end_s=hold.INPUT_LEAVES_S + hold.HOLD_S + 20e-9):
    """Return a cycle whose capacitor is acquired with 0.1 ns, and whose output is what is asked for at once."""
    time_s = np.linspace(0, end_s, 6001)
    held_v = (level_v - 0.5) * (1 - 2 * np.exp(-np.maximum(time_s - hold.SAMPLE_AT_S, 0) / 1e-10))
    zero = np.zeros_like(time_s)
    return Waveforms(
        time_s,
        {
            "v(out)": np.full_like(time_s, output_v),
            "v(xcol.top)": held_v + 0.5,
            "v(xcol.bot)": zero + 0.5,
            "i(vdd)": zero - 2e-4,
            "i(vsw)": zero,
            "i(vbsw)": zero,
        },
    )


def test_a_width_out_of_range_is_refused():
    with pytest.raises(ValueError, match="signal_w_m = -1 is not allowed"):
        SampleHold(signal_w_m=-1)


def test_pedestal_and_gain_come_from_the_line_through_all_levels():
    cycles = [made_up_cycle(level, 0.5 + 0.99 * (level - 0.5) + 3e-3) for level in hold.LEVELS_V]
    late = [made_up_cycle(level, 0.5 + 0.99 * (level - 0.5) + 3e-3 + 8e-4) for level in (0.1, 0.9)]
    noise = Waveforms(np.array([1e6, 2e6]), {"onoise_spectrum": np.array([0.0, 0.0])})
    found = hold.measure_cycles([noise, *cycles, *late], {"bits": 8, "temperature_k": 300.0})
    assert found["pedestal_v"] == pytest.approx(3e-3)
    assert found["gain_error"] == pytest.approx(-0.01)
    assert found["bend_v"] == pytest.approx(0, abs=1e-12)
    assert found["droop_v_per_s"] == pytest.approx(8e-4 / (hold.LONG_HOLD_S - hold.HOLD_S))
    # From one end of the range to the other, to half of 1/256 of it: ln(512) time constants.
    assert found["latency_s"] == pytest.approx(1e-10 * np.log(512), rel=0.05)
    assert found["noise_v"] == pytest.approx(sampling_noise_v(100e-15, 300.0))


@spice
@pytest.mark.parametrize(("corner", "kelvin"), [("nominal", 300.0), ("slow", 248.0)])
def test_a_sample_comes_back(corner, kelvin):
    outputs = []
    for level_v in (0.1, 0.9):
        found = simulate(hold.cycle_deck(level_v, corner=corner, temperature_k=kelvin))
        outputs.append(found.final("v(out)"))
        # The input has left: the hold does not follow it.
        assert found.final("v(vin)") == pytest.approx(1 - level_v)
        assert outputs[-1] == pytest.approx(level_v, abs=5e-3)
    assert outputs[1] - outputs[0] == pytest.approx(0.8, rel=3e-3)


@spice
def test_the_buffer_adds_noise_of_the_size_of_the_sample():
    noise = simulate(hold.noise_deck(8))
    buffer_v = noise_rms(noise.axis, noise["onoise_spectrum"])
    assert 0.5 * sampling_noise_v(100e-15, 300.0) < buffer_v < 10 * sampling_noise_v(100e-15, 300.0)
