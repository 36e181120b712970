"""Pulse responses of devices: what the panels show, which files are written, what the command refuses."""

import xml.etree.ElementTree as ElementTree
from dataclasses import fields
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from cosim.cli import main
from cosim.reporting.responses import draw_responses, nominal, pulse_response, write_responses
from cosim.reporting.style import house_style
from device_models import list_devices, load_device
from device_models.families import ConstantStep, SoftBounds, SoftBoundsReference
from tests.oracles import devices

FEW = ["soft_bounds", "constant_step", "pcm"]


def test_response_of_soft_bounds_is_the_closed_form() -> None:
    numbers, weights = pulse_response(SoftBounds(dw_min=0.05), pulses=30)
    top = devices.soft_bounds_after(30, 0.0, 0.05, 1.0)
    up = [devices.soft_bounds_after(count, 0.0, 0.05, 1.0) for count in range(31)]
    down = [devices.soft_bounds_after(count, top, 0.05, -1.0) for count in range(1, 31)]
    np.testing.assert_array_equal(numbers, range(61))
    np.testing.assert_allclose(weights[:, 0], up + down, atol=1e-6)


def test_long_responses_are_read_now_and_then_and_miss_no_pulse() -> None:
    numbers, weights = pulse_response(ConstantStep(dw_min=0.001), pulses=900)
    assert len(numbers) < 200
    assert (numbers[0], numbers[-1]) == (0, 1800)
    assert 900 in numbers
    np.testing.assert_allclose(weights[:, 0], np.minimum(numbers, 1800 - numbers) * 1e-3, atol=1e-5)


def test_response_starts_at_a_read_weight_of_zero() -> None:
    device = SoftBoundsReference(dw_min=0.01, reference_mean=0.1)
    _, weights = pulse_response(device, pulses=20)
    assert weights[0, 0] == pytest.approx(0, abs=1e-7)
    assert weights[1, 0] == pytest.approx(0.01 * 0.9, rel=1e-4)


def test_same_seed_same_response() -> None:
    device = load_device("reram_es")
    first, again, other = (pulse_response(device, pulses=20, devices=2, seed=seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", list_devices())
def test_nominal_device_has_no_variation(name: str) -> None:
    device, plain = load_device(name), nominal(load_device(name))
    _, weights = pulse_response(plain, pulses=20, devices=3, seed=5)
    assert np.ptp(weights, axis=1).max() == 0
    assert type(plain) is type(device)
    kept = [field.name for field in fields(device) if not field.name.endswith(("_dtod", "_std", "_prob"))]
    assert all(getattr(plain, key) == getattr(device, key) for key in kept)


def test_each_preset_has_a_panel_with_its_symmetric_point() -> None:
    with house_style():
        figure = draw_responses(FEW)
    shown = {axes.get_title(loc="left"): axes for axes in figure.axes if axes.axison}
    assert list(shown) == FEW
    dotted = {
        name: [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"]
        for name, axes in shown.items()
    }
    assert dotted == {"soft_bounds": [0.0], "constant_step": [], "pcm": []}
    assert figure.get_supxlabel().startswith("pulse number")
    assert figure.get_supylabel() == "weight"


def test_nominal_line_is_thick_and_dark_before_thin_and_pale_ones() -> None:
    with house_style():
        lines = draw_responses(["soft_bounds"]).axes[0].lines
    *noisy, line, _ = lines

    def luminance(colour: object) -> float:
        return float(np.dot(mpl.colors.to_rgb(colour), (0.299, 0.587, 0.114)))

    assert len(noisy) == 4
    assert all(line.get_linewidth() > 2 * thin.get_linewidth() for thin in noisy)
    assert all(luminance(thin.get_color()) - luminance(line.get_color()) > 0.25 for thin in noisy)


def test_panels_do_not_overlap() -> None:
    with house_style():
        figure = draw_responses(list_devices()[:6])
        figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes if axes.axison]
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[place + 1 :])


def test_png_and_svg_are_written_by_the_ending(tmp_path: Path) -> None:
    png, svg = write_responses(tmp_path / "a.PNG", FEW[:1]), write_responses(tmp_path / "new" / "b.svg", FEW[:1])
    assert png.read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["a.PNG", "b.svg"]


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_devices_give_the_same_bytes(tmp_path: Path, ending: str) -> None:
    first, second = (write_responses(tmp_path / f"{n}" / f"d.{ending}", FEW[:1]).read_bytes() for n in (1, 2))
    assert first == second


@pytest.fixture
def few_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr("device_models.list_devices", lambda: FEW[:1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("given", "written"), [([], "devices.png"), (["mine.svg"], "mine.svg")])
def test_command_writes_the_picture(
    few_devices: Path, capsys: pytest.CaptureFixture[str], given: list[str], written: str
) -> None:
    assert main(["list", "devices", "--plot", *given]) == 0
    assert f"Picture: {written}" in capsys.readouterr().out
    assert [path.name for path in few_devices.iterdir()] == [written]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["devices", "--plot", "a.pdf"], ["a.pdf: the ending '.pdf' is not known", ".png and .svg are"]),
        (["devices", "--plot", "a"], ["a: the ending '' is not known"]),
        (["networks", "--plot"], ["--plot draws devices", "no picture of networks", "cosim list devices --plot"]),
        (["devices", "a.png"], ["'a.png' is given without --plot", "cosim list devices --plot a.png"]),
    ],
)
def test_command_refuses_other_pictures(
    few_devices: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], parts: list[str]
) -> None:
    assert main(["list", *arguments]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert all(part in told for part in parts)
    assert list(few_devices.iterdir()) == []
