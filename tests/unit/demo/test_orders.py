"""Orders, and the proof that a replayed body came whole."""

from __future__ import annotations

import hashlib
import json

from sessionkit.demo._messages import Ask
from sessionkit.demo._orders import Orders, content_digest


def order(body: bytes, *, meant: bytes | None = None, key: str = "k1") -> Ask:
    """An order whose digest is that of *meant*, by default of its own body."""
    digest = hashlib.sha256(body if meant is None else meant).digest()
    headers = {"content-digest": content_digest(digest)} | ({"idempotency-key": key} if key else {})
    return Ask("POST", "/api/orders", headers=headers, body=body)


def test_an_order_is_answered_with_what_arrived() -> None:
    """The client can compare size and digest with what it sent."""
    reply = Orders().take(order(b"abc"))

    assert reply.status == 201
    assert json.loads(reply.body) == {
        "id": 1,
        "size": 3,
        "sha256": hashlib.sha256(b"abc").hexdigest(),
    }


def test_an_order_taken_at_once_is_no_replay() -> None:
    """Only orders that were refused before count."""
    orders = Orders()
    orders.refused(order(b"abc", key="other"))

    orders.take(order(b"abc"))

    assert orders.figures() == {"replayed_posts": 0, "replayed_posts_intact": 0}


def test_a_replay_with_the_whole_body_is_intact() -> None:
    """A refusal and then the same body count as one intact replay, once."""
    orders = Orders()
    orders.refused(order(b"abc"))
    orders.refused(order(b"abc"))

    orders.take(order(b"abc"))
    orders.take(order(b"abc"))

    assert orders.figures() == {"replayed_posts": 1, "replayed_posts_intact": 1}


def test_a_replay_with_an_empty_body_is_found_out() -> None:
    """The mistake that the figures are there to find."""
    orders = Orders()
    orders.refused(order(b"abc"))

    orders.take(order(b"", meant=b"abc"))

    assert orders.figures() == {"replayed_posts": 1, "replayed_posts_intact": 0}


def test_an_order_without_a_key_is_not_followed() -> None:
    """Without a key a replay cannot be told from another order."""
    orders = Orders()
    orders.refused(order(b"abc", key=""))

    orders.take(order(b"abc", key=""))

    assert orders.figures() == {"replayed_posts": 0, "replayed_posts_intact": 0}
