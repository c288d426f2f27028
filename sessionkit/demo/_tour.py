"""The tour: everything the library is for, shown over one stack against the demo's server."""

from __future__ import annotations

import hashlib
import os
from tempfile import TemporaryFile
from threading import Event, Thread
from typing import IO, TYPE_CHECKING, Any, Protocol

import requests

from sessionkit import SessionStack, Token, recommended
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.auth import RefreshToken
from sessionkit.demo._catalogue import PRODUCTS, Product
from sessionkit.demo._report import (
    ERRORS,
    WALKS,
    CallStatistics,
    Figures,
    Report,
    Span,
    record_of,
    spans_of,
)
from sessionkit.demo._server import CLIENT_ID, PASSWORD, USERNAME, content_digest
from sessionkit.errors import NotFound, ServiceUnavailable, SessionKitError
from sessionkit.paging import Cursor, LinkHeader, NextUrl, Offset

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from sessionkit._clock import Clock
    from sessionkit.paging import Paginator

RETRY_AFTER = 120
BODY_BYTES = 10_240
_POLL_SECONDS = 0.1
_JOIN_TIMEOUT = 0.5


class Server(Protocol):
    """What a tour needs of the demo's server, wherever that runs."""

    token_seconds: float
    token_uses: int

    @property
    def base_url(self) -> str:
        """The API's base."""
        ...

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        ...

    def figures(self) -> dict[str, int]:
        """What the server counted so far."""
        ...


class Listener(Protocol):
    """Told how a tour goes on, always in the thread that runs it."""

    def phase(self, title: str) -> None:
        """A new part begins."""
        ...

    def progress(self, done: float, total: float, unit: str) -> None:
        """*done* of *total* are done."""
        ...

    def say(self, text: str) -> None:
        """Something to show was found out."""
        ...


