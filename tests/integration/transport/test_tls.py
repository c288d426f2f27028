"""Certificates: who is trusted, who shows one, and what happens where that does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import RefreshToken, StaticToken
from sessionkit.errors import ConnectFailed, TlsFailed
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.compared_sessions import TOKEN, told_the_same
from tests.support.tls import THEIRS, authority_file, client_files, server_context

INSECURE = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


@pytest.fixture(autouse=True)
def _nothing_from_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the bundles that the machine trusts out of it."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)


@pytest.fixture
def ours(tmp_path: Path) -> str:
    """Write the certificate of the authority that the servers have theirs from."""
    return authority_file(tmp_path)


@pytest.fixture
def both(tmp_path: Path) -> tuple[str, str]:
    """Write that one, and one that no server has its certificate from."""
    return authority_file(tmp_path), authority_file(tmp_path, THEIRS)


def answer(seen: ServerRequest) -> ServerResponse:
    """Redirect to ``?to=``, or answer."""
    if "to" in seen.query:
        return ServerResponse(302, b"", {"Location": seen.query["to"][0]})
    return ServerResponse(200, {"path": seen.path})


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """Start a server of https."""
    with LoopbackServer(answer, tls=server_context()) as started:
        yield started


@pytest.fixture
def wary() -> Iterator[LoopbackServer]:
    """Start a server that wants to see a certificate of its clients."""
    with LoopbackServer(answer, tls=server_context(clients=True)) as started:
        yield started


def prepared(session: Any, url: str, **options: Any) -> requests.Response:
    """Send by ``send``."""
    answer: requests.Response = session.send(
        session.prepare_request(requests.Request("GET", url)), **options
    )
    return answer


def get(session: Any, url: str, **options: Any) -> requests.Response:
    """Send by ``get``."""
    answer: requests.Response = session.get(url, **options)
    return answer


BOTH = pytest.mark.parametrize("way", [get, prepared])


@BOTH
def test_an_authority_of_ones_own_is_trusted_where_it_is_named(
    way: Any, server: LoopbackServer, ours: str
) -> None:
    """On the call or on the session, and at the next hop as well."""

    def on_session(session: Any) -> requests.Response:
        session.verify = ours
        answer: requests.Response = way(session, f"{server.origin}/a?to={server.origin}/b")
        return answer

    assert told_the_same(lambda s: way(s, server.origin, verify=ours), server).status == 200
    assert told_the_same(on_session, server).status == 200


@BOTH
def test_a_client_shows_its_certificate_to_the_server_and_at_the_next_hop(
    way: Any, server: LoopbackServer, wary: LoopbackServer, ours: str, tmp_path: Path
) -> None:
    """Mutual TLS is the session's business, and goes on being that."""
    client = client_files(tmp_path)

    def on_session(session: Any) -> requests.Response:
        session.verify, session.cert = ours, client
        answer: requests.Response = way(session, f"{server.origin}/a?to={wary.origin}/b")
        return answer

    def on_call(session: Any) -> requests.Response:
        url = f"{server.origin}/a?to={wary.origin}/b"
        answer: requests.Response = way(session, url, verify=ours, cert=client)
        return answer

    for call in (on_session, on_call):
        bare = told_the_same(call, server, wary)
        assert (bare.status, bare.body) == (200, b'{"path": "/b"}')


@INSECURE
@BOTH
def test_verify_false_on_the_session_is_honoured(way: Any, server: LoopbackServer) -> None:
    """At every hop, with the warning that urllib3 gives; whatever the handlers do."""

    def call(session: Any) -> requests.Response:
        session.verify = False
        answer: requests.Response = way(session, f"{server.origin}/a?to={server.origin}/b")
        return answer

    def overruled(session: Any) -> requests.Response:
        session.verify = False
        answer: requests.Response = way(session, server.origin, verify=True)
        return answer

    assert told_the_same(call, server).status == 200
    # What hvac does: `verify=True` of a call goes over the session's False (row H2).
    assert told_the_same(overruled, server).error == "SSLError"


