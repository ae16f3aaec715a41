"""Search spaces: invalid files, and values that the schema would refuse."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import compose_and_dump
from omegaconf import OmegaConf

from gogooku3 import preflight
from gogooku3.errors import ConfigError
from gogooku3.search import space as module
from gogooku3.search.space import Parameter, applied, leaves, read

ROOT = Path(__file__).parents[2]
SEARCHES = [
    (path.stem, tier)
    for path in sorted(ROOT.glob("conf/search/*.yaml"))
    for tier in OmegaConf.load(path).get("tiers") or ["demo"]
]


@pytest.fixture(scope="module")
def tree() -> dict[str, Any]:
    content = OmegaConf.to_container(OmegaConf.load(ROOT / "params.yaml"))
    assert isinstance(content, dict)
    return content  # type: ignore[return-value]


def check(space: module.Space, tree: dict[str, Any]) -> None:
    module.check(space, tree, preflight.check)


def written(folder: Path, parameters: str, head: str = "objective: sharpe\ntrials: 5\nseed: 1") -> Path:
    file = folder / "space.yaml"
    file.write_text(f"{head}\nparameters:\n  {parameters}\n")
    return file


def refused(folder: Path, parameters: str, tree: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        check(read(written(folder, parameters)), tree)
    return str(caught.value)


def composed(folder: Path, tier: str) -> dict[str, Any]:
    """A tier's parameters, with few stocks for speed: no search depends on their number."""
    target = folder / "params.yaml"
    compose_and_dump(target, str(ROOT / "conf"), None, "config", str(ROOT), [f"tier={tier}", "quotes.stocks=120"])
    content = OmegaConf.to_container(OmegaConf.load(target))
    assert isinstance(content, dict)
    return content  # type: ignore[return-value]


@pytest.mark.parametrize(("file", "tier"), SEARCHES)
def test_the_searches_of_the_project_fit_their_tiers(file: str, tier: str, tmp_path: Path) -> None:
    tree = composed(tmp_path, tier)
    space = read(ROOT / f"conf/search/{file}.yaml")
    check(space, tree)
    known = leaves(tree)
    for name, parameter in space.parameters.items():
        assert known[name] in (parameter.choices or [known[name]]), "the committed value is the first trial"
        assert parameter.low is None or parameter.low <= known[name] <= parameter.high


def test_a_search_of_another_tier_is_refused_with_both_and_the_command_that_switches(
    tmp_path: Path, tree: dict[str, Any]
) -> None:
    """Before anything else: the values of the file would fit the demo too."""
    with pytest.raises(ConfigError) as refused:
        check(read(ROOT / "conf/search/tier1.yaml"), tree)
    assert "for tier1 (`tiers`), but the committed `params.yaml` is of demo" in str(refused.value)
    assert "`dvc exp run -S tier=tier1`" in str(refused.value)
    with pytest.raises(ConfigError, match="for tier1 or tier2 or tier3 "):
        check(read(ROOT / "conf/search/loss_weights.yaml"), tree)
    head = "objective: sharpe\ntrials: 5\nseed: 1"
    check(read(written(tmp_path, "dataset.clip: {choices: [5.0]}", head)), tree)
    check(read(written(tmp_path, "dataset.clip: {choices: [5.0]}", f"{head}\ntiers: [tier1, demo]")), tree)
    with pytest.raises(ConfigError, match="`tiers` is empty"):
        read(written(tmp_path, "dataset.clip: {choices: [5.0]}", f"{head}\ntiers: []"))


