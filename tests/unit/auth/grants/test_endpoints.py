"""Where an identity server is asked for what."""

from __future__ import annotations

import pytest

from sessionkit.auth import ClientCredentials, Password, RefreshToken
from sessionkit.auth.grants._endpoints import checked_url, endpoints_of, is_secure_url
from sessionkit.auth.oauth import Endpoints
from sessionkit.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "guarded"),
    [
        ("https://id.example/token", True),
        ("http://127.0.0.1:8080/token", True),
        ("http://localhost/token", True),
        ("http://[::1]:9/token", True),
        ("http://id.example/token", False),
        ("http://127.0.0.1.evil.example/", False),
        ("http://localhost@evil.example/", False),
        ("http://evil.example\\@127.0.0.1/", False),
        ("file:///etc/passwd", False),
        ("javascript://127.0.0.1/%0aalert(1)", False),
        ("/token", False),
        ("", False),
        (None, False),
        (7, False),
    ],
)
def test_a_way_that_others_could_listen_on_is_told_from_one_they_cannot(
    url: object, guarded: bool
) -> None:
    """TLS, or this very machine; a host that only looks like it does not pass."""
    assert is_secure_url(url) is guarded


def test_a_url_that_is_missing_is_named() -> None:
    """The message says which of the several."""
    with pytest.raises(ConfigError, match="device_authorization_url must be an absolute URL"):
        checked_url("", "device_authorization_url")

    assert checked_url("https://id.example/token") == "https://id.example/token"


def test_a_bare_token_url_is_endpoints_enough() -> None:
    """Who needs no more writes no more."""
    url = "https://id.example/token"

    assert endpoints_of(url) == endpoints_of(Endpoints(url)) == Endpoints(url)


def test_every_grant_takes_endpoints_in_place_of_a_url() -> None:
    """What discovery found serves a service and a script alike, and under the same key."""
    url = "https://id.example/token"
    server = Endpoints(url, revocation_url="https://id.example/revoke")

    credentials = [ClientCredentials(place, "app", client_secret="w") for place in (url, server)]
    refreshing = [RefreshToken(place, "first", client_id="app") for place in (url, server)]
    passwords = [Password(place, "ada", password="w", client_id="app") for place in (url, server)]
    for bare, full in (credentials, refreshing, passwords):
        assert bare.store_key == full.store_key
        assert repr(bare) == repr(full)
