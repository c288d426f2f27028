"""Whose answer it is: credentials tell callers apart, and none can be read back."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sessionkit.chain._exchange import Credential
from sessionkit.handlers.cache._key import hash_request, vary_names

SALT = b"salt"
URL = "http://api.example/orders"
NOWHERE: frozenset[str] = frozenset()


def key(
    *secrets: Credential,
    url: str = URL,
    salt: bytes = SALT,
    principal: str | None = None,
    **parts: Any,
) -> str:
    """Return the key of a GET with *parts* of a request."""
    request = requests.Request("GET", url, **parts).prepare()
    return hash_request(request, secrets, salt=salt, principal=principal).key


@pytest.mark.parametrize(
    "parts",
    [
        {"headers": {"Authorization": "Bearer a"}},
        {"headers": {"X-Api-Key": "a"}},
        {"headers": {"Cookie": "sid=a"}},
        {"cookies": {"sid": "a"}},
        {"auth": ("user", "a")},
        {"params": {"api_key": "a"}},
        {"headers": {"X-Tenant-Id": "a"}},
        {"headers": {"OpenAI-Organization": "a"}},
        {"headers": {"Stripe-Account": "a"}},
        {"headers": {"Sudo": "a"}},
        {"headers": {"X-On-Behalf-Of": "a"}},
        {"headers": {"X-Api-Key": b"a"}},
    ],
    ids=str,
)
def test_whatever_tells_callers_apart_parts_their_answers(parts: dict[str, Any]) -> None:
    """However a server knows its users, no two of them share an answer."""
    (kind, value), *_ = parts.items()
    other = {kind: ("user", "b")} if kind == "auth" else {kind: dict.fromkeys(value, "b")}

    assert key(**parts) not in {key(), key(**other)}
    assert key(**parts) == key(**parts)


def test_a_placed_credential_counts_under_any_name() -> None:
    """A vendor may call the header of its keys what it likes."""
    secret = Credential("header", "X-Odd", "a", NOWHERE)
    mine, yours = ({"X-Odd": value} for value in "ab")

    assert key(secret, headers=mine) != key(secret, headers=yours)
    assert key(headers=mine) == key(headers=yours)


def test_a_placed_key_in_the_query_counts_wherever_it_stands() -> None:
    """It stands first where it is sent, and last where it is foreseen."""
    secret = Credential("query", "appid", "a", NOWHERE)
    other = Credential("query", "appid", "b", NOWHERE)

    first = key(secret, url=f"{URL}?appid=a&q=1")
    assert first == key(secret, url=f"{URL}?q=1&appid=a")
    assert first not in {key(other, url=f"{URL}?q=1&appid=b"), key(url=f"{URL}?q=1")}


@pytest.mark.parametrize("name", ["Accept", "User-Agent", "X-Request-Id", "traceparent", "Age"])
def test_other_headers_are_left_to_vary(name: str) -> None:
    """An id that is new on every call keeps nobody from his own answers."""
    assert key(headers={name: "1"}) == key(headers={name: "2"})


def test_cookies_count_in_any_order() -> None:
    """A jar orders them by path, whoever set them first."""
    assert key(headers={"Cookie": "a=1; b=2"}) == key(headers={"Cookie": "b=2; a=1"})


def test_a_certificate_is_a_credential() -> None:
    """Programs that log in by certificates share nothing either."""
    request = requests.Request("GET", URL).prepare()
    keys = {
        hash_request(request, (), salt=SALT, certificate=certificate).key
        for certificate in (None, "a.pem", ("a.pem", "a.key"), "b.pem")
    }

    assert len(keys) == 4


def test_a_principal_takes_the_place_of_credentials() -> None:
    """Answers outlive tokens where it is said who asks."""
    old, new = ({"Authorization": f"Bearer {token}"} for token in ("old", "new"))

    assert key(principal="ada", headers=old) == key(principal="ada", headers=new)
    assert key(principal="ada", headers=old) != key(principal="bob", headers=old)


def test_addresses_are_told_apart_to_the_letter() -> None:
    """Order in a query may mean something; a fragment is never sent."""
    assert key(url=f"{URL}?a=1&b=2") != key(url=f"{URL}?b=2&a=1")
    assert key(url=f"{URL}#top") == key()


def test_facts_cannot_be_moved_from_one_place_to_another() -> None:
    """Nobody builds an address that counts as somebody's credential."""
    assert key(headers={"X-Api-Key": "ab"}) != key(headers={"X-Api-Key": "a", "X-Api-Key2": "b"})
    assert key(principal="a") != key(principal="['a']")


def test_nothing_can_be_read_back() -> None:
    """Neither a token nor an address stands in the cache, and no list of hashes finds one."""
    request = requests.Request("GET", URL, headers={"Authorization": "Bearer hush"}).prepare()
    asked = hash_request(request, (), salt=SALT)

    text = repr(asked)
    assert "hush" not in text
    assert "orders" not in text
    assert hash_request(request, (), salt=b"other").key != asked.key
    assert hash_request(request, (), salt=b"other").headers != asked.headers


def test_the_names_in_vary_are_read_in_any_form() -> None:
    """``Accept , ACCEPT-LANGUAGE,`` names two headers."""
    assert vary_names(" Accept , ACCEPT-LANGUAGE,") == ["accept", "accept-language"]
    assert vary_names("") == []
