"""A client for the to-do service of Real Python's article on API clients, as a typed SDK.

Run it against such a service: ``python examples/todo.py http://127.0.0.1:8000/``
"""

# mypy: disable-error-code="empty-body"
# The decorators below are what a stub returns; checkers cannot know.

from __future__ import annotations

import sys
from dataclasses import dataclass

from sessionkit import ApiClient
from sessionkit.resources import delete, get, post, put


@dataclass(frozen=True)
class Task:
    """Something to do; only :meth:`Todo.describe_task` knows its description."""

    id: int
    summary: str
    description: str = ""


class Todo(ApiClient):
    """The to-do service."""

    @get("tasks/", expect=200)
    def get_tasks(self) -> list[Task]:
        """Return all tasks."""

    @get("tasks/{task_id}/", expect=200)
    def describe_task(self, task_id: int) -> Task:
        """Return one task, with its description."""

    @post("tasks/", expect=201, item="id")
    def add_task(self, summary: str, description: str = "") -> int:  # noqa: ARG002  # it is sent
        """Add a task and return its number."""
        check_summary(summary)
        raise NotImplementedError

    @delete("tasks/{task_id}/", expect=200)
    def task_done(self, task_id: int) -> None:
        """Take a task off the list."""

    @put("tasks/{task_id}/", expect=200)
    def update_task(self, task_id: int, summary: str, description: str) -> None:  # noqa: ARG002  # read by the decorator
        """Change both texts of a task."""
        check_summary(summary)


def check_summary(summary: str) -> None:
    """Refuse, before anything is sent, what the service would refuse."""
    if len(summary) >= 120 or "\n" in summary:
        raise ValueError("a summary is one line of less than 120 characters")


def main(base_url: str) -> None:
    """Add a task, show the list, tick the task off."""
    with Todo(base_url=base_url) as todo:
        number = todo.add_task("Write a client", "In about twenty lines.")
        for task in todo.get_tasks():
            print(f"{task.id:4}  {task.summary}")
        print(todo.describe_task(number).description)
        todo.task_done(number)


if __name__ == "__main__":
    main(sys.argv[1])
