"""Who asks, and whether that operator may: HTTP Basic, a session's cookie, or the header of a trusted proxy."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from threading import BoundedSemaphore, Lock
from typing import Literal

from starlette.requests import Request

from alchemy.rack.config import RackConfig, TrustedProxy
from alchemy.rack.pages import passwords
from alchemy.rack.pages.sessions import Session, Sessions
from alchemy.rack.pages.throttle import Throttle

Role = Literal["view", "operate"]

COOKIE = "alchemy_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# a hash takes a core and 16 MB: this many at once, and this many more that wait for one
_HASHING = 2
_WAITING = 8
# for how long, in seconds, a password that was right needs no hashing again; a script sends it with every call
_REMEMBERED = 300.0
_MOST_REMEMBERED = 256
_MOST_NAME = 256
_BASIC = 'Basic realm="Alchemy", charset="UTF-8"'


class DeniedError(Exception):
    """The answer to a call that is refused: its status, and what the caller is told."""

    def __init__(self, status: int, error: str, hint: str = "", headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.error = error
        self.hint = hint
        self.headers = dict(headers or {})
        super().__init__(error)


@dataclass(frozen=True)
class Account:
    """An operator of rack.yml: the crypt(5) hash of the password, and what the operator may do."""

    hashed: str = field(repr=False)
    role: Role = "operate"


@dataclass(frozen=True)
class Operator:
    """Who made a call. A form of a page carries `csrf`."""

    name: str
    role: Role
    csrf: str

    @property
    def operates(self) -> bool:
        """Whether the operator may change anything."""
        return self.role == "operate"


class Operators:
    """Finds the operator of a call, and opens and closes sessions. Safe to call from several threads."""

    def __init__(self, config: RackConfig, clock: Callable[[], float] = time.monotonic) -> None:
        """Begins without sessions; the clock counts seconds.

        Raises UserError when libcrypt cannot check one of the hashes.
        """
        self._accounts = _accounts(config)
        self._proxy = config.trusted_proxy
        self._networks = [] if self._proxy is None else [ip_network(text) for text in self._proxy.addresses]
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._sessions = Sessions()
        self._throttle = Throttle()
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._lock = Lock()
        self._hashing = BoundedSemaphore(_HASHING)
        self._waiting = BoundedSemaphore(_HASHING + _WAITING)

    def require(self, request: Request, right: Role, token: str = "") -> Operator:
        """Returns the operator of a call. It may hash a password, which blocks: call it from a thread.

        A call that changes something needs a CSRF token, in the header X-CSRF-Token or, of a form, as `token`.
        Raises DeniedError: 401 for nobody, 403 for a wrong role or token, 429 after too many wrong passwords.
        """
        operator, basic = self._find(request)
        if right == "operate" and not operator.operates:
            raise DeniedError(403, f"operator: not allowed (expected the role operate, {operator.name} has view)")
        if request.method not in _SAFE_METHODS:
            self._refuse_forgery(request, operator, token, basic)
        return operator

    def login(self, request: Request, name: str, password: str) -> tuple[str, Operator]:
        """Returns the cookie of a new session, and its operator. It blocks, as `require` does.

        Raises DeniedError: 401 for a wrong name or password, 403 for a form of another site, 429 after too many
        failures.
        """
        if _foreign(request, allow_null=True):
            raise DeniedError(403, "login: cross-site request refused", hint="open the login page itself")
        self._check(address(request), name, password)
        cookie, session = self._sessions.open(name, self._clock())
        return cookie, self._of_session(session)

    def logout(self, request: Request) -> None:
        """Ends the session of a call."""
        self._sessions.close(request.cookies.get(COOKIE, ""))

    def _find(self, request: Request) -> tuple[Operator, bool]:
        """Returns the operator of a call, and whether HTTP Basic says so."""
        if "authorization" in request.headers:
            name, password = _basic(request.headers["authorization"])
            self._check(address(request), name, password)
            return self._derived("basic", name, self._accounts[name].role), True
        if self._proxy is not None and self._proxy.header in request.headers and self._from_proxy(request):
            return self._of_proxy(self._proxy, request.headers.getlist(self._proxy.header)), False
        session = self._sessions.find(request.cookies.get(COOKIE, ""), self._clock())
        if session is None:
            raise DeniedError(
                401, "operator: not logged in", hint="GET /login, or HTTP Basic", headers=_challenge(request)
            )
        return self._of_session(session), False

    def _from_proxy(self, request: Request) -> bool:
        """Returns whether a call comes from a trusted proxy: anybody else can write its header, too."""
        try:
            client = ip_address(address(request))
        except ValueError:
            return False
        client = (client.ipv4_mapped if isinstance(client, IPv6Address) else None) or client
        return any(client in network for network in self._networks)

    def _of_proxy(self, proxy: TrustedProxy, names: list[str]) -> Operator:
        name = names[0] if len(names) == 1 else ""
        if not 1 <= len(name) <= _MOST_NAME or not name.isprintable():
            raise DeniedError(
                400, f"{proxy.header}: invalid (expected the name of one operator, got {len(names)} values)"
            )
        return self._derived("proxy", name, "operate" if name in proxy.operate else "view")

    def _of_session(self, session: Session) -> Operator:
        return Operator(session.name, self._accounts[session.name].role, session.csrf)

    def _derived(self, kind: str, name: str, role: Role) -> Operator:
        return Operator(name, role, hmac.digest(self._key, f"{kind}\0{name}".encode(), hashlib.sha256).hex())

    def _refuse_forgery(self, request: Request, operator: Operator, token: str, basic: bool) -> None:
        given = request.headers.get(CSRF_HEADER, token)
        if hmac.compare_digest(given.encode("utf-8", "surrogatepass"), operator.csrf.encode()):
            return
        # a browser adds the password of HTTP Basic to the forms of other sites, and says where they came from
        if basic and not given and not _foreign(request, allow_null=False):
            return
        problem = "missing" if not given else "wrong"
        raise DeniedError(403, f"{CSRF_HEADER}: {problem}", hint="reload the page, and send its token")

    def _check(self, client: str, name: str, password: str) -> None:
        """Takes the same work for an unknown name. Raises DeniedError."""
        now = self._clock()
        known = hmac.digest(self._key, f"{name}\0{password}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        with self._lock:
            if self._known.get(known, 0.0) > now:
                return
        if (wait := self._throttle.wait(client, now)) > 0:
            raise _too_many(wait)
        account = self._accounts.get(name)
        if not (self._hashes(self._hash_for(name), password) and account is not None):
            self._throttle.failed(client, now)
            raise DeniedError(
                401,
                "login: wrong user name or password",
                hint="the names are those of operators in rack.yml",
                headers={"WWW-Authenticate": _BASIC},
            )
        with self._lock:
            self._known[known] = now + _REMEMBERED
            while len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)

    def _hash_for(self, name: str) -> str:
        """Returns the hash of an operator; for an unknown name always the same one of the others'."""
        account = self._accounts.get(name)
        if account is not None:
            return account.hashed
        if not self._accounts:
            raise DeniedError(
                401,
                "operators: nobody can log in (expected a name with a password hash in rack.yml)",
                hint="mkpasswd --method=yescrypt",
            )
        digest = hmac.digest(self._key, name.encode("utf-8", "surrogatepass"), hashlib.sha256)
        names = sorted(self._accounts)
        return self._accounts[names[int.from_bytes(digest) % len(names)]].hashed

    def _hashes(self, hashed: str, password: str) -> bool:
        if not self._waiting.acquire(blocking=False):
            raise DeniedError(
                429, "login: busy with other logins", hint="try again in 1 s", headers={"Retry-After": "1"}
            )
        try:
            with self._hashing:
                return passwords.matches(password, hashed)
        finally:
            self._waiting.release()


