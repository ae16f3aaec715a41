"""Parses the elements of an HTML page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

LOADING = {"src", "srcset", "data", "action", "poster", "background", "xlink:href"}
"""Attributes by which an element fetches something."""


class Elements(HTMLParser):
    """All elements of a page with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        """The text of each script that runs."""
        self.blocks: list[dict[str, Any]] = []
        """The data for them."""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag == "script" and "type" not in dict(attrs):
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem != "script":
            self.text += data
        elif "type" in self.found[-1][1]:
            self.blocks.append(json.loads(data))
        else:
            self.scripts[-1] += data

    @property
    def links(self) -> set[str | None]:
        return {attributes["href"] for _, attributes in self.found if "href" in attributes}

    @property
    def anchors(self) -> set[str]:
        return {f"#{attributes['id']}" for _, attributes in self.found if "id" in attributes}

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.found}

    @property
    def policy(self) -> dict[str, list[str]]:
        """The Content-Security-Policy: sources by directive."""
        (text,) = (
            attributes["content"] or ""
            for tag, attributes in self.found
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        )
        return {name: sources for name, *sources in (part.split() for part in text.split(";"))}


def check_that_it_needs_nothing_but_itself(page: str) -> None:
    """A page loads nothing, and its policy forbids every script but its own."""
    elements = Elements(page)
    assert {"table", "svg", "style"} <= elements.tags
    assert not {"link", "img", "iframe", "object", "use", "image"} & elements.tags
    assert not [attributes for _, attributes in elements.found if LOADING & set(attributes)]
    assert elements.links <= elements.anchors
    policy = {"default-src": ["'none'"], "style-src": ["'unsafe-inline'"]}
    if elements.scripts:
        digests = [hashlib.sha256(script.encode()).digest() for script in elements.scripts]
        policy["script-src"] = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    assert elements.policy == policy
    for script in elements.scripts:
        page = page.replace(script, "")
    assert not re.search(r"url\(|@import|https?:|javascript:", page)
