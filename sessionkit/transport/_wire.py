"""The wire: the one place that touches the session.

It calls what the caller called, with only the arguments that the caller gave: one
``session.request`` (or verb, or ``send``) for each attempt. Only at this level do the session's own
overrides, caches, signatures and tokens all go on working.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.cookies import RequestsCookieJar, get_cookie_header, merge_cookies
from requests.utils import get_netrc_auth, resolve_proxies

from sessionkit._origins import is_absolute, origin_of
from sessionkit.bodies._request import body_objects
from sessionkit.bodies._response import answer_within, own_answer, status_of
from sessionkit.chain._exchange import DEFAULT_TIMEOUT
from sessionkit.chain._record import Attempt
from sessionkit.errors import ConfigError, ReplayImpossible
from sessionkit.errors._faults import sent_by
from sessionkit.errors._traceback import redirect_of
from sessionkit.transport._credentials import Placement, given_names, mask_text, place_in_options
from sessionkit.transport._direct import STOCK_SESSION, bare_request, send_direct
from sessionkit.transport._redirects import RedirectHook, check_body, next_of, take_off
from sessionkit.transport._timeouts import capped

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from sessionkit.chain._exchange import Exchange, Preview, Secret

#: Sessions that write their own ``Authorization`` inside ``request``, by module and class.
_BRING_A_TOKEN = {
    ("requests_oauthlib.oauth2_session", "OAuth2Session"),
    ("requests_oauthlib.oauth1_session", "OAuth1Session"),
    ("authlib.integrations.requests_client.oauth2_session", "OAuth2Session"),
    ("authlib.integrations.requests_client.oauth1_session", "OAuth1Session"),
    ("google.auth.transport.requests", "AuthorizedSession"),
}
_OPTIONS = {"query": "params", "cookie": "cookies"}


class Wire:
    """Sends exchanges by one session. Stateless beside it, hence as thread-safe as the session."""

    __slots__ = ("_brings_token", "_entry", "_session")

    def __init__(self, session: requests.Session, entry: str) -> None:
        self._session = session
        #: What the caller called: ``request``, ``send``, or a verb that the session overrides.
        self._entry = entry
        bases = type(session).__mro__
        self._brings_token = any((b.__module__, b.__qualname__) in _BRING_A_TOKEN for b in bases)

    def send(self, exchange: Exchange) -> Response:
        """Make one attempt; redirects belong to it."""
        call, record, now = exchange.call, exchange.call.record, exchange.call.clock.monotonic
        # What cannot be sent at all is no attempt.
        kwargs = self._arguments(exchange)
        _begin_bodies(exchange)
        started = now()
        attempt = Attempt(len(record.attempts) + 1, started - record.started)
        record.attempts.append(attempt)
        call.begun = True
        try:
            response = self._attempt(exchange, kwargs)
        except Exception as error:
            unwrapped = answer_within(error)
            if unwrapped is None:
                attempt.failed(type(error).__name__, sent_by(error))
                if (redirect := redirect_of(error)) is not None:
                    # The server that sent us on may have acted.
                    attempt.answered(redirect.status_code)
                take_off(getattr(error, "request", None))
                raise
            # A session that raises for a status: the handlers decide, and if this answer is the
            # final one, its own error is raised after all.
            call.raised, response = mask_text(error, exchange), unwrapped
        finally:
            attempt.seconds = now() - started
        attempt.answered(status_of(response))
        response = own_answer(response)
        record.from_cache = getattr(response, "from_cache", False) is True
        response.exchange = record  # type: ignore[attr-defined]  # an attribute of our own
        call.live = response
        return response

    def _arguments(self, exchange: Exchange) -> dict[str, Any]:
        """Return what the session is called with: what the caller gave, within the deadline."""
        if self._brings_token and any(map(_is_authorization, exchange.secrets)):
            self._refuse_clash()
        private = exchange.call.private
        kwargs = {k: v for k, v in exchange.options.items() if k not in private}
        if exchange.stream and not kwargs.get("stream"):
            kwargs["stream"] = True
        if exchange.deadline is not None:
            kwargs["stream"] = True
            kwargs["timeout"] = capped(kwargs.get("timeout"), exchange)
        return kwargs

    def _attempt(self, exchange: Exchange, kwargs: dict[str, Any]) -> Response:
        if exchange.prepared is not None:
            return self._send_prepared(exchange, kwargs)
        if not _by_hops(exchange):
            return self._enter(exchange.method, exchange.url, kwargs)
        return self._request_by_hops(exchange, kwargs)

    def _enter(self, method: str, url: str, kwargs: dict[str, Any]) -> Response:
        """Call what the caller called."""
        session: Any = self._session
        if self._entry == method.lower() != "request":
            answer: Response = getattr(session, self._entry)(url, **kwargs)
        else:
            answer = session.request(method, url, **kwargs)
        return answer

    def _send_prepared(self, exchange: Exchange, kwargs: dict[str, Any]) -> Response:
        request: Any = exchange.prepared
        if len(exchange.record.attempts) > 1:
            request = self._with_fresh_cookies(request)
        if not _by_hops(exchange):
            return self._session.send(request, **kwargs)
        follow = kwargs.pop("allow_redirects", True)
        placement = Placement(exchange, hook=_hook(exchange, follow))
        # A copy, or secrets would stay in an object that the caller keeps and logs.
        request = placement(request.copy())
        response = self._session.send(request, allow_redirects=False, **kwargs)
        if (further := next_of(response)) is None:
            return response
        if not follow:
            placement.strip(further)
            return response
        if "proxies" not in kwargs:
            session = self._session
            kwargs["proxies"] = resolve_proxies(request, session.proxies, session.trust_env)
        return self._follow(exchange, response, placement, kwargs)

    def _request_by_hops(self, exchange: Exchange, kwargs: dict[str, Any]) -> Response:
        url = exchange.url
        beside = [secret for secret in exchange.secrets if not _is_authorization(secret)]
        # A cookie too: only then is one of its name in the session's jar seen beside it.
        late = bool(exchange.steps) or any(map(_is_placed_late, exchange.secrets))
        if beside:
            target = self.target(exchange)
            for secret in beside:
                url = place_in_options(kwargs, secret, url, target)
        # A session's own head() is not told, and by custom does not follow.
        follow = kwargs.get("allow_redirects", self._entry != "head")
        kwargs["allow_redirects"] = False
        hook = _hook(exchange, follow)
        displaced = self._displaced(exchange, kwargs) if late else None
        placement = Placement(exchange, displaced, hook=hook)
        if late:
            kwargs["auth"] = placement
        else:
            known = getattr(self._session, "hooks", None) or {}
            kwargs["hooks"] = hook.beside(kwargs.get("hooks"), known)
        response = self._enter(exchange.method, url, kwargs)
        if (further := next_of(response)) is None:
            return response
        if not follow:
            placement.strip(further)
            return response
        if not late:
            placement.first(response.request)  # as sent: sets the origin that it began with
        settings = self._settings(response.request, kwargs)
        return self._follow(exchange, response, placement, settings)

    def _refuse_clash(self) -> None:
        name = type(self._session).__name__
        message = f"{name} sends an Authorization header of its own, and so would the auth handler"
        hint = "use scheme=Header(...) for a second credential, or wrap a plain requests.Session"
        raise ConfigError(message, hint=hint)

    def _displaced(self, exchange: Exchange, kwargs: dict[str, Any]) -> Any:
        """Return the authentication that a late step alone would push aside."""
        if any(map(_is_authorization, exchange.secrets)):
            return None
        given = kwargs.get("auth") or self._session.auth
        if given is None and not kwargs.get("withhold_token"):
            # Authlib's, which its session gives as ``auth=`` where the call has none.
            given = getattr(self._session, "token_auth", None)
        if given is None and self._session.trust_env:
            given = get_netrc_auth(self.target(exchange))
        return given

    def _settings(self, request: PreparedRequest, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments for sending hops, as ``session.request`` made them for *request*."""
        settings = self._session.merge_environment_settings(
            request.url or "",
            dict(kwargs.get("proxies") or {}),
            kwargs.get("stream"),
            kwargs.get("verify"),
            kwargs.get("cert"),
        )
        if "timeout" in kwargs:
            settings["timeout"] = kwargs["timeout"]
        elif type(self._session).request is not STOCK_SESSION.request:
            # Its own default, if it has one, is out of sight; a hop must not wait for ever.
            settings["timeout"] = DEFAULT_TIMEOUT
        return settings

    def _follow(
        self,
        exchange: Exchange,
        response: Response,
        placement: Placement,
        settings: dict[str, Any],
    ) -> Response:
        """Follow redirects hop by hop.

        The session decides method, cookies, proxies and limits; secrets are placed or removed at
        each hop, because requests knows no secret but one called ``Authorization``, and asks
        ``.netrc`` anew.
        """
        timeout = settings.get("timeout")
        history: list[Response] = []
        while (request := next_of(response)) is not None:
            if len(history) >= self._session.max_redirects:
                message = f"Exceeded {self._session.max_redirects} redirects."
                raise requests.TooManyRedirects(message, response=response)
            history.append(response)
            # From here on the server may have acted, whatever becomes of the hops.
            exchange.record.attempts[-1].answered(response.status_code)
            check_body(request, exchange, response)
            # With other proxies than ``next`` was made for, it would show one's login to a server.
            settings["proxies"] = self._session.rebuild_proxies(request, settings["proxies"])
            placement.hop(request)
            if exchange.deadline is not None:
                settings["timeout"] = capped(timeout, exchange)
            response = self._session.send(request, allow_redirects=False, **settings)
            response.history = list(history)
        return response

    def _with_fresh_cookies(self, request: PreparedRequest) -> PreparedRequest:
        """Return a copy of *request* with the cookies that a refused answer may have set."""
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

    def target(self, exchange: Exchange) -> str:
        """Return the absolute URL that the session makes of the exchange's."""
        if exchange.prepared is not None:
            return exchange.prepared.url or ""
        if type(self._session) is STOCK_SESSION and is_absolute(exchange.url):
            return exchange.url
        return bare_request(self._session, exchange.method, exchange.url).url or ""

    def preview(self, exchange: Exchange) -> Preview:
        """Return what would be sent first."""
        from sessionkit.transport._preview import preview_of

        return preview_of(self._session, exchange)

    def home(self) -> str | None:
        """Return the origin to which the session resolves relative URLs, or None."""
        base = getattr(self._session, "base_url", None)
        try:
            if isinstance(base, str) and is_absolute(base):
                return origin_of(base)
            return origin_of(bare_request(self._session, "GET", "").url or "")
        except (requests.RequestException, ValueError):
            return None

    def brings(self, exchange: Exchange, place: str, name: str) -> bool:
        """Tell whether the caller gave a credential for this place on the call itself."""
        if place == "header":
            if name.lower() == "authorization" and exchange.options.get("auth") is not None:
                return True
            given = exchange.header(name)
            if given is None or exchange.prepared is None:
                return given is not None
            # What the session itself puts on every request was not given on this call.
            bare = bare_request(self._session, exchange.prepared.method, exchange.prepared.url)
            own = bare.headers.get(name)
            return own != exchange.prepared.headers.get(name)  # either may be bytes
        if place == "query" and name in given_names(urlsplit(exchange.url).query):
            return True
        return name in given_names(exchange.options.get(_OPTIONS[place]))

    def send_direct(
        self, request: requests.Request, exchange: Exchange, timeout: float | None
    ) -> Response:
        """Send *request* past all handlers; see :meth:`Exchange.send_direct`."""
        return send_direct(self._session, request, exchange, timeout=timeout)


def _is_authorization(secret: Secret) -> bool:
    return secret.place == "header" and secret.name.lower() == "authorization"


def _by_hops(exchange: Exchange) -> bool:
    """Tell whether redirects are followed here: to place secrets, keep time, send no body empty."""
    return bool(
        exchange.secrets
        or exchange.steps
        or exchange.deadline is not None
        or not exchange.replayable
    )


def _is_placed_late(secret: Secret) -> bool:
    return secret.place == "cookie" or _is_authorization(secret)


def _begin_bodies(exchange: Exchange) -> None:
    try:
        exchange.call.marks.begin(body_objects(exchange.options, exchange.prepared))
    except (OSError, ValueError) as error:
        message = "the body told its position but would not go back to it, so nothing was sent"
        hint = "give bytes, or a file that can seek"
        raise ReplayImpossible(message, hint=hint) from error


def _hook(exchange: Exchange, follow: Any) -> RedirectHook:
    return RedirectHook(exchange.clock, exchange.deadline, wanted=not follow)
