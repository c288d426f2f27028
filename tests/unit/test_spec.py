"""A description of a stack: small, plain, frozen, and without a secret."""

from __future__ import annotations

import copy
import pickle
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, StackSpec, _spec as module
from sessionkit.auth import AuthHandler
from sessionkit.errors import ConfigError, LoginRequired, SessionKitError
from sessionkit.stores import MemoryTokenStore, SqliteTokenStore
from sessionkit.testing.server import LoopbackServer, ServerResponse
from tests.support.workers import stacks as worker_stacks
from tests.support.workers.stacks import (
    Shop,
    failing,
    no_stack,
    of_client,
    remembering,
    with_client,
)

ARGUMENTS = {
    "base_url": "https://api.example/v1/",
    "token_url": "https://id.example/token",
    "client_id": "app",
}
ENV = {"client_secret": "APP_SECRET"}
#: Whatever happens, this is seen by the token endpoint and by nobody else.
PLANTED = "s3cret-of-the-app"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what a worker finds in its environment."""
    monkeypatch.setenv("APP_SECRET", PLANTED)
    monkeypatch.setenv("lower_secret", PLANTED)


def described(**changes: Any) -> StackSpec:
    """Describe a stack with a login."""
    return StackSpec(with_client, **{"kwargs": ARGUMENTS, "env": ENV, **changes})


def arguments(spec: StackSpec) -> Any:
    """Build with a factory of tests.support.workers.stacks; return what it was given."""
    with spec.build() as stack:
        return stack.handlers["forwarding"].given


# -- Factories


@pytest.mark.parametrize(
    ("factory", "place"),
    [
        (remembering, "tests.support.workers.stacks:remembering"),
        (Shop.stack, "tests.support.workers.stacks:Shop.stack"),
        (SessionStack, "sessionkit._stack:SessionStack"),
        ("shop.stacks:build", "shop.stacks:build"),
    ],
)
def test_a_factory_is_kept_as_the_place_where_it_is_found(factory: Any, place: str) -> None:
    """A worker imports it; where the description is made, it need not even be installed."""
    settings = {"region": "eu"} if factory == Shop.stack else {}

    assert repr(place) in repr(StackSpec(factory, kwargs=settings))


def local_factory() -> Any:
    """Return what no other process can find."""

    def inner() -> SessionStack:
        return SessionStack()

    return inner


class Callable:
    """An object that can be called."""

    def __call__(self) -> SessionStack:
        return SessionStack()


@pytest.mark.parametrize(
    "factory",
    [
        lambda: SessionStack(),  # noqa: PLW0108  # the point
        local_factory(),
        partial(remembering, a=1),
        Callable(),
        7,
        "shop.stacks",
        "shop.stacks:",
        "shop/stacks.py:build",
        "__main__:build",
        "",
    ],
)
def test_a_factory_that_no_worker_can_import_is_refused(factory: Any) -> None:
    """The mistake shows at once, not in the log of a worker."""
    with pytest.raises(ConfigError, match="cannot import") as caught:
        StackSpec(factory)

    assert "module" in caught.value.hint


def test_a_function_of_the_program_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process has another ``__main__``; a worker would look in its own."""

    def build() -> SessionStack:
        return SessionStack()

    build.__module__, build.__qualname__ = "__main__", "build"
    monkeypatch.setattr(sys.modules["__main__"], "build", build, raising=False)
    with pytest.raises(ConfigError, match="__main__:build"):
        StackSpec(build)


def test_a_function_that_hides_behind_anothers_name_is_refused() -> None:
    """The worker would call the other one."""

    def other(**given: Any) -> SessionStack:
        return remembering(**given)

    other.__module__, other.__qualname__ = remembering.__module__, remembering.__qualname__
    with pytest.raises(ConfigError, match="something else"):
        StackSpec(other)


def test_a_factory_gets_arguments_variables_and_the_open_store(tmp_path: Path) -> None:
    """All arguments arrive by their names."""
    spec = StackSpec(
        remembering,
        kwargs={"region": "eu", "sizes": (1, 2), "deep": {"on": True}},
        store=f"sqlite://{tmp_path}/tokens.db",
        env={"password": "APP_SECRET"},
    )
    given = arguments(spec)

    assert isinstance(given.pop("store"), SqliteTokenStore)
    assert given == {"region": "eu", "sizes": [1, 2], "deep": {"on": True}, "password": PLANTED}


def test_a_factory_without_a_store_is_left_to_choose_its_own() -> None:
    """An argument that was not given is not filled in."""
    assert arguments(StackSpec(remembering)) == {}


