"""The original's feedback network, and reading foreign checkpoints without trusting them."""

from __future__ import annotations

import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from places import fact_file

from neurocodec.errors import InputError, NeurocodecError, UnsupportedError
from neurocodec.models.published import read_published, read_torch_checkpoint
from neurocodec.networks.classic_feedback import ClassicFeedback
from neurocodec.networks.vox256 import Vox256

NETWORKS = ("kp_detector", "dense_motion_network", "inpainting_network")


class Hostile:
    """Writes a file when unpickled by anything that runs what a pickle says."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable, tuple]:
        return os.mkdir, (str(self.target),)


def assert_one_line(error: pytest.ExceptionInfo[NeurocodecError], path: Path) -> None:
    message = str(error.value)
    assert message.startswith(str(path)) and "\n" not in message and len(message) < len(str(path)) + 200
    assert error.value.__suppress_context__ or error.value.__context__ is None


@pytest.fixture(scope="module")
def motion_state() -> dict[str, dict[str, torch.Tensor]]:
    """A checkpoint like the published one, of zeros that share storage, so that its file is small."""
    with torch.device("meta"):
        expected = Vox256().state_dict()
    content: dict[str, dict[str, torch.Tensor]] = {name: {} for name in NETWORKS}
    for key, tensor in expected.items():
        name, _, rest = key.partition(".")
        content[name][rest] = torch.zeros((), dtype=tensor.dtype).expand(tensor.shape)
    return content


def test_feedback_parity() -> None:
    cv2 = pytest.importorskip("cv2")
    astronaut = pytest.importorskip("skimage.data").astronaut()[0:256, 96:352]
    weights = fact_file("feedback_checkpoints.model")
    expected = json.loads(fact_file("feedback_parity.json").read_text())
    architecture, state = read_published(weights)
    assert architecture == "classic-feedback"
    network = ClassicFeedback().eval()
    network.load_state_dict(state)
    pictures = {"clean": astronaut, "blur5": cv2.GaussianBlur(astronaut, (0, 0), 5)}
    with torch.inference_mode():
        for name, picture in pictures.items():
            rgb = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
            assert network(rgb).item() == pytest.approx(expected[f"{name}.rgb"], rel=1e-2)
            assert network.verdict(rgb).item() == pytest.approx(expected[f"{name}.bgr"], rel=1e-2)


def test_feedback_network_orders_channels() -> None:
    torch.manual_seed(0)
    network = ClassicFeedback().eval()
    rgb = torch.rand(3, 3, 256, 256)
    with torch.inference_mode():
        verdict = network.verdict(rgb)
        assert verdict.shape == (3,)
        assert verdict.min() >= 0 and verdict.max() <= 1
        assert torch.equal(verdict, network(rgb[:, [2, 1, 0]]))
        assert not torch.equal(verdict, network(rgb))
    with pytest.raises(ValueError, match="pictures"):
        network.verdict(rgb[:, :, :128])


def test_feedback_roundtrip(tmp_path: Path) -> None:
    state = ClassicFeedback().state_dict()
    path = tmp_path / "a.model"
    for prefix in ("", "module."):
        torch.save({prefix + key: tensor for key, tensor in state.items()}, path)
        architecture, converted = read_published(path)
        assert architecture == "classic-feedback"
        assert list(converted) == list(state)
        assert all(torch.equal(converted[key], state[key]) for key in state)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda state: state.pop("bn1.running_var"), "bn1.running_var is missing"),
        (lambda state: state.update({"conv1.weight": torch.zeros(12, 3, 5, 5)}), "12x3x5x5"),
        (lambda state: state.update({"fc.bias": "one"}), "fc.bias is not a plain tensor"),
        (lambda state: state.update({"fc.bias": torch.zeros(1).to_sparse()}), "fc.bias"),
        (lambda state: state.update({"fc.bias": torch.zeros(1, dtype=torch.int64)}), "fc.bias"),
        (lambda state: state.update({"fc.bias": torch.zeros(1, dtype=torch.complex64)}), "fc.bias"),
        (lambda state: state.update({"fc.bias": torch.tensor([float("nan")])}), "not finite"),
        (lambda state: state.update({"fc2.bias": torch.zeros(1)}), "unknown entry 'fc2.bias'"),
    ],
)
def test_unfit_feedback_tensors_are_named(tmp_path: Path, change: Callable, complaint: str) -> None:
    state = dict(ClassicFeedback().state_dict())
    change(state)
    path = tmp_path / "a.model"
    torch.save(state, path)
    with pytest.raises(UnsupportedError) as caught:
        read_published(path)
    assert complaint in str(caught.value)
    assert_one_line(caught, path)


@pytest.mark.slow
def test_motion_checkpoint(tmp_path: Path, motion_state: dict[str, dict[str, torch.Tensor]]) -> None:
    path = tmp_path / "vox.pth.tar"
    extra = {
        "avd_network": {"id_encoder.0.weight": torch.zeros(2)},
        "bg_predictor": {"bg_encoder.fc.weight": torch.zeros(2)},
        "optimizer_reconstruction": {"state": {0: {"step": 3}}, "param_groups": [{"lr": 2e-4}]},
        "epoch": 99,
    }
    torch.save(motion_state | extra, path)
    architecture, converted = read_published(path)
    assert architecture == "vox256"
    assert {key.partition(".")[0] for key in converted} == set(NETWORKS)
    with torch.device("meta"):
        model = Vox256()
    model.load_state_dict(converted, assign=True)

    incomplete = dict(motion_state)
    del incomplete["inpainting_network"]
    torch.save(incomplete, path)
    with pytest.raises(UnsupportedError, match="neither"):
        read_published(path)

    for value, complaint in ((None, "is missing"), (torch.zeros(11, 148, 3, 3), "has shape 11x148x3x3")):
        damaged = {name: dict(tensors) for name, tensors in motion_state.items()}
        if value is None:
            del damaged["dense_motion_network"]["maps.weight"]
        else:
            damaged["dense_motion_network"]["maps.weight"] = value
        torch.save(damaged, path)
        with pytest.raises(UnsupportedError, match=f"dense_motion_network.maps.weight {complaint}") as caught:
            read_published(path)
        assert_one_line(caught, path)


READERS = (read_torch_checkpoint, read_published)


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle2", "pickle4", "nested"])
def test_hostile_pickles_do_not_run(tmp_path: Path, form: str) -> None:
    target = tmp_path / "ran"
    path = tmp_path / "hostile.pth.tar"
    hostile = Hostile(target)
    if form == "zip":
        torch.save({"kp_detector": hostile}, path)
    elif form == "legacy":
        torch.save({"kp_detector": hostile}, path, _use_new_zipfile_serialization=False)
    elif form == "nested":
        torch.save({**ClassicFeedback().state_dict(), "epoch": [{"a": hostile}]}, path)
    else:
        path.write_bytes(pickle.dumps(hostile, protocol=int(form[-1])))
    for reader in READERS:
        with pytest.raises((InputError, UnsupportedError)) as caught:
            reader(path)
        assert_one_line(caught, path)
    assert not target.exists()
    if form in ("zip", "legacy", "nested"):
        assert caught.type is UnsupportedError
    # The file does what it was made for when read without care.
    torch.load(path, weights_only=False) if form not in ("pickle2", "pickle4") else pickle.loads(
        path.read_bytes()
    )
    assert target.exists()


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    good = tmp_path / "good"
    torch.save(ClassicFeedback().state_dict(), good)
    legacy = tmp_path / "legacy"
    torch.save(ClassicFeedback().state_dict(), legacy, _use_new_zipfile_serialization=False)
    contents = {
        "empty": b"",
        "text": b"hello, this is no checkpoint\n" * 20,
        "zeros": bytes(4096),
        "picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8,
        "half": good.read_bytes()[: good.stat().st_size // 2],
        "headless": good.read_bytes()[1000:],
        "legacy-half": legacy.read_bytes()[: legacy.stat().st_size // 2],
        "legacy-start": legacy.read_bytes()[:60],
    }
    paths = [tmp_path / "missing", tmp_path]
    for name, content in contents.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content)
    paths.append(tmp_path / "other.zip")
    with zipfile.ZipFile(paths[-1], "w") as archive:
        archive.writestr("a.txt", "hello")
    for path in paths:
        for reader in READERS:
            with pytest.raises(InputError) as caught:
                reader(path)
            assert_one_line(caught, path)


def test_checkpoints_that_cannot_be_used(tmp_path: Path) -> None:
    good = tmp_path / "good"
    torch.save(ClassicFeedback().state_dict(), good)
    paths = [tmp_path / name for name in ("list", "numbers", "module", "tar", "bomb")]
    torch.save([1, 2], paths[0])
    torch.save({1: torch.zeros(2)}, paths[1])
    torch.save(torch.nn.Linear(2, 2), paths[2])
    with tarfile.open(paths[3], "w") as archive:
        archive.add(good, "storages")
    with zipfile.ZipFile(paths[4], "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("bomb/data.pkl", bytes(1 << 24))
    for path in paths:
        for reader in READERS:
            with pytest.raises(UnsupportedError) as caught:
                reader(path)
            assert_one_line(caught, path)
    torch.save({"weights": torch.zeros(3)}, good)
    assert list(read_torch_checkpoint(good)) == ["weights"]
    with pytest.raises(UnsupportedError, match="neither"):
        read_published(good)


def test_unreadable_paths(tmp_path: Path) -> None:
    for path in (tmp_path / ("a" * 5000), tmp_path / "good" / "below", Path("/dev/null")):
        with pytest.raises(InputError) as caught:
            read_torch_checkpoint(path)
        assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
