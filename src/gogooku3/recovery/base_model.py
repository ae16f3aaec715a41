"""Fetches the base model of an experiment (fine-tuning, warm start): a release, checked by its recorded hashes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from gogooku3.errors import DataError, MismatchError
from gogooku3.model.weights import WEIGHTS, first_member, read_tensors
from gogooku3.package.lineage import Parent
from gogooku3.paths import PACKAGED_WEIGHTS
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.record import parse, require_model
from gogooku3.recovery.sources import open_sources
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.fetch import fetch
from gogooku3.recovery.storage.open import open_cache
from gogooku3.recovery.storage.store import Store
from gogooku3.runtime.files import replaced_file, sha256_file

_EXPERIMENTS = "/.dvc/tmp/exps/"


def repository(folder: Path) -> Path:
    """Root of the repository with the tags and remotes for a folder.

    `dvc exp run --temp` and `dvc queue start` work in temporary repositories without tags, inside the real one.
    Raises `GitError` if the folder is not in a repository.
    """
    return Path(git.toplevel(folder).as_posix().partition(_EXPERIMENTS)[0])


def pull_release(root: Path, name: str, paths: Sequence[str], folder: Path) -> Parent:
    """Writes outputs of a release into a folder: from the local cache, or from a remote.

    The released model is checked by the hash in the tag. Training starts from a network: from the released one, or from
    the first member of a released ensemble.

    Args:
        root: the repository.
        name: the release, `TIER@VERSION`.
        paths: the outputs, single files, with the weights of that network; each keeps its file name.

    Raises:
        DataError: no such release, `promote` did not make it, or no source has intact copies of its files.
        MismatchError: the model's SHA-256 is not the one that the tag records.
        StoreError: the files are not in the cache, and a remote cannot be used.
    """
    release = tags.find(root, name)
    record = parse(release.tag.message)
    if record is None:
        raise DataError(
            f"`{name}` records no model hash to check: `gogooku3 promote` did not make this tag",
            hint="start from a version for which `gogooku3 tiers` shows a model",
        )
    wanted = [*paths, str(PACKAGED_WEIGHTS)]
    outs = {output.path: output for output in lock.outputs(root, release.commit) if output.path in wanted}
    absent = [path for path in wanted if path not in outs]
    if absent:
        raise DataError(
            f"`dvc.lock` of `{name}` does not record {', '.join(f'`{path}`' for path in absent)}",
            hint="start from a release that this pipeline made",
        )
    cache = open_cache(root)
    with open_sources(root) as sources:
        fetch(cache, sources, list(outs.values()), lambda _what, _done, _total: None).require_complete()
    for path in paths:
        _write(cache, outs[path], folder / Path(path).name)
    packaged = folder / ".packaged.safetensors"
    _write(cache, outs[str(PACKAGED_WEIGHTS)], packaged)
    digest = sha256_file(packaged)
    require_model(release.tag.name, record.model_sha256, digest)
    _require_member(name, packaged, folder / WEIGHTS)
    packaged.unlink()
    return Parent(release.tag.name, release.commit, digest)


def _require_member(name: str, packaged: Path, trained: Path) -> None:
    """Raises `MismatchError` unless a network is the one in a package, or the first member of its ensemble."""
    released, network = first_member(read_tensors(packaged)), read_tensors(trained)
    if released.keys() != network.keys() or not all(torch.equal(released[key], network[key]) for key in network):
        raise MismatchError(
            f"the trained weights that `dvc.lock` of `{name}` records are not those of its package",
            hint="start from another release (`gogooku3 tiers` lists them)",
        )


def _write(cache: Store, output: lock.Output, target: Path) -> None:
    """Writes an object of the cache to a file, hashed on the way."""
    with replaced_file(target) as partial:
        with partial.open("wb") as sink:
            stored = cache.digest(output.md5, sink)
        if stored is None or stored.md5 != output.md5:
            raise DataError(
                f"`{output.path}` ({output.md5}) changed in {cache.name} while it was read",
                hint="run the same command again",
            )
