"""VMAF and XPSNR by the filters of the FFmpeg program."""

from __future__ import annotations

import json
import re
import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from neurocodec.errors import UnsupportedError
from neurocodec.measure.clips import Frames
from neurocodec.measure.metric import Metric, Values
from neurocodec.media.ffmpeg_program import lacks, run, version


class FilterMetric(Metric):
    """A filter that compares two videos and writes one figure a frame into the file ``log``.

    ``graph`` is the filter with its inputs ``decoded`` and ``source`` and its arguments.
    """

    filter: ClassVar[str]
    graph: ClassVar[str]

    def missing(self, width: int, height: int) -> str | None:
        return lacks("filters", self.filter)

    def identity(self) -> str:
        return f"{self.name} {version()}"

    @abstractmethod
    def read(self, log: str) -> list[float]:
        """The figures in the filter's log."""

    def measure(self, source: Frames, decoded: Frames, every: int) -> Values:
        size = f"{source.shape[2]}x{source.shape[1]}"
        raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", "25", "-i")
        same = "settb=1/25,setpts=N,format=yuv420p"
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file, frames in (("decoded", decoded), ("source", source)):
                (folder / file).write_bytes(frames.tobytes())
            graph = f"[0:v]{same}[decoded];[1:v]{same}[source];{self.graph}"
            run(*raw, "decoded", *raw, "source", "-lavfi", graph, "-f", "null", "-", folder=folder)
            values = self.read((folder / "log").read_text())
        if len(values) != len(source):
            raise UnsupportedError(f"{self.title} gave {len(values)} figures for {len(source)} frames")
        return list(values)


class Vmaf(FilterMetric):
    """Netflix's VMAF."""

    name, title, better = "vmaf", "VMAF", "higher"
    explained = "libvmaf's built-in model vmaf_v0.6.1, which was made for 1080p; 4:2:0 BT.601, mean of frames"
    filter, graph = "libvmaf", "[decoded][source]libvmaf=log_fmt=json:log_path=log"

    def read(self, log: str) -> list[float]:
        return [float(f["metrics"]["vmaf"]) for f in json.loads(log)["frames"]]


class Xpsnr(FilterMetric):
    """Fraunhofer's XPSNR."""

    name, title, better = "xpsnr", "XPSNR Y (dB)", "higher"
    explained = "luma, FFmpeg's filter, mean of the frames' dB, at most 100"
    filter, graph = "xpsnr", "[source][decoded]xpsnr=stats_file=log"

    def read(self, log: str) -> list[float]:
        return [min(100.0, float(v)) for v in re.findall(r"XPSNR y:\s*(\S+)", log)]
