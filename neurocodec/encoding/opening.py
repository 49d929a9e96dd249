"""Opens what is encoded, as the settings say."""

from __future__ import annotations

from typing import Any

from neurocodec.media.reader import MediaReader
from neurocodec.options import EncodeSettings
from neurocodec.threads import threads_beside


def open_source(source: Any, settings: EncodeSettings, *, sound: bool = True) -> MediaReader:
    """What is encoded with these settings; ``sound``: False leaves sound out, whatever they say.

    Raises:
        NeurocodecError: as :class:`~neurocodec.media.reader.MediaReader` has it.
    """
    return MediaReader(
        source,
        audio=sound and settings.audio != "none",
        audio_mode=settings.audio,  # type: ignore[arg-type]
        audio_bitrate=settings.audio_bitrate,
        audio_track=settings.audio_track,
        start=settings.start,
        duration=settings.duration,
        threads=threads_beside(settings.threads),
    )