def test_arguments_that_the_factory_does_not_take_are_refused_here() -> None:
    """A misspelt or missing argument is found before anything is sent to a worker."""
    assert arguments(StackSpec(of_client, kwargs={"client_id": "a"}))["client_id"] == "a"
    for settings in ({"client": "a"}, {}):
        with pytest.raises(ConfigError, match="stacks:of_client"):
            StackSpec(of_client, kwargs=settings)
    with pytest.raises(ConfigError, match="store"):
        StackSpec(Shop.stack, kwargs={"region": "eu"}, store="memory:")


def test_a_factory_that_is_not_there_is_named_by_the_worker() -> None:
    """A worker with other code than the one who sent the work says so."""
    for place in (
        "no.such.module:build",
        "tests.support.workers.stacks:no_such",
        "os:path.nothing",
    ):
        with pytest.raises(ConfigError, match=place) as caught:
            StackSpec(place).build()

        assert isinstance(caught.value.__cause__, ImportError | AttributeError)


def test_a_factory_must_return_a_stack() -> None:
    """Handing back the session alone would lose login and retries in silence."""
    with pytest.raises(ConfigError, match=r"no_stack returned Session, not a SessionStack"):
        StackSpec(no_stack).build()


# -- Secrets


def test_a_description_holds_no_secret(tmp_path: Path) -> None:
    """Its repr and its pickle may be logged, queued and stored."""
    spec = described(store=f"sqlite://{tmp_path}/tokens.db")
    spec.build().close()

    for text in (repr(spec), str(spec), repr(pickle.dumps(spec)), repr(vars(module))):
        assert PLANTED not in text
    assert "APP_SECRET" in repr(spec)


@pytest.mark.parametrize(
    "settings",
    [
        {"client_secret": PLANTED},
        {"password": 1234},
        {"deep": [{"X-Api-Key": PLANTED}]},
        {"headers": {"X-Note": f"Bearer {PLANTED}"}},
        {"url": f"https://user:{PLANTED}@api.example/"},
        {"url": f"https://api.example/?api_key={PLANTED}"},
    ],
)
def test_a_secret_among_the_arguments_is_refused(settings: dict[str, Any]) -> None:
    """It would be readable in every queue that the description passes."""
    with pytest.raises(ConfigError, match="secret") as caught:
        StackSpec(remembering, kwargs=settings)

    assert "env=" in caught.value.hint
    assert PLANTED not in f"{caught.value!r} {caught.value} {caught.value.hint}"


def test_arguments_with_harmless_names_are_no_secrets() -> None:
    """A switch, an empty value, a URL of a token endpoint."""
    settings = {"use_cookies": True, "token": None, "token_url": "https://id.example/token"}

    assert arguments(StackSpec(remembering, kwargs=settings)) == settings


def test_the_value_in_place_of_the_name_of_its_variable_is_refused() -> None:
    """The likely mistake, ``os.environ["APP_SECRET"]``, does not travel."""
    for value in (PLANTED, "s3cretwithoutdashes", "JBSWY3DPEHPK3PXP", "", 7, None):
        with pytest.raises(ConfigError, match="client_secret is not the name") as caught:
            described(env={"client_secret": value})

        assert str(value or "s3cret") not in f"{caught.value} {caught.value.hint}"


def test_a_variable_in_small_letters_is_taken_where_there_is_one() -> None:
    """Custom is not law."""
    spec = StackSpec(remembering, env={"password": "lower_secret"})

    assert arguments(spec) == {"password": PLANTED}


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_the_worker_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """Whoever starts workers is told what to set, and for what."""
    spec = described()
    if value is None:
        monkeypatch.delenv("APP_SECRET")
    else:
        monkeypatch.setenv("APP_SECRET", value)

    with pytest.raises(ConfigError, match=r"APP_SECRET \(for client_secret\)"):
        spec.build()


def test_an_argument_comes_from_one_place() -> None:
    """A setting that is also a secret is a contradiction."""
    for spec in (
        {"kwargs": {"a": 1}, "env": {"a": "A"}},
        {"kwargs": {"store": "memory:"}},
        {"store": "memory:", "env": {"store": "TOKEN_STORE"}},
    ):
        with pytest.raises(ConfigError, match="twice"):
            StackSpec(remembering, **spec)


# -- The store


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{PLANTED}@cache.example/0",
        f"redis://user:{PLANTED}@cache.example/0",
        f"postgresql://cache.example/tokens?password={PLANTED}",
    ],
)
def test_a_store_with_a_password_in_its_url_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The whole URL then comes from the environment, and only the variable's name travels."""
    with pytest.raises(ConfigError, match="password") as caught:
        described(store=url)
    assert '"store"' in caught.value.hint
    assert PLANTED not in f"{caught.value} {caught.value.hint}"

    monkeypatch.setenv("TOKEN_STORE", f"sqlite://{tmp_path}/tokens.db")
    spec = StackSpec(remembering, env={"store": "TOKEN_STORE"})
    assert repr(arguments(spec)["store"]) == f"SqliteTokenStore('{tmp_path}/tokens.db')"


