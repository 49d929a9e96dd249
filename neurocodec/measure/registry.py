"""The metrics a comparison knows, by name, in the order in which they are shown."""

from __future__ import annotations

from neurocodec.measure.faces import Identity, LandmarkError
from neurocodec.measure.ffmpeg_filters import Vmaf, Xpsnr
from neurocodec.measure.lpips import LpipsAlex
from neurocodec.measure.metric import Metric
from neurocodec.measure.pictures import Flicker, MsSsim, PsnrRgb, PsnrY, Ssim

METRICS: dict[str, type[Metric]] = {
    kind.name: kind
    for kind in (
        LpipsAlex, Ssim, MsSsim, PsnrY, PsnrRgb, Vmaf, Xpsnr, LandmarkError, Identity, Flicker,
    )
}  # fmt: skip
