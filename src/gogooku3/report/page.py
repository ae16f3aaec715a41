"""HTML page of a tier: the verdict first, then charts and tables, in one self-contained file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from gogooku3 import paths
from gogooku3.config.evaluation import Bootstrap
from gogooku3.dataset.splits import SPLITS
from gogooku3.package.results import cells, seed_rows
from gogooku3.package.seeds import ONE_SEED, gains
from gogooku3.pages.months import Months, bands, columns
from gogooku3.pages.picture import responsive
from gogooku3.pages.scripts import scripts
from gogooku3.pages.svg import NARROW, Drawing, Frame
from gogooku3.pages.template import environment, inline
from gogooku3.report import attribution, curves, estimates, heat_map, rank_response, tear_sheet
from gogooku3.report.curves import ALL
from gogooku3.report.latest import latest
from gogooku3.report.results import Results
from gogooku3.report.verdict import judge
from gogooku3.runtime.files import replaced_file

_TEMPLATE = "tier.html.j2"
_ROOM_FOR_TITLES = 118


def write(results: Results, folder: Path) -> None:
    """Writes the page into a folder; deterministic, the same bytes for the same results."""
    text = page(results)
    with replaced_file(folder / paths.TIER_PAGE.name) as partial:
        partial.write_text(text, encoding="utf-8")


def page(results: Results) -> str:
    """The page as self-contained HTML: no other file, no network."""
    verdict = judge(results)
    return (
        environment(Path(__file__).parent)
        .get_template(_TEMPLATE)
        .render(
            **scripts(),
            results=results,
            verdict=verdict,
            charts=inline(_charts(results)),
            panels=_panels(results),
            attribution=results.attribution,
            sources=inline(attribution.pictures(results.attribution) if results.attribution else {}),
            months=heat_map.months(results),
            years=heat_map.years(results.details.get("months", {}).get("grid", [])),
            details=results.details,
            groups=tear_sheet.groups(results.details),
            latest=latest(results),
            tracks=[track for track in ALL if track.name == "model" or track.name in results.baselines],
            sectors=_sectors(results.test["exposure"]["sector"]),
            portfolio=results.params["evaluation"]["portfolio"],
            cells={name: cells(getattr(results, name)) for name in ("validation", "test")},
            seeds=seed_rows({"validation": results.validation, "test": results.test}),
            one_seed=ONE_SEED,
            gains_over_seeds=gains,
            hashes=_hashes(results),
            environment=_flat(results.environment),
            parameters=_flat(results.params),
        )
    )


def _charts(results: Results) -> dict[str, str]:
    titled = NARROW.with_left(_ROOM_FOR_TITLES)
    charts = {
        "cumulative": curves.cumulative(results),
        "drawdown": curves.drawdown(results),
        "horizons": estimates.horizons(results),
        "sharpe": estimates.differences(results, "sharpe", "Sharpe ratio", titled),
        "mean_rank_ic": estimates.differences(results, "mean_rank_ic", "Mean RankIC", titled),
        "stocks": responsive(lambda frame: _stocks(results, frame)),
        "splits": responsive(lambda frame: _splits(results, frame)),
    }
    charts |= tear_sheet.pictures(results.details)
    if results.trained:
        charts["rank_ic_of_epochs"] = estimates.training(results, "validation_rank_ic", NARROW)
        charts["loss_of_epochs"] = estimates.training(results, "train_loss", NARROW)
    if (series := results.walk_forward) is not None:
        charts["walk_forward"] = curves.walk_forward(series)
    return charts


def _panels(results: Results) -> list[dict[str, Any]]:
    """Three charts per horizon."""
    params = results.params["evaluation"]
    bootstrap = Bootstrap(**params["bootstrap"])
    panels = []
    for index, horizon in enumerate(results.horizons):
        quantiles = rank_response.returns_by_quantile(results.predictions, index, params["quantiles"], bootstrap)
        calibration = rank_response.return_rank_by_score_rank(results.predictions, index, bootstrap)
        slope = results.test["rank_ic"][horizon]["value"]
        pictures = {
            "rank_ic": curves.rank_ic(results, horizon),
            "quantiles": estimates.quantiles(quantiles, horizon, NARROW),
            "calibration": estimates.calibration(calibration, slope, horizon, NARROW),
        }
        panels.append({"horizon": horizon, **inline(pictures)})
    return panels


def _stocks(results: Results, frame: Frame) -> Drawing:
    """Average number of stocks with a bar per session, by month, and a line for the expected number."""
    months = pl.DataFrame(results.quality["months"])
    heights, lines = (months[name] / months["sessions"] for name in ("bars", "expected_bars"))
    chart = columns(Months(months["month"][0], len(months)), heights, lines, frame)
    label = "Average number of stocks with a bar per session, by month, and the expected number"
    return Drawing(chart, frame, 110, label)


def _splits(results: Results, frame: Frame) -> Drawing:
    """Training, validation and test split in time, separated by the embargo."""
    months = results.quality["months"]
    spans = [(name, results.split[name]["first"], results.split[name]["last"]) for name in SPLITS]
    chart = bands(Months(months[0]["month"], len(months)), spans, frame)
    return Drawing(chart, frame, 24, "Training, validation and test split in time", foot=2)


def _sectors(weights: dict[str, float]) -> list[dict[str, Any]]:
    """Net weights in descending order, with the relative length of each bar."""
    largest = max((abs(weight) for weight in weights.values()), default=0.0) or 1.0
    return [
        {"name": name or "unknown", "weight": weight, "reach": abs(weight) / largest}
        for name, weight in sorted(weights.items(), key=lambda item: -item[1])
    ]


def _hashes(results: Results) -> dict[str, str]:
    titles = {
        "model.safetensors": "the model",
        "contents.json": "the dataset's table of contents",
        "predictions.parquet": "the scores",
    }
    return {title: results.hashes[name] for name, title in titles.items()} | {"feature ABI": results.schema.abi}


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Parameters by dotted key."""
    if not isinstance(tree, dict) or not tree:
        return {prefix: tree}
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return leaves