@pytest.mark.parametrize("url", ["sqlite:tokens.db", "SQLITE:../tokens.db", "file:tokens"])
def test_a_relative_path_of_a_store_is_refused(url: str) -> None:
    """Workers in folders of their own would each have a store, and renew apart."""
    with pytest.raises(ConfigError, match="absolute"):
        described(store=url)


def test_the_store_that_was_opened_is_closed_with_the_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker leaves no connection to the place of its tokens behind."""
    closed: list[object] = []

    class Store(MemoryTokenStore):
        def close(self) -> None:
            closed.append(self)

    monkeypatch.setattr(module, "open_store", lambda url: Store())
    stack = StackSpec(remembering, store="redis://cache.example/0").build()
    with stack.with_options(timeout=3), copy.copy(stack):
        pass
    assert closed == []

    stack.close()
    stack.close()
    assert closed == [stack.handlers["forwarding"].given["store"]]


def test_the_store_is_closed_where_no_stack_comes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A factory that fails a thousand times leaks nothing."""
    closed: list[int] = []

    class Store(MemoryTokenStore):
        def close(self) -> None:
            closed.append(1)

    monkeypatch.setattr(module, "open_store", lambda url: Store())
    for factory, error in (
        (failing, RuntimeError),
        ("tests.support.workers.stacks:no_stack", TypeError),
    ):
        with pytest.raises(error):
            StackSpec(factory, store="redis://cache.example/0").build()

    assert closed == [1, 1]


def test_a_stack_that_was_built_closes_the_session_it_made() -> None:
    """``with spec.build() as stack`` leaves no connection open."""
    closed: list[object] = []
    with described().build() as stack:
        adapter = stack.get_adapter("https://api.example/")
        adapter.close = lambda: closed.append(adapter)  # type: ignore[method-assign]  # a stand-in

    assert closed


# -- A value


def test_a_description_goes_through_any_pickle_and_copy() -> None:
    """Queues, pools and schedulers can carry it, whatever protocol they use."""
    spec = described(store="memory:")
    twins = [pickle.loads(pickle.dumps(spec, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]

    for twin in [*twins, copy.copy(spec), copy.deepcopy([spec])[0]]:
        assert type(twin) is StackSpec
        assert (twin, hash(twin), repr(twin)) == (spec, hash(spec), repr(spec))
    assert len(pickle.dumps(spec)) < 500
    assert eval(repr(spec)) == spec


def test_descriptions_are_compared_by_what_they_say() -> None:
    """One can be the key of a cache: one stack for each in a process."""
    spec = described()
    turned = described(kwargs=dict(reversed(ARGUMENTS.items())))

    assert {spec: 1}[turned] == 1
    assert spec != described(store="memory:")
    assert spec != described(env={"client_secret": "OTHER_SECRET"})
    assert worker_stacks.stack_of(spec) is worker_stacks.stack_of(turned)
    worker_stacks.stack_of(spec).close()


def test_a_description_never_changes() -> None:
    """Neither by setting, nor by what its settings were made from."""
    sizes = [1]
    spec = StackSpec(remembering, kwargs={"sizes": sizes})
    with pytest.raises(AttributeError, match="cannot"):
        spec._store = "x"  # type: ignore[misc]  # that is the point
    with pytest.raises(AttributeError, match="cannot"):
        del spec._store
    sizes.append(2)
    arguments(spec)["sizes"].append(3)

    assert arguments(spec) == {"sizes": [1]}


@pytest.mark.parametrize(
    "settings", [{"when": object()}, {"part": float("nan")}, {"deep": {1: "a"}}, {7: "a"}]
)
def test_arguments_that_do_not_travel_as_they_are_are_refused(settings: Any) -> None:
    """No number turns into a text on the way, no object into something else."""
    with pytest.raises(ConfigError, match=r"JSON|no text"):
        StackSpec(remembering, kwargs=settings)


def test_every_stack_that_is_built_is_its_own() -> None:
    """Two builds share the store, and nothing in memory."""
    first, second = described().build(), described().build()

    assert isinstance(first.handlers["auth"], AuthHandler)
    assert first.handlers["auth"] is not second.handlers["auth"]
    first.close()
    second.close()


def test_an_error_of_a_workers_stack_comes_back_as_it_is() -> None:
    """A pool sends errors by pickle; the one who waits for the result can tell them apart."""
    with LoopbackServer(lambda _: ServerResponse(400, {"error": "invalid_grant"})) as server:
        settings = {**ARGUMENTS, "base_url": server.origin, "token_url": f"{server.origin}/token"}
        with described(kwargs=settings).build() as stack, pytest.raises(LoginRequired) as caught:
            stack.get("x")

    twin = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(twin, SessionKitError)
    assert isinstance(twin, requests.RequestException)
    assert str(twin) == str(caught.value)
