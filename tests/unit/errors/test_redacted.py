"""Redacted copies: what of a request and an answer an error may keep."""

from __future__ import annotations

import copy
import datetime as dt
import io
import json
import pickle
from typing import Any

import pytest
import requests

from sessionkit.errors._redacted import (
    MAX_BODY_BYTES,
    redacted_body,
    redacted_request,
    redacted_response,
    secrets_in_request,
)

SECRET = "planted-secret"


def asked(**given: Any) -> requests.PreparedRequest:
    """Return a prepared request."""
    given = {"method": "POST", "url": "https://api.x/a", **given}
    return requests.Request(**given).prepare()


def answered(body: bytes = b"", **headers: str) -> Any:
    """Return a response, read, as a session gives it."""
    response = requests.Response()
    response.status_code = 400
    response.reason = "Bad Request"
    response.url = f"https://api.x/a?token={SECRET}"
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    response._content = body
    response._content_consumed = True
    response.elapsed = dt.timedelta(seconds=1.5)
    response.request = asked(headers={"Authorization": f"Bearer {SECRET}"})
    return response


def test_a_copied_request_keeps_all_but_its_secrets() -> None:
    """What was asked is seen; the credentials it was asked with are not."""
    request = asked(
        url=f"https://api.x/a?page=2&api_key={SECRET}",
        headers={"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET, "Accept": "a/b"},
        cookies={"sid": SECRET},
        json={"name": "bag", "password": SECRET},
    )

    twin = redacted_request(request)

    assert (twin.method, twin.url) == ("POST", "https://api.x/a?page=2&api_key=***")
    assert twin.headers["authorization"] == twin.headers["Cookie"] == "***"
    assert twin.headers["Accept"] == "a/b"
    assert twin.body == '{"name": "bag", "password": "***"}'
    assert SECRET not in str(vars(twin))
    assert request.headers["X-Api-Key"] == SECRET


@pytest.mark.parametrize(
    "given",
    [
        {"data": io.BytesIO(b"file")},
        {"data": iter([b"a"])},
        {"data": b"\xff\xfe"},
        {"files": {"a": b"x"}, "data": {"password": SECRET}},
        {},
    ],
)
def test_bodies_that_are_no_text_are_left_out(given: dict[str, Any]) -> None:
    """An error holds no file open and shows no upload."""
    assert redacted_request(asked(**given)).body is None


def test_a_form_is_kept_without_its_secrets() -> None:
    """What was wrong with a token request can be seen, its password cannot."""
    request = asked(data={"grant_type": "password", "username": "ann", "password": SECRET})

    assert redacted_request(request).body == "grant_type=password&username=ann&password=***"


def test_a_request_that_was_never_prepared_can_be_copied() -> None:
    """An error from before the preparation has no more than that."""
    twin = redacted_request(requests.Request("GET", f"https://u:{SECRET}@x/"))

    assert (twin.method, twin.url) == ("GET", "https://***@x/")


def test_a_copied_response_keeps_all_but_its_secrets() -> None:
    """It reads like the original: status, headers, body, time."""
    response = answered(
        b'{"message": "no", "echo": "planted-secret"}',
        Content_Type="application/json",
        Set_Cookie=f"sid={SECRET}",
        Location=f"https://x/?access_token={SECRET}",
    )
    response.encoding = "utf-8"
    response.history = [answered()]
    response.cookies.set("sid", SECRET)

    twin = redacted_response(response)

    assert type(twin) is requests.Response
    assert (twin.status_code, twin.reason, twin.url) == (
        400,
        "Bad Request",
        "https://api.x/a?token=***",
    )
    assert twin.json() == {"message": "no", "echo": "***"}
    assert twin.headers["set-cookie"] == "***"
    assert twin.headers["Location"] == "https://x/?access_token=***"
    assert twin.elapsed == response.elapsed
    assert (twin.history, list(twin.cookies), twin.raw) == ([], [], None)
    assert SECRET.encode() not in pickle.dumps(twin)
    assert SECRET not in f"{vars(twin)} {vars(twin.request)}"


def test_a_copy_is_not_copied_again() -> None:
    """An error that is built from another error's evidence costs nothing more."""
    twin = redacted_response(answered())

    assert redacted_response(twin) is twin
    assert redacted_request(twin.request) is twin.request


def test_a_copied_body_is_cut() -> None:
    """An error does not keep a download in memory."""
    assert len(redacted_response(answered(b"x" * 1_000_000)).content) == MAX_BODY_BYTES


def test_an_unread_body_is_left_unread() -> None:
    """Copying never waits for a server."""
    response = answered()
    response._content, response._content_consumed = False, False
    response.raw = object()

    assert redacted_response(response).content == b""
    assert response._content is False


def test_credentials_of_a_token_answer_are_masked() -> None:
    """Where an error is about the token endpoint's own answer, its tokens are still secrets."""
    body = b'{"access_token": "abcdef123", "id_token" : "eyJhbGci", "key": "orders-1", "n": 1}'

    assert redacted_response(answered(body)).json() == {
        "access_token": "***",
        "id_token": "***",
        "key": "orders-1",
        "n": 1,
    }


def test_complaints_about_credentials_stay_readable() -> None:
    """A form's errors are about passwords too."""
    body = b'{"password": "This field is required.", "token": ["too short"]}'

    assert redacted_response(answered(body)).json() == {
        "password": "This field is required.",
        "token": ["too short"],
    }


def test_exact_secrets_go_wherever_they_stand() -> None:
    """A credential under a name of no meaning is masked by its value."""
    response = answered(b"you sent odd-one", X_Desk="odd-one")
    response.request = asked(url="https://api.x/a?desk=odd-one", headers={"X-Desk": "odd-one"})
    response.reason = "odd-one refused"

    twin = redacted_response(response, ["odd-one"])

    assert "odd-one" not in f"{vars(twin)} {vars(twin.request)} {twin.text}"


def test_a_record_is_kept_beside_the_copy() -> None:
    """How often and how long it was tried belongs to the evidence."""
    response = answered()
    response.record = record = object()

    assert vars(redacted_response(response))["record"] is record


def test_copies_can_be_copied_and_pickled() -> None:
    """They live in errors, which travel."""
    twin = redacted_response(answered(b"body"))

    for again in (copy.deepcopy(twin), pickle.loads(pickle.dumps(twin))):
        assert again.content == b"body"
        assert again.request.headers["Authorization"] == "***"


def test_a_request_tells_its_credentials() -> None:
    """They are masked as exact texts, because servers echo them."""
    request = asked(
        url="https://x/?api_key=from-the-url",
        headers={"Authorization": "Bearer from-a-scheme", "Cookie": "lang=en; sid=from-a-cookie"},
    )

    found = secrets_in_request(request)

    assert {"from-the-url", "from-a-scheme", "from-a-cookie"} <= set(found)
    assert "en" not in found
    assert secrets_in_request(None) == ()


def test_headers_in_bytes_are_read_too() -> None:
    """Some signing libraries put bytes into a prepared request."""
    request = asked()
    request.headers["Authorization"] = b"Bearer in-bytes-too"

    assert "in-bytes-too" in secrets_in_request(request)
    assert redacted_request(request).headers["Authorization"] == "***"


TOKEN = "ab+cd/ef<gh>&ij'kl"


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(TOKEN),
        json.dumps(TOKEN).replace("/", "\\/"),
        json.dumps(TOKEN).replace("<", "\\u003c").replace(">", "\\u003E").replace("&", "\\u0026"),
        json.dumps(TOKEN).replace("+", "\\u002B").replace("'", "\\u0027").replace("/", "\\/"),
    ],
    ids=["plain", "PHP", "Go", ".NET"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_a_secret_goes_however_its_json_is_written(written: str, encoding: str) -> None:
    """Servers echo what they got in the spelling of their own JSON library."""
    body = f'{{"message": {written}, "a": "\\u0022"}}'.encode(encoding)

    clean = redacted_body(body, (TOKEN,))

    assert json.loads(clean) == {"message": "***", "a": '"'}
    assert redacted_body(body, ("another-secret",)) == body


def test_an_escaped_credential_of_a_token_answer_is_masked() -> None:
    """A name that says secret is enough, however the value is written."""
    clean = redacted_body(b'{"access_token": "ab\\/cd\\/ef", "note": "a\\/b"}', ())

    assert json.loads(clean) == {"access_token": "***", "note": "a/b"}


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x01\x02\xff", b"\xff\xfe\x00"])
def test_a_body_that_is_no_text_stays_as_it_is(body: bytes) -> None:
    """A picture is evidence too."""
    assert redacted_body(body, (TOKEN,)) == body


def test_megabytes_of_headers_are_not_kept() -> None:
    """Nor looked through: that would take half a minute."""
    response = requests.Response()
    response.status_code, response.url = 500, "https://a.example/"
    response.headers.update({"A": "x", "B": "y" * 70_000, "C": "z"})

    assert redacted_response(response).headers == {"A": "x", "B": "(not kept)", "C": "(not kept)"}


@pytest.mark.parametrize("beyond", [b"", b" and more"])
def test_a_secret_that_the_cut_went_through_is_not_half_shown(beyond: bytes) -> None:
    """What is left of it is no longer the text that is looked for."""
    body = b"x" * (MAX_BODY_BYTES - 9) + TOKEN.encode()[:9] + beyond
    request = requests.Request("POST", "https://a.example/", data=body).prepare()
    response = answered(body)

    shown = redacted_response(response, [TOKEN])
    assert shown.content == b"x" * (MAX_BODY_BYTES - 9)
    assert redacted_request(request, [TOKEN]).body == "x" * (MAX_BODY_BYTES - 9)
    assert redacted_response(answered(body), []).content == body[:MAX_BODY_BYTES]


def test_a_secret_that_is_no_text_breaks_no_error() -> None:
    """A JSON answer may bring a token with half a surrogate pair in it."""
    assert redacted_body(b"said abcd\xed\xb2\x80efgh", ("abcd\udc80efgh",)) == b"said ***"
