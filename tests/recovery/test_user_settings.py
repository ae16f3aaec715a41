"""Settings of other people's machines change no verb's output: each verb prints the same, or refuses in one line."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from dvc.repo import Repo

from gogooku3.cli import main
from gogooku3.errors import DataError
from gogooku3.recovery.archive.create import create
from gogooku3.recovery.archive.restore import restore
from gogooku3.recovery.promote import promote
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.clone import SITE_CACHE, clone
from gogooku3.recovery.storage.lock import outputs, run_keys

from .lab import ROOT, Lab

GIT_SETTINGS = {
    "clone.defaultRemoteName": "[clone]\n defaultRemoteName = upstream",
    "safe.bareRepository": "[safe]\n bareRepository = explicit",
    "column.ui": "[column]\n ui = always",
    "color.ui": "[color]\n ui = always\n status = always\n diff = always",
    "core.fileMode": "[core]\n fileMode = false",
    "core.quotePath": "[core]\n quotePath = true",
    "core.pager": "[core]\n pager = false\n[pager]\n tag = true\n log = true\n diff = true\n status = true",
    "core.hooksPath": "[core]\n hooksPath = {hooks}",
    "core.fsmonitor": "[core]\n fsmonitor = {hooks}/fsmonitor",
    "core.autocrlf=true": "[core]\n autocrlf = true",
    "core.autocrlf=input": "[core]\n autocrlf = input\n safecrlf = true",
    "core.eol": "[core]\n eol = crlf",
    "core.attributesFile": '[core]\n attributesFile = {attributes}\n[filter "upper"]\n smudge = tr a-z A-Z',
    "core.excludesFile": "[core]\n excludesFile = {excludes}",
    "diff": (
        "[diff]\n external = {hooks}/fsmonitor\n noprefix = true\n mnemonicPrefix = true\n relative = true\n"
        " algorithm = histogram\n renames = copies\n orderFile = {excludes}"
    ),
    "fetch": "[fetch]\n prune = true\n pruneTags = true\n recurseSubmodules = true",
    "init": "[init]\n defaultObjectFormat = sha256\n defaultBranch = trunk\n templateDir = {template}",
    "log": "[log]\n showSignature = true\n follow = true\n decorate = full\n date = relative",
    "protocol.file": '[protocol "file"]\n allow = never',
    "sign": "[tag]\n gpgSign = true\n forceSignAnnotated = true\n[commit]\n gpgSign = true\n[gpg]\n program = false",
    "status": "[status]\n short = true\n branch = true\n showUntrackedFiles = no\n renames = copies",
    "submodule.recurse": "[submodule]\n recurse = true",
    "tag.sort": "[tag]\n sort = -version:refname",
    "insteadOf": '[url "https://git.invalid/"]\n insteadOf = https://example.com/',
}
"""Global settings of Git, each of which is common or breaks a careless caller."""

TOGETHER = "\n".join(text for name, text in GIT_SETTINGS.items() if name != "core.autocrlf=input")
SETTINGS = GIT_SETTINGS | {"together": TOGETHER}
each_setting = pytest.mark.parametrize(
    "setting", ["together", *(pytest.param(name, marks=pytest.mark.slow) for name in GIT_SETTINGS)]
)

VARIABLES = {
    "GIT_DEFAULT_HASH": "sha256",
    "GIT_EXTERNAL_DIFF": "false",
    "GIT_ICASE_PATHSPECS": "1",
    "LANG": "ja_JP.UTF-8",
    "LANGUAGE": "ja:de",
}

READING = (
    ("tiers", "--json"),
    ("tiers",),
    ("leaderboard", "--check"),
    ("experiments", "--json"),
    ("diff", "tier1@v1.0.0", "tier1@v1.1.0", "--json"),
    ("diff", "tier1@v1.0.0", "--json"),
    ("locate", "models/package"),
    ("locate", "tier1@v1.0.0", "--json"),
    ("audit", "--all-tags", "--json"),
)


@pytest.fixture(scope="module")
def released(trained: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A test repository with two releases and a changed, an executable and a new file of code."""
    lab = trained.copy(tmp_path_factory.mktemp("released"))
    promote(lab.folder, "tier1")
    code = lab.folder / "src/gogooku3/training/code.py"
    code.write_text("one\n2\nthree\nfour\n")
    lab.train(2, 0.07)
    promote(lab.folder, "tier1")
    code.chmod(0o755)
    (lab.folder / "src/gogooku3/training/neu für alle.py").write_text("new\n")
    return lab


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Gives this process and its children a global Git configuration."""

    def use(config: str) -> None:
        home = tmp_path / "a home"
        hooks = home / "hooks"
        hooks.mkdir(parents=True)
        for name in ("reference-transaction", "post-checkout", "pre-push", "post-index-change", "fsmonitor"):
            (hooks / name).write_text("#!/bin/sh\necho refused by a hook >&2\nexit 1\n")
            (hooks / name).chmod(0o755)
        (home / "template").mkdir()
        shutil.copytree(hooks, home / "template/hooks")
        (home / "attributes").write_text("* text eol=crlf\n*.yaml filter=upper\n*.lock filter=upper diff=upper\n")
        (home / "excludes").write_text("*.py\nmetrics\nmodels\n")
        places = {name: home / name for name in ("hooks", "template", "attributes", "excludes")}
        (home / ".gitconfig").write_text(config.format_map(places) + "\n")
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))

    return use


def printed(*verb: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, verb)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def expected(released: Lab) -> dict[tuple[str, ...], tuple[int, str]]:
    """What the verbs print with no configuration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(released.folder)
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        (released.folder / "docs").mkdir()
        assert printed("leaderboard")[0] == 0
        released.run("git", "status")
        return {verb: printed(*verb) for verb in READING}


