"""Runs recorded at the demo's API, played back without it; and no secret in any of them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import pytest
import requests
from vcr.serializers import yamlserializer

from sessionkit import SessionStack, recommended
from sessionkit.auth import ClientCredentials
from sessionkit.demo._catalogue import Maker, Money, Product
from sessionkit.errors import NotFound
from sessionkit.testing.cassettes import NotRecorded, cassette, find_secrets
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.record_cassettes import (
    FOLDER,
    ORDER,
    SCENARIOS,
    SECRETS,
    START,
    UPLOAD,
    login,
    missing,
    pages,
    played_back,
    record,
    renewal,
    replay,
    typed,
)

_WATCHED = {"socket.__new__", "socket.connect", "socket.getaddrinfo"}


class Watch:
    """Notes what one thread does with sockets, while it is switched on."""

    def __init__(self) -> None:
        self.thread: int | None = None
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.thread == threading.get_ident() and event in _WATCHED:
            self.seen.append(event)


# An audit hook stays for the life of the process; it sees what any library does, and patches
# nothing.
WATCH = Watch()
sys.addaudithook(WATCH)


@contextmanager
def no_sockets() -> Iterator[None]:
    """Fail if anything in this thread so much as makes a socket."""
    WATCH.thread, WATCH.seen = threading.get_ident(), []
    try:
        yield
    finally:
        WATCH.thread = None
    assert WATCH.seen == []


def parsed(file: Path) -> Any:
    """What a cassette holds, its texts put together again where the file folds them."""
    return yamlserializer.deserialize(file.read_text("utf-8"))


def sent_with(response: requests.Response) -> str:
    """The token that a call went out with."""
    return str(response.request.headers["Authorization"]).removeprefix("Bearer ")


# -- Played back -----------------------------------------------------------------------------------


def test_the_watch_sees_a_connection() -> None:
    """That no socket is opened below is seen, not assumed."""
    with (
        LoopbackServer(lambda _: ServerResponse()) as server,
        requests.Session() as session,
        pytest.raises(AssertionError, match="socket"),
        no_sockets(),
    ):
        session.get(server.origin)


def test_a_login_is_played_back() -> None:
    """The token request, and the call that the token was for."""
    with no_sockets(), played_back("login") as (setting, tape):
        response = login(setting)

    assert response.json()["name"] == "blue saw"
    assert sent_with(response).startswith("secret-")
    assert [attempt.status for attempt in response.record.renewals] == [200]  # type: ignore[attr-defined]  # set by the stack
    assert tape.left == ()


def test_a_renewal_is_played_back() -> None:
    """A token ends, is renewed once, and the call goes out again with the new one."""
    with no_sockets(), played_back("renewal") as (setting, tape):
        before, after = renewal(setting)

    assert [attempt.status for attempt in after.record.attempts] == [401, 200]  # type: ignore[attr-defined]  # set by the stack
    assert len(after.record.renewals) == 1  # type: ignore[attr-defined]  # set by the stack
    assert before.json() == after.json()
    assert sent_with(before) != sent_with(after)
    assert tape.left == ()


def test_a_replayed_order_is_played_back_with_its_body() -> None:
    """The body that was refused is the body that was sent again, from where the file stood."""
    with no_sockets(), played_back("replay") as (setting, tape):
        by_json, by_file = replay(setting)

    for response, body in ((by_json, json.dumps(ORDER).encode()), (by_file, UPLOAD[START:])):
        assert [attempt.status for attempt in response.record.attempts] == [401, 201]  # type: ignore[attr-defined]  # set by the stack
        assert response.json()["sha256"] == hashlib.sha256(body).hexdigest()
    assert tape.left == ()


def test_two_pages_are_played_back() -> None:
    """The way to the second page leads into the recording too."""
    with no_sockets(), played_back("pages") as (setting, tape):
        walked = pages(setting)

    assert [len(page.items) for page in walked] == [25, 20]
    orders = [order for page in walked for order in page.items]
    assert [order.id for order in orders] == list(range(1, 46))
    assert orders[0].placed == datetime(2024, 1, 1, 10, 13, tzinfo=UTC)
    assert orders[0].total == Money(Decimal("168.64"), "EUR")
    assert tape.left == ()


def test_a_typed_object_is_played_back() -> None:
    """A client's objects come out of a recording as they come out of a server."""
    with no_sockets(), played_back("typed") as (setting, tape):
        product = typed(setting)

    assert isinstance(product, Product)
    assert isinstance(product.maker, Maker)
    assert (product.id, type(product.released)) == (7, date)
    assert tape.left == ()


