"""Where a user's metric networks lie: an option, an environment variable, or the lpips package's cache."""

from __future__ import annotations

import os
from pathlib import Path

from neurocodec.errors import InputError
from neurocodec.measure.lpips import Lpips, lpips_of_package
from neurocodec.measure.metric import MetricFiles

VARIABLES = {
    "lpips": "NEUROCODEC_LPIPS",
    "face_detector": "NEUROCODEC_FACE_DETECTOR",
    "identity": "NEUROCODEC_IDENTITY_NET",
    "landmarks": "NEUROCODEC_LANDMARK_NET",
}


def metric_files(cache: Path, **options: str | Path | None) -> MetricFiles:
    """The files named by options or environment variables; LPIPS also from the lpips package.

    Raises:
        InputError: a named file is not there, or holds something else.
    """
    found: dict[str, str | None] = {}
    for name, variable in VARIABLES.items():
        path = options.get(name) or os.environ.get(variable)
        if path and not Path(path).is_file():
            raise InputError(f"no file {path} (for {name.replace('_', ' ')})")
        found[name] = str(Path(path).resolve()) if path else None
    if found["lpips"] is None:
        found["lpips"] = lpips_of_package(cache)
    else:
        Lpips(Path(found["lpips"]))
    return MetricFiles(**found)
