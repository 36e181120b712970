"""Transistor cards of a generic 45 nm technology: BSIM4, FreePDK45 (Apache-2.0), not a foundry's.

The package ``c4m-pdk-freepdk45`` ships them. It is installed on its own, because what it depends on would replace
PySpice, and nothing of it is imported: the cards are text files.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PACKAGE = "c4m-pdk-freepdk45"
FILES = {"nominal": "freepdk45_nom.spi", "fast": "freepdk45_ff.spi", "slow": "freepdk45_ss.spi"}
SUPPLY_V = 1.0
LICENCE = "FreePDK45 transistor cards, NC State University, Apache-2.0"


class CardsMissingError(RuntimeError):
    """The transistor cards are not installed: what to run."""


def card_file(corner: str) -> Path:
    """Return the file of a corner: ``nominal``, ``fast`` or ``slow``.

    Raises
    ------
    ValueError
        For another corner.
    CardsMissingError
        If the package that ships the cards is not installed.
    """
    if corner not in FILES:
        raise ValueError(f"corner {corner!r} is unknown; known: {', '.join(FILES)}")
    missing = (
        f"the transistor cards are missing; they are text files of the package {PACKAGE}: "
        f"python -m pip install --no-deps {PACKAGE}"
    )
    try:
        found = [file for file in distribution(PACKAGE).files or () if file.name == FILES[corner]]
    except PackageNotFoundError:
        raise CardsMissingError(missing) from None
    if not found or not (path := Path(str(found[0].locate()))).is_file():
        raise CardsMissingError(missing)
    return path


@cache
def card_text(corner: str) -> str:
    """Return the cards of a corner; models NMOS_… and PMOS_… with VTL, VTG, VTH (1.0 V) and THKOX (2.5 V)."""
    text = card_file(corner).read_text(encoding="utf-8")
    # ngspice complains about comments that start with a dollar sign.
    return "".join(line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("$"))


def card_digest(corner: str) -> str:
    """Return the SHA-256 of the cards of a corner."""
    return hashlib.sha256(card_text(corner).encode()).hexdigest()
