"""One logical call on its way through the handlers, and the contract of a handler.

A handler knows an :class:`Exchange` and ``call_next``, and nothing else. What it may ask of a call
is a public member of :class:`Exchange`; ``Exchange._call`` is for the chain, the transport and the
stack.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from requests import PreparedRequest, Response

from sessionkit._origins import origin_of
from sessionkit._redact import redact_url, secrets_in_url
from sessionkit.bodies._request import BodyMarks, body_objects
from sessionkit.bodies._response import discard, is_read, read_some, read_within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Request

    from sessionkit._clock import Clock
    from sessionkit.chain._record import CallRecord

#: Attempts on the wire that one call may make, whatever its handlers want.
MAX_ATTEMPTS = 20
#: Seconds to wait for a connection, and for the server between two reads, by default.
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
        request: With the credentials that handlers placed; steps of ``on_prepared`` have not run.
        certificate: Of the client, as requests takes it, or None.
    """

    request: PreparedRequest
    certificate: object


class Transport(Protocol):
    """What sends the exchanges of a call: the wire, over one session."""

    def send(self, exchange: Exchange) -> Response:
        """Make one attempt; the redirects that it follows belong to it."""
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
        *("base_origin", "clock", "credentials", "deadline", "handler_options", "marks"),
        *("open_response", "reader", "record", "session_error", "transport"),
    )

    def __init__(
        self, record: CallRecord, transport: Transport, clock: Clock, base_origin: str | None
    ) -> None:
        self.record = record
        self.transport = transport
        self.clock = clock
        self.base_origin = base_origin
        #: Names of call options that handlers declared; they never reach the session.
        self.handler_options: frozenset[str] = frozenset()
        self.credentials: tuple[Credential, ...] = ()
        self.marks = BodyMarks()
        #: The earliest that a handler set so far.
        self.deadline: float | None = None
        #: Index of the handler that was given the open response unread; 0 is the outermost.
        self.reader = 0
        #: Discarded before anything else is sent.
        self.open_response: Response | None = None
        #: What a session that raises for a status raised with the open response.
        self.session_error: Exception | None = None