def test_an_error_is_played_back() -> None:
    """With the words of the server's problem document (RFC 9457)."""
    with no_sockets(), played_back("missing") as (setting, tape):
        error = missing(setting)

    assert isinstance(error, NotFound)
    assert error.status == 404
    assert "there is nothing of this number" in str(error)
    assert tape.left == ()


def test_a_request_that_was_not_recorded_names_the_command() -> None:
    """Whoever changes a scenario is told how its cassette is made."""
    with no_sockets(), played_back("login") as (setting, _):
        stack = setting.by_client()
        with pytest.raises(NotRecorded, match="run `make cassettes`"):
            stack.get("products/2")


# -- Recorded --------------------------------------------------------------------------------------


def test_every_cassette_has_its_scenario() -> None:
    """No file is there that nobody plays, and none was made by hand."""
    assert {file.stem for file in FOLDER.iterdir()} == set(SCENARIOS)


def test_recording_again_gives_the_same(tmp_path: Path) -> None:
    """The cassettes are what the code does today; a change of them shows a change of it."""
    record(tmp_path)

    for name in SCENARIOS:
        kept, made = (folder / f"{name}.yaml" for folder in (FOLDER, tmp_path))
        assert parsed(made) == parsed(kept), name


# -- No secret in any ------------------------------------------------------------------------------


def test_no_cassette_holds_a_secret() -> None:
    """What is published holds neither the demo's secrets nor any token it handed out."""
    assert find_secrets(FOLDER, SECRETS) == []


def fields(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text of a cassette with the name it stands under, also inside bodies."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from fields(value, key)
    elif isinstance(node, list):
        for item in node:
            yield from fields(item, name)
    elif isinstance(node, str):
        yield name, node
        if name in {"string", "body"}:
            yield from fields(json.loads(node) if node[:1] in {"{", "["} else parse_qs(node))


def credential(name: str, value: str) -> str | None:
    """Return the secret in a field, found in another way than the library's; None without one."""
    if name == "Authorization":
        scheme, _, secret = value.partition(" ")
        basic = scheme == "Basic"
        return base64.b64decode(secret).decode().partition(":")[2] if basic else secret
    return value if name in {"access_token", "refresh_token", "password", "client_secret"} else None


def test_every_secret_of_the_cassettes_has_a_stand_in() -> None:
    """Each place where a run carries a credential holds a stand-in, and there are many."""
    found = [
        secret
        for file in sorted(FOLDER.iterdir())
        for name, value in fields(parsed(file))
        if (secret := credential(name, value)) is not None
    ]

    assert len(found) > 25
    assert [value for value in found if not value.removeprefix("secret-").isdigit()] == []


def planted(place: str) -> str:
    """A secret that is made for one place, with characters that encoders change."""
    return f"planted/{place}+{hashlib.sha256(place.encode()).hexdigest()[:6]}"


CLIENT, PASSWORD, KEY, COOKIE, SET_COOKIE, QUERY, FORM, JSON, PART, ELEMENT, PATH, BASIC = (
    planted(place)
    for place in (
        *("client", "password", "key", "cookie", "set-cookie", "query", "form", "json", "part"),
        *("element", "path", "basic"),
    )
)
ACCESS, REFRESH, ID_TOKEN = (planted(token) for token in ("access", "refresh", "id-token"))
ALL = (
    *(CLIENT, PASSWORD, KEY, COOKIE, SET_COOKIE, QUERY, FORM, JSON, PART, ELEMENT, PATH, BASIC),
    *(ACCESS, REFRESH, ID_TOKEN),
)


def spelled(secret: str) -> list[str]:
    """Every text that shows a secret to somebody who looks for it."""
    shifted = [
        # The part that does not depend on what stands beside it.
        base64.b64encode(b"-" * start + secret.encode())[4:-4].decode()
        for start in range(3)
    ]
    standard = [*shifted, *(quote(run, safe="") for run in shifted)]
    url_safe = [run.replace("+", "-").replace("/", "_") for run in shifted]
    plain = [secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]]
    return [*plain, secret.replace("/", "\\/"), *standard, *url_safe]


