"""Logging in by a form, at a site that checks like Django does."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sessionkit import SessionStack, Token
from sessionkit.auth import AuthHandler, LoginForm
from sessionkit.auth.grants._login_form import find_form
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed
from sessionkit.stores import MemoryTokenStore, TokenStore
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.threads import at_once

WORD = "s3cret-word"


class Site:
    """A site with a login form; its CSRF token changes with each login."""

    def __init__(self) -> None:
        self.logins = 0
        self.session = ""
        self.csrf = "csrf-0"
        self.turns_away = False
        self.attributes = "; Path=/; HttpOnly"
        self.action = ""

    def answer(self, seen: ServerRequest) -> ServerResponse:
        """Answer as the site."""
        if seen.path == "/login/":
            return self._page() if seen.method == "GET" else self._login(seen)
        cookies = {n: m.value for n, m in SimpleCookie(seen.headers.get("cookie", "")).items()}
        if not self.session or cookies.get("sessionid") != self.session:
            if self.turns_away:
                return ServerResponse(302, b"", {"Location": f"/login/?next={seen.path}"})
            return ServerResponse(401, {"detail": "log in"})
        unsafe = seen.method not in {"GET", "HEAD"}
        if unsafe and not cookies.get("csrftoken") == self.csrf == seen.headers.get("x-csrftoken"):
            return ServerResponse(403, {"detail": "CSRF"})
        return ServerResponse(200, {"path": seen.path, "size": len(seen.body)})

    def _page(self) -> ServerResponse:
        page = (
            f'<form method="post" action="{self.action}">'
            f'<input type="hidden" name="csrfmiddlewaretoken" value="{self.csrf}">'
            '<input name="username"><input type="password" name="password"></form>'
        )
        headers = {"Content-Type": "text/html", "Set-Cookie": f"csrftoken={self.csrf}; Path=/"}
        return ServerResponse(200, page.encode(), headers)

    def _login(self, seen: ServerRequest) -> ServerResponse:
        sent = SimpleCookie(seen.headers.get("cookie", ""))
        if not sent["csrftoken"].value == self.csrf == seen.form["csrfmiddlewaretoken"]:
            return ServerResponse(403, b"CSRF")
        if seen.form["username"] != "ada" or seen.form["password"] != WORD:
            return self._page()
        self.logins += 1
        self.session, self.csrf = f"session-{self.logins}", f"csrf-{self.logins}"
        cookies = f"sessionid={self.session}{self.attributes}\ncsrftoken={self.csrf}; Path=/"
        return ServerResponse(302, b"", {"Location": "/", "Set-Cookie": cookies})


def form(url: str, **settings: Any) -> LoginForm:
    """Return the grant of a user of the site."""
    return LoginForm(url, {"username": "ada", "password": WORD}, **settings)


@contextmanager
def at_the_site(
    site: Site, store: TokenStore | None = None, **settings: Any
) -> Iterator[tuple[SessionStack, LoopbackServer]]:
    """Start the site, and a stack that logs in to it by its form."""
    with LoopbackServer(site.answer) as server:
        grant = form(f"{server.origin}/login/", **settings)
        auth = AuthHandler(grant, store=store, scheme=grant.scheme, policy=grant.policy)
        with SessionStack(handlers=[auth], base_url=server.origin) as stack:
            yield stack, server


def test_a_call_logs_in_by_the_form_and_carries_the_session() -> None:
    """Hidden inputs and cookies go along, as in a browser."""
    site = Site()
    with at_the_site(site) as (stack, server):
        assert stack.get("/x").json()["path"] == "/x"
        assert stack.post("/order", data=b"body").json()["size"] == 4

        assert site.logins == 1
        sent = next(seen for seen in server.requests_to("/login/") if seen.method == "POST")
    assert sent.headers["referer"].endswith("/login/")
    assert sent.form["username"] == "ada"


def test_a_session_that_ended_is_begun_anew_and_the_call_carries_the_new_csrf_token() -> None:
    """A replay that copied the old header would be refused."""
    site = Site()
    with at_the_site(site) as (stack, server):
        stack.get("/x")
        site.session = ""
        assert stack.post("/order", data=b"body").json()["size"] == 4

        assert site.logins == 2
        tried = [seen.headers["x-csrftoken"] for seen in server.requests_to("/order")]
    assert tried == ["csrf-1", "csrf-2"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_site_that_leads_to_its_login_page_is_understood(method: str) -> None:
    """No 401 ever comes; what the redirect led to is not taken for the answer."""
    site = Site()
    with at_the_site(site) as (stack, server):
        stack.get("/x")
        site.session, site.turns_away = "", True
        response = stack.request(method, "/order", data=b"body")

        assert response.json() == {"path": "/order", "size": 4}
        assert response.history == []
        assert len([seen for seen in server.requests_to("/order") if seen.method == method]) == 2
    assert site.logins == 2


def test_a_redirect_to_the_login_page_counts_where_the_caller_follows_none() -> None:
    """The 302 itself says that the session has ended."""
    site = Site()
    with at_the_site(site) as (stack, _):
        stack.get("/x")
        site.session, site.turns_away = "", True

        assert stack.get("/x", allow_redirects=False).status_code == 200


def test_thirty_two_threads_log_in_once() -> None:
    """A form is a login like any other."""
    site = Site()
    with at_the_site(site) as (stack, _):
        statuses = at_once(32, lambda _: stack.get("/x").status_code)

    assert statuses == [200] * 32
    assert site.logins == 1


def test_a_session_is_stored_and_taken_up_again() -> None:
    """A restarted program does not log in again, and its unsafe calls pass the check."""
    site, store = Site(), MemoryTokenStore()
    with LoopbackServer(site.answer) as server:
        for _ in range(2):
            grant = form(f"{server.origin}/login/")
            auth = AuthHandler(grant, store=store, scheme=grant.scheme, policy=grant.policy)
            with SessionStack(handlers=[auth], base_url=server.origin) as stack:
                assert stack.post("/order", data=b"x").ok

    assert site.logins == 1


def test_safe_methods_carry_no_csrf_header() -> None:
    """It stands where it is needed, and in no log of a GET."""
    with at_the_site(Site()) as (stack, server):
        stack.get("/x")

        assert "x-csrftoken" not in server.requests[-1].headers


@pytest.mark.parametrize(("age", "life"), [("3600", 3600.0), ("x", None)])
def test_the_life_of_a_session_is_that_of_its_cookie(age: str, life: float | None) -> None:
    """It is then renewed ahead of its end."""
    site, store = Site(), MemoryTokenStore()
    site.attributes = f"; Max-Age={age}"
    with at_the_site(site, store) as (stack, server):
        stack.get("/x")
        token = store.load(f"ada@{server.origin}/login/")

    assert token is not None
    assert token.expires_in == life


# -- What may go wrong


def test_a_wrong_password_needs_a_login_and_is_not_shown() -> None:
    """The form that is shown again is not taken for a session."""
    site = Site()
    with LoopbackServer(site.answer) as server:
        grant = LoginForm(f"{server.origin}/login/", {"username": "ada", "password": "s3cret-no"})
        auth = AuthHandler(grant, scheme=grant.scheme)
        with (
            SessionStack(handlers=[auth], base_url=server.origin) as stack,
            pytest.raises(LoginRequired, match="not accepted") as caught,
        ):
            stack.get("/x")

    assert "name and password" in caught.value.hint
    assert (
        "s3cret" not in f"{caught.value} {caught.value!r} {grant!r} {pickle.dumps(caught.value)!r}"
    )


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (ServerResponse(503, b"down"), "responded with 503"),
        (ServerResponse(301, b"", {"Location": "/signin"}), "responded with 301"),
        (
            ServerResponse(200, b"<p>hello</p>", {"Content-Type": "text/html"}),
            "no form that asks for",
        ),
        (
            ServerResponse(200, b"\xff\xfe<form", {"Content-Type": "text/html"}),
            "no form that asks for",
        ),
    ],
)
def test_a_page_that_is_not_as_expected_is_a_failure_of_this_time(
    page: ServerResponse, text: str
) -> None:
    """Nothing is sent to it, least of all a password."""
    with (
        LoopbackServer(lambda _: page) as server,
        SessionStack(handlers=[], base_url=server.origin) as stack,
    ):
        grant = form(f"{server.origin}/login/")
        stack.handlers.add(AuthHandler(grant, scheme=grant.scheme))
        with pytest.raises(RenewalFailed, match=text) as caught:
            stack.get("/x")

        assert [seen.method for seen in server.requests] == ["GET"]
    assert caught.value.hint


@pytest.mark.parametrize("charset", ["punycode", "PunyCode", "nobody-has-it", "a\x0bb"])
def test_a_charset_that_no_browser_knows_is_not_believed(charset: str) -> None:
    """One that Python knows would take a minute over a page of a megabyte."""
    site = Site()

    def answer(seen: ServerRequest) -> ServerResponse:
        reply = site.answer(seen)
        told = {**reply.headers, "Content-Type": f"text/html; charset={charset}"}
        return replace(reply, headers=told)

    with (
        LoopbackServer(answer) as server,
        SessionStack(handlers=[], base_url=server.origin) as stack,
    ):
        grant = form(f"{server.origin}/login/")
        stack.handlers.add(AuthHandler(grant, scheme=grant.scheme))

        assert stack.get("/x").status_code == 200


@pytest.mark.parametrize("action", ["https://evil.example/", "//evil.example/x", "http://[::1"])
def test_a_form_that_leads_to_another_origin_gets_no_password(action: str) -> None:
    """A page that was tampered with cannot have it sent elsewhere."""
    site = Site()
    site.action = action
    with (
        at_the_site(site) as (stack, server),
        pytest.raises(RenewalFailed, match="sent elsewhere"),
    ):
        stack.get("/x")

    assert all(seen.method == "GET" for seen in server.requests)


@pytest.mark.parametrize(("status", "body"), [(200, Site()._page().body), (403, b"wrong")])
def test_a_new_cookie_beside_a_refusal_is_no_login(status: int, body: bytes) -> None:
    """Some sites set another anonymous session on each answer; calls would run into 401s."""

    def answer(seen: ServerRequest) -> ServerResponse:
        cookie = {"Set-Cookie": f"sessionid=anonymous-{seen.method}; Path=/"}
        if seen.method == "POST":
            return ServerResponse(status, body, cookie)
        return ServerResponse(200, Site()._page().body, cookie)

    with (
        LoopbackServer(answer) as server,
        SessionStack(handlers=[], base_url=server.origin) as stack,
    ):
        grant = form(f"{server.origin}/login/")
        stack.handlers.add(AuthHandler(grant, scheme=grant.scheme))
        with pytest.raises(LoginRequired, match="not accepted"):
            stack.get("/x")


def test_an_answer_without_a_session_that_is_no_refusal_may_pass() -> None:
    """A site that stumbles over a login is asked again by the next call."""

    def answer(seen: ServerRequest) -> ServerResponse:
        return ServerResponse(500) if seen.method == "POST" else Site()._page()

    with (
        LoopbackServer(answer) as server,
        SessionStack(handlers=[], base_url=server.origin) as stack,
    ):
        grant = form(f"{server.origin}/login/")
        stack.handlers.add(AuthHandler(grant, scheme=grant.scheme))
        with pytest.raises(RenewalFailed, match="got a 500"):
            stack.get("/x")


@pytest.mark.parametrize("value", ["", '"a b;c"', "deleted; Max-Age=0"])
def test_a_cookie_that_is_no_session_is_none(value: str) -> None:
    """Nothing that could become a second cookie is sent on."""

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.method == "POST":
            return ServerResponse(302, b"", {"Location": "/", "Set-Cookie": f"sessionid={value}"})
        return Site()._page()

    with (
        LoopbackServer(answer) as server,
        SessionStack(handlers=[], base_url=server.origin) as stack,
    ):
        grant = form(f"{server.origin}/login/")
        stack.handlers.add(AuthHandler(grant, scheme=grant.scheme))
        with pytest.raises((RenewalFailed, ConfigError)):
            stack.get("/x")

        assert "/x" not in [seen.path for seen in server.requests]


@pytest.mark.parametrize(
    ("url", "fields"),
    [("/login", {"u": "x"}), ("http://a.example", {}), ("http://a.example", {"u": ""})],
)
def test_a_form_that_cannot_be_meant_is_refused_at_once(url: str, fields: dict[str, str]) -> None:
    """An environment variable that is not set is found when the grant is built."""
    with pytest.raises(ConfigError):
        LoginForm(url, fields)


def test_a_form_shows_no_secret_and_goes_into_no_pickle() -> None:
    """It can be printed, logged and explained."""
    grant = form("http://a.example/login/")

    assert repr(grant) == "LoginForm('http://a.example/login/', ['password', 'username'])"
    assert WORD not in grant.store_key
    with pytest.raises(ConfigError, match="not pickled"):
        pickle.dumps(grant)


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"password": WORD, "username": "ada"}, "ada"),
        ({"pass": WORD, "name": "ada"}, "ada"),
        ({"password": WORD}, ""),
    ],
)
def test_no_password_becomes_the_name_of_the_stored_session(
    fields: dict[str, str], who: str
) -> None:
    """Stores, events and errors show that name, whatever order the fields are given in."""
    grant = LoginForm("https://gate:s3cret-gate@a.example/login/", fields)

    assert grant.store_key == f"{who}@https://***@a.example/login/"


def test_the_page_is_named_to_the_site_without_the_user_in_its_url() -> None:
    """The referrer goes along with each unsafe call, and is stored."""
    site, store = Site(), MemoryTokenStore()
    with LoopbackServer(site.answer) as server:
        grant = form(f"{server.origin.replace('//', '//gate:s3cret-gate@')}/login/?next=/#top")
        auth = AuthHandler(grant, store=store, scheme=grant.scheme, store_key="ada")
        with SessionStack(handlers=[auth], base_url=server.origin) as stack:
            stack.post("/order", data=b"body")

        token = store.load("ada")
        assert token is not None
        assert token.extra["referer"] == f"{server.origin}/login/?next=/"
        assert {
            seen.headers.get("referer") for seen in server.requests if seen.method == "POST"
        } == {f"{server.origin}/login/?next=/"}


def test_a_session_without_its_page_sends_no_empty_referrer() -> None:
    """A token that was handed over with a CSRF token alone passes a check of headers."""
    token = Token("abc", extra={"csrf": "c-1"})
    scheme = form("http://a.example/login/").scheme
    secrets = scheme.credentials(token, "POST", origins=frozenset(["http://a.example:80"]))

    assert [(s.name, s.value) for s in secrets if s.location == "header"] == [
        ("X-CSRFToken", "c-1")
    ]


def test_a_token_of_another_kind_sends_no_csrf_header() -> None:
    """A session that was handed over without one is sent as it is."""
    scheme = form("http://a.example/login/").scheme
    secrets = scheme.credentials(Token("abc"), "POST", origins=frozenset(["http://a.example:80"]))

    assert [(secret.location, secret.name) for secret in secrets] == [("cookie", "sessionid")]
    assert repr(scheme) == "SessionCookie('sessionid')"


@pytest.mark.parametrize("attributes", ["; Path=/api", "; Domain=127.0.0.1; Path=/"])
def test_an_older_session_in_the_jar_is_not_sent_beside_the_new_one(attributes: str) -> None:
    """A site that reads the first of two cookies would refuse the login of a moment ago."""
    site = Site()
    site.attributes = attributes
    with at_the_site(site) as (stack, server):
        stack.get("/api/x")
        site.session = ""
        assert stack.get("/api/x").ok

        assert site.logins == 2
        sent = [seen.headers["cookie"] for seen in server.requests_to("/api/x")]
    assert [cookies.count("sessionid=") for cookies in sent] == [1] * len(sent)


# -- The form on the page


PAGE = """
<form action="/search"><input name="q"></form>
<FORM method=post action='/session?a=1&amp;b=2'>
  <input type="hidden" name="authenticity_token" value="abc&quot;def">
  <input name="username"><input type="password" name="password" value="">
  <select name="region"></select>
  <input type="submit" name="commit" value="Sign in"><input type="hidden">
