"""What RFC 9111 says of requests, ages and storing."""

from __future__ import annotations

from email.utils import formatdate, parsedate_to_datetime

import pytest
import requests
from hypothesis import given, strategies as st

from sessionkit.handlers.cache._freshness import (
    GENERATED_AT,
    age_of,
    headers_for_hishel,
    headers_to_store,
    is_cacheable,
    validators,
)
from sessionkit.headers._cache_control import RequestDirectives

NOW = 1_700_000_000.0


def made_response(*status: int, **headers: str) -> requests.Response:
    """Return an answer with *headers*, by default a 200."""
    made = requests.Response()
    (made.status_code,) = status or (200,)
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


def seen_age(headers: dict[str, str], wanted: RequestDirectives, age: float) -> float:
    """Return the age that hishel will find."""
    seen = headers_for_hishel(headers, wanted, age=age, machine=NOW)
    return NOW - parsedate_to_datetime(seen["date"]).timestamp()


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 308, 404, 410])
def test_final_answers_are_worth_keeping(status: int) -> None:
    """A 404 that the server calls fresh is an answer too."""
    assert is_cacheable(made_response(status, Cache_Control="max-age=60"))


@pytest.mark.parametrize("status", [100, 206, 302, 304, 400, 401, 403, 407, 419, 429, 500, 503])
def test_refusals_failures_and_parts_are_not_kept(status: int) -> None:
    """A login that was refused once is not refused from here for ever after."""
    assert not is_cacheable(made_response(status, Cache_Control="public, max-age=60"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cache-Control": "no-cache"},
        {"ETag": '"1"', "Vary": "*"},
        {"ETag": '"1"', "Vary": "Accept, *"},
        {"ETag": '"1"', "WWW-Authenticate": "Bearer"},
    ],
    ids=str,
)
def test_what_would_never_be_used_is_not_kept(headers: dict[str, str]) -> None:
    """Without a date of expiry or a validator there is nothing to be gained."""
    made = made_response()
    made.headers.update(headers)

    assert not is_cacheable(made)


@pytest.mark.parametrize("name", ["ETag", "Last_Modified", "Expires"])
def test_one_word_of_the_server_is_enough(name: str) -> None:
    """A validator makes the next answer cheap, even where this one is stale at once."""
    assert is_cacheable(made_response(**{name: "x"}))
    redirected = made_response(**{name: "x"})
    redirected.history = [made_response(302)]
    assert not is_cacheable(redirected)
    below = made_response(**{name: "x"})
    vars(below)["from_cache"] = True
    assert not is_cacheable(below)


@pytest.mark.parametrize(
    ("headers", "asked", "age"),
    [
        ({}, 0.0, 0.0),
        ({"Date": formatdate(NOW - 30, usegmt=True)}, 0.0, 30.0),
        ({"Date": formatdate(NOW + 30, usegmt=True)}, 0.0, 0.0),
        ({"Age": "100"}, 2.0, 102.0),
        ({"Age": "100", "Date": formatdate(NOW - 300, usegmt=True)}, 2.0, 300.0),
        ({"Age": "garbage", "Date": "garbage"}, 0.0, 0.0),
        ({"Age": "-5"}, 0.0, 0.0),
    ],
    ids=str,
)
def test_an_answer_is_as_old_as_all_caches_on_its_way_say(
    headers: dict[str, str], asked: float, age: float
) -> None:
    """RFC 9111, section 4.2.3: by its date or by its Age, whichever is more, and the way here."""
    made = made_response()
    made.headers.update(headers)
    stored = headers_to_store(made, sent_at=NOW - asked, now=NOW)

    assert age_of(stored, NOW) == age
    assert age_of(stored, NOW + 10) == age + 10
    assert "age" not in stored


