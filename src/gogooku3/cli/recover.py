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
from gogooku3.cli.around import around, from_option, settings_option
from gogooku3.cli.findings import tell
from gogooku3.progress import shown

if TYPE_CHECKING:
    from gogooku3.recovery.recover import Recovery


@click.command()
@click.argument("name", metavar="TIER[@VERSION]")
@from_option
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), help="The new clone's folder.")
@click.option("--data", is_flag=True, help="Bring quotes, dataset and predictions too.")
@settings_option
@click.option(
    "--also",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A further place for lost objects: a clone, a cache, a remote's folder, an archive. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def recover(
    name: str, url: str | None, target: Path, data: bool, settings: Path | None, also: tuple[Path, ...], as_json: bool
) -> None:
    """Bring back the model of TIER (its best version) or TIER@VERSION, and prove that it is that model.

    Clones the repository at the tag, brings the models, each object hashed on the way, and verifies the package.
    Interrupted, the same command continues. What the remotes lack or hold damaged is looked for in the cache of the
    repository that you stand in and in --also.

    Exit codes: 0 recovered and verified; 1 the package does not verify, or the folder holds something else; 2 the
    settings are none; 3 no such version, or objects that nobody has whole; 4 the folder cannot be written; 5 the model
    is not the one that the tag records; 7 the bucket cannot be reached; 8 Git failed.
    """
    from gogooku3.recovery.recover import recover as run

    here = around(url, settings)
    with shown() as progress:
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
    if not tell(found.verdict):
        return
    dataset = paths.DATASET if found.data else "DATASET"
    click.echo(
        f"go on:    cd {shlex.quote(found.folder)}\n"
        f"predict:  gogooku3 predict models/package --dataset {dataset} --output scores.parquet\n"
        f"resume:   dvc exp run -S train.start_from={found.tag}\n"
        f"retrain:  gogooku3 reproduce {found.tag}"
    )
