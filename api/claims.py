"""What a token says of itself: whoever mints one and whoever verifies it have to agree."""

from typing import Final

ALGORITHM: Final = "HS256"
ISSUER: Final = "fairbook"
AUDIENCE: Final = "fairbook"
