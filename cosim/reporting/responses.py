"""What devices answer to a train of up pulses and then down pulses, in small panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from cosim.reporting.atomic import atomic_path
from cosim.reporting.style import COLOURS, TEXT_COLOUR, add_legend, house_style, new_figure, remove_empty, save_figure
from cosim.tile import Tile
from device_models import PulsedDevice, load_device

FloatArray = npt.NDArray[np.float64]

COLUMNS = 4
PANEL_HEIGHT_INCH = 1.45
DOTS_PER_INCH = 150
NOISY_DEVICES = 4
READS_PER_DIRECTION = 80
PULSES_MIN = 20
NOISY_COLOUR = "#b4b4b4"
ENDINGS = (".png", ".svg")


def pulse_response(
    device: PulsedDevice, *, pulses: int, devices: int = 1, seed: int = 0
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Pulse devices up and then as often down, from weight 0, and read them on the way.

    Parameters
    ----------
    device
        The device; its variation and noise take part.
    pulses
        Pulses of each direction, >= 1.
    devices
        How many devices of the population.
    seed
        Same seed, same devices and same noise.

    Returns
    -------
    tuple
        Number of pulses so far, (reads,), and the weights after them, (reads, devices).
    """
    tile = Tile((1, devices), device, seed=seed)
    tile.set_weights(np.zeros((1, devices)))
    one_way = np.unique(np.linspace(0, pulses, min(pulses, READS_PER_DIRECTION) + 1).round().astype(np.int64))
    numbers, weights = [0], [tile.weights[0].astype(np.float64)]
    for up in (True, False):
        for count in np.diff(one_way):
            tile.pulse(up=up, count=int(count))
            numbers.append(numbers[-1] + int(count))
            weights.append(tile.weights[0].astype(np.float64))
    return np.array(numbers), np.array(weights)


def nominal(device: PulsedDevice) -> PulsedDevice:
    """Return the device without variation, noise and stuck devices."""
    spreads: dict[str, Any] = {
        field.name: 0.0
        for field in fields(device)
        if field.name.endswith(("_dtod", "_std")) and not isinstance(getattr(device, field.name), tuple)
    }
    return replace(device, corrupt_devices_prob=0.0, **spreads)


def draw_responses(names: Sequence[str]) -> Figure:
    """Draw one small panel for each device preset: weight against pulse number.

    Parameters
    ----------
    names
        Names of presets, at least one; as many pulses of each direction as a device has states, at least 20.
    """
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(PANEL_HEIGHT_INCH * rows + 0.9)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, name in zip(grid.flat, names, strict=False):
        _plot_panel(axes, load_device(name))
        axes.set_title(name, fontsize=8.5)
    remove_empty(grid, len(names))
    figure.supxlabel("pulse number: first up, then as many down", fontsize=9)
    figure.supylabel("weight", fontsize=9)
    add_legend(figure, _handles())
    return figure


def write_responses(path: Path, names: Sequence[str]) -> Path:
    """Write the picture of `draw_responses`, PNG or SVG by the file's ending; the same bytes every time.

    Raises
    ------
    ValueError
        For another ending.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(f"{path}: the ending {path.suffix!r} is not known; {' and '.join(ENDINGS)} are")
    with house_style():
        figure = draw_responses(names)
    if ending == ".svg":
        return save_figure(figure, path, source="cosim list devices --plot")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, house_style():
        figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH, metadata={"Software": "cosim"})
    return path


def _plot_panel(axes: Axes, device: PulsedDevice) -> None:
    pulses = max(round(device.states), PULSES_MIN)
    numbers, noisy = pulse_response(device, pulses=pulses, devices=NOISY_DEVICES, seed=1)
    axes.plot(numbers, noisy, color=NOISY_COLOUR, linewidth=0.6)
    numbers, weights = pulse_response(nominal(device), pulses=pulses)
    axes.plot(numbers, weights[:, 0], color=COLOURS[0], linewidth=1.6)
    point = device.symmetric_point()
    if point is not None:
        axes.axhline(point, color=TEXT_COLOUR, linewidth=1.0, linestyle=":")
    axes.set_xlim(0, 2 * pulses)
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(labelsize=7.5)


def _handles() -> list[Line2D]:
    return [
        Line2D([], [], color=COLOURS[0], linewidth=1.6, label="nominal device"),
        Line2D([], [], color=NOISY_COLOUR, linewidth=0.9, label=f"{NOISY_DEVICES} varied, noisy devices"),
        Line2D([], [], color=TEXT_COLOUR, linewidth=1.0, linestyle=":", label="symmetric point"),
    ]
