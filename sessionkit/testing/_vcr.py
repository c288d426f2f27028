"""Read and write cassettes of vcrpy, without secrets and without what differs between runs."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from urllib3 import HTTPResponse
from urllib3.exceptions import DecodeError

from sessionkit._optional import require
from sessionkit._redact import MASK, redact_url
from sessionkit.testing._recorded import Message, change_secrets

if TYPE_CHECKING:
    from sessionkit.testing._standins import StandIns

EXTRA = "testing"
#: These differ between machines, versions and moments, or are about the connection only.
_NOISE = frozenset(
    (
        *("accept-encoding", "connection", "content-encoding", "date", "keep-alive", "server"),
        *("transfer-encoding", "user-agent"),
    )
)
_BOUNDARY = re.compile(r"boundary=\"?([^\";\s]+)")
_EXPIRES = re.compile(r";\s*expires=[^;]*", re.IGNORECASE)


class Archive:
    """Load and save cassettes for vcrpy, which hands over a whole one, so it is cleaned here.

    Args:
        stand_ins: What stands for secrets.
        recording: Whether to begin with nothing, whatever the file holds.
    """

    __slots__ = ("_recording", "_stand_ins")

    def __init__(self, stand_ins: StandIns, *, recording: bool) -> None:
        self._stand_ins = stand_ins
        self._recording = recording

    def load_cassette(self, cassette_path: str, serializer: Any) -> tuple[list[Any], list[Any]]:
        """Return the requests and responses to play back."""
        return ([], []) if self._recording else load(Path(cassette_path), serializer)

    def save_cassette(
        self, cassette_path: str, cassette_dict: dict[str, list[Any]], serializer: Any
    ) -> None:
        """Write the requests and responses that were recorded, without their secrets."""
        requests, responses = cassette_dict["requests"], cassette_dict["responses"]
        messages = [
            (_normalized(request_message(request)), _normalized(response_message(response)))
            for request, response in zip(requests, responses, strict=True)
        ]
        # The first response may quote what is known as a secret from the last request only.
        for pair in messages:
            for message in pair:
                self._stand_ins.learn(message)
        cleaned = [tuple(map(self._stand_ins.clean, pair)) for pair in messages]
        kind = require("vcr.request", EXTRA).Request
        document = {
            "requests": [
                kind(request.method, message.url, message.body or None, _single_headers(message))
                for request, (message, _) in zip(requests, cleaned, strict=True)
            ],
            "responses": [
                {"status": response["status"], **_vcr_response(message)}
                for response, (_, message) in zip(responses, cleaned, strict=True)
            ],
        }
        text: str = require("vcr.serialize", EXTRA).serialize(document, serializer)
        file = Path(cassette_path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def load(file: Path, serializer: Any = None) -> tuple[list[Any], list[Any]]:
    """Return the requests and responses in *file*, as vcrpy has them."""
    serializer = serializer or require("vcr.serializers.yamlserializer", EXTRA)
    deserialize = require("vcr.serialize", EXTRA).deserialize
    requests, responses, *_ = deserialize(file.read_text("utf-8"), serializer)
    return requests, responses


def request_message(request: Any) -> Message:
    """Return a request of vcrpy's as a message."""
    body = request.body
    if hasattr(body, "read"):
        body = body.read()
    elif body is not None and not isinstance(body, (bytes, str)):
        body = b"".join(_bytes(piece) for piece in body)
    headers = {_str(name): (_str(value),) for name, value in request.headers.items()}
    return Message(headers, _bytes(body or b""), request.uri)


def response_message(response: Any) -> Message:
    """Return a response of vcrpy's as a message."""
    headers = {name: tuple(values) for name, values in response["headers"].items()}
    return Message(headers, _bytes(response["body"]["string"] or b""))


def request_line(request: Any) -> str:
    """Return method and URL of a request, such as ``GET https://api.example/orders``."""
    return f"{request.method} {redact_url(request.uri)}"


def is_same_request(stand_ins: StandIns, first: Any, second: Any) -> bool:
    """Return whether two requests ask for the same, leaving secrets aside."""
    if first.method != second.method:
        return False
    one, other = (_comparable(stand_ins, request) for request in (first, second))
    return (one.url, one.body) == (other.url, other.body)


def _comparable(stand_ins: StandIns, request: Any) -> Message:
    message = _normalized(request_message(request)).each_text(stand_ins.replace_in)
    return change_secrets(message, lambda _name, _value: MASK)


def _normalized(message: Message) -> Message:
    """Return *message* readable, and without what differs from run to run."""
    message = _decoded(message)
    boundary = _BOUNDARY.search(message.header("content-type"))
    if boundary:
        random = boundary[1]
        message = message.each_text(lambda text: text.replace(random, "boundary"))
    headers = {
        name: tuple(_EXPIRES.sub("", value) for value in values)
        if name.lower() == "set-cookie"
        else values
        for name, values in message.headers.items()
        if name.lower() not in _NOISE
    }
    return replace(message, headers=headers)


def _decoded(message: Message) -> Message:
    """Return *message* with its body decompressed: a secret cannot be seen in gzip."""
    coding = message.header("content-encoding")
    if not coding:
        return message
    try:
        body = HTTPResponse(io.BytesIO(message.body), {"content-encoding": coding}).data
    except DecodeError:
        return message  # decoded on the way here, by urllib3
    return replace(message, body=body)


def _vcr_response(message: Message) -> dict[str, Any]:
    """Return the head and body of a response as vcrpy has them, their length put right."""
    headers = {
        name: [str(len(message.body))]
        if name.lower() == "content-length" and message.body
        else list(values)
        for name, values in message.headers.items()
    }
    return {"headers": headers, "body": {"string": message.body}}


def _single_headers(message: Message) -> dict[str, str]:
    headers = {name: values[0] for name, values in message.headers.items()}
    return {
        name: str(len(message.body)) if name.lower() == "content-length" else value
        for name, value in headers.items()
    }


def _str(text: Any) -> str:
    return text.decode("latin-1") if isinstance(text, bytes) else str(text)


def _bytes(text: Any) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)
