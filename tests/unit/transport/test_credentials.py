"""Secrets go on requests to their own origins, and come off everywhere else."""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import Any

import pytest
import requests
from requests.cookies import RequestsCookieJar, create_cookie

from sessionkit._origins import origin_of
from sessionkit.chain._exchange import Credential
from sessionkit.transport._credentials import CredentialPlacer

BASE_URL = "https://api.example"
OURS = frozenset(["https://api.example:443"])
HEADER = Credential("header", "X-Key", "s3cret", OURS)
QUERY = Credential("query", "key", "s3 cret&", OURS)
COOKIE = Credential("cookie", "sid", "s3cret", OURS)


def placer(*secrets: Credential, steps: Any = ()) -> CredentialPlacer:
    """Return what places these secrets, and runs these steps."""
    return CredentialPlacer(secrets, steps)


def request_to(url: str, **headers: Any) -> requests.PreparedRequest:
    """Return a request as a session has prepared it."""
    return requests.Request("GET", url, headers=headers).prepare()


@pytest.mark.parametrize("secret", [HEADER, QUERY, COOKIE], ids=lambda secret: secret.location)
def test_a_secret_is_placed_on_a_request_to_its_origin(secret: Credential) -> None:
    """The server that the credential was made for gets it, in the place that it wants."""
    request = request_to(BASE_URL + "/x?a=1")

    placer(secret).on_first_request(request)

    found = {
        "header": request.headers.get("X-Key") == "s3cret",
        "query": request.url == BASE_URL + "/x?a=1&key=s3+cret%26",
        "cookie": request.headers.get("Cookie") == "sid=s3cret",
    }
    assert found == {location: location == secret.location for location in found}


@pytest.mark.parametrize("secret", [HEADER, QUERY, COOKIE], ids=lambda secret: secret.location)
@pytest.mark.parametrize(
    "url", ["http://api.example/x", BASE_URL + ":444/x", "https://other.example/x", "not a url"]
)
def test_a_secret_is_not_placed_anywhere_else(secret: Credential, url: str) -> None:
    """Another scheme, port or host is another server."""
    request = request_to(BASE_URL)
    request.url = url
    headers = dict(request.headers)

    placer(secret).on_first_request(request)

    assert (request.url, dict(request.headers)) == (url, headers)


@pytest.mark.parametrize("secret", [HEADER, QUERY, COOKIE], ids=lambda secret: secret.location)
def test_a_secret_comes_off_at_the_border_and_is_back_at_home(secret: Credential) -> None:
    """A redirect through a foreign host carries nothing there, and still arrives logged in."""
    placing = placer(secret)
    placing.on_first_request(request_to(BASE_URL))
    there = request_to("https://other.example/?key=s3+cret%26", Cookie="sid=s3cret")
    there.headers["X-Key"] = "s3cret"
    back = request_to(BASE_URL + "/?a=1")

    placing.on_redirect(there)
    placing.on_redirect(back)

    shown = f"{there.url} {dict(there.headers)}"
    taken = {"header": "'X-Key'", "query": "key=", "cookie": "Cookie"}[secret.location]
    assert taken not in shown
    assert "cret" in f"{back.url} {dict(back.headers)}"


@pytest.mark.parametrize("secret", [HEADER, COOKIE], ids=lambda secret: secret.location)
def test_a_secret_comes_off_where_a_signer_made_bytes_of_it(secret: Credential) -> None:
    """OAuth 1 by requests-oauthlib writes all headers anew, as bytes; ours are still found."""
    request = request_to(BASE_URL, Cookie="a=1")
    placed = placer(secret)
    placed.on_first_request(request)
    for name, value in list(request.headers.items()):
        request.headers[name] = str(value).encode()
    request.url = "https://other.example/"
    placed.on_redirect(request)

    assert "s3cret" not in repr(request.headers)
    assert request.headers["Cookie"] in {"a=1", b"a=1"}


def test_only_our_own_value_comes_off() -> None:
    """A foreign host that has credentials of its own under the same name keeps them."""
    placing = placer(HEADER, QUERY, COOKIE)
    placing.on_first_request(request_to(BASE_URL))
    there = request_to("https://other.example/?key=theirs", Cookie="sid=theirs")
    there.headers["X-Key"] = "theirs"

    placing.on_redirect(there)

    assert there.url == "https://other.example/?key=theirs"
    assert (there.headers["X-Key"], there.headers["Cookie"]) == ("theirs", "sid=theirs")


@pytest.mark.parametrize("query", ["a&&b", "a=1&", "&a", "sig=%2f%2F&b=+%20", ""])
def test_a_query_that_holds_no_secret_of_ours_is_left_to_the_letter(query: str) -> None:
    """A signed link to somebody else's storage stays valid."""
    placing = placer(QUERY)
    placing.on_first_request(request_to(BASE_URL))
    there = request_to("https://other.example/")
    there.url = f"https://other.example/?{query}"

    placing.on_redirect(there)

    assert there.url == f"https://other.example/?{query}"


def test_a_secret_in_the_query_is_there_once() -> None:
    """A redirect that repeats our query does not double the key."""
    placing = placer(QUERY)
    placing.on_first_request(request_to(BASE_URL))
    again = request_to(BASE_URL + "/y?key=s3+cret%26&a=1")

    placing.on_redirect(again)

    assert again.url == BASE_URL + "/y?a=1&key=s3+cret%26"


def test_a_cookie_takes_the_place_of_one_of_its_name_beside_the_others() -> None:
    """The session's own cookies are sent as they would be."""
    request = request_to(BASE_URL, Cookie="a=1; sid=old; b=2")

    placer(COOKIE).on_first_request(request)

    assert request.headers["Cookie"] == "a=1; b=2; sid=s3cret"


