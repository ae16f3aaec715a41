"""Faults of one object, and of the whole store: one is a finding, the other one error, never a list of lost objects."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import StoreError
from gogooku3.recovery.audit import audit
from gogooku3.recovery.storage import store as stores
from gogooku3.recovery.storage.fetch import fetch
from gogooku3.recovery.storage.lock import outputs
from gogooku3.recovery.storage.open import open_cache, open_folder, open_remote

from ..conftest import Bucket, Toy
from .proxy import RESET, SILENCE, Effect, Proxy, Request, always, error

MODEL, CONFIG, PARTS = "models/package/model.bin", "models/package/config.json", "data/parts"

NO_ACCESS = error(403, "caller does not have storage.objects.get access to the Google Cloud Storage object.")
NO_WRITING = error(403, "caller does not have storage.objects.delete access to the Google Cloud Storage object.")
RETENTION = error(
    403,
    "Object 'bucket/store/x' is subject to bucket's retention policy or object retention and cannot be deleted or"
    " overwritten until 2031-01-01T00:00:00.000000+00:00",
)
HOLD = error(403, "Object 'bucket/store/x' is under active Temporary hold and cannot be deleted or overwritten.")


@pytest.fixture(autouse=True)
def _short(short_timeouts: None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Timeouts end only calls that get no answer: for others, a busy machine has a minute."""
    silent = getattr(request.node, "callspec", None) is not None and "silence" in request.node.callspec.params.values()
    for name, seconds in (("TOTAL_TIMEOUT", 2), ("PROBE_TIMEOUT", 2), ("CONNECT_TIMEOUT", 4)):
        monkeypatch.setattr(stores, name, seconds if silent else 60)
    if not silent:
        monkeypatch.setattr(stores, "STALL_TIMEOUT", 60)


def quiet(*_: object) -> None:
    pass


def mostly_slow(kinds: Iterable[str], *, but: str) -> list[Any]:
    """All kinds, of which only one belongs to the normal suite."""
    return [kind if kind == but else pytest.param(kind, marks=pytest.mark.slow) for kind in kinds]


def concerns(oid: str) -> Callable[[Request], bool]:
    """Downloads and uploads of one object."""
    name = f"store/files/md5/{oid[:2]}/{oid[2:]}".encode()
    quoted = f"{oid[:2]}%2F{oid[2:]}"
    return lambda request: (request.downloads and quoted in request.path) or (request.uploads and name in request.body)


def of_objects(request: Request) -> bool:
    return request.downloads or request.uploads


ONE = {
    "403": (NO_ACCESS, "storage.objects.get access", "ask the bucket's owner"),
    "401": (error(401, "Anonymous caller"), "Anonymous caller, 401", "ask the bucket's owner"),
    "503": (error(503), "Backend Error, 503", "run the same command again"),
    "silence": (SILENCE, "no answer in 2 s", "run the same command again"),
    "reset": (RESET, "Connection reset by peer", "run the same command again"),
}


@pytest.mark.parametrize("kind", mostly_slow(ONE, but="403"))
@pytest.mark.parametrize("path", [MODEL, PARTS])
def test_one_object_that_the_bucket_does_not_give_is_a_finding(
    receiver: Toy, proxy: Proxy, bucket: Bucket, tmp_path: Path, path: str, kind: str
) -> None:
    effect, reason, remedy = ONE[kind]
    oid = receiver.object_of(path)
    proxy.faults = [always(effect, concerns(oid))]
    [problem] = audit(receiver.folder, [None], deep=True).problems
    assert (problem.path, problem.object, problem.damage.kind) == (path, oid, "unreadable")
    assert reason in problem.damage.reason
    assert remedy in problem.damage.hint
    sources = [open_remote(receiver.folder), open_folder(receiver.folder / ".dvc/cache", "spare")]
    fetched = fetch(open_folder(tmp_path / "empty"), sources, outputs(receiver.folder, None), quiet)
    known = 1 if path == MODEL else 4  # without the listing, the names of its files are unknown
    assert (fetched.lost, fetched.brought["spare"]) == ((), known)


def test_an_object_that_no_source_gives_is_no_reason_to_train_again(
    receiver: Toy, proxy: Proxy, bucket: Bucket, tmp_path: Path
) -> None:
    oid = receiver.object_of(MODEL)
    proxy.faults = [always(NO_ACCESS, concerns(oid))]
    fetched = fetch(
        open_folder(tmp_path / "empty"), [open_remote(receiver.folder)], outputs(receiver.folder, None), quiet
    )
    assert (fetched.objects, sum(fetched.brought.values())) == (6, 5)
    with pytest.raises(
        StoreError, match=rf"1 of 6 objects: `{MODEL}` \({oid}\): unreadable in {bucket.url}"
    ) as refused:
        fetched.require_complete()
    assert "ask the bucket's owner" in refused.value.hint
    assert "train" not in refused.value.hint


