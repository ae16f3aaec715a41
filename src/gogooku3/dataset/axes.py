"""The two axes of a panel, sessions and stocks: where a value stands on its axis."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl


def places(values: pl.Series, known: pl.Series) -> npt.NDArray[np.intp]:
    """Position in `known` of each value."""
    return values.replace_strict(known, range(len(known)), return_dtype=pl.Int64).to_numpy().astype(np.intp)
