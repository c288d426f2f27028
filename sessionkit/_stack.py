"""SessionStack: a session around the session that you have, with handlers between."""

from __future__ import annotations

from copy import copy, deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

import requests
from requests import Request, Response

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._core import Core
from sessionkit._origins import join_base
from sessionkit._session_proxy import (
    DELEGATED,
    OWN,
    SEND_OPTIONS,
    VERB_FILLERS,
    VERBS,
    bound_arguments,
    check_options,
    checked_session,
    delegate,
    end_in_send,
    home_of,
    not_pickled,
    sends_otherwise,
    take_step,
    text_of,
)
from sessionkit.bodies._request import freeze_iterators
from sessionkit.chain._chain import Handlers
from sessionkit.chain._exchange import Exchange
from sessionkit.transport._sessions import STOCK_SESSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from requests import PreparedRequest
    from requests import Session as _Session

    from sessionkit._clock import Clock
    from sessionkit.paging import Pages, Paginator
    from sessionkit.paging._rows import Items
else:
    _Session = STOCK_SESSION

T = TypeVar("T")


class SessionStack(_Session):
    """A chain of handlers around a session, and itself a session.

    Every public attribute of the wrapped session is the session's, read, set and deleted through
    the stack, but for ``handlers``, ``base_url``, ``paginate``, ``with_options``, ``explain``,
    ``send_direct`` and names declared in the body of a subclass. Nothing on the session is changed
    but what its own requests would change. Without handlers the stack behaves like the session it
    wraps.

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

    _own_names: frozenset[str] = OWN | frozenset(VERBS)
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
        self._core = Core(self._inner, Handlers(handlers), clock)
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
                self.__dict__[verb] = partial(self._enter, verb, verb.upper())

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
        names = ", ".join(self._core.handlers.names) or "no handlers"
        return f"<{type(self).__name__} over {type(self._inner).__name__}: {names}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the wrapped session does; a stack with handlers refuses."""
        if self._core.handlers.links:
            raise not_pickled()
        # On the other side nobody but the stack has the session.
        return type(self), (self._inner,), {**self._own(), "_owned": (self._inner,)}

    def __copy__(self) -> SessionStack:
        return self._derived(copy(self._core), self._own())

    def __deepcopy__(self, memo: dict[int, Any]) -> SessionStack:
        core = deepcopy(self._core, memo)
        memo[id(self)] = twin = self._derived(core, {})
        vars(twin).update(deepcopy(self._own(), memo), _owned=(core.session,))
        return twin

    def _own(self) -> dict[str, Any]:
        """Return what is the stack's alone: its base, its options, what a subclass keeps."""
        shared = {"_core", "_inner", "_owned", *VERBS}
        return {name: value for name, value in vars(self).items() if name not in shared}

    def _derived(self, core: Core, own: Mapping[str, Any]) -> SessionStack:
        """Return a stack of this kind over *core*; it closes nothing."""
        made = object.__new__(type(self))
        made.__dict__.update(own, _core=core, _inner=core.session, _owned=())
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
        return self._core.for_this_process().handlers

    @property
    def base_url(self) -> str | None:
        """What relative URLs are appended to; without one of its own, the session's, or None."""
        if self._base_url is not None:
            return self._base_url
        url: str | None = getattr(self._inner, "base_url", None)
        return url

    @base_url.setter
    def base_url(self, url: str | None) -> None:
        self._base_origin = None if url is None else home_of(url)
        self._base_url = url

    # Calls

    if TYPE_CHECKING:
        # At run time these are inherited; here they also take the options of handlers.
        def get(self, url: Any, params: Any = ..., **kwargs: Any) -> Response: ...
        def options(self, url: Any, **kwargs: Any) -> Response: ...
        def head(self, url: Any, **kwargs: Any) -> Response: ...
        def post(self, url: Any, data: Any = ..., json: Any = ..., **kwargs: Any) -> Response: ...
        def put(self, url: Any, data: Any = ..., **kwargs: Any) -> Response: ...
        def patch(self, url: Any, data: Any = ..., **kwargs: Any) -> Response: ...
        def delete(self, url: Any, **kwargs: Any) -> Response: ...

    def request(self, method: str, url: Any, *args: Any, **kwargs: Any) -> Response:
        """Send a request through the handlers; see :meth:`requests.Session.request`.

        Only the arguments given here reach the session, and unknown keywords go through untouched.
        Options that handlers declare (``total_timeout=``, ``retries=``) are taken out for them.

        Raises:
            SessionKitError: What handlers raise on purpose; also a ``requests.RequestException``.
            requests.RequestException: As the session raises it, where no handler maps errors.
        """
        return self._enter("request", method, url, *args, **kwargs)

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Send a prepared request through the handlers; see :meth:`requests.Session.send`."""
        core = self._core.for_this_process()
        if self._options:
            usable = SEND_OPTIONS | core.handlers.options
            kwargs = {**{k: v for k, v in self._options.items() if k in usable}, **kwargs}
        prepared: Any = request
        if not core.handlers.links or isinstance(prepared, Request):
            return self._inner.send(request, **kwargs)
        return self._run("send", request.method or "", request.url or "", kwargs, request)

    def _enter(self, entry: str, method: str, url: Any, *args: Any, **kwargs: Any) -> Response:
        core = self._core.for_this_process()
        if args:
            # dict() refuses what is given twice, as any call does.
            kwargs = dict(**kwargs, **bound_arguments(getattr(self._inner, entry), entry, args))
        if self._options:
            # The verbs of requests fill these in with None; any other None was meant.
            given = {k: v for k, v in kwargs.items() if v is not None or k not in VERB_FILLERS}
            kwargs = {**self._options, **given}
        if self._base_url is not None:
            url = join_base(self._base_url, text_of(url))
        if "send" in self.__dict__ and sends_otherwise(self):
            given = {k: v for k, v in kwargs.items() if k not in core.handlers.options}
            return end_in_send(self, entry, method=method, url=url, options=given)
        if core.handlers.links:
            freeze_iterators(kwargs)
            return self._run(entry, text_of(method), text_of(url), kwargs)
        places = (method, url) if entry == "request" else (url,)
        answer: Response = getattr(self._inner, entry)(*places, **kwargs)
        return answer

    def _run(
        self,
        entry: str,
        method: str,
        url: str,
        options: dict[str, Any],
        prepared: PreparedRequest | None = None,
    ) -> Response:
        """Send one exchange through the chain, and let go of what only the call needed."""
        core = self._core
        call, call_next = core.begin(entry, method, url=url, home=self._base_origin)
        record = call.record
        stream = options.get("stream")
        if stream is None:
            stream = getattr(self._inner, "stream", False)
        exchange = Exchange(
            call, method, url=url, options=options, prepared=prepared, stream=bool(stream)
        )
        try:
            response = call_next(exchange)
            if not stream:
                exchange.read(response)  # the outermost handler may have asked for it unread
            raised = call.session_error if response is call.open_response else None
        except BaseException:
            exchange.discard_response()  # nobody will read it; its connection can serve again
            raise
        finally:
            record.duration = core.clock.monotonic() - record.started
            call.open_response = call.session_error = None
        if raised is not None:
            # The session itself raises for such an answer, and no handler decided otherwise.
            try:
                raise raised
            finally:
                del raised  # its traceback holds this frame, and this frame it: a circle
        response.record = record  # type: ignore[attr-defined]  # an attribute of our own
        return response

    def send_direct(self, request: Request, *, timeout: float | None = None) -> Response:
        """Send *request* by the session past all handlers; see :meth:`Exchange.send_direct`.

        Args:
            request: Not prepared; its URL must be absolute.
            timeout: Most seconds for the whole request, 35 by default.
        """
        core = self._core.for_this_process()
        method, url = request.method or "", text_of(request.url)
        call, _ = core.begin("request", method, url=url, home=self._base_origin)
        exchange = Exchange(call, method, url=url, options={})
        return exchange.send_direct(request, timeout=timeout)

    def with_options(self, **options: Any) -> SessionStack:
        """Return a light stack with default call options; session, chain and locks are shared.

        Args:
            options: Arguments of ``request`` (``timeout``, ``headers``, ...) or options that a
                handler of this stack declares (``deadline``, ``retries``). What a call gives wins.

        Raises:
            ConfigError: A name that neither requests nor a handler reads.
        """
        check_options(options, self._core.handlers.options)
        return self._derived(self._core, {**self._own(), "_options": {**self._options, **options}})

    def explain(self) -> str:
        """Return the handlers with their settings, and warnings where they defeat each other."""
        from sessionkit._explain import explain_stack

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
            partial(take_step, self), PageRequest.of(url, params), options=options, load=load
        )


for _name in DELEGATED:
    setattr(SessionStack, _name, delegate(_name))

if not TYPE_CHECKING:
    # Inherited positional names stay visible to those who inspect the signature.
    SessionStack.request.__wrapped__ = STOCK_SESSION.request
