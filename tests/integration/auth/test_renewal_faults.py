"""What becomes of a login when a renewal goes wrong: the rows of docs/explanation.

Each test of this file is a row of when-a-renewal-fails.md; tests/house holds the two together.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from sessionkit.auth.renewal._policy import COOL_DOWN
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.servers.real import RedisServer
from tests.support.workers.faults import ANSWER, LOAD, LOCK, REQUEST, SAVE, SAVED

ROOT = Path(__file__).parents[3]
#: Parts of a save after which the process is stopped.
MOMENTS = [number / 16 for number in range(16)]


class HookedIdentity(IdentityProvider):
    """An identity server at which something happens before or after it acts, once.

    Attributes:
        before: Done before the refresh token is consumed; what it returns is the answer.
        after: Done when it is, before the answer leaves; what it returns takes its place.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[], ServerResponse | bytes | None] | None = None
        self.after: Callable[[], ServerResponse | bytes | None] | None = None

    def hooked(self, seen: ServerRequest) -> ServerResponse | bytes:
        """Answer as an API and its token endpoint on one host."""
        if seen.path != "/token":
            return self.respond(seen)
        before, self.before = self.before, None
        if before is not None and (reply := before()) is not None:
            return reply
        answer: ServerResponse | bytes = self.token(seen)
        after, self.after = self.after, None
        return (after() or answer) if after is not None else answer

    def grant(self) -> str:
        """Let a user log in; return the refresh token that comes of it."""
        tokens = self.login()
        self.expire()
        return str(tokens["refresh_token"])


