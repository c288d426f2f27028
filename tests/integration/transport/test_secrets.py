"""A planted secret appears nowhere that the library can write."""

from __future__ import annotations

import base64
import copy
import io
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from sessionkit import SessionStack, Token, recommended
from sessionkit.auth import (
    AuthHandler,
    Bearer,
    ClientCredentials,
    Cookie,
    Header,
    Query,
    RefreshToken,
    Scheme,
    StaticToken,
)
from sessionkit.errors import SessionKitError
from sessionkit.stores import MemoryTokenStore, SqliteTokenStore
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse

ACCESS, REFRESH, CLIENT = "planted/access+1", "planted/refresh+2", "planted/client+3"
SECRETS = (ACCESS, REFRESH, CLIENT)
FORMS = [
    form.encode()
    for secret in SECRETS
    for form in (
        secret,
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode(),
        base64.b64encode(f"app:{quote(secret, safe='')}".encode()).decode(),
    )
]
SCHEMES: list[Scheme] = [
    *(Bearer(), Header("X-Vault-Token"), Header("X-Odd", prefix="Odd")),
    *(Cookie("sid"), Query("api_key")),
]


def found_in(text: str | bytes) -> list[bytes]:
    """Return the planted secrets that *text* holds, in any of their forms."""
    data = text.encode() if isinstance(text, str) else text
    return [form for form in FORMS if form in data]


@pytest.fixture(autouse=True)
def log() -> Iterator[io.StringIO]:
    """Keep everything that anybody logs, at DEBUG; it must hold no secret in the end."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def everything_about(error: BaseException) -> list[str | bytes]:
    """Return every form in which an error may be shown, kept or sent."""
    lines = traceback.TracebackException.from_exception(error, capture_locals=False).format()
    shown: list[str | bytes] = [str(error), repr(error), "".join(lines), repr(vars(error))]
    shown += [pickle.dumps(error), repr(copy.deepcopy(error))]
    if isinstance(error, SessionKitError):
        shown += [repr(pickle.loads(pickle.dumps(error))), error.hint]
        response = getattr(error, "response", None)
        if response is not None:
            shown += [repr(vars(response.request)), repr(vars(response)), response.content]
    return shown


def refusing(seen: ServerRequest) -> ServerResponse:
    """Echo everything that came in, in an error; the token alone in a header of no known name."""
    alone = seen.headers.get("x-odd", "").partition(" ")[2]
    body = {"detail": f"you sent {seen.headers} {seen.query} {seen.body!r}", "alone": alone}
    return ServerResponse(403, body, {"X-Echo": alone})


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
def test_an_error_that_echoes_the_request_shows_no_secret(scheme: Scheme, log: io.StringIO) -> None:
    """Servers quote what they were sent; the error's text, pickle and copies do not."""
    with LoopbackServer(refusing) as server, requests.Session() as session:
        chain = recommended(StaticToken(ACCESS), scheme=scheme)
        stack = SessionStack(session, chain, base_url=server.origin)
        with pytest.raises(SessionKitError) as caught:
            stack.get("/x")

        assert found_in(repr(server.requests))
        for shown in everything_about(caught.value):
            assert not found_in(shown)
        assert "GET /x" in log.getvalue()
        assert not found_in(log.getvalue())


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
def test_a_failure_of_the_transport_shows_no_secret(scheme: Scheme) -> None:
    """urllib3's own texts quote the path with its query; ours do not, causes included."""
    with requests.Session() as session:
        chain = recommended(StaticToken(ACCESS), scheme=scheme)
        stack = SessionStack(session, chain, base_url="http://127.0.0.1:9/").with_options(retries=0)
        with pytest.raises(SessionKitError) as caught:
            stack.get("/x", params={"client_secret": CLIENT})

        for shown in everything_about(caught.value):
            assert not found_in(shown)


def echoing_token_endpoint(seen: ServerRequest) -> ServerResponse:
    """Refuse a token request and quote it."""
    said = f"no: {seen.body.decode()} {seen.form} {seen.headers} {CLIENT}"
    return ServerResponse(400, {"error": "invalid_grant", "error_description": said})


