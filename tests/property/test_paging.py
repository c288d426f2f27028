"""The laws of paging: a walk is the whole list, headers read back, hostile text is only text."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urljoin

import pytest
import requests
from hypothesis import example, given, strategies as st

from sessionkit._origins import origin_of
from sessionkit.errors import CrossOriginPage, PagingError, SessionKitError
from sessionkit.headers._link import Link, parse_links
from sessionkit.paging import (
    Cursor,
    LinkHeader,
    NextUrl,
    Offset,
    PageNumber,
    PageRequest,
    Pages,
    Paginator,
)
from sessionkit.paging._loop_guard import LoopGuard
from sessionkit.paging._paths import find, pointer_to, replaced
from sessionkit.paging._walk import WalkOptions
from tests.support.servers.paged import BASE, Ask, Paper, Sender, respond

# -- A walk is the whole list ----------------------------------------------------------------------

ROWS = st.lists(st.integers() | st.text() | st.none() | st.booleans(), max_size=40)


class Shelf:
    """A server of any list, in any number of rows a page, in every style."""

    def __init__(self, rows: list[Any], size: int) -> None:
        self.rows = rows
        self.size = size

    def _slice(self, place: int, size: int | None = None) -> tuple[list[Any], int | None]:
        end = place + min(size or self.size, self.size)
        return self.rows[place:end], end if end < len(self.rows) else None

    def by_link(self, ask: Ask) -> Paper:
        rows, end = self._slice(int(ask.query.get("at", 0)))
        return Paper(rows, headers={} if end is None else {"Link": f'<?at={end}>; rel="next"'})

    def by_next(self, ask: Ask) -> Paper:
        rows, end = self._slice(int(ask.query.get("at", 0)))
        return Paper({"results": rows, "next": None if end is None else f"?at={end}"})

    def by_cursor(self, ask: Ask) -> Paper:
        rows, end = self._slice(int(ask.query.get("cursor", 0)))
        return Paper({"data": rows, "next_cursor": end})

    def by_body(self, ask: Ask) -> Paper:
        rows, end = self._slice(ask.body.get("after", 0))
        return Paper({"data": rows, "last": end})

    def by_header(self, ask: Ask) -> Paper:
        rows, end = self._slice(int(ask.query.get("cursor", 0)))
        return Paper(rows, headers={} if end is None else {"X-Next": str(end)})

    def by_number(self, ask: Ask) -> Paper:
        size = min(int(ask.query.get("per_page", self.size)), self.size)
        rows, _ = self._slice((int(ask.query["page"]) - 1) * size, size)
        return Paper({"items": rows, "pages": -(-len(self.rows) // size), "n": len(self.rows)})

    def by_offset(self, ask: Ask) -> Paper:
        size = min(int(ask.query.get("limit", self.size)), self.size)
        rows, _ = self._slice(int(ask.query["offset"]), size)
        return Paper({"items": rows, "n": len(self.rows)})


STYLES: list[tuple[str, Paginator]] = [
    ("by_link", LinkHeader()),
    ("by_next", NextUrl()),
    ("by_cursor", Cursor()),
    ("by_body", Cursor("last", body="after")),
    ("by_header", Cursor(header="X-Next")),
    ("by_number", PageNumber()),
    ("by_number", PageNumber(total_pages="/pages")),
    ("by_number", PageNumber(page_size=7, total="/n")),
    ("by_offset", Offset()),
    ("by_offset", Offset(7, total="/n")),
]


@pytest.mark.parametrize(("style", "paginator"), STYLES, ids=str)
@given(rows=ROWS, size=st.integers(1, 12))
def test_a_walk_is_the_whole_list(
    style: str, paginator: Paginator, rows: list[Any], size: int
) -> None:
    """Whatever the list, the size of a page and the style: nothing is missing, doubled or moved."""
    sender = Sender(getattr(Shelf(rows, size), style))
    pages: Pages[Any] = Pages(sender, PageRequest("orders"), options=WalkOptions(paginator))

    assert list(pages) == rows
    assert pages.stop_reason == "end"
    assert len(sender.requests) <= len(rows) // min(size, 7) + 2


@pytest.mark.parametrize(("style", "paginator"), STYLES, ids=str)
@given(rows=ROWS, size=st.integers(1, 12), max_items=st.integers(0, 45))
def test_a_limit_is_the_head_of_the_list(
    style: str, paginator: Paginator, rows: list[Any], *, size: int, max_items: int
) -> None:
    """A max_items gives the first rows, and asks for no page that it does not need."""
    sender = Sender(getattr(Shelf(rows, size), style))
    pages: Pages[Any] = Pages(
        sender, PageRequest("orders"), options=WalkOptions(paginator, max_items=max_items)
    )

    assert list(pages) == rows[:max_items]
    if max_items <= len(rows):
        assert len(sender.requests) == -(
            -max_items // (min(size, 7) if "7" in repr(paginator) else size)
        )


@given(rows=ROWS, size=st.integers(1, 12), most=st.integers(1, 8))
def test_a_ceiling_of_pages_is_a_ceiling_of_requests(rows: list[Any], size: int, most: int) -> None:
    """Never is more asked for than was allowed, and the walk tells whether that was all."""
    sender = Sender(Shelf(rows, size).by_next)
    pages: Pages[Any] = Pages(
        sender, PageRequest("orders"), options=WalkOptions(NextUrl(), max_pages=most)
    )

    assert list(pages) == rows[: size * most]
    assert len(sender.requests) <= most
    assert (pages.stop_reason == "end") is (len(rows) <= size * most)


@given(successors=st.lists(st.integers(0, 9), min_size=10, max_size=10))
def test_every_walk_ends(successors: list[int]) -> None:
    """Whichever page a server sends us to after each one, no page is asked for twice."""

    def page(ask: Ask) -> Paper:
        number = int(ask.query.get("cursor", 0))
        return Paper({"items": [number], "next_cursor": successors[number]})

    sender = Sender(page)
    with pytest.raises(PagingError):
        list(Pages[int](sender, PageRequest("orders"), options=WalkOptions(Cursor(start=0))))

    assert len({ask.url for ask in sender.asks}) == len(sender.asks) <= 10


# -- Link headers ----------------------------------------------------------------------------------

TARGETS = st.text(st.characters(exclude_characters=">", codec="latin-1"), max_size=20)
VALUES = st.text(st.characters(codec="latin-1"), max_size=20)
NAMES = st.from_regex(r"[a-z][a-z0-9*!#$&+.^_`|~-]{0,9}", fullmatch=True)
RELATIONS = st.from_regex(r"[a-z][a-z0-9.-]{0,9}", fullmatch=True)


@st.composite
def links(draw: st.DrawFn) -> Link:
    """Any link, its relations among its parameters."""
    other = NAMES.filter(lambda name: name not in {"rel", "anchor"})
    parameters = draw(st.lists(st.tuples(other, VALUES), max_size=3))
    relations = tuple(draw(st.lists(RELATIONS, max_size=3)))
    if relations:
        parameters.append(("rel", " ".join(relations)))
    anchor = draw(st.none() | VALUES)
    if anchor is not None:
        parameters.append(("anchor", anchor))
    return Link(draw(TARGETS), relations, anchor, tuple(draw(st.permutations(parameters))))


def written(link: Link, gap: str) -> str:
    """Write a link as RFC 8288, section 3, has it."""
    parts = [f"<{link.target}>"]
    for name, value in link.parameters:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        parts.append(f'{name}{gap}={gap}"{escaped}"')
    return f"{gap};{gap}".join(parts)


@given(st.lists(links(), max_size=4), st.sampled_from(["", " ", "\t "]))
def test_what_is_written_reads_back(given_links: list[Link], gap: str) -> None:
    """Every link that can be written is found, whole and in order."""
    text = f"{gap},{gap}".join(written(link, gap) for link in given_links)

    assert parse_links(text) == given_links


@given(st.text() | st.text('<>;,="\\ \tarel-next', max_size=200))
@example('<a>;rel="next')
@example("<" * 50)
def test_no_text_makes_the_parser_fail(text: str) -> None:
    """A server cannot stop a program by what it writes into a header."""
    for link in parse_links(text):
        assert link.target in text
        assert all(relation == relation.lower() for relation in link.relations)


# -- Hostile servers -------------------------------------------------------------------------------

# Half a surrogate pair is no text, but JSON can hold it.
TEXTS = st.text() | st.text(st.sampled_from("\ud800a/?"), max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["next", "links", "href", "items", "meta", "next_cursor", "total", "count"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("paginator", [style[1] for style in STYLES], ids=str)
@given(body=JSON, link=st.text(st.characters(codec="latin-1"), max_size=30))
def test_no_document_raises_anything_but_ours(paginator: Paginator, body: Any, link: str) -> None:
    """Whatever a server answers, ``except SessionKitError`` is enough."""
    sender = Sender(lambda _: Paper(body, headers={"Link": link, "X-Next": link}))
    pages: Pages[Any] = Pages(
        sender, PageRequest("orders"), options=WalkOptions(paginator, max_pages=3)
    )

    try:
        list(pages)
    except SessionKitError as error:
        assert str(error)  # noqa: PT017  # most documents are no error at all


PIECES = st.sampled_from(
    [
        *("https:", "http:", "//", "/", "\\", "@", ":", "?", "#", ".", "[", "]", "443", "user"),
        *("api.example", "evil.example", "v1", "..", "%2f", "%40", " ", "\t", "\n", "\ud800", "。"),
    ]
)


@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=20))
def test_what_is_admitted_is_asked_at_home(reference: str) -> None:
    """However a link is put together, requests would send it to the origin of the first page."""
    guard = LoopGuard("orders")
    request = requests.Request("GET", BASE + "orders").prepare()
    guard.record(guard.check(PageRequest("orders"), 1), respond(Paper([]), request), 1)

    try:
        following = guard.check(PageRequest(reference), 2)
    except (CrossOriginPage, PagingError):
        return
    if following.url == "orders":
        return
    sent = requests.Request("GET", following.url).prepare().url
    assert sent is not None
    assert origin_of(sent) == "https://api.example:443"
    assert "@" not in sent.split("/")[2]


# -- Places ----------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4), JSON)
def test_what_is_put_at_a_place_is_found_there(keys: list[str], value: Any) -> None:
    """Pointers and tuples name the same place, for reading and for writing."""
    document = replaced({}, tuple(keys), value)

    assert find(document, tuple(keys)) == value
    assert find(document, pointer_to(keys)) == value


@given(st.text(max_size=10), st.text(max_size=10))
def test_a_joined_reference_is_what_the_standard_library_makes_of_it(path: str, query: str) -> None:
    """A plain relative link goes where every other program would go."""
    reference = f"{quote(path)}?q={quote(query)}"
    guard = LoopGuard("orders")
    request = requests.Request("GET", BASE + "orders").prepare()
    guard.record(guard.check(PageRequest("orders"), 1), respond(Paper([]), request), 1)

    try:
        following = guard.check(PageRequest(reference), 2)
    except CrossOriginPage:
        assert reference.startswith("//")
        return
    assert following.url == urljoin(BASE + "orders", reference)
