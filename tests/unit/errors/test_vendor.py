"""Rules that say which error an answer is."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sessionkit.errors import (
    ApplicationError,
    Conflict,
    NotFound,
    RateLimited,
    Rule,
    SessionKitError,
    StatusError,
)
from sessionkit.errors._vendor import read_statuses


def answered(
    status: int = 409, body: bytes = b'{"code": "locked"}', method: str = "GET", **headers: str
) -> requests.Response:
    """Return a response whose body has been read."""
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    response._content = body
    response._content_consumed = True
    response.request = requests.Request(method, "https://api.x/a").prepare()
    return response


def fits(rule: Rule, response: requests.Response) -> bool:
    """Ask as the handler does."""
    return rule.concerns(response) and rule.fits(response)


@pytest.mark.parametrize(
    ("rule", "yes", "no"),
    [
        (Rule(Conflict, status=409), answered(), answered(404)),
        (Rule(Conflict, status=(404, 409)), answered(), answered(410)),
        (Rule(Conflict, status=range(400, 500)), answered(499), answered(500)),
        (Rule(Conflict), answered(400), answered(399)),
        (Rule(Conflict), answered(599), answered(200)),
        (Rule(Conflict, method="delete"), answered(method="DELETE"), answered(method="POST")),
        (Rule(Conflict, header="X-Locked"), answered(X_Locked=""), answered()),
        (
            Rule(RateLimited, status=403, header=("X-RateLimit-Remaining", "0")),
            answered(403, X_RateLimit_Remaining="0"),
            answered(403, X_RateLimit_Remaining="10"),
        ),
        (Rule(Conflict, code="locked"), answered(), answered(body=b'{"code": "busy"}')),
        (Rule(Conflict, code="locked"), answered(), answered(body=b"")),
        (
            Rule(ApplicationError, status=200, when=lambda a: a.json().get("ok") is False),
            answered(200, b'{"ok": false}'),
            answered(200, b'{"ok": true}'),
        ),
        (
            Rule(Conflict, status=409, method="PUT", code="locked", header="Via"),
            answered(method="PUT", Via="x"),
            answered(method="PUT"),
        ),
    ],
    ids=lambda value: repr(value) if isinstance(value, Rule) else None,
)
def test_a_rule_fits_where_all_that_it_names_does(
    rule: Rule, yes: requests.Response, no: requests.Response
) -> None:
    """A failure is told by as much of the answer as it takes."""
    assert fits(rule, yes)
    assert not fits(rule, no)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b"null", b'{"ok": {}}', b"\xff"])
def test_a_body_of_another_shape_does_not_fit(body: bytes) -> None:
    """A page from a proxy does not turn into an error about an error."""
    looking = (
        lambda a: a.json()["ok"]["no"] is False,
        lambda a: a.json().get("ok").startswith("n"),
    )

    for when in looking:
        assert not fits(Rule(Conflict, when=when), answered(body=body))


def test_a_mistake_in_a_rule_is_shown() -> None:
    """What is no matter of shapes is a bug, and looks like one."""

    def mistaken(_: requests.Response) -> bool:
        raise NameError("no such name")

    with pytest.raises(NameError):
        fits(Rule(Conflict, when=mistaken), answered())


@pytest.mark.parametrize("raises", [NotFound("x"), ValueError, "NotFound", 404, object])
def test_what_is_no_error_of_ours_is_refused(raises: Any) -> None:
    """Whatever leaves a stack has one root; the hint says how a vendor's class gets it."""
    with pytest.raises(SessionKitError, match="no class of errors") as caught:
        Rule(raises)
    assert "vendor_error" in caught.value.hint


def test_an_error_that_requests_could_not_raise_is_refused() -> None:
    """Whoever catches RequestException catches the vendor's errors too."""

    class AcmeError(SessionKitError):
        """A root alone."""

    class AcmeLocked(AcmeError, StatusError):
        """Under the root, and what requests raises."""

    with pytest.raises(SessionKitError, match=r"AcmeError is no requests\.RequestException"):
        Rule(AcmeError)
    assert Rule(AcmeLocked).raises is AcmeLocked
    assert Rule(None).raises is None


@pytest.mark.parametrize("status", [0, 99, 600, "404", (404, "x"), (), True, 4.04])
def test_what_is_no_status_is_refused(status: Any) -> None:
    """A rule that could never fit is a mistake that shows at once."""
    with pytest.raises(SessionKitError, match=r"status=.* must name HTTP statuses"):
        Rule(NotFound, status=status)


def test_statuses_are_read_from_one_or_several() -> None:
    """The same forms serve a rule and the ``expect=`` of a call."""
    assert read_statuses("expect", 404) == frozenset({404})
    assert read_statuses("expect", [200, 404]) == frozenset({200, 404})
    assert read_statuses("expect", None) is None


def test_a_rule_shows_what_it_names() -> None:
    """``explain()`` prints the table."""
    rule = Rule(Conflict, status=409, method="put", header="Via", code="locked", when=fits)  # type: ignore[arg-type]  # only shown

    assert repr(rule) == (
        "Rule(Conflict, status=[409], method='PUT', header='Via', code='locked', when=fits)"
    )
    assert repr(Rule(None)) == "Rule(None)"
