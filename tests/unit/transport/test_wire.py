"""The wire: it calls what the caller called, with what the caller gave, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from requests.adapters import HTTPAdapter
from requests.cookies import cookiejar_from_dict
from requests.structures import CaseInsensitiveDict
from requests_oauthlib import OAuth2Session

from sessionkit import CallNext, Exchange, SessionStack
from sessionkit.auth import AuthHandler, Bearer, Header, Query, StaticToken
from sessionkit.chain._exchange import Credential
from sessionkit.errors import ConfigError, NotFound, StatusError
from sessionkit.handlers import ErrorHandler
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.stacks import Again, Keeper, Recorder, opened, passing
from tests.unit.handlers.scripted import Script, stack_over

Handled = Iterator[tuple[SessionStack, LoopbackServer, Recorder]]


@contextmanager
def recorded(handler: Any = passing, respond: Any = lambda _: ServerResponse()) -> Handled:
    """Open a stack of one handler over a recording session."""
    recorder = Recorder()
    with opened(respond, [handler], session=recorder) as (stack, server):
        yield stack, server, recorder


def carrying(scheme: Any = None, **settings: Any) -> AuthHandler:
    """Return a handler that places a secret."""
    return AuthHandler(StaticToken("s3cret"), scheme=scheme or Bearer(), **settings)


# -- Only what the caller gave


def test_nothing_is_filled_in_that_the_caller_did_not_give() -> None:
    """A session with a ``request`` of its own sets its own defaults."""
    with recorded() as (stack, server, recorder):
        stack.request("GET", "x")

        assert recorder.requested == [{"method": "GET", "url": f"{server.origin}/x"}]


def test_every_argument_of_the_call_reaches_the_session() -> None:
    """What requests takes is passed on as it is."""
    given: dict[str, Any] = {
        "params": {"q": "1"},
        "headers": {"X-One": "1"},
        "json": {"a": 1},
        "timeout": (1, 2),
        "allow_redirects": False,
        "hooks": {},
        "cookies": {"a": "b"},
    }
    with recorded() as (stack, server, recorder):
        stack.request("POST", "x", **given)

        assert recorder.requested == [{"method": "POST", "url": f"{server.origin}/x", **given}]


def test_an_argument_that_requests_does_not_know_goes_through() -> None:
    """A caching session still gets its ``expire_after``."""
    found: list[object] = []

    class Caching(requests.Session):
        def request(self, *args: Any, expire_after: int = 0, **kwargs: Any) -> requests.Response:
            found.append(expire_after)
            return super().request(*args, **kwargs)

    with opened(handlers=[passing], session=Caching()) as (stack, _):
        stack.get("x", expire_after=360)

    assert found == [360]


def test_a_sessions_own_default_time_out_holds() -> None:
    """A subclass that sets a time-out where none was given is not overruled."""
    timeouts: list[object] = []

    class Adapter(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            timeouts.append(kwargs["timeout"])
            return super().send(*args, **kwargs)

    class Patient(requests.Session):
        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            kwargs.setdefault("timeout", 3.5)
            return super().request(*args, **kwargs)

    session = Patient()
    session.mount("http://", Adapter())
    with opened(handlers=[passing, carrying()], session=session) as (stack, _):
        stack.get("x")
        stack.get("x", timeout=9)

    assert timeouts == [3.5, 9]


def test_a_secret_adds_only_what_carries_it() -> None:
    """Beside the token's own argument, the session sees redirects kept and the body left."""
    with recorded(carrying()) as (stack, _, recorder):
        stack.request("GET", "x", timeout=3)

        (arguments,) = recorder.requested
        assert set(arguments) == {"method", "url", "timeout", "auth", "allow_redirects", "stream"}
        assert "s3cret" not in repr({k: v for k, v in arguments.items() if k != "auth"})


def test_a_key_beside_the_sessions_own_login_leaves_that_alone() -> None:
    """A gateway's key rides in its header; ``session.auth`` still logs in."""
    with recorded(carrying(Header("X-Key"))) as (stack, server, recorder):
        recorder.auth = ("user", "word")
        stack.get("x")

        assert "auth" not in recorder.requested[0]
        assert server.requests[0].headers["authorization"].startswith("Basic ")
        assert server.requests[0].headers["x-key"] == "s3cret"


