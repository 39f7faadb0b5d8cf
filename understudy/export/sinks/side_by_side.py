"""Work on several things at once in threads that nobody has to wait for at the end of the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["side_by_side"]

T = TypeVar("T")


def side_by_side(work: Callable[[T], None], items: Iterable[T], *, threads: int) -> None:
    """Do `work` for each item; after the first failure no further item is begun, and that failure is raised.

    Unlike those of `concurrent.futures`, the threads do not hold up the interpreter's exit when one hangs.
    """
    waiting = iter(tuple(items))
    lock = threading.Lock()
    failures: list[Exception] = []

    def serve() -> None:
        while not failures:
            with lock:
                item = next(waiting, None)
            if item is None:
                return
            try:
                work(item)
            except Exception as error:  # noqa: BLE001 - it is raised where all are waited for
                failures.append(error)

    workers = [threading.Thread(target=serve, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]
