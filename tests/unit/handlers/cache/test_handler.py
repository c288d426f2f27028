"""The cache handler: whose answers it keeps, where, and what it says of itself."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from sessionkit import CallNext, Exchange, SessionStack, recommended
from sessionkit.auth import (
    Bearer,
    CallableGrant,
    Cookie,
    Header,
    Query,
    RenewalPolicy,
    StaticToken,
)
from sessionkit.chain._exchange import Credential
from sessionkit.errors import ConfigError
from sessionkit.handlers import RateLimitHandler
from sessionkit.handlers.cache import CacheHandler
from tests.unit.handlers.scripted import Reply, Script, stack_over

FRESH = {"Cache-Control": "max-age=60"}


def scripted(count: int) -> list[Reply]:
    """Return fresh answers that can be told apart."""
    return [Reply(200, FRESH, b"%d" % number) for number in range(count)]


def stack_of(token: str, cache: CacheHandler, script: Script, scheme: Any = None) -> SessionStack:
    """Return a user's own stack: own session, own login, and the shared cache."""
    session = requests.Session()
    session.mount("http://", script)
    chain = recommended(StaticToken(token), scheme=scheme or Bearer())
    stack = SessionStack(session, chain, base_url="http://api.example/")
    stack.handlers.add(cache)
    return stack


@pytest.mark.parametrize(
    "scheme", [Bearer(), Header("X-Odd"), Query("appid"), Cookie("sid")], ids=repr
)
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_two_users_never_share_an_answer(scheme: Any, kind: str, tmp_path: Path) -> None:
    """However a token rides, and though the server says no more than ``max-age``."""
    cache = CacheHandler(None if kind == "memory" else tmp_path / "cache.db")
    script = Script(*scripted(2))
    ada, bob = (stack_of(f"token-of-{name}", cache, script, scheme) for name in ("ada", "bob"))

    responses = [stack.get("me").content for stack in (ada, bob, ada, bob)]
    assert responses == [b"0", b"1", b"0", b"1"]
    assert script.sent == 2
    cache.close()


def test_sessions_with_logins_of_their_own_share_nothing_either() -> None:
    """Credentials that no handler placed count as well: the session's own."""
    cache, script = CacheHandler(), Script(*scripted(5))
    kinds: list[dict[str, Any]] = [
        {},
        {"auth": ("ada", "x")},
        {"auth": ("bob", "x")},
        {"headers": {"X-Tenant": "7"}},
        {"cookies": {"sid": "x"}},
    ]
    for settings in kinds * 2:
        session = requests.Session()
        session.mount("http://", script)
        session.auth = settings.get("auth")
        session.headers.update(settings.get("headers", {}))
        session.cookies.update(settings.get("cookies", {}))
        SessionStack(session, [cache]).get("http://api.example/me")

    assert script.sent == 5


def test_what_a_session_adds_while_it_sends_is_never_kept() -> None:
    """A login that cannot be foreseen could be anybody's."""

    class OwnToken(requests.Session):
        token = "ada"

        def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # as users write it
            kwargs["headers"] = {"Authorization": f"Bearer {self.token}"}
            return super().request(method, url, **kwargs)

    script, session = Script(*scripted(3)), OwnToken()
    session.mount("http://", script)
    stack = SessionStack(session, [CacheHandler()], base_url="http://api.example/")

    first = stack.get("me").content
    session.token = "bob"
    assert (first, stack.get("me").content, stack.get("me").content) == (b"0", b"1", b"2")


class Signing:
    """Signs each request over what it is."""

    def __init__(self) -> None:
        self.count = 0

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange.on_prepared(self._sign))

    def _sign(self, request: requests.PreparedRequest) -> None:
        self.count += 1
        request.headers["X-Stamp"] = str(self.count)


def test_signed_requests_are_kept_only_where_it_is_said_who_asks() -> None:
    """A signature says nothing of its owner before it is made."""
    script = Script(*scripted(3))
    unknown, _ = stack_over(script, Signing(), CacheHandler())
    known, _ = stack_over(script, Signing(), CacheHandler(principal=lambda _: "ada"))

    responses = [stack.get("me").content for stack in (unknown, unknown, known, known)]
    assert responses == [b"0", b"1", b"2", b"2"]


def test_a_principal_keeps_answers_over_new_tokens() -> None:
    """Where it is said who asks, his next token finds what the last one left."""
    cache = CacheHandler(principal=lambda exchange: exchange.option("operation"))
    script = Script(*scripted(2))
    old, new = stack_of("token-1", cache, script), stack_of("token-2", cache, script)
    for stack in (old, new):
        stack.handlers.add(NamedOperation(), outermost=True)

    responses = [
        stack.get("me", operation=user).content for user in ("ada", "bob") for stack in (old, new)
    ]
    assert responses == [b"0", b"0", b"1", b"1"]


class NamedOperation:
    """Declares the option that the principal is read from."""

    options = frozenset({"operation"})

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange)


def test_a_secret_that_is_added_further_in_keeps_nothing() -> None:
    """A second login inside the cache is not overlooked."""

    class Inner:
        def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
            origins = frozenset({exchange.base_origin or ""})
            return call_next(
                exchange.with_credential(Credential("header", "X-Odd", "hush", origins))
            )

    script = Script(*scripted(2))
    stack, _ = stack_over(script, CacheHandler(), Inner())

    assert [stack.get("me").content for _ in range(2)] == [b"0", b"1"]


