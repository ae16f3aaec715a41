"""Transfers over a bad network end with the right bytes, by DVC's commands and by ours."""

from __future__ import annotations

import sys

import pytest

from gogooku3.recovery.audit import audit
from gogooku3.recovery.storage.fetch import fetch
from gogooku3.recovery.storage.lock import outputs
from gogooku3.recovery.storage.open import open_cache, open_remote

from . import proxy as faults
from .proxy import error, every, first


def is_transfer(request):
    return request.downloads or request.uploads


BUSY = every(3, error(503))
LIMITED = every(3, error(429, "Rate limit"))
RESET = first(faults.RESET_MIDWAY, is_transfer)
TRUNCATED = first(faults.TRUNCATED, is_transfer)
STALLED = first(faults.STALL_MIDWAY, is_transfer)
UNANSWERED = first(faults.SILENCE)


def quiet(_what, _done, _total):
    pass


HURRIED = "import gcsfs.retry, sys; gcsfs.retry.min = lambda *_: 0.05; from dvc.cli import main; sys.exit(main())"
"""DVC with a retry backoff of less than a second."""


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(BUSY, id="503"),
        pytest.param(LIMITED, id="429", marks=pytest.mark.slow),
        pytest.param(RESET, id="reset", marks=pytest.mark.slow),
        pytest.param(TRUNCATED, id="truncated", marks=pytest.mark.slow),
    ],
)
def test_dvc_pushes_and_pulls(sender, proxy, bucket, pushed_objects, tmp_path, fault):
    proxy.faults = [fault]
    sender.run(sys.executable, "-c", HURRIED, "push", "--quiet")
    assert bucket.contents() == pushed_objects
    befallen = proxy.befallen
    clone = sender.clone(tmp_path / "clone")
    clone.run(sys.executable, "-c", HURRIED, "pull", "--quiet")
    assert clone.outputs() == sender.outputs()
    assert proxy.befallen > befallen > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(BUSY, id="503"),
        pytest.param(LIMITED, id="429", marks=pytest.mark.slow),
        pytest.param(RESET, id="reset"),
        pytest.param(TRUNCATED, id="truncated"),
        pytest.param(STALLED, id="stall"),
        pytest.param(UNANSWERED, id="silence"),
    ],
)
def test_repair_and_fetch(sender, proxy, bucket, pushed_objects, tmp_path, short_timeouts, fault):
    proxy.faults = [fault]
    assert audit(sender.folder, [None], repair=True).passed
    assert bucket.contents() == pushed_objects
    befallen = proxy.befallen
    clone = sender.clone(tmp_path / "clone")
    fetched = fetch(open_cache(clone.folder), [open_remote(clone.folder)], outputs(clone.folder, None), quiet)
    assert fetched.lost == ()
    clone.run("dvc", "checkout", "--quiet")
    assert clone.outputs() == sender.outputs()
    assert proxy.befallen > befallen > 0


@pytest.mark.slow
def test_dvc_and_repair_with_default_timeouts(sender, proxy, bucket, pushed_objects, tmp_path):
    proxy.faults = [BUSY, first(faults.SILENCE, lambda request: request.number % 5 == 0)]
    assert audit(sender.folder, [None], repair=True).passed
    assert bucket.contents() == pushed_objects
    clone = sender.clone(tmp_path / "clone")
    proxy.faults = [BUSY]
    clone.run("dvc", "pull", "--quiet")
    assert clone.outputs() == sender.outputs()


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [BUSY, RESET, TRUNCATED, STALLED, UNANSWERED], ids=["503", "reset", "cut", "stall", "silence"]
)
def test_recover(trained, proxy, bucket, tmp_path, fault):
    lab = trained.copy(tmp_path)
    remote = f"['remote \"store\"']\n    url = {bucket.url}\n    allow_anonymous_login = true\n    endpointurl = "
    (lab.folder / ".dvc/config.local").write_text(f"{remote}{bucket.endpoint}\n")
    lab.run("gogooku3", "promote", "tier1")
    settings = tmp_path / "settings"
    settings.write_text(f"{remote}{proxy.endpoint}\n")
    proxy.faults = [fault]
    source = ("--from", str(lab.folder), "--settings", str(settings))
    lab.run("gogooku3", "recover", "tier1", *source, "--to", "back", "--data", cwd=tmp_path)
    for output in outputs(lab.folder, None):
        if not output.is_dir:
            assert (tmp_path / "back" / output.path).read_bytes() == (lab.folder / output.path).read_bytes()
    assert proxy.befallen > 0
