"""Whatever a server does wrong: each call ends, in an answer or an error of ours, and leaves none.

What each fault is, in class and in words, is tested in test_faults.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
import requests
from requests.adapters import HTTPAdapter

from sessionkit import SessionStack, recommended
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.auth import StaticToken
from sessionkit.errors import (
    BodyTooLarge,
    ConnectionLost,
    DeadlineExceeded,
    IncompleteBody,
    ServerError,
    SessionKitError,
    StatusError,
    TlsFailed,
    TransportError,
)
from sessionkit.handlers import (
    CircuitBreakerHandler,
    DeprecationHandler,
    ErrorHandler,
    HeadersHandler,
    LoggingHandler,
    RateLimitHandler,
    RetryBudget,
    RetryHandler,
    SizeHandler,
    TimeoutHandler,
)
from sessionkit.handlers._errors import MAX_SECONDS
from tests.support.tables.fault_lab import (
    DEADLINE,
    FAULTS,
    FINE,
    IN_THE_MEANING,
    MILLION,
    REDIRECTS,
    RETRY_AFTER,
    REUSE,
    TIMEOUT,
    Fault,
    FaultLab,
)

#: Far less than anything here would take without a bound, with room for a loaded machine.
SOON = 20.0
#: Pieces of a stream that a caller reads, and their size: some never end.
PIECES, PIECE = 3, 8
TOKEN = "planted-token"


@pytest.fixture(scope="module")
def lab() -> Iterator[FaultLab]:
    """Start the server of all faults."""
    with FaultLab() as server:
        yield server


class Counting(HTTPAdapter):
    """An adapter that knows whether all its connections are back."""

    @property
    def checked_out(self) -> int:
        """Connections that somebody still holds."""
        manager: Any = self.poolmanager
        pools = [manager.pools[key] for key in manager.pools.keys()]  # noqa: SIM118  # a container of its own
        return sum(pool.pool.maxsize - pool.pool.qsize() for pool in pools)


def with_all(origin: str) -> dict[str, Any]:
    """Return a chain of all handlers there are, each in its place."""
    chain: dict[str, Any] = {
        "logging": LoggingHandler(verbose=True),
        "errors": ErrorHandler(),
        "deprecation": DeprecationHandler(),
    }
    chain |= recommended(StaticToken(TOKEN), origins=[origin])
    auth = chain.pop("auth")
    chain["timeout"] = TimeoutHandler(DEADLINE)
    chain["retry"] = RetryHandler(budget=RetryBudget(), always_send_key=True)
    return {
        **chain,
        "circuit_breaker": CircuitBreakerHandler(1_000),
        "headers": HeadersHandler(user_agent="lab/1"),
        "auth": auth,
        "ratelimit": RateLimitHandler(),
        "size": SizeHandler(MILLION),
    }


Chain = Callable[[str], dict[str, Any]]
CHAINS: dict[str, Chain] = {
    "plain errors": lambda _: recommended(errors=False),
    "recommended": lambda origin: recommended(StaticToken(TOKEN), origins=[origin]),
    "all": with_all,
}


class Visit:
    """A call to the lab on a session of its own, and what became of it."""

    def __init__(self, lab: FaultLab, chain: str) -> None:
        self._lab = lab
        self.session = requests.Session()
        self.adapter = Counting()
        self.session.mount("http://", self.adapter)
        self.session.mount("https://", self.adapter)
        self.stack = SessionStack(self.session, CHAINS[chain](lab.origin))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def ask(self, fault: Fault, *, stream: bool = False, **options: Any) -> requests.Response:
        """Make the call with time enough, and read its answer."""
        given: dict[str, Any] = {
            "timeout": SOON,
            "total_timeout": SOON,
            "stream": stream,
            **options,
        }
        return begun(self.stack.get(self._lab.url(fault), **given), stream=stream)

    def end(self, fault: Fault, *, stream: bool) -> requests.Response | Exception:
        """Make the call in a hurry, and return how it ended."""
        try:
            return self.ask(fault, stream=stream, timeout=TIMEOUT, total_timeout=DEADLINE)
        except Exception as error:  # noqa: BLE001  # whatever it is
            return error

    def fine(self) -> Any:
        """Return what the next call on the session itself brings, made where nothing is wrong."""
        url = f"{self._lab.origin}/fine"
        try:
            return self.session.get(url, timeout=SOON).json()
        except requests.ConnectionError:
            # Closed by the lab while it was on its way into the pool: any session may meet that.
            return self.session.get(url, timeout=SOON).json()


def client_threads() -> set[threading.Thread]:
    """Return the threads that are not the lab's."""
    return {thread for thread in threading.enumerate() if thread.name != "fault lab"}


