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
OWN_MEASUREMENT = "file:"


class ProvenanceError(ValueError):
    """A number without a valid unit, kind or source."""


@dataclass(frozen=True)
class Quantity:
    """One number, or a list of numbers of one kind, that can be traced.

    Parameters
    ----------
    value
        Finite, in `unit`.
    unit
        SI unit as text; ``"1"`` for dimensionless numbers.
    kind
        ``measured``, ``fitted``, ``derived`` (its formula is in code) or ``assumed`` (its note says why).
    source
        Key of `sources.toml`, or ``file:`` and the name of a measurement of one's own; may be empty for derived and
        assumed numbers only.
    note
        What the number is and, where it is assumed, why this value.
    further
        The numbers of a list after the first; empty for one number.
    low, high
        Range that the number is believed to lie in, in `unit`; None where only its kind says how sure it is.
    """

    value: float
    unit: str
    kind: str
    source: str = ""
    note: str = ""
    further: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if not all(math.isfinite(number) for number in (self.value, *self.further)):
            raise ProvenanceError(f"value {self.value} [{self.unit}] is not finite ({self.note or self.source})")
        if (self.low is None) != (self.high is None):
            raise ProvenanceError(f"low = {self.low}, high = {self.high}: a range needs both ({self.note})")
        if self.low is not None and self.high is not None and not self.low <= self.value <= self.high:
            raise ProvenanceError(f"value {self.value} is outside its range {self.low} to {self.high} ({self.note})")
        if self.kind not in KINDS:
            raise ProvenanceError(f"kind {self.kind!r} is unknown; known: {', '.join(KINDS)}")
        if self.kind in ("measured", "fitted") and not self.source:
            raise ProvenanceError(f"a {self.kind} value needs a source: {self.value} [{self.unit}] {self.note}")
        if self.kind == "assumed" and not self.note:
            raise ProvenanceError(f"an assumed value needs a note that says why: {self.value} [{self.unit}]")
        if self.source and not self.source.startswith(OWN_MEASUREMENT) and self.source not in sources():
            raise ProvenanceError(f"source {self.source!r} is not listed in device_models/sources.toml")

    def describe(self) -> str:
        """Return kind, source and note as one line of text."""
        return f"{self.kind}: " + "; ".join(part for part in (self.source, self.note) if part)


def quantity_from_table(table: Mapping[str, Any], where: str) -> Quantity:
    """Read a quantity from a TOML table with the keys value, unit, kind, source, note, low, high.

    Raises
    ------
    ProvenanceError
        If a key is missing, unknown or invalid; `where` names the place.
    """
    unknown = set(table) - {"value", "unit", "kind", "source", "note", "low", "high"}
    missing = {"value", "unit", "kind"} - set(table)
    if unknown or missing:
        raise ProvenanceError(f"{where}: unknown keys {sorted(unknown)}, missing keys {sorted(missing)}")
    value = table["value"]
    try:
        first, *further = [float(number) for number in (value if isinstance(value, list) else [value])]
    except (TypeError, ValueError):
        raise ProvenanceError(f"{where}: value = {value!r} is not a number or a list of numbers") from None
    try:
        return Quantity(**{**table, "value": first}, further=tuple(further))
    except ProvenanceError as error:
        raise ProvenanceError(f"{where}: {error}") from None


@cache
def sources() -> dict[str, str]:
    """Return the citation behind each source key."""
    text = (files("device_models") / "sources.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text))
