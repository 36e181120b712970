"""A cell of one resistor and one capacitor: quick to characterise, and known in closed form."""

from collections.abc import Sequence

from circuits.cell import Cell, Conditions, Entry, Measured, Point
from circuits.decks import Deck
from circuits.laws import Law
from circuits.measure import crossing_s
from circuits.simulator import Waveforms

BITS = (2, 3, 4, 5)


def deck(bits: int, body: str = "") -> Deck:
    farad = bits * 1e-15
    body = body or f"V1 a 0 PWL(0 0 1f 1)\nR1 a b 1k\nC1 b 0 {farad:g}"
    return Deck(title=f"toy of {bits} bits", body=body, analysis=".tran 0.1p 20p 0 0.02p", save=("v(b)",))


def measure(waves: Sequence[Waveforms], conditions: Conditions) -> dict[str, float]:
    return {"latency_s": crossing_s(waves[0].axis, waves[0]["v(b)"], 0.5)}


def points() -> list[Point]:
    return [Point("step", {"bits": bits}, (deck(bits),), measure) for bits in BITS]


def entries(measured: Sequence[Measured]) -> list[Entry]:
    return [
        Entry("latency_s", {"bits": one.conditions["bits"]}, one.values["latency_s"], source="simulation", note="50 %")
        for one in measured
    ]


CELL = Cell(
    name="toy",
    summary="a resistor and a capacitor",
    points=points,
    entries=entries,
    laws=(
        Law(
            "latency_s",
            "a n",
            ("bits",),
            {"a": 1e-12},
            lambda at, k: k["a"] * at["bits"],
            lambda at: at["bits"] == 3,
        ),
    ),
)
