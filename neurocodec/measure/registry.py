"""The metrics a comparison knows, by name, in the order in which they are shown."""

from __future__ import annotations

from neurocodec.measure.around_faces import AroundFaces
from neurocodec.measure.expression import BlinksKept, EyesFollow, MouthFollows
from neurocodec.measure.faces import Identity, LandmarkError
from neurocodec.measure.ffmpeg_filters import Vmaf, Xpsnr
from neurocodec.measure.lpips import LpipsAlex
from neurocodec.measure.metric import Metric
from neurocodec.measure.perceptual import Perceptuality
from neurocodec.measure.pictures import Flicker, MsSsim, PsnrRgb, PsnrY, Ssim

METRICS: dict[str, type[Metric]] = {
    kind.name: kind
    for kind in (
        LpipsAlex, Perceptuality, Ssim, MsSsim, PsnrY, PsnrRgb, Vmaf, Xpsnr,
        AroundFaces, LandmarkError, EyesFollow, MouthFollows, BlinksKept, Identity, Flicker,
    )
}  # fmt: skip
QUICK_METRICS = ("lpips", "perceptual", "ssim", "psnr_y", "eyes", "mouth", "blinks")
"""Those of a quick comparison, which take no time worth mentioning."""
