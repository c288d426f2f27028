"""Proxies: the same ones as bare, at every hop; and their logins in no error and at no server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import RefreshToken, StaticToken
from sessionkit.errors import ProxyFailed, SessionKitError
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.compared_sessions import TOKEN, told_the_same
from tests.support.servers.proxy import Proxy
from tests.support.tls import authority_file, server_context

LOGIN = "desk:planted-proxy-word"
SECRETS = ("planted-proxy-word", "ZGVzazpwbGFudGVkLXByb3h5LXdvcmQ=")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Start a proxy that insists on a login."""
    with Proxy(LOGIN) as started:
        yield started


def answer(seen: ServerRequest) -> ServerResponse:
    """Redirect to ``?to=``, or tell what came that was meant for the proxy."""
    if "to" in seen.query:
        return ServerResponse(302, b"", {"Location": seen.query["to"][0]})
    return ServerResponse(200, {"for the proxy": seen.headers.get("proxy-authorization")})


class Site:
    """A plain and a TLS server behind one proxy, and calls over them."""

    def __init__(
        self, proxy: Proxy, plain: LoopbackServer, secure: LoopbackServer, bundle: str
    ) -> None:
        self.proxy, self.plain, self.secure, self.bundle = proxy, plain, secure, bundle
        self.places = {
            "plain": f"{plain.origin}/x",
            "secure": f"{secure.origin}/x",
            "named": f"http://localhost:{plain.port}/x",
        }

    def told(self, call: Any) -> tuple[Any, list[tuple[str, str]]]:
        """Make *call* bare and stacked; return what bare told, and what the proxy was asked."""
        asked: list[list[tuple[str, str]]] = []

        def watched(session: Any) -> requests.Response:
            self.proxy.passed.clear()
            session.verify = self.bundle
            try:
                response: requests.Response = call(session)
                return response
            finally:
                asked.append([(p.method, p.target) for p in self.proxy.passed])

        bare = told_the_same(watched, self.plain, self.secure)
        assert all(one == asked[0] for one in asked), asked
        return bare, asked[0]


@contextmanager
def a_site(proxy: Proxy, folder: Path) -> Iterator[Site]:
    """Start the two servers."""
    with LoopbackServer(answer) as plain, LoopbackServer(answer, tls=server_context()) as secure:
        yield Site(proxy, plain, secure, authority_file(folder))


