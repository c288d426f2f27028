"""What ``stack.explain()`` says of a stack, and what it warns of."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from sessionkit import Exchange, Forward, SessionStack, recommended
from sessionkit.auth import AuthHandler, ClientCredentials, RefreshToken, StaticToken
from sessionkit.handlers import RetryHandler
from tests.unit.stacks import Keeper, passing


def explained(handlers: Any = (), adapter: HTTPAdapter | None = None, **settings: Any) -> str:
    """Return what a stack of *handlers* says of itself."""
    with requests.Session() as session:
        if adapter is not None:
            session.mount("https://", adapter)
        return SessionStack(session, handlers, **settings).explain()


def test_a_stack_explains_its_session_base_and_handlers() -> None:
    """Where a call goes, and through what, can be read off."""
    lines = explained([RetryHandler(), passing, Keeper()], base_url="https://api.example/v1/")

    assert lines.splitlines() == [
        "SessionStack over requests.sessions.Session",
        "base_url: https://api.example/v1/",
        "handlers, outermost first:",
        f"  1. retry    {RetryHandler()!r}",
        "  2. passing  function tests.unit.stacks.passing",
        "  3. keeper   tests.unit.stacks.Keeper",
    ]


def test_a_stack_without_handlers_says_that_it_is_transparent() -> None:
    """An empty list is not mistaken for one that was forgotten."""
    lines = explained().splitlines()

    assert lines[1:] == ["base_url: none", "handlers: none (transparent)"]


def test_the_recommended_chain_gives_no_warning() -> None:
    """What the library itself proposes is in order."""
    assert "warning" not in explained(recommended(StaticToken("s3cret")))


@pytest.mark.parametrize(
    ("names", "outer", "inner"),
    [
        (("auth", "retry"), "auth", "retry"),
        (("retry", "errors"), "retry", "errors"),
        (("errors", "mine", "cache", "auth"), "cache", "auth"),
    ],
)
def test_a_bad_order_is_warned_of(names: tuple[str, ...], outer: str, inner: str) -> None:
    """Handlers that defeat each other are named."""
    lines = explained(dict.fromkeys(names, passing)).splitlines()

    warnings = [line for line in lines if line.startswith("warning:")]
    assert len(warnings) == 1
    assert f"{outer!r} stands outside {inner!r}" in warnings[0]


def test_retries_mounted_twice_are_warned_of() -> None:
    """Three tries in the adapter inside three of the handler are nine."""
    for retries in (2, Retry(total=2)):
        text = explained([RetryHandler()], HTTPAdapter(max_retries=retries))

        assert "warning: the adapter at https:// retries 2 times" in text
        assert "max_retries=0" in text


def test_retries_in_the_adapter_alone_are_no_reason_to_warn() -> None:
    """Who has no retry handler has not mounted anything twice."""
    assert "warning" not in explained([passing], HTTPAdapter(max_retries=2))


def test_no_secret_is_explained() -> None:
    """The text can be pasted into a bug report."""

    def keyed(key: str, exchange: Exchange, forward: Forward) -> requests.Response:
        return forward(exchange)

    token_url = "https://user:s3cret@id.example/token?api_key=s3cret"
    handlers = {
        "static": AuthHandler(StaticToken("s3cret")),
        "client": AuthHandler(ClientCredentials(token_url, "app", client_secret="s3cret")),
        "refresh": AuthHandler(RefreshToken(token_url, "s3cret", client_id="app")),
        "plain": passing,
        "keyed": partial(keyed, "s3cret"),
    }

    text = explained(handlers, base_url="https://user:s3cret@api.example/v1/")

    assert "s3cret" not in text
    assert "app" in text
