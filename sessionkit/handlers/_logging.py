"""Logging: one line for each call, without secrets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from requests import HTTPError, Request

from sessionkit._redact import MASK, redact_url, scrub, spellings
from sessionkit.errors import SessionKitError
from sessionkit.errors.tools import read_request_id, redacted_response, secrets_in_request
from sessionkit.handlers._curl import as_curl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import Response

    from sessionkit.chain._exchange import CallNext, Exchange

#: Characters of one text in a line, and of a body in the details.
_MAX_TEXT, _MAX_BODY = 500, 4_096
#: Characters of a text that are searched for secrets, before it is cut.
_MAX_SEARCHED = 20_000
_OFF = ("", "0", "FALSE", "NO", "NONE", "OFF")
_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


class LoggingHandler:
    """Write one line for each call to a logger of the standard library.

    Place it outermost, so that it sees the whole call: all attempts, and the error at its end. A
    call that succeeds at its first attempt is written at *level*. A call is written at WARNING if
    its status is 400 or more and not what ``expect=`` asked for, or if it needed several attempts;
    at ERROR if it ended in any other exception.

    The facts of the line are also attributes of the log record, for formatters that write JSON:
    ``http_method``, ``http_url``, ``http_status``, ``http_duration`` (seconds), ``http_attempts``,
    ``http_retries``, ``http_renewals``, ``http_renewal_duration`` (seconds), ``http_from_cache``,
    ``http_request_id`` (of the call), ``http_server_request_id``, ``http_operation`` (from
    ``operation=`` of the call), ``http_sent_bytes``, ``http_received_bytes`` (received by then),
    ``http_error`` (the class) and ``http_error_text``. An unknown fact is None.

    No line holds a credential: those that handlers placed, those on the request as it was sent, and
    everything that is secret by its name is masked. A text cannot start a new line. Shared between
    threads; it holds no state.

    Args:
        logger: A logger, or the name of one.
        level: The level of calls that succeed at their first attempt.
        verbose: Write two more lines at DEBUG: the request as a curl command, and the response with
            its headers and at most 4,096 characters of what has been read of its body. A stream is
            never read for it.
    """

    options = frozenset({"operation"})

    __slots__ = ("_logger", "_success_level", "_verbose")

    def __init__(
        self,
        logger: logging.Logger | str = "sessionkit.http",
        *,
        level: int = logging.INFO,
        verbose: bool = False,
    ) -> None:
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self._success_level = level
        self._verbose = verbose

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send the call and log its outcome; exceptions pass."""
        try:
            response = call_next(exchange)
        except Exception as error:
            self._write(exchange, None, error)
            raise
        self._write(exchange, response, None)
        return response

    def _write(
        self, exchange: Exchange, response: Response | None, error: Exception | None
    ) -> None:
        level = self._level(exchange, response, error)
        verbose = self._verbose and self._logger.isEnabledFor(logging.DEBUG)
        if not (verbose or self._logger.isEnabledFor(level)):
            return
        ended = _EndedCall(exchange, response, error)
        facts = ended.facts()
        fields = {f"http_{name}": value for name, value in facts.items()}
        self._logger.log(level, "%s", _line(facts), extra=fields)
        if verbose:
            for kind, text in (("request", ended.curl_text()), ("response", ended.response_text())):
                if text:
                    self._logger.debug("%s: %s", kind, text, extra=fields)

    def _level(self, exchange: Exchange, response: Response | None, error: Exception | None) -> int:
        if response is None:
            return logging.WARNING if isinstance(error, HTTPError) else logging.ERROR
        refused = response.status_code >= 400 and "expect" not in exchange.options
        again = len(exchange.record.attempts) > 1
        return (
            max(logging.WARNING, self._success_level) if refused or again else self._success_level
        )

    def __repr__(self) -> str:
        level = logging.getLevelName(self._success_level)
        return f"LoggingHandler({self._logger.name!r}, level={level}, verbose={self._verbose})"


def stderr_log(wanted: str) -> LoggingHandler | None:
    """Return the handler that the variable ``SESSIONKIT_LOG`` asks for; it logs to standard error.

    Its logger is not registered: it writes each line once, whatever the program's own logging is
    set up to do, and does not change that.

    Args:
        wanted: A level such as ``info``; ``debug`` adds request and response. Empty, ``0`` and
            ``off`` give None, any other text ``info``: a variable must not break a program.
    """
    word = wanted.strip().upper()
    if word in _OFF:
        return None
    level = logging.getLevelNamesMapping().get(word, logging.INFO)
    logger = logging.Logger("sessionkit.http", level)  # noqa: LOG001  # see above
    output = logging.StreamHandler()
    output.setFormatter(logging.Formatter(_FORMAT))
    logger.addHandler(output)
    return LoggingHandler(logger, verbose=True)


