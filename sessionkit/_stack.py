"""SessionStack: a session around the session that you have, with handlers between.

The way of a call::

    SessionStack.get                  requests' own, ends in request
      request
        _request_by                   default options, base URL
          _send_through_chain         (without handlers: the session's own method, nothing else)
            SharedState.start_call    the record of the call, the bound chain
            call_next(exchange)       handler by handler, down to Wire.send

``send`` enters at ``_send_through_chain``, with its prepared request.
"""

from __future__ import annotations

import os
import threading
from copy import copy, deepcopy
from functools import partial
from http.cookiejar import CookieJar
from queue import Queue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

import requests
from requests import Request, Response
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._origins import join_base, origin_of
from sessionkit._redact import redact_url
from sessionkit._session_proxy import (
    DELEGATED,
    SEND_OPTIONS,
    STACK_NAMES,
    VERB_DEFAULTS,
    VERBS,
    bound_arguments,
    check_options,
    checked_session,
    delegate,
    has_patched_send,
    pickling_refused,
    request_via_send,
)
from sessionkit.bodies._request import freeze_iterators
from sessionkit.chain._chain import Handlers, Link, bind_chain, declared_options
from sessionkit.chain._exchange import Call, CallNext, Exchange
from sessionkit.chain._record import CallRecord
from sessionkit.errors import ConfigError
from sessionkit.transport._sessions import STOCK_SESSION
from sessionkit.transport._wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from requests import PreparedRequest, Session as _Session

    from sessionkit._clock import Clock
    from sessionkit.paging import Pages, Paginator
    from sessionkit.paging._base import PageRequest
    from sessionkit.paging._detect import Items

    class RecordedResponse(Response):
        """What a stack with handlers returns, for type checkers."""

        record: CallRecord
else:
    _Session = STOCK_SESSION

T = TypeVar("T")


