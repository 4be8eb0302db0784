"""Commands as the bodies of requests: what does not decode never reaches a decision."""

import msgspec
import pytest

from domain.commands.account import Deposit, OpenAccount
from domain.commands.bet import PlaceBet, PlaceBets
from domain.commands.command import Command
from domain.commands.market import DeclareResult, OpenMarket
from domain.commands.odds import RecordOdds

ID = "018e0000-0000-7000-8000-000000000001"
LEG = f'{{"market_id":"{ID}","selection_id":"home","odds":2.05}}'
BET = f'"account_id":"{ID}","legs":[{LEG}],"stake_minor":100'


def test_odds_are_read_exactly() -> None:
    bet = msgspec.json.decode(f"{{{BET}}}", type=PlaceBet)
    assert str(bet.legs[0].odds) == "2.05"
    assert (bet.kind, bet.side, bet.bet_id) == ("single", "back", None)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Deposit, '{"amount_minor":0,"method":"card"}'),
        (Deposit, '{"amount_minor":-1,"method":"card"}'),
        (Deposit, '{"amount_minor":1.0,"method":"card"}'),
        (Deposit, '{"amount_minor":1e3,"method":"card"}'),
        (Deposit, '{"amount_minor":"1","method":"card"}'),
        (Deposit, '{"amount_minor":true,"method":"card"}'),
        (Deposit, '{"amount_minor":null,"method":"card"}'),
        (Deposit, '{"amount_minor":NaN,"method":"card"}'),
        (Deposit, '{"amount_minor":1000000000000001,"method":"card"}'),
        (Deposit, f'{{"amount_minor":1{"0" * 40},"method":"card"}}'),
        (Deposit, '{"amount_minor":1}'),
        (Deposit, '{"amount_minor":1,"method":""}'),
        (Deposit, '{"amount_minor":1,"method":"a\\u0000b"}'),
        (Deposit, '{"amount_minor":1,"method":"a\\n"}'),
        (Deposit, '{"amount_minor":1,"method":"\\ud800"}'),
        (Deposit, f'{{"amount_minor":1,"method":"{"x" * 201}"}}'),
        (Deposit, '{"amount_minor":1,"method":"card","currency":"EUR"}'),
        (Deposit, '{"amount_minor":1,"method":"card","transfer_id":"1"}'),
        (OpenAccount, '{"currency":"eur","name":"x"}'),
        (OpenAccount, '{"currency":"EURO","name":"x"}'),
        (OpenAccount, '{"currency":"EUR"}'),
        (PlaceBet, f'{{"account_id":"{ID}","legs":[],"stake_minor":1}}'),
        (PlaceBet, f'{{{BET},"kind":"treble"}}'),
        (PlaceBet, f'{{{BET},"odds":2}}'),
        (PlaceBet, f"{{{BET.replace('2.05', 'NaN')}}}"),
        (PlaceBet, f"{{{BET.replace(LEG, LEG[:-1] + chr(44) + chr(34) + 'x' + chr(34) + ':1}')}}}"),
        (PlaceBets, '{"bets":[]}'),
        (PlaceBets, f'{{"bets":[{",".join(["{" + BET + "}"] * 8001)}]}}'),
        (DeclareResult, '{"score":{"home":-1,"away":0}}'),
        (DeclareResult, '{"score":{"home":1}}'),
        (DeclareResult, '{"results":[]}'),
        (DeclareResult, '{"results":[{"selection_id":"a","result":"maybe"}]}'),
        (
            DeclareResult,
            '{"results":[{"selection_id":"a","result":"won","dead_heat":{"tied":1,"places":1}}]}',
        ),
        (RecordOdds, '{"quotes":[]}'),
        (
            RecordOdds,
            f'{{"quotes":[{{"bookmaker":"b","market_id":"{ID}","selection_id":"a","odds":2,"at":"2024-03-01T12:00:00"}}]}}',
        ),
        (OpenMarket, '{"type":"1X2"}'),
    ],
)
def test_a_body_is_refused(kind: type[Command], body: str) -> None:
    with pytest.raises((msgspec.ValidationError, msgspec.DecodeError)):
        msgspec.json.decode(body, type=kind)
