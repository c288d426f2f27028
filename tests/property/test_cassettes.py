"""Laws of cassettes: no secret stays, wherever it was, and cleaning twice changes nothing."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, urlencode

from hypothesis import given, strategies as st

from sessionkit.testing._recorded import Message
from sessionkit.testing._standins import StandIns, unmasked_names

# Mixed, as secrets are: a plain word is replaced as a whole word only.
SECRETS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x17F, exclude_categories=("Cc", "Zs")),
    min_size=6,
).map(lambda text: f"{text}#7z")
NAMES = st.sampled_from(["password", "access_token", "clientSecret", "api-key", "id_token"])
ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6).map(
    lambda text: f"{text}#7z"
)
JSON = {"Content-Type": ("application/json",)}
FORM = {"Content-Type": ("application/x-www-form-urlencoded",)}


def giving(secret: str, name: str) -> list[Message]:
    """Messages that give a secret away by its name."""
    return [
        Message(JSON, json.dumps({"a": [{name: secret}]}).encode()),
        Message(JSON, json.dumps({"a": {name: secret}}, ensure_ascii=False).encode()),
        Message(FORM, urlencode({"x": "1", name: secret}).encode()),
        Message({}, url=f"https://api.example/x?{urlencode({name: secret})}"),
    ]


def quoting(secret: str) -> list[Message]:
    """Messages that hold a secret where nothing tells that it is one."""
    encoded = base64.b64encode(f"app:{secret}".encode()).decode()
    return [
        Message({"X-Said": (f"no {secret}!",)}, f"<{secret}>".encode()),
        Message(JSON, json.dumps({"detail": f"no {secret}"}).encode()),
        Message({}, url=f"https://api.example/bot{quote(secret, safe='')}/x"),
        Message({"Authorization": (f"Basic {encoded}",)}, f"state={quote(encoded)}".encode()),
    ]


def shown(message: Message) -> str:
    """All that can be read of a message."""
    headers = " ".join(value for values in message.headers.values() for value in values)
    return f"{message.url} {headers} {message.body.decode('utf-8', 'replace')}"


@given(secret=SECRETS, name=NAMES, choice=st.integers(0, 3))
def test_a_secret_given_away_once_is_nowhere_left(secret: str, name: str, choice: int) -> None:
    """Whatever it is made of, wherever it was named, and wherever it was quoted."""
    messages = [giving(secret, name)[choice], *quoting(secret)]
    stand_ins = StandIns()
    for message in messages:
        stand_ins.learn(message)

    for message in messages:
        clean = stand_ins.clean(message)
        text = shown(clean)
        assert secret not in text
        assert quote(secret, safe="") not in text
        assert json.dumps(secret)[1:-1] not in text
        assert base64.b64encode(secret.encode()).decode()[:8] not in text
        assert unmasked_names(clean) == []
        assert stand_ins.clean(clean) == clean


@given(secret=ASCII, other=ASCII)
def test_stand_ins_tell_secrets_apart(secret: str, other: str) -> None:
    """Two secrets have one stand-in only if they are one."""
    stand_ins = StandIns()
    first, second = (stand_ins.for_secret("token", value) for value in (secret, other))

    assert (first == second) == (secret == other)


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "name"]), inner),
    )
)
def test_a_document_without_secrets_stays_as_it_is(body: object) -> None:
    """What a server said is what is played back."""
    message = Message(JSON, json.dumps(body).encode())

    assert StandIns().clean(message) == message
