"""Redirects as requests follows them: the same methods, bodies, headers, cookies and errors."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
import requests
from requests.auth import HTTPDigestAuth

from sessionkit import SessionStack, recommended
from sessionkit.auth import RefreshToken, StaticToken
from sessionkit.errors import RedirectFailed, ReplayImpossible
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.compared_sessions import HANDLED, TOKEN, TOKENLESS, WAYS, told_the_same
from tests.support.servers.proxy import Proxy
from tests.support.stacks import passing
from tests.support.tls import authority_file, server_context

CODES = (300, 301, 302, 303, 304, 305, 307, 308)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "REQUEST")
KEEPING = (307, 308)
VERBS = ("get", "post", "put", "patch", "delete", "options")


def moved(seen: ServerRequest) -> ServerResponse:
    """Redirect from ``/302/whatever`` with that code to ``/end``, and answer there."""
    if seen.path == "/end":
        return ServerResponse(200, {"by": seen.method})
    headers = {"Location": "/end?from=elsewhere", "Set-Cookie": "hop=1"}
    return ServerResponse(int(seen.path.split("/")[1]), b"moved", headers)


@pytest.fixture(scope="module")
def mover() -> Iterator[LoopbackServer]:
    """Start the server that redirects with any code."""
    with LoopbackServer(moved) as server:
        yield server


# -- Methods and bodies


class Pipe:
    """A body that is read once, and tells neither its length nor where it stands."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._content.read(size)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._content)


def sent(session: Any, method: str, url: str, **options: Any) -> requests.Response:
    """Send a prepared request, as half of all SDKs do."""
    prepared = session.prepare_request(requests.Request(method, url, **options))
    answer: requests.Response = session.send(prepared)
    return answer


def final_method(code: int, method: str) -> str:
    """Return the method behind a redirect, as requests chooses it."""
    to_get = code in {302, 303} and method != "HEAD"
    return "GET" if to_get or (code == 301 and method == "POST") else method


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("code", CODES)
def test_every_code_with_every_method_is_followed_as_requests_does(
    mover: LoopbackServer, code: int, method: str
) -> None:
    """With and without a body, by a verb, by ``request`` and by ``send``."""
    url = f"{mover.origin}/{code}/x"
    followed = code not in {300, 304, 305}
    expected = [method, final_method(code, method)] if followed else [method]
    body = b"content" if followed and code in KEEPING else b""

    bare = told_the_same(lambda s: s.request(method, url, params={"q": "1"}), mover)
    assert bare.methods == expected
    file = told_the_same(lambda s: sent(s, method, url, data=io.BytesIO(b"content")), mover)
    assert file.bodies == ([b"content", body] if followed else [b"content"])
    if method.lower() in VERBS:
        told_the_same(lambda s: getattr(s, method.lower())(url, data=b"content"), mover)


@pytest.mark.parametrize("code", [302, 307])
@pytest.mark.parametrize(
    "options",
    [
        {"data": {"a": ["1", "2"]}},
        {"json": {"a": None}},
        {"files": {"f": ("name", b"content")}, "data": {"a": "b"}},
        {"data": "text", "headers": {"Content-Type": "text/plain"}},
    ],
    ids=["form", "json", "multipart", "text"],
)
def test_bodies_of_every_form_go_over_a_redirect_as_they_do_bare(
    mover: LoopbackServer, code: int, options: dict[str, Any]
) -> None:
    """Their headers go with them, or come off with them."""
    bare = told_the_same(lambda s: s.post(f"{mover.origin}/{code}/x", **options), mover)

    assert bool(bare.bodies[1]) is (code == 307)


@pytest.mark.parametrize("code", [301, 302, 303])
def test_a_body_that_is_read_once_is_left_behind_where_the_method_changes(
    mover: LoopbackServer, code: int
) -> None:
    """The upload is done; what is fetched behind it has no body."""
    url = f"{mover.origin}/{code}/x"
    bare = told_the_same(lambda s: s.post(url, data=iter([b"one", b"two"])), mover)

    assert bare.bodies == [b"onetwo", b""]


