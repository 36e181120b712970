"""The bill as a table for a paper: Markdown and LaTeX."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cosim.reporting.atomic import atomic_path
from cosim.reporting.breakdown import QUANTITIES, cost_by, ordered
from cosim.reporting.engineering import MISSING, Scale, axis_scale, quantity, quantity_range, three_digits
from cosim.reporting.figures import configurations_of
from cosim.reporting.frames import RunFrames, load_run
from cosim.reporting.tornado import RESULTS
from cosim.tables import TOTALS

UNITS = {"energy_j": "J", "latency_s": "s", "area_m2": "m²"}
NAMES = {"energy_j": "energy", "latency_s": "latency", "area_m2": "area"}
SMALLEST = 0.001  # of the unit of a column: what is less would widen it and add up to nothing
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": r"\textbar{}",
    "µ": r"$\mu$",
    "²": r"$^2$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "Ω": r"$\Omega$",
    "−": r"$-$",
    "\N{EN DASH}": "--",
    "\N{NO-BREAK SPACE}": "~",
    "\N{NARROW NO-BREAK SPACE}": r"\,",
}
MARKDOWN = {"\\": r"\\", "|": r"\|", "*": r"\*", "_": r"\_", "`": r"\`", "<": "&lt;", "[": r"\["}


@dataclass(frozen=True, kw_only=True)
class CostTable:
    """The bill of one run, ready to write: the first cell of each row is its name, empty cells cost nothing."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    totals: tuple[tuple[str, ...], ...]
    results: tuple[str, ...]


def bill_markdown(bill: pd.DataFrame, bands: pd.DataFrame, names: Mapping[str, str] | None = None) -> str:
    """Write bills as tables in Markdown.

    Parameters
    ----------
    bill : pandas.DataFrame
        Rows of ``bill.csv``; one table for each run, in order of appearance.
    bands : pandas.DataFrame
        Rows of ``bands.csv``; may be empty.
    names : mapping of str to str, optional
        Title of the table of a run; ``run <run_id>`` without one.

    Returns
    -------
    str
        Components down, operations across: energy, and beside it the sums, the latency on the critical path and the
        area of each component; less than a thousandth of a column's unit is written as such. Below the table: each
        result with its unit, and its band where there is one.
    """
    return "\n".join(_markdown(table) for table in _tables(bill, bands, names or {}))


def bill_latex(bill: pd.DataFrame, bands: pd.DataFrame, names: Mapping[str, str] | None = None) -> str:
    r"""Write bills as LaTeX tables, for a document that loads the package booktabs.

    Parameters
    ----------
    bill, bands, names
        As for `bill_markdown`.

    Returns
    -------
    str
        One ``table`` for each run, with the content of `bill_markdown`. Characters that LaTeX gives a meaning are
        escaped; others outside ASCII, which only names can hold, are passed on and need an engine that knows them.
    """
    return "\n".join(_latex(table) for table in _tables(bill, bands, names or {}))


def write_cost_tables(folder: Path) -> list[Path]:
    """Write ``bill.md`` and ``bill.tex`` into a run folder.

    Parameters
    ----------
    folder : Path
        What `cosim run` or `cosim price` left.

    Returns
    -------
    list of Path
        The two files, each replaced as a whole; empty where the folder has no bill. The same tables give the same
        bytes.

    Raises
    ------
    ValueError
        If the folder holds nothing to report.
    """
    return write_tables_of(load_run(folder))


def write_tables_of(frames: RunFrames) -> list[Path]:
    """Write ``bill.md`` and ``bill.tex`` of a run that has been read; see `write_cost_tables`."""
    if frames.bill.empty:
        return []
    labels = configurations_of(frames)["label"]
    names = _names(frames.bill, labels)
    written = []
    for name, write in (("bill.md", bill_markdown), ("bill.tex", bill_latex)):
        path = frames.folder / name
        with atomic_path(path) as temporary:
            temporary.write_text(write(frames.bill, frames.bands, names), encoding="utf-8", newline="\n")
        written.append(path)
    return written


def _names(bill: pd.DataFrame, labels: pd.Series[str]) -> dict[str, str]:
    """Name each run after its configuration, with its run_id where the configuration has several."""
    runs = bill.drop_duplicates("run_id")
    several = runs["configuration"].duplicated(keep=False)
    return {
        str(run_id): f"{labels.loc[number]}, run {run_id}" if repeated else str(labels.loc[number])
        for run_id, number, repeated in zip(runs["run_id"], runs["configuration"], several, strict=True)
    }


def _tables(bill: pd.DataFrame, bands: pd.DataFrame, names: Mapping[str, str]) -> Iterator[CostTable]:
    for run_id, rows in bill.groupby("run_id", sort=False):
        title = names.get(str(run_id), f"run {run_id}")
        yield _table(title, rows.assign(configuration=0), bands[bands["run_id"] == run_id])


