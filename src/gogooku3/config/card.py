"""Facts of the model card that only the model's owner can state: section `card` of `params.yaml`."""

from __future__ import annotations

import re
from difflib import get_close_matches

from gogooku3.config.section import require, section

OTHER = "other"
LICENSES = frozenset(
    """
    afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
    bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0
    eupl-1.1 eupl-1.2 fair-noncommercial-research-license gemma gfdl gpl gpl-2.0 gpl-3.0 grok2-community h-research
    intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 lppl-1.3c mit
    mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openmdw-1.0 openmdw-1.1 openrail openrail++ osl-3.0 other pddl postgresql
    unknown unlicense wtfpl zlib
    """.split()  # noqa: SIM905  (a list of quoted names would be 80 lines)
)
"""Identifiers of licences that Hugging Face's hub accepts (https://huggingface.co/docs/hub/repositories-licenses,
August 2026)."""

_NAME = re.compile(r"[a-z0-9]+([.+_-][a-z0-9]+)*")
_LINK = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9._~:/?#@!$&+,;=%-]*")
"""A URL without the characters that end a link in Markdown: spaces, brackets, quotes."""


@section
class Card:
    """Section `card`."""

    license: str | None
    """Identifier of the licence under which the model is given to others; None: not stated."""
    license_name: str | None
    """Short name of a licence that is not in `LICENSES`, such as `my-licence-1.0`; only with `other`."""
    license_link: str | None
    """URL of its text; None: no link."""

    def __post_init__(self) -> None:
        require(
            self.license is None or self.license in LICENSES,
            f"`card.license` is {self.license!r}, which is not an identifier of Hugging Face's list",
            f"{_closest(self.license)}use an identifier of https://huggingface.co/docs/hub/repositories-licenses such"
            f" as `apache-2.0`, `{OTHER}` with `card.license_name`, or null if no licence is granted",
        )
        require(
            self.license == OTHER or (self.license_name is None and self.license_link is None),
            f"`card.license_name` is {self.license_name!r} and `card.license_link` {self.license_link!r}, but"
            f" `card.license` is {self.license!r}",
            f"set `card.license` to `{OTHER}`, or both to null",
        )
        require(
            self.license != OTHER or (self.license_name is not None and _NAME.fullmatch(self.license_name) is not None),
            f"`card.license` is `{OTHER}`, and `card.license_name` is {self.license_name!r}",
            "name the licence with small letters, digits and `-`, such as `my-licence-1.0`",
        )
        require(
            self.license_link is None or _LINK.fullmatch(self.license_link) is not None,
            f"`card.license_link` is {self.license_link!r}",
            "use the URL of the licence's text, https://…, without spaces, quotes or brackets, or null",
        )


def _closest(identifier: str | None) -> str:
    close = get_close_matches((identifier or "").lower().replace(" ", "-"), sorted(LICENSES), n=1)
    return f"is it `{close[0]}`? Otherwise " if close else ""
