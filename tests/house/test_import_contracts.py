"""The import contracts of pyproject.toml hold, and each of them notices a fault planted for it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("device_models", "circuits", "cost_model", "cosim")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
NAMES = {contract["id"]: contract["name"] for contract in CONTRACTS}

# (contract, package of the fresh module, what it imports). One fault breaks one contract and no other, so a
# fault against the floors imports a module that is empty itself.
FAULTS = [
    ("floors", "device_models", "circuits.planted_target"),
    ("floors", "circuits", "cost_model.planted_target"),
    ("floors", "cost_model", "cosim.planted_target"),
    ("kernels", "device_models.kernels", "pandas"),
    ("kernels", "cosim.kernels", "cosim.config"),
    ("kernels", "cosim.kernels", "cost_model"),
    ("terminal", "circuits", "matplotlib"),
    ("terminal", "cost_model", "rich"),
    ("pyspice", "cosim", "PySpice"),
]


def broken_contracts(folder):
    """Run import-linter on the packages in `folder`; return the names of the broken contracts and the log."""
    program = (
        "import sys; sys.path.insert(0, '.'); sys.argv = ['lint-imports', '--no-cache'];"
        "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"COLUMNS": "500", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    log = run.stdout + run.stderr
    verdicts = dict(re.findall(r"^\s*(.+?) (KEPT|BROKEN)\b", log, flags=re.MULTILINE))
    assert set(verdicts) == set(NAMES.values()), f"not every contract was checked:\n{log}"
    broken = {name for name, verdict in verdicts.items() if verdict == "BROKEN"}
    assert run.returncode == (1 if broken else 0), log
    return broken, log


@pytest.fixture(scope="module")
def checkout():
    return broken_contracts(ROOT)


def test_every_contract_holds(checkout):
    broken, log = checkout
    assert not broken, log


def test_every_contract_has_a_planted_fault():
    assert {contract for contract, _, _ in FAULTS} == set(NAMES)


@pytest.mark.parametrize(("contract", "package", "imported"), FAULTS)
def test_planted_fault_breaks_its_contract_alone(contract, package, imported, checkout, tmp_path):
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=everything_but_python)
        (tmp_path / name / "planted_target.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    folder = tmp_path.joinpath(*package.split("."))
    (folder / "planted_fault.py").write_text(f"import {imported}\n")

    broken, log = broken_contracts(tmp_path)

    broken_before, _ = checkout
    assert broken - broken_before == {NAMES[contract]}, log
    assert f"{package}.planted_fault -> {imported}" in log


def everything_but_python(folder, names):
    return [name for name in names if not (name.endswith(".py") or (Path(folder) / name).is_dir())]
