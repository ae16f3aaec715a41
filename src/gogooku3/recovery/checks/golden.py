"""Checks the golden predictions of a package: bitwise in its exact domain, within a tolerance elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor

from gogooku3.errors import MismatchError
from gogooku3.model.network import Architecture
from gogooku3.model.weights import load, read_tensors
from gogooku3.package.environment import read_numerics
from gogooku3.package.golden import INPUTS, PREDICTIONS, max_golden_difference
from gogooku3.recovery.checks.environment import differences, usable
from gogooku3.recovery.checks.package_files import FETCH, PackageFiles
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.runtime.numerics import prepare_torch

TOLERANCE = {"float32": 1e-4, "tf32": 0.05, "bf16": 0.2}
"""Tolerance outside the exact domain, relative to the largest golden score. Float32 rounds to 6e-8; a network sums some
thousands of such errors in another order, and another model is off by far more. TF32 rounds to 5e-4 and
bfloat16 to 4e-3, which may change the dominant frequency of a window."""


def golden(files: PackageFiles) -> Finding:
    """The model gives the golden predictions for the golden inputs."""
    inputs, predictions = read_tensors(files.package / INPUTS), read_tensors(files.package / PREDICTIONS)
    faults = _faults(inputs, predictions, files.architecture)
    if faults:
        raise MismatchError(f"the golden tensors do not fit the model: {'; '.join(faults)}", hint=FETCH)
    recorded = read_numerics(files.package)
    numerics = usable(recorded)
    device = prepare_torch(numerics)
    model = load(files.package).to_device(device, numerics)
    difference = max_golden_difference(model, files.package, device)
    outside = [entry.entry for entry in differences(files.package) if entry.standing != "exact"]
    scores = predictions["scores"]
    if difference == 0:
        note = ", although outside the package's exact domain" if outside else ""
        return Finding("passed", f"{scores.numel()} scores bitwise identical{note}")
    if not outside:
        raise MismatchError(
            f"scores differ by up to {difference:.3g}, but must be bitwise identical in this domain",
            hint="weights, golden files or code differ from the packaged ones: check out the package's commit, then"
            " `dvc pull --force package`",
        )
    on_cpu = " of the CPU (the package is from a GPU, none is here)" if numerics.device != recorded.device else ""
    tolerance = TOLERANCE[recorded.precision]
    bound = tolerance * float(scores.abs().max())
    found = (
        f"NOT bitwise identical, because {', '.join(outside)} differ{'s' if len(outside) == 1 else ''}: scores{on_cpu}"
        f" differ by up to {difference:.3g}, tolerance {bound:.3g} ({tolerance:g} of the largest)"
    )
    if not difference <= bound:
        raise MismatchError(
            found, hint="verify on a machine as `environment.json` describes; if that fails too, it is another model"
        )
    return Finding("noted", found)


def _faults(inputs: dict[str, Tensor], predictions: dict[str, Tensor], architecture: Architecture) -> list[str]:
    """Shape and value errors in golden inputs and predictions."""
    if set(inputs) != {"x", "neighbours", "edges"} or set(predictions) != {"scores"}:
        return [f"they are named {', '.join(sorted(inputs))} and {', '.join(sorted(predictions))}"]
    x_ZSF, neighbours_DSK, edges_DSKE = inputs["x"], inputs["neighbours"], inputs["edges"]
    scores_DSP = predictions["scores"]
    if (x_ZSF.dim(), neighbours_DSK.dim(), edges_DSKE.dim(), scores_DSP.dim()) != (3, 3, 4, 3):
        return ["they have other dimensions"]
    days, stocks = x_ZSF.shape[0] - architecture.backbone.window + 1, x_ZSF.shape[1]
    faults = [
        f"{name} has shape {list(tensor.shape)} for {wanted}"
        for name, tensor, wanted in (
            ("x", x_ZSF, [len(x_ZSF), stocks, architecture.features]),
            ("neighbours", neighbours_DSK, [days, stocks, neighbours_DSK.shape[2]]),
            ("edges", edges_DSKE, [*neighbours_DSK.shape, edges_DSKE.shape[3]]),
            ("scores", scores_DSP, [days, stocks, len(architecture.horizons)]),
        )
        if list(tensor.shape) != wanted
    ]
    if neighbours_DSK.dtype != torch.int64 or ((neighbours_DSK < -1) | (neighbours_DSK >= stocks)).any():
        faults.append(f"neighbours are outside the {stocks} stocks")
    if x_ZSF.isinf().any():
        faults.append("x has infinite values")
    if not scores_DSP.isfinite().all():
        faults.append("scores have values that are not finite")
    return faults
