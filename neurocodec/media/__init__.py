"""Reading and writing media files."""

from .atomic import AtomicFile
from .color import BT709, ColorInfo, normalize_color
from .picture import VideoPicture
from .reader import MediaReader
from .types import AudioInfo, AudioPacket, VideoInfo
from .writer import MediaWriter

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
