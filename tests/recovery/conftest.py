"""A real bucket (gcp-storage-emulator) and a tiny real Git and DVC repository that is pushed to it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

# gcsfs reads this when it loads: without it, it asks Google over TLS what kind of bucket stands behind plain HTTP.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"

PIPELINE = """
stages:
  parts:
    cmd: >-
      mkdir -p data/parts/deep && cp constant.txt data/parts/constant.txt &&
      sed 's/^/first /' seed.txt > data/parts/first.txt && sed 's/^/second /' seed.txt > data/parts/deep/second.txt
    deps: [constant.txt, seed.txt]
    outs: [data/parts]
  model:
    cmd: >-
      mkdir -p models/package && sed 's/^/weights /' seed.txt > models/package/model.bin &&
      sed 's/^/config /' seed.txt > models/package/config.json && sed 's/^/score /' seed.txt > score.txt
    deps: [data/parts, seed.txt]
    outs:
      - models/package/model.bin
      - models/package/config.json
      - score.txt:
          cache: false
"""

KINDS = {
    "missing": None,
    "truncated": lambda content: content[:-7],
    "altered": lambda content: bytes([content[0] ^ 1]) + content[1:],
}
"""What can befall an object."""

_names = count()


@dataclass(frozen=True)
class Bucket:
    """A bucket of the emulator, and hands to read, change and lose its objects behind everybody's back."""

    endpoint: str
    name: str

    @property
    def url(self) -> str:
        return f"gs://{self.name}/store"

    def _call(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        headers = {"Content-Type": kind} if body is not None else {}
        request = urllib.request.Request(f"{self.endpoint}{path}", data=body, headers=headers, method=method)
        with urllib.request.urlopen(request) as response:
            return bytes(response.read())

    def _object(self, name: str) -> str:
        return f"/storage/v1/b/{self.name}/o/{urllib.parse.quote(name, safe='')}"

    def make(self) -> None:
        self._call("POST", "/storage/v1/b?project=test", json.dumps({"name": self.name}).encode())

    def names(self) -> list[str]:
        listing = json.loads(self._call("GET", f"/storage/v1/b/{self.name}/o"))
        return sorted(item["name"] for item in listing.get("items", []))

    def contents(self) -> dict[str, bytes]:
        return {name: self.read(name) for name in self.names()}

    def read(self, name: str) -> bytes:
        return self._call("GET", f"{self._object(name)}?alt=media")

    def write(self, name: str, content: bytes) -> None:
        meta = json.dumps({"name": name}).encode()
        head = b"--part\r\nContent-Type: application/json\r\n\r\n" + meta
        body = b"\r\n--part\r\nContent-Type: application/octet-stream\r\n\r\n" + content
        kind = 'multipart/related; boundary="part"'
        path = f"/upload/storage/v1/b/{self.name}/o?uploadType=multipart"
        self._call("POST", path, head + body + b"\r\n--part--", kind)

    def lose(self, name: str) -> None:
        self._call("DELETE", self._object(name))

    def spoil(self, oid: str, kind: str) -> None:
        """Loses (`missing`), cuts off (`truncated`) or changes (`altered`) an object of the store."""
        if kind == "missing":
            self.lose(self.at(oid))
        else:
            self.write(self.at(oid), KINDS[kind](self.read(self.at(oid))))

    def claim_md5(self, name: str, md5: str) -> None:
        """What the bucket says of an object's MD5 (base64); "" is how a composite upload looks: none is given."""
        self._call("PATCH", self._object(name), json.dumps({"md5Hash": md5}).encode())

    @staticmethod
    def at(oid: str) -> str:
        """The name of the object that DVC keeps under a hash."""
        return f"store/files/md5/{oid[:2]}/{oid[2:]}"


@dataclass(frozen=True)
class Toy:
    """A Git and DVC repository with one directory output and two single-file outputs, and commands run in it."""

    folder: Path

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command, cwd=self.folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done

    def commit(self, message: str, *, tag: str | None = None) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)
        if tag:
            self.run("git", "tag", tag)

    def revise(self, seed: str, *, tag: str | None = None) -> None:
        """Other content in every output but `data/parts/constant.txt`, reproduced and committed."""
        (self.folder / "seed.txt").write_text(f"{seed}\n" * 20)
        self.run("dvc", "repro", "--quiet")
        self.commit(seed, tag=tag)

    def local(self, section: str, **settings: str) -> None:
        """Writes settings into `.dvc/config.local`, which Git does not see."""
        with (self.folder / ".dvc/config.local").open("a") as config:
            config.write(f"[{section}]\n" + "".join(f"    {key} = {value}\n" for key, value in settings.items()))

    def point_at(self, bucket: Bucket) -> None:
        access = {"endpointurl": bucket.endpoint, "allow_anonymous_login": "true"}
        self.local("'remote \"store\"'", url=bucket.url, **access)

    def clone(self, target: Path) -> Toy:
        """A fresh clone that knows the way to the bucket and has an empty cache."""
        self.run("git", "clone", "--quiet", str(self.folder), str(target))
        shutil.copyfile(self.folder / ".dvc/config.local", target / ".dvc/config.local")
        return Toy(target)

    def object_of(self, path: str) -> str:
        """The hash under which the store keeps an output, or a file of the directory output, as it lies here."""
        if (self.folder / path).is_dir():
            return re.search(rf"path: {path}\n +hash: md5\n +md5: (\S+)", (self.folder / "dvc.lock").read_text())[1]
        return hashlib.md5((self.folder / path).read_bytes()).hexdigest()

    def spoil_cached(self, oid: str, kind: str) -> None:
        """Does the same to the local cache as `Bucket.spoil`, such that DVC does not see it."""
        cached = self.cached(oid)
        if kind == "missing":
            cached.unlink()
        else:
            cached.chmod(0o644)
            cached.write_bytes(KINDS[kind](cached.read_bytes()))
            cached.chmod(0o444)  # DVC takes a read-only cache file for whole

    def cached(self, oid: str) -> Path:
        """The file that the local cache keeps under a hash."""
        return self.folder / ".dvc/cache/files/md5" / oid[:2] / oid[2:]

    def outputs(self) -> dict[str, bytes]:
        """The bytes of every cached output's files, by path."""
        files = [path for top in ("data", "models") for path in (self.folder / top).rglob("*") if path.is_file()]
        files = [path for path in files if path.name != ".gitignore"]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in sorted(files)}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session", autouse=True)
