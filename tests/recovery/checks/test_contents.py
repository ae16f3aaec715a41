"""An intact package passes; each kind of damage to its files is found and named."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gogooku3.config.train import LAST_PHASE
from gogooku3.errors import DataError
from gogooku3.recovery.checks.contents import FILES
from gogooku3.recovery.verify import _RULES, default_inputs, verify
from gogooku3.runtime.files import json_text

from .conftest import Delivery

ROOT = Path(__file__).parents[3]


def test_an_intact_package_passes_every_check(delivery: Delivery) -> None:
    report = delivery.verify()
    assert report.verdict.good
    assert list(report.outcomes) == list(_RULES)
    assert {name for name, outcome in report.outcomes.items() if outcome != "passed"} == {"signature"}  # no repository


def test_a_package_is_made_of_the_files_that_the_pipeline_names() -> None:
    outs = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["package"]["outs"]
    assert set(outs) == {f"models/package/{name}" for name in FILES}


def test_without_lock_and_dataset_their_checks_are_skipped_and_say_so(delivery: Delivery) -> None:
    report = delivery.verify_alone()
    assert report.verdict.good
    assert [name for name, outcome in report.outcomes.items() if outcome == "skipped"] == [
        "lock",
        "signature",
        "dataset",
    ]
    assert report["lock"].found == "no `dvc.lock` given"
    assert report["dataset"].found == "no dataset given"


def test_dataset_and_lock_of_a_package_s_repository_are_the_defaults(delivery: Delivery) -> None:
    assert default_inputs(delivery.package) == (delivery.root / "data/dataset", delivery.lock)
    delivery.lock.unlink()
    shutil.rmtree(delivery.root / "data")
    assert default_inputs(delivery.package) == (None, None)
    assert default_inputs(delivery.root) == (None, None)


def test_a_package_elsewhere_is_compared_with_a_given_lock(delivery: Delivery) -> None:
    elsewhere = delivery.root / "elsewhere"
    shutil.move(delivery.package, elsewhere)
    verdict = verify(elsewhere, dataset=None, lock=delivery.lock)
    outcomes = {check.name: check.finding.outcome for check in verdict.checks}
    assert outcomes["lock"] == "passed"


@pytest.mark.parametrize("absent", ["package", "dataset", "lock"])
def test_a_missing_input_is_refused(delivery: Delivery, absent: str) -> None:
    paths = {"package": delivery.package, "dataset": None, "lock": None} | {absent: delivery.root / "nowhere"}
    with pytest.raises(DataError, match="nowhere"):
        verify(paths["package"], dataset=paths["dataset"], lock=paths["lock"])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(FILES))
def test_any_lost_file_is_found(delivery: Delivery, name: str) -> None:
    (delivery.package / name).unlink()
    report = delivery.verify()
    assert report.failed >= {"contents", "manifest", "lock"}
    assert f"{name} is missing" in report["contents"].found


def test_an_extra_file_is_found(delivery: Delivery) -> None:
    (delivery.package / "extra.bin").write_bytes(b"")
    assert delivery.verify().failed == {"contents", "manifest", "lock"}
    delivery.rewrite_manifest()
    assert delivery.verify_alone().failed == {"contents"}


def test_a_second_manifest_and_a_link_are_found(delivery: Delivery) -> None:
    (delivery.package / "golden/MANIFEST.json").write_text("{}")
    (delivery.package / "link").symlink_to(delivery.root / "data")
    report = delivery.verify_alone()
    assert report.failed == {"contents", "manifest"}
    assert report["contents"].found == "golden/MANIFEST.json is not part of a package; link is not part of a package"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(FILES)), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_is_found_wherever_it_is(delivery: Delivery, name: str, place: float, bit: int) -> None:
    path = delivery.package / name
    whole = path.read_bytes()
    position = int(place * len(whole))
    path.write_bytes(whole[:position] + bytes([whole[position] ^ 1 << bit]) + whole[position + 1 :])
    try:
        report = delivery.verify()
    finally:
        path.write_bytes(whole)
    assert report.failed >= {"manifest", "lock"}


def test_one_bit_of_a_weight_is_found_by_the_golden_predictions_alone(delivery: Delivery) -> None:
    delivery.edit_tensors(
        "model.safetensors", lambda tensors: tensors["head.bias"].view(torch.int32)[0].bitwise_xor_(1)
    )
    delivery.rewrite_manifest()
    report = delivery.verify_alone()
    assert report.failed == {"golden"}
    assert "must be bitwise identical" in report["golden"].found


def test_metrics_are_those_whose_hash_the_lock_file_records(delivery: Delivery) -> None:
    """The edited metrics are those of a split that the model card does not list."""
    assert "not compared: the hash of `metrics/validation.json`" in delivery.verify()["metrics"].found
    tables = json.loads((delivery.package / "metrics.json").read_text())
    outs = [{"path": f"metrics/{name}.json", "md5": md5(json_text(table))} for name, table in tables.items()]
    content = yaml.safe_load(delivery.lock.read_text())
    content["stages"]["evaluate"] = {"cmd": "evaluate", "outs": outs}
    delivery.lock.write_text(yaml.safe_dump(content))
    found = delivery.verify()["metrics"]
    assert found.outcome == "passed"
    assert found.found.startswith(
        "the same as `metrics/validation.json`, `metrics/test.json`, `metrics/baselines.json`,"
        " `metrics/details/validation.json`, `metrics/details/test.json`;"
    )
    delivery.edit_json("metrics.json", lambda content: content["validation"].update(sharpe=9.5))
    delivery.rewrite_manifest()
    found = delivery.verify()["metrics"]
    assert found.outcome == "failed"
    assert found.found.startswith("`validation` in `metrics.json` is not the `metrics/validation.json` that")


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_a_forged_hash_in_the_lock_file_is_found(delivery: Delivery) -> None:
    delivery.forge_lock("models/package/model.safetensors")
    report = delivery.verify()
    assert report.failed == {"lock"}
    assert "`models/package/model.safetensors` is recorded with 00000000" in report["lock"].found


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_package_of_another_model_than_the_trained_one_is_found(delivery: Delivery, name: str) -> None:
    delivery.forge_lock(f"models/{LAST_PHASE}/{name}")
    report = delivery.verify()
    assert report.failed == {"lock"}
    assert f"`models/{LAST_PHASE}/{name}` is recorded with 00000000" in report["lock"].found


@pytest.mark.parametrize("content", ["", "stages: 5", "stages: {a: {outs: [1]}}", "a: [", "\0", "stages: {}"])
def test_a_lock_file_that_records_no_package_is_found(delivery: Delivery, content: str) -> None:
    delivery.lock.write_text(content)
    assert delivery.verify().failed == {"lock"}


def test_a_check_that_another_makes_pointless_is_skipped_with_the_reason(delivery: Delivery) -> None:
    (delivery.package / "model.safetensors").write_bytes(b"")
    report = delivery.verify_alone()
    assert report.failed == {"manifest", "weights"}
    assert report["finite"].found == "`weights` failed"
    assert report["golden"].found == "`shapes` was skipped"
    assert report.outcomes["preprocess"] == report.outcomes["environment"] == "passed"