def telling(seen: ServerRequest) -> ServerResponse:
    """Hand out tokens; anything else is answered with all that was sent, in many forms."""
    if seen.path == "/token":
        tokens = {"access_token": ACCESS, "refresh_token": REFRESH, "id_token": ID_TOKEN}
        return ServerResponse(
            200, {**tokens, "token_type": "Bearer", "scope": "a", "expires_in": 3600}
        )
    if seen.path == "/moved":
        there = f"/there?access_token={quote(ACCESS, safe='')}#id_token={quote(ID_TOKEN, safe='')}"
        return ServerResponse(302, b"", {"Location": there})
    sent = f"{seen.headers} {seen.query} {seen.body!r}"
    told = {
        "said": f"you sent {sent}",
        "state": base64.b64encode(sent.encode()).decode(),
        "self": f"http://app:{quote(BASIC, safe='')}@api.example/?api_key={quote(QUERY, safe='')}",
        "session": {"csrf_token": SET_COOKIE},
    }
    headers = {
        "Set-Cookie": f"sid={SET_COOKIE}; Path=/; HttpOnly",
        "WWW-Authenticate": f'Bearer error_description="not {KEY}"',
        "X-Request": quote(sent[:500]),
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    status = 403 if seen.path == "/refused" else 200
    return ServerResponse(status, gzip.compress(json.dumps(told).encode()), headers)


def carrying(origin: str) -> list[int]:
    """Make calls with a secret in every place that a call has; their statuses."""
    grant = ClientCredentials(
        f"{origin}/token", "app", client_secret=CLIENT, client_auth="client_secret_post"
    )
    fields = {"password": PASSWORD, "user": "demo"}
    xml = f"<login><s:password xmlns:s='x'>{ELEMENT}</s:password></login>"
    with requests.Session() as session:
        session.headers["X-Api-Key"] = KEY
        stack = SessionStack(session, recommended(grant, errors=False), base_url=origin)
        return [
            stack.get("/a", params={"api_key": QUERY, "page": 1}).status_code,
            stack.get("/a", cookies={"session": COOKIE}).status_code,
            stack.get(f"/bot{quote(PATH, safe='')}/send").status_code,
            stack.get("/a", auth=("app", BASIC)).status_code,
            stack.get("/moved").status_code,
            stack.post("/a", data={**fields, "client_secret": FORM}).status_code,
            stack.post("/a", json={"login": {"secret": JSON}, "note": [1.5, None]}).status_code,
            stack.post("/a", data={"token": PART}, files={"file": b"\x00"}).status_code,
            stack.post("/refused", data=xml, headers={"Content-Type": "text/xml"}).status_code,
        ]


def strings(node: Any) -> Iterator[str]:
    """Yield all texts of a cassette, names and bytes included."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from strings(value)
    elif isinstance(node, list):
        for item in node:
            yield from strings(item)
    elif isinstance(node, bytes):
        yield node.decode("latin-1")
    else:
        yield str(node)


def test_no_planted_secret_is_left_in_a_recording(tmp_path: Path) -> None:
    """Headers, cookies, queries, paths, forms, JSON, XML, uploads, tokens, echoes: none holds one.

    Nor in Base64, nor percent-encoded, nor packed with gzip. And the recording can be played back.
    """
    file = tmp_path / "planted.yaml"
    with LoopbackServer(telling) as server:
        hosts = {urlsplit(server.origin).netloc: "api.example"}
        # A path has no name that would give a secret away.
        with cassette(file, record="all", secrets=[PATH], hosts=hosts):
            statuses = carrying(server.origin)
        arrived = repr(server.requests)

    assert statuses == [200] * 8 + [403]
    data = file.read_bytes().decode("latin-1")
    texts = [data, *strings(parsed(file))]
    assert [text for text in texts if "planted" in text] == []
    assert all(any(form in arrived for form in spelled(secret)) for secret in ALL[:-3])
    for secret in ALL:
        for form in spelled(secret):
            assert not [text for text in texts if form in text]
    assert find_secrets(file, ALL) == []
    with no_sockets(), cassette(file, secrets=[PATH]) as tape:
        assert carrying("http://api.example") == statuses
        assert tape.left == ()