class Worker:
    """A process of tests/support/workers/faults.py, and the server that it calls."""

    def __init__(self, identity: HookedIdentity, origin: str, url: str) -> None:
        self.identity = identity
        self._process = subprocess.Popen(
            [*obeying_rights(), sys.executable, "-m", "tests.support.workers.faults", origin, url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def do(self, name: str, *arguments: Any) -> Any:
        """Have the program do one thing; return what came of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self.told()
        return json.loads(line)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def told(self) -> str:
        """Let it end, and return what it wrote to its log."""
        return self._process.communicate(timeout=30)[1]

    def close(self) -> None:
        """Let it end."""
        self.told()

    def log_in(self) -> None:
        """Do as `LoginRequired` says, after which all is well."""
        self.do("login", self.identity.grant())
        assert self.do("call") == "200"

    def begin_again(self) -> None:
        """Start anew with a token that has ended, and whose refresh token is good."""
        self.do("seed", self.identity.grant())
        self.do("start")

    def asks_for_a_login(self, result: str) -> bool:
        """Tell whether *result* is the one clear error, that says how to go on."""
        hint = "stopped before it could save"
        return result.startswith("LoginRequired") and hint in result and ".login()" in result


def hanging() -> tuple[threading.Event, Callable[[], ServerResponse]]:
    """Return what never answers, and what ends that."""
    over = threading.Event()

    def hang() -> ServerResponse:
        over.wait(30)
        return ServerResponse(503)

    return over, hang


def obeying_rights() -> tuple[str, ...]:
    """Return the command in front of a program that the rights of folders hold for."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return ()
    return ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


@pytest.fixture
def identity() -> HookedIdentity:
    """An identity server with strict rotation: the second use of a refresh token ends it all."""
    return HookedIdentity()


@pytest.fixture
def origin(identity: HookedIdentity) -> Iterator[str]:
    """Where it listens, and the API beside it."""
    with LoopbackServer(identity.hooked) as server:
        yield server.origin


@pytest.fixture
def on_disk(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store in a file."""
    folder = tmp_path / "own"
    folder.mkdir(0o700)
    return f"{request.param}://{folder}/tokens"


@pytest.fixture
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store of any kind."""
    if request.param == "redis":
        return f"{request.getfixturevalue('redis_url')}?lease=0.2"
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"{request.param}://{tmp_path}/tokens"


@pytest.fixture
def worker(
    request: pytest.FixtureRequest, identity: HookedIdentity, origin: str
) -> Iterator[Worker]:
    """A process whose token has ended, and whose refresh token is good."""
    name = {"on_disk", "anywhere"} & set(request.fixturenames)
    with ExitStack() as ending:
        made = Worker(identity, origin, request.getfixturevalue(name.pop()))
        ending.callback(made.close)
        made.do("seed", identity.refresh_token)
        made.do("measure")
        yield made


everywhere = pytest.mark.parametrize(
    "anywhere", ["sqlite", "file", "redis", "postgresql"], indirect=True
)
# Where what the server does is the matter, one store stands for all.
in_sqlite = pytest.mark.parametrize("anywhere", ["sqlite"], indirect=True)
on_disks = pytest.mark.parametrize("on_disk", ["sqlite", "file"], indirect=True)


# -- The process is killed


@everywhere
@pytest.mark.parametrize("step", [LOCK, LOAD, REQUEST])
def test_killed_before_the_token_request(worker: Worker, anywhere: str, step: str) -> None:
    """The others renew in its place; nobody notices."""
    worker.do("arm", step, "kill")
    assert worker.do("die") == signal.SIGKILL
    worker.do("arm", "", "fail")

    assert worker.do("call") == "200"
    assert (worker.identity.renewals, worker.identity.reuse_detected) == (1, 0)


@everywhere
def test_killed_after_the_answer_and_before_the_save(worker: Worker, anywhere: str) -> None:
    """The new token is gone with the process: everybody is told to log in, once."""
    worker.do("arm", ANSWER, "kill")
    assert worker.do("die") == signal.SIGKILL
    worker.do("arm", "", "fail")

    assert worker.asks_for_a_login(worker.do("call"))
    assert worker.asks_for_a_login(worker.do("call"))
    assert worker.identity.reuse_detected == 1
    worker.log_in()


@everywhere
def test_killed_at_any_moment_of_the_save(worker: Worker, anywhere: str) -> None:
    """The store holds the old token or the new one, and goes on either way."""
    outcomes = []
    for part in MOMENTS:
        worker.begin_again()
        worker.do("arm", SAVE, "kill", part)
        assert worker.do("die") == signal.SIGKILL
        worker.do("arm", "", "fail")
        result = worker.do("call")
        outcomes.append(result == "200")
        if result != "200":
            assert worker.asks_for_a_login(result)
            worker.log_in()

    assert outcomes == sorted(outcomes), "what was safe did not stay so"
    assert not outcomes[0]


@everywhere
def test_killed_after_the_save(worker: Worker, anywhere: str) -> None:
    """The others use what it has saved; nobody renews again."""
    worker.do("arm", SAVED, "kill")
    assert worker.do("die") == signal.SIGKILL
    worker.do("arm", "", "fail")

    assert worker.do("call") == "200"
    assert worker.identity.renewals == 1


# -- Ctrl-C


@everywhere
@pytest.mark.parametrize("step", [LOCK, LOAD, REQUEST])
def test_ctrl_c_before_the_token_request(worker: Worker, anywhere: str, step: str) -> None:
    """The call ends; the next one renews."""
    worker.do("arm", step, "ctrl-c")

    assert worker.do("call") == "KeyboardInterrupt"
    assert worker.do("call") == "200"
    assert (worker.identity.renewals, worker.identity.reuse_detected) == (1, 0)


@everywhere
def test_ctrl_c_while_the_server_has_not_acted(worker: Worker, anywhere: str) -> None:
    """The call ends at once, and not when the server pleases; the next one renews."""

    def interrupt() -> ServerResponse:
        worker.interrupt()
        return ServerResponse(503)

    worker.identity.before = interrupt

    assert worker.do("call") == "KeyboardInterrupt"
    assert worker.do("call") == "200"
    assert (worker.identity.renewals, worker.identity.reuse_detected) == (1, 0)


@everywhere
def test_ctrl_c_while_the_answer_is_on_its_way(worker: Worker, anywhere: str) -> None:
    """What the server has sent reaches nobody any more: log in once."""
    worker.identity.after = worker.interrupt

    assert worker.do("call") == "KeyboardInterrupt"
    assert worker.asks_for_a_login(worker.do("call"))
    worker.log_in()


@everywhere
def test_ctrl_c_after_the_answer(worker: Worker, anywhere: str) -> None:
    """The token is saved first; then the call ends."""
    worker.do("arm", ANSWER, "ctrl-c")

    assert worker.do("call") == "KeyboardInterrupt"
    worker.do("start")
    assert worker.do("call") == "200"
    assert worker.identity.renewals == 1


@everywhere
def test_ctrl_c_at_any_moment_of_the_save(worker: Worker, anywhere: str) -> None:
    """The save is made once more from its beginning; then the call ends."""
    for part in MOMENTS:
        worker.begin_again()
        renewals = worker.identity.renewals
        worker.do("arm", SAVE, "ctrl-c", part)

        if worker.do("call") != "KeyboardInterrupt":
            # Four places of psycopg make a failure of the database of it, which is made up for.
            worker.do("advance", COOL_DOWN)
            assert worker.do("call") == "200"
        worker.do("start")
        assert worker.do("call") == "200"
        assert worker.identity.renewals == renewals + 1
    assert worker.identity.reuse_detected == 0


@everywhere
def test_ctrl_c_after_the_save(worker: Worker, anywhere: str) -> None:
    """The call ends; the next one uses what was saved."""
    worker.do("arm", SAVED, "ctrl-c")

    assert worker.do("call") == "KeyboardInterrupt"
    assert worker.do("call") == "200"
    assert worker.identity.renewals == 1


# -- The clock is set


@everywhere
def test_the_clock_is_set_an_hour_ahead(worker: Worker, anywhere: str) -> None:
    """The token looks ended: one renewal too many, and that is all."""
    worker.identity.add_token("access-0")
    worker.do("seed", worker.identity.refresh_token, 3600)
    worker.do("turn", 3600)

    assert worker.do("call") == "200"
    assert worker.do("call") == "200"
    assert (worker.identity.renewals, worker.identity.reuse_detected) == (1, 0)


@everywhere
def test_the_clock_is_set_an_hour_back(worker: Worker, anywhere: str) -> None:
    """The token looks alive when the server has ended it: its 401 is believed, not the clock."""
    worker.do("seed", worker.identity.refresh_token, 3600)
    worker.do("turn", -3600)

    assert worker.do("call") == "200"
    assert worker.do("call") == "200"
    assert (worker.identity.renewals, worker.identity.reuse_detected) == (1, 0)


@in_sqlite
@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.parametrize("step", [LOCK, REQUEST, ANSWER])
def test_the_clock_is_set_during_a_renewal(
    worker: Worker, anywhere: str, step: str, hours: int
) -> None:
    """Deadlines and locks are measured by another clock, which nobody sets."""
    worker.do("turn_at", step, hours * 3600)

    assert worker.do("call", 30.0) == "200"
    assert worker.do("call") == "200"
    assert (worker.identity.renewals, worker.identity.reuse_detected) == (1, 0)


# -- The disk


@on_disks
def test_the_disk_is_full(worker: Worker, on_disk: str) -> None:
    """The program goes on with what it holds, and saves it when there is room."""
    worker.do("quota", 0)
    assert worker.do("call") == "200"
    worker.identity.expire()
    assert worker.do("call") == "200"
    worker.do("quota", -1)
    worker.do("advance", COOL_DOWN)
    assert worker.do("call") == "200"

    worker.do("start")
    assert worker.do("call") == "200"
    assert (worker.identity.renewals, worker.identity.reuse_detected) == (2, 0)
    assert "could not be saved" in worker.told()


@on_disks
def test_the_disk_is_full_until_the_process_ends(worker: Worker, on_disk: str) -> None:
    """The one loss that is not the server's: a warning told of it, and a login mends it."""
    worker.do("quota", 0)
    assert worker.do("call") == "200"
    worker.do("start")

    assert worker.asks_for_a_login(worker.do("call"))
    worker.do("quota", -1)
    worker.log_in()
    assert "a new login may be needed" in worker.told()


@on_disks
@pytest.mark.skipif(os.geteuid() == 0 and not obeying_rights(), reason="root may write anywhere")
def test_the_folder_is_read_only(worker: Worker, on_disk: str) -> None:
    """Nobody is asked for a token that could not be locked; the login is as it was."""
    folder = Path(on_disk.partition("://")[2]).parent
    folder.chmod(0o500)
    result = worker.do("call")
    folder.chmod(0o700)

    assert result.startswith("StoreError")
    assert "yours" in result
    assert worker.identity.token_requests == 0
    assert worker.do("call") == "200"


# -- The store cannot be reached


@everywhere
@pytest.mark.parametrize("step", [LOCK, LOAD])
def test_the_store_is_away_before_the_token_request(
    worker: Worker, anywhere: str, step: str
) -> None:
    """Calls go on while the token lives; then they fail, and nobody asks the server."""
    worker.identity.add_token("access-0")
    assert worker.do("call") == "200"
    worker.do("cut_off", step)
    assert worker.do("call") == "200"
    worker.identity.expire()

    assert worker.do("call").startswith("StoreError: the store is away")
    assert worker.identity.token_requests == 0
    worker.do("cut_off", "")
    assert worker.do("call") == "200"


@everywhere
def test_the_store_is_away_at_the_save(worker: Worker, anywhere: str) -> None:
    """Calls go on with the new token; ten seconds later it is saved."""
    worker.do("cut_off", ANSWER)
    assert worker.do("call") == "200"
    worker.do("cut_off", "")
    worker.do("advance", COOL_DOWN)
    assert worker.do("call") == "200"

    worker.do("start")
    assert worker.do("call") == "200"
    assert (worker.identity.renewals, worker.identity.reuse_detected) == (1, 0)


@pytest.mark.parametrize("during", [False, True], ids=["before", "during"])
def test_redis_is_killed_and_started_again(
    identity: HookedIdentity, origin: str, tmp_path: Path, during: bool
) -> None:
    """As any store that is away: nothing is lost that Redis itself has on its disk."""
    with (
        RedisServer(tmp_path, durable=True) as server,
        closing(Worker(identity, origin, f"{server.url}?lease=0.2")) as worker,
    ):
        worker.do("seed", identity.refresh_token)
        if during:
            identity.after = server.kill
            assert worker.do("call") == "200"
        else:
            server.kill()
            assert worker.do("call").startswith("StoreError")
        server.start()
        worker.do("advance", COOL_DOWN)
        assert worker.do("call") == "200"
        worker.do("start")
        assert worker.do("call") == "200"

    assert (identity.renewals, identity.reuse_detected) == (1, 0)


def test_postgresql_cuts_its_connections_during_a_renewal(
    identity: HookedIdentity, origin: str, postgres_url: str
) -> None:
    """The token is saved by another connection, at once or ten seconds later."""

    def cut() -> None:
        address = postgres_url.replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    with closing(Worker(identity, origin, postgres_url)) as worker:
        worker.do("seed", identity.refresh_token)
        identity.after = cut
        assert worker.do("call") == "200"
        worker.do("advance", COOL_DOWN)
        assert worker.do("call") == "200"
        worker.do("start")
        assert worker.do("call") == "200"

    assert (identity.renewals, identity.reuse_detected) == (1, 0)


# -- The token endpoint


@in_sqlite
def test_the_token_endpoint_is_down(worker: Worker, anywhere: str) -> None:
    """Those who need a token are told so; the next call tries again."""
    worker.identity.is_down = True
    assert worker.do("call").startswith("RenewalFailed")
    worker.identity.is_down = False

    assert worker.do("call") == "200"


@in_sqlite
def test_the_token_endpoint_hangs(worker: Worker, anywhere: str) -> None:
    """A call waits until its own deadline; if the server did not act, the next one renews."""
    over, worker.identity.before = hanging()
    result = worker.do("call", 0.5)
    over.set()

    assert result.startswith("RenewalFailed")
    assert worker.do("call") == "200"
    assert worker.identity.reuse_detected == 0


@in_sqlite
def test_the_token_endpoint_hangs_when_it_has_acted(worker: Worker, anywhere: str) -> None:
    """What it would have answered reaches nobody: log in once."""
    over, worker.identity.after = hanging()
    result = worker.do("call", 0.5)
    over.set()

    assert result.startswith("RenewalFailed")
    assert worker.asks_for_a_login(worker.do("call"))
    worker.log_in()


@in_sqlite
def test_the_token_endpoint_answers_half(worker: Worker, anywhere: str) -> None:
    """The new token was in the other half: log in once."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n"
    worker.identity.after = lambda: head + b'{"access_token": "acc'

    result = worker.do("call")
    assert result.startswith("RenewalFailed")
    assert "acc" not in result.replace("access", "")
    assert worker.asks_for_a_login(worker.do("call"))
    worker.log_in()


@everywhere
def test_the_refresh_token_was_used_by_somebody_else(
    worker: Worker, anywhere: str, origin: str
) -> None:
    """The server ends the whole login, as it must; it is asked once, and everybody is told."""
    stolen = {"grant_type": "refresh_token", "refresh_token": worker.identity.refresh_token}
    assert requests.post(f"{origin}/token", stolen, timeout=30).ok

    for _ in range(3):
        assert worker.asks_for_a_login(worker.do("call"))
    worker.do("start")
    assert worker.asks_for_a_login(worker.do("call"))
    assert worker.identity.token_requests == 3
    worker.log_in()