def begun(response: requests.Response, *, stream: bool) -> requests.Response:
    """Read of a stream the beginning, and close it."""
    with response:
        if stream:
            list(itertools.islice(response.iter_content(PIECE), PIECES))
    return response


def bare(lab: FaultLab, fault: Fault) -> type[Exception]:
    """Return what a session without a stack raises."""
    with requests.Session() as session:
        try:
            begun(session.get(lab.url(fault), timeout=TIMEOUT, stream=True), stream=True)
        except Exception as error:  # noqa: BLE001  # requests lets others through
            return type(error)
    return requests.RequestException


def label(fault: Fault) -> str:
    """Name a fault in a test's id."""
    return fault.name.encode("ascii", "backslashreplace").decode()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("fault", FAULTS, ids=label)
def test_a_call_ends_and_leaves_nothing_behind(
    fault: Fault, chain: str, stream: bool, lab: FaultLab, caplog: pytest.LogCaptureFixture
) -> None:
    """In an answer or an error of ours, in time; no connection, no thread; and the next works."""
    caplog.set_level(logging.DEBUG, "sessionkit")
    threads = client_threads()
    began = SYSTEM_CLOCK.monotonic()
    with Visit(lab, chain) as visit, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # which some of the noise asks for
        ending = visit.end(fault, stream=stream)

        if chain == "plain errors":
            kinds: tuple[type[Any], ...] = (requests.Response, requests.RequestException)
            assert isinstance(ending, kinds) or type(ending) is bare(lab, fault)
        else:
            assert isinstance(ending, (requests.Response, SessionKitError)), repr(ending)
            assert not isinstance(ending, Exception) or isinstance(
                ending, requests.RequestException
            )
        assert TOKEN not in f"{ending!r} {ending} {caplog.text}"
        assert visit.adapter.checked_out == 0
        # No new one: what other tests left on their way out may end meanwhile.
        assert client_threads() <= threads
        assert visit.fine() == FINE
    assert SYSTEM_CLOCK.monotonic() - began < SOON


def named(name: str) -> Fault:
    """Return the fault of this name."""
    return next(fault for fault in FAULTS if fault.name == name)


