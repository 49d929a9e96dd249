"""Workers that run in the test's own process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any


class Here:
    """Runs tasks at once, one after the other, and remembers them."""

    def __init__(self) -> None:
        self.tasks: list[Any] = []

    def run(
        self, function: Callable[[Any], Any], tasks: Sequence[Any]
    ) -> Generator[tuple[int, Any], None, None]:
        for index, task in enumerate(tasks):
            self.tasks.append(task)
            yield index, function(task)

    def threads_each(self, tasks: int | None = None) -> int:
        return 1
