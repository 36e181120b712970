import csv
import math
import pickle
from pathlib import Path

import numpy as np
import pytest

from cost_model.adc import ADC_MODELS, FIGURES, AdcError, read_table

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
# NeuroSim's fit [fJ] at 4 to 8 bits: with a column of 5 kΩ, and the converter alone.
NEUROSIM_5K = {
    22: (105, 129, 154, 181, 208),
    32: (148, 185, 223, 264, 307),
    45: (227, 285, 348, 415, 487),
    65: (325, 413, 508, 611, 721),
}
NEUROSIM_ALONE = {22: (33, 42, 53, 65, 78), 32: (67, 87, 110, 134, 161), 65: (204, 268, 338, 417, 503)}


WALDEN_J_PER_STEP, SCHREIER_MERIT_DB = 25e-15, 161.2


def rows_of(name):
    path = REFERENCE / name
    if not path.exists():
        pytest.skip(f"{path} is absent: the survey's points are not part of this repository")
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def energy_j(name, *arguments, **more):
    return ADC_MODELS[name].figures(*arguments, **more).energy_j.value


# ---- survey


def test_survey_agrees_with_every_point_of_the_published_regression():
    rows = rows_of("adc_model_grid.csv")
    assert len(rows) == 336
    worst = {"energy_j": 0.0, "area_m2": 0.0, "leakage_w": 0.0}
    for row in rows:
        figures = ADC_MODELS["survey"].figures(int(row["enob"]), float(row["node_nm"]), float(row["throughput_Hz"]))
        published = {
            "energy_j": 1e-12 * float(row["energy_pJ_per_convert_total"]),
            "area_m2": 1e-12 * float(row["area_um2"]),
            "leakage_w": 1e-6 * float(row["leak_power_uW(20% of total)"]),
        }
        for figure, expected in published.items():
            worst[figure] = max(worst[figure], abs(getattr(figures, figure).value / expected - 1))
    assert worst["energy_j"] < 2e-4  # the task was 1 %
    assert worst["area_m2"] < 1e-4
    assert worst["leakage_w"] < 2e-4


@pytest.mark.parametrize(
    ("node_nm", "energies_pj", "areas_um2"),
    [
        (22, (0.457, 0.463, 0.527, 0.649, 0.847, 1.157, 1.636), (1828, 1835, 1907, 2030, 2199, 2414, 2678)),
        (32, (0.924, 0.936, 1.065, 1.312, 1.714, 2.340, 3.310), (3274, 3287, 3417, 3637, 3939, 4324, 4796)),
    ],
)
def test_survey_at_its_usual_rate(node_nm, energies_pj, areas_um2):
    for bits, energy_pj, area_um2 in zip(range(4, 11), energies_pj, areas_um2, strict=True):
        figures = ADC_MODELS["survey"].figures(bits, node_nm)  # no rate: 1e8 Hz
        assert figures.energy_j.value == pytest.approx(1e-12 * energy_pj, rel=1e-3)
        assert figures.area_m2.value == pytest.approx(1e-12 * area_um2, rel=1e-3)
        assert figures.latency_s.value == 1e-8
        assert figures.leakage_w.value == pytest.approx(0.2 * figures.energy_j.value * 1e8)


def published_converters(node_nm, bits, rate_hz):
    """Return bits, node, rate, energy [J], area [m²] or nan and SNDR of the single SAR converters in range."""
    found = []
    for row in rows_of("adc_survey.csv"):
        if "SAR" not in row["architecture"] or "TI" in row["architecture"] or not row["power_W"] or not row["node_nm"]:
            continue
        setting = (float(row["ENOB"]), float(row["node_nm"]), float(row["fsnyq_Hz"]))
        if all(low <= value <= high for value, (low, high) in zip(setting, (bits, node_nm, rate_hz), strict=True)):
            area = 1e-6 * float(row["area_mm2"]) if row["area_mm2"] else math.nan
            found.append((*setting, float(row["power_W"]) / setting[2], area, float(row["SNDR_dB"])))
    return np.array(found).T


def test_the_bands_of_the_survey_are_those_of_published_converters():
    bits, node_nm, rate_hz, energy, area, _ = published_converters((22, 65), (4, 10.5), (1e6, 1.3e9))
    known = ~np.isnan(area)
    assert known.sum() == 31
    law = ADC_MODELS["survey"].law
    figures = [law(b, n, r, math.inf) for b, n, r in zip(bits[known], node_nm[known], rate_hz[known], strict=True)]
    for figure, published, median in (("energy", energy, 1.9), ("area", area, 3.4)):
        attribute = {"energy": "energy_j", "area": "area_m2"}[figure]
        ratios = published[known] / [getattr(one, attribute).value for one in figures]
        low, high = ADC_MODELS["survey"].band[figure]
        assert low == pytest.approx(ratios.min(), rel=0.03)
        assert high == pytest.approx(np.percentile(ratios, 90), rel=0.03)
        assert np.median(ratios) == pytest.approx(median, rel=0.03)


