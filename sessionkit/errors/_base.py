"""The root of all errors: evidence in, one clear line out, and no secret anywhere."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict, TypeVar

import requests

from sessionkit._redact import redact_url, scrub

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from sessionkit.errors._formats import ErrorDetail, Problem  # noqa: TC004  # never evaluated

Sent = Literal["no", "maybe", "yes"]
_SENT: tuple[Sent, ...] = ("no", "maybe", "yes")
AnyError = TypeVar("AnyError", bound="SessionKitError")
#: Characters of a message that are kept.
_MAX_TEXT = 2_000


class Evidence(TypedDict, total=False):
    """What may be given to an error, each part optional: see ``SessionKitError``."""

    method: str | None
    url: str | None
    status: int | None
    request_id: str | None
    attempts: int | None
    duration: float | None
    sent: Sent
    retryable: bool
    retry_after: float | None
    details: ErrorDetail | None
    bookmark: str | None
    response: requests.Response | None
    request: requests.Request | requests.PreparedRequest | None
    # of a StoreError
    store: str | None
    key: str | None
    # of a MappingError
    problems: tuple[Problem, ...]
    model: Any
    index: int | None


class SessionKitError(Exception):
    """Root of everything that sessionkit raises on purpose.

    Its text is one line. It can be pickled and copied, subclasses with any ``__init__`` included,
    and building it never raises. It holds no live connection, and no secret: URLs are redacted,
    the message is scrubbed, ``response`` and ``request`` are redacted copies.

    Args:
        message: What happened, in one line.
        hint: What to do next; shown below a traceback. By default that of the class.
        evidence: The attributes below. What is missing is read from ``response`` and ``request``.

    Attributes:
        message: What happened.
        hint: What to do next.
        method: HTTP method of the request.
        url: Its URL, redacted.
        status: HTTP status, where there was a response.
        request_id: The server's name for this request, for its operator.
        attempts: How often the request went out.
        duration: Seconds from the start of the call to its failure.
        sent: Whether the server may have acted on any attempt: ``no``, ``maybe`` or ``yes``.
        retryable: Whether the same request may well succeed later.
        retry_after: Seconds that the server asks to wait.
        details: What the server said, in its normal form.
        bookmark: Where a walk over pages can go on.
        response: Redacted copy of the response, its body cut at 64 KiB.
        request: Redacted copy of the request.
    """

    hint: str = ""
    method: str | None = None
    url: str | None = None
    status: int | None = None
    request_id: str | None = None
    attempts: int | None = None
    duration: float | None = None
    sent: Sent = "no"
    retryable: bool = False
    retry_after: float | None = None
    details: ErrorDetail | None = None
    bookmark: str | None = None
    response: requests.Response | None = None
    request: requests.Request | requests.PreparedRequest | None = None
    message: str = ""
    _cause_text: str | None = None

    def __init__(self, message: str = "", *, hint: str = "", **evidence: Unpack[Evidence]) -> None:
        text = _one_line(message)
        super().__init__(text)
        self.message = text
        if hint:
            self.hint = _one_line(hint)
        if self.hint:
            # Shown by tracebacks below the error, so that str() stays one line (PEP 678).
            self.add_note(f"hint: {self.hint}")
        # The parents from requests have set both of these to None.
        vars(self).pop("response", None)
        vars(self).pop("request", None)
        self.complete(**evidence)

    def complete(self, **evidence: Unpack[Evidence]) -> Self:
        """Add evidence that is missing so far, and return the error itself.

        Code that raises an error seldom knows the whole call; handlers further out do. What is set
        already stays as it is, and None adds nothing.
        """
        known = vars(self)
        for name, value in evidence.items():
            if value is not None and name not in known:
                # Half of the evidence is better than an error about an error.
                with contextlib.suppress(Exception):
                    known[name] = _CLEANERS.get(name, _unchanged)(value)
        with contextlib.suppress(Exception):
            self._read_copies()
        return self

    def include_sent(self, sent: Sent) -> None:
        """Take into account whether the server may have acted on what was sent before."""
        if _SENT.index(sent) > _SENT.index(self.sent):
            # What was safe to try again because nothing had been sent is so no longer.
            self.retryable = self.retryable and self.sent != "no"
            self.sent = sent

    def _read_copies(self) -> None:
        known = vars(self)
        response, request = self.response, self.request
        if response is not None:
            from sessionkit.headers._retry_after import read_request_id

            known.setdefault("status", response.status_code)
            if (name := read_request_id(response.headers)) is not None:
                known.setdefault("request_id", name)
            if request is None:
                request = known["request"] = response.request
        if request is not None:
            known.setdefault("method", request.method)
            known.setdefault("url", request.url)

    @property
    def cause_text(self) -> str | None:
        """Class and text of the cause, scrubbed; kept when the cause itself is lost in a pickle."""
        if self._cause_text is None and self.__cause__ is not None:
            return f"{type(self.__cause__).__name__}: {_one_line(self.__cause__)}"
        return self._cause_text

    def detached_copy(self) -> Self:
        """Return a fresh copy to raise in another thread, with the same cause.

        One exception object raised by two threads would mix their tracebacks.
        """
        copy = self.__copy__()
        copy.__cause__ = self.__cause__
        copy.__suppress_context__ = True
        return copy

    def __str__(self) -> str:
        try:
            place = " ".join(part for part in (self.method, self.url) if part)
            name = f"id {self.request_id}" if self.request_id else ""
            tries = f"try {self.attempts}" if (self.attempts or 0) > 1 else ""
            where = ", ".join(part for part in (place, name, tries) if part)
            text = self.message or type(self).__name__
            return f"{text} [{where}]" if where else text
        except Exception:  # noqa: BLE001  # the text of an error must not be a second error
            return type(self).__name__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"

    def __copy__(self) -> Self:
        return rebuild(type(self), self.args, dict(vars(self)))

    def __reduce__(self) -> tuple[Callable[..., SessionKitError], tuple[Any, ...]]:
        state = {name: _picklable(value) for name, value in vars(self).items()}
        state["_cause_text"] = self.cause_text
        return rebuild, (type(self), self.args, state)


def rebuild(cls: type[AnyError], args: tuple[Any, ...], state: dict[str, Any]) -> AnyError:
    """Make an error without its ``__init__``, whose signature only its subclass knows."""
    error = cls.__new__(cls)
    error.args = args
    vars(error).update(state)
    return error


def _picklable(value: Any) -> Any:
    """Return *value*, or a text in place of what cannot be pickled, such as a local class."""
    import pickle

    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001  # what pickling runs into is up to the object
        return _one_line(getattr(value, "__qualname__", None) or repr(value))
    return value


def _one_line(text: object) -> str:
    try:
        return _printable(scrub(" ".join(str(text)[:_MAX_TEXT].split())))
    except Exception:  # noqa: BLE001  # some objects cannot even be shown
        return f"<{type(text).__name__}>"


def _printable(text: str) -> str:
    """Return *text* without what a terminal would obey; servers write some of it."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _clean_url(url: object) -> str:
    return _printable(scrub(redact_url(str(url))))


def _unchanged(value: Any) -> Any:
    return value


def _redacted_response(response: Any) -> requests.Response:
    from sessionkit.errors._redacted import redacted_response

    return redacted_response(response)


def _redacted_request(request: Any) -> requests.PreparedRequest:
    from sessionkit.errors._redacted import redacted_request

    return redacted_request(request)


_CLEANERS: dict[str, Callable[[Any], Any]] = {
    "url": _clean_url,
    "request_id": _one_line,
    "response": _redacted_response,
    "request": _redacted_request,
}
