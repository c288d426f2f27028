"""Text of every kind in URLs and headers: what goes out and comes in is what it is bare."""

from __future__ import annotations

import http.cookiejar
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import Bearer, Cookie, Header, Query, StaticToken
from sessionkit.errors import InvalidRequest, RedirectFailed, SessionKitError
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.compared_sessions import TOKEN, TOKENLESS, WAYS, told_the_same
from tests.support.servers.proxy import Proxy


def echo(seen: ServerRequest) -> ServerResponse:
    """Redirect to ``?to=``, or answer."""
    if "to" in seen.query:
        return ServerResponse(
            302, b"", {"Location": seen.query["to"][0].encode().decode("latin-1")}
        )
    return ServerResponse(200, {"path": seen.path})


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    """Start a server for all tests."""
    with LoopbackServer(echo) as started:
        yield started


def prepared(session: Any, url: Any, **options: Any) -> requests.Response:
    """Send by ``send``."""
    request = session.prepare_request(requests.Request("GET", url, **options))
    response: requests.Response = session.send(request)
    return response


def get(session: Any, url: Any, **options: Any) -> requests.Response:
    """Send by ``get``."""
    response: requests.Response = session.get(url, **options)
    return response


BOTH = pytest.mark.parametrize("way", [get, prepared])


# -- URLs


