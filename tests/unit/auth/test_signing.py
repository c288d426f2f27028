"""Requests that are signed."""

from __future__ import annotations

import hashlib
import hmac
import pickle
from typing import Any

import pytest
import requests
from requests_toolbelt.sessions import BaseUrlSession

from sessionkit import SessionStack
from sessionkit.auth import AuthHandler, CallableGrant, SigningHandler
from sessionkit.errors import ConfigError
from sessionkit.handlers import RetryHandler
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.stacks import opened

KEY = b"s3cret-key"


def text_of(method: str, path: str, moment: str, body: bytes) -> bytes:
    """Return what is signed."""
    return f"{method} {path} {moment} {hashlib.sha256(body).hexdigest()}".encode()


def sign(request: requests.PreparedRequest, now: float) -> None:
    """Sign method, path, time and body with an HMAC."""
    body: Any = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    text = text_of(request.method or "", request.path_url, f"{now:.0f}", body)
    request.headers["X-Time"] = f"{now:.0f}"
    request.headers["X-Signature"] = hmac.new(KEY, text, hashlib.sha256).hexdigest()


def signed(seen: ServerRequest) -> bool:
    """Tell whether a request as it arrived carries its own signature."""
    query = "&".join(f"{n}={v}" for n, values in seen.query.items() for v in values)
    path = f"{seen.path}?{query}" if query else seen.path
    text = text_of(seen.method, path, seen.headers.get("x-time", ""), seen.body)
    expected = hmac.new(KEY, text, hashlib.sha256).hexdigest()
    return seen.headers.get("x-signature") == expected


def test_what_is_signed_is_what_arrives() -> None:
    """Query, body and headers are final when the signature is made."""
    with opened(handlers=[SigningHandler(sign)]) as (stack, server):
        stack.get("orders", params={"a": "1", "b": "2"})
        stack.post("orders", json={"sku": "bag"})
        stack.send(stack.prepare_request(requests.Request("PUT", f"{server.origin}/x", data=b"y")))

        assert [signed(seen) for seen in server.requests] == [True] * 3


def test_each_attempt_is_signed_with_its_own_time() -> None:
    """A server that refuses old signatures takes the retry."""
    clock, replies = FakeClock(), iter([ServerResponse(503), ServerResponse(200)])
    handlers = {"retry": RetryHandler(), "sign": SigningHandler(sign)}
    with opened(lambda _: next(replies), handlers, clock=clock) as (stack, server):
        clock.advance(5)
        stack.get("orders")
        first, second = server.requests

    assert signed(first)
    assert signed(second)


def test_a_replay_after_a_renewal_is_signed_anew() -> None:
    """The token may be part of what is signed."""
    tokens, live = iter(["old", "new"]), ["old"]

    def answer(seen: ServerRequest) -> ServerResponse:
        return ServerResponse(200 if seen.bearer in live else 401)

    handlers = [AuthHandler(CallableGrant(lambda *_: next(tokens))), SigningHandler(sign)]
    with opened(answer, handlers) as (stack, server):
        stack.get("orders")
        live[:] = ["new"]
        assert stack.post("orders", data=b"body").ok

        assert [seen.bearer for seen in server.requests] == ["old", "old", "new"]
        assert all(map(signed, server.requests))


def test_a_redirect_within_the_origin_is_signed_for_its_own_path() -> None:
    """The signature of the first path would be refused at the second."""

    def answer(seen: ServerRequest) -> ServerResponse:
        return (
            ServerResponse(307, b"", {"Location": "/b"}) if seen.path == "/a" else ServerResponse()
        )

    with opened(answer, [SigningHandler(sign)]) as (stack, server):
        stack.post("a", data=b"body")
        assert [(seen.path, signed(seen)) for seen in server.requests] == [
            ("/a", True),
            ("/b", True),
        ]


def test_nothing_signed_leaves_the_origin() -> None:
    """Neither on a redirect, nor for an absolute URL of somebody else's."""
    with LoopbackServer(lambda _: ServerResponse()) as other:
        there = f"{other.origin}/x"
        with opened(
            lambda _: ServerResponse(302, b"", {"Location": there}), [SigningHandler(sign)]
        ) as (
            stack,
            _,
        ):
            stack.get("a")
            stack.get(there)

        assert len(other.requests) == 2
        assert not any("x-signature" in seen.headers for seen in other.requests)


def test_a_relative_url_that_leads_elsewhere_is_not_signed() -> None:
    """Only when a session has resolved it is it known where it goes."""
    with (
        LoopbackServer(lambda _: ServerResponse()) as server,
        BaseUrlSession(f"{server.origin}/") as session,
    ):
        handler = SigningHandler(sign, origins=["https://api.example"])
        SessionStack(session, [handler]).get("orders")

        assert "x-signature" not in server.requests[0].headers


def test_it_shows_no_key_and_goes_into_no_pickle() -> None:
    """It can be printed, logged and explained."""
    handler = SigningHandler(sign, origins="https://api.example")

    assert repr(handler) == "SigningHandler(sign, origins=['https://api.example:443'])"
    assert SigningHandler.name == "signing"
    with pytest.raises(ConfigError, match="not pickled"):
        pickle.dumps(handler)
    with pytest.raises(ConfigError, match="function"):
        SigningHandler("key")  # type: ignore[arg-type]  # that is the point
