"""The bitstream: header, blocks, chunks, checksums, limits and times.  No picture, no network."""
