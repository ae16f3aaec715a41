"""The first difference of two files, for each format."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from gogooku3.recovery.reproduction.first_difference import FirstDifference, first_difference

MONTH = pl.DataFrame(
    {
        "Date": ["2021-03-01", "2021-03-01", "2021-03-02"],
        "Code": ["1301", "1302", "1301"],
        "return_1": pl.Series([0.1, 0.2, None], dtype=pl.Float32),
        "return_5": pl.Series([0.0, 1.0, 2.0], dtype=pl.Float32),
    }
).with_columns(pl.col("Date").str.to_date())


Prints = dict[tuple[int, int], tuple[str, str]]
"""Hash of batch and weights by epoch and step."""


def history(
    losses: list[list[float]],
    norm: float = 1.0,
    rank_ic: tuple[float, ...] = (0.1, 0.2),
    prints: Prints | None = None,
    torch: str = "2.13.0",
) -> dict[str, Any]:
    """A phase's history with the losses of each epoch."""
    epochs = [
        {
            "epoch": number,
            "steps": len(steps),
            "train_loss": math.fsum(steps) / len(steps),
            "validation_rank_ic": rank_ic[number],
        }
        for number, steps in enumerate(losses)
    ]
    flat = [loss for steps in losses for loss in steps]
    return {
        "phase": "gat",
        "step_losses": flat,
        "gradient_norms": [norm] * len(flat),
        "fingerprints": [
            {"epoch": epoch, "step": step, "batch": batch, "weights": weights}
            for (epoch, step), (batch, weights) in (prints or {}).items()
        ],
        "epochs": epochs,
        "environment": {"exact_on": "x86-64-v3", "versions": {"torch": torch}},
    }


class Pair:
    """Two versions of one file, in each format."""

    def __init__(self, folder: Path) -> None:
        self.recorded, self.here = folder / "recorded", folder / "here"

    def first_difference(self, name: str) -> FirstDifference:
        return first_difference(self.recorded, self.here, name)

    def json(self, old: Any, new: Any, name: str = "metrics/test.json") -> FirstDifference:
        self.recorded.write_text(json.dumps(old))
        self.here.write_text(json.dumps(new))
        return self.first_difference(name)

    def history(self, old: dict[str, Any], new: dict[str, Any]) -> FirstDifference:
        return self.json(old, new, "models/gat/history.json")

    def text(self, old: str, new: str, name: str) -> FirstDifference:
        self.recorded.write_text(old)
        self.here.write_text(new)
        return self.first_difference(name)

    def tensors(self, old: dict[str, np.ndarray], new: dict[str, np.ndarray]) -> FirstDifference:
        save_file(old, self.recorded)
        save_file(new, self.here)
        return self.first_difference("models/gat/model.safetensors")

    def tables(self, old: pl.DataFrame, new: pl.DataFrame) -> FirstDifference:
        old.write_parquet(self.recorded)
        new.write_parquet(self.here)
        return self.first_difference("data/dataset/features/2021-03.parquet")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_a_history_names_the_first_loss_that_differs(pair: Pair) -> None:
    found = pair.history(history([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), history([[1.0, 2.0, 3.0], [4.0, 5.5, 6.5]]))
    assert found.where == {"phase": "gat", "epoch": 1, "step": 1, "value": "loss"}
    assert (found.recorded, found.here) == ("5.0", "5.5")


def test_epochs_of_a_history_have_their_own_numbers_of_steps(pair: Pair) -> None:
    old, new = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0]], [[1.0, 2.0, 3.0, 4.5], [5.0, 6.0]]
    assert pair.history(history(old), history(new)).where == {"phase": "gat", "epoch": 0, "step": 3, "value": "loss"}
    new = [[1.0, 2.0, 3.0, 4.0], [5.5, 6.0]]
    assert pair.history(history(old), history(new)).where == {"phase": "gat", "epoch": 1, "step": 0, "value": "loss"}


def test_a_gradient_comes_after_its_loss_and_a_validation_after_its_epoch(pair: Pair) -> None:
    steps = [[1.0, 2.0], [3.0, 4.0]]
    found = pair.history(history(steps), history([[1.0, 2.5], [3.0, 4.0]], norm=1.5))
    assert found.where == {"phase": "gat", "epoch": 0, "step": 0, "value": "gradient norm"}
    found = pair.history(history(steps), history([[1.0, 2.0], [3.5, 4.0]], rank_ic=(0.15, 0.2)))
    assert found.where == {"phase": "gat", "epoch": 0, "value": "validation RankIC"}
    assert (found.recorded, found.here) == ("0.1", "0.15")


