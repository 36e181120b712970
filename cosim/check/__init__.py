"""The circuit in the loop: sub-arrays of a trained network as circuits, against what the behavioural tiles give.

Ideal cells (no wires, amplitudes instead of pulses, op-amps of infinite gain) must give what a tile group gives, to
single precision. Real cells differ; the causes are switched on one after the other, and what neither wires nor gain
mismatch of the tile model explain must stay below a tolerance. Updates and transfers are pulsed onto memristive cells
with the parameters of the tile's own devices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from circuits.simulator import SimulationError
from cosim.check.bench import Bench
from cosim.check.findings import COLUMNS, Check, Fault, Finding
from cosim.check.places import places_of
from cosim.check.reads import check_ideal, check_real
from cosim.check.training import Trained, need_ngspice, train_or_restore
from cosim.check.writes import UPDATE_SIZE, check_transfer, check_update
from cosim.config import ConfigError
from cosim.tile_group import TileGroup
from cosim.workers import RunError

Tell = Callable[[str], None]

SIZE, SIZE_MAX = 32, 48
TOLERANCE_LSB = 0.5

__all__ = ["COLUMNS", "Check", "Fault", "Finding", "check"]


def check(
    target: str | Path,
    *,
    size: int = SIZE,
    run_id: str | None = None,
    steps: int | None = None,
    tolerance_lsb: float = TOLERANCE_LSB,
    fault: Fault | None = None,
    tell: Tell = lambda line: None,
) -> Check:
    """Simulate sub-arrays of a trained network as circuits and compare them with the behavioural tiles.

    Parameters
    ----------
    target
        A run folder with checkpoints, or a study file, whose first analog point is trained for an epoch.
    size
        Lines of a sub-array, 1 to 48; larger ones take ngspice minutes.
    run_id
        Which run of the folder; the one with the most tiles where not given.
    steps
        Mini-batches that a study is trained instead of an epoch, >= 1.
    tolerance_lsb
        Largest rms of what the tile model does not explain, in LSB of the converter, > 0.
    fault
        Something wrong with the circuit.
    tell
        Called with a line about each thing that is being simulated.

    Raises
    ------
    ConfigError, DataError
        For bad input.
    RunError
        If ngspice is missing or failed.
    """
    if not 1 <= size <= SIZE_MAX:
        raise ConfigError(f"size = {size} is not allowed; 1 to {SIZE_MAX} lines")
    if not 0 < tolerance_lsb < math.inf:
        raise ConfigError(f"tolerance-lsb = {tolerance_lsb} is not allowed; above 0 and finite")
    if steps is not None and steps < 1:
        raise ConfigError(f"steps = {steps} is not allowed; at least 1 mini-batch")
    trained = train_or_restore(Path(target), run_id, steps)
    need_ngspice()
    done = Check(facts=_facts(trained, size))
    try:
        _check_all(done, trained, size, tolerance_lsb, fault or Fault(), tell)
    except SimulationError as error:
        raise RunError(str(error)) from None
    return done


def _check_all(done: Check, trained: Trained, size: int, tolerance_lsb: float, fault: Fault, tell: Tell) -> None:
    seen = set()
    for place in places_of(trained.layers, size):
        bench = Bench(trained, place, fault)
        for forward in (True, False):
            tell(f"{place.name}: {'forward' if forward else 'backward'} read")
            check_ideal(done, bench, forward=forward)
            check_real(done, bench, tolerance_lsb, forward=forward)
        if place.layer not in seen:
            seen.add(place.layer)
            tell(f"{place.layer_name}: update and transfer")
            check_update(done, trained, place.layer, min(size, UPDATE_SIZE))
            check_transfer(done, trained, place.layer, min(size, UPDATE_SIZE), fault)


def _length(trained: Trained) -> dict[str, str]:
    """Return for how long a network was trained."""
    if epochs := trained.training.epochs_done:
        return {"epochs": str(epochs)}
    return {"mini-batches": str(trained.training.scheduler.mini_batches)}


def _facts(trained: Trained, size: int) -> dict[str, str]:
    point = trained.point
    group: TileGroup = trained.layers[0].matrix
    return {
        "run": point.run_id,
        "algorithm": point.algorithm().name,
        "tiles": str(len(group.tiles)),
        "significances": ", ".join(f"{value:g}" for value in group.nominal_significances),
        "network": point.resolved["network"]["name"],
        "data": point.resolved["data"]["name"],
        **_length(trained),
        "device": f"{point.device_name}, {point.device.states:g} states",
        "sub-arrays": f"at most {size} x {size} weights, {2 * size} x {size} cells",
        "converters": f"DAC {point.hardware.dac_bits} bits, ADC {point.hardware.adc_bits} bits",
    }
