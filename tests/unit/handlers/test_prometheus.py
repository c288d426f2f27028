"""Calls as Prometheus counts them, with labels that nobody can multiply."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import requests
from prometheus_client import CollectorRegistry, generate_latest

from sessionkit import SessionStack, recommended
from sessionkit.auth import CallableGrant
from sessionkit.errors import ConfigError, LoginRequired, NotFound
from sessionkit.handlers.cache import CacheHandler
from sessionkit.handlers.prometheus import PrometheusHandler
from sessionkit.testing import FakeClock
from tests.support.threads import at_once
from tests.unit.handlers.scripted import Item, Reply, Script

PLACE = {"method": "GET", "host": "api.example"}


class Counted:
    """A recommended stack over a script, and the registry that it is counted in."""

    def __init__(self, *items: Item, grant: Any = None, **settings: Any) -> None:
        self.registry = CollectorRegistry()
        self.handler = PrometheusHandler(self.registry, **settings)
        session = requests.Session()
        session.mount("http://", Script(*items))
        self.clock = FakeClock()
        self.stack = SessionStack(
            session, recommended(grant), base_url="http://api.example/", clock=self.clock
        )
        self.stack.handlers.add(self.handler, outermost=True)
        if grant is not None:
            self.stack.handlers["auth"].add_listener(self.handler.on_event)

    def __call__(self, name: str, **labels: str) -> float | None:
        """Return a sample; labels that are not given are those of a GET at the server."""
        known = labels if "outcome" in labels else {**PLACE, **labels}
        return self.registry.get_sample_value(f"sessionkit_{name}", known)

    def ended(self, name: str, status: str, error: str = "") -> float | None:
        """Return how many calls or attempts ended like this."""
        return self(f"{name}_total", status=status, error=error)


def test_calls_and_attempts_are_counted_and_measured() -> None:
    """What callers waited for, and what servers were asked."""
    counted = Counted(503, 200, 200)
    for _ in range(2):
        counted.stack.get("tasks", params={"page": 1})

    assert counted.ended("calls", "2xx") == 2
    assert counted.ended("attempts", "2xx") == 2
    assert counted.ended("attempts", "5xx") == 1
    assert counted("retries_total") == 1
    assert counted("call_seconds_count") == 2
    assert counted("attempt_seconds_count") == 3
    assert counted("cached_total") is None


def test_time_is_the_stacks_own() -> None:
    """A call's time has its waits in it, an attempt's has none."""
    counted = Counted(Reply(503, {"Retry-After": "7"}), 200)
    counted.stack.get("tasks")

    assert counted("call_seconds_sum") == 7.0
    assert counted("attempt_seconds_sum") == 0.0


def test_failures_are_counted_by_their_class() -> None:
    """An alert can tell a missing page from a missing server."""
    counted = Counted(404, requests.ConnectionError("x"))
    with pytest.raises(NotFound):
        counted.stack.get("tasks")
    with pytest.raises(requests.ConnectionError) as caught:
        counted.stack.get("tasks", retries=0)

    assert counted.ended("calls", "4xx", "NotFound") == 1
    assert counted.ended("calls", "none", type(caught.value).__name__) == 1
    assert counted.ended("attempts", "4xx") == 1
    assert counted.ended("attempts", "none", "ConnectionError") == 1


def test_renewals_are_counted_by_what_became_of_them() -> None:
    """Somebody who renews at every call is seen."""
    tokens = iter(["one", "two", None])
    counted = Counted(200, 401, 200, 401, grant=CallableGrant(lambda *_: next(tokens)))
    for _ in range(2):
        counted.stack.get("tasks")
        counted.clock.advance(3_600)
    with pytest.raises(LoginRequired):
        counted.stack.get("tasks")

    assert counted("token_renewals_total", outcome="renewed") == 2
    assert counted("token_renewals_total", outcome="failed") == 1
    assert counted("token_renewal_seconds_count", outcome="renewed") == 2
    assert counted.ended("calls", "none", "LoginRequired") == 1


def test_threads_that_wait_for_a_token_are_counted() -> None:
    """One renewal for eight threads, and how many waited for it."""
    counted = Counted(*[200] * 8, grant=CallableGrant(lambda *_: "token"))
    at_once(8, lambda _: counted.stack.get("tasks").status_code)

    assert counted.ended("calls", "2xx") == 8
    assert counted("token_renewals_total", outcome="renewed") == 1


def test_answers_from_a_cache_are_counted() -> None:
    """They are calls, and no attempts."""
    counted = Counted(Reply(200, {"Cache-Control": "max-age=60"}))
    counted.stack.handlers.add(CacheHandler())
    for _ in range(3):
        counted.stack.get("tasks")

    assert counted("cached_total") == 2
    assert counted.ended("calls", "2xx") == 3
    assert counted.ended("attempts", "2xx") == 1


def test_a_stream_is_counted_by_its_head() -> None:
    """Its reader may take his time."""
    counted = Counted(200)
    with counted.stack.get("tasks", stream=True):
        assert counted.ended("calls", "2xx") == 1


def test_labels_are_bounded() -> None:
    """No caller, no link and no server makes metrics without end."""
    counted = Counted(*[200] * 7, max_hosts=2)
    for number in range(5):
        counted.stack.get(f"http://host-{number}.example:8080/tasks")
    counted.stack.request("BREW", "http://host-0.example/pot")
    counted.stack.request("brew", "http://host-1.example/pot")

    calls = [
        sample.labels
        for metric in counted.registry.collect()
        for sample in metric.samples
        if sample.name == "sessionkit_calls_total"
    ]
    assert {labels["host"] for labels in calls} == {"host-0.example", "host-1.example", "other"}
    assert {labels["method"] for labels in calls} == {"GET", "other"}


def test_no_metric_holds_a_secret_or_a_path() -> None:
    """What is scraped by anybody in the house shows nothing."""
    counted = Counted(200)
    counted.stack.get("http://user:hush@api.example/hush-path", params={"api_key": "hush"})

    assert b"hush" not in generate_latest(counted.registry)
    assert counted.ended("calls", "2xx") == 1


def test_a_wrong_address_is_counted_as_a_failure() -> None:
    """What cannot be sent is seen all the same."""
    counted = Counted()
    with pytest.raises(requests.RequestException) as caught:
        counted.stack.get("http://")

    error = type(caught.value).__name__
    assert counted("calls_total", host="other", status="none", error=error) == 1


def test_stacks_share_one_handler() -> None:
    """A second one on the same registry is refused, with the way out."""
    counted = Counted()
    with pytest.raises(ConfigError, match="give one handler to all stacks"):
        PrometheusHandler(counted.registry)

    other = PrometheusHandler(counted.registry, namespace="vendor")
    assert repr(other) == "PrometheusHandler(namespace='vendor')"


def test_a_missing_extra_names_the_cure() -> None:
    """The line that installs it."""
    program = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from sessionkit.handlers.prometheus import PrometheusHandler\n"
        "try: PrometheusHandler()\nexcept ImportError as error: print(error)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert 'pip install "requests-sessionkit[prometheus]"' in ended.stdout
