"""Every place in a recorded request or answer where a secret may stand."""

from __future__ import annotations

import base64
import json

import pytest

from sessionkit.testing._recorded import Message, change_secrets, change_text

FORM = "application/x-www-form-urlencoded"


def starred(_name: str, value: str) -> str:
    """Put a star in the place of a secret."""
    return "*"


def header(name: str, value: str) -> str:
    """What becomes of a header's value."""
    return change_secrets(Message({name: (value,)}), starred).headers[name][0]


def body(kind: str, text: str) -> str:
    """What becomes of a body."""
    return change_secrets(Message({"Content-Type": (kind,)}, text.encode()), starred).body.decode()


def url(text: str) -> str:
    """What becomes of a URL."""
    return change_secrets(Message({}, url=text), starred).url


def basic(plain: str) -> str:
    """A value of HTTP Basic."""
    return f"Basic {base64.b64encode(plain.encode()).decode()}"


@pytest.mark.parametrize(
    ("name", "value", "clean"),
    [
        ("Authorization", "Bearer abc.def", "Bearer *"),
        ("authorization", "abcdef", "*"),
        ("Authorization", "Negotiate", "Negotiate"),
        ("Proxy-Authorization", "Digest username=a, response=b", "Digest *"),
        ("X-Api-Key", "abcdef", "*"),
        ("Cookie", "sid=abcdef; theme=dark", "sid=*; theme=*"),
        ("Cookie", "abcdef", "*"),
        ("Set-Cookie", "sid=abcdef; Path=/; HttpOnly", "sid=*; Path=/; HttpOnly"),
        ("Location", "https://api.example/in?access_token=ab&page=2#id_token=cd", None),
        ("Link", '<https://api.example/?api_key=abcdef&page=2>; rel="next"', None),
        ("WWW-Authenticate", 'Bearer realm="demo", error="invalid_token"', "same"),
        ("Content-Type", "application/json", "same"),
        ("X-Token-Uses-Left", "39", "same"),
    ],
)
def test_a_header_keeps_all_but_its_secrets(name: str, value: str, clean: str | None) -> None:
    """What a server and a client need of a header is played back."""
    if clean is None:
        clean = value.replace("=abcdef", "=*").replace("=ab", "=*").replace("=cd", "=*")

    assert header(name, value) == (value if clean == "same" else clean)


@pytest.mark.parametrize(
    ("plain", "clean"),
    [
        ("app:secret", "app:*"),
        ("a-key-in-the-place-of-a-user:", "*:"),
        ("short-key:", "*:"),
        ("0123456789abcdef:x", "*:*"),
    ],
)
def test_basic_credentials_are_rewritten_inside(plain: str, clean: str) -> None:
    """The header stays one that servers and clients can read (RFC 7617)."""
    assert header("Authorization", basic(plain)) == basic(clean)


@pytest.mark.parametrize("value", ["Basic not-base64!", "Basic //79"])
def test_broken_basic_credentials_are_replaced_as_a_whole(value: str) -> None:
    """What cannot be read is not left in for that reason."""
    assert header("Authorization", value) == "Basic *"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://api.example/a?api_key=abc&page=2", "https://api.example/a?api_key=%2A&page=2"),
        ("https://api.example/a?page=2&sort=name", "https://api.example/a?page=2&sort=name"),
        ("https://app:abc@api.example/", "https://app:*@api.example/"),
        ("https://api.example/a;jsessionid=abcdef?x=1", "https://api.example/a;jsessionid=*?x=1"),
        ("https://api.example/#access_token=abc", "https://api.example/#access_token=%2A"),
        (
            "https://api.example/?next=https%3A%2F%2Fa.example%2F%3Ftoken%3Dabc",
            "https://api.example/?next=https%3A%2F%2Fa.example%2F%3Ftoken%3D%2A",
        ),
        ("https://api.example/?api_key=", "https://api.example/?api_key="),
    ],
)
def test_a_url_keeps_all_but_its_secrets(text: str, clean: str) -> None:
    """What is asked for can still be compared."""
    assert url(text) == clean


