"""Every kernel equals its plain-Python self, bit for bit."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.circuits.kernels.kernel_cases import all_results

ROOT = Path(__file__).resolve().parents[3]
GROUPS = ("couplings", "currents", "sweeps")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    file = tmp_path_factory.mktemp("plain") / "results.npz"
    run = subprocess.run(
        [sys.executable, "-m", "tests.circuits.kernels.kernel_cases", str(file)],
        cwd=ROOT,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    with np.load(file) as results:
        return dict(results)


@pytest.fixture(scope="module")
def compiled():
    return all_results()


def test_both_runs_hold_the_same_results(plain, compiled):
    assert set(plain) == set(compiled)
    assert all(name.startswith(GROUPS) for name in plain)


@pytest.mark.parametrize("group", GROUPS)
def test_compiled_equals_plain_python(group, plain, compiled):
    names = [name for name in plain if name.startswith(group)]
    assert names
    for name in names:
        np.testing.assert_array_equal(compiled[name], plain[name], err_msg=name, strict=True)


def test_the_cases_do_something(compiled):
    assert all(np.any(value) for name, value in compiled.items() if value.ndim)
    counts = {int(value) for value in compiled.values() if not value.ndim}
    assert counts >= {-1, 2, 3}
    assert max(counts) > 10