class Exchange:
    """One logical call, on its way through the handlers. Never changed in place.

    A changed exchange is derived (:meth:`replace`, :meth:`with_headers`, ...), so the exchange that
    a handler was given stays what it was, and calling ``call_next`` with it again is a replay.

    Attributes:
        method: HTTP method.
        url: As the caller gave it, joined to the stack's ``base_url``.
        options: What the caller gave and nothing else: ``params``, ``headers``, ``timeout``, ...
        prepared: The request given to ``stack.send``, or None.
        credentials: Placed by the handlers further out; see :meth:`with_credential`.
        preparation_steps: Registered by the handlers further out; see :meth:`on_prepared`.
        stream: Whether the response is wanted with its body unread.
        deadline: Moment of the clock's ``monotonic`` when the call must have ended, or None.
    """

    method: str
    url: str
    options: Mapping[str, Any]
    prepared: PreparedRequest | None
    credentials: tuple[Credential, ...]
    preparation_steps: tuple[Callable[[PreparedRequest], None], ...]
    stream: bool
    deadline: float | None
    _call: Call

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
            _call=call,
            method=method,
            url=url,
            options=MappingProxyType(options),
            prepared=prepared,
            credentials=(),
            preparation_steps=(),
            stream=stream,
            deadline=None,
        )

    def _replaced(self, name: str, *, value: object) -> Exchange:
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
        return f"<Exchange {self.method} {redact_url(self.url)}>"

    @property
    def clock(self) -> Clock:
        """The stack's clock."""
        return self._call.clock

    @property
    def record(self) -> CallRecord:
        """What has happened to this call so far."""
        return self._call.record

    @property
    def base_origin(self) -> str | None:
        """Origin of the stack's ``base_url``, or None."""
        return self._call.base_origin

    def session_origin(self) -> str | None:
        """Return the origin to which the session itself resolves relative URLs, or None.

        Asked with no URL at all: what this call asks for may lead anywhere (``//host/``).
        """
        return self._call.transport.session_origin()

    @property
    def replayable(self) -> bool:
        """Whether it can be sent once more: the body whole, and fewer than 20 attempts made."""
        return len(self.record.attempts) < MAX_ATTEMPTS and self._has_replayable_body()

    def _has_replayable_body(self) -> bool:
        return self._call.marks.can_replay(body_objects(self.options, self.prepared))

    @property
    def open_response(self) -> Response | None:
        """The latest response of this call while its connection may still be in use, or None."""
        return self._call.open_response

    @property
    def placed_credentials(self) -> tuple[Credential, ...]:
        """Every credential placed on this call so far, by handlers further in too."""
        return self._call.credentials

    @property
    def secret_values(self) -> tuple[str, ...]:
        """Texts that must be shown nowhere: placed credentials, and secrets in the URL.

        A credential such as ``Bearer abc`` is there whole and as ``abc``: servers quote either.
        """
        placed = [credential.value for credential in self._call.credentials]
        bare = [value.partition(" ")[2] for value in placed]
        return (*secrets_in_url(self.url), *placed, *filter(None, bare))

    @property
    def effective_deadline(self) -> float | None:
        """The earliest deadline that any handler set so far, one further in too, or None."""
        return self._call.deadline

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
            return self._replaced("prepared", value=prepared)
        given = self.options.get("headers") or {}
        names = {name.lower() for name in headers}
        merged = {k: v for k, v in given.items() if str(k).lower() not in names}
        return self.with_options({"headers": {**merged, **headers}})

    def with_options(self, options: Mapping[str, Any]) -> Exchange:
        """Derive an exchange with call options added or replaced, such as ``timeout``."""
        return self._replaced("options", value=MappingProxyType({**self.options, **options}))

    def with_credential(self, credential: Credential) -> Exchange:
        """Derive an exchange that carries one more credential, for its own origins only."""
        self._call.credentials += (credential,)
        self.record.credential_names |= {credential.name}
        return self._replaced("credentials", value=(*self.credentials, credential))

    def with_deadline(self, moment: float) -> Exchange:
        """Derive an exchange that must end at *moment* of the monotonic clock, or earlier."""
        if self.deadline is not None and self.deadline <= moment:
            return self
        self._call.deadline = moment
        return self._replaced("deadline", value=moment)

    def streamed(self) -> Exchange:
        """Derive an exchange whose response comes with its body unread.

        For a handler that may refuse a response: the body is then neither waited for nor decoded.
        Further out it is read for a caller who wanted no stream.
        """
        return self if self.stream else self._replaced("stream", value=True)

    def on_prepared(self, step: Callable[[PreparedRequest], None]) -> Exchange:
        """Derive an exchange whose prepared request is given to *step* before it is sent.

        The URL, headers and body are final then: the place to sign a request.
        """
        return self._replaced("preparation_steps", value=(*self.preparation_steps, step))

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
            new = new._replaced("prepared", value=prepared)
        elif data is not None:
            new = new.with_options({"data": data, "json": None, "files": None})
        if method is not None:
            new = new._replaced("method", value=method)  # noqa: SLF001  # one of our own kind
        return new if url is None else new._replaced("url", value=url)  # noqa: SLF001  # the same

    def resolved_url(self) -> str:
        """Return the absolute URL that this exchange goes to, as its session resolves it."""
        return self._call.transport.resolved_url(self)

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
        return self._call.transport.preview(self)

    def has_credential(self, location: str, name: str) -> bool:
        """Return whether the caller gave a credential for this location on the call itself."""
        return self._call.transport.has_credential(self, location, name)

    def discard_response(self) -> None:
        """Discard the open response, so that its connection can serve again.

        Drained within 64 KiB and 0.2 s, never decoded, then closed.
        """
        response = self._call.open_response
        if response is not None:
            self._call.open_response = self._call.session_error = None
            discard(response, self._call.clock)

    def take_session_error(self, response: Response) -> Exception | None:
        """Return what the session itself raised with *response*, which is no longer raised.

        Some sessions raise for a status. Handlers are given the response all the same, and where
        none of them takes the error, the stack raises it at the end of the call.
        """
        error = self._call.session_error
        self._call.session_error = None
        return error if response is self._call.open_response else None

    @staticmethod
    def is_read(response: Response) -> bool:
        """Return whether the body of *response* has been read from its connection."""
        return is_read(response)

    def read(self, response: Response) -> None:
        """Read the body of *response* into its ``content``, within the deadline if there is one.

        Raises:
            requests.RequestException: As reading ``response.content`` raises it, or
                :class:`requests.ReadTimeout` at the deadline.
        """
        now = self._call.clock.monotonic
        started = now()
        try:
            if self.deadline is None:
                response.content  # noqa: B018  # read
            else:
                read_within(response, self._call.clock, self.deadline)
        except Exception as error:
            if self.record.attempts:
                # The head was fine; without this the record would show a success.
                self.record.attempts[-1].error = type(error).__name__
            raise
        finally:
            if response is self._call.open_response:
                self.record._count_reading(self._call.reader, now() - started)

    def read_some(self, response: Response, *, timeout: float) -> None:
        """Read what comes of the body of *response* in time, and close it; raise nothing.

        At most 64 KiB, decoded. For the body of an error, which may be endless or break off.

        Args:
            response: Read already, or not.
            timeout: Most seconds to wait for it; the call's deadline holds too.
        """
        clock, deadline = self._call.clock, self._call.deadline
        end = clock.monotonic() + timeout
        read_some(response, clock, end if deadline is None else min(end, deadline))

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
        return self._call.transport.send_direct(request, self, timeout)


#: What a handler is given to hand an exchange on: the rest of the chain, and the session.
CallNext: TypeAlias = Callable[[Exchange], Response]


class Handler(Protocol):
    """A handler of the chain. Shared between threads: what belongs to a call stays in its exchange.

    It may derive a changed exchange before it calls ``call_next``, look at the response after, call
    it more than once (a retry), or not at all (a cache hit). A plain function of the two arguments
    is a handler too. An attribute ``name`` of its class is its name in a chain; by default that is
    the name of the class in snake case without ``Handler``. An attribute ``options`` (a frozenset
    of names) declares the call options that the handler reads; these never reach the session.
    """

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Return the response to *exchange*, usually that of ``call_next(exchange)``.

        A second ``call_next`` is safe by construction: the earlier response is discarded and each
        body object rewound; where that cannot be, :class:`~sessionkit.errors.ReplayImpossible` is
        raised and nothing is sent.
        """
        ...
