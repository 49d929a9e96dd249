"""Worker engines: every task is answered, a worker that dies is replaced and its task tried again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clips import cut
from places import SAMPLES

import neurocodec
from neurocodec.batch import folder as batch
from neurocodec.batch import workers
from neurocodec.batch.workers import Failure, ProcessWorkers
from neurocodec.errors import UnsupportedError, UsageError
from neurocodec.options import EncodeOptions


def work(task: tuple[str, Any]) -> Any:
    """``("square", n)``, ``("raise", text)``, ``("die once", marker)`` or ``("die", None)``."""
    kind, value = task
    if kind == "raise":
        raise ValueError(value)
    if kind == "die once" and not Path(value).exists():
        Path(value).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return value**2 if kind == "square" else "lived"


@pytest.mark.slow
def test_processes(tmp_path: Path) -> None:
    tasks = [
        ("square", 3),
        ("die once", str(tmp_path / "died")),
        ("raise", "no"),
        ("die", None),
        ("square", 4),
    ]
    found = dict(ProcessWorkers(2).run(work, tasks))
    assert (found[0], found[1], found[4]) == (9, "lived", 16)
    assert found[2] == Failure("ValueError: no")
    assert isinstance(found[3], Failure)
    assert "died 3 times" in found[3].reason
    assert len(found) == len(tasks)


def test_leaving_early_ends_the_processes() -> None:
    import multiprocessing

    before = set(multiprocessing.active_children())
    results = ProcessWorkers(1).run(work, [("square", n) for n in range(50)])
    assert next(results) == (0, 0)
    results.close()  # type: ignore[attr-defined]
    for child in set(multiprocessing.active_children()) - before:
        child.join(20)
        assert not child.is_alive()


def test_nothing_to_do() -> None:
    assert list(ProcessWorkers(4).run(work, [])) == []


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes under nannies, as ``dask worker`` starts them."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as found:
        yield found


def test_dask(cluster: Any, tmp_path: Path) -> None:
    engine = workers.workers("dask", 0, cluster.scheduler_address)
    tasks = [("square", n) for n in range(6)] + [("die once", str(tmp_path / "died")), ("raise", "no")]
    found = dict(engine.run(work, tasks))
    assert [found[n] for n in range(6)] == [0, 1, 4, 9, 16, 25]
    assert (tmp_path / "died").exists()
    assert found[6] == "lived"
    assert found[7] == Failure("ValueError: no")


@pytest.mark.slow
def test_a_deadly_task_ends_as_a_failure_on_dask(cluster: Any) -> None:
    found = dict(
        workers.workers("dask", 0, cluster.scheduler_address).run(work, [("die", None), ("square", 5)])
    )
    assert isinstance(found[0], Failure)
    assert found[1] == 25


def test_a_folder_on_dask(cluster: Any, tmp_path: Path) -> None:

    from neurocodec.batch.folder import run_batch
    from neurocodec.options import EncodeOptions

    for name in ("one", "two"):
        (tmp_path / "in").mkdir(exist_ok=True)
        cut(SAMPLES / "astronaut.mp4", tmp_path / "in" / f"{name}.mp4", 4)
    engine = workers.workers("dask", 0, cluster.scheduler_address)
    report = run_batch("encode", tmp_path / "in", tmp_path / "out", EncodeOptions(), engine)
    assert not report.failed
    assert sorted(p.name for p in (tmp_path / "out").glob("*.nfc")) == ["one.nfc", "two.nfc"]


def test_choosing_an_engine() -> None:
    with pytest.raises(UsageError, match="needs --scheduler"):
        workers.workers("dask", 0, None)
    with pytest.raises(UsageError, match="goes with --engine dask"):
        workers.workers("processes", 0, "tcp://127.0.0.1:1")
    with pytest.raises(UsageError, match="known: processes, dask"):
        workers.workers("ray", 0, None)
    with pytest.raises(UsageError, match="negative"):
        workers.workers("processes", -1, None)


def test_no_scheduler_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CONNECT_SECONDS", 1)
    with pytest.raises(UnsupportedError, match="no Dask scheduler answers"):
        workers.workers("dask", 0, "tcp://127.0.0.1:9")


@pytest.mark.parametrize("there", [1, 2, 6, 16])
def test_jobs_divide_the_cores(there: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: there)
    for jobs in (0, 1, 2, 5, 40):
        for tasks in (None, 0, 1, 3, 100):
            each = workers.workers("processes", jobs, None).threads_each(tasks)
            at_once = min(jobs or there, 100 if tasks is None else max(tasks, 1))
            assert each >= 1
            assert at_once * each <= max(there, at_once)
            assert each == 1 or at_once * (each + 1) > there, "cores are left idle"
    assert workers.DaskWorkers.threads_each() == 1


def test_a_job_has_its_share_unless_the_user_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int | None] = []

    def encode(source: str, target: str, options: EncodeOptions, force: bool) -> None:
        used.append(options.threads)

    monkeypatch.setattr(neurocodec, "encode", encode, raising=False)
    for options in (EncodeOptions(), EncodeOptions(threads=5)):
        assert batch.run_job(batch.Job("encode", "a", "b", options, 3)) is None
    assert used == [3, 5]