class SessionStack(_Session):
    """A chain of handlers around a session, and itself a session.

    Every public attribute of the wrapped session is the session's, read, set and deleted through
    the stack, but for ``handlers``, ``base_url``, ``clock``, ``paginate``, ``with_options``,
    ``explain``, ``send_direct`` and names declared in the body of a subclass. Nothing on the
    session is changed but what its own requests would change. Without handlers the stack behaves
    like the session it wraps.

    Thread-safe as far as the wrapped session is: calls share its pools and cookies, nothing else.

    Args:
        session: Yours; anything with ``request``, ``send``, ``headers`` and ``close``. Without one
            the stack makes a :class:`requests.Session`, and closes it.
        handlers: Outermost first; a mapping of names to handlers such as
            :func:`~sessionkit.recommended` returns, or handlers alone.
        base_url: Absolute; relative URLs of calls are appended to it.
        clock: Where all time comes from.

    Raises:
        ConfigError: Not a session, not a handler, or not an absolute URL.
    """

    _own_names: frozenset[str] = STACK_NAMES | frozenset(VERBS)
    _base_url: str | None
    _base_origin: str | None
    _options: Mapping[str, Any]

    def __init__(
        self,
        session: requests.Session | None = None,
        handlers: Mapping[str, Any] | Iterable[Any] = (),
        *,
        base_url: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        # Never requests.Session.__init__: it would set headers, auth and cookies anew.
        self._inner = STOCK_SESSION() if session is None else checked_session(session)
        self._shared = SharedState(self._inner, Handlers(handlers), clock)
        # What close() closes.
        self._owned: tuple[Any, ...] = (self._inner,) if session is None else ()
        self._options = {}
        self.base_url = base_url
        self._shadow_verbs()

    def _shadow_verbs(self) -> None:
        """End in the session's own verb where its class overrides one."""
        for verb in VERBS:
            own = getattr(type(self._inner), verb, None)
            if own is not None and own is not getattr(STOCK_SESSION, verb):
                self.__dict__[verb] = partial(self._request_by, verb, verb.upper())

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Keep names declared in the body of a vendor's subclass on the stack."""
        super().__init_subclass__(**kwargs)
        declared = {*vars(cls), *vars(cls).get("__annotations__", ())}
        cls._own_names = cls._own_names | declared

    # The stack as a session

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_inner":
            raise AttributeError(name)
        return getattr(self._inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or name in self._own_names:
            object.__setattr__(self, name, value)
        else:
            setattr(self._inner, name, value)

    def __delattr__(self, name: str) -> None:
        if name.startswith("_") or name in self._own_names:
            object.__delattr__(self, name)
        else:
            delattr(self._inner, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._inner)})

    def __repr__(self) -> str:
        names = ", ".join(self._shared.handlers.names) or "no handlers"
        return f"<{type(self).__name__} over {type(self._inner).__name__}: {names}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the wrapped session does; a stack with handlers refuses."""
        if self._shared.handlers._links:
            raise pickling_refused()
        # Where it is loaded, the session is the stack's alone.
        return type(self), (self._inner,), {**self._own_state(), "_owned": (self._inner,)}

    def __copy__(self) -> SessionStack:
        return self._derived(copy(self._shared), self._own_state())

    def __deepcopy__(self, memo: dict[int, Any]) -> SessionStack:
        shared = deepcopy(self._shared, memo)
        memo[id(self)] = copied = self._derived(shared, {})
        vars(copied).update(deepcopy(self._own_state(), memo), _owned=(shared.session,))
        return copied

    def _own_state(self) -> dict[str, Any]:
        """Return what is the stack's alone: its base, its options, what a subclass keeps."""
        shared = {"_shared", "_inner", "_owned", *VERBS}
        return {name: value for name, value in vars(self).items() if name not in shared}

    def _derived(self, shared: SharedState, own: Mapping[str, Any]) -> SessionStack:
        """Return a stack of this kind over *core*; it closes nothing."""
        made = object.__new__(type(self))
        made.__dict__.update(own, _shared=shared, _inner=shared.session, _owned=())
        made._shadow_verbs()
        return made

    def close(self) -> None:
        """Close what the stack made: never a session or store of yours; closing twice is fine.

        Light stacks (:meth:`with_options`) and shallow copies share, and close nothing.
        """
        for owned in self._owned:
            owned.close()

    @property
    def handlers(self) -> Handlers:
        """The handlers, outermost first; they can be changed while calls are under way."""
        return self._shared.for_this_process().handlers

    @property
    def clock(self) -> Clock:
        """Where all time of this stack's calls comes from."""
        return self._shared.clock

    @property
    def base_url(self) -> str | None:
        """What relative URLs are appended to; without one of its own, the session's, or None."""
        if self._base_url is not None:
            return self._base_url
        url: str | None = getattr(self._inner, "base_url", None)
        return url

    @base_url.setter
    def base_url(self, url: str | None) -> None:
        self._base_origin = None if url is None else _origin_of_base(url)
        self._base_url = url

    # Calls

    if TYPE_CHECKING:
        # At run time these are inherited; here they also take the options of handlers.
        def get(self, url: Any, params: Any = ..., **kwargs: Any) -> RecordedResponse: ...
        def options(self, url: Any, **kwargs: Any) -> RecordedResponse: ...
        def head(self, url: Any, **kwargs: Any) -> RecordedResponse: ...
        def post(
            self, url: Any, data: Any = ..., json: Any = ..., **kwargs: Any
        ) -> RecordedResponse: ...
        def put(self, url: Any, data: Any = ..., **kwargs: Any) -> RecordedResponse: ...
        def patch(self, url: Any, data: Any = ..., **kwargs: Any) -> RecordedResponse: ...
        def delete(self, url: Any, **kwargs: Any) -> RecordedResponse: ...

    def request(self, method: str, url: Any, *args: Any, **kwargs: Any) -> RecordedResponse:
        """Send a request through the handlers; see :meth:`requests.Session.request`.

        Only the arguments given here reach the session, and unknown keywords go through untouched.
        Options that handlers declare (``total_timeout=``, ``retries=``) are taken out for them.

        Raises:
            SessionKitError: What handlers raise on purpose; also a ``requests.RequestException``.
            requests.RequestException: As the session raises it, where no handler maps errors.
        """
        response: RecordedResponse = self._request_by("request", method, url, *args, **kwargs)
        return response

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Send a prepared request through the handlers; see :meth:`requests.Session.send`."""
        shared = self._shared.for_this_process()
        if self._options:
            usable = SEND_OPTIONS | shared.handlers.options
            kwargs = {**{k: v for k, v in self._options.items() if k in usable}, **kwargs}
        prepared: Any = request
        if not shared.handlers._links or isinstance(prepared, Request):
            return self._inner.send(request, **kwargs)
        method, url = request.method or "", request.url or ""
        return self._send_through_chain("send", method, url, kwargs, request)

    def _request_by(self, entry: str, method: str, url: Any, *args: Any, **kwargs: Any) -> Any:
        """Make a request by *entry*: ``request``, or a verb that the session overrides."""
        shared = self._shared.for_this_process()
        if args:
            # dict() refuses what is given twice, as any call does.
            kwargs = dict(**kwargs, **bound_arguments(getattr(self._inner, entry), entry, args))
        if self._options:
            # The verbs of requests fill these in with None; any other None was meant.
            given = {k: v for k, v in kwargs.items() if v is not None or k not in VERB_DEFAULTS}
            kwargs = {**self._options, **given}
        if self._base_url is not None:
            url = join_base(self._base_url, _as_text(url))
        if "send" in self.__dict__ and has_patched_send(self):
            given = {k: v for k, v in kwargs.items() if k not in shared.handlers.options}
            return request_via_send(self, entry, method=method, url=url, options=given)
        if shared.handlers._links:
            freeze_iterators(kwargs)
            return self._send_through_chain(entry, _as_text(method), _as_text(url), kwargs)
        target = (method, url) if entry == "request" else (url,)
        return getattr(self._inner, entry)(*target, **kwargs)

    def _send_through_chain(
        self,
        entry: str,
        method: str,
        url: str,
        options: dict[str, Any],
        prepared: PreparedRequest | None = None,
    ) -> RecordedResponse:
        """Send one exchange through the chain, and record how long it took."""
        shared = self._shared
        call, call_next = shared.start_call(entry, method, url=url, base_origin=self._base_origin)
        record = call.record
        stream = options.get("stream")
        if stream is None:
            stream = getattr(self._inner, "stream", False)
        exchange = Exchange(
            call, method, url=url, options=options, prepared=prepared, stream=bool(stream)
        )
        try:
            response: Any = call_next(exchange)
            if not stream:
                exchange.read(response)  # the outermost handler may have asked for it unread
            raised = call.session_error if response is call.open_response else None
        except BaseException:
            exchange.discard_response()  # its connection can serve again
            raise
        finally:
            record.duration = shared.clock.monotonic() - record.started
            call.open_response = call.session_error = None
        if raised is not None:
            # The session itself raises for such a response, and no handler decided otherwise.
            try:
                raise raised
            finally:
                del raised  # its traceback holds this frame, and this frame it: a circle
        response.record = record
        recorded: RecordedResponse = response
        return recorded

    def send_direct(self, request: Request, *, timeout: float | None = None) -> Response:
        """Send *request* by the session past all handlers; see :meth:`Exchange.send_direct`.

        Args:
            request: Not prepared; its URL must be absolute.
            timeout: Most seconds for the whole request, 35 by default.
        """
        shared = self._shared.for_this_process()
        method, url = request.method or "", _as_text(request.url)
        call, _ = shared.start_call("request", method, url=url, base_origin=self._base_origin)
        exchange = Exchange(call, method, url=url, options={})
        return exchange.send_direct(request, timeout=timeout)

    def with_options(self, **options: Any) -> SessionStack:
        """Return a light stack with default call options; session, chain and locks are shared.

        Args:
            options: Arguments of ``request`` (``timeout``, ``headers``, ...) or options that a
                handler of this stack declares (``total_timeout``, ``retries``). What a call gives
                wins.

        Raises:
            ConfigError: A name that neither requests nor a handler reads.
        """
        check_options(options, self._shared.handlers.options)
        return self._derived(
            self._shared, {**self._own_state(), "_options": {**self._options, **options}}
        )

    def explain(self) -> str:
        """Return the handlers with their settings, and warnings where they defeat each other."""
        from sessionkit._recommended import explain_stack

        return explain_stack(self._inner, self.handlers, self.base_url)

    # Paging

    @overload
    def paginate(
        self,
        url: str,
        *,
        paginator: Paginator | None = ...,
        items: Items = ...,
        into: None = ...,
        params: Any = ...,
        max_items: int | None = ...,
        max_pages: int | None = ...,
    ) -> Pages[Any]: ...

    @overload
    def paginate(
        self,
        url: str,
        *,
        into: type[T],
        paginator: Paginator | None = ...,
        items: Items = ...,
        params: Any = ...,
        max_items: int | None = ...,
        max_pages: int | None = ...,
    ) -> Pages[T]: ...

    def paginate(
        self,
        url: str,
        *,
        paginator: Paginator | None = None,
        items: Items = None,
        into: Any = None,
        params: Any = None,
        max_items: int | None = None,
        max_pages: int | None = None,
    ) -> Pages[Any]:
        """Return a lazy walk over the pages of *url*; nothing is sent before it is iterated.

        Args:
            url: Of the first page.
            paginator: The way to the next page; by default the ``Link`` header (RFC 8288).
            items: Where the items of a page are, such as ``/data``; by default the only list.
            into: The type of one item; without it items stay as JSON gives them.
            params: Query parameters of the first page, in any form that requests takes.
            max_items: Items at most.
            max_pages: Pages at most.

        Raises:
            ConfigError: A setting that cannot be meant; what a walk raises is at
                :meth:`Pages.pages <sessionkit.paging.Pages.pages>`.
        """
        from sessionkit.mapping._engine import loader_for
        from sessionkit.paging._base import PageRequest
        from sessionkit.paging._links import LinkHeader
        from sessionkit.paging._pages import Pages
        from sessionkit.paging._walk import WalkOptions

        options = WalkOptions(
            paginator or LinkHeader(), items, max_items=max_items, max_pages=max_pages
        )
        load = None if into is None else loader_for(into)
        return Pages(
            partial(_send_page_request, self),
            PageRequest.of(url, params),
            options=options,
            load=load,
        )


class BoundChain(NamedTuple):
    """A chain that is ready to be called, and what was read of its handlers."""

    links: tuple[Link, ...]
    call_next: CallNext
    names: tuple[str, ...]
    options: frozenset[str]


class SharedState:
    """What a stack shares with the light stacks that ``with_options`` derives from it."""

    __slots__ = ("_bound", "_transports", "clock", "handlers", "pid", "session")

    def __init__(self, session: requests.Session, handlers: Handlers, clock: Clock) -> None:
        self.session = session
        self.handlers = handlers
        self.clock = clock
        self.pid = os.getpid()
        self._bound = self._bind(handlers._links)
        self._transports: dict[str, Wire] = {}

    def _bind(self, links: tuple[Link, ...]) -> BoundChain:
        names = tuple(link.name for link in links)
        call_next = bind_chain(links, self.clock.monotonic)
        return BoundChain(links, call_next, names, declared_options(links))

    def bound_chain(self) -> BoundChain:
        """Return the chain as it is now, bound once for each tuple of links."""
        bound = self._bound
        if bound.links is not self.handlers._links:
            bound = self._bound = self._bind(self.handlers._links)
        return bound

    def start_call(
        self, entry: str, method: str, *, url: str, base_origin: str | None
    ) -> tuple[Call, CallNext]:
        """Return what the attempts of a new call share, and the way through the chain."""
        _, call_next, names, options = self.bound_chain()
        record = CallRecord(method, url, names, self.clock.monotonic())
        call = Call(record, self.transport(entry), self.clock, base_origin)
        call.handler_options = options
        return call, call_next

    def transport(self, entry: str) -> Wire:
        """Return the transport for what the caller called: ``request``, ``send`` or a verb."""
        transport = self._transports.get(entry)
        if transport is None:
            transport = self._transports[entry] = Wire(self.session, entry)
        return transport

    def for_this_process(self) -> SharedState:
        """Return this state, ready for the process that calls: a forked child renews it first."""
        if self.pid != os.getpid():
            self.after_fork()
        return self

    def after_fork(self) -> None:
        """Give a forked child connections of its own.

        An inherited connection is shared with the parent, and responses would go to either process.
        The pools are replaced, not closed: their locks may have been held while the fork was made,
        by a thread that the child does not have. For the same reason all other locks are made anew.
        """
        self.handlers._unlock()
        jar = getattr(self.session, "cookies", None)
        if isinstance(jar, CookieJar):
            # The lock of the standard library's jar, which requests itself drops to pickle one.
            jar._cookies_lock = threading.RLock()  # type: ignore[attr-defined]  # noqa: SLF001  # the parent's may be held
        for adapter in getattr(self.session, "adapters", {}).values():
            if isinstance(adapter, HTTPAdapter):
                _replace_pool_locks(getattr(adapter, "poolmanager", None))
                for manager in getattr(adapter, "proxy_manager", {}).values():
                    _replace_pool_locks(manager)
                adapter.__setstate__(adapter.__getstate__())
            if type(adapter).close is not HTTPAdapter.close:
                adapter.close()  # it may keep connections of its own
        # Last: another thread of the child must not take the old pools for new ones.
        self.pid = os.getpid()

    def __copy__(self) -> SharedState:
        return self._over(copy(self.session))

    def __deepcopy__(self, memo: dict[int, Any]) -> SharedState:
        return self._over(deepcopy(self.session, memo))

    def _over(self, session: requests.Session) -> SharedState:
        """Return a shared over another session: a chain of its own, of the very same handlers.

        Handlers are never copied: two that held the same refresh token would both use it.
        """
        chain = {link.name: link.handler for link in self.for_this_process().handlers._links}
        return SharedState(session, Handlers(chain), self.clock)


def _replace_pool_locks(manager: object) -> None:
    """Free the locks of inherited pools; the interpreter takes them when it collects a pool."""
    if not isinstance(manager, PoolManager):
        return  # an adapter that pools in its own way
    manager.pools.lock = threading.RLock()
    for key in manager.pools.keys():  # noqa: SIM118  # it refuses to be iterated
        waiting = manager.pools[key].pool
        if isinstance(waiting, Queue) and waiting.mutex.locked():
            connections = waiting.queue
            waiting.__init__(waiting.maxsize)  # type: ignore[misc]  # all its locks at once
            waiting.queue = connections


def _send_page_request(session: requests.Session, page_request: PageRequest) -> Response:
    """Request a page with only what *page_request* has, so that a session's defaults hold."""
    given = {
        "params": page_request.params,
        "json": page_request.json,
        "headers": page_request.headers,
    }
    options: Any = {name: value for name, value in given.items() if value is not None}
    return session.request(page_request.method, page_request.url, **options)


def _origin_of_base(base_url: str) -> str:
    """Return the origin of a stack's base URL.

    Raises:
        ConfigError: It is not absolute, or has a query or fragment, to which nothing can be joined.
    """
    try:
        if not set(str(base_url)) & set("?#"):
            return origin_of(str(base_url))
        reason = "it has a query or a fragment"
    except ValueError as error:
        reason = str(error)
    shown = redact_url(str(base_url))
    message = f"base_url must be an absolute URL such as https://api.example/v1/, not {shown!r}"
    raise ConfigError(f"{message}: {reason}")


def _as_text(url: Any) -> str:
    """Return a URL or method as text; requests takes bytes, and anything that prints as a URL."""
    return url.decode("utf-8") if isinstance(url, bytes) else str(url)


for _name in DELEGATED:
    setattr(SessionStack, _name, delegate(_name))

if not TYPE_CHECKING:
    # Inherited positional names stay visible to those who inspect the signature.
    SessionStack.request.__wrapped__ = STOCK_SESSION.request
