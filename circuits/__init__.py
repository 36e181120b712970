"""What the periphery does: one calibration table per technology gives both its error and its energy."""

from circuits.calibration import Calibration, CalibrationError, list_calibrations, load_calibration

__all__ = ["Calibration", "CalibrationError", "list_calibrations", "load_calibration"]
