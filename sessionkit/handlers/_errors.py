"""Errors: failed responses and faults of transport as exceptions of one tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from requests import HTTPError

from sessionkit.bodies import BodyObserver, watch
from sessionkit.errors import ConfigError, SessionKitError, StatusError, UnexpectedStatus, tools

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from requests import Response

    from sessionkit.chain._exchange import CallNext, Exchange
    from sessionkit.errors import Rule

#: Seconds to wait for the body of an error, of which no more than 64 KiB is read.
MAX_SECONDS = 2.0

_FIRST_ERROR_STATUS = 400


class ErrorHandler:
    """Raise responses of 400 and above, and every fault of transport, as errors of the library.

    Place it outside all handlers that look at plain responses and at the exceptions that a session
    raises. A response below 400 passes: also a redirect that the caller asked to see, and a 304.

    If the caller asked for a stream, faults inside the body are raised as errors too, while
    ``iter_content``, ``iter_lines``, ``content`` and ``json`` read it (not while ``raw`` does).

    Errors of the library from further in pass, completed by what they lack. Everything else, such
    as a ``TypeError`` in a handler of yours, passes unchanged.

    A call may ask for less: ``expect=404`` or ``expect=(200, 404)`` names the statuses that it
    takes for a success. Such a response is returned; any other below 400 is an
    :class:`~sessionkit.errors.UnexpectedStatus`. With ``raise_for_status=False`` every response is
    returned, and only faults of transport are raised.

    Immutable, hence safe to share between threads and stacks.

    Args:
        rules: Which error a response is, if its status does not say it; the first that matches
            wins, before the rule by status. Of a stream below 400 only status, method and headers
            are looked at; a stream from 400 on whose body a rule looked into is cut at 64 KiB.
        base_class: An exception class of yours. Every error is then one of it too, by a class
            that :func:`~sessionkit.errors.vendor_error` makes.
        request_id_headers: Headers that name a request, looked at before the usual ones.
    """

    options = frozenset({"expect", "raise_for_status"})

    __slots__ = ("_base_class", "_request_id_headers", "_rules", "_statuses_with_rules")

    name = "errors"

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        *,
        base_class: type[Exception] | None = None,
        request_id_headers: Collection[str] = (),
    ) -> None:
        self._rules = _checked_rules(rules)
        self._base_class = base_class
        if base_class is not None:
            from sessionkit.errors import vendor_error

            vendor_error(base_class, StatusError)  # refuses a class that cannot be one
        self._request_id_headers = tuple(request_id_headers)
        named = (rule.statuses or () for rule in self._rules)
        #: Statuses that are no error by themselves, but may be one by a rule.
        self._statuses_with_rules = frozenset(
            s for some in named for s in some if s < _FIRST_ERROR_STATUS
        )

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send the call, and raise its failure.

        Raises:
            StatusError: The status is 400 or more, or a rule or ``expect=`` says that the call
                failed; its connection is free again.
            TransportError: No whole response was received.
            InvalidRequest: The request cannot be sent.
            ConfigError: The ``expect`` of the call names no statuses.
        """
        fault: SessionKitError | None
        try:
            # Sent as a stream, read on the way up: when a body fails, its status is known.
            response = call_next(exchange if exchange.stream else _streamed(exchange))
        except SessionKitError as error:
            fault = error
        except Exception as error:
            fault = self._from_exception(error, exchange)
            if fault is None:
                raise
        else:
            status = response.status_code
            plain = status < _FIRST_ERROR_STATUS and status not in self._statuses_with_rules
            fault = None
            if not plain or "expect" in exchange.options:
                fault = self._from_response(response, exchange)
            if fault is None:
                return self._watched(response, exchange) if exchange.stream else response
        # Raised outside of `except`, or the original with its secrets would become the context.
        try:
            raise self._complete(fault, exchange)
        finally:
            # Its traceback holds this frame, and this frame it: a circle with the caller's locals.
            del fault

    def __repr__(self) -> str:
        known = {
            "rules": list(self._rules),
            "base_class": self._base_class and self._base_class.__name__,
            "request_id_headers": list(self._request_id_headers),
        }
        return f"ErrorHandler({', '.join(f'{k}={v}' for k, v in known.items() if v)})"

    def _from_exception(self, error: Exception, exchange: Exchange) -> SessionKitError | None:
        """Return the error for an exception from further in, or None if it passes unchanged."""
        response: Response | None = getattr(error, "response", None)
        status = 0 if response is None else response.status_code
        if response is not None and isinstance(error, HTTPError) and status >= _FIRST_ERROR_STATUS:
            # A handler further in raised for the status.
            return self._status_error(
                response, exchange, error, kind=self._error_class(response, exchange)
            )
        begun = exchange.open_response if tools.is_body_error(error) else None
        if begun is not None and exchange.is_read(begun):
            begun = None
        if begun is not None and begun.status_code >= _FIRST_ERROR_STATUS:
            # The server's own error matters more than that its body broke off.
            return self._status_error(
                begun, exchange, error, kind=self._error_class(begun, exchange)
            )
        attempts = exchange.record.attempts
        redirected = begun is None and bool(attempts) and attempts[-1].status is not None
        fault = tools.error_from_exception(
            error, response=begun, redirected=redirected, secrets=exchange.secret_values
        )
        if fault is not None:
            fault.__cause__ = error
        return fault

    def _from_response(self, response: Response, exchange: Exchange) -> SessionKitError | None:
        """Return the error for a response, or None if it is a success."""
        kind = self._error_class(response, exchange)
        # For a success too: the caller or a rule decides, not what the session raised.
        cause = exchange.take_session_error(response)
        if kind is None:
            return None
        return self._status_error(response, exchange, cause, kind=kind)

    def _error_class(self, response: Response, exchange: Exchange) -> type[SessionKitError] | None:
        if exchange.option("raise_for_status") is False:
            return None
        status = response.status_code
        wanted = _expected_statuses(exchange)
        failed = status >= _FIRST_ERROR_STATUS
        if failed and status in wanted:
            return None
        for rule in self._rules:
            if rule.concerns(response) and _fits(rule, response, exchange):
                return rule.raises
        if failed:
            return tools.class_of_status(status)
        return UnexpectedStatus if wanted and status not in wanted else None

    def _status_error(
        self,
        response: Response,
        exchange: Exchange,
        cause: Exception | None,
        *,
        kind: type[SessionKitError] | None = None,
    ) -> SessionKitError:
        """Return the error for a response, with the start of its body; free its connection."""
        exchange.read_some(response, timeout=MAX_SECONDS)
        wanted = sorted(_expected_statuses(exchange)) if kind is UnexpectedStatus else ()
        fault = tools.error_from_response(
            response,
            secrets=exchange.secret_values,
            now=exchange.clock.time(),
            kind=kind,
            hint=f"the call expects {' or '.join(map(str, wanted))}" if wanted else "",
        )
        fault.__cause__ = cause
        return fault

    def _complete(self, fault: SessionKitError, exchange: Exchange) -> SessionKitError:
        """Add the call's facts, scrub the chain of causes, and derive the vendor's class."""
        record = exchange.record
        fault.complete(
            method=exchange.method,
            url=exchange.url,
            attempts=len(record.attempts),
            duration=exchange.clock.monotonic() - record.started,
        )
        if self._request_id_headers and fault.response is not None:
            vars(fault).pop("request_id", None)
            name = tools.read_request_id(fault.response.headers, self._request_id_headers)
            fault.complete(request_id=name)
        fault.include_sent(record.sent)  # by an earlier attempt, or before a redirect
        tools.scrub_exception(fault, exchange.secret_values)
        if self._base_class is None:
            return fault

        return tools.as_vendor_error(self._base_class, fault)

    def _watched(self, response: Response, exchange: Exchange) -> Response:
        """Make a stream raise our errors while its body is read."""
        if not exchange.is_read(response):
            watch(response, _ErrorMapper(self, exchange))
        return response

    def fault_of_body(
        self, error: Exception, response: Response, *, exchange: Exchange
    ) -> Exception:
        """Return the error for *error*, which was raised while *response*'s body was read."""
        fault = tools.error_from_exception(error, response=response, secrets=exchange.secret_values)
        if fault is None:
            return error
        fault.__cause__ = error
        return self._complete(fault, exchange)


