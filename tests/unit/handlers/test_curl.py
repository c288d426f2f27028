"""What was sent can be tried by hand, and shown to others, without a secret in it."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import subprocess
from typing import Any

import pytest
import requests
from hypothesis import given, settings, strategies as st

from sessionkit import SessionStack, recommended
from sessionkit.auth import Cookie, Header, Query, StaticToken
from sessionkit.errors import NotFound
from sessionkit.handlers import as_curl
from sessionkit.handlers._curl import MAX_BODY
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.stacks import opened

SECRET = "planted-4711"
UTF8 = {**os.environ, "LC_ALL": "C.UTF-8"}
needs_bash = pytest.mark.skipif(not shutil.which("bash"), reason="reads the line with bash")
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="sends the line with curl")


def prepared(method: str = "GET", url: str = "http://127.0.0.1/a", **more: Any) -> Any:
    """Return a request as a plain session would send it."""
    with requests.Session() as session:
        return session.prepare_request(requests.Request(method, url, **more))


def body_of(line: str) -> str:
    """Return what a shell makes of the argument for the body."""
    words = shlex.split(line)
    return words[words.index("--data-raw") + 1]


def test_a_plain_get_is_a_plain_line() -> None:
    """The line that most people need has nothing in it that they would not type."""
    line = as_curl(requests.Request("GET", "http://127.0.0.1/a?b=1&c=2").prepare())

    assert line == "curl 'http://127.0.0.1/a?b=1&c=2'"


def test_a_method_and_a_body_are_there() -> None:
    """Quotes in a body survive the shell."""
    line = as_curl(prepared("POST", json={"text": 'it\'s "me"'}))

    assert line.startswith("curl -X POST http://127.0.0.1/a --compressed ")
    assert "-H 'Content-Type: application/json'" in line
    assert body_of(line) == '{"text": "it\'s \\"me\\""}'
    assert "Content-Length" not in line


def test_a_head_request_waits_for_no_body() -> None:
    """``curl -X HEAD`` would hang."""
    assert as_curl(prepared("HEAD")).startswith("curl --head http")
    assert as_curl(prepared("HEAD", data="x")).startswith("curl -X HEAD http")


@pytest.mark.parametrize(
    ("body", "remark"),
    [
        (b"\xff\xfe\0\1", "# body of 4 bytes not shown"),
        ("x" * (MAX_BODY + 1), f"# body of {MAX_BODY + 1} bytes not shown"),
        (io.BytesIO(b"from a file"), "# body of 11 bytes not shown"),
        (iter([b"piece", b"piece"]), "# body not shown"),
    ],
    ids=["binary", "large", "file", "pieces"],
)
def test_a_body_that_is_no_short_text_is_a_file(body: Any, remark: str) -> None:
    """A line stays a line; the file is read when, and if, somebody runs it."""
    line = as_curl(prepared("PUT", data=body))

    assert line.endswith(f" --data-binary @body  {remark}")


def test_a_body_of_the_longest_size_is_still_shown() -> None:
    """The limit is the one that the documentation names."""
    assert body_of(as_curl(prepared("PUT", data="x" * 4_096))) == "x" * 4_096


def test_nothing_is_read_of_a_body() -> None:
    """A look at a request takes nothing away from it."""
    file = io.BytesIO(b"from a file")
    as_curl(prepared("PUT", data=file))

    assert file.tell() == 0


def test_an_upload_of_files_is_not_shown() -> None:
    """Forms with files hold whatever their users put in."""
    line = as_curl(prepared("POST", files={"file": ("a.txt", SECRET)}, data={"password": SECRET}))

    assert SECRET not in line
    assert "--data-binary @body" in line


def test_an_empty_header_stays_a_header() -> None:
    """In curl's language a colon with nothing behind it would remove one."""
    line = as_curl(prepared(headers={"X-Empty": ""}))

    assert "-H 'X-Empty;'" in line


def test_a_body_without_a_type_gets_none_by_curl() -> None:
    """curl calls a body a form unless told otherwise."""
    assert "-H 'Content-Type:'" in as_curl(prepared("POST", data=b"plain"))


def test_a_header_cannot_name_a_file() -> None:
    """Whoever pastes the line reads no file that a stranger chose."""
    assert "@" not in as_curl(prepared(headers={"@etc/passwd": "x"}))


