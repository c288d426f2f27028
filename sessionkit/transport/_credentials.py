"""Place credentials on requests, and remove them where they must not go."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit, urlunsplit

from requests.cookies import RequestsCookieJar, cookiejar_from_dict, merge_cookies

from sessionkit._origins import origin_or_none
from sessionkit._redact import scrub
from sessionkit.transport._sessions import bare_request

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import requests
    from requests import PreparedRequest

    from sessionkit.chain._exchange import Credential, Exchange

    Step = Callable[[PreparedRequest], None]

_OPTIONS = {"query": "params", "cookie": "cookies"}


class CredentialPlacer:
    """Puts the credentials of one attempt on each of its requests, as the request's origin allows.

    Args:
        credentials: Placed by handlers.
        steps: Run on the first request, and on each further one to the same origin.

    Attributes:
        others: The credentials that are no ``Authorization``.
        has_authorization: Whether one is an ``Authorization``.
        needs_auth: Whether something must be done as ``auth=``, which requests calls last of all.
            For a cookie too: only then is one of its name in the session's jar seen beside it.
    """

    __slots__ = (
        *("_credentials", "_first_origin", "_signatures", "_steps"),
        *("has_authorization", "needs_auth", "others"),
    )

    def __init__(self, credentials: Sequence[Credential], steps: Sequence[Step] = ()) -> None:
        self.others: list[Credential] = []
        self.has_authorization = False
        self.needs_auth = bool(steps)
        for credential in credentials:
            if is_authorization(credential):
                self.has_authorization = self.needs_auth = True
            else:
                self.others.append(credential)
                self.needs_auth = self.needs_auth or credential.location == "cookie"
        self._credentials = credentials
        self._steps = steps
        self._first_origin: str | None = None
        #: Headers that steps wrote, by name.
        self._signatures: dict[str, set[str]] = {}

    def place_others(self, kwargs: dict[str, Any], *, url: str, resolved: str) -> str:
        """Put all but an ``Authorization`` into the arguments of a request; return its URL.

        These ride beside whatever the session authenticates with, so a key for a gateway works with
        a session that brings a token of its own.

        Args:
            kwargs: Arguments for ``session.request``; changed.
            url: As it would be given to the session.
            resolved: The absolute URL that the session makes of it.
        """
        origin = origin_or_none(resolved)
        for credential in self.others:
            if origin in credential.origins:
                url = _place_in_options(kwargs, credential, url=url, resolved=resolved)
        return url

    def on_first_request(self, request: PreparedRequest) -> None:
        """Place credentials on, and run steps over, the first request of an attempt."""
        self._first_origin = origin_or_none(request.url)
        self._place(request, self._first_origin)
        if self._steps:
            self._run_steps(request)

    def on_redirect(self, request: PreparedRequest) -> None:
        """Place or remove credentials on a request that a redirect leads to."""
        origin = origin_or_none(request.url)
        self._place(request, origin)
        if origin != self._first_origin:
            self._remove_signatures(request)
        elif self._steps:
            self._run_steps(request)

    def remove_all(self, request: PreparedRequest) -> None:
        """Remove every credential from a request that the caller gets and may send anywhere."""
        for credential in self._credentials:
            _PLACE[credential.location](request, credential, False)  # noqa: FBT003  # one of a table of functions
            jar = getattr(request, "_cookies", None)
            if credential.location == "cookie" and jar is not None:
                _remove_cookie(jar, credential)
        self._remove_signatures(request)

    def _run_steps(self, request: PreparedRequest) -> None:
        """Run the steps, and remember which headers they wrote."""
        before: dict[str, Any] = dict(request.headers)
        for step in self._steps:
            step(request)
        now: dict[str, Any] = dict(request.headers)
        for name, value in now.items():
            if before.get(name) != value:
                self._signatures.setdefault(name, set()).add(value)

    def _remove_signatures(self, request: PreparedRequest) -> None:
        """Remove what steps wrote: it was made for the first origin only."""
        for name, values in self._signatures.items():
            if request.headers.get(name) in values:
                del request.headers[name]

    def _place(self, request: PreparedRequest, origin: str | None) -> None:
        for credential in self._credentials:
            allowed = origin is not None and origin in credential.origins
            _PLACE[credential.location](request, credential, allowed)


def is_authorization(credential: Credential) -> bool:
    """Return whether *credential* is an ``Authorization`` header."""
    return credential.location == "header" and credential.name.lower() == "authorization"


def is_given(session: requests.Session, exchange: Exchange, *, location: str, name: str) -> bool:
    """Return whether the caller gave a credential for this location on the call itself."""
    if location == "header":
        if name.lower() == "authorization" and exchange.options.get("auth") is not None:
            return True
        given = exchange.header(name)
        if given is None or exchange.prepared is None:
            return given is not None
        # What the session itself puts on every request was not given on this call.
        bare = bare_request(session, exchange.prepared.method, exchange.prepared.url)
        return bare.headers.get(name) != exchange.prepared.headers.get(name)  # either may be bytes
    if location == "query" and name in _given_names(urlsplit(exchange.url).query):
        return True
    return name in _given_names(exchange.options.get(_OPTIONS[location]))


def _header(request: PreparedRequest, name: str) -> str:
    """Return a header as text; signers such as requests-oauthlib's turn all into bytes."""
    value: Any = request.headers.get(name, "")
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _place_header(request: PreparedRequest, credential: Credential, allowed: bool) -> None:  # noqa: FBT001  # one of a table of functions
    if allowed:
        request.headers[credential.name] = credential.value
    elif _header(request, credential.name) == credential.value:
        # Only our own value: another host may have credentials of its own in the same header.
        del request.headers[credential.name]


