"""A physical number with its unit, its kind and its source; and the list of sources."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

KINDS = ("measured", "fitted", "derived", "assumed")


class ProvenanceError(ValueError):
    """A number without a valid unit, kind or source."""


@dataclass(frozen=True)
class Quantity:
    """One number that can be traced.

    Parameters
    ----------
    value
        Finite, in `unit`.
    unit
        SI unit as text; ``"1"`` for dimensionless numbers.
    kind
        ``measured``, ``fitted``, ``derived`` (its formula is in code) or ``assumed`` (its note says why).
    source
        Key of `sources.toml`; may be empty for derived and assumed numbers only.
    note
        What the number is and, where it is assumed, why this value.
    """

    value: float
    unit: str
    kind: str
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ProvenanceError(f"value {self.value} [{self.unit}] is not finite ({self.note or self.source})")
        if self.kind not in KINDS:
            raise ProvenanceError(f"kind {self.kind!r} is unknown; known: {', '.join(KINDS)}")
        if self.kind in ("measured", "fitted") and not self.source:
            raise ProvenanceError(f"a {self.kind} value needs a source: {self.value} [{self.unit}] {self.note}")
        if self.kind == "assumed" and not self.note:
            raise ProvenanceError(f"an assumed value needs a note that says why: {self.value} [{self.unit}]")
        if self.source and self.source not in sources():
            raise ProvenanceError(f"source {self.source!r} is not listed in device_models/sources.toml")

    def describe(self) -> str:
        """Return kind, source and note as one line of text."""
        return f"{self.kind}: " + "; ".join(part for part in (self.source, self.note) if part)


def quantity_from_table(table: Mapping[str, Any], where: str) -> Quantity:
    """Read a quantity from a TOML table with the keys value, unit, kind, source, note.

    Raises
    ------
    ProvenanceError
        If a key is missing, unknown or invalid; `where` names the place.
    """
    unknown = set(table) - {"value", "unit", "kind", "source", "note"}
    missing = {"value", "unit", "kind"} - set(table)
    if unknown or missing:
        raise ProvenanceError(f"{where}: unknown keys {sorted(unknown)}, missing keys {sorted(missing)}")
    try:
        return Quantity(**{**table, "value": float(table["value"])})
    except ProvenanceError as error:
        raise ProvenanceError(f"{where}: {error}") from None


@cache
def sources() -> dict[str, str]:
    """Return the citation behind each source key."""
    text = (files("device_models") / "sources.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text))
