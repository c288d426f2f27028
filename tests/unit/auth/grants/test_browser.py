"""A user's browser as a step: it is shown a page, and comes back to this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from sessionkit import SessionStack
from sessionkit._clock import SYSTEM_CLOCK, Clock
from sessionkit.auth.grants._browser import Browser, BrowserRequest, RedirectListener
from sessionkit.auth.grants._runner import TokenRequestRunner
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed
from sessionkit.testing import FakeClock
from tests.unit.auth.asking import Later

#: Of a redirect that comes at once, in seconds; of one that never comes.
LONG, SHORT = 20.0, 0.05


def get(url: str, **query: str) -> requests.Response:
    """Be a browser that is sent to *url*."""
    sign = "&" if "?" in url else "?"
    return requests.get(f"{url}{sign}{urlencode(query)}" if query else url, timeout=10)


def landed(landing: RedirectListener, seconds: float = LONG) -> str:
    """Wait for the redirect."""
    return landing.wait(SYSTEM_CLOCK, SYSTEM_CLOCK.monotonic() + seconds)


def refuses_connections(uri: str) -> bool:
    """Tell whether nobody listens at *uri* any more."""
    parts = urlsplit(uri)
    with socket.socket() as plug:
        return plug.connect_ex((parts.hostname or "", parts.port or 0)) != 0


def test_the_redirect_with_our_state_is_taken_and_its_user_told() -> None:
    """One request, on a port that was free, and nobody listens there afterwards."""
    with RedirectListener("http://127.0.0.1:0/callback") as landing:
        page = get(landing.uri, code="a-code", state=landing.state)
        query = landed(landing)

    assert parse_qs(query) == {"code": ["a-code"], "state": [landing.state]}
    assert page.status_code == 200
    assert "close this window" in page.text
    assert "a-code" not in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert refuses_connections(landing.uri)


@pytest.mark.parametrize("query", [{}, {"state": ""}, {"state": "another's"}, {"state": "é"}])
def test_a_redirect_without_our_state_is_turned_away_and_ours_still_awaited(
    query: dict[str, str],
) -> None:
    """Whoever sends a code of their own here logs nobody in, and hinders no login."""
    with RedirectListener("http://127.0.0.1:0/callback") as landing:
        stranger = get(landing.uri, code="their-code", **query)
        with pytest.raises(LoginRequired, match="1 without our state"):
            landed(landing, SHORT)
        get(landing.uri, code="our-code", state=landing.state)

        assert parse_qs(landed(landing))["code"] == ["our-code"]
    assert stranger.status_code == 400


def test_a_field_that_comes_twice_spoils_a_redirect() -> None:
    """Which code or state counts is nothing to guess at (RFC 6749, section 3.1)."""
    with RedirectListener("http://127.0.0.1:0/callback") as landing:
        twice = get(f"{landing.uri}?state=x&code=a", state=landing.state)
        many = get(landing.uri, **{f"a{n}": "b" for n in range(60)}, state=landing.state)

    assert (twice.status_code, many.status_code) == (400, 400)


def test_other_paths_and_methods_are_nothing() -> None:
    """A browser asks for its icon, and that is no answer to the login."""
    with RedirectListener("http://127.0.0.1:0/callback") as landing:
        icon = get(landing.uri.replace("callback", "favicon.ico"), state=landing.state)
        post = requests.post(landing.uri, {"state": landing.state}, timeout=10)

    assert (icon.status_code, post.status_code) == (404, 501)


def test_a_second_answer_to_one_login_is_turned_away() -> None:
    """The first one counts, whatever a second click says."""
    with RedirectListener("http://127.0.0.1:0/callback") as landing:
        first = get(landing.uri, code="first", state=landing.state)
        second = get(landing.uri, code="second", state=landing.state)

        assert parse_qs(landed(landing))["code"] == ["first"]
    assert (first.status_code, second.status_code) == (200, 409)


def test_a_connection_that_says_nothing_holds_nobody_up() -> None:
    """Browsers open some ahead of their need."""
    with RedirectListener("http://127.0.0.1:0/callback") as landing:
        parts = urlsplit(landing.uri)
        with socket.create_connection((parts.hostname, parts.port or 0)):
            get(landing.uri, code="a-code", state=landing.state)

            assert "a-code" in landed(landing)


def test_a_browser_that_leaves_before_its_page_has_answered_all_the_same(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """And nothing is written to the terminal: the line would hold the code."""
    with RedirectListener("http://127.0.0.1:0/callback") as landing:
        parts = urlsplit(landing.uri)
        line = f"GET {parts.path}?code=a-code&state={landing.state} HTTP/1.1\r\nHost: x\r\n\r\n"
        with socket.create_connection((parts.hostname, parts.port or 0)) as plug:
            plug.sendall(line.encode())

        assert "a-code" in landed(landing)
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken_is_named() -> None:
    """Two logins at once on one registered port: the second one says why not."""
    with (
        RedirectListener("http://127.0.0.1:0/callback") as first,
        pytest.raises(RenewalFailed, match="cannot be had") as caught,
    ):
        RedirectListener(first.uri)

    assert "another login" in caught.value.hint


def test_a_registered_port_serves_one_login_after_another() -> None:
    """Nobody waits until the machine has forgotten the last one."""
    with RedirectListener("http://127.0.0.1:0/callback") as first:
        get(first.uri, code="one", state=first.state)
    with RedirectListener(first.uri) as second:
        get(second.uri, code="two", state=second.state)

        assert second.uri == first.uri
        assert "two" in landed(second)
    assert first.state != second.state


@pytest.mark.parametrize(
    ("given", "begin"),
    [
        ("http://localhost:0/a/b", "http://localhost:"),
        ("http://127.0.0.1", "http://127.0.0.1:"),
        ("http://[::1]:0/callback", "http://[::1]:"),
    ],
)
def test_every_name_of_this_machine_serves(given: str, begin: str) -> None:
    """Servers differ in which of them they let clients register."""
    with RedirectListener(given) as landing:
        get(landing.uri, code="a-code", state=landing.state)

        assert landing.uri.startswith(begin)
        assert urlsplit(landing.uri).path == (urlsplit(given).path or "/")
        assert "a-code" in landed(landing)


@pytest.mark.parametrize(
    "uri",
    [
        "https://127.0.0.1/callback",
        "http://shop.example/callback",
        "http://0.0.0.0:80/callback",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1/callback?a=b",
        "app:/callback",
        "",
    ],
)
def test_a_redirect_that_leads_elsewhere_is_refused(uri: str) -> None:
    """Nobody else's address, and none that the whole network could send to."""
    with pytest.raises(ConfigError, match="on this machine"):
        Browser(redirect_uri=uri)