@pytest.mark.parametrize("code", KEEPING)
@pytest.mark.parametrize("body", [lambda: iter([b"one", b"two"]), lambda: Pipe(b"onetwo")])
@pytest.mark.parametrize("way", ["request", "send"])
def test_no_upload_arrives_empty_behind_a_redirect(
    mover: LoopbackServer, code: int, body: Any, way: str
) -> None:
    """requests sends a spent body as an empty one; a chain says that it cannot be sent again."""
    url = f"{mover.origin}/{code}/x"

    def call(session: Any) -> requests.Response:
        if way == "send":
            return sent(session, "POST", url, data=body())
        answer: requests.Response = session.post(url, data=body())
        return answer

    bare = told_the_same(call, mover, ways={"transparent": WAYS["transparent"]})
    assert bare.bodies == [b"onetwo", b""]
    ways: list[Any] = [*HANDLED.values(), lambda session, _: SessionStack(session, [passing])]
    for wrap in ways:
        mover.requests.clear()
        unrewindable = pytest.raises(requests.exceptions.UnrewindableBodyError)
        with requests.Session() as session, unrewindable as caught:
            call(wrap(session, [mover.origin]))
        assert caught.value.response is not None
        assert caught.value.response.status_code == code
        assert [seen.body for seen in mover.requests] == [b"onetwo"]


def test_an_upload_that_cannot_follow_a_redirect_is_an_error_of_ours(mover: LoopbackServer) -> None:
    """Where errors are raised it says that the first server has the body."""
    with requests.Session() as session:
        stack = SessionStack(session, recommended(StaticToken(TOKEN)), base_url=mover.origin)
        with pytest.raises(ReplayImpossible) as caught:
            stack.put("/307/x", data=iter([b"once"]))

    assert (caught.value.sent, caught.value.retryable, caught.value.status) == ("yes", False, 307)


def test_a_form_with_a_pipe_in_it_follows_a_redirect(mover: LoopbackServer) -> None:
    """requests reads its parts when it is prepared, so it can be sent to the next host too."""
    url = f"{mover.origin}/307/x"
    bare = told_the_same(lambda s: s.post(url, files={"f": ("n", Pipe(b"part"))}), mover)

    assert [b"part" in body for body in bare.bodies] == [True, True]


def test_head_is_not_redirected_unless_asked(mover: LoopbackServer) -> None:
    """The one verb that does not follow by itself does not begin to."""
    url = f"{mover.origin}/302/x"

    bare = told_the_same(lambda s: s.head(url), mover)
    assert (bare.methods, bare.next) == (["HEAD"], ("HEAD", f"{mover.origin}/end?from=elsewhere"))
    assert told_the_same(lambda s: s.head(url, allow_redirects=True), mover).status == 200


@pytest.mark.parametrize("code", CODES)
def test_a_redirect_that_is_not_followed_shows_the_next_request(
    mover: LoopbackServer, code: int
) -> None:
    """``response.next`` is there, or is not, as without a stack."""
    url = f"{mover.origin}/{code}/x"
    bare = told_the_same(lambda s: s.post(url, data=b"x", allow_redirects=False), mover)

    assert bare.methods == ["POST"]


# -- Where a redirect leads


@pytest.mark.parametrize(
    "location",
    [
        *("/a", "a/b", "../c", "?q=1", "/x#theirs", "./%7Euser", "/a%2Fb", "/sp ace", "/b%20c"),
        *("/\u00fc?\u00e4=\u00f6", "http:///x", "/a;b=c?d=e,f", "/a\\b", "/%", "/a|b", "/."),
        *("ftp://127.0.0.1/", "mailto:a@b", "tel:1", "http://", "", "http://[::1/", "http://h:p/"),
    ],
)
@pytest.mark.parametrize("way", ["request", "send"])
def test_every_location_leads_to_where_it_does_bare(location: str, way: str) -> None:
    """Relative, quoted, in UTF-8, with a fragment, of another scheme, or no URL at all."""
    header = location.encode().decode("latin-1")

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.path != "/dir/start" or seen.query:
            return ServerResponse(200, {"path": seen.path})
        return ServerResponse(302, b"", {"Location": header})

    with LoopbackServer(answer) as server:
        url = f"{server.origin}/dir/start#mine"

        def call(session: Any) -> requests.Response:
            return sent(session, "GET", url) if way == "send" else session.get(url)

        told_the_same(call, server)


