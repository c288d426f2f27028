"""Which error a fault is."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests import exceptions as theirs
from urllib3 import exceptions as low
from urllib3.connection import HTTPConnection

from sessionkit import errors as ours
from sessionkit.errors import SessionKitError
from sessionkit.errors.tools import error_from_exception, error_from_response

NOW = 1_700_000_000.0


def asked(url: str = "https://api.x/a") -> requests.PreparedRequest:
    """Return a prepared request."""
    return requests.Request("GET", url).prepare()


def answered(status: int, body: bytes = b"", **headers: str) -> requests.Response:
    """Return a response whose body has been read."""
    response = requests.Response()
    response.status_code = status
    response.url = "https://api.x/a"
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    response._content = body
    response._content_consumed = True
    response.request = asked()
    return response


def retried(reason: Exception) -> low.MaxRetryError:
    """Return the exception in which urllib3 wraps a reason."""
    return low.MaxRetryError(None, "/a", reason)  # type: ignore[arg-type]  # a stand-in


def pooled(kind: Any, text: str) -> Any:
    """Return an exception of urllib3 that needs a pool."""
    return kind(None, "/a", text) if issubclass(kind, low.RequestError) else kind(None, text)


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, ours.BadRequest, False),
        (401, ours.AuthenticationFailed, False),
        (403, ours.PermissionDenied, False),
        (404, ours.NotFound, False),
        (405, ours.MethodNotAllowed, False),
        (409, ours.Conflict, False),
        (410, ours.Gone, False),
        (412, ours.PreconditionFailed, False),
        (413, ours.PayloadTooLarge, False),
        (418, ours.ClientError, False),
        (422, ours.Unprocessable, False),
        (423, ours.Locked, False),
        (429, ours.RateLimited, True),
        (499, ours.ClientError, False),
        (500, ours.ServerError, False),
        (502, ours.BadGateway, True),
        (503, ours.ServiceUnavailable, True),
        (504, ours.GatewayTimeout, True),
        (599, ours.ServerError, False),
    ],
)
def test_each_status_has_its_class(
    status: int, kind: type[SessionKitError], retryable: bool
) -> None:
    """A caller treats apart what differs, and the rest by 4xx and 5xx."""
    error = error_from_response(answered(status), now=NOW)

    assert type(error) is kind
    assert (error.status, error.sent, error.retryable) == (status, "yes", retryable)
    assert isinstance(error, requests.HTTPError)
    assert error.response is not None


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (
            answered(422, b'{"email": ["taken"], "a": ["b"]}'),
            "422 Unprocessable: email: taken (+1)",
        ),
        (answered(404, b'{"detail": "Not found."}'), "404 NotFound"),
        (answered(404, b'{"detail": "no user 7"}'), "404 NotFound: no user 7"),
        (answered(503), "503 ServiceUnavailable"),
        (answered(418), "418 I'm a Teapot"),
        (answered(599), "599 ServerError"),
        (answered(500, b"<title>Oh\nno</title>"), "500 Internal Server Error: Oh no"),
    ],
)
def test_the_text_says_the_status_and_what_the_server_said(
    response: requests.Response, text: str
) -> None:
    """One line, and nothing in it twice."""
    assert error_from_response(response, now=NOW).message == text


def test_a_status_error_carries_what_the_server_said() -> None:
    """The wait, the request's name and the details are attributes, not text to be parsed."""
    response = answered(
        429, b'{"code": "slow", "message": "later"}', Retry_After="30", X_Request_Id="7f3"
    )

    error = error_from_response(response, now=NOW)

    assert (error.retry_after, error.request_id) == (30.0, "7f3")
    assert error.details is not None
    assert (error.details.code, error.details.detail) == ("slow", "later")
    assert "30 s" in error.hint
    assert str(error) == "429 RateLimited: later [GET https://api.x/a, id 7f3]"


def test_an_echoed_secret_gets_into_no_part_of_the_error() -> None:
    """Some servers repeat what they were sent."""
    response = answered(400, b'{"message": "odd-one is wrong"}')

    error = error_from_response(response, secrets=["odd-one"], now=NOW)

    assert error.message == "400 BadRequest: *** is wrong"
    assert "odd-one" not in f"{vars(error)} {error.details} {vars(error.response)}"


