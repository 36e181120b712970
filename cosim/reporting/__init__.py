"""Figures, tables and the page of a study: CSV in, SVG and HTML out."""

from cosim.reporting.cost_tables import bill_latex, bill_markdown, write_cost_tables
from cosim.reporting.engineering import engineering
from cosim.reporting.figures import write_figures
from cosim.reporting.frames import RunFrames, load_run
from cosim.reporting.page import write_page
from cosim.reporting.pareto import pareto_front
from cosim.reporting.table import bill_table, results_table

__all__ = [
    "RunFrames",
    "bill_latex",
    "bill_markdown",
    "bill_table",
    "engineering",
    "load_run",
    "pareto_front",
    "results_table",
    "write_cost_tables",
    "write_figures",
    "write_page",
]