@pytest.mark.parametrize("effect", [RETENTION, pytest.param(HOLD, marks=pytest.mark.slow)])
def test_a_replacement_that_is_refused_does_not_keep_others_from_repair(
    receiver: Toy, proxy: Proxy, bucket: Bucket, effect: Effect
) -> None:
    protected, other = receiver.object_of(MODEL), receiver.object_of(CONFIG)
    for oid in (protected, other):
        bucket.spoil(oid, "altered")
    proxy.faults = [always(effect, concerns(protected))]
    result = audit(receiver.folder, [None], repair=True)
    assert [problem.path for problem in result.repaired] == [CONFIG]
    [problem] = result.problems
    assert (problem.path, problem.damage.kind) == (MODEL, "altered")
    assert problem.note.startswith("not replaced: Forbidden: ")
    assert effect.message in problem.note
    assert "a retention policy or a hold of the bucket protects the damaged object" in problem.damage.hint


def test_a_retention_policy_of_the_whole_bucket_is_a_finding_of_every_damaged_object(
    receiver: Toy, proxy: Proxy, bucket: Bucket
) -> None:
    damaged = [receiver.object_of(path) for path in (MODEL, CONFIG)]
    for oid in damaged:
        bucket.spoil(oid, "altered")
    proxy.faults = [always(RETENTION, concerns(oid)) for oid in damaged]
    result = audit(receiver.folder, [None], repair=True)
    assert {problem.path for problem in result.problems} == {MODEL, CONFIG}
    assert all("retention policy" in problem.note for problem in result.problems)


@pytest.mark.parametrize("damaged", [(MODEL,), pytest.param((MODEL, CONFIG), marks=pytest.mark.slow)])
def test_credentials_that_may_write_nothing_are_one_error(
    receiver: Toy, proxy: Proxy, bucket: Bucket, damaged: tuple[str, ...]
) -> None:
    for path in damaged:
        bucket.spoil(receiver.object_of(path), "altered")
    proxy.faults = [always(NO_WRITING, lambda request: request.uploads)]
    with pytest.raises(StoreError, match=r"storage\.objects\.delete access") as refused:
        audit(receiver.folder, [None], repair=True)
    assert "\n" not in refused.value.message


def test_credentials_that_may_write_new_objects_only_repair_those(receiver: Toy, proxy: Proxy, bucket: Bucket) -> None:
    bucket.spoil(receiver.object_of(MODEL), "altered")
    bucket.spoil(receiver.object_of(CONFIG), "missing")
    proxy.faults = [always(NO_WRITING, concerns(receiver.object_of(MODEL)))]
    result = audit(receiver.folder, [None], repair=True)
    assert [problem.path for problem in result.repaired] == [CONFIG]
    assert "storage.objects.delete access" in result.problems[0].note
    assert "Storage Object User" in result.problems[0].damage.hint


def test_credentials_that_may_list_but_not_read_are_one_error(
    receiver: Toy, proxy: Proxy, bucket: Bucket, tmp_path: Path
) -> None:
    proxy.faults = [always(NO_ACCESS, of_objects)]
    with pytest.raises(StoreError, match=r"cannot be used: Forbidden: .*storage\.objects\.get access"):
        audit(receiver.folder, [None], deep=True)
    empty = open_folder(tmp_path / "empty")
    with pytest.raises(StoreError) as refused:
        fetch(empty, [open_remote(receiver.folder)], outputs(receiver.folder, None), quiet).require_complete()
    assert "train" not in refused.value.hint


ALL = {
    "503": error(503),
    "401": error(401, "Invalid Credentials"),
    "403": error(403, "caller does not have storage.objects.list access"),
    "404": error(404, "The specified bucket does not exist."),
    "silence": SILENCE,
    "reset": RESET,
}
"""What a store that fails as a whole does with every request."""


@pytest.mark.parametrize("kind", mostly_slow(ALL, but="reset"))
def test_a_bucket_that_dies_halfway_is_one_error(
    receiver: Toy, proxy: Proxy, bucket: Bucket, tmp_path: Path, kind: str
) -> None:
    """After the first downloads."""
    store, outs = open_remote(receiver.folder), outputs(receiver.folder, None)
    store._fs.jobs = 2

    def dies(request: Request) -> Effect | None:
        downloads = sum(each.downloads for each in proxy.requests)
        return ALL[kind] if downloads > 3 else None

    proxy.faults = [dies]
    empty = open_folder(tmp_path / "empty")
    with pytest.raises(StoreError) as refused:
        fetch(empty, [store], outs, quiet).require_complete()
    assert "unreadable" not in refused.value.message
    assert refused.value.message.startswith(f"`{bucket.url}` ")
    proxy.faults = []
    fetched = fetch(empty, [store], outs, quiet)
    assert (fetched.lost, 0 < sum(fetched.brought.values()) < 6) == ((), True)


