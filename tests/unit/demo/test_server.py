"""The demo's API, and its server in a process of its own."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection

import pytest
import requests

from sessionkit.demo._server import DemoServer, Orders, ServerProcess, content_digest, main
from sessionkit.errors import ConfigError
from sessionkit.testing.server import ServerRequest


def test_the_child_serves_while_its_parent_holds_it() -> None:
    """Client and server do not share one interpreter, so timings are the client's own."""
    with ServerProcess() as server:
        connection = HTTPConnection(server.origin.removeprefix("http://"), timeout=10)
        connection.request("GET", "/api/products")
        status = connection.getresponse().status
        connection.close()
        figures = server.figures()
        child = server._child
        assert child is not None

    assert status == 401
    assert figures["requests"] == 2
    assert child.returncode == 0


def test_the_child_ends_with_its_parent() -> None:
    """However the parent dies, nothing is left running."""
    program = (
        "import os; from sessionkit.demo._server import ServerProcess\n"
        "server = ServerProcess().__enter__()\n"
        "print(server.origin, flush=True); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", program]
    # Returns when the last process that holds the error output is gone: the server's own.
    dead = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    address = dead.stdout.strip().removeprefix("http://").split(":")

    assert (dead.returncode, dead.stderr) == (-9, "")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address[0], int(address[1])), timeout=10)


def test_a_child_that_does_not_end_is_ended() -> None:
    """Leaving the block takes a second at most."""
    server = ServerProcess()
    server._command = [sys.executable, "-c", "print(1, flush=True)\nwhile True: pass"]
    with server:
        child = server._child
        assert child is not None

    assert child.returncode != 0


def test_a_child_that_does_not_start_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """A broken installation is a clear error and no hang."""
    server = ServerProcess()
    server._command = [sys.executable, "-c", "raise SystemExit('no server here')"]

    with pytest.raises(ConfigError, match="did not start"):
        server.__enter__()
    assert "no server here" in capfd.readouterr().err


def test_outside_its_block_it_has_no_address() -> None:
    """A forgotten ``with`` is told as what it is."""
    server = ServerProcess()
    server._stop()

    with pytest.raises(ConfigError, match="with-block"):
        _ = server.token_url


def test_the_child_says_its_port_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parent can read where to go, and the child lives on its input alone."""
    seen: list[dict[str, int]] = []

    class Input:
        """A standard input that ends after one look at the server."""

        class buffer:  # noqa: N801  # the name that sys.stdin gives it
            """The bytes of it."""

            @staticmethod
            def read() -> bytes:
                """Look at the server, then end."""
                port = capsys.readouterr().out.strip()
                connection = HTTPConnection(f"127.0.0.1:{port}", timeout=10)
                connection.request("GET", "/_figures")
                seen.append(json.load(io.BytesIO(connection.getresponse().read())))
                connection.close()
                return b""

    monkeypatch.setattr(sys, "stdin", Input)
    signals: list[int] = []
    monkeypatch.setattr(signal, "signal", lambda number, _: signals.append(number))

    main(["2.0", "40"])

    assert seen[0]["requests"] == 1
    assert signals == [signal.SIGINT]


# -- The API


def test_everything_needs_a_token_that_ends_by_use() -> None:
    """The figures tell what a client never hears: how many tokens ended."""
    with DemoServer(token_uses=1) as server, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {server.login()['access_token']}"
        first = session.get(f"{server.base_url}products/1", timeout=5)
        second = session.get(f"{server.base_url}products/1", timeout=5)
        figures = server.figures()

    assert (first.status_code, first.headers["X-Token-Uses-Left"]) == (200, "0")
    assert second.status_code == 401
    assert second.headers["WWW-Authenticate"].startswith("Bearer ")
    assert second.headers["Content-Type"] == "application/problem+json"
    assert figures["expiries"] == 1


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "password", "username": "demo", "password": "demo-password"}, 200),
        ({"grant_type": "password", "username": "demo", "password": "wrong"}, 400),
        ({"grant_type": "client_credentials", "client_id": "app"}, 401),
    ],
)
def test_the_token_endpoint_knows_one_user_and_one_client(
    form: dict[str, str], status: int
) -> None:
    """Grants can be tried by hand, right and wrong."""
    with DemoServer() as server:
        response = requests.post(server.token_url, data=form, timeout=5)

    assert response.status_code == status


def test_a_client_that_can_ask_again_gets_no_refresh_token() -> None:
    """RFC 6749, section 4.4.3; and no token can be guessed."""
    with DemoServer() as server:
        client = (server.client_id, server.client_secret)
        form = {"grant_type": "client_credentials"}
        tokens = requests.post(server.token_url, data=form, auth=client, timeout=5).json()
        guess = {"grant_type": "refresh_token", "refresh_token": "refresh-0"}
        refused = requests.post(server.token_url, data=guess, timeout=5)

    assert set(tokens) == {"access_token", "token_type"}
    assert len(tokens["access_token"]) > 30
    assert refused.json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("busy?after=7", 503),
        ("busy?after=x", 400),
        ("flaky?key=a&times=0", 200),
        ("flaky?key=a&times=9", 503),
        ("slow?ms=1", 200),
        ("missing", 404),
        ("products/121", 404),
    ],
)
def test_failures_come_on_demand(path: str, status: int) -> None:
    """Whatever a client must cope with can be asked for."""
    with DemoServer() as server:
        headers = {"Authorization": f"Bearer {server.login()['access_token']}"}
        response = requests.get(server.base_url + path, headers=headers, timeout=5)
        wrong = requests.delete(f"{server.base_url}orders", headers=headers, timeout=5)

    assert response.status_code == status
    assert response.headers["X-API-Time"].endswith("s")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST, GET")
    if status == 503 and "7" in path:
        assert response.headers["Retry-After"] == "7"


def test_a_demo_outside_its_block_has_no_address() -> None:
    """A forgotten ``with`` is named as what it is."""
    with pytest.raises(ConfigError, match="with-block"):
        _ = DemoServer().base_url


# -- Orders


def order(body: bytes, *, meant: bytes | None = None, key: str = "k1") -> ServerRequest:
    """An order whose digest is that of *meant*, by default of its own body."""
    digest = hashlib.sha256(body if meant is None else meant).digest()
    headers = {"content-digest": content_digest(digest)} | ({"idempotency-key": key} if key else {})
    return ServerRequest("POST", "/api/orders", headers=headers, body=body)


def test_an_order_is_answered_with_what_arrived() -> None:
    """The client can compare size and digest with what it sent."""
    response = Orders().take(order(b"abc"))

    assert response.status == 201
    assert response.body == {
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
