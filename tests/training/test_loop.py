"""Training loop: it learns the alpha signal, is bitwise identical after stop and resume, keeps its best epoch, stops
early, and stops when it diverges."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from gogooku3.config import Params
from gogooku3.config.train import Loss, Phase, Recipe, Schedule
from gogooku3.errors import DivergenceError, InterruptionError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.weights import fill
from gogooku3.panel.panel import Panel
from gogooku3.training import checkpoints, loop
from gogooku3.training.batches import plan
from gogooku3.training.checkpoints import Checkpoints
from gogooku3.training.distributed import SINGLE_PROCESS, Group
from gogooku3.training.loop import train
from gogooku3.training.phases import PHASES
from gogooku3.training.run import Trained
from gogooku3.training.validation import validate

from ..recipes import pace, recipe

RECIPE = recipe(loss=Loss(sharpe=1.0, rank_ic=0.5, ic=0.5, horizons=[1.0, 1.0]))
PHASE = pace(epochs=3, learning_rate=1e-2)
CPU = torch.device("cpu")

Run = Callable[..., Trained]
Make = Callable[..., Network]


@pytest.fixture
def run(panel: Panel, tmp_path: Path) -> Run:
    """Trains a network as a phase, by default in an empty folder of its own."""
    numbers = count()

    def trained(
        network: Network,
        recipe: Recipe = RECIPE,
        phase: Phase = PHASE,
        *,
        on: Panel = panel,
        name: str = "baseline",
        state: dict[str, torch.Tensor] | None = None,
        folder: Path | None = None,
        group: Group = SINGLE_PROCESS,
    ) -> Trained:
        folder = folder or tmp_path / f"run{next(numbers)}"
        states = Checkpoints(folder / name, {})
        inputs = PanelOnDevice(on, 8, CPU)
        return train(
            network, inputs, PHASES[name], phase, recipe, "mean_rank_ic", state or {}, states, folder / "logs", group
        )

    return trained


def rank_ic(network: Network, inputs: PanelOnDevice, split: str) -> dict[str, float]:
    return validate(network, inputs, split, [1.0] * len(inputs.panel.horizons)).rank_ic_by_horizon


def same(one: Trained, two: Trained) -> bool:
    tensors = ((one.weights, two.weights), (one.state, two.state))
    return one.history == two.history and all(
        found.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in found.items())
        for found, other in tensors
    )


def test_training_learns_the_alpha_signal_out_of_sample(panel: Panel, network: Make, run: Run) -> None:
    inputs = PanelOnDevice(panel, 8, CPU)
    made = network("baseline")
    before = rank_ic(made, inputs, "test")["1"]
    made.load_state_dict(run(made).weights)
    assert rank_ic(made, inputs, "test")["1"] > max(0.4, before)


def test_the_same_inputs_give_the_same_bits(network: Make, run: Run) -> None:
    assert same(run(network("baseline")), run(network("baseline")))


def test_another_seed_gives_another_model(network: Make, run: Run) -> None:
    one, two = run(network("baseline")), run(network("baseline"), replace(RECIPE, seed=2))
    assert not torch.equal(one.weights["head.weight"], two.weights["head.weight"])


def test_the_weights_kept_are_those_of_the_best_epoch_on_validation(panel: Panel, network: Make, run: Run) -> None:
    trained = run(network("baseline"), phase=pace(epochs=6, learning_rate=5e-2))
    history = trained.history
    assert history.best.validation_rank_ic == max(epoch.validation_rank_ic for epoch in history.epochs)
    made = network("baseline")
    made.load_state_dict(trained.weights)
    assert rank_ic(made, PanelOnDevice(panel, 8, CPU), "validation") == history.best.validation_rank_ic_by_horizon


@pytest.mark.slow
def test_patience_ends_a_phase_and_changes_nothing_before(network: Make, run: Run) -> None:
    """With this learning rate the first epochs are the best."""
    phase = pace(epochs=12, learning_rate=5e-2)
    uninterrupted = run(network("baseline"), phase=phase).history
    for patience in (1, 2):
        ended = run(network("baseline"), replace(RECIPE, patience=patience), phase).history
        expected = next(
            number
            for number in range(1, 13)
            if number == 12 or number - 1 - max(range(number), key=lambda e: ranks(uninterrupted)[e]) >= patience
        )
        assert len(ended.epochs) == expected < 12
        assert ended.epochs == uninterrupted.epochs[:expected]


def ranks(history: Any) -> list[float]:
    return [epoch.validation_rank_ic for epoch in history.epochs]


def test_learning_rate_and_epochs_are_those_of_the_phase(network: Make, run: Run) -> None:
    """The old trainer ignored both."""
    slow = run(network("baseline"), phase=pace(epochs=1, learning_rate=1e-12))
    assert len(slow.history.epochs) == 1
    first = network("baseline").state_dict()
    assert all(torch.allclose(tensor, first[name], atol=1e-9) for name, tensor in slow.weights.items())
    moved = run(network("baseline"), phase=pace(epochs=1, learning_rate=1e-2))
    assert not torch.allclose(moved.weights["head.weight"], first["head.weight"], atol=1e-3)


def test_the_next_phase_starts_with_the_moments_of_the_shared_weights(network: Make, run: Run) -> None:
    trained = run(network("baseline"))

    def next_phase(state: dict[str, torch.Tensor]) -> Trained:
        made = network("gat")
        fill(made, trained.weights, __file__, PHASES["baseline"].blocks)  # type: ignore[arg-type]
        return run(made, phase=pace(epochs=1, learning_rate=1e-3), name="gat", state=state)

    warm, cold = next_phase(trained.state), next_phase({})
    steps = float(trained.state["step.head.weight"])
    gained = warm.state["step.graph.gate_H"]
    assert steps > 0
    assert warm.state["step.head.weight"] == steps + gained
    assert cold.state["step.head.weight"] == gained
    assert not torch.equal(warm.weights["head.weight"], cold.weights["head.weight"])


def test_a_phase_with_zero_epochs_returns_its_input(network: Make, run: Run, tmp_path: Path) -> None:
    """The moments of a block that never trained stay absent."""
    state = run(network("baseline")).state
    made = network("gat", opened=True)
    given = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    passed = run(made, phase=pace(0, 1e-2), name="gat", state=state)
    for found, expected in ((passed.weights, given), (passed.state, state)):
        assert found.keys() == expected.keys()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())
    passed.history.write(tmp_path / "history.json", {}, 1.0)
    passed.history.write_curve(tmp_path / "curve.csv")
    assert json.loads((tmp_path / "history.json").read_text())["best_epoch"] is None
    assert (tmp_path / "curve.csv").read_text() == "epoch,train_loss,validation_rank_ic,validation_sharpe,kept\n"


def test_a_shuffled_target_teaches_nothing_out_of_sample(panel: Panel, network: Make, run: Run) -> None:
    random = np.random.default_rng(0)
    shuffled = replace(panel, y_TSH=random.permuted(panel.y_TSH, axis=1))
    made = network("baseline")
    made.load_state_dict(run(made, on=shuffled).weights)
    found = rank_ic(made, PanelOnDevice(shuffled, 8, CPU), "test")
    # 7 sessions of 12 stocks: the standard deviation of a chance RankIC is 1 / sqrt(7 * 11) = 0.11.
    assert all(abs(value) < 0.4 for value in found.values())


def test_a_target_that_is_not_finite_stops_the_phase_and_names_step_batch_and_last_good_state(
    panel: Panel, network: Make, run: Run, tmp_path: Path
) -> None:
    broken = panel.y_TSH.copy()
    broken[20, 4] = np.inf
    with pytest.raises(DivergenceError, match=r"phase baseline diverged in epoch 0, step (\d+): loss nan") as stopped:
        run(network("baseline"), on=replace(panel, y_TSH=broken), folder=tmp_path)
    batches = plan(panel, RECIPE, "baseline", 0)
    step, batch = next((i, b) for i, b in enumerate(batches) if b.first <= 20 < b.first + b.sessions)
    first, last = batch.span(panel)
    assert (
        f"step {step}: loss nan, gradient norm nan (batch {batch.fingerprint(panel)}: sessions {first} to {last}"
        in (stopped.value.message)
    )
    assert f"the last good checkpoint, epoch 0, step {step}, is in" in stopped.value.message
    kept = Checkpoints(tmp_path / "baseline", {}).newest()
    assert kept is not None
    assert (kept.epoch, kept.step) == (0, step)
    assert all(tensor.isfinite().all() for tensor in kept.tensors.values())


def test_scores_that_are_not_finite_raise(panel: Panel, network: Make, run: Run) -> None:
    """One step, whose loss and gradient are finite, breaks the weights of the only epoch."""
    first, last = panel.split["train"]
    one_step = replace(RECIPE, batch_size=(last + 1 - first) * RECIPE.batch_stocks)
    assert len(plan(panel, one_step, "baseline", 0)) == 1
    with pytest.raises(DivergenceError, match=r"diverged in epoch 0, step 1: a validation score is not finite"):
        run(network("baseline"), one_step, pace(epochs=1, learning_rate=3e38))


def test_broken_weights_are_not_saved(network: Make, run: Run, tmp_path: Path) -> None:
    with pytest.raises(DivergenceError, match="the last good checkpoint, the start of the phase"):
        run(network("baseline"), phase=pace(epochs=1, learning_rate=1e39), folder=tmp_path)
    assert Checkpoints(tmp_path / "baseline", {}).newest() is None


class Power:
    """Cuts training off after `after` checkpoints, as a kill would: no code runs after it."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, save: Callable[..., None]) -> Callable[..., None]:
        def saved(*args: Any) -> None:
            save(*args)
            self.left -= 1
            if self.left < 0:
                raise SystemExit

        return saved


