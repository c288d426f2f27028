"""What the stack does over a niquests session. Run in an environment of its own.

niquests brings its own urllib3 in place of the usual one, so it cannot share an environment with
the other tests. Run as ``python -m tests.compat.niquests_leg [REPORT]``; prints what holds, and
fails otherwise. REPORT is written in JUnit's form, for ``tests.compat.table``.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path

import niquests
import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import Header, RefreshToken, StaticToken
from sessionkit.errors import ConnectFailed, NotFound, SessionKitError
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)


class Api(IdentityProvider):
    """An API with a page that is missing."""

    def respond(self, request: ServerRequest) -> ServerResponse:
        """Answer; 404 under /missing."""
        return (
            ServerResponse(404, {"detail": "not here"})
            if request.path == "/missing"
            else super().respond(request)
        )


#: What was found to hold.
HELD: list[str] = []


def settings(session: niquests.Session) -> dict[str, str]:
    """Return a session's settings in a form that compares."""
    return {name: repr(getattr(session, name)) for name in niquests.Session.__attrs__}


def check(*, that: bool, what: str) -> None:
    """Print *what* holds, or end."""
    if not that:
        sys.exit(f"niquests: FAILED: {what}")
    HELD.append(what)
    print(f"niquests: {what}")


def report(path: str) -> None:
    """Write what holds as a report of tests."""
    suite = ET.Element("testsuite", name="niquests")
    for what in HELD:
        case = ET.SubElement(suite, "testcase", classname="niquests_leg", name=what)
        about = f"niquests|{version('niquests')}|session|{Path(__file__).name}"
        ET.SubElement(ET.SubElement(case, "properties"), "property", name="package", value=about)
    ET.ElementTree(suite).write(path)


def main() -> None:
    """Check every way in, renewal, errors, and that the session is left as it was."""
    api = Api()
    with LoopbackServer(api.respond) as server, niquests.Session() as session:
        before = settings(session)
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, recommended(grant), base_url=f"{server.origin}/")
        check(that=isinstance(stack, requests.Session), what="the stack is a requests.Session")
        check(that=stack.get("first").json()["path"] == "/first", what="get works")
        api.expire()
        check(that=stack.post("order", data=b"body").json()["size"] == 4, what="a POST is replayed")
        check(that=api.renewals == 2, what="one login, one renewal")
        prepared = stack.prepare_request(niquests.Request("GET", f"{server.origin}/prepared"))
        check(that=stack.send(prepared).ok, what="a prepared request is sent")
        with stack.get("stream", stream=True) as streamed:
            check(that=b"".join(streamed.iter_content(16)) != b"", what="a stream is read")
        check(that=raised(stack, "missing") is NotFound, what="a 404 is NotFound")
        gone = raised(stack, "http://127.0.0.1:9/x")
        check(that=gone is ConnectFailed, what="a refused connection is ConnectFailed")
        key = SessionStack(
            session, recommended(StaticToken("k"), scheme=Header("X-Key")), base_url=server.origin
        )
        check(that=raised(key, "/x") is not None, what="a key travels in a header")
        check(that=server.requests[-1].headers["x-key"] == "k", what="and arrives")
        check(that=settings(session) == before, what="its settings are what they were")
    for path in sys.argv[1:]:
        report(path)


def raised(stack: SessionStack, url: str) -> type[SessionKitError] | None:
    """Return the class of the error that a call ends with."""
    try:
        stack.get(url)
    except SessionKitError as error:
        return type(error)
    return None


if __name__ == "__main__":
    main()