@pytest.fixture
def site(proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Start the two servers, with nothing of the machine's own settings."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with a_site(proxy, tmp_path) as started:
        yield started


def prepared(session: Any, url: str, **options: Any) -> requests.Response:
    """Send by ``send``."""
    request = session.prepare_request(requests.Request("GET", url))
    response: requests.Response = session.send(request, **options)
    return response


def get(session: Any, url: str, **options: Any) -> requests.Response:
    """Send by ``get``."""
    response: requests.Response = session.get(url, **options)
    return response


BOTH = pytest.mark.parametrize("way", [get, prepared])


def on_call(way: Any, url: str, proxies: dict[str, str], _: Any) -> Any:
    """Give the proxies on the call."""
    return lambda session: way(session, url, proxies=proxies)


def on_session(way: Any, url: str, proxies: dict[str, str], _: Any) -> Any:
    """Give the proxies on the session."""

    def call(session: Any) -> requests.Response:
        session.proxies.update(proxies)
        response: requests.Response = way(session, url)
        return response

    return call


def in_environment(way: Any, url: str, proxies: dict[str, str], patch: Any) -> Any:
    """Give the proxies in the environment."""
    for name, value in proxies.items():
        patch.setenv(name if name.startswith("no") else f"{name}_proxy", value)
    return lambda session: way(session, url)


HOPS = [("plain", "named"), ("secure", "plain"), ("named", "secure")]
SETTINGS = {
    "both": ("http", "https"),
    "http alone": ("http",),
    "all": ("all",),
    "not by name": ("http", "https", "no_proxy"),
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("place", [on_call, on_session, in_environment])
@BOTH
def test_each_hop_goes_by_the_proxy_that_it_goes_by_bare(
    way: Any, place: Any, setting: str, site: Site
) -> None:
    """Plain or tunnelled, or past it; and no server sees the login of the proxy."""
    values = {"no_proxy": "localhost"}
    proxies = {name: values.get(name, site.proxy.url) for name in SETTINGS[setting]}
    for start, end in HOPS:
        url = f"{site.places[start]}?to={site.places[end]}"
        with pytest.MonkeyPatch.context() as patch:
            bare, asked = site.told(place(way, url, proxies, patch))

        assert (bare.status, len(bare.history)) == (200, 1)
        if setting == "both":
            tunnels = [method == "CONNECT" for method, _ in asked]
            assert tunnels == [start == "secure", end == "secure"]
        assert not any(secret in repr(site.secure.requests) for secret in SECRETS)


@BOTH
def test_no_hop_shows_the_login_of_the_proxy_to_a_server(
    way: Any, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where ``no_proxy`` lets a hop past the proxy, what was meant for the proxy stays behind."""
    monkeypatch.setenv("http_proxy", site.proxy.url)
    monkeypatch.setenv("no_proxy", "localhost")
    url = f"{site.places['plain']}?to={site.places['named']}"
    origins = [site.plain.origin, site.places["named"]]
    with SessionStack(None, recommended(StaticToken(TOKEN), origins=origins)) as stack:
        response = way(stack, url)

    assert response.history
    assert response.json() == {"for the proxy": None}


@BOTH
def test_the_environment_is_not_asked_where_it_is_not_trusted(
    way: Any, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``trust_env=False`` holds for each hop."""
    monkeypatch.setenv("http_proxy", site.proxy.url)
    monkeypatch.setenv("https_proxy", site.proxy.url)

    def call(session: Any) -> requests.Response:
        session.trust_env = False
        url = f"{site.places['plain']}?to={site.places['secure']}"
        response: requests.Response = way(session, url)
        return response

    bare, asked = site.told(call)
    assert (bare.status, asked) == (200, [])


@BOTH
def test_an_environment_that_adds_a_proxy_for_the_next_scheme_is_heard(
    way: Any, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call names a proxy for http, the environment one for https."""
    monkeypatch.setenv("https_proxy", site.proxy.url)
    url = f"{site.places['plain']}?to={site.places['secure']}"

    _, asked = site.told(lambda s: way(s, url, proxies={"http": site.proxy.url}))
    assert [method for method, _ in asked] == ["GET", "CONNECT"]


def test_token_requests_go_by_the_proxy_too(proxy: Proxy) -> None:
    """Where nothing leaves the house but by the proxy, logging in does not either."""
    identity = IdentityProvider()
    with LoopbackServer(identity.respond) as server, requests.Session() as session:
        session.proxies = {"http": proxy.url}
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, recommended(grant), base_url=server.origin)
        assert stack.get("/x").ok
        identity.expire()
        assert stack.get("/x").ok

        paths = [target.removeprefix(server.origin) for target in proxy.targets]
        assert paths == ["/token", "/x", "/x", "/token", "/x"]
        assert "proxy-authorization" not in repr(server.requests)


def test_a_proxy_that_does_not_know_us_is_told_as_it_is_bare(site: Site) -> None:
    """For plain requests its 407 is an answer; for a tunnel it is a failed proxy."""
    stranger = {"http": f"http://{site.proxy.address}", "https": f"http://{site.proxy.address}"}

    plain, _ = site.told(lambda s: s.get(site.places["plain"], proxies=stranger))
    assert plain.status == 407
    tunnel, asked = site.told(lambda s: s.get(site.places["secure"], proxies=stranger))
    assert (tunnel.error, len(asked)) == ("ProxyError", 1)


@pytest.mark.parametrize("end", ["plain", "secure"])
@pytest.mark.parametrize("word", ["planted-proxy-word", "other-planted-proxy-word"])
def test_no_error_shows_the_login_of_a_proxy(word: str, end: str, site: Site) -> None:
    """Not where the proxy refuses it, and not where the proxy is gone."""
    gone = "127.0.0.1:9"
    for address in (site.proxy.address, gone):
        proxies = dict.fromkeys(("http", "https"), f"http://desk:{word}@{address}")
        with SessionStack(None, recommended(StaticToken(TOKEN), origins=["http://x"])) as stack:
            if word in LOGIN and address != gone:
                assert stack.get(site.places[end], proxies=proxies, verify=site.bundle).ok
                continue
            with pytest.raises(SessionKitError) as caught:
                stack.get(site.places[end], proxies=proxies, verify=site.bundle, retries=0)
        assert isinstance(caught.value, ProxyFailed) or caught.value.status == 407
        shown = f"{caught.value!r} {caught.value} {vars(caught.value)} {caught.value.__cause__!r}"
        request = getattr(caught.value, "request", None)
        shown += repr(vars(request)) if request is not None else ""
        assert word not in shown
