"""What servers say of their time is read as they write it, and never trips a call."""

from __future__ import annotations

import pickle
import time

import pytest
from requests.structures import CaseInsensitiveDict

from sessionkit.handlers._timing import _FROM_SERVERS
from sessionkit.headers._server_timing import (
    HEADERS,
    Metric,
    ServerTiming,
    read_metrics,
    read_seconds,
    read_server_timing,
)


def read(**headers: str) -> ServerTiming:
    """Read headers given with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_server_timing(CaseInsensitiveDict(named))


def test_the_headers_of_awx_become_numbers() -> None:
    """Who talks to AWX sees its view time, total time, node and database time as figures."""
    timing = read(
        x_api_time="0.125s",
        x_api_total_time="0.150s",
        x_api_node="awx-1",
        x_api_query_count="7",
        x_api_query_time="0.040s",
    )

    assert (timing.api_time, timing.total_time, timing.node) == (0.125, 0.15, "awx-1")
    assert (timing.query_count, timing.query_time) == (7, 0.04)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0.125s", 0.125),
        ("0.125", 0.125),
        (" 0.125 s ", 0.125),
        ("2", 2.0),
        ("2.", 2.0),
        (".5", 0.5),
        ("9.5e-05", 9.5e-05),
        ("0.125S", 0.125),
        ("125ms", 0.125),
        ("125 MS", 0.125),
    ],
)
def test_a_duration_is_read_with_or_without_its_unit(text: str, seconds: float) -> None:
    """Servers differ in the trailing s; the figure is the same."""
    assert read_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "fast", "-1", "nan", "inf", "1e999", "0.1s, 0.2s", "1 2", "s", ".", "0x10", "٣"],
)
def test_a_duration_that_makes_no_sense_is_none(text: str) -> None:
    """No figure is better than a wrong one."""
    assert read_seconds(text) is None


@pytest.mark.parametrize("text", ["-1", "7.5", "many", "1" * 5000, "٣", ""])
def test_a_count_that_makes_no_sense_is_none(text: str) -> None:
    """A count is a whole number of sensible length or nothing."""
    assert read(x_api_query_count=text).query_count is None


def test_absent_is_none() -> None:
    """What the server did not say cannot be mistaken for zero."""
    assert read() == ServerTiming(None, None, None, None, None, None, (), {})


def test_garbage_is_kept_raw() -> None:
    """Whoever needs to know what the server really wrote finds it."""
    timing = read(x_api_time="fast", x_api_query_count="many", server_timing=";;")

    assert timing.api_time is timing.query_count is None
    assert timing.raw == {
        "X-API-Time": "fast",
        "X-API-Query-Count": "many",
        "Server-Timing": ";;",
    }


def test_an_empty_node_is_none() -> None:
    """A header without a value names no machine."""
    assert read(x_api_node="  ").node is None


def test_x_runtime_counts_in_seconds() -> None:
    """Rails writes bare seconds."""
    assert read(x_runtime="0.012345").runtime == 0.012345


@pytest.mark.parametrize(("text", "seconds"), [("12.5ms", 0.0125), ("0.5s", 0.5), ("12.5", None)])
def test_x_response_time_counts_only_with_its_unit(text: str, seconds: float | None) -> None:
    """Bare, it is milliseconds to some servers and seconds to others: nobody is misled."""
    assert read(x_response_time=text).runtime == seconds


def test_x_runtime_goes_before_x_response_time() -> None:
    """One runtime is told, the one without doubt about its unit."""
    assert read(x_runtime="1", x_response_time="2s").runtime == 1.0
    assert read(x_runtime="slow", x_response_time="2s").runtime == 2.0


def test_server_timing_entries_are_read_in_order() -> None:
    """Metrics come with name, seconds and text, as the specification's example has them."""
    timing = read(
        server_timing='miss, db;dur=53, app;dur=47.5, cache;desc="Cache Read";dur=23.2, dc;desc=ams'
    )

    assert timing.entries == (
        Metric("miss"),
        Metric("db", 0.053),
        Metric("app", 0.0475),
        Metric("cache", 0.0232, "Cache Read"),
        Metric("dc", None, "ams"),
    )


def test_commas_and_semicolons_in_quotes_part_nothing() -> None:
    """A description may hold any text."""
    assert read_metrics('a;desc="x, y; z";dur=1, b') == [Metric("a", 0.001, "x, y; z"), Metric("b")]


def test_escapes_in_quotes_are_taken_off() -> None:
    """A quote inside a description arrives as a quote (RFC 9110, section 5.6.4)."""
    assert read_metrics(r'a;desc="say \"hi\" \\"') == [Metric("a", None, 'say "hi" \\')]


def test_of_a_parameter_given_twice_the_first_counts() -> None:
    """As the specification has it, so that figures agree with those in a browser."""
    assert read_metrics("a;dur=1;dur=2;desc=one;desc=two") == [Metric("a", 0.001, "one")]


def test_names_of_parameters_have_no_case_and_may_be_spaced() -> None:
    """Loosely written headers are read too."""
    assert read_metrics(' a ; DUR = 1 ; Desc = "x" ') == [Metric("a", 0.001, "x")]


def test_a_quoted_duration_is_read() -> None:
    """Some frameworks quote every value."""
    assert read_metrics('a;dur="2.5"') == [Metric("a", 0.0025)]


@pytest.mark.parametrize("text", ["", ",", ";", ";db", "=1", '"a"', "a b;dur=1", ", ;dur=1 ,"])
def test_an_entry_without_a_name_is_left_out(text: str) -> None:
    """A broken entry costs itself and nothing more."""
    assert read_metrics(text) == []
    assert read_metrics(f"good;dur=1,{text}")[0] == Metric("good", 0.001)


def test_an_unknown_parameter_and_a_bad_duration_are_passed_over() -> None:
    """Extensions of the header do no harm."""
    assert read_metrics("a;p=1;dur=soon;desc=x") == [Metric("a", None, "x")]


@pytest.mark.parametrize(
    "text",
    ['"' * 60_000, "9" * 60_000 + "x", '\\"' * 30_000, "a;" * 30_000, ";" * 60_000, '"\\' * 30_000],
)
def test_a_hostile_header_takes_linear_time(text: str) -> None:
    """No answer can hold a client up by its headers: 60 KB take milliseconds."""
    began = time.process_time()
    read_server_timing(dict.fromkeys(HEADERS, text))

    assert time.process_time() - began < 2


def test_a_server_timing_pickles() -> None:
    """Figures travel to another process."""
    timing = read(server_timing="db;dur=1", x_api_time="1s")

    assert pickle.loads(pickle.dumps(timing)) == timing


def test_the_quick_look_knows_every_header_that_is_read() -> None:
    """No header is read that the timing handler would not notice."""
    assert {name.lower() for name in HEADERS} == _FROM_SERVERS
