"""Login by an HTML form: session cookies, hidden inputs, CSRF tokens (Django, AWX and others)."""

from __future__ import annotations

import codecs
import contextlib
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from requests import Request

from sessionkit._origins import origin_of
from sessionkit._redact import is_secret_name, redact_url
from sessionkit._tokens import Token
from sessionkit.auth._schemes import SessionCookie
from sessionkit.auth.grants._token_endpoint import UNSET, NotPickled, checked_url
from sessionkit.auth.renewal._policy import RenewalPolicy
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed
from sessionkit.headers._set_cookie import read_set_cookie

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response

    from sessionkit.auth.grants._base import Steps
    from sessionkit.headers._set_cookie import SetCookie

#: Of a page, in characters: a login form stands near its beginning.
_MAX_CHARACTERS = 262_144
_INPUTS = frozenset(("input", "select", "textarea"))
_REFUSED = frozenset((400, 401, 403))
_AGAIN = "the next call tries again"


class LoginForm(NotPickled):
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
        expiry_header: Name of a header in which each response says for how many seconds the session
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
            raise ConfigError("each field of a login form needs a text", hint=UNSET)
        self._fields = dict(fields)
        self._expiry_header = expiry_header
        #: Where the session's cookie and its CSRF token go on a request.
        self.scheme = SessionCookie(cookie, csrf_cookie=csrf_cookie, csrf_header=csrf_header)
        # Keys are shown, in errors, events and stores: never a password, whatever comes first.
        who = next((text for name, text in fields.items() if not is_secret_name(name)), "")
        self.store_key = f"{who}@{redact_url(url)}"

    @property
    def policy(self) -> RenewalPolicy:
        """Renewal at a 401, and where a response leads to the page with the form."""
        path = urlsplit(self._url).path or "/"
        return RenewalPolicy(login_path=path, expiry_header=self._expiry_header)

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:  # noqa: ARG002  # what all grants take
        page = yield Request("GET", self._url, headers={"Accept": "text/html"})
        if not page.ok or page.status_code >= 300:
            message = f"the page with the login form responded with {page.status_code}"
            elsewhere = "give the URL that it redirects to" if page.is_redirect else _AGAIN
            raise self._failed(page, message, hint=elsewhere)
        form = find_form(_text(page), set(self._fields))
        if form is None:
            names = ", ".join(self._fields)
            message = f"the page holds no form that asks for {names}"
            raise self._failed(page, message, hint="are these the names of its inputs?")
        cookies = {cookie.name: cookie.value for cookie in _cookies(page).values()}
        response = yield Request(
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
        return self._token(response, cookies)

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

    def _token(self, response: Response, before: dict[str, str]) -> Token:
        """Return the session that the response to the form began."""
        scheme = self.scheme
        cookies = _cookies(response)
        session = cookies.get(scheme.name)
        known = {"", before.get(scheme.name)}
        if session is None or session.value in known or self._is_refusal(response):
            raise self._no_session(response)
        csrf = cookies.get(scheme.csrf_cookie)
        secret = csrf.value if csrf is not None else before.get(scheme.csrf_cookie, "")
        extra = {"csrf": secret} if secret else {}
        extra["referer"] = _referer(self._url)
        try:
            return Token(session.value, expires_in=session.lifetime, extra=extra)
        except ValueError as error:
            raise self._failed(response, f"the session's cookie cannot be used: {error}") from error

    def _is_refusal(self, response: Response) -> bool:
        """Return whether a new cookie begins no login: some sites set one on each response."""
        return not response.ok or find_form(_text(response), set(self._fields)) is not None

    def _no_session(self, response: Response) -> LoginRequired | RenewalFailed:
        status, name = response.status_code, self.scheme.name
        if status == 200 or status in _REFUSED:
            message = f"the login form was not accepted ({status}, no session in cookie {name!r})"
            hint = "check name and password; a wrong cookie= looks the same"
            return LoginRequired(message, hint=hint, **self._at(response))
        message = f"the login form got a {status} and no session in cookie {name!r}"
        return self._failed(response, message)

    def _failed(self, response: Response, message: str, *, hint: str = _AGAIN) -> RenewalFailed:
        return RenewalFailed(message, hint=hint, **self._at(response))

    def _at(self, response: Response) -> dict[str, Any]:
        return {"url": self._url, "status": response.status_code, "sent": "yes"}

    def __repr__(self) -> str:
        return f"LoginForm({redact_url(self._url)!r}, {sorted(self._fields)})"


def _cookies(response: Response) -> dict[str, SetCookie]:
    """Return the cookies that a response sets, by their names."""
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
    """Return *url* without user and fragment, as others may see it (RFC 9110, section 10.1.3)."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


def _plain_origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class HtmlForm:
    """A form as it stands on a page.

    Attributes:
        action: Where it is sent, as written; None for the page's own URL.
        fields: What its inputs hold already, by their names.
        asks: Names of its inputs that are shown to a user.
    """

    __slots__ = ("action", "asks", "fields")

    def __init__(self, action: str | None) -> None:
        self.action = action or None
        self.fields: dict[str, str] = {}
        self.asks: set[str] = set()

    def add(self, kind: str, name: str, value: str) -> None:
        """Add an input of the form."""
        if kind == "hidden":
            self.fields[name] = value
        elif kind not in {"submit", "image", "button", "reset"}:
            self.asks.add(name)


class _FormParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[HtmlForm] = []
        self._open: HtmlForm | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = HtmlForm(attributes.get("action"))
            self.forms.append(self._open)
        elif self._open is not None and tag in _INPUTS and "name" in attributes:
            kind = attributes.get("type", "text").lower() if tag == "input" else tag
            self._open.add(kind, attributes["name"], attributes.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


def find_form(page: str, names: set[str]) -> HtmlForm | None:
    """Return the form of *page* that asks for all of *names*, or None."""
    parser = _FormParser()
    # The parser asserts that what follows `<![` is known to it; the forms before stand.
    with contextlib.suppress(AssertionError):
        parser.feed(page[:_MAX_CHARACTERS])
    return next((form for form in parser.forms if names <= form.asks), None)
