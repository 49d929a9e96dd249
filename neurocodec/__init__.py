"""neurocodec: a neural video codec for talking heads.

import neurocodec
neurocodec.encode("in.mp4", "out.nfc", quality=50)
neurocodec.decode("out.nfc", "out.mp4")
neurocodec.probe("out.nfc").kbps
"""

from __future__ import annotations

from typing import Any

from neurocodec.errors import NeurocodecError

__version__ = "0.1.0"

_API = {
    "encode": "api", "decode": "api", "pictures": "api", "encode_bytes": "api",
    "probe": "inspect.info", "repair": "inspect.repair",
    "EncodeOptions": "options", "DecodeOptions": "options",
}  # fmt: skip
__all__ = ["NeurocodecError", "__version__", *_API]


def __getattr__(name: str) -> Any:
    """Load the API on first use, so that importing the package does not import torch."""
    if name not in _API:
        raise AttributeError(f"module 'neurocodec' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"neurocodec.{_API[name]}"), name)
