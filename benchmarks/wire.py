"""The ways in which a layer can reach a session, and what each costs and breaks.

``python -m benchmarks.wire [--rounds 31] [--calls 150]`` prints one JSON object: the cost of a call
by each way against the bare session (one interleaved run), and a matrix of ways and kinds of
session. Each way does the same small job: a key in a header of its own, renewed at a 401, the
request sent again with its body.

The prototypes are as short as they can honestly be; ``ours`` is the library itself. A cell tells:

- ``own``: the session goes on doing what it is for;
- ``renewed``: a 401 is renewed and the request arrives again with its whole body, streamed and as a
  form with a file;
- ``kept``: over a redirect to another host the key stays behind;
- ``untouched``: the user's session is as it was, and its own calls carry no key;
- ``later``: what the user changes on the session afterwards holds, a mock of its ``request`` too.
"""

from __future__ import annotations

import io
import os
import socketserver
import tempfile
import threading
import traceback
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import requests
from requests.adapters import BaseAdapter
from requests.utils import rewind_body

from benchmarks.side_by_side import cost, interleaved, median, ratio, report, serving, told
from sessionkit import SessionStack
from sessionkit.auth import AuthHandler, CallableGrant, Header
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

Call = Callable[..., requests.Response]

NAME = "X-Api-Key"
CONTENT = b"not sent: " + bytes(range(256)) * 40
SKIPPED = len(b"not sent: ")

#: Where the key may go; filled where a server is started. Ways that see no hops cannot use it.
ORIGINS: list[str] = []


class Key:
    """The key, as whoever calls knows it."""

    def __init__(self, current: Callable[[], str]) -> None:
        self._current = current
        self.value = current()

    def renew(self) -> None:
        """Get the key that is valid now."""
        self.value = self._current()


# -- The ways --------------------------------------------------------------------------------------


def marks(options: dict[str, Any]) -> list[tuple[Any, int]]:
    """Return where each body that can seek stands."""
    bodies = [options.get("data"), *dict(options.get("files") or {}).values()]
    return [(body, body.tell()) for body in bodies if hasattr(body, "seek")]


def asking(request: Call, key: Key, method: str, url: str, **options: Any) -> requests.Response:
    """Call something that is called as ``session.request`` is, with the key; again after a 401."""
    given, stood = dict(options.pop("headers", None) or {}), marks(options)
    response = request(method, url, headers={**given, NAME: key.value}, **options)
    if response.status_code == 401:
        response.close()
        key.renew()
        for body, position in stood:
            body.seek(position)
        response = request(method, url, headers={**given, NAME: key.value}, **options)
    return response


def place(request: requests.PreparedRequest, key: Key) -> None:
    """Put the key on a request to its own host, and take it off any other."""
    if any((request.url or "").lower().startswith(f"{origin.lower()}/") for origin in ORIGINS):
        request.headers[NAME] = key.value
    else:
        request.headers.pop(NAME, None)


def sending(
    send: Call, key: Key, request: requests.PreparedRequest, **options: Any
) -> requests.Response:
    """Call something that is called as ``session.send`` is, with the key; again after a 401."""
    place(request, key)
    response = send(request, **options)
    if response.status_code == 401:
        response.close()
        key.renew()
        request = request.copy()
        place(request, key)
        if request._body_position is not None:  # noqa: SLF001  # where requests keeps it
            rewind_body(request)
        response = send(request, **options)
    return response


def itself(session: requests.Session) -> Call:
    """Return the session's own ``request``, as it is when it is called."""

    def call(method: str, url: str, **options: Any) -> requests.Response:
        return session.request(method, url, **options)

    return call


def by_request(session: requests.Session, key: Key) -> Call:
    """Call ``session.request``, with what the caller gave."""
    # Looked up at each call: the user, or a mock, may have changed it.
    return lambda method, url, **options: asking(session.request, key, method, url, **options)


