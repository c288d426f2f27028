"""The ordered, named chain of handlers, and the safe ``call_next`` between them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionkit.chain._exchange import MAX_ATTEMPTS, CallNext, Exchange, Handler
from sessionkit.errors import ConfigError, ReplayImpossible, tools

if TYPE_CHECKING:
    from requests import Response

Handle = Callable[[Exchange, CallNext], "Response"]

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Link(NamedTuple):
    """A handler and its name in the chain."""

    name: str
    handler: Handler | Handle

    @property
    def handle(self) -> Handle:
        """What is called: the handler's method, or the plain function itself."""
        handler: Any = self.handler
        handle: Handle = getattr(handler, "handle", handler)
        return handle


class Handlers:
    """The handlers of a stack, outermost first.

    Thread-safe: each change swaps an immutable tuple, and calls under way keep theirs.
    """

    __slots__ = ("_links", "_lock")

    def __init__(self, handlers: Mapping[str, Any] | Iterable[Any] = ()) -> None:
        self._links: tuple[Link, ...] = ()
        self._lock = threading.Lock()
        if isinstance(handlers, Mapping):
            pairs: list[tuple[str | None, Any]] = list(handlers.items())
        elif hasattr(handlers, "__iter__") and not isinstance(handlers, type):
            pairs = [(None, handler) for handler in handlers]
        else:
            name = getattr(handlers, "__name__", type(handlers).__name__)
            message = f"handlers must be a mapping or a list, not {name}"
            hint = "one handler alone goes into a list: [handler]; recommended is to be called"
            raise ConfigError(message, hint=hint)
        for name, handler in pairs:
            self.add(handler, name=name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names, outermost first."""
        return tuple(link.name for link in self._links)

    @property
    def options(self) -> frozenset[str]:
        """Names of all call options that the handlers declare."""
        return declared_options(self._links)

    def _unlock(self) -> None:
        """Take a new lock: a thread that a forked child does not have may hold the old one."""
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Any:
        return self._links[self._index(self._links, name)].handler

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[Any]:
        return iter([link.handler for link in self._links])

    def __len__(self) -> int:
        return len(self._links)

    def add(
        self,
        handler: Handler | Handle,
        *,
        name: str | None = None,
        before: str | None = None,
        after: str | None = None,
        outermost: bool = False,
    ) -> None:
        """Put *handler* into the chain; without a position, innermost.

        Args:
            handler: An object with ``handle(exchange, call_next)``, or a function of these two.
            name: Its unique name; by default what its class calls ``name``, or else the name of
                the class in snake case without ``Handler``.
            before: Name of the handler that it goes directly outside of.
            after: Name of the handler that it goes directly inside of.
            outermost: Put it outside of all others.

        Raises:
            ConfigError: Not a handler, a name that is taken or unknown, or two positions.
        """
        link = Link(name or _default_name(handler), _checked(handler))
        if sum((before is not None, after is not None, outermost)) > 1:
            message = f"one position at most for handler {link.name!r}: before, after or outermost"
            raise ConfigError(message)
        with self._lock:
            links = self._links
            if link.name in {known.name for known in links}:
                message = f"there is a handler named {link.name!r} already; {_known(links)}"
                hint = "give it another name=, or replace() the one there is"
                raise ConfigError(message, hint=hint)
            place = 0 if outermost else len(links)
            if before is not None:
                place = self._index(links, before)
            elif after is not None:
                place = self._index(links, after) + 1
            self._links = (*links[:place], link, *links[place:])

    def replace(self, name: str, handler: Handler | Handle) -> None:
        """Put *handler* in the place, and under the name, of the handler called *name*.

        Raises:
            ConfigError: Not a handler, or there is no handler of that name.
        """
        _checked(handler)
        with self._lock:
            links = self._links
            place = self._index(links, name)
            self._links = (*links[:place], Link(name, handler), *links[place + 1 :])

    def remove(self, name: str) -> None:
        """Take the handler called *name* out.

        Raises:
            ConfigError: There is no handler of that name.
        """
        with self._lock:
            links = self._links
            place = self._index(links, name)
            self._links = (*links[:place], *links[place + 1 :])

    def __repr__(self) -> str:
        return f"<Handlers {', '.join(self.names) or 'none'}>"

    def __str__(self) -> str:
        """Show the way down to the session, and the way up."""
        names = self.names
        down = [f"> {number}) {name}" for number, name in enumerate(names, 1)]
        up = [f"< {number}) {name}" for number, name in reversed(list(enumerate(names, 1)))]
        return "\n".join([*down, "  session", *up])

    @staticmethod
    def _index(links: tuple[Link, ...], name: str) -> int:
        for place, link in enumerate(links):
            if link.name == name:
                return place
        message = f"there is no handler named {name!r}; {_known(links)}"
        raise ConfigError(message)


def declared_options(links: tuple[Link, ...]) -> frozenset[str]:
    """Return the names of all call options that the handlers of *links* declare."""
    declared = (getattr(link.handler, "options", ()) for link in links)
    return frozenset(name for names in declared for name in names)


def _known(links: tuple[Link, ...]) -> str:
    names = ", ".join(link.name for link in links)
    return f"there are {names}" if names else "the stack has none"


def _default_name(handler: object) -> str:
    kind = type(handler)
    declared = getattr(kind, "name", None)
    if isinstance(declared, str):
        return declared
    name = getattr(handler, "__name__", None) or kind.__name__
    return _HUMPS.sub("_", name.removesuffix("Handler") or name).lower()


def _checked(handler: Any) -> Any:
    if isinstance(handler, type):
        message = f"not a handler but a class: {handler.__name__}"
        raise ConfigError(message, hint=f"give an instance: {handler.__name__}()")
    if not (callable(handler) or callable(getattr(handler, "handle", None))):
        message = f"not a handler: {type(handler).__name__}"
        hint = "an object with handle(exchange, call_next), or a function of these two arguments"
        raise ConfigError(message, hint=hint)
    return handler


def bind_chain(links: tuple[Link, ...], now: Callable[[], float]) -> CallNext:
    """Bind *links* into one callable that ends in the transport of the call.

    For handlers ``h0`` and ``h1``, each arrow a plain function call::

        enter(x) > h0.handle(x, n0) > n0(x) > h1.handle(x, n1) > n1(x) > _send_attempt(x)

    ``n0`` and ``n1`` are made once for each tuple of handlers, by ``_make_call_next``: what belongs
    to a call is found through its exchange, because an object for each layer and call would cost
    more than the layer itself.
    """
    handle: Handle = _send_attempt
    call_next: CallNext = _end_of_chain
    for index in range(len(links) - 1, -1, -1):
        # From the inside out: handler *index* is given what was bound last.
        call_next = _make_call_next(handle, call_next, index, now)
        handle = links[index].handle

    def enter(exchange: Exchange) -> Response:
        response = handle(exchange, call_next)
        if response is None:
            raise _no_response_of(handle)
        return response

    return enter


def _make_call_next(
    handle: Handle, inner: CallNext, index: int, now: Callable[[], float]
) -> CallNext:
    """Return the ``call_next`` of handler *index*: it calls *handle*, which is given *inner*.

    A second call is safe, and the time that everything further in takes is recorded.
    """

    def call_next(exchange: Exchange) -> Response:
        call = exchange._call
        if call.record.attempts:
            _prepare_replay(exchange)
        started = now()
        try:
            response = handle(exchange, inner)
            if response is None:
                raise _no_response_of(handle)
            if exchange.stream:
                call.reader = index
            elif getattr(response, "_content", None) is False:
                # Read for a caller who wanted no stream, where a handler further in asked for it
                # unread; body errors so rise inside the handlers around this one.
                exchange.read(response)
        finally:
            call.record._inner_durations[index] += now() - started
        return response

    return call_next


def _send_attempt(exchange: Exchange, _: CallNext) -> Response:
    try:
        return exchange._call.transport.send(exchange)
    except Exception as error:
        # Those of requests hold the request, with what was placed on it, and print its URL.
        known = exchange.secret_values
        clean = tools.scrub_exception(error, known) if exchange.credentials else error
        if clean is error:
            del clean  # as below
            raise
    try:
        raise clean  # outside of `except`, or the original would be its context
    finally:
        del clean  # its traceback holds this frame, and this frame it: a circle


def _end_of_chain(exchange: Exchange) -> Response:
    message = f"the transport calls nothing further in, for {exchange!r}"
    raise AssertionError(message)


def _no_response_of(handle: Handle) -> ConfigError:
    name = getattr(handle, "__qualname__", handle)
    message = f"{name} returned None instead of a response"
    return ConfigError(message, hint="return call_next(exchange)")


def _prepare_replay(exchange: Exchange) -> None:
    """Check that another attempt can be made, then discard the earlier response.

    In this order: when it cannot be made, the caller still holds the earlier response intact.
    """
    attempts = len(exchange.record.attempts)
    if attempts >= MAX_ATTEMPTS:
        message = f"this call has made {attempts} attempts, the most that are allowed"
        hint = "a handler calls call_next again and again; see attempts of the error"
        raise ReplayImpossible(message, hint=hint, method=exchange.method, url=exchange.url)
    if not exchange._has_replayable_body():
        message = "the body was sent once and cannot be read again, so nothing was sent"
        hint = "give bytes or a seekable file, or call again with a fresh body"
        raise ReplayImpossible(message, hint=hint, method=exchange.method, url=exchange.url)
    exchange.discard_response()
