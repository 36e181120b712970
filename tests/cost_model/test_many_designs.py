"""Many designs priced at once have the bits of each priced alone, whatever is swept; and the first bad one is named."""

import itertools

import numpy as np
import pytest

from cosim.algorithms import ALGORITHMS
from cost_model.adc import ADC_MODELS, read_table
from cost_model.cells import list_cells, load_cell
from cost_model.components import check_prices
from cost_model.floorplan import MatrixShape
from cost_model.hardware import AT_LEAST, HardwareError, hardware_preset
from cost_model.latency import Schedule
from cost_model.models import bus_energy_per_byte, calibrated
from cost_model.numbers import designs_of, first_where, over_distinct
from cost_model.pricing import price_totals
from device_models.quantity import ProvenanceError
from tests.cost_model.designs import bill_of, hardware, schedule

COUNT = 16
SAMPLES, MINI_BATCHES, BATCH = 50, 10, 5
SHAPES = [
    MatrixShape("conv", 6, 25, positions=16, input_elements=64, output_elements=96, backward=False),
    MatrixShape("dense1", 100, 230),
    MatrixShape("dense2", 10, 100),
]
FIGURES = ("energy_per_sample_j", "latency_per_sample_s", "area_m2", "digital_storage_byte")
PARAMETERS = {
    "tiki_taka_v2": {"zero_shift_pulses": 40},
    "residual_learning": {"tiles": 3, "setting": "paper", "warm_start": "off", "transfer_columns": 4},
    "e_rider": {"transfer_columns": 5},
}
SCHEDULES = [
    Schedule(*choice)
    for choice in itertools.product(("sequential", "pipelined"), ("together", "as_ready"), ("serial", "hidden"))
    if choice[:2] != ("pipelined", "as_ready")
]
TABLE = """bits,energy_j,latency_s,area_m2,leakage_w,source
4,1e-13,1e-9,1e-10,1e-7,a paper
5,2e-13,1e-9,2e-10,2e-7,a paper
6,5e-13,2e-9,3e-10,2e-7,a paper
"""
ADCS = ("spice_sar", "survey", "neurosim", "walden", "schreier", "table")  # isaac's is of another node
DACS = ("pulse_width", "capacitive", "r2r")
DAC_BITS = {"pulse_width": (3, 8), "capacitive": (3, 10), "r2r": (2, 10), "bit_serial": (1, 16)}
CELLS = ("spice_reram", *list_cells())


class Draw:
    """Random settings of many designs."""

    def __init__(self, seed):
        self.generator = np.random.Generator(np.random.PCG64(seed))

    def whole(self, low, high):
        return self.generator.integers(low, high + 1, COUNT)

    def around(self, nominal):
        """Return numbers around a nominal one; now and then zero, or one that is drawn twice."""
        drawn = nominal * np.exp(self.generator.normal(0, 0.5, COUNT))
        drawn[3] = drawn[5]
        return drawn

    def one_of(self, choices):
        return choices[self.generator.integers(len(choices))]

    def some(self, names, share=0.5):
        return [name for name in names if self.generator.random() < share]


