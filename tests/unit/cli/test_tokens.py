"""``python -m sessionkit tokens``: a store looked at, and nothing secret shown."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import requests

from sessionkit import ApiClient, SessionStack, StackSpec, Token, recommended
from sessionkit.auth import ClientCredentials
from sessionkit.cli import main
from sessionkit.cli._tokens import list_tokens, printable
from sessionkit.stores import SqliteTokenStore, open_store
from sessionkit.testing import FakeClock
from sessionkit.testing.server import IdentityProvider, LoopbackServer
from tests.support.workers.stacks import with_client

SECRETS = ("planted-value", "planted-refresh", "planted-extra")
WIDTH = 60


@pytest.fixture
def store(tmp_path: Path) -> SqliteTokenStore:
    """An empty store."""
    return SqliteTokenStore(tmp_path / "tokens.db")


@pytest.fixture
def url(tmp_path: Path, store: SqliteTokenStore) -> str:
    """Its URL."""
    return f"sqlite://{tmp_path}/tokens.db"


def planted(clock: FakeClock, life: float | None = None, **fields: Any) -> Token:
    """A token whose secrets would be found in any output."""
    value, refresh, extra = SECRETS
    token = Token(
        value, refresh_token=refresh, extra={"id_token": extra}, expires_in=life, **fields
    )
    return token.with_expiry(clock.time())


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        (3600, "ends in 60 min"),
        (30, "ends in 30 s"),
        (119, "ends in 119 s"),
        (120, "ends in 2 min"),
        (86_400, "ends in 24 h"),
        (172_799, "ends in 48 h"),
        (172_800, "ends in 2 days"),
        (864_000, "ends in 10 days"),
        (0, "ended 0 s ago"),
        (None, "its end is not known"),
    ],
)
def test_a_token_is_shown_by_its_end_and_never_by_its_value(
    url: str, capsys: pytest.CaptureFixture[str], life: float | None, expected: str
) -> None:
    """Who looks for the reason of a failure sees it, and may show it to anybody."""
    clock = FakeClock()
    open_store(url).save("ann", token := planted(clock, life, scope="read write"))

    for as_json in (False, True):
        assert list_tokens(url, as_json=as_json, clock=clock) == 0
        text, errors = capsys.readouterr()
        assert errors == ""
        assert not [secret for secret in SECRETS if secret in text]
        assert token.fingerprint in text
        assert as_json or [expected, "can be renewed"] == text.splitlines()[1][12:].split(", ")
        assert "read write" in text


def test_a_token_that_ended_is_shown_with_how_long_ago(
    store: SqliteTokenStore, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A login that nobody has used for weeks is seen at a glance."""
    clock = FakeClock()
    store.save("ann", planted(clock, 60))
    clock.advance(7260)

    assert list_tokens(url, as_json=False, clock=clock) == 0
    assert "ended 2 h ago, can be renewed" in capsys.readouterr().out


