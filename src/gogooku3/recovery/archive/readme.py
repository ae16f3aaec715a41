"""`README.md` of an archive: the model in figures, its contents, and how to restore it without the project's tools."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

import yaml
from safetensors import SafetensorError, safe_open

from gogooku3 import paths
from gogooku3.escaping import markdown
from gogooku3.package.results import ABSENT
from gogooku3.recovery.archive.manifest import BUNDLE, MANIFEST, PROVENANCE, REQUIREMENTS, SCRIPT, STORE
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.record import Record, training
from gogooku3.recovery.untrusted import load_yaml

_TEXT = Template("""\
# $tag

A released model of gogooku3 with its repository, data and outputs, in one file.

| | |
|---|---|
| tag | `$tag` |
| commit | `$commit` |
| model | SHA-256 `$model_sha256` |
$facts

$contents

## Restore without gogooku3, DVC or network

```sh
mkdir archive
tar -xf $file -C archive
python3 -I archive/restore.py restored
```

`restored` is then a clone of the repository at the tag, with the model in `models/package`. The checksum of every file
was compared with the manifest, and the model's with the tag. Exit code 4 of `restore.py` is not the archive's fault: a
disk is full, or something cannot be read or written. If you know the commit's hash from another source, compare
it with the output of `git -C restored rev-parse HEAD`.

## Next steps

In an environment with the libraries (`pip install -r requirements.lock`, then `pip install --no-deps -e .`),
`gogooku3 verify models/package` checks the model, including its predictions, and `gogooku3 predict models/package`
uses it. With DVC, the unpacked `store` is a remote: `dvc remote add --local --default archive PATH/archive/store` and
`dvc pull`. With gogooku3, `gogooku3 archive restore $file --to FOLDER` does all of this.
""")


_CONTENTS = {
    MANIFEST: "size and SHA-256 of every file; the object of every output",
    SCRIPT: "restores everything; needs only Git and Python 3.11 or newer",
    BUNDLE: "the Git repository: the tag with its history (`git clone --branch $tag repository.bundle`)",
    REQUIREMENTS: "the versions of the libraries",
    PROVENANCE: "how long and on what the stages ran, with which libraries; the logs of training",
    f"{STORE}/": "the outputs of the pipeline, as a DVC remote: each file is named by the MD5 of its bytes",
}


def readme(root: Path, release: tags.Release, record: Record, weights: Path | None) -> str:
    """The text for one release.

    Args:
        root: the repository.
        weights: the file of the packaged weights.
    """
    tag = release.tag.name
    names = {name: text for name, text in _CONTENTS.items() if name != PROVENANCE or record.provenance is not None}
    contents = "\n".join(f"    {name:<20}{text}" for name, text in names.items()).replace("$tag", tag)
    facts = "\n".join(
        f"| {name} | {markdown(value)} |" for name, value in _facts(root, release, record, weights).items()
    )
    return _TEXT.substitute(
        tag=tag,
        commit=release.commit,
        model_sha256=record.model_sha256,
        file=file_name(tag),
        facts=facts,
        contents=contents,
    )


def _facts(root: Path, release: tags.Release, record: Record, weights: Path | None) -> dict[str, str]:
    """The model in figures: each from the tag's record, from the parameters of its commit, or from the weights."""
    splits = {"validation": record.validation, "test": record.test}
    facts = {"released": datetime.fromtimestamp(release.tag.time, UTC).date().isoformat()}
    for name, split in splits.items():
        mean = ABSENT if split.mean_rank_ic is None else f"{split.mean_rank_ic:.4f}"
        facts[name] = f"RankIC {mean} (mean; {split.basis}), Sharpe ratio {split.sharpe}"
    if record.objective is not None:
        facts["objective"] = str(record.objective)
    facts["size"] = _size(weights)
    facts["loss weights"] = _loss_weights(root, release.commit)
    facts["training"] = "not recorded" if record.provenance is None else training(record.provenance)
    return facts


def _size(weights: Path | None) -> str:
    """The number of parameters, and the bytes of the weights."""
    try:
        if weights is None:
            return ABSENT
        with safe_open(weights, framework="np") as file:
            count = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
        return f"{count:,} parameters, {weights.stat().st_size:,} bytes"
    except (SafetensorError, OSError):
        return ABSENT


def _loss_weights(root: Path, commit: str) -> str:
    """The weights of the loss terms in the commit's parameters."""
    try:
        loss: dict[str, Any] = load_yaml(git.show(root, commit, paths.PARAMS) or "")["train"]["recipe"]["loss"]
        return ", ".join(f"{name} {value}" for name, value in loss.items())
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        return ABSENT


def file_name(tag: str) -> str:
    """The default file name of a release's archive."""
    return f"{tag.replace('/', '-')}.tar"