class _EndedCall:
    """The loggable facts of a call that has ended. Belongs to one thread."""

    __slots__ = ("_known", "_spelled", "error", "exchange", "request", "response", "status")

    def __init__(
        self, exchange: Exchange, response: Response | None, error: Exception | None
    ) -> None:
        self.exchange = exchange
        self.error = error
        self.response = getattr(error, "response", None) if response is None else response
        source: Any = error if response is None else response
        # An error without a request may be due to a response that has one.
        sent = getattr(source, "request", None) or getattr(exchange.open_response, "request", None)
        self.request: Any = sent
        ended_in_response = error is None or isinstance(error, HTTPError)
        status: int | None = getattr(self.response, "status_code", None)
        #: Of the response that ended the call; another error may hold an earlier response.
        self.status = status if ended_in_response else None
        self._known = frozenset(self._secrets())
        self._spelled = spellings(self._known)

    def _secrets(self) -> Iterator[str]:
        """Yield the texts that must not be logged."""
        yield from self.exchange.secret_values
        # The call's own arguments as well: it may have ended before a request was made of them.
        headers = self.exchange.options.get("headers")
        yield from secrets_in_request(Request(url=self.exchange.url, headers=headers))
        if self.request is not None:
            yield from secrets_in_request(self.request)

    def clean(self, text: object) -> str:
        """Return *text* without secrets, on one line, and cut to 500 characters."""
        try:
            plain = " ".join(str(text).split())
        except Exception:  # noqa: BLE001  # some objects cannot even be shown
            return f"<{type(text).__name__}>"
        if len(plain) > _MAX_SEARCHED:
            # Not within a word: half of a secret would not be recognized, and could be shown.
            plain = plain[:_MAX_SEARCHED].rpartition(" ")[0]
        one = _printable(self._masked(plain))
        return one if len(one) <= _MAX_TEXT else f"{one[:_MAX_TEXT]}..."

    def _masked(self, text: str) -> str:
        for spelling in self._spelled:
            text = text.replace(spelling, MASK)
        return scrub(text)

    def facts(self) -> dict[str, Any]:
        """Return the facts of the line, without secrets."""
        record, response, error = self.exchange.record, self.response, self.error
        attempts, operation = len(record.attempts), self.exchange.option("operation")
        return {
            "method": self.clean(self.exchange.method),
            "url": self.clean(redact_url(self._url())),
            "status": self.status,
            "duration": self.exchange.clock.monotonic() - record.started,
            "attempts": attempts,
            "retries": max(attempts - 1, 0),
            "renewals": len(record.renewals),
            "renewal_duration": record.renewal_duration,
            "from_cache": record.from_cache,
            "request_id": self._id(record.request_id, self.request),
            "server_request_id": self._id(None, response),
            "operation": None if operation is None else self.clean(operation),
            "sent_bytes": _sent_bytes(self.request),
            "received_bytes": _received_bytes(response),
            "error": None if error is None else type(error).__name__,
            "error_text": None if error is None else self.clean(_message(error)),
        }

    def _url(self) -> str:
        """Return the URL of the first request, before any redirect."""
        history: Any = getattr(self.response, "history", None)
        first = getattr(history[0], "request", None) if history else self.request
        return str(getattr(first, "url", None) or self.exchange.url)

    def _id(self, known: str | None, message: Any) -> str | None:
        headers = getattr(message, "headers", None)
        name = known or (read_request_id(headers) if headers else None)
        return None if name is None else self.clean(name)

    def curl_text(self) -> str | None:
        """Return the request as a curl command, or None if none was made."""
        return None if self.request is None else as_curl(self.request, secrets=self._known)

    def response_text(self) -> str | None:
        """Return the response, each line marked as in ``curl -v``, or None if there is none."""
        if self.response is None:
            return None
        copy = redacted_response(self.response, self._known)
        head = [f"{copy.status_code} {copy.reason}"]
        head += [f"{name}: {value}" for name, value in copy.headers.items()]
        # Masked again: an error's response is a copy, made where fewer secrets may be known.
        lines = [self._masked(line) for line in head]
        if self.exchange.is_read(self.response):
            lines += ["", *_body(copy.content, self._masked)]
        return "\n".join(f"< {_printable(line)}".rstrip() for line in lines)


def _line(facts: dict[str, Any]) -> str:
    attempts, renewals = facts["attempts"], facts["renewals"]
    remarks = (
        "nothing was sent" if attempts == 0 else f"{attempts} attempts" if attempts > 1 else "",
        f"{renewals} renewal{'s' * (renewals > 1)} in {facts['renewal_duration']:.3f}s"
        if renewals
        else "",
        "from a cache" if facts["from_cache"] else "",
        facts["operation"] or "",
        f"id {facts['request_id']}" if facts["request_id"] else "",
        f"server's id {facts['server_request_id']}" if facts["server_request_id"] else "",
    )
    remark = ", ".join(filter(None, remarks))
    fault = f": {facts['error']}: {facts['error_text']}" if facts["error"] else ""
    status = "failed" if facts["status"] is None else facts["status"]
    head = f"{facts['method']} {facts['url']} {status} in {facts['duration']:.3f}s"
    return f"{head}{f' ({remark})' if remark else ''}{fault}"


def _message(error: Exception) -> object:
    # Without URL and attempts, which are in the line already.
    return error.message if isinstance(error, SessionKitError) else error


def _sent_bytes(request: Any) -> int | None:
    headers = getattr(request, "headers", None) or {}
    length = str(headers.get("Content-Length", ""))
    return int(length) if length.isdecimal() and len(length) < 20 else None


def _received_bytes(response: Any) -> int | None:
    """Return how many bytes of the body were received so far, if urllib3 counted them."""
    try:
        count = response.raw.tell()
    except Exception:  # noqa: BLE001  # a mock or a copy may have anything there
        return None
    return count if isinstance(count, int) else None


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _body(content: bytes, masked: Callable[[str], str]) -> Iterator[str]:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        yield f"({len(content)} bytes that are no text)"
        return
    yield from masked(text)[:_MAX_BODY].splitlines()
    if len(text) > _MAX_BODY:
        yield f"(cut here, after {_MAX_BODY} characters)"
