"""An identity server that can hold one renewal, so that something may happen in its middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sessionkit.testing.server import IdentityProvider, ServerRequest, ServerResponse


class SlowIdentity(IdentityProvider):
    """Strict rotation, as its parent's.

    Attributes:
        caught: Set when a renewal is being held.
    """

    def __init__(self) -> None:
        super().__init__()
        self.caught = threading.Event()
        self._armed = False
        self._go_on = threading.Event()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """End all access tokens; hold the first token request, before it acts, until the end."""
        self.expire()
        with self.lock:
            self._armed = True
        try:
            yield
        finally:
            self._go_on.set()

    def token(self, seen: ServerRequest) -> ServerResponse:
        """Answer a token request."""
        with self.lock:
            held, self._armed = self._armed, False
        if held:
            self.caught.set()
            self._go_on.wait(30)
        return super().token(seen)
