"""A deck: the netlist of a circuit, one analysis of it, and what to keep; checked before a simulator sees it.

ngspice accepts a resistor with one node and a number that it cannot read; `Deck.check` does not.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from circuits.model_cards import card_text

ZERO_CELSIUS_K = 273.15
# First letter of an element: its nodes, and whether a number must follow them.
NODES = {"r": 2, "c": 2, "l": 2, "v": 2, "i": 2, "b": 2, "d": 2, "e": 4, "g": 4, "f": 2, "h": 2, "s": 4, "w": 2, "m": 4}
NUMBERED = frozenset("rcl")
SCALES = {
    "t": 1e12,
    "g": 1e9,
    "meg": 1e6,
    "k": 1e3,
    "m": 1e-3,
    "u": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
    "f": 1e-15,
    "a": 1e-18,
}
NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(meg|[tgkmunpfa])?[a-z]*", re.IGNORECASE)
ANALYSES = (".op", ".dc", ".tran", ".ac", ".noise")


class NetlistError(ValueError):
    """A deck that cannot be simulated as it stands: its name, the line, and what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Deck:
    """A circuit with one analysis.

    Parameters
    ----------
    title
        What it is, for messages; one line.
    body
        Elements, ``.model``, ``.subckt`` … ``.ends`` and ``.ic`` lines, as SPICE reads them.
    analysis
        One of ``.op``, ``.dc …``, ``.tran …``, ``.ac …``; one line.
    save
        Vectors to keep, for example ``v(out)`` or ``i(vdd)``; at least one.
    corner
        Transistor cards: ``nominal``, ``fast`` or ``slow``; None for a circuit without transistors.
    temperature_k
        Temperature of the circuit, > 0.
    options
        Simulator options, name to value; True for a flag.

    Raises
    ------
    NetlistError
        If a line is malformed, a name is taken twice, or a number is not finite.
    """

    title: str
    body: str
    analysis: str
    save: tuple[str, ...]
    corner: str | None = None
    temperature_k: float = 300.0
    options: dict[str, float | str | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise a `NetlistError` for the first thing that is wrong."""
        if "\n" in self.title or not self.title.strip():
            raise NetlistError(f"deck {self.title!r}: its title must be one line")
        if not self.save:
            raise NetlistError(f"deck {self.title!r}: nothing is saved; name vectors, for example v(out)")
        if not self.analysis.lower().startswith(ANALYSES) or "\n" in self.analysis:
            raise NetlistError(
                f"deck {self.title!r}: analysis {self.analysis!r} is not one of {', '.join(ANALYSES)}, in one line"
            )
        if not 0 < self.temperature_k < math.inf:
            raise NetlistError(f"deck {self.title!r}: temperature_k = {self.temperature_k} is not allowed; above 0")
        cards = card_text(self.corner) if self.corner else ""
        models = {line.split()[1].lower() for line in cards.splitlines() if line.lower().startswith(".model")}
        _Checker(self.title, models, self.save).check(self.body)

    def text(self) -> str:
        """Return the deck as ngspice reads it; the transistor cards are the file ``cards.spi`` beside it."""
        options = {"temp": self.temperature_k - ZERO_CELSIUS_K, **self.options}
        settings = " ".join(name if value is True else f"{name}={value}" for name, value in options.items())
        return "\n".join(
            [
                f"* {self.title}",
                *([".include cards.spi"] if self.corner else []),
                f".options {settings}",
                self.body.strip(),
                f".save {' '.join(self.save)}",
                self.analysis,
                ".end",
                "",
            ]
        )

    @property
    def digest(self) -> str:
        """What tells this deck from every other: a hash of its text and of its transistor cards."""
        cards = card_text(self.corner) if self.corner else ""
        return hashlib.sha256(f"{self.text()}\0{cards}".encode()).hexdigest()


class _Checker:
    """Walk the lines of a netlist, subcircuit by subcircuit."""

    def __init__(self, title: str, models: set[str], save: tuple[str, ...]) -> None:
        self.title = title
        self.models = models
        self.probed = _voltages(" ".join(save).lower())

    def check(self, body: str) -> None:
        lines = list(_joined(body))
        ports = {}
        for number, tokens in lines:
            if tokens[0] == ".subckt":
                if len(tokens) < 3:
                    raise self._error(number, tokens, "a subcircuit needs a name and at least one node")
                if tokens[1] in ports:
                    raise self._error(number, tokens, f"subcircuit {tokens[1]!r} is defined twice")
                ports[tokens[1]] = len(tuple(_positional(tokens[2:])))
            elif tokens[0] == ".model":
                if len(tokens) < 3:
                    raise self._error(number, tokens, "a model needs a name and a type")
                self.models.add(tokens[1])
        scopes = [_Scope(self.probed)]
        for number, tokens in lines:
            if tokens[0] == ".subckt":
                scopes.append(_Scope(set(_positional(tokens[2:]))))
            elif tokens[0] == ".ends":
                if len(scopes) == 1:
                    raise self._error(number, tokens, "there is no .subckt to end")
                self._check_ends(scopes.pop())
            elif not tokens[0].startswith("."):
                if tokens[0] in scopes[-1].names:
                    raise self._error(number, tokens, f"name {tokens[0]!r} is taken twice")
                scopes[-1].names.add(tokens[0])
                for node in self._check_element(number, tokens, ports):
                    scopes[-1].connect(node, number, tokens)
        if len(scopes) > 1:
            raise NetlistError(f"deck {self.title!r}: a .subckt has no .ends")
        self._check_ends(scopes[0])

    def _check_ends(self, scope: _Scope) -> None:
        for node, (number, tokens) in scope.once.items():
            raise self._error(number, tokens, f"nothing else is connected to its node {node!r}")

    def _check_element(self, number: int, tokens: list[str], ports: dict[str, int]) -> list[str]:
        """Return the nodes that an element is connected to or looks at."""
        kind = tokens[0][0]
        positional = list(_positional(tokens[1:]))
        if kind == "x":
            if not positional or positional[-1] not in ports:
                known = ", ".join(sorted(ports)) or "none"
                raise self._error(number, tokens, f"its subcircuit is not defined; defined: {known}")
            expected = ports[positional[-1]]
            if len(positional) - 1 != expected:
                raise self._error(
                    number, tokens, f"it has {len(positional) - 1} nodes; {positional[-1]} has {expected}"
                )
            return positional[:-1]
        if kind not in NODES:
            raise self._error(number, tokens, f"no element starts with {kind!r}")
        nodes = NODES[kind]
        if len(tokens) < nodes + 2:
            raise self._error(number, tokens, f"it is too short; a name, {nodes} nodes and a value are needed")
        if any("=" in token for token in tokens[1 : nodes + 1]):
            raise self._error(number, tokens, f"it needs {nodes} nodes")
        if kind in NUMBERED:
            self._check_number(number, tokens, tokens[nodes + 1])
        if kind in "smd" and tokens[nodes + 1] not in self.models:
            raise self._error(number, tokens, f"model {tokens[nodes + 1]!r} is not defined")
        if kind == "b" and not re.match(r"[vi]\s*=", " ".join(tokens[nodes + 1 :])):
            raise self._error(number, tokens, "it needs v=… or i=…")
        for token in tokens[nodes + 1 :]:
            if re.search(r"(?<![a-z_])(nan|inf)(?![a-z_])", token):
                raise self._error(number, tokens, f"{token!r} is not a finite number")
            if "np." in token:
                raise self._error(number, tokens, f"{token!r} is how Python writes a number of numpy; format it")
        return [*tokens[1 : nodes + 1], *_voltages(" ".join(tokens[nodes + 1 :]))]

    def _check_number(self, number: int, tokens: list[str], token: str) -> None:
        text = token.split("=")[-1]
        if text.startswith(("{", "'")):
            return  # a parameter
        value = number_of(text)
        if value is None or not math.isfinite(value):
            raise self._error(number, tokens, f"{token!r} is not a finite number")
        if tokens[0][0] == "r" and value == 0:
            raise self._error(number, tokens, "a resistance of 0; join the nodes, or use a voltage source of 0 V")

    def _error(self, number: int, tokens: list[str], problem: str) -> NetlistError:
        return NetlistError(f"deck {self.title!r}, line {number} of its body ({' '.join(tokens)[:80]}): {problem}")


class _Scope:
    """Names of one level of a netlist, and the nodes that only one element is connected to."""

    def __init__(self, known: set[str]) -> None:
        self.names: set[str] = set()
        self.shared = {"0", "gnd", *known}
        self.once: dict[str, tuple[int, list[str]]] = {}

    def connect(self, node: str, number: int, tokens: list[str]) -> None:
        if node in self.shared:
            return
        if self.once.pop(node, None) is None:
            self.once[node] = (number, tokens)
        else:
            self.shared.add(node)


def _voltages(text: str) -> set[str]:
    """Return the nodes whose voltages an expression names."""
    pairs = re.findall(r"v\(\s*([^,()\s]+)\s*(?:,\s*([^()\s]+)\s*)?\)", text)
    return {node for pair in pairs for node in pair if node}


def number_of(text: str) -> float | None:
    """Return the value of a SPICE number such as ``2.5k`` or ``10pF``; None where it is none."""
    match = NUMBER.fullmatch(text)
    return float(match[1]) * SCALES.get((match[2] or "").lower(), 1.0) if match else None


def _joined(body: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers and tokens in lower case: comments dropped, continuation lines joined."""
    pending: tuple[int, str] | None = None
    for number, line in enumerate(body.splitlines(), start=1):
        text = line.split("$")[0].split(";")[0].strip().lower()
        if not text or text.startswith("*"):
            continue
        if text.startswith("+") and pending:
            pending = (pending[0], f"{pending[1]} {text[1:]}")
            continue
        if pending:
            yield pending[0], pending[1].split()
        pending = (number, text)
    if pending:
        yield pending[0], pending[1].split()


def _positional(tokens: Iterable[str]) -> Iterator[str]:
    """Yield tokens up to the parameters of a subcircuit."""
    for token in tokens:
        if "=" in token or token in ("params:", "="):
            return
        yield token
