"""Takes the README's picture of `reports/tier.html`: `python docs/images/tier.py`, with Chromium at hand.

The page is Git's own, so that the picture changes when the demo does. Run it after an edit of the page.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1000, 1492
"""From the verdict to the curve of returns."""

PAGE = Path(__file__).parents[2] / "reports/tier.html"
PICTURE = Path(__file__).with_suffix(".webp")


def main() -> None:
    """Shows the page in a window of the picture's size, and keeps what the window shows."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("error: this machine has no Chromium\nhint: `apt-get install chromium`")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder, "page.png")
        command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={shot}"]
        subprocess.run([*command, PAGE.as_uri()], check=True, capture_output=True)  # noqa: S603
        Image.open(shot).convert("RGB").save(PICTURE, lossless=False, quality=82, method=6)


if __name__ == "__main__":
    main()
