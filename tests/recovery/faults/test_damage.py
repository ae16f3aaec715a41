"""Data corrupted in transfer is detected, never accepted, and requested again."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest

from gogooku3.recovery.audit import audit
from gogooku3.recovery.storage.fetch import fetch
from gogooku3.recovery.storage.lock import outputs
from gogooku3.recovery.storage.open import open_cache, open_remote
from gogooku3.recovery.storage.repair import copy_object
from gogooku3.recovery.storage.store import StoredObject

from .proxy import Effect, Request, always, error, first

MODEL = "models/package/model.bin"
FLIPPED = Effect(flip="answer")
LOST = error(404, "No such object")


def is_download(request: Request) -> bool:
    return request.downloads


def is_upload(request: Request) -> bool:
    return request.uploads


def of(oid: str):
    """Downloads of one object."""
    return lambda request: request.downloads and f"{oid[:2]}%2F{oid[2:]}" in request.path


def fetched(clone):
    where = open_cache(clone.folder), [open_remote(clone.folder)], outputs(clone.folder, None)
    return fetch(*where, lambda _what, _done, _total: None)


def test_everything_passes_through_the_proxy(sender, proxy, bucket, pushed_objects, tmp_path):
    sender.run("dvc", "push", "--quiet")
    assert len([request for request in proxy.requests if request.uploads]) == len(pushed_objects)
    clone = sender.clone(tmp_path / "clone")
    clone.run("dvc", "pull", "--quiet")
    asked = {request.path for request in proxy.requests if request.downloads}
    assert asked == {f"/download/storage/v1/b/{bucket.name}/o/{quote(name, '')}?alt=media" for name in pushed_objects}


def test_a_byte_flipped_in_transfer_is_downloaded_again(receiver, proxy, tmp_path):
    proxy.faults = [first(FLIPPED, is_download)]
    clone = receiver.clone(tmp_path / "clone")
    assert fetched(clone).lost == ()
    assert proxy.befallen >= 6
    clone.run("dvc", "checkout", "--quiet")
    assert clone.outputs() == receiver.outputs()


def test_a_byte_that_stays_flipped_is_never_accepted(receiver, proxy, bucket, tmp_path):
    oid = receiver.object_of(MODEL)
    proxy.faults = [always(FLIPPED, of(oid))]
    clone = receiver.clone(tmp_path / "clone")
    (lost,) = fetched(clone).lost
    assert (lost.object, lost.found) == (oid, (f"altered in {bucket.url}",))
    assert not clone.cached(oid).exists()
    assert clone.run("dvc", "pull", check=False).returncode != 0
    assert not (clone.folder / MODEL).exists()
    assert not copy_object(oid, open_remote(clone.folder), open_cache(clone.folder))
    found = audit(receiver.folder, [None], deep=True)
    assert [(problem.path, problem.damage.kind) for problem in found.problems] == [(MODEL, "altered")]


def test_an_object_that_is_lost_in_transfer_is_missing(receiver, proxy, bucket, tmp_path):
    oid = receiver.object_of(MODEL)
    proxy.faults = [always(LOST, lambda request: f"{oid[:2]}%2F{oid[2:]}" in request.path)]
    clone = receiver.clone(tmp_path / "clone")
    assert open_remote(clone.folder).digest(oid) is None
    assert open_remote(clone.folder).read(oid) is None


@pytest.mark.slow
def test_a_byte_flipped_in_an_upload_is_found_and_repaired(sender, proxy, bucket, pushed_objects):
    proxy.faults = [first(Effect(flip="request"), is_upload)]
    sender.run("dvc", "push", "--quiet")
    assert bucket.contents() != pushed_objects
    proxy.faults = []
    damaged = audit(sender.folder, [None])
    assert {problem.damage.kind for problem in damaged.problems} == {"altered"}
    assert audit(sender.folder, [None], repair=True).passed
    assert bucket.contents() == pushed_objects


def test_a_listing_of_many_pages_is_complete_although_pages_fail(sender, proxy, bucket, short_timeouts):
    there = {hashlib.md5(str(i).encode()).hexdigest(): str(i).encode() for i in range(60)}
    for oid, content in there.items():
        bucket.write(bucket.at(oid), content)
    store = open_remote(sender.folder)
    proxy.page, before = 7, len(proxy.requests)
    proxy.faults = [lambda request: error(503) if request.lists and request.attempt == 1 else None]
    assert store.look_up(there) == {oid: StoredObject(len(content), oid) for oid, content in there.items()}
    pages = [request for request in proxy.requests[before:] if "pageToken" in request.path]
    assert len({request.path for request in pages}) == 60 // 7
    assert {request.attempt for request in pages} == {1, 2}
