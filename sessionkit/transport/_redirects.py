"""Send one attempt and follow its redirects hop by hop.

The wire leaves an attempt to :class:`HopByHop` where a credential, a step on the prepared request,
a deadline or a body that cannot be sent again makes each hop matter::

    HopByHop.request  puts credentials other than Authorization into the options
      session.request
        _finish       the first request, prepared: credentials, steps, hook
        RedirectHook  reads the body of a redirect within limits
      _follow         for each redirect: body, proxies, credentials, timeout
        session.send

:meth:`HopByHop.send` does the same for a request that came prepared. To make the next request,
requests reads the whole redirect before it, whether its body is wanted or not; it may be endless, a
trickle or a gzip bomb. So the hook reads it within limits first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.utils import resolve_proxies

from sessionkit.bodies._request import body_objects
from sessionkit.bodies._response import DRAIN_SECONDS, read_some, read_within
from sessionkit.chain._exchange import DEFAULT_TIMEOUT
from sessionkit.transport._credentials import CredentialPlacer
from sessionkit.transport._sessions import STOCK_SESSION, own_auth, resolved_url
from sessionkit.transport._timeouts import cap_timeout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest, Response

    from sessionkit._clock import Clock
    from sessionkit.chain._exchange import Exchange


class HopByHop:
    """Sends one attempt, and each request that a redirect leads to. Used once, by one thread.

    The session decides method, cookies, proxies and limits; credentials are placed or removed at
    each hop, because requests knows no credential but one called ``Authorization``, and asks
    ``.netrc`` anew.

    Args:
        session: The wrapped session.
        exchange: What is sent.
        follow: Whether redirects are followed; otherwise the caller wants to see them.
    """

    __slots__ = ("_exchange", "_follows", "_hook", "_placer", "_replaced_auth", "_session")

    def __init__(self, session: requests.Session, exchange: Exchange, *, follow: bool) -> None:
        self._session = session
        self._exchange = exchange
        self._follows = follow
        self._placer = CredentialPlacer(exchange.credentials, exchange.preparation_steps)
        self._hook = RedirectHook(exchange._call.clock, exchange.deadline, wanted=not follow)
        #: Authentication that requests would have used where ``auth=`` is ours.
        self._replaced_auth: Any = None

    def request(self, entry: str, kwargs: dict[str, Any]) -> Response:
        """Send an exchange that is not prepared yet, by what the caller called.

        Args:
            entry: ``request`` or a verb that the session overrides.
            kwargs: Its arguments; changed.
        """
        session, exchange = self._session, self._exchange
        kwargs["allow_redirects"] = False
        url, placer = exchange.url, self._placer
        if placer.others:
            url = placer.place_others(kwargs, url=url, resolved=resolved_url(session, exchange))
        if placer.needs_auth:
            if not placer.has_authorization:
                self._replaced_auth = own_auth(session, resolved_url(session, exchange), kwargs)
            kwargs["auth"] = self._finish
        else:
            known = getattr(session, "hooks", None) or {}
            kwargs["hooks"] = self._hook.merged_into(kwargs.get("hooks"), known)
        response = call_session(session, entry, exchange.method, url=url, kwargs=kwargs)
        if self._is_final(response):
            return response
        return self._follow(response, self._settings(response.request, kwargs))

    def send(self, request: PreparedRequest, kwargs: dict[str, Any]) -> Response:
        """Send a prepared request, by the session's ``send``.

        Args:
            request: Left as it is.
            kwargs: Arguments of ``send``; changed.
        """
        session = self._session
        kwargs["allow_redirects"] = False
        # A copy, or credentials would stay in an object that the caller keeps and logs.
        request = self._finish(request.copy())
        response = session.send(request, **kwargs)
        if self._is_final(response):
            return response
        if "proxies" not in kwargs:
            kwargs["proxies"] = resolve_proxies(request, session.proxies, session.trust_env)
        return self._follow(response, kwargs)

    def _finish(self, request: PreparedRequest) -> PreparedRequest:
        """Finish the first request; requests calls this as its ``auth=``, the last of its steps.

        Neither ``.netrc`` nor ``session.auth`` can so displace what is placed.
        """
        if self._replaced_auth is not None:
            request.prepare_auth(self._replaced_auth, request.url or "")
        self._placer.on_first_request(request)
        self._hook.attach(request)
        return request

    def _is_final(self, response: Response) -> bool:
        """Return whether *response* is no redirect, or one that the caller wants to see."""
        request = _next_request(response)
        if request is not None and not self._follows:
            self._placer.remove_all(request)  # the caller may send it anywhere
        return request is None or not self._follows

    def _settings(self, request: PreparedRequest, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments for sending hops, as ``session.request`` made them for *request*."""
        settings = self._session.merge_environment_settings(
            request.url or "",
            dict(kwargs.get("proxies") or {}),
            kwargs.get("stream"),
            kwargs.get("verify"),
            kwargs.get("cert"),
        )
        settings["allow_redirects"] = False
        if "timeout" in kwargs:
            settings["timeout"] = kwargs["timeout"]
        elif type(self._session).request is not STOCK_SESSION.request:
            # Its own default, if it has one, is out of sight; a hop must not wait for ever.
            settings["timeout"] = DEFAULT_TIMEOUT
        return settings

    def _follow(self, response: Response, settings: dict[str, Any]) -> Response:
        session, exchange = self._session, self._exchange
        timeout = settings.get("timeout")
        history: list[Response] = []
        while (request := _next_request(response)) is not None:
            if len(history) >= session.max_redirects:
                message = f"Exceeded {session.max_redirects} redirects."
                raise requests.TooManyRedirects(message, response=response)
            history.append(response)
            # From here on the server may have acted, whatever becomes of the hops.
            exchange._call.record.attempts[-1]._note_status(response.status_code)
            self._check_body(request, response)
            # With other proxies than ``next`` was made for, it would show one's login to a server.
            settings["proxies"] = session.rebuild_proxies(request, settings["proxies"])
            self._placer.on_redirect(request)
            self._hook.attach(request)
            if exchange.deadline is not None:
                settings["timeout"] = cap_timeout(timeout, exchange)
            response = session.send(request, **settings)
            response.history = list(history)
        return response

    def _check_body(self, request: PreparedRequest, response: Response) -> None:
        """Refuse a hop whose body was spent on the request before; requests would send it empty.

        Raises:
            requests.exceptions.UnrewindableBodyError: The body cannot be sent again.
        """
        if not self._exchange._call.marks.can_replay(body_objects({}, request)):
            message = f"the body was sent once, and a {response.status_code} asks for it again"
            raise requests.exceptions.UnrewindableBodyError(
                message, request=request, response=response
            )


