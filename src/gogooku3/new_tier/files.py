"""Writes a proposal into the project: groups of `conf/quotes` and `conf/tier`, and an artifact of `dvc.yaml`."""

from __future__ import annotations

import json
import re
from pathlib import Path

from yaml import safe_load

from gogooku3 import paths
from gogooku3.errors import ConfigError, DataError, RefusedError
from gogooku3.new_tier.proposal import Proposal
from gogooku3.runtime.files import replaced_file

_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
_ARTIFACTS = re.compile(r"^artifacts:\n(?:  \S.*\n)+", re.MULTILINE)


def targets(name: str) -> tuple[Path, Path]:
    """The two files of a tier's name, relative to the project."""
    return paths.CONF / "quotes" / f"{name}.yaml", paths.CONF / "tier" / f"{name}.yaml"


def require_new(root: Path, name: str) -> None:
    """Refuses a name that a file or a tag cannot have, and one that is taken.

    Raises:
        ConfigError: letters, digits, `-` and `_` alone are possible.
        RefusedError: a group or a tier has the name.
    """
    if not _NAME.fullmatch(name) or safe_load(name) != name:  # YAML reads `2024` and `null` as no text
        raise ConfigError(f"`{name}` cannot be a tier's name", hint="use letters, digits, `-` and `_`, a letter first")
    for target in targets(name):
        if (root / target).exists():
            raise RefusedError(f"`{target}` exists", hint="choose another name, or remove the file")


def write(root: Path, name: str, proposal: Proposal) -> list[Path]:
    """Writes the files; returns their paths relative to the project.

    Raises:
        RefusedError: the name is taken.
        DataError: `dvc.yaml` has no section `artifacts` in its usual form.
    """
    quotes, tier = targets(name)
    with replaced_file(root / paths.PIPELINE) as pipeline:
        # After the wait for another process that writes a tier: the name may be taken now.
        require_new(root, name)
        text = (root / paths.PIPELINE).read_text(encoding="utf-8")
        pipeline.write_text(_with_artifact(text, name), encoding="utf-8")
        for target, content in ((quotes, _quotes(name, proposal)), (tier, _tier(name, proposal))):
            with replaced_file(root / target) as partial:
                partial.write_text(content, encoding="utf-8")
    return [quotes, tier, paths.PIPELINE]


def _quotes(name: str, proposal: Proposal) -> str:
    lines = [
        f"# Bars of `{proposal.inputs['bars']}`, for the tier `{name}`; `gogooku3 init` proposed the values.",
        "# `file.yaml` explains each parameter.",
        "defaults:",
        "  - file",
        "  - _self_",
        *_section("inputs", proposal.inputs),
        *_section("bar_columns", proposal.bars),
        *_section("listed_columns", proposal.listed),
        *(_section("index_columns", proposal.index) if proposal.index else []),
        *_section("rules", proposal.policies),
    ]
    return "\n".join(lines) + "\n"


def _section(name: str, values: dict[str, str] | dict[str, str | None]) -> list[str]:
    return [f"{name}:", *(f"  {key}: {_text(value)}" for key, value in values.items())] if values else []


def _tier(name: str, proposal: Proposal) -> str:
    batch = "whole sessions" if proposal.batch_stocks == proposal.stocks else "sessions of sampled stocks"
    return f"""\
# @package _global_
# {proposal.stocks:,} stocks from {proposal.first} to {proposal.last}; `gogooku3 init` proposed the values.
# The demo's recipe, with batches of {batch}. `demo.yaml` explains each parameter.
defaults:
  - demo
  - _self_

tier:
  name: {name}
  metric: mean_rank_ic
  target: null
  expectation: Ranks stocks better than LightGBM on the same features.
  hypothesis: The demo's recipe ranks these stocks.

dataset:
  split:
    train_from: "{proposal.first}"
    validation_from: "{proposal.validation_from}"
    test_from: "{proposal.test_from}"

train:
  recipe:
    batch_size: {proposal.batch_size}
    batch_stocks: {proposal.batch_stocks}
"""


def _text(value: str | None) -> str:
    """A YAML scalar: JSON's strings are YAML's."""
    return "null" if value is None else json.dumps(value, ensure_ascii=False)


def _with_artifact(pipeline: str, name: str) -> str:
    """`dvc.yaml` with the artifact of a tier at the end of its section."""
    found = _ARTIFACTS.search(pipeline)
    if found is None:
        raise DataError(
            f"`{paths.PIPELINE}` has no section `artifacts`", hint=f"restore it: `git checkout {paths.PIPELINE}`"
        )
    if re.search(rf"^  {re.escape(name)}:", found[0], re.MULTILINE):
        return pipeline
    line = f"  {name}: {{ path: {paths.PACKAGE}, type: model }}\n"
    return pipeline[: found.end()] + line + pipeline[found.end() :]
