"""What was learned from experiments: `docs/conclusions.yaml`, one sentence per commit.

A committed file and not Git notes: a clone does not fetch notes, and a conclusion is reviewed like code. The commit's
hash is the key: another experiment with the same name does not inherit the sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from gogooku3 import paths
from gogooku3.errors import ConfigError, DataError
from gogooku3.recovery.untrusted import load_yaml
from gogooku3.runtime.files import replaced_file

_HEAD = "# What was learned from experiments, by commit: `gogooku3 experiments conclude`.\n"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Conclusion:
    """What was learned from one experiment."""

    experiment: str
    """Its name when the sentence was written, for readers of the file."""
    learned: str


_ADAPTER = TypeAdapter(dict[Annotated[str, Field(pattern="^[0-9a-f]{40}$")], Conclusion])


def read(root: Path) -> dict[str, Conclusion]:
    """The conclusions by commit; {} without a file.

    Raises:
        DataError: the file is damaged.
    """
    file = root / paths.CONCLUSIONS
    if not file.is_file():
        return {}
    try:
        return _ADAPTER.validate_python(load_yaml(file.read_bytes()) or {})
    except (yaml.YAMLError, ValidationError) as error:
        first = error.errors(include_url=False)[0] if isinstance(error, ValidationError) else None
        reason = str(error) if first is None else f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise DataError(
            f"`{paths.CONCLUSIONS}` is not a table of conclusions: {' '.join(reason.split())}",
            hint=f"correct it, or restore it with `git checkout {paths.CONCLUSIONS}`",
        ) from None


def conclude(root: Path, commit: str, experiment: str, learned: str) -> Conclusion | None:
    """Writes what was learned from the experiment at a commit; returns the sentence that this replaces.

    Raises:
        ConfigError: the sentence is empty, or not text.
        DataError: the file is damaged; it stays as it is.
    """
    sentence = " ".join(learned.split())
    try:
        sentence.encode()
    except UnicodeEncodeError:
        raise ConfigError("the conclusion is not UTF-8 text", hint="type it in a UTF-8 locale") from None
    if not sentence:
        raise ConfigError("the conclusion is empty", hint="say in a sentence what was learned")
    with replaced_file(root / paths.CONCLUSIONS) as partial:
        # Inside of the lock: of two at once, neither loses the other's sentence.
        known = read(root)
        table = {
            key: {"experiment": each.experiment, "learned": each.learned}
            for key, each in {**known, commit: Conclusion(experiment, sentence)}.items()
        }
        partial.write_text(_HEAD + yaml.safe_dump(table, allow_unicode=True, width=1000), encoding="utf-8")
    return known.get(commit)
