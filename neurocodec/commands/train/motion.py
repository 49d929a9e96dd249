"""``neurocodec train motion`` and ``neurocodec train export``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.options import force_option, threads_option
from neurocodec.commands.train.options import PATH, check_export, common, configuration, print_lines
from neurocodec.training.config import MotionConfig, StudentConfig


@click.command()
@common
@click.option("--landmarks", type=PATH, help="68 facial landmarks of the clips (npz); see docs/training.md.")
@click.option("--init", type=PATH, help="Weights to start from: a state.pt, its folder, or a model file.")
@click.option("--lpips-squeeze", "squeeze", type=PATH, help="SqueezeNet LPIPS as a loss (safetensors).")
@click.option("--vgg19", "vgg", type=PATH, help="Normalised VGG-19 as a loss (safetensors).")
@click.option("--tilt", "augment__tilt", type=float, help="Degrees that some frames are turned by.")
@click.option("--compressed", "augment__compressed", type=float, help="Share of coded references.")
@click.option("--attention", "loss__attention", type=float, help="How much more eyes and mouth weigh.")
@click.option("--validate", type=PATH, help="Folder of other people's clips, to encode and decode.")
@click.option(
    "--validate-every", "watch__validate", type=int,
    help="Steps between validations.  [default: at the end]",
)  # fmt: skip
@click.option("--lpips", type=PATH, help="AlexNet LPIPS, to validate with; never trained on.")
def motion(
    config_file: Path | None, settings: tuple[str, ...], export_to: Path | None, force: bool, quiet: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Train a motion model on clips of talking heads, or go on with the training in OUT.

    Perceptual losses by others (--lpips-squeeze, --vgg19) make sharper pictures; without them our own are
    used.  Interrupted at any moment, the same command goes on where the last state was saved.

    \b
    Examples:
      neurocodec train motion --data clips/ --out run/ --export mymodel.safetensors
      neurocodec train motion --data clips/ --out run/ --config configs/talk256.toml --init state.pt
      torchrun --nproc-per-node 8 -m neurocodec train motion --data clips/ --out run/
    """
    config = configuration(MotionConfig, config_file, settings, given)
    check_export(export_to, force)
    config.watch.validate = config.watch.validate or config.optimizer.steps
    from neurocodec.training.motion import run
    from neurocodec.training.setup import Files

    print_lines(run(config, Files(**given), export_to, quiet))


@click.command()
@click.argument("state", type=PATH)
@click.argument("target", metavar="OUT.safetensors", type=PATH)
@click.option("--data", type=PATH, required=True, help="Clips that the landmark basis is learned from.")
@click.option("--clips", type=PATH, help="A table in place of the folder's own clips.csv.")
@click.option("--config", "config_file", type=PATH, help="Settings (TOML) that the state was trained with.")
@click.option("--name", help="Name of the model.  [default: the configuration's]")
@click.option("--people", "watch__people", type=int, help="Of how many people a clip is looked at.")
@click.option(
    "--min-face", "data__min_face", type=int, help="Smallest face in the source, where a table says it."
)
@threads_option
@force_option
def export(
    state: Path, target: Path, data: Path, clips: Path | None, config_file: Path | None,
    threads: int | None, force: bool, **given: Any,
) -> None:  # fmt: skip
    """Write the averaged weights of STATE (a state.pt or its folder) as a model for encode and decode.

    The basis in which landmarks are coded is learned from keypoints of the clips.

    \b
    Example:
      neurocodec train export run/ mymodel.safetensors --data clips/ --name mymodel
    """
    config = configuration(MotionConfig, config_file, (), given)
    check_export(target, force)
    from neurocodec.datasets.clips import find_clips
    from neurocodec.threads import use_threads
    from neurocodec.training import export as exporting
    from neurocodec.training.motion import talk_config
    from neurocodec.training.state import recipe_of, weights_of

    use_threads(threads)
    recipe = recipe_of(state)
    if recipe and recipe["architecture"] == "swift":
        from neurocodec.training import student

        light = StudentConfig(name=config.name, model=recipe["model"], teacher=recipe["teacher"])
        made = student.export(weights_of(state), light, target)
        click.echo(f"{made.name}: {made.path}, {made.path.stat().st_size} bytes, hash {made.hash}")
        return
    model = exporting.export(
        weights_of(state), talk_config(recipe["model"] if recipe else config.model), target,
        name=config.name, clips=find_clips(data, config.data.min_face, table=clips),
        people=config.watch.people, region=config.data.region,
    )  # fmt: skip
    click.echo(f"{model.name}: {model.path}, {model.path.stat().st_size} bytes, hash {model.hash}")
