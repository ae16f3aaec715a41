"""Runs a module of the source that this file belongs to: `python src/gogooku3 MODULE [ARGUMENT …]`.

An environment has one `gogooku3` installed, and that may be another clone's: `python -m gogooku3.stages` runs that one,
while DVC hashes the source of the folder it stands in. Run by its path, a source runs whatever is installed.
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
    """Runs the module that the first argument names, with the arguments after it."""
    _lead()
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if not _runs(name):
        _refuse(f"`{name}` is no module that can be run", "name `stages` or `cli`, then what it is to do", 2)
    try:
        runpy.run_module(f"gogooku3.{name}", run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "gogooku3":
            raise
        _refuse(f"`{sys.executable}` has no library `{error.name}`", _environment(), 4)


def _lead() -> None:
    """Makes `import gogooku3` lead here, in this process and in every Python that it starts."""
    # An environment may import another source before the first line of this one.
    for name in [name for name in sys.modules if name.partition(".")[0] == "gogooku3"]:
        del sys.modules[name]
    # Python puts a folder that it runs on the path: `config`, `files` and `model` would hide libraries of that name.
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != _PACKAGE]
    if _found() != _PACKAGE:
        sys.path.insert(0, _FOLDER)
        others = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
        os.environ["PYTHONPATH"] = os.pathsep.join([_FOLDER, *others])
    if (found := _found()) != _PACKAGE:
        _refuse(
            f"`{_PACKAGE}` was to run, and `import gogooku3` leads to `{found}` whatever stands first on the path",
            "an import hook of this environment does that: `pip uninstall gogooku3`, or use an environment of its own",
            4,
        )


def _runs(name: str) -> bool:
    """Whether this source has a module of a name, or a package that can be run."""
    parts = name.split(".")
    module = _PACKAGE.joinpath(*parts)
    found = module.with_suffix(".py").is_file() or (module / "__main__.py").is_file()
    return found and all(part.isidentifier() for part in parts)


def _found() -> Path | None:
    """Where `import gogooku3` leads."""
    spec = find_spec("gogooku3")
    return None if spec is None or spec.origin is None else Path(spec.origin).resolve().parent


def _environment() -> str:
    """What a user does whose shell finds a Python without the libraries."""
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
