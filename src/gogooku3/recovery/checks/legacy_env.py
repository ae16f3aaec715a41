"""Reports environment variables that look like options of the predecessor, which had about 385 of them.

Nothing here reads them; the report tells a user that a variable has no effect.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from gogooku3.recovery.checks.verdict import Finding

if TYPE_CHECKING:
    from gogooku3.recovery.checks.package_files import PackageFiles

LEGACY_VARIABLES = {
    # What they would have set → names. Today these options are in `params.yaml`, such as `train.recipe.loss`.
    "loss": r"HWEIGHTS|\w+_WEIGHTS?|HORIZON_WEIGHT_\w+|(SHARPE|HUBER|SPEARMAN|LISTNET)_\w+",
    "model": r"(MODEL_)?(HIDDEN_SIZE|DROPOUT)|\w+_DROPOUT|SEQ_LEN|INPUT_DIM|PRED_HEAD_\w+|GAT_\w+|GRAPH_\w+",
    "training": (
        r"(\w+_)?(BATCH_SIZE|LEARNING_RATE|EPOCHS)|MAX_STEPS_PER_EPOCH|PHASE_\w+|EARLY_STOP_\w+|SWA_\w+|OPTIMIZER"
        r"|SCHEDULER|MAX_GRAD_NORM|GRAD_CLIP_NORM|(DL_)?SEED|RESUME_FROM_CHECKPOINT|FORCE_MINI_TRAIN"
    ),
    "data": r"FEATURE_\w+|LABEL_CLIP_\w+|MIN_TRAINING_DATE|EMBARGO_DAYS|(ATFT_)?DATASET_PATH|DATA_PATH",
    "switch": r"(USE|ENABLE|BYPASS|DEGENERACY|SAFE_MODE|ALLOW_UNSAFE)_\w+|INVERT_PREDICTION_SIGN|SAFE_MODE",
}


def legacy_env(files: PackageFiles) -> Finding:
    """No environment variable looks like a legacy option; those that do are listed."""
    return ignored(files.variables)


def ignored(names: Collection[str]) -> Finding:
    """Lists the variables that look like legacy options, without their values, which may be private."""
    details = tuple(
        {"variable": name, "kind": kind} for name in sorted(names) for kind in [legacy_option(name)] if kind is not None
    )
    if not details:
        return Finding("passed", "none that looks like a legacy option")
    names_found = ", ".join(str(detail["variable"]) for detail in details)
    return Finding(
        "noted",
        f"present and ignored: {names_found}",
        "every number that decides a model is in `params.yaml`; unset them, or set it there (`dvc exp run -S`)",
        details,
    )


def legacy_option(name: str) -> str | None:
    """What a variable of this name would have set; None if it is not a legacy option."""
    return next((kind for kind, pattern in LEGACY_VARIABLES.items() if re.fullmatch(pattern, name)), None)
