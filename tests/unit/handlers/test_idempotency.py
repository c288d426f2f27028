"""Idempotency keys: what acts is repeated only where the server recognizes it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
from urllib3.exceptions import ProtocolError
from urllib3.util import Retry

from sessionkit.errors import ConfigError
from sessionkit.handlers import RetryHandler, TimeoutHandler
from tests.unit.handlers.scripted import Item, Script, stack_over

#: Three retries without jitter.
EXACT = Retry(total=3, backoff_factor=0.5, status_forcelist={429, 502, 503, 504})
LOST = requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError()))


def run(*items: Item, method: str = "POST", **options: Any) -> tuple[requests.Response, Script]:
    """Make one call over a script, and return its response and the script."""
    script = Script(*items)
    stack, _ = stack_over(script, RetryHandler(EXACT))
    return stack.request(method, "tasks", **options), script


def sent_keys(script: Script, name: str = "Idempotency-Key") -> list[str | None]:
    """Return the key that each attempt carried."""
    return [headers.get(name) for headers in script.headers]


@pytest.mark.parametrize("method", ["POST", "PATCH", "post"])
@pytest.mark.parametrize("item", [503, LOST, requests.ReadTimeout("slow")])
def test_a_call_with_a_key_is_tried_again(method: str, item: int | Exception) -> None:
    """The server knows the order again by its key, and places it once."""
    response, script = run(item, item, 200, method=method, idempotency_key=True)

    assert (response.status_code, script.sent) == (200, 3)
    first, *others = sent_keys(script)
    assert others == [first, first]
    # A structured field's text (draft-ietf-httpapi-idempotency-key-header, section 2.1).
    assert re.fullmatch(r'"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"', first or "")


def test_each_call_has_a_key_of_its_own() -> None:
    """Two orders are two orders."""
    script = Script(200, 200, 200)
    stack, _ = stack_over(script, RetryHandler(always_send_key=True))
    for _ in range(3):
        stack.post("orders")

    assert len(set(sent_keys(script))) == 3


def test_a_key_may_be_given() -> None:
    """A program that was restarted repeats its order under the same key."""
    _, script = run(503, 200, idempotency_key="order-7")

    assert sent_keys(script) == ["order-7", "order-7"]


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key"])
def test_a_header_that_the_caller_gives_is_a_key(name: str) -> None:
    """Who sends the header himself says that his server heeds it; it stays as it is."""
    _, script = run(503, 200, headers={name: "mine"}, idempotency_key=True)

    assert [h.get(name) for h in script.headers] == ["mine", "mine"]


def test_a_prepared_request_gets_its_key_too() -> None:
    """And the caller's own object is left alone."""
    script = Script(503, 200)
    stack, _ = stack_over(script, TimeoutHandler(), RetryHandler())
    request = requests.Request("POST", "http://api.example/orders").prepare()

    assert stack.send(request, idempotency_key=True).status_code == 200
    assert sent_keys(script)[0] == sent_keys(script)[1] is not None
    assert "Idempotency-Key" not in request.headers


@pytest.mark.parametrize("options", [{}, {"idempotency_key": False}, {"idempotency_key": None}])
def test_without_a_key_nothing_is_repeated_or_added(options: dict[str, Any]) -> None:
    """A server that knows no keys would place the order twice, so none is sent unasked."""
    response, script = run(503, **options)

    assert (response.status_code, script.sent, sent_keys(script)) == (503, 1, [None])


def test_a_handler_may_give_keys_to_all_calls_that_need_one() -> None:
    """A vendor's client whose server heeds them; a call can still do without."""
    script = Script(503, 200, 503, 503, 200)
    handler = RetryHandler(EXACT, idempotency_header="X-Once", always_send_key=True)
    stack, _ = stack_over(script, handler)

    assert stack.post("orders").status_code == 200
    assert stack.post("orders", idempotency_key=False).status_code == 503
    assert stack.get("orders").status_code == 200
    first, second, *others = sent_keys(script, "X-Once")
    assert first == second
    # Only the draft's own field is a structured one.
    assert re.fullmatch(r"[0-9a-f-]{36}", first or "")
    assert others == [None, None, None]


def test_a_get_needs_no_key() -> None:
    """What is idempotent anyway is left as it is."""
    assert sent_keys(run(503, 200, method="GET", idempotency_key=True)[1]) == [None, None]


def test_an_attempt_that_meets_itself_waits_for_itself() -> None:
    """A 409 after a timeout: the first attempt is still at work, and its answer will come."""
    slow = requests.ReadTimeout("slow")
    response, script = run(slow, 409, 409, 201, idempotency_key=True)
    assert (response.status_code, script.sent) == (201, 4)

    # At once, it is a conflict with somebody else.
    assert run(409, idempotency_key=True)[0].status_code == 409
    assert run(503, 409, method="PUT")[0].status_code == 409


@pytest.mark.parametrize("key", [7, 2.5, ["a"], b"a"])
def test_a_key_without_sense_is_refused(key: Any) -> None:
    """Nothing is sent under it."""
    with pytest.raises(ConfigError, match="is no key"):
        run(200, idempotency_key=key)


def test_a_key_does_not_make_a_body_that_can_be_sent_once_repeatable() -> None:
    """No empty order, under whatever key."""
    response, script = run(503, data=iter([b"x"]), idempotency_key=True)

    assert (response.status_code, script.sent) == (503, 1)
