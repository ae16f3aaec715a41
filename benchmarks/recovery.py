"""Benchmark of `audit` (10,000 objects under 20 tags) and `recover` (a 20 MB package) against plain DVC.

    python benchmarks/recovery.py [--objects 10000] [--tags 20] [--hidden-size 126] [--runs 3] [--out FILE]

Prints Markdown, and writes it to FILE. Starts a GCS emulator on this machine, so that the times do not include a
network. Every command is a separate process, including its start; commands are repeated `--runs` times, interleaved,
and the median is reported. `dvc status -c` considers a directory complete if its listing exists; the ratio is the cost
of checking every object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path

from measures.document import commit, machine, paragraph, table

BIN = Path(sys.executable).parent
SOURCE = Path(__file__).resolve().parents[1]
BUCKET = "benchmark"

# After every upload the emulator rewrites its index of all objects, even in memory: 10,000 objects would take an hour.
EMULATOR = """
from gcp_storage_emulator import __main__, storage
storage.Storage._write_config_to_file = lambda self: None
__main__.main()
"""


class Repository:
    """A Git and DVC repository whose remote is the emulator, and commands run in it."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder, self.endpoint = folder, endpoint
        folder.mkdir()
        for command in (
            ("git", "init", "--quiet", "--initial-branch=main"),
            ("git", "config", "user.name", "Benchmark"),
            ("git", "config", "user.email", "benchmark@example.com"),
            ("dvc", "init", "--quiet"),
        ):
            run(command, folder)
        (folder / ".dvc/config").write_text(
            "[core]\n    remote = store\n    analytics = false\n    check_update = false\n"
            f"['remote \"store\"']\n    url = gs://{BUCKET}/store\n    verify = true\n"
            f"    endpointurl = {endpoint}\n    allow_anonymous_login = true\n"
        )

    def commit(self, message: str) -> None:
        run(("git", "add", "--all"), self.folder)
        run(("git", "commit", "--quiet", "--message", message), self.folder)


def run(command: tuple[str, ...], folder: Path, *, expect: int = 0) -> float:
    """Wall seconds of a process."""
    environment = os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCE / "src"),
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        # A client's cache of the bucket's content would skip the measured work.
        "DVC_SITE_CACHE_DIR": tempfile.mkdtemp(dir=folder.parent),
    }
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode != expect:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return took


def put(endpoint: str, name: str, content: bytes) -> None:
    head = b"--part\r\nContent-Type: application/json\r\n\r\n" + json.dumps({"name": name}).encode()
    body = head + b"\r\n--part\r\nContent-Type: application/octet-stream\r\n\r\n" + content + b"\r\n--part--"
    url = f"{endpoint}/upload/storage/v1/b/{BUCKET}/o?uploadType=multipart"
    headers = {"Content-Type": 'multipart/related; boundary="part"'}
    urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers)).read()


@contextmanager
def emulator() -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-c", EMULATOR, "start", "--host=127.0.0.1", f"--port={port}", "--in-memory", "--quiet"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*command, f"--default-bucket={BUCKET}"], stdout=quiet, stderr=quiet) as server:
        endpoint = f"http://127.0.0.1:{port}"
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"{endpoint}/storage/v1/b/{BUCKET}").close()
                    break
                except urllib.error.URLError:
                    time.sleep(0.1)
            yield endpoint
        finally:
            server.terminate()


def with_tags(folder: Path, endpoint: str, objects: int, tags: int) -> Repository:
    """A repository with this number of tags and objects: per tag a directory of its own files and a single file."""
    repository = Repository(folder, endpoint)
    many, one = repository.folder / "many", repository.folder / "one.bin"
    (repository.folder / "dvc.yaml").write_text("stages:\n  make:\n    cmd: 'true'\n    outs: [many, one.bin]\n")
    count = objects // tags - 2  # the listing and the single file are objects too
    for tag in range(tags):
        shutil.rmtree(many, ignore_errors=True)
        many.mkdir()
        for number in range(count):
            (many / f"{number}.txt").write_text(f"{tag} {number}\n")
        one.write_text(f"{tag}\n")
        run(("dvc", "commit", "--quiet", "--force"), repository.folder)
        repository.commit(f"tier {tag}")
        run(("git", "tag", f"tier@v{tag}.0.0"), repository.folder)
        log(f"created tag {tag + 1} of {tags}")
    return repository


# A network of about 20 MB on a small market: a release in a minute or two.
RELEASE = {
    "quotes.stocks": 30,
    "quotes.start": "2021-01-04",
    "quotes.end": "2022-11-30",
    "dataset.graph.window": 40,
    "dataset.split.train_from": "2021-01-04",
    "dataset.split.validation_from": "2022-07-15",
    "dataset.split.test_from": "2022-09-30",
    "model.backbone.window": 8,
    "train.recipe.batch_size": 480,
    "train.recipe.batch_stocks": 30,
    "train.phases.baseline.epochs": 1,
    "train.phases.gat.epochs": 1,
    "evaluation.bootstrap.draws": 100,
}