@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post"])
def test_a_token_endpoint_that_echoes_shows_no_secret(auth: str, log: io.StringIO) -> None:
    """The refusal's text is scrubbed of what was presented."""
    with LoopbackServer(echoing_token_endpoint) as server, requests.Session() as session:
        url = f"{server.origin}/token"
        for grant in (
            ClientCredentials(url, "app", client_secret=CLIENT, client_auth=auth),
            RefreshToken(url, REFRESH, client_id="app", client_secret=CLIENT, client_auth=auth),
        ):
            stack = SessionStack(session, recommended(grant), base_url=server.origin)
            with pytest.raises(SessionKitError) as caught:
                stack.get("/x")

            for shown in everything_about(caught.value):
                assert not found_in(shown)
    assert not found_in(log.getvalue())


def issuing(seen: ServerRequest) -> ServerResponse:
    """Answer as a token endpoint and an API."""
    if seen.path == "/token":
        return ServerResponse(
            200, {"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": 3600}
        )
    return ServerResponse(200, {"ok": True})


def test_nothing_that_can_be_printed_shows_a_secret(tmp_path: Path, log: io.StringIO) -> None:
    """Stacks, handlers, grants, stores, tokens, records: repr, str and explain()."""
    for store in (MemoryTokenStore(), SqliteTokenStore(tmp_path / "tokens.db")):
        with LoopbackServer(issuing) as server, requests.Session() as session:
            grant = RefreshToken(
                f"{server.origin}/token", REFRESH, client_id="app", client_secret=CLIENT
            )
            auth = AuthHandler(grant, store=store)
            stack = SessionStack(session, {"auth": auth}, base_url=server.origin)
            response = stack.get("/x", params={"api_key": ACCESS})
            record = response.record
            token = store.load(auth._store_key)

            printable = [stack, stack.handlers, auth, grant, store, token, record, record.url]
            printable += [
                *auth._scheme.credentials(Token(ACCESS), "GET", origins=frozenset()),
                *record.attempts,
                *record.renewals,
            ]
            for thing in printable:
                assert not found_in(repr(thing))
                assert not found_in(str(thing))
            assert not found_in(stack.explain())


def unpicklable(thing: object) -> bool:
    """Tell whether *thing* refuses to be pickled."""
    try:
        pickle.dumps(thing)
    except Exception:  # noqa: BLE001  # whatever the refusal is
        return True
    return False


def test_nothing_that_holds_a_secret_can_be_pickled() -> None:
    """A pickle is readable by whoever finds it."""
    grant = RefreshToken("http://127.0.0.1:9/token", REFRESH, client_id="a", client_secret=CLIENT)
    stack = SessionStack(None, recommended(grant), base_url="http://127.0.0.1:9/")
    stack.close()

    assert unpicklable(Token(ACCESS, refresh_token=REFRESH))
    assert unpicklable(stack)
    for holder in (grant, StaticToken(ACCESS), stack.handlers["auth"], MemoryTokenStore()):
        assert unpicklable(holder) or not found_in(pickle.dumps(holder))


def test_the_wrapped_session_never_holds_the_token() -> None:
    """What a user pickles, logs or hands on knows nothing of it."""
    with LoopbackServer(issuing) as server, requests.Session() as session:
        grant = RefreshToken(f"{server.origin}/token", REFRESH, client_id="app")
        SessionStack(session, recommended(grant), base_url=server.origin).get("/x")

        assert not found_in(pickle.dumps(session))
        assert not found_in(repr(vars(session)))


def _bad_header() -> object:
    with requests.Session() as session:
        stack = SessionStack(session, recommended(), base_url="http://127.0.0.1:9/")
        return stack.get("/x", headers={"Authorization": f"{ACCESS}\n"})


def _bad_token() -> object:
    return Token(f"{ACCESS}\n")


def _bad_static_token() -> object:
    return StaticToken(f"{ACCESS}\n")


def _bad_url() -> object:
    with requests.Session() as session:
        stack = SessionStack(session, recommended(), base_url="http://127.0.0.1:9/")
        return stack.get(f"http://user:{quote(CLIENT, safe='')}@:bad:/?api_key={ACCESS}")


@pytest.mark.parametrize("fail", [_bad_header, _bad_token, _bad_static_token, _bad_url])
def test_a_mistake_with_a_secret_in_it_is_not_quoted(fail: Callable[[], object]) -> None:
    """requests prints the whole header when a token ends in a line break."""
    with pytest.raises(ValueError, match=r".") as caught:
        fail()

    for shown in everything_about(caught.value):
        assert not found_in(shown)
