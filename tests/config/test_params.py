"""The config: which parameters are rejected, what the composed tiers contain, and that conf/ and params.yaml agree."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import compose_and_dump
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from gogooku3 import config
from gogooku3.config import renames
from gogooku3.config.card import Card
from gogooku3.config.tier import Tier
from gogooku3.errors import ConfigError
from gogooku3.features.registry import select
from gogooku3.recovery.releases import tags

ROOT = Path(__file__).parents[2]
TIERS = sorted(path.stem for path in ROOT.glob("conf/tier/*.yaml"))


def compose(target: Path, *overrides: str) -> Path:
    """Composes conf/ exactly as `dvc exp run -S …` does."""
    compose_and_dump(target, str(ROOT / "conf"), None, "config", str(ROOT), list(overrides))
    return target


@pytest.fixture
def tree() -> dict[str, Any]:
    content = OmegaConf.to_container(OmegaConf.load(ROOT / "params.yaml"))
    assert isinstance(content, dict)
    return content


def own(name: str, link: str | None = None) -> dict[str, str | None]:
    """Section `card` with a licence that is on no list."""
    return {"license": "other", "license_name": name, "license_link": link}


def change(tree: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    *path, last = key.split(".")
    section = tree
    for name in path:
        section = section[name]
    section[last] = value
    return tree


def test_params_yaml_is_what_conf_composes(tmp_path: Path) -> None:
    assert compose(tmp_path / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_the_default_is_the_demo_on_the_synthetic_market_on_a_cpu() -> None:
    params = config.load(ROOT / "params.yaml")
    assert (params.tier.name, params.quotes.source, params.numerics.device) == ("demo", "synthetic", "cpu")


def test_tier1_is_the_tier_that_was_lost(tmp_path: Path) -> None:
    params = config.load(compose(tmp_path / "params.yaml", "tier=tier1"))
    recipe, phases = params.train.recipe, params.train.phases
    assert params.model.backbone.hidden_size == 64
    assert params.model.graph.heads == 8
    assert recipe.batch_size == 1024
    assert recipe.batch_size % recipe.batch_stocks == 0
    assert recipe.weight_decay == 1e-4
    assert (recipe.loss.sharpe, recipe.loss.rank_ic, recipe.loss.ic) == (1.0, 0.0, 0.0)
    assert (str(params.quotes.start), str(params.quotes.end)) == ("2020-09-06", "2025-09-06")
    assert [
        (p.epochs, p.learning_rate) for p in (phases.baseline, phases.adaptive_norm, phases.gat, phases.finetune)
    ] == [
        (5, 2e-4),
        (10, 2e-4),
        (8, 1e-4),
        (6, 5e-5),
    ]


def test_tier1_playbook_has_each_value_of_the_playbooks_recipe(tmp_path: Path) -> None:
    params = config.load(compose(tmp_path / "params.yaml", "tier=tier1_playbook"))
    recipe, phases = params.train.recipe, list(asdict(params.train.phases).values())
    assert (params.model.backbone.hidden_size, params.model.graph.heads) == (64, 8)
    assert {phase["learning_rate"] for phase in phases} == {2e-4}
    assert sum(phase["epochs"] for phase in phases) == 30
    assert (recipe.batch_size, recipe.weight_decay) == (1024, 1e-4)
    assert (recipe.loss.sharpe, recipe.loss.rank_ic, recipe.loss.ic) == (1.0, 0.0, 0.0)


def test_tier1_playbook_is_tier1_with_other_phases(tmp_path: Path) -> None:
    one = OmegaConf.load(compose(tmp_path / "1.yaml", "tier=tier1"))
    literal = OmegaConf.load(compose(tmp_path / "literal.yaml", "tier=tier1_playbook"))
    differ = {name for name, phase in literal.train.phases.items() if phase != one.train.phases[name]}
    assert differ == {"gat", "finetune"}
    literal.tier, literal.train.phases = one.tier, one.train.phases
    assert literal == one


def test_tier2_is_tier1_with_another_hidden_size(tmp_path: Path) -> None:
    one = OmegaConf.load(compose(tmp_path / "1.yaml", "tier=tier1"))
    two = OmegaConf.load(compose(tmp_path / "2.yaml", "tier=tier2"))
    assert two.model.backbone.hidden_size == 256
    two.tier, two.model.backbone.hidden_size = one.tier, one.model.backbone.hidden_size
    assert one == two


def test_tier3_is_tier2_with_220_features(tmp_path: Path) -> None:
    two = OmegaConf.load(compose(tmp_path / "2.yaml", "tier=tier2"))
    three = OmegaConf.load(compose(tmp_path / "3.yaml", "tier=tier3"))
    assert len(select(three.dataset.features)) == 220
    three.tier, three.dataset.features = two.tier, two.dataset.features
    assert three == two


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_alone_has_the_size_of_its_market(tmp_path: Path, tier: str) -> None:
    """On synthetic quotes, whether they are named or not; on a file or J-Quants, the size is that of the data."""
    for number, overrides in enumerate(([f"tier={tier}"], ["quotes=synthetic", f"tier={tier}"])):
        stocks = OmegaConf.load(compose(tmp_path / f"{number}.yaml", *overrides)).quotes.stocks
        assert stocks == (120 if tier == "demo" else 3800)
    for source in ("file", "jquants"):
        params = config.load(compose(tmp_path / f"{source}.yaml", f"quotes={source}", f"tier={tier}"))
        assert (params.quotes.source, params.tier.name) == (source, tier)


def test_a_file_source_composes_and_takes_its_listing_and_index_from_the_bars(tmp_path: Path) -> None:
    params = config.load(compose(tmp_path / "p.yaml", "quotes=file", "quotes.inputs.bars=some/bars.csv"))
    assert params.quotes.inputs.listed == params.quotes.inputs.index == "some/bars.csv"


def test_j_quants_composes_with_one_folder_and_the_period_of_the_tier(tmp_path: Path) -> None:
    params = config.load(compose(tmp_path / "p.yaml", "quotes=jquants", "quotes.inputs.bars=raw", "tier=tier1"))
    assert params.quotes.inputs.bars == params.quotes.inputs.listed == params.quotes.inputs.index == "raw"
    assert (str(params.quotes.start), str(params.quotes.end)) == ("2020-09-06", "2025-09-06")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "quotes.inputs.index=elsewhere",
            "`quotes.inputs` names `data/raw/jquants`, `data/raw/jquants` and `elsewhere`",
        ),
        ("quotes.end=2020-01-01", "`quotes.start` 2020-07-01 is not before `quotes.end` 2020-01-01"),
        ("quotes.segments=[Prime,ETF]", "`quotes.segments.1`: Input should be '1st Section', '2nd Section'"),
    ],
)
def test_impossible_parameters_of_j_quants_are_refused(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(compose(tmp_path / "p.yaml", "quotes=jquants", override))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.recipe.momentum", 0.9, "`train.recipe.momentum`: Unexpected keyword"),
        ("surprise", 1, "`surprise`: Unexpected keyword"),
        ("dataset.clip", math.inf, "`dataset.clip`: Input should be a finite number, given inf"),
        ("baselines.ridge.penalty", math.nan, "`baselines.ridge.penalty`: Input should be a finite number"),
        (
            "evaluation.portfolio.max_turnover",
            math.inf,
            "`evaluation.portfolio.max_turnover`: Input should be a finite",
        ),
        ("train.recipe.loss.horizons", [1.0, math.inf, 1.0, 1.0], "`train.recipe.loss.horizons.1`: Input should be"),
        ("evaluation.portfolio.cost_bps", 5000.0, "`evaluation.portfolio.cost_bps` is 5000.0"),
        ("numerics.threads", "two", "`numerics.threads`: Input should be a valid integer, given 'two'"),
        ("numerics.threads", 2.5, "`numerics.threads`: Input should be a valid integer"),
        ("quotes.planted.slow", True, "`quotes.planted.slow`: Input should be a valid number"),
        ("quotes.start", "2020-02-30", "`quotes.start`: Input should be a valid date"),
        ("quotes.source", "bloomberg", "'synthetic', 'file'"),
        ("numerics.device", "tpu", "`numerics.device`: Input should be 'cpu' or 'cuda'"),
        ("numerics.precision", "float16", "`numerics.precision`: Input should be 'float32'"),
        ("numerics.processes", 0, "`numerics.processes` is 0"),
        ("numerics.processes", 2, "`numerics.shares` is 1, which 2 processes cannot divide evenly"),
        ("numerics.reduction", "slow", "`numerics.reduction`: Input should be 'fixed' or 'fast'"),
        ("dataset.features", "all", "`dataset.features`: Input should be 'core', 'extended' or 'full', given 'all'"),
        ("dataset.features", ["core99"], "`dataset.features`: Input should be 'core', 'extended' or 'full'"),
        ("dataset.split.embargo", 19, "shorter than the longest horizon, 20"),
        ("dataset.split.test_from", "2022-01-04", "train_from < validation_from < test_from"),
        ("dataset.horizons", [5, 1], "`dataset.horizons` is [5, 1]"),
        ("train.recipe.batch_size", 100, "smaller than one session of `batch_stocks` 120"),
        ("train.recipe.batch_size", 130, "is one session, which has no Sharpe ratio"),
        ("model.backbone.hidden_size", 15, "not divisible by `heads` of 2"),
        ("model.graph.heads", 3, "not divisible by `model.graph.heads` of 3"),
        ("model.adaptive_norm.slice_length", 7, "does not divide the window of 16"),
        ("model.adaptive_norm.components", 11, "exceeds the 8 frequencies"),
        (
            "train.recipe.loss",
            {"sharpe": 0, "rank_ic": 0, "ic": 0, "horizons": [1, 1, 1, 1]},
            "at least one must be above 0",
        ),
        ("train.recipe.loss.sharpe", -1.0, "no weight may be negative"),
        ("train.recipe.loss.horizons", [1.0], "has 1 weights for the 4 horizons"),
        ("dataset.horizons", [2, 5, 10, 20], "lacks 1: the portfolio"),
        ("train.start_from", "tier1", "`train.start_from` is 'tier1'"),
        ("train.start_from", "tier1@1.0.0", "the full tag of a release, such as `tier1@v1.0.0`"),
        ("train.start_from", "tier1@v01.0.0", "`train.start_from` is 'tier1@v01.0.0'"),
        ("train.start_from", None, "`train.start_from`: Input should be a valid string"),
        ("train.phases.gat.epochs", -1, "`epochs` of a phase is -1"),
        ("train.phases.gat.epochs", 0, "`epochs` of `train.phases.gat` is 0, but training from scratch"),
        ("evaluation.portfolio.horizon", 3, "not among `dataset.horizons`"),
        ("evaluation.portfolio.delay", -1, "`evaluation.portfolio.delay` is -1"),
        ("evaluation.portfolio.borrow_bps", -1.0, "`evaluation.portfolio.borrow_bps` is -1.0"),
        ("evaluation.portfolio.max_turnover", 0.0, "use more than 0, or null for no limit"),
        ("evaluation.portfolio.max_weight", 0.6, "at most 0.5 (one whole side"),
        ("evaluation.portfolio.sector_neutral", "yes", "should be a valid boolean"),
        ("evaluation.portfolio.participation", 1.5, "use more than 0 and at most 1"),
        (
            "evaluation.portfolio.impact",
            1.0,
            "`evaluation.portfolio.impact` is 1.0, but `evaluation.portfolio.capital`",
        ),
        ("evaluation.portfolio.impact", -1.0, "`evaluation.portfolio.impact` is -1.0"),
        ("evaluation.portfolio.capital", 0.0, "use more than 0, in the currency of the quotes, or null"),
        ("evaluation.portfolio.short", "some", "`evaluation.portfolio.short`: Input should be 'all' or 'lendable'"),
        ("evaluation.portfolio.top_k", 0, "`evaluation.portfolio.top_k` is 0"),
        ("evaluation.portfolio.holding", 0, "`evaluation.portfolio.holding` is 0"),
        ("evaluation.portfolio.delisting_return", -1.5, "use -1 (worthless) to 1"),
        ("evaluation.trials", 3, "`evaluation.trials`: Unexpected keyword"),
        ("evaluation.scheme", "combinatorial", "`evaluation.scheme`: Input should be 'split'"),
        (
            "evaluation.scheme",
            "walk_forward",
            "`evaluation.stages.folds` is [], but `evaluation.scheme` walk_forward",
        ),
        ("evaluation.walk_forward.test", 0, "`evaluation.walk_forward.test` is 0"),
        ("evaluation.walk_forward.folds", [], "`evaluation.walk_forward.folds` is []"),
        ("evaluation.walk_forward.folds", [2, 1], "from 1, in ascending order"),
        ("evaluation.walk_forward.folds", [0, 1], "from 1, in ascending order"),
        ("card", {}, "`card.license`: Field required"),
        ("card.license", "Apache-2.0", "is it `apache-2.0`? Otherwise use an identifier of https://huggingface.co/"),
        ("card.license", "Apache 2.0", "is it `apache-2.0`?"),
        ("card.license", "proprietary", "`card.license` is 'proprietary', which is not an identifier"),
        ("card.license", "", "hint: use an identifier of https://huggingface.co/"),
        ("card.license", "mit\n---", "`card.license` is 'mit\\n---'"),
        ("card.license", ["mit"], "`card.license`: Input should be a valid string"),
        ("card.license", "other", "`card.license` is `other`, and `card.license_name` is None"),
        ("card.license_name", "own", "`card.license_name` is 'own' and `card.license_link` None, but `card.license`"),
        ("card.license_link", "https://example.com", "but `card.license` is None"),
        ("card", own("Own licence"), "`card.license_name` is 'Own licence'"),
        ("card", own("own\n---\n"), "`card.license_name` is 'own\\n---\\n'"),
        ("card", own("own", "LICENSE"), "`card.license_link` is 'LICENSE'"),
        ("card", own("own", "javascript:alert(1)"), "use the URL of the licence's text"),
        ("card", own("own", "https://example.com/a) [b](c"), "without spaces, quotes or brackets"),
        ("baselines.rows", 0, "`baselines.rows` is 0"),
        ("baselines.ridge.penalty", 0.0, "`baselines.ridge.penalty` is 0.0"),
        ("baselines.lightgbm.leaves", 1, "`baselines.lightgbm.leaves` is 1"),
        ("baselines.lightgbm.learning_rate", 0.0, "`baselines.lightgbm.learning_rate` is 0.0"),
        ("baselines.lightgbm.feature_share", 1.5, "`baselines.lightgbm.feature_share` is 1.5"),
        ("baselines.lightgbm.seed", -1, "`baselines.lightgbm.seed` is -1"),
    ],
)
def test_impossible_parameters_are_refused_by_name(tree: dict[str, Any], key: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(change(tree, key, value))
    assert message in str(caught.value)
    assert "\nhint: " in str(caught.value)


RENAMED_SETS = pytest.mark.parametrize(
    ("old", "new"), [("core99", "core"), ("extended220", "extended"), ("full395", "full")]
)


@RENAMED_SETS
def test_the_old_name_of_a_feature_set_is_refused_with_the_new_one(tree: dict[str, Any], old: str, new: str) -> None:
    with pytest.raises(ConfigError, match=f"`dataset.features` is `{old}`: that set is called `{new}` now") as caught:
        config.parse(change(tree, "dataset.features", old))
    assert f"`dvc exp run -S dataset.features={new}`" in caught.value.hint


@RENAMED_SETS
def test_a_released_file_with_an_old_name_is_read(tmp_path: Path, tree: dict[str, Any], old: str, new: str) -> None:
    released, working = tmp_path / "released.yaml", tmp_path / "params.yaml"
    OmegaConf.save(change(tree, "dataset.features", old), released)
    OmegaConf.save(change(tree, "dataset.features", new), working)
    assert config.load_released(released) == config.load_released(working) == config.load(working)
    with pytest.raises(ConfigError):
        config.load(released)


@pytest.mark.parametrize("scheme", ["split", "walk_forward"])
def test_a_released_file_without_the_curves_of_its_scheme_is_read(tmp_path: Path, scheme: str) -> None:
    path = compose(tmp_path / "params.yaml", f"evaluation.scheme={scheme}")
    working = config.load(path)
    released = OmegaConf.load(path)
    del released.evaluation.stages["curves"]
    OmegaConf.save(released, path)
    assert config.load_released(path) == working
    with pytest.raises(ConfigError, match=r"`evaluation\.stages\.curves`"):
        config.load(path)


def test_a_released_file_without_later_parameters_of_the_portfolio_is_read(tmp_path: Path) -> None:
    path = compose(tmp_path / "params.yaml")
    released = OmegaConf.load(path)
    later = {"impact": 0.0, "capital": None, "delisting_return": 0.0, "short": "all", "top_k": 50, "holding": 10}
    for name in later:
        del released.evaluation.portfolio[name]
    OmegaConf.save(released, path)
    found = asdict(config.load_released(path).evaluation.portfolio)
    assert {name: found[name] for name in later} == later
    with pytest.raises(ConfigError, match=r"`evaluation\.portfolio\.delisting_return`"):
        config.load(path)


@pytest.mark.parametrize("tree", [None, [], "core99", {"dataset": "core99"}, {"dataset": {"features": ["core99"]}}])
def test_a_tree_without_an_old_name_is_unchanged(tree: object) -> None:
    assert renames.current(tree) == tree


@pytest.mark.parametrize(
    "card",
    [
        {"license": None, "license_name": None, "license_link": None},
        {"license": "apache-2.0", "license_name": None, "license_link": None},
        own("my-licence-1.0"),
        own("own", "https://example.com/licences/own?version=1#terms"),
    ],
)
def test_a_licence_is_stated_or_not(tree: dict[str, Any], card: dict[str, Any]) -> None:
    assert asdict(config.parse(change(tree, "card", card)).card) == card


def test_the_demo_states_no_licence(tree: dict[str, Any]) -> None:
    assert {*tree["card"].values()} == {None}


def test_a_released_file_of_the_first_version_is_read_as_what_it_did(tmp_path: Path, tree: dict[str, Any]) -> None:
    """Its tier was a name, epochs were selected by RankIC, and its card stated a licence."""
    del tree["card"], tree["train"]["recipe"]["min_epochs"]
    tree["tier"] = "tier1"
    OmegaConf.save(tree, tmp_path / "released.yaml")
    released = config.load_released(tmp_path / "released.yaml")
    assert released.card == Card("apache-2.0", None, None)
    assert released.tier == Tier("tier1", "mean_rank_ic", None, None, None, "best")
    assert released.train.recipe.min_epochs == 0
    with pytest.raises(ConfigError, match="`card`: Field required"):
        config.load(tmp_path / "released.yaml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "profit"}, r"`tier.metric` is 'profit'"),
        ({"metric": "rank_ic_7"}, r"`tier.metric` is rank_ic_7, and 7 is not among `dataset.horizons`"),
        ({"compared_with": "tier1"}, r"`tier.compared_with` is 'tier1'"),
        ({"compared_with": "parent"}, r"`tier.compared_with` is parent, but `train.start_from` is scratch"),
        ({"name": ""}, r"`tier.name` is empty"),
    ],
)
def test_an_objective_that_cannot_be_measured_is_refused(
    tree: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    tree["tier"] |= changes
    with pytest.raises(ConfigError, match=message):
        config.parse(tree)


def test_a_missing_parameter_is_named_because_nothing_has_a_default(tree: dict[str, Any]) -> None:
    del tree["train"]["recipe"]["seed"]
    with pytest.raises(ConfigError, match=r"`train.recipe.seed`: Field required"):
        config.parse(tree)


def test_a_misspelt_parameter_is_told_from_an_unknown_one(tree: dict[str, Any]) -> None:
    backbone = tree["model"]["backbone"]
    backbone["hiden_size"] = backbone.pop("hidden_size")
    backbone["surprise"] = 1
    with pytest.raises(ConfigError) as caught:
        config.parse(tree)
    lines = str(caught.value).splitlines()
    (misspelt,) = [line for line in lines if line.startswith("`model.backbone.hiden_size`")]
    assert misspelt.endswith("; did you mean `hidden_size`?")
    (unknown,) = [line for line in lines if line.startswith("`model.backbone.surprise`")]
    assert "did you mean" not in unknown


def test_all_errors_are_reported_at_once(tree: dict[str, Any]) -> None:
    change(change(tree, "numerics.threads", "x"), "evaluation.quantiles", "y")
    with pytest.raises(ConfigError, match=r"(?s)numerics\.threads.*evaluation\.quantiles"):
        config.parse(tree)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), ("a: [1", "is not YAML"), ("- 1", "`params.yaml`: Input should be an object")],
)
def test_an_unreadable_file_is_one_clear_error(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "params.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        config.load(path)


def test_after_a_release_a_phase_may_have_no_epochs_but_not_every_phase(tree: dict[str, Any]) -> None:
    change(tree, "train.start_from", "tier1@v1.0.0")
    *before, last = tree["train"]["phases"]
    for phase in before:
        change(tree, f"train.phases.{phase}.epochs", 0)
    assert config.parse(tree).train.start_from == "tier1@v1.0.0"
    with pytest.raises(ConfigError, match=r"nothing would be trained(?s:.*)`gogooku3 recover tier1@v1\.0\.0`"):
        config.parse(change(tree, f"train.phases.{last}.epochs", 0))


@given(st.from_regex(tags.VERSION_TAG, fullmatch=True, alphabet=st.characters(codec="ascii")))
def test_every_version_tag_is_a_valid_start_from(tag: str) -> None:
    match = tags.VERSION_TAG.fullmatch(tag)
    assert match is not None
    name = tag.removesuffix(f"#{match['counter']}").removesuffix("!")
    params = OmegaConf.to_container(OmegaConf.load(ROOT / "params.yaml"))
    assert isinstance(params, dict)
    assert config.parse(change(params, "train.start_from", name)).train.start_from == name


def test_parameters_cannot_be_changed(tree: dict[str, Any]) -> None:
    params = config.parse(tree)
    with pytest.raises(AttributeError):
        params.train.recipe.seed = 2  # type: ignore[misc]


def test_the_scheme_determines_the_stages(tmp_path: Path) -> None:
    split = config.load(compose(tmp_path / "split.yaml")).evaluation
    assert (split.scheme, split.stages.schemes, split.stages.folds) == ("split", [], [])
    folds = ("evaluation.scheme=walk_forward", "evaluation.walk_forward.folds=[1,3]")
    walk = config.load(compose(tmp_path / "walk.yaml", *folds)).evaluation
    assert (walk.scheme, walk.stages.schemes, walk.stages.folds) == ("walk_forward", ["walk_forward"], [1, 3])
    assert walk.walk_forward == replace(split.walk_forward, folds=[1, 3])


def test_no_walk_forward_from_a_model_that_may_have_been_trained_on_its_test_sessions(tmp_path: Path) -> None:
    path = compose(tmp_path / "p.yaml", "evaluation.scheme=walk_forward", "train.start_from=tier1@v1.0.0")
    with pytest.raises(ConfigError, match=r"`train.start_from` is tier1@v1\.0\.0: that model may have been trained"):
        config.load(path)


def test_the_training_scheme_determines_members_and_the_delivered_model(tmp_path: Path) -> None:
    single = config.load(compose(tmp_path / "single.yaml")).train
    assert (single.seeds, single.stages.model) == ([1], "models/finetune")
    ensemble = config.load(compose(tmp_path / "more.yaml", "train.scheme=ensemble", "train.further_seeds=[4,9]")).train
    assert (ensemble.seeds, ensemble.stages.members) == ([1, 4, 9], [4, 9])
    assert (ensemble.stages.ensembles, ensemble.stages.model) == (["mean"], "models/ensemble")


@pytest.mark.parametrize("further", ["[]", "[1]", "[2,2]", "[-1]"])
def test_members_that_would_be_one_model_are_refused(tmp_path: Path, further: str) -> None:
    path = compose(tmp_path / "params.yaml", "train.scheme=ensemble", f"train.further_seeds={further}")
    with pytest.raises(ConfigError, match="seeds"):
        config.load(path)


def test_stages_that_do_not_follow_from_the_training_scheme_are_refused(tree: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="requires"):
        config.parse(change(tree, "train.scheme", "ensemble"))


def test_a_released_file_without_seeds_is_read_as_a_single_model(tree: dict[str, Any], tmp_path: Path) -> None:
    for name in ("scheme", "further_seeds", "stages"):
        del tree["train"][name]
    path = tmp_path / "params.yaml"
    OmegaConf.save(OmegaConf.create(tree), path)
    with pytest.raises(ConfigError):
        config.load(path)
    assert config.load_released(path).train.seeds == [1]
