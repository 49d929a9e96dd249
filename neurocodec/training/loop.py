"""The loop every training runs in: schedule, steps, moving average, states, logs.

What is trained is a :class:`Task`.  Machines and processes are Lightning Fabric's.
"""

from __future__ import annotations

import copy
import json
import math
import signal
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocodec.errors import InputError, NeurocodecError
from neurocodec.training import state as states
from neurocodec.training.config import Optimizer, Training
from neurocodec.training.journal import Journal

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_MOST_BAD_STEPS = 50
"""Steps in a row without a finite gradient after which a training is given up."""


class Task(nn.Module):
    """Something to train: its forward pass is the loss of a batch, a scalar, and figures to log.

    ``network`` is what is trained, averaged and exported.  All that is computed of it is computed in the
    forward pass, so that a data-parallel wrapper sees it.
    """

    network: nn.Module
    optional: tuple[str, ...] = ()
    """Parts of names of tensors that weights to start from may lack."""

    @abstractmethod
    def batch(self, rng: np.random.Generator, generator: torch.Generator, seed: int) -> tuple[Any, ...]:
        """Arguments of the forward pass."""

    @abstractmethod
    def recipe(self) -> dict[str, Any]:
        """The settings that shape the network; a state with others is not gone on from."""

    def sheet(self, average: nn.Module) -> NDArray[np.uint8] | None:
        """A picture of the state of things, RGB, if there is one."""
        return None

    def validate(self, average: nn.Module) -> dict[str, float]:
        """Figures of the averaged network on what it was not trained on; none of a task that has none."""
        return {}


def learning_rate(settings: Optimizer, step: int, spent: float) -> float:
    """Of a step: a linear warm-up times a cosine decay over the steps, or over the minutes if sooner."""
    progress = step / max(settings.steps, 1)
    if settings.minutes:
        progress = max(progress, spent / 60 / settings.minutes)
    decay = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return (
        settings.rate
        * min(1, (step + 1) / max(settings.warmup, 1))
        * (settings.floor + (1 - settings.floor) * decay)
    )


def train(
    task: Task, config: Training, out: Path, fabric: Fabric, *, init: Path | None = None, quiet: bool = False
) -> nn.Module:
    """Train, or go on from ``out``/state.pt; returns the averaged network.

    ``init``: weights to start from, where there is no state yet.  SIGINT and SIGTERM end it after the step
    in progress, with its state saved.

    Raises:
        InputError: the state or ``init`` is of another model or of other settings.
        NeurocodecError: the loss is not finite any more.
    """
    network = task.network
    optimizer, watch = config.optimizer, config.watch
    task.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    solver: Any = torch.optim.AdamW(
        network.parameters(), lr=optimizer.rate, betas=(0.9, optimizer.beta),
        weight_decay=optimizer.weight_decay, fused=fabric.device.type == "cuda",
    )  # fmt: skip
    path = out / states.STATE
    found = states.load(path) if path.is_file() else None
    step, spent = 0, 0.0
    average = copy.deepcopy(network)
    if found is not None:
        _same(found.get("recipe"), task.recipe(), path)
        states.fill(network, found["model"], path)
        states.fill(average, found["ema"], path)
        step, spent = int(found["step"]), float(found["spent"])
    elif init is not None:
        start = states.weights_of(init)
        for part in (network, average):
            states.fill(part, start, init, task.optional)
    average.to(fabric.device).requires_grad_(False)
    if config.machine.compile:
        for child in network.children():
            child.compile()
    wrapped, solver = fabric.setup(task, solver)
    if found is not None:
        _restore(solver, found["optimizer"], path)
    del found
    began, bad = time.perf_counter() - spent, 0
    first = fabric.is_global_zero
    journal = Journal(out, step, optimizer, optimizer.batch * fabric.world_size, quiet) if first else None

    def save() -> None:
        if first:
            states.save(
                path,
                {
                    "model": network.state_dict(), "ema": average.state_dict(),
                    "optimizer": solver.state_dict(), "step": step,
                    "spent": time.perf_counter() - began, "recipe": json.dumps(task.recipe()),
                },
            )  # fmt: skip

    network.train()
    with _stop_signals() as stopped:
        while step < optimizer.steps and not _any(fabric, bool(stopped)):
            used = time.perf_counter() - began
            if optimizer.minutes and _any(fabric, used > 60 * optimizer.minutes):
                break
            rate = learning_rate(optimizer, step, used)
            for group in solver.param_groups:
                group["lr"] = rate
            chances = states.generators(optimizer.seed, step, fabric.global_rank)
            total, figures = wrapped(*task.batch(*chances))
            solver.zero_grad(set_to_none=True)
            fabric.backward(total)
            norm = nn.utils.clip_grad_norm_(network.parameters(), optimizer.clip or math.inf)
            bad = 0 if bool(torch.isfinite(norm)) else bad + 1
            if bad == 0:
                solver.step()
            elif bad == _MOST_BAD_STEPS:
                raise NeurocodecError(f"the loss is not finite any more (step {step}); try a lower rate")
            step += 1
            follow(average, network, min(optimizer.average, (1 + step) / (10 + step)))
            if journal:
                journal.step(step, rate, total, figures)
                if watch.log and step % watch.log == 0:
                    journal.write(step, used)
            if watch.save and step % watch.save == 0:
                save()
            last = step == optimizer.steps
            if journal and watch.sheet and (step % watch.sheet == 0 or last):
                journal.picture(step, task.sheet(average))
            if watch.validate and (step % watch.validate == 0 or last):
                if journal and (figures := task.validate(average)):
                    journal.figures(step, figures)
                fabric.barrier()
        save()
    if journal:
        journal.close(step, time.perf_counter() - began)
    if stopped:
        signal.raise_signal(stopped[0])
    return average


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Exponential moving average of the parameters; buffers (running means) are copied."""
    for a, p in zip(average.parameters(), network.parameters(), strict=True):
        a.lerp_(p.to(a.dtype), 1 - decay)
    for held, now in zip(average.buffers(), network.buffers(), strict=True):
        held.copy_(now)


def _same(text: Any, recipe: dict[str, Any], path: Path) -> None:
    """States of older trainings have no recipe: their tensors are what is compared."""
    if text is not None and json.loads(str(text)) != json.loads(json.dumps(recipe)):
        raise InputError(f"{path} is the state of a training with another model or kind of task")


def _restore(solver: Any, content: dict[str, Any], path: Path) -> None:
    """What the optimizer remembers, not how it was set: that is for the present settings to say."""
    try:
        for group, present in zip(content["param_groups"], solver.param_groups, strict=True):
            group.update({k: v for k, v in present.items() if k != "params"})
        solver.load_state_dict(content)
    except (ValueError, KeyError, RuntimeError):
        raise InputError(f"{path} holds the optimizer of another model") from None


def _any(fabric: Any, answer: bool) -> bool:
    """Whether any process says so, so that all stop together."""
    if fabric.world_size == 1:
        return answer
    return bool(fabric.all_reduce(torch.tensor(float(answer), device=fabric.device), reduce_op="sum") > 0)


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list to which SIGINT or SIGTERM is noted instead of interrupting a step; a second one interrupts."""
    noted: list[int] = []
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _frame: FrameType | None) -> None:
        noted.append(number)
        restore()

    with suppress(ValueError):  # not in the main thread
        before |= {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        restore()
