"""What holds for every test and for every sample in the README and the docs."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from sybil import Lexeme, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.integration.pytest import SybilItem
from sybil.parsers.myst import CodeBlockParser, SkipParser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sybil import Example

    from sessionkit.demo import DemoServer


# -- The network: loopback only ------------------------------------------------------------------


class NetworkForbidden(RuntimeError):
    """A test or a sample wanted to leave this machine; no error of sockets, so nothing maps it."""


def _is_loopback(host: str) -> bool:
    if not host or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    if _is_loopback(host or ""):
        return
    if host.endswith(".invalid"):
        # RFC 6761, section 6.4: such a name never resolves; here without asking a resolver.
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    raise NetworkForbidden(f"tests talk to this machine only, not to {host}")


# An audit hook, because it sees the sockets of every thread and library and patches nothing.
sys.addaudithook(_guard)


def pytest_configure(config: pytest.Config) -> None:
    """Keep the machine's own proxies, bundles and logins out of the requests that tests make."""
    # With pytest-xdist this is the process that is told of all tests.
    if os.environ.get("CI") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SkipsInCI())
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(name, None)
    os.environ["NETRC"] = os.devnull
    # A shell starts what it runs in the background with Ctrl-C ignored, and tests press it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# -- Hypothesis ----------------------------------------------------------------------------------

settings.register_profile("local", max_examples=100, deadline=None)
settings.register_profile(
    "ci",
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "local")


# -- Skips ---------------------------------------------------------------------------------------


class SkipsInCI:
    """Fails a run in CI in which a test was skipped: `.ci/run` installs what each test needs."""

    def __init__(self) -> None:
        self._skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the reason of a skip; an expected failure is none."""
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            self._skipped.append(f"{report.nodeid}: {reason}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a run with a skip into one that failed."""
        if self._skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which tests were skipped."""
        if self._skipped:
            terminalreporter.section("skipped in CI, where nothing may be")
            terminalreporter.write_line("\n".join(sorted(self._skipped)))


# -- Samples in README.md and docs/ --------------------------------------------------------------


class LoopbackEvaluator(PythonEvaluator):
    """Run a sample against the demo server in place of the hosts that the reader sees."""

    def __call__(self, example: Example) -> None:
        """Run *example* with the addresses of the demo server in it."""
        # A page that turns the clock has a server of its own.
        server = example.namespace.get("own_demo", example.namespace["demo"])
        shown = example.parsed
        text = shown.replace("https://api.example/v1/", server.base_url)
        text = text.replace("https://id.example/token", server.token_url)
        example.parsed = Lexeme(text, shown.offset, shown.line_offset)
        try:
            super().__call__(example)
        finally:
            example.parsed = shown


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoServer]:
    """Start the demo's API for one document, with its client secret in ``APP_SECRET``."""
    from sessionkit.demo import DemoServer

    with DemoServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("APP_SECRET", server.client_secret)
        yield server


pytest_collect_file = Sybil(
    parsers=[CodeBlockParser(language="python", evaluator=LoopbackEvaluator()), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    fixtures=["demo"],
).pytest()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the samples of each page back in reading order: a page is one story.

    Runs after the shuffle, which happens inside a wrapper around all hooks of this name.
    """
    samples = [item for item in items if isinstance(item, SybilItem)]
    story = iter(sorted(samples, key=lambda item: (str(item.path), item.example.line)))
    items[:] = [next(story) if isinstance(item, SybilItem) else item for item in items]
