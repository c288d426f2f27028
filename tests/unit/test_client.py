"""The base of an SDK: what it wraps, where it stands, what it closes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from requests_toolbelt.sessions import BaseUrlSession

from sessionkit import ApiClient, SessionStack, recommended
from sessionkit.auth import StaticToken
from sessionkit.errors import ConfigError, NotFound, UnexpectedStatus
from sessionkit.resources import Collection, PlainJson, get
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse


@dataclass
class Item:
    """Anything."""

    id: str


class Api(ApiClient):
    """The smallest SDK there is."""

    items = Collection(Item, "items")

    @get("who")
    def who(self) -> Item:
        """Return what the server saw of the caller."""
        raise NotImplementedError


class Placed(Api):
    """Knows where it belongs."""

    base_url = "https://api.example/v1/"


class Enveloped(ApiClient):
    """Has all its objects in envelopes."""

    codec = PlainJson(item="data")
    items = Collection(Item, "items")
    bare = Collection(Item, "bare", codec=PlainJson())


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """Start a server that answers with the last part of the path."""

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.path.endswith("/gone"):
            return ServerResponse(404, {"detail": "gone"})
        item = {"id": seen.bearer if seen.path.endswith("/who") else seen.path.rpartition("/")[2]}
        return ServerResponse(200, {"data": item} if "/enveloped/" in seen.path else item)

    with LoopbackServer(answer) as server:
        yield server


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Return a session of the user's."""
    with requests.Session() as session:
        yield session


def test_a_stack_is_used_with_its_handlers(
    session: requests.Session, server: LoopbackServer
) -> None:
    """Login, errors and all else are those of the stack that was handed over."""
    stack = SessionStack(
        session, recommended(StaticToken("planted")), base_url=f"{server.origin}/v1"
    )
    api = Api(stack)

    assert api.who() == Item("planted")
    assert api.stack.handlers is stack.handlers
    with pytest.raises(NotFound):
        api.items.get("gone")


def test_a_session_is_wrapped_without_any_handler(
    session: requests.Session, server: LoopbackServer
) -> None:
    """Your session behaves as it did: nothing is retried, timed or renewed behind your back."""
    api = Api(session, server.origin)

    assert api.items.get("a") == Item("a")
    assert api.stack.handlers.names == ()
    with pytest.raises(UnexpectedStatus):
        api.items.get("gone")
    assert api.stack.get("items/gone").status_code == 404


def test_without_a_session_there_is_one_with_the_recommended_handlers(
    server: LoopbackServer,
) -> None:
    """The short way is the safe one: time limits, retries and honest errors."""
    with Api(base_url=server.origin) as api:
        assert api.stack.handlers.names == ("errors", "timing", "timeout", "retry")
        with pytest.raises(NotFound):
            api.items.get("gone")


def test_only_a_session_of_its_own_is_closed(server: LoopbackServer) -> None:
    """What you brought, you close; what the client made, it closes."""
    closed: list[str] = []

    class Watched(requests.Session):
        def close(self) -> None:
            closed.append("yours")
            super().close()

    with Watched() as session:
        with Api(session, server.origin):
            pass
        with Api(SessionStack(session), server.origin):
            pass
        assert closed == []

    api = Api(base_url=server.origin)
    api.items.get("a")
    pools = api.stack.get_adapter(server.origin).poolmanager.pools  # type: ignore[attr-defined]  # of HTTPAdapter
    assert len(pools) == 1
    api.close()
    assert len(pools) == 0


@pytest.mark.parametrize("base", ["", "/", "/v1", "/v1/", "/v1/deep/"])
def test_paths_are_appended_to_the_whole_base(
    session: requests.Session, server: LoopbackServer, base: str
) -> None:
    """A base with a path keeps it, with or without a slash at its end."""
    Api(session, server.origin + base).items.get("a")

    assert server.requests[0].path == f"{base.rstrip('/')}/items/a"


def test_the_nearest_base_url_wins(session: requests.Session, server: LoopbackServer) -> None:
    """The argument before the stack's, that before the class's: staging needs no patch."""
    here = SessionStack(session, base_url=f"{server.origin}/stack/")

    assert Placed(session).base_url == "https://api.example/v1/"
    assert Placed(here).base_url == f"{server.origin}/stack/"
    assert Placed(here, f"{server.origin}/given/").base_url == f"{server.origin}/given/"
    assert repr(Placed(session)) == "<Placed at https://api.example/v1/>"


