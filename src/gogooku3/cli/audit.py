"""`gogooku3 audit`: integrity check of the objects in the bucket or the local cache."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from gogooku3.cli.output import console, echo, echo_json
from gogooku3.errors import DataError
from gogooku3.progress import progress_bar

if TYPE_CHECKING:
    from gogooku3.recovery.audit import Audit, Problem
    from gogooku3.recovery.run_cache_audit import Conflict, RunCache


_MISSING = (
    "hint: `--repair` copies an object from an intact copy, `gogooku3 locate PATH` searches for one; `dvc gc` deletes"
    " the objects of tags unless its flags keep them: `gogooku3 audit --gc-flags`"
)


@click.command()
@click.argument("revs", metavar="[REV]...", nargs=-1)
@click.option("--all-tags", is_flag=True, help="Audit every tag that has a dvc.lock.")
@click.option("--deep", is_flag=True, help="Download and hash every object instead of trusting the remote's MD5s.")
@click.option("--local", is_flag=True, help="Audit the local cache and DVC's run cache instead of the remote.")
@click.option(
    "--repair",
    is_flag=True,
    help="Replace damaged objects from the local cache (with --local: from the remote), then audit again.",
)
@click.option("--gc-flags", is_flag=True, help="Audit every tag, and print the flags with which `dvc gc` keeps them.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def audit(
    revs: tuple[str, ...], all_tags: bool, deep: bool, local: bool, repair: bool, gc_flags: bool, as_json: bool
) -> None:
    """Check that the bucket has every object, uncorrupted.

    Audits the objects of every REV (tag, branch or commit), and the provenance of the releases there; without REV, the
    objects of `dvc.lock` in the working tree. Sizes and MD5s come from the remote's own listings; only directory
    listings and objects without a known MD5 are downloaded. --repair uses only copies whose hash is correct, and
    deletes nothing. An object that cannot be read or replaced is reported with the reason and a remedy, and the rest is
    done.

    With --local, DVC's run cache is checked too. Two records of one run with different outputs prove that a stage is
    not deterministic; --repair does not change them.

    `dvc gc` deletes the objects of every revision that its flags do not name. --gc-flags prints the flags that keep all
    tags, branches and experiments, only if this clone has every tag of the Git remote and the bucket every object of
    them: `dvc gc $(gogooku3 audit --gc-flags)` cleans the local cache, and with --cloud the bucket too. It copies
    missing listings of directories into the local cache, since `dvc gc` needs them.

    \b
    Examples:
      gogooku3 audit --all-tags
      gogooku3 audit tier1@v1.0.0 --deep
      gogooku3 audit --local --repair
      gogooku3 audit --gc-flags

    Exit codes: 0 nothing is damaged, or --repair replaced every damaged object; 1 an object is missing, truncated,
    corrupted or unreadable, a run is recorded with two results, or the clone lacks a tag (--gc-flags); 3 a revision
    cannot be read; 4 a disk is full; 7 the remote as a whole cannot be used; 8 the Git remote cannot be read
    (--gc-flags).
    """
    if gc_flags:
        if revs or local or repair or as_json:
            raise click.UsageError("--gc-flags audits every tag in the remote: leave out REV and all but --deep")
        _print_gc_flags(deep)
        return
    from gogooku3.recovery.audit import audit as run
    from gogooku3.recovery.storage.lock import locked_tags

    root = Path()
    audited: list[str | None] = [*revs]
    if all_tags:
        tags = locked_tags(root)
        if not tags:
            raise DataError("no tag has a `dvc.lock`", hint="name a revision, or none to audit the working tree")
        audited += [tag for tag in tags if tag not in revs]
    with progress_bar() as progress:
        result = run(root, audited or [None], deep=deep, local=local, repair=repair, progress=progress)
    if as_json:
        echo_json(asdict(result) | {"passed": result.passed})
    else:
        _print(result)
    sys.exit(0 if result.passed else 1)


def _print_gc_flags(deep: bool) -> None:
    """Prints only the flags on stdout, for `dvc gc $(…)`: without any, it deletes nothing."""
    from gogooku3.recovery.garbage import FLAGS, protect_tags

    with progress_bar() as progress:
        result = protect_tags(Path(), deep=deep, progress=progress)
    _print(result, err=True)
    if not result.passed:
        sys.exit(1)
    echo(" ".join(FLAGS))


def _print(result: Audit, *, err: bool = False) -> None:
    printer = console(stderr=err)
    for title, problems in (("Repaired", result.repaired), ("Damaged", result.problems)):
        if problems:
            printer.print(_table(title, problems))
    if result.run_cache is not None:
        _print_findings(result.run_cache)
    _print_hints(result.problems)
    unreadable = len({problem.object for problem in result.problems if problem.damage.kind == "unreadable"})
    damaged = len({problem.object for problem in result.problems}) - unreadable
    repaired = len({problem.object for problem in result.repaired})
    counts = {"damaged": damaged, "unreadable": unreadable}
    verdict = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count) or "all intact"
    echo(
        f"{result.store}: {result.objects:,} objects of {len(result.revs)} revision{'s' * (len(result.revs) != 1)}, "
        f"{result.hashed:,} of them read and hashed: {verdict}" + (f", {repaired:,} repaired" if repaired else ""),
        err=err,
    )
    if result.run_cache is not None:
        echo(_counts(result.run_cache))
    if any(problem.damage.kind == "missing" for problem in result.problems):
        echo(_MISSING, err=True)


def _table(title: str, problems: tuple[Problem, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("revision", "path", "damage", "bytes", "object", "note"):
        table.add_column(column, overflow="fold")
    for problem in problems:
        damage = problem.damage
        sizes = (damage.found_size, damage.expected_size)
        of = " of ".join("?" if size is None else f"{size:,}" for size in sizes) if any(sizes) else ""
        table.add_row(problem.rev, problem.path, damage.kind, of, problem.object, problem.note)
    return table


def _print_hints(problems: tuple[Problem, ...]) -> None:
    """Prints why an object cannot be read or replaced, and what to do, once for all revisions that share it."""
    for problem in {problem.object: problem for problem in problems if problem.damage.hint}.values():
        reason = "; ".join(filter(None, (problem.damage.reason, problem.note)))
        echo(f"`{problem.path}` ({problem.object}): {reason}\nhint: {problem.damage.hint}")


def _print_findings(run_cache: RunCache) -> None:
    for conflict in run_cache.conflicts:
        _print_conflict(conflict)
    for damaged in run_cache.damaged:
        echo(f"`{damaged.path}` in the run cache is damaged: {damaged.reason}\nhint: {damaged.hint}")


def _print_conflict(conflict: Conflict) -> None:
    """Prints each path on its own line, quoted for `rm`."""
    stage = f" of stage `{conflict.stage}`" if conflict.stage else ""
    message = "gave different outputs from the same dependencies and parameters; DVC restores the newest:"
    echo(f"`{conflict.command}`{stage} {message}")
    for run in conflict.runs:
        echo(f"  {shlex.quote(run.path)}\n    written {run.written}")
        for path in conflict.outputs:
            echo(f"    {path}: {run.outputs.get(path, 'not recorded')}")
    echo(f"hint: {conflict.hint}")


def _counts(run_cache: RunCache) -> str:
    conflicting = sum(len(conflict.runs) for conflict in run_cache.conflicts)
    counts = {"in conflict": conflicting, "damaged": len(run_cache.damaged)}
    problems = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
    runs = f"{run_cache.recorded:,} run{'s' * (run_cache.recorded != 1)} recorded"
    return f"{run_cache.folder}: {runs}{f', of them {problems}' if problems else ', none in conflict'}"
