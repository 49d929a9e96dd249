"""The codecs and metrics a comparison knows, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from neurocodec.errors import UsageError
from neurocodec.measure.faces import Identity, LandmarkError
from neurocodec.measure.metric import Flicker, LpipsAlex, Metric, MsSsim, PsnrRgb, PsnrY, Ssim
from neurocodec.measure.program_metrics import Vmaf, Xpsnr
from neurocodec.peers.codec import Codec
from neurocodec.peers.library import H264, Av1, Av1Sharp, Av1Slow, Hevc, Vp9
from neurocodec.peers.program import LibAom, Vvc

_CODECS: tuple[type[Codec], ...] = (Hevc, Av1, Av1Slow, Av1Sharp, H264, Vp9, Vvc, LibAom)
CODECS: dict[str, type[Codec]] = {c.name: c for c in _CODECS}
_METRICS: tuple[type[Metric], ...] = (
    LpipsAlex, Ssim, MsSsim, PsnrY, PsnrRgb, Vmaf, Xpsnr, LandmarkError, Identity, Flicker,
)  # fmt: skip
METRICS: dict[str, type[Metric]] = {m.name: m for m in _METRICS}

T = TypeVar("T")


def chosen(text: str | Iterable[str], known: Mapping[str, T], kind: str) -> list[T]:
    """The entries named in a comma-separated list, in its order, once each.

    Raises:
        UsageError: a name is not known; lists those that are.
    """
    names = text.split(",") if isinstance(text, str) else list(text)
    names = [name.strip().lower() for name in names if name.strip()]
    for name in names:
        if name not in known:
            raise UsageError(f"unknown {kind} {name!r}; known: {', '.join(known)}")
    if not names:
        raise UsageError(f"no {kind} named; known: {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)]
