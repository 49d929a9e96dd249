"""``neurocodec info``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from neurocodec.commands.groups import EXIT_CODES
from neurocodec.commands.options import chunk_limit_option, frame_limit_option, json_option
from neurocodec.commands.output import emit, listed, lost_lines
from neurocodec.commands.pipes import input_of
from neurocodec.errors import DecodedWithLosses
from neurocodec.options import DecodeOptions

if TYPE_CHECKING:
    from neurocodec.inspect.info import FileInfo


@click.command(epilog=EXIT_CODES)
@click.argument("source", metavar="FILE.nfc")
@click.option("--packets", is_flag=True, help="List every frame's packet (with --json: its symbols).")
@frame_limit_option
@chunk_limit_option
@json_option
def info(source: str, packets: bool, frame_limit: int, chunk_limit: int, as_json: bool) -> None:
    """Say what is in FILE.nfc (or - for a pipe): geometry, model, refreshes, bits by kind.

    \b
    Examples:
      neurocodec info call.nfc
      neurocodec info call.nfc --json | jq .kbps.total
      neurocodec info call.nfc --packets
    """
    from neurocodec.inspect.info import probe

    limits = DecodeOptions(frame_limit=frame_limit, chunk_limit=chunk_limit).resolved().limits
    found = probe(input_of(source), packets=packets, limits=limits)
    emit(found.as_dict(), as_json, lambda: _info_lines(found))
    if found.losses:
        raise DecodedWithLosses("; ".join([*listed(found.losses), *lost_lines(found)]))


def _latent_line(i: FileInfo) -> str:
    """The landmark model that drives the face, if there is one."""
    m = i.landmark_model
    return f", {m['values']} values of {m['name']} ({m['hash']})" if m else ""


def _described_lines(i: FileInfo) -> list[str]:
    """What the file says of its source; further lines of a text are indented."""
    told = dict(i.description or {})
    chapters = told.pop("chapters", [])
    names = {"sound_title": "sound title", "sound_language": "language"}
    lines = [
        f"{names.get(name, name):<12} " + text.replace("\n", "\n" + 13 * " ") for name, text in told.items()
    ]
    if chapters:
        lines.append(f"chapters     {len(chapters)}")
    return lines + [f"  {c['start']:9.3f} s to {c['end']:9.3f} s  {c['title']}".rstrip() for c in chapters]


def _of_head(entry: dict[str, Any]) -> str:
    return f"  head {entry['head']}" if "head" in entry else ""


def _layered_lines(i: FileInfo) -> list[str]:
    """The layer and the heads of a layered file."""
    if i.layer is None or i.heads is None:
        return []
    sizes = ", ".join(i.layer["sizes"]) or "unknown size"
    begins = f"begins {i.layer['keys']} times, {i.layer['entries']} entries"
    lines = [
        f"pictures     {i.layer['pictures']} of {sizes}, {i.layer['bytes']} bytes; {begins}",
        f"heads        {len(i.heads['list'])}, in {i.heads['frames']} of {i.frames} frames",
    ]
    for head in i.heads["list"]:
        low, high = head["sides"]
        lines.append(
            f"  head {head['head']:<3} {head['frames']} frames, {head['packets']} packets, "
            f"{head['bytes']} bytes; side {low} to {high} pixels"
        )
    return lines


def _info_lines(i: FileInfo) -> list[str]:
    b = i.bytes
    share = {k: f"{v} bytes ({100 * v / b['total']:.1f} %)" for k, v in b.items() if k != "total"}
    sound = (
        f"{i.audio['codec']}, {i.audio['sample_rate']} Hz, {i.audio['channels']} ch" if i.audio else "none"
    )
    lines = [
        f"format       version {i.format_version}, {i.blocks} blocks",
        f"picture      {i.width}x{i.height}, pixel aspect {i.sar}, rotation {i.rotation}, fit {i.fit}",
        f"time         {i.duration:.3f} s, {i.frames} frames at {i.fps:g} frames/s, time base {i.time_base}",
        f"model        {i.model} ({i.model_hash}), {i.model_size}x{i.model_size}, {i.keypoints} keypoints",
        f"coding       quantization {i.quantization}, landmark code {i.landmark_code}{_latent_line(i)}",
        f"sound        {sound}",
        *_described_lines(i),
        f"total        {b['total']} bytes, {i.kbps['total']:.3f} kbit/s "
        f"({i.kbps['video']:.3f} without sound)",
        *(f"{kind:<12} {text}" for kind, text in share.items()),
        f"landmarks    {i.landmark_bits_per_frame:.1f} bits a frame",
        *_layered_lines(i),
        f"refreshes    {i.references}",
    ]
    lines += [
        f"  {r['time']:9.3f} s  frame {r['frame']:<7} {r['codec']} {r['bytes']} bytes" for r in i.refreshes
    ]
    for p in i.packets or []:
        lines.append(
            f"  frame {p['frame']:<7} {p['time']:9.3f} s  {p['kind']:<10} {p['bits']} bits{_of_head(p)}"
        )
    return lines
