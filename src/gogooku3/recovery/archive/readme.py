"""`README.md` of an archive: its contents, and how to restore the model without the project's tools."""

from __future__ import annotations

from string import Template

_TEXT = Template("""\
# $tag

A released model of gogooku3 with its repository, data and outputs, in one file.

| | |
|---|---|
| tag | `$tag` |
| commit | `$commit` |
| model | SHA-256 `$model_sha256` |

    MANIFEST.json       size and SHA-256 of every file; the object of every output
    restore.py          restores everything; needs only Git and Python 3.11 or newer
    repository.bundle   the Git repository: the tag with its history (`git clone --branch $tag repository.bundle`)
    requirements.lock   the versions of the libraries
    store/              the outputs of the pipeline, as a DVC remote: each file is named by the MD5 of its bytes

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


def readme(tag: str, commit: str, model_sha256: str) -> str:
    """The text for one release."""
    return _TEXT.substitute(tag=tag, commit=commit, model_sha256=model_sha256, file=file_name(tag))


def file_name(tag: str) -> str:
    """The default file name of a release's archive."""
    return f"{tag.replace('/', '-')}.tar"
