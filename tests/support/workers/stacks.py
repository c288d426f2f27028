"""What workers of tests import by name: factories of stacks, and the calls made with them."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import requests

from sessionkit import SessionStack, StackSpec, recommended
from sessionkit.auth import ClientCredentials, RefreshToken
from tests.support.threads import at_once


class Forwarding:
    """A handler that hands on, and keeps what it was made of."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given

    def handle(self, exchange: Any, call_next: Any) -> requests.Response:
        """Hand on."""
        response: requests.Response = call_next(exchange)
        return response


def remembering(**given: Any) -> SessionStack:
    """Return a stack whose handler holds the arguments."""
    return SessionStack(None, {"forwarding": Forwarding(given)})


def of_client(client_id: str, *, store: Any = None) -> SessionStack:
    """Return a stack whose factory takes few arguments."""
    return remembering(client_id=client_id, store=store)


def no_stack() -> Any:
    """Return something else."""
    return requests.Session()


def failing(**_: Any) -> SessionStack:
    """Raise."""
    raise RuntimeError("out of order")


class Shop:
    """A class with factories."""

    @classmethod
    def stack(cls, region: str) -> SessionStack:
        """Return a stack."""
        return remembering(region=region)


def with_client(
    base_url: str, token_url: str, client_id: str, *, client_secret: str, store: Any = None
) -> SessionStack:
    """Return a stack that logs in as a client, as the how-to shows it."""
    login = ClientCredentials(token_url, client_id, client_secret=client_secret)
    return SessionStack(None, recommended(login, store=store), base_url=base_url)


def refreshing(
    base_url: str, client_id: str, *, refresh_token: str, store: Any = None
) -> SessionStack:
    """Return a stack that logs in with a refresh token, over a session of its own."""
    login = RefreshToken(f"{base_url}/token", refresh_token, client_id=client_id)
    return SessionStack(None, recommended(login, store=store), base_url=base_url)


@cache
def stack_of(spec: StackSpec) -> SessionStack:
    """Return the one stack that this process builds from *spec*."""
    return spec.build()


#: What the initializer of a pool puts here; only so can a barrier reach a worker.
MEETING: list[Any] = []


def begin(barrier: Any) -> None:
    """Start a worker of a pool."""
    MEETING[:] = [barrier]


def call(spec: StackSpec, path: str) -> tuple[int, list[str]]:
    """Wait for the other workers, and call *path* in four threads at once; return the outcomes."""
    MEETING[0].wait(60)
    stack = stack_of(spec)

    def status(_: int) -> str:
        return str(stack.get(path).status_code)

    return os.getpid(), [str(outcome) for outcome in at_once(4, status)]
