"""Who asks: bearer tokens, and which roles a route is for."""

import time
from collections.abc import Callable
from typing import Any, Final, cast, get_args

import jwt
from litestar import Request

from api.claims import ALGORITHM, AUDIENCE, ISSUER
from api.problems import BadToken
from domain.actors import Actor, Role
from domain.refusals import Forbidden, InvalidInput

ROLES_OF_ROUTE: Final = "roles"
_KEPT: Final = 10_000
_ROLES: Final = frozenset(get_args(Role))
_USER_MAX: Final = 200


class Tokens:
    """Verifies bearer tokens (JWT, HS256, issuer, audience, expiry), each signature once.

    A verified token is kept with its expiry, which is checked at every use.
    """

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock
        self._verified: dict[bytes, tuple[Actor, float]] = {}

    def actor(self, authorization: bytes) -> Actor:
        """Give who bears the token of an Authorization header; raises BadToken."""
        return self.verified(authorization)[0]

    def verified(self, authorization: bytes) -> tuple[Actor, float]:
        """Give who bears the token, and the UNIX time at which it expires; raises BadToken."""
        known = self._verified.get(authorization)
        if known is None:
            known = self._verify(authorization)
            if len(self._verified) >= _KEPT:
                self._verified.clear()
            self._verified[authorization] = known
        if known[1] <= self._clock():
            self._verified.pop(authorization, None)
            raise BadToken("the token has expired")
        return known

    def _verify(self, authorization: bytes) -> tuple[Actor, float]:
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not token:
            raise BadToken("send Authorization: Bearer <token>")
        try:
            claims = jwt.decode(
                token.strip(),
                self._secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.InvalidTokenError, ValueError) as error:
            raise BadToken("the token is not valid") from error
        user, role = claims["sub"], claims.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            raise BadToken("the token names no role of fairbook")
        if not isinstance(user, str) or not 0 < len(user) <= _USER_MAX:
            raise BadToken("the token names no user of fairbook")
        if user.startswith("#") or not user.isprintable():
            raise BadToken("the token names no user of fairbook")
        return Actor(user, cast("Role", role)), float(claims["exp"])


def only(*roles: Role) -> dict[str, Any]:
    """Mark a route as being for these roles; an admin may do what anyone may."""
    return {ROLES_OF_ROUTE: frozenset({*roles, "admin"})}


async def check_request(request: Request[Actor, Any, Any]) -> None:
    """Refuse whoever bears no token, or has a role that the route is not for.

    A hook and not a guard: the framework copies the whole route for each guard of each request. It also takes the word
    null in a query for nothing at all, which would widen a filter.
    """
    actor = request.scope.get("user")
    if not isinstance(actor, Actor):
        raise BadToken("send Authorization: Bearer <token>")
    allowed = request.route_handler.opt.get(ROLES_OF_ROUTE)
    if allowed is not None and actor.role not in allowed:
        raise Forbidden(f"this is for {' and '.join(sorted(allowed))}")
    if sum(name == b"idempotency-key" for name, _ in request.scope["headers"]) > 1:
        raise InvalidInput("a command has one key", field="Idempotency-Key")
    query = request.scope["query_string"]
    if b"null" in query.lower():
        for name, value in request.query_params.multi_items():
            if str(value).lower() == "null":
                raise InvalidInput("null is no value", field=name)