def _table(title: str, bill: pd.DataFrame, bands: pd.DataFrame) -> CostTable:
    sums = {column: cost_by(bill, "component", column).sum() for column in QUANTITIES}
    by_operation = {column: cost_by(bill, "operation", column).sum() for column in QUANTITIES}
    operations = _operations(by_operation)
    scales = {column: axis_scale([float(sums[column].sum())], UNITS[column]) for column in QUANTITIES}
    matrix = bill.groupby(["component", "operation"])["energy_j"].sum()
    rows = []
    for component in _components(sums):
        energies = [float(matrix.get((component, operation), 0.0)) for operation in operations]
        parts = [float(sums[column].get(component, 0.0)) for column in QUANTITIES]
        cells = (_number(value, scales["energy_j"]) for value in energies)
        rest = (_number(value, scales[column]) for column, value in zip(QUANTITIES, parts, strict=True))
        rows.append((component.replace("_", " "), *cells, *rest))
    whole = [_number(float(sums[column].sum()), scales[column]) for column in QUANTITIES]
    energies = [float(by_operation["energy_j"].get(name, 0.0)) for name in operations]
    latencies = [float(by_operation["latency_s"].get(name, 0.0)) for name in operations]
    return CostTable(
        title=title,
        headers=(
            "component",
            *(f"{name.replace('_', ' ')} ({scales['energy_j'].unit})" for name in operations),
            *(f"{NAMES[column]} ({scales[column].unit})" for column in QUANTITIES),
        ),
        rows=tuple(rows),
        totals=(
            ("total", *(_number(value, scales["energy_j"]) for value in energies), *whole),
            (
                f"latency ({scales['latency_s'].unit})",
                *(_number(value, scales["latency_s"]) for value in latencies),
                *("", whole[1], ""),
            ),
        ),
        results=tuple(_results(sums, bands)),
    )


def _operations(by_operation: Mapping[str, pd.Series[float]]) -> list[str]:
    """Operations that take energy or time; the areas have a column of their own."""
    return ordered([*by_operation["energy_j"].index, *by_operation["latency_s"].index], "operation")


def _components(sums: Mapping[str, pd.Series[float]]) -> list[str]:
    return ordered((name for column in QUANTITIES for name in sums[column].index), "component")


def _results(sums: Mapping[str, pd.Series[float]], bands: pd.DataFrame) -> Iterator[str]:
    for column, result in TOTALS.items():
        name, unit = RESULTS[result]
        text = f"{name}: {quantity(float(sums[column].sum()), unit)}"
        band = bands[bands["figure"] == result]
        if not band.empty and math.isfinite(low := float(band["low"].iloc[0])):
            bounds = quantity_range(low, float(band["high"].iloc[0]), unit)
            text += f", 5 % to 95 %: {bounds} ({band['draws'].iloc[0]:.0f} draws)"
        yield text[0].upper() + text[1:]


def _number(value: float, scale: Scale) -> str:
    number = value * scale.factor
    if 0 < number < SMALLEST:
        return f"<{SMALLEST:g}"
    return three_digits(number) if number else ""


def _markdown(table: CostTable) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(_escaped(cell or MISSING, MARKDOWN) for cell in cells)} |"

    rule = "| --- |" + " ---: |" * (len(table.headers) - 1)
    results = "\n".join(f"* {_escaped(text, MARKDOWN)}" for text in table.results)
    lines = [line(cells) for cells in (*table.rows, *table.totals)]
    return "\n".join([f"## {_escaped(table.title, MARKDOWN)}", "", line(table.headers), rule, *lines, "", results, ""])


def _latex(table: CostTable) -> str:
    def line(cells: Sequence[str]) -> str:
        return " & ".join(_escaped(cell or MISSING, LATEX) for cell in cells) + r" \\"

    names, units = zip(*(_name_and_unit(header) for header in table.headers), strict=True)
    results = "; ".join(text[0].lower() + text[1:] for text in table.results)
    caption = (
        f"{table.title}, per training sample: energy by component and operation. {results[0].upper()}{results[1:]}."
    )
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escaped(caption, LATEX)}}}",
            r"\footnotesize\setlength{\tabcolsep}{2pt}",
            rf"\begin{{tabular}}{{@{{}}l{'r' * (len(table.headers) - 1)}@{{}}}}",
            r"\toprule",
            line([name or " " for name in names]),
            line([unit or " " for unit in units]),
            r"\midrule",
            *(line(cells) for cells in table.rows),
            r"\midrule",
            *(line(cells) for cells in table.totals),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _name_and_unit(header: str) -> tuple[str, str]:
    name, _, unit = header.partition(" (")
    return name, f"({unit}" if unit else ""


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)
