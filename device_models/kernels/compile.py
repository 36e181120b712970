"""The only place that holds compiler flags."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import config as numba_config

# Numba sets its settings at import, where a type checker does not see them.
config: Any = numba_config


def scalar(function):
    """Compile a function of scalars that is called inside array kernels.

    Where it is called once per cross-point it takes no arrays: counting their references costs more than a pulse.
    """
    return _compile(function, forceinline=True)


def array(function):
    """Compile a loop over arrays."""
    return _compile(function)


def _compile(function, **options):
    """Compile, and keep the result in a folder that changes with the kernels' sources.

    Numba looks at the file of a function alone and would miss a change in a function that it has inlined.
    """
    kept = config.CACHE_DIR
    config.CACHE_DIR = _cache_folder(Path(function.__code__.co_filename).parent)
    try:
        return njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    finally:
        config.CACHE_DIR = kept


@cache
def _cache_folder(kernels):
    """Return where compiled kernels of a folder are kept; $NUMBA_CACHE_DIR moves it."""
    digest = hashlib.sha256(str(config.BOUNDSCHECK).encode())
    for folder in dict.fromkeys((Path(__file__).parent, kernels)):
        for source in sorted(folder.glob("*.py")):
            digest.update(source.name.encode() + source.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cosim"
    return str(Path(os.environ.get("NUMBA_CACHE_DIR") or home) / f"kernels-{digest.hexdigest()[:16]}")
