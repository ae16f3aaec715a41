from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from gogooku3.errors import DataError
from gogooku3.recovery.storage.lock import Output, locked_tags, outputs, run_keys

CONFIG, MODEL = "models/package/config.json", "models/package/model.bin"


def md5(content: str) -> str:
    return hashlib.md5(content.encode()).hexdigest()


def test_outputs_are_those_in_the_lock_without_those_in_git(toy):
    read = outputs(toy.folder, None)
    assert [output.path for output in read] == ["data/parts", CONFIG, MODEL]
    parts, config, model = read
    assert (parts.stage, parts.is_dir, parts.size, parts.nfiles) == ("parts", True, 180 + 200 + 220, 3)
    assert parts.md5.endswith(".dir")
    assert config == Output("model", CONFIG, md5("config one\n" * 20), 220, None, False)
    assert model == Output("model", MODEL, md5("weights one\n" * 20), 240, None, False)


def test_a_revision_is_read_from_git_and_not_from_the_working_tree(toy):
    toy.revise("two", tag="toy#best#1")
    (toy.folder / "dvc.lock").write_text((toy.folder / "dvc.lock").read_text().replace("size: 240", "size: 241"))
    sizes = {rev: {o.path: o.size for o in outputs(toy.folder, rev)}[MODEL] for rev in (None, "HEAD")}
    assert sizes == {None: 241, "HEAD": 240}
    first, second = (outputs(toy.folder, rev) for rev in ("toy@v1.0.0", "toy#best#1"))
    assert first[2].md5 == md5("weights one\n" * 20)
    assert second[2].md5 == md5("weights two\n" * 20)


def test_the_outputs_of_a_templated_stage_are_read(toy):
    yaml = toy.folder / "dvc.yaml"
    yaml.write_text(
        yaml.read_text()
        + "  each:\n    foreach: [x, y]\n    do:\n      cmd: cp seed.txt ${item}.txt\n      outs: ['${item}.txt']\n"
    )
    toy.run("dvc", "repro", "--quiet")
    read = {output.path: output.stage for output in outputs(toy.folder, None)}
    assert read["x.txt"] == "each@x"
    assert read["y.txt"] == "each@y"


def test_an_output_that_is_never_pushed_is_left_out(toy):
    yaml = toy.folder / "dvc.yaml"
    yaml.write_text(yaml.read_text().replace(f"- {MODEL}", f"- {MODEL}:\n          push: false"))
    assert [output.path for output in outputs(toy.folder, None)] == ["data/parts", CONFIG]


def test_tags_without_a_lock_are_not_listed(toy):
    first = toy.run("git", "commit-tree", "-m", "before", toy.run("git", "mktree").stdout.strip()).stdout.strip()
    toy.run("git", "tag", "before", first)
    toy.run("git", "tag", "toy#best#1")
    toy.run("git", "tag", "a-file", "HEAD:dvc.yaml")
    toy.run("git", "tag", "a-folder", "HEAD:data")
    assert locked_tags(toy.folder) == ["toy#best#1", "toy@v1.0.0"]


def test_an_unknown_revision_is_named(toy):
    toy.run("git", "tag", "a-file", "HEAD:dvc.yaml")
    for rev in ("toy@v9.9.9", "a-file"):
        with pytest.raises(DataError, match=f"`{re.escape(rev)}`"):
            outputs(toy.folder, rev)


def test_a_folder_without_dvc_is_named(tmp_path: Path):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    for read in (lambda: outputs(tmp_path, None), lambda: run_keys(tmp_path, None), lambda: locked_tags(tmp_path)):
        with pytest.raises(DataError, match="cannot be read"):
            read()


def test_an_output_that_was_never_made_is_named(toy):
    yaml = toy.folder / "dvc.yaml"
    yaml.write_text(yaml.read_text() + "  new:\n    cmd: cp seed.txt new.txt\n    outs: [new.txt]\n")
    with pytest.raises(DataError, match=r"no hash for `new\.txt`"):
        outputs(toy.folder, None)


def test_a_hash_that_is_a_path_is_refused(toy):
    lock = toy.folder / "dvc.lock"
    lock.write_text(lock.read_text().replace(md5("weights one\n" * 20), "../../../../etc/passwd"))
    with pytest.raises(DataError, match="which is not a hash"):
        outputs(toy.folder, None)


@pytest.mark.parametrize("path", ["../outside.txt", ".git/config", ".dvc/config.local"])
def test_an_output_outside_of_the_repositorys_own_folders_is_refused(toy, path: str):
    for name in ("dvc.yaml", "dvc.lock"):
        file = toy.folder / name
        file.write_text(file.read_text().replace(MODEL, path))
    with pytest.raises(DataError):
        outputs(toy.folder, None)


def test_hashes_of_dvc_2_are_refused_with_the_way_to_migrate(toy):
    lock = toy.folder / "dvc.lock"
    lock.write_text(
        lock.read_text().replace("      hash: md5\n", "").replace("    - hash: md5\n      path", "    - path")
    )
    with pytest.raises(DataError, match="DVC 2") as refused:
        outputs(toy.folder, None)
    assert "dvc cache migrate" in refused.value.hint


def recorded_keys(toy) -> set[str]:
    return {folder.name for folder in (toy.folder / ".dvc/cache/runs").glob("*/*")}


def test_the_keys_of_runs_are_the_names_that_dvc_gives_them(unstable):
    keys = run_keys(unstable.folder, None)
    assert set(keys) == recorded_keys(unstable)
    assert sorted(keys.values()) == ["draw", "measure"]
    (unstable.folder / "seed.txt").write_text("other inputs\n")
    unstable.run("dvc", "repro", "--quiet")
    assert run_keys(unstable.folder, "HEAD") == keys
    assert set(run_keys(unstable.folder, None)) == recorded_keys(unstable) - set(keys)


def test_a_stage_of_another_folder_is_named_as_dvc_repro_takes_it(unstable):
    nested = unstable.folder / "nested"
    nested.mkdir()
    stages = "stages:\n  each:\n    matrix: {kind: [x]}\n    cmd: echo ${item.kind} > out.txt\n"
    (nested / "dvc.yaml").write_text(f"{stages}    deps: [../seed.txt]\n    outs: [out.txt]\n")
    before = recorded_keys(unstable)
    unstable.run("dvc", "repro", "--quiet", "nested/dvc.yaml:each@x")
    unstable.commit("Nested")
    [key] = recorded_keys(unstable) - before
    assert run_keys(unstable.folder, None)[key] == run_keys(unstable.folder, "HEAD")[key] == "nested/dvc.yaml:each@x"


def test_a_stage_that_never_ran_hides_no_other(unstable):
    yaml = unstable.folder / "dvc.yaml"
    yaml.write_text(
        f"{yaml.read_text()}  new:\n    cmd: echo\n    deps: [measured]\n    params: [level]\n    outs: [new.txt]\n"
    )
    assert sorted(run_keys(unstable.folder, None).values()) == ["draw", "measure", "new"]
