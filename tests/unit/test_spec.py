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

from sessionkit import SessionStack, StackSpec
from sessionkit import _spec as module
from sessionkit.auth import AuthHandler
from sessionkit.errors import ConfigError, LoginRequired, SessionKitError
from sessionkit.stores import MemoryTokenStore, SqliteTokenStore
from tests.support.servers.loopback import Loopback, Reply, Seen
from tests.support.workers import stacks as worker_stacks
from tests.support.workers.stacks import Shop, failing, no_stack, of_client, remembering

SETTINGS = {
    "base_url": "https://api.example/v1/",
    "token_url": "https://id.example/token",
    "client_id": "app",
}
SECRETS = {"client_secret": "APP_SECRET"}
#: Whatever happens, this is seen by the token endpoint and by nobody else.
PLANTED = "s3cret-of-the-app"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what a worker finds in its environment."""
    monkeypatch.setenv("APP_SECRET", PLANTED)
    monkeypatch.setenv("lower_secret", PLANTED)


def usual(**changes: Any) -> StackSpec:
    """Describe the usual stack."""
    return StackSpec(**{"settings": SETTINGS, "secrets": SECRETS, **changes})


def arguments(spec: StackSpec) -> Any:
    """Build with a factory of tests.support.workers.stacks; return what it was given."""
    with spec.build() as stack:
        return stack.handlers["forwarding"].given


# -- The usual stack


def test_the_usual_stack_needs_no_factory() -> None:
    """An API, a token endpoint and a client are enough: it logs in, renews, retries and times."""

    def answer(seen: Seen) -> Reply:
        if seen.path == "/token":
            return Reply(200, {"access_token": "live", "expires_in": 60})
        return Reply(200 if seen.bearer == "live" else 401)

    with Loopback(answer) as server:
        spec = usual(
            settings={
                "base_url": f"{server.origin}/v1/",
                "token_url": f"{server.origin}/token",
                "client_id": "app",
                "scope": "read",
                "client_auth": "client_secret_post",
                "extra_params": {"audience": "shop"},
            }
        )
        with spec.build() as stack:
            assert stack.get("orders").ok

        (asked,) = server.at("/token")
        assert asked.form == {
            "grant_type": "client_credentials",
            "scope": "read",
            "audience": "shop",
            "client_id": "app",
            "client_secret": PLANTED,
        }
        assert stack.handlers.names == ("errors", "timing", "timeout", "retry", "auth")


def test_the_usual_stack_can_be_told_to_raise_nothing_and_where_tokens_may_go() -> None:
    """What ``recommended`` takes is taken here."""
    more = {"errors": False, "origins": ["https://other.example"]}
    with usual(settings={**SETTINGS, **more}).build() as stack:
        assert "errors" not in stack.handlers
        assert "other.example" in repr(stack.handlers["auth"])


def test_a_name_that_the_usual_stack_does_not_know_is_refused_here_and_not_in_the_worker() -> None:
    """The mistake shows where it was made, with the names there are."""
    with pytest.raises(ConfigError, match=r"does not know base_ulr, needs base_url") as caught:
        usual(settings={"base_ulr": "x", "token_url": "https://id.example", "client_id": "app"})

    assert "token_url" in caught.value.hint
    assert "factory" in caught.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "api.example"},
        {"token_url": "/token"},
        {"client_auth": "digest"},
        {"extra_params": "a"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused_here_and_not_in_the_worker(
    wrong: dict[str, Any],
) -> None:
    """What the worker would find wrong is found when it is described."""
    with pytest.raises(ConfigError):
        usual(settings={**SETTINGS, **wrong})


def test_what_only_the_worker_knows_may_come_from_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Addresses differ between places of work; their variables need not be set where it is made."""
    settings = {"client_id": "app", "token_url": "https://id.example/token"}
    spec = usual(settings=settings, secrets={**SECRETS, "base_url": "API_URL"})
    monkeypatch.setenv("API_URL", "https://eu.api.example/")

    with spec.build() as stack:
        assert stack.base_url == "https://eu.api.example/"


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

    assert repr(place) in repr(StackSpec(factory, settings=settings))


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