@pytest.mark.parametrize(
    ("name", "kind", "sent"),
    [
        ("two lengths", ConnectionLost, "maybe"),
        ("a chunk size below 0", IncompleteBody, "yes"),
        ("half a handshake", TlsFailed, "no"),
        ("a storm of 100", ConnectionLost, "maybe"),
        ("HTTP/0.9", ConnectionLost, "maybe"),
    ],
)
@pytest.mark.parametrize("chain", ["recommended", "all"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_no_answer_of_a_server_is_taken_for_a_mistake_of_the_caller(  # each a way
    name: str, kind: type[TransportError], sent: str, *, chain: str, stream: bool, lab: FaultLab
) -> None:
    """Its class says whose fault it is, and whether the server may have acted."""
    with Visit(lab, chain) as visit, pytest.raises(kind) as caught:
        visit.ask(named(name), stream=stream, retries=0)

    assert type(caught.value) is kind
    assert caught.value.sent == sent


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("fault", REUSE, ids=label)
def test_a_connection_that_ended_unseen_fails_no_next_call(
    fault: Fault, chain: str, lab: FaultLab
) -> None:
    """Servers close what they promised to keep: that is noticed, or tried again."""
    with Visit(lab, chain) as visit:
        for _ in range(5):
            assert visit.ask(fault).json() == {"ok": True}


@pytest.mark.parametrize("chain", CHAINS)
def test_what_a_server_says_unasked_answers_no_other_call(chain: str, lab: FaultLab) -> None:
    """A second answer behind the first is not the answer to what is asked next."""
    with Visit(lab, chain) as visit:
        for _ in range(5):
            assert visit.ask(named("another answer behind this one")).json() == {"ok": True}
            assert visit.fine() == FINE


@pytest.mark.parametrize("chain", ["recommended", "all"])
@pytest.mark.parametrize("fault", RETRY_AFTER, ids=label)
def test_a_wait_of_any_shape_is_a_number_or_none(fault: Fault, chain: str, lab: FaultLab) -> None:
    """Programs count with ``retry_after``."""
    with Visit(lab, chain) as visit, pytest.raises(ServerError) as caught:
        visit.ask(fault, retries=0)

    wait = caught.value.retry_after
    assert wait is None or 0 <= wait <= 1e9


@pytest.mark.parametrize(
    "name", ["itself", "another scheme", "noise", "no host", "half an address"]
)
@pytest.mark.parametrize("chain", ["recommended", "all"])
def test_a_redirect_into_nothing_was_an_answer(name: str, chain: str, lab: FaultLab) -> None:
    """The server that sent us on may have acted, wherever it sent us."""
    fault = named(f"a redirect to {name}")
    with Visit(lab, chain) as visit, pytest.raises(SessionKitError) as caught:
        visit.ask(fault)

    assert fault in REDIRECTS
    assert caught.value.sent == "yes"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_bomb_is_given_up_at_the_limit(stream: bool, lab: FaultLab) -> None:
    """Ten gigabytes in ten megabytes: an error, and as an error answer the error that it is."""
    with Visit(lab, "all") as visit:
        with pytest.raises(ServerError, match="500 Oops"):
            visit.ask(named("a gzip bomb as an error"), stream=stream)
        url = lab.url(named("a gzip bomb"))
        with (
            pytest.raises(BodyTooLarge),
            visit.stack.get(url, stream=stream, total_timeout=SOON) as response,
        ):
            response.content  # noqa: B018  # read


@pytest.mark.parametrize("name", ["an error that trickles", "an error that stalls"])
def test_the_text_of_an_error_is_not_waited_for_beyond_the_deadline(
    name: str, lab: FaultLab
) -> None:
    """A stream's error is told in time, with what came of its body."""
    with Visit(lab, "recommended") as visit, pytest.raises(StatusError) as caught:
        visit.ask(named(name), stream=True, total_timeout=MAX_SECONDS / 4)

    assert (caught.value.duration or SOON) < MAX_SECONDS


def test_a_deadline_holds_for_the_redirects_too(lab: FaultLab) -> None:
    """One that trickles, stalls or never ends is passed by: nobody reads it."""
    for name in ("that trickles", "that stalls", "without end", "with a gzip bomb"):
        with Visit(lab, "plain errors") as visit:
            fault = named(f"a redirect {name}")

            assert visit.ask(fault).json() == FINE
            with contextlib.suppress(DeadlineExceeded):
                visit.ask(fault, total_timeout=DEADLINE, allow_redirects=False)
            assert visit.adapter.checked_out == 0


def test_every_fault_has_a_path_of_its_own() -> None:
    """Two of one name would be one in disguise."""
    assert len({fault.path for fault in FAULTS}) == len(FAULTS)
    assert set(IN_THE_MEANING) < set(FAULTS)