class WorkerThreads:
    """Run one task in several threads at once. Belongs to the thread that runs it.

    Args:
        size: How many threads.

    Attributes:
        stop: Set when the threads are to end early; tasks look at it between two calls.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.stop = Event()

    def run(self, task: Callable[[int], None], watch: Callable[[], None] = lambda: None) -> None:
        """Run *task* in all threads, with the number of each from 0, until the last one is done.

        Args:
            task: What each thread does; it catches its own exceptions.
            watch: Called about ten times a second meanwhile, in the calling thread.

        Raises:
            KeyboardInterrupt: At Ctrl-C, after the threads were given half a second to end.
        """
        threads = [Thread(target=task, args=(n,), daemon=True) for n in range(self.size)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                # In short waits, for Ctrl-C does not end a long one on every system.
                while thread.is_alive():
                    thread.join(_POLL_SECONDS)
                    watch()
        except BaseException:
            self.stop.set()
            for thread in threads:
                if thread.is_alive():
                    thread.join(_JOIN_TIMEOUT)
            raise


class Caller:
    """Read and order over one stack. Thread-safe, as the stack is.

    Args:
        stack: What the calls go through.
        statistics: Where they are counted.
    """

    def __init__(self, stack: SessionStack, statistics: CallStatistics) -> None:
        self._stack = stack
        self._statistics = statistics

    def get(self, path: str, **params: str | int) -> Response | None:
        """Read *path*; None where that failed."""
        return self._statistics.call(lambda: self._stack.get(path, params=params))

    def order(self, key: str, *, offset: int | None) -> Response | None:
        """Send an order; None where that failed, or where something else arrived.

        Args:
            key: Its name; the server knows a replay by it.
            offset: Send a file, read from so many bytes on; None: send bytes.
        """
        body = os.urandom(BODY_BYTES)
        if offset is None:
            return self._post(key, body, body)
        with TemporaryFile() as file:
            file.write(bytes(offset) + body)
            file.seek(offset)
            return self._post(key, body, file)

    def use_up(self) -> None:
        """Bring the token to its end, so that the next call certainly meets an ended one."""
        left: str | None = None
        while left != "0":
            response = self.get("products/1")
            if response is None:
                return
            left = response.headers["X-Token-Uses-Left"]

    def _post(self, key: str, body: bytes, data: bytes | IO[bytes]) -> Response | None:
        digest = hashlib.sha256(body)
        headers = {"Idempotency-Key": key, "Content-Digest": content_digest(digest.digest())}
        return self._statistics.call(
            lambda: self._stack.post("orders", data=data, headers=headers),
            proof=digest.hexdigest(),
        )


class Tour:
    """One run over all parts. Belongs to the thread that runs it; prints nothing.

    Args:
        server: The demo's server.
        listener: Told how it goes on.
        workers: Threads that share the stack.
        seconds: How long these work, in seconds; the other parts take about three more.
        clock: Where the tour's time comes from.
    """

    def __init__(
        self,
        server: Server,
        listener: Listener,
        *,
        workers: int = 8,
        seconds: float = 3.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._server = server
        self._listener = listener
        self._seconds = seconds
        self._clock = clock
        self._threads = WorkerThreads(workers)
        self._statistics = CallStatistics()
        self._pages = self._objects = self._errors = 0
        self._spans: tuple[Span, ...] = ()
        grant = RefreshToken(server.token_url, client_id=CLIENT_ID)
        self._session = requests.Session()
        # Loopback only: neither a proxy nor a .netrc of this machine has a part in it.
        self._session.trust_env = False
        self._stack = SessionStack(
            self._session, recommended(grant), base_url=server.base_url, clock=clock
        )
        self._caller = Caller(self._stack, self._statistics)

    def run(self) -> Report:
        """Make the whole tour.

        Raises:
            SessionKitError: There was not even a first login.
            KeyboardInterrupt: At Ctrl-C; its threads have ended.
        """
        began = self._clock.monotonic()
        with self._session:
            self._login()
            self._work()
            self._upload()
            self._wait()
            self._walk()
            self._fail()
        figures = self._server.figures()
        del figures["requests"]
        statistics = self._statistics
        return Report(
            Figures(
                calls=statistics.calls,
                calls_ok=statistics.calls_ok,
                pages=self._pages,
                objects=self._objects,
                errors_mapped=self._errors,
                seconds=round(self._clock.monotonic() - began, 3),
                **figures,
            ),
            statistics.shares(),
            self._spans,
            statistics.failures(),
        )

    def _login(self) -> None:
        """Do what a login page would: hand over a first pair of tokens."""
        form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
        response = self._stack.send_direct(
            requests.Request("POST", self._server.token_url, data=form)
        )
        pair = response.json()
        token = Token(pair["access_token"], refresh_token=pair["refresh_token"])
        auth: Any = self._stack.handlers["auth"]
        auth.login(token=token)

    # Tokens that end in mid-flight

    def _work(self) -> None:
        self._listener.phase(f"{self._threads.size} threads at work, one stack")
        begun = self._clock.monotonic()

        def watch() -> None:
            spent = min(self._clock.monotonic() - begun, self._seconds)
            self._listener.progress(spent, self._seconds, "s")

        self._threads.run(lambda worker: self._busy(worker, begun + self._seconds), watch)
        figures = self._server.figures()
        self._listener.say(
            f"{self._statistics.calls} calls, {self._statistics.calls_ok} succeeded; "
            f"{figures['expiries']} tokens ended in mid-flight, "
            f"{figures['renewals']} renewals; "
            f"{figures['replayed_posts_intact']} orders refused and sent again whole"
        )

    def _busy(self, worker: int, end: float) -> None:
        turn = 0
        while self._clock.monotonic() < end and not self._threads.stop.is_set():
            turn += 1
            responses = [
                self._caller.get(f"products/{1 + (31 * worker + turn) % PRODUCTS}"),
                self._caller.get("slow", ms=60),
                self._caller.order(f"work-{worker}-{turn}", offset=0 if turn % 2 else None),
            ]
            if turn % 8 == 0:
                # Refused with 503 once: the retry is the stack's, the call is one.
                responses.append(self._caller.get("flaky", key=f"{worker}-{turn}", after=0))
            if None in responses:
                # The promise is broken already; more of the same would only hammer the server.
                return

    # Bodies that are sent again

    def _upload(self) -> None:
        self._listener.phase("Uploads that meet an ended token")
        before = self._server.figures()["replayed_posts_intact"]
        kinds = {"bytes": None, "a file": 0, "a file read from its middle": BODY_BYTES}
        for number, (kind, offset) in enumerate(kinds.items(), 1):
            self._caller.use_up()
            response = self._caller.order(f"upload-{number}", offset=offset)
            if response is not None:
                self._spans = spans_of(record_of(response))
            self._listener.progress(number, len(kinds), kind)
        intact = self._server.figures()["replayed_posts_intact"] - before
        self._listener.say(
            f"{BODY_BYTES // 1024} KB each as {', '.join(kinds)}: refused with 401, "
            f"token renewed, sent again; {intact} of {len(kinds)} arrived whole"
        )

    # A token that ended between two requests

    def _wait(self) -> None:
        self._listener.phase(f"A token that ends after {self._server.token_seconds:g} s of silence")
        silence = self._server.token_seconds * 1.05
        end = self._clock.monotonic() + silence
        while (left := end - self._clock.monotonic()) > 0:
            self._listener.progress(max(silence - left, 0.0), silence, "s")
            self._clock.sleep(min(left, _POLL_SECONDS))
        before = self._server.figures()["renewals"]
        self._threads.run(self._return)
        renewals = self._server.figures()["renewals"] - before
        self._listener.say(f"{self._threads.size} threads come back at once; renewals: {renewals}")

    def _return(self, worker: int) -> None:
        self._caller.order(f"return-{worker}", offset=None)

    # Pages and objects

    def _walk(self) -> None:
        self._listener.phase("Pages, walked into typed objects")
        walks: dict[str, Paginator] = {
            "products": LinkHeader(),
            "next/products": NextUrl(),
            "cursor/products": Cursor(),
            "offset/products": Offset(page_size=10, total="total"),
        }
        last: Product | None = None
        for url, paginator in walks.items():
            seen: set[int] = set()
            pages = self._stack.paginate(url, paginator=paginator, into=Product)
            for page in self._statistics.walk(pages.pages()):
                self._pages += 1
                for last in page.items:
                    seen.add(last.id)
                self._listener.progress(self._objects + len(seen), WALKS * PRODUCTS, "objects")
            self._objects += len(seen)
        self._listener.say(
            f"{self._pages} pages, {self._objects} objects, "
            f"by {', '.join(type(paginator).__name__ for paginator in walks.values())}"
        )
        if last is not None:
            self._listener.say(f"the last: {_described(last)}")

    # Failures

    def _fail(self) -> None:
        self._listener.phase("Failures as errors")
        try:
            self._stack.get("missing")
        except NotFound as error:
            self._mapped(error, "also a requests.HTTPError")
        except Exception as error:  # noqa: BLE001  # any other class is the failure shown
            self._statistics.failed(error)
        try:
            self._stack.get("busy", params={"after": RETRY_AFTER})
        except ServiceUnavailable as error:
            due = error.retry_after == RETRY_AFTER
            self._mapped(error, f"asks to come back in {error.retry_after or 0:g} s", due=due)
        except Exception as error:  # noqa: BLE001  # as above
            self._statistics.failed(error)
        self._listener.progress(self._errors, ERRORS, "errors")

    def _mapped(self, error: SessionKitError, remark: str, *, due: bool = True) -> None:
        self._errors += due
        self._listener.say(f"{error.message} ({remark})")


def _described(product: Product) -> str:
    price = f"{product.price.amount} {product.price.currency}"
    maker = f"{product.maker.name}, {product.maker.country}"
    return f"{product.name}, {price}, by {maker}, released {product.released:%d %B %Y}"
