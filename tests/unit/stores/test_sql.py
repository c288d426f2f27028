"""Tokens in SQL databases, in one process; between processes: integration/stores/test_sql.py."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.dialects import mysql

from sessionkit import Token
from sessionkit.errors import ConfigError, StoreError, StoreUnreadable
from sessionkit.stores import open_store
from sessionkit.stores.encrypted import EncryptedTokenStore
from sessionkit.stores.sql import SqlTokenStore
from sessionkit.testing.contracts import ListableTokenStoreContract
from tests.support.threads import at_once


class TestPostgres(ListableTokenStoreContract):
    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[SqlTokenStore]:
        store = SqlTokenStore(postgres_url)
        yield store
        store.close()


class TestMaria(ListableTokenStoreContract):
    numbers = count()

    @pytest.fixture
    def store(self, maria_url: str) -> Iterator[SqlTokenStore]:
        store = SqlTokenStore(maria_url, table=f"unit_{next(self.numbers)}")
        yield store
        store.close()


class TestSqlite(ListableTokenStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqlTokenStore]:
        store = SqlTokenStore(f"sqlite:///{tmp_path}/app.db")
        yield store
        store.close()


class TestEngineOfTheUsers(ListableTokenStoreContract):
    """With a pool that is as small as it can be, and the strictest transactions."""

    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[SqlTokenStore]:
        engine = sqlalchemy.create_engine(
            postgres_url, pool_size=2, max_overflow=6, isolation_level="REPEATABLE READ"
        )
        yield SqlTokenStore(engine)
        engine.dispose()


class TestEncrypted(ListableTokenStoreContract):
    """As it should be used."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[EncryptedTokenStore]:
        inner = SqlTokenStore(f"sqlite:///{tmp_path}/app.db")
        yield EncryptedTokenStore(inner, [EncryptedTokenStore.new_key()])
        inner.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/app.db"


@pytest.fixture
def store(url: str) -> Iterator[SqlTokenStore]:
    store = SqlTokenStore(url)
    yield store
    store.close()


def test_a_url_names_the_store_and_its_table(postgres_url: str) -> None:
    """One environment variable is enough; what is SQLAlchemy's goes to SQLAlchemy."""
    store = open_store(f"{postgres_url}?connect_timeout=5&table=logins")
    assert isinstance(store, SqlTokenStore)
    store.save("app", Token("a"))
    store.close()

    engine = sqlalchemy.create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SELECT name FROM logins")) == "app"
    engine.dispose()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg:ann:planted-password@127.0.0.1/app",
        "postgresql+psycopg://ann:planted-password@127.0.0.1:port/app",
        "postgresql+planted://ann:planted-password@127.0.0.1/app",
    ],
)
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    """A typing error in a variable does not put its password into a log."""
    with pytest.raises(ConfigError) as caught:
        open_store(url)

    shown = f"{caught.value!r} {caught.value} {caught.value.hint} {caught.value.__cause__!r}"
    assert "planted" not in shown


def test_a_driver_that_is_missing_is_named() -> None:
    """The error is the line that installs it."""
    with pytest.raises(ImportError, match="pip install pg8000"):
        SqlTokenStore("postgresql+pg8000://127.0.0.1/app")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    """What no other connection sees cannot be shared."""
    with pytest.raises(ConfigError, match="plain file"):
        SqlTokenStore(url)


def test_only_a_url_or_an_engine_is_taken() -> None:
    """A mistake is named where it is made."""
    with pytest.raises(ConfigError, match="a URL or an engine, not int"):
        SqlTokenStore(7)  # type: ignore[arg-type]  # wrong on purpose


def test_nothing_is_made_before_the_first_save(store: SqlTokenStore, url: str) -> None:
    """Looking for a token leaves no trace in somebody's database."""
    assert store.load("app") is None
    assert store.keys() == []
    store.delete("app")
    with store.lock("app", 1.0):
        pass

    engine = sqlalchemy.create_engine(url)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_table_that_all_make_at_once_is_made(postgres_url: str) -> None:
    """The first start of a fleet needs no migration beforehand."""
    stores = [SqlTokenStore(postgres_url) for _ in range(8)]

    results = at_once(8, lambda number: stores[number].save(f"user-{number}", Token("a")))

    assert results == [None] * 8
    assert stores[0].keys() == [f"user-{number}" for number in range(8)]
    for store in stores:
        store.close()


def test_saves_of_a_new_key_at_once_end_well(postgres_url: str) -> None:
    """Two that insert and two that drop the same entry do not trip over each other."""
    store = SqlTokenStore(postgres_url)
    store.save("app", Token("a"))

    def work(number: int) -> None:
        for turn in range(10):
            store.save("app", Token(f"a-{number}-{turn}"))

    def drop(_: int) -> None:
        store.delete("app")

    results = at_once(5, lambda number: work(number) if number else drop(number))
    store.close()

    assert results == [None] * 5


def test_two_tables_share_nothing(url: str) -> None:
    """Staging and production may have one database."""
    one, other = SqlTokenStore(url, table="one"), SqlTokenStore(url, table="two")
    one.save("app", Token("a"))

    with one.lock("app", 1.0), other.lock("app", 0.0):
        assert other.load("app") is None
        assert other.keys() == []


