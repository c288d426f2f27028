"""``python -m sessionkit demo``, in a time that passes only when somebody waits."""

from __future__ import annotations

import json

import pytest

from sessionkit.cli._demo import show
from sessionkit.demo import DemoServer
from sessionkit.demo._server import PASSWORD
from sessionkit.testing import FakeClock


def test_the_figures_are_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """A script reads what a person would be shown."""
    clock = FakeClock()
    with DemoServer(clock=clock) as server:
        status = show(server, as_json=True, clock=clock)

    shown = capsys.readouterr()
    assert (status, shown.err) == (0, "")
    assert list(json.loads(shown.out)) == [
        *("calls", "calls_ok", "expiries", "renewals", "reuse_detected"),
        *("replayed_posts", "replayed_posts_intact", "pages", "objects"),
        *("errors_mapped", "seconds"),
    ]


def test_the_story_fits_sixty_columns_and_holds_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads well in a pipe, and a log of it may be shown to anybody."""
    monkeypatch.setenv("COLUMNS", "60")
    clock = FakeClock()
    with DemoServer(clock=clock) as server:
        status = show(server, as_json=False, clock=clock)
        identity = server._identity
        secrets = [PASSWORD, *identity._access, *identity._logins]

    text, errors = capsys.readouterr()
    assert (status, errors) == (0, "")
    assert max(map(len, text.splitlines())) <= 60
    assert not any(mark in text for mark in ("\r", "\x1b"))
    assert not [secret for secret in secrets if secret in text]
    assert "yes one renewal per ended token" in text
    assert "Where the time went" in text


@pytest.mark.parametrize("as_json", [False, True])
def test_a_broken_promise_is_told_and_ends_with_status_1(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo cannot look fine when it is not."""
    clock = FakeClock()
    with DemoServer(token_uses=0, clock=clock) as server:
        status = show(server, as_json=as_json, clock=clock)

    assert status == 1
    assert "not as promised: every call succeeded (0 of" in capsys.readouterr().err
