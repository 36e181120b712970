"""One logical weight held by several tiles, with the digital matrices that its algorithm keeps beside them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple

import numpy as np
import numpy.typing as npt

from cosim.converters import draw_converters
from cosim.digital_matrix import subtract_outer_products
from cosim.kernels.digital import take_multiples
from cosim.periphery import Periphery
from cosim.reading import FloatArray, checked, read_lines, read_matrices
from cosim.tile import SINGLE_PULSE, PulsedUpdate, Tile
from cosim.wires import WiredGroup, Wires
from cost_model.floorplan import Side
from cost_model.operations import PulseActivity, ReadActivity
from device_models.kernels.random_numbers import make_key
from device_models.parameters import PulsedDevice

STREAMS_PER_GROUP = 64
UNLIMITED_LINES = 1 << 30
# Reads without converters count the error of wires in steps of 8 bits.
LEVELS_WITHOUT_CONVERTER = 127


class TileGroup:
    """A weight W̄ = Σ sₙ Wₙ over tiles with significance sₙ.

    Tile 0 is the coarsest. The tiles' currents are weighted by gain, summed and converted once; where tiles do
    not share converters, each is converted and the results are added digitally (Li et al., arXiv:2510.02516,
    section 3.3). Tiles with significance 0 are not read with the others.

    Parameters
    ----------
    shape
        (outputs, inputs).
    device
        Parameters of the devices of every tile.
    significances
        Weight of each tile in the sum; at least one.
    seed, group
        Seed of the run, and the number of this group among the groups of the run, both >= 0.
    periphery
        Converters; ideal where not given.
    update
        How updates become pulse trains.
    array_rows, array_cols
        Input and output lines of a physical array; longer sides are split and their results added digitally.
    references
        Tiles beside which a reference array stands, for `Tile.zero_shift`.
    wires
        Lines with resistance, through which every read goes; ideal where not given.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        device: PulsedDevice,
        *,
        significances: Sequence[float] = (1.0,),
        seed: int = 0,
        group: int = 0,
        periphery: Periphery | None = None,
        update: PulsedUpdate | None = None,
        array_rows: int = UNLIMITED_LINES,
        array_cols: int = UNLIMITED_LINES,
        references: Collection[int] = (),
        wires: Wires | None = None,
    ) -> None:
        if not significances or not any(significances):
            raise ValueError(f"significances {list(significances)}: at least one tile must carry weight")
        if len(significances) >= STREAMS_PER_GROUP:
            raise ValueError(f"{len(significances)} tiles are too many; at most {STREAMS_PER_GROUP - 1}")
        self.shape = shape
        self.periphery = periphery or Periphery()
        self.array_rows, self.array_cols = array_rows, array_cols
        self.nominal_significances = tuple(float(value) for value in significances)
        first = group * STREAMS_PER_GROUP
        self.tiles = [
            Tile(
                shape,
                device,
                seed=seed,
                stream=first + place,
                periphery=periphery,
                update=update,
                reference=place in references,
            )
            for place in range(len(significances))
        ]
        self._seed, self._stream = seed, first + STREAMS_PER_GROUP - 1
        self.reads = 0
        normal = np.random.Generator(np.random.Philox(key=[seed, self._stream])).standard_normal
        self._gain_errors = self.periphery.gain_mismatch * normal(len(self.tiles))
        self._converters = {
            forward: draw_converters(
                self.periphery,
                *self.sides(forward=forward),
                tiles=1 if self.periphery.shared_by_tiles else len(self.tiles),
                seed=seed,
                stream=self._stream,
                forward=forward,
            )
            for forward in (True, False)
        }
        self.pointers = np.zeros(len(self.tiles), dtype=np.int64)
        self.memory: dict[str, npt.NDArray[np.generic]] = {}
        self.set_significances(self.nominal_significances)
        self._composite = np.zeros(shape, dtype=np.float32)
        self.wired: WiredGroup | None = None
        self._changed = True
        if wires is not None:
            inputs, outputs = (side.block_lines for side in self.sides(forward=True))
            lsb = self.periphery.full_scale / (self.periphery.adc_levels or LEVELS_WITHOUT_CONVERTER)
            self.wired = WiredGroup(self.tiles, wires, max(inputs, 1), max(outputs, 1), lsb)

    def sides(self, *, forward: bool) -> tuple[Side, Side]:
        """Return the driven side and the sensed side of a read."""
        inputs, outputs = Side(self.shape[1], self.array_rows), Side(self.shape[0], self.array_cols)
        return (inputs, outputs) if forward else (outputs, inputs)

    def set_significances(self, nominal: Sequence[float]) -> None:
        """Set the gains of the summing stage; each tile's is off by its own fixed error. `recombine` is due then."""
        pairs = zip(nominal, self._gain_errors, strict=True)
        self.significances = tuple(float(value * (1 + error)) for value, error in pairs)

    @property
    def weights(self) -> FloatArray:
        """The composite weight, float32 (outputs, inputs), a read-only view."""
        view = self._composite.view()
        view.flags.writeable = False
        return view

    @property
    def carrier(self) -> int:
        """The coarsest tile that is read: it alone holds the initial weights."""
        return next(place for place, value in enumerate(self.nominal_significances) if value)

    def recombine(self) -> None:
        """Rebuild the composite weight from the tiles; incremental changes leave rounding errors of float32."""
        total = np.zeros(self.shape)
        for tile, significance in zip(self.tiles, self.significances, strict=True):
            if significance:
                total += significance * tile.weights.astype(np.float64)
        self._composite[:] = total
        self._changed = True

    def set_weights(self, weights: npt.ArrayLike) -> None:
        """Program the carrier with weights / significance, the other tiles with zero."""
        for place, tile in enumerate(self.tiles):
            scale = 1 / self.nominal_significances[place] if place == self.carrier else 0.0
            tile.set_weights(np.asarray(weights) * scale)
        self.recombine()

    def forward(self, inputs: npt.ArrayLike) -> FloatArray:
        """Return W̄ x for each vector: (batch, inputs) to (batch, outputs), float32."""
        return self.read(checked("inputs", inputs, self.shape[1]), forward=True)[0]

    def backward(self, errors: npt.ArrayLike) -> FloatArray:
        """Return W̄ᵀ d for each vector: (batch, outputs) to (batch, inputs), float32."""
        return self.read(checked("errors", errors, self.shape[0]), forward=False)[0]

    def read(self, values: FloatArray, *, forward: bool) -> tuple[FloatArray, ReadActivity]:
        """Read all significant tiles together, on checked inputs; returns the result and the activity."""
        if self.wired is not None and self._changed:
            self.wired.follow(self.significances, values, forward=forward)
            self._changed = False
        if self.periphery.shared_by_tiles:
            tiles, matrices = [0], [self._composite if self.wired is None else self.wired.composite]
        else:
            tiles = [place for place, significance in enumerate(self.significances) if significance]
            matrices = [np.float32(self.significances[place]) * self._seen(place) for place in tiles]
        if not forward:
            matrices = [matrix.T for matrix in matrices]
        driven, _ = self.sides(forward=forward)
        return read_matrices(
            matrices,
            values,
            self.periphery,
            max(driven.block_lines, 1),
            self.next_key(),
            forward=forward,
            converters=self._converters[forward].of_tiles(tiles),
        )

    def _seen(self, place: int) -> FloatArray:
        """Return the weights of one tile as a read sees them."""
        return self.tiles[place].weights if self.wired is None else self.wired.tiles[place].effective()

    def next_key(self) -> np.uint64:
        """Return the address of the random numbers of the next read or draw."""
        self.reads += 1
        return np.uint64(make_key(self._seed, self._stream, self.reads))

    def update(self, tile: int, inputs: FloatArray, errors: FloatArray, rate: float) -> PulseActivity:
        """Change one tile by -rate dᵀx by pulse coincidences; the composite weight follows."""
        return self._pulse(tile, inputs, errors, rate, self.tiles[tile].update_settings)

    def _pulse(
        self, tile: int, inputs: FloatArray, errors: FloatArray, rate: float, settings: PulsedUpdate
    ) -> PulseActivity:
        activity = self.tiles[tile].rank_one(inputs, errors, rate, settings, self._composite, self.significances[tile])
        self._changed |= activity.coincidences > 0
        return activity

    def next_columns(self, source: int, count: int) -> npt.NDArray[np.int64]:
        """Return the next columns of a tile to be transferred, in cyclic order, and move its pointer on."""
        columns: npt.NDArray[np.int64] = (self.pointers[source] + np.arange(count)) % self.shape[1]
        self.pointers[source] = (self.pointers[source] + count) % self.shape[1]
        return columns

    def read_columns(self, source: int, columns: npt.NDArray[np.int64]) -> FloatArray:
        """Read columns of one tile by one-hot inputs; returns float32 (columns, outputs) as the converter gave it.

        A one-hot input is at full scale on one line of one array: one conversion per output, no partial sums.
        """
        driven, _ = self.sides(forward=True)
        return read_lines(
            self._seen(source),
            columns,
            self.periphery,
            max(driven.block_lines, 1),
            self.next_key() if self.periphery.adc_levels or not self.periphery.is_plain else np.uint64(0),
            tile=0 if self.periphery.shared_by_tiles else source,
            converters=self._converters[True],
        )

    def add_to_columns(
        self, target: int, columns: npt.NDArray[np.int64], values: FloatArray, rate: float
    ) -> PulseActivity:
        """Add rate times values, float32 (columns, outputs), to columns of a tile by trains of pulses."""
        return self._pulse(target, self._one_hot(columns), -values, rate, self.tiles[target].update_settings)

    def pulse_columns(self, target: int, columns: npt.NDArray[np.int64], counts: FloatArray) -> PulseActivity:
        """Give devices of columns `counts` pulses each, float32 (columns, outputs), signed whole numbers.

        A count of ±1 is one pulse that certainly fires; more are sent one after the other.
        """
        most = int(np.abs(counts).max(initial=0.0))
        rounds = [np.sign(counts) * (np.abs(counts) > number) for number in range(max(most, 1))]
        chosen = np.concatenate([columns] * len(rounds))
        errors = np.ascontiguousarray(-np.concatenate(rounds), dtype=np.float32)
        return self._pulse(target, self._one_hot(chosen), errors, self.tiles[target].device.granularity, SINGLE_PULSE)

    def _one_hot(self, columns: npt.NDArray[np.int64]) -> FloatArray:
        selections = np.zeros((len(columns), self.shape[1]), dtype=np.float32)
        selections[np.arange(len(columns)), columns] = 1.0
        return selections

    def digital_matrix(self, name: str) -> FloatArray:
        """Return a digital matrix that the algorithm keeps beside the tiles, float32 (outputs, inputs); zero at first.

        Like everything in `memory` it is part of the state.
        """
        return self.digital_array(name, self.shape)

    def digital_array(self, name: str, shape: tuple[int, ...], fill: float = 0.0) -> FloatArray:
        """Return a digital array of any shape, float32, filled with one value at first."""
        if name not in self.memory:
            self.memory[name] = np.full(shape, fill, dtype=np.float32)
        array: FloatArray = self.memory[name]  # type: ignore[assignment]
        return array

    def uniform(self, count: int) -> npt.NDArray[np.float64]:
        """Return random numbers in [0, 1) for decisions of an algorithm."""
        return np.random.Generator(np.random.Philox(key=int(self.next_key()))).random(count)

    def age(self) -> None:
        """Let one mini-batch pass in every device: decay and diffusion."""
        for tile in self.tiles:
            tile.age()
        self.recombine()

    def refresh(self) -> PulseActivity:
        """Write worn one-sided pairs again, and return the pulses that this took."""
        total = np.zeros(6)
        for tile, significance in zip(self.tiles, self.significances, strict=True):
            total += astuple(tile.refresh(self._composite, significance))
        self._changed = True
        return PulseActivity(*total.tolist())

    def accumulate(self, inputs: FloatArray, errors: FloatArray, rate: float) -> None:
        """Add -rate dᵀx to the digital matrix ``gradient``."""
        subtract_outer_products(self.digital_matrix("gradient"), inputs, errors, rate)

    def write_buffer(self, target: int) -> PulseActivity:
        """Take whole multiples of the granularity out of ``gradient`` and pulse them onto a tile, row after row."""
        counts = np.empty(self.shape, dtype=np.float32)
        granularity = self.tiles[target].device.granularity
        take_multiples(self.digital_matrix("gradient"), granularity, counts)
        busy = np.flatnonzero(counts.any(axis=1))
        selections = np.zeros((len(busy), self.shape[0]), dtype=np.float32)
        selections[np.arange(len(busy)), busy] = 1.0
        return self._pulse(target, -counts[busy], selections, granularity, self.tiles[target].update_settings)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return everything that changes, as named arrays."""
        state: dict[str, npt.NDArray[np.generic]] = {
            "composite": self._composite.copy(),
            "pointers": self.pointers.copy(),
            "reads": np.array(self.reads),
        }
        state["significances"] = np.array(self.significances)
        state |= {f"memory.{name}": array.copy() for name, array in self.memory.items()}
        for place, tile in enumerate(self.tiles):
            state |= {f"tile{place}.{name}": value for name, value in tile.state().items()}
        if self.wired is not None:
            state |= {f"wires.{name}": value for name, value in self.wired.state().items()}
            state["wires.changed"] = np.array(self._changed)
        return state

    def restore(self, state: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take over a state that `state` returned."""
        self._composite[:] = state["composite"]
        self.pointers[:] = state["pointers"]
        self.reads = int(state["reads"])
        self.significances = tuple(state["significances"].tolist())
        kept = {name: array for name, array in state.items() if name.startswith("memory.")}
        self.memory = {name.removeprefix("memory."): np.array(array) for name, array in kept.items()}
        for place, tile in enumerate(self.tiles):
            tile.restore({name: state[f"tile{place}.{name}"] for name in ("weights", "stored", "actions")})
        if self.wired is not None:
            self.wired.restore(
                {name.removeprefix("wires."): array for name, array in state.items() if "wires." in name}
            )
            self._changed = bool(state["wires.changed"])