@pytest.mark.slow
@each_setting
def test_reading_verbs_print_the_same(
    setting: str,
    released: Lab,
    expected: dict[tuple[str, ...], tuple[int, str]],
    machine: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(SETTINGS[setting])
    monkeypatch.chdir(released.folder)
    for verb in READING:
        assert printed(*verb) == expected[verb], verb


@each_setting
def test_clones_have_the_bytes_of_the_commit(
    setting: str, released: Lab, machine: Callable[[str], None], tmp_path: Path
) -> None:
    lines = git.run(released.folder, "ls-tree", "-r", "-z", "tier1@v1.0.0").split("\0")[:-1]
    blobs = {line.partition("\t")[2]: line.split()[2] for line in lines}
    machine(SETTINGS[setting])
    for _ in ("made", "kept"):
        clone(str(released.folder), "tier1@v1.0.0", tmp_path / "clone")
    for name, blob in blobs.items():
        content = (tmp_path / "clone" / name).read_bytes()
        assert hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == blob, name
    assert git.changes(tmp_path / "clone") == []
    assert outputs(tmp_path / "clone", None) == outputs(released.folder, "tier1@v1.0.0")


@pytest.mark.slow
def test_an_archive_has_the_same_bytes_and_is_restored(
    released: Lab, machine: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all settings at once, and a cache of links."""
    create(released.folder, "tier1", tmp_path / "plain.tar")
    machine(TOGETHER)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    create(released.folder, "tier1", tmp_path / "here.tar")
    assert (tmp_path / "here.tar").read_bytes() == (tmp_path / "plain.tar").read_bytes()
    config = tmp_path / "a home/.config/dvc/config"
    config.parent.mkdir(parents=True)
    config.write_text("[cache]\n    type = symlink\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config.parents[1]))
    monkeypatch.delenv("DVC_SITE_CACHE_DIR")
    assert restore(tmp_path / "here.tar", tmp_path / "back").good
    for output in outputs(tmp_path / "back", None):
        assert (tmp_path / "back" / output.path).exists(), output.path
        assert not (tmp_path / "back" / output.path).is_symlink()
    with Repo(str(tmp_path / "back")) as repo:
        assert Path(repo.site_cache_dir).is_relative_to(tmp_path / "back")
        assert Path(repo.cache.local.path).is_relative_to(tmp_path / "back")
    assert stat.S_IMODE((tmp_path / "back" / SITE_CACHE).stat().st_mode) == 0o700
    assert not list(tmp_path.glob(".*"))


def test_promote_and_the_tags_of_a_drill(
    trained: Lab, machine: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git's own setting signs tags: without a key, nothing is tagged."""
    lab = trained.copy(tmp_path)
    machine(TOGETHER)
    with pytest.raises(git.GitError, match=r"`tier1@v1\.0\.0` cannot be signed"):
        promote(lab.folder, "tier1")
    assert lab.tags() == set()
    git.run(lab.folder, "config", "tag.gpgSign", "false")
    assert promote(lab.folder, "tier1").tags == ("tier1@v1.0.0", "tier1#best#1")
    git.clone(str(lab.folder), tmp_path / "tags")
    assert [release.tag.name for release in tags.read(tmp_path / "tags").releases] == ["tier1@v1.0.0"]


def test_an_ignored_pipeline_is_refused(trained: Lab, machine: Callable[[str], None], tmp_path: Path) -> None:
    """DVC passes over a `dvc.yaml` that a rule of the user's ignores, tracked or not."""
    lab = trained.copy(tmp_path)
    machine(GIT_SETTINGS["core.excludesFile"])
    (tmp_path / "a home/excludes").write_text("*.yaml\n")
    for read in (lambda: outputs(lab.folder, None), lambda: run_keys(lab.folder, None)):
        with pytest.raises(DataError, match=r"Git ignores `dvc\.yaml`") as error:
            read()
        assert "core.excludesFile" in error.value.hint
    with pytest.raises(DataError, match=r"Git ignores `dvc\.yaml`"):
        promote(lab.folder, "tier1")
    assert lab.tags() == set()


def test_a_kept_clone_loses_no_tag(released: Lab, machine: Callable[[str], None], tmp_path: Path) -> None:
    clone(str(released.folder), "tier1", tmp_path / "clone")
    git.run(tmp_path / "clone", "tag", "mine")
    machine(GIT_SETTINGS["fetch"])
    clone(str(released.folder), "tier1", tmp_path / "clone")
    assert "mine" in git.tag_names(tmp_path / "clone")


def test_a_linked_worktree_works_as_the_first(
    released: Lab, expected: dict[tuple[str, ...], tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = released.folder.parent / "tree"
    git.run(released.folder, "worktree", "add", "--quiet", "--detach", str(tree), "tier1@v1.1.0")
    try:
        monkeypatch.chdir(tree)
        for verb in (("tiers", "--json"), ("diff", "tier1@v1.0.0", "tier1@v1.1.0", "--json")):
            assert printed(*verb) == expected[verb]
        create(tree, "tier1@v1.0.0", tmp_path / "tier1.tar")
        create(released.folder, "tier1@v1.0.0", tmp_path / "plain.tar")
        assert (tmp_path / "tier1.tar").read_bytes() == (tmp_path / "plain.tar").read_bytes()
        assert clone(str(tree), "tier1", tmp_path / "clone").tag.name == "tier1@v1.1.0"
    finally:
        git.run(released.folder, "worktree", "remove", "--force", str(tree))


def test_a_repository_of_another_owner_is_named_with_gits_remedy(
    released: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.chdir(released.folder)
    code, text = printed("tiers")
    assert code == 8
    assert "not in a Git working tree that Git trusts" in text
    assert "--add safe.directory" in text
    assert len(text.splitlines()) == 2


def test_sha256_is_refused_in_one_line(trained: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = trained.copy(tmp_path)
    shutil.rmtree(lab.folder / ".git")
    lab.run("git", "init", "--quiet", "--object-format=sha256")
    lab.run("git", "config", "user.name", "Test")
    lab.run("git", "config", "user.email", "test@example.com")
    lab.commit("sha256")
    lab.run("git", "tag", "--annotate", "--message", "first", "tier1@v1.0.0")
    monkeypatch.chdir(lab.folder)
    for verb in (("audit", "tier1@v1.0.0"), ("audit", "--all-tags")):
        code, text = printed(*verb)
        assert (code, len(text.splitlines())) == (3, 2), text
    verbs = (("tiers",), ("promote", "tier1"), ("diff", "HEAD"), ("doctor",), ("locate", "models/package"))
    for verb in (*verbs, ("archive", "create", "tier1@v1.0.0"), ("recover", "tier1@v1.0.0", "--to", "../back")):
        code, text = printed(*verb)
        assert code == 8, text
        assert "SHA-256" in text
        assert len(text.splitlines()) == 2
    assert not (tmp_path / "back").exists()


@pytest.fixture(scope="module")
def subfolder(trained: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project in a subfolder of a Git repository, with two commits and another project at the root's tags."""
    lab = trained.copy(tmp_path_factory.mktemp("monorepo"))
    top = lab.folder.parent / "mono"
    top.mkdir()
    shutil.rmtree(lab.folder / ".git")
    lab.folder.rename(top / "eq")
    inside = Lab(top / "eq", lab.make)
    (top / "eq/.dvc/config").write_text((top / "eq/.dvc/config").read_text().replace("../../bucket", "../../../bucket"))
    git.run(top, "init", "--quiet")
    git.run(top, "config", "user.name", "Test")
    git.run(top, "config", "user.email", "test@example.com")
    (top / "other.txt").write_text("another project\n")
    inside.commit("One")
    git.run(top, "tag", "--annotate", "--message", "theirs", "tier1@v1.0.0")
    (top / "eq/src/gogooku3/model/code.py").write_text("two\n")
    params = top / "eq/params.yaml"
    params.write_text(params.read_text().replace("seed: 1", "seed: 2", 1))
    inside.train(2, 0.07)
    inside.run("dvc", "push", "--quiet")
    return top / "eq"


@pytest.mark.slow
def test_a_project_in_a_subfolder_is_compared_audited_and_located(
    subfolder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(subfolder / "src")
    code, text = printed("diff", "HEAD~1", "HEAD", "--json")
    found = json.loads(text)
    assert code == 0
    assert [(row["room"], row["added"], row["removed"]) for row in found["code"]] == [("model", 0, 2)]
    assert found["metrics"]
    assert {change["name"] for change in found["data"]} <= {"data/quotes", "data/dataset"}
    assert printed("audit", "HEAD", "--json")[0] == 0
    assert printed("audit", "--json")[0] == 0
    code, text = printed("locate", "../models/package/model.safetensors", "--json")
    assert (code, json.loads(text)["tree"]["is_whole"]) == (0, True)


def test_releases_of_a_subfolder_are_refused_in_one_line(
    subfolder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(subfolder)
    before = git.changes(subfolder)
    for verb in (
        ("promote", "tier1"),
        ("tiers",),
        ("leaderboard",),
        ("experiments",),
        ("archive", "create", "tier1@v1.0.0", "--output", str(tmp_path / "tier1.tar")),
        ("recover", "tier1@v1.0.0", "--to", str(tmp_path / "back")),
        ("reproduce", "tier1@v1.0.0", "--to", str(tmp_path / "back")),
        ("drill", "tier1@v1.0.0", "--report", str(tmp_path / "report")),
    ):
        code, text = printed(*verb)
        assert code == 8, (verb, text)
        assert "this project is the subfolder `eq` of a Git repository" in text
        assert len(text.splitlines()) <= 3, text  # `promote` prints its first step
    assert git.changes(subfolder) == before
    assert not list(tmp_path.iterdir())
    code, text = printed("recover", "tier1@v1.0.0", "--from", str(subfolder.parent), "--to", str(tmp_path / "back"))
    assert (code, "its commit has no `.dvc`" in text) == (3, True)


def test_a_diff_outside_of_the_project_is_refused(subfolder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(subfolder.parent)
    code, text = printed("diff", "HEAD~1", "HEAD")
    assert (code, "has a `params.yaml`" in text) == (3, True)


ELSEWHERE = {
    "no home": {"HOME": None, "XDG_CONFIG_HOME": None, "XDG_CACHE_HOME": None},
    "missing home": {"HOME": "/nonexistent/home"},
    "C": {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    "EUC-JP": {"LC_ALL": "ja_JP.eucJP", "PYTHONIOENCODING": "euc_jp"},
    "no such locale": {"LC_ALL": "xx_YY.ISO-8859-7", "LANGUAGE": "ja"},
    "latin": {"PYTHONIOENCODING": "latin-1"},
    "temporary": {"TMPDIR": "{tmp_path}/a [b]* c"},
}


@pytest.mark.parametrize(
    "kind", [kind if kind in ("C", "no home") else pytest.param(kind, marks=pytest.mark.slow) for kind in ELSEWHERE]
)
def test_other_environments_print_the_same(
    kind: str, released: Lab, expected: dict[tuple[str, ...], tuple[int, str]], tmp_path: Path
) -> None:
    (tmp_path / "a [b]* c").mkdir()
    settings = {name: value and value.format(tmp_path=tmp_path) for name, value in ELSEWHERE[kind].items()}
    environment = {name: value for name, value in (os.environ | settings).items() if value is not None}
    environment |= {"PYTHONPATH": str(ROOT / "src"), "GIT_CONFIG_GLOBAL": os.devnull}
    # A diff with the working tree has file names that no old encoding has.
    verbs = (("diff", "tier1@v1.0.0", "--json"), ("locate", "tier1@v1.0.0"))
    for verb in verbs if kind in ("C", "EUC-JP") else verbs[:1]:
        command = [sys.executable, "-m", "gogooku3.cli", *verb]
        done = subprocess.run(command, cwd=released.folder, env=environment, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        if verb in expected:
            assert done.stdout.decode("ascii") == expected[verb][1]
    assert not list((tmp_path / "a [b]* c").iterdir())


def test_names_that_are_not_utf8_are_printed_escaped(
    trained: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = trained.copy(tmp_path)
    (lab.folder / os.fsdecode(b"src/gogooku3/model/caf\xe9.py")).write_text("new\n")
    monkeypatch.chdir(lab.folder)
    code, text = printed("diff", "HEAD", "--json")
    assert (code, [row["added"] for row in json.loads(text)["code"]]) == (0, [1])
    lab.commit("A name in Latin-1")
    assert printed("diff", "HEAD~1", "HEAD", "--json")[0] == 0
    (lab.folder / os.fsdecode(b"notes \xe9\x1b[31m.txt")).write_text("new\n")
    code, text = printed("promote", "tier1")
    assert code == 1
    assert r"\xe9" in text or r"\351" in text
    assert "\x1b" not in text


def test_a_folder_of_data_that_is_a_link(trained: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`data` moved to a larger disk: the files are found, and a release of it is refused."""
    lab = trained.copy(tmp_path)
    lab.run("dvc", "push", "--quiet")
    (lab.folder / "data").rename(tmp_path / "disk")
    (lab.folder / "data").symlink_to(tmp_path / "disk")
    monkeypatch.chdir(lab.folder)
    assert printed("audit", "--json")[0] == 0
    code, text = printed("locate", "data/dataset", "--json")
    assert (code, json.loads(text)["tree"]["is_whole"]) == (0, True)
    code, text = printed("promote", "tier1")
    assert code == 1
    assert "the working tree differs from the commit to be tagged" in text
    assert lab.tags() == set()