def test_an_entry_that_is_no_token_is_told_and_can_be_dropped(
    store: SqlTokenStore, url: str
) -> None:
    """What somebody else wrote there stops one user only, until it is forgotten."""
    store.save("app", Token("a"))
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE sessionkit_tokens SET token = 'planted'"))
    engine.dispose()
    with pytest.raises(StoreUnreadable) as caught:
        store.load("app")
    assert "planted" not in f"{caught.value!r}{caught.value.__cause__!r}"
    assert store.keys() == ["app"]

    store.delete("app")
    assert store.load("app") is None


def test_a_statement_that_fails_shows_no_token(postgres_url: str) -> None:
    """SQLAlchemy's errors hold the values of the statement; ours do not."""
    engine = sqlalchemy.create_engine(postgres_url)
    store = SqlTokenStore(engine)
    store.save("app", Token("a"))
    with engine.begin() as connection:
        connection.execute(
            sqlalchemy.text(
                "ALTER TABLE sessionkit_tokens ADD CONSTRAINT short CHECK (length(token) < 50)"
            )
        )
    secret = "planted-secret" * 5

    for key in ("app", "new"):
        with pytest.raises(StoreError, match="short") as caught:
            store.save(key, Token(secret))

        assert caught.value.__cause__ is None
        assert secret not in f"{caught.value!r} {caught.value}"
    engine.dispose()


def test_a_database_that_is_not_there_is_told_for_each_way_in() -> None:
    """All methods speak of the store, none in the words of a library below."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        place = f"127.0.0.1:{taken.getsockname()[1]}/app"
        store = SqlTokenStore(f"postgresql+psycopg://ann:planted-password@{place}")
        for work in (
            store.keys,
            lambda: store.load("app"),
            lambda: store.save("app", Token("a")),
            lambda: store.delete("app"),
            lambda: store.lock("app", 0.0).__enter__(),
        ):
            with pytest.raises(StoreError, match="cannot use postgresql") as caught:
                work()
            assert "planted" not in f"{caught.value!r} {caught.value} {caught.value.store}"
        store.close()


def test_an_engine_that_was_given_keeps_its_connections(postgres_url: str) -> None:
    """Whoever made it disposes of it."""
    engine = sqlalchemy.create_engine(postgres_url)
    store = SqlTokenStore(engine)
    store.save("app", Token("a"))
    store.close()

    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]  # of a QueuePool
    engine.dispose()


def test_what_mariadb_is_sent_fits_its_rules(store: SqlTokenStore) -> None:
    """Where no MariaDB is at hand: the key has a length, and no text is compared but ids."""
    create = sqlalchemy.schema.CreateTable(store._table, if_not_exists=True)
    sent = " ".join(str(create.compile(dialect=mysql.dialect())).split())

    assert sent == (
        "CREATE TABLE IF NOT EXISTS sessionkit_tokens ( id VARCHAR(64) NOT NULL, "
        "name TEXT NOT NULL, token TEXT NOT NULL, version VARCHAR(32) NOT NULL, PRIMARY KEY (id) )"
    )


def test_an_engine_of_the_users_is_used_as_the_store_needs_it(postgres_url: str) -> None:
    """What others saved is seen, though the rest of the program sees what was before."""
    engine = sqlalchemy.create_engine(postgres_url, isolation_level="REPEATABLE READ")
    store = SqlTokenStore(engine)
    asking = sqlalchemy.text("SHOW transaction_isolation")
    with store._current().connect() as connection:
        assert connection.scalar(asking) == "read committed"
    with engine.connect() as connection:
        assert connection.scalar(asking) == "repeatable read"
    engine.dispose()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_makes_connections_of_its_own(postgres_url: str) -> None:
    """Two processes never speak on one connection, and the parent's stays open."""
    store = SqlTokenStore(postgres_url)
    asking = sqlalchemy.text("SELECT pg_backend_pid()")
    with store._current().connect() as connection:
        mine = connection.scalar(asking)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with store._current().connect() as connection:
                code = 2 if connection.scalar(asking) == mine else 0
            store.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with store._current().connect() as connection:
        assert connection.scalar(asking) == mine
    store.close()


def test_a_driver_that_tells_the_row_on_one_line_is_not_repeated(tmp_path: Path) -> None:
    """pg8000 puts all that PostgreSQL said into one mapping, the row with the token among it."""
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/app.db")
    store = SqlTokenStore(engine)
    store.save("app", Token("a"))
    said = {"S": "ERROR", "M": "it violates a rule", "D": "Failing row contains (planted-secret)"}

    def refuse(*_: object) -> None:
        raise sqlalchemy.exc.DBAPIError("INSERT", {}, RuntimeError(said))

    sqlalchemy.event.listen(engine, "before_cursor_execute", refuse)
    with pytest.raises(StoreError, match="RuntimeError: it violates a rule\n") as caught:
        store.save("app", Token("planted-secret"))

    assert "planted" not in f"{caught.value!r} {caught.value.__cause__!r}"
    engine.dispose()


def test_it_refuses_to_be_pickled(store: SqlTokenStore) -> None:
    """No password gets into a queue of jobs."""
    with pytest.raises(TypeError, match="StackSpec"):
        pickle.dumps(store)
