"""Variants of a recipe, trained by the pipeline's stages on one dataset, each in a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gogooku3 import paths
from gogooku3.package.lineage import write_lineage
from measures.clone import tell
from measures.market import composed
from measures.processes import environment


class Variants:
    """A working folder with the subfolder `market` (quotes, dataset, baselines) and one subfolder for each variant.

    A stage that has its output is not run again, and a stopped phase resumes from its checkpoint.
    """

    def __init__(self, folder: Path, base: Sequence[str]) -> None:
        """
        Args:
            base: overrides of `conf/` for the market and all variants.
        """
        self.market, self._folder, self._base = folder / "market", folder, base

    def make_market(self) -> None:
        """Runs `quotes`, `dataset` and `baselines`."""
        self.configure(self.market, ())
        for stage, output in (("quotes", paths.QUOTES), ("dataset", paths.DATASET), ("baselines", paths.BASELINES)):
            self.run(self.market, output, stage)

    def folder(self, name: str, changes: Sequence[str]) -> Path:
        """The folder of a variant, linked to the market's data, which starts from no base model.

        Raises:
            SystemExit: it has results of other parameters.
        """
        project = self._folder / name
        self.configure(project, changes)
        data = project / paths.DATASET.parent
        for folder in (data, project / paths.PARENT, self.market / data.name / ".dataset.panel"):
            folder.mkdir(parents=True, exist_ok=True)
        for linked in ("quotes", "dataset", ".dataset.panel", paths.BASELINES.name):
            if not (data / linked).is_symlink():
                (data / linked).symlink_to(self.market / data.name / linked)
        write_lineage(None, project / paths.PARENT)
        return project

    def configure(self, project: Path, changes: Sequence[str]) -> None:
        """Writes `params.yaml`.

        Raises:
            SystemExit: the folder has results of other parameters.
        """
        text = composed([*self._base, *changes])
        params = project / paths.PARAMS
        if params.exists() and params.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{project} has results of other parameters, those in {params}; use another folder")
        project.mkdir(parents=True, exist_ok=True)
        params.write_text(text, encoding="utf-8")

    def run(self, project: Path, output: Path, *stage: str) -> None:
        """Runs a stage of the pipeline, unless its output exists.

        Raises:
            SystemExit: it failed.
        """
        if (project / output).exists():
            return
        tell(f"{project.name}: {' '.join(stage)} …")
        command = [sys.executable, "-m", "gogooku3.stages", *stage]
        done = subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(stage)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