@pytest.mark.parametrize(
    ("kind", "text", "clean"),
    [
        (FORM, "user=demo&password=a%2Bb&x=%20", "user=demo&password=%2A&x=%20"),
        ("application/json", '{"access_token":"abc", "n": 1}', '{"access_token": "*", "n": 1}'),
        ("application/json", '{"n":1.50,"text":"ok"}', '{"n":1.50,"text":"ok"}'),
        ("application/json", '{"a": [{"password": "x"}, 1]}', '{"a": [{"password": "*"}, 1]}'),
        ("application/json", '{"cookies": ["abc", "def"]}', '{"cookies": ["*", "*"]}'),
        ("application/json", '{"token": "a", "b": "\\ud800é"}', None),
        ("application/json", '{"otp": 123456}', '{"otp": "*"}'),
        ("application/json", '{"password": null, "csrf": true}', None),
        ("application/json", '{"secret": {"id": "7", "value": "0123456789abcdef"}}', None),
        ("application/json", '{"secret": {"self": "https://api.example/secrets/7"}}', None),
        ("application/json", '{"token": 12', '{"token": 12'),
        ("", '{"note": "sent api_key=abc, no more"}', '{"note": "sent api_key=*, no more"}'),
        ("text/plain", "password: required", "password: required"),
        ("text/plain", "{'X-Api-Key': 'abc', 'n': '1'}", "{'X-Api-Key': '*', 'n': '1'}"),
        ("text/plain", "you sent Bearer 0123456789abcdef.", "you sent Bearer *"),
        ("text/plain", "you sent Bearer authentication-tokens", None),
        ("text/plain", "no: //app:abc@api.example/", "no: //app:*@api.example/"),
        (
            "text/xml",
            "<s:password type='x'>abc</s:password>",
            "<s:password type='x'>*</s:password>",
        ),
        ("text/xml", "<user password='abc'/>", "<user password='*'/>"),
        ("text/html", '<input name="csrf" type="hidden" value="abc">', None),
        ("text/html", "<b>1</b>", "<b>1</b>"),
    ],
)
def test_a_body_keeps_all_but_its_secrets(kind: str, text: str, clean: str | None) -> None:
    """Whatever format a body has, the rest of it is played back."""
    special = {
        '{"token": "a", "b": "\\ud800é"}': '{"token": "*", "b": "\\ud800\\u00e9"}',
        '{"secret": {"id": "7", "value": "0123456789abcdef"}}': (
            '{"secret": {"id": "7", "value": "*"}}'
        ),
        '<input name="csrf" type="hidden" value="abc">': (
            '<input name="csrf" type="hidden" value="*">'
        ),
    }

    assert body(kind, text) == (clean or special.get(text, text))


def test_a_multipart_form_keeps_all_but_its_secrets() -> None:
    """An upload beside a password is compared and played back whole (RFC 7578)."""
    kind = "multipart/form-data; boundary=b"
    text = (
        '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nabc\r\n'
        '--b\r\nContent-Disposition: form-data; name="token"; filename="t"\r\n'
        "Content-Type: text/plain\r\n\r\na\r\nb\r\n"
        '--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nok\r\n--b--\r\n'
    )

    clean = text.replace("\r\n\r\nabc\r\n", "\r\n\r\n*\r\n").replace("a\r\nb\r\n", "*\r\n")
    assert body(kind, text) == clean


def test_a_body_without_secrets_stays_to_the_letter() -> None:
    """Digests and signatures over a body still hold when it is played back."""
    text = '{"b":1,\n "a" : 1.10}'

    assert body("application/json", text) == text


def test_a_body_of_bytes_stays_as_it_is() -> None:
    """An image or an archive comes back byte for byte."""
    data = bytes(range(256))

    assert change_secrets(Message({}, data), starred).body == data
    assert change_text(data, lambda text: text.replace("A", "B")) == data.replace(b"A", b"B")


def test_a_long_text_is_gone_through_once() -> None:
    """A cassette with a large answer is opened in no time."""
    data = json.dumps({"image": "A" * 200_000, "text=": "x" * 200_000}).encode()

    assert change_secrets(Message({}, data[1:]), starred).body == data[1:]
