"""The contract of a handler: one method, or one function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from requests import Response

from sessionkit.chain._exchange import Exchange

#: What a handler is given to hand the exchange on: the rest of the chain, and the session.
CallNext: TypeAlias = Callable[[Exchange], Response]


class Handler(Protocol):
    """A link of the chain. Shared between threads: what belongs to one call stays in the exchange.

    It may derive a changed exchange before it forwards, look at the response after, forward more
    than once (a retry), or not at all (a cache hit). A plain function of the two arguments is a
    handler too. An attribute ``name`` of its class is its name in a chain; by default that is the
    name of the class in snake case without ``Handler``. An attribute ``options`` (a frozenset of
    names) declares the call options that the handler reads; these never reach the session.
    """

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Answer *exchange*, usually with ``call_next(exchange)``.

        A second ``call_next`` is safe by construction: the earlier answer is dropped and each body
        object rewound; where that cannot be, :class:`~sessionkit.errors.ReplayImpossible` is
        raised and nothing is sent.
        """
        ...