def test_cookies_are_not_kept() -> None:
    """A login that somebody was given is not given again."""
    stored = headers_to_store(
        made_response(Set_Cookie="sid=hush", ETag='"1"', X_SessionKit_Generated_At="0"),
        sent_at=NOW,
        now=NOW,
    )

    assert "set-cookie" not in stored
    assert stored["etag"] == '"1"'
    assert stored[GENERATED_AT] == repr(NOW)


@pytest.mark.parametrize(
    ("control", "age", "seen"),
    [
        ("", 30, 30),
        ("min-fresh=10", 30, 40),
        ("max-stale=10", 30, 20),
        ("max-stale=100", 30, 0),
        ("max-stale", 30, 0),
        ("max-age=60", 30, 30),
    ],
)
def test_what_a_request_wants_becomes_an_age(control: str, age: float, seen: float) -> None:
    """hishel knows dates alone, so it is told one that comes to the same."""
    stored = headers_to_store(made_response(Cache_Control="max-age=60"), sent_at=NOW, now=NOW)

    assert seen_age(stored, RequestDirectives.read({"Cache-Control": control}), age) == seen


@pytest.mark.parametrize(
    ("response", "request_", "age", "asks"),
    [
        ("max-age=60", "max-age=20", 30, True),
        ("max-age=60", "max-age=20, max-stale=10", 30, False),
        ("max-age=60", "max-age=30", 30, False),
        ("max-age=60", "min-fresh=garbage", 0, True),
        ("max-age=60", "max-age=garbage", 1, True),
        ("max-age=9999999999", "", 2e9, True),
    ],
)
def test_what_a_request_refuses_is_asked_for_anew(
    response: str, request_: str, age: float, asks: bool
) -> None:
    """A caller who wants it younger gets it younger."""
    stored = headers_to_store(made_response(Cache_Control=response), sent_at=NOW, now=NOW)
    wanted = RequestDirectives.read({"Cache-Control": request_})
    seen = headers_for_hishel(stored, wanted, age=age, machine=NOW)

    assert (seen["cache-control"] == "no-cache") is asks


def test_must_revalidate_wins_over_max_stale() -> None:
    """RFC 9111, section 5.2.2.2: a server may forbid stale answers."""
    stored = headers_to_store(
        made_response(Cache_Control="max-age=60, must-revalidate"), sent_at=NOW, now=NOW
    )

    assert seen_age(stored, RequestDirectives.read({"Cache-Control": "max-stale=100"}), 70) == 70


def test_expires_is_moved_with_the_date() -> None:
    """Its lifetime stays what it was, whatever the two clocks say."""
    dates = {
        "Date": formatdate(NOW - 10, usegmt=True),
        "Expires": formatdate(NOW + 50, usegmt=True),
    }
    made = made_response()
    made.headers.update(dates)
    seen = headers_for_hishel(
        headers_to_store(made, sent_at=NOW, now=NOW),
        RequestDirectives.read({}),
        age=10,
        machine=NOW + 1_000_000,
    )

    moved = [parsedate_to_datetime(seen[name]).timestamp() for name in ("date", "expires")]
    assert moved == [NOW + 999_990, NOW + 1_000_050]


def test_validators_are_those_that_the_server_gave() -> None:
    """An answer without any cannot be asked about."""
    assert validators({"etag": '"1"', "last-modified": "then", "date": "now"}) == {
        "If-None-Match": '"1"',
        "If-Modified-Since": "then",
    }
    assert validators({"date": "now"}) == {}


@given(st.text(), st.text(), st.text(), st.text(), st.floats(0, 1e12))
def test_no_header_breaks_the_rules(
    control: str, date: str, expires: str, age: str, old: float
) -> None:
    """Servers send anything; a call never fails for it."""
    made = made_response(Cache_Control=control, Date=date, Expires=expires, Age=age)
    stored = headers_to_store(made, sent_at=NOW, now=NOW)
    headers_for_hishel(
        stored, RequestDirectives.read({"Cache-Control": control}), age=old, machine=NOW
    )

    assert age_of(stored, NOW) >= 0
    is_cacheable(made)
