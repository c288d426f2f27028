"""Logging in by a form: session cookies, hidden inputs, CSRF tokens (as Django, AWX and others)."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urljoin, urlsplit, urlunsplit

from requests import Request

from sessionkit._origins import origin_of
from sessionkit._redact import is_secret_name, redact_url
from sessionkit._tokens import Token
from sessionkit.auth._schemes import SessionCookie
from sessionkit.auth.grants._endpoints import checked_url
from sessionkit.auth.grants._html_form import find_form
from sessionkit.auth.renewal._policy import RenewalPolicy
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed
from sessionkit.headers._set_cookie import read_set_cookie

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response

    from sessionkit.auth.grants._base import Steps
    from sessionkit.headers._set_cookie import SetCookie

_REFUSED = frozenset((400, 401, 403))
_AGAIN = "the next call tries again"


class LoginForm:
    """A session that begins with a form: the page is asked for, filled in and sent.

    What the form holds already (hidden inputs, CSRF tokens) goes along. The session's cookie is the
    token, so it is stored, shared between processes and renewed like any other; give its
    ``scheme`` and its ``policy`` to the handler too::

        form = LoginForm("https://awx.example/login/", {"username": "ada", "password": word})
        AuthHandler(form, scheme=form.scheme, policy=form.policy)

    Args:
        url: Absolute URL of the page with the form.
        fields: What a user would type, by the names of the inputs. The first that is no secret by
            its name tells accounts apart in the store.
        cookie: Name of the session's cookie.
        csrf_cookie: Name of the cookie with the CSRF token.
        csrf_header: Header in which requests with unsafe methods repeat it.
        expiry_header: Name of a header in which each answer says for how many seconds the session
            lives on, such as AWX's ``Session-Timeout``.

    Raises:
        ConfigError: A URL that is not absolute, or a field that is empty.
    """

    __slots__ = ("_expiry_header", "_fields", "_url", "scheme", "store_key")

    renewable = True

    def __init__(
        self,
        url: str,
        fields: Mapping[str, str],
        *,
        cookie: str = "sessionid",
        csrf_cookie: str = "csrftoken",
        csrf_header: str = "X-CSRFToken",
        expiry_header: str | None = None,
    ) -> None:
        self._url = checked_url(url, "url")
        if not fields or not all(fields.values()):
            message = "each field of a login form needs a text"
            raise ConfigError(message, hint="an environment variable that is not set?")
        self._fields = dict(fields)
        self._expiry_header = expiry_header
        #: Where the session's cookie and its CSRF token go on a request.
        self.scheme = SessionCookie(cookie, csrf_cookie=csrf_cookie, csrf_header=csrf_header)
        # Keys are shown, in errors, events and stores: never a password, whatever comes first.
        who = next((text for name, text in fields.items() if not is_secret_name(name)), "")
        self.store_key = f"{who}@{redact_url(url)}"

    @property
    def policy(self) -> RenewalPolicy:
        """Renewal at a 401, and where an answer leads to the page with the form."""
        path = urlsplit(self._url).path or "/"
        return RenewalPolicy(login_path=path, expiry_header=self._expiry_header)

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:  # noqa: ARG002  # what all grants take
        """Ask for the page, and send its form."""
        page = yield Request("GET", self._url, headers={"Accept": "text/html"})
        if not page.ok or page.status_code >= 300:
            message = f"the page with the login form answered {page.status_code}"
            elsewhere = "give the URL that it redirects to" if page.is_redirect else _AGAIN
            raise self._failed(page, message, hint=elsewhere)
        form = find_form(_text(page), set(self._fields))
        if form is None:
            names = ", ".join(self._fields)
            message = f"the page holds no form that asks for {names}"
            raise self._failed(page, message, hint="are these the names of its inputs?")
        cookies = {cookie.name: cookie.value for cookie in _cookies(page).values()}
        answer = yield Request(
            "POST",
            self._target(page, form.action),
            data={**form.fields, **self._fields},
            # A server that checks where a form comes from looks at these (Django does, over TLS).
            headers={
                "Referer": _referer(self._url),
                "Origin": _plain_origin(self._url),
                "Accept": "*/*",
            },
            cookies=cookies,
        )
        return self._token(answer, cookies)

    def _target(self, page: Response, action: str | None) -> str:
        """Return where the form is sent; never to another origin, with the password in it."""
        try:
            target = urljoin(self._url, action or self._url)
            if origin_of(target) == origin_of(self._url):
                return target
        except ValueError:
            pass  # no URL at all: said below, with what was written
        message = f"the login form would be sent elsewhere: {redact_url(action or '')}"
        raise self._failed(page, message, hint="the password is sent to the page's origin only")

    def _token(self, answer: Response, before: dict[str, str]) -> Token:
        """Return the session that the answer to the form began."""
        scheme = self.scheme
        cookies = _cookies(answer)
        session = cookies.get(scheme.name)
        known = {"", before.get(scheme.name)}
        if session is None or session.value in known or self._is_refusal(answer):
            raise self._no_session(answer)
        csrf = cookies.get(scheme.csrf_cookie)
        secret = csrf.value if csrf is not None else before.get(scheme.csrf_cookie, "")
        extra = {"csrf": secret} if secret else {}
        extra["referer"] = _referer(self._url)
        try:
            return Token(session.value, expires_in=session.lifetime, extra=extra)
        except ValueError as error:
            raise self._failed(answer, f"the session's cookie cannot be used: {error}") from error

    def _is_refusal(self, answer: Response) -> bool:
        """Tell whether a cookie that is new begins no login: some sites set one on each answer."""
        return not answer.ok or find_form(_text(answer), set(self._fields)) is not None

    def _no_session(self, answer: Response) -> LoginRequired | RenewalFailed:
        status, name = answer.status_code, self.scheme.name
        if status == 200 or status in _REFUSED:
            message = f"the login form was not accepted ({status}, no session in cookie {name!r})"
            hint = "check name and password; a wrong cookie= looks the same"
            return LoginRequired(message, hint=hint, **self._at(answer))
        message = f"the login form was answered with {status} and no session in cookie {name!r}"
        return self._failed(answer, message)

    def _failed(self, answer: Response, message: str, *, hint: str = _AGAIN) -> RenewalFailed:
        return RenewalFailed(message, hint=hint, **self._at(answer))

    def _at(self, answer: Response) -> dict[str, Any]:
        return {"url": self._url, "status": answer.status_code, "sent": "yes"}

    def __reduce__(self) -> NoReturn:
        message = "a grant is not pickled: its secrets would be readable in the pickle"
        raise ConfigError(message, hint="build it where it is used, from the names of its secrets")

    def __repr__(self) -> str:
        return f"LoginForm({redact_url(self._url)!r}, {sorted(self._fields)})"


def _cookies(response: Response) -> dict[str, SetCookie]:
    """Return the cookies that an answer sets, by their names."""
    raw: Any = response.raw
    lines = raw.headers.getlist("Set-Cookie") if raw is not None else ()
    found = filter(None, map(read_set_cookie, lines))
    return {cookie.name: cookie for cookie in found}


def _text(page: Response) -> str:
    try:
        # Python knows it, no browser does, and it takes a minute over a megabyte.
        if codecs.lookup(page.encoding or "utf-8").name != "punycode":
            return page.text
    except (LookupError, ValueError):
        pass  # a charset that no codec has, or could have
    return page.content.decode("utf-8", "replace")


def _referer(url: str) -> str:
    """Return *url* as it may be told: without user and fragment (RFC 9110, section 10.1.3)."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


def _plain_origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
