"""Train neural networks on simulated analog hardware, and price the operations that trained them."""

from typing import Any

__version__ = "0.1.0"

_PLACES = {
    "ConfigError": "cosim.config",
    "Periphery": "cosim.periphery",
    "PulsedUpdate": "cosim.tile",
    "Record": "cosim.study",
    "Tile": "cosim.tile",
    "TileGroup": "cosim.tile_group",
    "price": "cosim.study",
    "run": "cosim.study",
    "use_threads": "cosim.threads",
}
__all__ = [*sorted(_PLACES), "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that importing the package is quick."""
    if name not in _PLACES:
        raise AttributeError(f"module 'cosim' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
