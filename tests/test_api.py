"""The codec end to end through its Python API."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import cut, frames_of
from media_factory import make_clip

import neurocodec
from neurocodec.decoding.block_decoder import BlockDecoder
from neurocodec.errors import DamagedFileError, InputError, OutputError, UnsupportedError, UsageError
from neurocodec.format.reader import NfcReader
from neurocodec.keypoints.quantization import quantize
from neurocodec.measure.pictures import psnr
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioPacket
from neurocodec.models.model_files import find
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.options import DecodeOptions
from neurocodec.references.store import ReferenceStore


def symbols_of(path: Path) -> list[list[int]]:
    packets = neurocodec.probe(path, packets=True).packets
    assert packets is not None
    return [p.get("symbols", []) for p in packets]


def test_there_and_back(clip: Path, coded: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    report = neurocodec.decode(coded, out)
    assert report.frames == 40
    assert not report.losses
    original, decoded = frames_of(clip), frames_of(out)
    assert [t for t, _ in decoded] == [t for t, _ in original]
    assert decoded[0][1].shape == original[0][1].shape
    fidelity = [psnr(a, b) for (_, a), (_, b) in zip(original, decoded, strict=True)]
    still = [psnr(a, decoded[0][1]) for _, a in original]
    assert np.mean(fidelity) > 18
    assert np.mean(fidelity[5:]) > np.mean(still[5:]) - 3
    with MediaReader(out) as reader:
        assert reader.audio is None


def test_every_byte_is_counted(coded: Path) -> None:
    info = neurocodec.probe(coded)
    b = info.bytes
    assert b["total"] == coded.stat().st_size
    assert b["total"] == b["references"] + b["landmarks"] + b["audio"] + b["overhead"]
    assert info.frames == 40
    assert info.references == len(info.refreshes) >= 1
    assert info.kbps["total"] == pytest.approx(b["total"] * 8 / 1000 / info.duration)
    packets = neurocodec.probe(coded, packets=True).packets
    assert packets is not None
    bits = sum(p["bits"] for p in packets if p["kind"] == "landmarks")
    assert abs(8 * b["landmarks"] - bits) < 16 * info.blocks


@pytest.mark.slow
def test_encoding_twice_gives_the_same_bytes(clip: Path, coded: Path) -> None:
    from neurocodec.api import encode_bytes

    assert encode_bytes(clip) == coded.read_bytes()


def test_symbols_do_not_depend_on_threads(five_frames: Path, tmp_path: Path) -> None:
    coded = five_frames.with_suffix(".nfc")
    reports = [neurocodec.decode(coded, tmp_path / f"{n}.mp4", threads=n) for n in (1, 2)]
    assert reports[0].symbols_sha256 == reports[1].symbols_sha256


@pytest.mark.slow
def test_pictures_on_one_and_two_threads_agree(coded: Path) -> None:
    one = [p for _, p in neurocodec.pictures(coded, threads=1)]
    two = [p for _, p in neurocodec.pictures(coded, threads=2)]
    for a, b in zip(one, two, strict=True):
        assert np.abs(a.astype(int) - b).mean() <= 1


@pytest.mark.slow
def test_moving_a_keypoint_moves_the_picture_there(coded: Path) -> None:
    with coded.open("rb") as file:
        reader = NfcReader(file)
        item = next(iter(reader))
        assert isinstance(item, tuple)
        decoder = BlockDecoder(reader.header, DecodeOptions())
        list(decoder.pictures(item[0], [0]))
    reference = decoder._references.get(0)
    count = len(reference.keypoints)
    points = np.repeat(reference.keypoints[None], count + 1, 0).copy()
    for k in range(count):
        points[k + 1, k] += (0.06, 0.1)
    pictures = np.concatenate(
        [decoder.engine.render([reference], points[k : k + 8]) for k in range(0, count + 1, 8)]
    ).astype(int)
    ys, xs = np.mgrid[0:256, 0:256] / 127.5 - 1
    local = 0
    for k, (x, y) in enumerate(reference.keypoints):
        change = np.abs(pictures[k + 1] - pictures[0]).mean(-1)
        near = np.hypot(xs - x, ys - y) < 0.25
        local += change[near].mean() > max(0.5, 1.5 * change[~near].mean())
    assert local >= 0.8 * count


@pytest.mark.slow
@pytest.mark.parametrize("refresh", ["lookahead", "schedule"])
def test_the_encoder_works_from_the_decoded_reference(clip: Path, tmp_path: Path, refresh: str) -> None:
    """The coded symbols are those of the decoded reference's keypoints, not of the clean picture's."""
    out = tmp_path / "o.nfc"
    neurocodec.encode(clip, out, refresh=refresh, smoothing=0.0)
    engine, store = MotionEngine(find("talk256", "motion")), ReferenceStore(256)
    clean = engine.keypoints(frames_of(clip)[0][1][None])[0]
    with out.open("rb") as file:
        block = next(iter(NfcReader(file)))
    assert isinstance(block, tuple)
    store.add(0, block[0].references[0])
    reference = engine.reference(store.picture(0))
    assert np.abs(reference.keypoints - clean).max() > 0
    second = frames_of(clip)[1][1]
    u = quantize(engine.keypoints(second[None])[0], reference.keypoints, 100, engine.basis)
    assert np.abs(u - symbols_of(out)[1]).max() <= 1


@pytest.mark.slow
def test_quantization_buys_precision(small_model: str, clip: Path, tmp_path: Path) -> None:
    sizes = []
    for q in (25, 100, 400):
        out = tmp_path / f"{q}.nfc"
        neurocodec.encode(clip, out, quantization=q, model=small_model)
        sizes.append(neurocodec.probe(out).bytes["landmarks"])
    assert sizes == sorted(sizes)


@pytest.mark.slow
def test_refreshes_follow_the_verdict(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.nfc"
    neurocodec.encode(clip, out, alpha=1.0, gap=7, refresh="schedule")
    assert [r["frame"] for r in neurocodec.probe(out).refreshes] == list(range(0, 40, 7))
    neurocodec.encode(clip, out, alpha=0.0, gap=7, refresh="schedule", force=True)
    assert [r["frame"] for r in neurocodec.probe(out).refreshes] == [0]


@pytest.mark.slow
def test_a_cut_is_a_refresh_at_once(clip: Path, tmp_path: Path) -> None:
    from neurocodec.media.writer import MediaWriter

    source, out = tmp_path / "in.mp4", tmp_path / "o.nfc"
    pictures = [p for _, p in frames_of(clip)][:20]
    with MediaReader(clip) as reader:
        v = reader.video
    with MediaWriter(
        source, width=256, height=256, time_base=Fraction(1, 25), fps=Fraction(25), color=v.color, crf=8
    ) as writer:
        for k, p in enumerate(pictures):
            writer.write_video(p if k < 13 else 255 - np.rot90(p), k)
    neurocodec.encode(source, out, alpha=0.0, price=1.0, verify=True)
    assert sorted(r["frame"] for r in neurocodec.probe(out).refreshes)[:2] == [0, 13]
    packets = neurocodec.probe(out, packets=True).packets
    assert packets is not None
    for p in packets:  # nothing is rendered from both sides of the cut
        frames = {neurocodec.probe(out).refreshes[n]["frame"] >= 13 for n in p.get("references", [])}
        assert frames <= {p["frame"] >= 13}


@pytest.mark.slow
def test_a_cut_at_the_start_of_a_block(tmp_path: Path) -> None:
    from neurocodec.media.color import ColorInfo
    from neurocodec.media.writer import MediaWriter

    source, out = tmp_path / "in.mp4", tmp_path / "o.nfc"
    rng = np.random.default_rng(0)
    scenes = [
        np.kron(rng.integers(0, 2, (8, 8, 3)), np.ones((32, 32, 1))).astype(np.uint8) * s for s in (90, 250)
    ]
    with MediaWriter(
        source, width=256, height=256, time_base=Fraction(1, 2), fps=Fraction(2), color=ColorInfo(), crf=8
    ) as writer:
        for k in range(14):
            writer.write_video(scenes[k >= 10], k)
    neurocodec.encode(source, out, price=1.0, verify=True)
    assert {0, 10} <= {r["frame"] for r in neurocodec.probe(out).refreshes}
    assert len(list(neurocodec.pictures(out))) == 14


def test_the_first_version_is_written_where_it_has_all_that_is_needed(
    small_model: str, coded: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.mp4", tmp_path / "o.nfc"
    make_clip(source, frames=3)
    for settings, version in (
        ({"landmark_code": "golomb"}, 1),
        ({"landmark_code": "original"}, 1),
        ({"landmark_code": "range"}, 4),
    ):
        neurocodec.encode(
            source, out, refresh="schedule", force=True, verify=True, **settings, model=small_model
        )  # type: ignore[arg-type]
        assert neurocodec.probe(out).format_version == version
    assert neurocodec.probe(coded).format_version == 4


def test_start_inside_a_frame_shows_that_frame(small_model: str, tmp_path: Path) -> None:
    source, out = tmp_path / "in.mkv", tmp_path / "o.nfc"
    make_clip(source, frames=4, pts=[0, 500, 1000, 3000], time_base=Fraction(1, 1000))
    neurocodec.encode(source, out, model=small_model)
    whole = [p for _, p in neurocodec.pictures(out, model=small_model)]
    part = list(neurocodec.pictures(out, start=1.5, model=small_model))
    assert [t for t, _ in part] == [1.5, 3.0]
    assert (part[0][1] == whole[2]).all()
    neurocodec.decode(out, tmp_path / "o.mp4", start=1.5, model=small_model)
    assert [float(t) for t, _ in frames_of(tmp_path / "o.mp4")] == [0.0, 1.5]


def test_sparse_frames_do_not_flatter_the_rate(small_model: str, tmp_path: Path) -> None:
    source, out = tmp_path / "in.mkv", tmp_path / "o.nfc"
    make_clip(source, frames=3, pts=[0, 20000, 20040], time_base=Fraction(1, 1000))
    report = neurocodec.encode(source, out, model=small_model)
    assert report.duration == pytest.approx(20.08)
    assert neurocodec.probe(out).duration == pytest.approx(20.08)


@pytest.mark.slow
def test_original_profile(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.nfc"
    report = neurocodec.encode(clip, out, profile="original", model="talk256", feedback="perceptual")
    info = neurocodec.probe(out)
    assert info.landmark_code == "original"
    assert info.fit == "squash"
    assert info.refreshes[0]["codec"] == "jpeg"
    assert info.landmark_bits_per_frame >= 3 * 2 * info.keypoints
    assert report.bytes["total"] == out.stat().st_size
    assert len(list(neurocodec.pictures(out))) == 40


def test_original_profile_needs_its_model(clip: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("NEUROCODEC_MODELS", str(tmp_path))
    with pytest.raises(InputError, match="vox256"):
        neurocodec.encode(clip, tmp_path / "o.nfc", profile="original")
    assert not (tmp_path / "o.nfc").exists()


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["hevc", "jpeg"])
def test_other_reference_codecs(small_model: str, clip: Path, tmp_path: Path, codec: str) -> None:
    out = tmp_path / "r.nfc"
    neurocodec.encode(clip, out, reference_codec=codec, verify=True, model=small_model)
    assert {r["codec"] for r in neurocodec.probe(out).refreshes} == {codec}
    assert len(list(neurocodec.pictures(out, model=small_model))) == 40


@pytest.mark.slow
def test_feedback_by_name_and_by_file(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feedback decides about references and is not named in the file."""
    monkeypatch.setenv("NEUROCODEC_MODELS", str(tmp_path))
    usual = neurocodec.encode(clip, tmp_path / "a.nfc")
    assert usual.feedback == "perceptual"
    shipped = find("perceptual", "feedback").path
    named = neurocodec.encode(clip, tmp_path / "b.nfc", feedback=str(shipped))
    assert named.feedback == "perceptual"
    assert (tmp_path / "a.nfc").read_bytes() == (tmp_path / "b.nfc").read_bytes()
    for name, said in (("measured", "no feedback model named 'measured'"), ("talk256", "no feedback model")):
        with pytest.raises(InputError, match=said):
            neurocodec.encode(clip, tmp_path / "c.nfc", feedback=name)
    talk = find("talk256", "motion").path
    with pytest.raises(UsageError, match="is a motion model"):
        neurocodec.encode(clip, tmp_path / "c.nfc", feedback=str(talk))
    assert not (tmp_path / "c.nfc").exists()


