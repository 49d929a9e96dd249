"""Is a file whole: every block, every packet, every reference picture?  No network is run."""

from __future__ import annotations

from neurocodec.container import Loss, NfcReader
from neurocodec.decoder import ReferenceStore
from neurocodec.errors import DamagedFileError
from neurocodec.gaps import Timeline
from neurocodec.packets import SymbolDigest, parse_frames


def check_whole(reader: NfcReader) -> str:
    """Read a file to its end and decode everything but the rendered pictures; returns the digest of symbols.

    Raises:
        DamagedFileError: something is damaged or missing.
    """
    header, digest = reader.header, SymbolDigest()
    store, timeline = ReferenceStore(header.model_size), Timeline(header)
    if reader.corrected:
        raise DamagedFileError(reader.corrected)
    for item in reader:
        if isinstance(item, Loss):
            raise DamagedFileError(f"byte {item.offset}: {item.reason}")
        block = item[0]
        if block.first_frame != timeline.expected or not store.has(block.needed):
            raise DamagedFileError(f"a block is missing before frame {block.first_frame}")
        timeline.seen(block.first_frame, block.pts)
        for k, reference in enumerate(block.references):
            store.add(block.first_reference + k, reference)
        for frame in parse_frames(block, header):
            if frame.reference:
                store.picture(frame.uses[0])
                digest.reference(frame.reference.data)
            elif frame.symbols is not None:
                digest.symbols(frame.symbols)
    if reader.promised not in (None, timeline.expected):
        raise DamagedFileError(f"the index promises {reader.promised} frames")
    return digest.hexdigest()
