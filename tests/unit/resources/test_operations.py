"""Operations: a stub and a verb, over a real stack and a server on loopback."""

# mypy: disable-error-code="empty-body"

from __future__ import annotations

import datetime as dt
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from sessionkit import ApiClient, SessionStack
from sessionkit.errors import ConfigError, InvalidRequest, MappingError, UnexpectedStatus
from sessionkit.paging import NextUrl, Pages
from sessionkit.resources import (
    UNSET,
    Collection,
    UnsetType,
    delete,
    get,
    patch,
    post,
    put,
)
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse


@dataclass
class User:
    """What the server knows of."""

    name: str
    born: dt.date | None = None


@dataclass
class Change:
    """A body of its own type."""

    name: str | UnsetType = UNSET
    born: dt.date | UnsetType | None = UNSET


class Teams(Collection[User]):
    """A collection with operations of its own."""

    @get("")
    def everything(self, *, deep: bool = False) -> dict[str, Any]: ...

    @get("/{key}/lead")
    def lead(self, key: str) -> User: ...


class Api(ApiClient):
    """Has an operation of every kind."""

    teams = Teams(User, "teams")

    @get("users/{name}")
    def user(self, name: str, *, since: dt.date | None = None) -> User: ...

    @get("users")
    def users(self, *, tags: list[str] | None = None, active: bool | None = None) -> list[User]: ...

    @get("users", items="rows", paginator=NextUrl("next"))
    def walk(self, size: int = 2) -> Pages[User]: ...

    @get("users")
    def loose_walk(self) -> Pages[Any]: ...

    @get("users/{name}", expect=(200, 404))
    def maybe(self, name: str) -> User | None: ...

    @get("users/{name}")
    def raw(self, name: str) -> requests.Response: ...

    @get("users/{name}", expect=200)
    def raw_if_found(self, name: str) -> requests.Response: ...

    @get("count", item="/meta/count")
    def count(self) -> int: ...

    @get("range?unit=day")
    def between(self, from_: dt.date, to: dt.date) -> dict[str, Any]: ...

    @post("users")
    def add(self, name: str, born: dt.date | UnsetType | None = UNSET) -> User: ...

    @post("users")
    def ping(self) -> None: ...

    @post("users", expect=201)
    def add_all(self, body: list[User], notify: bool = False) -> None: ...

    @patch("users/{name}")
    def change(self, name: str, body: Change) -> User: ...

    @put("users/{name}")
    def put(self, name: str, born: dt.date) -> None: ...

    @delete("users/{name}")
    def drop(self, name: str, *, force: bool = False) -> None: ...

    @delete("users")
    def drop_all(self, body: list[str] | None = None) -> None: ...

    @post("users")
    def checked(self, name: str) -> User:
        """Add a user with a name."""
        if not name:
            raise ValueError("a user has a name")
        raise NotImplementedError

    @post("users")
    def unfinished(self, name: str) -> None:
        """Look deeper for its checks."""
        _check_that_is_not_there()


def _check_that_is_not_there() -> None:
    raise NotImplementedError("later")


class Answers:
    """A server whose next answers a test lays down; by default a user."""

    def __init__(self) -> None:
        self.replies: list[ServerResponse] = []

    def __call__(self, seen: ServerRequest) -> ServerResponse:
        """Answer with the next reply."""
        return self.replies.pop(0) if self.replies else ServerResponse(200, {"name": "ann"})


@pytest.fixture
def answers() -> Answers:
    """Return what the server answers."""
    return Answers()


@pytest.fixture
def server(answers: Answers) -> Iterator[LoopbackServer]:
    """Start the server."""
    with LoopbackServer(answers) as server:
        yield server


@pytest.fixture
def api(server: LoopbackServer) -> Iterator[Api]:
    """Return a client over a plain session."""
    with requests.Session() as session:
        yield Api(session, f"{server.origin}/v1")


def test_arguments_of_the_template_go_into_the_path(api: Api, server: LoopbackServer) -> None:
    """Each is one quoted segment, by position or by name, appended to the base path."""
    assert api.user("a/b c") == User("ann")
    assert api.user(name="..x") == User("ann")

    assert [seen.path for seen in server.requests] == ["/v1/users/a%2Fb%20c", "/v1/users/..x"]


def test_other_arguments_of_a_get_go_into_the_query(api: Api, server: LoopbackServer) -> None:
    """Dates, lists and booleans are written as servers read them; None is left out."""
    api.user("ann", since=dt.date(2026, 1, 2))
    api.user("ann")
    api.between(dt.date(2026, 1, 2), to=dt.date(2026, 2, 3))
    api.drop("ann", force=True)

    queries = [seen.query for seen in server.requests]
    assert queries == [
        {"since": ["2026-01-02"]},
        {},
        {"unit": ["day"], "from": ["2026-01-02"], "to": ["2026-02-03"]},
        {"force": ["true"]},
    ]
    assert all(not seen.body for seen in server.requests)


