"""The colours of the pages by meaning, for light and dark mode.

They are safe for colour-blind readers: gain and loss are blue and orange, and lines also differ in their dashes.
"""

from __future__ import annotations

LIGHT = {
    "page": "#f6f7f7",
    "card": "#ffffff",
    "ink": "#1b2126",
    "muted": "#5f6b75",
    "line": "#e0e4e7",
    "shadow": "#00000038",
    "full": "#2f7c95",
    "bound": "#c2701c",
    "good": "#1d7a4f",
    "note": "#8d6300",
    "fault": "#c4321f",
    "there-5": "#2f7c95",
    "there-4": "#5a9bb0",
    "there-3": "#8dbac9",
    "there-2": "#b6d3dd",
    "there-1": "#dbe9ee",
    "there-0": "#eef1f2",
    "train": "#cfe0ea",
    "validation": "#dcd8ef",
    "test": "#f2dfc6",
    "gain-3": "#8dbfd0",
    "gain-2": "#bddae4",
    "gain-1": "#e2eff3",
    "loss-1": "#faeddd",
    "loss-2": "#f3d3a6",
    "loss-3": "#e8b06c",
    "track-1": "#1f6f8b",
    "track-2": "#cf5a12",
    "track-3": "#8a4f9e",
    "track-4": "#1f8f66",
    "track-5": "#a07800",
    "track-6": "#7a858d",
    "track-7": "#b0305c",
    "track-8": "#4d5ec1",
}

DARK = {
    "page": "#101416",
    "card": "#181d20",
    "ink": "#e6eaec",
    "muted": "#98a4ac",
    "line": "#2c3439",
    "shadow": "#000000b0",
    "full": "#4690a9",
    "bound": "#e09a4b",
    "good": "#52c08a",
    "note": "#dcb04a",
    "fault": "#ff6f5b",
    "there-5": "#4690a9",
    "there-4": "#3a788d",
    "there-3": "#326576",
    "there-2": "#294b57",
    "there-1": "#23363f",
    "there-0": "#1f272b",
    "train": "#24475a",
    "validation": "#3d3763",
    "test": "#5c4523",
    "gain-3": "#2b6d82",
    "gain-2": "#23505f",
    "gain-1": "#1d353e",
    "loss-1": "#392b1c",
    "loss-2": "#5c401e",
    "loss-3": "#84571f",
    "track-1": "#63b7d3",
    "track-2": "#ff9a5c",
    "track-3": "#c99bd8",
    "track-4": "#54c79b",
    "track-5": "#dcbc4a",
    "track-6": "#98a4ac",
    "track-7": "#f087a8",
    "track-8": "#97a5f5",
}

DASHES = ([1, 0], [1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [10, 4], [4, 2, 1, 2])
"""Dash pattern of each line, from `track-1` on."""


def style() -> str:
    """The colours as CSS custom properties: `var(--ink)` is `ink` in either mode. Paper is light."""
    dark = f"@media screen and (prefers-color-scheme: dark) {{\n:root {{\n{_rules(DARK)}}}\n}}\n"
    return f":root {{\n{_rules(LIGHT)}}}\n{dark}"


def _rules(colours: dict[str, str]) -> str:
    return "".join(f"  --{name}: {colour};\n" for name, colour in colours.items())
