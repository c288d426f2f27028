"""Laws of the timing headers: reading never raises, and what is written is read back."""

from __future__ import annotations

import math

from hypothesis import given, strategies as st

from sessionkit.headers._server_timing import (
    HEADERS,
    Metric,
    read_metrics,
    read_seconds,
    read_server_timing,
)

NAMES = st.text("!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=12)
MILLISECONDS = st.none() | st.floats(0, 1e9).map(lambda number: round(number, 3))
#: What a quoted string may hold once its escapes are in (RFC 9110, section 5.6.4).
TEXTS = st.none() | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
NOISE = st.text('",;=\\ adesurx.0123-', max_size=40) | st.text(max_size=40)


def written(name: str, milliseconds: float | None, text: str | None) -> str:
    """Write one entry as a server would."""
    entry = name
    if milliseconds is not None:
        entry += f";dur={milliseconds:.3f}"
    if text is not None:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        entry += f';desc="{escaped}"'
    return entry


@given(st.dictionaries(st.sampled_from(HEADERS), NOISE))
def test_no_header_makes_the_reader_raise(headers: dict[str, str]) -> None:
    """Whatever a server writes, the call goes on, and the raw text is kept."""
    timing = read_server_timing(headers)

    assert timing.raw == headers


@given(NOISE)
def test_every_figure_is_finite_and_not_negative(text: str) -> None:
    """A figure can be added up and drawn without looking at it first."""
    figures = [read_seconds(text), *(metric.duration for metric in read_metrics(text))]

    assert all(figure is None or (math.isfinite(figure) and figure >= 0) for figure in figures)


@given(st.lists(st.tuples(NAMES, MILLISECONDS, TEXTS), max_size=5))
def test_what_a_server_writes_is_what_is_read(
    entries: list[tuple[str, float | None, str | None]],
) -> None:
    """Names, durations and texts arrive whole, whatever quotes and commas they hold."""
    header = ", ".join(written(*entry) for entry in entries)

    assert read_metrics(header) == [
        Metric(name, None if ms is None else float(f"{ms:.3f}") / 1000, text)
        for name, ms, text in entries
    ]


@given(st.floats(0, 1e6))
def test_seconds_written_the_way_of_awx_are_read_back(seconds: float) -> None:
    """Figures survive the trip through a header, with or without the unit."""
    text = f"{seconds:0.3f}"

    assert read_seconds(text) == read_seconds(f"{text}s") == float(text)
