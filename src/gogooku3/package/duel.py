"""Whether the model beats a baseline, in words: by horizon, over all horizons, and by Sharpe ratio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Relation = Literal["beats", "worse", "not shown", "undefined"]


@dataclass(frozen=True)
class Answer:
    """The answer by one metric."""

    where: str
    """Completes "the model beats it …"."""
    relation: Relation
    text: str
    """The difference, model minus baseline, with its interval."""


@dataclass(frozen=True)
class Duel:
    """The model against one baseline, or against another model."""

    horizons: tuple[Answer, ...]
    """RankIC by horizon; none if one of the two has no scores."""
    mean: Answer | None
    """RankIC, mean over the horizons."""
    sharpe: Answer
    at_equal_turnover: Answer | None
    """Sharpe ratio against the baseline smoothed to the model's turnover; None if it trades no more anyway."""

    @property
    def outcome(self) -> str:
        """The answer in a word or two: "yes" or "no" need every part of it, and a loss is never hidden by the rest."""
        deciding = [each for each in (self.mean, self.at_equal_turnover or self.sharpe) if each is not None]
        if any(each.relation == "worse" for each in (*deciding, self.sharpe)):
            return "no"
        if lost := [each.where for each in self.horizons if each.relation == "worse"]:
            return f"worse {_joined(lost)}"
        if all(each.relation == "beats" for each in deciding):
            return "yes"
        won = any(each.relation == "beats" for each in (*deciding, *self.horizons))
        return "in part" if won else "not shown"

    def text(self, name: str) -> str:
        """Sentences with every difference and its interval; `name` is that of the baseline."""
        sentences = []
        if self.mean is not None:
            sentences.append(f"By RankIC over all horizons the model {_clause([self.mean], name, bare=True)}.")
        if self.horizons:
            sentences.append(f"It {'; '.join(_grouped(self.horizons, name))}.")
        sharpe = [f"By Sharpe ratio the model {_clause([self.sharpe], name, bare=True)}"]
        if self.at_equal_turnover is not None:
            sharpe.append(f"at equal turnover it {_clause([self.at_equal_turnover], name, bare=True)}")
        return " ".join([*sentences, f"{'; '.join(sharpe)}."])


def duel(table: Mapping[str, Any]) -> Duel:
    """The model against a baseline.

    Args:
        table: of the baseline (`gogooku3.evaluation.baseline_comparison`); older versions have no `at_equal_turnover`.
    """
    difference = table["model_less_this"]
    mean = difference.get("mean_rank_ic")
    smoothed = table.get("at_equal_turnover")
    return Duel(
        horizons=tuple(
            _answer(f"at {horizon} session{'' if horizon == '1' else 's'}", cell, "+.4f")
            for horizon, cell in difference.get("rank_ic", {}).items()
        ),
        mean=None if mean is None else _answer("over all horizons", mean, "+.4f"),
        sharpe=_answer("", difference["sharpe"], "+.2f"),
        at_equal_turnover=None if smoothed is None else _answer("", smoothed["model_less_this"], "+.2f"),
    )


def relation(cell: Mapping[str, Any]) -> Relation:
    """Whether the whole interval of a difference is above 0, below 0, or holds 0."""
    if cell["low"] is None or cell["high"] is None:
        return "undefined"
    if cell["low"] > 0:
        return "beats"
    return "worse" if cell["high"] < 0 else "not shown"


def _answer(where: str, cell: Mapping[str, Any], form: str) -> Answer:
    kind = relation(cell)
    if cell["value"] is None:
        return Answer(where, kind, "undefined")
    text = f"{cell['value']:{form}}"
    if kind != "undefined":
        text += f" [{cell['low']:{form}}, {cell['high']:{form}}]"
    return Answer(where, kind, text.replace("-", "−"))


def _grouped(answers: tuple[Answer, ...], name: str) -> list[str]:
    kinds: tuple[Relation, ...] = ("beats", "worse", "not shown", "undefined")
    groups = [[each for each in answers if each.relation == kind] for kind in kinds]
    return [_clause(group, name) for group in groups if group]


def _clause(answers: list[Answer], name: str, *, bare: bool = False) -> str:
    verbs = {
        "beats": f"beats {name}",
        "worse": f"is worse than {name}",
        "not shown": f"is not shown to differ from {name}",
        "undefined": f"cannot be compared with {name}",
    }
    places = [f"({each.text})" if bare else f"{each.where} ({each.text})" for each in answers]
    return f"{verbs[answers[0].relation]} {_joined(places)}"


def _joined(parts: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
