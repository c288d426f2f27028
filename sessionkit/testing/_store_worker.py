"""A process that uses a token store as its input says, for `SharedTokenStoreContract`."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from sessionkit._tokens import Token
from sessionkit.errors import LockTimedOut

if TYPE_CHECKING:
    from sessionkit.stores import TokenStore


class Tasks:
    """What the process can do; each task returns a JSON value.

    Args:
        store: The store of this process.
    """

    def __init__(self, store: TokenStore) -> None:
        self._store = store
        self._held: dict[str, ExitStack] = {}

    def load(self, key: str) -> dict[str, Any] | None:
        """Return what ``to_dict`` gives for the token."""
        token = self._store.load(key)
        return None if token is None else token.to_dict()

    def save(self, key: str, fields: dict[str, Any]) -> None:
        """Save the token of these fields."""
        self._store.save(key, Token.from_dict(fields))

    def delete(self, key: str) -> None:
        """Forget the token."""
        self._store.delete(key)

    def hold(self, key: str, timeout: float) -> bool:
        """Take the lock and keep it; return whether it was free within *timeout* seconds."""
        held = ExitStack()
        try:
            held.enter_context(self._store.lock(key, timeout))
        except LockTimedOut:
            return False
        self._held[key] = held
        return True

    def free(self, key: str) -> None:
        """Let go of a lock that was taken."""
        self._held.pop(key).close()

    def count(self, key: str, steps: int, timeout: float) -> None:
        """Add one to the number in the token *steps* times, each time under the lock."""
        for _ in range(steps):
            with self._store.lock(key, timeout):
                before = self._store.load(key)
                number = int(before.value) if before else 0
                self._store.save(key, Token(str(number + 1)))


def serve(store: TokenStore) -> None:
    """Do what each line of the input says, a list in JSON; write the result of each as one line."""
    tasks = Tasks(store)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        result = getattr(tasks, name)(*arguments)
        sys.stdout.write(f"{json.dumps(result)}\n")
        sys.stdout.flush()
