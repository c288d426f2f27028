"""How a document holds objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from requests import Response

from sessionkit.errors import ConfigError, DecodeError, MappingError, PaginationNotDetected
from sessionkit.mapping import Loader
from sessionkit.resources import PlainJson


@dataclass
class Product:
    """What the documents hold."""

    id: int
    name: str = ""


ONE = Loader(Product)
MANY: Loader[list[Product]] = Loader(list[Product])


def answer(body: bytes) -> Response:
    """Return an answer with *body*."""
    response = Response()
    response.status_code = 200
    response._content = body
    response.url = "http://127.0.0.1/products"
    return response


def test_a_bare_document_is_the_object() -> None:
    """One object comes back as one object, not as a list."""
    assert PlainJson().one(answer(b'{"id": 1, "name": "bag"}'), ONE) == Product(1, "bag")


@pytest.mark.parametrize("place", ["data", "/data", ("data",)])
def test_an_object_is_taken_out_of_its_envelope(place: Any) -> None:
    """The place is written in any of the three ways that paging has, too."""
    assert PlainJson(item=place).one(answer(b'{"data": {"id": 1}}'), ONE) == Product(1)


def test_problems_are_named_by_their_place_in_the_document() -> None:
    """The pointer leads to the value in the document that came, envelope included."""
    with pytest.raises(MappingError) as caught:
        PlainJson(item="data").one(answer(b'{"data": {"id": "1"}}'), ONE)

    assert [problem.pointer for problem in caught.value.problems] == ["/data/id"]
    assert caught.value.status == 200
    assert caught.value.response is not None


def test_an_envelope_without_the_object_says_so() -> None:
    """The message names the place that was looked at, the hint what to do."""
    with pytest.raises(MappingError, match="nothing at item='data'") as caught:
        PlainJson(item="data").one(answer(b"{}"), ONE)

    assert caught.value.problems[0].message == "nothing stands at 'data'"


@pytest.mark.parametrize("body", [b"", b"<html>", b"{"])
def test_a_body_that_is_no_json_brings_its_answer_along(body: bytes) -> None:
    """The status and the answer are at hand to see what came in its place."""
    for codec in (PlainJson(), PlainJson(item="data")):
        with pytest.raises(DecodeError) as caught:
            codec.one(answer(body), ONE)
        assert caught.value.status == 200


@pytest.mark.parametrize(
    ("codec", "body"),
    [
        (PlainJson(), b'[{"id": 1}, {"id": 2}]'),
        (PlainJson(), b'{"results": [{"id": 1}, {"id": 2}], "count": 2}'),
        (PlainJson(items="/page/rows"), b'{"page": {"rows": [{"id": 1}, {"id": 2}]}}'),
        (PlainJson(items=lambda document: document.values()), b'{"a": {"id": 1}, "b": {"id": 2}}'),
    ],
)
def test_several_objects_are_found_where_listings_have_them(codec: PlainJson, body: bytes) -> None:
    """Bare lists and the usual envelopes need no words; others are named once."""
    assert codec.many(answer(body), MANY) == [Product(1), Product(2)]


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"results": null}'])
def test_nothing_is_an_empty_list(body: bytes) -> None:
    """Every way that servers have to say "none" means none."""
    assert PlainJson().many(answer(body), MANY) == []


def test_problems_of_all_items_come_at_once() -> None:
    """A bad page is understood from one error, in which each item has its place."""
    with pytest.raises(MappingError) as caught:
        PlainJson().many(answer(b'{"data": [{"id": 1}, {}, {"id": null}]}'), MANY)

    assert [problem.pointer for problem in caught.value.problems] == ["/data/1/id", "/data/2/id"]


def test_a_document_without_a_list_lists_what_there_is() -> None:
    """The error has the answer, and names the lists that could be meant."""
    with pytest.raises(PaginationNotDetected, match="'/a'") as caught:
        PlainJson().many(answer(b'{"a": [], "b": []}'), MANY)

    assert caught.value.status == 200


@pytest.mark.parametrize(
    ("codec", "body", "members"),
    [
        (PlainJson(), b"", None),
        (PlainJson(), b'{"id": 1}', {"id": 1}),
        (PlainJson(item="data"), b'{"data": {"id": 1}}', {"id": 1}),
        (PlainJson(item="data"), b'{"ok": true}', None),
    ],
)
def test_members_of_a_partial_answer_are_read_without_a_type(
    codec: PlainJson, body: bytes, members: Any
) -> None:
    """An answer to a write may be all, part or nothing of the object."""
    assert codec.members(answer(body)) == members


@pytest.mark.parametrize("places", [{"item": "/~2"}, {"items": 5}, {"items": "/~"}])
def test_what_is_no_place_is_refused_at_declaration(places: dict[str, Any]) -> None:
    """A slip in a pointer does not wait for the first answer."""
    with pytest.raises(ConfigError):
        PlainJson(**places)
