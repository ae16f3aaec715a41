"""A scheduled job: scores the evening's bars, and says by its exit code whether tomorrow's orders may be sent.

    python examples/evening_job.py models/package bars/ orders/ [OPTION …]

Options are those of `gogooku3 score`. Run it after the bars have arrived, for example by cron at 18:00 on weekdays:

    0 18 * * 1-5  python evening_job.py tier1@v1.0.0 bars/ orders/ --repo https://example.com/team/gogooku3.git
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def main(model: str, bars: str, orders: Path, *options: str) -> int:
    """Writes `orders/scores.parquet`, its provenance and a page; returns the exit code of `gogooku3 score`."""
    orders.mkdir(parents=True, exist_ok=True)
    (orders / "scores.parquet").unlink(missing_ok=True)  # yesterday's are no orders if a check fails
    command = [sys.executable, "-m", "gogooku3.cli", "score", model, "--bars", bars, "--json"]
    files = ["--output", str(orders / "scores.parquet"), "--html", str(orders / "evening.html")]
    done = subprocess.run([*command, *files, *options], stdout=subprocess.PIPE, text=True, check=False)
    if done.stdout:
        for finding in json.loads(done.stdout)["findings"]:
            if finding["level"] in ("warning", "failed"):
                print(f"{finding['level']}: {finding['name']}: {finding['found']}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:]))
