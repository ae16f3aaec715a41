"""`gogooku3 promote`: releases this commit's package as a version of its tier."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.text import Text

from gogooku3 import paths, source
from gogooku3.cli.output import console, echo, echo_json
from gogooku3.recovery.releases.git import toplevel


@click.command()
@click.argument("tier")
@click.option("--version", metavar="vX.Y.Z", help="Version; by default the next minor one after the tier's newest.")
@click.option(
    "--despite-worse",
    metavar="REASON",
    help="Release a model that is worse than the best or cannot be compared with it, with a reason; the best stays.",
)
@click.option(
    "--replace-best",
    metavar="REASON",
    help="Make a model the best that cannot be compared with the best before it, with a reason.",
)
@click.option(
    "--despite-implausible",
    metavar="REASON",
    help="Release a model whose results are too good to be true, with a reason.",
)
@click.option("--note", metavar="SENTENCE", help="What was learned: the tag and the register of experiments have it.")
@click.option(
    "--with-user", is_flag=True, help="Name in the provenance who ran each stage and where: user name and host."
)
@click.option("--sign", is_flag=True, help="Sign the tags, as Git does by itself if `tag.gpgSign` is set.")
@click.option("--no-push", is_flag=True, help="Keep the tags local, and print the command that publishes them.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the tags, the Git remote, the comparison of the metrics and the record as JSON.",
)
def promote(
    tier: str,
    version: str | None,
    despite_worse: str | None,
    replace_best: str | None,
    despite_implausible: str | None,
    note: str | None,
    with_user: bool,
    sign: bool,
    no_push: bool,
    as_json: bool,
) -> None:
    """Release this commit's package as a version of its tier.

    Checks the working tree, the lock file and the package, computes every metric again from the stored scores, pushes
    to the bucket and audits it. Then creates the annotated tag TIER@VERSION and, if the model's objective on validation
    (`tier.metric`: mean RankIC, Sharpe ratio or the RankIC of a horizon) beats that of the tier's best version, the tag
    TIER#best#N; both or neither. No tag is ever moved. The tag records, and the command prints, the objective and
    whether its target is reached, the gain with its 95 % interval and whether that excludes zero, other metrics that
    disagree beyond noise, the number of different results of the tier and of those it was trained from (trials), the
    deflated Sharpe ratio for this number of trials, and how many test results had been seen.

    If `tier.compared_with` names another release, such as the one from which training started (`parent`), the gain over
    it is recorded too. It decides nothing.

    If the best was validated over other sessions, the two are compared over the sessions that both have, at least 20.
    With fewer, or with other horizons, nothing says which is better: the model is refused without a reason.

    A model whose results are too good to be true, by the findings of stages `evaluate` and `quality`, is refused.
    `--despite-implausible` releases it; tag, leaderboard and `tiers` have the reason.

    The version and N follow those on the Git remote (of the branch's upstream, else `origin`), and the tags are pushed
    there in one atomic push. If another clone takes the same number first, or the remote refuses the tags, no tag is
    made here or there. Without a Git remote the tags stay local. While one promotion runs in a clone, another one is
    refused.

    The provenance of the release goes to the bucket, next to the objects, and the tag names its SHA-256: duration and
    speed of each phase and duration of each stage, GPU, CPU, memory, operating system, installed and locked libraries,
    and the logs and learning curves of training. It has what ran on this machine with exactly these outputs, and says
    of each other stage that nothing is recorded.

    \b
    Examples:
      gogooku3 promote tier1
      gogooku3 promote tier1 --version v2.0.0 --despite-worse "half the turnover"
      gogooku3 promote tier1 --replace-best "validated on 2025, the best on 2022"
      gogooku3 promote tier1 --despite-implausible "10 stocks on purpose"
      gogooku3 promote tier1 --note "wider layers gain nothing"
      gogooku3 promote tier1 --no-push

    Exit codes: 0 released; 1 refused, or another process or clone was faster, with what to do; 2 wrong name, version or
    parameters; 3 files are missing, or the data is too short; 4 another clone's source is installed; 7 the bucket
    cannot be reached; 8 Git failed, or the Git remote cannot be reached or refuses the tags.
    """
    from gogooku3 import config
    from gogooku3.package.environment import read_numerics
    from gogooku3.runtime import numerics

    texts = (
        ("--despite-worse", "reason", despite_worse),
        ("--replace-best", "reason", replace_best),
        ("--despite-implausible", "reason", despite_implausible),
    )
    for option, what, text in (*texts, ("--note", "note", note)):
        if text is not None and not text.strip():
            raise click.BadParameter(f"the {what} is empty; it is recorded in the tag", param_hint=option)
    root = toplevel(Path.cwd())
    # The checks must run the code of the tagged commit.
    source.require(root)
    # The libraries that verify the package read the pinned settings when they load.
    numerics.pin(read_numerics(root / paths.PACKAGE))
    from gogooku3 import preflight
    from gogooku3.recovery.promote import promote as run
    from gogooku3.recovery.releases.publish import command
    from gogooku3.recovery.releases.record import comparison, plausibility, readings, training, trials
    from gogooku3.recovery.releases.tags import Version

    preflight.check(config.load(root / paths.PARAMS))  # the stages have checked them against the data
    requested = None if version is None else Version.parse(version)
    released = run(
        root,
        tier,
        version=requested,
        despite_worse=despite_worse,
        replace_best=replace_best,
        despite_implausible=despite_implausible,
        note=note,
        with_user=with_user,
        sign=sign,
        push=not no_push,
        progress=_print_step,
    )
    if as_json:
        made = {"tags": released.tags, "remote": released.remote, "recomputed": released.recomputed}
        echo_json(made | {"record": asdict(released.record)})
        return
    printer = console()
    printer.print(Text(released.tags[0], "bold") + Text(", best of its tier" * bool(released.record.stage_tag)))
    printer.print(f"{released.record.objective}; model {released.record.model_sha256[:16]}", soft_wrap=True)
    if released.record.provenance is not None:
        printer.print(f"training: {training(released.record.provenance)}", soft_wrap=True)
    printer.print(f"metrics: {released.recomputed}", soft_wrap=True)
    printer.print(f"plausibility: {plausibility(released.record)}", soft_wrap=True)
    printer.print(f"compared with {comparison(released.record)}", soft_wrap=True)
    if released.record.reference is not None:
        reference = released.record.reference.text(released.record.validation)
        printer.print(f"and with {reference}", soft_wrap=True)
    printer.print(f"chosen from {trials(released.record)}", soft_wrap=True)
    printer.print(f"test: {readings(released.record)}", soft_wrap=True)
    if released.remote is not None:
        printer.print(f"published on `{released.remote}`: {' '.join(released.tags)}", soft_wrap=True)
    else:
        reason = "" if no_push else "no Git remote: tags stay local; "
        printer.print(f"{reason}publish: `{command(root, released.tags)}`", soft_wrap=True)


def _print_step(step: str) -> None:
    echo(f"checking: {step}", err=True)