def test_different_weights_with_equal_losses_are_found_by_their_fingerprints(pair: Pair) -> None:
    steps = [[1.0, 2.0], [3.0, 4.0]]
    old = history(steps, prints={(0, 0): ("b0", "w0"), (0, 1): ("b1", "w1"), (1, 0): ("b2", "w2")})
    new = history(steps, prints={(0, 0): ("b0", "w0"), (0, 1): ("b1", "x1"), (1, 0): ("b2", "x2")})
    found = pair.history(old, new)
    assert found.where == {"phase": "gat", "epoch": 0, "step": 1, "value": "weights"}
    assert (found.recorded, found.here) == ("w1", "x1")


def test_another_batch_is_named_before_its_loss(pair: Pair) -> None:
    old = history([[1.0, 2.0], [3.0, 4.0]], prints={(1, 0): ("b2", "w2")})
    new = history([[1.0, 2.0], [3.5, 4.0]], prints={(1, 0): ("c2", "x2")})
    assert pair.history(old, new).where == {"phase": "gat", "epoch": 1, "step": 0, "value": "batch"}


def test_numbers_that_differ_in_another_domain_are_reported_with_it(pair: Pair) -> None:
    old, new = history([[1.0, 2.0]]), history([[1.0, 2.5]], torch="2.11.0")
    found = pair.history(old, new)
    assert found.where == {"phase": "gat", "epoch": 0, "step": 1, "value": "loss"}
    assert found.extent == (
        "another domain, in which results need not be bitwise identical:"
        " key versions.torch: 2.13.0 recorded, 2.11.0 here"
    )
    same_numbers = pair.history(old, history([[1.0, 2.0]], torch="2.11.0"))
    assert same_numbers.where == {"key": "environment.versions.torch"}


def test_a_longer_history_differs_at_the_end_of_the_other(pair: Pair) -> None:
    found = pair.history(history([[1.0, 2.0]]), history([[1.0, 2.0], [3.0, 4.0]]))
    assert found.where == {"phase": "gat", "epoch": 1, "step": 0, "value": "loss"}
    assert (found.recorded, found.here) == (None, "3.0")


def test_a_history_with_equal_numbers_differs_in_a_key(pair: Pair) -> None:
    steps = history([[1.0, 2.0]])
    assert pair.history(steps | {"best_epoch": 0}, steps | {"best_epoch": 1}).where == {"key": "best_epoch"}


def test_tensors_are_named_in_sorted_order_with_how_many_differ_and_by_how_much(pair: Pair) -> None:
    old = {name: np.zeros((2, 3), np.float32) for name in ("b", "a", "c")}
    new = {name: tensor.copy() for name, tensor in old.items()}
    new["b"][1, 2] = 0.25
    new["c"][0, 0] = -2.0
    found = pair.tensors(old, new)
    assert found.where == {"tensor": "b", "element": "[1, 2]"}
    assert (found.recorded, found.here) == ("0.0", "0.25")
    assert found.extent == "2 of 3 tensors differ, by up to 2"


def test_one_bit_of_a_tensor_counts_even_the_sign_of_zero(pair: Pair) -> None:
    found = pair.tensors({"a": np.array([0.0, 1.0])}, {"a": np.array([-0.0, 1.0])})
    assert (found.where["element"], found.recorded, found.here) == ("[0]", "0.0", "-0.0")
    found = pair.tensors({"a": np.array([np.nan, 1.0])}, {"a": np.array([np.nan, 1.5])})
    assert found.where["element"] == "[1]"


def test_a_tensor_of_another_shape_and_a_missing_one(pair: Pair) -> None:
    found = pair.tensors({"a": np.zeros((2, 3), np.float32)}, {"a": np.zeros((3, 2), np.float32)})
    assert (found.where, found.recorded, found.here) == ({"tensor": "a"}, "float32[2, 3]", "float32[3, 2]")
    found = pair.tensors({"b": np.zeros(1)}, {"a": np.zeros(1), "b": np.zeros(1)})
    assert (found.where, found.recorded, found.here) == ({"tensor": "a"}, None, "float64[1]")


def test_equal_tensors_in_different_files_differ_in_a_byte(pair: Pair) -> None:
    save_file({"a": np.zeros(1)}, pair.recorded, metadata={"format": "pt"})
    save_file({"a": np.zeros(1)}, pair.here, metadata={"format": "np"})
    assert set(pair.first_difference("models/gat/model.safetensors").where) == {"byte"}


