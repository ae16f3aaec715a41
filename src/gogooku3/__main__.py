"""Runs a module of this source folder, not of the installed package: `python src/gogooku3 MODULE [ARGUMENT …]`.

An environment has one `gogooku3` installed, which may be another clone's: `python -m gogooku3.stages` runs that one,
while DVC hashes the source of the current clone. A source that is run by its path does not depend on the installed one.
"""

from __future__ import annotations

import os
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

_PACKAGE = Path(__file__).resolve().parent
_FOLDER = str(_PACKAGE.parent)


def main() -> None:
    """Runs the module in the first argument with the remaining arguments."""
    _put_first_on_path()
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if not _is_runnable(name):
        _refuse(f"`{name}` is not a module that can be run", "name `stages` or `cli`, then its arguments", 2)
    try:
        runpy.run_module(f"gogooku3.{name}", run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "gogooku3":
            raise
        _refuse(f"`{sys.executable}` has no library `{error.name}`", _environment_hint(), 4)


def _put_first_on_path() -> None:
    """Makes `import gogooku3` import this source, in this process and in every Python process that it starts."""
    # An environment may import another source before the first line of this file.
    for name in [name for name in sys.modules if name.partition(".")[0] == "gogooku3"]:
        del sys.modules[name]
    # Python adds a folder that it runs to the path: `config` or `model` would hide libraries with these names.
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != _PACKAGE]
    if _imported_package() != _PACKAGE:
        sys.path.insert(0, _FOLDER)
        others = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
        os.environ["PYTHONPATH"] = os.pathsep.join([_FOLDER, *others])
    if (imported := _imported_package()) != _PACKAGE:
        _refuse(
            f"`import gogooku3` imports `{imported}` instead of `{_PACKAGE}`, in spite of the path",
            "an import hook of this environment does that: `pip uninstall gogooku3`, or use a separate environment",
            4,
        )


def _is_runnable(name: str) -> bool:
    """Whether this source has a module with this name, or a package with a `__main__.py`."""
    parts = name.split(".")
    module = _PACKAGE.joinpath(*parts)
    exists = module.with_suffix(".py").is_file() or (module / "__main__.py").is_file()
    return exists and all(part.isidentifier() for part in parts)


def _imported_package() -> Path | None:
    """The folder that `import gogooku3` imports."""
    spec = find_spec("gogooku3")
    return None if spec is None or spec.origin is None else Path(spec.origin).resolve().parent


def _environment_hint() -> str:
    """How to run a Python that has the libraries."""
    environment = _PACKAGE.parents[1] / ".venv"
    if (environment / "bin/activate").is_file() and Path(sys.prefix).resolve() != environment.resolve():
        return f"`. {environment}/bin/activate`, then run the command again"
    return (
        "activate the environment that has it, or let `make repro` set up `.venv`; `pip install -r requirements.lock`"
        " brings it into an environment of your own"
    )


def _refuse(message: str, hint: str, code: int) -> NoReturn:
    # `gogooku3.errors` could be another source's.
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


if __name__ == "__main__":
    main()
