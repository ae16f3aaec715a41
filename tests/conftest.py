"""A small panel of random features with a planted signal, the network that reads it, and a real bucket."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

# Threads that wait for one another spin where a core is free for each, and stand in each other's way where none is.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest
import torch
from hypothesis import settings

from gogooku3 import config, source
from gogooku3.config import Params
from gogooku3.config.model import AdaptiveNorm, Backbone, GraphAttention, Model
from gogooku3.model.network import Network
from gogooku3.package.results import _PLAIN
from gogooku3.panel.panel import Panel
from gogooku3.runtime import interruption, numerics
from gogooku3.runtime.numerics import prepare_torch
from gogooku3.training.phases import PHASES

ROOT = Path(__file__).parents[1]

assert source.FOLDER == ROOT / "src", f"the tests of {ROOT} would test {source.FOLDER}"
# The commands that tests run find this source too, wherever the environment has another one installed.
os.environ["PYTHONPATH"] = str(ROOT / "src")
# Where Python may not keep bytecode, each of these hundreds of commands would compile this source again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# gcsfs reads this when it loads: without it, it asks Google over TLS what kind of bucket stands behind plain HTTP.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"

# Unless a repository forbids it, each DVC command sends a report over the network, from a process of its own, which
# leaves a file in the temporary folder if it is killed.
os.environ["DVC_NO_ANALYTICS"] = "true"

KINDS = {
    "missing": None,
    "truncated": lambda content: content[:-7],
    "altered": lambda content: bytes([content[0] ^ 1]) + content[1:],
}
"""What can befall an object."""

SMALL = Model(
    Backbone(window=8, hidden_size=8, heads=2, dropout=0.1),
    AdaptiveNorm(components=2, slice_length=4),
    GraphAttention(heads=2),
)

_names = count()


# The same examples everywhere, and no verdict that depends on how busy the machine is.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The collector would pass over all that thousands of tests import, while it grows, and then again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def demo() -> Params:
    return config.load(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def _threads(demo: Params) -> None:
    """Counts the threads of a parallel region once: a test would take 5 ms for that, and there are thousands."""
    prepare_torch(demo.numerics)


@pytest.fixture(autouse=True)
def _deterministic(demo: Params, _threads: None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numerics, "_require_threads", lambda wanted: None)
        prepare_torch(demo.numerics)


@pytest.fixture(scope="session")
def small() -> Model:
    return SMALL


@pytest.fixture(scope="session")
def panel() -> Panel:
    """60 sessions, 12 stocks, 6 features; the first feature foretells every target; 5 % holes."""
    sessions, stocks, features, neighbours = 60, 12, 6, 3
    random = np.random.default_rng(3)
    x_TSF = random.standard_normal((sessions, stocks, features)).astype(np.float32)
    y_TSH = (0.01 * x_TSF[..., :1] + 0.01 * random.standard_normal((sessions, stocks, 2))).astype(np.float32)
    x_TSF[random.random(x_TSF.shape) < 0.05] = np.nan
    y_TSH[-1] = np.nan
    present_TS = np.ones((sessions, stocks), bool)
    present_TS[:10, 3] = False
    x_TSF[~present_TS] = np.nan
    y_TSH[~present_TS] = np.nan
    ring_SK = (np.arange(stocks)[:, None] + np.arange(1, neighbours + 1)) % stocks
    return Panel(
        sessions=np.datetime64("2024-01-01") + np.arange(sessions),
        codes=tuple(f"{1300 + s}" for s in range(stocks)),
        features=tuple(f"feature_{f}" for f in range(features)),
        abi="0" * 64,
        x_TSF=x_TSF,
        present_TS=present_TS,
        y_TSH=y_TSH,
        horizons=(1, 5),
        neighbours_GSK=ring_SK[None].astype(np.int32),
        edges_GSKE=np.full((1, stocks, neighbours, 3), 0.5, np.float32),
        graph_of_T=np.where(np.arange(sessions) < 5, -1, 0).astype(np.int32),
        split={"train": (0, 39), "validation": (42, 49), "test": (52, 59)},
    )


@pytest.fixture(scope="session")
def network(panel: Panel, small: Model) -> Callable[..., Network]:
    """A network of a phase; `opened` moves its zero gates, as training would."""

    def make(phase: str, *, opened: bool = False, seed: int = 1) -> Network:
        architecture = PHASES[phase].architecture(panel.abi, len(panel.features), list(panel.horizons), small)
        made = Network(architecture, seed).eval()
        if opened:
            with torch.no_grad():
                for name, parameter in made.named_parameters():
                    if name.rsplit(".", 1)[-1] in ("removed_H", "returned_H", "gate_H"):
                        parameter.fill_(0.5)
        return made

    return make


def metrics_like(rank_ic: dict[str, dict[str, float]], sharpe: dict[str, float]) -> dict[str, Any]:
    """A split's metrics with what releases and cards tell of them, made up but for RankIC and Sharpe ratio."""
    return {
        "sessions": 100,
        "from": "2024-01-04",
        "to": "2024-02-29",
        "sharpe": sharpe
        | {"probabilistic": 0.9, "min_track_record": 250.5, "trials_survived": 12, "skewness": 0.1, "kurtosis": 4.0},
        **{path[0]: 0.125 for _, path, _ in _PLAIN if len(path) == 1},
        "turnover": 0.25,
        "rank_ic": rank_ic,
        "ic": rank_ic,
        "mean_rank_ic": {"value": 0.05, "low": -0.05, "high": 0.15},
        "exposure": {"market": {"beta": 0.5}, "size": None},
        "universe": {"stocks": 12, "joined": 1, "left": 2},
    }