class Address:
    """A URL of another library: it prints as one."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __str__(self) -> str:
        return self._url


@pytest.mark.parametrize(
    "tail",
    [
        *("", "?", "#", "/", "//a//b", "/a/../b/./c", "/\u00fc/\u65e5\u672c?\u00e4=\u00f6#\u00e9"),
        *("/%C3%BC", "/%c3%bc", "/%fc", "/%", "/%zz", "/a b", "/a+b?c+d=e f", "/a%20b%2Fc"),
        *("/?a=1&a=2&b", "/?=", "/?a==b", "/?a=%26", "/?a;b", "/{x}|^`\\[y]", "/~u/(x)!*'$,"),
        *("/?q='x'&r=\"y\"", "/\U0001f600", "/a\tb", "/#frag?not", "/?x=http://h/?y#z", "/a:b@c"),
        "/" + "long" * 15_000,
    ],
    ids=lambda tail: ascii(tail)[:20],
)
def test_a_url_of_any_form_is_asked_for_as_it_is_bare(tail: str, server: LoopbackServer) -> None:
    """Quoted, not quoted, half quoted, with a path of 60,000 characters."""
    told_the_same(lambda s: s.get(server.origin + tail), server)


@pytest.mark.parametrize(
    "make",
    [
        lambda url: url.encode(),
        Address,
        lambda url: f"  {url}",
        lambda url: url.upper().replace("/X", "/x"),
        lambda url: url.replace("127.0.0.1", "LocalHost"),
        lambda url: url.replace("//", "//@"),
        lambda url: url.replace("http:", "http:\t"),
    ],
)
@BOTH
def test_a_url_of_any_type_is_asked_for_as_it_is_bare(
    way: Any, make: Any, server: LoopbackServer
) -> None:
    """Bytes, objects that print as a URL, capitals, spaces in front."""
    told_the_same(lambda s: way(s, make(f"{server.origin}/x")), server)


@BOTH
def test_a_login_in_the_url_is_used_as_it_is_bare(way: Any, server: LoopbackServer) -> None:
    """Where no token is at stake; quoted characters in it as well."""
    url = server.origin.replace("//", "//us%40er:p%3Aw@")
    bare = told_the_same(lambda s: way(s, f"{url}/x"), server, ways=TOKENLESS)

    assert ("Authorization", "Basic dXNAZXI6cDp3") in bare.requests[0][3]


@pytest.mark.parametrize(
    "params",
    [
        *({}, {"a": 1}, {"a": None, "b": "x"}, {"a": ["1", 2]}, {"a": []}, {"\u00fc": "\u20ac"}),
        *({b"a": b"\xff"}, [("a", 1), ("a", None)], (("a", "1"),), [["a", "b"]], "a=1&b", "\u00fc"),
        *(b"a=1", b"\xc3\xbc", "", b"", "a b", {"a": ("1", "2")}, {"a": {"x": 1}}, {"a": True}),
        *({"a": 1.5}, {"a": ""}, {"": "a"}, {"a&b": "c=d"}, [], 3, {"a": b"x y"}),
    ],
    ids=ascii,
)
def test_parameters_of_any_form_are_asked_for_as_they_are_bare(
    params: Any, server: LoopbackServer
) -> None:
    """Beside those of the URL and of the session."""

    def call(session: Any) -> requests.Response:
        session.params = {"mine": "1"}
        response: requests.Response = session.get(f"{server.origin}/x?u=0#f", params=params)
        return response

    told_the_same(call, server)


@pytest.mark.parametrize("scheme", [Header("X-Key"), Query("key"), Bearer(), Cookie("key")])
@pytest.mark.parametrize("params", [{"a": "1 2"}, [("a", "1 2")], "a=1+2", b"a=1+2", iter([])])
def test_a_secret_travels_beside_parameters_of_any_form(
    scheme: Any, params: Any, server: LoopbackServer
) -> None:
    """It displaces none, and is displaced by none."""
    chain = recommended(StaticToken(TOKEN), scheme=scheme)
    with SessionStack(None, chain, base_url=server.origin) as stack:
        response = stack.get("/x?u=%7E#f", params=params)

    seen = server.requests[-1]
    assert response.ok
    assert TOKEN in repr(seen)
    query = {name: value for name, value in seen.query.items() if name != "key"}
    assert query == {"u": ["~"]} | ({} if hasattr(params, "__next__") else {"a": ["1 2"]})


# -- Hosts


@contextmanager
def by_proxy() -> Iterator[tuple[Any, LoopbackServer]]:
    """Start a server that is reached by any name."""
    with Proxy() as proxy, LoopbackServer(echo) as server:

        def session() -> requests.Session:
            made = requests.Session()
            made.proxies = {"http": proxy.url}
            return made

        yield session, server


@pytest.mark.parametrize(
    ("host", "sent"),
    [
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("B\u00dcCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("b%C3%BCcher.example", None),
        ("fa\u00df.example", "xn--fa-hia.example"),
        ("\u65e5\u672c.example", "xn--wgv71a.example"),
        ("api_v1.example", "api_v1.example"),
        ("api.example.", "api.example."),
        ("\u2100.example", None),
        ("\u00fc-.example", None),
        ("*.example", None),
        ("[fe80::1%25eth0]", "[fe80::1]"),
        ("[fe80::1%eth0]", "[fe80::1]"),
    ],
    ids=ascii,
)
@BOTH
def test_a_host_of_any_form_is_asked_for_as_it_is_bare(
    way: Any, host: str, sent: str | None
) -> None:
    """International names, zones of IPv6 addresses; and the token goes to the host that is ours."""
    with by_proxy() as (session, server):
        url = f"http://{host}:{server.port}/x"
        ours = [url] if sent else ["http://other.example"]
        bare = told_the_same(lambda s: way(s, url), server, session=session, origins=ours)
        with_token = [seen for seen in server.requests if seen.bearer == TOKEN]

    assert bool(bare.error) is (sent is None)
    if sent is not None:
        # http.client takes the zone off, and the port with it.
        port = "" if "%" in host else f":{server.port}"
        assert bare.requests[0][3][0] == ("Host", sent + port)
        assert len(with_token) == 1


@pytest.mark.parametrize(
    ("ours", "asked"),
    [
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "B\u00fccher.example"),
        ("[fe80::1%25eth0]", "[FE80::1%eth0]"),
    ],
    ids=ascii,
)
def test_one_host_in_two_spellings_is_one_origin(ours: str, asked: str) -> None:
    """Whichever of them the stack was given, a renewal is not missed for the other."""
    with by_proxy() as (session, server), session() as made:
        chain = recommended(StaticToken(TOKEN), origins=[f"http://{ours}:{server.port}"])
        SessionStack(made, chain).get(f"http://{asked}:{server.port}/x")

        assert server.requests[-1].bearer == TOKEN


@pytest.mark.parametrize("scheme", [Bearer(), Header("X-Key"), Cookie("sid"), Query("key")])
def test_an_ipv6_server_gets_its_secret_at_every_hop(scheme: Any) -> None:
    """Its address stands in brackets, which is where parsers go wrong."""
    with LoopbackServer(echo, host="::1") as server:
        chain = recommended(StaticToken(TOKEN), scheme=scheme)
        with SessionStack(None, chain, base_url=server.origin) as stack:
            response = stack.get("/a", params={"to": "/b"})

        assert server.origin.startswith("http://[::1]:")
        assert response.json() == {"path": "/b"}
        assert [TOKEN in repr(seen) for seen in server.requests] == [True, True]
        told_the_same(lambda s: s.get(f"{server.origin}/a?to={server.origin}/b"), server)


@pytest.mark.parametrize(
    ("hop", "secret", "kind"),
    [(False, True, InvalidRequest), (True, True, RedirectFailed), (True, False, RedirectFailed)],
)
def test_a_host_that_http_client_trips_over_is_an_error_of_ours(
    hop: bool, secret: bool, kind: type[SessionKitError]
) -> None:
    """Behind a proxy it asserts where it should refuse; with errors that is told as what it is."""
    with by_proxy() as (session, server), session() as made:
        url = f"http://b%C3%BCcher.example:{server.port}/x"
        port = server.port if secret else 9
        chain = recommended(StaticToken(TOKEN), origins=[f"http://api.example:{port}"])
        start = f"http://api.example:{server.port}/?to={quote(url)}" if hop else url
        with pytest.raises(kind) as caught:
            SessionStack(made, chain).post(start)

    assert caught.value.sent == ("yes" if hop else "no")
    assert kind is RedirectFailed or "host" in str(caught.value)


@pytest.mark.parametrize("to", ["file:///etc/passwd", "javascript:alert(1)", "mailto:a@b.example"])
@pytest.mark.parametrize("secret", [False, True])
def test_a_redirect_to_what_is_no_http_is_a_redirect_that_failed(to: str, secret: bool) -> None:
    """The caller's request was a good one, and the server may have acted on it."""
    login = StaticToken(TOKEN) if secret else None
    with (
        LoopbackServer(lambda _: ServerResponse(307, headers={"Location": to})) as server,
        SessionStack(None, recommended(login), base_url=server.origin) as stack,
        pytest.raises(RedirectFailed) as caught,
    ):
        stack.post("/x")
    assert (caught.value.sent, caught.value.attempts, len(server.requests)) == ("yes", 1, 1)


