"""The scripts of a page with live charts: Vega-Lite, Vega and Vega-Embed, then `live.js`.

All are inside the page, which loads nothing. Its Content-Security-Policy lists their hashes and forbids every other
script, the network included.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

import vl_convert
from markupsafe import Markup

_FOLDER = Path(__file__).parent
_HINT = (
    "Point at a chart for its values, click in its legend to hide or show a line, drag over it to zoom in; a double"
    " click shows the whole period again. Ctrl and the mouse wheel, or a pinch on a trackpad, zoom too."
)


@cache
def scripts() -> dict[str, Markup]:
    """`scripts`, the elements; `script_policy`, their part of the policy; `hint`, how to use them. Deterministic."""
    licences = (_FOLDER / "vega-licences.txt").read_text(encoding="utf-8")
    bundle = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub lacks the default
    texts = [
        f"/*!\n{licences}*/\n{bundle}",
        (_FOLDER / "live.js").read_text(encoding="utf-8"),
    ]
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    policy = "; script-src " + " ".join(f"'sha256-{value}'" for value in hashes)
    elements = "".join(f"<script>{text}</script>\n" for text in texts)
    return {"scripts": Markup(elements), "script_policy": Markup(policy), "hint": Markup(_HINT)}  # noqa: S704 - our own and Vega's
