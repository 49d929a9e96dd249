"""``neurocodec train feedback`` and ``agreement``: arguments only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from neurocodec.commands.train.options import PATH, check_export, common, configuration
from neurocodec.errors import NeurocodecError, UsageError
from neurocodec.training.config import ClassicConfig, FeedbackConfig

LEAST = 0.8
"""Rank correlation with the true distance that a feedback network should have."""
MOST = 0.05
"""Part of a frame's decoding that an encode's verdicts may take."""


def _configured(
    config_file: Path | None,
    settings: tuple[str, ...],
    samples: int | None,
    given: dict[str, Any],
    kind: type[FeedbackConfig],
) -> FeedbackConfig:
    chosen = settings if samples is None else (*settings, f"samples.count={samples}")
    config = configuration(kind, config_file, chosen, given)
    if config.optimizer.batch < 1:
        raise UsageError("batch must be at least 1")
    config.watch.sheet = 0
    config.watch.validate = config.watch.validate or config.watch.save
    return config


@click.command()
@common
@click.option("--model", metavar="NAME|FILE", help="Whose renderings.  [default: talk256]")
@click.option("--samples", type=int, help="Renderings to learn from.")
@click.option("--init", type=PATH, help="Weights to start from: a state, or a model.")
@click.option("--lpips", type=PATH, help="AlexNet LPIPS, which it learns (required with clips).")
@click.option("--train_path", "--train-path", type=PATH, help="The original's layout: a folder per class.")
@click.option("--test_path", "--test-path", type=PATH, help="The same, to test on.")
def feedback(
    config_file: Path | None, settings: tuple[str, ...], export_to: Path | None, force: bool, quiet: bool,
    samples: int | None, train_path: Path | None, test_path: Path | None, init: Path | None, **given: Any,
) -> None:  # fmt: skip
    """Train a feedback network, or go on with the training in OUT.

    With --data or --cache: neurocodec's own, the distance that the encoder steers by.  It learns LPIPS from
    renderings of the motion model and their originals.  With --train_path and --test_path: the original
    codec's, which tells distorted pictures from real ones (folders in order of name: distorted, real).

    \b
    Examples:
      neurocodec train feedback --data clips/ --out likeness/ --config configs/likeness.toml \\
          --lpips lpips_alex.safetensors --export mylikeness.safetensors
      neurocodec train feedback --train_path faces/train --test_path faces/test --out classic/
    """
    kind = FeedbackConfig if train_path is None else ClassicConfig
    config = _configured(config_file, settings, samples, given, kind)
    check_export(export_to, force)
    if (train_path is None) != (test_path is None):
        raise UsageError("--train_path and --test_path go together")
    from neurocodec.training import feedback as judge

    if train_path is not None and test_path is not None:
        if given["data"] or given["cache"]:
            raise UsageError("give either clips (--data, --cache) or class folders (--train_path)")
        lines = judge.run_classic(config, train_path, test_path, given["out"], init, export_to, quiet)
    else:
        lines = judge.run_feedback(config, judge.Files(**given), init, export_to, quiet)
    for line in lines:
        click.echo(line)


@click.command()
@click.argument("clips", nargs=-1, type=PATH, required=True)
@click.option("--feedback", "feedback_name", metavar="NAME|FILE", help="[default: likeness]")
@click.option("--model", metavar="NAME|FILE", help="Motion model.  [default: talk256]")
@click.option(
    "--refresh",
    type=click.Choice(["lookahead", "schedule"]),
    default="lookahead",
    show_default=True,
    help="How the encoder uses verdicts.",
)
@click.option("--lpips", metavar="FILE", help="AlexNet LPIPS, the truth (or NEUROCODEC_LPIPS).")
@click.option("--seconds", default=10.0, show_default=True, help="Of each clip, from its beginning.")
@click.option("--every", default=5, show_default=True, help="Judge every n-th frame.")
@click.option("--check", is_flag=True, help=f"Fail below {LEAST}, or above {MOST:.0%} of decoding.")
@click.option("--threads", type=int, metavar="N", help="CPU threads, 1 to 256.  [default: all cores]")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
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
    import os

    from neurocodec.measure.networks import VARIABLES
    from neurocodec.measure.pictures import Lpips
    from neurocodec.models import files as models
    from neurocodec.models.feedback import open_feedback
    from neurocodec.threads import use as use_threads
    from neurocodec.training.agreement import measure
    from neurocodec.training.clips import expanded

    use_threads(threads)
    file = lpips or os.environ.get(VARIABLES["lpips"])
    if not file:
        raise UsageError(f"the truth is LPIPS: give its weights with --lpips or {VARIABLES['lpips']}")
    network = models.find(feedback_name or models.DEFAULT_FEEDBACK, "feedback")

    def progress(clip: str, count: int) -> None:
        if not quiet:
            click.echo(f"neurocodec: {clip}: {count} renderings", err=True)

    paths = expanded(clips)
    found = measure(
        paths, open_feedback(network), Lpips(Path(file)), seconds=seconds, every=every, model=model,
        refresh=refresh, progress=progress,
    )  # fmt: skip
    spent = found.spent
    result = {
        "feedback": network.name, "frames": found.frames, "spearman": found.spearman,
        "pearson": found.pearson, "clips": found.clips, "verdicts_per_frame": spent.verdicts_per_frame,
        "judging_ms": spent.judging_ms, "decoding_ms": spent.decoding_ms, "share": spent.share,
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        own = sorted(found.clips.values())
        middle = f"; clip by clip, median {own[len(own) // 2]:.3f}, least {own[0]:.3f}" if own else ""
        click.echo(f"{network.name} beside LPIPS on {found.frames} renderings of {len(paths)} clips")
        click.echo(f"Spearman {found.spearman:.3f}, Pearson {found.pearson:.3f}{middle}")
        click.echo(
            f"encoding took {spent.verdicts_per_frame:.2f} verdicts a frame, {spent.judging_ms:.2f} ms; "
            f"decoding {spent.decoding_ms:.2f} ms a frame: {spent.share:.1%}"
        )
    if check and (found.spearman < LEAST or spent.share > MOST):
        raise NeurocodecError(f"{network.name} does not reach {LEAST} at {MOST:.0%} of a frame's time")
