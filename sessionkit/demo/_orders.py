"""What can be written: orders, whose bodies are proven to have arrived whole, replays included."""

from __future__ import annotations

import base64
import hashlib
from itertools import count
from threading import Lock

from sessionkit.demo._messages import Ask, Reply, json_reply


class Orders:
    """Take orders and compare each body with the digest its sender gave. Thread-safe.

    A sender names each order by an ``Idempotency-Key`` header and gives the body's SHA-256 in
    ``Content-Digest`` (RFC 9530, section 2): so the server itself can tell that a body refused
    with an ended token came again, and came whole.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers = count(1)
        self._refused: set[str] = set()
        self._replayed = 0
        self._intact = 0

    def refused(self, ask: Ask) -> None:
        """Note that *ask* was turned away before it got here, for its token had ended."""
        if key := ask.headers.get("idempotency-key"):
            with self._lock:
                self._refused.add(key)

    def take(self, ask: Ask) -> Reply:
        """Answer an order with its number, and the size and SHA-256 (in hex) of what arrived."""
        digest = hashlib.sha256(ask.body)
        with self._lock:
            number = next(self._numbers)
            self._count(ask, digest.digest())
        document = {"id": number, "size": len(ask.body), "sha256": digest.hexdigest()}
        return json_reply(201, document)

    def figures(self) -> dict[str, int]:
        """Return how many orders were taken after a refusal, and how many of these came whole."""
        with self._lock:
            return {"replayed_posts": self._replayed, "replayed_posts_intact": self._intact}

    def _count(self, ask: Ask, digest: bytes) -> None:
        key = ask.headers.get("idempotency-key", "")
        if key not in self._refused:
            return
        self._refused.discard(key)
        self._replayed += 1
        self._intact += ask.headers.get("content-digest") == content_digest(digest)


def content_digest(digest: bytes) -> str:
    """Write a SHA-256 as the value of a ``Content-Digest`` header (RFC 9530, section 2)."""
    return f"sha-256=:{base64.b64encode(digest).decode()}:"
