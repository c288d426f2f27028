"""Calls as OpenTelemetry sees them: one span a call, one an attempt, and no secret in any."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import requests
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sessionkit import SessionStack, recommended
from sessionkit.auth import CallableGrant, Query, StaticToken
from sessionkit.errors import LoginRequired, NotFound
from sessionkit.handlers import RetryHandler
from sessionkit.handlers.cache import CacheHandler
from sessionkit.handlers.otel import OtelHandler
from sessionkit.testing import FakeClock
from tests.support.threads import at_once
from tests.unit.handlers.scripted import Item, Reply, Script


class Watched:
    """A recommended stack over a script, and the spans and metrics that come of it."""

    def __init__(self, *items: Item, grant: Any = None, **settings: Any) -> None:
        self._exporter = InMemorySpanExporter()
        tracing = TracerProvider()
        tracing.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        metering = MeterProvider([self._reader])
        self.otel = OtelHandler(tracing, metering)
        self.tracer = tracing.get_tracer("test")
        self.script = Script(*items)
        session = requests.Session()
        session.mount("http://", self.script)
        chain = recommended(grant, **settings)
        self.clock = FakeClock()
        self.stack = SessionStack(session, chain, base_url="http://api.example/", clock=self.clock)
        self.stack.handlers.add(self.otel, outermost=True)
        self.stack.handlers.add(self.otel.attempts)
        if grant is not None:
            self.stack.handlers["auth"].add_listener(self.otel.on_event)

    @property
    def spans(self) -> list[ReadableSpan]:
        """All spans that ended, in that order."""
        return list(self._exporter.get_finished_spans())

    def of(self, kind: SpanKind) -> list[dict[str, Any]]:
        """Return the attributes of all spans of a kind."""
        return [dict(span.attributes or {}) for span in self.spans if span.kind is kind]

    @property
    def call(self) -> dict[str, Any]:
        """The attributes of the one call."""
        (attributes,) = self.of(SpanKind.INTERNAL)
        return attributes

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """The attributes of the attempts."""
        return self.of(SpanKind.CLIENT)

    def durations(self) -> list[Any]:
        """Return the points of the histogram of attempts."""
        data: Any = self._reader.get_metrics_data()
        (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
        assert (metric.name, metric.unit) == ("http.client.request.duration", "s")
        return list(metric.data.data_points)


def test_a_call_is_a_span_with_its_attempt_in_it() -> None:
    """By the names that every tool knows."""
    watched = Watched(200)
    watched.stack.get("tasks", params={"page": 2})

    attempt, call = watched.spans
    assert (call.name, call.kind, call.parent) == ("GET", SpanKind.INTERNAL, None)
    assert (attempt.name, attempt.kind) == ("GET", SpanKind.CLIENT)
    assert attempt.parent == call.context
    about = {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "api.example",
        "server.port": 80,
        "url.full": "http://api.example/tasks?page=2",
        "url.scheme": "http",
    }
    assert watched.attempts == [about]
    assert watched.call == about | {
        "sessionkit.attempts": 1,
        "sessionkit.renewals": 0,
        "sessionkit.from_cache": False,
    }
    assert call.status.status_code is attempt.status.status_code is StatusCode.UNSET


def test_a_call_may_have_a_name() -> None:
    """``operation=`` reads better in a trace than a verb; it reaches no server."""
    watched = Watched(200)
    watched.stack.get("tasks", operation="list tasks")

    assert [span.name for span in watched.spans] == ["GET", "list tasks"]


def test_each_attempt_tells_the_server_which_it_is() -> None:
    """The server's own spans hang below the attempt that caused them."""
    watched = Watched(503, 200)
    with watched.tracer.start_as_current_span("mine"):
        watched.stack.get("tasks")

    first, second, call, mine = watched.spans
    assert call.parent == mine.context
    sent = [headers["traceparent"].split("-") for headers in watched.script.headers]
    for span, (_, trace_id, span_id, _) in zip((first, second), sent, strict=True):
        assert span.context is not None
        assert trace_id == f"{span.context.trace_id:032x}"
        assert span_id == f"{span.context.span_id:016x}"


