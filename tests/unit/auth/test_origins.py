"""Where credentials may go."""

from __future__ import annotations

import pytest

from sessionkit.auth._origins import NO_ORIGINS, AllowedOrigins, is_allowed
from sessionkit.errors import ConfigError
from tests.support.stacks import Keeper, opened


def exchange_for(url: str, *, base: str = "/") -> tuple[object, str]:
    """Return the exchange of a call for *url*, and the origin of the stack that made it."""
    keeper = Keeper()
    with opened(handlers=[keeper], base=base) as (stack, server):
        stack.get(url.format(home=server.origin))
        return keeper.exchanges[0], server.origin.replace("http://", "http://")


def test_by_default_credentials_go_to_the_stacks_home() -> None:
    """The base_url says whose they are, for relative and absolute URLs alike."""
    for url in ("orders", "{home}/orders"):
        exchange, home = exchange_for(url)

        assert AllowedOrigins().for_exchange(exchange) == frozenset([home])  # type: ignore[arg-type]  # a stand-in


def test_a_foreign_url_is_given_none() -> None:
    """Nobody else's host is sent anything."""
    exchange, _ = exchange_for("{home}/orders")

    assert AllowedOrigins(["https://api.example"]).for_exchange(exchange) is NO_ORIGINS  # type: ignore[arg-type]  # a stand-in


def test_without_a_home_both_cures_are_named() -> None:
    """No trust on first use."""
    exchange, _ = exchange_for("{home}/orders", base="")
    with pytest.raises(ConfigError) as caught:
        AllowedOrigins().for_exchange(exchange)  # type: ignore[arg-type]  # a stand-in

    assert "base_url" in caught.value.hint
    assert "origins=" in caught.value.hint


def test_the_sessions_own_base_says_nothing_of_an_absolute_url() -> None:
    """Only what is relative goes where the session resolves it to."""
    keeper = Keeper()
    with opened(handlers=[keeper], base="") as (stack, server):
        stack._inner.base_url = server.origin  # type: ignore[attr-defined]  # the stack's
        stack.get(f"{server.origin}/orders")
    with pytest.raises(ConfigError, match="not known which origins"):
        AllowedOrigins().for_exchange(keeper.exchanges[0])


def test_named_origins_are_read_as_origins() -> None:
    """A path or the default port makes no difference; one alone needs no list."""
    origins = AllowedOrigins("https://api.example/v1/")

    assert repr(origins) == ", origins=['https://api.example:443']"
    assert repr(AllowedOrigins()) == ""
    with pytest.raises(ConfigError, match="absolute URL"):
        AllowedOrigins(["api.example"])


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("https://api.example/x", True),
        ("https://api.example:443/x", True),
        ("http://api.example/x", False),
        ("https://evil.example/", False),
        ("https://[::1", False),
        ("/x", False),
        (None, False),
    ],
)
def test_an_url_belongs_to_its_origin_or_to_nobody(url: str | None, ours: bool) -> None:
    """What is no URL is nobody's."""
    assert is_allowed(url, frozenset(["https://api.example:443"])) is ours