def call_session(
    session: Any, entry: str, method: str, *, url: str, kwargs: dict[str, Any]
) -> Response:
    """Call what the caller called: ``request``, or a verb that the session overrides."""
    response: Response
    if entry == method.lower() != "request":
        response = getattr(session, entry)(url, **kwargs)
    else:
        response = session.request(method, url, **kwargs)
    return response


class RedirectHook:
    """A response hook for one request; it takes itself off the request when it has run.

    A redirect that is followed keeps what comes of its body within 64 KiB and 0.2 s. One that the
    caller wants to see is read to its end, or to the deadline.

    Args:
        clock: Time it by this.
        deadline: Moment of the clock's ``monotonic``, or None.
        wanted: Whether the caller wants to see redirects.
    """

    __slots__ = ("_clock", "_deadline", "_wanted")

    def __init__(
        self, clock: Clock, deadline: float | None = None, *, wanted: bool = False
    ) -> None:
        self._clock = clock
        self._deadline = deadline
        self._wanted = wanted

    def __call__(self, response: Response, **_: object) -> None:
        """Read the body, before the hooks of the caller and the session see the response."""
        detach_hook(getattr(response, "request", None))
        if not response.is_redirect:
            return
        if not self._wanted:
            read_some(response, self._clock, self._clock.monotonic() + DRAIN_SECONDS)
        elif self._deadline is not None:
            read_within(response, self._clock, self._deadline)

    def attach(self, request: PreparedRequest) -> None:
        """Run for the response to *request*, before its other hooks."""
        # A new mapping: a copied request shares its hooks with the original.
        known = request.hooks or {}
        request.hooks = {**known, "response": [self, *known.get("response", ())]}

    def merged_into(self, given: Any, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return the ``hooks`` of a call with this one in them.

        Args:
            given: What the call has now; it replaces *known*, as in requests.
            known: The session's.
        """
        given = given or {}
        others = given.get("response") or known.get("response") or []
        return {**given, "response": [self, *([others] if callable(others) else others)]}


def detach_hook(request: Any) -> None:
    """Remove our hook from a request that its caller may keep, copy or pickle."""
    hooks = getattr(request, "hooks", None) or {}
    others = [hook for hook in hooks.get("response", ()) if not isinstance(hook, RedirectHook)]
    if len(others) < len(hooks.get("response", ())):
        request.hooks = {**hooks, "response": others}


def _next_request(response: Response) -> PreparedRequest | None:
    """Return the request that a redirect asks for, or None where *response* is none."""
    request: PreparedRequest | None = getattr(response, "next", None)
    return request