@INSECURE
@pytest.mark.parametrize(
    ("variable", "setting"),
    [
        *(
            ("REQUESTS_CA_BUNDLE", setting)
            for setting in (None, False, "ours", "call False", "off")
        ),
        *(("CURL_CA_BUNDLE", setting) for setting in (None, False)),
    ],
)
@BOTH
def test_bundles_of_the_environment_hold_as_far_as_they_do_bare(
    way: Any, setting: Any, variable: str, server: LoopbackServer, both: tuple[str, str]
) -> None:
    """In requests they go over the session's ``verify``, False included, but not in ``send``."""
    ours, theirs = both

    def call(session: Any) -> requests.Response:
        options = {}
        if setting == "call False":
            options["verify"] = False
        elif setting == "off":
            session.trust_env, session.verify = False, ours
        elif setting is not None:
            session.verify = ours if setting == "ours" else setting
        answer: requests.Response = way(
            session, f"{server.origin}/a?to={server.origin}/b", **options
        )
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, theirs)
        bare = told_the_same(call, server)
    by_environment = way is get and setting in (False, "ours")
    assert bool(bare.error) is (by_environment or setting is None)


def test_a_bundle_of_the_environment_is_trusted_at_every_hop(
    server: LoopbackServer, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a company's machines are set up with works."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ours)

    url = f"{server.origin}/a?to={server.origin}/b"
    assert told_the_same(lambda s: s.get(url), server).status == 200


def test_token_requests_trust_and_show_what_the_session_does(ours: str, tmp_path: Path) -> None:
    """An identity server inside the same company is reached by the same certificates."""
    identity = IdentityProvider()
    with (
        LoopbackServer(identity.respond, tls=server_context(clients=True)) as server,
        requests.Session() as session,
    ):
        session.verify, session.cert = ours, client_files(tmp_path)
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, recommended(grant), base_url=server.origin)

        assert stack.get("/x").ok
        identity.expire()
        assert stack.get("/x").ok
    assert identity.renewals == 2


FAULTS: dict[str, dict[str, Any]] = {
    "authority unknown": {},
    "expired": {"expired": True},
    "wrong host": {"hosts": ["api.example"]},
    "no client certificate": {"clients": True},
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("hop", [False, True], ids=["first", "hop"])
def test_a_certificate_that_does_not_fit_fails_as_it_does_bare(
    fault: str, hop: bool, tmp_path: Path
) -> None:
    """The very class of requests, once; with errors, ours, which says whether anything went out."""
    settings = dict(FAULTS[fault])
    context = server_context(*settings.pop("hosts", ()), **settings)
    trusted = authority_file(tmp_path, THEIRS if fault == "authority unknown" else "ours")
    with LoopbackServer(answer, tls=context) as odd, LoopbackServer(answer) as plain:
        url = f"{plain.origin}/a?to={odd.origin}/b" if hop else f"{odd.origin}/b"

        bare = told_the_same(lambda s: s.get(url, verify=trusted), odd, plain)
        assert (bare.error, odd.requests) == ("SSLError", [])
        assert bare.connections == (2 if hop else 1)

        origins = [odd.origin, plain.origin]
        stack = SessionStack(None, recommended(StaticToken(TOKEN), origins=origins))
        with stack, pytest.raises(TlsFailed) as caught:
            stack.post(url, data=b"x", verify=trusted)
    error = caught.value
    assert isinstance(error, requests.exceptions.SSLError)
    assert not error.retryable
    assert error.sent == ("yes" if hop else "no")
    assert TOKEN not in repr(vars(error))


@pytest.mark.parametrize("option", ["verify", "cert"])
def test_a_file_that_is_not_there_is_named_as_it_is_bare(
    option: str, server: LoopbackServer
) -> None:
    """An OSError, which is no failure of the network, and not tried again."""
    wrong: dict[str, Any] = {option: "/no-such-file.pem"}
    with requests.Session() as session, pytest.raises(OSError, match="no-such-file") as bare:
        session.get(server.origin, **wrong)
    stack = SessionStack(None, recommended(errors=False))
    with stack, pytest.raises(OSError, match="no-such-file") as stacked:
        stack.get(server.origin, **wrong)

    assert type(stacked.value) is type(bare.value)
    assert not isinstance(stacked.value, ConnectFailed)
    assert server.connections == 0
