"""The columns of the tables in a run folder: one schema, written by `record` and read by `reporting`."""

from __future__ import annotations

from cosim.activity import ACTIVITY_COLUMNS as COLUMNS_OF_AN_ACTIVITY
from cost_model.bill import COLUMNS as COLUMNS_OF_A_BILL
from cost_model.operations import COUNTS

# What a configuration is, and what came out of it.
IDENTITY = ("algorithm", "tiles", "states", "device", "network", "data", "epochs")
OUTCOMES = (
    "train_loss",
    "test_loss",
    "test_accuracy",
    "energy_per_sample_j",
    "latency_per_sample_s",
    "area_m2",
    "digital_storage_byte",
)
RESULT_COLUMNS = ("run_id", "seed", *IDENTITY, *OUTCOMES, "seconds")
HISTORY_COLUMNS = (
    "run_id",
    "epoch",
    "samples",
    "learning_rate",
    "train_loss",
    "test_loss",
    "test_accuracy",
    "seconds",
)
TILE_COLUMNS = (
    "run_id",
    "epoch",
    "layer",
    "tile",
    "significance",
    "mean_abs_weight",
    "coincidences_per_mini_batch",
    "wire_error_lsb",
    "verdict",
)
BILL_COLUMNS = ("run_id", *COLUMNS_OF_A_BILL)
ACTIVITY_COLUMNS = ("run_id", *COLUMNS_OF_AN_ACTIVITY)
TRACE_COLUMNS = ("run_id", "layer", "tile", "operation", *COUNTS, "dac_bits", "adc_bits")
# Columns of the bill, and the results that they add up to.
TOTALS = {"energy_j": "energy_per_sample_j", "latency_s": "latency_per_sample_s", "area_m2": "area_m2"}
