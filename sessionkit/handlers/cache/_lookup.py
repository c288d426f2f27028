"""One call at the cache: a stored response is returned, or a new one is fetched and stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from http.client import responses
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPResponse

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.bodies import BodyCopy, watch
from sessionkit.handlers.cache._freshness import (
    CACHEABLE_STATUSES,
    GENERATED_AT,
    age_of,
    headers_for_hishel,
    headers_to_store,
    is_cacheable,
    validators,
)
from sessionkit.handlers.cache._key import HashedRequest, hash_request, matches_vary, vary_names
from sessionkit.handlers.cache._storage import ResponseStorage
from sessionkit.headers._cache_control import RequestDirectives

if TYPE_CHECKING:
    from collections.abc import Mapping

    import hishel

    from sessionkit.chain._exchange import CallNext, Exchange

#: With one of these the caller asks about a copy of its own.
_OWN_CONDITIONS = frozenset(
    {"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"}
)
_BODIES = ("data", "files", "json")
#: Of the body as it was sent, not as it is stored.
_OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class CacheParts(NamedTuple):
    """What all calls at a cache share: hishel, the storage, and the most bytes of a body."""

    hishel: Any
    storage: ResponseStorage
    max_body_bytes: int


class CacheLookup:
    """One call at the cache; hishel's states decide. Belongs to one thread.

    Args:
        parts: Of the cache.
        exchange: The call.
        call_next: Sends the request to the server.
        preview: What would be sent.
        principal: The caller; None takes the credentials for it.
    """

    __slots__ = (
        *("_certificate", "_directives", "_exchange", "_call_next", "_hashed", "_hishel"),
        *("_max_body_bytes", "_method", "_principal", "_request", "_started", "_storage"),
    )

    def __init__(
        self,
        parts: CacheParts,
        exchange: Exchange,
        call_next: CallNext,
        *,
        preview: tuple[requests.PreparedRequest, object],
        principal: str | None,
    ) -> None:
        self._hishel, self._storage, self._max_body_bytes = parts
        self._exchange = exchange
        self._call_next = call_next
        self._request, self._certificate = preview
        self._principal = principal
        self._hashed = self._hash_request(self._request)
        self._method = exchange.method.upper()
        self._directives = RequestDirectives.read(self._request.headers)
        self._started = exchange.clock.monotonic()

    def is_cacheable(self) -> bool:
        """Return whether a stored response may serve the call, and its response may be stored."""
        options = self._exchange.options
        if options.get("cache") is False or self._directives.no_store:
            return False
        if any(options.get(name) for name in _BODIES) or self._request.body:
            return False
        return _OWN_CONDITIONS.isdisjoint(self._hashed.headers)

    def send_and_invalidate(self) -> requests.Response:
        """Send a call that changes something, and remove what it may have changed.

        Also without a response: the server may have acted (RFC 9111, section 4.4).
        """
        refused = False
        try:
            response = self._call_next(self._exchange)
            refused = 400 <= response.status_code < 500
            return response
        finally:
            if not refused:
                self._remove(self._storage.find(self._hashed.key))

    def respond(self) -> requests.Response:
        """Return a stored response, or fetch one."""
        entries = self._find_entries()
        state = self._hishel_state(entries)
        if isinstance(state, self._hishel.FromCache):
            (entry,) = (entry for entry in entries if entry.id == state.entry.id)
            stored = self._from_entry(entry)
            if stored is not None:
                return stored
        if self._directives.only_if_cached:
            return self._make_response(504, {}, b"")
        response = self._revalidate(state, entries)
        # Compared to None: a response of 400 and above is false.
        return self._fetch(entries) if response is None else response

    def _find_entries(self) -> list[hishel.Entry]:
        """Return the stored entries of this request, fresh or not."""
        entries = self._storage.find(self._hashed.key)
        attempts = self._exchange.record.attempts
        if attempts and attempts[-1].status in CACHEABLE_STATUSES:
            # A handler further out refused the response of this call, which may be stored by now.
            self._remove(entries)
            return []
        return [
            entry
            for entry in entries
            if entry.request.method == self._method
            and GENERATED_AT in entry.response.headers
            and matches_vary(entry, self._hashed)
        ]

    def _hishel_state(self, entries: list[hishel.Entry]) -> hishel.AnyState:
        """Return hishel's state: a stored response is fresh, or stale, or there is none."""
        now, machine = self._exchange.clock.time(), SYSTEM_CLOCK.time()

        def seen(entry: hishel.Entry) -> hishel.Entry:
            known = entry.response.headers
            headers = headers_for_hishel(
                known, self._directives, age=age_of(known, now), machine=machine
            )
            response = replace(entry.response, headers=self._hishel.Headers(headers))
            return replace(entry, response=response)

        headers = dict(self._hashed.headers)
        headers["cache-control"] = "no-cache" if self._directives.no_cache else ""
        state = self._hishel.IdleClient(options={"shared": False})
        found: hishel.AnyState = state.next(
            self._hishel_request(headers), [seen(e) for e in entries]
        )
        if isinstance(found, self._hishel.NeedRevalidation):
            # Those that a 304 updates must have their own dates.
            originals = {entry.id: entry for entry in entries}
            stale = [originals[entry.id] for entry in found.revalidating_entries]
            found = replace(found, revalidating_entries=stale)
        return found

    def _revalidate(
        self, state: hishel.AnyState, entries: list[hishel.Entry]
    ) -> requests.Response | None:
        """Send a conditional request; return None if it leads to no response."""
        if not isinstance(state, self._hishel.NeedRevalidation):
            return None
        conditions = validators(state.revalidating_entries[0].response.headers)
        if not conditions:
            return None
        response, headers = self._send(self._exchange.with_headers(conditions))
        if response.status_code != 304:
            return self._store_if_allowed(response, headers, entries)
        if response.history:
            return None  # of another server, to which a redirect led
        entry = self._apply_not_modified(state.next(self._hishel_response(response, headers)))
        return None if entry is None else self._from_entry(entry)

    def _fetch(self, entries: list[hishel.Entry]) -> requests.Response:
        response, headers = self._send(self._exchange)
        return self._store_if_allowed(response, headers, entries)

    def _send(self, exchange: Exchange) -> tuple[requests.Response, dict[str, str]]:
        """Return the response, and its headers as they would be stored."""
        clock = exchange.clock
        sent_at = clock.time()
        response = self._call_next(exchange)
        return response, headers_to_store(response, sent_at=sent_at, now=clock.time())

    def _apply_not_modified(self, state: hishel.AnyState) -> hishel.Entry | None:
        """Store the headers of a 304; return the entry that it validates, or None."""
        while isinstance(state, (self._hishel.InvalidateEntries, self._hishel.NeedToBeUpdated)):
            if isinstance(state, self._hishel.InvalidateEntries):
                self._storage.remove(state.entry_ids)
            else:
                for entry in state.updating_entries:
                    self._storage.update(entry.id, entry.response.headers)
            state = state.next()
        return state.entry if isinstance(state, self._hishel.FromCache) else None

    def _store_if_allowed(
        self, response: requests.Response, headers: dict[str, str], entries: list[hishel.Entry]
    ) -> requests.Response:
        """Return *response*; store it in place of *entries* if that is allowed."""
        if response.status_code in CACHEABLE_STATUSES:
            self._remove(entries)
        if not is_cacheable(response) or self._differs_from_preview(response):
            return response
        state = self._hishel.CacheMiss(
            options={"shared": False}, request=self._hishel_request(self._hashed.headers)
        ).next(self._hishel_response(response, headers))
        if not isinstance(state, self._hishel.StoreAndUse):
            return response
        varied = vary_names(headers.get("vary", ""))
        chosen = {n: v for n, v in self._hashed.headers.items() if n in varied}
        keep = partial(
            self._storage.store, self._hishel_request(chosen), state.response, self._hashed.key
        )
        content = getattr(response, "_content", None)
        if not isinstance(content, bytes):
            encoded = "Content-Encoding" in response.headers
            copy = BodyCopy(lambda body: keep(body=body), self._max_body_bytes, encoded=encoded)
            watch(response.raw, copy)
        elif len(content) <= self._max_body_bytes:
            keep(body=content)
        return response

    def _differs_from_preview(self, response: requests.Response) -> bool:
        """Return whether other credentials or another URL were sent than foreseen."""
        exchange = self._exchange
        foreseen = {(secret.location, secret.name) for secret in exchange.credentials}
        placed = {(secret.location, secret.name) for secret in exchange.placed_credentials}
        return placed != foreseen or self._hash_request(response.request).key != self._hashed.key

    def _from_entry(self, entry: hishel.Entry) -> requests.Response | None:
        """Return the stored response, or None if its body is gone."""
        body = self._storage.body(entry)
        if body is None:
            return None
        # An earlier response of this call, such as a 304, is not for the caller.
        self._exchange.discard_response()
        known = entry.response.headers
        headers = {name: value for name, value in known.items() if name != GENERATED_AT}
        headers["age"] = str(int(age_of(known, self._exchange.clock.time())))
        response = self._make_response(entry.response.status_code, headers, body)
        response.from_cache = self._exchange.record.from_cache = True  # type: ignore[attr-defined]  # an attribute of our own
        return response

    def _make_response(
        self, status: int, headers: Mapping[str, str], body: bytes
    ) -> requests.Response:
        """Return an unread response, as an adapter makes it."""
        response = requests.Response()
        response.status_code = status
        response.reason = responses.get(status, "")
        response.headers = CaseInsensitiveDict(
            {name.title(): value for name, value in headers.items()}
        )
        response.encoding = get_encoding_from_headers(response.headers)
        response.request = self._request
        response.url = self._request.url or ""
        seconds = self._exchange.clock.monotonic() - self._started
        response.elapsed = timedelta(seconds=seconds)
        response.raw = HTTPResponse(
            body=BytesIO(body),
            headers={n: v for n, v in headers.items() if n not in _OF_THE_WIRE},
            status=status,
            preload_content=False,
            request_method=self._method,
        )
        return response

    def _hash_request(self, request: requests.PreparedRequest) -> HashedRequest:
        return hash_request(
            request,
            self._exchange.credentials,
            salt=self._storage.salt,
            principal=self._principal,
            certificate=self._certificate,
        )

    def _hishel_request(self, headers: Mapping[str, str]) -> hishel.Request:
        """Return the request for hishel, with the key as its URL."""
        known: hishel.Request = self._hishel.Request(
            self._method, self._hashed.key, self._hishel.Headers(headers)
        )
        return known

    def _hishel_response(
        self, response: requests.Response, headers: Mapping[str, str]
    ) -> hishel.Response:
        status = response.status_code
        known: hishel.Response = self._hishel.Response(status, self._hishel.Headers(headers))
        return known

    def _remove(self, entries: list[hishel.Entry]) -> None:
        self._storage.remove(entry.id for entry in entries)
