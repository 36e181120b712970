"""The electrical frame that all cells share: supplies, levels, the scale of currents, and what one cell of a line adds.

The circuit is that of Li et al., arXiv:2510.02516, section 3.3 and figure 6, with what the paper leaves open: resistors
and an integrator in the summing stage, a sample-and-hold, and a pair of devices per weight on one column.
"""

from __future__ import annotations

CORE_SUPPLY_V = 1.0
WRITE_SUPPLY_V = 2.0
COMMON_MODE_V = 0.5
READ_VOLTAGE_V = 0.2
THRESHOLD_VOLTAGE_V = 1.5
TICK_S = 0.5e-9
PULSE_SLOT_S = 5e-9

MIN_CONDUCTANCE_S = 1e-6
MAX_CONDUCTANCE_S = 1e-5
MEAN_CONDUCTANCE_S = 3e-6
DEVICES_PER_WEIGHT = 2
SEGMENT_RESISTANCE_OHM = 1.0
CELL_CAPACITANCE_F = 3.6e-17

FULL_SCALE_CURRENT_A = 12e-6
FEEDBACK_RESISTANCE_OHM = 20e3
SUMMING_RESISTANCE_OHM = 50e3
INTEGRATION_CAPACITANCE_F = 0.4e-12
HOLD_CAPACITANCE_F = 100e-15
ADC_LOW_V, ADC_HIGH_V = 0.1, 0.9

# Capacitors and resistors of a generic 45 nm back end, and what wiring and wells add to the gates of transistors.
CAPACITANCE_PER_AREA_F_M2 = 2e-15 / 1e-12
RESISTOR_AREA_M2_PER_OHM = 1e-14 / 100
AREA_OVERHEAD = 4.0

# Mismatch: threshold voltage times square root of gate area, and relative spreads.
THRESHOLD_MISMATCH_V_M = 2.5e-3 * 1e-6
CAPACITOR_MISMATCH_AT_1FF = 0.005
RESISTOR_MISMATCH = 0.005


def window_s(bits: int) -> float:
    """Return the longest read pulse of a DAC with `bits` bits, sign included: 2^(bits - 1) ticks."""
    return float(2 ** (bits - 1) * TICK_S)