def _accounts(config: RackConfig) -> dict[str, Account]:
    """Returns the operators by name; `NAME:view` in rack.yml may only look."""
    found = {}
    for key, hashed in config.operators.items():
        passwords.check(hashed)
        name, _, role = key.partition(":")
        found[name] = Account(hashed, "view" if role == "view" else "operate")
    return found


def address(request: Request) -> str:
    """Returns the address that a call came from."""
    return "" if request.client is None else request.client.host


def _challenge(request: Request) -> dict[str, str]:
    """Returns the challenge of HTTP Basic; none for a script of a page, which would make the browser ask."""
    mode = request.headers.get("sec-fetch-mode", "navigate")
    return {"WWW-Authenticate": _BASIC} if mode == "navigate" else {}


def _basic(header: str) -> tuple[str, str]:
    """Returns name and password (RFC 7617). Raises DeniedError."""
    scheme, _, encoded = header.partition(" ")
    try:
        if scheme.lower() != "basic" or len(header) > 4096:
            raise ValueError
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        if not colon:
            raise ValueError
    except (binascii.Error, ValueError) as error:
        raise DeniedError(
            401, "Authorization: malformed (expected HTTP Basic)", headers={"WWW-Authenticate": _BASIC}
        ) from error
    return name, password


def _foreign(request: Request, *, allow_null: bool) -> bool:
    """Returns whether a browser says that another site made this call (Fetch: Origin and Sec-Fetch-Site).

    A form of a page with the referrer policy no-referrer has the origin `null`, and so may one of another site.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("origin")
    if origin is None or (origin == "null" and allow_null):
        return False
    return origin.partition("://")[2] != request.headers.get("host")


def _too_many(seconds: float) -> DeniedError:
    whole = max(1, round(seconds))
    return DeniedError(429, f"login: too many wrong passwords (wait {whole} s)", headers={"Retry-After": str(whole)})