def test_retries_are_counted_and_waits_are_the_calls() -> None:
    """What went out again says so."""
    watched = Watched(503, requests.ConnectionError("x"), 200)
    watched.stack.get("tasks")

    shown = [
        {k: v for k, v in about.items() if k.startswith(("http.request.res", "http.resp", "error"))}
        for about in watched.attempts
    ]
    assert shown == [
        {"http.response.status_code": 503, "error.type": "503"},
        {"http.request.resend_count": 1, "error.type": "ConnectionError"},
        {"http.request.resend_count": 2, "http.response.status_code": 200},
    ]
    assert watched.call["sessionkit.attempts"] == 3
    codes = [span.status.status_code for span in watched.spans]
    assert codes == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET, StatusCode.UNSET]


def test_a_failed_call_says_why() -> None:
    """By the class of its error; what the server wrote may be anything, and stays out."""
    watched = Watched(Reply(404, {}, b'{"title": "no such task"}'))
    with pytest.raises(NotFound):
        watched.stack.get("tasks")

    assert watched.call["error.type"] == "NotFound"
    assert watched.call["http.response.status_code"] == 404
    call = watched.spans[-1]
    assert call.status.status_code is StatusCode.ERROR
    assert call.status.description is None
    assert call.events == ()


def test_a_call_that_was_never_answered_has_no_status() -> None:
    """A number that no server gave would mislead whoever looks."""
    watched = Watched(requests.ConnectionError("x"))
    with pytest.raises(requests.ConnectionError) as caught:
        watched.stack.get("tasks", retries=0)

    assert watched.call["error.type"] == type(caught.value).__name__
    assert "http.response.status_code" not in watched.call


def test_renewals_are_events_of_the_call() -> None:
    """Where a second went is seen in the trace, though no token is."""
    tokens = iter(["hush-1", "hush-2"])
    watched = Watched(200, 401, 200, grant=CallableGrant(lambda *_: next(tokens)))
    for _ in range(2):
        watched.stack.get("tasks")
        watched.clock.advance(3_600)

    calls = [span for span in watched.spans if span.kind is SpanKind.INTERNAL]
    assert [[event.name for event in call.events] for call in calls] == [["TokenRenewed"]] * 2
    assert set(calls[1].events[0].attributes or {}) == {
        *("sessionkit.duration", "sessionkit.waited", "sessionkit.early"),
    }
    assert [about["http.response.status_code"] for about in watched.attempts] == [200, 401, 200]


def test_a_failed_renewal_is_an_event_too() -> None:
    """With the class of its error."""
    watched = Watched(grant=CallableGrant(lambda *_: None))
    with pytest.raises(LoginRequired):
        watched.stack.get("tasks")

    (event,) = watched.spans[-1].events
    assert event.name == "TokenRenewalFailed"
    assert (event.attributes or {})["error.type"] == "LoginRequired"
    assert watched.call["error.type"] == "LoginRequired"
    assert watched.attempts == []


def test_an_answer_from_a_cache_has_no_attempt() -> None:
    """Nothing went out, and the span says why."""
    watched = Watched(Reply(200, {"Cache-Control": "max-age=60"}))
    watched.stack.handlers.add(CacheHandler(), before="otel_attempts")
    for _ in range(2):
        watched.stack.get("tasks")

    calls = watched.of(SpanKind.INTERNAL)
    assert [call["sessionkit.from_cache"] for call in calls] == [False, True]
    assert len(watched.attempts) == 1


def test_attempts_are_measured() -> None:
    """In seconds by the stack's clock, and with few labels: no address among them."""
    watched = Watched(200, 404)

    def slow() -> Reply:
        watched.clock.advance(0.3)
        return Reply()

    watched.script._items[0] = slow
    watched.stack.get("tasks/7")
    watched.stack.get("tasks/8", expect=404)

    fine, missing = sorted(watched.durations(), key=lambda point: point.sum, reverse=True)
    assert (fine.count, fine.sum, missing.count) == (1, 0.3, 1)
    assert fine.explicit_bounds[:3] == (0.005, 0.01, 0.025)
    about = {
        "http.request.method": "GET",
        "server.address": "api.example",
        "server.port": 80,
        "url.scheme": "http",
    }
    assert fine.attributes == about | {"http.response.status_code": 200}
    assert missing.attributes == about | {"http.response.status_code": 404, "error.type": "404"}