def test_a_hook_that_fails_in_the_middle_of_a_redirect_is_a_fault_of_the_hook() -> None:
    """An exception of the program's own is nothing that a server did."""

    def hook(response: requests.Response, **_: object) -> None:
        if response.content == b"moved":
            raise ValueError("of the hook")

    moved = ServerResponse(307, b"moved", {"Location": "/b"})
    with (
        LoopbackServer(
            lambda seen: moved if seen.path == "/b" else ServerResponse(307, headers=moved.headers)
        ) as server,
        SessionStack(None, recommended(), base_url=server.origin) as stack,
        pytest.raises(ValueError, match="of the hook") as caught,
    ):
        stack.get("/a", hooks={"response": hook})
    assert type(caught.value) is ValueError


@pytest.mark.parametrize("place", ["http://b\u00fccher.example:{}/\u00fc", "//b\u00fc.example:{}"])
@BOTH
def test_a_redirect_to_an_international_host_leads_to_where_it_does_bare(
    way: Any, place: str
) -> None:
    """A Location in UTF-8, as browsers take it."""
    with by_proxy() as (session, server):
        to = place.format(server.port)
        url = f"http://api.example:{server.port}/a"
        told_the_same(
            lambda s: way(s, url, params={"to": to}), server, session=session, origins=[url]
        )


# -- Headers


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "plain"},
        {"X-A": "gr\u00fcn"},
        {"X-A": b"gr\xfcn"},
        {b"X-A": b"bytes"},
        {b"X-A": "both"},
        {"X-A": "\u20ac"},
        {"X-A": "\u20ac".encode()},
        {"X-A": ""},
        {"X-A": b""},
        {"X-A": " leading"},
        {"X-A": "trailing "},
        {"X-A": "tab\tinside"},
        {"X-A": "two\r\n lines"},
        {"X-A": "two\nlines"},
        {"X-A": 7},
        {"X-A": None},
        {"X\u20ac": "x"},
        {"X A": "x"},
        {"": "x"},
        {"x-lower": "1", "X-LOWER": "2"},
        {"User-Agent": None, "Accept": None},
        {"User-Agent": "own", "accept-encoding": "identity"},
        {"Host": "other.example"},
        {"Cookie": "a=1; b=\u00fc"},
        {"Content-Length": "0"},
        {"X-A": "long" * 15_000},
        {f"X-{number}": str(number) for number in range(80)},
        requests.structures.CaseInsensitiveDict({"X-A": "1"}),
        {},
        None,
    ],
    ids=lambda headers: ascii(headers)[:30],
)
@BOTH
def test_headers_of_any_form_go_out_as_they_do_bare(
    way: Any, headers: Any, server: LoopbackServer
) -> None:
    """Spelling, order and bytes, or the same refusal; over a redirect too."""
    url = f"{server.origin}/a?to=/b"
    told_the_same(lambda s: way(s, url, headers=headers), server)


