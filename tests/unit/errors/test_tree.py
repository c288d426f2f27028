"""The tree of errors: which class is also which of requests'."""

from __future__ import annotations

import pytest
from requests import exceptions as theirs

from sessionkit import errors as ours
from sessionkit.errors import SessionKitError

TWINS: list[tuple[type[SessionKitError], tuple[type[BaseException], ...]]] = [
    (ours.ConfigError, (ValueError,)),
    (ours.InvalidRequest, (theirs.RequestException, ValueError)),
    (ours.TransportError, (theirs.RequestException,)),
    (ours.ConnectFailed, (ours.TransportError, theirs.ConnectionError)),
    (ours.NameNotResolved, (ours.ConnectFailed,)),
    (ours.ProxyFailed, (ours.ConnectFailed, theirs.ProxyError)),
    (ours.TlsFailed, (ours.ConnectFailed, theirs.SSLError)),
    (ours.TimedOut, (ours.TransportError, theirs.Timeout, TimeoutError)),
    (ours.ConnectTimedOut, (ours.TimedOut, ours.ConnectFailed, theirs.ConnectTimeout)),
    (ours.ReadTimedOut, (ours.TimedOut, theirs.ReadTimeout)),
    (ours.BodyTimedOut, (ours.ReadTimedOut, theirs.ConnectionError)),
    (ours.DeadlineExceeded, (ours.TimedOut,)),
    (ours.ConnectionLost, (ours.TransportError, theirs.ConnectionError)),
    (ours.IncompleteBody, (ours.TransportError, theirs.ChunkedEncodingError)),
    (ours.UndecodableBody, (ours.IncompleteBody, theirs.ContentDecodingError)),
    (ours.RedirectFailed, (ours.TransportError, theirs.TooManyRedirects)),
    (ours.ReplayImpossible, (ours.TransportError, theirs.UnrewindableBodyError)),
    (ours.RetriesExhausted, (ours.TransportError, theirs.RetryError)),
    (ours.CircuitOpen, (ours.TransportError,)),
    (ours.RateLimitExhausted, (ours.TransportError,)),
    (ours.StatusError, (theirs.HTTPError,)),
    (ours.ClientError, (ours.StatusError,)),
    (ours.AuthenticationFailed, (ours.ClientError, ours.AuthError)),
    (ours.ServerError, (ours.StatusError,)),
    (ours.UnexpectedStatus, (ours.StatusError,)),
    (ours.ApplicationError, (ours.StatusError,)),
    (ours.BodyError, (theirs.RequestException,)),
    (ours.BodyTooLarge, (ours.BodyError,)),
    (ours.DecodeError, (ours.BodyError, theirs.InvalidJSONError, ValueError)),
    (ours.MappingError, (ours.BodyError, ValueError)),
    (ours.AuthError, (theirs.RequestException,)),
    (ours.RenewalFailed, (ours.AuthError,)),
    (ours.LoginRequired, (ours.AuthError,)),
    (ours.StoreError, (theirs.RequestException,)),
    (ours.StoreUnreadable, (ours.StoreError,)),
    (ours.LockTimedOut, (ours.StoreError,)),
    (ours.PagingError, (theirs.RequestException,)),
    (ours.PageLoop, (ours.PagingError,)),
    (ours.CrossOriginPage, (ours.PagingError,)),
    (ours.PaginationNotDetected, (ours.PagingError,)),
    (ours.PagesStalled, (ours.PagingError,)),
    (ours.BookmarkMismatch, (ours.PagingError,)),
]
CLIENT = [
    *(ours.BadRequest, ours.PermissionDenied, ours.NotFound, ours.MethodNotAllowed),
    *(ours.Conflict, ours.Gone, ours.PreconditionFailed, ours.PayloadTooLarge),
    *(ours.Unprocessable, ours.Locked, ours.RateLimited),
]
SERVER = [ours.BadGateway, ours.ServiceUnavailable, ours.GatewayTimeout]
TWINS += [(kind, (ours.ClientError,)) for kind in CLIENT]
TWINS += [(kind, (ours.ServerError,)) for kind in SERVER]


@pytest.mark.parametrize(("kind", "parents"), TWINS)
def test_each_error_is_also_what_a_plain_session_raises(
    kind: type[SessionKitError], parents: tuple[type[BaseException], ...]
) -> None:
    """Code that was written against requests catches what it always caught."""
    error = kind("it broke", method="GET", attempts=3)

    assert isinstance(error, SessionKitError)
    assert all(isinstance(error, parent) for parent in parents)
    # requests' exceptions are OSErrors, and their number is not ours to invent.
    assert getattr(error, "errno", None) is None
    assert error.args == ("it broke",)


def test_no_class_of_the_tree_is_forgotten_here() -> None:
    """The table above is the tree, whole."""
    known = {kind for kind, _ in TWINS} | {SessionKitError}

    found = {getattr(ours, name) for name in ours.__all__}
    assert known == {k for k in found if isinstance(k, type) and issubclass(k, SessionKitError)}


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        (ours.ConfigError, "no"),
        (ours.InvalidRequest, "no"),
        (ours.ConnectFailed, "no"),
        (ours.ConnectTimedOut, "no"),
        (ours.CircuitOpen, "no"),
        (ours.ReadTimedOut, "maybe"),
        (ours.ConnectionLost, "maybe"),
        (ours.DeadlineExceeded, "maybe"),
        (ours.BodyTimedOut, "yes"),
        (ours.IncompleteBody, "yes"),
        (ours.NotFound, "yes"),
        (ours.RetriesExhausted, "yes"),
        (ours.MappingError, "yes"),
    ],
)
def test_an_error_tells_whether_the_server_may_have_acted(
    kind: type[SessionKitError], sent: str
) -> None:
    """Whoever repeats a POST decides by this."""
    assert kind("x").sent == sent


def test_only_what_may_pass_is_retryable() -> None:
    """Trying again makes sense after these, and after no other."""
    retryable: set[type[BaseException]] = {kind for kind, _ in TWINS if kind.retryable}

    assert retryable == {
        *(ours.ConnectFailed, ours.NameNotResolved, ours.ProxyFailed, ours.TlsFailed),
        *(ours.ConnectTimedOut, ours.CircuitOpen, ours.RateLimitExhausted, ours.LockTimedOut),
        *(ours.RateLimited, ours.BadGateway, ours.ServiceUnavailable, ours.GatewayTimeout),
    }
