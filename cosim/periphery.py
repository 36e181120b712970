"""The converters as training sees them, from the same calibration table that prices them."""

from __future__ import annotations

from dataclasses import dataclass

from cost_model.hardware import Hardware


@dataclass(frozen=True, kw_only=True)
class Periphery:
    """What stands between the digital world and the lines of a tile.

    A read scales its input vector by the largest magnitude, quantises it, reads, sums the tiles, converts each
    column once and scales back (noise management by absolute maximum). `Periphery()` is ideal.

    Parameters
    ----------
    dac_bits
        Resolution of the input, sign included, 2 to 16; None for an ideal DAC.
    adc_bits
        Resolution of the output, sign included, 2 to 16; None for an ideal converter.
    full_scale
        Largest converted output, in units of weight times full-scale input, > 0.
    noise_lsb
        Input-referred noise of the converter, rms in LSB, >= 0.
    gain_mismatch
        Standard deviation of the relative gain error of one tile in the summing stage, >= 0.
    shared_by_tiles
        Whether the tiles' columns are summed before one converter, or each tile is converted on its own.

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

    def __post_init__(self) -> None:
        for name in ("dac_bits", "adc_bits"):
            bits = getattr(self, name)
            if bits is not None and not 2 <= bits <= 16:
                raise ValueError(f"periphery: {name} = {bits} is not allowed; 2 to 16 bits, or None for ideal")
        if not self.full_scale > 0:
            raise ValueError(f"periphery: full_scale = {self.full_scale} is not allowed; it must be above 0")
        for name in ("noise_lsb", "gain_mismatch"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"periphery: {name} = {getattr(self, name)} is not allowed; it is at least 0")

    @property
    def dac_levels(self) -> int:
        """Positive levels of the DAC; 0 for an ideal one."""
        return 2 ** (self.dac_bits - 1) - 1 if self.dac_bits else 0

    @property
    def adc_levels(self) -> int:
        """Positive levels of the converter; 0 for an ideal one."""
        return 2 ** (self.adc_bits - 1) - 1 if self.adc_bits else 0

    @classmethod
    def from_hardware(cls, hardware: Hardware, *, ideal: bool) -> Periphery:
        """Return the periphery of a design: its errors come from the table that gives its energies.

        Parameters
        ----------
        hardware
            The design.
        ideal
            True switches every error off; what the converters cost stays.
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
        )