def by_preparing(session: requests.Session, key: Key) -> Call:
    """Prepare with the session, merge its environment, and call ``session.send``."""

    def call(method: str, url: str, **options: Any) -> requests.Response:
        names = ("stream", "verify", "cert", "timeout", "allow_redirects", "proxies")
        how = {name: options.pop(name) for name in names if name in options}
        prepared = session.prepare_request(requests.Request(method, url, **options))
        settings = session.merge_environment_settings(
            prepared.url or "",
            how.pop("proxies", None) or {},
            how.pop("stream", None),
            how.pop("verify", None),
            how.pop("cert", None),
        )
        return sending(session.send, key, prepared, **settings, **how)

    return call


class KeyAdapter(BaseAdapter):
    """Stands in front of the adapter that was mounted."""

    def __init__(self, inner: Any, key: Key) -> None:
        super().__init__()
        self._inner = inner
        self._key = key

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]  # as its users write it
        """Send with the key."""
        return sending(self._inner.send, self._key, request, **options)

    def close(self) -> None:
        """Close the other one."""
        self._inner.close()


def by_adapter(session: requests.Session, key: Key) -> Call:
    """Mount an adapter in front of each that the session has."""
    for prefix, adapter in list(session.adapters.items()):
        session.mount(prefix, KeyAdapter(adapter, key))
    return itself(session)


def by_patched_request(session: requests.Session, key: Key) -> Call:
    """Put another ``request`` on the session."""
    session.request = partial(asking, session.request, key)  # type: ignore[method-assign]  # a stand-in
    return itself(session)


def by_patched_send(session: requests.Session, key: Key) -> Call:
    """Put another ``send`` on the session."""
    session.send = partial(sending, session.send, key)  # type: ignore[method-assign]  # a stand-in
    return itself(session)


def by_subclass(session: requests.Session, key: Key) -> Call:
    """Make a session of a subclass, with a copy of all that the session holds."""

    class Keyed(type(session)):  # type: ignore[misc]  # the user's class, whatever it is
        def request(self, method: str, url: str, **options: Any) -> requests.Response:
            return asking(super().request, key, method, url, **options)

    twin = object.__new__(Keyed)
    twin.__dict__.update(vars(session))
    call: Call = twin.request
    return call


def ours(session: requests.Session, key: Key) -> Call:
    """The library: a chain over ``session.request``, secrets placed hop by hop."""

    def obtain(_token: Any, rejected: Any) -> str:
        if rejected is not None:
            key.renew()
        return key.value

    auth = AuthHandler(CallableGrant(obtain), scheme=Header(NAME), origins=ORIGINS)
    return SessionStack(session, {"auth": auth}).request


WAYS = {
    "ours": ours,
    "session.request": by_request,
    "prepare_request + send": by_preparing,
    "mounted adapter": by_adapter,
    "patched request": by_patched_request,
    "patched send": by_patched_send,
    "subclass with a copied __dict__": by_subclass,
}


# -- The API ---------------------------------------------------------------------------------------


class Gateway:
    """An API that wants the key of the day, and another host, to which it sends people."""

    def __init__(self) -> None:
        self.key = "key-0"
        self.elsewhere = ""

    def answer(self, seen: ServerRequest) -> ServerResponse:
        """Answer what was asked, and how."""
        if seen.headers.get(NAME.lower()) != self.key and seen.path != "/open":
            return ServerResponse(401, {"detail": "no key"})
        if seen.path == "/leave":
            return ServerResponse(302, {}, {"Location": f"{self.elsewhere}/land"})
        if seen.path == "/missing":
            return ServerResponse(404)
        headers = {"Set-Cookie": "a=b"} if seen.path == "/cookie" else {}
        if seen.path == "/cached":
            headers["Cache-Control"] = "max-age=60"
        return ServerResponse(200, {"ok": True}, headers)


class Place(NamedTuple):
    """Where one cell of the matrix is measured."""

    gateway: Gateway
    server: LoopbackServer
    other: LoopbackServer
    base: str

    def only(self, path: str) -> ServerRequest:
        """Return the one request that was answered at *path*."""
        return self.server.requests_to(path)[-1]


