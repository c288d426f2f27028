"""Tokens on PostgreSQL and MariaDB between processes: waits, kills, cut connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from sessionkit import Token
from sessionkit.errors import LockTimedOut
from sessionkit.stores._forms import digest
from sessionkit.stores.sql import SqlTokenStore
from sessionkit.testing import SharedTokenStoreContract
from sessionkit.testing.server import LoopbackServer
from tests.support.servers.real import PostgresServer, postgres_server
from tests.support.servers.slow_identity import SlowIdentity
from tests.support.shared_stores import (
    SAVE_LATE,
    FleetStoreContract,
    LockHolderContract,
    Program,
    is_free,
    opened,
    program,
    refused,
    stopped,
)
from tests.support.workers.fleet import Fleet

CUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'
"""


class TestPostgresShared(SharedTokenStoreContract):
    # The server sees within moments that a process is gone, not at once.
    lease = 1.0

    @pytest.fixture
    def opening(self, postgres_url: str) -> str:
        return opened(postgres_url)


class TestPostgresFleet(FleetStoreContract):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


@pytest.fixture
def maria_table_url(maria_url: str, tmp_path: Path) -> str:
    """A store on MariaDB with a table of its own."""
    return f"{maria_url}&table=t_{digest(str(tmp_path))[:16]}"


class TestMariaShared(SharedTokenStoreContract):
    lease = 1.0

    @pytest.fixture
    def opening(self, maria_table_url: str) -> str:
        return opened(maria_table_url)


class TestMariaFleet(FleetStoreContract):
    @pytest.fixture
    def url(self, maria_table_url: str) -> str:
        return maria_table_url


class TestSqliteShared(SharedTokenStoreContract):
    @pytest.fixture
    def opening(self, tmp_path: Path) -> str:
        return (
            "from sessionkit.stores.sql import SqlTokenStore\n"
            f"store = SqlTokenStore('sqlite:///{tmp_path}/app.db')"
        )


@pytest.fixture
def store(postgres_url: str) -> Iterator[SqlTokenStore]:
    store = SqlTokenStore(postgres_url)
    yield store
    store.close()


class Operator:
    """The database, as its operator sees it."""

    def __init__(self, url: str) -> None:
        self._engine = sqlalchemy.create_engine(
            url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
        )

    def ask(self, statement: str) -> Any:
        """Return the one value of a statement."""
        with self._engine.connect() as connection:
            return connection.scalar(sqlalchemy.text(statement))


@pytest.fixture
def operator(postgres_url: str) -> Operator:
    return Operator(postgres_url)


class TestPostgresLockHolder(LockHolderContract):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    @pytest.fixture
    def losing_lock(self, operator: Operator) -> Callable[[Program], AbstractContextManager[None]]:
        @contextmanager
        def cut_off(process: Program) -> Iterator[None]:
            with stopped(process):
                operator.ask(CUT)
                yield

        return cut_off


# -- Waiting --------------------------------------------------------------------------------------


def test_a_waiter_sleeps_in_the_database_and_is_woken_at_the_release(
    store: SqlTokenStore, postgres_url: str, operator: Operator
) -> None:
    """Processes that wait ask nothing meanwhile, and go on when the renewal is done."""
    wait = """
say("waiting")
with store.lock("app", 50.0):
    say("had")
"""
    with program(wait, postgres_url) as process:
        with store.lock("app", 1.0):
            assert process.heard() == "waiting"
            while not operator.ask(WAITING):
                pass
        assert process.finished() == "had"


def test_no_lock_stays_in_a_pool(store: SqlTokenStore, operator: Operator) -> None:
    """A connection that goes back is free of locks, also after an error."""
    with (
        pytest.raises(LockTimedOut),
        store.lock("app", 1.0),
        SqlTokenStore(store._engine).lock("app", 0.05),
    ):
        raise AssertionError("two hold it")

    assert operator.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    assert is_free(store, "app")


# -- Cut off --------------------------------------------------------------------------------------


def test_a_renewal_whose_connections_are_cut_saves_its_token_all_the_same(
    store: SqlTokenStore, operator: Operator
) -> None:
    """A failover in the middle of a renewal throws no refresh token away."""
    store.save("app", Token("old"))
    with store.lock("app", 1.0):
        assert operator.ask(CUT) >= 1
        store.save("app", Token("renewed"))

    assert store.load("app") == Token("renewed")
    assert is_free(store, "app")