def test_values_of_every_type_and_lists_can_be_searched(tmp_path: Path, tree: dict[str, Any]) -> None:
    lines = [
        "train.phases.gat.learning_rate: {low: 1.0e-4, high: 1e-2, log: true}",
        "train.recipe.patience: {low: 0, high: 3}",
        "model.backbone.hidden_size: {low: 8, high: 2048, step: 8}",
        "evaluation.portfolio.max_turnover: {choices: [null, 0.2]}",
        "evaluation.portfolio.sector_neutral: {choices: [true, false]}",
        "dataset.features: {choices: [core, full]}",
        "train.recipe.loss.horizons: {choices: [[1, 1, 1, 1], [0, 1.5, 0, 0]]}",
        'quotes.start: {choices: ["2020-07-01", "2020-10-01"]}',
    ]
    check(read(written(tmp_path, "\n  ".join(lines))), tree)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            "dataset.clip: {low: 1.0, high: .inf}",
            "`parameters.dataset.clip.high.float`: Input should be a finite number",
        ),
        ("dataset.clip: {choices: [.nan]}", "Input should be a finite number"),
        ("train.recipe.batch_size: {choices: [3840, 84000]}", "a batch takes 700 (`train.recipe.batch_size` 84000"),
        ("quotes.stocks: {low: 9, high: 20}", "`quotes.stocks` 9: the market has 9 stocks"),
        ("train.recipe.momentum: {low: 0.0, high: 0.9}", "`parameters.train.recipe.momentum` is not a parameter"),
        ("train.recipe.batchsize: {choices: [3840]}", "did you mean `train.recipe.batch_size`"),
        ("model.backbone: {choices: [1]}", "is a section of `params.yaml`"),
        ("tier.name: {choices: [demo, tier1]}", "says what the tier is for"),
        ("model.backbone.dropout: {low: 0.0, high: 1.0}", "`model.backbone.dropout` is 1.0"),
        (
            "model.backbone.dropout: {low: 0, high: 1}",
            "range of integers from 0 to 1, but `model.backbone.dropout` is 0.1",
        ),
        ("model.backbone.hidden_size: {choices: [8, '16']}", "Input should be a valid integer, given '16'"),
        ("model.backbone.hidden_size: {low: 8.0, high: 16.0}", "`model.backbone.hidden_size`: Input should be a valid"),
        ("model.backbone.hidden_size: {low: 8, high: 16}", "could have `model.backbone.hidden_size` 9: "),
        ("model.backbone.hidden_size: {low: 8, high: 2048}", "could have `model.backbone.hidden_size` 9: "),
        ("model.backbone.hidden_size: {low: 8, high: 2048, step: 3}", "could have `model.backbone.hidden_size` 11: "),
        ("model.backbone.heads: {low: 1, high: 2000}", "could have `model.backbone.heads` 3: "),
        ("quotes.sectors: {low: 1, high: 2000}", "could have `quotes.sectors` 2000: "),
        ("train.phases.gat.epochs: {low: 0, high: 2}", "but training from scratch has no"),
        ("train.recipe.loss.horizons: {choices: [[1, 1]]}", "has 2 weights for the 4 horizons"),
        (
            "model.backbone.window: {choices: [16, 12]}\n  model.adaptive_norm.slice_length: {choices: [4, 8]}",
            "could have `model.backbone.window` 12, `model.adaptive_norm.slice_length` 8: ",
        ),
    ],
)
def test_values_that_the_schema_refuses_are_refused_before_the_first_trial(
    tmp_path: Path, tree: dict[str, Any], parameters: str, message: str
) -> None:
    text = refused(tmp_path, parameters, tree)
    assert message in text
    assert "\nhint: " in text


