"""Running ngspice: waveforms come back whole, and every way to fail is one clear error."""

import errno
import os
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from circuits import model_cards, simulator
from circuits.decks import Deck
from circuits.simulator import (
    SimulationError,
    SimulatorMissingError,
    has_ngspice,
    operating_points,
    read_raw,
    simulate,
    simulator_version,
)

needs_ngspice = pytest.mark.skipif(not has_ngspice(), reason="ngspice is not installed")
RC = "V1 a 0 PWL(0 0 1p 1)\nR1 a b 1k\nC1 b 0 1p"


def deck(body=RC, analysis=".tran 10p 5n", save=("v(b)",), **further):
    return Deck(title="probe", body=body, analysis=analysis, save=save, **further)


@needs_ngspice
def test_a_transient_gives_the_exponential_of_an_rc():
    waves = simulate(deck(options={"reltol": 1e-6}))
    assert waves.axis[0] == 0
    assert waves.axis[-1] == pytest.approx(5e-9)
    np.testing.assert_allclose(
        waves["V(b)"][waves.axis > 1e-11], 1 - np.exp(-waves.axis[waves.axis > 1e-11] / 1e-9), atol=2e-3
    )
    assert waves.final("v(b)") == pytest.approx(1 - np.exp(-5), abs=1e-3)
    with pytest.raises(KeyError, match=r"'v\(zz\)' was not saved; saved: time, v\(b\)"):
        waves["v(zz)"]


@needs_ngspice
def test_operating_point_sweep_and_frequency_come_back_with_their_axis():
    divider = "V1 a 0 AC 1 DC 2\nR1 a b 1k\nR2 b 0 3k"
    assert simulate(deck(divider, ".op")).final("v(b)") == pytest.approx(1.5)
    sweep = simulate(deck(divider, ".dc V1 0 4 1"))
    np.testing.assert_allclose(sweep["v(b)"], 0.75 * sweep.axis)
    low_pass = simulate(deck("V1 a 0 AC 1\nR1 a b 1k\nC1 b 0 1p", ".ac dec 10 1meg 10g"))
    expected = 1 / (1 + 2j * np.pi * low_pass.axis * 1e-9)
    np.testing.assert_allclose(low_pass["v(b)"], expected, rtol=1e-9)


@needs_ngspice
def test_operating_points_in_this_process_equal_those_of_a_process_of_their_own():
    decks = [deck(f"V1 a 0 2\nR1 a b 1k\nR2 b 0 {ohm}", ".op", ("v(b)", "i(v1)")) for ohm in (1000, 3000)]
    transistor = deck("V1 d 0 1\nV2 g 0 0.6\nM1 d g 0 0 NMOS_VTG w=200n l=50n", ".op", ("i(v1)",), corner="nominal")
    for one, found in zip([*decks, transistor], operating_points([*decks, transistor]), strict=True):
        for name, value in found.items():
            assert value == pytest.approx(simulate(one).final(name), rel=1e-9)
    with pytest.raises(ValueError, match=r"an operating point needs \.op"):
        list(operating_points([deck()]))


@needs_ngspice
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("V1 a 0 1\nV2 a 0 2\nR1 a 0 1k", "deck 'probe': ngspice failed: Warning: singular matrix"),
        ("V1 b 0 1\nR1 b 0 1k\nB1 c 0 v=nosuch(1)\nR2 c 0 1", "deck 'probe': ngspice failed"),
    ],
)
def test_what_ngspice_only_prints_is_an_error(body, message):
    with pytest.raises(SimulationError, match=message):
        simulate(deck(body, ".op", ("v(a)",) if "V2" in body else ("v(b)",)))
    if "V2" in body:
        with pytest.raises(SimulationError, match="deck 'probe': no operating point"):
            list(operating_points([deck(body, ".op", ("v(a)",))]))


@needs_ngspice
def test_the_shared_simulator_goes_on_after_a_failure():
    broken = deck("V1 a 0 1\nV2 a 0 2\nR1 a 0 1k", ".op", ("v(a)",))
    with pytest.raises(SimulationError):
        list(operating_points([broken]))
    sound = deck("V1 a 0 1\nR1 a b 1k\nR2 b 0 1k", ".op")
    assert next(operating_points([sound]))["v(b)"] == pytest.approx(0.5)


@needs_ngspice
def test_a_vector_that_does_not_exist_is_named():
    with pytest.raises(SimulationError, match=r"v\(zz\)|no data saved"):
        simulate(deck("V1 a 0 1\nR1 a 0 1k", ".op", ("v(zz)",)))


@needs_ngspice
def test_a_simulation_that_takes_too_long_is_killed():
    start = time.monotonic()
    with pytest.raises(SimulationError, match=r"ngspice was stopped after 0\.5 s without an end"):
        simulate(deck(analysis=".tran 1f 1m"), timeout_s=0.5)
    assert time.monotonic() - start < 30
    time.sleep(0.1)
    found = subprocess.run(["pgrep", "-f", "ngspice -n -b -r out.raw"], capture_output=True, text=True, check=False)
    ours = [pid for pid in found.stdout.split() if _parent(int(pid)) == os.getpid()]
    assert not ours


def _parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


