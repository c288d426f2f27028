"""Grants against a real OAuth 2.0 server: Django with django-oauth-toolkit, strict rotation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import (
    AuthHandler,
    ClientCredentials,
    FallbackGrant,
    Grant,
    LoginForm,
    Password,
    RefreshToken,
)
from sessionkit.errors import LoginRequired, RenewalFailed
from sessionkit.stores import MemoryTokenStore, SqliteTokenStore, TokenStore
from tests.support.servers.oauth_site import CLIENT_SECRET, PASSWORD
from tests.support.servers.real import OAuthServer
from tests.support.threads import at_once
from tests.support.workers.fleet import Fleet


class Site:
    """The server, as its operator sees it."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.token_url = f"{origin}/token"

    def control(self, **asked: bool) -> dict[str, int]:
        """Tell it what to do; return what was asked of its token endpoint since the last time."""
        answer: dict[str, int] = requests.post(f"{self.origin}/control", json=asked).json()
        return answer

    def stack(
        self, session: requests.Session, grant: Grant, store: TokenStore | None = None
    ) -> SessionStack:
        """Return a stack on its API."""
        return SessionStack(session, recommended(grant, store=store), base_url=self.origin)

    def refresh_token(self) -> str:
        """Return a refresh token from a login that happened elsewhere."""
        form = {"grant_type": "password", "username": "ada", "password": PASSWORD}
        answer = requests.post(self.token_url, data=form, auth=("app", CLIENT_SECRET))
        self.control()
        return str(answer.json()["refresh_token"])


@pytest.fixture
def site(oauth: OAuthServer) -> Site:
    site = Site(oauth.origin)
    site.control()
    return site


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def refresh(site: Site, text: str | None) -> RefreshToken:
    return RefreshToken(site.token_url, text, client_id="app", client_secret=CLIENT_SECRET)


def test_client_credentials_are_asked_for_anew_when_the_token_ends(
    site: Site, session: requests.Session
) -> None:
    """A machine logs in by itself, and again whenever the server says so."""
    grant = ClientCredentials(site.token_url, "machine", client_secret=CLIENT_SECRET, scope="read")
    stack = site.stack(session, grant)

    assert [stack.get("/items/7").json()["number"] for _ in range(3)] == [7] * 3
    site.control(expire=True)
    assert stack.get("/items/8").json()["number"] == 8
    assert site.control() == {"client_credentials 200": 1}


def test_a_secret_in_the_form_is_taken_too(site: Site, session: requests.Session) -> None:
    """RFC 6749, section 2.3.1, has two places for it."""
    grant = ClientCredentials(
        site.token_url, "machine", client_secret=CLIENT_SECRET, client_auth="client_secret_post"
    )

    assert site.stack(session, grant).get("/items/7").ok


def test_a_wrong_secret_is_told_as_such(site: Site, session: requests.Session) -> None:
    """The error says whose credentials were refused, and shows none."""
    grant = ClientCredentials(site.token_url, "machine", client_secret="wrong-planted")

    with pytest.raises(RenewalFailed, match="invalid_client") as caught:
        site.stack(session, grant).get("/items/7")

    assert "wrong-planted" not in f"{caught.value!r} {caught.value} {caught.value.hint}"


def test_a_password_logs_in_once_and_its_refresh_token_goes_on(
    site: Site, session: requests.Session
) -> None:
    """The password is sent at the first login only; each refresh token is used once."""
    grant = Password(
        site.token_url, "ada", password=PASSWORD, client_id="app", client_secret=CLIENT_SECRET
    )
    stack = site.stack(session, grant)

    assert stack.get("/items/7").json()["user"] == "ada"
    assert site.control() == {"password 200": 1}
    for _ in range(3):
        site.control(expire=True)
        assert stack.get("/items/7").json()["user"] == "ada"
        assert site.control() == {"refresh_token 200": 1}


def test_a_refresh_token_lives_on_through_rotations_and_restarts(
    site: Site, session: requests.Session, tmp_path: Path
) -> None:
    """A program that starts anew goes on with the newest refresh token, not with the first."""
    first = site.refresh_token()
    for _ in range(4):
        # As after a restart: another stack, another store object, the same file.
        store = SqliteTokenStore(tmp_path / "tokens.db")
        stack = site.stack(session, refresh(site, first), store)
        assert stack.get("/items/7").json()["user"] == "ada"
        assert site.control(expire=True) == {"refresh_token 200": 1}


