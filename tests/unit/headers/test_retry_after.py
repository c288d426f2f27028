"""What the headers of an answer say about a failure."""

from __future__ import annotations

import pytest
from requests.structures import CaseInsensitiveDict

from sessionkit.errors.tools import read_request_id, read_retry_after
from sessionkit.headers._retry_after import read_wait

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


def test_a_vendors_own_header_is_looked_at_first() -> None:
    """The name that the vendor's support asks for is the one that the error shows."""
    headers = CaseInsensitiveDict({"X-Request-Id": "proxy", "X-Acme-Trace": "acme-7"})

    assert read_request_id(headers, ["X-Acme-Trace"]) == "acme-7"
    assert read_request_id(headers, ["X-Other"]) == "proxy"


@pytest.mark.parametrize("name", ["Retry-After-Ms", "X-Ms-Retry-After-Ms"])
def test_milliseconds_are_more_exact_than_seconds(name: str) -> None:
    """Some vendors tell the wait twice; the finer one holds."""
    headers = CaseInsensitiveDict({name: "1250", "Retry-After": "2"})

    assert read_retry_after(headers, NOW) == 1.25
    assert read_retry_after(CaseInsensitiveDict({name: "soon", "Retry-After": "2"}), NOW) == 2.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RateLimit": '"default";r=0;t=30'}, 30.0),
        ({"RateLimit": '"burst";r=0;t=2, "daily";r=0;t=300, "other";r=7;t=9000'}, 300.0),
        ({"RateLimit": "limit=10, remaining=0, reset=30"}, 30.0),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12.0),
        ({"RateLimit-Reset": "12"}, 12.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW + 50:.0f}"}, 50.0),
        ({"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": f"{(NOW + 50) * 1000:.0f}"}, 50.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30),
        ({"Retry-After": "7", "RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 7.0),
        ({"Retry-After": "soon", "RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12.0),
        # not spent, past, or of no meaning
        ({"RateLimit": '"default";r=3;t=30'}, None),
        ({"RateLimit": "limit=10, remaining=10, reset=30"}, None),
        ({"X-RateLimit-Remaining": "4999", "X-RateLimit-Reset": f"{NOW + 50:.0f}"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW - 50:.0f}"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "whenever"}, None),
        ({"RateLimit": ";" * 60_000}, None),
        ({}, None),
    ],
)
def test_a_budget_that_is_spent_tells_when_it_is_full_again(
    headers: dict[str, str], seconds: float | None
) -> None:
    """A server that says so in these headers alone is waited for as well."""
    assert read_wait(429, CaseInsensitiveDict(headers), NOW) == seconds


def test_the_reset_counts_by_the_servers_own_clock() -> None:
    """A moment is the server's, as its Date is."""
    headers = {"X-RateLimit-Reset": f"{NOW + 50:.0f}", "Date": DATE}

    assert read_wait(429, CaseInsensitiveDict(headers), NOW + 3600) == 50.0


@pytest.mark.parametrize("status", [404, 500, 502])
def test_a_budget_is_no_reason_for_other_failures(status: int) -> None:
    """Many servers send these headers with every answer; a 404 is no matter of waiting."""
    headers = CaseInsensitiveDict({"RateLimit-Remaining": "0", "RateLimit-Reset": "12"})

    assert read_wait(status, headers, NOW) is None
    assert read_wait(503, headers, NOW) == 12.0
