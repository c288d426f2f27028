"""Redacted copies: what of a request, a response and an exception an error may keep."""

from __future__ import annotations

import copy
import datetime as dt
import io
import json
import pickle
import socket
import ssl
import traceback
from typing import Any, Self

import pytest
import requests
from requests import exceptions as theirs
from urllib3 import exceptions as low

from sessionkit.errors import ConfigError
from sessionkit.errors._redacted import (
    MAX_BODY_BYTES,
    redacted_body,
    redacted_request,
    redacted_response,
    secrets_in_request,
)
from sessionkit.errors.tools import scrub_exception

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


def asked_with_secret() -> requests.PreparedRequest:
    """Return a prepared request that carries a secret."""
    headers = {"Authorization": f"Bearer {SECRET}"}
    return requests.Request("GET", f"https://x/?sig={SECRET}", headers=headers).prepare()


def shown(error: BaseException) -> str:
    """Return all that a traceback, a debugger and a curious program see of an exception."""
    seen: list[str] = ["".join(traceback.format_exception(error))]
    left: list[Any] = [error]
    for link in left:
        if isinstance(link, BaseException):
            seen.append(f"{link} {link!r} {vars(link)}")
            left += [link.__cause__, link.__context__, *link.args, *vars(link).values()]
        elif hasattr(link, "headers"):
            seen.append(str(vars(link)))
    return "\n".join(seen)


