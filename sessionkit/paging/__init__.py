"""Walks over pages: paginators that know the way, and :class:`Pages` that goes it.

Pure: nothing here sends anything. The stack's ``paginate`` gives the walk what it sends with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.paging._base import Answer, Page, Paginator, Step
    from sessionkit.paging._counted import Offset, PageNumber
    from sessionkit.paging._cursor import Cursor
    from sessionkit.paging._links import LinkHeader, NextUrl
    from sessionkit.paging._pages import Pages, Plan
    from sessionkit.paging._paths import Place

_PLACES = {
    "Answer": "_base",
    "Cursor": "_cursor",
    "LinkHeader": "_links",
    "NextUrl": "_links",
    "Offset": "_counted",
    "Page": "_base",
    "PageNumber": "_counted",
    "Pages": "_pages",
    "Paginator": "_base",
    "Place": "_paths",
    "Plan": "_pages",
    "Step": "_base",
}

__all__ = [
    "Answer",
    "Cursor",
    "LinkHeader",
    "NextUrl",
    "Offset",
    "Page",
    "PageNumber",
    "Pages",
    "Paginator",
    "Place",
    "Plan",
    "Step",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
