"""What servers say of their budgets is understood in each of the ways they say it."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from requests.structures import CaseInsensitiveDict

from sessionkit.headers import _rate_limit
from sessionkit.headers._rate_limit import (
    MAX_QUOTAS,
    Quota,
    read_quotas,
    read_reset,
)

NOW = 1_700_000_000.0
DATE = formatdate(NOW, usegmt=True)


def read(**fields: str) -> list[Quota]:
    """Read the quotas of headers whose names are written with underscores."""
    headers = CaseInsensitiveDict({name.replace("_", "-"): text for name, text in fields.items()})
    return list(read_quotas(headers, NOW))


def test_the_field_of_the_present_draft_is_read() -> None:
    """draft-ietf-httpapi-ratelimit-headers, section 4, with the policies of section 3."""
    assert read(
        RateLimit_Policy='"burst";q=100;w=60,"daily";q=1000;w=86400',
        RateLimit='"burst";r=50;t=30, "daily";r=999',
    ) == [
        Quota("burst", 50, 30.0, limit=100, window=60.0),
        Quota("daily", 999, None, limit=1000, window=86400.0),
    ]


def test_the_field_stands_without_policies() -> None:
    """Policies are optional; a partition is kept apart."""
    assert read(RateLimit='"default";r=999;pk=:dHJpYWw=:') == [
        Quota("default", 999, partition=":dHJpYWw=:")
    ]


def test_budgets_that_are_not_counted_in_requests_are_left_out() -> None:
    """Bytes left say nothing about requests left."""
    assert read(
        RateLimit_Policy='"peruser";q=65535;qu="content-bytes";w=10, "calls";q=9;qu="requests"',
        RateLimit='"peruser";r=0;t=10, "calls";r=3;t=5',
    ) == [Quota("calls", 3, 5.0, limit=9)]


def test_names_may_hold_commas_semicolons_and_quotes() -> None:
    """A name is a string of structured fields, and read as one (RFC 9651, section 3.3.3)."""
    assert read(RateLimit=r'"a,b;c\"d";r=1;t=2') == [Quota(r"a,b;c\"d", 1, 2.0)]


def test_the_dictionary_of_draft_07_is_read() -> None:
    """The form that a widely used middleware of Node sent for years."""
    assert read(RateLimit="limit=100, remaining=50, reset=30", RateLimit_Policy="100;w=60") == [
        Quota("", 50, 30.0, limit=100, window=60.0)
    ]


def test_the_three_fields_of_earlier_drafts_are_read() -> None:
    """Drafts 03 to 06; the window of the policy that the limit belongs to is found."""
    assert read(
        RateLimit_Limit="100, 10;w=1, 100;w=60", RateLimit_Remaining="50", RateLimit_Reset="30"
    ) == [Quota("ratelimit", 50, 30.0, limit=100, window=60.0)]


@pytest.mark.parametrize(
    "prefix",
    ["X_RateLimit", "X_Rate_Limit", "x_ratelimit", "Fitbit_Rate_Limit", "X_Acme_RateLimit"],
)
@pytest.mark.parametrize(
    "reset",
    [
        *("30", "30.0", f"{NOW + 30:.0f}", f"{NOW + 30:.3f}", f"{(NOW + 30) * 1000:.0f}", "30s"),
        *("0m30s", "30000ms", formatdate(NOW + 30, usegmt=True), "2023-11-14T22:13:50Z"),
        "2023-11-14T23:13:50+01:00",
    ],
)
def test_vendors_names_and_moments_are_understood(prefix: str, reset: str) -> None:
    """Seconds, moments in seconds or milliseconds, durations and dates all mean the same."""
    fields = {f"{prefix}_Limit": "150", f"{prefix}_Remaining": "7", f"{prefix}_Reset": reset}
    name = prefix.lower().replace("_", "-")

    assert read(**fields) == [Quota(name, 7, pytest.approx(30.0), limit=150)]  # type: ignore[arg-type]  # compares as a number


def test_moments_count_by_the_servers_own_clock() -> None:
    """A client whose clock is wrong by an hour waits no hour longer."""
    ours = NOW - 3_600
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW + 30:.0f}", "Date": DATE}

    assert read_quotas(headers, ours)[0].reset == 30.0


def test_github_names_the_part_of_its_service() -> None:
    """Its budgets for search and for the rest are told apart."""
    assert read(
        x_ratelimit_limit="30",
        x_ratelimit_remaining="0",
        x_ratelimit_reset=f"{NOW + 45:.0f}",
        x_ratelimit_used="30",
        x_ratelimit_resource="search",
    ) == [Quota("x-ratelimit", 0, 45.0, limit=30, partition="search")]


def test_a_wait_in_seconds_is_preferred_to_a_moment() -> None:
    """X-RateLimit-Reset-After needs no clock."""
    assert read(
        X_RateLimit_Remaining="0", X_RateLimit_Reset="1", X_RateLimit_Reset_After="2.5"
    ) == [Quota("x-ratelimit", 0, 2.5)]


def test_periods_in_the_names_are_windows() -> None:
    """A gateway's budgets for a minute and for an hour are two budgets."""
    assert read(
        X_RateLimit_Limit_Minute="10",
        X_RateLimit_Remaining_Minute="4",
        X_RateLimit_Limit_Hour="100",
        X_RateLimit_Remaining_Hour="94",
    ) == [
        Quota("x-ratelimit-minute", 4, None, limit=10, window=60.0),
        Quota("x-ratelimit-hour", 94, None, limit=100, window=3600.0),
    ]


