"""The suites that ``foreign_suites.py`` compares, each one record.

Another suite is one more record in ``SUITES``: name its distribution, what its tests import, and
where in the source distribution they are; run the comparison, and give a reason for each test that
is left out and for each difference that stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The stacks that each suite runs through, beside the bare run; see stacked.py.
MODES = ("transparent", "passing", "recommended")
#: What the runs themselves need.
RUNNER = ("pytest<10", "pytest-httpbin==2.1.0")


class Known(NamedTuple):
    """A difference that stands: through which stacks, and why."""

    modes: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Suite:
    """Tests of others: where they come from, how they run, and what is known of them.

    Attributes:
        name: The distribution that has them.
        requirements: Itself, and what its tests need beside it.
        unpacked: What is taken from the source distribution of the installed version. Not the
            package itself, unless its tests are within: what is tested is what is installed.
        selected: What pytest is to run.
        options: More for the command line of pytest.
        settings: Variables of the environment.
        left_out: Tests that never run, not even bare, and why.
        reviewed: Differences that stand, by test.
    """

    name: str
    requirements: tuple[str, ...]
    unpacked: tuple[str, ...] = ("tests/",)
    selected: tuple[str, ...] = ("tests",)
    options: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    reviewed: Mapping[str, Known] = field(default_factory=dict)

    def reviews(self, mode: str, test: str) -> str | None:
        """Return why *test* may come out otherwise in *mode*, or None."""
        known = self.reviewed.get(test)
        return known.reason if known and mode in known.modes else None


_ELSEWHERE = "connects to an address of a private network, to see nobody answer"
_NO_PICKLE = Known(
    ("passing", "recommended"),
    "by design: a stack with handlers is not pickled, it would carry tokens and locks",
)
_CUT_SHORT = Known(
    ("recommended",),
    "by design: an answer to a GET that is cut short is tried again; this server answers once and"
    " is gone, so the last error is the refused connection's",
)
_OWN_SETTINGS = Known(
    ("recommended",),
    "by design: the chain has time-outs of its own and reads bodies itself, so an adapter is asked"
    " for timeout=(5, 30) and stream=True where the call gave neither",
)
_TRIED_AGAIN = Known(
    ("recommended",),
    "by design: a GET that did not reach its server is tried again, so four calls are counted",
)

SUITES = (
    Suite(
        "requests",
        # As its own requirements-dev.txt has it.
        ("requests", "httpbin~=0.10.0", "trustme", "pysocks"),
        unpacked=("tests/", "requirements-dev.txt"),
        left_out={
            "tests/test_requests.py::TestTimeout::test_connect_timeout": _ELSEWHERE,
            "tests/test_requests.py::TestTimeout::test_total_timeout_connect": _ELSEWHERE,
        },
        reviewed={
            "tests/test_requests.py::TestRequests::test_session_pickling": _NO_PICKLE,
            "tests/test_lowlevel.py::test_chunked_encoding_error": _CUT_SHORT,
        },
    ),
    Suite(
        "requests-toolbelt",
        ("requests-toolbelt~=1.0", "betamax<1", "pyopenssl", "trustme"),
        # Some of its tests upload setup.py.
        unpacked=("tests/", "setup.py"),
        # Its recordings hold a place for the caller's address, and count on the length of one.
        settings={"IPADDR": "198.51.100.123"},
    ),
    Suite(
        "requests-mock",
        ("requests-mock~=1.12", "fixtures<5", "purl", "requests-futures<2", "testtools<3"),
        reviewed={
            "tests/test_request.py::RequestTests::test_base_params": _OWN_SETTINGS,
            "tests/test_request.py::RequestTests::test_stream": _OWN_SETTINGS,
        },
    ),
    Suite(
        "responses",
        ("responses~=0.26.0", "pytest-asyncio<2", "pytest-httpserver<2", "tomli-w"),
        unpacked=("responses/",),
        selected=("responses/tests",),
        options=("--asyncio-mode=auto",),
        reviewed={"responses/tests/test_responses.py::test_connection_error": _TRIED_AGAIN},
    ),
)


def requirements(suites: Iterable[Suite] = SUITES) -> list[str]:
    """Return what *suites* need, each once."""
    return sorted({*RUNNER, *(need for suite in suites for need in suite.requirements)})
