"""Every guard is seen failing: install a fault, watch its test fail. Add faults in a file faults_*.py as FAULTS."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from faults import Fault
from nets import floats
from torch.nn import functional as F

FAULTS: list[Fault] = [
    fault
    for path in sorted((Path(__file__).parents[1] / "support").glob("faults_*.py"))
    for fault in importlib.import_module(path.stem).FAULTS
]
SILENT = [fault for fault in FAULTS if fault.silent]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_guard_fails_under_the_fault_alone(fault: Fault, tmp_path: Path) -> None:
    fault.run_guard(tmp_path)
    with pytest.MonkeyPatch.context() as monkeypatch:
        fault.install(monkeypatch)
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            fault.run_guard(tmp_path)
    fault.run_guard(tmp_path)


@pytest.mark.parametrize("fault", SILENT, ids=lambda fault: fault.name)
def test_a_silent_fault_looks_well(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    fault.install(monkeypatch)
    model = fault.case.model()
    logits = model(floats(model.backbone))
    loss = F.cross_entropy(logits, torch.arange(16) % 3)
    loss.backward()
    assert logits.shape == (16, 3)
    assert torch.isfinite(loss)


def test_most_faults_are_silent() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 15
    assert len(SILENT) >= 12