def test_a_refresh_token_that_comes_twice_ends_the_family_and_is_asked_for_once(
    site: Site, session: requests.Session
) -> None:
    """A stolen or doubled token is found out by the server; the caller is told to log in again."""
    first = site.refresh_token()
    mine, store = site.stack(session, refresh(site, first)), MemoryTokenStore()
    assert mine.get("/items/7").ok
    # Another program that was given the same first refresh token, and shares no store.
    other = site.stack(session, refresh(site, first), store)
    with pytest.raises(LoginRequired, match="invalid_grant"):
        other.get("/items/7")

    # With the family went the token that was good.
    with pytest.raises(LoginRequired):
        mine.get("/items/7")
    asked = site.control()
    with pytest.raises(LoginRequired):
        mine.get("/items/7")
    assert asked["refresh_token 400"] >= 2
    assert site.control() == {}


def test_a_dead_refresh_token_falls_back_to_the_password(
    site: Site, session: requests.Session
) -> None:
    """Where two ways to log in are known, the second is tried before a person is asked."""
    password = Password(
        site.token_url, "ada", password=PASSWORD, client_id="app", client_secret=CLIENT_SECRET
    )
    stack = site.stack(session, FallbackGrant(refresh(site, "long-revoked"), password))

    assert stack.get("/items/7").json()["user"] == "ada"
    assert site.control() == {"refresh_token 400": 1, "password 200": 1}


def test_eight_threads_share_one_rotation(site: Site, session: requests.Session) -> None:
    """All calls that find the token ended at once succeed with one renewal."""
    stack = site.stack(session, refresh(site, site.refresh_token()))
    assert stack.get("/items/7").ok
    site.control(expire=True)
    site.control()

    results = at_once(8, lambda number: stack.get(f"/items/{number}").status_code)

    assert results == [200] * 8
    assert site.control() == {"refresh_token 200": 1}


# -- The admin's form ----------------------------------------------------------------------------


def form_stack(site: Site, session: requests.Session, word: str = PASSWORD) -> SessionStack:
    form = LoginForm(f"{site.origin}/admin/login/", {"username": "ada", "password": word})
    chain = recommended()
    chain["auth"] = AuthHandler(form, scheme=form.scheme, policy=form.policy)
    return SessionStack(session, chain, base_url=site.origin)


def test_the_form_of_the_admin_logs_in(site: Site, session: requests.Session) -> None:
    """Pages that know no tokens are reached as a browser would."""
    stack = form_stack(site, session)

    assert stack.get("/me").json() == {"user": "ada", "method": "GET"}
    assert "Site administration" in stack.get("/admin/").text


def test_a_post_carries_the_csrf_token_of_the_login(site: Site, session: requests.Session) -> None:
    """Django's own check lets it pass, and lets it pass again after another login."""
    stack = form_stack(site, session)

    assert stack.post("/me", data={"a": "1"}).json() == {"user": "ada", "method": "POST"}
    site.control(logout=True)
    # Refused without a session by the redirect to the form; sent again with the new token.
    assert stack.post("/me", data={"a": "1"}).json() == {"user": "ada", "method": "POST"}


def test_a_session_that_ended_is_begun_anew(site: Site, session: requests.Session) -> None:
    """A redirect to the form is the refusal; the call is made again after the login."""
    stack = form_stack(site, session)
    assert stack.get("/me").ok
    site.control(logout=True)

    response = stack.get("/me")

    assert response.json() == {"user": "ada", "method": "GET"}
    assert len(response.record.renewals) == 2


def test_a_form_with_a_wrong_password_is_told_as_such(
    site: Site, session: requests.Session
) -> None:
    """The page comes again instead of a session: said so, without the password."""
    with pytest.raises(LoginRequired, match="not accepted") as caught:
        form_stack(site, session, "wrong-planted").get("/me")

    assert "wrong-planted" not in f"{caught.value!r} {caught.value}"


# -- Over processes ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["redis_url", "postgres_url"])
def test_eight_processes_share_one_rotation_at_a_real_server(
    request: pytest.FixtureRequest, site: Site, kind: str
) -> None:
    """Over Redis and over PostgreSQL: a token that ends is renewed once, and all calls succeed."""
    with Fleet(
        site.origin,
        request.getfixturevalue(kind),
        processes=8,
        refresh=site.refresh_token(),
        secret=CLIENT_SECRET,
    ) as fleet:
        assert fleet.call("/items/0") == ["200"] * 8
        assert site.control() == {"refresh_token 200": 1}
        for number in range(2):
            site.control(expire=True)
            assert fleet.call(f"/items/{number}") == ["200"] * 8
            assert site.control() == {"refresh_token 200": 1}