def drawn_settings(seed, folder, preset="sar_45nm", **fixed):
    """Return settings of many designs on random models; every number is an array, or left alone by chance."""
    draw = Draw(seed)
    defaults, values = hardware_preset(preset)["defaults"], hardware_preset(preset)["values"]
    own = preset == "sar_45nm"
    models = {
        "adc_model": draw.one_of(ADCS) if own else defaults.get("adc_model", "spice_sar"),
        "dac_model": draw.one_of(DACS) if own else defaults.get("dac_model", "pulse_width"),
        "cell_model": draw.one_of(CELLS) if own else defaults.get("cell_model", "spice_reram"),
        "schedule": draw.one_of(SCHEDULES),
    } | fixed
    adc = models["adc_model"]
    low, high = (4, 10) if adc == "spice_sar" else (4, 6) if adc == "table" else ADC_MODELS[adc].bits
    shortest, longest = hardware_preset(preset).get("array_lines", (1, 256 if own else 1024))
    settings = {
        "array_rows": draw.whole(shortest, longest),
        "array_cols": draw.whole(shortest, longest),
        "adc_bits": draw.whole(low, high),
        "columns_per_adc": draw.whole(1, 40),
        "shared_by_tiles": draw.generator.random(COUNT) < 0.5,
        "dac_bits": draw.whole(*DAC_BITS[models["dac_model"]]),
    }
    if adc in ADC_MODELS and ADC_MODELS[adc].rate_hz is not None and draw.generator.random() < 0.7:
        settings["adc_rate_hz"] = 10 ** draw.generator.uniform(7, 9, COUNT)
    if adc == "table":
        path = folder / "adc.csv"
        path.write_text(TABLE, encoding="utf-8")
        settings["adc_table"] = read_table(path)
    if models["cell_model"] != "spice_reram":
        quantities = load_cell(models["cell_model"]).quantities()
        settings["cell_values"] = {name: draw.around(quantities[name].value) for name in draw.some(quantities)}
        if "half_select_fraction" in settings["cell_values"]:
            settings["cell_values"]["half_select_fraction"] = draw.generator.random(COUNT)
        if "write_conductance_s" in settings["cell_values"]:
            settings["cell_values"]["write_conductance_s"][[1, 4]] = 0.0
    settings["overrides"] = {}
    for name in draw.some(values):
        if isinstance(values[name]["value"], int):
            settings["overrides"][name] = draw.whole(1, 8).astype(float)
        elif (name.startswith("activity_") and not name.endswith("_slots")) or name == "input_bit_density":
            settings["overrides"][name] = draw.generator.random(COUNT)
        elif name == "column_resistance_ohm":
            settings["overrides"][name] = draw.generator.uniform(1e3, 1e5, COUNT)
        else:
            settings["overrides"][name] = np.maximum(draw.around(values[name]["value"]), AT_LEAST.get(name, 0.0))
            settings["overrides"][name][7] = AT_LEAST.get(name, 0.0)
    return models | {name: value for name, value in settings.items() if name in KEPT or draw.generator.random() < 0.8}


KEPT = ("adc_bits", "dac_bits", "adc_table", "overrides", "cell_values")


def single(settings, place):
    """Return the settings of one of the designs, as a study would give them."""

    def picked(value):
        if isinstance(value, dict):
            return {name: picked(number) for name, number in value.items()}
        return value[place].item() if isinstance(value, np.ndarray) else value

    return {name: picked(value) for name, value in settings.items()}


def totals_of(design, algorithm):
    scheduler = schedule(
        *(algorithm, SHAPES, design), samples=SAMPLES, mini_batches=MINI_BATCHES, **PARAMETERS.get(algorithm, {})
    )
    return price_totals(
        scheduler.rows(),
        design,
        scheduler.floorplans,
        algorithm=algorithm,
        storage=scheduler.algorithm.storage(BATCH),
        samples=SAMPLES,
        batch_size=BATCH,
    ), scheduler


def check_bits(settings, algorithm, *, places=range(COUNT), preset="sar_45nm"):
    """Check that every figure of every design has the bits of the design alone, as totals and as a bill."""
    many, _ = totals_of(hardware(preset, **settings), algorithm)
    distinct = set()
    for place in places:
        design = hardware(preset, **single(settings, place))
        assert design.designs == ()
        one, scheduler = totals_of(design, algorithm)
        bill = bill_of(scheduler, samples=SAMPLES, batch_size=BATCH)
        for figure in FIGURES:
            found = getattr(many, figure)
            assert found.shape == (COUNT,)
            assert found[place] == getattr(one, figure) == getattr(bill, figure), (figure, place)
        distinct.add(one)
    assert len(distinct) > 1  # the designs do differ


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("seed", range(3))
def test_random_designs_on_random_models(algorithm, seed, tmp_path):
    check_bits(drawn_settings([seed, sorted(ALGORITHMS).index(algorithm)], tmp_path), algorithm)


@pytest.mark.parametrize(("adc_model", "dac_model"), list(itertools.product(ADCS, DACS)))
def test_every_pair_of_converters(adc_model, dac_model, tmp_path):
    settings = drawn_settings([7, ADCS.index(adc_model)], tmp_path, adc_model=adc_model, dac_model=dac_model)
    check_bits(settings, "residual_learning", places=range(0, COUNT, 3))


@pytest.mark.parametrize("cell_model", CELLS)
@pytest.mark.parametrize("algorithm", ["analog_sgd", "mixed_precision"])
def test_every_cell(cell_model, algorithm, tmp_path):
    settings = drawn_settings([11, CELLS.index(cell_model)], tmp_path, cell_model=cell_model)
    check_bits(settings, algorithm, places=range(0, COUNT, 3))


