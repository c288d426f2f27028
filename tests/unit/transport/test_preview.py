"""What a request will be is known before it is sent."""

from __future__ import annotations

from typing import Any

import requests

from sessionkit import Exchange, Forward, SessionStack
from sessionkit.chain._exchange import Secret
from tests.unit.stacks import opened


class Looking:
    """Keeps what the request was said to be, and what was sent."""

    def __init__(self, *secrets: tuple[str, str, str], step: bool = False) -> None:
        self._secrets = secrets
        self._step = step
        self.stepped = 0
        self.foreseen = requests.PreparedRequest()
        self.sent = requests.PreparedRequest()

    def handle(self, exchange: Exchange, forward: Forward) -> requests.Response:
        allowed = frozenset({exchange.home or ""})
        for place, name, value in self._secrets:
            exchange = exchange.with_secret(Secret(place, name, value, allowed))
        if self._step:
            exchange = exchange.late(self._note)
        self.foreseen = exchange.preview().request
        assert self.stepped == 0
        response = forward(exchange)
        self.sent = response.request
        return response

    def _note(self, request: requests.PreparedRequest) -> None:
        self.stepped += 1


def looked_at(
    *secrets: tuple[str, str, str], session: requests.Session | None = None, **options: Any
) -> Looking:
    """Make a call and return what was seen of it."""
    looking = Looking(*secrets)
    with opened(handlers=[looking], session=session) as (stack, _):
        stack.get("orders", **options)
    return looking


def test_a_preview_is_the_request_that_is_sent() -> None:
    """Headers, parameters, cookies and logins of the session and of the call are all there."""
    session = requests.Session()
    session.headers["Accept-Language"] = "de"
    session.params = {"tenant": "7"}
    session.auth = ("user", "password")
    looking = looked_at(session=session, params={"page": 2}, cookies={"a": "b"})

    assert looking.foreseen.url == looking.sent.url
    assert looking.foreseen.headers == looking.sent.headers
    assert looking.foreseen.method == "GET"


def test_a_preview_shows_the_credentials_that_handlers_placed() -> None:
    """Who asks is known, whichever way a login rides; the session's own gives way, as it does."""
    session = requests.Session()
    session.auth = ("user", "password")
    looking = looked_at(
        ("header", "Authorization", "Bearer t"),
        ("header", "X-Api-Key", "k"),
        ("cookie", "sid", "s"),
        ("query", "sig", "q"),
        session=session,
    )

    assert looking.foreseen.headers == looking.sent.headers
    assert looking.foreseen.headers["Authorization"] == "Bearer t"
    assert looking.foreseen.url == looking.sent.url


def test_a_preview_has_no_side_effects() -> None:
    """No request is signed twice: late steps run once, when it is sent."""
    looking = Looking(step=True)
    with opened(handlers=[looking]) as (stack, server):
        stack.get("orders")

    assert looking.stepped == 1
    assert len(server.seen) == 1


def test_a_session_is_not_asked_for_a_login_that_a_handler_brings() -> None:
    """A signer that counts its requests counts each once."""
    asked: list[object] = []

    class Counting(requests.auth.AuthBase):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            asked.append(request)
            return request

    session = requests.Session()
    session.auth = Counting()
    looked_at(("header", "Authorization", "Bearer t"), session=session)

    assert asked == []


def test_a_prepared_request_is_previewed_as_a_copy() -> None:
    """The object that the caller keeps never sees the credential."""
    looking = Looking(("header", "Authorization", "Bearer t"))
    with opened(handlers=[looking]) as (stack, server):
        mine = requests.Request("GET", server.origin + "/x").prepare()
        stack.send(mine)

    assert looking.foreseen.headers["Authorization"] == "Bearer t"
    assert "Authorization" not in mine.headers


def test_a_preview_tells_of_the_certificate_that_the_client_shows() -> None:
    """Two programs that log in by certificates are told apart."""
    shown: list[object] = []

    def look(exchange: Exchange, forward: Forward) -> requests.Response:
        shown.append(exchange.preview().certificate)
        return requests.Response()

    session = requests.Session()
    stack = SessionStack(session, [look])
    stack.get("https://api.example/")
    stack.get("https://api.example/", cert="of the call")
    session.cert = ("of the session", "key")
    stack.get("https://api.example/")

    assert shown == [None, "of the call", ("of the session", "key")]
