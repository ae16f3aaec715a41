"""A market with its quotes, two folds, and their scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.baselines.table import NAMES, to_table
from gogooku3.panel.panel import Panel
from gogooku3.panel.table import to_frame
from gogooku3.quotes.schema import Quotes
from gogooku3.walk_forward.plan import Fold

from .dataset import write_dataset

SESSIONS, STOCKS, HORIZONS = 160, 20, (1, 5)
FOLDS = [
    Fold(1, {"train": (0, 39), "validation": (45, 59), "test": (65, 94)}),
    Fold(2, {"train": (30, 69), "validation": (75, 89), "test": (95, 124)}),
]


@dataclass(frozen=True, eq=False)
class Market:
    """A panel, its quotes, and scores of a model and its baselines on all sessions."""

    panel: Panel
    quotes: Quotes
    scores: dict[str, np.ndarray]

    def write(self, folder: Path, folds: list[Fold]) -> tuple[Path, Path]:
        """Output of the stages `fold` and `fold_baselines`: each fold's scores from validation on."""
        for fold in folds:
            rows = slice(fold.spans["validation"][0], fold.spans["test"][1] + 1)
            model = self.scores["model"][rows]
            for name, table in (
                ("scores", to_frame(self.panel, model, rows.start)),
                ("baselines", to_table(self.panel, {name: self.scores[name][rows] for name in NAMES}, rows.start)),
            ):
                (folder / name).mkdir(parents=True, exist_ok=True)
                table.write_parquet(folder / name / f"{fold.number}.parquet")
        return folder / "scores", folder / "baselines"


@pytest.fixture(scope="session")
def market() -> Market:
    """One score predicts a third of the next return; one stock is listed late, another delisted."""
    random = np.random.default_rng(5)
    signal_TS = random.standard_normal((SESSIONS, STOCKS))
    returns_TS = np.zeros((SESSIONS, STOCKS))
    returns_TS[1:] = 0.01 * (signal_TS[:-1] + 2 * random.standard_normal((SESSIONS - 1, STOCKS)))
    close_TS = 100 * np.cumprod(1 + returns_TS, axis=0)
    close_TS[:70, 3] = close_TS[110:, 4] = np.nan
    y_TSH = np.full((SESSIONS, STOCKS, len(HORIZONS)), np.nan, np.float32)
    for place, horizon in enumerate(HORIZONS):
        y_TSH[:-horizon, :, place] = close_TS[horizon:] / close_TS[:-horizon] - 1
    present_TS = np.isfinite(close_TS)
    sessions = np.busday_offset("2023-01-05", np.arange(SESSIONS), roll="forward")
    codes = tuple(f"{1300 + stock}" for stock in range(STOCKS))
    panel = Panel(
        sessions=sessions,
        codes=codes,
        features=("signal",),
        abi="0" * 64,
        x_TSF=np.where(present_TS, signal_TS, np.nan)[..., None].astype(np.float32),
        present_TS=present_TS,
        y_TSH=y_TSH,
        horizons=HORIZONS,
        neighbours_GSK=np.full((1, STOCKS, 1), -1, np.int32),
        edges_GSKE=np.zeros((1, STOCKS, 1, 3), np.float32),
        graph_of_T=np.zeros(SESSIONS, np.int32),
        split={"train": (0, 80), "validation": (90, 110), "test": (120, 159)},
    )
    rows, places = np.nonzero(present_TS)
    bars = pl.DataFrame(
        {
            "Code": np.array(codes)[places],
            "Date": sessions[rows],
            "Close": close_TS[present_TS],
            "Volume": np.full(len(rows), 1e6),
            "TurnoverValue": np.full(len(rows), 1e8),
            "AdjustmentFactor": np.ones(len(rows)),
        }
    ).sort("Code", "Date")
    ended = pl.Series([sessions[109].item() if stock == 4 else None for stock in range(STOCKS)], dtype=pl.Date)
    listed = pl.DataFrame({"Code": codes, "Sector33": ["AB"[n % 2] for n in range(STOCKS)], "ListedTo": ended})
    index = pl.DataFrame({"Date": sessions, "Close": 1000 * np.cumprod(1 + 0.01 * random.standard_normal(SESSIONS))})
    scores = {
        name: np.where(
            present_TS[..., None],
            np.repeat(signal_TS[..., None], 2, axis=2) * share + random.standard_normal((SESSIONS, STOCKS, 2)),
            np.nan,
        ).astype(np.float32)
        for name, share in (
            ("model", 1.0),
            ("ridge", 0.5),
            ("lightgbm", 0.5),
            ("mlp", 0.5),
            ("ridge_ema", 0.5),
            ("reversal", 0.0),
            ("momentum", 0.0),
        )
    }
    return Market(panel, Quotes(bars, listed, index, {}, None), scores)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "dataset")
