"""What models cost: operations, parameters, milliseconds."""

from __future__ import annotations

import json

import pytest
import torch
from command_line import answer

from neurocodec.models.cost import cost_of, macs_of
from neurocodec.models.model_files import build, find, load


def test_operations_are_those_of_the_layers() -> None:
    found = macs_of(find("perceptual", "feedback"))
    assert found["verdict_known"] < found["verdict"] <= 2 * found["verdict_known"]
    with torch.device("meta"):
        network = build("perceptual", find("perceptual", "feedback").config)
    sizes = network.sizes(256, 256)  # type: ignore[operator]
    weights = [layer[0].weight.numel() for layer in network.layers]  # type: ignore[union-attr, index]
    features = sum(w * rows * columns for w, (rows, columns, _) in zip(weights, sizes, strict=True))
    assert found["verdict"] - found["verdict_known"] >= features
    assert found["verdict"] < 2.1 * features
    talk = macs_of(find("talk256", "motion"))
    assert talk["keypoints"] < 0.6e9
    assert talk["reference"] > talk["keypoints"]
    assert talk["frame"] < 4e9
    assert found["verdict"] < 0.5 * talk["frame"]


@pytest.mark.slow
def test_cost_of_a_model() -> None:
    model = find("perceptual", "feedback")
    cost = cost_of(model, 0.01, "cpu")
    network = load(model)
    assert cost.parameters == sum(p.numel() for p in network.parameters())
    assert cost.bytes == model.path.stat().st_size
    assert cost.milliseconds["verdict"] > 0
    assert cost.milliseconds["verdict_known"] > 0
    code, printed, _ = answer("models", "benchmark", "perceptual", "--seconds", "0.05", "--json")
    assert code == 0 and json.loads(printed)["perceptual"]["macs"] == cost.macs
    code, shown, _ = answer("models", "show", "talk256", "--threads", "1")
    assert code == 0
    assert "rendering a frame" in shown
    assert "MMAC" in shown
    assert "ms" in shown
    assert answer("models", "benchmark", "--seconds", "0")[0] == 2
