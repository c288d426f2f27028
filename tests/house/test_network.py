"""The guard that keeps tests and samples on this machine."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest


def test_a_foreign_address_is_refused() -> None:
    """Running the suite calls nobody, whatever a test or a library has in mind."""
    with socket.socket() as knocking, pytest.raises(RuntimeError, match="this machine only"):
        knocking.connect(("192.0.2.1", 80))


def test_a_foreign_address_is_refused_in_any_thread() -> None:
    """The guard holds where most requests of this suite are made."""

    def knock() -> None:
        with socket.socket() as knocking:
            knocking.connect(("192.0.2.1", 80))

    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="this machine only"):
        pool.submit(knock).result()


def test_a_foreign_name_is_not_even_looked_up() -> None:
    """No resolver learns that the suite runs."""
    with pytest.raises(RuntimeError, match="this machine only"):
        socket.getaddrinfo("api.example", 80)


def test_an_invalid_name_fails_as_a_resolver_would() -> None:
    """Tests can see what a wrong host name leads to (RFC 6761, section 6.4)."""
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("nobody.invalid", 80)


def test_loopback_stays_open() -> None:
    """Servers on this machine are reached as usual, by number and by name."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("localhost", port)) as reached:
            assert reached.getpeername()[1] == port
