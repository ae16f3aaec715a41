"""`README.md` of an archive: what the file is, and how the model comes back when nothing else is left."""

from __future__ import annotations

from string import Template

_TEXT = Template("""\
# $tag

A released model of gogooku3 with everything that belongs to it, in one file.

| | |
|---|---|
| tag | `$tag` |
| commit | `$commit` |
| model | SHA-256 `$model_sha256` |

    MANIFEST.json       size and SHA-256 of every file; the object of every output
    restore.py          puts everything back; needs Git and Python 3.11 or newer, nothing else
    repository.bundle   the Git repository: the tag with its history (`git clone --branch $tag repository.bundle`)
    requirements.lock   the versions of the libraries
    store/              the outputs of the pipeline, as a DVC remote: each file is named by the MD5 of its bytes

## Back without gogooku3, DVC or network

```sh
mkdir archive
tar -xf $file -C archive
python3 -I archive/restore.py restored
```

`restored` is then a clone of the repository at the tag, with the model in `models/package`. Every file was held
against the manifest, and the model against the tag. Who has the commit's hash from elsewhere compares it with what
`git -C restored rev-parse HEAD` prints.

## On from there

In an environment with the libraries (`pip install -r requirements.lock`, then `pip install --no-deps -e .`),
`gogooku3 verify models/package` checks the model down to its predictions, and `gogooku3 predict models/package` uses
it. With DVC, the unpacked `store` is a remote: `dvc remote add --local --default archive PATH/archive/store` and
`dvc pull`. With gogooku3, `gogooku3 archive restore $file --to FOLDER` does all of this.
""")


def readme(tag: str, commit: str, model_sha256: str) -> str:
    """The text for one release."""
    return _TEXT.substitute(tag=tag, commit=commit, model_sha256=model_sha256, file=file_name(tag))


def file_name(tag: str) -> str:
    """The name that a release's archive has by default."""
    return f"{tag.replace('/', '-')}.tar"
