"""What models cost: operations, parameters, milliseconds."""

from __future__ import annotations

import json

import pytest
import torch
from command_line import answer

from neurocodec.models.cost import cost_of, macs_of
from neurocodec.models.model_files import build, find, load


def test_operations_are_those_of_the_layers() -> None:
    found = macs_of(find("likeness", "feedback"))
    assert found["verdict_known"] < found["verdict"] <= 2 * found["verdict_known"]
    with torch.device("meta"):
        stages = build("likeness", find("likeness", "feedback").config).stages
    side, features = round(256 / (stages[0][0].in_channels / 3) ** 0.5), 0
    for stage in stages:
        side //= stage[0].stride[0]
        features += sum(layer.weight.numel() * side**2 for layer in stage if hasattr(layer, "weight"))
    assert found["verdict"] - found["verdict_known"] >= features
    assert found["verdict"] < 2.1 * features
    talk = macs_of(find("talk256", "motion"))
    assert talk["keypoints"] < 0.6e9
    assert talk["reference"] > talk["keypoints"]
    assert talk["frame"] < 4e9
    assert found["verdict"] < 0.5 * talk["frame"]


@pytest.mark.slow
def test_cost_of_a_model() -> None:
    model = find("likeness", "feedback")
    cost = cost_of(model, 0.01, "cpu")
    network = load(model)
    assert cost.parameters == sum(p.numel() for p in network.parameters())
    assert cost.bytes == model.path.stat().st_size
    assert cost.milliseconds["verdict"] > 0
    assert cost.milliseconds["verdict_known"] > 0
    code, printed, _ = answer("models", "benchmark", "likeness", "--seconds", "0.05", "--json")
    assert code == 0 and json.loads(printed)["likeness"]["macs"] == cost.macs
    code, shown, _ = answer("models", "show", "talk256", "--threads", "1")
    assert code == 0
    assert "rendering a frame" in shown
    assert "MMAC" in shown
    assert "ms" in shown
    assert answer("models", "benchmark", "--seconds", "0")[0] == 2
