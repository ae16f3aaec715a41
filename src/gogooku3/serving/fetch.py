"""Fetches a release's package into the user's cache, and verifies it once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from gogooku3 import config, paths
from gogooku3.errors import MismatchError, RefusedError
from gogooku3.package.manifest import MANIFEST
from gogooku3.recovery.pull import pull
from gogooku3.recovery.recover import compare_with_record
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.clone import claimed, clone
from gogooku3.recovery.sandbox.program import run_verify
from gogooku3.recovery.storage import lock
from gogooku3.runtime.files import sha256_file, write_json
from gogooku3.serving.release import Release, Wanted, cache_folder, slug


def fetched(wanted: Wanted) -> Release:
    """The package of a release, from the cache or from its repository and bucket; raises like `release.resolve`.

    A version that is in the cache is not looked up again: it needs no network. The best version of a tier is, as it
    changes.
    """
    if wanted.url is None:
        raise ValueError("a release is fetched from a repository")
    url = git.absolute(wanted.url)
    target = cache_folder() / slug(url) / wanted.name.replace("/", "%")
    mark = target.with_name(f"{target.name}.json")
    with claimed(target):
        if "@" in wanted.name and wanted.trusted_keys is None and (known := _known(target, mark)) is not None:
            return known
        release = _clone(url, wanted, target)
        package = target / paths.PACKAGE
        outs = [output for output in lock.outputs(target, None) if Path(output.path).is_relative_to(paths.PACKAGE)]
        pull(target, outs, wanted.also)
        compare_with_record(target, release)
        found = {"tag": release.tag.name, "commit": release.commit, "manifest": sha256_file(package / MANIFEST)}
        if not mark.is_file() or json.loads(mark.read_text(encoding="utf-8")) != found:
            verdict = run_verify(package, trusted_keys=wanted.trusted_keys)
            if not verdict["good"]:
                failed = [check for check in verdict["checks"] if check["outcome"] == "failed"]
                raise MismatchError(
                    f"`{release.tag.name}` does not verify: "
                    + "; ".join(f"{check['name']}: {check['found']}" for check in failed),
                    hint=f"`gogooku3 verify {package}` shows every check",
                )
            write_json(found, mark)
    return Release(release.tag.name, release.commit, package, config.load_released(target / paths.PARAMS))


def _known(target: Path, mark: Path) -> Release | None:
    """The release of an earlier fetch; None if it is not complete, or its package has changed."""
    try:
        found = json.loads(mark.read_text(encoding="utf-8"))
        package = target / paths.PACKAGE
        if sha256_file(package / MANIFEST) != found["manifest"]:
            return None
        return Release(found["tag"], found["commit"], package, config.load_released(target / paths.PARAMS))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _clone(url: str, wanted: Wanted, target: Path) -> tags.Release:
    try:
        return clone(url, wanted.name, target, wanted.settings, wanted.trusted_keys)
    except RefusedError:
        if "@" in wanted.name:
            raise
    # The tier has another best version since the last fetch. The folder is only a cache.
    shutil.rmtree(target)
    return clone(url, wanted.name, target, wanted.settings, wanted.trusted_keys)
