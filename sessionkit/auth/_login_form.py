"""Logging in by a form: session cookies, hidden inputs, CSRF tokens (as Django, AWX and others)."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urljoin, urlsplit

from requests import Request

from sessionkit._origins import origin_of
from sessionkit._redact import redact_url
from sessionkit._tokens import Token
from sessionkit.auth._html_form import find_form
from sessionkit.auth._oauth2 import checked_url
from sessionkit.auth._policy import RenewalPolicy
from sessionkit.auth._schemes import FormSession
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response

    from sessionkit.auth._grants import Steps

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
        fields: What a user would type, by the names of the inputs.
        cookie: Name of the session's cookie.
        csrf_cookie: Name of the cookie with the CSRF token.
        csrf_header: Header in which requests with unsafe methods repeat it.
        sliding: Name of a header in which each answer says for how many seconds the session
            lives on, such as AWX's ``Session-Timeout``.

    Raises:
        ConfigError: A URL that is not absolute, or a field that is empty.
    """

    __slots__ = ("_fields", "_sliding", "_url", "key", "scheme")

    renewable = True

    def __init__(
        self,
        url: str,
        fields: Mapping[str, str],
        *,
        cookie: str = "sessionid",
        csrf_cookie: str = "csrftoken",
        csrf_header: str = "X-CSRFToken",
        sliding: str | None = None,
    ) -> None:
        self._url = checked_url(url, "url")
        if not fields or not all(fields.values()):
            message = "each field of a login form needs a text"
            raise ConfigError(message, hint="an environment variable that is not set?")
        self._fields = dict(fields)
        self._sliding = sliding
        #: Where the session's cookie and its CSRF token go on a request.
        self.scheme = FormSession(cookie, csrf_cookie=csrf_cookie, csrf_header=csrf_header)
        # The first field is the one that says who logs in.
        self.key = f"{next(iter(self._fields.values()))}@{url}"

    @property
    def policy(self) -> RenewalPolicy:
        """Renewal at a 401, and where an answer leads to the page with the form."""
        return RenewalPolicy(login_page=urlsplit(self._url).path or "/", sliding=self._sliding)

    def steps(self, held: Token | None, refused: Response | None) -> Steps:  # noqa: ARG002
        """Ask for the page, and send its form."""
        page = yield Request("GET", self._url, headers={"Accept": "text/html"})
        if not page.ok or page.status_code >= 300:
            message = f"the page with the login form answered {page.status_code}"
            elsewhere = "give the URL that it redirects to" if page.is_redirect else _AGAIN
            raise self._failed(page, message, hint=elsewhere)
        form = find_form(page.text, set(self._fields))
        if form is None:
            names = ", ".join(self._fields)
            message = f"the page holds no form that asks for {names}"
            raise self._failed(page, message, hint="are these the names of its inputs?")
        cookies = _cookies(page)
        answer = yield Request(
            "POST",
            self._target(page, form.action),
            data={**form.fields, **self._fields},
            # A server that checks where a form comes from looks at these (Django does, over TLS).
            headers={"Referer": self._url, "Origin": _plain_origin(self._url), "Accept": "*/*"},
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
        morsels = _morsels(answer)
        session = morsels.get(scheme.name)
        if session is None or not session.value or session.value == before.get(scheme.name):
            raise self._no_session(answer)
        csrf = morsels.get(scheme.csrf_cookie)
        known = csrf.value if csrf is not None else before.get(scheme.csrf_cookie, "")
        extra = {"csrf": known, "referer": self._url} if known else {"referer": self._url}
        age = session["max-age"]
        life = float(age) if str(age).isdecimal() and int(age) > 0 else None
        try:
            return Token(session.value, expires_in=life, extra=extra)
        except ValueError as error:
            raise self._failed(answer, f"the session's cookie cannot be used: {error}") from error

    def _no_session(self, answer: Response) -> LoginRequired | RenewalFailed:
        status = answer.status_code
        if status == 200 or status in _REFUSED:
            message = f"the login form was not accepted ({status}, no cookie {self.scheme.name!r})"
            hint = "check name and password; a wrong cookie= looks the same"
            return LoginRequired(message, hint=hint, **self._at(answer))
        message = f"the login form was answered with {status} and no cookie {self.scheme.name!r}"
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


def _morsels(response: Response) -> dict[str, Any]:
    """Return the cookies that an answer sets, with their attributes."""
    found: dict[str, Any] = {}
    raw: Any = response.raw
    for line in raw.headers.getlist("Set-Cookie") if raw is not None else ():
        try:
            found |= SimpleCookie(line)
        except CookieError:
            continue  # a cookie that is none concerns nobody
    return found


def _cookies(response: Response) -> dict[str, str]:
    return {name: morsel.value for name, morsel in _morsels(response).items()}


def _plain_origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
