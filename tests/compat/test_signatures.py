"""requests-aws4auth under a stack: what arrives is what was signed, a replay included."""

from __future__ import annotations

import hashlib
import hmac
import io
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from requests_aws4auth import AWS4Auth

from sessionkit import SessionStack, recommended
from sessionkit.auth import AuthHandler, CallableGrant, Header, Query, StaticToken
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse

pytestmark = pytest.mark.package("requests-aws4auth", "authentication")

SECRET = "aws-secret"
_GIVEN = re.compile(r"Credential=\w+/([^,]+), SignedHeaders=([^,]+), Signature=(\w+)")


def is_signed(seen: ServerRequest) -> bool:
    """Verify Signature Version 4 as its specification computes it, from the request alone."""
    given = _GIVEN.search(seen.headers.get("authorization", ""))
    if given is None:
        return False
    scope, names, signature = given.groups()
    query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, values in sorted(seen.query.items())
        for value in sorted(values)
    )
    headers = "".join(f"{name}:{seen.headers.get(name, '')}\n" for name in names.split(";"))
    body = hashlib.sha256(seen.body).hexdigest()
    path = quote(seen.path, safe="/~")  # a second time, as all services but S3 want it
    canonical = f"{seen.method}\n{path}\n{query}\n{headers}\n{names}\n{body}"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{seen.headers['x-amz-date']}\n{scope}\n{hashed}"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.new(key, text.encode(), "sha256").hexdigest(), signature)


class Aws:
    """A service that verifies each request, wants a key besides, and is busy now and then."""

    def __init__(self) -> None:
        self.key = "k-1"
        self.renewals = 0
        self.busy = 0
        self.forged = 0

    def renewed(self, *_: Any) -> str:
        """Return the key that is right; counted."""
        self.renewals += 1
        return self.key

    def answer(self, seen: ServerRequest) -> ServerResponse:
        """Verify first."""
        if not is_signed(seen):
            self.forged += 1
            return ServerResponse(403, {"detail": "SignatureDoesNotMatch"})
        if self.busy:
            self.busy -= 1
            return ServerResponse(503)
        if seen.path == "/moved":
            return ServerResponse(307, b"", {"Location": "/end"})
        given = seen.headers.get("x-amz-key") or seen.query.get("key", [""])[0]
        if given != self.key:
            return ServerResponse(401)
        return ServerResponse(200, {"body": seen.body.decode()})


@pytest.fixture
def aws() -> Iterator[tuple[Aws, LoopbackServer, requests.Session]]:
    """Start it, with a session that signs."""
    service = Aws()
    with LoopbackServer(service.answer) as server, requests.Session() as session:
        session.auth = AWS4Auth("access", SECRET, "eu-west-1", "es")
        yield service, server, session


#: The first is among the headers that are signed; the second is in the query, which is signed too.
SCHEMES = [Header("X-Amz-Key"), Query("key")]


def calls(stack: Any) -> list[str]:
    """Make calls of all sorts; return the bodies as they arrived."""
    return [
        stack.get("/x y", params={"q": "ä b", "a": ["2", "1"]}).json()["body"],
        stack.post("/x", data={"a": "b c"}).json()["body"],
        stack.put("/x", data=io.BytesIO(b"file")).json()["body"],
        stack.post("/x?z=1", json=[1]).json()["body"],
        stack.get("/x", stream=True).json()["body"],
    ]


ARRIVED = ["", "a=b+c", "file", "[1]", ""]


@pytest.mark.parametrize("scheme", SCHEMES, ids=repr)
def test_a_signature_covers_a_key_that_is_placed_beside_it(
    aws: tuple[Aws, LoopbackServer, requests.Session], scheme: Any
) -> None:
    """The key is on the request before it is signed, and the renewed one is signed anew."""
    service, server, session = aws
    chain = recommended(CallableGrant(service.renewed), scheme=scheme)
    stack = SessionStack(session, chain, base_url=server.origin)
    assert calls(stack) == ARRIVED
    service.key = "k-2"

    assert calls(stack) == ARRIVED
    assert (service.renewals, service.forged) == (2, 0)


@pytest.mark.parametrize("scheme", SCHEMES, ids=repr)
def test_a_retried_request_is_signed_again(
    aws: tuple[Aws, LoopbackServer, requests.Session], scheme: Any
) -> None:
    """Each attempt has its own date, which is under the signature."""
    service, server, session = aws
    chain = recommended(CallableGrant(service.renewed), scheme=scheme)
    stack: Any = SessionStack(session, chain, base_url=server.origin, clock=FakeClock())
    service.busy = 2
    response = stack.put("/x", data=io.BytesIO(b"file"))

    assert response.json() == {"body": "file"}
    assert [attempt.status for attempt in response.record.attempts] == [503, 503, 200]
    assert service.forged == 0


def test_a_signer_given_on_the_call_signs_and_the_token_steps_aside(
    aws: tuple[Aws, LoopbackServer, requests.Session],
) -> None:
    """``auth=`` wins over a handler for the same header, by every way in."""
    service, server, session = aws
    signer, session.auth = session.auth, None
    keyed = AuthHandler(CallableGrant(service.renewed), scheme=Header("X-Amz-Key"))
    bearer = AuthHandler(StaticToken("never sent"))
    chain = {"bearer": bearer, "keyed": keyed}
    stack = SessionStack(session, chain, base_url=server.origin)

    assert stack.post("/x", data=b"body", auth=signer).json() == {"body": "body"}
    with stack.get("/x", stream=True, auth=signer) as streamed:
        assert streamed.ok
    assert "never sent" not in repr(server.requests)


def test_a_prepared_request_keeps_its_signature_when_a_header_is_added(
    aws: tuple[Aws, LoopbackServer, requests.Session],
) -> None:
    """What was signed before the stack saw it is sent as it was; the key rides beside."""
    service, server, session = aws
    chain = recommended(CallableGrant(service.renewed), scheme=Header("X-Amz-Key"))
    stack = SessionStack(session, chain, base_url=server.origin)
    for key in ("k-1", "k-2"):
        service.key = key
        request = requests.Request("POST", f"{server.origin}/x", params={"q": "1"}, data=b"body")
        assert stack.send(stack.prepare_request(request)).json() == {"body": "body"}

    assert (service.renewals, service.forged) == (2, 0)


def test_a_redirect_is_followed_as_the_session_alone_would(
    aws: tuple[Aws, LoopbackServer, requests.Session],
) -> None:
    """A signature is for one path, so the hop is refused; under the stack just as bare."""
    service, server, session = aws
    chain = recommended(CallableGrant(service.renewed), scheme=Header("X-Amz-Key"), errors=False)
    stack = SessionStack(session, chain, base_url=server.origin)
    outcomes = [
        (response.status_code, [past.status_code for past in response.history])
        for response in (session.get(f"{server.origin}/moved"), stack.get("/moved"))
    ]

    assert outcomes == [(403, [307])] * 2
    assert service.renewals == 1
