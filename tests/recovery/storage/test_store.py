from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import gcsfs.retry
import pytest
from dvc_data.hashfile.db import HashFileDB
from dvc_objects.fs.base import ObjectFileSystem
from fsspec.asyn import get_loop, sync

from gogooku3.errors import ConfigError, StoreError
from gogooku3.recovery.storage import store as stores
from gogooku3.recovery.storage.open import open_cache, open_remote
from gogooku3.recovery.storage.repair import copy_object
from gogooku3.recovery.storage.store import Store, StoredObject


def oid(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@contextmanager
def answering(status: int | None, body: str = "") -> Iterator[str]:
    """A server that answers every request with one status, or never answers (None)."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if status is None:
                ended.wait()
                return
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def use(toy, name: str, **settings: str) -> None:
    toy.local("core", remote=name)
    toy.local(f"'remote \"{name}\"'", **settings)


def test_a_client_of_another_type_is_made_outside_the_event_loop(toy, bucket):
    of_google = open_remote(toy.folder)._odb

    class Waiting(ObjectFileSystem):
        protocol = "waiting"

        @property
        def fs(self):
            sync(get_loop(), asyncio.sleep, 0)
            return of_google.fs.fs

    store = Store(HashFileDB(Waiting(), of_google.path, hash_name="md5"), "waiting")
    store.connect()
    bucket.write(bucket.at(oid(b"parts")), b"parts")
    assert store.look_up([oid(b"parts")]) == {oid(b"parts"): StoredObject(5, oid(b"parts"))}


def test_the_bucket_reports_size_and_md5_without_a_download(toy, bucket):
    there = [f"object {i}".encode() for i in range(40)]
    for content in there:
        bucket.write(bucket.at(oid(content)), content)
    asked = [oid(content) for content in there] + [oid(b"absent")]
    assert open_remote(toy.folder).look_up(asked) == {oid(c): StoredObject(len(c), oid(c)) for c in there}


def test_a_few_objects_of_a_full_bucket_are_found_folder_by_folder(toy, bucket, monkeypatch):
    there = [f"object {i}".encode() for i in range(40)]
    for content in there:
        bucket.write(bucket.at(oid(content)), content)
    store = open_remote(toy.folder)
    asked = [oid(content) for content in there[:5]]
    # With pages this small, listing all objects needs more requests than listing the folders of five.
    monkeypatch.setattr(type(store._fs), "LIST_OBJECT_PAGE_SIZE", 1)
    listed = []
    listing = store._list
    monkeypatch.setattr(store, "_list", lambda *prefix: listed.append(prefix) or listing(*prefix))
    assert set(store.look_up(asked)) == set(asked)
    assert len(listed) == len({name[:2] for name in asked})


def test_many_objects_are_found_in_parts_of_a_page(toy, bucket, monkeypatch):
    there = [f"object {i}".encode() for i in range(120)]
    for content in there:
        bucket.write(bucket.at(oid(content)), content)
    store = open_remote(toy.folder)
    monkeypatch.setattr(type(store._fs), "LIST_OBJECT_PAGE_SIZE", 50)
    store._fs.jobs = 16
    listed = []
    listing = store._list
    monkeypatch.setattr(store, "_list", lambda *prefix: listed.append(prefix[0]) or listing(*prefix))
    assert set(store.look_up([oid(content) for content in there])) == {oid(content) for content in there}
    assert sorted(listed[1:]) == sorted({oid(content)[0] for content in there})


def test_an_object_without_an_md5_in_the_bucket_has_a_size_only(toy, bucket):
    bucket.write(bucket.at(oid(b"parts")), b"parts")
    bucket.claim_md5(bucket.at(oid(b"parts")), "")
    assert open_remote(toy.folder).look_up([oid(b"parts")]) == {oid(b"parts"): StoredObject(5, None)}


def test_listings_are_never_stale(toy, bucket):
    store = open_remote(toy.folder)
    bucket.write(bucket.at(oid(b"parts")), b"parts")
    assert store.look_up([oid(b"parts")])
    bucket.lose(bucket.at(oid(b"parts")))
    assert store.look_up([oid(b"parts")]) == {}


def test_reading_streams_the_bytes_or_gives_none(toy, bucket):
    content = bytes(range(256)) * 9000
    bucket.write(bucket.at(oid(content)), content)
    store = open_remote(toy.folder)
    assert store.digest(oid(content)) == StoredObject(len(content), oid(content))
    assert store.read(oid(content)) == content
    assert store.digest(oid(b"absent")) is None
    assert store.read(oid(b"absent")) is None


def test_a_corrupt_copy_is_not_copied(toy, bucket):
    name = oid(b"good")
    bucket.write(bucket.at(name), b"evil")
    assert not copy_object(name, open_remote(toy.folder), open_cache(toy.folder))
    assert not toy.cached(name).exists()
    bucket.write(bucket.at(name), b"good")
    assert copy_object(name, open_remote(toy.folder), open_cache(toy.folder))
    assert toy.cached(name).read_bytes() == b"good"
    assert toy.cached(name).stat().st_mode & 0o777 == 0o444


def test_no_remote_configured_says_how_to_add_one(toy):
    (toy.folder / ".dvc/config.local").unlink()
    (toy.folder / ".dvc/config").write_text("")
    with pytest.raises(StoreError, match="no remote") as refused:
        open_remote(toy.folder)
    assert "dvc remote add" in refused.value.hint


def test_a_bucket_that_does_not_exist_is_not_an_empty_one(toy, bucket):
    use(toy, "other", url="gs://no-such-bucket/store", endpointurl=bucket.endpoint, allow_anonymous_login="true")
    with pytest.raises(StoreError, match="`gs://no-such-bucket/store` does not exist"):
        open_remote(toy.folder)


def test_an_empty_bucket_is_reachable(toy):
    assert open_remote(toy.folder).look_up([oid(b"absent")]) == {}


def test_a_remote_type_that_is_not_installed_is_named(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "dvc_s3", None)
    use(toy, "other", url="s3://bucket/store")
    with pytest.raises(StoreError, match="requires 'dvc-s3' to be installed"):
        open_remote(toy.folder)


def test_a_default_remote_that_is_not_defined_is_named(toy):
    toy.local("core", remote="nowhere")
    with pytest.raises(StoreError, match="'nowhere'"):
        open_remote(toy.folder)


def test_a_folder_that_is_not_mounted_is_not_an_empty_one(toy, tmp_path):
    use(toy, "disk", url=str(tmp_path / "unmounted"))
    with pytest.raises(StoreError, match="does not exist"):
        open_remote(toy.folder)


def test_missing_credentials_are_one_line(toy, tmp_path):
    use(toy, "other", url="gs://bucket/store", credentialpath=str(tmp_path / "key.json"))
    with pytest.raises(StoreError, match=r"key\.json") as refused:
        open_remote(toy.folder)
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            401,
            '{"error": {"code": 401, "message": "Anonymous caller may not list"}}',
            "Anonymous",
        ),
        (401, '{"error": {"code": 401, "message": "Invalid Credentials"}}', "Invalid Credentials"),
        (403, '{"error": {"code": 403, "message": "caller may not list"}}', "Forbidden"),
        (503, '{"error": {"code": 503, "message": "Backend Error"}}', "Backend Error"),
        (None, "", "no answer in 2 s"),
    ],
)
def test_a_refusal_or_timeout_is_one_line(toy, monkeypatch, status, body, said):
    monkeypatch.setattr(stores, "CONNECT_TIMEOUT", 2 if status is None else 120)
    monkeypatch.setattr(gcsfs.retry, "min", lambda *_: 0.05, raising=False)  # of the pauses before retries
    with answering(status, body) as endpoint:
        use(toy, "other", url="gs://bucket/store", endpointurl=endpoint, allow_anonymous_login="true")
        with pytest.raises(StoreError, match=said) as refused:
            open_remote(toy.folder)
    assert "\n" not in refused.value.message
    assert "credentials" in refused.value.hint


def test_credentials_are_not_sent_to_an_address_that_only_the_repository_names(toy, tmp_path, monkeypatch):
    """Nothing is asked at that address; with the user's own confirmation, or without credentials, it is used."""
    key = tmp_path / "key.json"
    key.write_text("{}")
    (toy.folder / ".dvc/config.local").unlink()
    with answering(403, "{}") as endpoint:
        committed = {"url": "gs://bucket/store", "endpointurl": endpoint}
        for option, value in committed.items():
            toy.run("dvc", "remote", "modify", "store", option, value)
        toy.run("dvc", "remote", "modify", "--local", "store", "credentialpath", str(key))
        with pytest.raises(ConfigError, match=f"sends requests of remote `store` to `{endpoint}`") as refused:
            open_remote(toy.folder)
        assert f"`dvc remote modify --local store endpointurl {endpoint}`" in refused.value.hint
        toy.run("dvc", "remote", "modify", "store", "allow_anonymous_login", "true")
        with pytest.raises(StoreError, match="Forbidden"):
            open_remote(toy.folder)
        toy.run("dvc", "remote", "modify", "--unset", "store", "allow_anonymous_login")
        toy.run("dvc", "remote", "modify", "--local", "store", "endpointurl", endpoint)
        with pytest.raises(StoreError):  # the key file is no key
            open_remote(toy.folder)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "no-such-host.invalid"])
def test_a_web_server_that_cannot_be_reached_is_one_line_without_the_password(toy, address):
    """Its client takes every object there for missing."""
    use(toy, "other", url=f"http://user:secret@{address}/store")
    with pytest.raises(StoreError, match=f"`http://{address}/store` cannot be used") as refused:
        open_remote(toy.folder)
    assert "secret" not in str(refused.value)
    done = toy.run("gogooku3", "audit", check=False)
    assert (done.returncode, "secret" in done.stdout + done.stderr) == (7, False)
    assert "Traceback" not in done.stderr


def test_a_missing_key_file_is_never_sent(pushed, tmp_path):
    pushed.run("dvc", "remote", "modify", "--local", "store", "credentialpath", str(tmp_path / "nowhere.json"))
    with pytest.raises(StoreError, match=r"the credentials of remote `store`, `.*nowhere\.json`, do not exist"):
        open_remote(pushed.folder)
