"""One renewal for a fleet: processes that share a login over servers, at strict identity servers.

``python -m benchmarks.fleet [--rounds 50] [--processes 16]`` ends the access token, lets all
processes call at once, and does so again. Over Redis, PostgreSQL, a Django cache on Redis, and
MariaDB where it is installed; against a stand-in that ends the login when a refresh token comes
twice, and against django-oauth-toolkit. Prints one JSON object: for each the calls that were
answered, the renewals, refused refresh tokens, and seconds a round.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from benchmarks.side_by_side import report, told
from sessionkit.testing.server import IdentityProvider, LoopbackServer
from tests.support.servers.oauth_site import CLIENT_SECRET, PASSWORD
from tests.support.servers.real import maria_server, oauth_server, postgres_server, redis_server
from tests.support.workers.fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class StandIn:
    """The stand-in of the tests."""

    def __init__(self, origin: str, identity: IdentityProvider) -> None:
        self.origin, self._identity = origin, identity
        self.login: dict[str, str] = {}

    def expire(self) -> None:
        """End the access token."""
        self._identity.expire()

    def counts(self) -> tuple[int, int]:
        """Return the renewals so far, and the refresh tokens that came twice."""
        return self._identity.renewals, self._identity.reuse_detected


class Site:
    """django-oauth-toolkit."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        form = {"grant_type": "password", "username": "ada", "password": PASSWORD}
        answer = requests.post(f"{origin}/token", data=form, auth=("app", CLIENT_SECRET), timeout=9)
        self.login = {"refresh": answer.json()["refresh_token"], "secret": CLIENT_SECRET}
        self._renewals = self._refused = 0

    def expire(self) -> None:
        """End all access tokens."""
        self._ask(expire=True)

    def counts(self) -> tuple[int, int]:
        """Return the renewals so far, and those that were refused."""
        self._ask()
        return self._renewals, self._refused

    def _ask(self, **asked: bool) -> None:
        found = requests.post(f"{self.origin}/control", json=asked, timeout=9).json()
        self._renewals += found.get("refresh_token 200", 0)
        self._refused += found.get("refresh_token 400", 0)


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Start the stand-in."""
    identity = IdentityProvider()
    with LoopbackServer(identity.respond) as server:
        yield StandIn(server.origin, identity)


@contextmanager
def site() -> Iterator[Site]:
    """Start django-oauth-toolkit."""
    with tempfile.TemporaryDirectory() as folder, oauth_server(Path(folder)) as server:
        yield Site(server.origin)


def measured(server: Any, store: str, *, rounds: int, processes: int) -> dict[str, Any]:
    """Return what came of *rounds* ends of a token."""
    answered, seconds = 0, []
    with Fleet(server.origin, store, processes=processes, **server.login) as fleet:
        fleet.call("/items/0")
        before, refused = server.counts()
        for number in range(rounds):
            server.expire()
            started = time.perf_counter()
            answered += fleet.call(f"/items/{number}").count("200")
            seconds.append(time.perf_counter() - started)
        after, refused_after = server.counts()
    return {
        "calls": rounds * processes,
        "answered": answered,
        "renewals": after - before,
        "refused": refused_after - refused,
        "seconds_a_round": round(statistics.median(seconds), 4),
    }


def main(rounds: int, processes: int) -> None:
    """Print the figures."""
    servers: dict[str, Callable[[], Any]] = {"stand-in": stand_in, "django-oauth-toolkit": site}
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        redis = running.enter_context(redis_server(folder))
        postgres = running.enter_context(postgres_server())
        os.environ["DJANGO_REDIS"] = redis.replace("/0", "/1")
        stores = {"redis": redis, "postgresql": postgres.url()}
        stores["django cache"] = "django-cache:default"
        if shutil.which("mariadbd"):
            stores["mariadb"] = running.enter_context(maria_server()).url
        result: dict[str, Any] = {"rounds": rounds, "processes": processes}
        for server, starting in servers.items():
            for store, url in stores.items():
                with starting() as started:
                    found = measured(started, url, rounds=rounds, processes=processes)
                result[f"{store}, {server}"] = found
    report(result)


if __name__ == "__main__":
    options = told(__doc__, rounds=50, processes=16)
    main(options.rounds, options.processes)