def test_a_phase_cut_off_at_any_step_ends_with_the_same_bits(
    network: Make, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints after every step and epoch; cut off in the first epoch, the second, at an epoch's end and at the
    end of the phase."""
    phase = pace(epochs=2, learning_rate=1e-2)
    uninterrupted = run(network("finetune"), phase=phase, name="finetune")
    first, second = (epoch.steps for epoch in uninterrupted.history.epochs)
    monkeypatch.setattr(checkpoints, "_LONGEST_S", 0.0)
    save = Checkpoints.save
    for moment in (0, 5, first, first + 4, first + 1 + second):
        folder = tmp_path / f"cut{moment}"
        with monkeypatch.context() as patch:
            patch.setattr(Checkpoints, "save", Power(moment)(save))
            with pytest.raises(SystemExit):
                run(network("finetune"), phase=phase, name="finetune", folder=folder)
        assert len(list((folder / ".finetune.partial").iterdir())) == min(moment + 1, 2)
        assert same(run(network("finetune"), phase=phase, name="finetune", folder=folder), uninterrupted), moment


@pytest.mark.slow
@pytest.mark.parametrize("circumstance", ["bf16", "shares"])
def test_a_phase_in_bf16_or_in_shares_learns_and_ends_with_the_same_bits_after_a_cut(
    circumstance: str,
    panel: Panel,
    network: Make,
    run: Run,
    demo: Params,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = Group(shares=3) if circumstance == "shares" else SINGLE_PROCESS
    numerics = replace(demo.numerics, precision="bf16" if circumstance == "bf16" else "float32")

    def trained(folder: Path | None = None) -> Trained:
        return run(network("finetune").to_device(CPU, numerics), name="finetune", folder=folder, group=group)

    uninterrupted, plain = trained(), run(network("finetune"), name="finetune")
    monkeypatch.setattr(checkpoints, "_LONGEST_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", Power(7)(Checkpoints.save))
        with pytest.raises(SystemExit):
            trained(tmp_path)
    assert same(trained(tmp_path), uninterrupted)
    losses, expected = ([epoch.train_loss for epoch in each.history.epochs] for each in (uninterrupted, plain))
    assert losses[-1] < losses[0]
    assert losses != expected
    if circumstance == "bf16":  # dropout differs between shards
        np.testing.assert_allclose(losses, expected, rtol=0.2, atol=0.05)
    made = network("finetune")
    made.load_state_dict(uninterrupted.weights)
    assert rank_ic(made, PanelOnDevice(panel, 8, CPU), "test")["1"] > 0.4


def test_a_panel_that_cannot_be_read_ends_a_phase_and_leaves_no_thread(
    network: Make, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, read = PanelOnDevice.block, count()

    def fails(*args: Any, **named: Any) -> Any:
        if next(read) == 3:
            raise OSError(5, "Input/output error", "x.f32")
        return block(*args, **named)

    monkeypatch.setattr(PanelOnDevice, "block", fails)
    with pytest.raises(OSError, match="Input/output error"):
        run(network("baseline"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("blocks")]


def test_patience_counts_on_after_a_cut(
    network: Make, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, phase = replace(RECIPE, patience=2), pace(epochs=12, learning_rate=5e-2)
    uninterrupted = run(network("baseline"), recipe, phase)
    epochs = len(uninterrupted.history.epochs)
    monkeypatch.setattr(Checkpoints, "due", lambda _: False)  # checkpoints only at the end of epochs
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", Power(epochs - 2)(Checkpoints.save))
        with pytest.raises(SystemExit):
            run(network("baseline"), recipe, phase, folder=tmp_path)
    assert same(run(network("baseline"), recipe, phase, folder=tmp_path), uninterrupted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_phase_between_two_steps_and_names_the_checkpoint(
    number: signal.Signals, network: Make, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninterrupted = run(network("baseline"))
    before = signal.getsignal(number)
    step, done = loop._step, count()

    def interrupted(*args: Any) -> None:
        step(*args)
        if next(done) == 4:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Checkpoints, "due", lambda _: False)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_step", interrupted)
        with pytest.raises(InterruptionError) as stopped:
            run(network("baseline"), folder=tmp_path)
    by = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert stopped.value.message == (
        f"phase baseline was stopped by {by} in epoch 0, step 5; newest checkpoint in"
        f" `{tmp_path / '.baseline.partial'}`: epoch 0, step 5"
    )
    assert "`dvc repro` resumes from it" in stopped.value.hint
    assert signal.getsignal(number) is before
    assert same(run(network("baseline"), folder=tmp_path), uninterrupted)


def test_a_failed_checkpoint_does_not_stop_training(
    network: Make, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".baseline.partial").touch()  # a file at the path of the checkpoint folder
    with pytest.raises(NotADirectoryError):
        (tmp_path / ".baseline.partial/x").touch()
    with caplog.at_level(logging.WARNING):
        trained = run(network("baseline"), folder=tmp_path)
    assert same(trained, run(network("baseline")))
    assert "could not be saved" in caplog.text
    assert "after a crash training would resume from the start of the phase" in caplog.text


def test_the_first_and_last_step_of_an_epoch_have_fingerprints(
    panel: Panel, network: Make, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = run(network("baseline")).history
    plans = [plan(panel, RECIPE, "baseline", epoch) for epoch in range(3)]
    expected = [(epoch, step) for epoch, batches in enumerate(plans) for step in (0, len(batches) - 1)]
    assert [(each.epoch, each.step) for each in history.fingerprints] == expected
    assert [each.batch for each in history.fingerprints] == [plans[e][s].fingerprint(panel) for e, s in expected]
    assert len({each.weights for each in history.fingerprints}) == len(expected)
    monkeypatch.setattr("gogooku3.training.fingerprint.EVERY", 2)
    more = {(each.epoch, each.step): each for each in run(network("baseline")).history.fingerprints}
    assert {(0, 0), (0, 2), (0, 4)} <= more.keys()
    assert all(more[each.epoch, each.step] == each for each in history.fingerprints)


def test_log_and_curve_grow_with_the_epochs(network: Make, run: Run, tmp_path: Path) -> None:
    history = run(network("baseline"), folder=tmp_path).history
    log, curve_file = (next((tmp_path / "logs").glob(f"baseline-*.{ending}")) for ending in ("log", "csv"))
    lines = log.read_text().splitlines()
    for epoch in history.epochs:
        expected = (
            f"epoch {epoch.epoch}: loss {epoch.train_loss:+.4f}, validation RankIC {epoch.validation_rank_ic:+.4f}"
        )
        assert sum(expected in line for line in lines) == 1
    curve = pl.read_csv(curve_file)
    assert curve["validation_rank_ic"].to_list() == ranks(history)


def test_a_batch_of_few_sessions_gives_one_warning(network: Make, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        run(network("baseline"))
    assert caplog.text.count("a batch of 48 samples over 12 stocks is 4 sessions") == 1
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        run(network("baseline"), replace(RECIPE, batch_size=144))
    assert "its Sharpe ratio has a standard error" not in caplog.text


def test_a_phase_that_adds_nothing_keeps_its_start_and_says_so(
    network: Make, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """The rate is so large that every epoch is worse."""
    before = run(network("baseline"))
    state, made = before.state, network("gat")
    made.load_state_dict(made.state_dict() | before.weights)
    given = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    with caplog.at_level(logging.WARNING):
        kept = run(made, phase=pace(2, 0.3), name="gat", state=state)
    assert kept.history.best is None
    assert kept.history.start is not None
    assert all(torch.equal(tensor, given[name]) for name, tensor in kept.weights.items())
    assert "phase gat adds nothing" in caplog.text


def test_steps_that_are_clipped_are_counted_and_warned_of(
    network: Make, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        clipped = run(network("baseline"), replace(RECIPE, gradient_clip=1e-3)).history
        free = run(network("baseline"), replace(RECIPE, gradient_clip=1e3)).history
    assert (clipped.clipped(1e-3), free.clipped(1e3)) == (1.0, 0.0)
    assert caplog.text.count("of the steps were clipped") == 1


MODERN = {
    "schedule": Schedule(warmup=0.2, decay="cosine", last=0.1),
    "gate_rate": 3.0,
    "average": 0.9,
    "accumulate": 2,
}


def test_schedule_average_and_accumulation_resume_to_the_same_bits(
    panel: Panel, network: Make, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, **MODERN)
    whole = run(network("finetune"), recipe, name="finetune")
    assert whole.history.epochs[0].steps == -(-len(plan(panel, RECIPE, "finetune", 0)) // 2)
    monkeypatch.setattr(checkpoints, "_LONGEST_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", Power(7)(Checkpoints.save))
        with pytest.raises(SystemExit):
            run(network("finetune"), recipe, name="finetune", folder=tmp_path)
    assert same(run(network("finetune"), recipe, name="finetune", folder=tmp_path), whole)


def test_accumulated_batches_give_the_mean_of_their_gradients(network: Make, run: Run) -> None:
    """Two batches in one step: the first loss of the step is the mean of theirs, before any weight has changed."""
    one, two = (run(network("baseline"), replace(RECIPE, accumulate=n), pace(1, 1e-12)).history for n in (1, 2))
    pairs = [one.step_losses[n : n + 2] for n in range(0, len(one.step_losses), 2)]
    assert two.step_losses == pytest.approx([sum(pair) / len(pair) for pair in pairs], rel=1e-4)


def test_frozen_blocks_keep_their_bits(network: Make, run: Run) -> None:
    state = run(network("baseline")).state
    made = network("gat", opened=True)
    given = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    run(made, phase=pace(1, 1e-2, older=0.0), name="gat", state=state)
    moved = {name.split(".")[0] for name, tensor in made.state_dict().items() if not torch.equal(tensor, given[name])}
    assert moved == {"graph"}
