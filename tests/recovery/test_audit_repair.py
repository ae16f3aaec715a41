from __future__ import annotations

import shutil

import pytest

from gogooku3.recovery.audit import audit

PARTS, CHILD, MODEL = "data/parts", "data/parts/deep/second.txt", "models/package/model.bin"

KINDS = ["missing", "truncated", "altered"]


@pytest.mark.parametrize("path", [PARTS, CHILD, MODEL])
@pytest.mark.parametrize("kind", KINDS)
def test_repair_fixes_the_bucket_and_a_fresh_clone_pulls_the_same_bytes(
    pushed, bucket, pushed_objects, tmp_path, path, kind
):
    bucket.spoil(pushed.object_of(path), kind)
    clone = pushed.clone(tmp_path / "clone")
    result = audit(pushed.folder, [None], repair=True)
    assert result.passed
    assert [(problem.path, problem.damage.kind) for problem in result.repaired] == [(path, kind)]
    assert bucket.contents() == pushed_objects
    clone.run("dvc", "pull", "--quiet")
    assert clone.outputs() == pushed.outputs()


def test_a_lost_child_that_dvc_push_does_not_see_is_uploaded_again(pushed, bucket, pushed_objects):
    bucket.lose(bucket.at(pushed.object_of(CHILD)))
    pushed.run("dvc", "push", "--quiet")
    assert bucket.at(pushed.object_of(CHILD)) not in bucket.names()
    assert audit(pushed.folder, [None], repair=True).passed
    assert bucket.contents() == pushed_objects


def test_a_lost_directory_output_is_uploaded_again(pushed, bucket, pushed_objects):
    for name in bucket.names():
        bucket.lose(name)
    result = audit(pushed.folder, [None], repair=True)
    assert result.passed
    assert len(result.repaired) == 6
    assert bucket.contents() == pushed_objects


def test_a_corrupt_local_copy_is_not_uploaded_and_remaining_damage_is_named(pushed, bucket):
    good, lost = pushed.object_of("models/package/config.json"), pushed.object_of(MODEL)
    bucket.spoil(good, "altered")
    bucket.spoil(lost, "altered")
    pushed.spoil_cached(lost, "altered")
    before = bucket.read(bucket.at(lost))
    result = audit(pushed.folder, [None], repair=True)
    assert [problem.path for problem in result.repaired] == ["models/package/config.json"]
    assert [(problem.path, problem.damage.kind) for problem in result.problems] == [(MODEL, "altered")]
    assert "no intact copy in" in result.problems[0].note
    assert bucket.read(bucket.at(lost)) == before


def test_a_listing_is_not_copied_until_all_its_files_are_intact(pushed, bucket):
    """With the listing in the bucket, DVC would take the directory for complete and never push the lost file."""
    listing, child = pushed.object_of(PARTS), pushed.object_of(CHILD)
    bucket.lose(bucket.at(listing))
    bucket.lose(bucket.at(child))
    kept = pushed.cached(child).read_bytes()
    pushed.cached(child).unlink()
    result = audit(pushed.folder, [None], repair=True)
    notes = {problem.path: problem.note for problem in result.problems}
    assert notes[PARTS] == "not copied until all its files are intact"
    assert "no intact copy" in notes[CHILD]
    assert bucket.at(listing) not in bucket.names()
    pushed.cached(child).write_bytes(kept)
    assert audit(pushed.folder, [None], repair=True).passed


def test_without_repair_nothing_is_written(pushed, bucket):
    bucket.spoil(pushed.object_of(MODEL), "altered")
    bucket.lose(bucket.at(pushed.object_of(CHILD)))
    before = bucket.contents()
    assert not audit(pushed.folder, [None], deep=True).passed
    assert bucket.contents() == before


def test_objects_that_no_audited_revision_needs_are_left_alone(pushed, bucket):
    bucket.write(bucket.at("0" * 32), b"of somebody else")
    bucket.write("notes.txt", b"beside the store")
    bucket.lose(bucket.at(pushed.object_of(MODEL)))
    assert audit(pushed.folder, [None], repair=True).passed
    assert bucket.read(bucket.at("0" * 32)) == b"of somebody else"
    assert bucket.read("notes.txt") == b"beside the store"


@pytest.mark.parametrize("path", [PARTS, CHILD, MODEL])
def test_local_repair_copies_an_intact_object_from_the_bucket(pushed, path):
    oid = pushed.object_of(path)
    whole, before = pushed.cached(oid).read_bytes(), pushed.outputs()
    pushed.spoil_cached(oid, "altered")
    result = audit(pushed.folder, [None], local=True, repair=True)
    assert result.passed
    assert [problem.path for problem in result.repaired] == [path]
    assert pushed.cached(oid).read_bytes() == whole
    shutil.rmtree(pushed.folder / "data")
    shutil.rmtree(pushed.folder / "models")
    pushed.run("dvc", "checkout", "--quiet")
    assert pushed.outputs() == before


def test_local_repair_copies_nothing_corrupt_from_the_bucket(pushed, bucket):
    oid = pushed.object_of(MODEL)
    bucket.spoil(oid, "altered")
    pushed.cached(oid).unlink()
    result = audit(pushed.folder, [None], local=True, repair=True)
    assert [problem.path for problem in result.problems] == [MODEL]
    assert not pushed.cached(oid).exists()


def test_local_repair_fills_an_empty_cache(pushed, bucket, tmp_path):
    clone = pushed.clone(tmp_path / "clone")
    result = audit(clone.folder, ["HEAD"], local=True, repair=True)
    assert result.passed
    assert len(result.repaired) == 6
    for name in bucket.names():
        bucket.lose(name)
    clone.run("dvc", "checkout", "--quiet")
    assert clone.outputs() == pushed.outputs()


def test_a_bucket_that_does_not_keep_what_it_accepted_is_found(pushed, bucket):
    """After the upload the object is lost again, as in a bucket with a rule that deletes it."""
    lost = pushed.object_of(MODEL)
    bucket.lose(bucket.at(lost))

    def lose_again(what, done, total):
        if (what, done) == ("repairing", total):
            bucket.lose(bucket.at(lost))

    result = audit(pushed.folder, [None], repair=True, progress=lose_again)
    assert (result.passed, result.repaired) == (False, ())
    assert [(problem.path, problem.damage.kind) for problem in result.problems] == [(MODEL, "missing")]
    assert result.problems[0].note == "it was replaced, and is damaged again"
