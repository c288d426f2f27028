"""Users who log in at a real OpenID provider, by browser and by device: django-oauth-toolkit's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import Grant
from sessionkit.auth.oauth import AuthorizationCode, Browser, DeviceCode, Endpoints, discover
from sessionkit.errors import LoginRequired
from sessionkit.stores import MemoryTokenStore, SqliteTokenStore, TokenStore
from sessionkit.testing import FakeClock
from tests.support.servers.oauth_site import PASSWORD
from tests.support.servers.real import OAuthServer
from tests.unit.auth.asking import Later

_FIELD = r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?'


class Ada:
    """The user, with a browser of her own.

    Args:
        allows: Whether she lets programs in.
    """

    def __init__(self, *, allows: bool = True) -> None:
        self.allows = allows
        self.visits: list[Later] = []

    def browse(self, url: str) -> None:
        """Log in at *url* and say whether the program is let in, while it waits."""
        self.visits.append(Later(lambda: self._in_a_browser(url, allow="Authorize")))

    def type_in(self, code: str, url: str) -> None:
        """Type a code in at *url*, and say whether the device is let in; it asks meanwhile."""
        with requests.Session() as browser:
            page = self._logged_in(browser, browser.get(url))
            page = self._posted(browser, page, user_code=code)
            self._posted(browser, page, action="accept" if self.allows else "deny")

    def _in_a_browser(self, url: str, **decision: str) -> None:
        with requests.Session() as browser:
            page = self._logged_in(browser, browser.get(url))
            self._posted(browser, page, **(decision if self.allows else {}))

    def _logged_in(self, browser: requests.Session, page: requests.Response) -> requests.Response:
        return self._posted(browser, page, username="ada", password=PASSWORD)

    def _posted(
        self, browser: requests.Session, page: requests.Response, **fields: str
    ) -> requests.Response:
        hidden = {name: unescape(value) for name, value in re.findall(_FIELD, page.text)}
        # Django compares the page that a form comes from.
        answer = browser.post(page.url, data=hidden | fields, headers={"Referer": page.url})
        answer.raise_for_status()
        return answer


@pytest.fixture
def issuer(oauth: OAuthServer) -> str:
    """The provider's name."""
    control(f"{oauth.origin}/o")
    return f"{oauth.origin}/o"


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """The program's session."""
    with requests.Session() as session:
        yield session


def control(issuer: str, **asked: bool) -> dict[str, int]:
    """Tell the provider what to do; return what was asked of its token endpoint since then."""
    url = issuer.removesuffix("/o") + "/control"
    answer: dict[str, int] = requests.post(url, json=asked).json()
    return answer


def opened(
    session: requests.Session, issuer: str, grant: Grant, store: TokenStore | None = None
) -> SessionStack:
    """Return a stack on the API beside the provider, by a clock that nobody waits for."""
    url = issuer.removesuffix("/o")
    chain = recommended(grant, store=store or MemoryTokenStore())
    return SessionStack(session, chain, base_url=url, clock=FakeClock())


def by_browser(server: Endpoints, ada: Ada) -> AuthorizationCode:
    """Return the login of a program on the user's own machine."""
    return AuthorizationCode(server, "shell", scope="read openid", browser=Browser(ada.browse))


def by_device(server: Endpoints, ada: Ada) -> DeviceCode:
    """Return the login of a program on a machine without a browser."""
    # Its description leaves this one out; the manual knows it.
    server = server._replace(device_authorization_url=f"{server.issuer}/device-authorization/")
    return DeviceCode(server, "tv", scope="read", prompt_callback=ada.type_in)


def test_a_provider_describes_itself(issuer: str) -> None:
    """By RFC 8414, and where it does not know that, by OpenID's own document."""
    whole = discover(issuer)
    control(issuer, openid=True)
    by_openid = discover(issuer)
    control(issuer)

    assert whole.token_url == by_openid.token_url == f"{issuer}/token/"
    assert whole.authorization_url == by_openid.authorization_url == f"{issuer}/authorize/"
    assert whole.issuer == by_openid.issuer == issuer
    assert whole.require_iss
    assert whole.revocation_url == f"{issuer}/revoke_token/"


@pytest.mark.parametrize("make", [by_browser, by_device])
def test_a_user_logs_in_once_and_the_program_goes_on_for_as_long_as_it_likes(
    make: object, issuer: str, session: requests.Session, tmp_path: Path
) -> None:
    """Through renewals, rotations and restarts; at the end it logs out for good."""
    ada = Ada()
    assert callable(make)
    grant = make(discover(issuer), ada)
    store = SqliteTokenStore(tmp_path / "tokens.db")
    stack = opened(session, issuer, grant, store)
    stack.handlers["auth"].login(stack)

    assert stack.get("/items/7").json()["user"] == "ada"
    for _ in range(3):
        control(issuer, expire=True)
        stack = opened(session, issuer, grant, SqliteTokenStore(tmp_path / "tokens.db"))
        assert stack.get("/items/7").json()["user"] == "ada"
        assert control(issuer) == {"refresh_token 200": 1}

    token = store.load(grant.store_key)
    assert token is not None
    stack.handlers["auth"].logout(stack, revoke=True)
    assert store.load(grant.store_key) is None
    client = "shell" if make is by_browser else "tv"
    form = {"grant_type": "refresh_token", "refresh_token": token.refresh_token}
    again = requests.post(f"{issuer}/token/", {**form, "client_id": client})
    assert again.json()["error"] == "invalid_grant"
    bearer = {"Authorization": f"Bearer {token.value}"}
    assert requests.get(f"{issuer.removesuffix('/o')}/items/7", headers=bearer).status_code == 401


@pytest.mark.parametrize("make", [by_browser, by_device])
def test_a_user_who_says_no_is_told_as_such(
    make: object, issuer: str, session: requests.Session
) -> None:
    """The program learns it at once, and does not ask again by itself."""
    assert callable(make)
    stack = opened(session, issuer, make(discover(issuer), Ada(allows=False)))

    with pytest.raises(LoginRequired, match="denied"):
        stack.handlers["auth"].login(stack)
    with pytest.raises(LoginRequired):
        stack.get("/items/7")