def test_figures_of_merit_are_medians_of_published_converters():
    bits, _, _, energy, _, _ = published_converters((22, 45), (4, 10.5), (1e7, 1.3e9))
    merits = energy / 2**bits
    assert len(merits) == 19
    assert np.median(merits) == pytest.approx(WALDEN_J_PER_STEP, rel=0.02)
    low, high = ADC_MODELS["walden"].band["energy"]
    assert low == pytest.approx(merits.min() / WALDEN_J_PER_STEP, rel=0.05)
    assert high == pytest.approx(np.percentile(merits, 90) / WALDEN_J_PER_STEP, rel=0.05)
    _, _, _, energy, _, sndr_db = published_converters((22, 45), (6, 10.5), (1e7, 1.3e9))
    merits_db = sndr_db - 10 * np.log10(2 * energy)
    assert len(merits_db) == 16
    assert np.median(merits_db) == pytest.approx(SCHREIER_MERIT_DB, abs=0.1)
    low, high = ADC_MODELS["schreier"].band["energy"]
    assert low == pytest.approx(10 ** ((SCHREIER_MERIT_DB - merits_db.max()) / 10), rel=0.05)
    assert high == pytest.approx(10 ** ((SCHREIER_MERIT_DB - np.percentile(merits_db, 10)) / 10), rel=0.05)


# ---- neurosim


@pytest.mark.parametrize("node_nm", NEUROSIM_5K)
def test_neurosim_with_and_without_a_column(node_nm):
    for index, bits in enumerate(range(4, 9)):
        loaded = energy_j("neurosim", bits, node_nm, column_resistance_ohm=5e3)
        assert loaded == pytest.approx(1e-15 * NEUROSIM_5K[node_nm][index], abs=0.6e-15)
        alone = energy_j("neurosim", bits, node_nm)
        if node_nm in NEUROSIM_ALONE:
            assert alone == pytest.approx(1e-15 * NEUROSIM_ALONE[node_nm][index], abs=0.6e-15)
        between = energy_j("neurosim", bits, node_nm, column_resistance_ohm=20e3)
        assert between == pytest.approx(alone + (loaded - alone) / 4)


def test_neurosim_prices_a_conversion_as_the_recorded_run_does():
    # 112 rows, bit activity 0.16, mean conductance of 100 kΩ … 1 MΩ: the run's conversions took 84 and 136 fJ.
    column_ohm = 1 / (112 * 0.16 * 5.5e-6)
    assert energy_j("neurosim", 5, 22, column_resistance_ohm=column_ohm) == pytest.approx(84e-15, rel=0.1)
    assert energy_j("neurosim", 8, 22, column_resistance_ohm=column_ohm) == pytest.approx(136e-15, rel=0.1)
    # The other release reads at 0.55 V, which counts as a column of 0.5/0.55 at 0.5 V: 94 fJ, and ×22.6/2.71 of it
    # with cells of 6 and 102 kΩ.
    assert energy_j("neurosim", 5, 22, column_resistance_ohm=column_ohm / 1.1) == pytest.approx(94e-15, rel=0.1)
    strong = 1 / (112 * 0.16 * (1 / 6e3 + 1 / 102e3) / 2) / 1.1
    expected = 94e-15 * 22.6 / 2.71
    assert energy_j("neurosim", 5, 22, column_resistance_ohm=strong) == pytest.approx(expected, rel=0.1)


def test_neurosim_area_and_latency():
    model = ADC_MODELS["neurosim"]
    for bits, area_um2 in ((5, 124), (6, 143), (7, 162), (8, 180)):
        assert model.figures(bits, 22).area_m2.value == pytest.approx(1e-12 * area_um2, rel=0.005)
    assert model.figures(5, 32).area_m2.value == pytest.approx(263e-12, rel=0.005)
    assert [model.figures(5, node).area_m2.kind for node in (22, 32, 45, 65)] == ["fitted"] * 2 + ["assumed"] * 2
    assert model.figures(8, 45).latency_s.value == pytest.approx(9e-9)


def test_the_bands_of_neurosim_and_survey_meet():
    for bits in (5, 6, 7, 8):
        simulated, regression = (ADC_MODELS[name].figures(bits, 22) for name in ("neurosim", "survey"))
        assert simulated.energy_j.high >= 0.99 * regression.energy_j.value
        assert simulated.area_m2.high >= regression.area_m2.value
    column_ohm = 1 / (112 * 0.16 * 5.5e-6)
    ratios = [
        energy_j("survey", bits, 22) / energy_j("neurosim", bits, 22, column_resistance_ohm=column_ohm)
        for bits in (5, 8)
    ]
    assert ratios == pytest.approx([5.5, 6.2], rel=0.05)


