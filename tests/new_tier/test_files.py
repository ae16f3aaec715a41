"""`gogooku3 init` writes groups that compose to valid parameters of a tier of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml
from click.testing import CliRunner
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from gogooku3 import config, preflight
from gogooku3.cli import main
from gogooku3.config.quotes import FileQuotes
from gogooku3.recovery.releases import git

from ..meeting import meet

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, bars: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the project's configuration; the bars lie beside it."""
    root = tmp_path / "project"
    shutil.copytree(ROOT / "conf", root / "conf")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copyfile(ROOT / name, root / name)
    (root / ".dvc").mkdir()
    git.run(root, "init", "--quiet")
    bars.write_parquet(tmp_path / "bars.parquet")
    monkeypatch.chdir(root)
    (root / "src").symlink_to(ROOT / "src")
    return root


def init(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["init", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def composed(root: Path, *overrides: str) -> config.Params:
    with initialize_config_dir(str(root / "conf"), version_base=None):
        settings = compose("config", list(overrides))
    OmegaConf.resolve(settings)
    (root / "params.yaml").write_text(OmegaConf.to_yaml(settings))
    return config.load(root / "params.yaml")


def test_the_groups_compose_to_the_proposal(project: Path) -> None:
    said = init("mine", "--bars", "../bars.parquet")
    assert said.endswith("dvc exp run -S quotes=mine -S tier=mine\n")
    params = composed(project, "quotes=mine", "tier=mine")
    preflight.check(params)
    assert isinstance(params.quotes, FileQuotes)
    assert {*vars(params.quotes.inputs).values()} == {"../bars.parquet"}
    assert params.quotes.bar_columns.Open == "open_price"
    assert params.quotes.listed_columns.Sector33 == "GICS Sector"
    assert (params.tier.name, params.train.recipe.batch_stocks) == ("mine", 12)
    assert f"test from {params.dataset.split.test_from}" in said


def test_other_files_are_inputs_of_their_own(project: Path, bars: pl.DataFrame) -> None:
    bars.group_by("Trade Date").agg(pl.col("Close").mean()).rename({"Trade Date": "day"}).write_csv("../index.csv")
    pl.DataFrame({"symbol": ["1300", "1301"], "Industry": ["Foods", "Mining"]}).write_csv("../sectors.csv")
    init("mine", "--bars", "../bars.parquet", "--listed", "../sectors.csv", "--index", "../index.csv")
    quotes = composed(project, "quotes=mine", "tier=mine").quotes
    assert isinstance(quotes, FileQuotes)
    assert (quotes.inputs.listed, quotes.inputs.index) == ("../sectors.csv", "../index.csv")
    assert (quotes.listed_columns.Code, quotes.listed_columns.Sector33) == ("symbol", "Industry")
    assert (quotes.index_columns.Date, quotes.index_columns.Close) == ("day", "Close")


def test_the_pipeline_gets_the_artifact_and_nothing_else(project: Path) -> None:
    before = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    init("mine", "--bars", "../bars.parquet")
    after = yaml.safe_load((project / "dvc.yaml").read_text())
    assert after["artifacts"].pop("mine") == before["artifacts"]["demo"]
    assert after == before
    assert len((project / "dvc.yaml").read_text().splitlines()) == len((ROOT / "dvc.yaml").read_text().splitlines()) + 1


def test_two_at_once_are_both_written_and_of_one_name_one(project: Path) -> None:
    done = meet(*(("init", name, "--bars", "../bars.parquet") for name in ("one", "two")), folders=[project] * 2)
    assert [each.code for each in done] == [0, 0], done
    assert {"one", "two"} <= yaml.safe_load((project / "dvc.yaml").read_text())["artifacts"].keys()
    done = meet(("init", "same", "--bars", "../bars.parquet"), folders=[project] * 2)
    assert sorted(each.code for each in done) == [0, 1], done


def test_a_name_that_is_taken_or_impossible_changes_nothing(project: Path) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*.yaml")}
    assert "`conf/tier/tier1.yaml` exists" in init("tier1", "--bars", "../bars.parquet", code=1)
    assert "`conf/quotes/file.yaml` exists" in init("file", "--bars", "../bars.parquet", code=1)
    for impossible in ("../mine", "2024", "null", "true"):
        assert "cannot be a tier's name" in init(impossible, "--bars", "../bars.parquet", code=2)
    assert "does not exist" in init("mine", "--bars", "none.parquet", code=3)
    assert "write it as" in init("mine", "--bars", "../bars.parquet", "--column", "Close", code=2)
    assert {path: path.read_bytes() for path in project.rglob("*.yaml")} == before
