"""Stage `parent`: fetches the released base model that training starts from, or records training from scratch."""

from __future__ import annotations

from pathlib import Path

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.config.train import LAST_PHASE, SCRATCH
from gogooku3.package.lineage import write_lineage
from gogooku3.recovery.base_model import pull_release, repository
from gogooku3.runtime.files import replaced

_TRAINED = paths.model_of(LAST_PHASE)

FILES = (
    str(_TRAINED / "config.json"),
    str(_TRAINED / "model.safetensors"),
    str(_TRAINED / "state.safetensors"),
    str(paths.PACKAGE / "schema.json"),
)
"""Files of a release that training starts from."""


def run(params: Params) -> None:
    """Writes `models/parent/`."""
    name = params.train.start_from
    with replaced(paths.PARENT) as folder:
        parent = None if name == SCRATCH else pull_release(repository(Path.cwd()), name, FILES, folder)
        write_lineage(parent, folder)
