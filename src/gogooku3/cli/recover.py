"""`gogooku3 recover`: a release's model from the repository's URL, the tag and the bucket."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gogooku3 import paths
from gogooku3.cli.clone_options import clone_options, from_option, settings_option
from gogooku3.cli.findings import print_verdict
from gogooku3.progress import progress_bar

if TYPE_CHECKING:
    from gogooku3.recovery.recover import Recovery


@click.command()
@click.argument("name", metavar="TIER[@VERSION]")
@from_option
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), help="The new clone's folder.")
@click.option("--data", is_flag=True, help="Fetch quotes, dataset and predictions too.")
@settings_option
@click.option(
    "--also",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Where else to look for objects: a clone, a cache, a remote's folder, an archive. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def recover(
    name: str, url: str | None, target: Path, data: bool, settings: Path | None, also: tuple[Path, ...], as_json: bool
) -> None:
    """Recover a released model from a Git URL and the bucket.

    Clones the repository at the tag of TIER (its best version) or TIER@VERSION, fetches the models, checks the hash of
    each object, and verifies the package. After an interruption, the same command resumes. Objects that are missing or
    damaged in the remotes are looked for in the cache of the repository that you stand in, and in --also.

    \b
    Examples:
      gogooku3 recover tier1 --from https://example.com/team/gogooku3.git --to tier1
      gogooku3 recover tier1@v1.0.0 --to tier1 --data --also /backup/tier1.tar

    Exit codes: 0 recovered and verified; 1 the package does not verify, or the folder holds something else; 2 the
    settings file is wrong; 3 there is no such version, or no undamaged copy of an object is found; 4 the folder cannot
    be written; 5 the model is not the one that the tag records; 7 the bucket cannot be reached; 8 Git failed.
    """
    from gogooku3.recovery.recover import recover as run

    here = clone_options(url, settings)
    with progress_bar() as progress:
        found = run(
            here.url, name, target, data=data, settings=here.settings, also=[*here.caches, *also], progress=progress
        )
    if as_json:
        click.echo(json.dumps(asdict(found) | {"good": found.good}, indent=2, ensure_ascii=False))
    else:
        _print(found)
    sys.exit(0 if found.good else 1)


def _print(found: Recovery) -> None:
    click.echo(f"{found.tag}, commit {found.commit[:10]}, in {found.folder}")
    came = [f"{count} from {place}" for place, count in found.fetched.brought.items() if count]
    there = found.fetched.objects - sum(found.fetched.brought.values())
    click.echo(f"objects: {', '.join([*came, *([f'{there} were there'] if there else [])])}")
    if not print_verdict(found.verdict):
        return
    dataset = paths.DATASET if found.data else "DATASET"
    click.echo(
        f"go on:    cd {shlex.quote(found.folder)}\n"
        f"predict:  gogooku3 predict models/package --dataset {dataset} --output scores.parquet\n"
        f"resume:   dvc exp run -S train.start_from={found.tag}\n"
        f"retrain:  gogooku3 reproduce {found.tag}"
    )
