"""Videos in and out through FFmpeg: pictures, colour, sound, MP4."""

from neurocodec.files.atomic import AtomicFile
from neurocodec.media.color import BT709, ColorInfo, normalize_color
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioInfo, AudioPacket, VideoInfo
from neurocodec.media.writer import MediaWriter

__all__ = [
    "BT709",
    "AtomicFile",
    "AudioInfo",
    "AudioPacket",
    "ColorInfo",
    "MediaReader",
    "MediaWriter",
    "VideoInfo",
    "VideoPicture",
    "normalize_color",
]
