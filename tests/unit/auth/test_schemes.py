"""Schemes: where a token goes."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from sessionkit import Token
from sessionkit.auth import AuthHandler, Bearer, Cookie, Header, Query, Scheme, StaticToken
from sessionkit.auth._schemes import NO_ORIGINS, AllowedOrigins, is_allowed
from sessionkit.errors import ConfigError
from tests.support.stacks import Keeper, opened

ORIGINS = frozenset(["https://api.example:443"])


@pytest.mark.parametrize(
    ("scheme", "place", "name", "value"),
    [
        (Bearer(), "header", "Authorization", "Bearer t0ken"),
        (Bearer("Token"), "header", "Authorization", "Token t0ken"),
        (Header("X-Api-Key"), "header", "X-Api-Key", "t0ken"),
        (Header("X-Auth", "Key"), "header", "X-Auth", "Key t0ken"),
        (Query("api_key"), "query", "api_key", "t0ken"),
        (Cookie("sid"), "cookie", "sid", "t0ken"),
    ],
    ids=repr,
)
def test_a_scheme_says_where_a_token_goes(
    scheme: Scheme, place: str, name: str, value: str
) -> None:
    """Name, place and spelling are the vendor's, and the token is bound to its origins."""
    (secret,) = scheme.credentials(Token("t0ken"), "GET", origins=ORIGINS)

    assert (secret.location, secret.name, secret.value) == (place, name, value)
    assert (scheme.location, scheme.name) == (place, name)
    assert secret.origins == ORIGINS


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        (Bearer("Token"), "Bearer('Token')"),
        (Header("X-Key"), "Header('X-Key')"),
        (Query("key"), "Query('key')"),
        (Cookie("sid"), "Cookie('sid')"),
    ],
    ids=repr,
)
def test_a_scheme_shows_its_setting(scheme: Scheme, text: str) -> None:
    """An explanation of the stack tells where the token goes."""
    assert repr(scheme) == text


@pytest.mark.parametrize("name", ["api_key", "auth[key]"])
def test_a_key_in_the_query_is_masked_in_the_log_of_urllib3(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Logging at DEBUG, as one does while looking for a fault, writes no key to a file."""
    auth = AuthHandler(StaticToken("s3cret"), scheme=Query(name))
    with (
        caplog.at_level(logging.DEBUG, "urllib3.connectionpool"),
        opened(handlers=[auth]) as (stack, server),
    ):
        stack.get("x", params={"a": "1"})

        assert server.requests[0].query[name] == ["s3cret"]
    assert "GET /x?" in caplog.text
    assert "a=1" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_scheme_that_is_built_again_and_again_costs_no_more() -> None:
    """What masks the log is there once for each name."""
    for _ in range(3):
        Query("built_again")

    filters = logging.getLogger("urllib3.connectionpool").filters
    assert [getattr(one, "name", "") for one in filters].count("built_again") == 1


@pytest.mark.parametrize("make", [Bearer, Header, Query, Cookie])
@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ä", "a\tb"])
def test_a_name_that_would_break_the_request_is_refused(make: Any, name: str) -> None:
    """A line break or a blank in a header's name is found when the scheme is built."""
    with pytest.raises(ConfigError, match="must be printable"):
        make(name)


@pytest.mark.parametrize("name", ["auth[key]", "api.key", "$key", "key,2"])
def test_a_query_parameter_may_be_named_as_the_vendor_likes(name: str) -> None:
    """It is encoded into the URL, so brackets and the like are no danger."""
    (secret,) = Query(name).credentials(Token("t0ken"), "GET", origins=frozenset())
    assert secret.name == name


@pytest.mark.parametrize("name", ["a;b", "a=b", "a,b", 'a"b'])
def test_a_cookie_cannot_have_a_name_that_reads_as_two(name: str) -> None:
    """A separator in the name would make another cookie of it (RFC 6265, section 4.1.1)."""
    with pytest.raises(ConfigError):
        Cookie(name)


def test_a_prefix_that_would_break_the_header_is_refused() -> None:
    """It is part of the header too."""
    with pytest.raises(ConfigError, match="prefix"):
        Header("X-Key", "a\r\nb")


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