GAI = OSError(-2, "Name or service not known")
BEFORE: list[tuple[Exception, type[SessionKitError], str]] = [
    (
        requests.ConnectionError(
            retried(low.NameResolutionError("x", None, GAI))  # type: ignore[arg-type]  # a stand-in
        ),
        ours.NameNotResolved,
        "no",
    ),
    (
        requests.ConnectionError(retried(pooled(low.NewConnectionError, "refused"))),
        ours.ConnectFailed,
        "no",
    ),
    (requests.ConnectTimeout(retried(low.ConnectTimeoutError("x"))), ours.ConnectTimedOut, "no"),
    (requests.ConnectionError(retried(low.ConnectTimeoutError())), ours.ConnectTimedOut, "no"),
    (requests.ConnectionError(pooled(low.ClosedPoolError, "closed")), ours.ConnectFailed, "no"),
    (theirs.ProxyError(retried(low.ProxyError("x", OSError()))), ours.ProxyFailed, "no"),
    (theirs.SSLError(retried(low.SSLError("x"))), ours.TlsFailed, "no"),
    (requests.ReadTimeout(pooled(low.ReadTimeoutError, "x")), ours.ReadTimedOut, "maybe"),
    (
        requests.ConnectionError(retried(pooled(low.ReadTimeoutError, "x"))),
        ours.ReadTimedOut,
        "maybe",
    ),
    (requests.Timeout("x"), ours.TimedOut, "maybe"),
    (requests.ConnectionError(low.ProtocolError("x", OSError())), ours.ConnectionLost, "maybe"),
    (requests.ConnectionError(OSError(104, "reset")), ours.ConnectionLost, "maybe"),
    (requests.ConnectionError(), ours.ConnectionLost, "maybe"),
    (requests.ConnectionError(pooled(low.ReadTimeoutError, "x")), ours.BodyTimedOut, "yes"),
    (theirs.ChunkedEncodingError(low.ProtocolError("x")), ours.IncompleteBody, "yes"),
    (theirs.ContentDecodingError(low.DecodeError("x")), ours.UndecodableBody, "yes"),
    (theirs.TooManyRedirects("x"), ours.RedirectFailed, "yes"),
    (theirs.UnrewindableBodyError("x"), ours.ReplayImpossible, "yes"),
    (theirs.InvalidURL("x"), ours.InvalidRequest, "no"),
    (theirs.InvalidProxyURL("x"), ours.InvalidRequest, "no"),
    (theirs.MissingSchema("x"), ours.InvalidRequest, "no"),
    (theirs.InvalidSchema("x"), ours.InvalidRequest, "no"),
    (theirs.InvalidHeader("x"), ours.InvalidRequest, "no"),
    (theirs.URLRequired("x"), ours.InvalidRequest, "no"),
    (theirs.InvalidJSONError("x"), ours.InvalidRequest, "no"),
    (theirs.JSONDecodeError("x", "y", 0), ours.DecodeError, "yes"),
    (theirs.RetryError(retried(low.ResponseError("x"))), ours.RetriesExhausted, "yes"),
    (requests.RequestException("x"), ours.TransportError, "maybe"),
    # What slips through requests as it is
    (low.LocationParseError("x"), ours.InvalidRequest, "no"),
    (low.DecodeError("x"), ours.UndecodableBody, "yes"),
    (low.HTTPError("x"), ours.TransportError, "maybe"),
]


@pytest.mark.parametrize(("error", "kind", "sent"), BEFORE)
def test_each_fault_has_its_class(error: Exception, kind: type[SessionKitError], sent: str) -> None:
    """What a session can raise becomes one of ours, and says whether it was sent."""
    fault = error_from_exception(error)

    assert type(fault) is kind
    assert fault.sent == sent
    assert str(fault)


@pytest.mark.parametrize("error", [error for error, _, _ in BEFORE if isinstance(error, OSError)])
def test_a_fault_is_still_what_requests_would_have_raised(error: Exception) -> None:
    """``except requests.ReadTimeout`` and its like go on working."""
    fault = error_from_exception(error)
    theirs_own = next(k for k in type(error).__mro__ if k.__module__ == "requests.exceptions")
    # No twin in the tree: bad input is a ValueError under one name, and an adapter that retries by
    # itself hides a read time-out in a ConnectionError.
    without = (
        *(theirs.InvalidURL, theirs.MissingSchema, theirs.InvalidSchema, theirs.InvalidHeader),
        *(theirs.URLRequired, theirs.InvalidJSONError),
    )
    by_adapter = "Max retries" in str(error) and type(fault) is ours.ReadTimedOut

    assert isinstance(fault, requests.RequestException)
    assert isinstance(fault, theirs_own) or issubclass(theirs_own, without) or by_adapter


