"""What did the bars break, where they come from, and what was done about it?"""

from __future__ import annotations

from collections.abc import Iterator

from gogooku3.pages.words import count
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

RULE = (
    "No bar broke a rule, and every stock has one sector and one segment. Otherwise `quotes.rules` says what is done."
)


def check(statistics: Statistics) -> Iterator[Finding]:
    """Rules that were broken, and labels that are unknown or changed."""
    for rule, entry in statistics.quotes["rules"].items():
        if entry["count"]:
            done = "left out" if entry["policy"] == "drop" else "kept as they are"
            yield Finding(
                "broken_rule",
                "note",
                f"{count(entry['count'], 'bar')} broke the rule `{rule}`, {done}",
                values={name: entry[name] for name in ("policy", "count", "dropped")} | {"rule": rule},
            )
    for label, entry in statistics.quotes.get("listed", {}).items():
        for kind, stocks in entry.items():
            if stocks:
                yield Finding(
                    f"{kind}_label",
                    "note",
                    f"{count(stocks, 'stock')} with {'an' if kind == 'unknown' else 'a'} {kind} `{label}`",
                    values={"label": label, "stocks": stocks},
                )
