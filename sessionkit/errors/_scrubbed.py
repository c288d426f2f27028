"""The original exception behind an error, made fit to be shown.

``MaxRetryError`` prints path and query, ``InvalidHeader`` the header's value, and those of requests
hold the request with its credentials. Each is replaced in the chain of causes by a copy of its
class without them; what holds no secret stays the very object it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests import exceptions as requests_errors
from urllib3 import exceptions as urllib3_errors

from sessionkit._redact import MASK, scrub
from sessionkit.errors._base import SessionKitError
from sessionkit.errors._redacted import redacted_request, redacted_response, secrets_in_request

if TYPE_CHECKING:
    from collections.abc import Iterable

#: They hold requests, pools and connections, so they are copied whatever their text says.
_HEAVY = (requests_errors.RequestException, urllib3_errors.HTTPError)


def scrub_exception(error: BaseException, secrets: Iterable[str] = ()) -> BaseException:
    """Return *error* with no secret in its text, its arguments, its causes or its context.

    Args:
        error: Left as it is; but links of its chain that need no copy may be changed to point to
            copies.
        secrets: Exact texts to mask, beside what looks like a secret and what the requests in the
            chain carry.

    Returns:
        The same object where nothing had to go, else a copy of the same class, if that class can be
        copied. The traceback stays. Of a chain that cannot be followed, nothing is left.
    """
    try:
        known = [*secrets]
        for link in _chain(error):
            known += secrets_in_request(getattr(link, "request", None))
            known += secrets_in_request(getattr(getattr(link, "response", None), "request", None))
        return _Scrubber(tuple(known)).clean(error)
    except Exception:  # noqa: BLE001  # such as a chain too long to follow
        error.__cause__ = error.__context__ = None
        return error


def _chain(error: BaseException) -> list[BaseException]:
    """Return *error* with all it wraps, its causes and its contexts."""
    found: list[BaseException] = [error]
    # By identity: what counts as equal is up to the exception.
    seen = {id(error)}
    for link in found:
        for inner in (link.__cause__, link.__context__, *link.args, getattr(link, "reason", None)):
            if isinstance(inner, BaseException) and id(inner) not in seen:
                seen.add(id(inner))
                found.append(inner)
    return found


class _Scrubber:
    """One pass over a chain; remembers its copies, so that the links agree."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        # With the originals, so that none is freed and its id given to another.
        self._done: dict[int, tuple[BaseException, BaseException]] = {}

    def clean(self, error: BaseException) -> BaseException:
        """Return *error* or its copy, with all that hangs on it."""
        if id(error) in self._done:
            return self._done[id(error)][1]
        # What is met again while it is being copied wraps itself.
        self._done[id(error)] = (error, RuntimeError(type(error).__name__))
        new = self._copy(error) if self._needs_copy(error) else error
        self._done[id(error)] = self._done[id(new)] = (error, new)
        suppress = error.__suppress_context__
        cause, context = error.__cause__, error.__context__
        new.__cause__ = None if cause is None else self.clean(cause)
        new.__context__ = None if context is None else self.clean(context)
        new.__suppress_context__ = suppress
        return new

    def _needs_copy(self, error: BaseException) -> bool:
        if isinstance(error, SessionKitError):
            return False
        always = isinstance(error, (*_HEAVY, UnicodeError)) or _is_about_a_header(error)
        return always or not self._is_clean(error)

    def _is_clean(self, error: BaseException) -> bool:
        try:
            shown = f"{error} {error!r} {getattr(error, '__notes__', '')}"
        except Exception:  # noqa: BLE001  # an error that cannot show itself shows no secret either
            return True
        return self._text(shown) == shown

    def _text(self, text: str) -> str:
        return scrub(text, self._secrets)

    def _copy(self, error: BaseException) -> BaseException:
        try:
            copy = self._same_class(error)
        except Exception:  # noqa: BLE001  # a class may be built in any way
            copy = None
        if copy is None or not self._is_clean(copy):
            copy = RuntimeError(f"{type(error).__name__}: {self._text(str(error))}")
        return copy.with_traceback(error.__traceback__)

    def _same_class(self, error: BaseException) -> BaseException:
        if isinstance(error, (UnicodeEncodeError, UnicodeDecodeError)):
            return _of_the_odd_character(error)
        if _is_about_a_header(error):
            what = (
                "of the answer makes no sense" if _is_about_an_answer(error) else "cannot be sent"
            )
            args: tuple[Any, ...] = (f"a header {what}: {MASK}",)
        else:
            args = tuple(self._value(arg) for arg in error.args)
        copy: BaseException = type(error).__new__(type(error), *args)
        copy.args = args
        vars(copy).update(self._attributes(error))
        return copy

    def _attributes(self, error: BaseException) -> dict[str, Any]:
        """Return what of an exception's attributes is plain; pools and connections stay behind."""
        kept: dict[str, Any] = {}
        for name, value in vars(error).items():
            if name == "request" and value is not None:
                kept[name] = redacted_request(value, self._secrets)
            elif name == "response" and value is not None:
                kept[name] = redacted_response(value, self._secrets)
            elif name == "__notes__":
                kept[name] = [self._text(str(note)) for note in value]
            elif value is None or isinstance(value, (str, int, float, BaseException)):
                kept[name] = self._value(value)
        return kept

    def _value(self, value: Any) -> Any:
        if isinstance(value, BaseException):
            return self.clean(value)
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, (int, float)):
            return value
        return self._text(value.decode("latin-1") if isinstance(value, bytes) else repr(value))


def _of_the_odd_character(error: UnicodeEncodeError | UnicodeDecodeError) -> BaseException:
    """Return *error* with what cannot be coded alone: its repr shows the whole text."""
    text: Any = error.object
    hidden: Any = "*" if isinstance(text, str) else b"*"
    shown = hidden * error.start + text[error.start : error.end]
    kind: Any = type(error)
    copy: BaseException = kind(error.encoding, shown, error.start, error.end, error.reason)
    return copy


def _is_about_a_header(error: BaseException) -> bool:
    """Tell whether the text of *error* shows a header's value."""
    if isinstance(error, requests_errors.InvalidHeader):
        # Around one of urllib3's, it is what tells a header of the answer from one of ours.
        return not _is_about_an_answer(error.args[0] if error.args else None)
    if _is_about_an_answer(error):
        return True
    # http.client's own, for a value that requests did not look at.
    return type(error) is ValueError and str(error).startswith("Invalid header")


def _is_about_an_answer(error: object) -> bool:
    return isinstance(error, urllib3_errors.InvalidHeader)
