"""The wire: send one attempt by the session that the stack wraps.

It calls what the caller called, with only the arguments that the caller gave: one
``session.request`` (or verb, or ``send``) for each attempt. Only at this level do the session's own
overrides, caches, signatures and tokens all go on working. The way of an attempt::

    Wire.send            rewinds the body, records the attempt
      _attempt           decides once: hop by hop, or by the session alone?
        session.request  (or a verb, or session.send)
        HopByHop         (_redirects) where a credential, a step, a deadline or the body asks for it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.cookies import RequestsCookieJar, get_cookie_header, merge_cookies

from sessionkit.bodies._request import body_objects
from sessionkit.bodies._response import own_response, response_raised_for
from sessionkit.chain._record import Attempt
from sessionkit.errors import ConfigError, ReplayImpossible
from sessionkit.transport._credentials import is_authorization, is_given, mask_text
from sessionkit.transport._direct import preview_of, send_direct
from sessionkit.transport._redirects import HopByHop, call_session, detach_hook
from sessionkit.transport._sessions import (
    has_own_auth,
    resolved_url,
    session_origin,
)
from sessionkit.transport._timeouts import cap_timeout

if TYPE_CHECKING:
    import requests
    from requests import PreparedRequest, Response

    from sessionkit.chain._exchange import Exchange, Preview


class Wire:
    """The ``Transport`` of one session. Stateless beside it, hence as thread-safe as the session.

    Args:
        session: The wrapped session.
        entry: What the caller called: ``request``, ``send``, or a verb that the session overrides.
    """

    __slots__ = ("_entry", "_has_own_auth", "_session")

    def __init__(self, session: requests.Session, entry: str) -> None:
        self._session = session
        self._entry = entry
        self._has_own_auth = has_own_auth(session)

    def send(self, exchange: Exchange) -> Response:
        call, record, now = exchange._call, exchange._call.record, exchange._call.clock.monotonic
        # What cannot be sent at all is no attempt.
        kwargs = self._arguments(exchange)
        _rewind_bodies(exchange)
        started = now()
        attempt = Attempt(len(record.attempts) + 1, started - record.started)
        record.attempts.append(attempt)
        try:
            response = self._attempt(exchange, kwargs)
        except Exception as error:
            unwrapped = response_raised_for(error)
            if unwrapped is None:
                # Few calls fail, and their errors take time to load.
                from sessionkit.errors._faults import sent_before
                from sessionkit.errors._traceback import redirect_of

                attempt._note_failure(type(error).__name__, sent_before(error))
                if (redirect := redirect_of(error)) is not None:
                    # The server that sent us on may have acted.
                    attempt._note_status(redirect.status_code)
                detach_hook(getattr(error, "request", None))
                raise
            # A session that raises for a status: the handlers decide, and if this response is the
            # final one, its own error is raised after all.
            known = exchange.secret_values if exchange.credentials else ()
            call.session_error, response = mask_text(error, known), unwrapped
        finally:
            attempt.duration = now() - started
        response = own_response(response)
        attempt._note_status(response.status_code)
        record.from_cache = getattr(response, "from_cache", False) is True
        response.record = record  # type: ignore[attr-defined]  # an attribute of our own
        call.open_response = response
        return response

    def _arguments(self, exchange: Exchange) -> dict[str, Any]:
        """Return what the session is called with: what the caller gave, within the deadline."""
        if self._has_own_auth and any(map(is_authorization, exchange.credentials)):
            self._refuse_clash()
        private = exchange._call.handler_options
        kwargs = {k: v for k, v in exchange.options.items() if k not in private}
        if exchange.stream and not kwargs.get("stream"):
            kwargs["stream"] = True
        if exchange.deadline is not None:
            kwargs["stream"] = True
            kwargs["timeout"] = cap_timeout(kwargs.get("timeout"), exchange)
        return kwargs

    def _refuse_clash(self) -> None:
        name = type(self._session).__name__
        message = f"{name} sends an Authorization header of its own, and so would the auth handler"
        hint = "use scheme=Header(...) for a second credential, or wrap a plain requests.Session"
        raise ConfigError(message, hint=hint)

    def _attempt(self, exchange: Exchange, kwargs: dict[str, Any]) -> Response:
        session, entry, request = self._session, self._entry, exchange.prepared
        if request is not None and len(exchange._call.record.attempts) > 1:
            request = self._with_fresh_cookies(request)
        if _must_follow_redirects_ourselves(exchange):
            # A session's own head() is not asked, and by custom does not follow.
            follow = bool(kwargs.get("allow_redirects", entry != "head"))
            hops = HopByHop(session, exchange, follow=follow)
            return hops.request(entry, kwargs) if request is None else hops.send(request, kwargs)
        if request is not None:
            return session.send(request, **kwargs)
        return call_session(session, entry, exchange.method, url=exchange.url, kwargs=kwargs)

    def _with_fresh_cookies(self, request: PreparedRequest) -> PreparedRequest:
        """Return a copy of *request* with the cookies that a refused attempt may have set."""
        jar = getattr(request, "_cookies", None)
        if jar is None:
            return request
        bare = request.copy()
        given = bare.headers.pop("Cookie", None)
        if given is not None and given != get_cookie_header(jar, bare):
            return request  # written by hand: not ours to replace
        fresh = merge_cookies(merge_cookies(RequestsCookieJar(), jar), self._session.cookies)
        bare._cookies = fresh  # noqa: SLF001  # where requests keeps it
        bare.prepare_cookies(fresh)
        return bare

    def send_direct(
        self, request: requests.Request, exchange: Exchange, timeout: float | None
    ) -> Response:
        return send_direct(self._session, request, exchange, timeout=timeout)

    def preview(self, exchange: Exchange) -> Preview:
        return preview_of(self._session, exchange)

    def resolved_url(self, exchange: Exchange) -> str:
        return resolved_url(self._session, exchange)

    def session_origin(self) -> str | None:
        return session_origin(self._session)

    def has_credential(self, exchange: Exchange, location: str, name: str) -> bool:
        return is_given(self._session, exchange, location=location, name=name)


def _must_follow_redirects_ourselves(exchange: Exchange) -> bool:
    """Return whether hops matter: to place credentials, keep the deadline, send no body empty."""
    return bool(
        exchange.credentials
        or exchange.preparation_steps
        or exchange.deadline is not None
        or not exchange._has_replayable_body()
    )


def _rewind_bodies(exchange: Exchange) -> None:
    try:
        exchange._call.marks.rewind(body_objects(exchange.options, exchange.prepared))
    except (OSError, ValueError) as error:
        message = "the body gave its position but cannot be set back to it, so nothing was sent"
        hint = "give bytes, or a file that can seek"
        raise ReplayImpossible(message, hint=hint) from error