def test_no_secret_is_in_any_span() -> None:
    """Keys in URLs, in headers, in passwords and in texts of exceptions stay out."""
    fault = requests.ConnectionError("http://api.example/?appid=hush-token failed: hush-token")
    watched = Watched(
        fault, Reply(500, {}, b"hush"), grant=StaticToken("hush-token"), scheme=Query("appid")
    )
    call: dict[str, Any] = {
        "params": {"api_key": "hush-param"},
        "headers": {"X-Api-Key": "hush-header", "baggage": "a=b"},
        "retries": RetryHandler()._policy,
    }
    with pytest.raises(requests.RequestException):
        watched.stack.get("http://user:hush-password@api.example/tasks", **call)

    written = "".join(span.to_json() for span in watched.spans)
    assert len(watched.attempts) >= 1
    assert "api_key=***" in written
    assert "hush" not in written


def test_methods_that_nobody_knows_are_one() -> None:
    """No caller makes metrics without end."""
    watched = Watched(200)
    watched.stack.request("BREW", "pot")

    (attempt,) = watched.attempts
    assert attempt["http.request.method"] == "_OTHER"
    assert [span.name for span in watched.spans] == ["HTTP", "_OTHER"]


def test_a_wrong_address_is_a_failed_call() -> None:
    """What cannot be sent leaves a span all the same."""
    watched = Watched()
    with pytest.raises(requests.RequestException):
        watched.stack.get("http://")

    assert watched.call["error.type"]


def test_a_stream_ends_its_spans_with_its_head() -> None:
    """Whoever reads for an hour keeps no span open."""
    watched = Watched(200)
    with watched.stack.get("tasks", stream=True) as response:
        assert len(watched.spans) == 2
        assert response.content == b"{}"


def test_a_prepared_request_carries_the_context_too() -> None:
    """And the caller's own object does not."""
    watched = Watched(200)
    mine = requests.Request("GET", "http://api.example/tasks").prepare()
    watched.stack.send(mine, timeout=1)

    assert "traceparent" in watched.script.headers[0]
    assert "traceparent" not in mine.headers


def test_threads_keep_their_spans_apart() -> None:
    """Each attempt hangs below the call of its own thread."""
    watched = Watched(*[200] * 40)

    def work(number: int) -> None:
        for _ in range(5):
            watched.stack.get("tasks", operation=f"thread {number}")

    assert at_once(8, work) == [None] * 8
    calls = [span.context for span in watched.spans if span.kind is SpanKind.INTERNAL]
    above = [span.parent for span in watched.spans if span.kind is SpanKind.CLIENT]
    assert len(calls) == len(above) == 40
    assert {span.span_id for span in above if span} == {span.span_id for span in calls if span}


def test_without_an_sdk_nothing_is_recorded_or_sent() -> None:
    """A library may put the handlers in; who does not trace pays little and shows nothing."""
    script = Script(200)
    session = requests.Session()
    session.mount("http://", script)
    otel = OtelHandler()
    SessionStack(session, [otel, otel.attempts]).get("http://api.example/")

    assert "traceparent" not in script.headers[0]
    assert trace.get_current_span().is_recording() is False


def test_the_handlers_show_what_they_are() -> None:
    """``explain()`` has one line for each, and finds them in their places."""
    watched = Watched()
    assert watched.stack.handlers.names[0] == "otel"
    assert watched.stack.handlers.names[-1] == "otel_attempts"
    assert repr(watched.otel) == "OtelHandler()"
    assert repr(watched.otel.attempts) == "OtelHandler().attempts"
    assert "warning" not in watched.stack.explain()


def test_a_missing_extra_names_the_cure() -> None:
    """The line that installs it."""
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from sessionkit.handlers.otel import OtelHandler\n"
        "try: OtelHandler()\nexcept ImportError as error: print(error)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert 'pip install "requests-sessionkit[otel]"' in ended.stdout