def test_a_foreign_cookie_header_loses_our_cookie_only() -> None:
    """What the jar holds for that host is still sent there."""
    placing = placer(COOKIE)
    placing.on_first_request(request_to(BASE_URL))
    there = request_to("https://other.example/", Cookie="a=1; sid=s3cret; b=2")

    placing.on_redirect(there)

    assert there.headers["Cookie"] == "a=1; b=2"


def test_several_secrets_ride_together() -> None:
    """A gateway's key does not push the bearer token aside."""
    request = request_to(BASE_URL)

    placer(HEADER, Credential("header", "Authorization", "Bearer t", OURS)).on_first_request(
        request
    )

    assert (request.headers["X-Key"], request.headers["Authorization"]) == ("s3cret", "Bearer t")


def test_a_late_step_sees_the_request_as_it_is_sent() -> None:
    """A signature covers the final URL, body and credentials."""
    seen: list[Any] = []

    def sign(request: requests.PreparedRequest) -> None:
        seen.append((request.url, request.headers["X-Key"]))
        request.headers["X-Signature"] = f"of {request.url}"

    request = request_to(BASE_URL + "/x?a=1")
    placer(HEADER, steps=[sign]).on_first_request(request)

    assert seen == [(BASE_URL + "/x?a=1", "s3cret")]
    assert request.headers["X-Signature"] == f"of {BASE_URL}/x?a=1"


def test_a_late_step_runs_again_on_a_hop_at_home_and_its_work_comes_off_elsewhere() -> None:
    """A signature is made anew for each URL of ours, and shown to nobody else."""

    def sign(request: requests.PreparedRequest) -> None:
        request.headers["X-Signature"] = f"of {request.url}"
        request.headers["Accept"] = "*/*"

    placing = placer(steps=[sign])
    first = request_to(BASE_URL + "/x", Accept="*/*")
    placing.on_first_request(first)
    base_url = request_to(BASE_URL + "/y", **dict(first.headers))
    there = request_to("https://other.example/", **dict(first.headers))

    placing.on_redirect(base_url)
    placing.on_redirect(there)

    assert base_url.headers["X-Signature"] == f"of {BASE_URL}/y"
    assert "X-Signature" not in there.headers
    assert there.headers["Accept"] == "*/*"


# -- Beside whatever the session authenticates with


def placed(secret: Credential, url: str = "x", target: str = BASE_URL + "/x", **kwargs: Any) -> Any:
    """Place a secret in the arguments of a request; return its URL and the arguments."""
    return placer(secret).place_others(kwargs, url=url, resolved=target), kwargs


def test_a_header_goes_among_the_headers_of_the_call() -> None:
    """The caller's other headers stay, and the caller's own mapping is not touched."""
    given = {"x-key": "old", "X-Other": "1"}

    url, kwargs = placed(HEADER, headers=given)

    assert (url, kwargs) == ("x", {"headers": {"X-Other": "1", "X-Key": "s3cret"}})
    assert given == {"x-key": "old", "X-Other": "1"}


@pytest.mark.parametrize(
    ("url", "with_key"),
    [
        ("x", "x?key=s3+cret%26"),
        ("x?a=1", "x?a=1&key=s3+cret%26"),
        ("x#part", "x?key=s3+cret%26#part"),
        ("x?a=1#part?", "x?a=1&key=s3+cret%26#part?"),
    ],
)
def test_a_query_parameter_goes_into_the_url(url: str, with_key: str) -> None:
    """It is encoded, and stands before a fragment."""
    assert placed(QUERY, url) == (with_key, {})


@pytest.mark.parametrize("secret", [HEADER, QUERY, COOKIE], ids=lambda secret: secret.location)
def test_nothing_goes_into_the_arguments_of_a_foreign_request(secret: Credential) -> None:
    """A session that resolves a URL to another host gets no key to hand out there."""
    for target in ("https://other.example/", "", "x"):
        assert placed(secret, target=target, timeout=3) == ("x", {"timeout": 3})


@pytest.mark.parametrize(
    "base_url",
    [
        *("https://api.example", "http://api.example:8080", "http://localhost:8000"),
        *("http://127.0.0.1:8000", "http://[::1]:8000"),
    ],
)
def test_a_cookie_is_sent_to_its_host_whatever_the_host_is_called(base_url: str) -> None:
    """A name without a dot, an address and a port are hosts like any other."""
    _, kwargs = placed(
        Credential("cookie", "sid", "s3cret", frozenset((origin_of(base_url),))), base_url, base_url
    )
    with requests.Session() as session:
        request = session.prepare_request(requests.Request("GET", base_url, **kwargs))

    assert request.headers.get("Cookie") == "sid=s3cret"


@pytest.mark.parametrize("make", [dict, RequestsCookieJar, CookieJar])
def test_a_cookie_is_sent_beside_those_of_the_call(make: Any) -> None:
    """Cookies that the caller gave, in any form that requests takes, are sent as well."""
    given = make()
    if isinstance(given, CookieJar):
        given.set_cookie(create_cookie("a", "1"))
    else:
        given["a"] = "1"
    _, kwargs = placed(COOKIE, BASE_URL, BASE_URL, cookies=given)
    with requests.Session() as session:
        request = session.prepare_request(requests.Request("GET", BASE_URL, **kwargs))

    assert set(str(request.headers["Cookie"]).split("; ")) == {"a=1", "sid=s3cret"}


def test_a_cookie_does_not_end_up_in_the_callers_own_jar() -> None:
    """A jar that is used again elsewhere carries no secret of ours."""
    jar = RequestsCookieJar()
    jar.set("a", "1")

    placed(COOKIE, cookies=jar)

    assert dict(jar) == {"a": "1"}