def test_a_script_reads_the_same_as_json(
    store: SqliteTokenStore, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Monitoring can tell which logins will need somebody."""
    clock = FakeClock()
    store.save("ann", planted(clock, 3600.26, scope="read"))
    store.save("bob", Token("planted-value"))
    list_tokens(url, as_json=True, clock=clock)

    ann, bob = json.loads(capsys.readouterr().out)
    assert ann == {
        "key": "ann",
        "state": "alive",
        "fingerprint": Token("planted-value").fingerprint,
        "expires_at": clock.time() + 3600.26,
        "seconds_left": 3600.3,
        "scope": "read",
        "has_refresh_token": True,
    }
    assert (bob["expires_at"], bob["seconds_left"], bob["has_refresh_token"]) == (None, None, False)


def test_a_script_sees_what_has_ended_and_what_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By one word each."""
    path = tmp_path / "tokens.json"
    entries = {"ann": {"value": "x", "expires_at": 1.0}, "bob": "?"}
    path.write_text(json.dumps({"sessionkit": 1, "tokens": entries}))
    path.chmod(0o600)

    assert main(["tokens", "list", "--json", "--store", f"file://{path}"]) == 0
    expected = json.loads(capsys.readouterr().out)
    assert [(entry["key"], entry["state"]) for entry in expected] == [
        ("ann", "ended"),
        ("bob", "unreadable"),
    ]


def test_lines_fit_sixty_columns_but_for_keys(
    store: SqliteTokenStore,
    url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They read well in a pipe; a key stays in one piece, to be copied."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    key = "app@https://id.example/a/rather/long/path/to/the/token/endpoint"
    store.save(key, planted(FakeClock(), 3600))

    assert main(["tokens", "list", "--store", url]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == key
    assert max(map(len, lines)) <= WIDTH


def test_an_entry_that_cannot_be_read_hides_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One damaged login does not keep the others from being looked at."""
    path = tmp_path / "tokens.json"
    entry = {"value": "planted-value"}
    path.write_text(json.dumps({"sessionkit": 1, "tokens": {"ann": entry, "bob": "?"}}))
    path.chmod(0o600)

    assert main(["tokens", "list", "--store", f"file://{path}"]) == 0
    text = capsys.readouterr().out
    assert "ann" in text
    assert "bob\n  cannot be read" in text


def test_an_empty_store_says_so(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No output at all would look like a fault."""
    assert main(["tokens", "list", "--store", url]) == 0
    assert capsys.readouterr().out == "no tokens\n"


def test_one_token_is_shown_by_its_key(
    store: SqliteTokenStore, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also in a store that cannot tell its keys."""
    store.save("ann", planted(FakeClock()))
    store.save("bob", Token("planted-value"))

    assert main(["tokens", "show", "ann", "--store", url]) == 0
    text = capsys.readouterr().out
    assert "bob" not in text
    assert "no tokens" not in text
    assert main(["tokens", "show", "bob", "--store", url]) == 0
    assert "no refresh token" in capsys.readouterr().out
    assert main(["tokens", "show", "eve", "--store", url]) == 1
    assert capsys.readouterr() == ("", "no token under eve\n")


def test_a_token_that_ended_is_shown_as_well(
    store: SqliteTokenStore, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is there, and may be renewed; a script reads it in the same form as a list."""
    store.save("ann", Token("planted-value", expires_at=1.0))

    assert main(["tokens", "show", "ann", "--json", "--store", url]) == 0
    (ann,) = json.loads(capsys.readouterr().out)
    assert (ann["key"], ann["state"]) == ("ann", "ended")


def test_a_token_is_forgotten_on_demand(
    store: SqliteTokenStore, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A login that nobody shall use again is gone; to say so twice is no failure."""
    store.save("ann", planted(FakeClock()))
    for _ in range(2):
        assert main(["tokens", "delete", "ann", "--store", url]) == 0

    assert store.load("ann") is None
    assert capsys.readouterr().out == "deleted: ann\n" * 2


def test_a_renewal_under_way_does_not_bring_back_what_is_forgotten(
    store: SqliteTokenStore, url: str
) -> None:
    """The deletion waits for its end."""
    deleting = threading.Thread(target=main, args=(["tokens", "delete", "ann", "--store", url],))
    with store.lock("ann", 1.0):
        deleting.start()
        deleting.join(0.5)
        store.save("ann", planted(FakeClock()))
    deleting.join(30)

    assert store.load("ann") is None


def test_the_store_may_come_from_the_environment(
    store: SqliteTokenStore,
    url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A URL with a password does not have to stand on a command line, for all to read."""
    monkeypatch.delenv("SESSIONKIT_STORE", raising=False)
    assert main(["tokens", "list"]) == 1
    assert "--store URL, or set SESSIONKIT_STORE" in capsys.readouterr().err

    monkeypatch.setenv("SESSIONKIT_STORE", url)
    store.save("ann", planted(FakeClock()))
    assert main(["tokens", "list"]) == 0
    assert capsys.readouterr().out.startswith("ann\n")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nowhere:x", "known are memory:"),
        ("sqlite:///no/such/folder/tokens.db", "mkdir"),
        ("keyring:program", "show KEY"),
    ],
)
def test_what_cannot_be_listed_is_told_with_a_way_on(
    url: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message, not a traceback."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    import keyring

    keyring.core.init_backend()

    assert main(["tokens", "list", "--store", url]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "shown"),
    [("ann", "ann"), ("a\x1b[2Jb", "a\\x1b[2Jb"), ("\udc80", "\\udc80"), ("", "")],
)
def test_a_key_cannot_take_over_the_terminal(text: str, shown: str) -> None:
    """Keys may hold names that strangers chose."""
    assert printable(text) == shown


def test_no_line_can_take_over_the_terminal(
    store: SqliteTokenStore, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither by a key nor by a scope, whichever command shows it."""
    key = "a\x1b[2Jb"
    store.save(key, Token("x", scope="read\x1b[2J"))

    for command in (["list"], ["show", key], ["delete", key], ["show", key]):
        main(["tokens", *command, "--store", url])
    text = "".join(capsys.readouterr())
    assert "\x1b" not in text
    assert text.count("a\\x1b[2Jb") == 4
    assert "scope read\\x1b[2J" in text


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "é"), ("ascii", "\\xe9"), (None, "\\xe9")]
)
def test_a_key_is_shown_as_the_terminal_can(
    encoding: str | None, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with an accent is no reason to fail, also where nothing is known of the output."""
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding) if encoding else io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)

    assert printable("é") == shown


def test_a_store_that_is_not_installed_is_told_with_the_line_that_installs_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a traceback of an import."""
    monkeypatch.setitem(sys.modules, "redis", None)

    assert main(["tokens", "list", "--store", "redis://127.0.0.1:1/0"]) == 1
    assert 'pip install "requests-sessionkit[redis]"' in capsys.readouterr().err


# -- Logging in


class Shop(ApiClient):
    """A client."""


class Noting(SessionStack):
    """A stack that notes that it was closed."""

    closed = 0

    def close(self) -> None:
        """Note it, and close."""
        type(self).closed += 1
        super().close()


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[ModuleType, IdentityProvider]]:
    """A user's module, and the server that it logs in at."""
    identity = IdentityProvider()
    module = ModuleType("planted_shop")
    monkeypatch.setitem(sys.modules, "planted_shop", module)
    monkeypatch.setenv("PLANTED_SECRET", "planted-secret")
    settings = {"base_url": "", "token_url": "", "client_id": "app"}
    with LoopbackServer(identity.respond) as server, requests.Session() as session:
        settings |= {"base_url": server.origin, "token_url": f"{server.origin}/token"}
        grant = ClientCredentials(settings["token_url"], "app", client_secret="planted-secret")
        stack = SessionStack(session, recommended(grant), base_url=server.origin)
        keyed = SessionStack(
            session, {"log": lambda e, call_next: call_next(e)}, base_url="http://a.b"
        )
        spec = StackSpec(with_client, kwargs=settings, env={"client_secret": "PLANTED_SECRET"})
        made = {"stack": stack, "client": Shop(stack), "spec": spec, "keyless": keyed, "number": 7}
        own = Noting(session, recommended(grant), base_url=server.origin)
        shops = SimpleNamespace(first=stack)
        vars(module).update(made, own=own, made=lambda: own, build=spec.build)
        vars(module).update(shops=shops, count=lambda: 7)
        yield module, identity


@pytest.mark.parametrize("name", ["stack", "client", "spec", "build", "shops.first"])
def test_a_login_is_made_by_whatever_holds_a_stack(
    place: tuple[ModuleType, IdentityProvider], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program's own settings are used; nothing has to be typed again."""
    assert main(["tokens", "login", f"planted_shop:{name}"]) == 0
    assert capsys.readouterr() == ("logged in: auth\n", "")
    assert place[1].token_requests == 1


@pytest.mark.parametrize(("options", "attempts"), [([], 1), (["--again"], 2)])
def test_a_login_that_lives_is_kept_unless_another_one_is_wanted(
    place: tuple[ModuleType, IdentityProvider], options: list[str], attempts: int
) -> None:
    """Logging in twice disturbs nobody; for another account there is a way."""
    assert main(["tokens", "login", "planted_shop:stack"]) == 0
    assert main(["tokens", "login", "planted_shop:stack", *options]) == 0
    assert place[1].token_requests == attempts


@pytest.mark.parametrize(("name", "closed"), [("made", 1), ("own", 0)])
def test_a_stack_that_was_made_for_the_login_is_closed_after_it(
    place: tuple[ModuleType, IdentityProvider],
    name: str,
    closed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Connections do not stay open, and a stack of the program's own stays as it was."""
    monkeypatch.setattr(Noting, "closed", 0)

    assert main(["tokens", "login", f"planted_shop:{name}"]) == 0
    assert Noting.closed == closed


@pytest.mark.usefixtures("place")
def test_a_stack_that_a_spec_made_is_closed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is nobody else's."""
    monkeypatch.setattr(Noting, "closed", 0)
    spec = StackSpec("planted_shop:made")
    monkeypatch.setattr(sys.modules["planted_shop"], "own_spec", spec, raising=False)

    assert main(["tokens", "login", "planted_shop:own_spec"]) == 0
    assert Noting.closed == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("planted_shop:number", "is no stack but int"),
        ("planted_shop:count", "is no stack but int"),
        ("planted_shop:nothing", "MODULE:NAME"),
        ("no_such_module:x", "MODULE:NAME"),
        ("planted_shop:", "MODULE:NAME"),
        (":", "MODULE:NAME"),
        ("planted_shop:keyless", "has no AuthHandler"),
    ],
)
def test_a_place_without_a_login_is_told(
    place: tuple[ModuleType, IdentityProvider],
    name: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A typing error is not a traceback."""
    assert main(["tokens", "login", name]) == 1
    assert said in capsys.readouterr().err


def test_a_refused_login_is_told_without_its_secret(
    place: tuple[ModuleType, IdentityProvider], capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status says no, the message why."""
    place[1].is_down = True

    assert main(["tokens", "login", "planted_shop:stack"]) == 1
    text, errors = capsys.readouterr()
    assert text == ""
    assert "server_error" in errors
    assert "planted-secret" not in errors
    assert os.environ["PLANTED_SECRET"] == "planted-secret"