@pytest.mark.parametrize("step", [1, 2, 3, 12])
def test_the_checked_integers_decide_for_the_whole_range(step: int) -> None:
    """Bounds, multiples and divisors, over short ranges and long ones; 2520 is the first multiple of 1 to 10."""
    met = set()
    for low, count in itertools.product((1, 2, 8, 60), (2, 3, 11, 33, 34, 500)):
        every = range(low, low + count * step, step)
        checked = Parameter(low=low, high=every[-1], step=step).boundary_values
        assert len(checked) <= 33
        assert set(checked) <= {*every}
        for number in (1, 2, 3, 6, 8, 12, 60, 720, 2520):
            conditions: dict[str, Callable[[int], bool]] = {
                "bound": lambda value, most=number: value <= most,
                "multiple": lambda value, of=number: value % of == 0,
                "divisor": lambda value, of=number: of % value == 0,
            }
            for name, holds in conditions.items():
                whole = all(map(holds, every))
                assert all(map(holds, checked)) == whole, (low, count, number, name)
                met |= {(name, whole)}
    assert met >= {("bound", True), ("bound", False), ("multiple", True), ("multiple", False), ("divisor", False)}


def test_in_a_space_too_large_to_combine_every_pair_is_checked(tmp_path: Path, tree: dict[str, Any]) -> None:
    many = [f"quotes.planted.{name}: {{low: 0.0, high: 0.4}}" for name in ("slow", "reversal", "frequency")]
    many += ["model.backbone.dropout: {low: 0.0, high: 0.5}", "train.recipe.gradient_clip: {low: 0.5, high: 2.0}"]
    many += ["quotes.seed: {low: 0, high: 150}", "train.recipe.batch_stocks: {choices: [60, 120]}"]
    check(read(written(tmp_path, "\n  ".join([*many, "train.recipe.batch_size: {choices: [240, 3840]}"]))), tree)
    text = refused(tmp_path, "\n  ".join([*many, "train.recipe.batch_size: {choices: [120, 3840]}"]), tree)
    assert "`train.recipe.batch_size` 120" in text
    assert "is one session, which has no" in text


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("a: {}", "has neither `choices` nor a range"),
        ("a: {low: 1}", "has neither `choices` nor a range"),
        ("a: {choices: []}", "`parameters.a.choices` is empty"),
        ("a: {choices: [1, 2, 1]}", "`parameters.a.choices` has 1 twice"),
        ("a: {choices: [1], low: 0, high: 2}", "both `choices` and a range"),
        ("a: {low: 2, high: 1}", "goes from 2 to 1"),
        ("a: {low: 0.0, high: 1.0, log: true}", "has `log` and starts at 0.0"),
        ("a: {low: 1, high: 8, step: 2}", "from 1 to 8 in steps of 2, which do not reach"),
        ("a: {low: 1, high: 8, step: 0.5}", "`parameters.a.step` is 0.5"),
        ("a: {low: 1.0, high: 8.0, step: 1.0, log: true}", "both `log` and `step`"),
        ("a: {lo: 1, high: 8}", "`parameters.a.lo`: Unexpected keyword"),
        ("a: {low: one, high: 8}", "given 'one'"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_by_name(tmp_path: Path, parameters: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, parameters))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("objective: test\ntrials: 5\nseed: 1", "`objective`: Input should be 'mean_rank_ic' or 'sharpe'"),
        ("objective: sharpe\ntrials: 0\nseed: 1", "`trials` is 0"),
        ("objective: sharpe\ntrials: 5", "`seed`: Field required"),
        ("objective: sharpe\ntrials: 5\nseed: 1\njobs: 2", "`jobs`: Unexpected keyword"),
        ("objective: [", "is not YAML"),
    ],
)
def test_a_file_that_is_no_search_is_refused(tmp_path: Path, head: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, "a: {choices: [1]}", head))
    assert message in str(caught.value)


def test_a_file_that_is_not_there_or_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read(tmp_path / "absent.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="and no keys"):
        read(tmp_path / "list.yaml")


def test_values_take_their_places_and_leave_the_original_alone(tree: dict[str, Any]) -> None:
    changed = applied(tree, {"model.backbone.dropout": 0.1, "tier.name": "other"})
    assert (changed["model"]["backbone"]["dropout"], changed["tier"]["name"]) == (0.1, "other")
    assert leaves(changed) | {"model.backbone.dropout": 0.1, "tier.name": "demo"} == leaves(tree)
