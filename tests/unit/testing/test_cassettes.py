"""Recorded runs without their secrets, played back without a server."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import requests
import vcr

from sessionkit import SessionStack, recommended
from sessionkit.auth import ClientCredentials, Header, StaticToken
from sessionkit.errors import ConfigError, NotFound
from sessionkit.testing.cassettes import NotRecorded, cassette, find_secrets
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)

SECRET = "planted-client-secret"


def answer(seen: ServerRequest) -> ServerResponse:
    """Echo the path and the body."""
    return ServerResponse(200, {"path": seen.path, "body": seen.body.decode()})


def asked(session: requests.Session, origin: str, *paths: str) -> list[Any]:
    """What comes back for each path."""
    return [session.get(f"{origin}{path}").json()["path"] for path in paths]


def recorded(file: Path, *paths: str) -> str:
    """Record some requests; the origin they went to."""
    with (
        LoopbackServer(answer) as server,
        requests.Session() as session,
        cassette(file, record="all"),
    ):
        asked(session, server.origin, *paths)
    return server.origin


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where a cassette may be."""
    return tmp_path / "cassettes" / "a.yaml"


def test_a_run_is_played_back_without_its_server(file: Path) -> None:
    """Tests of an SDK run on a train."""
    origin = recorded(file, "/a", "/b")

    with requests.Session() as session, cassette(file) as tape:
        assert asked(session, origin, "/b", "/a") == ["/b", "/a"]
        assert tape.left == ()


def test_equal_requests_are_answered_in_their_order(file: Path) -> None:
    """What changed between two calls changes again."""
    replies = iter([ServerResponse(404), ServerResponse(200)])
    with (
        LoopbackServer(lambda _: next(replies)) as server,
        requests.Session() as session,
        cassette(file, record="all"),
    ):
        assert [session.get(server.origin).status_code for _ in range(2)] == [404, 200]

    with requests.Session() as session, cassette(file):
        assert [session.get(server.origin).status_code for _ in range(2)] == [404, 200]


def test_the_tape_tells_what_was_not_asked_for(file: Path) -> None:
    """A test can prove that a run still makes all of its requests."""
    origin = recorded(file, "/a?api_key=abcdef", "/b")

    with requests.Session() as session, cassette(file) as tape:
        asked(session, origin, "/b")

        assert tape.left == (f"GET {origin}/a?api_key=***",)
        assert repr(tape) == f"<Cassette {file}: 1 of 2 requests left>"


def test_a_tape_that_is_recorded_has_nothing_left(file: Path) -> None:
    """The same test passes while it is recorded."""
    with (
        LoopbackServer(answer) as server,
        requests.Session() as session,
        cassette(file, record="all") as tape,
    ):
        asked(session, server.origin, "/a")

        assert tape.recording
        assert tape.left == ()


def test_a_request_that_was_not_recorded_says_what_to_do(file: Path) -> None:
    """Whoever changed a request learns at once why the test fails, and how to mend it."""
    origin = recorded(file, "/a")
    chain = recommended(StaticToken(SECRET), scheme=Header("X-Api-Key"))

    with requests.Session() as session, cassette(file, secrets=[SECRET], hint="do this") as tape:
        stack = SessionStack(session, chain, base_url=origin)
        with pytest.raises(NotRecorded) as caught:
            stack.get(f"/{SECRET}", params={"api_key": "abcdef"})

        assert str(caught.value) == (
            f"GET {origin}/secret-1?api_key=*** is not in {file}, or with another body, or was "
            f"played back already (left there: GET {origin}/a): do this"
        )
        assert stack.get("/a").ok
        assert tape.left == ()
        with pytest.raises(NotRecorded, match="left there: nothing"):
            stack.get("/a")


def test_an_empty_upload_is_not_the_one_that_was_recorded(file: Path) -> None:
    """A body that got lost on the way fails the test."""
    with (
        LoopbackServer(answer) as server,
        requests.Session() as session,
        cassette(file, record="all"),
    ):
        session.post(server.origin, data=b"whole")

    with requests.Session() as session, cassette(file):
        with pytest.raises(NotRecorded):
            session.post(server.origin, data=b"")
        assert session.post(server.origin, data=b"whole").ok


def test_a_missing_cassette_says_what_to_do(file: Path) -> None:
    """Before the first request, and before half of the test has run."""
    with (
        pytest.raises(NotRecorded, match=r"no cassette .*a\.yaml: record it again"),
        cassette(file),
    ):
        pass


def test_once_records_only_where_there_is_no_file(file: Path) -> None:
    """A new test records itself; after that it needs no server."""
    with LoopbackServer(answer) as server, requests.Session() as session:
        with cassette(file, record="once") as tape:
            asked(session, server.origin, "/a")
        assert tape.recording

    with requests.Session() as session, cassette(file, record="once") as tape:
        assert asked(session, server.origin, "/a") == ["/a"]
        assert not tape.recording


def test_recording_anew_keeps_nothing_of_the_old(file: Path) -> None:
    """Requests that are made no more leave the file."""
    recorded(file, "/a", "/b")
    origin = recorded(file, "/c")

    with cassette(file) as tape:
        assert tape.left == (f"GET {origin}/c",)