@pytest.mark.parametrize(
    "scheme", [Header("X-Odd"), Header("X-Odd", prefix="Odd"), Query("odd"), Cookie("odd")], ids=str
)
def test_a_credential_under_a_name_of_its_own_is_masked(scheme: Any) -> None:
    """What a handler placed is known by its place, wherever that is."""
    chain = recommended(StaticToken(SECRET), scheme=scheme)
    with opened(lambda seen: ServerResponse(404 if seen.path == "/no" else 200), chain) as (
        stack,
        server,
    ):
        response = stack.get("a", params={"sort": "by-name"})
        with pytest.raises(NotFound) as failed:
            stack.get("no")

    assert SECRET in str(server.requests[0])
    assert SECRET not in as_curl(response)
    assert "***" in as_curl(response)
    assert "sort=by-name" in as_curl(response)
    assert SECRET not in as_curl(failed.value)


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
        {"headers": {"X-Api-Key": SECRET}},
        {"headers": {b"X-Api-Key": SECRET.encode()}},
        {"params": {"access_token": SECRET}},
        {"cookies": {"sid": SECRET}},
        {"auth": ("app", SECRET)},
        {"data": {"client_secret": SECRET}, "method": "POST"},
        {"json": {"password": SECRET}, "method": "POST"},
        {"url": f"http://app:{SECRET}@127.0.0.1/a"},
    ],
    ids=lambda options: next(iter(options)) + str(len(str(options))),
)
def test_what_is_secret_by_its_name_is_masked(options: Any) -> None:
    """A line may be pasted into a ticket."""
    request = prepared(**options)
    line = as_curl(request)

    assert SECRET not in line
    assert (request.headers.get("Authorization") or SECRET) not in line
    assert "***" in line


def test_texts_known_to_be_secret_can_be_given() -> None:
    """What no name tells, its owner can."""
    request = prepared(headers={"X-Odd": SECRET})
    error = NotFound("no", request=request)

    assert SECRET in as_curl(error)
    assert SECRET not in as_curl(request, secrets=[SECRET])
    assert SECRET not in as_curl(error, secrets=[SECRET])


def test_an_exception_of_requests_has_its_request() -> None:
    """What failed by a plain session can be tried by hand too."""
    with (
        requests.Session() as session,
        LoopbackServer(lambda _: b"garbage\r\n\r\n") as server,
        pytest.raises(requests.ConnectionError) as failed,
    ):
        session.get(f"{server.origin}/a")

    assert as_curl(failed.value).startswith(f"curl {server.origin}/a ")


@pytest.mark.parametrize(
    "other", [ValueError("x"), requests.RequestException(), "GET /a", None, requests.Session()]
)
def test_what_holds_no_request_is_refused(other: Any) -> None:
    """A mistake is told as such."""
    with pytest.raises(TypeError, match="holds no request"):
        as_curl(other)


@needs_bash
@settings(max_examples=50)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_a_shell_reads_the_line_as_it_was_meant(text: str) -> None:
    """Whatever stands in a body, the shell sees one word, and a terminal one line."""
    line = as_curl(prepared("POST", data=text.encode(), headers={"X-Note": "a b"}))
    assert line.isprintable()
    argument = line.partition(" --data-raw ")[2]

    run = ["bash", "-c", f"printf %s {argument}"]
    said = subprocess.run(run, env=UTF8, check=True, capture_output=True)

    # Some texts look like credentials.
    assert said.stdout.decode() == text or "***" in argument


@given(st.text(), st.binary(max_size=50), st.dictionaries(st.text(), st.text(), max_size=3))
def test_no_request_makes_it_fail(url: str, body: bytes, headers: dict[str, str]) -> None:
    """It may stand in an ``except`` clause, where a second error would hide the first."""
    request = requests.PreparedRequest()
    request.method, request.url, request.body = "POST", url, body
    request.headers = requests.structures.CaseInsensitiveDict(headers)

    assert as_curl(request).isprintable()
    assert as_curl(requests.PreparedRequest()).startswith("curl")


@needs_curl
@pytest.mark.parametrize(
    "options",
    [
        {"url": "a[1-2]?list[]={1,2}"},
        {"url": "a/b", "params": {"q": "x y&z", "list[]": ["1", "{2}"]}},
        {"url": "a", "headers": {"X-Empty": "", "X-Note": 'say "it\'s"', "Accept": "text/plain"}},
        {"url": "a", "method": "POST", "json": {"text": "it's\n\ttwo lines é"}},
        {"url": "a", "method": "PATCH", "data": {"name": "value", "more": "@file"}},
        {"url": "a", "method": "PUT", "data": b"@not-a-file"},
        {"url": "a", "method": "HEAD"},
        {"url": "a", "method": "DELETE"},
    ],
    ids=lambda options: f"{options.get('method', 'GET')}{len(str(options))}",
)
def test_curl_sends_what_was_sent(options: Any) -> None:
    """The line is no picture of the request: run, it makes the same one."""
    with (
        LoopbackServer(lambda _: ServerResponse(200, {"ok": True})) as server,
        SessionStack() as stack,
    ):
        response = stack.request(
            **{"method": "GET", **options, "url": f"{server.origin}/{options['url']}"}
        )
        run = ["bash", "-c", f"{as_curl(response)} --silent --max-time 10 --noproxy '*'"]
        subprocess.run(run, env=UTF8, check=True, capture_output=True)

    first, second = map(essence, server.requests)
    assert first == second


def essence(seen: ServerRequest) -> tuple[Any, ...]:
    """Return a request without what curl negotiates itself."""
    by_curl = {"accept-encoding", "connection", "host"}
    headers = {k: v for k, v in seen.headers.items() if k not in by_curl}
    if seen.headers.get("content-length") == "0":
        headers.pop("content-length")  # requests says so, curl leaves it out
    return seen.method, seen.path, seen.query, headers, seen.body
