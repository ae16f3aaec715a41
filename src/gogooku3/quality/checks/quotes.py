"""Check: validation rules that the source bars broke."""

from __future__ import annotations

from collections.abc import Iterator

from gogooku3.pages.words import count
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

RULE = "No bar broke a rule, and every stock has one sector and one segment. `quotes.rules` sets the policy per rule."


def check(statistics: Statistics) -> Iterator[Finding]:
    """Broken rules, and unknown or changed sectors and segments."""
    for rule, entry in statistics.quotes["rules"].items():
        if entry["count"]:
            action = "dropped" if entry["policy"] == "drop" else "kept unchanged"
            yield Finding(
                "broken_rule",
                "note",
                f"{count(entry['count'], 'bar')} broke the rule `{rule}`, {action}",
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
