"""Mutation tests: small changes of the code that no test of the changed module notices.

    python benchmarks/mutation.py [metrics evaluation …] [--mutants 20] [--seed 0] [--workers 2] [--minutes 30] [--list]

Changes one thing at a time (`mutants/operators.py`) in a copy of the repository, never in the working tree, and runs
the tests that mirror the changed module: `tests/<folder>/test_<module>.py` and the files of that folder that import it.
The mutants are a sample that depends on the seed: an edit of a line replaces only the mutants of that line. A mutant
whose tests take five times as long as usual counts as noticed.

`docs/mutation.md` lists the survivors that change no result, with reasons. Exit codes: 0 all others are noticed; 1 a
survivor is not in that list; 2 tests fail without any change.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from queue import Queue

from mutants.operators import Mutant, mutants

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = PurePosixPath("src/gogooku3")
ACCEPTED = PurePosixPath("docs/mutation.md")
PACKAGES = ("dataset", "evaluation", "features", "metrics", "recovery", "training", "walk_forward")

_MOST_FILES = 20
_PATIENCE, _START_S = 5.0, 20.0
"""Limit of a run: this many times the time without a change, plus the start of Python and its libraries."""
_ENTRY = re.compile(r"^### `(?P<path>[^`]+)`$|^```diff\n(?P<diff>.*?)^```$", re.MULTILINE | re.DOTALL)

Key = tuple[str, tuple[str, ...]]
"""Module and changed lines of a mutant."""


@dataclass
class Result:
    """What became of the mutants."""

    noticed: list[Mutant] = field(default_factory=list)
    survived: list[Mutant] = field(default_factory=list)
    not_run: list[Mutant] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    """Tests that fail without any change."""


def key(mutant: Mutant) -> Key:
    return str(mutant.path), mutant.diff


def accepted(text: str) -> set[Key]:
    """The mutants in the list of accepted survivors: a heading per module, and a diff per mutant."""
    path, found = "", set()
    for entry in _ENTRY.finditer(text):
        path = entry["path"] or path
        if entry["diff"] is not None:
            found.add((path, tuple(line[0] + line[1:].strip() for line in entry["diff"].splitlines())))
    return found


def every_mutant(root: Path, package: str) -> list[Mutant]:
    """All mutants of a package, except for those of modules without tests of their own (`tests_of`)."""
    source = root / PACKAGE
    modules = [PurePosixPath(path.relative_to(source).as_posix()) for path in sorted((source / package).rglob("*.py"))]
    return [
        mutant
        for path in modules
        if tests_of(root, path)
        for mutant in mutants(path, (source / path).read_text(encoding="utf-8"))
    ]


def sample(found: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """The mutants with the smallest hashes, which depend on the seed, the module and the changed lines alone."""

    def rank(mutant: Mutant) -> str:
        return hashlib.sha256("\0".join((str(seed), str(mutant.path), *mutant.diff)).encode()).hexdigest()

    return sorted(found, key=rank)[:count]


def tests_of(root: Path, module: PurePosixPath) -> list[str]:
    """The test files that mirror a module and those in the same folder that import it; without any, all of the folder.

    Empty if those are more than `_MOST_FILES`: they would take many minutes.
    """
    folder = root / "tests" / module.parent
    while not folder.is_dir():
        folder = folder.parent
    dotted = ".".join(("gogooku3", *module.with_suffix("").parts))
    package, _, name = dotted.rpartition(".")
    imports = re.compile(
        rf"^(from|import) {re.escape(dotted)}\b|^from {re.escape(package)} import .*\b{re.escape(name)}\b", re.MULTILINE
    )
    files = sorted(folder.glob("test_*.py"))
    mirror = [path for path in files if path.name == f"test_{name}.py"]
    others = [path for path in files if path not in mirror and imports.search(path.read_text(encoding="utf-8"))]
    chosen = [*mirror, *others] or files
    return [path.relative_to(root).as_posix() for path in chosen] if len(chosen) <= _MOST_FILES else []


def copy_of(root: Path, target: Path) -> Path:
    """Copies the files of the working tree that Git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    return target