@contextmanager
def unix_socket(origin: str) -> Iterator[str]:
    """Hand on what comes by a unix socket to *origin*; yield the socket's URL."""
    port = int(origin.rpartition(":")[2])

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            import socket

            with socket.create_connection(("127.0.0.1", port)) as onward:
                back = threading.Thread(target=pump, args=(onward, self.request), daemon=True)
                back.start()
                pump(self.request, onward)

    def pump(source: Any, target: Any) -> None:
        try:
            while piece := source.recv(65_536):
                target.sendall(piece)
            target.shutdown(1)
        except OSError:
            return

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "api")
        with socketserver.ThreadingUnixStreamServer(path, Relay) as relay:
            relay.daemon_threads = True
            thread = threading.Thread(target=relay.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield "http+unix://" + path.replace("/", "%2F")
            finally:
                relay.shutdown()
                thread.join()


# -- The kinds of session --------------------------------------------------------------------------


def loaded(module: str, name: str) -> Any:
    """Return a class of a package, imported only where it is measured."""
    return getattr(import_module(module), name)


class OwnRequest(requests.Session):
    """Fills in a time-out, as many do."""

    def request(self, method: str, url: Any, *args: Any, **options: Any) -> requests.Response:
        """Give a time-out."""
        options.setdefault("timeout", 7)
        return super().request(method, url, *args, **options)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Show the time-out to the server."""
        request.headers["X-Timeout"] = str(options.get("timeout"))
        return super().send(request, **options)


class OwnSend(requests.Session):
    """Signs what it sends."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Sign."""
        request.headers["X-Signed"] = request.url or ""
        return super().send(request, **options)


class OwnPrepare(requests.Session):
    """Adds a parameter to each request."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Add."""
        prepared = super().prepare_request(request)
        prepared.prepare_url(prepared.url or "", {"tenant": "blue"})
        return prepared


class OwnVerb(requests.Session):
    """Overrides one verb."""

    def get(self, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]  # as its users write it
        """Ask for the newest."""
        return super().get(url, params={"newest": "1"}, **options)


class Raising(requests.Session):
    """Raises for a status."""

    def request(self, method: str, url: Any, *args: Any, **options: Any) -> requests.Response:
        """Raise."""
        response = super().request(method, url, *args, **options)
        response.raise_for_status()
        return response


def own_token(make: Callable[[], requests.Session]) -> Kind:
    """Return a kind that brings a bearer token of its own."""

    def holds(call: Call, place: Place) -> bool:
        call("GET", f"{place.base}/x")
        return place.only("/x").bearer == "own-token"

    return Kind(lambda _: make(), holds)


def google() -> requests.Session:
    """Return google-auth's, with credentials that need no network."""
    base = loaded("google.auth.credentials", "Credentials")
    own = type("Own", (base,), {"refresh": lambda _self, _request: None})()
    own.token = "own-token"
    session: requests.Session = loaded("google.auth.transport.requests", "AuthorizedSession")(own)
    return session


def authenticated() -> requests.Session:
    """Return a session with a user and a password."""
    session = requests.Session()
    session.auth = ("user", "word")
    return session


def keeps_cookies(call: Call, place: Place) -> bool:
    """Tell whether a cookie comes back, and a header of the session goes out."""
    call("GET", f"{place.base}/cookie")
    call("GET", f"{place.base}/x")
    return place.only("/x").headers.get("cookie") == "a=b"


def shows(name: str, value: str) -> Callable[[Call, Place], bool]:
    """Return a probe for a header that the session itself writes."""

    def holds(call: Call, place: Place) -> bool:
        call("GET", f"{place.base}/x")
        return place.only("/x").headers.get(name, "").startswith(value)

    return holds


def asks(name: str) -> Callable[[Call, Place], bool]:
    """Return a probe for a query parameter that the session itself adds."""

    def holds(call: Call, place: Place) -> bool:
        call("GET", f"{place.base}/x")
        return name in place.only("/x").query

    return holds


def caches(call: Call, place: Place) -> bool:
    """Tell whether the second answer comes from the cache."""
    answers = [call("GET", f"{place.base}/cached").ok for _ in range(2)]
    return all(answers) and len(place.server.requests_to("/cached")) == 1


def resolves(call: Call, place: Place) -> bool:
    """Tell whether a relative URL is resolved."""
    return call("GET", "orders").ok and bool(place.server.requests_to("/api/orders"))


def raises(call: Call, place: Place) -> bool:
    """Tell whether a 404 is still raised."""
    try:
        call("GET", f"{place.base}/missing")
    except requests.HTTPError:
        return True
    return False


def is_mocked(call: Call, place: Place) -> bool:
    """Tell whether a recorder that takes the adapters' place sees calls with their keys."""
    with loaded("requests_mock", "Mocker")() as mocker:
        statuses = [{"status_code": status} for status in (200, 401, 200)]
        known = mocker.get(f"{place.base}/x", statuses)
        answered = [call("GET", f"{place.base}/x").ok for _ in range(2)]
        keyed = [NAME in request.headers for request in known.request_history]
        return all(answered) and keyed == [True] * 3


def answers(call: Call, place: Place) -> bool:
    """Tell whether there is an answer at all."""
    return call("GET", f"{place.base}/x").ok


class Kind(NamedTuple):
    """A kind of session: how one is made, and what shows that it does what it is for."""

    make: Callable[[Place], requests.Session]
    holds: Callable[[Call, Place], bool]
    unix: bool = False


def kinds() -> dict[str, Kind]:
    """Return all kinds by their names."""
    token = {"access_token": "own-token", "token_type": "Bearer"}
    oauthlib = partial(loaded, "requests_oauthlib", "OAuth2Session")
    authlib = partial(loaded, "authlib.integrations.requests_client", "OAuth2Session")
    base_url = partial(loaded, "requests_toolbelt.sessions", "BaseUrlSession")
    cached = partial(loaded, "requests_cache", "CachedSession")
    control = partial(loaded, "cachecontrol", "CacheControl")
    unix = partial(loaded, "requests_unixsocket", "Session")
    return {
        "plain": Kind(lambda _: requests.Session(), keeps_cookies),
        "session.auth": Kind(lambda _: authenticated(), shows("authorization", "Basic ")),
        "own request": Kind(lambda _: OwnRequest(), shows("x-timeout", "7")),
        "own send": Kind(lambda _: OwnSend(), shows("x-signed", "http")),
        "own prepare_request": Kind(lambda _: OwnPrepare(), asks("tenant")),
        "raises for status": Kind(lambda _: Raising(), raises),
        "BaseUrlSession": Kind(lambda place: base_url()(f"{place.base}/api/"), resolves),
        "requests-cache": Kind(lambda _: cached()(backend="memory"), caches),
        "CacheControl": Kind(lambda _: control()(requests.Session()), caches),
        "requests-oauthlib": own_token(lambda: oauthlib()(token=token)),
        "authlib": own_token(lambda: authlib()(token=token)),
        "google-auth": own_token(google),
        "unix socket": Kind(lambda _: unix()(), answers, unix=True),
        "under requests-mock": Kind(lambda _: requests.Session(), is_mocked),
    }


# -- The cells -------------------------------------------------------------------------------------


def renews(call: Call, place: Place) -> bool:
    """Tell whether bodies arrive whole after a 401."""
    for number, option in enumerate(("data", "files")):
        # The session is logged in, and its key ends now.
        call("GET", f"{place.base}/x")
        place.gateway.key = f"key-{number + 1}"
        body = io.BytesIO(CONTENT)
        if option == "files":
            body.seek(SKIPPED)
        path = f"/upload/{option}"
        given = {"data": body} if option == "data" else {"files": {"f": body}}
        if not call("POST", place.base + path, **given).ok:
            return False
        # A form holds the content among its boundaries.
        arrived = place.only(path).body
        whole = arrived == CONTENT if option == "data" else CONTENT not in arrived
        if not whole or CONTENT[SKIPPED:] not in arrived:
            return False
    return True


def keeps(call: Call, place: Place) -> bool:
    """Tell whether the key stays with the host that it is for."""
    call("GET", f"{place.base}/leave")
    return NAME.lower() not in place.other.requests_to("/land")[-1].headers


def public(session: requests.Session) -> dict[str, Any]:
    """Return what a session is made of."""
    held = {name: id(value) for name, value in vars(session).items()}
    return {**held, "adapters": {k: id(v) for k, v in session.adapters.items()}}


def untouched(session: requests.Session, before: dict[str, Any], place: Place) -> bool:
    """Tell whether the session is as it was, and calls as it did."""
    try:
        session.get(f"{place.base}/open")
    except requests.HTTPError:
        return False
    return public(session) == before and NAME.lower() not in place.only("/open").headers


def follows(session: requests.Session, call: Call, place: Place) -> bool:
    """Tell whether later changes of the session hold for calls."""
    session.headers = requests.structures.CaseInsensitiveDict({"X-Later": "1"})
    call("GET", f"{place.base}/later")
    mocked = requests.Response()
    mocked.status_code = 200
    with patch.object(session, "request", return_value=mocked):
        answer = call("GET", f"{place.base}/mocked")
    held = place.only("/later").headers.get("x-later") == "1"
    return held and answer is mocked and not place.server.requests_to("/mocked")


def cell(way: Callable[[requests.Session, Key], Call], kind: Kind, place: Place) -> dict[str, Any]:
    """Measure one way with one kind of session."""

    def tried(probe: Callable[[requests.Session, Call], bool], *, fresh: bool = True) -> Any:
        place.gateway.key = "key-0"
        for server in (place.server, place.other):
            server.requests.clear()
        with kind.make(place) as session:
            before = public(session)
            call = way(session, Key(lambda: place.gateway.key))
            try:
                return probe(session, call) if fresh else untouched(session, before, place)
            except Exception as error:  # noqa: BLE001  # any failure is the finding
                if os.environ.get("WIRE_TRACE"):
                    traceback.print_exc()
                return type(error).__name__

    return {
        "own": tried(lambda _, call: kind.holds(call, place)),
        "renewed": tried(lambda _, call: renews(call, place)),
        "kept": tried(lambda _, call: keeps(call, place)),
        "untouched": tried(lambda *_: True, fresh=False),
        "later": tried(lambda session, call: follows(session, call, place)),
    }


def matrix() -> dict[str, Any]:
    """Measure every way with every kind."""
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    gateway = Gateway()
    cells: dict[str, dict[str, Any]] = {name: {} for name in WAYS}
    with (
        LoopbackServer(gateway.answer) as server,
        LoopbackServer(lambda _: ServerResponse()) as other,
        unix_socket(server.origin) as unix,
    ):
        gateway.elsewhere = other.origin
        for kind_name, kind in kinds().items():
            place = Place(gateway, server, other, unix if kind.unix else server.origin)
            ORIGINS[:] = [place.base]
            for name, way in WAYS.items():
                cells[name][kind_name] = cell(way, kind, place)
    return cells


def sums(cells: dict[str, dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Count, for each way, the kinds for which each property holds."""
    counted = {}
    for way, row in cells.items():
        names = next(iter(row.values()))
        counted[way] = {
            name: f"{sum(one[name] is True for one in row.values())}/{len(row)}" for name in names
        }
    return counted


def costs(rounds: int, calls: int) -> dict[str, dict[str, float]]:
    """Measure what a call costs by each way, against the bare session."""
    with serving() as server, ExitStack() as opened:
        ORIGINS[:] = [server.origin]
        url = f"{server.origin}/orders/7"
        ways: dict[str, Call] = {"bare": opened.enter_context(requests.Session()).request}
        for name, way in WAYS.items():
            session = opened.enter_context(requests.Session())
            ways[name] = way(session, Key(lambda: "key-0"))
        single = {name: partial(call, "GET", url) for name, call in ways.items()}
        for call in single.values():
            cost(call, 50)
        figures = interleaved({n: partial(cost, call, calls) for n, call in single.items()}, rounds)
    bare = [one.cpu for one in figures["bare"]]
    return {
        name: {
            "cpu_us": median(one.cpu for one in measured),
            "cpu_ratio": ratio((one.cpu for one in measured), bare),
        }
        for name, measured in figures.items()
    }


def main() -> None:
    """Measure and print."""
    options = told(__doc__, rounds=31, calls=150)
    cells = matrix()
    report(
        {"cost": costs(options.rounds, options.calls), "holds for": sums(cells), "matrix": cells}
    )


if __name__ == "__main__":
    main()
