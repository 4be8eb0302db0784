"""`python -m fairbook`."""

import gc
import sys

# What a program imports stays: looking through it for garbage would take a tenth of every start.
gc.set_threshold(50_000, 20, 50)

from fairbook.cli import main  # noqa: E402  after the above, which is for what this imports

if __name__ == "__main__":
    sys.exit(main())