def test_no_secret_and_no_address_is_written_down(tmp_path: Path) -> None:
    """Whoever gets hold of the file learns who asked for nothing, and where nothing."""
    cache = CacheHandler(tmp_path / "cache.db")
    vary = {**FRESH, "Vary": "Authorization, X-Api-Key", "Set-Cookie": "sid=hush-cookie"}
    stack = stack_of("hush-token", cache, Script(Reply(200, vary, b"body")))
    call: dict[str, Any] = {
        "params": {"api_key": "hush-query"},
        "headers": {"X-Api-Key": "hush-header"},
        "cookies": {"session": "hush-jar"},
    }
    for _ in range(2):
        stack.get("hush-path", **call)

    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"body" in written
    assert b"hush" not in written
    assert "hush" not in repr(cache)
    cache.close()


def test_an_answer_from_the_cache_costs_no_budget_of_requests() -> None:
    """Only what goes out counts against the rate."""
    script = Script(*scripted(1))
    stack, clock = stack_over(script, CacheHandler(), RateLimitHandler("1/minute"))
    for _ in range(3):
        stack.get("tasks")

    assert list(clock.sleeps) == []


def test_an_answer_from_the_cache_renews_no_token() -> None:
    """What was kept says nothing of the token that is used now."""
    renewed: list[object] = []

    def token(*_: object) -> str:
        renewed.append(1)
        return "token"

    seen: list[object] = []

    def refuses(response: requests.Response) -> bool:
        seen.append(response)
        return len(seen) > 1

    policy = RenewalPolicy(is_expired=refuses)
    chain = recommended(CallableGrant(token), policy=policy)
    script = Script(Reply(200, FRESH, b"fine"), Reply(200, FRESH, b"fine"))
    stack, _ = stack_over(script)
    for name, handler in chain.items():
        stack.handlers.add(handler, name=name)
    stack.handlers.add(CacheHandler())
    for _ in range(3):
        stack.get("tasks")

    assert len(renewed) == 1
    assert script.sent == 1


def test_a_broken_cache_costs_a_request_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Calls succeed whatever has become of the file."""
    path = tmp_path / "cache.db"
    path.write_bytes(b"no database at all, though it is long enough to be one " * 99)
    with caplog.at_level(logging.WARNING):
        stack, _ = stack_over(Script(*scripted(2)), CacheHandler(path))
        responses = [stack.get("tasks").content for _ in range(2)]

    assert responses == [b"0", b"1"]
    assert [record.name for record in caplog.records] == ["sessionkit.cache"]


def test_a_cache_can_be_cleared_and_closed() -> None:
    """After a logout nothing is left; after closing, calls go on."""
    cache = CacheHandler()
    stack, _ = stack_over(Script(*scripted(4)), cache)

    def get() -> bytes:
        return stack.get("tasks").content

    first = [get(), get()]
    cache.clear()
    second = [get(), get()]
    cache.close()
    assert [*first, *second, get(), get()] == [b"0", b"0", b"1", b"1", b"2", b"3"]


def test_an_address_that_only_the_session_completes_passes_by() -> None:
    """What cannot be foreseen is not kept, and works as without the cache."""

    class Completing(requests.Session):
        def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # as users write it
            return super().request(method, f"http://api.example/{url}", **kwargs)

    session = Completing()
    session.mount("http://", Script(*scripted(2)))
    stack = SessionStack(session, [CacheHandler()])

    assert [stack.get("me").content for _ in range(2)] == [b"0", b"1"]


def test_a_wrong_address_fails_as_ever() -> None:
    """What requests says of it is not hidden by the cache."""
    stack = SessionStack(requests.Session(), [CacheHandler()])

    with pytest.raises(requests.exceptions.InvalidURL):
        stack.get("no scheme")


@pytest.mark.parametrize(
    "settings",
    [{"max_bytes": 0}, {"max_body_bytes": -1}, {"max_body_bytes": True}, {"max_bytes": 1.5}],
    ids=str,
)
def test_bounds_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    """At once, and not when the first answer comes."""
    with pytest.raises(ConfigError, match="must be a number of bytes above 0"):
        CacheHandler(**settings)


def test_a_file_in_no_folder_is_refused(tmp_path: Path) -> None:
    """A typing error is no damaged cache."""
    with pytest.raises(ConfigError, match="there is no folder"):
        CacheHandler(tmp_path / "nowhere" / "cache.db")


def test_a_cache_shows_its_settings(tmp_path: Path) -> None:
    """``explain()`` says where answers go and how many; not how callers are told apart."""
    assert (
        repr(CacheHandler(max_bytes=10, max_body_bytes=5))
        == "CacheHandler(max_bytes=10, max_body_bytes=5)"
    )
    known = CacheHandler(tmp_path / "c.db", principal=lambda _: "ada")
    assert repr(known).startswith(f"CacheHandler('{tmp_path / 'c.db'}', principal=..., max_bytes")
    known.close()


def test_another_hishel_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its API changes with each major version: said at once, and not by each call."""
    import hishel

    monkeypatch.delattr(hishel, "IdleClient")
    with pytest.raises(ConfigError, match="hishel>=2"):
        CacheHandler()


def test_a_missing_extra_names_the_cure() -> None:
    """The line that installs it, and not a traceback into an import."""
    program = (
        "import sys; sys.modules['hishel'] = None\n"
        "from sessionkit.handlers.cache import CacheHandler\n"
        "try: CacheHandler()\nexcept ImportError as error: print(error)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert 'pip install "requests-sessionkit[cache]"' in ended.stdout
