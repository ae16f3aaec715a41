"""Parses the elements of an HTML page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

LOADING = {"src", "srcset", "data", "action", "poster", "background", "xlink:href"}
"""Attributes by which an element fetches something."""


class Elements(HTMLParser):
    """All elements of a page with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def links(self) -> set[str | None]:
        return {attributes["href"] for _, attributes in self.found if "href" in attributes}

    @property
    def anchors(self) -> set[str]:
        return {f"#{attributes['id']}" for _, attributes in self.found if "id" in attributes}

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.found}


def check_that_it_needs_nothing_but_itself(page: str) -> None:
    elements = Elements(page)
    assert {"table", "svg", "style"} <= elements.tags
    assert not {"script", "link", "img", "iframe", "object", "use", "image"} & elements.tags
    assert not [attributes for _, attributes in elements.found if LOADING & set(attributes)]
    assert elements.links <= elements.anchors
    assert not re.search(r"url\(|@import|https?:|javascript:", page)