def test_a_factory_gets_settings_secrets_and_the_open_store(tmp_path: Path) -> None:
    """All arguments arrive by their names."""
    spec = StackSpec(
        remembering,
        settings={"region": "eu", "sizes": (1, 2), "deep": {"on": True}},
        store=f"sqlite://{tmp_path}/tokens.db",
        secrets={"password": "APP_SECRET"},
    )
    given = arguments(spec)

    assert isinstance(given.pop("store"), SqliteTokenStore)
    assert given == {"region": "eu", "sizes": [1, 2], "deep": {"on": True}, "password": PLANTED}


def test_a_factory_without_a_store_is_left_to_choose_its_own() -> None:
    """An argument that was not given is not filled in."""
    assert arguments(StackSpec(remembering)) == {}


def test_arguments_that_the_factory_does_not_take_are_refused_here() -> None:
    """A misspelt or missing argument is found before anything is sent to a worker."""
    assert arguments(StackSpec(of_client, settings={"client_id": "a"}))["client_id"] == "a"
    for settings in ({"client": "a"}, {}):
        with pytest.raises(ConfigError, match="worker_stacks:of_client"):
            StackSpec(of_client, settings=settings)
    with pytest.raises(ConfigError, match="store"):
        StackSpec(Shop.stack, settings={"region": "eu"}, store="memory:")


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
    spec = usual(store=f"sqlite://{tmp_path}/tokens.db")
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
def test_a_secret_among_the_settings_is_refused(settings: dict[str, Any]) -> None:
    """It would be readable in every queue that the description passes."""
    with pytest.raises(ConfigError, match="secret") as caught:
        StackSpec(remembering, settings=settings)

    assert "secrets=" in caught.value.hint
    assert PLANTED not in f"{caught.value!r} {caught.value} {caught.value.hint}"


def test_a_secret_among_the_settings_of_the_usual_stack_is_refused_too() -> None:
    """A form field that proves who the client is must not travel either."""
    for more in ({"extra_params": {"client_assertion": PLANTED}}, {"scope": f"Bearer {PLANTED}"}):
        with pytest.raises(ConfigError, match="secret"):
            usual(settings={**SETTINGS, **more})


def test_settings_with_harmless_names_are_no_secrets() -> None:
    """A switch, an empty value, a URL of a token endpoint."""
    settings = {"use_cookies": True, "token": None, "token_url": "https://id.example/token"}

    assert arguments(StackSpec(remembering, settings=settings)) == settings


def test_the_value_in_place_of_the_name_of_its_variable_is_refused() -> None:
    """The likely mistake, ``os.environ["APP_SECRET"]``, does not travel."""
    for value in (PLANTED, "s3cretwithoutdashes", "JBSWY3DPEHPK3PXP", "", 7, None):
        with pytest.raises(ConfigError, match="client_secret is not the name") as caught:
            usual(secrets={"client_secret": value})

        assert str(value or "s3cret") not in f"{caught.value} {caught.value.hint}"


def test_a_variable_in_small_letters_is_taken_where_there_is_one() -> None:
    """Custom is not law."""
    spec = StackSpec(remembering, secrets={"password": "lower_secret"})

    assert arguments(spec) == {"password": PLANTED}


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_the_worker_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """Whoever starts workers is told what to set, and for what."""
    spec = usual()
    if value is None:
        monkeypatch.delenv("APP_SECRET")
    else:
        monkeypatch.setenv("APP_SECRET", value)

    with pytest.raises(ConfigError, match=r"APP_SECRET \(for client_secret\)"):
        spec.build()


