"""Whole folders: encode or decode every file, resume, and tell at the end what failed."""

from __future__ import annotations

import dataclasses
import json
import os
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import neurocodec
from neurocodec.batch.workers import Failure, Workers
from neurocodec.errors import InputError, NeurocodecError, UsageError
from neurocodec.files.atomic import make_folder, remove_left_part, write_whole
from neurocodec.files.folders import remove_left_folder
from neurocodec.options import DecodeOptions, EncodeOptions
from neurocodec.types import Progress

Options = EncodeOptions | DecodeOptions
MANIFEST = ".neurocodec-batch.json"
"""In the output folder: what every output was made of, so that a second run knows what is left."""
NEW_SUFFIX = {"encode": ".nfc", "mp4": ".mp4", "mkv": ".mkv", "y4m": ".y4m", "png": ""}
"""Of an output, by what is made."""
VIDEO_SUFFIXES = frozenset(
    (
        ".264", ".265", ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264",
        ".h265", ".hevc", ".ivf", ".m2ts", ".m2v", ".m4v", ".mkv", ".mod", ".mov", ".mp4", ".mpeg", ".mpg",
        ".mts", ".mxf", ".nut", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv", ".y4m",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One file to be done; ``threads`` where the options leave that open."""

    action: str
    source: str
    target: str
    options: Options
    threads: int


@dataclass
class BatchReport:
    """What a batch did; ``failed`` holds file and reason, ``skipped`` what was done before."""

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        failed = [{"file": name, "reason": reason} for name, reason in self.failed]
        return {"done": self.done, "skipped": self.skipped, "failed": failed}

    def lines(self) -> list[str]:
        """For people."""
        counts = f"{len(self.done)} done, {len(self.skipped)} done before, {len(self.failed)} failed"
        return [counts, *(f"  {name}: {reason}" for name, reason in self.failed)]

    def check(self) -> None:
        """Raises NeurocodecError if any file failed."""
        if self.failed:
            total = len(self.done) + len(self.skipped) + len(self.failed)
            raise NeurocodecError(f"{len(self.failed)} of {total} files failed")


def run_job(job: Job) -> str | None:
    """Do one file; the reason where it failed.  What a worker does."""
    options = dataclasses.replace(job.options, threads=job.options.threads or job.threads)
    try:
        if isinstance(options, EncodeOptions):
            neurocodec.encode(job.source, job.target, options, force=True)
        else:
            options = dataclasses.replace(options, format=options.format or "mp4")
            report = neurocodec.decode(job.source, job.target, options, force=True)
            if report.losses:
                return f"decoded with losses: {'; '.join(report.losses)}"
    except NeurocodecError as error:
        return str(error)
    return None


def find_sources(folder: Path, action: str) -> list[Path]:
    """The files of a folder and its subfolders that the action is for, in order.

    The files that macOS keeps beside others for their attributes (``._clip.mp4``) are none.

    Raises:
        InputError: no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    wanted = VIDEO_SUFFIXES if action == "encode" else frozenset((".nfc",))
    found = sorted(
        p
        for p in folder.rglob("*")
        if p.is_file() and p.suffix.lower() in wanted and not p.name.startswith("._")
    )
    if not found:
        what = "videos" if action == "encode" else ".nfc files"
        raise InputError(f"{folder} holds no {what}")
    return found


def output_names(sources: list[Path], in_dir: Path, made: str) -> dict[Path, Path]:
    """The output of each source, relative to the output folder; ``made``: see :data:`NEW_SUFFIX`.

    Files that differ only in their ending (a.mp4, a.mkv) keep it: a.mp4.nfc, a.mkv.nfc.
    """
    suffix = NEW_SUFFIX[made]
    plain = [p.relative_to(in_dir).with_suffix(suffix) for p in sources]
    out = {}
    for source, target in zip(sources, plain, strict=True):
        name = source.relative_to(in_dir)
        out[source] = target if plain.count(target) == 1 else name.with_name(name.name + suffix)
    return out


class _Manifest:
    """The record of finished outputs."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / MANIFEST
        try:
            self._entries: dict[str, Any] = dict(json.loads(self._path.read_text()))
        except (OSError, ValueError, TypeError):
            self._entries = {}

    def state(self, output: str) -> Any:
        """What an output was made of; None if it is not known."""
        return self._entries.get(output)

    def note(self, output: str, made_of: dict[str, Any]) -> None:
        """Remember an output at once, so that a broken batch can resume."""
        self._entries[output] = made_of
        write_whole(self._path, json.dumps(self._entries, indent=1, sort_keys=True).encode())


def _made_of(source: Path, options: Options) -> dict[str, Any]:
    status = source.stat()
    settings = {k: v for k, v in dataclasses.asdict(options).items() if k not in ("device", "threads")}
    return {"bytes": status.st_size, "changed": status.st_mtime_ns, "options": settings}


def run_batch(
    action: str, in_dir: Path, out_dir: Path, options: Options, workers: Workers, *, force: bool = False,
    progress: Progress = lambda done, total: None,
) -> BatchReport:  # fmt: skip
    """Encode or decode a folder into another one, with its subfolders.

    Outputs that are there and were made of the same source with the same options are skipped.  An output
    that is there but that no batch made is a failure, unless ``force``.

    Raises:
        InputError: the input folder does not exist or holds nothing to do.
        UsageError: both folders are the same.
        OutputError: the output folder cannot be written.
    """
    sources = find_sources(in_dir, action)
    if out_dir.exists() and out_dir.samefile(in_dir):
        raise UsageError("the input and the output folder are the same")
    make_folder(out_dir)
    report, manifest = BatchReport(), _Manifest(out_dir)
    todo: list[tuple[Path, Path, str, dict[str, Any]]] = []
    made = "encode" if isinstance(options, EncodeOptions) else options.format or "mp4"
    for source, relative in output_names(sources, in_dir, made).items():
        target, name, made_of = out_dir / relative, relative.as_posix(), _made_of(source, options)
        state = manifest.state(name)
        if target.exists() and not force and state == made_of:
            report.skipped.append(str(source))
            continue
        try:
            if target.exists() and not force and state is None:
                raise NeurocodecError(f"{target} exists and is not of this batch (use -f)")
            make_folder(target.parent)
        except NeurocodecError as error:
            report.failed.append((str(source), str(error)))
            continue
        todo.append((source.resolve(), target.resolve(), name, made_of))
    progress(0, len(todo))
    threads = workers.threads_each(len(todo))
    jobs = [Job(action, os.fspath(a), os.fspath(b), options, threads) for a, b, _, _ in todo]
    left = {target for _, target, _, _ in todo}
    try:
        with closing(workers.run(run_job, jobs)) as results:
            for count, (index, result) in enumerate(results, 1):
                source, target, name, made_of = todo[index]
                reason = result.reason if isinstance(result, Failure) else result
                if reason:
                    report.failed.append((str(source), reason))
                    if target.exists():
                        manifest.note(name, {**made_of, "failed": reason})
                else:
                    left.discard(target)
                    report.done.append(str(source))
                    manifest.note(name, made_of)
                progress(count, len(todo))
    finally:  # interrupted, or a worker was killed
        for target in left:
            remove_left_part(target)
            remove_left_folder(target)
    report.done.sort()
    report.failed.sort()
    return report
