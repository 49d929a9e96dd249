"""Every peer codes and decodes what it is given, with nothing counted that no decoder needs."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from places import CONFORMANCE, SAMPLES
from safetensors.torch import load_file

from neurocodec.errors import DamagedFileError, InputError, UnsupportedError, UsageError
from neurocodec.format.reader import NfcReader
from neurocodec.inspect.info import probe
from neurocodec.measure.clips import Clip, ClipSource, fitted_size, load_clip
from neurocodec.measure.pictures import psnr
from neurocodec.measure.registry import METRICS
from neurocodec.media import ffmpeg_program
from neurocodec.models.model_files import find, save
from neurocodec.option_text import named
from neurocodec.peers.budget import finest, within
from neurocodec.peers.codec import Codec, pack, unpack
from neurocodec.peers.frozen import Frozen
from neurocodec.peers.ours import Ours
from neurocodec.peers.planes import from_raw, to_raw
from neurocodec.peers.program import temporal_units
from neurocodec.peers.registry import CODECS
from neurocodec.peers.scaled import enlarge, scales, shrink

FINE = {
    "hevc": 20, "h264": 20, "av1": 30, "av1-slow": 30, "av1-sharp": 30, "vp9": 20, "vvc": 27, "libaom": 25,
}  # fmt: skip


@pytest.fixture(scope="module")
def small() -> Clip:
    """Six frames of the animated portrait at 64x64."""
    return load_clip(ClipSource(str(SAMPLES / "astronaut.mp4"), 0.24, 64))


def mean_psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean([psnr(x, y) for x, y in zip(a, b, strict=True)]))


@pytest.mark.parametrize("name", [n for n in CODECS if n != "av1-slow"])
def test_peer_there_and_back(name: str, small: Clip) -> None:
    codec: Codec = CODECS[name]()
    if codec.missing():
        pytest.skip(str(codec.missing()))
    assert small.frames.shape == (6, 64, 64, 3)
    sizes, quality = [], []
    for level in (FINE[name], FINE[name] + 20):
        point = {codec.varied: level, "scale": 1}
        packets = codec.encode(small.frames, small.fps, point)
        decoded = codec.decode(unpack(pack(packets)), small.frames.shape, small.fps, point)
        assert decoded.shape == small.frames.shape
        sizes.append(sum(map(len, packets)))
        of_frames = codec.bytes_of_frames(packets, len(small.frames))
        assert of_frames is None if name == "vvc" else sum(of_frames or ()) == sizes[-1]
        quality.append(mean_psnr(small.frames, decoded))
    assert sizes[1] < sizes[0] < small.frames.nbytes / 10
    assert quality[0] > 31
    assert quality[1] < quality[0]
    half = {codec.varied: FINE[name], "scale": 2}
    packets = codec.encode(small.frames, small.fps, half)
    assert sum(map(len, packets)) < sizes[0]
    assert (
        22 < mean_psnr(small.frames, codec.decode(packets, small.frames.shape, small.fps, half)) < quality[0]
    )
    assert "1/2 size" in codec.label(half)


@pytest.mark.parametrize("name", ["v2-range-chain-pairs-back", "v4-guarded-silent", "v5-layered"])
def test_blocks_of_our_files(name: str) -> None:
    data = (CONFORMANCE / f"{name}.nfc").read_bytes()
    reader = NfcReader(io.BytesIO(data))
    entries = reader.index()
    assert entries is not None and len(entries) > 1
    blocks = Ours().blocks([data])
    assert [frames for frames, _ in blocks] == [e.frames for e in entries]
    assert sum(size for _, size in blocks) == len(data)
    within = [after.offset - entry.offset for entry, after in pairwise(entries)]
    assert [size for _, size in blocks[1:-1]] == within[1:]
    assert blocks[0][1] > within[0]  # the header and the index count to the first
    with pytest.raises(DamagedFileError, match="the coded clip is damaged at byte"):
        Ours().blocks([data[:-40] + bytes(40)])


@pytest.mark.parametrize(("name", "region"), [("v5-layered", "frames"), ("v4-guarded-silent", "full")])
def test_what_follows_the_default_is_coded_in_its_way(name: str, region: str) -> None:
    stream = pack([(CONFORMANCE / f"{name}.nfc").read_bytes()])
    assert Ours().following(stream) == [{"quality": 20, "region": region}, {"quality": 80, "region": region}]
    assert Ours({"region": "face"}).following(stream) == [{"quality": 20}, {"quality": 80}]


def nal_types(packets: list[bytes], codec: str) -> list[int]:
    units = b"".join(packets).replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
    return [u[0] & 31 if codec == "h264" else u[0] >> 1 & 63 for u in units]


def test_no_side_data_and_one_key_frame(small: Clip) -> None:
    h264 = nal_types(CODECS["h264"]().encode(small.frames, small.fps, {"crf": 30, "scale": 1}), "h264")
    assert set(h264) <= {1, 5, 7, 8}  # slices and parameter sets, no SEI (6), no delimiter (9)
    assert h264.count(5) == h264.count(7) == 1
    hevc = nal_types(CODECS["hevc"]().encode(small.frames, small.fps, {"crf": 30, "scale": 1}), "hevc")
    assert set(hevc) <= {*range(22), 32, 33, 34}  # no SEI (39, 40), no delimiter (35)
    assert hevc.count(33) == 1
    for packet in CODECS["av1"]().encode(small.frames, small.fps, {"crf": 50, "scale": 1}):
        assert packet[0] >> 3 & 15 != 2  # no temporal delimiter


def test_settings_are_told(small: Clip) -> None:
    for name, kind in CODECS.items():
        codec = kind()
        text = " ".join(codec.settings().values())
        assert "key frame" in text, name
        assert f"{codec.varied} is varied" in text, name
        ladder = codec.ladder(256, 256)
        assert {p["scale"] for p in ladder} == {1, 2}
        assert len({codec.identity(p) for p in ladder}) == len(ladder)
        if not codec.missing():
            assert codec.version()
    assert CODECS["av1"]().identity({"crf": 50}) != CODECS["av1-slow"]().identity({"crf": 50})


def test_a_missing_encoder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    hevc = CODECS["hevc"]
    monkeypatch.setattr(hevc, "encoder", "libnothing")
    assert "no libnothing" in str(hevc().missing())
    monkeypatch.setattr(ffmpeg_program, "program", lambda: None)
    assert "imageio-ffmpeg" in str(CODECS["vvc"]().missing())
    with pytest.raises(UnsupportedError, match="imageio-ffmpeg"):
        ffmpeg_program.run("-version")


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown codec 'divx'; known: hevc, av1, .*libaom"):
        named("hevc,divx", CODECS, "codec")
    with pytest.raises(UsageError, match=r"unknown metric 'ssmi'; known: lpips, perceptual, ssim"):
        named("ssmi", METRICS, "metric")
    assert named(" AV1 , hevc,av1", CODECS, "codec") == [CODECS["av1"], CODECS["hevc"]]


def test_temporal_units() -> None:
    def obu(kind: int, body: bytes) -> bytes:
        return bytes([kind << 3 | 2, len(body)]) + body

    frame, header = obu(6, b"abc"), obu(1, b"h" * 5)
    stream = b"\x12\x00" + header + frame + b"\x12\x00" + frame
    assert temporal_units(stream) == [header + frame, frame]


def test_packing() -> None:
    packets = [b"", b"a", b"bc" * 400]
    assert unpack(pack(packets)) == packets
    with pytest.raises(DamagedFileError):
        unpack(pack(packets)[:-1])
    with pytest.raises(DamagedFileError):
        unpack(pack(packets)[:2])


def test_raw_frames_there_and_back() -> None:
    flat = np.full((2, 8, 12, 3), (200, 60, 90), np.uint8)
    back = from_raw(to_raw(flat), 12, 8)
    assert back.shape == flat.shape
    assert np.abs(back.astype(int) - flat).max() <= 2


def test_sizes() -> None:
    assert scales(256, 256) == [1, 2]
    assert scales(1920, 1080) == [1, 2, 4, 8]
    assert scales(64, 64) == [1]
    assert fitted_size(1920, 1080, Fraction(1), 256) == (256, 144)
    assert fitted_size(720, 576, Fraction(16, 15), 256) == (256, 192)
    assert fitted_size(177, 143, Fraction(1), None) == (176, 144)
    frames = np.zeros((1, 30, 50, 3), np.uint8)
    assert shrink(frames, 2).shape[1:3] == (16, 24)
    assert enlarge(shrink(frames, 2), 50, 30).shape == frames.shape


@pytest.mark.slow
def test_ours_counts_the_whole_file(small: Clip) -> None:
    ours = Ours()
    ladder, default = ours.ladder(64, 64), ours.default()
    assert default in ladder and len(ladder) >= 5
    packets = ours.encode(small.frames, small.fps, default)
    assert len(packets) == 1
    assert probe(io.BytesIO(packets[0])).bytes["total"] == len(packets[0])
    decoded = ours.decode(packets, small.frames.shape, small.fps, default)
    assert decoded.shape == small.frames.shape
    assert mean_psnr(small.frames, decoded) > 20
    assert len({ours.identity(p) for p in ladder}) == len(ladder)
    assert "audio=none" in ours.settings()["options"]
    assert Ours({"quantization": 50}).identity(default) != ours.identity(default)


def test_frozen_holds_the_best_still_of_a_budget(small: Clip) -> None:
    frozen, sizes, quality = Frozen(256), [], []
    for budget in (600, 2400):
        point = {"budget": budget}
        packets = frozen.encode(small.frames, small.fps, point)
        decoded = frozen.decode(packets, small.frames.shape, small.fps, point)
        assert decoded.shape == small.frames.shape
        assert (decoded == decoded[0]).all()
        sizes.append(len(packets[0]))
        quality.append(psnr(small.frames[0], decoded[0]))
        assert 0.6 * budget < sizes[-1] <= budget
    assert quality[0] < quality[1]


def test_frozen_of_a_wide_clip() -> None:
    frames = np.repeat(np.linspace(20, 220, 96).astype(np.uint8)[None, None, :, None], 54, 1).repeat(3, 3)
    frames = frames.repeat(2, 0)
    frozen = Frozen(64)
    packets = frozen.encode(frames, Fraction(25), {"budget": 2000})
    decoded = frozen.decode(packets, frames.shape, Fraction(25), {"budget": 2000})
    assert psnr(frames[1], decoded[1]) > 30


def test_clips_that_cannot_be_compared(tmp_path: Path, small: Clip) -> None:
    from media_factory import make_clip

    one = make_clip(tmp_path / "one.mp4", frames=1)
    with pytest.raises(InputError, match="only one frame"):
        load_clip(ClipSource(str(one), 10, 64))
    a = make_clip(tmp_path / "a.ts", format="mpegts", width=64, height=48, frames=6)
    b = make_clip(tmp_path / "b.ts", format="mpegts", width=96, height=64, frames=6)
    both = tmp_path / "both.ts"
    both.write_bytes(a.read_bytes() + b.read_bytes())
    with pytest.raises(InputError, match="changes its picture size from 64x48 to 96x64"):
        load_clip(ClipSource(str(both), 10, 64))
    assert small.synthetic
    assert not load_clip(ClipSource(str(a), 10, 64)).synthetic
    assert small.source_bytes < (SAMPLES / "astronaut.mp4").stat().st_size / 5


def test_a_peer_within_a_budget(small: Clip) -> None:
    """The finest level that fits, of each size; the smallest stream where none does."""
    codec = CODECS["h264"]()
    sizes = {
        level: sum(map(len, codec.encode(small.frames, small.fps, {"crf": level, "scale": 1})))
        for level in range(33, 51)
    }
    wanted = 37
    for budget in (sizes[wanted], sizes[wanted] + 1, sizes[wanted - 1] - 1):
        full = finest(codec, small.frames, small.fps, budget, {"crf": 30, "scale": 1}, 50)
        assert full.point["crf"] == min(k for k in sizes if sizes[k] <= budget)
        assert full.size == sizes[full.point["crf"]]
    coded = within(codec, small.frames, small.fps, 10)
    assert len(coded) == 1
    assert coded[0].point["crf"] == 50
    assert coded[0].size > 10
    decoded = codec.decode(coded[0].packets, small.shape, small.fps, coded[0].point)
    assert decoded.shape == small.shape
    with pytest.raises(UnsupportedError, match="rate cannot be chosen"):
        within(Frozen(64), small.frames, small.fps, 10)


def test_other_verdicts_are_another_codec(tmp_path: Path) -> None:
    """What the cache holds of one feedback network is not taken for another's."""
    tensors = {k: v + 0.01 for k, v in load_file(find("perceptual", "feedback").path).items()}
    other = save(
        tmp_path / "other.safetensors", tensors, name="other", architecture="perceptual", size=256,
        keypoints=0, config={}, half=True,
    )  # fmt: skip
    point = Ours().default()
    changed = Ours({"feedback": str(other.path)})
    assert changed.missing() is None
    assert changed.identity(point) != Ours().identity(point)
    assert f"feedback other {other.hash[:16]}" in changed.version()
    assert "none.safetensors" in str(Ours({"feedback": "none.safetensors"}).missing())