@pytest.mark.slow
def test_a_second_source_completes_what_a_dying_bucket_began(
    receiver: Toy, proxy: Proxy, bucket: Bucket, tmp_path: Path
) -> None:
    sources = [open_remote(receiver.folder), open_folder(receiver.folder / ".dvc/cache", "spare")]
    proxy.faults = [lambda request: RESET if sum(each.downloads for each in proxy.requests) > 2 else None]
    fetched = fetch(open_folder(tmp_path / "empty"), sources, outputs(receiver.folder, None), quiet)
    assert fetched.lost == ()


@dataclass
class Web:
    """A web server of a folder; `answer` maps a path and the number of a request to a status, or to `silence`."""

    url: str = ""
    answer: Callable[[str, int], int | str | None] = lambda _path, _number: None
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def web(toy: Toy, tmp_path: Path) -> Iterator[Web]:
    """A web server that is the toy repository's default remote, and complete; `disk` is its folder."""
    shutil.copytree(toy.folder / ".dvc/cache", tmp_path / "disk", ignore=shutil.ignore_patterns("runs"))
    served, ended = Web(), threading.Event()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            served.requests.append(self.path)
            answer = served.answer(self.path, len(served.requests))
            if answer == "silence":
                ended.wait()
            elif answer == "close":
                self.close_connection = True
            elif isinstance(answer, int):
                self.send_error(answer)
            else:
                super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "disk")))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    (toy.folder / ".dvc/config.local").unlink()
    toy.local("'remote \"store\"'", url=served.url)
    try:
        yield served
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def at(oid: str) -> str:
    return f"/files/md5/{oid[:2]}/{oid[2:]}"


WEB = {"503": 503, "401": 401, "403": 403, "500": 500, "silence": "silence", "closed": "close"}


@pytest.mark.parametrize("kind", mostly_slow(WEB, but="403"))
def test_one_object_that_a_web_server_does_not_give_is_a_finding(toy: Toy, web: Web, tmp_path: Path, kind: str) -> None:
    oid = toy.object_of(MODEL)
    web.answer = lambda path, _: WEB[kind] if path == at(oid) else None
    [problem] = audit(toy.folder, [None]).problems
    assert (problem.path, problem.damage.kind) == (MODEL, "unreadable")
    assert "gcloud" not in problem.damage.hint
    sources = [open_remote(toy.folder), open_folder(toy.folder / ".dvc/cache", "spare")]
    fetched = fetch(open_folder(tmp_path / "empty"), sources, outputs(toy.folder, None), quiet)
    assert (fetched.lost, fetched.brought["spare"]) == ((), 1)


@pytest.mark.parametrize("kind", mostly_slow(WEB, but="503"))
def test_a_web_server_that_refuses_everything_is_one_error(toy: Toy, web: Web, kind: str) -> None:
    web.answer = lambda _path, _number: WEB[kind]
    with pytest.raises(StoreError, match=f"`{web.url}` (cannot be used|gives)") as refused:
        audit(toy.folder, [None])
    assert "\n" not in refused.value.message
    assert "gcloud" not in refused.value.hint


@pytest.mark.parametrize("kind", mostly_slow(WEB, but="closed"))
def test_a_web_server_that_dies_halfway_is_one_error(toy: Toy, web: Web, tmp_path: Path, kind: str) -> None:
    web.answer = lambda _path, number: WEB[kind] if number > 4 else None
    empty = open_folder(tmp_path / "empty")
    store, outs = open_remote(toy.folder), outputs(toy.folder, None)
    store._fs.jobs = 1
    with pytest.raises(StoreError, match=f"`{web.url}` (cannot be used|gives)"):
        fetch(empty, [store], outs, quiet).require_complete()
    web.answer = lambda _path, _number: None
    fetched = fetch(empty, [store], outs, quiet)
    assert (fetched.lost, 0 < sum(fetched.brought.values()) < 6) == ((), True)


def test_a_web_server_that_answers_403_for_what_it_lacks_is_used(toy: Toy, web: Web, tmp_path: Path) -> None:
    """As a public bucket does for callers who may not list it."""
    oid = toy.object_of(MODEL)
    web.answer = lambda path, _: 403 if path == at(oid) or not (tmp_path / f"disk{path}").is_file() else None
    [problem] = audit(toy.folder, [None]).problems
    assert (problem.path, problem.damage.kind) == (MODEL, "unreadable")


def test_a_lost_object_of_a_web_server_is_missing(toy: Toy, web: Web, tmp_path: Path) -> None:
    (tmp_path / f"disk{at(toy.object_of(MODEL))}").unlink()
    assert [(each.path, each.damage.kind) for each in audit(toy.folder, [None]).problems] == [(MODEL, "missing")]
    assert open_cache(toy.folder).read("0" * 32) is None