</FORM>
<input name="loose">
"""


def test_the_form_that_asks_for_the_names_is_found() -> None:
    """A search box on the same page is not what one logs in by."""
    form = find_form(PAGE, {"username", "password"})

    assert form is not None
    assert form.action == "/session?a=1&b=2"
    assert form.fields == {"authenticity_token": 'abc"def'}
    assert form.asks == {"username", "password", "region"}


def test_a_form_without_an_action_is_sent_to_its_own_page() -> None:
    """As a browser does it."""
    form = find_form("<form action=''><input name=user></form>", {"user"})

    assert form is not None
    assert form.action is None


def test_a_page_without_such_a_form_holds_none() -> None:
    """Inputs outside of a form, and hidden ones, are none that a user fills in."""
    assert find_form(PAGE, {"loose"}) is None
    assert find_form(PAGE, {"authenticity_token"}) is None
    assert find_form("", {"user"}) is None


def test_a_form_far_behind_on_an_endless_page_is_not_looked_for() -> None:
    """A hostile page costs a bounded amount of work."""
    assert find_form(" " * 300_000 + PAGE, {"username"}) is None


@given(st.text())
def test_no_page_makes_the_reader_stumble(page: str) -> None:
    """Whatever a server calls HTML."""
    find_form(f"<form><input name=user {page}", {"user"})