def test_other_settings_that_cannot_work_are_refused() -> None:
    """At once, and not when the user has logged in."""
    show: Any = "print"
    with pytest.raises(ConfigError, match="timeout"):
        Browser(timeout=0)
    with pytest.raises(ConfigError, match="timeout"):
        Browser(timeout=float("nan"))
    with pytest.raises(ConfigError, match="function"):
        Browser(show)


# -- A visit


def visited(
    show: Callable[[str], object],
    clock: Clock | None = None,
    deadline: float | None = None,
    timeout: float = LONG,
) -> requests.Response:
    """Have a browser visit a page."""
    clock = clock or FakeClock()
    visit = BrowserRequest(
        Browser(show, timeout=timeout), "https://id.example/auth?a=b", {"x": "y z"}
    )
    with SessionStack() as stack:
        grant: Any = None
        return visit.perform(
            TokenRequestRunner(grant, stack, clock, entered_after=0, deadline=deadline)
        )


def test_a_visit_shows_the_page_and_returns_where_the_browser_came_back_to() -> None:
    """What the page's address held already stays in it."""
    shown: list[dict[str, list[str]]] = []

    def show(url: str) -> None:
        assert url.startswith("https://id.example/auth?a=b&x=y+z&")
        shown.append(parse_qs(urlsplit(url).query))
        (back,), (state,) = shown[0]["redirect_uri"], shown[0]["state"]
        Later(lambda: get(back, code="a-code", state=state))

    answer = visited(show)

    assert answer.url.partition("?")[0] == shown[0]["redirect_uri"][0]
    assert "code=a-code" in answer.url
    assert refuses_connections(answer.url)


def test_a_user_who_does_not_come_back_is_not_waited_for_for_ever() -> None:
    """The way back is named, and the port is free again."""
    uris: list[str] = []

    def show(url: str) -> None:
        uris.extend(parse_qs(urlsplit(url).query)["redirect_uri"])

    with pytest.raises(LoginRequired, match="no redirect came back") as caught:
        visited(show, timeout=SHORT)

    assert "login(stack)" in caught.value.hint
    assert refuses_connections(uris[0])


def test_the_deadline_of_a_call_ends_the_wait() -> None:
    """By the stack's clock: here it jumps while the page is shown."""
    clock = FakeClock()

    with pytest.raises(LoginRequired, match="no redirect came back"):
        visited(lambda _: clock.advance(LONG), clock, deadline=LONG, timeout=3600)


def test_no_page_is_shown_where_there_is_no_time_to_answer() -> None:
    """A browser that pops up for five seconds helps nobody."""
    shown: list[str] = []
    with pytest.raises(RenewalFailed, match="too little time"):
        visited(shown.append, deadline=9.0)

    assert shown == []


def test_a_show_that_fails_leaves_no_port_open() -> None:
    """What it raises is its caller's to see."""
    uris: list[str] = []

    def show(url: str) -> None:
        uris.extend(parse_qs(urlsplit(url).query)["redirect_uri"])
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        visited(show)

    assert refuses_connections(uris[0])
    assert set(threading.enumerate()) <= before


def test_the_browser_of_the_machine_is_opened_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And where there is none, the two ways out are named."""
    import webbrowser

    opened: list[str] = []

    def nothing_there(url: str) -> bool:
        opened.append(url)
        return False

    monkeypatch.setattr(webbrowser, "open", nothing_there)
    with pytest.raises(RenewalFailed, match="no browser") as caught:
        visited(Browser().open_url)

    assert opened[0].startswith("https://id.example/auth")
    assert "Browser(print)" in caught.value.hint
    assert "DeviceCode" in caught.value.hint
    assert repr(Browser()) == "Browser(open_browser, redirect_uri='http://127.0.0.1:0/callback')"
