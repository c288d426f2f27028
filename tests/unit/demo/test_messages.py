"""Requests and answers of the demo's API as plain values."""

from __future__ import annotations

import json

import pytest

from sessionkit.demo._messages import Ask, Refused, Reply, json_reply, problem, whole_number


def test_a_form_is_read_whatever_bytes_it_holds() -> None:
    """A body in a wrong encoding gets an answer, not a crash of the server."""
    ask = Ask("POST", "/oauth/token", body=b"grant_type=refresh_token&x=\xff")

    assert ask.form() == {"grant_type": "refresh_token", "x": "�"}


def test_a_number_has_a_default_and_a_cap() -> None:
    """A page size beyond the cap is cut, as real servers do it."""
    ask = Ask("GET", "/", {"per_page": "1000"})

    assert ask.number("per_page", 10, most=100) == 100
    assert ask.number("page", 1, most=100) == 1


@pytest.mark.parametrize("text", ["-1", "", "1.5", "x", "\u0663", "1" * 10])
def test_a_number_that_is_none_is_answered_with_400(text: str) -> None:
    """Nonsense in a query is told to the client as its own mistake."""
    with pytest.raises(Refused) as caught:
        Ask("GET", "/", {"page": text}).number("page", 1, most=100)

    assert caught.value.reply.status == 400
    assert whole_number(text) is None


def test_headers_added_later_do_not_displace_those_there() -> None:
    """What the answer itself says of its body holds."""
    reply = Reply(200, b"x", {"Content-Type": "text/plain"})

    assert reply.with_headers({"Content-Type": "other", "X-A": "1"}) == Reply(
        200, b"x", {"Content-Type": "text/plain", "X-A": "1"}
    )


def test_a_problem_is_one_by_rfc_9457() -> None:
    """The demo's failures are in the form that error handlers know."""
    reply = problem(404, "there is nothing here", {"X-A": "1"})

    assert reply.status == 404
    assert reply.headers == {"Content-Type": "application/problem+json", "X-A": "1"}
    assert json.loads(reply.body) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is nothing here",
    }


def test_a_document_goes_out_as_json() -> None:
    """Text of any script arrives as it was."""
    reply = json_reply(200, {"name": "café"})

    assert json.loads(reply.body) == {"name": "café"}
    assert reply.headers == {"Content-Type": "application/json"}
