"""The demo's API as a function from request to answer."""

from __future__ import annotations

import json

import pytest

from sessionkit.demo._api import Api
from sessionkit.demo._catalogue import catalogue
from sessionkit.demo._identity import Identity
from sessionkit.demo._messages import Ask, Reply
from sessionkit.testing import FakeClock


class Desk:
    """An API with a token at hand."""

    def __init__(self, *, token_uses: int = 40) -> None:
        self.clock = FakeClock()
        self.identity = Identity(token_uses=token_uses, clock=self.clock)
        self.api = Api(self.identity, catalogue(), clock=self.clock)
        self.token = self.identity.login()["access_token"]

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Reply:
        """Ask with the token."""
        given = {"authorization": f"Bearer {self.token}"} | headers
        return self.api.answer(Ask(method, path, headers=given))


@pytest.mark.parametrize(
    "path",
    [
        "/api/products",
        "/api/products/7",
        "/api/orders/7",
        "/api/orders",
        "/api/next/products",
        "/api/cursor/products",
        "/api/offset/products",
        "/api/slow",
    ],
)
def test_each_path_answers_to_a_token_and_to_nobody_else(path: str) -> None:
    """Whatever a tutorial asks for needs a login."""
    desk = Desk()

    assert desk.ask(path).status == 200
    assert desk.ask(path, method="HEAD").status == 200
    assert desk.api.answer(Ask("GET", path)).status == 401


def test_an_answer_tells_what_the_token_has_left() -> None:
    """A client can bring a token to its end on purpose."""
    desk = Desk(token_uses=2)

    left = [desk.ask("/api/products/1").headers["X-Token-Uses-Left"] for _ in range(2)]

    assert left == ["1", "0"]
    assert desk.ask("/api/products/1").status == 401


def test_every_answer_tells_the_server_s_time() -> None:
    """Time spent in the server can be told from time on the way."""
    reply = Desk().ask("/api/slow")

    assert reply.headers["X-API-Time"] == "0.100s"
    assert reply.headers["X-API-Node"] == "demo-1"


def test_a_refused_order_that_comes_again_is_counted() -> None:
    """The server itself tells that a replay happened."""
    desk = Desk()
    desk.api.answer(Ask("POST", "/api/orders", headers={"idempotency-key": "k"}))

    reply = desk.ask("/api/orders", method="POST", **{"idempotency-key": "k"})

    assert reply.status == 201
    assert desk.api.figures()["replayed_posts"] == 1


@pytest.mark.parametrize("path", ["/", "/api/missing", "/api/products/999", "/api/", "/other"])
def test_what_is_not_there_is_a_404(path: str) -> None:
    """A wrong path is told as one."""
    reply = Desk().ask(path)

    assert reply.status == 404
    assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/oauth/token", "POST"),
        ("PUT", "/api/orders", "POST, GET"),
        ("DELETE", "/api/busy", "GET, POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(method: str, path: str, allowed: str) -> None:
    """RFC 9110, section 15.5.6: a 405 names what is allowed."""
    reply = Desk().ask(path, method=method)

    assert (reply.status, reply.headers["Allow"]) == (405, allowed)


def test_the_figures_need_no_token() -> None:
    """Whoever started the server can read its counters."""
    desk = Desk()
    desk.ask("/api/busy")

    reply = desk.api.answer(Ask("GET", "/_figures"))

    assert json.loads(reply.body) == {
        "requests": 2,
        "expiries": 0,
        "renewals": 0,
        "reuse_detected": 0,
        "replayed_posts": 0,
        "replayed_posts_intact": 0,
    }


def test_a_token_request_is_answered() -> None:
    """The token endpoint stands beside the API and needs no token."""
    reply = Desk().api.answer(Ask("POST", "/oauth/token", body=b"grant_type=magic"))

    assert reply.status == 400
