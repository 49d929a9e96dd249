"""``neurocodec train agreement``: arguments in, a feedback network beside LPIPS out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from neurocodec.commands.options import json_option, quiet_option, threads_option
from neurocodec.commands.output import emit, note
from neurocodec.commands.train.options import PATH
from neurocodec.errors import NeurocodecError, UsageError
from neurocodec.options import DEFAULT_MOTION

if TYPE_CHECKING:
    from neurocodec.evaluation.agreement import Agreement

LEAST = 0.8
"""Rank correlation with the true distance that a feedback network should have."""
MOST = 0.05
"""Part of a frame's decoding that an encode's verdicts may take."""


@click.command()
@click.argument("clips", nargs=-1, type=PATH, required=True)
@click.option("--feedback", "feedback_name", metavar="NAME|FILE", help="[default: perceptual]")
@click.option("--model", metavar="NAME|FILE", help=f"Motion model.  [default: {DEFAULT_MOTION}]")
@click.option(
    "--refresh", type=click.Choice(["lookahead", "schedule"]), default="lookahead", show_default=True,
    help="How the encoder uses verdicts.",
)  # fmt: skip
@click.option("--lpips", metavar="FILE", help="AlexNet LPIPS, the truth (or NEUROCODEC_LPIPS).")
@click.option("--seconds", default=10.0, show_default=True, help="Of each clip, from its beginning.")
@click.option("--every", default=5, show_default=True, help="Judge every n-th frame.")
@click.option("--check", is_flag=True, help=f"Fail below {LEAST}, or above {MOST:.0%} of decoding.")
@threads_option
@quiet_option
@json_option
def agreement(
    clips: tuple[Path, ...], feedback_name: str | None, model: str | None, refresh: str, lpips: str | None,
    seconds: float, every: int, check: bool, threads: int | None, quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    """How a feedback network's verdicts rank renderings, beside their LPIPS, and what they cost.

    CLIPS (files or folders, of people it was not trained on) are encoded, steered by the network, at the
    default options but for those given, and decoded; every n-th rendered frame is judged as an encoder
    judges it.  The cost is what these encodes spent on verdicts, beside the decoding of the same frames.

    \b
    Example:
      neurocodec train agreement val/ --lpips lpips_alex.safetensors
    """
    if every < 1 or seconds <= 0:
        raise UsageError("--every and --seconds must be positive")
    from neurocodec.datasets.clips import expanded
    from neurocodec.evaluation.agreement import measure
    from neurocodec.measure.lpips import Lpips
    from neurocodec.measure.networks import VARIABLES
    from neurocodec.models.feedback import open_feedback
    from neurocodec.models.model_files import find
    from neurocodec.options import DEFAULT_FEEDBACK
    from neurocodec.threads import use_threads

    use_threads(threads)
    file = lpips or os.environ.get(VARIABLES["lpips"])
    if not file:
        raise UsageError(f"the truth is LPIPS: give its weights with --lpips or {VARIABLES['lpips']}")
    network = find(feedback_name or DEFAULT_FEEDBACK, "feedback")

    def progress(clip: str, count: int) -> None:
        if not quiet:
            note(f"{clip}: {count} renderings")

    found = measure(
        expanded(clips), open_feedback(network), Lpips(Path(file)), seconds=seconds, every=every,
        model=model, refresh=refresh, progress=progress,
    )  # fmt: skip
    cost = found.spent.a_frame()
    result = {
        "feedback": network.name, "frames": found.frames, "spearman": found.spearman,
        "pearson": found.pearson, "clips": found.clips, **cost,
    }  # fmt: skip
    emit(result, as_json, lambda: _lines(network.name, found, cost))
    if check and (found.spearman < LEAST or cost["share"] > MOST):
        raise NeurocodecError(f"{network.name} does not reach {LEAST} at {MOST:.0%} of a frame's time")


def _lines(name: str, found: Agreement, cost: dict[str, float]) -> list[str]:
    own = sorted(found.clips.values())
    middle = f"; clip by clip, median {own[len(own) // 2]:.3f}, least {own[0]:.3f}" if own else ""
    return [
        f"{name} beside LPIPS on {found.frames} renderings of {len(found.clips)} clips",
        f"Spearman {found.spearman:.3f}, Pearson {found.pearson:.3f}{middle}",
        f"encoding took {cost['verdicts_per_frame']:.2f} verdicts a frame, {cost['judging_ms']:.2f} ms; "
        f"decoding {cost['decoding_ms']:.2f} ms a frame: {cost['share']:.1%}",
    ]
