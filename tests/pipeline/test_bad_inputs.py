"""Bad inputs end the pipeline with one clear error and a hint that restores the outputs of the last good run."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from subprocess import CompletedProcess

import polars as pl
import pytest
import torch

from gogooku3.dataset.contents import CONTENTS, write_frame
from gogooku3.runtime.files import write_json

from .conftest import SMALL, Workspace, bring_back

MADE = ("data", "models", "metrics", "plots", "reports")
BARS = "data/raw/bars.parquet"
CSV = "data/raw/bars.csv"

FROM_FILE = {key: value for key, value in SMALL.items() if not key.startswith("quotes.")} | {
    "quotes": "file",
    "quotes.bar_columns.TurnoverValue": "TurnoverValue",
    "quotes.bar_columns.AdjustmentFactor": "AdjustmentFactor",
}

Write = Callable[[pl.DataFrame, Path], object]


def standing(workspace: Workspace) -> dict[str, bytes]:
    """Everything that a run writes: outputs, leftovers next to them, and the lock file."""
    return workspace.bytes_of(*MADE) | {"dvc.lock": (workspace.folder / "dvc.lock").read_bytes()}


def changed(workspace: Workspace, before: dict[str, bytes]) -> set[str]:
    """The files that are new, gone or different since `before`."""
    after = standing(workspace)
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def small_bars(workspace: Workspace) -> pl.DataFrame:
    return pl.read_parquet(workspace.folder / "data/quotes/bars.parquet")


def give(workspace: Workspace, name: str, write: Write) -> None:
    """Makes the pipeline read the small run's bars from a file, as `write` writes them."""
    path = workspace.folder / name
    path.parent.mkdir(exist_ok=True)
    write(small_bars(workspace), path)
    workspace.compose(FROM_FILE | {"quotes.inputs.bars": name})


def one_error(done: CompletedProcess[str]) -> str:
    """The only error of a run that our code refused, from `error:` to the end of its hint."""
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    starts, hints = ([row for row, line in enumerate(lines) if line.startswith(mark)] for mark in ("error: ", "hint: "))
    assert (len(starts), len(hints)) == (1, 1), done.stderr
    return "\n".join(lines[starts[0] : hints[0] + 1])


def the_tools_error(done: CompletedProcess[str]) -> str:
    """The only error of a run that DVC or Hydra refused."""
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    assert [line[:6] for line in done.stderr.splitlines() if "error" in line.lower()] == ["ERROR:"], done.stderr
    return done.stderr


def empty(_: pl.DataFrame, path: Path) -> None:
    path.touch()


def truncated(bars: pl.DataFrame, path: Path) -> None:
    bars.write_parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def with_bars_twice(bars: pl.DataFrame, path: Path) -> None:
    pl.concat([bars, bars.head(3)]).sort("Date", "Code").write_parquet(path)


def with_a_session_under_a_second_date(bars: pl.DataFrame, path: Path) -> None:
    day, copied = date(2022, 5, 11), bars.filter(pl.col("Date") == date(2021, 7, 8))
    bars = pl.concat([bars.filter(pl.col("Date") != day), copied.with_columns(Date=pl.lit(day))])
    bars.sort("Date", "Code").write_parquet(path)


def with_a_word_for_a_price(bars: pl.DataFrame, path: Path) -> None:
    prices = bars["Close"].cast(pl.String).to_list()
    prices[41] = "n/a"
    bars.with_columns(Close=pl.Series(prices)).write_csv(path)


def latest_first(bars: pl.DataFrame, path: Path) -> None:
    bars.sort("Date", descending=True).write_parquet(path)


