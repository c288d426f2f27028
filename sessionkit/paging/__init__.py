"""Pagination: paginators that name the next request, and :class:`Pages` that walks over all pages.

Pure: nothing here sends anything. The stack's ``paginate`` gives the walk what it sends with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.paging._base import Page, PageRequest, PageResponse, Paginator
    from sessionkit.paging._counted import Offset, PageNumber
    from sessionkit.paging._cursor import Cursor
    from sessionkit.paging._links import LinkHeader, NextUrl
    from sessionkit.paging._pages import Pages
    from sessionkit.paging._paths import JsonPath

_PLACES = {
    "PageResponse": "_base",
    "Cursor": "_cursor",
    "LinkHeader": "_links",
    "NextUrl": "_links",
    "Offset": "_counted",
    "Page": "_base",
    "PageNumber": "_counted",
    "Pages": "_pages",
    "Paginator": "_base",
    "JsonPath": "_paths",
    "PageRequest": "_base",
}

__all__ = [
    "Cursor",
    "JsonPath",
    "LinkHeader",
    "NextUrl",
    "Offset",
    "Page",
    "PageNumber",
    "PageRequest",
    "PageResponse",
    "Pages",
    "Paginator",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