def baselines_like() -> dict[str, Any]:
    """The metrics of baselines, made up."""
    estimate = {"value": 0.25, "low": -0.5, "high": 1.0}
    scored = {"sharpe": estimate, "mean_rank_ic": estimate}
    tables: dict[str, Any] = {
        name: scored | {"model_less_this": scored | {"sessions": 100}}
        for name in ("ridge", "lightgbm", "reversal", "momentum")
    }
    tables["equal_weight"] = {"sharpe": estimate, "model_less_this": {"sharpe": estimate, "sessions": 100}}
    return {"validation": tables, "test": tables}


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


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session", autouse=True)
def _temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What killed processes leave in the temporary folder, and what `reproduce` keeps there, stays within the tests."""
    with pytest.MonkeyPatch.context() as patch:
        folder = str(tmp_path_factory.mktemp("temporary"))
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def _signals() -> Iterator[None]:
    """Under `nohup`, or in the background of a script, this process and its children would ignore some of them."""
    ignored = [each for each in interruption.SIGNALS if signal.getsignal(each) is signal.SIG_IGN]
    for each in ignored:
        signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)
    yield
    for each in ignored:
        signal.signal(each, signal.SIG_IGN)


@pytest.fixture(scope="session", autouse=True)
def _site_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps what DVC remembers of repositories and remotes, here and in commands run, within the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("site-cache")))
        yield


# After every upload the emulator writes down all that it holds, in memory too: it grows slower with every test.
EMULATOR = """
from gcp_storage_emulator import __main__, storage
storage.Storage._write_config_to_file = lambda self: None
__main__.main()
"""


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of a running gcp-storage-emulator that keeps its buckets in memory."""
    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "-c", EMULATOR, "start", "--host=127.0.0.1", f"--port={port}", "--in-memory", "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"{endpoint}/storage/v1/b?project=test").close()
                break
            except urllib.error.HTTPError as answer:
                answer.close()
                break
            except urllib.error.URLError:
                assert server.poll() is None, "the emulator did not start"
                time.sleep(0.1)
        else:
            raise AssertionError("the emulator did not answer in two minutes")
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