def test_a_table_names_month_column_and_row(pair: Pair) -> None:
    new = MONTH.with_columns(return_5=pl.Series([0.0, 1.5, 2.5], dtype=pl.Float32))
    found = pair.tables(MONTH, new)
    assert found.where == {"month": "2021-03", "column": "return_5", "Date": "2021-03-01", "Code": "1302"}
    assert (found.recorded, found.here) == ("1.0", "1.5")
    assert found.extent == "2 of 3 rows differ in it; 1 of 4 columns differ"


def test_missing_values_and_the_sign_of_zero_count_in_a_table(pair: Pair) -> None:
    found = pair.tables(MONTH, MONTH.with_columns(return_1=pl.Series([0.1, 0.2, 0.3], dtype=pl.Float32)))
    assert (found.where["column"], found.where["Date"], found.recorded) == ("return_1", "2021-03-02", None)
    found = pair.tables(MONTH, MONTH.with_columns(return_5=pl.Series([-0.0, 1.0, 2.0], dtype=pl.Float32)))
    assert (found.where["column"], found.recorded, found.here) == ("return_5", "0.0", "-0.0")


def test_a_table_with_other_columns_or_rows(pair: Pair) -> None:
    found = pair.tables(MONTH, MONTH.rename({"return_1": "return_2"}))
    assert (found.where, found.recorded) == ({"month": "2021-03", "column": 3}, "return_1 (Float32)")
    assert found.here == "return_2 (Float32)"
    found = pair.tables(MONTH, MONTH.head(2))
    assert (found.where, found.recorded, found.here) == ({"month": "2021-03", "rows": "in all"}, "3", "2")


@pytest.mark.parametrize(
    ("old", "new", "key", "recorded", "here"),
    [
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "a.b[1]", "2", "3"),
        ({"a": 1, "b": 2}, {"b": 3}, "a", "1", None),
        ({"b": 2}, {"b": 2, "c": {"d": 1}}, "c", None, '{"d": 1}'),
        ({"a": 1}, {"a": 1.0}, "a", "1", "1.0"),
        ({"a": [1]}, {"a": [1, 2]}, "a[1]", None, "2"),
        ({"a": 0.1 + 0.2}, {"a": 0.3}, "a", "0.30000000000000004", "0.3"),
    ],
)
def test_json_names_the_dotted_key(
    pair: Pair, old: Any, new: Any, key: str, recorded: str | None, here: str | None
) -> None:
    assert pair.json(old, new) == FirstDifference({"key": key}, recorded, here)


def test_csv_names_row_and_column(pair: Pair) -> None:
    found = pair.text("epoch,loss\n0,1.5\n1,1.25\n", "epoch,loss\n0,1.5\n1,1.125\n", "plots/training/gat.csv")
    assert (found.where, found.recorded, found.here) == ({"row": 2, "column": "loss"}, "1.25", "1.125")
    found = pair.text("epoch,loss\n0,1.5\n", "epoch,loss\n", "plots/training/gat.csv")
    assert (found.where, found.recorded, found.here) == ({"rows": "in all"}, "1", "0")
    found = pair.text("epoch,loss\n", "epoch,cost\n", "plots/training/gat.csv")
    assert (found.where, found.recorded, found.here) == ({"column": 2}, "loss", "cost")


def test_other_text_names_the_line_and_other_bytes_the_byte(pair: Pair) -> None:
    found = pair.text("# Card\nSharpe 1.0\n", "# Card\nSharpe 1.1\n", "models/package/README.md")
    assert (found.where, found.recorded, found.here) == ({"line": 2}, "Sharpe 1.0", "Sharpe 1.1")
    pair.recorded.write_bytes(b"\xff\x00\x01")
    pair.here.write_bytes(b"\xff\x00\x02")
    assert pair.first_difference("x.bin") == FirstDifference({"byte": 2}, "0x01", "0x02")
    pair.here.write_bytes(b"\xff\x00")
    assert pair.first_difference("x.bin") == FirstDifference({"bytes": "in all"}, "3", "2")


def test_a_file_without_the_format_of_its_name_is_compared_too(pair: Pair) -> None:
    save_file({"a": np.zeros(1)}, pair.recorded)
    pair.here.write_bytes(b"\x80garbage")
    assert pair.first_difference("models/gat/model.safetensors").where == {"byte": 0}
    assert pair.json({"a": 1}, [1], "models/gat/history.json").where == {"line": 1}


def test_a_difference_prints_as_one_line() -> None:
    text = str(FirstDifference({"epoch": 1, "step": 4, "value": "loss"}, "0.5", None, "2 of 3 tensors differ"))
    assert text == "epoch 1, step 4, loss: 0.5 recorded, nothing here; 2 of 3 tensors differ"
