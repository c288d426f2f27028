"""Redirects: what becomes of their bodies, and of those that they ask for again.

To make the next request, requests reads the whole answer that asks for it, whether anybody wants
its body or not; it may be endless, a trickle or a gzip bomb. So it is read within bounds before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

from sessionkit.bodies._request import body_objects
from sessionkit.bodies._response import DRAIN_SECONDS, read_some, read_within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest, Response

    from sessionkit._clock import Clock
    from sessionkit.chain._exchange import Exchange


class RedirectHook:
    """A response hook for one request; it takes itself off the request when it has run.

    A redirect that is followed keeps what comes of its body within 64 KiB and 0.2 s: nobody reads
    it. One that the caller wants to see is read to its end, or to the deadline.

    Args:
        clock: Time it by this.
        deadline: Moment of the clock's ``monotonic``, or None.
        wanted: Whether the caller wants to see redirects.
    """

    __slots__ = ("_clock", "_deadline", "_wanted")

    def __init__(
        self, clock: Clock, deadline: float | None = None, *, wanted: bool = False
    ) -> None:
        self._clock = clock
        self._deadline = deadline
        self._wanted = wanted

    def __call__(self, response: Response, **_: object) -> None:
        """Read the body, before the hooks of the caller and the session see the answer."""
        take_off(getattr(response, "request", None))
        if not response.is_redirect:
            return
        if not self._wanted:
            read_some(response, self._clock, self._clock.monotonic() + DRAIN_SECONDS)
        elif self._deadline is not None:
            read_within(response, self._clock, self._deadline)

    def put_on(self, request: PreparedRequest) -> None:
        """Run for the answer to *request*, before its other hooks."""
        # A new mapping: a copied request shares its hooks with the original.
        known = request.hooks or {}
        request.hooks = {**known, "response": [self, *known.get("response", ())]}

    def beside(self, given: Any, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return the ``hooks`` of a call with this one in them.

        Args:
            given: What the call has now; it stands in place of *known*, as in requests.
            known: The session's.
        """
        given = given or {}
        others = given.get("response") or known.get("response") or []
        return {**given, "response": [self, *([others] if callable(others) else others)]}


def take_off(request: Any) -> None:
    """Leave no hook of ours on a request that its caller may keep, copy or pickle."""
    hooks = getattr(request, "hooks", None) or {}
    others = [hook for hook in hooks.get("response", ()) if not isinstance(hook, RedirectHook)]
    if len(others) < len(hooks.get("response", ())):
        request.hooks = {**hooks, "response": others}


def next_of(response: Response) -> PreparedRequest | None:
    """Return the request that a redirect asks for, or None where *response* is none."""
    request: PreparedRequest | None = getattr(response, "next", None)
    return request


def check_body(request: PreparedRequest, exchange: Exchange, response: Response) -> None:
    """Refuse a hop whose body was spent on the request before; requests would send it empty.

    Raises:
        requests.exceptions.UnrewindableBodyError: The body cannot be sent again.
    """
    if not exchange.call.marks.can_repeat(body_objects({}, request)):
        message = f"the body was sent once, and a {response.status_code} asks for it again"
        raise requests.exceptions.UnrewindableBodyError(message, request=request, response=response)
