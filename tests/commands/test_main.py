"""The command line, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import call, refused, run
from media_factory import make_clip

from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioPacket


@pytest.mark.slow
def test_encode_info_decode(clip: Path, tmp_path: Path) -> None:
    out, back = tmp_path / "o.nfc", tmp_path / "o.mp4"
    encoded = run("encode", clip, out, "--quantization", "100", "--gap", "5", "--verify", "--json")
    assert encoded.returncode == 0, encoded.stderr
    report = json.loads(encoded.stdout)
    assert report["frames"] == 40
    assert report["verified"] is True
    assert report["bytes"]["total"] == out.stat().st_size
    info = json.loads(run("info", out, "--json").stdout)
    for key in (
        "format_version", "width", "height", "fps", "duration", "frames", "references", "model",
        "quantization", "bytes", "kbps", "landmark_bits_per_frame",
    ):  # fmt: skip
        assert key in info
    assert set(info["bytes"]) == {"total", "references", "landmarks", "audio", "overhead"}
    assert {"total", "video"} <= set(info["kbps"])
    decoded = run("decode", out, back, "--json")
    assert decoded.returncode == 0, decoded.stderr
    assert json.loads(decoded.stdout)["frames"] == 40
    assert json.loads(decoded.stdout)["symbols_sha256"] == report["symbols_sha256"]
    with MediaReader(back) as reader:
        assert sum(isinstance(i, VideoPicture) for i in reader) == 40


@pytest.mark.slow
def test_readable_output(coded: Path, tmp_path: Path) -> None:
    text = call("info", coded, "--packets").stdout.decode()
    for word in ("kbit/s", "references", "landmarks", "overhead", "swift256", "refreshes", "bits"):
        assert word in text
    done = call("decode", coded, tmp_path / "o.mp4", "--start", "0.4", "--duration", "0.8", "--size", "model")
    assert done.returncode == 0
    assert b"20 frames of 256x256" in done.stdout


@pytest.mark.slow
def test_pipes(tmp_path: Path, sound_clip: Path, small_model: str) -> None:
    """mkv -> encode -> decode -> fragmented MP4, nothing but pipes."""
    import av

    mkv = tmp_path / "in.mkv"
    with av.open(str(sound_clip)) as source, av.open(str(mkv), "w") as target:
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None and packet.pts * packet.time_base < 1:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    encoded = run("encode", "-", "-", "--model", small_model, data=mkv.read_bytes())
    assert encoded.returncode == 0, encoded.stderr
    assert encoded.stdout[:4] == b"NFC\x1a"
    assert b"kbit/s" in encoded.stderr
    info = run("info", "-", "--json", data=encoded.stdout)
    assert json.loads(info.stdout)["bytes"]["total"] == len(encoded.stdout)
    decoded = run("decode", "-", "-", "--model", small_model, data=encoded.stdout)
    assert decoded.returncode == 0, decoded.stderr
    video = tmp_path / "back.mp4"
    video.write_bytes(decoded.stdout)
    with MediaReader(video) as reader:
        items = list(reader)
    assert sum(isinstance(i, VideoPicture) for i in items) == 25
    assert any(isinstance(i, AudioPacket) for i in items)


def test_help_is_quick_and_complete() -> None:
    for command in ((), ("encode",), ("decode",), ("info",), ("models",), ("models", "import")):
        shown = run(*command, "--help")
        assert shown.returncode == 0
        if command != ():
            assert b"Examples:" in shown.stdout
    heavy = (
        "import sys, neurocodec.commands.main; print([m for m in ('torch', 'av', 'cv2') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", heavy]).strip() == b"[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(shell: str) -> None:
    program = Path(sys.executable).with_name("neurocodec")
    if not program.exists():
        pytest.skip("the command is not installed beside this Python")
    script = subprocess.run(
        [program], env={**os.environ, "_NEUROCODEC_COMPLETE": f"{shell}_source"},
        capture_output=True, check=False,
    )  # fmt: skip
    assert b"_NEUROCODEC_COMPLETE" in script.stdout
    words = {"COMP_WORDS": "neurocodec enc", "COMP_CWORD": "1", "_NEUROCODEC_COMPLETE": "bash_complete"}
    found = subprocess.run([program], env={**os.environ, **words}, capture_output=True, check=False)
    assert b"encode" in found.stdout


@pytest.mark.slow
def test_models(tmp_path: Path) -> None:
    listed = json.loads(call("models", "list", "--json", NEUROCODEC_MODELS=str(tmp_path)).stdout)["models"]
    assert {m["name"] for m in listed} >= {"talk256", "perceptual"}
    shown = json.loads(call("models", "show", "talk256", "--json").stdout)
    assert shown["architecture"] == "talk"
    assert shown["parameters"] < 8_000_000
    assert "perceptual" in call("models", "show", "perceptual").stdout.decode()
    refused(call("models", "show", "nobody"), 3, "nobody")


@pytest.mark.slow
def test_model_import(tmp_path: Path, clip: Path) -> None:
    """The shipped model, imported under another name, encodes and is found again by its hash."""
    from neurocodec.models.model_files import find

    env = {"NEUROCODEC_MODELS": str(tmp_path / "models")}
    shipped = find("talk256", "motion").path
    done = call("models", "import", shipped, "--name", "mine", **env)
    assert done.returncode == 0, done.stderr
    refused(call("models", "import", shipped, "--name", "mine", **env), 6, "exists")
    assert call("models", "import", shipped, "--name", "mine", "-f", **env).returncode == 0
    out = tmp_path / "o.nfc"
    assert call("encode", clip, out, "--model", "mine", **env).returncode == 0
    assert json.loads(call("info", out, "--json").stdout)["model"] == "mine"
    assert call("decode", out, tmp_path / "o.mp4").returncode == 0
    (tmp_path / "bad").write_bytes(b"not a checkpoint")
    refused(call("models", "import", tmp_path / "bad", **env), 3)
    refused(call("models", "import", tmp_path / "none", **env), 3)


def test_bad_input(tmp_path: Path, coded: Path, clip: Path) -> None:
    out = tmp_path / "out"
    text, empty = tmp_path / "text.mp4", tmp_path / "empty"
    text.write_text("this is no video\n" * 50)
    empty.touch()
    before = sorted(tmp_path.iterdir())
    refused(call("encode", tmp_path / "missing.mp4", out), 3, "missing.mp4")
    refused(call("encode", empty, out), 3)
    refused(call("encode", text, out), 3)
    refused(call("encode", tmp_path, out), 3)
    refused(call("decode", tmp_path / "missing.nfc", out), 3)
    refused(call("decode", empty, out), 3, "empty")
    refused(call("decode", clip, out), 3, "not an .nfc")
    refused(call("info", clip), 3, "not an .nfc")
    refused(call("encode", clip, out, "--model", "nobody"), 3, "nobody", "talk256")
    refused(call("encode", clip, tmp_path / "no" / "folder.nfc"), 6)
    refused(call("encode", clip, clip, "-f"), 2, "same file")
    refused(call("encode", clip, out, "--quantization", "0"), 2, "quantization")
    refused(call("encode", clip, out, "--gap", "0"), 2, "gap")
    refused(call("encode", clip, out, "--alpha", "2"), 2, "alpha")
    refused(call("encode", clip, out, "--threads", "-1"), 2, "threads")
    refused(call("encode", clip, out, "--audio", "mp3"), 2)
    refused(call("decode", coded, out, "--start", "999"), 2, "no frame")
    assert sorted(tmp_path.iterdir()) == before
    assert clip.stat().st_size > 1000


def test_cuda_without_a_card(clip: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    refused(call("encode", clip, tmp_path / "o.nfc", "--device", "cuda"), 5, "--device cpu")


@pytest.mark.slow
def test_existing_output(coded: Path, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.mp4"
    out.write_bytes(b"precious")
    refused(call("decode", coded, out), 6, "exists")
    assert out.read_bytes() == b"precious"
    assert call("decode", coded, out, "-f").returncode == 0
    assert out.read_bytes()[4:8] == b"ftyp"


def test_wrong_version(coded: Path, tmp_path: Path) -> None:
    data = bytearray(coded.read_bytes())
    data[4] = 9
    other = tmp_path / "v9.nfc"
    other.write_bytes(data)
    refused(call("decode", other, tmp_path / "o.mp4"), 5, "version 9")
    refused(call("info", other), 5, "version 9")


def test_damaged_header(coded: Path, tmp_path: Path) -> None:
    data = bytearray(coded.read_bytes())
    data[20] ^= 255
    broken = tmp_path / "b.nfc"
    broken.write_bytes(data)
    refused(call("decode", broken, tmp_path / "o.mp4"), 4, "damaged")
    assert list(tmp_path.iterdir()) == [broken]


@pytest.mark.slow
def test_truncated_file_says_so(coded: Path, tmp_path: Path) -> None:
    whole = coded.read_bytes()
    short = tmp_path / "s.nfc"
    short.write_bytes(whole[:-3])
    done = call("decode", short, tmp_path / "o.mp4")
    assert done.returncode == 7
    assert b"cut off" in done.stderr
    with MediaReader(tmp_path / "o.mp4") as reader:
        assert sum(isinstance(i, VideoPicture) for i in reader) == 40
    assert call("info", short).returncode == 7


def test_sound_that_cannot_be_copied(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.avi", codec="mpeg4", audio="adpcm_ima_wav")
    (tmp_path / "out").mkdir()
    refused(call("encode", source, tmp_path / "out" / "o.nfc", "--audio", "copy"), 5, "--audio opus")
    assert not list((tmp_path / "out").iterdir())