def test_requests_count_and_other_units_do_not() -> None:
    """Budgets of tokens, as language models have them, are not budgets of requests."""
    assert read(
        x_ratelimit_limit_requests="60",
        x_ratelimit_remaining_requests="59",
        x_ratelimit_reset_requests="1s",
        x_ratelimit_limit_tokens="150000",
        x_ratelimit_remaining_tokens="0",
        x_ratelimit_reset_tokens="6m0s",
    ) == [Quota("x-ratelimit-requests", 59, 1.0, limit=60)]


def test_pairs_of_counts_and_seconds_are_read() -> None:
    """20 requests in 1 second and 100 in 120, of which 1 and 99 were made."""
    assert read(X_App_Rate_Limit="20:1,100:120", X_App_Rate_Limit_Count="1:1,99:120,5:60") == [
        Quota("x-app-rate-limit-count 1", 19, limit=20, window=1.0),
        Quota("x-app-rate-limit-count 120", 1, limit=100, window=120.0),
    ]


def test_a_reset_alone_is_kept() -> None:
    """With a 429 it says all that is needed."""
    assert read(X_Rate_Limit_Reset="12") == [Quota("x-rate-limit", None, 12.0)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360.0), ("1h2m3.5s", 3723.5), ("2d", 172800.0), ("120ms", 0.12), ("8.64s", 8.64)],
)
def test_durations_are_read_unit_by_unit(text: str, seconds: float) -> None:
    """As programs in Go write them, and those who copy them."""
    assert read_reset(text, NOW) == pytest.approx(seconds)


def test_a_moment_that_has_passed_is_now() -> None:
    """A budget that is whole again needs no waiting."""
    assert read_reset(f"{NOW - 5:.0f}", NOW) == 0.0
    assert read_reset(formatdate(NOW - 5, usegmt=True), NOW) == 0.0


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "1,2", "1e3", "0x10", "٣", "5 apples", "1m-2s", "nan", "inf", "s"]
)
def test_a_reset_that_makes_no_sense_is_none(text: str) -> None:
    """Garbage is no reason to wait."""
    assert read_reset(text, NOW) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"RateLimit": '"default"'},
        {"RateLimit": '"default";r=-1;t=5'},
        {"RateLimit": '"default";r=many'},
        {"RateLimit": '"unclosed;r=1;t=5'},
        {"RateLimit": ",,;;"},
        {"RateLimit": "limit=100, reset=5"},
        {"X_RateLimit_Remaining": "-1"},
        {"X_RateLimit_Remaining": "4, 9"},
        {"X_RateLimit_Limit": "100"},
        {"X_App_Rate_Limit": "20", "X_App_Rate_Limit_Count": "1:1"},
        {"X_App_Rate_Limit_Count": "1:1"},
        {"Content_Type": "text/html"},
        {},
    ],
)
def test_malformed_fields_are_passed_over(fields: dict[str, str]) -> None:
    """Malformed fields MUST be ignored (draft-ietf-httpapi-ratelimit-headers, section 7)."""
    assert [quota for quota in read(**fields) if quota.remaining is not None] == []


def test_a_server_cannot_make_us_keep_a_thousand_budgets() -> None:
    """A hostile list is cut short."""
    assert len(read(RateLimit=", ".join(f'"{n}";r=1;t=1' for n in range(1_000)))) == MAX_QUOTAS


def test_a_hundred_hostile_fields_cost_no_more_than_those_that_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each would have the whole of a long policy read again: seconds for one answer."""
    looked: list[int | None] = []
    monkeypatch.setattr(_rate_limit, "_policy_window", lambda limit, _: looked.append(limit))

    assert len(read(**{f"X{n}_RateLimit_Remaining": "1" for n in range(100)})) == MAX_QUOTAS
    assert len(looked) == MAX_QUOTAS