def test_other_arguments_of_a_post_are_the_members_of_its_body(
    api: Api, server: LoopbackServer
) -> None:
    """None is null, UNSET is nothing, and without arguments there is no body."""
    api.add("bob")
    api.add("bob", None)
    api.add("bob", born=dt.date(2026, 1, 2))
    api.put("bob", born=dt.date(2026, 1, 2))
    api.ping()

    bodies = [json.loads(seen.body) if seen.body else None for seen in server.requests]
    assert bodies == [
        {"name": "bob"},
        {"name": "bob", "born": None},
        {"name": "bob", "born": "2026-01-02"},
        {"born": "2026-01-02"},
        None,
    ]
    assert server.requests[0].headers["content-type"] == "application/json"
    assert "content-type" not in server.requests[-1].headers


def test_an_argument_called_body_is_the_whole_body(
    api: Api, server: LoopbackServer, answers: Answers
) -> None:
    """Lists and objects of any type can be sent, and the others go into the query."""
    answers.replies = [ServerResponse(201, b"")]
    api.add_all([User("a"), User("b", dt.date(2026, 1, 2))], notify=True)
    api.change("ann", Change(born=None))
    api.drop_all(["a"])
    api.drop_all()

    first, second, third, last = server.requests
    assert json.loads(first.body) == [
        {"name": "a", "born": None},
        {"name": "b", "born": "2026-01-02"},
    ]
    assert first.query == {"notify": ["true"]}
    assert (second.method, json.loads(second.body)) == ("PATCH", {"born": None})
    assert (third.method, json.loads(third.body)) == ("DELETE", ["a"])
    assert last.body == b""


def test_the_return_annotation_decides_what_comes_back(api: Api, answers: Answers) -> None:
    """Objects, lists, parts of a document, nothing: the signature is the truth."""
    answers.replies = [
        ServerResponse(200, {"name": "ann", "born": "2026-01-02"}),
        ServerResponse(200, {"results": [{"name": "ann"}, {"name": "bob"}]}),
        ServerResponse(200, {"meta": {"count": 5}}),
        ServerResponse(200, {"anything": 1}),
    ]

    assert api.user("ann") == User("ann", dt.date(2026, 1, 2))
    assert api.users(tags=["a", "b"], active=True) == [User("ann"), User("bob")]
    assert api.count() == 5
    assert api.put("ann", dt.date(2026, 1, 2)) is None


def test_pages_are_walked_lazily(api: Api, answers: Answers, server: LoopbackServer) -> None:
    """A listing of any length is one typed iterable."""
    answers.replies = [
        ServerResponse(200, {"rows": [{"name": "a"}], "next": "/v1/users?size=2&page=2"}),
        ServerResponse(200, {"rows": [{"name": "b"}], "next": None}),
        ServerResponse(200, [{"any": 1}]),
    ]

    walk = api.walk()
    assert server.requests == []
    assert list(walk) == [User("a"), User("b")]
    assert server.requests[0].query == {"size": ["2"]}
    assert list(api.loose_walk()) == [{"any": 1}]


def test_none_stands_for_an_answer_without_an_object(api: Api, answers: Answers) -> None:
    """``User | None`` is None for an empty body and for an expected 404."""
    answers.replies = [
        ServerResponse(404, {"detail": "no"}),
        ServerResponse(200, b""),
        ServerResponse(200, {"name": "a"}),
    ]

    assert api.maybe("a") is None
    assert api.maybe("a") is None
    assert api.maybe("a") == User("a")


def test_a_response_is_handed_over_as_it_is(api: Api, answers: Answers) -> None:
    """Who asks for the response gets it, an error too, unless statuses were named."""
    answers.replies = [ServerResponse(404, {"detail": "no"}), ServerResponse(404, {"detail": "no"})]

    response = api.raw("a")
    assert type(response) is requests.Response
    assert response.status_code == 404
    with pytest.raises(UnexpectedStatus, match=r"^GET /v1/users/a 404: expected 200"):
        api.raw_if_found("a")
    assert api.raw_if_found("a").json() == {"name": "ann"}


def test_the_body_of_a_stub_runs_before_anything_is_sent(api: Api, server: LoopbackServer) -> None:
    """A check that refuses costs no round trip, and one that passes is not in the way."""
    with pytest.raises(ValueError, match="a user has a name"):
        api.checked("")
    assert server.requests == []

    assert api.checked("bob") == User("ann")