def released(folder: Path, endpoint: str, hidden_size: int) -> Path:
    """A clone of this project with a trained and promoted model."""
    run(("git", "clone", "--quiet", str(SOURCE), str(folder)), folder.parent)
    for setting in (("user.name", "Benchmark"), ("user.email", "benchmark@example.com")):
        run(("git", "config", *setting), folder)
    (folder / ".dvc/config.local").write_text(
        f"['remote \"store\"']\n    url = gs://{BUCKET}/store\n"
        f"    endpointurl = {endpoint}\n    allow_anonymous_login = true\n"
    )
    log("training the release")
    settings = RELEASE | {"model.backbone.hidden_size": hidden_size}
    flags = [flag for name, value in settings.items() for flag in ("-S", f"{name}={value}")]
    run(("dvc", "exp", "run", *flags), folder)
    run(("git", "add", "--all"), folder)
    run(("git", "commit", "--quiet", "--message", "A model"), folder)
    run(("gogooku3", "promote", "demo", "--no-push"), folder)
    return folder


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def measure(programs: dict[str, Callable[[], float]], runs: int) -> dict[str, float]:
    """Median seconds of each program, interleaved."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(runs):
        for name, program in programs.items():
            seconds[name].append(program())
            log(f"run {number + 1} of {runs}: {name}: {seconds[name][-1]:.2f} s")
    return {name: statistics.median(times) for name, times in seconds.items()}


def audits(folder: Path, endpoint: str, objects: int, tags: int, runs: int) -> tuple[str, dict[str, float]]:
    """Seconds of `audit` and of DVC's commands, over every tag."""
    repository = with_tags(folder / "tags", endpoint, objects, tags).folder
    cache = repository / ".dvc/cache"
    files = [path for path in (cache / "files/md5").rglob("*") if path.is_file()]
    log(f"uploading {len(files)} objects")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda file: put(endpoint, f"store/{file.relative_to(cache)}", file.read_bytes()), files))

    def fetched() -> float:
        empty = folder / "empty"
        run(("git", "clone", "--quiet", str(repository), str(empty)), folder)
        took = run(("dvc", "fetch", "--quiet", "--all-tags"), empty)
        shutil.rmtree(empty)
        return took

    return f"{len(files):,} objects under {tags} tags", measure(
        {
            "gogooku3 audit --all-tags": lambda: run(("gogooku3", "audit", "--all-tags"), repository),
            "dvc status -c --all-tags": lambda: run(("dvc", "status", "--cloud", "--all-tags", "--quiet"), repository),
            "dvc fetch --all-tags (fresh clone)": fetched,
        },
        runs,
    )


def recoveries(folder: Path, endpoint: str, hidden_size: int, runs: int) -> tuple[str, dict[str, float]]:
    """Seconds from a Git URL to a model, with and without verification."""
    origin = released(folder / "origin", endpoint, hidden_size)
    settings, target = origin / ".dvc/config.local", folder / "back"

    def cleared(took: float) -> float:
        shutil.rmtree(target)
        return took

    def recover() -> float:
        source = ("--from", str(origin), "--to", str(target), "--settings", str(settings))
        return cleared(run(("gogooku3", "recover", "demo", *source), folder))

    def pull() -> float:
        took = run(("git", "clone", "--quiet", "--branch", "demo@v1.0.0", str(origin), str(target)), folder)
        shutil.copyfile(settings, target / ".dvc/config.local")
        return took + run(("dvc", "pull", "--quiet", "package"), target)

    def verified() -> float:
        took = pull()
        return cleared(took + run(("gogooku3", "verify"), target))

    size = sum(path.stat().st_size for path in (origin / "models/package").rglob("*") if path.is_file())
    return f"a package of {size / 1e6:.0f} MB", measure(
        {
            "gogooku3 recover": recover,
            "git clone, dvc pull": lambda: cleared(pull()),
            "git clone, dvc pull, gogooku3 verify": verified,
        },
        runs,
    )


def markdown(figures: dict[str, tuple[str, dict[str, float]]], runs: int) -> str:
    """The document: setup, and a table per comparison."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("dvc", "dvc-gs", "gcsfs"))
    parts = [
        f"# Recovery of a model, {date.today()}",
        paragraph(
            f"By `benchmarks/recovery.py` at commit {commit()}, on {machine()}; Python {platform.python_version()},"
            f" {versions}. The bucket is an emulator on the same machine. Medians of {runs} interleaved runs, with the"
            " start of each command."
        ),
    ]
    for verb, (size, seconds) in figures.items():
        ours = next(iter(seconds.values()))
        rows = [(f"`{name}`", f"{took:.2f}", f"{took / ours:.2f}") for name, took in seconds.items()]
        parts += [f"## `{verb}`: {size}", table(("command", "s", "of ours"), rows)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--tags", type=int, default=20)
    parser.add_argument("--hidden-size", type=int, default=126, help="width of the released network; 126 gives 20 MB")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if options.out and not options.out.parent.is_dir():
        parser.error(f"{options.out.parent} is not a folder")
    with tempfile.TemporaryDirectory() as folder, emulator() as endpoint:
        root = Path(folder)
        text = markdown(
            {
                "audit": audits(root, endpoint, options.objects, options.tags, options.runs),
                "recover": recoveries(root, endpoint, options.hidden_size, options.runs),
            },
            options.runs,
        )
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
