"""Which requests are traced when their callers have not decided."""


class Sampler:
    """Takes the share `ratio` of all requests, evenly."""

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._due = 0.0

    def is_due(self) -> bool:
        """Tell whether the next request is one of them."""
        self._due += self._ratio
        if self._due < 1:
            return False
        self._due -= 1
        return True
