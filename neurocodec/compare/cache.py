"""Finished points on disk, found again by the hash of what they are made of."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from neurocodec.compare.coding_job import Outcome
from neurocodec.files.atomic import make_folder, write_whole
from neurocodec.measure.metric import Values
from neurocodec.peers.codec import Codec, Point


class PointCache:
    """A folder of points: ``KEY.bin`` with the coded packets, ``KEY.json`` with what was measured.

    A key is the SHA-256 of the clip's frames and of everything that decides the coded bytes.  Metrics
    lie under their identity (name and weights) and ``every``, so that new ones are added to old points.
    """

    def __init__(self, folder: Path) -> None:
        """Raises OutputError where the folder cannot be made."""
        self.folder = folder
        make_folder(folder)

    @staticmethod
    def key(digest: str, codec: Codec, point: Point) -> str:
        """The name of a point."""
        return hashlib.sha256(f"{digest} {codec.identity(point)}".encode()).hexdigest()[:32]

    def _paths(self, key: str) -> tuple[Path, Path]:
        return self.folder / f"{key}.json", self.folder / f"{key}.bin"

    def load(self, key: str, every: int) -> Outcome | None:
        """What is known of a point; None if nothing is, or what is there is damaged."""
        facts, stream = self._paths(key)
        try:
            found = json.loads(facts.read_text())
            data = stream.read_bytes()
            if hashlib.sha256(data).hexdigest() != found["sha256"]:
                return None
            values = found["values"].get(str(every), {})
            return Outcome(data, found["bytes"], found["encode_seconds"], found["decode_seconds"], values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def save(self, key: str, outcome: Outcome, every: int) -> None:
        """Keep a point, together with the metrics that were known of it.

        Raises:
            OutputError: the folder cannot be written.
        """
        facts, stream = self._paths(key)
        values: dict[str, dict[str, Values]] = {}
        with suppress(OSError, ValueError, KeyError, TypeError):
            values = json.loads(facts.read_text())["values"]
        values[str(every)] = {**values.get(str(every), {}), **outcome.values}
        found: dict[str, Any] = {
            "bytes": outcome.bytes,
            "sha256": hashlib.sha256(outcome.stream).hexdigest(),
            "encode_seconds": outcome.encode_seconds,
            "decode_seconds": outcome.decode_seconds,
            "values": values,
        }
        write_whole(stream, outcome.stream)
        write_whole(facts, json.dumps(found).encode())
