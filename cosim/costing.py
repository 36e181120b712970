"""What stands behind a bill: floorplan, schedule, bands, the numbers that decide, and checks; one table each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

import pandas as pd

from cosim.activity import ActivityLog
from cosim.config import Point
from cosim.pricing import pricing_terms, scheduled
from cosim.scheduler import Scheduler
from cost_model.bands import TORNADO_COLUMNS, Assumption, assumptions_of, monte_carlo, tornado
from cost_model.bill import Bill
from cost_model.checks import Finding, check_design
from cost_model.components import all_prices
from cost_model.floorplan import FLOORPLAN_COLUMNS, floorplan_rows
from cost_model.hardware import Hardware
from cost_model.latency import Bar
from cost_model.models import cell_area
from cost_model.pricing import Totals, price_totals

BAND_COLUMNS = ("figure", "low", "nominal", "high", "draws")
# The tables beside the bill, by the name of their file, with their columns.
COST_TABLES: dict[str, tuple[str, ...]] = {
    "floorplan.csv": FLOORPLAN_COLUMNS,
    "schedule.csv": tuple(field.name for field in fields(Bar)),
    "bands.csv": BAND_COLUMNS,
    "tornado.csv": TORNADO_COLUMNS,
    "checks.csv": tuple(field.name for field in fields(Finding)),
}


def cost_tables(
    point: Point, scheduler: Scheduler, bill: Bill, activity: ActivityLog | None = None
) -> dict[str, pd.DataFrame]:
    """Return the tables beside the bill of a point.

    Parameters
    ----------
    point
        What was trained or priced.
    scheduler
        Has recorded it.
    bill
        Its bill.
    activity
        What happened in a training; None where the preset's assumptions stood in, which are then varied too.

    Returns
    -------
    dict
        Name of the file to table; `COST_TABLES` has the columns.
    """
    hardware = scheduler.hardware
    evaluate = evaluator(point, activity)
    known = point_assumptions(point, bill, assumed=activity is None)
    one_cell = float(cell_area(hardware).value)
    findings = check_design(
        hardware,
        scheduler.floorplans,
        bill,
        scheduler.trace,
        samples=pricing_terms(point, scheduler)["samples"],
        epoch_samples=point.train_samples,
        **wire_resistance(point),
    )
    return {
        "floorplan.csv": pd.DataFrame(floorplan_rows(scheduler.floorplans, bill.lines, one_cell)),
        "schedule.csv": pd.DataFrame([asdict(bar) for bar in bill.bars], columns=COST_TABLES["schedule.csv"]),
        "bands.csv": monte_carlo(evaluate, hardware, known),
        "tornado.csv": tornado(evaluate, hardware, known),
        "checks.csv": pd.DataFrame([asdict(finding) for finding in findings], columns=COST_TABLES["checks.csv"]),
    }


def evaluator(point: Point, activity: ActivityLog | None = None) -> Callable[[Hardware], Totals]:
    """Return a function that prices a point on any hardware, of one design or many."""

    def evaluate(hardware: Hardware) -> Totals:
        scheduler = scheduled(point, hardware, activity)
        return price_totals(scheduler.rows(), hardware, scheduler.floorplans, **pricing_terms(point, scheduler))

    return evaluate


def point_assumptions(point: Point, bill: Bill, *, assumed: bool) -> list[Assumption]:
    """Return the numbers that the bill of a point rests on; with `assumed`, its activity too."""
    hardware = point.hardware
    prices = all_prices(hardware, point.algorithm().name, area_m2=bill.area_m2)
    if assumed:
        prices += [hardware.value(name) for name in hardware.table["values"] if name.startswith("activity_")]
    return assumptions_of(prices)


def wire_resistance(point: Point) -> dict[str, Any]:
    """Return the resistance of a wire segment, where the study gives it."""
    wires = point.resolved["hardware"].get("wires")
    return {} if wires is None else {"segment_resistance_ohm": wires["segment_resistance_ohm"]}