def test_an_argument_comes_from_one_place() -> None:
    """A setting that is also a secret is a contradiction."""
    for spec in (
        {"settings": {"a": 1}, "secrets": {"a": "A"}},
        {"settings": {"store": "memory:"}},
        {"store": "memory:", "secrets": {"store": "TOKEN_STORE"}},
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
        usual(store=url)
    assert '"store"' in caught.value.hint
    assert PLANTED not in f"{caught.value} {caught.value.hint}"

    monkeypatch.setenv("TOKEN_STORE", f"sqlite://{tmp_path}/tokens.db")
    spec = StackSpec(remembering, secrets={"store": "TOKEN_STORE"})
    assert repr(arguments(spec)["store"]) == f"SqliteTokenStore('{tmp_path}/tokens.db')"


def test_the_usual_stack_takes_a_store_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where tokens are kept is often decided where the workers run."""
    monkeypatch.setenv("TOKEN_STORE", f"sqlite://{tmp_path}/tokens.db")
    spec = usual(secrets={**SECRETS, "store": "TOKEN_STORE"})

    with spec.build() as stack:
        assert "tokens.db" in repr(stack.handlers["auth"])


@pytest.mark.parametrize("url", ["sqlite:tokens.db", "SQLITE:../tokens.db", "file:tokens"])
def test_a_relative_path_of_a_store_is_refused(url: str) -> None:
    """Workers in folders of their own would each have a store, and renew apart."""
    with pytest.raises(ConfigError, match="absolute"):
        usual(store=url)


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
    with usual().build() as stack:
        adapter = stack.get_adapter("https://api.example/")
        adapter.close = lambda: closed.append(adapter)  # type: ignore[method-assign]  # a stand-in

    assert closed


# -- A value


def test_a_description_goes_through_any_pickle_and_copy() -> None:
    """Queues, pools and schedulers can carry it, whatever protocol they use."""
    spec = usual(store="memory:")
    twins = [pickle.loads(pickle.dumps(spec, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]

    for twin in [*twins, copy.copy(spec), copy.deepcopy([spec])[0]]:
        assert type(twin) is StackSpec
        assert (twin, hash(twin), repr(twin)) == (spec, hash(spec), repr(spec))
    assert len(pickle.dumps(spec)) < 500
    assert eval(repr(spec)) == spec


def test_descriptions_are_compared_by_what_they_say() -> None:
    """One can be the key of a cache: one stack for each in a process."""
    spec = usual()
    turned = usual(settings=dict(reversed(SETTINGS.items())))

    assert {spec: 1}[turned] == 1
    assert spec != usual(store="memory:")
    assert spec != usual(secrets={"client_secret": "OTHER_SECRET"})
    assert spec != "spec"
    assert worker_stacks.stack_of(spec) is worker_stacks.stack_of(turned)
    worker_stacks.stack_of(spec).close()


def test_a_description_never_changes() -> None:
    """Neither by setting, nor by what its settings were made from."""
    sizes = [1]
    spec = StackSpec(remembering, settings={"sizes": sizes})
    with pytest.raises(AttributeError, match="never changes"):
        spec._store = "x"
    with pytest.raises(AttributeError, match="never changes"):
        del spec._store
    sizes.append(2)
    arguments(spec)["sizes"].append(3)

    assert arguments(spec) == {"sizes": [1]}


@pytest.mark.parametrize(
    "settings", [{"when": object()}, {"part": float("nan")}, {"deep": {1: "a"}}, {7: "a"}]
)
def test_settings_that_do_not_travel_as_they_are_are_refused(settings: Any) -> None:
    """No number turns into a text on the way, no object into something else."""
    with pytest.raises(ConfigError, match=r"JSON|no text"):
        StackSpec(remembering, settings=settings)


def test_every_stack_that_is_built_is_its_own() -> None:
    """Two builds share the store, and nothing in memory."""
    first, second = usual().build(), usual().build()

    assert isinstance(first.handlers["auth"], AuthHandler)
    assert first.handlers["auth"] is not second.handlers["auth"]
    first.close()
    second.close()


def test_an_error_of_a_workers_stack_comes_back_as_it_is() -> None:
    """A pool sends errors by pickle; the one who waits for the result can tell them apart."""
    with Loopback(lambda _: Reply(400, {"error": "invalid_grant"})) as server:
        settings = {**SETTINGS, "base_url": server.origin, "token_url": f"{server.origin}/token"}
        with usual(settings=settings).build() as stack, pytest.raises(LoginRequired) as caught:
            stack.get("x")

    twin = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(twin, SessionKitError)
    assert isinstance(twin, requests.RequestException)
    assert str(twin) == str(caught.value)
