"""One logical call: what was asked for, and what its attempts share."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from requests import PreparedRequest

from sessionkit._origins import origin_of
from sessionkit.bodies._request import BodyMarks, body_objects
from sessionkit.bodies._response import discard, read_within

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests import Request, Response

    from sessionkit._clock import Clock
    from sessionkit.chain._record import CallRecord

#: Attempts on the wire that one call may make, whatever its handlers want.
MOST_ATTEMPTS = 20
#: Seconds to wait for a connection, and for the server between two reads, where nobody says.
DEFAULT_TIMEOUT = (5.0, 30.0)
#: The most that is read of the response to a direct request, in bytes.
MAX_DIRECT_BYTES = 1_048_576


class Credential:
    """A credential on its way: where it goes, and the only origins it may go to.

    Args:
        location: ``header``, ``query`` or ``cookie``.
        name: Name of the header, query parameter or cookie.
        value: What is sent; never shown.
        origins: Allowed origins, as ``https://api.example:443``.
    """

    __slots__ = ("location", "name", "origins", "value")

    def __init__(self, location: str, name: str, value: str, origins: frozenset[str]) -> None:
        self.location = location
        self.name = name
        self.value = value
        self.origins = origins

    def __repr__(self) -> str:
        return f"<Credential {self.location} {self.name}=***>"


class Preview(NamedTuple):
    """What a session would send first, without its body.

    Attributes:
        request: With the credentials that handlers placed; no late step has been run on it.
        certificate: Of the client, as requests takes it, or None.
    """

    request: PreparedRequest
    certificate: object


class WireLike(Protocol):
    """What an exchange needs of the wire."""

    def send(self, exchange: Exchange) -> Response:
        """Make one attempt."""
        ...

    def send_direct(self, request: Request, exchange: Exchange, timeout: float | None) -> Response:
        """Send *request* past all handlers."""
        ...

    def resolved_url(self, exchange: Exchange) -> str:
        """Return the absolute URL that *exchange* will be sent to."""
        ...

    def preview(self, exchange: Exchange) -> Preview:
        """Return what *exchange* would send first."""
        ...

    def session_origin(self) -> str | None:
        """Return the origin to which the session resolves relative URLs."""
        ...

    def has_credential(self, exchange: Exchange, location: str, name: str) -> bool:
        """Return whether the caller gave a credential for this location."""
        ...


class Call:
    """What the attempts of one call share. Belongs to the thread that makes the call."""

    __slots__ = (
        *("base_origin", "begun", "clock", "deadline", "depth", "live", "marks", "private"),
        *("credentials", "raised", "record", "wire"),
    )

    def __init__(
        self, record: CallRecord, wire: WireLike, clock: Clock, base_origin: str | None
    ) -> None:
        self.record = record
        self.wire = wire
        self.clock = clock
        self.base_origin = base_origin
        #: Option names that handlers declared; they never reach the session.
        self.private: frozenset[str] = frozenset()
        #: Every credential placed so far, for those who must keep them out of what they write.
        self.credentials: list[Credential] = []
        self.marks = BodyMarks()
        self.begun = False
        #: The earliest that a handler set so far, for those further out, whose exchange has none.
        self.deadline: float | None = None
        #: Which handler has the live answer unread, counted from 0 at the outermost.
        self.depth = 0
        #: The one answer that is still open; dropped before anything else is sent.
        self.live: Response | None = None
        #: What a session that raises for a status raised with the live answer.
        self.raised: Exception | None = None


class Exchange:
    """One logical call, on its way through the handlers. Never changed in place.

    A changed exchange is derived (:meth:`replace`, :meth:`with_headers`, ...), so the exchange that
    a handler was given stays what it was, and forwarding it again is a replay.

    Attributes:
        method: HTTP method.
        url: As the caller gave it, joined to the stack's ``base_url``.
        options: What the caller gave and nothing else: ``params``, ``headers``, ``timeout``, ...
        prepared: The request given to ``stack.send``, or None.
        credentials: Credentials that handlers placed so far.
        steps: Functions that see each prepared request; see :meth:`on_prepared`.
        stream: Whether the answer is wanted unread.
        deadline: Moment of the clock's ``monotonic`` when the call must have ended, or None.
        call: What its attempts share.
    """

    call: Call
    deadline: float | None
    method: str
    options: Mapping[str, Any]
    prepared: PreparedRequest | None
    credentials: tuple[Credential, ...]
    steps: tuple[Callable[[PreparedRequest], None], ...]
    stream: bool
    url: str

    def __init__(
        self,
        call: Call,
        method: str,
        *,
        url: str,
        options: dict[str, Any],
        prepared: PreparedRequest | None = None,
        stream: bool = False,
    ) -> None:
        vars(self).update(
            call=call,
            method=method,
            url=url,
            options=MappingProxyType(options),
            prepared=prepared,
            credentials=(),
            steps=(),
            stream=stream,
            deadline=None,
        )

    def _but(self, name: str, *, value: object) -> Exchange:
        """Derive an exchange that differs in one attribute."""
        new: Exchange = object.__new__(type(self))
        vars(new).update(vars(self))
        vars(new)[name] = value
        return new

    def __setattr__(self, name: str, value: object) -> None:
        message = f"an exchange is never changed in place; derive one instead of setting {name!r}"
        raise AttributeError(message)

    def __delattr__(self, name: str) -> None:
        message = f"an exchange is never changed in place; {name!r} stays"
        raise AttributeError(message)

    def __repr__(self) -> str:
        from sessionkit._redact import redact_url

        return f"<Exchange {self.method} {redact_url(self.url)}>"

    @property
    def clock(self) -> Clock:
        """The stack's clock."""
        return self.call.clock

    @property
    def record(self) -> CallRecord:
        """What has happened to this call so far."""
        return self.call.record

    @property
    def base_origin(self) -> str | None:
        """Origin of the stack's ``base_url``, or None."""
        return self.call.base_origin

    def session_origin(self) -> str | None:
        """Return the origin to which the session itself resolves relative URLs, or None.

        Asked with no URL at all: what this call asks for may lead anywhere (``//host/``).
        """
        return self.call.wire.session_origin()

    @property
    def replayable(self) -> bool:
        """Whether the body could be sent again, whole."""
        return self.call.marks.can_replay(body_objects(self.options, self.prepared))

    def option(self, name: str, default: Any = None) -> Any:
        """Return a call option, or *default* where the caller gave none."""
        return self.options.get(name, default)

    def header(self, name: str) -> str | None:
        """Return a header given on this call, whatever its case; never one of the session's."""
        headers = self.prepared.headers if self.prepared else self.options.get("headers")
        if headers:
            wanted = name.lower()
            for key, value in headers.items():
                if (key.decode("latin-1") if isinstance(key, bytes) else key).lower() == wanted:
                    return value if value is None or isinstance(value, str) else str(value)
        return None

    def with_headers(self, headers: Mapping[str, str]) -> Exchange:
        """Derive an exchange with *headers* added, or put in place of those of the same name."""
        if self.prepared is not None:
            prepared = self.prepared.copy()
            prepared.headers.update(headers)
            return self._but("prepared", value=prepared)
        given = self.options.get("headers") or {}
        names = {name.lower() for name in headers}
        merged = {k: v for k, v in given.items() if str(k).lower() not in names}
        return self.with_options({"headers": {**merged, **headers}})

    def with_options(self, options: Mapping[str, Any]) -> Exchange:
        """Derive an exchange with call options added or replaced, such as ``timeout``."""
        return self._but("options", value=MappingProxyType({**self.options, **options}))

    def with_credential(self, credential: Credential) -> Exchange:
        """Derive an exchange that carries one more credential, for its own origins only."""
        self.call.credentials.append(credential)
        self.record.credential_names |= {credential.name}
        return self._but("credentials", value=(*self.credentials, credential))

    def with_deadline(self, moment: float) -> Exchange:
        """Derive an exchange that must end at *moment* of the monotonic clock, or earlier."""
        if self.deadline is not None and self.deadline <= moment:
            return self
        self.call.deadline = moment
        return self._but("deadline", value=moment)

    def streamed(self) -> Exchange:
        """Derive an exchange whose answer comes with its body unread.

        For a handler that may refuse an answer: its body is then neither waited for nor decoded.
        Further out it is read for a caller who wanted no stream.
        """
        return self if self.stream else self._but("stream", value=True)

    def on_prepared(self, step: Callable[[PreparedRequest], None]) -> Exchange:
        """Derive an exchange whose prepared request is given to *step* before it is sent.

        The URL, headers and body are final then: the place to sign a request.
        """
        return self._but("steps", value=(*self.steps, step))

    def replace(
        self, *, method: str | None = None, url: str | None = None, data: Any = None
    ) -> Exchange:
        """Derive an exchange with another method, URL or body.

        Args:
            method: HTTP method.
            url: Absolute, or as the session resolves it; the stack's base is not joined again.
            data: A body, in place of ``data``, ``json`` and ``files``.
        """
        new = self
        if self.prepared is not None:
            prepared = self.prepared.copy()
            if method is not None:
                prepared.prepare_method(method)
            if url is not None:
                prepared.prepare_url(url, None)
            if data is not None:
                prepared.prepare_body(data, None)
            new = new._but("prepared", value=prepared)
        elif data is not None:
            new = new.with_options({"data": data, "json": None, "files": None})
        if method is not None:
            new = new._but("method", value=method)  # noqa: SLF001  # one of our own kind
        return new if url is None else new._but("url", value=url)  # noqa: SLF001  # the same

    def resolved_url(self) -> str:
        """Return the absolute URL that this exchange goes to, as its session resolves it."""
        return self.call.wire.resolved_url(self)

    def target_origin(self) -> str | None:
        """Return the origin that this exchange goes to, or None where its URL cannot be sent."""
        try:
            return origin_of(self.resolved_url())
        except Exception:  # noqa: BLE001  # the session will say what is wrong with this URL
            return None

    def preview(self) -> Preview:
        """Return what would be sent first: ``request``, prepared but for its body, ``certificate``.

        The credentials of handlers are placed; what :meth:`on_prepared` registered has not run.
        What a session adds only while it sends is not there.

        Raises:
            requests.RequestException: The session cannot make a request of it.
        """
        return self.call.wire.preview(self)

    def has_credential(self, location: str, name: str) -> bool:
        """Return whether the caller gave a credential for this location on the call itself."""
        return self.call.wire.has_credential(self, location, name)

    def discard_response(self) -> None:
        """Let go of the answer that is still open, so that its connection can serve again.

        Drained within 64 KiB and 0.2 s, never decoded, then closed.
        """
        live = self.call.live
        if live is not None:
            self.call.live = None
            self.call.raised = None
            discard(live, self.call.clock)

    def read(self, response: Response) -> None:
        """Read the body of *response* into its ``content``, within the deadline if there is one.

        Raises:
            requests.RequestException: As reading ``response.content`` raises it, or
                :class:`requests.ReadTimeout` at the deadline.
        """
        now = self.call.clock.monotonic
        started = now()
        try:
            if self.deadline is None:
                response.content  # noqa: B018  # read
            else:
                read_within(response, self.call.clock, self.deadline)
        except Exception as error:
            if self.record.attempts:
                # The head was fine; without this the record would show a success.
                self.record.attempts[-1].error = type(error).__name__
            raise
        finally:
            if response is self.call.live:
                self.record.add_reading(self.call.depth, now() - started)

    def send_direct(self, request: Request, *, timeout: float | None = None) -> Response:
        """Send another request by the same session, past all handlers: a token request.

        The session's proxies and certificates serve; its headers, parameters, authentication and
        cookies do not, nor does ``.netrc``, and no redirect is followed. It is recorded in
        ``record.renewals``.

        Args:
            request: Not prepared; its URL must be absolute.
            timeout: Most seconds for the whole request, 35 by default; the exchange's deadline
                holds too.

        Raises:
            requests.RequestException: As the session raised it.
        """
        return self.call.wire.send_direct(request, self, timeout)


def placed_values(exchange: Exchange) -> tuple[str, ...]:
    """Return every credential that handlers placed on this call so far."""
    return tuple(secret.value for secret in exchange.call.credentials)