# ---- isaac, walden, schreier


def test_isaac_is_the_published_converter_and_its_scaling():
    figures = [ADC_MODELS["isaac"].figures(bits, 32) for bits in range(4, 11)]
    assert [one.energy_j.value for one in figures] == pytest.approx(
        [0.79e-12, 0.99e-12, 1.20e-12, 1.42e-12, 1.67e-12, 1.97e-12, 2.38e-12]
    )
    assert [one.area_m2.value for one in figures] == pytest.approx(
        [361e-12, 477e-12, 627e-12, 845e-12, 1200e-12, 1828e-12, 3002e-12]
    )
    assert figures[4].energy_j.value * 1.2e9 == pytest.approx(2e-3, rel=0.01)  # 16 mW of eight
    assert {one.latency_s.value for one in figures} == {1 / 1.2e9}
    assert figures[4].energy_j.value == pytest.approx(energy_j("survey", 8, 32), rel=0.03)


def test_textbook_laws():
    assert energy_j("walden", 8, 28) == pytest.approx(WALDEN_J_PER_STEP * 256)
    assert energy_j("walden", 9, 28) == pytest.approx(2 * energy_j("walden", 8, 28))
    # Schreier: FoM_S = SNDR + 10·log10(bandwidth/power), with power = energy · 2 · bandwidth.
    energy = energy_j("schreier", 8, 28)
    assert 6.02 * 8 + 1.76 + 10 * math.log10(1 / (2 * energy)) == pytest.approx(SCHREIER_MERIT_DB)
    assert energy_j("schreier", 9, 28) == pytest.approx(4 * energy, rel=1e-3)
    for name in ("walden", "schreier"):
        slow, fast = (ADC_MODELS[name].figures(8, 28, rate) for rate in (1e7, 1e9))
        assert slow.energy_j.value == fast.energy_j.value
        assert fast.area_m2.value / slow.area_m2.value == pytest.approx(100**0.1807, rel=1e-3)
        assert (slow.latency_s.value, fast.latency_s.value) == (1e-7, 1e-9)


def test_their_area_is_the_regression_at_their_energy():
    survey = ADC_MODELS["survey"].figures(8, 28)
    walden = ADC_MODELS["walden"].figures(8, 28)
    expected = survey.area_m2.value * (walden.energy_j.value / survey.energy_j.value) ** 0.29912416
    assert walden.area_m2.value == pytest.approx(expected)


# ---- every model


@pytest.mark.parametrize("model", ADC_MODELS.values(), ids=lambda model: model.name)
def test_every_figure_has_unit_source_and_band(model):
    for bits in range(model.bits[0], model.bits[1] + 1):
        for node in model.nodes_nm or model.node_nm:
            figures = model.figures(np.int64(bits), node)
            units = (figures.energy_j.unit, figures.latency_s.unit, figures.area_m2.unit, figures.leakage_w.unit)
            assert units == ("J", "s", "m2", "W")
            for name, quantity in zip(FIGURES, vars(figures).values(), strict=True):
                assert quantity.value > 0
                assert (quantity.low, quantity.high) == tuple(quantity.value * f for f in model.band[name])
                assert quantity.note
    assert set(model.band) == set(model.band_why) == set(FIGURES)
    assert all(model.band_why.values())


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("survey", (3, 22), "hardware.adc.bits = 3 is outside ADC model 'survey': 4 to 10 bits"),
        ("survey", (8, 14), "hardware.node_nm = 14 is outside ADC model 'survey': 22 to 65 nm, and nothing is"),
        ("survey", (8, 22, 2e9), "hardware.adc.rate_hz = 2e+09 is outside ADC model 'survey': 1e+06 to 1.28e+09 Hz"),
        ("survey", (8, 22, math.nan), "hardware.adc.rate_hz = nan"),
        ("survey", (True, 22), "hardware.adc.bits = True is not a whole number"),
        ("survey", (7.5, 22), "hardware.adc.bits = 7.5 is not a whole number"),
        ("neurosim", (9, 22), "4 to 8 bits, and nothing is extrapolated; models that know it: survey, isaac, walden"),
        ("neurosim", (8, 28), "hardware.node_nm = 28 is unknown to ADC model 'neurosim'; it has 22, 32, 45, 65 nm"),
        ("neurosim", (8, 22, 1e8), "ADC model 'neurosim' fixes its own rate; leave the key out"),
        ("neurosim", (8, 22, None, 100.0), "column resistance = 100 is outside ADC model 'neurosim': 500 to inf ohm"),
        ("neurosim", (8, 22, None, -1.0), "column resistance = -1"),
        ("isaac", (8, 45), "hardware.node_nm = 45 is outside ADC model 'isaac': 32 to 32 nm"),
        ("isaac", (12, 32), "no other model of the list knows it"),
        ("walden", (8, 65), "hardware.node_nm = 65 is outside ADC model 'walden': 22 to 45 nm"),
        ("schreier", (5, 28), "hardware.adc.bits = 5 is outside ADC model 'schreier': 6 to 10 bits"),
    ],
)
def test_nothing_is_extrapolated(name, arguments, said):
    with pytest.raises(AdcError) as error:
        ADC_MODELS[name].figures(*arguments)
    assert said in str(error.value)


