"""What every model asks of its numbers; each refusal names the field."""

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.refusals import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OUTCOMES_MIN: Final = 2
SUM_TOLERANCE: Final = 1e-6
"""How far probabilities may sum from 1: rounding to six decimals is no mistake."""


def to_floats(values: ArrayLike, field: str, *, dimensions: int | None = None) -> Floats:
    """Give finite numbers as an array; refuses text, ragged lists, NaN, infinity and another number of dimensions."""
    floats = to_array(values, field).astype(np.float64)
    if dimensions is not None and floats.ndim != dimensions:
        raise InvalidInput(
            f"{field} must have {dimensions} dimensions, not {floats.ndim}", field=field
        )
    if not np.isfinite(floats).all():
        raise InvalidInput(f"{field} holds a value that is missing or infinite", field=field)
    return floats


def to_indices(values: ArrayLike, field: str, size: int, *, dimensions: int = 1) -> Ints:
    """Give whole numbers from 0 up to, and not including, `size`."""
    array = to_array(values, field)
    if array.ndim != dimensions:
        raise InvalidInput(
            f"{field} must have {dimensions} dimensions, not {array.ndim}", field=field
        )
    if not np.isfinite(array.astype(np.float64)).all() or (array != np.floor(array)).any():
        raise InvalidInput(f"{field} are whole numbers", field=field)
    if array.size and (array.min() < 0 or array.max() >= size):
        raise InvalidInput(f"{field} lie from 0 to {size - 1}", field=field)
    return array.astype(np.int64)


def to_probabilities(values: ArrayLike, field: str, *, dimensions: int | None = None) -> Floats:
    """Give probabilities whose last axis has two or more outcomes and sums to 1, exactly scaled."""
    probabilities = to_floats(values, field, dimensions=dimensions)
    if probabilities.ndim == 0 or probabilities.shape[-1] < OUTCOMES_MIN:
        raise InvalidInput(f"{field} needs two outcomes or more", field=field)
    if (probabilities < 0).any():
        raise InvalidInput(f"{field} holds a negative probability", field=field)
    whole = probabilities.sum(axis=-1, keepdims=True)
    if (abs(whole - 1) > SUM_TOLERANCE).any():
        raise InvalidInput(f"{field} must sum to 1", field=field)
    scaled: Floats = probabilities / whole
    return scaled


def check_number(value: float, field: str, low: float, high: float) -> None:
    """Refuse a number that is not from `low` to `high`."""
    if not low <= value <= high:
        raise InvalidInput(f"{field} lies from {low:g} to {high:g}", field=field)


def to_array(values: ArrayLike, field: str) -> NDArray[Any]:
    """Give truths or numbers as an array, NaN and infinity included; refuses text and ragged lists."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InvalidInput(f"{field} must be numbers in equally long rows", field=field) from error
    if array.dtype.kind not in "buif" and array.size:
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"{field} must be numbers", field=field) from error
    return array