@pytest.mark.parametrize("overlap", SCHEDULES, ids=str)
@pytest.mark.parametrize("algorithm", ["tiki_taka_v2", "residual_learning"])
def test_every_schedule(overlap, algorithm, tmp_path):
    settings = drawn_settings([13, SCHEDULES.index(overlap)], tmp_path, schedule=overlap)
    check_bits(settings, algorithm, places=range(0, COUNT, 3))


@pytest.mark.parametrize("preset", ["multi_tile_paper", "neurosim_22nm", "isaac_32nm"])
@pytest.mark.parametrize("algorithm", ["analog_sgd", "residual_learning", "e_rider"])
def test_other_presets_and_bit_serial_inputs(preset, algorithm, tmp_path):
    settings = drawn_settings([17, len(preset)], tmp_path, preset)
    if preset != "multi_tile_paper":  # published macros have no stage that sums the columns of tiles
        settings |= {"shared_by_tiles": False}
    check_bits(settings, algorithm, places=range(0, COUNT, 3), preset=preset)


@pytest.mark.parametrize("seed", range(4))
def test_factors_on_every_number(seed, tmp_path):
    settings = drawn_settings([19, seed], tmp_path)
    draw = Draw([23, seed])
    design = hardware(**single(settings, 0))
    check_prices(design, "residual_learning")
    names = sorted({name for price in design.prices.values() for name in price.assumptions})
    assert len(names) > 15
    factors = {name: np.exp(draw.generator.normal(0, 0.3, COUNT)) for name in names}
    check_bits(settings | {"factors": factors}, "residual_learning")


def test_squares_are_products():
    """A power of one number and one of an array may differ in the last bit; neither is in the formulas."""
    numbers = np.random.Generator(np.random.PCG64(2)).random(200_000)
    odd = [x for x in numbers.tolist() if x**2 != x * x][:COUNT]
    assert len(odd) == COUNT
    many = hardware(overrides={"activity_pulse_probability": np.array(odd), "bus_voltage_v": np.array(odd)})
    _, scheduler = totals_of(many, "analog_sgd")
    wires = bus_energy_per_byte(many, 1e-6).value
    for place, number in enumerate(odd):
        one = hardware(overrides={"activity_pulse_probability": number, "bus_voltage_v": number})
        _, alone = totals_of(one, "analog_sgd")
        counted, expected = (dict(found.rows())["dense1", "0", "update"] for found in (scheduler, alone))
        assert counted["coincidences"][place] == expected["coincidences"]
        assert wires[place] == bus_energy_per_byte(one, 1e-6).value


def test_a_single_number_in_an_array_is_one_of_one_design():
    many, _ = totals_of(hardware(adc_bits=np.array([6])), "analog_sgd")
    one, _ = totals_of(hardware(adc_bits=6), "analog_sgd")
    for figure in FIGURES:
        assert getattr(many, figure).tolist() == [getattr(one, figure)]


def test_all_designs_may_be_the_same():
    many, _ = totals_of(hardware(adc_bits=np.full(4, 6)), "analog_sgd")
    one, _ = totals_of(hardware(adc_bits=6), "analog_sgd")
    for figure in FIGURES:
        assert getattr(many, figure).tolist() == [getattr(one, figure)] * 4


# ---- the first bad design is named


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"adc_bits": np.array([8, 7, 11, 12])}, "hardware.adc.bits = 11 is not in calibration table"),
        ({"dac_bits": np.array([8, 2, 1])}, "hardware.dac.bits = 2 is not in calibration table"),
        (
            {"adc_model": "survey", "adc_bits": np.array([8, 3, 12])},
            "hardware.adc.bits = 3 is outside model 'survey'; allowed: 4 to 10",
        ),
        ({"dac_model": "r2r", "dac_bits": np.array([5, 11, 1])}, "hardware.dac.bits = 11 is outside model 'r2r'"),
        (
            {"overrides": {"vector_bytes": np.array([1.0, 2.0, 2.5, 0.5])}},
            "hardware.values.vector_bytes = 2.5 is not allowed; it must be a whole number",
        ),
        (
            {"overrides": {"vector_bytes": np.array([1.0, np.inf])}},
            "hardware.values.vector_bytes = inf is not allowed; it must be a whole number",
        ),
        (
            {"overrides": {"activity_drive": np.array([0.0, 1.0, 1.5, -1.0])}},
            "hardware.values.activity_drive = 1.5 is not allowed; it must be between 0 and 1",
        ),
        (
            {"overrides": {"activity_drive": np.array([0.5, np.nan])}},
            "hardware.values.activity_drive = nan is not allowed; it must be between 0 and 1",
        ),
        (
            {"cell_model": "pcm", "cell_values": {"write_pulse_s": np.array([1e-8, -2e-8])}},
            "hardware.cell: cell 'pcm': write_pulse_s = an array of 2 values is not allowed; a number above 0, in s",
        ),
    ],
)
def test_a_bad_setting_of_one_design_is_named(settings, said):
    with pytest.raises(HardwareError) as caught:
        hardware(**settings)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("key", ["array_rows", "array_cols"])
