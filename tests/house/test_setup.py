"""scripts/setup.sh on machines that lack something: what it says, and what it does as root."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def machine(tmp_path):
    """A checkout without .venv, and a folder of stand-ins for system commands, first on the PATH."""
    checkout = tmp_path / "checkout"
    (checkout / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", checkout)
    shutil.copy(ROOT / "scripts" / "setup.sh", checkout / "scripts")
    commands = tmp_path / "commands"
    commands.mkdir()

    def install(**scripts):
        for name, script in scripts.items():
            command = commands / name.replace("_", "-")
            command.write_text(f"#!/bin/bash\n{script}\n")
            command.chmod(0o755)

    def set_up(python="python3"):
        return subprocess.run(
            ["bash", "scripts/setup.sh", "run"],
            cwd=checkout,
            env={"PATH": f"{commands}{os.pathsep}/usr/bin{os.pathsep}/bin", "PYTHON": python},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    set_up.install = install
    set_up.checkout = checkout
    return set_up


def python(minor, ensurepip="exit 1"):
    """Return a stand-in for Python 3.`minor`; `ensurepip` says what importing that module does."""
    return f"""
case "$*" in
    --version) echo "Python 3.{minor}.4" ;;
    *"version_info[:2] <="*) [[ 11 -le {minor} && {minor} -le 13 ]] ;;
    *"-venv"*) echo "python3.{minor}-venv" ;;
    *"import ensurepip"*) {ensurepip} ;;
    *) echo "unexpected: $*" >&2; exit 99 ;;
esac"""


@pytest.mark.parametrize("minor", [9, 10, 14])
def test_unsupported_python_is_named_with_what_is_needed(machine, minor):
    machine.install(python3=python(minor), **{f"python3.{m}": "exit 1" for m in (11, 12, 13)})
    run = machine()
    assert run.returncode == 2
    assert f"'python3' is Python 3.{minor}.4; Python 3.11 to 3.13 is needed." in run.stderr
    assert "make PYTHON=/path/to/python3 setup" in run.stderr
    assert not (machine.checkout / ".venv").exists()


def test_a_supported_python_beside_an_unsupported_one_is_named(machine):
    machine.install(python3=python(10), **{"python3.13": "exit 1", "python3.12": python(12)})
    run = machine()
    assert run.returncode == 2
    assert "make PYTHON=python3.12 setup" in run.stderr


def test_absent_interpreter_is_named(machine):
    run = machine("python3-that-is-absent")
    assert run.returncode == 2
    assert "no interpreter 'python3-that-is-absent' found; Python 3.11 to 3.13 is needed." in run.stderr


def test_without_ensurepip_a_user_is_told_the_one_command(machine):
    machine.install(python3=python(11), id="echo 1000", apt_get="exit 99", sudo="exit 99")
    run = machine()
    assert run.returncode == 2
    assert "sudo sh -c 'apt-get update && apt-get install -y python3.11-venv'" in run.stderr


def test_without_ensurepip_root_installs_it(machine, tmp_path):
    log = tmp_path / "apt.log"
    machine.install(python3=python(11), id="echo 0", apt_get=f'echo "$@" >> "{log}"')
    run = machine()
    # the stand-in installs nothing, and that is noticed too
    assert run.returncode == 2
    assert "python3.11-venv is installed, yet 'python3' still has no ensurepip module." in run.stderr
    update, install = log.read_text().splitlines()
    assert update.startswith("update")
    assert install.startswith("install -y")
    assert install.endswith("python3.11-venv")