def caught(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """Return *error* as it is after it was raised, with a traceback."""
    with pytest.raises(type(error)) as raised:
        raise error from cause
    return raised.value


def test_what_holds_no_secret_stays_the_same_object() -> None:
    """Nothing is copied without need."""
    cause = KeyError("a")
    error = caught(ValueError("plain"), cause)

    assert scrub_exception(error) is error
    assert error.__cause__ is cause


def test_the_chain_of_requests_is_copied_class_by_class() -> None:
    """Who looks at the causes finds what requests and urllib3 raised, without the secrets."""
    reason = low.NewConnectionError(None, f"refused {SECRET}")  # type: ignore[arg-type]  # a stand-in
    retried = low.MaxRetryError(None, f"/a?api_key={SECRET}", reason)  # type: ignore[arg-type]  # a stand-in
    error = caught(requests.ConnectionError(retried, request=asked_with_secret()), retried)

    clean = scrub_exception(error)

    assert type(clean) is requests.ConnectionError
    assert clean is not error
    assert type(clean.__cause__) is low.MaxRetryError
    assert clean.args[0] is clean.__cause__
    assert type(clean.__cause__.reason) is low.NewConnectionError
    assert clean.request.headers["Authorization"] == "***"  # type: ignore[union-attr]  # it is there
    assert clean.__traceback__ is error.__traceback__
    assert SECRET not in shown(clean)
    assert SECRET in shown(error)


@pytest.mark.parametrize(
    "error",
    [
        theirs.InvalidHeader(f"bad value: 'Bearer {SECRET}'"),
        low.InvalidHeader(f"bad value: {SECRET}"),
        ValueError(f"Invalid header value b'{SECRET}\\n'"),
        UnicodeEncodeError("latin-1", f"{SECRET}\u20ac", 14, 15, "ordinal not in range(256)"),
        KeyError(f"https://u:{SECRET}@x/"),
        OSError(5, f"token={SECRET}"),
        ssl.SSLError(1, f"password={SECRET}"),
        requests.HTTPError("x", response=None, request=asked_with_secret()),
        RuntimeError({"password": SECRET}, [f"token={SECRET}"], f"sig={SECRET}".encode(), 7, None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_text_of_an_exception_keeps_a_secret(error: BaseException) -> None:
    """Whatever prints the cause of an error prints no credential."""
    clean = scrub_exception(caught(error))

    assert SECRET not in shown(clean)
    assert isinstance(clean, OSError if isinstance(error, OSError) else Exception)


@pytest.mark.parametrize(
    "error",
    [
        UnicodeEncodeError("latin-1", f"{SECRET}\u20acx", 14, 15, "ordinal not in range(256)"),
        UnicodeDecodeError("utf-8", f"{SECRET}\xffx".encode("latin-1"), 14, 15, "invalid start"),
    ],
)
def test_what_cannot_be_coded_is_still_told_by_its_class(error: UnicodeError) -> None:
    """And by the same text, which names the character and its place."""
    clean = scrub_exception(caught(error))

    assert type(clean) is type(error)
    assert str(clean) == str(error)
    assert SECRET[:4] not in shown(clean)


def test_numbers_and_kinds_of_an_os_error_stay() -> None:
    """Who asks for errno still gets it."""
    clean = scrub_exception(ConnectionRefusedError(111, f"token={SECRET}"))

    assert type(clean) is ConnectionRefusedError
    assert clean.errno == 111


def test_secrets_in_a_request_of_the_chain_are_known_everywhere() -> None:
    """A server's text that echoes the token is cleaned, though it does not look like one."""
    error = caught(
        requests.ConnectionError("x", request=asked_with_secret()), KeyError(f"echo {SECRET} end")
    )

    assert SECRET not in shown(scrub_exception(error))


def test_exact_secrets_are_masked_as_well() -> None:
    """A credential under a name of no meaning is masked by its value."""
    assert "odd-one" not in shown(
        scrub_exception(caught(ValueError("it was odd-one")), ["odd-one"])
    )


def test_notes_are_cleaned_too() -> None:
    """A traceback prints them."""
    error = ValueError("x")
    error.add_note(f"sent password={SECRET}")

    assert "password=***" in shown(scrub_exception(error))


def test_context_and_suppression_are_kept() -> None:
    """A traceback shows the same links as before."""
    error = ValueError("second")
    error.__context__ = KeyError(f"token={SECRET}")
    error.__suppress_context__ = True

    clean = scrub_exception(error)

    assert clean.__suppress_context__
    assert isinstance(clean.__context__, KeyError)
    assert SECRET not in shown(clean)


def test_our_own_errors_are_kept_and_their_causes_cleaned() -> None:
    """They are clean already, but what they were raised from may not be."""
    error = caught(ConfigError("x"), ValueError(f"token={SECRET}"))

    assert scrub_exception(error) is error
    assert type(error.__cause__) is ValueError
    assert SECRET not in shown(error)


class Stubborn(Exception):
    """Shows its secret whatever its arguments are."""

    def __str__(self) -> str:
        return f"token={SECRET}"


class Unbuildable(Exception):
    """Cannot be made without its number."""

    def __new__(cls, number: int) -> Self:
        return super().__new__(cls, int(number))

    def __init__(self, number: int) -> None:
        self.args = (f"token={SECRET}",)


class Mute(Exception):
    """Cannot be shown at all."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("error", [Stubborn(), Unbuildable(7)])
def test_a_class_that_cannot_be_copied_is_replaced(error: Exception) -> None:
    """Its name and its cleaned text remain."""
    clean = scrub_exception(caught(error))

    assert str(clean) == f"{type(error).__name__}: token=***"
    assert clean.__traceback__ is error.__traceback__


def test_an_exception_that_cannot_be_shown_is_left_alone() -> None:
    """It tells nothing, so it tells no secret."""
    error = Mute()

    assert scrub_exception(error) is error


def test_a_chain_in_a_circle_ends() -> None:
    """Exceptions may point at each other."""
    one, two = ValueError(f"token={SECRET}"), KeyError(f"token={SECRET}")
    one.args = (f"token={SECRET}", two)
    two.args = (f"token={SECRET}", one)
    one.__cause__, two.__cause__ = two, one

    assert SECRET not in shown(scrub_exception(one))


def test_a_chain_too_long_to_follow_is_cut() -> None:
    """The error itself matters; nothing is raised in its place."""
    error: BaseException = ValueError("last")
    for _ in range(5_000):
        outer = ValueError("next")
        outer.__context__ = error
        error = outer

    assert scrub_exception(error) is error
    assert error.__context__ is None


def test_pools_and_connections_stay_behind() -> None:
    """A kept error keeps no connection alive."""
    sock = socket.socket()
    error = low.ReadTimeoutError(sock, "/a", "Read timed out.")  # type: ignore[arg-type]  # a stand-in
    sock.close()

    clean = scrub_exception(error)

    assert not hasattr(clean, "pool")
    assert isinstance(clean, low.ReadTimeoutError)
    assert clean.url == "/a"
