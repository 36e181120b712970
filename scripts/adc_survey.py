"""Draw our SAR converter among published ones: `python -m scripts.adc_survey SURVEY.csv reports/periphery`.

The survey is B. Murmann's ADC Performance Survey as CSV; it is not ours to ship, so only the figure and the place that
our converter takes are kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, NullFormatter

from circuits import load_calibration
from cosim.reporting.style import COLOURS, FAINT_COLOUR, add_legend, house_style, new_figure, save_figure

SOURCE = "B. Murmann, ADC Performance Survey 1997-2025"
TECHNOLOGY = "generic_45nm"
LSB_NOISE = 1 / 12  # variance of an ideal quantiser, in LSB squared


def our_converter() -> pd.DataFrame:
    """Return bits, effective bits, rate in Hz and energy per conversion in J of the characterised converter.

    The effective number of bits counts quantisation, simulated noise, and the mismatch of the capacitors: the largest
    deviation of a code is taken as three times its rms.
    """
    table = load_calibration(TECHNOLOGY)
    rows = []
    for bits in table.bits("sar_adc"):
        noise, inl, energy, latency = (
            table.quantity("sar_adc", name, bits=bits).value
            for name in ("noise_lsb", "inl_lsb", "energy_j", "latency_s")
        )
        total = LSB_NOISE + noise**2 + (inl / 3) ** 2
        rows.append((bits, bits - np.log2(total / LSB_NOISE) / 2, 1 / latency, energy))
    return pd.DataFrame(rows, columns=["bits", "effective_bits", "rate_hz", "energy_j"])


def place(ours: pd.DataFrame, survey: pd.DataFrame) -> pd.DataFrame:
    """Return our converter with its figure of merit and its rank among published ones within half an effective bit."""
    ours = ours.assign(walden_j_per_step=ours["energy_j"] / 2 ** ours["effective_bits"])
    near = [survey[(survey["effective_bits"] - row.effective_bits).abs() <= 0.5] for row in ours.itertuples()]
    return ours.assign(
        published_within_half_a_bit=[len(rows) for rows in near],
        published_with_less_energy=[
            int((rows["energy_j"] < energy).sum()) for rows, energy in zip(near, ours["energy_j"], strict=True)
        ],
    )


def main(survey_file: Path, folder: Path) -> None:
    """Write ``adc_survey.svg`` and ``adc_place.csv``."""
    survey = pd.read_csv(survey_file).rename(columns={"ENOB": "effective_bits", "fsnyq_Hz": "rate_hz"})
    survey["energy_j"] = survey["P_over_fsnyq_pJ"] * 1e-12
    survey = survey.dropna(subset=["effective_bits", "energy_j", "rate_hz"])
    ours = place(our_converter(), survey)
    folder.mkdir(parents=True, exist_ok=True)
    ours.to_csv(folder / "adc_place.csv", index=False, float_format="%.4g")
    with house_style():
        figure = new_figure(3.6)
        left, right = figure.subplots(1, 2, sharey=True)
        is_sar = survey["architecture"].fillna("").str.contains("SAR")
        for axes, name in ((left, "effective_bits"), (right, "rate_hz")):
            axes.scatter(survey[name][~is_sar], survey["energy_j"][~is_sar], s=6, color=FAINT_COLOUR, label="published")
            axes.scatter(
                survey[name][is_sar],
                survey["energy_j"][is_sar],
                s=9,
                color=COLOURS[5],
                marker="s",
                label="published SAR",
            )
            axes.plot(ours[name], ours["energy_j"], "o-", color=COLOURS[0], markersize=4, label="ours, 4 to 10 bits")
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(EngFormatter("J"))
        _label_ends(left, ours, "effective_bits")
        left.set_xlabel("effective number of bits")
        left.set_ylabel("energy per conversion")
        left.set_xlim(2, 14)
        right.set_xlabel("Nyquist rate")
        right.set_xscale("log")
        right.set_xticks([1e3, 1e5, 1e7, 1e9, 1e11])
        right.xaxis.set_major_formatter(EngFormatter("S/s"))
        right.xaxis.set_minor_formatter(NullFormatter())
        add_legend(figure, left.get_legend_handles_labels()[0])
        save_figure(figure, folder / "adc_survey.svg", source=SOURCE)
    print(ours.to_string(index=False))


def _label_ends(axes: Axes, ours: pd.DataFrame, name: str) -> None:
    for row in (ours.iloc[0], ours.iloc[-1]):
        axes.annotate(
            f"{int(row['bits'])} bits",
            (row[name], row["energy_j"]),
            xytext=(4, -11),
            textcoords="offset points",
            fontsize=7.5,
        )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m scripts.adc_survey SURVEY.csv FOLDER")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