@pytest.mark.slow
def test_original_profile_takes_our_feedback_where_its_own_is_missing(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROCODEC_MODELS", str(tmp_path))
    report = neurocodec.encode(clip, tmp_path / "o.nfc", profile="original", model="talk256")
    assert report.feedback == "perceptual"
    assert [n for n in report.notes if "not imported" in n]


@pytest.mark.slow
@pytest.mark.parametrize("rotation", [0, 90, 270])
def test_rotated_and_odd_sources(tmp_path: Path, rotation: int) -> None:
    source = tmp_path / "in.mp4"
    make_clip(source, width=150, height=98, frames=6, rotation=rotation)
    out, back = tmp_path / "o.nfc", tmp_path / "o.mp4"
    neurocodec.encode(source, out)
    neurocodec.decode(out, back)
    a, b = frames_of(source), frames_of(back)
    assert a[0][1].shape == b[0][1].shape == ((98, 150, 3) if rotation == 0 else (150, 98, 3))
    assert psnr(a[0][1], b[0][1]) > 20
    assert neurocodec.probe(out).rotation == rotation
    neurocodec.encode(source, out, region="full", force=True)
    neurocodec.decode(out, back, size="model", force=True)
    assert sorted(frames_of(back)[0][1].shape[:2])[1] == 256


def test_variable_frame_rate_survives(small_model: str, tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    pts = [0, 33, 70, 100, 180, 190, 400]
    make_clip(source, frames=len(pts), pts=pts, time_base=Fraction(1, 1000))
    out, back = tmp_path / "o.nfc", tmp_path / "o.mp4"
    neurocodec.encode(source, out, model=small_model)
    neurocodec.decode(out, back, model=small_model)
    assert [t for t, _ in frames_of(back)] == [Fraction(p, 1000) for p in pts]


def test_one_frame(small_model: str, tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    make_clip(source, frames=1)
    out, back = tmp_path / "o.nfc", tmp_path / "o.mp4"
    assert neurocodec.encode(source, out, verify=True, model=small_model).frames == 1
    assert neurocodec.decode(out, back, model=small_model).frames == 1
    assert len(frames_of(back)) == 1


def test_sound_goes_on_after_the_last_picture(
    small_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurocodec.encoding.block_output._MOST_SOUND", 50)
    source = make_clip(tmp_path / "in.mkv", frames=3, audio="pcm_s16le", audio_seconds=4.0)
    out, back = tmp_path / "o.nfc", tmp_path / "o.mp4"
    neurocodec.encode(source, out, audio_bitrate=32000, model=small_model)
    with out.open("rb") as file:
        blocks = [item[0] for item in NfcReader(file) if isinstance(item, tuple)]
    assert len(blocks) > 2
    assert sum(len(b.audio) for b in blocks) > 190
    assert sum(len(b.pts) for b in blocks) == 3
    assert neurocodec.decode(out, back, model=small_model).losses == []
    with MediaReader(back) as reader:
        length = sum(i.duration * reader.audio.time_base for i in reader if isinstance(i, AudioPacket))  # type: ignore[union-attr]
    assert 3.9 < length < 4.2


def test_a_block_is_full_of_references_at_some_point(
    small_model: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurocodec.encoding.placement.MAX_BLOCK_REFERENCES", 3)
    source = cut(clip, tmp_path / "in.mp4", 6)
    report = neurocodec.encode(
        source, tmp_path / "o.nfc", refresh="schedule", gap=1, alpha=1.0, verify=True, model=small_model
    )
    assert report.references == 3


@pytest.mark.slow
@pytest.mark.parametrize("audio", ["opus", "copy", "none"])
def test_sound(small_model: str, sound_clip: Path, tmp_path: Path, audio: str) -> None:
    source = cut(sound_clip, tmp_path / "in.mp4", 50)
    out, back = tmp_path / "o.nfc", tmp_path / "o.mp4"
    neurocodec.encode(source, out, audio=audio, model=small_model)
    info = neurocodec.probe(out)
    neurocodec.decode(out, back, model=small_model)
    with MediaReader(back) as reader:
        packets = [i for i in reader if isinstance(i, AudioPacket)]
        if audio == "none":
            assert reader.audio is None and info.audio is None and info.bytes["audio"] == 0
            return
        assert reader.audio is not None and info.audio is not None
        assert reader.audio.codec == info.audio["codec"] == {"opus": "opus", "copy": "aac"}[audio]
        length = sum(p.duration for p in packets) * reader.audio.time_base
    assert 1.9 < length < 2.2
    assert info.bytes["audio"] > 1000


def test_output_is_tagged_as_generated(five_frames: Path, tmp_path: Path) -> None:
    import av

    neurocodec.decode(five_frames.with_suffix(".nfc"), tmp_path / "o.mp4")
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert "generative" in container.metadata["comment"].lower()


@pytest.mark.slow
def test_face_region(sound_clip: Path, tmp_path: Path) -> None:
    """A wide picture with the face at one side: the square is around the face, and is what comes back."""
    from neurocodec.media.writer import MediaWriter

    wide = tmp_path / "wide.mp4"
    with MediaReader(sound_clip, audio=False) as reader:
        v = reader.video
        with MediaWriter(
            wide, width=640, height=360, time_base=v.time_base, fps=v.fps, color=v.color, crf=8
        ) as writer:
            for k, item in enumerate(reader):
                if isinstance(item, VideoPicture) and k < 12:
                    canvas = np.full((360, 640, 3), 90, np.uint8)
                    canvas[60:316, 340:596] = item.to_rgb()
                    writer.write_video(canvas, item.pts)
    out, back = tmp_path / "o.nfc", tmp_path / "o.mp4"
    report = neurocodec.encode(wide, out, region="face")
    assert not report.notes
    with out.open("rb") as file:
        block = next(iter(NfcReader(file)))
        assert isinstance(block, tuple)
        region = block[0].region
    assert region is not None
    assert region.x <= 420 and region.x + region.side >= 500
    assert 120 < region.side < 360
    neurocodec.decode(out, back)
    shape = frames_of(back)[0][1].shape
    assert abs(shape[0] - region.side) <= 1 and shape[0] == shape[1]


def test_no_face_is_said_not_failed(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    make_clip(source, width=160, height=90, frames=4)
    report = neurocodec.encode(source, tmp_path / "o.nfc", region="face")
    assert any("no face" in note for note in report.notes)


@pytest.mark.parametrize(
    "settings",
    [
        {"quantization": 0}, {"quantization": 70000}, {"gap": 0}, {"alpha": 1.5}, {"audio": "mp3"},
        {"reference_quality": 101}, {"threads": -1}, {"region": "hand"}, {"device": "tpu"},
        {"audio_bitrate": 10}, {"reference_period": 1.0}, {"profile": "original", "quality": 50.0},
        {"refresh": "schedule", "smoothing": 0.2}, {"landmark_model": "face68"},
    ],
)  # fmt: skip
def test_options_out_of_range(clip: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        neurocodec.encode(clip, tmp_path / "x.nfc", **settings)
    assert not list(tmp_path.iterdir())


def test_existing_output_is_kept(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.nfc"
    out.write_bytes(b"precious")
    with pytest.raises(OutputError):
        neurocodec.encode(clip, out)
    assert out.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [out]


def test_unknown_weights_are_named(coded: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from neurocodec.format.writer import NfcWriter

    with coded.open("rb") as file:
        reader = NfcReader(file)
        blocks = [item[0] for item in reader if isinstance(item, tuple)]
    other = tmp_path / "other.nfc"
    with other.open("wb") as file:
        writer = NfcWriter(file, replace(reader.header, model="nobody", model_hash=b"\xaa" * 8))
        for b in blocks:
            writer.write_block(b)
        writer.close()
    with pytest.raises(UnsupportedError, match=r"nobody.*aaaaaaaaaaaaaaaa.*talk256"):
        neurocodec.decode(other, tmp_path / "o.mp4")
    assert not (tmp_path / "o.mp4").exists()


@pytest.mark.slow
def test_file_objects(clip: Path, coded: Path) -> None:
    out = io.BytesIO()
    with clip.open("rb") as source:
        neurocodec.encode(source, out)
    assert out.getvalue() == coded.read_bytes()
    video = io.BytesIO()
    neurocodec.decode(io.BytesIO(out.getvalue()), video)
    assert video.getvalue()[4:8] == b"ftyp"


@pytest.mark.slow
def test_a_real_person(real_clip: Path, tmp_path: Path) -> None:
    source = cut(real_clip, tmp_path / "in.mp4", 30)
    out, back = tmp_path / "o.nfc", tmp_path / "o.mp4"
    report = neurocodec.encode(source, out, verify=True)
    assert report.frames == 30
    neurocodec.decode(out, back)
    a, b = frames_of(source), frames_of(back)
    assert b[0][1].shape == (144, 176, 3)
    assert np.mean([psnr(x, y) for (_, x), (_, y) in zip(a, b, strict=True)]) > 17


def test_nothing_decodable_is_an_error(coded: Path, tmp_path: Path) -> None:
    with coded.open("rb") as file:
        header = NfcReader(file).header_bytes
    stub = tmp_path / "stub.nfc"
    stub.write_bytes(coded.read_bytes()[: header + 30])
    with pytest.raises(DamagedFileError):
        neurocodec.decode(stub, tmp_path / "o.mp4")
    assert list(tmp_path.iterdir()) == [stub]