def test_a_verb_that_the_session_overrides_is_what_is_called() -> None:
    """A session whose own ``get`` adds something still adds it."""

    class Tagging(Recorder):
        def get(self, url: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # as users write it
            return super().get(url, headers={"X-Tag": "own get"}, **kwargs)

    with opened(handlers=[passing], session=Tagging()) as (stack, server):
        stack.get("x")
        stack.request("GET", "x")

        assert [seen.headers.get("x-tag") for seen in server.requests] == ["own get", None]


@pytest.mark.parametrize("handler", [passing, carrying()], ids=["plain", "secret"])
def test_an_overridden_head_does_not_begin_to_follow_redirects(handler: Any) -> None:
    """HEAD stops at a redirect with a plain session, and so it does here."""

    class Own(requests.Session):
        def head(self, url: Any, **kwargs: Any) -> requests.Response:
            return super().head(url, **kwargs)

    away = ServerResponse(302, b"", {"Location": "/elsewhere"})
    with opened(
        lambda seen: away if seen.path == "/x" else ServerResponse(), [handler], session=Own()
    ) as (
        stack,
        server,
    ):
        assert stack.head("x").status_code == 302
        assert len(server.requests) == 1


# -- Time


def test_a_time_out_is_shorter_at_each_attempt() -> None:
    """The deadline is one for all attempts."""
    clock = FakeClock()
    script = Script(503, 200)

    def twice(exchange: Exchange, call_next: CallNext) -> requests.Response:
        limited = exchange.with_deadline(10.0)
        call_next(limited)
        clock.advance(4)
        return call_next(limited)

    stack, _ = stack_over(script, twice, clock=clock)
    stack.get("x", timeout=30)

    assert script.timeouts == [10.0, 6.0]


# -- A session that raises for a status


def raising() -> requests.Session:
    """Return a session that raises for a status, in the way that users build one."""
    session = requests.Session()

    def check(response: requests.Response, *args: Any, **kwargs: Any) -> None:
        response.raise_for_status()

    session.hooks["response"].append(check)
    return session


def test_the_handlers_see_the_answer_that_a_session_raised_for() -> None:
    """A refusal can be cured, whether the session raises for it or not."""
    replies = iter([ServerResponse(401, {"first": 1}), ServerResponse(200)])
    statuses: list[int] = []

    def curing(exchange: Exchange, call_next: CallNext) -> requests.Response:
        statuses.append(call_next(exchange).status_code)
        return call_next(exchange)

    with opened(lambda _: next(replies), [curing], session=raising()) as (stack, _):
        response = stack.get("x")

    assert (statuses, response.status_code) == ([401], 200)
    assert [attempt.status for attempt in response.record.attempts] == [401, 200]


def test_the_sessions_own_error_is_raised_if_that_answer_is_final() -> None:
    """Code that catches what its session raises goes on to catch it."""
    with opened(lambda _: ServerResponse(404, {"detail": "no"}), [passing], session=raising()) as (
        stack,
        _,
    ):
        with pytest.raises(requests.HTTPError, match="404 Client Error") as caught:
            stack.get("x")

        assert type(caught.value) is requests.HTTPError
        assert caught.value.response is not None
        assert caught.value.response.json() == {"detail": "no"}


def test_the_sessions_own_error_is_the_cause_of_ours() -> None:
    """The error handler maps the answer, and loses nothing."""
    with opened(lambda _: ServerResponse(404), [ErrorHandler()], session=raising()) as (stack, _):
        with pytest.raises(NotFound) as caught:
            stack.get("x")

        assert type(caught.value.__cause__) is requests.HTTPError


def test_an_answer_that_a_handler_puts_in_place_is_not_raised_for() -> None:
    """A handler that answers 404 by something else has decided."""

    def instead(exchange: Exchange, call_next: CallNext) -> requests.Response:
        call_next(exchange)
        response = requests.Response()
        response.status_code = 200
        response._content = b""
        return response

    with opened(lambda _: ServerResponse(404), [instead], session=raising()) as (stack, _):
        assert stack.get("x").status_code == 200


def test_an_error_of_a_stack_below_stays_an_error() -> None:
    """A stack over a stack raises once, with the error of the inner one."""
    with opened(lambda _: ServerResponse(404), [ErrorHandler()]) as (inner, _):
        outer = SessionStack(inner, [passing])
        with pytest.raises(StatusError):
            outer.get(f"{inner.base_url}x")


def test_a_method_that_is_called_like_a_function_of_ours_is_a_method() -> None:
    """``REQUEST`` is as good a token as any other (RFC 9110, section 9.1)."""
    for handler in (passing, carrying()):
        with opened(handlers=[handler]) as (stack, server):
            assert stack.request("REQUEST", "x").ok
            assert server.requests[0].method == "REQUEST"


# -- Hops


@pytest.mark.parametrize("way", ["request", "send"])
def test_a_hop_goes_by_the_proxies_that_the_session_names_for_it(way: str) -> None:
    """The session is asked with those of the hop before, as its own redirects ask it."""
    asked: list[Any] = []
    used: list[Any] = []

    class Choosing(requests.Session):
        def rebuild_proxies(self, prepared_request: Any, proxies: Any) -> Any:
            asked.append((prepared_request.url[-2:], dict(proxies)))
            return {"no_proxy": prepared_request.url[-1]}

    class Noting(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            used.append(kwargs["proxies"])
            return super().send(*args, **kwargs)

    def respond(seen: ServerRequest) -> ServerResponse:
        number = int(seen.path[1:])
        return (
            ServerResponse(302, b"", {"Location": f"/{number + 1}"})
            if number < 2
            else ServerResponse()
        )

    with opened(respond, [carrying()], session=Choosing()) as (stack, server):
        stack.mount("http://", Noting())
        stack.proxies = {"ftp": "http://127.0.0.1:9"}
        if way == "request":
            stack.get("0")
        else:
            stack.send(stack.prepare_request(requests.Request("GET", f"{server.origin}/0")))

    assert used == [{"ftp": "http://127.0.0.1:9"}, {"no_proxy": "1"}, {"no_proxy": "2"}]
    # Each hop twice: for the headers of the request, and for the request itself.
    assert asked[1] == ("/1", {"ftp": "http://127.0.0.1:9"})
    assert asked[3] == ("/2", {"no_proxy": "1"})


@pytest.mark.parametrize("handler", [passing, carrying()], ids=["none", "secret"])
@pytest.mark.parametrize("status", [303, 307])
def test_a_spent_body_is_not_sent_on_as_an_empty_one(handler: Any, status: int) -> None:
    """Where a redirect asks for it again; a 303 does not, and is followed."""

    def respond(seen: ServerRequest) -> ServerResponse:
        return (
            ServerResponse(status, b"", {"Location": "/1"})
            if seen.path == "/0"
            else ServerResponse()
        )

    with opened(respond, [handler]) as (stack, server):
        if status == 303:
            assert stack.post("0", data=iter([b"once"])).ok
            return
        with pytest.raises(requests.exceptions.UnrewindableBodyError, match="307") as caught:
            stack.post("0", data=iter([b"once"]))

        assert caught.value.response is not None
        assert [seen.body for seen in server.requests] == [b"once"]


# -- Prepared requests


def test_a_prepared_request_is_the_very_object_while_no_handler_changes_it() -> None:
    """Whoever signs or compares a request finds the one that was built."""
    with recorded(Again()) as (stack, server, recorder):
        prepared = requests.Request("GET", server.origin).prepare()
        response = stack.send(prepared, timeout=3)

        assert recorder.requested == []
        assert recorder.sent[0] is prepared
        assert response.request.url == prepared.url


@pytest.mark.parametrize("scheme", [Bearer(), Header("X-Key"), Query("key")])
def test_a_secret_goes_on_a_copy_of_a_prepared_request(scheme: Any) -> None:
    """The object that the caller keeps, logs or sends elsewhere holds no token."""
    with recorded(carrying(scheme)) as (stack, server, recorder):
        prepared = requests.Request("GET", server.origin + "/x").prepare()
        before = (prepared.url, dict(prepared.headers))
        stack.send(prepared)

        assert "s3cret" in repr(server.requests)
        assert (prepared.url, dict(prepared.headers)) == before
        assert recorder.sent[0] is not prepared


def test_arguments_of_send_reach_the_session() -> None:
    """``stack.send(prepared, timeout=...)`` is one ``session.send`` with the same."""
    given: list[dict[str, Any]] = []

    class Noting(requests.Session):
        def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            given.append(kwargs)
            return super().send(request, **kwargs)

    with opened(handlers=[passing], session=Noting()) as (stack, server):
        prepared = requests.Request("GET", server.origin).prepare()
        stack.send(prepared)
        stack.send(prepared, timeout=3, verify=False)

    assert given == [{}, {"timeout": 3, "verify": False}]


def visits(seen: ServerRequest) -> ServerResponse:
    """Set another cookie at each request."""
    number = len(seen.headers.get("cookie", "").split("visit="))
    return ServerResponse(401, {}, {"Set-Cookie": f"visit={number}; Path=/"})


@pytest.mark.parametrize("jar", [None, {"mine": "1"}, CookieJar()], ids=["none", "dict", "jar"])
def test_a_replayed_prepared_request_carries_the_cookies_that_the_refusal_set(jar: Any) -> None:
    """A server that asks for its cookie at the second try gets it."""
    with opened(visits, [Again()]) as (stack, server):
        prepared = requests.Request("GET", server.origin, cookies=jar).prepare()
        stack.send(prepared)

        cookies = [seen.headers.get("cookie", "") for seen in server.requests]
    assert "visit" not in cookies[0]
    assert "visit=1" in cookies[1]
    assert ("mine=1" in cookies[1]) == (jar == {"mine": "1"})
    assert "visit" not in prepared.headers.get("Cookie", "")


def test_a_request_that_was_put_together_by_hand_is_replayed_as_it_is() -> None:
    """Without a jar of its own there is nothing to renew."""
    with opened(visits, [Again()]) as (stack, server):
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url = "GET", server.origin
        prepared.headers = CaseInsensitiveDict({"X-One": "1"})
        prepared.hooks = {"response": []}
        stack.send(prepared)

        assert ["cookie" in seen.headers for seen in server.requests] == [False, False]


def test_a_cookie_header_written_by_hand_is_not_replaced() -> None:
    """What the caller wrote is what is sent, both times."""
    with opened(visits, [Again()]) as (stack, server):
        headers = {"Cookie": "by=hand"}
        stack.send(requests.Request("GET", server.origin, headers=headers).prepare())

        assert [seen.headers["cookie"] for seen in server.requests] == ["by=hand", "by=hand"]


# -- Where a request goes, and what it brings


def test_the_target_is_what_the_session_makes_of_the_url() -> None:
    """A session with a base of its own decides where a relative URL leads."""

    class Based(requests.Session):
        def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
            request.url = "http://other.example/" + str(request.url)
            return super().prepare_request(request)

    keeper = Keeper()
    with opened(handlers=[keeper]) as (stack, server):
        stack.get("x")
        assert keeper.only.resolved_url() == f"{server.origin}/x"
        assert keeper.only.target_origin() == server.origin
    with Based() as session:
        stack = SessionStack(session, [keeper])
        with pytest.raises(requests.ConnectionError):
            stack.get("y", proxies={"http": "http://127.0.0.1:9"})

    assert keeper.exchanges[-1].resolved_url() == "http://other.example/y"
    assert keeper.exchanges[-1].target_origin() == "http://other.example:80"


@pytest.mark.parametrize(
    ("options", "location", "name"),
    [
        ({"auth": ("user", "word")}, "header", "Authorization"),
        ({"headers": {"authorization": "Mine"}}, "header", "Authorization"),
        ({"headers": {"X-KEY": "mine"}}, "header", "X-Key"),
        ({"params": {"key": "mine"}}, "query", "key"),
        ({"params": [("key", "mine")]}, "query", "key"),
        ({"params": "a=1&key=mine"}, "query", "key"),
        ({"params": b"key="}, "query", "key"),
        ({"cookies": {"sid": "mine"}}, "cookie", "sid"),
        ({"cookies": cookiejar_from_dict({"sid": "mine"})}, "cookie", "sid"),
    ],
)
def test_a_credential_of_the_call_itself_is_noticed(
    options: dict[str, Any], location: str, name: str
) -> None:
    """What the caller gave on this call wins over a handler's."""
    keeper = Keeper()
    with opened(handlers=[keeper]) as (stack, _):
        stack.get("x", **options)
        stack.get("x")

    given, bare = keeper.exchanges
    assert given.has_credential(location, name)
    assert not bare.has_credential(location, name)


def test_a_key_in_the_url_itself_is_noticed() -> None:
    """A link that brings its own key keeps it, and gets no second one."""
    with recorded(carrying(Query("key"))) as (stack, server, _):
        stack.get("x?key=mine")
        stack.send(requests.Request("GET", server.origin + "/y?key=mine").prepare())

        assert [seen.query["key"] for seen in server.requests] == [["mine"], ["mine"]]


def test_a_credential_that_the_session_always_adds_was_not_given_on_this_call() -> None:
    """A prepared request carries ``session.headers``; only what differs was meant for it."""
    keeper = Keeper()
    with opened(handlers=[keeper]) as (stack, server):
        stack.headers["Authorization"] = "the session's"
        stack.send(stack.prepare_request(requests.Request("GET", server.origin)))
        headers = {"Authorization": "mine"}
        stack.send(stack.prepare_request(requests.Request("GET", server.origin, headers=headers)))

        brought = [
            exchange.has_credential("header", "Authorization") for exchange in keeper.exchanges
        ]
    assert brought == [False, True]


def test_two_tokens_for_one_header_are_an_error_that_names_the_clash() -> None:
    """A session that sends a bearer token of its own is not silently overruled."""
    token = {"access_token": "theirs", "token_type": "Bearer"}
    with opened(handlers=[carrying()], session=OAuth2Session(token=token)) as (stack, server):
        with pytest.raises(ConfigError, match="OAuth2Session") as caught:
            stack.get("x")

        assert "scheme=Header" in caught.value.hint
        assert server.requests == []


def test_a_second_credential_beside_a_sessions_own_token_works() -> None:
    """An API that wants both a bearer token and a key gets both."""
    token = {"access_token": "theirs", "token_type": "Bearer"}
    session = OAuth2Session(token=token)
    with (
        pytest.MonkeyPatch.context() as patch,
        opened(handlers=[carrying(Header("X-Key"))], session=session) as (stack, server),
    ):
        patch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
        stack.get("x")

        assert server.requests[0].bearer == "theirs"
        assert server.requests[0].headers["x-key"] == "s3cret"


def test_a_secret_displaces_netrc_and_the_sessions_own_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API gets the token, not a password that happens to lie about."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for login in (None, ("user", "word")):
        session = requests.Session()
        session.auth = login
        with opened(handlers=[carrying()], session=session) as (stack, server):
            stack.get("x")

            assert server.requests[0].headers["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("login", ["netrc", "session", "call"])
def test_a_late_step_keeps_the_login_that_there_would_have_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    """Signing a request does not switch off whatever logs it in."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password word\n")
    session = requests.Session()
    if login == "netrc":
        monkeypatch.setenv("NETRC", str(netrc))
    if login == "session":
        session.auth = ("user", "word")
    signed: list[Any] = []

    def sign(request: requests.PreparedRequest) -> None:
        signed.append(request.headers["Authorization"])

    signing = Keeper(lambda exchange: exchange.on_prepared(sign))
    given = {"auth": ("user", "word")} if login == "call" else {}
    with opened(handlers=[signing], session=session) as (stack, server):
        stack.get("x", **given)

        assert signed == [server.requests[0].headers["authorization"]]
    assert signed[0].startswith("Basic ")


@pytest.mark.parametrize("withheld", [False, True])
def test_a_late_step_keeps_the_token_that_a_session_of_authlib_gives(withheld: bool) -> None:
    """That one rides in ``auth=`` too; a call that goes without it goes without it."""
    session: Any = AuthlibSession(token={"access_token": "own", "token_type": "bearer"})
    signing = Keeper(lambda exchange: exchange.on_prepared(lambda request: None))
    with opened(handlers=[signing], session=session) as (stack, server):
        stack.get("x", withhold_token=withheld)

        assert server.requests[0].bearer == ("" if withheld else "own")


def test_a_late_step_signs_each_attempt_anew() -> None:
    """A replay carries a signature of its own, in both ways to send."""
    counts = iter(range(10))

    def sign(request: requests.PreparedRequest) -> None:
        request.headers["X-Signature"] = f"{next(counts)} {request.path_url}"

    handlers = {"again": Again(), "sign": Keeper(lambda exchange: exchange.on_prepared(sign))}
    with opened(handlers=handlers) as (stack, server):
        stack.get("x", params={"q": 1})
        stack.send(requests.Request("GET", f"{server.origin}/y").prepare())

        assert [seen.headers["x-signature"] for seen in server.requests] == [
            *("0 /x?q=1", "1 /x?q=1", "2 /y", "3 /y"),
        ]


def test_a_secret_is_used_for_the_attempt_that_carries_it_only() -> None:
    """Nothing of it stays on the session for the next call."""
    placing = Keeper(
        lambda exchange: exchange.with_credential(
            Credential(
                "header", "Authorization", "Bearer t", frozenset((exchange.base_origin or "",))
            )
        )
    )
    with opened(handlers=[placing]) as (stack, server):
        before = dict(vars(stack._inner))
        stack.get("x")
        stack.handlers.remove("keeper")
        stack.get("x")

        assert [seen.bearer for seen in server.requests] == ["t", ""]
        assert vars(stack._inner) == before