def of_one_stock(bars: pl.DataFrame, path: Path) -> None:
    bars.filter(Code=bars["Code"][0]).write_parquet(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "write"),
    [(BARS, pl.DataFrame.write_parquet), (CSV, pl.DataFrame.write_csv)],
    ids=["parquet", "csv"],
)
def test_unbroken_bars_of_a_file_become_quotes(workspace: Workspace, name: str, write: Write) -> None:
    before = small_bars(workspace)
    give(workspace, name, write)
    done = workspace.run("dvc", "repro", "quotes")
    assert "error" not in done.stderr.lower()
    assert small_bars(workspace).equals(before)
    assert not (workspace.folder / "data/quotes/oracle.parquet").exists()  # the quotes were made again, from the file


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        pytest.param(BARS, empty, [f"`{BARS}` cannot be read as parquet", "empty, truncated"], id="an empty parquet"),
        pytest.param(
            CSV, empty, [f"`{CSV}` cannot be read as csv: empty CSV"], id="an empty csv", marks=pytest.mark.slow
        ),
        pytest.param(
            BARS,
            truncated,
            [f"`{BARS}` cannot be read as parquet", "empty, truncated"],
            id="truncated",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            BARS,
            with_bars_twice,
            ["duplicate_key: 3 rows", "Date 2021-01-04", "rules.duplicate_key=drop"],
            id="twice",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            BARS,
            with_a_session_under_a_second_date,
            ["duplicate sessions", "- 2021-07-08 and 2022-05-11: 28 of 28 stocks"],
            id="a copied session",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            CSV,
            with_a_word_for_a_price,
            [f"`{CSV}`: column `Close` has 'n/a' in row 42"],
            id="a word for a price",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            BARS,
            latest_first,
            ["unsorted: ", "Date 2022-11-29", "`quotes.rules.unsorted=keep`"],
            id="unsorted",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            BARS, of_one_stock, [f"`{BARS}` has 1 stocks", "at least 2"], id="one stock", marks=pytest.mark.slow
        ),
    ],
)
def test_a_bad_file_is_refused_and_the_last_quotes_come_back(
    workspace: Workspace, name: str, write: Write, said: list[str]
) -> None:
    give(workspace, name, write)
    before = standing(workspace)
    done = workspace.run("dvc", "repro", check=False)
    error = one_error(done)
    assert all(words in error for words in said), error
    assert "failed to run: python src/gogooku3 stages quotes, exited with 3" in done.stderr
    assert {name.rpartition("/")[0] for name in changed(workspace, before)} == {"data/quotes"}
    assert bring_back(workspace, done) == ["dvc checkout"]
    assert changed(workspace, before) == set()


@pytest.mark.slow
def test_a_file_that_is_not_there_is_refused_by_dvc(workspace: Workspace) -> None:
    before = standing(workspace)
    done = workspace.experiment(FROM_FILE | {"quotes.inputs.bars": BARS}, check=False)
    error = the_tools_error(done)
    assert "failed to reproduce 'quotes'" in error
    assert BARS in error
    assert not (workspace.folder / "data/quotes").exists()
    workspace.run("dvc", "checkout")
    assert changed(workspace, before) == set()


def short(bars: pl.DataFrame, path: Path) -> None:
    bars.filter(pl.col("Date") < date(2021, 3, 1)).write_parquet(path)


TOO_FEW = "leave usable sessions: train 0, validation 0, test 0; each split needs 25 (horizon 20 + 5)"


@pytest.mark.slow
def test_a_history_too_short_for_lookback_horizons_and_splits_is_refused_by_the_dataset(workspace: Workspace) -> None:
    """Such bars are valid quotes: these and their lock entry change, and the old ones are restored from the cache."""
    give(workspace, BARS, short)
    before = standing(workspace)
    done = workspace.run("dvc", "repro", check=False)
    error = one_error(done)
    assert "the 37 sessions from 2021-01-04 to 2021-02-26" in error
    assert TOO_FEW in error
    assert "failed to run: python src/gogooku3 stages dataset, exited with 3" in done.stderr
    assert {"/".join(name.split("/")[:2]) for name in changed(workspace, before)} == {
        *("data/quotes", "data/dataset", "dvc.lock")
    }

    workspace.run("git", "checkout", "--quiet", "dvc.lock", "params.yaml")
    workspace.run("dvc", "checkout", "--force")
    assert changed(workspace, before) == set()
    assert workspace.planned() == []


@pytest.mark.slow
def test_splits_too_short_for_the_history_are_refused_and_the_last_dataset_comes_back(workspace: Workspace) -> None:
    """The hint works even after the same run failed twice."""
    before = standing(workspace)
    done = workspace.experiment(SMALL | {"dataset.split.test_from": "2022-11-20"}, check=False)
    assert "test 7; each split needs 25" in one_error(done)
    assert "failed to run: python src/gogooku3 stages dataset, exited with 3" in done.stderr
    again = workspace.run("dvc", "repro", check=False)
    for each in (done, again):
        assert not (workspace.folder / "data/dataset").exists()
        assert bring_back(workspace, each) == ["dvc checkout"]
        assert changed(workspace, before) == set()
        workspace.run("rm", "-r", "data/dataset")


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device whose absence is tested")
def test_a_device_that_is_not_there_is_refused(workspace: Workspace) -> None:
    before = standing(workspace)
    done = workspace.experiment(SMALL | {"numerics.device": "cuda"}, check=False)
    error = one_error(done)
    assert "torch finds no CUDA device on this machine" in error
    assert "set `numerics.device` to cpu" in error
    assert "failed to run: python src/gogooku3 stages train baseline, exited with 4" in done.stderr
    assert bring_back(workspace, done) == ["dvc checkout"]
    assert changed(workspace, before) == set()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            {"tier": "tier9"},
            ["Could not find 'tier/tier9'", "demo\n\ttier1\n\ttier1_playbook"],
            marks=pytest.mark.slow,
        ),
        ({"dataset.nonsense": "1"}, ["Could not override 'dataset.nonsense'", "Key 'nonsense' is not in struct"]),
    ],
    ids=["group", "key"],
)
def test_what_hydra_does_not_know_changes_not_even_the_parameters(
    workspace: Workspace, change: dict[str, str], said: list[str]
) -> None:
    before = standing(workspace)
    done = workspace.experiment(SMALL | change, check=False)
    error = the_tools_error(done)
    assert all(words in error for words in said), error
    assert changed(workspace, before) == set()
    assert workspace.changes() == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"+dataset.nonsense": "1"}, ["`dataset.nonsense`", "given 1", "`conf/` lists every parameter"]),
        pytest.param(
            {"dataset.split.embargo": "19"},
            ["embargo` of 19 sessions is shorter than the longest horizon, 20", "to at least 20"],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["unknown key", "short embargo"],
)
def test_parameters_that_the_schema_refuses_lose_nothing(
    workspace: Workspace, change: dict[str, str], said: list[str]
) -> None:
    before = standing(workspace)
    done = workspace.experiment(SMALL | change, check=False)
    error = one_error(done)
    assert all(words in error for words in said), error
    assert "failed to run: python src/gogooku3 stages dataset, exited with 2" in done.stderr
    assert bring_back(workspace, done) == ["dvc checkout"]
    assert changed(workspace, before) == set()
    assert workspace.changes() == " M params.yaml\n"


