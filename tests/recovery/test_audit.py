from __future__ import annotations

import base64
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gogooku3.errors import DataError
from gogooku3.recovery.audit import audit

PARTS, CHILD, MODEL = "data/parts", "data/parts/deep/second.txt", "models/package/model.bin"

KINDS = ["missing", "truncated", "altered"]


def found(result) -> list[tuple[str, str, str]]:
    return [(problem.rev, problem.path, problem.damage.kind) for problem in result.problems]


def test_a_bucket_as_dvc_push_leaves_it_passes_and_only_listings_are_read(pushed):
    result = audit(pushed.folder, [None])
    assert result.passed
    assert (result.revs, result.objects, result.hashed) == (("workspace",), 6, 1)


@pytest.mark.parametrize("path", [PARTS, CHILD, MODEL])
@pytest.mark.parametrize("kind", KINDS)
def test_one_damaged_object_is_named_and_nothing_else(pushed, bucket, path, kind):
    bucket.spoil(pushed.object_of(path), kind)
    result = audit(pushed.folder, [None])
    assert found(result) == [("workspace", path, kind)]
    assert not result.passed
    assert result.problems[0].object == pushed.object_of(path)
    assert result.problems[0].output == (PARTS if path == CHILD else path)


def test_sizes_are_known_of_a_file_and_of_the_only_damaged_file_of_a_directory(pushed, bucket):
    for path in (CHILD, MODEL):
        bucket.spoil(pushed.object_of(path), "truncated")
    sizes = {p.path: (p.damage.expected_size, p.damage.found_size) for p in audit(pushed.folder, [None]).problems}
    assert sizes == {CHILD: (220, 213), MODEL: (240, 233)}


def test_an_emptied_object_is_truncated_even_if_its_size_is_unknown(pushed, bucket):
    for path in ("data/parts/first.txt", CHILD):
        content = (pushed.folder / path).read_bytes()
        bucket.write(bucket.at(hashlib.md5(content).hexdigest()), b"")
    assert {kind for _, _, kind in found(audit(pushed.folder, [None]))} == {"truncated"}


@pytest.mark.parametrize("kind", ["truncated", "altered"])
def test_an_object_without_an_md5_in_the_bucket_is_downloaded_and_hashed(pushed, bucket, kind):
    oid = pushed.object_of(MODEL)
    bucket.claim_md5(bucket.at(oid), "")
    whole = audit(pushed.folder, [None])
    assert whole.passed
    assert whole.hashed == 2
    bucket.spoil(oid, kind)
    bucket.claim_md5(bucket.at(oid), "")
    assert found(audit(pushed.folder, [None])) == [("workspace", MODEL, kind)]


def test_deep_finds_a_false_md5_of_the_bucket(pushed, bucket):
    oid = pushed.object_of(CHILD)
    bucket.spoil(oid, "altered")
    bucket.claim_md5(bucket.at(oid), base64.b64encode(bytes.fromhex(oid)).decode())
    assert audit(pushed.folder, [None]).passed
    deep = audit(pushed.folder, [None], deep=True)
    assert found(deep) == [("workspace", CHILD, "altered")]
    assert deep.hashed == deep.objects == 6


def test_a_shared_object_is_checked_once_and_reported_for_every_revision(pushed, bucket):
    pushed.revise("two", tag="toy@v2.0.0")
    pushed.run("dvc", "push", "--quiet")
    revs = ["toy@v1.0.0", "toy@v2.0.0", None]
    whole = audit(pushed.folder, revs)
    assert whole.passed
    assert (whole.objects, whole.hashed) == (6 + 5, 2)
    bucket.spoil(hashlib.md5(b"constant\n" * 20).hexdigest(), "missing")
    bucket.spoil(hashlib.md5(b"weights one\n" * 20).hexdigest(), "altered")
    assert found(audit(pushed.folder, revs)) == [
        ("toy@v1.0.0", "data/parts/constant.txt", "missing"),
        ("toy@v1.0.0", MODEL, "altered"),
        ("toy@v2.0.0", "data/parts/constant.txt", "missing"),
        ("workspace", "data/parts/constant.txt", "missing"),
    ]


