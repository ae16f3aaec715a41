"""Stage `parent`: the released model that training starts from, or the statement that there is none."""

from __future__ import annotations

from pathlib import Path

from gogooku3.config import Params
from gogooku3.config.train import SCRATCH
from gogooku3.package.lineage import write_lineage
from gogooku3.recovery.parent import bring, repository
from gogooku3.runtime.files import replaced

FILES = (
    "models/finetune/config.json",
    "models/finetune/model.safetensors",
    "models/finetune/state.safetensors",
    "models/package/schema.json",
)
"""What training goes on from, of all that a release keeps in the store."""


def run(params: Params) -> None:
    """Writes `models/parent/`."""
    name = params.train.start_from
    with replaced(Path("models/parent")) as folder:
        parent = None if name == SCRATCH else bring(repository(Path.cwd()), name, FILES, folder)
        write_lineage(parent, folder)
