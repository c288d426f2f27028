"""What the headers of an answer say about a failure."""

from __future__ import annotations

import pytest
from requests.structures import CaseInsensitiveDict

from sessionkit.errors import read_request_id, read_retry_after

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize(
    "name",
    [
        "X-Request-Id",
        "request-id",
        "x-amzn-RequestId",
        "x-ms-request-id",
        "X-Correlation-ID",
        "X-GitHub-Request-Id",
        "CF-RAY",
    ],
)
def test_a_request_has_its_name_from_any_of_the_usual_headers(name: str) -> None:
    """The operator of the service is told a name he can look up."""
    assert read_request_id(CaseInsensitiveDict({name: " r-1 "})) == "r-1"


def test_the_most_common_header_wins() -> None:
    """Behind a proxy there are two names; the service's own is the useful one."""
    headers = CaseInsensitiveDict({"CF-Ray": "ray", "X-Request-Id": "own"})

    assert read_request_id(headers) == "own"


def test_a_strange_request_id_stays_one_short_line() -> None:
    """A server cannot write into a log what it likes."""
    assert (
        read_request_id({"x-request-id": "a\tb\x1b[0m" + "c" * 500}) == ("ab[0m" + "c" * 500)[:200]
    )
    assert read_request_id({"x-request-id": "  "}) is None
    assert read_request_id({}) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:50", 30.0),
        ("Tue, 14 Nov 2023 23:13:50 +0100", 30.0),
        (DATE, 0.0),
    ],
)
def test_a_wait_is_read_from_seconds_and_from_dates(value: str, seconds: float) -> None:
    """RFC 9110, section 10.2.3, and the fractions that some servers send."""
    assert read_retry_after(CaseInsensitiveDict({"Retry-After": value}), NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "-5", "1e9", "nan", "inf", "9" * 15, "9" * 400, "\u0661", "1;2"),
        *("Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 99 Nov 2023 22:13:19 GMT"),
        *("Fri, 31 Dec 9999 23:59:59 GMT", "Tue, 14 Nov 99999 22:13:20 GMT"),
    ],
)
def test_garbage_and_absurd_waits_are_no_waits(value: str) -> None:
    """A server's mistake neither raises nor holds a program for years."""
    assert read_retry_after({"Retry-After": value}, NOW) is None


def test_no_header_means_no_wait_was_asked_for() -> None:
    """None differs from zero: zero is an invitation."""
    assert read_retry_after({}, NOW) is None


def test_a_date_is_measured_by_the_servers_own_clock() -> None:
    """A machine whose clock is an hour off still waits as long as the server meant."""
    headers = CaseInsensitiveDict({"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT", "Date": DATE})

    assert read_retry_after(headers, NOW + 3600) == 30.0


def test_a_broken_date_of_the_answer_is_passed_over() -> None:
    """Then the own clock is the best there is."""
    headers = {"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT", "Date": "yesterday"}

    assert read_retry_after(headers, NOW) == 30.0