def _place_query(request: PreparedRequest, credential: Credential, allowed: bool) -> None:  # noqa: FBT001  # one of a table of functions
    pair = urlencode({credential.name: credential.value})
    parts = urlsplit(request.url or "")
    ours = f"{credential.name}={credential.value}"
    # What is not ours stays to the letter: it may be signed.
    pairs = [part for part in parts.query.split("&") if unquote_plus(part) != ours]
    query = "&".join(pairs)
    if allowed:
        query = f"{query}&{pair}" if query else pair
    if query != parts.query:
        request.url = urlunsplit(parts._replace(query=query))


def _place_cookie(request: PreparedRequest, credential: Credential, allowed: bool) -> None:  # noqa: FBT001  # one of a table of functions
    given = _header(request, "Cookie")
    pairs = [pair.strip() for pair in given.split(";") if pair.strip()]
    ours = f"{credential.name}={credential.value}"
    if allowed:
        pairs = [*(pair for pair in pairs if pair.partition("=")[0] != credential.name), ours]
    else:
        pairs = [pair for pair in pairs if pair != ours]
    if pairs:
        request.headers["Cookie"] = "; ".join(pairs)
    else:
        request.headers.pop("Cookie", None)


_PLACE = {"header": _place_header, "query": _place_query, "cookie": _place_cookie}


def _remove_cookie(jar: Any, credential: Credential) -> None:
    for cookie in [c for c in jar if c.name == credential.name and c.value == credential.value]:
        jar.clear(cookie.domain, cookie.path, cookie.name)


def _place_in_options(
    kwargs: dict[str, Any], credential: Credential, *, url: str, resolved: str
) -> str:
    if credential.location == "header":
        given = kwargs.get("headers") or {}
        others = {k: v for k, v in given.items() if str(k).lower() != credential.name.lower()}
        kwargs["headers"] = {**others, credential.name: credential.value}
    elif credential.location == "cookie":
        kwargs["cookies"] = _with_cookie(kwargs.get("cookies"), credential, resolved)
    else:
        base, mark, fragment = url.partition("#")
        joint = "&" if "?" in base else "?"
        return f"{base}{joint}{urlencode({credential.name: credential.value})}{mark}{fragment}"
    return url


def mask_text(error: Exception, known: Collection[str]) -> Exception:
    """Mask *known* values in the text of *error*, which stays the object that it is."""
    if known:
        error.args = tuple(scrub(a, known) if isinstance(a, str) else a for a in error.args)
    return error


def _given_names(option: Any) -> set[str]:
    """Return the names in ``params`` or ``cookies``, in any form that requests takes."""
    if not option:
        return set()
    if isinstance(option, bytes):
        option = option.decode("latin-1")
    if isinstance(option, str):
        return {name for name, _ in parse_qsl(option, keep_blank_values=True)}
    if isinstance(option, CookieJar):
        return {cookie.name for cookie in option}
    if isinstance(option, Mapping):
        return {str(name) for name in option}
    return {str(pair[0]) for pair in option if isinstance(pair, (tuple, list)) and pair}


def _with_cookie(
    cookies: CookieJar | Mapping[str, str] | None, credential: Credential, resolved: str
) -> RequestsCookieJar:
    jar = RequestsCookieJar()
    if isinstance(cookies, CookieJar):
        merge_cookies(jar, cookies)
    elif cookies:
        merge_cookies(jar, cookiejar_from_dict(dict(cookies)))
    # With the brackets of an IPv6 address, as http.cookiejar has it.
    host = urlsplit(resolved).netloc.rpartition("@")[2].lower()
    host = host[: host.rindex("]") + 1] if "]" in host else host.partition(":")[0]
    # http.cookiejar knows hosts without a dot by this name (RFC 2965's effective host name).
    domain = host if "." in host else f"{host}.local"
    jar.set(credential.name, credential.value, domain=domain, path="/")
    return jar
