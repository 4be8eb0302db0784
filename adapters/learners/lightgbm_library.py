"""LightGBM, imported late: it is an extra, and needs a library of the system that a fresh machine may lack."""

from types import ModuleType


class LearnerMissingError(RuntimeError):
    """A library that a member needs is not installed; the message says what to do."""


def lightgbm_module() -> ModuleType:
    """Import LightGBM; raises LearnerMissingError with words on how to get it."""
    try:
        import lightgbm
    except ImportError as error:
        raise LearnerMissingError(
            "the racing model's trees need LightGBM: install the extra `predict`"
        ) from error
    except OSError as error:
        raise LearnerMissingError(
            f"LightGBM does not load ({error}): install the system's libgomp, on Debian `apt install libgomp1`"
        ) from error
    return lightgbm
