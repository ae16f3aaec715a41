"""From J-Quants to the stage `quotes`, in the real DVC."""

from __future__ import annotations

import pytest

from gogooku3.quotes.folder import read

from ..jquants import KEY, serving, small
from .conftest import SMALL, Workspace, bring_back

FROM_J_QUANTS = {key: value for key, value in SMALL.items() if not key.startswith("quotes.")} | {
    "quotes": "jquants",
    "quotes.start": "2024-01-01",
    "quotes.end": "2024-02-02",
}


@pytest.mark.slow
def test_what_was_downloaded_becomes_quotes_and_what_comes_later_changes_none_of_them(workspace: Workspace) -> None:
    folder = workspace.folder / "data/raw/jquants"
    with serving(small()) as exchange:

        def download(last: str) -> None:
            period = ("--from", "2024-01-29", "--to", last, "--rate", "1000000")
            variables = {"JQUANTS_API_KEY": KEY, "JQUANTS_API_URL": exchange.address}
            workspace.run("gogooku3", "jquants", "download", *period, **variables)
            workspace.run("dvc", "add", "--quiet", "data/raw/jquants")

        download("2024-02-02")
        workspace.compose(FROM_J_QUANTS)
        workspace.run("dvc", "repro", "quotes")
        first = workspace.bytes_of("data/quotes")
        download("2024-02-06")
    workspace.run("dvc", "repro", "quotes")  # without the exchange
    assert len(list(folder.rglob("*.parquet"))) == 9
    assert workspace.bytes_of("data/quotes") == first

    quotes = read(workspace.folder / "data/quotes")
    assert quotes.listed["Code"].to_list() == ["13010", "13320", "20010", "30010", "40010", "50010"]
    assert quotes.index.height == 5
    assert quotes.report["rules"]["missing_value"]["count"] == 0
    kept = workspace.bytes_of("data", "logs", ".dvc")
    assert all(KEY.encode() not in content for content in kept.values())

    file = folder / "bars/2024-01.1.parquet"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1])
    done = workspace.run("dvc", "repro", "quotes", check=False)
    assert "bars/2024-01.1.parquet` has changed since the download" in done.stderr
    assert "exited with 3" in done.stderr
    assert bring_back(workspace, done) == ["dvc checkout"]
    assert workspace.bytes_of("data/quotes") == first
