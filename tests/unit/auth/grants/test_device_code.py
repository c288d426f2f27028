"""Logging in on another device."""

from __future__ import annotations

import pickle
from typing import Any, Self

import pytest

from sessionkit import SessionStack, Token
from sessionkit.auth import AuthHandler, InteractiveGrant, ParsedGrant
from sessionkit.auth.oauth import DeviceCode, Endpoints
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed
from sessionkit.testing import FakeClock
from sessionkit.testing.server import ServerResponse
from tests.unit.auth.authorization_server import Running

PENDING = ServerResponse(400, {"error": "authorization_pending"})
SLOWER = ServerResponse(400, {"error": "slow_down"})


class Login:
    """A login by a device code, at a server that answers the polls as the test says."""

    def __init__(self, *polls: ServerResponse, **settings: Any) -> None:
        self.clock = FakeClock()
        self.running = Running(clock=self.clock)
        self.running.server.polls = list(polls)
        self.running.server.device = settings.pop("device", {})
        self.settings = settings
        self.shown: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        self.running.__enter__()
        place = self.running.server.endpoints()
        show = self.settings.pop("show", lambda code, url: self.shown.append((code, url)))
        self.grant = DeviceCode(place, "app", prompt_callback=show, **self.settings)
        self.stack, self.auth = self.running.stack(self.grant)
        return self

    def __exit__(self, *about: object) -> None:
        self.stack.close()
        self.running.__exit__(*about)

    def fails(self) -> LoginRequired | RenewalFailed:
        """Log in, and return why not."""
        with pytest.raises((LoginRequired, RenewalFailed)) as caught:
            self.auth.login(self.stack)
        assert not self.auth.is_authenticated()
        error = caught.value
        assert isinstance(error, (LoginRequired, RenewalFailed))
        return error


def test_a_user_types_a_code_in_and_the_program_goes_on() -> None:
    """It is asked for every five seconds, by the stack's clock, until somebody has."""
    with Login(PENDING, PENDING, scope="read") as login:
        login.auth.login(login.stack)

        assert login.stack.get("/orders").ok
        origin = login.running.server.origin
        (asked,) = login.running.loopback.requests_to("/device")
        polls = login.running.loopback.requests_to("/token")
    assert login.shown == [("WDJB-MJHT", f"{origin}/activate")]
    assert asked.form == {"client_id": "app", "scope": "read"}
    assert [poll.form for poll in polls] == [
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": "device-code-4711",
            "client_id": "app",
        }
    ] * 3
    assert login.clock.sleeps == (5.0, 5.0, 5.0)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({}, 5.0),
        ({"interval": 7}, 7.0),
        ({"interval": "7"}, 7.0),
        ({"interval": 0}, 5.0),
        ({"interval": -1}, 5.0),
        ({"interval": 0.01}, 1.0),
        ({"interval": "soon"}, 5.0),
        ({"interval": None}, 5.0),
        ({"interval": 1e9}, 60.0),
        ({"interval": float("nan")}, 5.0),
    ],
)
def test_the_server_says_how_often_to_ask(told: dict[str, Any], seconds: float) -> None:
    """Within reason: no flood, and no poll that comes after the code has ended."""
    with Login(device=told) as login:
        login.auth.login(login.stack)

    assert login.clock.sleeps == (seconds,)


def test_a_server_that_asks_for_patience_gets_it() -> None:
    """Five seconds more for each time (RFC 8628, section 3.5), from then on."""
    with Login(SLOWER, PENDING, SLOWER, device={"expires_in": 600}) as login:
        login.auth.login(login.stack)

    assert login.clock.sleeps == (5.0, 10.0, 10.0, 15.0)


@pytest.mark.parametrize(
    "trouble",
    [ServerResponse(503, b""), ServerResponse(429, {"error": "busy"}), ServerResponse(500)],
)
def test_a_server_in_trouble_is_asked_again_and_less_often(trouble: ServerResponse) -> None:
    """The user is typing already; one bad answer does not send them back to the start."""
    with Login(PENDING, trouble, PENDING, device={"expires_in": 600}) as login:
        login.auth.login(login.stack)

    assert login.clock.sleeps == (5.0, 5.0, 10.0, 10.0)


def test_a_connection_that_is_lost_is_not_the_end_of_the_login() -> None:
    """The next poll may find the server again (RFC 8628, section 3.5)."""
    from sessionkit.testing.server import LoopbackServer, ServerRequest

    polls = [b"", b"", None]

    def answer(seen: ServerRequest) -> ServerResponse | bytes:
        if seen.path == "/device":
            body = {"device_code": "d", "user_code": "u", "verification_uri": "https://a.example"}
            return ServerResponse(200, body)
        poll = polls.pop(0)
        if poll is None:
            return ServerResponse(200, {"access_token": "new"})
        return b"no HTTP\nConnection: close\r\n\r\n"

    clock = FakeClock()
    with LoopbackServer(answer) as server:
        place = Endpoints(
            f"{server.origin}/token", device_authorization_url=f"{server.origin}/device"
        )
        auth = AuthHandler(DeviceCode(place, "app", prompt_callback=lambda code, url: None))
        with SessionStack(handlers=[auth], base_url=server.origin, clock=clock) as stack:
            auth.login(stack)

    assert auth.is_authenticated()
    assert clock.sleeps == (5.0, 10.0, 20.0)


