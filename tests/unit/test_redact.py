"""What is a secret, and that its mask stands in its place."""

from __future__ import annotations

import pytest
from requests.structures import CaseInsensitiveDict

from sessionkit._redact import (
    MASK,
    is_secret_name,
    redact_headers,
    redact_url,
    scrub,
    secrets_in_url,
    spellings,
)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "Set-Cookie",
        "X-Api-Key",
        "apikey",
        "key",
        "access_token",
        "accessToken",
        "X-Auth-Token",
        "PRIVATE-TOKEN",
        "auth[token]",
        "client_secret",
        "clientSecret",
        "password",
        "user.passwd",
        "code_verifier",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
        "sig",
        "session_id",
        "device_code",
        "Ocp-Apim-Subscription-Key",
        "X-Auth",
        "csrfmiddlewaretoken",
        "pass",
        "user[pass]",
        "card_pin",
    ],
)
def test_names_of_secrets_are_known_in_any_spelling(name: str) -> None:
    """Headers, query parameters and fields are recognised however a service writes them."""
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "page_token",
        "nextPageToken",
        "continuation-token",
        "max_tokens",
        "token_type",
        "token_endpoint",
        "authorization_endpoint",
        "WWW-Authenticate",
        "Idempotency-Key",
        "sort_key",
        "public_key",
        "author",
        "Accept",
        "code",
        "client_id",
        "username",
        "password_policy",
    ],
)
def test_names_that_only_look_like_secrets_stay_readable(name: str) -> None:
    """A log that masks everything helps nobody."""
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://api.x/a?b=1", "https://api.x/a?b=1"),
        ("https://api.x/a?token=s3&b=1", "https://api.x/a?token=***&b=1"),
        ("https://api.x/a;v=1?b=1;api_key=s3", "https://api.x/a;v=1?b=1;api_key=***"),
        ("https://ann:s3@api.x/a", "https://***@api.x/a"),
        ("https://s3@api.x/a", "https://***@api.x/a"),
        ("//ann:s3@api.x/a", "//***@api.x/a"),
        ("https://ann:pa/s3?@api.x/a", "https://***@api.x/a"),
        ("https://api.x:443/a@b", "https://api.x:443/a@b"),
        ("https://[::1]:8080/a@b", "https://[::1]:8080/a@b"),
        ("https://x/cb#access_token=s3&state=1", "https://x/cb#access_token=***&state=1"),
        ("https://x/?access%5Ftoken=s3", "https://x/?access%5Ftoken=***"),
        ("https://x/?a=%20b", "https://x/?a=%20b"),
        ("/a?sig=s3", "/a?sig=***"),
        ("https://x/?token=", "https://x/?token="),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, clean: str) -> None:
    """Host, path and harmless parameters stay, for whoever looks for the fault."""
    assert redact_url(url) == clean


def test_a_url_inside_a_url_is_looked_into() -> None:
    """A login that is told where to go next may carry a token there."""
    url = "https://x/login?next=https%3A%2F%2Fy%2F%3Faccess_token%3Ds3cr3t"

    assert "s3cr3t" not in redact_url(url)
    assert redact_url(url).startswith("https://x/login?next=")


def test_the_secrets_of_a_url_can_be_listed() -> None:
    """What a server echoes is masked where no name gives it away."""
    found = secrets_in_url("https://ann:passw0rd@x/?api_key=abc%2Fdef&page=2#id_token=t0k3ns")

    assert set(found) == {"passw0rd", "abc%2Fdef", "abc/def", "t0k3ns"}


def test_a_short_value_is_not_masked_wherever_it_stands() -> None:
    """A parameter called ``key`` often holds a plain word."""
    assert secrets_in_url("https://x/?key=name") == []


def test_a_password_that_broke_its_url_is_listed_in_pieces() -> None:
    """The parser's complaint shows but a part of it, and that part is masked too."""
    assert "firstpart" in secrets_in_url("https://ann:firstpart/second@x/")
    assert secrets_in_url("https://onlytoken@x/") == ["onlytoken"]
    assert secrets_in_url("https://x/") == []


def test_headers_are_shown_without_their_secrets() -> None:
    """Secret headers are masked whole, and the others are looked into."""
    headers = CaseInsensitiveDict(
        {
            "Authorization": "Bearer s3",
            "Set-Cookie": "sid=s3",
            "Location": "https://x/?api_key=s3",
            "Accept": "text/html",
        }
    )

    assert redact_headers(headers) == {
        "Authorization": MASK,
        "Set-Cookie": MASK,
        "Location": f"https://x/?api_key={MASK}",
        "Accept": "text/html",
    }


