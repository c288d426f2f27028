"""Renewal by policy, against a server that counts."""

from __future__ import annotations

import pytest

from sessionkit import SessionStack
from sessionkit.auth import AuthHandler, RefreshToken, RenewalPolicy
from sessionkit.events import Event, TokenRenewed
from sessionkit.testing import FakeClock
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.threads import at_once

LIFE = 3600.0


class Sliding(IdentityProvider):
    """A server whose every answer says how long the session lives on."""

    def respond(self, request: ServerRequest) -> ServerResponse:
        """Answer, with the header of AWX."""
        reply = super().respond(request)
        return ServerResponse(
            reply.status, reply.body, {**reply.headers, "Session-Timeout": "3600"}
        )


@pytest.fixture
def identity() -> IdentityProvider:
    """Make an identity server whose tokens live for an hour."""
    return Sliding(expires_in=LIFE)


def called(
    identity: IdentityProvider, policy: RenewalPolicy, clock: FakeClock, waits: list[float]
) -> tuple[list[int], list[Event]]:
    """Make a call, then one after each wait; return the statuses, and what listeners heard."""
    told: list[Event] = []
    with LoopbackServer(identity.respond) as server:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        auth = AuthHandler(grant, policy=policy)
        auth.add_listener(told.append)
        with SessionStack(handlers=[auth], base_url=server.origin, clock=clock) as stack:
            statuses = [stack.get("/x").status_code]
            for seconds in waits:
                clock.advance(seconds)
                statuses.append(stack.get("/x").status_code)
    return statuses, told


def test_by_default_a_token_is_renewed_two_minutes_ahead(identity: IdentityProvider) -> None:
    """No call finds out by a refusal."""
    statuses, told = called(identity, RenewalPolicy(), FakeClock(), [LIFE - 121, 2])

    assert statuses == [200, 200, 200]
    assert identity.renewals == 2
    assert [event.early for event in told if isinstance(event, TokenRenewed)] == [False, True]


def test_a_reactive_policy_renews_only_what_the_server_refused(identity: IdentityProvider) -> None:
    """A token past its end by our clock is still sent while the server takes it."""
    policy = RenewalPolicy(mode="reactive")
    statuses, _ = called(identity, policy, FakeClock(), [LIFE - 1, LIFE])
    assert statuses == [200, 200, 200]
    assert identity.renewals == 1

    identity.expire()
    identity.refresh_token = "refresh-0"
    statuses, _ = called(identity, policy, FakeClock(), [LIFE])
    assert statuses == [200, 200]
    assert identity.renewals == 2


def test_a_proactive_policy_passes_a_refusal_on(identity: IdentityProvider) -> None:
    """An API that says 401 for "not you" costs no renewals."""
    with LoopbackServer(identity.respond) as server:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        auth = AuthHandler(grant, policy=RenewalPolicy(mode="proactive"))
        with SessionStack(handlers=[auth], base_url=server.origin) as stack:
            assert stack.get("/x").ok
            identity.expire()
            assert stack.get("/x").status_code == 401

    assert identity.renewals == 1


def test_a_sliding_session_is_not_renewed_while_it_is_used(identity: IdentityProvider) -> None:
    """Each answer's header moves the end; without it there would be a renewal every hour."""
    waits = [LIFE - 600] * 5
    statuses, _ = called(
        identity, RenewalPolicy(expiry_header="Session-Timeout"), FakeClock(), waits
    )
    assert statuses == [200] * 6
    assert identity.renewals == 1

    identity.refresh_token = "refresh-0"
    called(identity, RenewalPolicy(), FakeClock(), waits)
    assert identity.renewals > 2


def test_listeners_hear_of_one_renewal_however_many_calls_it_served(
    identity: IdentityProvider,
) -> None:
    """Thirty-two refused calls, one event; those that waited say so."""
    told: list[Event] = []
    with LoopbackServer(identity.respond) as server:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        auth = AuthHandler(grant)
        with SessionStack(handlers=[auth], base_url=server.origin) as stack:
            assert stack.get("/x").ok
            identity.expire()
            auth.add_listener(told.append)
            answers = at_once(32, lambda _: stack.get("/x").status_code)

    assert answers == [200] * 32
    assert sum(isinstance(event, TokenRenewed) for event in told) == 1
    assert "refresh-" not in repr(told)
