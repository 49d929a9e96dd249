"""The vox-256 model: its published shapes, its published results, and its behaviour as a codec model."""

from __future__ import annotations

import copy
import hashlib
import json

import numpy as np
import pytest
import torch
from places import fact_file
from torch import Tensor

from neurocodec.networks.tps import coordinate_grid
from neurocodec.networks.vox256 import NUM_KEYPOINTS, Vox256

NETWORKS = ("kp_detector", "dense_motion_network", "inpainting_network")


def rule_tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    """The weights of a test model: random by a rule that depends on nothing but name and shape."""
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    values: np.ndarray = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
    if name.endswith("running_var"):
        values = 1 + 0.1 * np.abs(values)
    elif name.endswith(("running_mean", ".bias")):
        values = 0.05 * values
    elif len(shape) == 1:
        values = 1 + 0.1 * values
    else:
        values = values * np.sqrt(1 / np.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32))


@pytest.fixture(scope="module")
def model() -> Vox256:
    made = Vox256().eval().requires_grad_(False)
    state = made.state_dict()
    for key, tensor in state.items():
        if tensor.is_floating_point() and not key.endswith("down.weight"):
            tensor.copy_(rule_tensor(key, tuple(tensor.shape)))
    return made


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor]:
    y, x = np.mgrid[0:256, 0:256] / 255
    first = np.stack((x, y, 0.5 + 0.5 * np.sin(20 * x * y)))
    second = np.roll(first, (12, -7), axis=(1, 2))
    return torch.from_numpy(first).float()[None], torch.from_numpy(second).float()[None]


def test_shapes_are_the_published_ones() -> None:
    published = json.loads(fact_file("tpsmm_vox256_state_dict.json").read_text())
    with torch.device("meta"):
        made = Vox256()
    assert tuple(published) == NETWORKS
    for name in NETWORKS:
        state = getattr(made, name).state_dict()
        described = {
            key: [list(tensor.shape), str(tensor.dtype).removeprefix("torch.")]
            for key, tensor in state.items()
        }
        assert described == published[name]


@pytest.mark.slow
def test_parity_with_the_published_code(model: Vox256) -> None:
    expected = np.load(fact_file("tpsmm_parity.npz"))

    def picture(name: str) -> Tensor:
        return torch.from_numpy(expected[name]).permute(2, 0, 1)[None].float() / 255

    def error(name: str, tensor: Tensor) -> float:
        assert tuple(tensor.shape) == expected[name].shape
        return float(np.abs(tensor.numpy() - expected[name]).max())

    with torch.inference_mode():
        source = model.keypoints(picture("source"))
        driving = model.keypoints(picture("driving"))
        features = model.encode_reference(picture("source"), source)
        motion = model.dense_motion_network(features.motion, driving)
        prediction = model.render(features, driving)
    assert error("kp_source", source) < 1e-4
    assert error("kp_driving", driving) < 1e-4
    assert error("deformation", motion.deformation[:, ::4, ::4]) < 1e-4
    assert error("occlusion0", motion.occlusion[0]) < 1e-3
    assert error("occlusion3", motion.occlusion[3][:, :, ::8, ::8]) < 1e-3
    assert error("prediction", prediction[:, :, ::4, ::4]) < 1e-3


def test_size() -> None:
    with torch.device("meta"):
        made = Vox256()
    counts = {name: sum(p.numel() for p in getattr(made, name).parameters()) for name in NETWORKS}
    assert 73.8e6 < sum(counts.values()) < 74.0e6
    assert len(made.state_dict()) == 122 + 59 + 78
    shapes = {key: tuple(tensor.shape) for key, tensor in made.state_dict().items()}
    assert shapes["kp_detector.fg_encoder.fc.weight"] == (100, 512)
    assert shapes["kp_detector.fg_encoder.layer4.0.downsample.0.weight"] == (512, 256, 1, 1)
    assert shapes["dense_motion_network.down.weight"] == (3, 1, 13, 13)
    assert shapes["dense_motion_network.hourglass.encoder.down_blocks.0.conv.weight"] == (128, 84, 3, 3)
    assert shapes["dense_motion_network.maps.weight"] == (11, 148, 7, 7)
    assert shapes["inpainting_network.resblock.5.norm2.bias"] == (256,)


