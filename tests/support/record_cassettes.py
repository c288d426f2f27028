"""Record the cassettes anew: ``make cassettes``.

Each scenario runs against a demo server of its own on loopback, whose time stands still until the
scenario moves it. ``tests/integration/testing/test_cassettes.py`` plays the same scenarios back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import requests

from sessionkit import ApiClient, SessionStack, Token, recommended
from sessionkit.auth import ClientCredentials, RefreshToken
from sessionkit.demo import DemoServer
from sessionkit.demo._catalogue import Money, Product
from sessionkit.demo._server import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME
from sessionkit.errors import NotFound
from sessionkit.paging import Page
from sessionkit.resources import Collection
from sessionkit.testing import FakeClock
from sessionkit.testing.cassettes import Cassette, cassette

FOLDER = Path(__file__).resolve().parents[2] / "cassettes"
HOST = "api.example"
SECRETS = (CLIENT_SECRET, PASSWORD)
TOKEN_SECONDS = 60.0
ORDER = {"sku": "bag", "count": 2}
UPLOAD = b"not to be sent" + bytes(range(256))
START = 14


@dataclass(frozen=True)
class Setting:
    """Where a scenario runs: at a server, or in a recording of one."""

    session: requests.Session
    clock: FakeClock
    origin: str

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.origin}/oauth/token"

    def stack(self, grant: ClientCredentials | RefreshToken) -> SessionStack:
        """Return a stack as users build it."""
        return SessionStack(
            self.session,
            recommended(grant),
            base_url=f"{self.origin}/api/",
            clock=self.clock,
        )

    def by_client(self) -> SessionStack:
        """Return a stack that logs in by itself."""
        return self.stack(ClientCredentials(self.token_url, CLIENT_ID, client_secret=CLIENT_SECRET))

    def by_user(self) -> SessionStack:
        """Return a stack that somebody has logged in to."""
        stack = self.stack(RefreshToken(self.token_url, client_id=CLIENT_ID))
        form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
        pair = stack.send_direct(requests.Request("POST", self.token_url, data=form)).json()
        auth: Any = stack.handlers["auth"]
        auth.login(token=Token(pair["access_token"], refresh_token=pair["refresh_token"]))
        return stack

    def end_tokens(self) -> None:
        """Let time pass until the tokens handed out so far have ended."""
        self.clock.advance(TOKEN_SECONDS)


@dataclass(frozen=True)
class Order:
    """An order as the catalogue has it."""

    id: int
    state: str
    placed: datetime
    total: Money


class Shop(ApiClient):
    """The demo's API as a typed client."""

    products = Collection(Product, "products")


def login(setting: Setting) -> requests.Response:
    """The first call obtains a token."""
    return setting.by_client().get("products/1")


def renewal(setting: Setting) -> list[requests.Response]:
    """A token ends between two calls; the refresh token brings the next."""
    stack = setting.by_user()
    first = stack.get("products/1")
    setting.end_tokens()
    return [first, stack.get("products/1")]


def replay(setting: Setting) -> list[requests.Response]:
    """Orders meet an ended token, and are sent again: as JSON, and as a file from its middle."""
    stack = setting.by_user()
    setting.end_tokens()
    first = stack.post("orders", json=ORDER)
    setting.end_tokens()
    file = BytesIO(UPLOAD)
    file.seek(START)
    return [first, stack.post("orders", data=file)]


def pages(setting: Setting) -> list[Page[Order]]:
    """Two pages, the way to the second in a header."""
    stack = setting.by_client()
    return list(stack.paginate("orders", params={"per_page": 25}, into=Order).pages())


def typed(setting: Setting) -> Product:
    """One object, its parts typed all the way down."""
    return Shop(setting.by_client()).products.get(7)


def missing(setting: Setting) -> NotFound | None:
    """Something that is not there."""
    try:
        setting.by_client().get("products/999")
    except NotFound as error:
        return error
    return None


SCENARIOS: dict[str, Callable[[Setting], object]] = {
    scenario.__name__: scenario for scenario in (login, renewal, replay, pages, typed, missing)
}


def record(folder: Path) -> None:
    """Record every scenario into *folder*."""
    for name, scenario in SCENARIOS.items():
        clock = FakeClock()
        server = DemoServer(token_seconds=TOKEN_SECONDS, clock=clock)
        with server, requests.Session() as session:
            session.trust_env = False
            hosts = {server.origin.removeprefix("http://"): HOST}
            file = folder / f"{name}.yaml"
            with cassette(file, record="all", secrets=SECRETS, hosts=hosts):
                scenario(Setting(session, clock, server.origin))


@contextmanager
def played_back(name: str) -> Iterator[tuple[Setting, Cassette]]:
    """Open a cassette: the setting of its scenario, and the tape."""
    file = FOLDER / f"{name}.yaml"
    with (
        requests.Session() as session,
        cassette(file, secrets=SECRETS, hint="run `make cassettes`") as tape,
    ):
        yield Setting(session, FakeClock(), f"http://{HOST}"), tape


if __name__ == "__main__":
    record(FOLDER)
    print(f"recorded {', '.join(SCENARIOS)} into {FOLDER.name}/")
