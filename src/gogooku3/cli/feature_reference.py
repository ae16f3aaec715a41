"""The reference of all features as a page: `docs/features.md` is made of it."""

from __future__ import annotations

from collections.abc import Iterator

from gogooku3.features.feature import Feature
from gogooku3.features.registry import FAMILIES, select
from gogooku3.features.subsets import SUBSETS

_TITLE = """# Features

{count} features in {families} families, made of bars, listing and index alone. `dataset.features` in `params.yaml`
names the set that an experiment uses: {subsets}.
Each set holds the one before it. This page is written by `gogooku3 features --markdown > docs/features.md`; the
declarations stand in `src/gogooku3/features/families`.

In the definitions, t is the session of the value; O, H, L, C are split-adjusted prices, V adjusted volume, TV traded
value in yen; r = log(C_t / C_t−1), g = log(O_t / C_t−1) overnight, d = log(C_t / O_t) intraday, m the log return of the
index, TR = max(H_t, C_t−1) − min(L_t, C_t−1) the true range; mean_n, std_n and so on run over the n sessions that end
at t. x_t−k is x of k sessions earlier. "after" a source: the idea is theirs, the formula differs.

What needs a bar, a trade or a divisor that is not there has no value; r, g and TR need the bar of the session before.
A window needs four fifths of its sessions, a sector's mean two stocks, a session's statistic or rank five. std and var
divide by n − 1; skewness, kurtosis and `dispersion` by n. Where an indicator's author smooths exponentially, a plain
mean stands, so that nothing remembers beyond its lookback.

*lookback*: the sessions whose bars a value depends on, its own included. *scope*: what becomes of it. `stock`: robust
z-score across the session's stocks; `rank`: a rank across them already; `session`: one value for all stocks, mean and
deviation fitted on the training sessions. *set*: the smallest that holds it.
"""


def smallest_subset(feature: Feature) -> str:
    """The first of the named sets that holds a feature."""
    return next(subset for subset, names in SUBSETS.items() if names is None or feature.name in names)


def markdown() -> str:
    """The page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    subsets = ", ".join(f"`{subset}` ({len(select(subset))})" for subset in SUBSETS)
    every = select(list(SUBSETS)[-1])
    yield _TITLE.format(count=len(every), families=len(FAMILIES), subsets=subsets)
    for family, features in FAMILIES.items():
        yield f"## {family}\n\n| feature | definition | lookback | scope | set |\n|---|---|---|---|---|"
        for feature in features:
            definition = feature.definition.replace("|", "\\|")
            told = (f"`{feature.name}`", definition, str(feature.lookback), feature.scope, smallest_subset(feature))
            yield f"| {' | '.join(told)} |"
        yield ""
