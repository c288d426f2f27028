"""Where an exception was raised."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from sessionkit.errors._traceback import (
    missing_ca_file,
    raised_while_connecting,
    raised_while_redirecting,
    redirect_of,
    rejected_by_stdlib,
)
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse


def raised(action: Callable[[], object]) -> Exception:
    """Return what *action* raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # whatever it is
        action()
    return caught.value


def moved(to: str) -> Callable[[ServerRequest], ServerResponse]:
    """Return a server that moved /a to *to*."""
    return lambda seen: ServerResponse(307 if seen.path == "/a" else 200, b"", {"Location": to})


def failing(_: Any, **__: object) -> None:
    """Be a hook that fails."""
    raise ValueError("of the hook")


def test_a_redirect_is_found_where_requests_followed_it() -> None:
    """What failed is the second request; the first one was answered."""
    with LoopbackServer(moved("nowhere:x")) as server, requests.Session() as session:
        error = raised(lambda: session.get(f"{server.origin}/a"))

    assert redirect_of(error).status_code == 307
    assert raised_while_redirecting(error)


def test_a_first_request_that_fails_followed_no_redirect() -> None:
    """A caller's own wrong URL is the caller's."""
    error = raised(lambda: requests.get("nowhere:x", timeout=5))

    assert redirect_of(error) is None
    assert not raised_while_redirecting(error)


def test_a_function_of_that_name_elsewhere_follows_no_redirect() -> None:
    """Only requests' own is known to have an answer in its hands."""

    def resolve_redirects(resp: object) -> None:
        raise ValueError(resp)

    assert redirect_of(raised(lambda: resolve_redirects("x"))) is None


def test_a_hook_that_fails_for_the_second_request_is_not_of_redirecting() -> None:
    """It was called while a redirect was followed, and is the program's own."""
    with LoopbackServer(moved("/b")) as server, requests.Session() as session:

        def at_the_second(response: requests.Response, **_: object) -> None:
            if response.content is not None and response.url.endswith("/b"):
                failing(response)

        hooks = {"response": at_the_second}
        error = raised(lambda: session.get(f"{server.origin}/a", hooks=hooks))

    assert redirect_of(error) is not None
    assert not raised_while_redirecting(error)


def test_a_socket_that_cannot_be_connected_is_told_from_one_that_broke() -> None:
    """By the function that was left; an error that was never raised, or is none, tells nothing."""

    class Connection:
        def connect(self) -> None:
            with socket.socket(socket.AF_UNIX) as plain:
                plain.connect("/no/such.sock")

        def send(self) -> None:
            raise ConnectionResetError

    assert raised_while_connecting(raised(Connection().connect))
    assert not raised_while_connecting(raised(Connection().send))
    assert not raised_while_connecting(FileNotFoundError())
    assert not raised_while_connecting("Connection aborted.")


def test_a_file_of_certificates_that_is_missing_is_told(tmp_path: Path) -> None:
    """requests raises a plain OSError for it, as many others do."""
    request = requests.Request("GET", "https://127.0.0.1:9/").prepare()
    adapter = HTTPAdapter()

    assert missing_ca_file(raised(lambda: adapter.send(request, verify=str(tmp_path / "no.pem"))))
    assert not missing_ca_file(raised((tmp_path / "no.pem").read_text))
    assert not missing_ca_file(OSError())


def test_what_python_refuses_is_told_from_what_a_program_gave_it_itself() -> None:
    """A handler that splits a wrong URL is at fault itself."""
    through = raised(lambda: requests.get("http://[::1/", timeout=5))
    header = raised(lambda: requests.get("http://127.0.0.1:9/", headers={"a b": "c"}, timeout=5))

    assert rejected_by_stdlib(through.__context__ or through)
    assert not rejected_by_stdlib(raised(lambda: urlsplit("http://[::1/")))
    assert not rejected_by_stdlib(header)
    assert not rejected_by_stdlib(ValueError())
