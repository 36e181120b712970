"""The converters as training sees them, from the same calibration table that prices them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from circuits.frame import ADC_HIGH_V, ADC_LOW_V
from cost_model.hardware import SIMULATED_ADC, Hardware, HardwareError
from cost_model.models import calibrated
from cost_model.parts import r2r_unit_mismatch

NoiseManagement = Literal["abs_max", "max", "constant", "abs_max_np_sum", "off"]
BoundManagement = Literal["off", "iterative", "iterative_worst_case"]

# Swing of a column at the converter's input, up or down, for its largest code.
FULL_SCALE_V = (ADC_HIGH_V - ADC_LOW_V) / 2
# Each converter's offset is measured once and its whole codes subtracted; anything up to half a code is left.
CALIBRATED_OFFSET_LSB = 1 / math.sqrt(12)


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
    columns_per_adc
        Neighbouring outputs of a physical array that take turns on one converter, >= 1; they share its errors.
    adc_capacitor_mismatch
        Relative standard deviation of one unit capacitor in the binary array of every converter, >= 0.
    adc_offset_lsb
        Offset of each converter that calibration leaves, rms over the converters in LSB, >= 0; spread evenly.
    dac_capacitor_mismatch
        As of the converter, for a capacitive DAC on every input line; a line at 0 stays at 0.
    dac_offset_lsb
        Error of the duration of every pulse of a pulse-width DAC in its steps, > -1; no pulse, no error.

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
    columns_per_adc: int = 1
    adc_capacitor_mismatch: float = 0.0
    adc_offset_lsb: float = 0.0
    dac_capacitor_mismatch: float = 0.0
    dac_offset_lsb: float = 0.0

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
            *("noise_management_threshold", "adc_capacitor_mismatch", "adc_offset_lsb", "dac_capacitor_mismatch"),
        ):
            if not getattr(self, name) >= 0:
                raise ValueError(f"periphery: {name} = {getattr(self, name)} is not allowed; it is at least 0")
        if not self.bound_factor_max >= 1:
            raise ValueError(f"periphery: bound_factor_max = {self.bound_factor_max} is not allowed; it is at least 1")
        if not self.columns_per_adc >= 1:
            raise ValueError(f"periphery: columns_per_adc = {self.columns_per_adc} is not allowed; it is at least 1")
        if not -1 < self.dac_offset_lsb < math.inf:
            raise ValueError(f"periphery: dac_offset_lsb = {self.dac_offset_lsb} is not allowed; it must be above -1")
        if self.dac_offset_lsb and self.dac_capacitor_mismatch:
            raise ValueError(
                f"periphery: dac_offset_lsb = {self.dac_offset_lsb} is of a pulse-width DAC, dac_capacitor_mismatch = "
                f"{self.dac_capacitor_mismatch} of a capacitive one; one of them must be 0"
            )
        for name in ("adc_capacitor_mismatch", "adc_offset_lsb", "dac_capacitor_mismatch", "dac_offset_lsb"):
            bits = f"{name[:3]}_bits"
            if getattr(self, name) and not getattr(self, bits):
                raise ValueError(f"periphery: {name} = {getattr(self, name)} has no effect without {bits}")
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

    @property
    def adc_errs(self) -> bool:
        """Whether converters differ from each other and from an ideal one."""
        return self.adc_capacitor_mismatch > 0 or self.adc_offset_lsb > 0

    @property
    def bend(self) -> float:
        """What the magnitude of a column is multiplied by in the denominator of `output_nonlinearity`."""
        return self.output_nonlinearity / self.full_scale

    @cached_property
    def is_plain(self) -> bool:
        """Whether a read is a product between a DAC at full swing and a noisy converter, and no line is noisy."""
        disturbed = self.input_noise or self.weight_noise
        scaled = self.noise_management == "abs_max" and not self.noise_management_threshold
        ends_in_converter = self.adc_levels > 0 or not (self.output_noise or self.output_nonlinearity)
        return scaled and not disturbed and ends_in_converter

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
        tiles: int = 1,
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
        tiles
            Tiles that are read together, >= 1.
        noise_management, bound_management
            How inputs are scaled, and what happens where outputs clip.
        """
        if ideal:
            return cls(shared_by_tiles=hardware.shared_by_tiles)
        return cls(
            dac_bits=hardware.dac_bits,
            adc_bits=hardware.adc_bits,
            full_scale=hardware.adc_full_scale,
            shared_by_tiles=hardware.shared_by_tiles,
            columns_per_adc=hardware.columns_per_adc,
            noise_management=noise_management,
            bound_management=bound_management,
            **_errors(hardware, tiles),
        )


def _errors(hardware: Hardware, tiles: int) -> dict[str, float]:
    """Return the errors that circuit simulation found in the cells of a design, as fields of `Periphery`.

    The gain error of the converters is not among them: all have the same, and the digital scale takes it up. Converters
    with a published price have no error beside their resolution, which is an effective one.
    """
    hardware.simulated  # noqa: B018 (refuses a design without circuit simulation)
    if hardware.dac_model == "bit_serial":
        raise HardwareError(
            "hardware.dac.model = 'bit_serial' is priced, not simulated: each bit of an input would be converted on "
            "its own; set hardware.ideal_io = true, or take pulse_width, capacitive or r2r"
        )

    def error(cell: str, quantity: str) -> float:
        return float(calibrated(hardware, cell, quantity, tiles=tiles if hardware.shared_by_tiles else 1).value)

    column_noise_v = math.hypot(error("summing_stage", "read_noise_v"), error("sample_hold", "noise_v"))
    errors = {
        "gain_mismatch": error("summing_stage", "gain_mismatch"),
        "output_noise": column_noise_v / FULL_SCALE_V * hardware.adc_full_scale,
        # The coarsest tile swings its TIA the most. Columns that stretch instead of saturating count as straight.
        "output_nonlinearity": max(error("tia", "nonlinearity"), 0.0),
    }
    if hardware.adc_model == SIMULATED_ADC:
        errors["adc_offset_lsb"] = CALIBRATED_OFFSET_LSB
        errors["noise_lsb"] = error("sar_adc", "noise_lsb")
        errors["adc_capacitor_mismatch"] = error("sar_adc", "capacitor_mismatch")
    if hardware.dac_model == "capacitive":
        errors["dac_capacitor_mismatch"] = error("capacitive_dac", "capacitor_mismatch")
    elif hardware.dac_model == "r2r":
        errors["dac_capacitor_mismatch"] = r2r_unit_mismatch(int(hardware.dac_bits))
    else:
        errors["dac_offset_lsb"] = error("pulse_width_dac", "offset_lsb")
    return errors
