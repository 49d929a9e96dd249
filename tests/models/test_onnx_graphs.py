"""Exported graphs say what PyTorch says, and 8-bit ones nearly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from neurocodec.commands.main import main
from neurocodec.errors import InputError, OutputError, UnsupportedError, UsageError
from neurocodec.files.samples import sample_clips
from neurocodec.models import onnx_graphs
from neurocodec.models.model_files import find, load
from neurocodec.models.onnx_export import export_model, spread_pictures
from neurocodec.networks.talk import Talk, TalkConfig

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return spread_pictures(sample_clips()[0], 256, 6)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict]]:
    folder = tmp_path_factory.mktemp("graphs")
    return folder, export_model("talk256", folder, runs=1)


@pytest.mark.slow
def test_graphs_agree_with_pytorch(exported: tuple[Path, list[dict]]) -> None:
    rows = {r["graph"]: r for r in exported[1]}
    assert list(rows) == ["keypoints", "reference", "render1", "render2"]
    for row in rows.values():
        assert row["largest_difference"] < 1e-4
        assert row["milliseconds"] > 0
        assert row["bytes"] == (exported[0] / row["file"]).stat().st_size
    assert rows["keypoints"]["largest_difference"] < 1e-5
    assert 4e8 < rows["keypoints"]["multiplications"] < 7e8
    assert rows["render2"]["multiplications"] > rows["render1"]["multiplications"] > 2e9


@pytest.mark.slow
def test_graphs_work_on_inputs_they_were_not_made_with(exported: tuple[Path, list[dict]]) -> None:
    """A whole frame through three graphs: other pictures than at export, and a head that turned."""
    network = load(find("talk256", "motion"))
    rng = np.random.default_rng(2)
    pair = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    pair = torch.nn.functional.interpolate(pair, size=(256, 256), mode="bilinear")
    sessions = {n: onnx_graphs.open_session(exported[0] / f"{n}.onnx") for n in ("reference", "render2")}
    keypoints = network.keypoints(pair)
    turned = keypoints[:1] + torch.from_numpy(rng.normal(0, 0.05, (1, 30, 2)).astype(np.float32))
    references = [network.encode_reference(p[None], k[None]) for p, k in zip(pair, keypoints, strict=True)]
    inputs = {"keypoints": turned.numpy()}
    for k, (picture, points) in enumerate(zip(pair, keypoints, strict=True)):
        parts = onnx_graphs.run(sessions["reference"], {"picture": picture[None].numpy()})
        inputs |= {f"{name}_{k}": value for name, value in parts.items()}
        inputs |= {f"keypoints_{k}": points[None].numpy()}
    found = onnx_graphs.run(sessions["render2"], inputs)["picture"]
    expected = network.render(references, turned).numpy()
    assert np.abs(found - expected).max() < 1e-3
    assert np.abs(found - network.render(references[:1], turned).numpy()).max() > 1e-2


def sums_fit_16_bits(path: Path) -> bool:
    """Whether two products of an activation (0 to 255) and a weight can be added in 16 bits.

    Processors with AVX2 and no VNNI do, and saturate: what is not so is right on other processors only.
    """
    weights = [onnx.numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer]
    coded = [w.astype(int) for w in weights if w.dtype == np.int8 and w.ndim > 1]
    assert sum(w.size for w in coded) > 1e5
    return all(2 * 255 * np.abs(w).max() < 1 << 15 for w in coded)


@pytest.mark.slow
def test_int8_is_smaller_and_close(tmp_path: Path, pictures: np.ndarray) -> None:
    model = find("talk256", "motion")
    graph = onnx_graphs.graphs(model, pictures)[0]
    plain, small = tmp_path / "k.onnx", tmp_path / "k8.onnx"
    onnx_graphs.export(graph, plain)
    onnx_graphs.quantize_int8(plain, small, onnx_graphs.calibration(model, pictures)["keypoints"])
    assert small.stat().st_size < 0.4 * plain.stat().st_size
    largest, mean = onnx_graphs.differences(graph, onnx_graphs.open_session(small))
    assert 0 < mean < 0.002
    assert largest < 0.01
    assert sums_fit_16_bits(small)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["k.onnx", "k8.onnx"]


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict]]:
    folder = tmp_path_factory.mktemp("light")
    return folder, export_model("swift256", folder, int8=True)


@pytest.mark.slow
def test_graphs_of_the_light_model_agree_with_pytorch(light: tuple[Path, list[dict]]) -> None:
    rows = {r["file"]: r for r in light[1]}
    names = ["keypoints", "reference", "render1", "render2", "render3"]
    assert list(rows) == [f"{name}{ending}" for name in names for ending in (".onnx", ".int8.onnx")]
    for name in names:
        plain, small = rows[f"{name}.onnx"], rows[f"{name}.int8.onnx"]
        assert plain["largest_difference"] < 2e-4
        assert plain["mean_difference"] < 1e-6
        assert small["bytes"] < 0.4 * plain["bytes"]
        assert 1e-6 < small["mean_difference"] < 0.01
    renderings = [rows[f"{name}.onnx"]["multiplications"] for name in names[2:]]
    assert 7e8 < renderings[0] < renderings[1] < renderings[2] < 1.5e9


@pytest.mark.slow
def test_the_light_model_in_8_bits_paints_nearly_the_same(
    light: tuple[Path, list[dict]], pictures: np.ndarray
) -> None:
    """A whole frame from three references, through 8-bit graphs alone; within two levels on the mean."""
    network = load(find("swift256", "motion"))
    tensor = torch.from_numpy(pictures[:4]).permute(0, 3, 1, 2).float() / 255
    keypoints = network.keypoints(tensor)
    reference, render = (
        onnx_graphs.open_session(light[0] / f"{name}.int8.onnx") for name in ("reference", "render3")
    )
    inputs = {"keypoints": keypoints[3:].numpy()}
    for k in range(3):
        parts = onnx_graphs.run(reference, {"picture": tensor[k : k + 1].numpy()})
        inputs |= {f"{name}_{k}": value for name, value in parts.items()}
        inputs |= {f"keypoints_{k}": keypoints[k : k + 1].numpy()}
    found = onnx_graphs.run(render, inputs)["picture"]
    used = [network.encode_reference(tensor[k : k + 1], keypoints[k : k + 1]) for k in range(3)]
    off = np.abs(found - network.render(used, keypoints[3:]).numpy())
    assert 0 < off.mean() < 2 / 255


@pytest.mark.slow
def test_a_batch(tmp_path: Path, pictures: np.ndarray) -> None:
    torch.manual_seed(1)
    network = Talk(TalkConfig(size=64)).eval()
    small = torch.from_numpy(pictures[:, ::4, ::4].copy()).permute(0, 3, 1, 2).float() / 255
    graph = onnx_graphs.motion_graphs(network, small, batch=3)[0]
    onnx_graphs.export(graph, tmp_path / "r.onnx")
    session = onnx_graphs.open_session(tmp_path / "r.onnx")
    assert session.get_outputs()[0].shape == [3, 30, 2]
    assert onnx_graphs.differences(graph, session)[0] < 1e-4


def test_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedError, match=r"perceptual \(perceptual\).*talk and swift"):
        export_model("perceptual", tmp_path)
    with pytest.raises(InputError, match="no model file"):
        export_model("nobody", tmp_path)
    with pytest.raises(UsageError, match="batch"):
        export_model("talk256", tmp_path, batch=0)
    (tmp_path / "render1.onnx").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"render1\.onnx exists"):
        export_model("talk256", tmp_path)
    assert (tmp_path / "render1.onnx").read_bytes() == b"mine"
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'neurocodec\[onnx\]'"):
        export_model("talk256", tmp_path / "new")


@pytest.mark.slow
def test_command(tmp_path: Path) -> None:
    out = CliRunner().invoke(main, ["export", "face68", str(tmp_path), "--int8", "--time", "3", "--json"])
    assert out.exit_code == 0, out.output
    rows = {r["file"]: r for r in json.loads(out.stdout)["graphs"]}
    assert set(rows) == {"encoder.onnx", "encoder.int8.onnx", "landmarks.onnx", "landmarks.int8.onnx"}
    assert rows["encoder.onnx"]["largest_difference"] < 1e-3
    assert rows["encoder.int8.onnx"]["bytes"] < rows["encoder.onnx"]["bytes"]
    assert rows["encoder.onnx"]["multiplications"] < 60e6
