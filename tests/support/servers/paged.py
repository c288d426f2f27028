"""Stands in for a stack that pages: real responses without a socket, and every request kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from sessionkit.paging import PageRequest, PageResponse

BASE = "https://api.example/v1/"


@dataclass(frozen=True)
class Paper:
    """A response; bytes go out as they are, everything else as JSON.

    Args:
        url: Where redirects ended; None for no redirect.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None


@dataclass(frozen=True)
class Ask:
    """A request as the server sees it."""

    method: str
    url: str
    query: dict[str, str]
    body: Any


class Sender:
    """Send page requests to a function; relative URLs are appended to the base, as a stack does."""

    def __init__(self, serve: Callable[[Ask], Paper]) -> None:
        self.requests: list[PageRequest] = []
        self.asks: list[Ask] = []
        self._serve = serve

    def __call__(self, page_request: PageRequest) -> requests.Response:
        url = page_request.url if "://" in page_request.url else BASE + page_request.url.lstrip("/")
        request = requests.Request(
            page_request.method,
            url,
            params=page_request.params,
            json=page_request.json,
            headers=dict(page_request.headers or {}),
        ).prepare()
        sent = request.url or ""
        query = {name: values[-1] for name, values in parse_qs(urlsplit(sent).query).items()}
        self.requests.append(page_request)
        self.asks.append(Ask(page_request.method, sent, query, page_request.json))
        return respond(self._serve(self.asks[-1]), request)

    @property
    def urls(self) -> list[str]:
        """The URLs asked for so far, queries included."""
        return [ask.url for ask in self.asks]


def in_turn(*papers: Paper) -> Sender:
    """Answer each request with the next of *papers*."""
    left = iter(papers)
    return Sender(lambda _: next(left))


def respond(paper: Paper, request: requests.PreparedRequest | None = None) -> requests.Response:
    """Make the response that requests would."""
    request = request or requests.Request("GET", BASE + "orders").prepare()
    response = _response(paper, request)
    if paper.url is not None:
        response.history = [_response(Paper(status=302), request)]
        response.request = requests.Request(request.method or "GET", paper.url).prepare()
        response.url = paper.url
    return response


def page_response(
    body: Any = None,
    *,
    rows: list[Any] | None = None,
    request: PageRequest | None = None,
    headers: Mapping[str, str] | None = None,
    items_seen: int | None = None,
) -> PageResponse:
    """Make a response as a paginator gets it."""
    items = body if rows is None and isinstance(body, list) else rows or []
    response = respond(Paper(body, headers=headers or {}))
    count = len(items) if items_seen is None else items_seen
    return PageResponse(request or PageRequest("orders"), response, body, items, items_seen=count)


def _response(paper: Paper, request: requests.PreparedRequest) -> requests.Response:
    response = requests.Response()
    response.status_code = paper.status
    response.reason = "Some Reason"
    response.url = request.url or ""
    response.request = request
    response.headers.update(paper.headers)
    body = paper.body if isinstance(paper.body, bytes) else json.dumps(paper.body).encode()
    response._content = body
    return response
