"""The algorithm that the README shows trains and is priced."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

import cosim
from cosim.algorithms import ALGORITHMS, Algorithm, Parameters
from cosim.plan import Accumulate, Backward, ColumnTransfer, Forward
from cost_model.operations import TransferWork

README = Path(__file__).parents[2] / "README.md"


class SignSGDParameters(Parameters):
    name: Literal["sign_sgd"] = "sign_sgd"


def test_the_algorithm_of_the_readme_learns_and_has_a_bill(monkeypatch, tmp_path):
    code = next(
        block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "class SignSGD" in block
    )
    names = {
        "Algorithm": Algorithm, "SignSGDParameters": SignSGDParameters, "ColumnTransfer": ColumnTransfer,
        "Forward": Forward, "Backward": Backward, "Accumulate": Accumulate, "TransferWork": TransferWork,
        "dataclass": dataclass, "np": np, "__name__": "readme",
    }  # fmt: skip
    exec(compile(code, str(README), "exec"), names)
    monkeypatch.setitem(ALGORITHMS, "sign_sgd", names["SignSGD"])
    study = {
        "schema": 1,
        "data": {"name": "digits", "train_samples": 400},
        "training": {"epochs": 5},
        "device": {"states": 100},
        "algorithm": {"name": "sign_sgd"},
        "hardware": {"ideal_io": True},
    }
    record = cosim.run(study, tmp_path / "run", page=False)
    assert record.results.test_accuracy.item() > 0.5
    lines = record.bill[(record.bill.operation == "transfer") & (record.bill.component == "sram")]
    assert lines.energy_j.sum() > 0
    assert record.results.energy_per_sample_j.item() == pytest.approx(record.bill.energy_j.sum(), rel=1e-9)