def test_a_model_without_a_column_ignores_it():
    assert energy_j("survey", 8, 22, column_resistance_ohm=10.0) == energy_j("survey", 8, 22)


# ---- table

TABLE = """# my converters
bits,node_nm,energy_j,latency_s,area_m2,leakage_w,source,kind
6,40,1.26e-12,1e-9,580e-12,2e-6,"ISSCC 2016, SAR",
8,40,2.5e-12,2e-9,9e-10,,post-layout simulation,assumed
"""


def written(folder, text):
    path = folder / "adc.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_gives_its_rows_and_no_others(tmp_path):
    model = read_table(written(tmp_path, TABLE))
    assert (model.name, model.bits, model.node_nm) == ("table", (6, 8), (40, 40))
    figures = model.figures(6, 40)
    assert [one.value for one in vars(figures).values()] == [1.26e-12, 1e-9, 580e-12, 2e-6]
    assert (figures.energy_j.source, figures.energy_j.note) == ("file:adc.csv", "ISSCC 2016, SAR")
    assert figures.energy_j.kind == "measured"
    other = model.figures(8, 40)
    assert other.energy_j.kind == "assumed"
    assert (other.leakage_w.value, other.leakage_w.kind) == (0.0, "assumed")
    with pytest.raises(
        AdcError, match=r"hardware\.adc\.bits = 7.*no such row in .*adc\.csv; it has 6 bits at 40 nm, 8"
    ):
        model.figures(7, 40)
    copied = pickle.loads(pickle.dumps(model))  # as a study sends it to its workers
    assert (copied, hash(copied)) == (model, hash(model))
    assert copied.figures(6, 40) == figures
    with pytest.raises(AdcError, match=r"hardware\.adc\.bits = 5 is outside ADC model 'table': 6 to 8 bits"):
        model.figures(5, 40)
    with pytest.raises(AdcError, match=r"hardware\.node_nm = 45 is outside ADC model 'table'"):
        model.figures(6, 45)


def test_a_table_without_nodes_holds_at_every_node(tmp_path):
    model = read_table(written(tmp_path, "bits,energy_j,latency_s,area_m2,source\n6,1e-12,1e-9,5e-10,mine\n"))
    assert model.figures(6, 14).energy_j == model.figures(6, 130).energy_j


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TABLE.replace("post-layout simulation", ""), "line 4: the row has no source"),
        (TABLE.replace("2.5e-12", "many"), "line 4: energy_j = 'many' is not a positive number"),
        (TABLE.replace("1.26e-12", "-1"), "line 3: energy_j = '-1' is not a positive number"),
        (TABLE.replace("2e-9", "nan"), "line 4: latency_s = 'nan' is not a positive number"),
        (TABLE.replace("2e-6", "-2e-6"), "line 3: leakage_w = '-2e-6' is not a number >= 0"),
        (TABLE.replace("8,40", "8.5,40"), "line 4: bits = '8.5' is not a whole number"),
        (TABLE.replace("8,40", "6,40"), "line 4: a second row for 6 bits at 40 nm"),
        (TABLE.replace("8,40", "8"), "line 4: 7 cells under 8 columns"),
        (TABLE.replace(",assumed", ",guessed"), "line 4: kind = 'guessed' is unknown; known: measured, fitted"),
        (TABLE.replace("area_m2", "area_um2"), "missing ['area_m2'], unknown ['area_um2']"),
        (TABLE.replace("kind", "bits"), "needed, each once: bits, energy_j"),
        ("# nothing\nbits\n", "no rows; expected a header with bits"),
    ],
)
def test_a_bad_table_says_where_it_is_bad(tmp_path, text, said):
    with pytest.raises(AdcError) as error:
        read_table(written(tmp_path, text))
    assert said in str(error.value)
    assert "adc.csv" in str(error.value)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(AdcError, match=r"hardware\.adc\.table = .*none\.csv' cannot be read"):
        read_table(tmp_path / "none.csv")
