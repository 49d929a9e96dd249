"""The command line: arguments in, one function of the package called, a report out.

Results go to stdout (JSON with ``--json``), progress and notes to stderr.  A command is imported when it is
used, and what it needs when it runs, so that help is quick.
"""

from __future__ import annotations

import click

from neurocodec import __version__, threads
from neurocodec.commands.groups import EXIT_CODES, MainGroup

COMMANDS = {
    "batch": ("neurocodec.commands.batch:batch", "Encode or decode whole folders."),
    "call": ("neurocodec.commands.call:call", "Send a video through a simulated link."),
    "compare": ("neurocodec.commands.compare:compare", "Is it really better?  Compare with other codecs."),
    "decode": ("neurocodec.commands.decode:decode", "Decode an .nfc file into a video."),
    "encode": ("neurocodec.commands.encode:encode", "Encode a video into an .nfc file."),
    "export": ("neurocodec.commands.export:export", "Write a model as ONNX graphs."),
    "info": ("neurocodec.commands.info:info", "Say what is in an .nfc file."),
    "landmarks": ("neurocodec.commands.landmarks:landmarks", "Find 68 facial landmarks in every frame."),
    "models": ("neurocodec.commands.models:models", "List, show, time and import models."),
    "repair": ("neurocodec.commands.repair:repair", "Write the intact parts of a damaged .nfc file."),
    "train": ("neurocodec.commands.train.group:train", "Train, export and measure models of your own."),
}


@click.group(
    cls=MainGroup,
    commands_at=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="neurocodec")
def main() -> None:
    """A neural video codec for talking heads: a few reference pictures, and small landmark packets in
    between.

    \b
    Examples:
      neurocodec encode in.mp4 out.nfc
      neurocodec decode out.nfc out.mp4
      neurocodec info out.nfc

    \b
    Shell completion (bash; zsh and fish alike):
      eval "$(_NEUROCODEC_COMPLETE=bash_source neurocodec)"
    """
    threads.spin_briefly()
