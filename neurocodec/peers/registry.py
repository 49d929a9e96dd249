"""The peers a comparison knows, by name."""

from __future__ import annotations

from neurocodec.peers.codec import Codec
from neurocodec.peers.program import LibAom, Vvc
from neurocodec.peers.pyav import H264, Av1, Av1Sharp, Av1Slow, Hevc, Vp9

CODECS: dict[str, type[Codec]] = {
    kind.name: kind for kind in (Hevc, Av1, Av1Slow, Av1Sharp, H264, Vp9, Vvc, LibAom)
}
