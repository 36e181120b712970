"""What a check finds, and what may be wrong with a circuit on purpose."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
Operation = Literal["forward", "backward", "update", "transfer"]
Level = Literal["ideal", "real"]

IDEAL_TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something wrong with a circuit on purpose, to see that the check finds it.

    Parameters
    ----------
    tile
        Which tile of those that are read together.
    gain_factor
        What its feedback resistors are multiplied with.
    swapped_outputs
        Two output lines, counted in the sub-array, whose columns are exchanged.
    slowness
        What the gain-bandwidth product of its TIAs is divided by.
    """

    tile: int = 0
    gain_factor: float = 1.0
    swapped_outputs: tuple[int, int] | None = None
    slowness: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of check.csv; what does not apply is NaN, and `passed` is None where there is nothing to pass."""

    place: str
    operation: Operation
    level: Level
    cause: str
    rms_lsb: float = math.nan
    max_lsb: float = math.nan
    relative_error: float = math.nan
    tolerance: float = math.nan
    passed: bool | None = None
    note: str = ""

    @property
    def tolerance_is_in_lsb(self) -> bool:
        """Whether the tolerance is of a difference in LSB; else of the relative error."""
        return math.isnan(self.relative_error) and not math.isnan(self.tolerance)


COLUMNS = tuple(column.name for column in fields(Finding))


@dataclass
class Check:
    """What a check found.

    Parameters
    ----------
    findings
        Everything that was compared.
    scatter
        Columns place, operation, model_lsb, circuit_lsb: single results of reads with ideal and with real cells.
    read, update
        Waveforms worth looking at: time_s and a column for each vector.
    facts
        What was checked, name to text.
    """

    findings: list[Finding] = field(default_factory=list)
    scatter: list[pd.DataFrame] = field(default_factory=list)
    read: pd.DataFrame | None = None
    update: pd.DataFrame | None = None
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """The findings as check.csv holds them."""
        return pd.DataFrame([vars(finding) for finding in self.findings], columns=list(COLUMNS))

    @property
    def failures(self) -> list[Finding]:
        """What is outside its tolerance."""
        return [finding for finding in self.findings if finding.passed is not None and not finding.passed]

    @property
    def passed(self) -> bool:
        """Whether something was compared, and nothing is outside its tolerance."""
        return not self.failures and any(finding.passed for finding in self.findings)

    def reasons(self) -> str:
        """Return what failed and by how much, one line."""
        parts = []
        for finding in self.failures:
            value, unit = finding.relative_error, ""
            if math.isnan(value):
                value, unit = (finding.max_lsb if finding.cause == "drift" else finding.rms_lsb), " LSB"
            of = "" if finding.cause == "all" else f" ({finding.cause})"
            parts.append(
                f"{finding.place}: {finding.level} {finding.operation}{of} is off by {value:.3g}{unit}, "
                f"tolerance {finding.tolerance:g}"
            )
        return "; ".join(parts) or "nothing could be compared"
