"""Models of other sizes: nothing but the model's description says the size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import cut
from places import SAMPLES
from small_models import small

import neurocodec
from neurocodec.bench import untrained
from neurocodec.errors import UnsupportedError
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.models.device import fold_batch_norms
from neurocodec.models.model_files import build
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.networks.fused import fuse_activations
from neurocodec.networks.talk import Talk, TalkConfig
from neurocodec.networks.talk_render import TalkRenderer


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut(SAMPLES / "astronaut.mp4", tmp_path_factory.mktemp("few") / "few.mp4", 6)


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 72, 128, 384])
def test_there_and_back(size: int, few: Path, tmp_path: Path) -> None:
    model = small(tmp_path / "models", size)
    coded, out = tmp_path / "out.nfc", tmp_path / "out.mp4"
    report = neurocodec.encode(few, coded, model=str(model.path), gap=2, region="full")
    assert report.frames == 6 and report.model == f"untrained{size}"
    found = neurocodec.probe(coded)
    assert (found.model_size, found.width, found.height) == (size, 256, 256)
    done = neurocodec.decode(coded, out, model=str(model.path), size="model")
    assert done.symbols_sha256 == report.symbols_sha256
    with MediaReader(out) as reader:
        pictures = [x.to_rgb() for x in reader if isinstance(x, VideoPicture)]
    assert [p.shape for p in pictures] == [(size, size, 3)] * 6
    assert neurocodec.decode(coded, out, model=str(model.path), force=True).width == 256


@pytest.mark.slow
@pytest.mark.parametrize("size", [40, 64, 72, 96, 200, 384])
@pytest.mark.parametrize("count", [1, 2])
def test_the_renderer_paints_what_the_network_does_at_any_size(size: int, count: int) -> None:
    torch.manual_seed(3)
    talk = Talk(TalkConfig(size=size, num_tps=2, keypoint_width=4, motion_width=8, generator_width=8)).eval()
    fold_batch_norms(talk)
    pictures = torch.nn.functional.interpolate(torch.rand(2, 3, 7, 7), size=size, mode="bicubic").clamp(0, 1)
    keypoints = torch.rand(3, 10, 2) * 1.6 - 0.8
    with torch.inference_mode():
        points = talk.keypoints(pictures)
        plain = [talk.encode_reference(pictures[k : k + 1], points[k : k + 1]) for k in range(count)]
        wanted = (talk.render(plain, keypoints) * 255).round().permute(0, 2, 3, 1)
        fuse_activations(talk)
        renderer = TalkRenderer(talk)
        flat = [renderer.encode_reference(pictures[k : k + 1], points[k : k + 1]) for k in range(count)]
        got = renderer.render(flat, keypoints).float()
    assert wanted.std() > 2
    assert (got - wanted).abs().max() <= 1


def test_sizes_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="multiple of 8, not 100"):
        build("talk", {"size": 100})
    model = small(tmp_path, 64)
    with pytest.raises(UnsupportedError, match="contradicts itself"):
        MotionEngine(replace(model, size=128))


def test_untrained_models_are_the_same_for_a_seed_and_leave_chance_alone(tmp_path: Path) -> None:
    torch.manual_seed(9)
    wanted = torch.rand(3)
    torch.manual_seed(9)
    shape = TalkConfig(size=64, num_tps=1, keypoint_width=4, motion_width=4, generator_width=4)
    first = untrained.write(tmp_path, shape)
    np.testing.assert_array_equal(torch.rand(3).numpy(), wanted.numpy())
    assert untrained.write(tmp_path / "again", shape).hash == first.hash
    assert untrained.write(tmp_path / "other", shape, seed=1).hash != first.hash
    assert untrained.like(first, 128, tmp_path).size == 128
