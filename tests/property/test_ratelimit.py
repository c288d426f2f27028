"""Laws of the budget headers: reading never raises, and what is written is read back."""

from __future__ import annotations

import math

from hypothesis import given, strategies as st
from requests.structures import CaseInsensitiveDict

from sessionkit.headers._rate_limit import (
    MAX_QUOTAS,
    Quota,
    read_quotas,
    read_reset,
)

NOW = 1_700_000_000.0
NAMES = st.sampled_from(
    [
        *("RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining"),
        *("RateLimit-Reset", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
        *("X-RateLimit-Reset-After", "X-RateLimit-Resource", "X-RateLimit-Remaining-Minute"),
        *("X-App-Rate-Limit", "X-App-Rate-Limit-Count", "Fitbit-Rate-Limit-Reset", "Date"),
    ]
)
NOISE = st.text('",;:=\\ rtqwpk0123456789.-msh', max_size=60) | st.text(max_size=40)
WHOLE = st.integers(0, 10**9)
SECONDS = st.integers(0, 10**7)
#: Texts of structured fields without what must be escaped (RFC 9651, section 3.3.3).
TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'),
    min_size=1,
    max_size=20,
)


def usable(number: float | None) -> bool:
    """Tell whether a figure can be counted with."""
    return number is None or (math.isfinite(number) and number >= 0)


@given(st.dictionaries(NAMES, NOISE))
def test_no_header_makes_the_reader_of_budgets_raise(headers: dict[str, str]) -> None:
    """Whatever a server writes, the call goes on, and every figure can be counted with."""
    fields = CaseInsensitiveDict(headers)

    quotas = read_quotas(fields, NOW)

    assert len(quotas) <= MAX_QUOTAS
    for quota in quotas:
        assert all(map(usable, (quota.remaining, quota.reset, quota.limit, quota.window)))


@given(NOISE | st.from_regex(r"[0-9]{1,30}(\.[0-9]{0,9})?", fullmatch=True))
def test_no_reset_makes_its_reader_raise(text: str) -> None:
    """A moment is read or it is not; it is never negative, infinite or not a number."""
    assert usable(read_reset(text, NOW))


@given(st.dictionaries(TEXTS, st.tuples(WHOLE, SECONDS, WHOLE, SECONDS), max_size=MAX_QUOTAS))
def test_what_a_server_writes_of_its_budgets_is_read_back(
    budgets: dict[str, tuple[int, int, int, int]],
) -> None:
    """Names, rests and windows arrive whole, whatever commas and semicolons the names hold."""
    policies = ", ".join(f'"{name}";q={q};w={w}' for name, (_, _, q, w) in budgets.items())
    limits = ", ".join(f'"{name}";r={r};t={t}' for name, (r, t, _, _) in budgets.items())

    assert read_quotas({"RateLimit-Policy": policies, "RateLimit": limits}, NOW) == tuple(
        Quota(name, r, float(t), q, float(w)) for name, (r, t, q, w) in budgets.items()
    )


@given(st.floats(0, 9e7))
def test_moments_and_waits_mean_the_same(seconds: float) -> None:
    """Whether a server counts from now or from 1970, in seconds or in thousandths."""
    wait = round(seconds, 3)

    assert read_reset(f"{wait:.3f}", NOW) == wait
    assert math.isclose(read_reset(f"{NOW + wait:.3f}", NOW) or 0.0, wait, abs_tol=1e-6)
    assert math.isclose(read_reset(f"{(NOW + wait) * 1e3:.0f}", NOW) or 0.0, wait, abs_tol=1e-3)
