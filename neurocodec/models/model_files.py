"""Model files: safetensors with a description, found by name, by file or by the hash of their weights.

A description is the JSON text under ``neurocodec`` in the safetensors metadata::

    {"name": "talk256", "kind": "motion", "architecture": "talk", "size": 256, "keypoints": 30,
     "config": {...}, "hash": "<64 hex digits>"}

``hash`` is the SHA-256 over, for each tensor in order of name: name, NUL, dtype name, NUL, shape as
decimals joined by commas, NUL, the data little-endian.  Files are looked for in the folder named by
``NEUROCODEC_MODELS`` (or the user's data folder), then among those shipped.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from safetensors import SafetensorError, safe_open

from neurocodec.errors import InputError, OutputError, UnsupportedError, UsageError
from neurocodec.files.atomic import make_folder
from neurocodec.format.header import MAX_KEYPOINTS, MAX_MODEL_SIZE

if TYPE_CHECKING:
    from torch import Tensor, nn

MODELS_VARIABLE = "NEUROCODEC_MODELS"
KINDS = {
    "talk": "motion",
    "swift": "motion",
    "vox256": "motion",
    "perceptual": "feedback",
    "classic-feedback": "feedback",
    "face68": "landmarks",
    "head-finder": "heads",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ModelDescription:
    """What a model file says of itself, and where it lies."""

    name: str
    kind: str
    architecture: str
    size: int
    keypoints: int
    config: dict[str, Any]
    hash: str
    path: Path
    shipped: bool

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        out = {k: getattr(self, k) for k in ("name", "kind", "architecture", "size", "keypoints", "config")}
        return {**out, "hash": self.hash, "path": str(self.path), "shipped": self.shipped}


def shipped_folder() -> Path:
    """The weights inside the installed package, or those of the source tree."""
    package = Path(__file__).parents[1]
    packed = package / "_data" / "checkpoints"
    return packed if packed.is_dir() else package.parent / "checkpoints"


def user_folder() -> Path | None:
    """Where ``models import`` puts its results; None for a user who has no home folder."""
    chosen = os.environ.get(MODELS_VARIABLE)
    if chosen:
        return Path(chosen)
    try:
        return Path(platformdirs.user_data_dir("neurocodec")) / "models"
    except RuntimeError:  # neither HOME nor an entry in the password file
        return None


def describe(path: Path, *, shipped: bool = False) -> ModelDescription:
    """Read the description of a model file, without its tensors.

    Raises:
        InputError: no file, or no model file.
        UnsupportedError: an architecture this version does not know.
    """
    if not path.is_file():
        raise InputError(f"no model file {path}")
    try:
        with safe_open(path, "numpy") as file:
            raw = json.loads((file.metadata() or {}).get("neurocodec", "null"))
        text = {k: str(raw[k]) for k in ("name", "architecture", "hash")}
        numbers = {k: int(raw[k]) for k in ("size", "keypoints")}
        config = dict(raw["config"])
        if not (_NAME.fullmatch(text["name"]) and _HASH.fullmatch(text["hash"])):
            raise ValueError("impossible name or hash")
        if not (1 <= numbers["size"] <= MAX_MODEL_SIZE and 0 <= numbers["keypoints"] <= MAX_KEYPOINTS):
            raise ValueError("impossible size or number of keypoints")
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{path} is not a neurocodec model (safetensors with a description)") from None
    kind = KINDS.get(text["architecture"])
    if kind is None:
        raise UnsupportedError(f"{path}: architecture {text['architecture']!r} is not known to this version")
    return ModelDescription(
        text["name"], kind, text["architecture"], numbers["size"], numbers["keypoints"], config,
        text["hash"], path, shipped,
    )  # fmt: skip


def installed() -> Iterator[ModelDescription]:
    """All models that can be found; files that are no models are passed over."""
    for folder, shipped in ((user_folder(), False), (shipped_folder(), True)):
        if folder is not None and folder.is_dir():
            for path in sorted(folder.glob("*.safetensors")):
                try:
                    yield describe(path, shipped=shipped)
                except (InputError, UnsupportedError):
                    continue


def find(name: str, kind: str) -> ModelDescription:
    """A model of ``kind`` by its name, or by the path of its file.

    Raises:
        InputError: there is none.
        UsageError: it is of another kind.
    """
    found = next((m for m in installed() if m.name == name and m.kind == kind), None)
    if found is None and (os.sep in name or name.endswith(".safetensors")):
        found = describe(Path(name))
    if found is None:
        names = ", ".join(sorted({m.name for m in installed() if m.kind == kind})) or "none"
        raise InputError(f"no {kind} model named {name!r}; installed: {names} (see 'neurocodec models list')")
    if found.kind != kind:
        raise UsageError(f"{name} is a {found.kind} model, not a {kind} model")
    return found


def find_any(name: str) -> ModelDescription:
    """An installed model of any kind by its name, or else the one in the file ``name``.

    Raises:
        InputError, UnsupportedError: as :func:`describe`.
    """
    return next((m for m in installed() if m.name == name), None) or describe(Path(name))


def find_by_hash(
    name: str, prefix: bytes, extra: str | None = None, kind: str = "motion"
) -> ModelDescription:
    """The model of ``kind`` a file names: the one whose weights' hash begins with ``prefix``.

    ``extra`` is a further model, by name or path, to consider.

    Raises:
        UnsupportedError: it is not here; says which ones are.
    """
    candidates = [m for m in installed() if m.kind == kind]
    if extra:
        candidates.insert(0, find(extra, kind))
    for model in candidates:
        if bytes.fromhex(model.hash)[: len(prefix)] == prefix:
            return model
    have = ", ".join(f"{m.name} ({m.hash[:8]})" for m in candidates) or "none"
    raise UnsupportedError(
        f"the file was made with model {name!r}, weights {prefix.hex()}, which is not installed; "
        f"installed: {have}. Get that model and 'neurocodec models import' it"
    )


def weights_hash(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of tensors as the module's description defines it."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        t = tensors[name].contiguous()
        shape = ",".join(str(n) for n in t.shape)
        digest.update(f"{name}\0{str(t.dtype).removeprefix('torch.')}\0{shape}\0".encode())
        digest.update(t.numpy().tobytes())
    return digest.hexdigest()


def build(architecture: str, config: dict[str, Any]) -> nn.Module:
    """An untrained network.

    Raises:
        UnsupportedError: the configuration does not fit the architecture.
    """
    try:
        if architecture == "talk":
            from neurocodec.networks.talk import Talk, TalkConfig

            return Talk(TalkConfig(**config))
        if architecture == "swift":
            from neurocodec.networks.swift import Swift, SwiftConfig

            return Swift(SwiftConfig(**config))
        if architecture == "vox256":
            from neurocodec.networks.vox256 import Vox256

            return Vox256()
        if architecture == "face68":
            from neurocodec.networks.face68 import Face68

            return Face68(**config)
        if architecture == "head-finder":
            from neurocodec.networks.head_finder import HeadFinder

            return HeadFinder(**config)
        if architecture == "perceptual":
            from neurocodec.networks.perceptual import Perceptual

            return Perceptual(**config)
        from neurocodec.networks.classic_feedback import ClassicFeedback

        return ClassicFeedback()
    except (TypeError, ValueError) as error:
        raise UnsupportedError(f"the model's configuration does not fit {architecture}: {error}") from None


def load(model: ModelDescription) -> nn.Module:
    """The network with its weights, float32, in evaluation mode; the hash is verified.

    Raises:
        InputError: the weights are damaged or do not fit the architecture.
    """
    import torch
    from safetensors.torch import load_file

    try:
        tensors = load_file(model.path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"the weights in {model.path} cannot be read: {error}") from None
    if weights_hash(tensors) != model.hash:
        raise InputError(f"the weights in {model.path} are not those its description names (hash differs)")
    with torch.device("meta"):
        network = build(model.architecture, model.config)
    try:
        network.load_state_dict(
            {k: t.float() if t.is_floating_point() else t for k, t in tensors.items()}, assign=True
        )
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise InputError(f"the weights in {model.path} do not fit {model.architecture}: {first}") from None
    return network.eval().requires_grad_(False)


def save(
    path: Path,
    tensors: dict[str, Tensor],
    *,
    name: str,
    architecture: str,
    size: int,
    keypoints: int,
    config: dict[str, Any],
    half: bool,
) -> ModelDescription:
    """Write a model file (floating-point tensors as float16 when ``half``).

    Raises:
        UsageError: a name that cannot be a file's.
        OutputError: the file cannot be written.
    """
    import torch
    from safetensors.torch import save_file

    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be a model's name (letters, digits, '.', '_', '-')")
    ready = {
        k: (t.half() if half and t.dtype == torch.float32 else t).detach().cpu().contiguous()
        for k, t in tensors.items()
    }
    description = {
        "name": name,
        "kind": KINDS[architecture],
        "architecture": architecture,
        "size": size,
        "keypoints": keypoints,
        "config": config,
        "hash": weights_hash(ready),
    }
    part = path.with_name(path.name + ".part")
    make_folder(path.parent)
    try:
        save_file(ready, part, {"neurocodec": json.dumps(description)})
        part.chmod(0o644)  # for everyone who shares the folder
        part.replace(path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {error}") from None
    return describe(path)
