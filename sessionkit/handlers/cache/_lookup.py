"""One call at the cache: answered from there, or asked for and kept. hishel's states decide."""

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
from sessionkit.handlers.cache._body import copy_while_read
from sessionkit.handlers.cache._freshness import (
    BORN,
    KEPT,
    Wanted,
    age_of,
    as_hishel_sees_it,
    described,
    is_worth_keeping,
    validators,
)
from sessionkit.handlers.cache._key import Asked, read_request, varies_alike, vary_names
from sessionkit.handlers.cache._storage import Shelf

if TYPE_CHECKING:
    from collections.abc import Mapping

    import hishel

    from sessionkit.chain._exchange import Exchange, Preview
    from sessionkit.chain._handler import CallNext

#: With one of these the caller asks about what he himself holds.
_OWN_CONDITIONS = frozenset(
    {"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"}
)
_BODIES = ("data", "files", "json")
#: Of the body as it came, not as it is kept.
_OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class Tools(NamedTuple):
    """What all visits of a cache share: hishel, the shelf, and bytes of the largest body."""

    hishel: Any
    shelf: Shelf
    largest: int


class Visit:
    """One call at the cache. Belongs to one thread.

    Args:
        tools: Of the cache.
        exchange: The call.
        call_next: The way to the server.
        preview: What would be sent.
        principal: Who asks; None takes the credentials for it.
    """

    __slots__ = (
        *("_asked", "_certificate", "_exchange", "_forward", "_hishel", "_largest", "_method"),
        *("_principal", "_request", "_shelf", "_started", "_wanted"),
    )

    def __init__(
        self,
        tools: Tools,
        exchange: Exchange,
        call_next: CallNext,
        *,
        preview: Preview,
        principal: str | None,
    ) -> None:
        self._hishel, self._shelf, self._largest = tools
        self._exchange = exchange
        self._forward = call_next
        self._request, self._certificate = preview
        self._principal = principal
        self._asked = self._read(self._request)
        self._method = exchange.method.upper()
        self._wanted = Wanted.read(self._request.headers)
        self._started = exchange.clock.monotonic()

    def is_for_the_cache(self) -> bool:
        """Tell whether the call may be answered from here, and its answer be kept."""
        options = self._exchange.options
        if options.get("cache") is False or self._wanted.no_store:
            return False
        if any(options.get(name) for name in _BODIES) or self._request.body:
            return False
        return _OWN_CONDITIONS.isdisjoint(self._asked.headers)

    def change(self) -> requests.Response:
        """CallNext a call that changes something, and forget what it may have changed.

        Also where no answer came: nobody knows what the server did (RFC 9111, section 4.4).
        """
        refused = False
        try:
            response = self._forward(self._exchange)
            refused = 400 <= response.status_code < 500
            return response
        finally:
            if not refused:
                self._forget(self._shelf.find(self._asked.key))

    def answer(self) -> requests.Response:
        """Answer from the cache, or ask."""
        entries = self._entries()
        state = self._looked_up(entries)
        if isinstance(state, self._hishel.FromCache):
            (entry,) = (entry for entry in entries if entry.id == state.entry.id)
            answer = self._made_of(entry)
            if answer is not None:
                return answer
        if self._wanted.only_if_cached:
            return self._response(504, {}, b"")
        answer = self._ask_whether(state, entries)
        # Not by its truth: a response of 400 and above is false.
        return self._ask(entries) if answer is None else answer

    def _entries(self) -> list[hishel.Entry]:
        """Return what is kept of this request, fresh or not."""
        entries, call = self._shelf.find(self._asked.key), self._exchange.call
        if call.begun and call.record.attempts[-1].status in KEPT:
            # A handler outside did not take the answer that this call brought, and may have kept.
            self._forget(entries)
            return []
        return [
            entry
            for entry in entries
            if entry.request.method == self._method
            and BORN in entry.response.headers
            and varies_alike(entry, self._asked)
        ]

    def _looked_up(self, entries: list[hishel.Entry]) -> hishel.AnyState:
        """Return hishel's state: use what is kept, ask whether it holds, or nothing is kept."""
        now, machine = self._exchange.clock.time(), SYSTEM_CLOCK.time()

        def seen(entry: hishel.Entry) -> hishel.Entry:
            known = entry.response.headers
            headers = as_hishel_sees_it(
                known, self._wanted, age=age_of(known, now), machine=machine
            )
            response = replace(entry.response, headers=self._hishel.Headers(headers))
            return replace(entry, response=response)

        headers = dict(self._asked.headers)
        headers["cache-control"] = "no-cache" if self._wanted.no_cache else ""
        state = self._hishel.IdleClient(options={"shared": False})
        found: hishel.AnyState = state.next(self._named(headers), [seen(e) for e in entries])
        if isinstance(found, self._hishel.NeedRevalidation):
            # Those that are freshened must have their own dates.
            originals = {entry.id: entry for entry in entries}
            kept = [originals[entry.id] for entry in found.revalidating_entries]
            found = replace(found, revalidating_entries=kept)
        return found

    def _ask_whether(
        self, state: hishel.AnyState, entries: list[hishel.Entry]
    ) -> requests.Response | None:
        """Ask whether what is kept still holds; None where that leads nowhere."""
        if not isinstance(state, self._hishel.NeedRevalidation):
            return None
        conditions = validators(state.revalidating_entries[0].response.headers)
        if not conditions:
            return None
        response, headers = self._sent(self._exchange.with_headers(conditions))
        if response.status_code != 304:
            return self._kept(response, headers, entries)
        if response.history:
            return None  # somebody else's word, to whom a redirect led
        entry = self._freshened(state.next(self._answered(response, headers)))
        return None if entry is None else self._made_of(entry)

    def _ask(self, entries: list[hishel.Entry]) -> requests.Response:
        response, headers = self._sent(self._exchange)
        return self._kept(response, headers, entries)

    def _sent(self, exchange: Exchange) -> tuple[requests.Response, dict[str, str]]:
        """Return what came, and its headers as they would be kept."""
        clock = exchange.clock
        asked = clock.time()
        response = self._forward(exchange)
        return response, described(response, asked=asked, now=clock.time())

    def _freshened(self, state: hishel.AnyState) -> hishel.Entry | None:
        """Write down what a 304 says; return the entry that it renews, or None."""
        while isinstance(state, (self._hishel.InvalidateEntries, self._hishel.NeedToBeUpdated)):
            if isinstance(state, self._hishel.InvalidateEntries):
                self._shelf.remove(state.entry_ids)
            else:
                for entry in state.updating_entries:
                    self._shelf.update(entry.id, entry.response.headers)
            state = state.next()
        return state.entry if isinstance(state, self._hishel.FromCache) else None

    def _kept(
        self, response: requests.Response, headers: dict[str, str], entries: list[hishel.Entry]
    ) -> requests.Response:
        """Return *response*; see that it is kept if it may be, in the place of *entries*."""
        if response.status_code in KEPT:
            self._forget(entries)
        if not is_worth_keeping(response) or self._was_unforeseen(response):
            return response
        state = self._hishel.CacheMiss(
            options={"shared": False}, request=self._named(self._asked.headers)
        ).next(self._answered(response, headers))
        if not isinstance(state, self._hishel.StoreAndUse):
            return response
        varied = vary_names(headers.get("vary", ""))
        chosen = {n: v for n, v in self._asked.headers.items() if n in varied}
        keep = partial(self._shelf.keep, self._named(chosen), state.response, self._asked.key)
        content = getattr(response, "_content", None)
        if not isinstance(content, bytes):
            copy_while_read(response.raw, self._largest, lambda body: keep(body=body))
        elif len(content) <= self._largest:
            keep(body=content)
        return response

    def _was_unforeseen(self, response: requests.Response) -> bool:
        """Tell whether something else was sent: as somebody else, or to another address."""
        exchange = self._exchange
        foreseen = {(secret.location, secret.name) for secret in exchange.credentials}
        placed = {(secret.location, secret.name) for secret in exchange.call.credentials}
        return placed != foreseen or self._read(response.request).key != self._asked.key

    def _made_of(self, entry: hishel.Entry) -> requests.Response | None:
        """Return what is kept as an answer; None where its body is gone."""
        body = self._shelf.body(entry)
        if body is None:
            return None
        # A 304 was the answer so far, and is not the caller's.
        self._exchange.discard_response()
        known = entry.response.headers
        headers = {name: value for name, value in known.items() if name != BORN}
        headers["age"] = str(int(age_of(known, self._exchange.clock.time())))
        response = self._response(entry.response.status_code, headers, body)
        response.from_cache = self._exchange.record.from_cache = True  # type: ignore[attr-defined]  # an attribute of our own
        return response

    def _response(self, status: int, headers: Mapping[str, str], body: bytes) -> requests.Response:
        """Return an answer, unread, as an adapter makes it."""
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

    def _read(self, request: requests.PreparedRequest) -> Asked:
        return read_request(
            request,
            self._exchange.credentials,
            salt=self._shelf.salt,
            principal=self._principal,
            certificate=self._certificate,
        )

    def _named(self, headers: Mapping[str, str]) -> hishel.Request:
        """Return the request as hishel may know it: its address is the key."""
        named: hishel.Request = self._hishel.Request(
            self._method, self._asked.key, self._hishel.Headers(headers)
        )
        return named

    def _answered(self, response: requests.Response, headers: Mapping[str, str]) -> hishel.Response:
        answered: hishel.Response = self._hishel.Response(
            response.status_code, self._hishel.Headers(headers)
        )
        return answered

    def _forget(self, entries: list[hishel.Entry]) -> None:
        self._shelf.remove(entry.id for entry in entries)
