"""The calibration table: one row per cell, setting and quantity; read by the bill and by the training alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from device_models.quantity import Quantity

COLUMNS = ("cell", "parameter", "setting", "quantity", "value", "unit", "kind", "source", "note")
TABLES = files("circuits") / "calibrations"


class CalibrationError(ValueError):
    """A table, cell, setting or quantity that does not exist: what was asked and what there is."""


@dataclass(frozen=True)
class Calibration:
    """A calibration table.

    Parameters
    ----------
    name
        Name of the technology, for example ``generic_45nm``.
    rows
        (cell, quantity, setting) to quantity; the setting is None where the cell has none.
    """

    name: str
    rows: dict[tuple[str, str, int | None], Quantity]

    def settings(self, cell: str) -> list[int]:
        """Return the settings (for a converter: bits) that the table holds for a cell, sorted."""
        return sorted({setting for (name, _, setting) in self.rows if name == cell and setting is not None})

    def quantity(self, cell: str, quantity: str, setting: int | None = None) -> Quantity:
        """Return one number of the table.

        Parameters
        ----------
        cell
            ``sar_adc``, ``pulse_width_dac``, ``tia``, ``summing_stage``, ``sample_hold`` or ``pulse_driver``.
        quantity
            For example ``energy_j``, ``latency_s``, ``area_m2``, ``noise_lsb``, ``gain_mismatch``.
        setting
            Bits of a converter; None for the other cells.

        Raises
        ------
        CalibrationError
            If the table does not hold it; a table is never extrapolated.
        """
        try:
            return self.rows[cell, quantity, setting]
        except KeyError:
            pass
        cells = sorted({name for name, _, _ in self.rows})
        if cell not in cells:
            raise CalibrationError(f"calibration {self.name}: no cell {cell!r}; cells: {', '.join(cells)}")
        quantities = sorted({name for owner, name, _ in self.rows if owner == cell})
        if quantity not in quantities:
            raise CalibrationError(
                f"calibration {self.name}: {cell} has no {quantity!r}; it has {', '.join(quantities)}"
            )
        raise CalibrationError(
            f"calibration {self.name}: {cell} is not characterised at setting {setting}; "
            f"settings: {', '.join(map(str, self.settings(cell))) or 'none'}"
        )


def list_calibrations() -> list[str]:
    """Return the names of all committed tables."""
    return sorted(entry.name.removesuffix(".csv") for entry in TABLES.iterdir() if entry.name.endswith(".csv"))


@cache
def load_calibration(name: str) -> Calibration:
    """Return a committed calibration table by name.

    Raises
    ------
    CalibrationError
        If there is no such table, or it is not a valid one.
    """
    if name not in list_calibrations():
        raise CalibrationError(f"calibration {name!r} is unknown; known: {', '.join(list_calibrations())}")
    return read_calibration(name, (TABLES / f"{name}.csv").read_text(encoding="utf-8"))


def read_calibration(name: str, text: str) -> Calibration:
    """Parse the text of a calibration table; lines that start with ``#`` say how it was made."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    reader = csv.DictReader(io.StringIO("\n".join(lines)))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise CalibrationError(f"calibration {name}: columns are {reader.fieldnames}, expected {list(COLUMNS)}")
    return Calibration(name, dict(_entries(name, reader)))


def _entries(name: str, reader: Iterable[dict[str, str]]) -> Iterable[tuple[tuple[str, str, int | None], Quantity]]:
    seen = set()
    for row in reader:
        try:
            setting = int(row["setting"]) if row["setting"] else None
            number = Quantity(float(row["value"]), row["unit"], row["kind"], row["source"], row["note"])
        except (TypeError, ValueError) as error:
            raise CalibrationError(f"calibration {name}: row {list(row.values())}: {error}") from None
        address = (row["cell"], row["quantity"], setting)
        if address in seen:
            raise CalibrationError(f"calibration {name}: {address} is given twice")
        seen.add(address)
        yield address, number
