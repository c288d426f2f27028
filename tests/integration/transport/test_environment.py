"""The environment as requests reads it: logins in ``.netrc``, proxies, and where they end."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.compared_sessions import TOKENLESS, WAYS, told, told_the_same
from tests.support.servers.proxy import Proxy


def answer(seen: ServerRequest) -> ServerResponse:
    """Redirect to ``?to=``, or tell who came."""
    if "to" in seen.query:
        return ServerResponse(302, b"", {"Location": seen.query["to"][0]})
    kind, _, login = seen.headers.get("authorization", "").partition(" ")
    return ServerResponse(200, {"who": base64.b64decode(login).decode() if kind == "Basic" else ""})


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """Start a server, which has two names."""
    with LoopbackServer(answer) as started:
        yield started


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a login for ``localhost``, and none for ``127.0.0.1``."""
    path = tmp_path / "netrc"
    path.write_text("machine localhost login desk password word\n", "utf-8")
    monkeypatch.setenv("NETRC", str(path))


def prepared(session: Any, url: str) -> requests.Response:
    """Send by ``send``."""
    request = session.prepare_request(requests.Request("GET", url))
    response: requests.Response = session.send(request)
    return response


def get(session: Any, url: str) -> requests.Response:
    """Send by ``get``."""
    response: requests.Response = session.get(url)
    return response


BOTH = pytest.mark.parametrize("way", [get, prepared])


# -- .netrc


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize(("start", "end"), [(0, 0), (0, 1), (1, 0), (1, 1)])
@BOTH
def test_netrc_is_asked_at_every_hop_as_it_is_bare(
    way: Any, start: int, end: int, server: LoopbackServer
) -> None:
    """A host that it knows gets its login, and the next host does not."""
    names = [server.origin, f"http://localhost:{server.port}"]
    bare = told_the_same(
        lambda s: way(s, f"{names[start]}/a?to={names[end]}/b"), server, ways=TOKENLESS
    )

    assert bare.body == (b'{"who": "desk:word"}' if end else b'{"who": ""}')


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("setting", ["untrusting", "session.auth", "header"])
@BOTH
def test_netrc_is_left_alone_where_it_is_left_alone_bare(
    way: Any, setting: str, server: LoopbackServer
) -> None:
    """Not trusted, or with another login at hand; a header given by hand is overruled as ever."""

    def call(session: Any) -> requests.Response:
        if setting == "untrusting":
            session.trust_env = False
        elif setting == "header":
            session.headers["Authorization"] = "Own thing"
        else:
            session.auth = ("own", "self")
        response: requests.Response = way(session, f"http://localhost:{server.port}/a")
        return response

    bare = told_the_same(call, server, ways=TOKENLESS)
    expected = {"untrusting": "", "session.auth": "own:self", "header": "desk:word"}
    assert bare.body.decode() == f'{{"who": "{expected[setting]}"}}'


# -- Proxies


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"http_proxy": "one"}, "one"),
        ({"HTTP_PROXY": "one"}, "one"),
        ({"http_proxy": "one", "HTTP_PROXY": "two"}, "one"),
        ({"all_proxy": "one"}, "one"),
        ({"ALL_PROXY": "one", "http_proxy": "two"}, "two"),
        ({"https_proxy": "one"}, ""),
        ({"http_proxy": "one", "no_proxy": "127.0.0.1"}, ""),
        ({"http_proxy": "one", "NO_PROXY": "127.0.0.0/8"}, ""),
        ({"http_proxy": "one", "no_proxy": "*"}, ""),
        ({"http_proxy": "one", "no_proxy": "example,localhost"}, "one"),
        ({"http_proxy": "one", "no_proxy": "127.0.0.1:{port}"}, "one"),
        ({"http_proxy": ""}, ""),
    ],
    ids=str,
)
@BOTH
def test_the_variables_for_proxies_mean_what_they_mean_bare(
    way: Any, variables: dict[str, str], expected: str, server: LoopbackServer
) -> None:
    """In capitals or not, for all schemes or one, with exceptions in every form."""
    with Proxy() as one, Proxy() as two, pytest.MonkeyPatch.context() as patch:
        places = {"one": one.url, "two": two.url}
        for name, value in variables.items():
            patch.setenv(name, places.get(value, value.format(port=server.port)))
        bare = told_the_same(lambda s: way(s, f"{server.origin}/x"), server)

        assert bare.status == 200
        asked = {"one": len(one.passed), "two": len(two.passed)}
    assert asked == {"one": 0, "two": 0} | ({expected: 5} if expected else {})


@pytest.mark.parametrize("entry", ["get", "send"])
def test_the_environment_stands_between_the_call_and_the_session(
    entry: str, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In requests its proxies go over the session's, but for ``send``; the call's go over both."""
    with Proxy() as of_call, Proxy() as of_environment, Proxy() as of_session:
        monkeypatch.setenv("http_proxy", of_environment.url)

        def call(session: Any, **options: Any) -> requests.Response:
            session.proxies["http"] = of_session.url
            url = f"{server.origin}/a?to={server.origin}/b"
            if entry == "get":
                response: requests.Response = session.get(url, **options)
            else:
                request = session.prepare_request(requests.Request("GET", url))
                response = session.send(request, **options)
            return response

        told_the_same(call, server)
        told_the_same(lambda s: call(s, proxies={"http": of_call.url}), server)

        asked = [len(proxy.passed) for proxy in (of_call, of_environment, of_session)]
    assert asked == ([10, 10, 0] if entry == "get" else [10, 0, 10])


def test_a_variable_that_is_set_later_holds_from_then_on(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stack remembers nothing of the environment, as a session does not."""
    for wrap in WAYS.values():
        with Proxy() as proxy, requests.Session() as session:
            stack = wrap(session, [server.origin])
            before = told(lambda s: s.get(server.origin), stack, server)
            with monkeypatch.context() as patch:
                patch.setenv("http_proxy", proxy.url)
                during = told(lambda s: s.get(server.origin), stack, server)
            after = told(lambda s: s.get(server.origin), stack, server)

        assert [before.status, during.status, after.status] == [200, 200, 200]
        assert len(proxy.passed) == 1