def test_a_fragment_is_kept_over_every_hop() -> None:
    """The caller's own, until a Location brings another (RFC 9110, section 10.2.2)."""

    def answer(seen: ServerRequest) -> ServerResponse:
        places = {"/1": "/2", "/2": "/3#theirs", "/3": "/4"}
        if seen.path in places:
            return ServerResponse(302, b"", {"Location": places[seen.path]})
        return ServerResponse()

    with LoopbackServer(answer) as server:
        bare = told_the_same(lambda s: s.get(f"{server.origin}/1#mine"), server)

    fragments = [url.partition("#")[2] for _, _, url in bare.history]
    assert fragments == ["mine", "mine", "theirs"]
    assert str(bare.url).endswith("/4#theirs")


def test_a_redirect_without_a_location_is_an_answer() -> None:
    """There is nowhere to go, so the caller gets it."""
    with LoopbackServer(lambda _: ServerResponse(302, {"why": "no idea"})) as server:
        bare = told_the_same(lambda s: s.get(server.origin), server)

        assert (bare.status, len(bare.requests)) == (302, len(server.requests) // 5)


@pytest.mark.parametrize("limit", [0, 1, 30])
def test_a_loop_ends_as_it_does_bare(limit: int) -> None:
    """After as many hops, with the same error, which holds the last answer."""
    with LoopbackServer(lambda seen: ServerResponse(302, b"", {"Location": seen.path})) as server:

        def call(session: Any) -> requests.Response:
            session.max_redirects = limit
            answer: requests.Response = session.get(f"{server.origin}/round")
            return answer

        bare = told_the_same(call, server)
        assert (bare.error, bare.status) == ("TooManyRedirects", 302)
        assert len(bare.requests) == limit + 1

        stack = SessionStack(None, recommended(StaticToken(TOKEN)), base_url=server.origin)
        with stack, pytest.raises(RedirectFailed) as caught:
            call(stack)
    assert caught.value.response is not None
    assert caught.value.status == 302


# -- Cookies


@contextmanager
def shops() -> Iterator[tuple[Any, list[LoopbackServer], str, str]]:
    """Start a plain and a TLS server, and a session's maker that reaches both by any name."""

    def answer(seen: ServerRequest) -> ServerResponse:
        if "to" in seen.query:
            place = seen.query["to"][0]
            return ServerResponse(302, b"", {"Location": place, "Set-Cookie": "\n".join(COOKIES)})
        return ServerResponse(200, {"cookie": seen.headers.get("cookie")})

    names = ("a.shop.example", "b.shop.example", "other.example")
    with ExitStack() as opened:
        proxy = opened.enter_context(Proxy())
        plain = opened.enter_context(LoopbackServer(answer))
        secure = opened.enter_context(LoopbackServer(answer, tls=server_context(*names)))

        def session() -> requests.Session:
            made = requests.Session()
            made.proxies = {"http": proxy.url, "https": proxy.url}
            return made

        yield session, [plain, secure], f":{plain.port}", f":{secure.port}"


COOKIES = (
    "plain=1; Path=/",
    "hidden=2; Path=/; Secure; HttpOnly",
    "wide=3; Domain=shop.example; Path=/",
    "foreign=4; Domain=other.example; Path=/",
    "deep=5; Path=/deep",
    "old=6; Path=/; Max-Age=0",
)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("http://a.shop.example{plain}/", "http://a.shop.example{plain}/", {"plain", "wide"}),
        ("http://a.shop.example{plain}/", "/deep/x", {"deep", "plain", "wide"}),
        (
            "http://a.shop.example{plain}/",
            "https://a.shop.example{secure}/",
            {"plain", "hidden", "wide"},
        ),
        ("https://a.shop.example{secure}/", "http://a.shop.example{plain}/", {"plain", "wide"}),
        ("https://a.shop.example{secure}/", "https://b.shop.example{secure}/", {"wide"}),
        ("http://a.shop.example{plain}/", "http://other.example{plain}/", set()),
    ],
)
def test_cookies_that_a_hop_sets_go_where_they_go_bare(
    start: str, end: str, expected: set[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By scheme, domain and path; in the jar afterwards are the same ones."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority_file(tmp_path))
    with shops() as (session, servers, plain, secure):
        url, place = (text.format(plain=plain, secure=secure) for text in (start, end))
        bare = told_the_same(
            lambda s: s.get(url, params={"to": place}),
            *servers,
            session=session,
            origins=[url],
        )

    sent_back = set(re.findall(r"(\w+)=\d", bare.body.decode()))
    assert sent_back == expected
    assert len(bare.jar) == 4


def test_a_cookie_that_a_401_sets_is_sent_with_the_replay() -> None:
    """A gateway that hands out its session with the refusal is satisfied the second time."""
    identity = IdentityProvider()

    def answer(seen: ServerRequest) -> ServerResponse:
        reply = identity.respond(seen)
        return replace(reply, headers={"Set-Cookie": "gate=open"}) if reply.status == 401 else reply

    with LoopbackServer(answer) as server, requests.Session() as session:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, recommended(grant), base_url=server.origin)
        stack.get("/first")
        identity.expire()

        assert stack.get("/x", cookies={"mine": "1"}).ok
        cookies = [set(seen.headers["cookie"].split("; ")) for seen in server.requests_to("/x")]
        assert cookies == [{"mine=1"}, {"mine=1", "gate=open"}]
        assert dict(session.cookies) == {"gate": "open"}


# -- Digest


def guarded(seen: ServerRequest) -> ServerResponse:
    """Answer those who know the password; on ``/moved`` redirect them first."""
    given = dict(re.findall(r'(\w+)="?([^",]*)"?', seen.headers.get("authorization", "")))
    if not _digest_fits(given, seen):
        return ServerResponse(
            401, {}, {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}
        )
    if seen.path == "/moved":
        return ServerResponse(307, b"", {"Location": "/end"})
    return ServerResponse(200, {"user": given["username"], "body": seen.body.decode()})


def _digest_fits(given: dict[str, str], seen: ServerRequest) -> bool:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    if given.get("uri") != seen.path:
        return False
    one, two = md5("user:r:word"), md5(f"{seen.method}:{seen.path}")
    middle = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:auth"
    return given["response"] == md5(f"{one}:{middle}:{two}")


@pytest.mark.parametrize("path", ["/end", "/moved"])
@pytest.mark.parametrize("on_session", [False, True], ids=["call", "session"])
def test_digest_authentication_works_as_it_does_bare(path: str, on_session: bool) -> None:
    """Its second round is its own business: no renewal, the same requests, the same history."""
    with LoopbackServer(guarded) as server:

        def call(session: Any) -> requests.Response:
            auth = HTTPDigestAuth("user", "word")
            if on_session:
                session.auth = auth
            given = {} if on_session else {"auth": auth}
            answer: requests.Response = session.put(server.origin + path, data=b"x", **given)
            return answer

        # A token goes over `session.auth`, not over `auth=` of the call.
        bare = told_the_same(call, server, ways=TOKENLESS if on_session else WAYS)

    assert (bare.status, bare.body) == (200, b'{"user": "user", "body": "x"}')
    assert len(bare.requests) == (4 if path == "/moved" else 2)