@pytest.mark.parametrize(
    ("error", "text"), [("access_denied", "said no"), ("expired_token", "code ended")]
)
def test_a_login_that_came_to_nothing_names_the_way_back(error: str, text: str) -> None:
    """The user said no, or nobody came; another login shows another code."""
    with Login(PENDING, ServerResponse(400, {"error": error})) as login:
        failure = login.fails()

    assert isinstance(failure, LoginRequired)
    assert text in str(failure)
    assert "another code" in failure.hint


def test_a_code_that_ended_is_not_asked_for_for_ever() -> None:
    """Though the server goes on saying that it waits."""
    with Login(*[PENDING] * 50, device={"expires_in": 60}) as login:
        failure = login.fails()

    assert isinstance(failure, LoginRequired)
    assert "while it was valid" in str(failure)
    assert sum(login.clock.sleeps) == 60


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        (
            [PENDING, ServerResponse(500), ServerResponse(503, b"")],
            "valid; at last the token endpoint said 503",
        ),
        ([ServerResponse(500), PENDING, SLOWER, PENDING], "while it was valid"),
    ],
)
def test_a_server_that_was_in_trouble_to_the_end_is_named(
    answers: list[ServerResponse], text: str
) -> None:
    """Then it was not for want of somebody who types."""
    with Login(*answers, device={"expires_in": 20}) as login:
        failure = login.fails()

    assert isinstance(failure, LoginRequired)
    assert failure.message.endswith(text)


@pytest.mark.parametrize("life", ["never", None, -3, 1e300, 0])
def test_a_code_whose_life_is_nonsense_ends_within_the_hour(life: Any) -> None:
    """A server that waits for ever does not make the program wait for ever."""
    with Login(*[PENDING] * 70, device={"expires_in": life, "interval": 60}) as login:
        login.fails()

    assert sum(login.clock.sleeps) == 3600


def test_any_other_refusal_is_told_at_once() -> None:
    """No polling against a client that is not known."""
    with Login(ServerResponse(401, {"error": "invalid_client"})) as login:
        failure = login.fails()

    assert "401 invalid_client" in str(failure)
    assert len(login.clock.sleeps) == 1


@pytest.mark.parametrize(
    "device",
    [
        {"user_code": None},
        {"device_code": ""},
        {"verification_uri": 7},
        {"user_code": "\x1b[2Jgotcha"},
        {"verification_uri": "https://id.example/\r\nfake line"},
        {"error": "invalid_scope"},
    ],
)
def test_an_answer_without_a_code_that_can_be_shown_is_a_failure(device: dict[str, Any]) -> None:
    """What steers a terminal is not printed on one."""
    with Login(device=device) as login:
        failure = login.fails()

        assert login.shown == []
        assert login.running.loopback.requests_to("/token") == []
    assert "device authorization endpoint" in str(failure)


def test_the_older_name_of_the_page_is_known() -> None:
    """Google's answers had it before there was a standard."""
    told = {"verification_uri": None, "verification_url": "https://id.example/device"}
    with Login(device=told) as login:
        login.auth.login(login.stack)

    assert login.shown == [("WDJB-MJHT", "https://id.example/device")]


def test_nobody_is_asked_in_the_middle_of_a_call() -> None:
    """Unless that was asked for; and then with the call's own deadline."""
    with Login() as login:
        with pytest.raises(LoginRequired) as caught:
            login.stack.get("/orders")
        assert login.shown == []
        assert login.running.loopback.requests == []
        assert "login(stack)" in caught.value.hint

        stack, _ = login.running.stack(InteractiveGrant(login.grant))
        with stack:
            assert stack.get("/orders").ok
        assert len(login.shown) == 1


def test_the_refresh_token_serves_after_the_login() -> None:
    """Nobody types a second code."""
    with Login() as login:
        login.auth.login(login.stack)
        login.running.server.expire()

        assert login.stack.get("/orders").ok
        assert len(login.shown) == 1
        assert login.running.server.rotations == 1


def test_no_error_holds_the_device_code() -> None:
    """Whoever has it is logged in as the user."""
    refusal = {"error": "invalid_request", "error_description": "device-code-4711 is odd"}
    with Login(ServerResponse(400, refusal)) as login:
        failure = login.fails()

    assert "is odd" in str(failure)
    assert "4711" not in f"{failure} {failure!r} {login.grant!r}"


def test_a_vendors_own_answers_are_read_at_a_login_too() -> None:
    """The function sees the answers to the polls, and not the one with the code."""
    seen: list[int] = []

    def parse(response: Any) -> Token | None:
        seen.append(response.status_code)
        return Token(response.json()["access_token"]) if response.ok else None

    with Login(PENDING) as login:
        stack, auth = login.running.stack(ParsedGrant(login.grant, parse_token=parse))
        with stack:
            auth.login(stack)

    assert seen == [400, 200]


def test_settings_that_cannot_work_are_refused_at_once() -> None:
    """And not when somebody stands before the screen."""
    place = Endpoints(
        "https://id.example/token", device_authorization_url="https://id.example/device"
    )
    show: Any = "print"
    with pytest.raises(ConfigError, match="function"):
        DeviceCode(place, "app", prompt_callback=show)
    with pytest.raises(ConfigError, match="device_authorization_url"):
        DeviceCode(Endpoints("https://id.example/token"), "app", prompt_callback=print)


def test_the_grant_shows_no_secret_and_goes_into_no_pickle() -> None:
    """It can be printed, logged and explained."""
    place = Endpoints(
        "https://id.example/token", device_authorization_url="https://id.example/device"
    )
    grant = DeviceCode(place, "app", prompt_callback=print, client_secret="s3cret")

    assert repr(grant) == "DeviceCode('https://id.example/device', 'app')"
    with pytest.raises(ConfigError, match="not pickled"):
        pickle.dumps(grant)