def test_a_run_that_fails_writes_nothing(file: Path) -> None:
    """A cassette that works is not replaced by half of one."""
    recorded(file, "/a")
    before = file.read_text()

    def fail() -> None:
        with (
            LoopbackServer(answer) as server,
            requests.Session() as session,
            cassette(file, record="all"),
        ):
            asked(session, server.origin, "/b")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert file.read_text() == before


def test_an_unknown_mode_is_refused(file: Path) -> None:
    """A spelling mistake does not overwrite a cassette."""
    mode: Any = "new"
    with pytest.raises(ConfigError, match="'none', 'once' or 'all'"), cassette(file, record=mode):
        pass


def test_whoever_has_no_credentials_can_play_back(file: Path) -> None:
    """A contributor runs the tests of a project without its secrets."""
    identity = IdentityProvider()

    def run(origin: str, secret: str) -> str | bytes:
        grant = ClientCredentials(f"{origin}/token", "app", client_secret=secret)
        with requests.Session() as session:
            stack = SessionStack(session, recommended(grant), base_url=origin)
            return stack.get("/a").request.headers["Authorization"]

    with LoopbackServer(identity.respond) as server, cassette(file, record="all", secrets=[SECRET]):
        assert run(server.origin, SECRET) == "Bearer access-1"

    with cassette(file):
        assert run(server.origin, "any-other") == "Bearer secret-2"
    assert find_secrets(file, [SECRET, "access-1", "refresh-1"]) == []


def test_an_error_is_played_back_with_what_it_says(file: Path) -> None:
    """An answer from a recording is read as one from a server is."""

    def run(origin: str) -> NotFound:
        with requests.Session() as session, pytest.raises(NotFound) as caught:
            SessionStack(session, recommended(), base_url=origin).get("/a")
        return caught.value

    with (
        LoopbackServer(lambda _: ServerResponse(404, {"detail": "not here"})) as server,
        cassette(file, record="all"),
    ):
        first = run(server.origin)
    with cassette(file):
        second = run(server.origin)

    assert first.message == second.message
    assert "not here" in str(second)


def test_vcrpy_plays_the_files_back_by_itself(file: Path) -> None:
    """The files are no format of our own, and a stack copes with plain vcrpy."""
    identity = IdentityProvider()

    def run(origin: str) -> int:
        grant = ClientCredentials(f"{origin}/token", "app", client_secret=SECRET)
        with requests.Session() as session:
            stack = SessionStack(session, recommended(grant), base_url=origin)
            return stack.get("/a").status_code

    with LoopbackServer(identity.respond) as server, cassette(file, record="all"):
        assert run(server.origin) == 200

    with vcr.use_cassette(str(file), record_mode="none"):
        assert run(server.origin) == 200


def test_vcrpy_logs_nothing_of_what_it_records(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It would log whole answers at INFO, tokens included, and pytest would show them."""
    level = logging.getLogger("vcr").level
    caplog.set_level(logging.DEBUG)
    with (
        LoopbackServer(IdentityProvider().respond) as server,
        requests.Session() as session,
        cassette(file, record="all"),
    ):
        grant = ClientCredentials(f"{server.origin}/token", "app", client_secret=SECRET)
        SessionStack(session, recommended(grant), base_url=server.origin).get("/a")

    assert SECRET not in caplog.text
    assert "access-1" not in caplog.text
    assert logging.getLogger("vcr").level == level


URL = "https://api.example/"
CASSETTE = """\
# {comment}
interactions:
- request:
    body: null
    headers: {{Authorization: [Bearer secret-1], X-Api-Key: [{key}]}}
    method: GET
    uri: {uri}
  response:
    body:
      string: !!binary {binary}
    headers: {{}}
    status: {{code: 200, message: OK}}
version: 1
"""


def leaking(file: Path, **places: str) -> list[str]:
    """What is found in a cassette with something in one of its places; files' names left out."""
    clean = {"comment": "a", "key": "secret-2", "uri": URL, "binary": "YQ=="}
    file.parent.mkdir()
    file.write_text(CASSETTE.format(**clean | places))
    return [found.removeprefix(f"{file}: ") for found in find_secrets(file.parent, [SECRET])]


@pytest.mark.parametrize(
    ("places", "found"),
    [
        ({}, []),
        ({"comment": SECRET}, ["one of the secrets"]),
        ({"key": "abcdef"}, ["request 1: the value of X-Api-Key"]),
        ({"uri": f"{URL}?sig=abc"}, ["request 1: the value of sig"]),
        ({"uri": f"{URL}{SECRET}"}, ["one of the secrets", "request 1: one of the secrets"]),
        ({"uri": f'"{URL}planted-\\\n      client-secret"'}, ["request 1: one of the secrets"]),
        (
            {"binary": "|\n        /3BsYW50ZWQtY2xp\n        ZW50LXNlY3JldA=="},
            ["response 1: one of the secrets"],
        ),
    ],
)
def test_a_leak_is_told_by_its_place(file: Path, places: dict[str, str], found: list[str]) -> None:
    """A check in an SDK's tests says where to look, and prints no secret itself."""
    assert leaking(file, **places) == found


def test_nothing_to_look_at_is_no_proof(tmp_path: Path) -> None:
    """A misspelt folder does not make the check of the secrets pass for ever."""
    with pytest.raises(ConfigError, match="no cassette"):
        find_secrets(tmp_path)
    with pytest.raises(ConfigError, match="no cassette"):
        find_secrets(tmp_path / "none.yaml")