@pytest.mark.parametrize("given", [{"X-Key": "own"}, {"x-key": b"own"}, {b"X-KEY": b"own"}])
@BOTH
def test_a_key_of_the_calls_own_wins_in_any_spelling(
    way: Any, given: Any, server: LoopbackServer
) -> None:
    """As text or as bytes, in capitals or not: it is not doubled and not replaced."""
    told_the_same(
        lambda s: way(s, f"{server.origin}/x", headers=given), server, ways={"key": WAYS["key"]}
    )
    assert [v for k, v in server.requests[-1].lines if k.lower() == "x-key"] == ["own"]


@pytest.mark.parametrize("given", [{"authorization": "Own"}, {b"AUTHORIZATION": b"Own"}])
@BOTH
def test_an_authorization_of_the_calls_own_wins_in_any_spelling(
    way: Any, given: Any, server: LoopbackServer
) -> None:
    """As text or as bytes, in capitals or not."""
    told_the_same(
        lambda s: way(s, f"{server.origin}/x", headers=given), server, ways={"token": WAYS["token"]}
    )
    assert server.requests[-1].headers["authorization"] == "Own"


@pytest.mark.parametrize(
    "lines",
    [
        ["Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Expires=Wed, 21 Oct 2099 07:28:00 GMT"],
        ['Link: </2>; rel="next"', 'Link: </9>; rel="last"'],
        ["WWW-Authenticate: Basic", 'WWW-Authenticate: Bearer realm="a, b"'],
        ["X-A: 1", "x-a: 2", "X-A:"],
        ["X-A:"],
        ["X-A:   spaces   "],
        ["X-A: gr\u00fcn"],
        ["X-A: " + "gr\u00fcn".encode().decode("latin-1")],
        ["X-A: one", " and more of it"],
        ["X A: x"],
        [": no name"],
        ["no colon"],
        ["X-A: " + "long" * 15_000],
        [f"X-{number}: {number}" for number in range(80)],
        [f"X-{number}: {number}" for number in range(120)],
        ["Server-Timing: db;dur=1", "Server-Timing: app;dur=2"],
        ["Content-Type: text/plain; charset=utf-16"],
        ["Content-Type: nonsense", "Content-Type: text/html"],
    ],
    ids=lambda lines: ascii(lines[0])[:30],
)
@pytest.mark.parametrize("status", [200, 401])
def test_headers_of_any_form_come_in_as_they_do_bare(status: int, lines: list[str]) -> None:
    """Twice, empty, folded, in UTF-8 or Latin-1, or too many; joined, and one by one."""
    head = "\r\n".join(
        [f"HTTP/1.1 {status} Said", "Content-Length: 2", "Connection: close", *lines]
    ).encode("latin-1")
    one_by_one: list[Any] = []

    def call(session: Any) -> requests.Response:
        response: requests.Response = session.post(saying.origin)
        one_by_one.append((list(response.raw.headers.items()), response.links, response.encoding))
        return response

    with LoopbackServer(lambda _: head + b"\r\n\r\nok") as saying:
        told_the_same(call, saying)

    assert all(one == one_by_one[0] for one in one_by_one), one_by_one


# -- Cookies


def jar() -> http.cookiejar.CookieJar:
    """Return a jar of the standard library's."""
    made = requests.cookies.RequestsCookieJar()
    made.set("in jar", "1 2", path="/")
    made.set("elsewhere", "1", domain="other.example", path="/")
    return made


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"a": "1"},
        lambda: {"a": "1 2;3", "b": '"quoted"', "c": ""},
        lambda: {"a": "gr\u00fcn"},
        lambda: {"a": None},
        jar,
        http.cookiejar.CookieJar,
        lambda: None,
    ],
)
@BOTH
def test_cookies_of_any_form_go_out_as_they_do_bare(
    way: Any, make: Any, server: LoopbackServer
) -> None:
    """Beside those of the session, which keeps its own only."""

    def call(session: Any) -> requests.Response:
        session.cookies.set("session", "mine")
        response: requests.Response = way(session, f"{server.origin}/a?to=/b", cookies=make())
        return response

    told_the_same(call, server)
