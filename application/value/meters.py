"""What the value handler measures of itself."""

from typing import Final

from application.meters import DISTRIBUTIONS, TALLIES, Distribution, Tally

HANDLED_SECONDS: Final = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)

handled_seconds = Distribution(
    "fairbook_value_message_seconds", "Time to hold one message against the models", HANDLED_SECONDS
)
quotes = Tally("fairbook_value_quotes", "Quotes held against the models")
passed_over = Tally(
    "fairbook_value_messages_passed_over", "Messages that cannot be used", ("reason",)
)
signals = Tally("fairbook_value_signals", "Changes of value signals recorded and signalled")
unpriced = Tally(
    "fairbook_value_markets_unpriced", "Markets of which the active model says nothing", ("reason",)
)

DISTRIBUTIONS.append(handled_seconds)
TALLIES.extend((quotes, passed_over, signals, unpriced))