@pytest.mark.parametrize(
    ("error", "kind", "sent"),
    [
        (requests.ConnectionError(pooled(low.ReadTimeoutError, "x")), ours.BodyTimedOut, "yes"),
        (requests.ReadTimeout("x"), ours.BodyTimedOut, "yes"),
        (retried(pooled(low.ReadTimeoutError, "x")), ours.BodyTimedOut, "yes"),
        (requests.ConnectionError(low.ProtocolError("x")), ours.IncompleteBody, "yes"),
        (low.ProtocolError("x"), ours.IncompleteBody, "yes"),
        (low.DecodeError("x"), ours.UndecodableBody, "yes"),
        (theirs.SSLError(low.SSLError("x")), ours.TlsFailed, "yes"),
    ],
)
def test_a_fault_inside_a_body_knows_its_status(
    error: Exception, kind: type[SessionKitError], sent: str
) -> None:
    """The request has arrived, and an answer had begun."""
    fault = error_from_exception(error, response=answered(200, X_Request_Id="7f3"))

    assert type(fault) is kind
    assert fault is not None
    assert (fault.sent, fault.status, fault.request_id, fault.retryable) == (
        sent,
        200,
        "7f3",
        False,
    )


@pytest.mark.parametrize(
    "error",
    [
        TypeError("x"),
        ValueError("x"),
        OSError("x"),
        KeyError("x"),
        requests.HTTPError("x"),
        theirs.StreamConsumedError("x"),
    ],
)
def test_what_is_no_fault_of_transport_is_left_alone(error: Exception) -> None:
    """A mistake in a program is not dressed up as a failure of the network."""
    assert error_from_exception(error) is None


def test_a_wrong_certificate_is_not_worth_another_try() -> None:
    """A handshake that broke may work the next time; a certificate will not mend."""
    wrong = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] hostname mismatch")
    ours = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate")
    broken = ssl.SSLEOFError(8, "EOF occurred")

    for inner, retryable in ((wrong, False), (ours, False), (broken, True)):
        fault = error_from_exception(theirs.SSLError(retried(low.SSLError(inner))))
        assert fault is not None
        assert fault.retryable is retryable


@pytest.mark.parametrize(
    ("said", "status", "retryable"),
    [
        ("too many 503 error responses", 503, True),
        ("too many 500 error responses", 500, False),
        ("too many 412 error responses", 412, False),
        ("too many redirects", None, False),
    ],
)
def test_an_adapter_that_gave_up_is_told_with_the_status_it_gave_up_at(
    said: str, status: int | None, retryable: bool
) -> None:
    """The adapter kept the answers; what can be known of the last one is in the error."""
    fault = error_from_exception(theirs.RetryError(retried(low.ResponseError(said))))

    assert isinstance(fault, ours.RetriesExhausted)
    assert (fault.status, fault.retryable, fault.sent) == (status, retryable, "yes")
    assert "raise_on_status" in fault.hint
    assert fault.message == said


class Odd(ours.NotFound):
    """An error of somebody's own, that wants to be made in its own way."""

    def __init__(self, order: int) -> None:
        super().__init__(f"order {order}")


def test_an_answer_can_be_told_as_an_error_of_any_class() -> None:
    """A rule's class has the text and the evidence that every status error has."""
    response = answered(200, b'{"message": "no stock"}', X_Request_Id="7f3")

    error = error_from_response(response, now=NOW, kind=ours.ApplicationError, hint="order less")

    assert type(error) is ours.ApplicationError
    assert str(error) == "200 ApplicationError: no stock [GET https://api.x/a, id 7f3]"
    assert error.hint == "order less"
    odd = error_from_response(response, now=NOW, kind=Odd)
    assert type(odd) is Odd
    assert (odd.message, odd.request_id) == ("200 Odd: no stock", "7f3")


