"""`gogooku3 recover`: restores a release's model from a Git URL and the bucket."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gogooku3 import paths
from gogooku3.cli.clone_options import clone_options, from_option, settings_option, trusted_keys_option
from gogooku3.cli.findings import print_verdict
from gogooku3.cli.output import echo, echo_json
from gogooku3.errors import NOT_COMPARED
from gogooku3.progress import progress_bar

if TYPE_CHECKING:
    from gogooku3.recovery.recover import Recovery


@click.command()
@click.argument("name", metavar="TIER[@VERSION]")
@from_option
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), help="The new clone's folder.")
@click.option("--data", is_flag=True, help="Fetch quotes, dataset and predictions too.")
@settings_option
@trusted_keys_option
@click.option(
    "--also",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Additional source of objects: a clone, a cache, a remote's folder, an archive. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def recover(
    name: str,
    url: str | None,
    target: Path,
    data: bool,
    settings: Path | None,
    trusted_keys: Path | None,
    also: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Recover a released model from a Git URL and the bucket.

    Clones the repository at the tag of TIER (its best version) or TIER@VERSION, fetches the models, checks the hash of
    each object, and verifies the package. After an interruption, the same command resumes. Objects that are missing or
    damaged in the remotes are fetched from the cache of the current repository, or from --also.

    The provenance of the release (durations, machines, libraries and logs of its training) is written to
    logs/provenance/ of the clone. The model does not depend on it: if it is lost, that is reported, and the exit code
    is that of the model.

    \b
    Examples:
      gogooku3 recover tier1 --from https://example.com/team/gogooku3.git --to tier1
      gogooku3 recover tier1@v1.0.0 --to tier1 --data --also /backup/tier1.tar
      gogooku3 recover tier1 --to tier1 --trusted-keys team.keys

    Exit codes: 0 recovered and verified; 1 the package does not verify, the folder has other content, or another
    process is working on it; 2 the settings file or the list of trusted keys is wrong; 3 there is no such version, or
    no intact copy of an object is found; 4 a disk is full, or the folder cannot be written to; 5 the model is not the
    one that the tag records, or the tag's signature is not valid or not trusted; 7 the bucket cannot be reached, or
    does not give an object that no other source has; 8 Git failed; 10 the package is intact, but the tag has no
    readable record to compare the model with.
    """
    from gogooku3.recovery.recover import recover as run

    options = clone_options(url, settings)
    with progress_bar() as progress:
        result = run(
            options.url,
            name,
            target,
            data=data,
            settings=options.settings,
            trusted_keys=trusted_keys,
            also=[*options.caches, *also],
            progress=progress,
        )
    if as_json:
        echo_json(asdict(result) | {"good": result.good})
    else:
        _print(result)
    if not result.good:
        sys.exit(1)
    sys.exit(0 if result.recorded else NOT_COMPARED)


def _print(result: Recovery) -> None:
    echo(f"{result.tag}, commit {result.commit[:10]}, in {result.folder}")
    counts = [f"{count} from {source}" for source, count in result.fetched.brought.items() if count]
    already_present = result.fetched.objects - sum(result.fetched.brought.values())
    counts += [f"{already_present} already present"] if already_present else []
    echo(f"objects: {', '.join(counts)}")
    if result.provenance is not None:
        echo(f"provenance: {result.provenance}")
    elif result.provenance_lost is not None:
        echo(f"provenance: NOT recovered: {result.provenance_lost}")
    if not print_verdict(result.verdict, recorded=result.recorded):
        return
    dataset = paths.DATASET if result.data else "DATASET"
    echo(
        f"continue: cd {shlex.quote(result.folder)}\n"
        f"predict:  gogooku3 predict models/package --dataset {dataset} --output scores.parquet\n"
        f"resume:   dvc exp run -S train.start_from={result.tag}\n"
        f"retrain:  gogooku3 reproduce {result.tag}"
    )
