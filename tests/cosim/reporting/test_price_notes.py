import pandas as pd

from cosim.reporting.price_notes import price_notes

COLUMNS = ["run_id", "operation", "component", "count", "per", "energy_j", "latency_s", "area_m2", "source"]
BILL = pd.DataFrame(
    [
        ("a", "forward", "adc", 2000.0, "adc_conversions", 4e-9, 0.0, 0.0, "fitted: table"),
        ("a", "forward", "adc", 500.0, "adc_rounds", 0.0, 1e-6, 0.0, "assumed: clock"),
        ("a", "forward", "tia", 10.0, "reads", 9e-9, 0.0, 0.0, None),
        ("a", "floorplan", "adc", 8.0, "adcs", 0.0, 0.0, 1.6e-8, "derived: survey"),
        ("a", "floorplan", "array", 1000.0, "array_weights", 0.0, 0.0, 6.4e-11, "derived: cell"),
    ],
    columns=COLUMNS,
)


def test_counts_times_prices_make_the_number_the_largest_first():
    energy, latency, area = price_notes(BILL)["operation", "forward"]
    assert energy.splitlines() == [
        "tia: 10 reads × 900 pJ = 9.00 nJ (not stated)",
        "adc: 2\N{NARROW NO-BREAK SPACE}000 adc conversions × 2.00 pJ = 4.00 nJ (fitted: table)",
    ]
    assert latency == "adc: 1.00 µs (assumed: clock)"  # rounds run in parallel: no price per round
    assert area == ""


def test_areas_too_have_counts_and_prices():
    notes = price_notes(BILL)
    assert notes["component", "adc"][2] == "floorplan: 8 adcs × 2000 µm² = 0.0160 mm² (derived: survey)"
    assert "× 0.0640 µm² = 64.0 µm²" in notes["component", "array"][2]


def test_several_runs_are_averaged():
    twice = pd.concat([BILL, BILL.assign(run_id="b", energy_j=3 * BILL["energy_j"])])
    energy = price_notes(twice)["operation", "forward"][0]
    assert energy.splitlines()[0] == "tia: 10 reads × 1.80 nJ = 18.0 nJ (not stated)"


def test_small_parts_are_summed_up():
    many = pd.concat([BILL[:1].assign(component=f"part_{number}", energy_j=10.0**-number) for number in range(7)])
    lines = price_notes(many)["operation", "forward"][0].splitlines()
    assert lines[-1] == "and 3 more, 0.0 % together"
    assert len(lines) == 5


def test_an_old_bill_without_counts_still_names_its_sources():
    notes = price_notes(BILL.drop(columns=["count", "per"]))
    assert notes["component", "adc"][0] == "forward: 4.00 nJ (fitted: table)"


def test_the_total_is_explained_by_component():
    assert price_notes(BILL)["total", "total"][0].startswith("tia: 10 reads")
