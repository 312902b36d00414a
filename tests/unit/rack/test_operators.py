"""Who asks, and what an operator may."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping

import pytest
from starlette.requests import Request

from alchemy.errors import UserError
from alchemy.rack.config import RackConfig, TrustedProxy
from alchemy.rack.pages import passwords
from alchemy.rack.pages.operators import COOKIE, DeniedError, Operators
from alchemy.rack.pages.sessions import MOST, SECONDS, Sessions
from alchemy.rack.pages.throttle import MOST_FAILURES, Throttle

# of "gold" and of "lead", at the lowest cost
GOLD = "$5$rounds=1000$saltsalt$Ww0OrpzQmDtwWpbUG.FLwi81q3/EN.cVNq54D8/zrcA"
LEAD = "$5$rounds=1000$saltsalt$B/Q./zviV1lnuijnYIqRdjNH5kEjmuZO5juED/gHt1/"
CONFIG = RackConfig.model_construct(
    operators={"alice": GOLD, "bob:view": LEAD},
    trusted_proxy=TrustedProxy(addresses=("192.0.2.7", "2001:db8::/64"), operate=("alice",)),
)


PATIENCE = 60.0


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def operators(clock: Clock) -> Operators:
    return Operators(CONFIG, clock)


def call(headers: Mapping[str, str] | None = None, method: str = "GET", client: str = "198.51.100.1") -> Request:
    raw = [
        (name.lower().encode(), value.encode()) for name, value in {"Host": "rack.example", **(headers or {})}.items()
    ]
    return Request({"type": "http", "method": method, "path": "/", "headers": raw, "client": (client, 1)})


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("password", "hashed"),
    [
        ("gold", GOLD),
        ("lead", LEAD),
        ("gold", "$y$j75$saltsaltsalt$vTA2tM.HzO9yhIP.n6mzxQmGkUnc9oiU0gtt2171gn."),
        (
            "gold",
            "$6$rounds=1000$saltsalt$q/2Dp.MCS6z4Jt5tOrsbANgDg9e9knXXpmk6zdAmVhEqSINfiG6f0OCLzue8qYKsVWEGwQiS40iVeGQR78SrA/",
        ),
    ],
)
def test_a_password_has_its_hash(password: str, hashed: str) -> None:
    assert passwords.matches(password, hashed)
    assert not passwords.matches(password + " ", hashed)
    assert not passwords.matches(password + "\0", hashed)
    assert not passwords.matches("", hashed)
    assert not passwords.matches("x" * 1000, hashed)


def test_a_method_that_libcrypt_does_not_know_is_refused() -> None:
    config = RackConfig.model_construct(operators={"alice": "$9$secret$hash"})
    with pytest.raises(
        UserError, match=r"operators: libcrypt of this host does not support .* \(got \$9\$\)"
    ) as raised:
        Operators(config)
    assert "secret" not in str(raised.value)


def test_a_costly_hash_delays_no_start() -> None:
    passwords.check("$2b$31$" + "a" * 53)


DENIED = "login: wrong user name or password"


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({}, 401, "operator: not logged in"),
        (basic("alice", "lead"), 401, DENIED),
        (basic("bob", "gold"), 401, DENIED),
        (basic("bob:view", "lead"), 401, DENIED),
        (basic("nobody", "gold"), 401, DENIED),
        (basic("", ""), 401, DENIED),
        (basic("alice", "gold\0"), 401, DENIED),
        (basic("alice", GOLD), 401, DENIED),
        ({"Authorization": "Basic"}, 401, "Authorization: malformed (expected HTTP Basic)"),
        ({"Authorization": "Basic !!!"}, 401, "Authorization: malformed (expected HTTP Basic)"),
        ({"Authorization": "Basic bWFyaWE="}, 401, "Authorization: malformed (expected HTTP Basic)"),
        ({"Authorization": "Basic /w=="}, 401, "Authorization: malformed (expected HTTP Basic)"),
        ({"Authorization": "Basic " + "A" * 8192}, 401, "Authorization: malformed (expected HTTP Basic)"),
        ({"Authorization": "Bearer alice"}, 401, "Authorization: malformed (expected HTTP Basic)"),
        ({"Cookie": f"{COOKIE}=made-up"}, 401, "operator: not logged in"),
        ({"X-Remote-User": "alice"}, 401, "operator: not logged in"),
    ],
)
def test_who_is_refused(operators: Operators, headers: Mapping[str, str], status: int, error: str) -> None:
    with pytest.raises(DeniedError) as raised:
        operators.require(call(headers), "view")
    assert (raised.value.status, raised.value.error) == (status, error)
    assert raised.value.headers["WWW-Authenticate"].startswith("Basic ")


def test_without_operators_nobody_logs_in() -> None:
    with pytest.raises(DeniedError, match=r"operators: nobody can log in") as raised:
        Operators(RackConfig.model_construct(operators={})).require(call(basic("alice", "gold")), "view")
    assert raised.value.status == 401


def test_a_script_of_a_page_gets_no_challenge(operators: Operators) -> None:
    with pytest.raises(DeniedError) as raised:
        operators.require(call({"Sec-Fetch-Mode": "cors"}), "view")
    assert raised.value.headers == {}


def test_roles(operators: Operators) -> None:
    assert operators.require(call(basic("alice", "gold")), "operate").operates
    assert not operators.require(call(basic("bob", "lead")), "view").operates
    with pytest.raises(DeniedError, match=r"not allowed \(expected the role operate, bob has view\)") as raised:
        operators.require(call(basic("bob", "lead")), "operate")
    assert raised.value.status == 403


@pytest.mark.parametrize(
    ("client", "name", "found"),
    [
        ("192.0.2.7", "alice", ("alice", "operate")),
        ("192.0.2.7", "bob", ("bob", "view")),
        ("192.0.2.7", "a.person@example", ("a.person@example", "view")),
        ("::ffff:192.0.2.7", "alice", ("alice", "operate")),
        ("2001:db8::5", "alice", ("alice", "operate")),
        ("192.0.2.8", "alice", 401),
        ("testclient", "alice", 401),
        ("192.0.2.7", "", 400),
        ("192.0.2.7", "a\x1bb", 400),
        ("192.0.2.7", "x" * 257, 400),
    ],
)
def test_the_header_of_a_proxy(operators: Operators, client: str, name: str, found: object) -> None:
    request = call({"X-Remote-User": name}, client=client)
    if isinstance(found, int):
        with pytest.raises(DeniedError) as raised:
            operators.require(request, "view")
        assert raised.value.status == found
    else:
        operator = operators.require(request, "view")
        assert (operator.name, operator.role) == found


def test_two_names_of_a_proxy_are_refused(operators: Operators) -> None:
    request = call(client="192.0.2.7")
    request.scope["headers"] += [(b"x-remote-user", b"bob"), (b"x-remote-user", b"alice")]
    with pytest.raises(DeniedError, match="got 2 values"):
        operators.require(request, "view")


def test_a_session_begins_and_ends(operators: Operators, clock: Clock) -> None:
    cookie, operator = operators.login(call(method="POST"), "alice", "gold")
    request = call({"Cookie": f"{COOKIE}={cookie}"})
    assert operators.require(request, "operate") == operator
    clock.now += SECONDS - 1
    assert operators.require(request, "operate") == operator
    clock.now += 1
    with pytest.raises(DeniedError, match="not logged in"):
        operators.require(request, "view")
    again, _ = operators.login(call(method="POST"), "alice", "gold")
    assert again != cookie
    request = call({"Cookie": f"{COOKIE}={again}"})
    operators.logout(request)
    with pytest.raises(DeniedError, match="not logged in"):
        operators.require(request, "view")


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({}, True),
        ({"Origin": "https://rack.example"}, True),
        # what the referrer policy of our own pages makes of it
        ({"Origin": "null"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://rack.example"}, False),
    ],
)
def test_another_site_cannot_log_in(operators: Operators, headers: Mapping[str, str], accepted: bool) -> None:
    if accepted:
        assert operators.login(call(headers, "POST"), "alice", "gold")
    else:
        with pytest.raises(DeniedError, match="cross-site") as raised:
            operators.login(call(headers, "POST"), "alice", "gold")
        assert raised.value.status == 403


HOW = ("basic", "session", "proxy")
# by which of them a state change is accepted
FORGERIES: list[tuple[dict[str, str], tuple[str, ...]]] = [
    ({}, ("basic",)),
    ({"X-CSRF-Token": "TOKEN"}, HOW),
    ({"X-CSRF-Token": "TOKEN", "Origin": "null"}, HOW),
    ({"X-CSRF-Token": ""}, ("basic",)),
    ({"X-CSRF-Token": "wrong"}, ()),
    ({"X-CSRF-Token": "\xff"}, ()),
    ({"Origin": "http://rack.example"}, ("basic",)),
    ({"Origin": "http://evil.example"}, ()),
    ({"Origin": "http://rack.example.evil.example"}, ()),
    ({"Origin": "http://["}, ()),
    ({"Origin": "null"}, ()),
    ({"Sec-Fetch-Site": "same-origin"}, ("basic",)),
    ({"Sec-Fetch-Site": "none"}, ("basic",)),
    ({"Sec-Fetch-Site": "same-site"}, ()),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "http://rack.example"}, ()),
]


@pytest.mark.parametrize(("headers", "accepted"), FORGERIES, ids=str)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_state_change_cannot_be_forged(
    operators: Operators, headers: Mapping[str, str], accepted: tuple[str, ...], how: str, method: str
) -> None:
    cookie, _ = operators.login(call(method="POST"), "alice", "gold")
    ours = {
        "basic": basic("alice", "gold"),
        "session": {"Cookie": f"{COOKIE}={cookie}"},
        "proxy": {"X-Remote-User": "alice"},
    }[how]
    token = operators.require(call(ours, client="192.0.2.7"), "view").csrf
    theirs = {name: value.replace("TOKEN", token) for name, value in headers.items()}
    request = call({**ours, **theirs}, method, client="192.0.2.7")
    if how in accepted:
        assert operators.require(request, "operate").name == "alice"
    else:
        with pytest.raises(DeniedError, match=r"X-CSRF-Token: (missing|wrong)") as raised:
            operators.require(request, "operate")
        assert raised.value.status == 403


def test_a_form_carries_the_token(operators: Operators) -> None:
    cookie, operator = operators.login(call(method="POST"), "alice", "gold")
    other, _ = operators.login(call(method="POST"), "alice", "gold")
    assert operators.require(call({"Cookie": f"{COOKIE}={cookie}"}, "POST"), "operate", operator.csrf) == operator
    with pytest.raises(DeniedError, match="X-CSRF-Token: wrong"):
        operators.require(call({"Cookie": f"{COOKIE}={other}"}, "POST"), "operate", operator.csrf)


def test_guesses_are_limited(operators: Operators, clock: Clock) -> None:
    good, bad = basic("alice", "gold"), basic("alice", "guess")
    operators.require(call(good), "view")
    for _ in range(MOST_FAILURES):
        with pytest.raises(DeniedError, match="wrong user name"):
            operators.require(call(bad), "view")
    for headers in (bad, basic("bob", "lead")):
        with pytest.raises(DeniedError, match=r"login: too many wrong passwords \(wait 60 s\)") as raised:
            operators.require(call(headers), "view")
        assert (raised.value.status, raised.value.headers) == (429, {"Retry-After": "60"})
    # a password that was right is known, and another address is not concerned
    operators.require(call(good), "view")
    operators.require(call(basic("bob", "lead"), client="198.51.100.2"), "view")
    clock.now += 60
    with pytest.raises(DeniedError, match="wrong user name"):
        operators.require(call(bad), "view")


def test_a_known_password_is_not_hashed_again(
    operators: Operators, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    real = passwords.matches

    def count(password: str, setting: str) -> bool:
        hashed.append(setting)
        return real(password, setting)

    monkeypatch.setattr(passwords, "matches", count)
    for _ in range(3):
        operators.require(call(basic("alice", "gold")), "view")
    assert hashed == [GOLD]
    clock.now += 300
    operators.require(call(basic("alice", "gold")), "view")
    assert hashed == [GOLD, GOLD]
    # an unknown name takes the same work each time
    for _ in range(2):
        with pytest.raises(DeniedError):
            operators.require(call(basic("nobody", "gold")), "view")
    assert hashed[2] in (GOLD, LEAD)
    assert hashed[2:] == [hashed[2]] * 2


def test_failures_are_counted_by_client() -> None:
    throttle = Throttle()
    for number in range(MOST_FAILURES):
        throttle.failed(f"2001:db8::{number:x}", 0.0)
    assert throttle.wait("2001:db8:0:0:ffff::1", 1.0) == 59.0
    assert throttle.wait("2001:db8:0:1::1", 1.0) == 0.0
    assert throttle.wait("2001:db8::1", 60.0) == 0.0
    for number in range(5000):
        throttle.failed(f"10.0.{number // 250}.{number % 250}", 2.0)
    assert throttle.wait("2001:db8::1", 3.0) == 0.0


def test_sessions_are_bounded() -> None:
    sessions = Sessions()
    first, _ = sessions.open("alice", 0.0)
    cookies = [sessions.open("alice", 0.0)[0] for _ in range(MOST)]
    assert sessions.find(first, 0.0) is None
    assert all(sessions.find(cookie, 0.0) for cookie in cookies)
    assert len({*cookies, first}) == MOST + 1
    assert all(len(cookie) >= 43 for cookie in cookies)


def test_hashes_that_wait_are_bounded(operators: Operators, monkeypatch: pytest.MonkeyPatch) -> None:
    enough, go_on = threading.Semaphore(0), threading.Event()

    def slow(password: str, hashed: str) -> bool:
        enough.release()
        return go_on.wait(PATIENCE)

    monkeypatch.setattr(passwords, "matches", slow)
    refused = threading.Semaphore(0)
    found: list[int] = []

    def log_in(client: str) -> None:
        try:
            operators.require(call(basic("alice", client), client=client), "view")
        except DeniedError as denial:
            found.append(denial.status)
            refused.release()

    threads = [threading.Thread(target=log_in, args=(f"192.0.2.{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    # two hash, eight wait, and the others are told to come back
    try:
        assert all(refused.acquire(timeout=PATIENCE) for _ in range(10))
        assert all(enough.acquire(timeout=PATIENCE) for _ in range(2))
        assert not enough.acquire(blocking=False)
    finally:
        go_on.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert found == [429] * 10