def test_an_engine_that_does_not_look_before_it_speaks_is_given_another_try(
    postgres_url: str, operator: Operator
) -> None:
    """A program's own engine, set up in whatever way, survives a failover as well."""
    engine = sqlalchemy.create_engine(postgres_url, pool_pre_ping=False)
    store = SqlTokenStore(engine)
    store.save("app", Token("a"))
    assert operator.ask(CUT) == 1
    assert store.load("app") == Token("a")
    assert operator.ask(CUT) == 1
    with store.lock("app", 1.0):
        store.save("app", Token("b"))
        operator.ask(CUT)
        store.save("app", Token("c"))
    assert operator.ask(CUT) >= 1
    assert store.keys() == ["app"]
    assert store.load("app") == Token("c")
    engine.dispose()


def test_a_waiter_whose_connection_is_cut_goes_on_waiting(
    postgres_url: str, store: SqlTokenStore, operator: Operator
) -> None:
    """A failover is no reason to fail for a call that had its turn ahead of it."""
    wait = """
say("waiting")
with store.lock("app", 50.0):
    say("had")
"""
    with program(wait, postgres_url) as process:
        with store.lock("app", 1.0):
            assert process.heard() == "waiting"
            while not operator.ask(WAITING):
                pass
            operator.ask(CUT)
        assert process.finished() == "had"


def test_a_process_cut_off_in_the_first_login_cannot_overwrite_the_newer_token(
    store: SqlTokenStore, postgres_url: str, operator: Operator
) -> None:
    """The same holds where there was no token yet."""
    with program(SAVE_LATE, postgres_url) as process:
        assert process.heard() == "held"
        operator.ask(CUT)
        with store.lock("app", 20.0):
            store.save("app", Token("newer"))
        process.tell("save")

        assert "a newer one was" in process.finished()

    assert store.load("app") == Token("newer")


def test_what_was_saved_without_a_lock_is_not_overwritten_by_a_renewal_begun_before(
    store: SqlTokenStore, postgres_url: str
) -> None:
    """A token put there by hand, after a new login, stays; after a logout nothing comes back."""
    by_hand = SqlTokenStore(postgres_url)
    with store.lock("app", 1.0):
        store.save("app", Token("first"))
        store.save("app", Token("second"))
        by_hand.save("app", Token("by hand"))
        assert refused(store, "app", Token("third"))
        assert store.load("app") == Token("by hand")
        by_hand.delete("app")
        assert refused(store, "app", Token("third"))
    by_hand.close()

    assert store.load("app") is None


def test_a_fleet_whose_connections_are_all_cut_in_a_renewal_loses_no_call(
    postgres_url: str, operator: Operator
) -> None:
    """Holder and waiters alike connect again; all calls end well, and no token is used twice."""
    identity = SlowIdentity()
    with (
        LoopbackServer(identity.respond) as server,
        Fleet(server.origin, postgres_url, processes=1) as leader,
        Fleet(server.origin, postgres_url, processes=4, threads=2) as others,
    ):
        assert leader.call("/login") + others.call("/login") == ["200"] * 9
        with identity.holding():
            leader.start("/leader")
            assert identity.caught.wait(30)
            # None of the others is in the middle of anything: they come after the cut.
            operator.ask(CUT)
        results = leader.results()
        results += others.call("/others")

    assert results == ["200"] * 9
    assert identity.renewals == 2
    assert identity.reuse_detected == 0


def test_a_database_that_restarts_between_renewals_costs_nothing() -> None:
    """Connections that a restart left dead are replaced before anybody notices."""
    identity = SlowIdentity()
    with (
        postgres_server() as database,
        LoopbackServer(identity.respond) as server,
        Fleet(server.origin, database.url(), processes=4, threads=2) as fleet,
    ):
        results = fleet.call("/login")
        database.stop()
        database.start()
        identity.expire()
        results += fleet.call("/later")

    assert results == ["200"] * 16
    assert identity.renewals == 2


def test_a_database_that_is_gone_is_an_error_with_a_way_out(postgres: PostgresServer) -> None:
    """A call that needs a new token says what is missing; others go on with what they hold."""
    identity = SlowIdentity()
    with (
        postgres_server() as database,
        LoopbackServer(identity.respond) as server,
        Fleet(server.origin, database.url(), processes=1) as fleet,
    ):
        assert fleet.call("/login") == ["200"]
        database.stop()
        assert fleet.call("/items") == ["200"]
        identity.expire()
        (result,) = fleet.call("/later")

    assert result.startswith("StoreError: the token store cannot use postgresql+psycopg://")
    assert "see that the database runs" in result
    assert identity.renewals == 1