def test_lines_longer_than_what_was_simulated_are_named(key):
    design = hardware(**{key: np.array([16, 128, 300, 257])})
    with pytest.raises(HardwareError, match=f"hardware.{key} = 300 is beyond calibration table"):
        calibrated(design, "tia", "power_w")


def test_a_rate_outside_a_model_is_named():
    design = hardware(adc_model="survey", adc_rate_hz=np.array([1e8, 1e8, 1e10]))
    with pytest.raises(HardwareError, match=r"hardware.adc.rate_hz = 1e\+10 is outside ADC model 'survey'"):
        check_prices(design, "analog_sgd")


def test_a_number_of_one_design_that_is_not_finite_is_named():
    design = hardware(overrides={"flop_energy_j": np.array([1e-12, np.inf, np.nan])})
    with pytest.raises(ProvenanceError, match=r"value inf \[J\] is not finite \(flop_energy_j as given in the study"):
        design.value("flop_energy_j")


# ---- numbers


def test_the_shape_of_settings_together():
    assert designs_of() == designs_of(1, 2.5, True) == ()
    assert designs_of(1, np.ones(3), np.ones(1)) == (3,)
    with pytest.raises(ValueError, match="shape"):
        designs_of(np.ones(2), np.ones(3))


def test_a_function_of_one_design_is_called_once():
    calls = []
    assert over_distinct(lambda *settings: calls.append(settings) or 2.5, 3, 0.5) == 2.5
    assert calls == [(3, 0.5)]


def test_a_function_of_many_designs_is_called_once_for_each_distinct_combination():
    calls = []

    def function(bits, rate, name):
        calls.append((bits, rate, name))
        return bits + 100 * rate + 10000 * name

    bits = np.array([8, 6, 8, 6, 8, 6])
    rates = np.array([0.5, 0.5, 0.5, 1.5, 1.5, 0.5])
    found = over_distinct(function, bits, rates, 3)
    assert found.tolist() == (bits + 100 * rates + 30000).tolist()
    assert sorted(calls) == [(6, 0.5, 3), (6, 1.5, 3), (8, 0.5, 3), (8, 1.5, 3)]
    assert all(type(setting) in (int, float) for call in calls for setting in call)
    assert found.dtype == np.float64


def test_one_array_of_one_design_stays_an_array():
    assert over_distinct(lambda bits: 2.0 * bits, np.array([4])).tolist() == [8.0]


@pytest.mark.parametrize("seed", range(5))
def test_many_settings_find_their_own_values(seed):
    generator = np.random.Generator(np.random.PCG64(seed))
    settings = [generator.integers(0, 4, 200), generator.choice([0.1, 0.2, np.pi], 200), generator.integers(5, 7, 200)]
    found = over_distinct(lambda a, b, c: a + b / 10 + c * 1e3, *settings)
    assert found.tolist() == [a + b / 10 + c * 1e3 for a, b, c in zip(*settings, strict=True)]


def test_the_first_design_for_which_a_condition_holds():
    numbers, others = np.array([1, 5, 7, 9]), np.array([0.5, 1.5, 2.5, 3.5])
    assert first_where(numbers > 4, numbers, others) == (5, 1.5)
    assert first_where(numbers > 4, numbers, 12) == (5, 12)
    assert first_where(numbers > 9, numbers) is None
    assert [type(value) for value in first_where(numbers > 4, numbers, others)] == [int, float]


def test_one_design_for_which_a_condition_holds():
    assert first_where(True, 3, 0.5) == (3, 0.5)
    assert first_where(np.True_, np.float64(3)) == (3.0,)
    assert first_where(False, 3) is None


def test_a_condition_that_holds_for_all_names_the_first_design():
    assert first_where(True, np.array([4, 5])) == (4,)