def test_a_spent_budget_is_a_wait_that_is_asked_for() -> None:
    """Whoever catches the error knows when to come back, also without Retry-After."""
    headers = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": f"{NOW + 50:.0f}"}

    assert error_from_response(answered(429, b"", **headers), now=NOW).retry_after == 50.0
    assert error_from_response(answered(403, b"", **headers), now=NOW).retry_after == 50.0
    assert error_from_response(answered(404, b"", **headers), now=NOW).retry_after is None


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            requests.ConnectionError(retried(pooled(low.NewConnectionError, "Failed: refused"))),
            "None: Failed: refused",
        ),
        (
            requests.ConnectionError(
                retried(low.ConnectTimeoutError("HTTPConnection(host='a', port=1): too slow"))
            ),
            "too slow",
        ),
        (
            requests.ConnectionError(low.ProtocolError("Connection aborted.", OSError(104, "x"))),
            "Connection aborted: [Errno 104] x",
        ),
        (
            theirs.ChunkedEncodingError(
                low.ProtocolError("broken: IncompleteRead(3)", "IncompleteRead(3)")
            ),
            "broken: IncompleteRead(3)",
        ),
        (requests.ConnectionError(), "ConnectionError"),
    ],
)
def test_the_text_is_the_reason_without_its_wrapping(error: Exception, text: str) -> None:
    """The first line of a traceback says what happened, not how urllib3 is built."""
    fault = error_from_exception(error)

    assert fault is not None
    assert fault.message == text


def test_the_request_of_a_fault_is_kept_without_its_secrets() -> None:
    """What was asked is known even where no answer came."""
    request = asked("https://u:planted-secret@api.x/?api_key=planted-secret")
    fault = error_from_exception(requests.ConnectionError("x planted-secret", request=request))

    assert fault is not None
    assert (fault.method, fault.url) == ("GET", "https://***@api.x/?api_key=***")
    assert "planted-secret" not in f"{fault} {vars(fault)} {vars(fault.request)}"


def test_the_last_redirect_is_kept() -> None:
    """Where the loop went round can be seen."""
    fault = error_from_exception(
        theirs.TooManyRedirects("x", response=answered(302, Location="/a"))
    )

    assert fault is not None
    assert fault.response is not None
    assert fault.response.headers["Location"] == "/a"


@pytest.mark.parametrize("value", ["planted-secret\n", "planted-secret\u20ac"])
def test_a_header_that_http_client_refuses_is_an_invalid_request(value: str) -> None:
    """requests lets a header of an ``auth=`` callable through, and the text shows its value."""
    connection = HTTPConnection("127.0.0.1")
    connection.putrequest("GET", "/")  # kept until it is sent

    with pytest.raises(ValueError, match=r"Invalid header value|codec can't encode") as caught:
        connection.putheader("Authorization", value)

    fault = error_from_exception(caught.value)
    assert type(fault) is ours.InvalidRequest
    assert fault.message == "a header holds characters that cannot be sent"


@pytest.mark.parametrize("url", ["http://[::1/", "http://u:odd-one@\u2100/"])
def test_a_url_that_python_refuses_is_an_invalid_request(url: str) -> None:
    """requests asks ``.netrc`` about a URL before it looks at it itself."""
    with pytest.raises(ValueError, match=r"Invalid IPv6|NFKC") as caught:
        requests.utils.get_netrc_auth(url)

    fault = error_from_exception(caught.value, secrets=["odd-one"])
    assert type(fault) is ours.InvalidRequest
    assert "odd-one" not in fault.message


def test_a_host_that_http_client_trips_over_is_an_invalid_request() -> None:
    """Behind a proxy it takes what follows a percent sign for the zone of an IPv6 address."""
    with requests.Session() as session, pytest.raises(AssertionError) as caught:
        session.get("http://b%C3%BC.example/", proxies={"http": "http://127.0.0.1:9"})

    fault = error_from_exception(caught.value)
    assert type(fault) is ours.InvalidRequest
    assert fault.message == "the host holds characters that cannot be sent"
    assert error_from_exception(AssertionError("of the user's own")) is None


def test_a_parser_that_a_handler_called_is_no_business_of_ours() -> None:
    """A bug in a program is not blamed on its request."""
    with pytest.raises(ValueError, match="Invalid IPv6") as caught:
        urlsplit("http://[::1/")

    assert error_from_exception(caught.value) is None


def test_forks_of_requests_are_understood_by_name() -> None:
    """niquests raises classes of the same names that share no parent with these."""
    base = type("Timeout", (OSError,), {"__module__": "niquests.exceptions"})
    kind = type("ReadTimeout", (base,), {"__module__": "niquests.exceptions"})
    other = type("ReadTimeout", (OSError,), {"__module__": "vendor.errors"})

    assert type(error_from_exception(kind("x"))) is ours.ReadTimedOut
    assert error_from_exception(other("x")) is None
