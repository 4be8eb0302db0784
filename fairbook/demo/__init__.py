"""`fairbook demo`: a season of football, a dozen traders and tens of thousands of bets through the HTTP API."""

from fairbook.demo.command import add_arguments as add_arguments
from fairbook.demo.command import run as run
