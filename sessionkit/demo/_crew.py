"""Threads that work on one task and stop together."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_GLANCE = 0.1
_PATIENCE = 0.5


class Crew:
    """Run one task in several threads at once. Belongs to the thread that runs it.

    Args:
        size: How many threads.

    Attributes:
        stop: Set when the crew is to end early; tasks look at it between two calls.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.stop = Event()

    def run(self, task: Callable[[int], None], watch: Callable[[], None] = lambda: None) -> None:
        """Run *task* in all threads, with the number of each from 0, until the last one is done.

        Args:
            task: What each thread does; it catches its own exceptions.
            watch: Called about ten times a second meanwhile, in the calling thread.

        Raises:
            KeyboardInterrupt: At Ctrl-C, after the threads were given half a second to end.
        """
        threads = [Thread(target=task, args=(n,), daemon=True) for n in range(self.size)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                # In short waits, for Ctrl-C does not end a long one on every system.
                while thread.is_alive():
                    thread.join(_GLANCE)
                    watch()
        except BaseException:
            self.stop.set()
            for thread in threads:
                if thread.is_alive():
                    thread.join(_PATIENCE)
            raise
