"""Parses text that anybody may have written: bounded in time and memory, whatever the text is."""

from __future__ import annotations

from typing import Any

import yaml

MAX_DEPTH = 50
"""Levels of nesting; the files of the pipeline have fewer than 10."""


def load_yaml(text: str | bytes) -> Any:
    """Parses a YAML document of plain values.

    Aliases are refused: a few lines of them expand to billions of nodes ("billion laughs"), and nothing that DVC or
    gogooku3 writes has any.

    Raises:
        yaml.YAMLError: it is not YAML, has an alias, or is nested too deeply.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"it has an alias, `*{event.anchor}`: write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {MAX_DEPTH} levels deep")
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except ValueError as error:  # an integer of thousands of digits, a date such as 2024-99-99
        raise yaml.YAMLError(str(error)) from None
