"""What a person is told about a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown_name(name: str, known: Iterable[str], heading: str = "known") -> str:
    """Return ``is unknown; nearest: 'this'; known: this, that``, without the nearest where none is near."""
    names = list(known)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; nearest: {nearest[0]!r}" if nearest else ""
    return f"is unknown{hint}; {heading}: {', '.join(names)}"
