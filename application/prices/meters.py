"""What the price handler measures of itself."""

from typing import Final

from application.meters import DISTRIBUTIONS, TALLIES, Distribution, Tally

HANDLED_SECONDS: Final = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)

handled_seconds = Distribution(
    "fairbook_price_message_seconds", "Time to bring one message onto the board", HANDLED_SECONDS
)
quotes = Tally("fairbook_quotes", "Quotes that came in")
late = Tally("fairbook_quotes_late", "Quotes older than what was known")
rejected = Tally("fairbook_price_messages_rejected", "Messages that cannot be used", ("reason",))
kept = Tally("fairbook_quotes_kept", "Quotes recorded in the ledger")
signals = Tally("fairbook_arbitrage_signals", "Changes of opportunities recorded and signalled")
failed = Tally("fairbook_arbitrage_searches_failed", "Searches that could not be solved")

DISTRIBUTIONS.append(handled_seconds)
TALLIES.extend((quotes, late, rejected, kept, signals, failed))