def _site_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps what DVC remembers of repositories and remotes, here and in commands run, within the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("site-cache")))
        yield


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of a running gcp-storage-emulator that keeps its buckets in memory."""
    port = _free_port()
    program = str(Path(sys.executable).parent / "gcp-storage-emulator")
    server = subprocess.Popen(
        [program, "start", "--host=127.0.0.1", f"--port={port}", "--in-memory", "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{endpoint}/storage/v1/b?project=test").close()
                break
            except urllib.error.HTTPError as answer:
                answer.close()
                break
            except urllib.error.URLError:
                assert server.poll() is None, "the emulator did not start"
                time.sleep(0.1)
        yield endpoint
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def bucket(emulator: str) -> Bucket:
    """An empty bucket of its own."""
    made = Bucket(emulator, f"bucket-{next(_names)}")
    made.make()
    return made


@pytest.fixture(scope="session")
def toy_source(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """The toy repository, reproduced and committed; tests work on copies of it."""
    toy = Toy(tmp_path_factory.mktemp("toy") / "source")
    toy.folder.mkdir()
    toy.run("git", "init", "--quiet", "--initial-branch=main")
    toy.run("git", "config", "user.name", "Test")
    toy.run("git", "config", "user.email", "test@example.com")
    toy.run("dvc", "init", "--quiet")
    (toy.folder / ".dvc/config").write_text(
        "[core]\n    remote = store\n    analytics = false\n    check_update = false\n    autostage = false\n"
        "['remote \"store\"']\n    url = gs://elsewhere/store\n    verify = true\n"
    )
    (toy.folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (toy.folder / "dvc.yaml").write_text(PIPELINE)
    (toy.folder / "constant.txt").write_text("constant\n" * 20)
    toy.revise("one", tag="toy@v1.0.0")
    return toy


@pytest.fixture
def toy(toy_source: Toy, bucket: Bucket, tmp_path: Path) -> Toy:
    """A copy of the toy repository whose remote is `bucket`; nothing is pushed yet."""
    copy = Toy(tmp_path / "toy")
    shutil.copytree(toy_source.folder, copy.folder, symlinks=True)
    copy.point_at(bucket)
    return copy


@pytest.fixture(scope="session")
def pushed_objects(toy_source: Toy, emulator: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a real `dvc push` of the toy repository leaves in a bucket."""
    source = Bucket(emulator, "pushed")
    source.make()
    copy = Toy(tmp_path_factory.mktemp("pushed") / "toy")
    shutil.copytree(toy_source.folder, copy.folder, symlinks=True)
    copy.point_at(source)
    copy.run("dvc", "push", "--quiet")
    return source.contents()


@pytest.fixture
def pushed(toy: Toy, bucket: Bucket, pushed_objects: dict[str, bytes]) -> Toy:
    """The toy repository, and in `bucket` what `dvc push` put there."""
    for name, content in pushed_objects.items():
        bucket.write(name, content)
    return toy
