"""The entropy and container parts on whatever Python this is: ``python tools/integers.py FILE.nfc...``.

Prints one line of JSON for each file, with a digest of every integer it decodes to: by the package's own
modules (which need numpy, but neither torch nor codecs, so that the package's ``__init__`` is passed over)
and by the independent reader.  Then it writes the file again, block by block, and encodes 200 random
packets in every code, and prints a digest of those bytes.  The lines must be the same on every machine.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
package = ModuleType("neurocodec")
package.__path__ = [str(ROOT / "neurocodec")]
sys.modules.setdefault("neurocodec", package)
sys.path[:0] = [str(ROOT / "tools")]

import nfc_reader
import numpy as np

from neurocodec.format.damage import Loss
from neurocodec.format.header import LandmarkCode
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter
from neurocodec.keypoints.packet_code import PacketDecoder, PacketEncoder
from neurocodec.keypoints.packets import SymbolDigest, parse_frames


def file_line(path: Path) -> dict[str, object]:
    """What a file decodes to, by both readers, and whether it is written as it was."""
    data = path.read_bytes()
    reader, digest, out = NfcReader(io.BytesIO(data)), SymbolDigest(), io.BytesIO()
    writer = NfcWriter(out, reader.header)
    reader.optional = writer.write_optional
    times, lost = [], False
    for item in reader:
        if isinstance(item, Loss):
            lost = True
            continue
        times.append(item[0].pts)
        if reader.header.layered:
            digest.layered(item[0], reader.header)
        else:
            digest.frames(parse_frames(item[0], reader.header))
        if not lost:
            writer.write_block(item[0])
    writer.close()
    second = json.dumps(nfc_reader.read(data), sort_keys=True)
    return {
        "file": path.name,
        "symbols": digest.hexdigest(),
        "times": hashlib.sha256(repr(times).encode()).hexdigest(),
        "second reader": hashlib.sha256(second.encode()).hexdigest(),
        "written": hashlib.sha256(out.getvalue()).hexdigest(),
    }


def packets_line(code: LandmarkCode) -> dict[str, object]:
    """Random packets (of a generator made of integers) written and read again."""
    state, rows = 1, []
    for _ in range(200):
        row = []
        for _ in range(20):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            row.append(((state >> 40) % 4001 - 2000) >> (state >> 60))
        rows.append(np.array(row, np.int32))
    writer = PacketEncoder(code, 20)
    for k, row in enumerate(rows):
        if k % 9 == 0:
            writer.refresh()
        writer.write(row)
    data = writer.getvalue()
    decoder = PacketDecoder(code, 20, data)
    for k, row in enumerate(rows):
        if k % 9 == 0:
            decoder.refresh()
        assert decoder.read().tolist() == row.tolist()
    decoder.finish()
    return {"code": code.name, "bytes": len(data), "digest": hashlib.sha256(data).hexdigest()}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps(file_line(Path(name))))
    for each in LandmarkCode:
        print(json.dumps(packets_line(each)))