@pytest.mark.slow
def test_metrics_come_back_from_git_or_where_they_are_not_committed_from_the_run_cache(workspace: Workspace) -> None:
    """The stage runs with other costs without a commit, then refuses a missing horizon twice."""
    committed = standing(workspace)
    portfolio = "evaluation.portfolio."
    refused = workspace.experiment(SMALL | {f"{portfolio}horizon": "7"}, check=False)
    assert "failed to run: python src/gogooku3 stages evaluate" in refused.stderr
    assert bring_back(workspace, refused) == ["dvc checkout", "git restore"]
    assert changed(workspace, committed) == set()

    workspace.compose(SMALL | {f"{portfolio}cost_bps": "7.5"})
    workspace.run("dvc", "repro", "evaluate")
    good, params = standing(workspace), (workspace.folder / "params.yaml").read_text()
    assert changed(workspace, committed) >= {"metrics/test.json", "metrics/baselines.json", "metrics/sessions/test.csv"}
    for _ in range(2):
        workspace.compose(SMALL | {f"{portfolio}cost_bps": "7.5", f"{portfolio}horizon": "7"})
        refused = workspace.run("dvc", "repro", "evaluate", check=False)
        assert one_error(refused)
    (workspace.folder / "params.yaml").write_text(params)
    assert bring_back(workspace, refused) == ["dvc checkout", "git restore", "dvc repro"]
    assert changed(workspace, good) == set()


@pytest.mark.slow
def test_a_label_that_is_shifted_in_the_dataset_is_refused_and_the_last_metrics_stay(workspace: Workspace) -> None:
    """Look-ahead bias: the return that evaluates a score starts before the score is known."""
    folder = workspace.folder / "data/dataset"
    before = workspace.bytes_of("metrics", "plots")
    targets = {path: pl.read_parquet(path) for path in sorted((folder / "targets").glob("*.parquet"))}
    shifted = pl.concat(targets.values()).with_columns(pl.col("target_1").shift().over("Code", order_by="Date"))
    contents = json.loads((folder / CONTENTS).read_text())
    for path, frame in targets.items():
        month = frame.select("Date", "Code").join(shifted, on=["Date", "Code"], maintain_order="left")
        path.chmod(0o644)
        contents[f"targets/{path.name}"] = write_frame(month, path)
    write_json(contents, folder / CONTENTS)
    done = workspace.run("python", "src/gogooku3", "stages", "evaluate", check=False)
    assert done.returncode == 3
    assert "targets of horizon 1 differ from the returns of the bars" in done.stderr
    assert workspace.bytes_of("metrics", "plots") == before


@pytest.mark.slow
def test_baselines_of_a_choice_of_the_stocks_are_refused_and_the_last_metrics_stay(workspace: Workspace) -> None:
    """A baseline on selected stocks, or without delisted ones (survivorship bias), is no fair comparison."""
    path = workspace.folder / "data/baselines.parquet"
    before = workspace.bytes_of("metrics", "plots")
    scores = pl.read_parquet(path)
    left_out = scores["Code"][0]
    path.chmod(0o644)
    scores.filter(pl.col("Code") != left_out).write_parquet(path)
    done = workspace.run("python", "src/gogooku3", "stages", "evaluate", check=False)
    assert done.returncode == 3
    assert f"1 stocks ({left_out}) have no score of ridge" in done.stderr
    assert workspace.bytes_of("metrics", "plots") == before
