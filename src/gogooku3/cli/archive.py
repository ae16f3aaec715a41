"""`gogooku3 archive create | restore | list`: a release as one file, usable without bucket and Git server."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Column, Table
from rich.text import Text

from gogooku3.cli.clone_options import trusted_keys_option
from gogooku3.cli.findings import print_verdict
from gogooku3.cli.output import console, echo, echo_json
from gogooku3.progress import progress_bar
from gogooku3.recovery.releases.git import toplevel

if TYPE_CHECKING:
    from gogooku3.recovery.archive.release import Listing
    from gogooku3.recovery.archive.restore import Restored


@click.group()
def archive() -> None:
    """Save a release as one file, and restore it from there.

    The file is self-contained: it needs neither the bucket nor the Git server.

    \b
    Examples:
      gogooku3 archive create tier1
      gogooku3 archive restore tier1@v1.0.0.tar --to restored
    """


@archive.command()
@click.argument("name", metavar="TIER[@VERSION]")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The file; by default TIER@VERSION.tar in the current folder.",
)
@click.option("--push", is_flag=True, help="Upload the file to the bucket too, next to the objects.")
@click.option("--json", "as_json", is_flag=True, help="Print the file's size, hash and manifest as JSON.")
def create(name: str, output: Path | None, push: bool, as_json: bool) -> None:
    """Write the archive of a release.

    Of TIER (its best version) or TIER@VERSION. The archive is an uncompressed tar file: the Git history of the tag,
    every object of its outputs, the lock file of its libraries, and a README whose steps need only Git, tar and
    Python. The file is deterministic: the same release gives the same bytes with the same versions of gogooku3 and
    Git. Objects that the local cache lacks are downloaded from the remotes.

    With --push, the file is also uploaded to the default remote as archives/TIER@VERSION.tar, next to the objects, and
    read back. `dvc gc` does not look there. A file of this name with other bytes is not replaced.

    \b
    Examples:
      gogooku3 archive create tier1
      gogooku3 archive create tier1@v1.0.0 --output /backup/tier1.tar
      gogooku3 archive create tier1 --push

    Exit codes: 0 written; 3 there is no such release, the file exists (with --push, another one in the bucket), or no
    intact copy of an object is found; 4 a disk is full, or the folder cannot be written to; 5 the model is not the one
    that the tag records; 7 the bucket is needed and cannot be reached; 8 Git failed.
    """
    from gogooku3.recovery.archive.create import create as run
    from gogooku3.recovery.archive.push import push as upload
    from gogooku3.recovery.archive.readme import file_name

    root = toplevel(Path.cwd())
    with progress_bar() as progress:
        created = run(root, name, output, progress=progress)
    address = upload(root, Path(created.file), file_name(created.manifest.tag)) if push else None
    if as_json:
        echo_json(asdict(created) | {"pushed": address})
        return
    echo(f"{created.file}: {created.manifest.tag}, {len(created.manifest.objects):,} objects, {created.size:,} bytes")
    echo(f"SHA-256 {created.sha256}")
    if address is not None:
        echo(f"pushed to {address}")


@archive.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), help="The new clone's folder.")
@trusted_keys_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def restore(file: Path, target: Path, trusted_keys: Path | None, as_json: bool) -> None:
    """Restore the release in FILE without a network; verify it.

    FILE is not trusted: only the files in its manifest are extracted, their sizes, hashes and paths are checked, and
    `dvc.lock` and the tag in it must require exactly these files. The folder is written completely or not at all.

    \b
    Examples:
      gogooku3 archive restore tier1@v1.0.0.tar --to restored

    Exit codes: 0 restored and verified; 1 the package does not verify, the folder is not empty, or another process is
    working on it; 2 the list of trusted keys is wrong; 3 FILE is not an archive, is truncated, or was modified; 4 a
    disk is full, FILE cannot be read, or the folder cannot be written to; 5 its parts belong to different releases, or
    the tag's signature is not valid or not trusted.
    """
    from gogooku3.recovery.archive.restore import restore as run

    restored = run(file, target, trusted_keys=trusted_keys, progress=lambda step: echo(f"restoring: {step}", err=True))
    if as_json:
        echo_json(asdict(restored) | {"good": restored.good})
    else:
        _print_restored(restored)
    sys.exit(0 if restored.good else 1)


@archive.command("list")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Read and hash every byte.")
@click.option("--json", "as_json", is_flag=True, help="Print manifest, record and outputs as JSON.")
def list_(file: Path, check: bool, as_json: bool) -> None:
    """List the content of FILE.

    Its tag, commit, model and metrics, and every output with its size.

    \b
    Examples:
      gogooku3 archive list tier1@v1.0.0.tar
      gogooku3 archive list tier1@v1.0.0.tar --check

    Exit codes: 0 listed; 3 FILE is not an archive, is truncated, or was modified; 4 FILE cannot be read, or the disk of
    the temporary folder is full; 5 its parts belong to different releases.
    """
    from gogooku3.recovery.archive.release import listing

    contents = listing(file, check=check)
    if as_json:
        echo_json(asdict(contents))
    else:
        _print_listing(contents)


def _print_restored(restored: Restored) -> None:
    echo(f"{restored.tag}, commit {restored.commit[:10]}, {restored.objects:,} objects, in {restored.folder}")
    if not print_verdict(restored.verdict):
        return
    echo(
        f"continue: cd {shlex.quote(restored.folder)}\n"
        "predict:  gogooku3 predict models/package --dataset data/dataset --output scores.parquet\n"
        "publish:  git remote add origin URL && git push origin --tags; dvc push, to your own bucket"
    )


def _print_listing(contents: Listing) -> None:
    manifest, record = contents.manifest, contents.record
    printer = console()
    best = f" ({manifest.stage_tag})" if manifest.stage_tag else ""
    printer.print(Text(manifest.tag, "bold") + Text(f"{best}, commit {manifest.commit}"), soft_wrap=True)
    printer.print(f"model SHA-256 {manifest.model_sha256}", soft_wrap=True)
    for split, measured in (("validation", record.validation), ("test", record.test)):
        rank_ic = ", ".join(f"{horizon}: {estimate}" for horizon, estimate in measured.rank_ic.items())
        printer.print(f"{split}: Sharpe {measured.sharpe}; RankIC {rank_ic}", soft_wrap=True)
    table = Table("output", Column("files", justify="right"), Column("bytes", justify="right"))
    for part in contents.outputs:
        table.add_row(part.path, f"{part.files:,}", f"{part.size:,}")
    printer.print(table)
    verdict = "every byte checked" if contents.checked else "objects not read; --check reads them"
    echo(f"{contents.size:,} bytes: {verdict}")
