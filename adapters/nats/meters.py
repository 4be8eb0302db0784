"""What the NATS side counts."""

from typing import Final

from application.meters import TALLIES, Tally

dead_letters: Final = Tally("fairbook_dead_letters", "Messages kept as dead letters", ("consumer",))
failed_tries: Final = Tally(
    "fairbook_consumer_failed_tries", "Messages that were not handled at a try", ("consumer",)
)
reconnects: Final = Tally(
    "fairbook_consumer_reconnects", "Times that a consumer connected again", ("consumer",)
)
published: Final = Tally(
    "fairbook_messages_published", "Messages stored by NATS for this process", ("publisher",)
)
publish_retries: Final = Tally(
    "fairbook_publish_retries", "Messages sent again because no answer came", ("publisher",)
)
publish_refused: Final = Tally(
    "fairbook_publish_refused", "Messages that NATS refused for good", ("publisher",)
)

TALLIES.extend(
    [dead_letters, failed_tries, reconnects, published, publish_retries, publish_refused]
)
