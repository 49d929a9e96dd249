"""Figures of matplotlib as pictures, the same bytes for the same figure."""

from __future__ import annotations

import io
from typing import Any


def rendered(figure: Any, kind: str) -> bytes:
    """A figure as ``png`` or ``svg``; the same figure gives the same bytes."""
    import matplotlib

    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "neurocodec", "svg.fonttype": "none"}):
        figure.savefig(out, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)
    return out.getvalue()
