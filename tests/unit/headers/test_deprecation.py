"""Reading what a server says of the end of an endpoint."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from requests.structures import CaseInsensitiveDict

from sessionkit.headers._deprecation import DeprecationNotice, read_deprecation

BASE = "https://api.example/v1/orders"
DAY = datetime(2026, 3, 1, tzinfo=UTC)


def notice(**headers: str) -> DeprecationNotice | None:
    """Return what these headers say."""
    return read_deprecation(CaseInsensitiveDict(headers), BASE)


@pytest.mark.parametrize("text", ["@1772323200", "Sun, 01 Mar 2026 00:00:00 GMT"])
def test_the_day_is_read_in_both_forms(text: str) -> None:
    """RFC 9745 has the date of a structured field, the drafts before it that of HTTP."""
    assert notice(Deprecation=text) == DeprecationNotice(True, DAY, None, "", "")


@pytest.mark.parametrize("text", ["true", " True ", "?1"])
def test_a_draft_had_only_a_word(text: str) -> None:
    """It is deprecated, and since when is not said."""
    assert notice(Deprecation=text) == DeprecationNotice(True, None, None, "", "")


def test_sunset_link_and_warning_are_read() -> None:
    """The link is absolute, the text without its quotes."""
    read = notice(
        Sunset="Sun, 01 Mar 2026 00:00:00 GMT",
        Link='</old>; rel="next", <../docs>; rel="Sunset"; type="text/html"',
        Warning='199 - "x", 299 api "ends \\"soon\\"", 299 - "really"',
    )

    assert read == DeprecationNotice(
        False, None, DAY, "https://api.example/docs", 'ends "soon"; really'
    )


def test_a_link_that_cannot_be_resolved_stays_as_it_is() -> None:
    """A reader of headers never raises."""
    read = notice(Deprecation="true", Link="<http://[::1>; rel=deprecation")

    assert read is not None
    assert read.link == "http://[::1"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Deprecation": "false"},
        {"Deprecation": "@soon"},
        {"Deprecation": "@" + "9" * 5_000},
        {"Sunset": "soon"},
        {"Warning": '199 - "old"'},
        {"Link": "</docs>; rel=deprecation"},
    ],
)
def test_what_says_nothing_is_no_notice(headers: dict[str, str]) -> None:
    """A link alone, and dates that are none, announce no end."""
    assert notice(**headers) is None