def test_headers_in_bytes_are_read_too() -> None:
    """Prepared requests of some libraries hold bytes."""
    headers: dict[str, str] = {b"X-Api-Key": b"s3", b"Accept": b"*/*"}  # type: ignore[dict-item]  # wrong on purpose

    assert redact_headers(headers) == {"X-Api-Key": MASK, "Accept": "*/*"}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("nothing to see", "nothing to see"),
        ("access_token=s3&scope=a", "access_token=***&scope=a"),
        ('{"access_token": "s3", "a": 1}', '{"access_token": "***", "a": 1}'),
        ("{'password': 's3'}", "{'password': '***'}"),
        ("{'Authorization': b'Basic s3=='}", "{'Authorization': b'***'}"),
        (r'"{\"token\": \"s3\", \"a\": 1}"', r'"{\"token\": \"***\", \"a\": 1}"'),
        (r'{"token": "s3\"s4", "a": 1}', '{"token": "***", "a": 1}'),
        ("Authorization: Digest s3, s3", "Authorization: ***"),
        ("X-Api-Key: s3", "X-Api-Key: ***"),
        ("<user>ann</user><password>s3</password>", "<user>ann</user><password>***</password>"),
        ('<w:Password Type="t">s3</w:Password>', '<w:Password Type="t">***</w:Password>'),
        ("<p>a</p><token>\n s3\n</token>", "<p>a</p><token>***</token>"),
        ("sent Bearer s3.s3-s3 to x", "sent Bearer *** to x"),
        ("with url: /a?api_key=s3&b=1 (Caused by x)", "with url: /a?api_key=***&b=1 (Caused by x)"),
        ("GET http://ann:s3@x/", "GET http://***@x/"),
        ("Token 0123456789abcdef0123", "Token ***"),
        ("token = 's3 with spaces'", "token = '***'"),
    ],
)
def test_a_text_is_shown_without_its_secrets(text: str, clean: str) -> None:
    """Messages of other libraries can be passed on."""
    assert scrub(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "token: expired",
        "password: This field is required.",
        'Bearer realm="api"',
        "Bearer token is missing",
        "Basic authentication is off",
        "next_page_token=abc",
        '{"token": "", "a": 1}',
        "a ratio of 3:4",
    ],
)
def test_sentences_about_secrets_stay_readable(text: str) -> None:
    """What a server complains about is what its user needs to read."""
    assert scrub(text) == text


def test_exact_secrets_go_in_every_spelling() -> None:
    """A known secret is masked also where it was quoted, escaped or cut of its line end."""
    text = "x a/b c\n x a%2Fb%20c x a/b%20c x a%2Fb+c x a/b c x 'a/b c\\n'"

    assert scrub(text, ["a/b c\n"]) == "x *** x *** x *** x *** x *** x '***'"


def test_a_short_secret_does_not_tear_holes_into_the_text() -> None:
    """Three letters turn up in every sentence."""
    assert scrub("a cat sat", ["cat"]) == "a cat sat"
    assert spellings(["cat", "  "]) == []


@pytest.mark.parametrize(
    "text",
    [
        "//a:b" * 20_000 + "@",
        "Bearer " + " " * 100_000,
        "a" * 200_000 + "=",
        "token = " * 30_000,
        '"token": "' * 20_000,
        ("x" + " " * 60) * 3_000,
    ],
    ids=["userinfo", "scheme", "name", "pairs", "quotes", "spaces"],
)
def test_a_hostile_text_costs_linear_time(text: str) -> None:
    """A server cannot stop a program by the text of its error (the run has a time limit)."""
    assert len(scrub(text)) <= len(text) * 2


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ('{"pin": 1234, "a": 1}', '{"pin": ***, "a": 1}'),
        ('{"otp":-12.5e3}', '{"otp":***}'),
        (r"{\"password\": 12345678}", r"{\"password\": ***}"),
        ('{"page_token": 5}', '{"page_token": 5}'),
        ('{"password": null}', '{"password": null}'),
        ("token: 5", "token: 5"),
    ],
)
def test_numbers_of_json_under_a_secret_name_are_masked(text: str, clean: str) -> None:
    """One-time passwords and PINs are often sent as such."""
    assert scrub(text) == clean


def test_a_password_that_begins_with_a_slash_is_masked() -> None:
    """It breaks the URL; a port, which has five digits at most, does not."""
    assert redact_url("redis://:/planted@h/0") == "redis://***@h/0"
    assert redact_url("redis://u:123456/planted@h") == "redis://***@h"
    assert redact_url("https://h:8080/a@b") == "https://h:8080/a@b"