def test_a_sessions_own_base_url_counts(server: LoopbackServer) -> None:
    """A BaseUrlSession says where it belongs, and its base is appended to like any other."""
    with BaseUrlSession(f"{server.origin}/v1") as session:
        assert Api(session).items.get("a") == Item("a")

    assert server.requests[0].path == "/v1/items/a"


def test_the_stack_that_was_given_stays_where_it_is(
    session: requests.Session, server: LoopbackServer
) -> None:
    """Two clients over one stack stand at two bases, and share its handlers."""
    stack = SessionStack(session, recommended())
    one = Api(stack, f"{server.origin}/one")
    two = Api(stack, f"{server.origin}/two")
    one.items.get("a")
    two.items.get("a")

    assert [seen.path for seen in server.requests] == ["/one/items/a", "/two/items/a"]
    assert stack.base_url is None


def test_a_client_gives_a_stack_its_home(session: requests.Session, server: LoopbackServer) -> None:
    """The token of a stack without a base goes to the client's own origin."""
    api = Api(SessionStack(session, recommended(StaticToken("planted"))), server.origin)

    assert api.who() == Item("planted")


def test_credentials_do_not_follow_to_another_origin(
    session: requests.Session, server: LoopbackServer
) -> None:
    """A stack made for one host is not turned on another by an argument."""
    stack = SessionStack(session, recommended(StaticToken("planted")), base_url=server.origin)

    with pytest.raises(ConfigError, match="was made for"):
        Api(stack, "http://localhost:1/")
    assert Api(stack, f"{server.origin}/v2/").who() == Item("planted")


@pytest.mark.parametrize(
    "url", ["api.example", "/v1/", "", "https://api.example/?key=1", "https://h/#a", "https://"]
)
def test_a_base_url_that_cannot_be_used_is_refused(session: requests.Session, url: str) -> None:
    """The slip is found before the first call, and names the client."""
    with pytest.raises(ConfigError, match=r"^Api"):
        Api(session, url)


@pytest.mark.parametrize("url", ["api.example", 5, "https://h/?a=b"])
def test_a_bad_base_url_of_a_class_is_found_when_the_class_is_made(url: Any) -> None:
    """A vendor sees it before any user does."""
    with pytest.raises(ConfigError, match=r"^Vendor: base_url"):
        type("Vendor", (ApiClient,), {"base_url": url})


@pytest.mark.parametrize("name", ["stack", "close"])
def test_a_subclass_does_not_hide_what_the_base_needs(name: str) -> None:
    """An operation called ``close`` would leave connections open; the class is refused instead."""
    with pytest.raises(ConfigError, match=rf"^Vendor\.{name}: "):
        type("Vendor", (ApiClient,), {name: None})


@pytest.mark.parametrize("session", [5, "https://api.example", requests.Session])
def test_what_is_no_session_is_refused(session: Any) -> None:
    """A URL in the place of the session is a common slip."""
    with pytest.raises(ConfigError):
        Placed(session)


def test_a_codec_holds_for_all_collections_that_say_nothing(
    session: requests.Session, server: LoopbackServer
) -> None:
    """An API with envelopes everywhere says so once."""
    api = Enveloped(session, f"{server.origin}/enveloped")

    assert api.items.get("a") == Item("a")
    api = Enveloped(session, f"{server.origin}/plain")
    assert api.bare.get("a") == Item("a")


def test_one_client_serves_many_threads(server: LoopbackServer) -> None:
    """No call sees another's key, on one client, its first calls made at once."""
    keys = [str(number) for number in range(64)]
    start = threading.Barrier(8)

    def fetch(share: list[str]) -> list[Item]:
        start.wait()
        return [api.items.get(key) for key in share]

    with Api(base_url=server.origin) as api, ThreadPoolExecutor(8) as pool:
        found = [item for made in pool.map(fetch, [keys[n::8] for n in range(8)]) for item in made]

    assert {item.id for item in found} == set(keys)
