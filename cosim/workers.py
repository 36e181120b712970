"""Points of a study trained one after another, on several processes, or on the workers of a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from cosim.config import ConfigError, Point
from cosim.experiment import Outcome, train_point

Checkpoint = Callable[[str], Path]
Report = Callable[[str, int], None]
Outcomes = Generator[Outcome, None, None]
POLL_SECONDS = 0.2
DASK_TIMEOUT_SECONDS = 20


class RunError(RuntimeError):
    """A run that failed although its study is valid."""


def train_points(
    points: list[Point], checkpoint: Checkpoint, report: Report, *, workers: int, dask: str | None
) -> Outcomes:
    """Train points and yield their outcomes as they come.

    Parameters
    ----------
    points
        What to train.
    checkpoint
        Returns the checkpoint file of a run_id.
    report
        Called with a run_id and the epochs that it has done.
    workers
        Processes, >= 1.
    dask
        Address of a Dask scheduler to use instead; None for this machine.

    Raises
    ------
    ConfigError
        If Dask is asked for and not installed.
    RunError
        If a worker died, a cluster cannot be reached, or memory or the range of numbers did not suffice.
    """
    if dask is not None:
        return _on_dask(points, report, dask)
    if workers == 1 or len(points) <= 1:
        return _one_by_one(points, checkpoint, report)
    return _on_processes(points, checkpoint, report, min(workers, len(points)))


def _one_by_one(points: list[Point], checkpoint: Checkpoint, report: Report) -> Outcomes:
    for point in points:
        with run_errors(point):
            yield train_point(point, checkpoint(point.run_id), _reporter(report, point.run_id))


def _reporter(report: Report, run_id: str) -> Callable[[int], None]:
    return lambda epochs_done: report(run_id, epochs_done)


def _on_dask(points: list[Point], report: Report, address: str) -> Outcomes:
    """Train on a cluster; its workers share no folder with us, so a point that is cut off starts again."""
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise ConfigError("--dask needs the package distributed; install it with: pip install 'cosim[dask]'") from None
    try:
        client = distributed.Client(address, timeout=DASK_TIMEOUT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RunError(f"--dask {address}: no Dask scheduler answers there ({error})") from None
    with client:
        by_future = {client.submit(_train_remote, _with_absolute_path(point), pure=False): point for point in points}
        for future in distributed.as_completed(list(by_future), loop=client.loop):
            point = by_future[future]
            with run_errors(point):
                outcome: Outcome = future.result()
            report(point.run_id, len(outcome.history))
            yield outcome


def _train_remote(point: Point) -> Outcome:
    return train_point(point)


def _with_absolute_path(point: Point) -> Point:
    return point if point.data_path is None else replace(point, data_path=point.data_path.resolve())


def _on_processes(points: list[Point], checkpoint: Checkpoint, report: Report, workers: int) -> Outcomes:
    context = multiprocessing.get_context("spawn")
    reports, stop = context.Queue(), context.RawValue("b", 0)
    with ProcessPoolExecutor(workers, context, _start_worker, (reports, stop, os.getpid())) as executor:
        with _interrupts_ignored():  # Ctrl-C goes to all processes; this one ends the workers
            running: set[Future[Outcome]] = {
                executor.submit(_work, point, checkpoint(point.run_id)) for point in points
            }
        try:
            while running:
                done, running = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                _pass_on(reports, report)
                for future in done:
                    yield future.result()
        except BrokenProcessPool:
            raise RunError(
                "a worker process died (killed, or out of memory); finished rows are kept, run again to continue"
            ) from None
        finally:
            if running:  # after an error; the points in training would be waited for
                stop.value = 1
            executor.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C; processes that start meanwhile ignore it for good."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _pass_on(reports: Any, report: Report) -> None:
    while True:
        try:
            report(*reports.get_nowait())
        except queue.Empty:
            return


_reports: Any = None


def _start_worker(reports: Any, stop: Any, parent: int) -> None:
    """Remember where to report to, and end when told to or with the parent, even where that was killed.

    `stop` is a plain shared byte: whoever sets an event waits for the processes that wait for it.
    """
    global _reports
    _reports = reports

    def watch() -> None:
        while os.getppid() == parent and not stop.value:
            time.sleep(POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(point: Point, checkpoint: Path) -> Outcome:
    with run_errors(point):
        return train_point(point, checkpoint, lambda done: _reports.put((point.run_id, done)))


@contextmanager
def run_errors(point: Point) -> Iterator[None]:
    """Say which point failed where a valid study asks for more than the machine or its numbers can hold."""
    try:
        yield
    except MemoryError:
        raise RunError(
            f"point {point.run_id}: there is not enough memory; make network.sizes or training.batch_size smaller"
        ) from None
    except ArithmeticError as error:
        raise RunError(f"point {point.run_id}: its numbers cannot be priced: {error}") from None
