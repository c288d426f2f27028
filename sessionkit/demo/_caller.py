"""The calls that a tour makes over its stack, each counted."""

from __future__ import annotations

import hashlib
import os
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from sessionkit.demo._orders import content_digest

if TYPE_CHECKING:
    from requests import Response

    from sessionkit import SessionStack
    from sessionkit.demo._tally import Tally

BODY_BYTES = 10_240


class Caller:
    """Read and order over one stack. Thread-safe, as the stack is.

    Args:
        stack: What the calls go through.
        tally: Where they are counted.
    """

    def __init__(self, stack: SessionStack, tally: Tally) -> None:
        self._stack = stack
        self._tally = tally

    def get(self, path: str, **params: str | int) -> Response | None:
        """Read *path*; None where that failed."""
        return self._tally.call(lambda: self._stack.get(path, params=params))

    def order(self, key: str, *, offset: int | None) -> Response | None:
        """Send an order; None where that failed, or where something else arrived.

        Args:
            key: Its name; the server knows a replay by it.
            offset: Send a file, read from so many bytes on; None: send bytes.
        """
        body = os.urandom(BODY_BYTES)
        if offset is None:
            return self._post(key, body, body)
        with TemporaryFile() as file:
            file.write(bytes(offset) + body)
            file.seek(offset)
            return self._post(key, body, file)

    def use_up(self) -> None:
        """Bring the token to its end, so that the next call certainly meets an ended one."""
        left: str | None = None
        while left != "0":
            response = self.get("products/1")
            if response is None:
                return
            left = response.headers["X-Token-Uses-Left"]

    def _post(self, key: str, body: bytes, data: bytes | IO[bytes]) -> Response | None:
        digest = hashlib.sha256(body)
        headers = {"Idempotency-Key": key, "Content-Digest": content_digest(digest.digest())}
        return self._tally.call(
            lambda: self._stack.post("orders", data=data, headers=headers),
            proof=digest.hexdigest(),
        )
