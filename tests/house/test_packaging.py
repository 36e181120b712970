"""The wheel holds the four packages, each file tracked below them, and nothing else."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import cosim

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("device_models", "circuits", "cost_model", "cosim")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def package_files():
    """Files below the packages that git tracks, or would with the next `git add`."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in listing.stdout.split("\0") if name and (ROOT / name).exists()}


@pytest.fixture(scope="module")
def wheel(package_files, tmp_path_factory):
    """Build the wheel from a copy, so that no build product stays in the checkout; no network."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in [*package_files, "pyproject.toml", "LICENSE", "README.md"]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    (copy / "stray_package").mkdir()
    (copy / "stray_package" / "__init__.py").touch()
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps"]
    run = subprocess.run(
        [*command, "--no-index", "--wheel-dir", str(copy / "dist"), str(copy)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = (copy / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_every_file_of_the_packages_is_in_the_wheel(wheel, package_files):
    missing = package_files - set(wheel.namelist())
    assert not missing, f"add to package-data in pyproject.toml, or add an __init__.py: {sorted(missing)}"


def test_the_wheel_holds_the_four_packages_only(wheel):
    metadata = f"cosim-{PROJECT['version']}.dist-info"
    assert {name.split("/")[0] for name in wheel.namelist()} == {*PACKAGES, metadata}


def test_the_wheel_has_licence_and_command(wheel):
    metadata = f"cosim-{PROJECT['version']}.dist-info"
    assert wheel.read(f"{metadata}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert "cosim = cosim.cli:main" in wheel.read(f"{metadata}/entry_points.txt").decode()
    assert "License-Expression: Apache-2.0" in wheel.read(f"{metadata}/METADATA").decode()


def test_the_version_is_said_once_more_in_the_package():
    assert cosim.__version__ == PROJECT["version"]
