"""The converters as training sees them, from the same calibration table that prices them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from cost_model.hardware import Hardware

NoiseManagement = Literal["abs_max", "max", "constant", "abs_max_np_sum", "off"]
BoundManagement = Literal["off", "iterative", "iterative_worst_case"]


@dataclass(frozen=True, kw_only=True)
class Periphery:
    """What stands between the digital world and the lines of a tile.

    A read scales its input vector, quantises and clips it, multiplies, bends and disturbs each column, converts it
    and scales back (Rasch et al., AICAS 2021, arXiv:2104.02184). `Periphery()` is ideal.

    Parameters
    ----------
    dac_bits
        Resolution of the input, sign included, 2 to 16; None for an ideal DAC.
    adc_bits
        Resolution of the output, sign included, 2 to 16; None for an ideal converter, which never clips.
    full_scale
        Largest converted output, in units of weight times full-scale input, > 0.
    noise_lsb
        Input-referred noise of the converter, rms in LSB, >= 0.
    gain_mismatch
        Standard deviation of the relative gain error of one tile in the summing stage, >= 0.
    shared_by_tiles
        Whether the tiles' columns are summed before one converter, or each tile is converted on its own.
    input_bound
        Digital value of a full-scale input where noise management is off, > 0; larger ones clip.
    input_noise
        Noise on every driven line after the DAC, rms, as a fraction of full-scale input, >= 0.
    output_noise
        Noise of a column before its converter, rms, in units of weight times full-scale input, >= 0.
    weight_noise
        Noise of the weights during a read, rms of each, >= 0: a column of inputs v gets weight_noise times |v|.
    output_nonlinearity
        Share n by which a column y at full scale bends, y / (1 + n |y| / full_scale), >= 0.
    noise_management
        What a vector is divided by: ``abs_max`` its largest magnitude, ``max`` its largest value, ``constant`` the
        threshold, ``abs_max_np_sum`` its largest magnitude, or more where the sum of its positive or of its
        negative values would overflow columns of weights `noise_management_w_max`, ``off`` the input bound.
    noise_management_threshold
        Largest divisor that is taken from a vector, 0 for no limit; with ``constant`` the divisor itself, 0 for 1.
    noise_management_w_max
        Weight that ``abs_max_np_sum`` assumes, > 0.
    bound_management
        What happens to a vector of a forward read of which a column clips. ``off``: nothing. ``iterative``: it is
        read again with half the input until no column clips. ``iterative_worst_case``: likewise, but the second
        read starts over from the divisor of ``abs_max_np_sum``.
    bound_factor_max
        A vector is read no more once its input has been divided by more than this, >= 1.
    bound_resolution_max
        Likewise once a step of the DAC is more than this share of the largest input; it limits the divisor of
        ``abs_max_np_sum`` too, > 0.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    dac_bits: int | None = None
    adc_bits: int | None = None
    full_scale: float = 4.0
    noise_lsb: float = 0.0
    gain_mismatch: float = 0.0
    shared_by_tiles: bool = True
    input_bound: float = 1.0
    input_noise: float = 0.0
    output_noise: float = 0.0
    weight_noise: float = 0.0
    output_nonlinearity: float = 0.0
    noise_management: NoiseManagement = "abs_max"
    noise_management_threshold: float = 0.0
    noise_management_w_max: float = 0.6
    bound_management: BoundManagement = "off"
    bound_factor_max: float = 1000.0
    bound_resolution_max: float = 0.25

    def __post_init__(self) -> None:
        for name in ("dac_bits", "adc_bits"):
            bits = getattr(self, name)
            if bits is not None and not 2 <= bits <= 16:
                raise ValueError(f"periphery: {name} = {bits} is not allowed; 2 to 16 bits, or None for ideal")
        for name in ("full_scale", "input_bound", "noise_management_w_max", "bound_resolution_max"):
            if not getattr(self, name) > 0:
                raise ValueError(f"periphery: {name} = {getattr(self, name)} is not allowed; it must be above 0")
        for name in (
            *("noise_lsb", "gain_mismatch", "input_noise", "output_noise", "weight_noise", "output_nonlinearity"),
            "noise_management_threshold",
        ):
            if not getattr(self, name) >= 0:
                raise ValueError(f"periphery: {name} = {getattr(self, name)} is not allowed; it is at least 0")
        if not self.bound_factor_max >= 1:
            raise ValueError(f"periphery: bound_factor_max = {self.bound_factor_max} is not allowed; it is at least 1")
        for name, known in (("noise_management", NoiseManagement), ("bound_management", BoundManagement)):
            if getattr(self, name) not in get_args(known):
                allowed = ", ".join(get_args(known))
                raise ValueError(f"periphery: {name} = {getattr(self, name)!r} is not allowed; known: {allowed}")
        if self.input_bound != 1 and self.noise_management != "off":
            raise ValueError(
                f"periphery: input_bound = {self.input_bound} has no effect with noise_management = "
                f"{self.noise_management!r}, which scales the input itself; set noise_management = 'off'"
            )

    @property
    def dac_levels(self) -> int:
        """Positive levels of the DAC; 0 for an ideal one."""
        return 2 ** (self.dac_bits - 1) - 1 if self.dac_bits else 0

    @property
    def adc_levels(self) -> int:
        """Positive levels of the converter; 0 for an ideal one."""
        return 2 ** (self.adc_bits - 1) - 1 if self.adc_bits else 0

    @cached_property
    def converter_noise(self) -> float:
        """Noise of the converter and of the column before it, rms in LSB."""
        return math.hypot(self.noise_lsb, self.output_noise * self.adc_levels / self.full_scale)

    @cached_property
    def is_plain(self) -> bool:
        """Whether a read is a product between a DAC at full swing and a noisy converter, with nothing else."""
        disturbed = self.input_noise or self.weight_noise or self.output_nonlinearity
        scaled = self.noise_management == "abs_max" and not self.noise_management_threshold
        return scaled and not disturbed and (self.adc_levels > 0 or not self.output_noise)

    def may_read_again(self, factor: float) -> bool:
        """Return whether bound management asks for another read after one with its input divided by `factor`."""
        return factor <= self.bound_factor_max and factor <= self.reduction_max

    @property
    def reduction_max(self) -> float:
        """Division of the input that leaves it the resolution that bound management asks for."""
        return self.bound_resolution_max * self.dac_levels if self.dac_levels else math.inf

    @classmethod
    def from_hardware(
        cls,
        hardware: Hardware,
        *,
        ideal: bool,
        noise_management: NoiseManagement = "abs_max",
        bound_management: BoundManagement = "off",
    ) -> Periphery:
        """Return the periphery of a design: its errors come from the table that gives its energies.

        Parameters
        ----------
        hardware
            The design.
        ideal
            True switches every error off, and with it every management; what the converters cost stays.
        noise_management, bound_management
            How inputs are scaled, and what happens where outputs clip.
        """
        if ideal:
            return cls(shared_by_tiles=hardware.shared_by_tiles)
        table = hardware.calibration
        return cls(
            dac_bits=hardware.dac_bits,
            adc_bits=hardware.adc_bits,
            full_scale=hardware.adc_full_scale,
            noise_lsb=table.quantity("sar_adc", "noise_lsb", hardware.adc_bits).value,
            gain_mismatch=table.quantity("summing_stage", "gain_mismatch").value,
            shared_by_tiles=hardware.shared_by_tiles,
            noise_management=noise_management,
            bound_management=bound_management,
        )