@needs_ngspice
def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    simulate(deck())
    with pytest.raises(SimulationError):
        simulate(deck("V1 a 0 1\nV2 a 0 2\nR1 a 0 1k", ".op", ("v(a)",)))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """Return a function that puts a program called ngspice, with a given body, first on the path."""

    def make(body):
        program = tmp_path / "ngspice"
        program.write_text(f"#!{sys.executable}\nimport os, sys\n{textwrap.dedent(body)}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path))
        return program

    return make


def raw(points=2, values=(0.0, 0.0, 5e-9, 1.0)):
    head = f"Title: probe\nFlags: real\nNo. Variables: 2\nNo. Points: {points}\n"
    head += "Variables:\n\t0\ttime\ttime\n\t1\tv(b)\tvoltage\n"
    return head.encode() + b"Binary:\n" + np.array(values).tobytes()


WRITE = "open('out.raw', 'wb').write({content!r})"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("os.kill(os.getpid(), 11)", "deck 'probe': ngspice was ended by signal 11"),
        ("print('Segmentation'); sys.exit(3)", "ngspice failed: exit code 3; its last words: Segmentation"),
        ("", "deck 'probe': ngspice wrote no result"),
        (WRITE.format(content=raw(values=(0.0, 0.0))), r"cut short \(16 bytes of 32\); the disk may be full"),
        (WRITE.format(content=b"nonsense"), "the result of ngspice cannot be read"),
        (WRITE.format(content=raw(values=(0.0, 0.0, 5e-9, np.nan))), r"deck 'probe': v\(b\) is not finite"),
        (WRITE.format(content=raw(values=(0.0, 0.0, 4e-9, 1.0))), "ngspice ended at 4e-09 s of 5e-09 s"),
        (WRITE.format(content=raw().replace(b"v(b)", b"v(c)")), r"ngspice did not save v\(b\)"),
        ("print('Error on line 4 : r1 a b 1k')", r"ngspice failed: Error on line 4 : r1 a b 1k \(R1 a b 1k\)"),
        ("print('doAnalyses: TRAN:  Timestep too small')", "Timestep too small"),
    ],
)
def test_every_way_to_fail_is_one_clear_error(pretend, body, message):
    pretend(body)
    with pytest.raises(SimulationError, match=message):
        simulate(deck())


def test_what_is_tolerated_is_no_failure(pretend):
    pretend("print('Warning: singular matrix: check node b'); " + WRITE.format(content=raw()))
    with pytest.raises(SimulationError, match="singular matrix"):
        simulate(deck())
    assert simulate(deck(), tolerate=("singular matrix",)).final("v(b)") == 1


def test_one_thread_and_a_private_folder(pretend, tmp_path):
    pretend(
        f"""
        scripts = os.environ['SPICE_SCRIPTS']
        report = open({str(tmp_path / "seen")!r}, 'w')
        print(open(scripts + '/spinit').read(), os.getcwd() == scripts, sys.argv[1:], file=report)
        {WRITE.format(content=raw())}
        """
    )
    simulate(deck())
    assert (tmp_path / "seen").read_text() == ("set num_threads=1\n True ['-n', '-b', '-r', 'out.raw', 'deck.cir']\n")


def test_a_missing_simulator_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    simulator_version.cache_clear()
    for call in (lambda: simulate(deck()), simulator_version):
        with pytest.raises(
            SimulatorMissingError, match="ngspice is not installed; install it, for example with: apt-get"
        ):
            call()
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    simulator._shared_simulator.cache_clear()
    with pytest.raises(SimulatorMissingError, match="the library of ngspice is not installed"):
        list(operating_points([deck("V1 a 0 1\nR1 a b 1\nR2 b 0 1", ".op")]))


def test_a_full_disk_is_named(pretend, monkeypatch):
    pretend("")

    def refuse(self, *arguments, **keywords):
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(SimulationError, match=r"deck.cir: No space left on device; make room, or set TMPDIR"):
        simulate(deck())


def test_missing_cards_say_how_to_get_them(monkeypatch):
    monkeypatch.setattr(model_cards, "PACKAGE", "no-such-package")
    with pytest.raises(model_cards.CardsMissingError, match="pip install --no-deps no-such-package"):
        model_cards.card_file("fast")


def test_the_toolkit_imports_and_prices_without_a_simulator(tmp_path):
    code = (
        "import sys; sys.modules['PySpice'] = None\n"
        "import circuits, circuits.decks, circuits.simulator, circuits.calibration, cost_model\n"
        "from circuits.cells import CELLS, cell\n"
        "table = circuits.load_calibration('generic_45nm')\n"
        "print(table.quantity('sar_adc', 'energy_j', bits=8).value > 0)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "True"


def test_the_version_is_part_of_what_is_kept(pretend):
    pretend("print('** ngspice-45.2 : Circuit level simulation program')")
    simulator_version.cache_clear()
    assert simulator_version() == "ngspice-45.2"
    simulator_version.cache_clear()


def test_a_raw_file_of_complex_numbers_is_read():
    content = (
        b"Title: x\nFlags: complex\nNo. Variables: 2\nNo. Points: 1\nVariables:\n\t0\tfrequency\tfrequency\n"
        b"\t1\tv(b)\tvoltage\nBinary:\n" + np.array([complex(5, np.nan), 1 + 2j]).tobytes()
    )
    waves = read_raw(content, "here")
    assert waves.axis[0] == 5
    assert waves["v(b)"][0] == 1 + 2j
