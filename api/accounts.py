"""Accounts: open, move money, look."""

from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec.structs import replace

from api.auth import only
from api.desk import After, Asked, Cursor, Desk, Key, Limit, owner_seen_by
from api.problems import responses, responses_to_body
from api.times import AsOf, From, To, instant, moment
from application.answers import AccountChanged, NewAccount, Transferred
from domain.commands.account import (
    ChangeAccountLimits,
    CompleteWithdrawal,
    Deposit,
    GrantBonus,
    OpenAccount,
    RejectWithdrawal,
    Withdraw,
)
from domain.refusals import AccountNotFound
from read_models import balances, statement
from read_models.balances import Balance
from read_models.db import Page
from read_models.statement import StatementRow


@post("/accounts", opt=only("trader"), responses=responses_to_body(409, 422))
async def open_account(
    request: Asked, data: JSONBody[OpenAccount], desk: NamedDependency[Desk], key: Key = None
) -> Response[NewAccount]:
    """Open an account."""
    return await desk.command(request, data, key, NewAccount)


@post(
    "/accounts/{account_id:uuid}/deposits",
    opt=only("trader"),
    responses=responses_to_body(404, 409, 422),
)
async def deposit(
    request: Asked,
    account_id: FromPath[UUID],
    data: JSONBody[Deposit],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[Transferred]:
    """Put money into an account."""
    return await desk.command(request, data, key, Transferred, target=account_id)


@post(
    "/accounts/{account_id:uuid}/bonus",
    opt=only("operator"),
    responses=responses_to_body(404, 409, 422),
)
async def grant_bonus(
    request: Asked,
    account_id: FromPath[UUID],
    data: JSONBody[GrantBonus],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[Transferred]:
    """Let an account stake an amount for free."""
    return await desk.command(request, data, key, Transferred, target=account_id)


@post(
    "/accounts/{account_id:uuid}/limits",
    status_code=200,
    opt=only("operator"),
    responses=responses_to_body(404, 422),
)
async def change_account_limits(
    request: Asked,
    account_id: FromPath[UUID],
    data: JSONBody[ChangeAccountLimits],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[AccountChanged]:
    """Set an account's limits on bets to come; one that is not named is lifted."""
    return await desk.command(request, data, key, AccountChanged, target=account_id, status=200)


@post(
    "/accounts/{account_id:uuid}/withdrawals",
    opt=only("trader"),
    responses=responses_to_body(404, 409, 422),
)
async def withdraw(
    request: Asked,
    account_id: FromPath[UUID],
    data: JSONBody[Withdraw],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[Transferred]:
    """Hold money until an operator completes or rejects the withdrawal."""
    return await desk.command(request, data, key, Transferred, target=account_id)


@post(
    "/withdrawals/{transfer_id:uuid}/complete",
    status_code=200,
    opt=only("operator"),
    responses=responses_to_body(404, 409, 422),
)
async def complete_withdrawal(
    request: Asked,
    transfer_id: FromPath[UUID],
    desk: NamedDependency[Desk],
    data: JSONBody[CompleteWithdrawal | None] = None,
    key: Key = None,
) -> Response[Transferred]:
    """Confirm that a withdrawal was paid."""
    command = data or CompleteWithdrawal()
    return await desk.command(request, command, key, Transferred, target=transfer_id, status=200)


@post(
    "/withdrawals/{transfer_id:uuid}/reject",
    status_code=200,
    opt=only("operator"),
    responses=responses_to_body(404, 409, 422),
)
async def reject_withdrawal(
    request: Asked,
    transfer_id: FromPath[UUID],
    desk: NamedDependency[Desk],
    data: JSONBody[RejectWithdrawal | None] = None,
    key: Key = None,
) -> Response[Transferred]:
    """Refuse to pay a withdrawal; its money is available again."""
    command = data or RejectWithdrawal()
    return await desk.command(request, command, key, Transferred, target=transfer_id, status=200)


@get("/accounts", responses=responses(422))
async def list_accounts(
    request: Asked,
    desk: NamedDependency[Desk],
    owner: FromQuery[str | None] = None,
    overdrawn: FromQuery[bool | None] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[Balance]:
    """List accounts: a trader's own, anyone's for the other roles."""
    await desk.fresh("balances", after)
    return await balances.page(
        desk.db, owner_seen_by(request.user, owner), limit, cursor, overdrawn=overdrawn
    )


@get("/accounts/{account_id:uuid}", responses=responses(404, 422))
async def read_account(
    request: Asked,
    account_id: FromPath[UUID],
    desk: NamedDependency[Desk],
    as_of: AsOf = None,
    after: After = None,
) -> Balance:
    """Read an account's balances, now or as they were at a time or position."""
    at = None if as_of is None else moment(as_of)
    account = await _visible_account(request, account_id, desk, after)
    if at is None:
        return account
    await desk.fresh("statement", after)
    then = await statement.balance_as_of(desk.db, account_id, at)
    if then is None:
        raise AccountNotFound("the account did not exist then")
    return replace(
        account,
        available_minor=then.available_minor,
        in_play_minor=then.in_play_minor,
        version=then.version,
        position=then.position,
        overdrawn=then.available_minor < 0,
    )


@get("/accounts/{account_id:uuid}/statement", responses=responses(404, 422))
async def read_statement(
    request: Asked,
    account_id: FromPath[UUID],
    desk: NamedDependency[Desk],
    start: From = None,
    end: To = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[StatementRow]:
    """Read an account's movements, newest first, each with the balances after it."""
    since, until = instant(start, "from"), instant(end, "to")
    await _visible_account(request, account_id, desk, after)
    await desk.fresh("statement", after)
    return await statement.page(desk.db, account_id, since, until, limit, cursor)


async def _visible_account(
    request: Asked, account_id: UUID, desk: Desk, after: int | None
) -> Balance:
    await desk.fresh("balances", after)
    account = await balances.get(desk.db, account_id)
    if account is None or not request.user.may_see(account.owner):
        raise AccountNotFound
    return account


ROUTES = [
    open_account,
    deposit,
    grant_bonus,
    change_account_limits,
    withdraw,
    complete_withdrawal,
    reject_withdrawal,
    list_accounts,
    read_account,
    read_statement,
]