def test_a_check_that_is_not_written_yet_does_not_pass(api: Api, server: LoopbackServer) -> None:
    """Only the stub's own last line means "send it"."""
    with pytest.raises(NotImplementedError, match="later"):
        api.unfinished("bob")

    assert server.requests == []


def test_a_wrong_call_fails_as_for_any_method(api: Api, server: LoopbackServer) -> None:
    """Missing and unknown arguments are the TypeError that Python gives."""
    with pytest.raises(TypeError, match="name"):
        api.user()  # type: ignore[call-arg]  # wrong on purpose
    with pytest.raises(TypeError, match="colour"):
        api.user("a", colour="red")  # type: ignore[call-arg]  # wrong on purpose
    with pytest.raises(InvalidRequest, match="name is missing"):
        api.user("")

    assert server.requests == []


def test_a_bad_answer_names_its_problems(api: Api, answers: Answers) -> None:
    """The place, the model and the answer are all in the error."""
    answers.replies = [ServerResponse(200, {"name": 5})]

    with pytest.raises(MappingError, match="fit User: /name: expected text") as caught:
        api.user("a")
    assert caught.value.status == 200


def test_a_collection_has_operations_below_its_path(api: Api, server: LoopbackServer) -> None:
    """The template of a collection's operation starts where the collection is."""
    api.teams.everything(deep=True)
    api.teams.lead("a/b")

    assert [seen.path for seen in server.requests] == ["/v1/teams", "/v1/teams/a%2Fb/lead"]


def test_a_stub_keeps_its_name_its_text_and_its_signature() -> None:
    """``help()`` and editors show what was written."""
    assert Api.checked.__name__ == "checked"
    assert Api.checked.__doc__ == "Add a user with a name."
    assert str(inspect.signature(Api.user)) == (
        "(self, name: 'str', *, since: 'dt.date | None' = None) -> 'User'"
    )


def test_operations_work_on_anything_that_has_a_stack(server: LoopbackServer) -> None:
    """The base class is a convenience; what is needed is a stack and a codec."""

    class Bare:
        def __init__(self, stack: SessionStack) -> None:
            self.stack = stack
            self.codec = Api.codec

        @get("users/{name}")
        def user(self, name: str) -> User: ...

    with requests.Session() as session:
        assert Bare(SessionStack(session, base_url=server.origin)).user("a") == User("ann")


def _without_self() -> None: ...


def _without_argument(self: Any) -> None: ...


def _without_annotation(self: Any, key) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001  # that is what is tested


def _without_return(self: Any, key: int): ...  # type: ignore[no-untyped-def]  # noqa: ANN202  # that is what is tested


def _with_all(self: Any, key: int, *more: int) -> None: ...


def _with_any(self: Any, key: int, **more: int) -> None: ...


async def _later(self: Any, key: int) -> None: ...


@pytest.mark.parametrize(
    ("stub", "said"),
    [
        (_without_self, "needs self"),
        (_without_argument, "names key, which no argument brings"),
        (_without_annotation, "the argument key has no annotation"),
        (_without_return, "a return annotation says"),
        (_with_all, r"\*more hides what is sent"),
        (_with_any, r"\*more hides what is sent"),
        (_later, "a plain method"),
        (5, "a plain method"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_at_once(stub: Any, said: str) -> None:
    """The class is not even made, and the message names the method."""
    with pytest.raises(ConfigError, match=said) as caught:
        get("users/{key}")(stub)

    assert str(caught.value).startswith(getattr(stub, "__name__", "5"))


@pytest.mark.parametrize("verb", [get, post, put, patch, delete])
def test_every_verb_checks_its_settings(verb: Any) -> None:
    """A path that leads elsewhere, a status that is none, a place that is none: all at once."""

    def stub(self: Any) -> None: ...

    for arguments in ({"expect": 20}, {"item": "/~5"}, {"items": "/~5"}):
        with pytest.raises(ConfigError):
            verb("users", **arguments)(stub)
    with pytest.raises(ConfigError):
        verb("https://other.example/users")(stub)


@pytest.mark.parametrize("verb", [get, post, put, patch, delete])
def test_a_verb_without_its_path_is_refused_where_it_stands(verb: Any) -> None:
    """Forgotten parentheses show when the class is written, not as an odd call later."""

    def task(self: Any, key: int) -> None: ...

    name = verb.__name__
    with pytest.raises(ConfigError, match=rf"^@{name} needs a path: @{name}\('tasks/{{id}}/'\)"):
        verb(task)