class _ErrorMapper(BodyObserver):
    """Turns exceptions of a stream that breaks off into errors of the library."""

    __slots__ = ("_exchange", "_handler")

    def __init__(self, handler: ErrorHandler, exchange: Exchange) -> None:
        self._handler = handler
        self._exchange = exchange

    def broken(self, error: Exception, response: Response) -> Exception:
        if isinstance(error, SessionKitError):
            return error  # of a handler or a stack further in
        return self._handler.fault_of_body(error, response, exchange=self._exchange)


def _checked_rules(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    known = tuple(rules)
    for rule in known:
        if not hasattr(rule, "fits"):
            hint = "a list such as [Rule(NotFound, status=410)]; a class of errors alone is none"
            raise ConfigError(f"not a rule: {rule!r}", hint=hint)
    return known


def _expected_statuses(exchange: Exchange) -> frozenset[int]:
    given = exchange.option("expect")
    if given is None:
        return frozenset()

    return tools.read_statuses("expect", given) or frozenset()


def _fits(rule: Rule, response: Response, exchange: Exchange) -> bool:
    if rule.looks_inside and not exchange.is_read(response):
        if response.status_code < _FIRST_ERROR_STATUS:
            return False  # a stream of data is the caller's to read
        exchange.read_some(response, timeout=MAX_SECONDS)
    return rule.fits(response)


def _streamed(exchange: Exchange) -> Exchange:
    wanted = exchange.options.get("stream")
    return exchange if wanted else exchange.with_options({"stream": True})
