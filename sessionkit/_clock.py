"""Where time comes from: one protocol, so that nothing else in the library asks the machine."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of time. Shared between threads; implementations must be thread-safe."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""
        ...

    def time(self) -> float:
        """Seconds since the Unix epoch; may jump when the machine's clock is set."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let the calling thread wait for *seconds*."""
        ...


class SystemClock:
    """The machine's own clocks. Stateless, hence thread-safe."""

    __slots__ = ()

    # The very functions, not wrappers: the chain reads the clock twice a layer.
    monotonic = staticmethod(time.perf_counter)
    sleep = staticmethod(time.sleep)
    # Last: from here on the name of the module means this.
    time = staticmethod(time.time)


SYSTEM_CLOCK = SystemClock()
