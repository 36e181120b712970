"""A price: a physical number of one design, or of many, with its provenance and the assumptions that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cost_model.numbers import Number
from device_models.quantity import Quantity

RESTS_ON_ASSUMED = "derived from assumed numbers"


@dataclass(frozen=True)
class Price:
    """A number that the bill multiplies or that goes into one that it does.

    Parameters
    ----------
    value
        In `unit`; an array where it stands for many designs.
    unit, kind, source, note
        As of a `Quantity`.
    assumptions
        The numbers that it was made from by name, each with its range; see `cost_model.bands`.
    """

    value: Number
    unit: str
    kind: str
    source: str = ""
    note: str = ""
    assumptions: Mapping[str, Quantity] = field(default_factory=dict)

    def describe(self) -> str:
        """Return kind, source and note as one line of text; what is derived says whether it rests on a guess."""
        guessed = self.kind == "derived" and any(quantity.kind == "assumed" for quantity in self.assumptions.values())
        kind = RESTS_ON_ASSUMED if guessed else self.kind
        return f"{kind}: " + "; ".join(part for part in (self.source, self.note) if part)


def price_of(quantity: Quantity, assumption: str, factor: Number = 1.0) -> Price:
    """Return a quantity, times a factor, as a price that rests on one assumption: itself."""
    value = quantity.value * factor
    return Price(value, quantity.unit, quantity.kind, quantity.source, quantity.note, {assumption: quantity})


def derived(value: Number, unit: str, formula: str, *origins: Price) -> Price:
    """Return a number that a formula made from others, with their sources and assumptions."""
    notes = "; ".join(dict.fromkeys(f"{origin.kind} {origin.source or origin.note}" for origin in origins))
    assumptions: dict[str, Quantity] = {}
    for origin in origins:
        assumptions |= origin.assumptions
    return Price(value, unit, "derived", "", f"{formula} from {notes}" if notes else formula, assumptions)
