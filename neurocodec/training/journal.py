"""What a training writes while it runs: TensorBoard events, log.jsonl, contact sheets, a line of progress."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from neurocodec.datasets.clips import write_image
from neurocodec.training.config import Optimizer

SHEET, LOG, VALIDATION, EVENTS = "sheet.png", "log.jsonl", "validation.jsonl", "tensorboard"


class Journal:
    """The journal of a training in ``folder``: ``batch`` samples a step, ``step`` steps are already done."""

    def __init__(self, folder: Path, step: int, length: Optimizer, batch: int, quiet: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._batch, self._quiet, self._length = folder, batch, quiet, length
        self._forget_after(step)
        self._events = SummaryWriter(str(folder / EVENTS), purge_step=step + 1, flush_secs=30)
        self._sums: dict[str, Tensor] = {}
        self._count, self._since, self._rate = 0, time.perf_counter(), 0.0
        self._bar = tqdm(
            total=length.steps, initial=step, desc="training", unit=" steps", file=sys.stderr,
            disable=True if quiet else None, dynamic_ncols=True,
        )  # fmt: skip

    def _forget_after(self, step: int) -> None:
        """Drop lines of steps that are going to be done again."""
        for name in (LOG, VALIDATION):
            path = self._folder / name
            if path.is_file():
                lines = [line for line in path.read_text().splitlines() if line.startswith("{")]
                kept = [line for line in lines if json.loads(line).get("step", 0) <= step]
                path.write_text("".join(line + "\n" for line in kept))

    def step(self, step: int, rate: float, total: Tensor, figures: dict[str, Tensor]) -> None:
        """Note one step; nothing is waited for (figures stay on their device)."""
        for name, value in {"loss": total.detach(), **figures}.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._count += 1
        self._rate = rate
        self._bar.update(step - self._bar.n)

    def write(self, step: int, spent: float) -> None:
        """Write the means since the last time; ``spent`` are the seconds of all steps so far."""
        if not self._count:
            return
        now = time.perf_counter()
        speed = self._count * self._batch / (now - self._since)
        means = {name: float(value) / self._count for name, value in self._sums.items()}
        for name, value in {**means, "rate_of_learning": self._rate, "samples_a_second": speed}.items():
            self._events.add_scalar(f"train/{name}", value, step)
        line = {"step": step, "speed": round(speed, 2), "lr": self._rate}
        self._append(LOG, line | {name: round(value, 6) for name, value in means.items()})
        left = (self._length.steps - step) * self._batch / speed / 60
        if self._length.minutes:
            left = max(0.0, min(left, self._length.minutes - spent / 60))
        text = f"loss {means['loss']:.4f}, {speed:.1f} samples/s"
        self._bar.set_postfix_str(text)
        if self._bar.disable and not self._quiet:
            text = f"step {step}/{self._length.steps}, {text}, {left:.1f} minutes left"
            print(text, file=sys.stderr, flush=True)
        self._sums, self._count, self._since = {}, 0, now

    def picture(self, step: int, sheet: NDArray[np.uint8] | None) -> None:
        """Write a contact sheet (H,W,3) RGB, if there is one."""
        if sheet is not None:
            write_image(sheet, self._folder / SHEET)
            self._events.add_image("sheet", sheet, step, dataformats="HWC")

    def figures(self, step: int, figures: dict[str, float]) -> None:
        """Write the figures of a validation."""
        for name, value in figures.items():
            self._events.add_scalar(f"validation/{name}", value, step)
        if figures:
            self._append(VALIDATION, {"step": step} | {k: round(v, 5) for k, v in figures.items()})
            if not self._quiet:
                tqdm.write(f"validation at step {step}: {figures}", file=sys.stderr)

    def _append(self, name: str, line: dict[str, float]) -> None:
        with (self._folder / name).open("a") as file:
            file.write(json.dumps(line) + "\n")

    def close(self, step: int, spent: float) -> None:
        """Write what is left."""
        self.write(step, spent)
        self._bar.close()
        self._events.close()