def test_downscaling_keeps_flat_pictures(model: Vox256) -> None:
    down = model.dense_motion_network.down
    small = down(torch.full((1, 3, 256, 256), 0.5))
    assert small.shape == (1, 3, 64, 64)
    assert (small[:, :, 2:-2, 2:-2] - 0.5).abs().max() < 1e-5
    assert torch.allclose(down.weight.sum(dim=(1, 2, 3)), torch.ones(3))


@pytest.mark.slow
def test_rendering(model: Vox256, pictures: tuple[Tensor, Tensor]) -> None:
    reference, other = pictures
    with torch.inference_mode():
        found = model.keypoints(torch.cat((reference, other)))
        assert found.shape == (2, NUM_KEYPOINTS, 2)
        assert found.abs().max() <= 1
        features = model.encode_reference(reference, found[:1])
        moved = found[1:].clone()
        moved[0, 17] += torch.tensor([0.3, -0.2])
        both = torch.cat((found[1:], moved))
        prediction = model.render(features, both)
        alone = torch.cat([model.render(features, points[None]) for points in both])
        motion = model.dense_motion_network(features.motion, both)
    assert prediction.shape == (2, 3, model.size, model.size)
    assert prediction.min() >= 0 and prediction.max() <= 1
    # A batch gives what its frames give alone.  Random weights enlarge the rounding of float32, which differs
    # between processors, to about 1e-4.
    assert (prediction - alone).abs().max() < 3e-4
    assert (prediction[0] - prediction[1]).abs().max() > 1e-3
    assert motion.deformation.shape == (2, 64, 64, 2)
    assert [tuple(mask.shape) for mask in motion.occlusion] == [(2, 1, s, s) for s in (32, 64, 128, 256)]
    assert all(mask.min() >= 0 and mask.max() <= 1 for mask in motion.occlusion)


@pytest.mark.slow
def test_dense_motion_under_autocast_and_autograd(model: Vox256, pictures: tuple[Tensor, Tensor]) -> None:
    network = copy.deepcopy(model.dense_motion_network)
    del network.up[:], network.occlusion[2:]  # the large masks, which take half of the time
    start = torch.linspace(-0.8, 0.8, 100).reshape(1, 50, 2)
    driving = (start * 0.9 + 0.03).requires_grad_()
    exact = network(network.encode_reference(pictures[0], start), driving)
    exact.deformation.square().mean().backward()
    assert driving.grad is not None and driving.grad.isfinite().all() and driving.grad.abs().max() > 0
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        coarse = network(network.encode_reference(pictures[0], start), driving)
    assert coarse.deformation.dtype == torch.float32
    assert (coarse.deformation - exact.deformation).abs().mean() < 0.1


def test_identical_splines_leave_the_picture_in_place(model: Vox256, pictures: tuple[Tensor, Tensor]) -> None:
    corners = torch.tensor([[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8], [0.0, 0.0]])
    still = corners.repeat(10, 1)[None]
    with torch.inference_mode():
        motion = model.dense_motion_network(
            model.dense_motion_network.encode_reference(pictures[0], still), still
        )
    assert (motion.deformation - coordinate_grid(64, 64)).abs().max() < 0.05


def test_wrong_shapes_are_refused(model: Vox256) -> None:
    good = torch.zeros(1, 3, 256, 256)
    points = torch.zeros(1, 50, 2)
    with pytest.raises(ValueError, match="pictures"):
        model.keypoints(good[:, :, :128])
    with pytest.raises(ValueError, match="keypoints"):
        model.encode_reference(good, points[:, :10])
    with pytest.raises(ValueError, match="one reference"):
        model.encode_reference(good.expand(2, -1, -1, -1), points)
    with pytest.raises(ValueError, match="keypoints"):
        model.render(None, points[0])  # type: ignore[arg-type]
