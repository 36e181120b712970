"""Every kernel equals its plain-Python self, bit for bit."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cosim.kernels.kernel_cases import all_results

ROOT = Path(__file__).resolve().parents[3]
HINT = "compiled code from before a change looks the same; remove __pycache__ beside the kernels"
GROUPS = {
    "random numbers": ("keys", "mix", "uniforms", "words", "normals", "bulk of normals", "events"),
    "rank-1 update": ("update",),
    "ageing and write noise": ("aged", "exposed"),
    "mixed-precision write": ("multiples",),
    "input conversion": ("driven", "scales", "lines", "noisy"),
    "output conversion": ("converted", "scaled", "finite"),
    "convolution and pooling": ("patches", "image", "pooled", "choices", "unpooled"),
    "neurons": ("back through", "bias", "loss", "gradient"),
    "outer products": ("outer products",),
    "wires": ("cells", "effective"),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    file = tmp_path_factory.mktemp("plain") / "results.npz"
    run = subprocess.run(
        [sys.executable, "-m", "tests.cosim.kernels.kernel_cases", str(file)],
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
    assert all(name.startswith(sum(GROUPS.values(), ())) for name in plain)


@pytest.mark.parametrize("group", GROUPS)
def test_compiled_equals_plain_python(group, plain, compiled):
    names = [name for name in plain if name.startswith(GROUPS[group])]
    assert names
    for name in names:
        np.testing.assert_array_equal(compiled[name], plain[name], err_msg=f"{name}: {HINT}", strict=True)


def test_the_cases_do_something(compiled):
    assert len({value.tobytes() for name, value in compiled.items() if name.endswith("weights")}) >= 36
    assert all(value[4] > 0 for name, value in compiled.items() if name.endswith("activity"))
