"""Measured statistics of the reference simulator, where the file lies beside the checkout."""

import json
from pathlib import Path
from typing import Any

import pytest

PLACE = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "aihwkit_statistics.json"


def section(*keys: str) -> Any:
    """Return a part of the statistics, or skip the test that asks for it."""
    if not PLACE.is_file():
        pytest.skip("statistics of the reference simulator are not beside this checkout (shared/reference)")
    part = json.loads(PLACE.read_text(encoding="utf-8"))
    for key in keys:
        part = part[key]
    return part