def test_a_revision_that_was_never_pushed_is_missing_and_the_pushed_one_is_intact(pushed):
    pushed.revise("two")
    result = audit(pushed.folder, ["toy@v1.0.0", "HEAD"])
    assert {rev for rev, _, _ in found(result)} == {"HEAD"}
    assert {path for _, path, _ in found(result)} >= {PARTS, CHILD, MODEL, "models/package/config.json"}


def test_the_files_of_a_lost_listing_are_named_from_the_cache_or_unknown(pushed, bucket):
    listing = pushed.object_of(PARTS)
    bucket.spoil(listing, "missing")
    bucket.spoil(pushed.object_of(CHILD), "missing")
    assert found(audit(pushed.folder, [None])) == [("workspace", PARTS, "missing"), ("workspace", CHILD, "missing")]
    pushed.cached(listing).unlink()
    result = audit(pushed.folder, [None])
    assert found(result) == [("workspace", PARTS, "missing")]
    assert result.problems[0].note == "the names of its files are unknown"


def test_a_fresh_clone_without_a_cache_audits_the_bucket(pushed, tmp_path):
    assert audit(pushed.clone(tmp_path / "clone").folder, ["HEAD"]).passed


@pytest.mark.parametrize("path", [PARTS, CHILD, MODEL])
@pytest.mark.parametrize("kind", KINDS)
def test_local_finds_damage_in_the_cache(pushed, path, kind):
    pushed.spoil_cached(pushed.object_of(path), kind)
    result = audit(pushed.folder, [None], local=True)
    assert ("workspace", path, kind) in found(result)
    assert {problem.path for problem in result.problems} == {path}
    assert audit(pushed.folder, [None]).passed


def test_local_needs_no_remote(toy):
    (toy.folder / ".dvc/config.local").unlink()
    assert audit(toy.folder, [None], local=True).passed


def test_a_local_folder_is_a_remote_like_any_other(toy, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    toy.local("core", remote="disk")
    toy.local("'remote \"disk\"'", url=str(disk))
    toy.run("dvc", "push", "--quiet")
    whole = audit(toy.folder, ["HEAD"])
    assert whole.passed
    assert whole.hashed == whole.objects == 6
    for path, content in ((CHILD, b"second one\n" * 19), (MODEL, b"weights two\n" * 20)):
        oid = toy.object_of(path)
        there = disk / "files/md5" / oid[:2] / oid[2:]
        there.chmod(0o644)
        there.write_bytes(content)
    assert found(audit(toy.folder, ["HEAD"])) == [("HEAD", CHILD, "truncated"), ("HEAD", MODEL, "altered")]
    mended = audit(toy.folder, ["HEAD"], repair=True)
    assert mended.passed
    assert {problem.path for problem in mended.repaired} == {CHILD, MODEL}


def test_a_revision_without_outputs_in_the_store_is_an_error(toy):
    toy.run("git", "rm", "--quiet", "dvc.yaml", "dvc.lock")
    toy.commit("No pipeline")
    with pytest.raises(DataError, match="has nothing in the store"):
        audit(toy.folder, ["HEAD"])


def test_a_web_server_is_audited_object_by_object(toy, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    toy.local("core", remote="disk")
    toy.local("'remote \"disk\"'", url=str(disk))
    toy.run("dvc", "push", "--quiet")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(disk)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        toy.local("'remote \"web\"'", url=f"http://127.0.0.1:{server.server_address[1]}")
        config = toy.folder / ".dvc/config.local"
        config.write_text(config.read_text().replace("remote = disk", "remote = web"))
        assert audit(toy.folder, [None]).passed
        oid = toy.object_of(MODEL)
        (disk / "files/md5" / oid[:2] / oid[2:]).unlink()
        assert found(audit(toy.folder, [None])) == [("workspace", MODEL, "missing")]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    "content", [b"no listing", b'[{"relpath": "a"}]', b'[{"relpath": "a", "md5": "../../a"}]', b"7"]
)
def test_an_invalid_listing_under_a_listing_s_name_is_damage(pushed, bucket, content):
    forged = hashlib.md5(content).hexdigest() + ".dir"
    lock = pushed.folder / "dvc.lock"
    lock.write_text(lock.read_text().replace(pushed.object_of(PARTS), forged))
    bucket.write(bucket.at(forged), content)
    assert [path for _, path, _ in found(audit(pushed.folder, [None]))] == [PARTS]
