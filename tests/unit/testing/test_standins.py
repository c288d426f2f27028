"""What a cassette holds in the places of secrets."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from sessionkit.errors import ConfigError
from sessionkit.testing._recorded import Message
from sessionkit.testing._standins import StandIns, is_stand_in, unmasked_names

SECRET = "planted/secret +1"


def cleaned(stand_ins: StandIns, *messages: Message) -> list[Message]:
    """Learn from all messages, then clean each."""
    for message in messages:
        stand_ins.learn(message)
    return [stand_ins.clean(message) for message in messages]


def test_each_secret_has_one_stand_in() -> None:
    """A renewed token still differs from the one before it, and equals itself."""
    stand_ins = StandIns(["given-1"])

    assert stand_ins.for_secret("access_token", "first") == "secret-2"
    assert stand_ins.for_secret("access_token", "second") == "secret-3"
    assert stand_ins.for_secret("refresh_token", "first") == "secret-2"
    assert stand_ins.for_secret("password", "given-1") == "secret-1"
    assert repr(stand_ins) == "<3 stand-ins>"


def test_a_stand_in_stands_for_itself() -> None:
    """What was cleaned once stays as it is when it is cleaned again."""
    stand_ins = StandIns(["secret"])
    message = Message({"Authorization": ("Bearer secret-7",)}, b"a secret is secret-1")

    assert stand_ins.for_secret("token", "secret-7") == "secret-7"
    assert cleaned(stand_ins, message) == [
        Message({"Authorization": ("Bearer secret-7",)}, b"a secret-1 is secret-1")
    ]


def test_what_is_secret_in_one_place_is_replaced_in_all() -> None:
    """An error text that quotes a token, a path with a key in it: the name is not needed there."""
    asked = Message({"X-Api-Key": (SECRET,)}, url="https://api.example/x")
    told = Message({}, f"no such key: {SECRET}!".encode())
    moved = Message({"Location": (f"/keys/{quote(SECRET, safe='')}",)})

    assert cleaned(StandIns(), told, moved, asked) == [
        Message({}, b"no such key: secret-1!"),
        Message({"Location": ("/keys/secret-1",)}),
        Message({"X-Api-Key": ("secret-1",)}, url="https://api.example/x"),
    ]


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").lower(),
        quote(quote(SECRET, safe=""), safe=""),
        SECRET.replace("/", "\\/"),
        repr(SECRET)[1:-1],
    ],
)
def test_every_spelling_of_a_secret_is_replaced(spelling: str) -> None:
    """Encoders of URLs, of JSON and of HTML hide nothing."""
    assert StandIns([SECRET]).replace_in(f"a={spelling}&b") == "a=secret-1&b"


@pytest.mark.parametrize("secret", ['quote " and \\ slash', "gehört <niemand> & co", "tab\tin it"])
def test_a_secret_of_odd_characters_is_replaced_in_json_and_html(secret: str) -> None:
    """Whatever a password is made of."""
    stand_ins = StandIns([secret])
    escaped = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    assert stand_ins.replace_in(json.dumps({"a": secret})) == '{"a": "secret-1"}'
    assert stand_ins.replace_in(json.dumps([secret], ensure_ascii=False)) == '["secret-1"]'
    assert stand_ins.replace_in(f"<p>{escaped.replace(chr(34), '&quot;')}</p>") == "<p>secret-1</p>"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "app:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_inside_base64_is_replaced_there(before: str, encode: object) -> None:
    """A state parameter or a Basic header holds it in a form that nobody greps for."""
    assert callable(encode)
    run = encode(f"{before}{SECRET}?~~~".encode()).decode()
    clean = encode(f"{before}secret-1?~~~".encode()).decode()
    stand_ins = StandIns([SECRET])

    assert stand_ins.replace_in(f"is {run}.") == f"is {clean}."
    assert stand_ins.replace_in(f"?a={quote(run, safe='')}") == f"?a={quote(clean)}"


@pytest.mark.parametrize("path", ["/b/", "/ab/", "/abc/", "/abcd/"])
def test_base64_in_a_path_is_found(path: str) -> None:
    """A slash may be part of a stretch, or stand before it."""
    run = base64.b64encode(f"app:{SECRET}".encode()).decode().rstrip("=")

    assert run[:8] not in StandIns([SECRET]).replace_in(f"{path}{run}")


def test_a_secret_beyond_ascii_is_found_in_base64() -> None:
    """Passwords are in all languages."""
    run = base64.b64encode("app:schlüssel".encode()).decode()

    assert StandIns(["schlüssel"]).replace_in(run) == base64.b64encode(b"app:secret-1").decode()


def test_a_short_value_is_replaced_only_where_it_stands() -> None:
    """The ``ab`` of a cookie is not taken out of every word, nor a code out of every number."""
    message = Message({"Cookie": ("a=ab1; theme=default",)}, b'{"otp": 123456, "id": 9123456}')
    other = Message({}, b"ab1 default 9123456")

    assert cleaned(StandIns(), message, other) == [
        Message({"Cookie": ("a=secret-1; theme=secret-2",)}, b'{"otp": "secret-3", "id": 9123456}'),
        other,
    ]


def test_a_plain_word_is_replaced_only_as_a_word() -> None:
    """A test server whose password is "secret" does not rename all fields."""
    message = Message({}, b'{"client_secret": "secret", "note": "secretly"}')

    assert cleaned(StandIns(["secret"]), message) == [
        Message({}, b'{"client_secret": "secret-1", "note": "secretly"}')
    ]


def test_hosts_are_written_as_told() -> None:
    """A port that the system chose makes no difference between two recordings."""
    stand_ins = StandIns(hosts={"127.0.0.1": "a.example", "127.0.0.1:40": "b.example"})
    text = "http://127.0.0.1:40/x?u=http%3A%2F%2F127.0.0.1%3A40%2F http://127.0.0.1/ 127.0.0.1:401"

    assert stand_ins.replace_in(text) == (
        "http://b.example/x?u=http%3A%2F%2Fb.example%2F http://a.example/ a.example:401"
    )


def test_a_secret_too_short_to_look_for_is_refused() -> None:
    """Nobody believes to be safe whose PIN is left in."""
    with pytest.raises(ConfigError, match="4 characters"):
        StandIns(["abc"])


def test_one_secret_may_be_given_by_itself() -> None:
    """A text is not taken for a list of its letters."""
    assert StandIns("planted").replace_in("planted") == "secret-1"


def test_open_secrets_are_named_and_not_quoted() -> None:
    """A finding can be printed."""
    message = Message(
        {"Authorization": ("Bearer abcdef",), "X-Api-Key": ("secret-1",)},
        b'{"password": "***", "id_token": "xyz"}',
    )

    assert unmasked_names(message) == ["Authorization", "id_token"]
    assert is_stand_in("secret-12")
    assert not is_stand_in("secret-")