def passes(copy: Path, tests: Sequence[str], limit: float | None = None) -> bool:
    """Whether tests pass in a copy of the repository within a time limit in seconds."""
    environment = os.environ | {
        "PYTHONPATH": str(copy / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # they take longer to load than many tests to run
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    with subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            return process.wait(limit) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:  # also what the tests have started
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def run(root: Path, chosen: Sequence[Mutant], workers: int, deadline: float) -> Result:
    """Runs the tests of each mutant, module by module; mutants whose turn comes after the deadline are not run."""
    result = Result()
    modules: dict[PurePosixPath, list[Mutant]] = {}
    for mutant in chosen:
        modules.setdefault(mutant.path, []).append(mutant)
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[Path] = Queue()
        for number in range(workers):
            copies.put(copy_of(root, Path(folder) / str(number)))

        def of_module(path: PurePosixPath) -> None:
            copy = copies.get()
            try:
                _run_module(root, copy, path, modules[path], result, deadline)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(of_module, modules))
    return result


def _run_module(
    root: Path, copy: Path, path: PurePosixPath, found: Sequence[Mutant], result: Result, deadline: float
) -> None:
    tests, began = tests_of(root, path), time.monotonic()
    if began > deadline:
        result.not_run += found
        return
    if not passes(copy, tests):
        result.not_run += found
        result.failing.append(" ".join(tests))
        return
    limit = _START_S + _PATIENCE * (time.monotonic() - began)
    target = copy / PACKAGE / path
    source = target.read_text(encoding="utf-8")
    for mutant in found:
        if time.monotonic() > deadline:
            result.not_run.append(mutant)
            continue
        target.write_text(mutant.source, encoding="utf-8")
        survived = passes(copy, tests, limit)
        target.write_text(source, encoding="utf-8")
        (result.survived if survived else result.noticed).append(mutant)
        print(f"{'SURVIVED' if survived else 'noticed '} {PACKAGE / path}:{mutant.line}", file=sys.stderr, flush=True)


def summary(result: Result, known: set[Key]) -> str:
    """Counts by package, then the survivors that are not accepted."""
    new = [mutant for mutant in result.survived if key(mutant) not in known]
    counts = {
        name: Counter(mutant.path.parts[0] for mutant in found)
        for name, found in (
            ("noticed", result.noticed),
            ("accepted", [mutant for mutant in result.survived if key(mutant) in known]),
            ("new survivors", new),
            ("not run", result.not_run),
        )
    }
    packages = sorted({package for counter in counts.values() for package in counter})
    lines = [f"| package | {' | '.join(counts)} |", f"|---|{'---|' * len(counts)}"]
    lines += [f"| {name} | {' | '.join(str(counter[name]) for counter in counts.values())} |" for name in packages]
    return "\n".join(lines) + described(new)


def described(found: Sequence[Mutant]) -> str:
    """File, line and diff of mutants, in the form of the list of accepted survivors."""
    return "".join(
        f"\n\n{PACKAGE / mutant.path}:{mutant.line}\n```diff\n" + "\n".join(mutant.diff) + "\n```"
        for mutant in sorted(found, key=lambda mutant: (mutant.path, mutant.line))
    )


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", default=PACKAGES, help="folders of src/gogooku3 (default: %(default)s)")
    parser.add_argument("--mutants", type=int, default=20, help="number per package (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another sample (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes at once (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="start no run after this time (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="print the sample with its diffs, and run nothing")
    given = parser.parse_args(arguments)
    deadline = time.monotonic() + 60 * given.minutes
    chosen = [
        mutant
        for package in given.packages
        for mutant in sample(every_mutant(root, package), given.mutants, given.seed)
    ]
    if given.list:
        print(described(chosen).strip())
        return 0
    result = run(root, chosen, given.workers, deadline)
    known = accepted((root / ACCEPTED).read_text(encoding="utf-8")) if (root / ACCEPTED).is_file() else set()
    print(summary(result, known))
    for tests in result.failing:
        print(f"error: {tests} fails without any change\nhint: correct it first: `make test`", file=sys.stderr)
    return 2 if result.failing else int(any(key(mutant) not in known for mutant in result.survived))


if __name__ == "__main__":
    sys.exit(main())
