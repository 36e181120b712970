"""One sub-array as tile groups and as circuits, and the vectors that it reads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from circuits import frame
from circuits.in_the_loop import ReadCircuit
from cosim.check.findings import Fault
from cosim.check.places import Place
from cosim.check.training import Trained
from cosim.kernels.effective import cells_of
from cosim.periphery import Periphery
from cosim.tile import Tile
from cosim.tile_group import TileGroup
from cosim.wires import Wires

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]


class Bench:
    """A sub-array as tile groups and as circuits.

    A weight of 1 with a full input is `slope_s` times the read voltage; feedback resistors are the significances, and
    the capacitor of the integrator is such that the full scale of the converter is half of its range.

    Parameters
    ----------
    trained
        Where it is from.
    place
        Which sub-array.
    fault
        What is wrong with the circuit.
    """

    def __init__(self, trained: Trained, place: Place, fault: Fault) -> None:
        self.trained, self.place, self.fault = trained, place, fault
        point = trained.point
        self.group: TileGroup = trained.layers[place.layer].matrix
        given = point.resolved["hardware"].get("wires")
        self.wires = Wires(segment_resistance_ohm=frame.SEGMENT_RESISTANCE_OHM) if given is None else Wires(**given)
        self.hardware = point.hardware
        self.dac_levels, self.adc_levels = 2 ** (self.hardware.dac_bits - 1) - 1, 2 ** (self.hardware.adc_bits - 1) - 1
        self.lsb_v = (frame.ADC_HIGH_V - frame.ADC_LOW_V) / 2**self.hardware.adc_bits
        self.lsb = self.hardware.adc_full_scale / self.adc_levels  # in units of weight times full-scale input
        self.read_tiles = [number for number, value in enumerate(self.group.nominal_significances) if value]
        self.seed = [point.seed, place.layer, place.outputs.start, place.inputs.start]

    def model(self, *, real: bool, periphery: Periphery | None = None) -> TileGroup:
        """Return a tile group of this sub-array, ideal but for its periphery; a real one has wires and gain errors."""
        full, device = self.group, self.trained.training.point.device
        group = TileGroup(
            self.place.shape,
            device,
            significances=full.nominal_significances,
            seed=self.trained.point.seed,
            periphery=periphery,
            references=[n for n, tile in enumerate(full.tiles) if tile.has_reference and not device.one_sided],
            wires=self.wires if real else None,
        )
        state = group.state()
        rows, columns = self.place.outputs, self.place.inputs
        for number, tile in enumerate(full.tiles):
            whole = tile.state()
            state[f"tile{number}.weights"] = whole["weights"][rows, columns]
            state[f"tile{number}.stored"] = whole["stored"][:, rows, columns]
        state["significances"] = np.array(full.significances if real else full.nominal_significances)
        group.restore(state)
        group.recombine()
        return group

    def conductances(self, tiles: list[Tile]) -> FloatArray:
        """Return what the cells of tiles of the sub-array conduct, (tiles, 2, inputs, outputs), in siemens."""
        cells = np.empty((len(tiles), 2, *self.place.shape), dtype=np.float32)
        for place, tile in enumerate(tiles):
            cells_of(tile.weights, tile.second_devices, cells[place])
        return self.wires.min_conductance_s + self.slope_s * np.maximum(cells, 0).astype(np.float64).swapaxes(2, 3)

    @property
    def slope_s(self) -> float:
        """Conductance of a weight of 1, above the lowest one."""
        device = self.trained.point.device
        return (self.wires.max_conductance_s - self.wires.min_conductance_s) / max(abs(device.w_max), abs(device.w_min))

    @property
    def window_s(self) -> float:
        """Length of a full pulse."""
        return float(self.dac_levels * frame.TICK_S)

    def circuit(self, tiles: list[Tile], gains: FloatArray, *, transposed: bool) -> ReadCircuit:
        """Return the ideal circuit of tiles that are read together with these gains, faults included."""
        conductance_s = self.conductances(tiles)
        faulty = min(self.fault.tile, len(tiles) - 1)
        if self.fault.swapped_outputs is not None:
            first, second = self.fault.swapped_outputs
            conductance_s[faulty][..., [first, second]] = conductance_s[faulty][..., [second, first]]
        sensed = self.place.shape[1 if transposed else 0]
        largest = float(np.abs(gains).max())
        feedback_ohm = np.tile(frame.FEEDBACK_RESISTANCE_OHM * gains[:, None] / largest, (1, sensed))
        feedback_ohm[faulty] *= self.fault.gain_factor
        full_scale_a = frame.READ_VOLTAGE_V * self.slope_s * self.hardware.adc_full_scale / largest
        charge = full_scale_a * frame.FEEDBACK_RESISTANCE_OHM / frame.SUMMING_RESISTANCE_OHM * self.window_s
        return ReadCircuit(
            conductance_s=conductance_s,
            feedback_ohm=feedback_ohm,
            summing_ohm=np.full((len(tiles), sensed), frame.SUMMING_RESISTANCE_OHM),
            capacitance_f=charge / (self.adc_levels * self.lsb_v),
            window_s=self.window_s,
            transposed=transposed,
        )

    def vectors(self, *, forward: bool) -> tuple[SingleArray, FloatArray]:
        """Return what the sub-array reads, (vectors, lines) without those that are 0 there, and their full scales."""
        whole = (self.trained.inputs if forward else self.trained.errors)[self.place.layer]
        part = whole[:, self.place.inputs if forward else self.place.outputs]
        driven = np.flatnonzero(np.abs(part).max(axis=1, initial=0.0) > 0)
        return part[driven], np.abs(whole[driven]).max(axis=1, initial=0.0).astype(np.float64)
