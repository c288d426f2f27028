"""Pagination: paginators that name the next request, and :class:`Pages` that walks over all pages.

Pure: nothing here sends anything. The stack's ``paginate`` gives the walk what it sends with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.paging._base import (
        Page as Page,
        PageRequest as PageRequest,
        PageResponse as PageResponse,
        Paginator as Paginator,
    )
    from sessionkit.paging._counted import Offset as Offset, PageNumber as PageNumber
    from sessionkit.paging._cursor import Cursor as Cursor
    from sessionkit.paging._links import LinkHeader as LinkHeader, NextUrl as NextUrl
    from sessionkit.paging._pages import Pages as Pages
    from sessionkit.paging._paths import JsonPath as JsonPath


__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "_base": ("Page", "PageRequest", "PageResponse", "Paginator"),
        "_counted": ("Offset", "PageNumber"),
        "_cursor": ("Cursor",),
        "_links": ("LinkHeader", "NextUrl"),
        "_pages": ("Pages",),
        "_paths": ("JsonPath",),
    },
)
