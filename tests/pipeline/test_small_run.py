"""The whole pipeline through the real DVC: its outputs, cache hits on a rerun, and byte-identical reproduction."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

from gogooku3 import config
from gogooku3.config.quotes import SyntheticQuotes
from gogooku3.metrics.split_file import table_of
from gogooku3.preflight import sizes
from gogooku3.preflight.market import listed, read_dataset
from gogooku3.preflight.parameters import features_of
from gogooku3.summary import summarize
from gogooku3.training.phases import PHASES

from .conftest import SMALL, Workspace, bring_back

MADE = ("data/quotes", "data/dataset", "models", "metrics", "plots", "reports")


def test_one_command_leaves_a_package_metrics_and_plots(small_run: Workspace) -> None:
    manifest = json.loads((small_run.folder / "models/package/MANIFEST.json").read_text())
    assert set(manifest["sha256"]) == {
        "README.md",
        "config.json",
        "environment.json",
        "golden/inputs.safetensors",
        "golden/predictions.safetensors",
        "lineage.json",
        "metrics.json",
        "model.safetensors",
        "preprocess.json",
        "schema.json",
    }
    metrics = table_of(json.loads((small_run.folder / "metrics/test.json").read_text()))
    assert set(metrics["rank_ic"]) == {"1", "5", "10", "20"}
    assert metrics["sharpe"]["low"] < metrics["sharpe"]["value"] < metrics["sharpe"]["high"]
    assert "fraction" in metrics["oracle"]
    baselines = json.loads((small_run.folder / "metrics/baselines.json").read_text())
    for tables in baselines.values():
        assert list(tables) == ["ridge", "lightgbm", "mlp", "ridge_ema", "reversal", "momentum", "equal_weight"]
    sessions = pl.read_csv(small_run.folder / "metrics/sessions/test.csv", try_parse_dates=True)
    assert sessions["rank_ic_5"].drop_nans().mean() == pytest.approx(metrics["rank_ic"]["5"]["value"])
    attribution = json.loads((small_run.folder / "metrics/attribution.json").read_text())
    assert {"returns", "volatility", "volume", "calendar"} <= attribution["families"].keys()
    for split, phases in attribution["phases"].items():
        measured = table_of(json.loads((small_run.folder / f"metrics/{split}.json").read_text()))
        assert phases["finetune"]["mean_rank_ic"] == measured["mean_rank_ic"]
    card = (small_run.folder / "models/package/README.md").read_text()
    assert "\n- Beats LightGBM: **" in card
    (named,) = yaml.safe_load(card.split("---")[1])["model-index"]
    values = {metric["type"]: metric["value"] for metric in named["results"][0]["metrics"]}
    assert values["sharpe"] == pytest.approx(metrics["sharpe"]["value"], abs=1e-6)
    contents = hashlib.sha256((small_run.folder / "data/dataset/contents.json").read_bytes()).hexdigest()
    assert named["results"][0]["dataset"]["revision"] == contents
    sections = [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]
    assert sections == [
        "Intended use",
        "Recipe",
        "Data",
        "Objective",
        "Results",
        "Limits",
        "Licence",
        "Lineage",
        "Verify",
        "Predict",
    ]


def test_every_phase_of_the_small_run_has_weights_of_its_own(small_run: Workspace) -> None:
    """What the tests compare byte by byte is then trained, and not passed on from the phase before."""
    histories = {phase: json.loads((small_run.folder / f"models/{phase}/history.json").read_text()) for phase in PHASES}
    assert {phase: history["best_epoch"] for phase, history in histories.items()} == dict.fromkeys(PHASES, 0)


def test_every_file_that_was_written_is_an_output_of_a_stage(small_run: Workspace) -> None:
    stages = yaml.safe_load((small_run.folder / "dvc.lock").read_text())["stages"].values()
    outs = {out["path"] for stage in stages for out in stage["outs"]}
    written = [path for path in small_run.bytes_of(*MADE) if Path(path).name != ".gitignore"]
    assert [path for path in written if outs.isdisjoint({path, *map(str, Path(path).parents)})] == []


def test_dvc_shows_the_metrics_and_draws_the_plots(small_run: Workspace, tmp_path: Path) -> None:
    shown = json.loads(small_run.run("dvc", "metrics", "show", "--json").stdout)
    assert list(shown[""]["data"]) == ["metrics/test.json", "metrics/validation.json"]
    table = small_run.run("dvc", "metrics", "show").stdout
    assert table.split()[:6] == ["Path", "drawdown", "rank_ic", "return", "sharpe", "turnover"]
    assert max(map(len, table.splitlines())) <= 80
    small_run.run("dvc", "plots", "show", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    for title in ("Learning, phase by phase", "Cumulative return after costs", "RankIC, mean of 20", "Mean return by"):
        assert title in page
    for title in ("beside the baselines", "when a family of features is permuted", "Attention by lag"):
        assert title in page


def test_the_dataset_of_a_run_is_judged_sound(small_run: Workspace) -> None:
    summary = json.loads((small_run.folder / "reports/data_quality.json").read_text())
    assert (summary["sound"], summary["findings"]) == (True, [])
    assert "<h1>No errors found</h1>" in (small_run.folder / "reports/data_quality.html").read_text()


def test_the_preflight_foretells_the_disk_that_the_dataset_takes(small_run: Workspace) -> None:
    """A lower bound, close to the real size: of the parameters alone as of the data."""
    params = config.load(small_run.folder / "params.yaml")
    folders = (small_run.folder / "data/dataset", small_run.folder / "data/.dataset.panel")
    real = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    assert isinstance(params.quotes, SyntheticQuotes)
    for market in (listed(params.quotes), read_dataset(folders[0])):
        assert market is not None
        assert 0.8 * real < sizes.disk(params, market, features_of(params.dataset).count) <= real


def test_the_page_of_the_tier_tells_what_the_metrics_say(small_run: Workspace) -> None:
    metrics = table_of(json.loads((small_run.folder / "metrics/test.json").read_text()))
    page = (small_run.folder / "reports/tier.html").read_text()
    assert f"{metrics['mean_rank_ic']['value']:.3f}" in page
    weights = json.loads((small_run.folder / "models/package/MANIFEST.json").read_text())["sha256"]["model.safetensors"]
    assert weights in page


def test_the_summary_is_of_the_last_run(small_run: Workspace) -> None:
    found = summarize(small_run.folder)
    assert found.verdict in (small_run.folder / "reports/tier.html").read_text()


def test_a_second_run_has_nothing_to_do(small_run: Workspace) -> None:
    assert "up to date" in small_run.run("dvc", "repro").stdout
    assert small_run.changes() == ""


@pytest.mark.slow
def test_a_forced_rerun_elsewhere_gives_the_same_bytes(small_run: Workspace, tmp_path: Path) -> None:
    """Another folder, one core, another hash seed, time zone and locale; without a cache."""
    other = small_run.copy(tmp_path / "a folder" / "elsewhere")
    shutil.rmtree(other.folder / ".dvc/cache")
    for name in MADE[:3]:
        shutil.rmtree(other.folder / name)
    other.run("git", "checkout", "--", ".")
    one_core = ("taskset", "-c", "0") if shutil.which("taskset") else ()
    other.run(
        "dvc", "repro", "--force", before=one_core, PYTHONHASHSEED="123", TZ="Pacific/Chatham", LC_ALL="C", LANG="C"
    )
    assert other.changes() == ""
    assert (other.folder / "dvc.lock").read_bytes() == (small_run.folder / "dvc.lock").read_bytes()
    assert other.bytes_of(*MADE) == small_run.bytes_of(*MADE)


def test_outputs_hold_no_path_of_the_machine(small_run: Workspace) -> None:
    marks = [str(small_run.folder).encode(), f"{Path.home()}/".encode()]
    for name, content in small_run.bytes_of(*MADE).items():
        assert not any(mark in content for mark in marks), name


def test_predict_gives_the_scores_of_the_evaluation_for_any_range(small_run: Workspace, tmp_path: Path) -> None:
    said = small_run.run(
        "gogooku3", "predict", "--output", str(tmp_path / "p.parquet"), "--from", "2022-10-14", "--to", "2022-11-02"
    ).stdout
    assert "golden predictions: bitwise identical" in said
    found = pl.read_parquet(tmp_path / "p.parquet")
    assert found.columns == ["Date", "Code", "score_1", "score_5", "score_10", "score_20"]
    day = pl.col("Date")
    expected = pl.read_parquet(small_run.folder / "data/predictions.parquet").filter(
        (day >= pl.date(2022, 10, 14)) & (day <= pl.date(2022, 11, 2))
    )
    assert found.equals(expected)


def test_predict_refuses_an_altered_package_and_writes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    weights = workspace.folder / "models/package/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.chmod(0o644)
    weights.write_bytes(content)
    done = workspace.run("gogooku3", "predict", "--output", str(tmp_path / "p.csv"), check=False)
    assert done.returncode == 5
    assert "model.safetensors was altered" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "p.csv").exists()


@pytest.mark.slow
def test_predict_refuses_a_dataset_of_other_features(workspace: Workspace, tmp_path: Path) -> None:
    workspace.compose(SMALL | {"dataset.features": "extended"})
    workspace.run("python", "src/gogooku3", "stages", "dataset")
    done = workspace.run("gogooku3", "predict", "--output", str(tmp_path / "p.csv"), check=False)
    assert done.returncode == 5
    assert "hint: " in done.stderr
    assert not (tmp_path / "p.csv").exists()


@pytest.mark.parametrize(
    ("change", "reruns"),
    [
        ({"train.phases.finetune.learning_rate": "1e-4"}, ["train@finetune", "report", "package"]),
        pytest.param({"train.phases.gat.epochs": "2"}, ["train@gat", "report", "package"], marks=pytest.mark.slow),
        pytest.param(
            {"model.graph.heads": "4"}, ["train@gat", "train@finetune", "report", "package"], marks=pytest.mark.slow
        ),
        pytest.param(
            {"model.adaptive_norm.components": "1"},
            ["train@adaptive_norm", "train@gat", "train@finetune", "report", "package"],
            marks=pytest.mark.slow,
        ),
        ({"evaluation.portfolio.cost_bps": "12.5"}, ["evaluate", "report", "package"]),
        pytest.param({"baselines.ridge.penalty": "0.2"}, ["baselines", "report", "package"], marks=pytest.mark.slow),
        pytest.param({"dataset.clip": "4.0"}, ["dataset", "report", "package"], marks=pytest.mark.slow),
        pytest.param({"train.start_from": "tier1@v1.0.0"}, ["parent", "report", "package"], marks=pytest.mark.slow),
        ({"tier": "demo"}, []),
    ],
)
def test_a_changed_parameter_reruns_the_stages_that_read_it(
    workspace: Workspace, change: dict[str, str], reruns: list[str]
) -> None:
    workspace.compose(SMALL | change)
    assert workspace.planned() == reruns


@pytest.mark.slow
def test_a_key_that_no_stage_knows_is_refused(workspace: Workspace) -> None:
    before = workspace.bytes_of(*MADE)
    workspace.compose(SMALL | {"+surprise": "1"})
    done = workspace.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "`surprise`: Unexpected keyword argument" in done.stderr
    assert bring_back(workspace, done) == ["dvc checkout"]
    assert workspace.bytes_of(*MADE) == before


@pytest.mark.slow
def test_a_changed_finetune_reruns_that_phase_and_what_follows(workspace: Workspace) -> None:
    workspace.compose(SMALL | {"train.phases.finetune.learning_rate": "1e-4"})
    output = workspace.run("dvc", "repro").stdout
    ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert ran[:2] == ["train@finetune", "evaluate"]
    assert set(ran[2:]) == {"attribution", "report", "package"}


UNHASHED = [
    *("src/gogooku3/cli/predict.py", "src/gogooku3/recovery/__init__.py", "src/gogooku3/config/train.py", "README.md"),
    *("src/gogooku3/export.py", "src/gogooku3/download/api.py", "src/gogooku3/cli/feature_reference.py"),
]


@pytest.mark.parametrize(
    ("touched", "reruns"),
    [
        (UNHASHED, []),
        (["src/gogooku3/evaluation/portfolio.py"], ["evaluate"]),
        pytest.param(["src/gogooku3/package/card.py"], ["package"], marks=pytest.mark.slow),
        pytest.param(["src/gogooku3/quality/page.html.j2"], ["quality"], marks=pytest.mark.slow),
        pytest.param(["src/gogooku3/pages/style.css"], ["quality", "report"], marks=pytest.mark.slow),
        pytest.param(["src/gogooku3/report/curves.py"], ["report"], marks=pytest.mark.slow),
        pytest.param(["src/gogooku3/baselines/trees.py"], ["baselines"], marks=pytest.mark.slow),
        pytest.param(["src/gogooku3/sources/jquants/convert.py"], ["quotes"], marks=pytest.mark.slow),
        pytest.param(["src/gogooku3/features/families/returns.py"], ["dataset"], marks=pytest.mark.slow),
    ],
)
def test_touched_code_reruns_the_stages_that_use_it(
    workspace: Workspace, touched: list[str], reruns: list[str]
) -> None:
    for name in touched:
        path = workspace.folder / name
        path.write_text(path.read_text() + "\n# touched\n")
    assert workspace.planned() == reruns


def test_running_the_code_leaves_no_trace_in_the_code_folders(workspace: Workspace) -> None:
    (workspace.folder / "src/gogooku3/model/__pycache__").mkdir(exist_ok=True)
    (workspace.folder / "src/gogooku3/model/__pycache__/network.cpython-311.pyc").write_bytes(b"x")
    assert workspace.planned() == []
