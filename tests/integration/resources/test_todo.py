"""The to-do client of ``examples/todo.py`` against a to-do service on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from examples import todo as example
from examples.todo import Task, Todo
from sessionkit import SessionStack, recommended
from sessionkit.errors import NotFound, UnexpectedStatus
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse


@dataclass
class Service:
    """The article's service: a list without descriptions, a POST that answers with the id only."""

    tasks: dict[int, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    created: int = 201

    def answer(self, seen: ServerRequest) -> ServerResponse:
        """Answer one request."""
        with self.lock:
            if seen.path == "/api/tasks/":
                return self.add(json.loads(seen.body)) if seen.method == "POST" else self.listing()
            number = int(seen.path.removeprefix("/api/tasks/").removesuffix("/"))
            if number not in self.tasks:
                return ServerResponse(404, {"detail": "no such task"})
            return self.one(seen, number)

    def listing(self) -> ServerResponse:
        """All tasks, without their descriptions."""
        rows = [{"id": n, "summary": task["summary"]} for n, task in self.tasks.items()]
        return ServerResponse(200, rows)

    def add(self, task: dict[str, Any]) -> ServerResponse:
        """A new task; only its number comes back."""
        number = len(self.tasks)
        self.tasks[number] = task
        return ServerResponse(self.created, {"id": number})

    def one(self, seen: ServerRequest, number: int) -> ServerResponse:
        """One task: shown, changed or taken off."""
        if seen.method == "DELETE":
            del self.tasks[number]
        elif seen.method == "PUT":
            self.tasks[number] = json.loads(seen.body)
        else:
            return ServerResponse(200, {"id": number, **self.tasks[number]})
        return ServerResponse(200, b"")


@pytest.fixture
def service() -> Service:
    """Return the state of a service."""
    return Service()


@pytest.fixture
def server(service: Service) -> Iterator[LoopbackServer]:
    """Start the service."""
    with LoopbackServer(service.answer) as server:
        yield server


@pytest.fixture
def todo(server: LoopbackServer) -> Iterator[Todo]:
    """Return a client that raises, times and retries as recommended."""
    with requests.Session() as session:
        yield Todo(SessionStack(session, recommended(), base_url=f"{server.origin}/api/"))


def test_all_five_functions_of_the_article_work(todo: Todo) -> None:
    """Twenty lines of SDK do what the article does by hand, with objects in place of responses."""
    number = todo.add_task("Buy milk", "Two litres.")
    second = todo.add_task("Sleep")

    assert (number, second) == (0, 1)
    assert todo.get_tasks() == [Task(0, "Buy milk"), Task(1, "Sleep")]
    assert todo.describe_task(number) == Task(0, "Buy milk", "Two litres.")

    todo.update_task(number, summary="Buy bread", description="One loaf.")
    assert todo.describe_task(number) == Task(0, "Buy bread", "One loaf.")

    todo.task_done(second)
    assert todo.get_tasks() == [Task(0, "Buy bread")]


def test_what_goes_out_is_what_the_article_sends(todo: Todo, server: LoopbackServer) -> None:
    """The service sees both texts as JSON, slashes at the end, and no body where none belongs."""
    todo.add_task("Buy milk")
    todo.task_done(0)

    added, done = server.requests
    assert (added.method, added.path) == ("POST", "/api/tasks/")
    assert json.loads(added.body) == {"summary": "Buy milk", "description": ""}
    assert (done.method, done.path, done.body) == ("DELETE", "/api/tasks/0/", b"")


@pytest.mark.parametrize("summary", ["x" * 120, "two\nlines"])
def test_a_bad_summary_never_leaves_the_house(
    todo: Todo, server: LoopbackServer, summary: str
) -> None:
    """What the service would refuse is refused at once, in adding and in changing."""
    with pytest.raises(ValueError, match="one line of less than 120"):
        todo.add_task(summary)
    with pytest.raises(ValueError, match="one line of less than 120"):
        todo.update_task(0, summary, "")

    assert server.requests == []


def test_the_longest_summary_is_sent(todo: Todo, service: Service) -> None:
    """The limit is where the article has it: 119 characters are fine."""
    todo.add_task("x" * 119)

    assert service.tasks[0]["summary"] == "x" * 119


def test_a_missing_task_is_not_found(todo: Todo) -> None:
    """The error has a class to catch, and says which call it was."""
    with pytest.raises(NotFound) as caught:
        todo.describe_task(7)

    assert caught.value.status == 404
    assert "/api/tasks/7/" in str(caught.value)


def test_without_handlers_the_status_is_checked_all_the_same(server: LoopbackServer) -> None:
    """A client over a plain session still raises; its text starts with verb, path and status."""
    with requests.Session() as session:
        todo = Todo(session, f"{server.origin}/api/")
        with pytest.raises(UnexpectedStatus, match=r"^GET /api/tasks/7/ 404: expected 200"):
            todo.describe_task(7)


def test_another_success_than_the_article_expects_is_an_error(todo: Todo, service: Service) -> None:
    """``expect=201`` holds to the letter: a 200 in answer to a POST is no creation."""
    service.created = 200

    with pytest.raises(UnexpectedStatus, match=r"^POST /api/tasks/ 200: expected 201"):
        todo.add_task("Buy milk")


def test_the_example_runs_as_a_program(
    server: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the file shows is what it does."""
    example.main(f"{server.origin}/api/")

    assert capsys.readouterr().out == "   0  Write a client\nIn about twenty lines.\n"
