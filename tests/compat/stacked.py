"""A pytest plugin that puts a stack in place of ``requests.Session``, for suites of others.

Loaded by ``tests.compat.foreign_suites`` into the runs that it compares, as ``-p stacked``: on its
own, because those suites have a package named ``tests`` too. ``SESSIONKIT_MODE`` says what every
session is: ``bare`` (requests' own class), ``transparent`` (a stack without handlers), ``passing``
(two handlers that hand on), or ``recommended``.
"""

from __future__ import annotations

import inspect
import ipaddress
import os
import socket
import sys
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, ClassVar
from wsgiref.simple_server import WSGIServer, make_server

import pytest
import pytest_httpbin.serve
import requests

from sessionkit import SessionStack, recommended
from sessionkit._clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessionkit import CallNext, Exchange

MODE = os.environ["SESSIONKIT_MODE"]
REAL = requests.sessions.Session


# -- The network: loopback only ------------------------------------------------------------------


def guard(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to leave this machine: foreign names do not resolve, other addresses are an error."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    if name == "localhost" or name.endswith(".localhost"):
        return
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        # What the suites expect of such names; here no resolver is asked.
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
    if not address.is_loopback:
        raise RuntimeError(f"a foreign suite talks to this machine only, not to {name}")


def threaded(
    host: str,
    port: int,
    app: Any,
    server_class: type[WSGIServer] = WSGIServer,
    **kwargs: Any,
) -> WSGIServer:
    """Make httpbin's server answer side by side.

    As it comes it answers one request at a time, so a test of read time-outs leaves the tests after
    it to wait for the end of an answer that nobody reads: longer, the more often it was asked.
    """
    bases = (ThreadingMixIn, server_class)
    side_by_side = type("SideBySide", bases, {"daemon_threads": True})
    return make_server(host, port, app, server_class=side_by_side, **kwargs)


# -- The stack -----------------------------------------------------------------------------------


class Hasty:
    """The machine's clock, but for the waits between retries: they are over at once."""

    monotonic = staticmethod(SYSTEM_CLOCK.monotonic)
    time = staticmethod(SYSTEM_CLOCK.time)

    def sleep(self, seconds: float) -> None:
        """Wait for nothing."""


def outer(exchange: Exchange, call_next: CallNext) -> requests.Response:
    """Hand on."""
    return call_next(exchange)


def inner(exchange: Exchange, call_next: CallNext) -> requests.Response:
    """Hand on."""
    return call_next(exchange)


CHAINS: dict[str, Callable[[], Any]] = {
    "transparent": dict,
    "passing": lambda: {"outer": outer, "inner": inner},
    "recommended": lambda: recommended(errors=False),
}


class Stacked(SessionStack):
    """A stack that counts its calls: what shows that a run did not go past it."""

    _calls: ClassVar[int] = 0

    def __init__(self, session: requests.Session) -> None:
        super().__init__(session, CHAINS[MODE](), clock=Hasty())
        self._owned = (self._inner,)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Count, and send."""
        Stacked._calls += 1
        return super().send(request, **kwargs)

    def _enter(self, entry: str, method: str, url: Any, *args: Any, **kwargs: Any) -> Any:
        Stacked._calls += 1
        return super()._request_by(entry, method, url, *args, **kwargs)


class Replacing(type):
    """Makes stacks where requests' class makes sessions, and is that class in all other respects.

    A session of a subclass goes into a stack, unless the subclass is made to go around a session:
    then the stack goes into it. What is set on the class is set on requests' own, because that is
    what mocks of ``requests.Session.send`` mean.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make a session, and the stack around or inside it."""
        if cls is Session:
            return Stacked(REAL(*args, **kwargs))
        if "session" in inspect.signature(vars(cls).get("__init__", REAL)).parameters:
            kwargs.setdefault("session", Stacked(REAL()))
            return super().__call__(*args, **kwargs)
        return Stacked(super().__call__(*args, **kwargs))

    def __instancecheck__(cls, instance: object) -> bool:
        """Take a stack for a session, which it is."""
        return isinstance(instance, REAL) if cls is Session else super().__instancecheck__(instance)

    def __setattr__(cls, name: str, value: Any) -> None:
        """Set on requests' own class."""
        type.__setattr__(REAL if cls is Session else cls, name, value)

    def __delattr__(cls, name: str) -> None:
        """Delete on requests' own class."""
        type.__delattr__(REAL if cls is Session else cls, name)


class Session(REAL, metaclass=Replacing):
    """Stands for ``requests.Session``."""


def install() -> None:
    """Put the stack in the class's place; the class stays importable, or it would not pickle."""
    REAL.__qualname__ = "RealSession"
    vars(sys.modules[REAL.__module__])["RealSession"] = REAL
    for module in (requests, requests.sessions):
        vars(module)["Session"] = Session


def pytest_itemcollected(item: pytest.Item) -> None:
    """Write into the report by what name a test is run again."""
    item.user_properties.append(("test", item.nodeid))


@pytest.fixture(scope="session", autouse=True)
def _counted(record_testsuite_property: Callable[[str, object], None]) -> Iterator[None]:
    yield
    record_testsuite_property("calls", Stacked._calls)


sys.addaudithook(guard)
pytest_httpbin.serve.make_server = threaded
if MODE != "bare":
    install()
