"""How the latencies of operations add up to the latency of one training sample.

Reads and digital work follow the layers one after another. Updates and transfers of all layers run at the same
time, so the slowest layer counts (Li et al., arXiv:2510.02516, Table 7: "layers in parallel").
"""

from __future__ import annotations

import pandas as pd

PARALLEL_OVER_LAYERS = frozenset({"update", "transfer", "refresh", "program", "calibrate"})


def critical_path(lines: pd.DataFrame) -> pd.Series[bool]:
    """Return which bill lines lie on the critical path.

    Parameters
    ----------
    lines
        Bill lines with the columns layer, operation and latency_s, the latter as if all were in series.
    """
    parallel = lines["operation"].isin(PARALLEL_OVER_LAYERS)
    if not parallel.any():
        return ~parallel
    per_layer = lines[parallel].groupby("layer", sort=False)["latency_s"].sum()
    return ~parallel | (lines["layer"] == per_layer.idxmax())
