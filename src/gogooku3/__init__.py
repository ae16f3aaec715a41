"""gogooku3: train, package and get back ATFT-GAT-FAN models that rank Japanese equities.

`load` gives a released model, and `pin` fixes its numerics; both are imported on first use.
"""

from typing import TYPE_CHECKING, Any

from gogooku3 import startup

if TYPE_CHECKING:
    from gogooku3.serving.library import Model as Model
    from gogooku3.serving.library import UnpinnedWarning as UnpinnedWarning
    from gogooku3.serving.library import load as load
    from gogooku3.serving.pinning import pin as pin

startup.require_or_exit()

_LIBRARY = {"Model": "library", "UnpinnedWarning": "library", "load": "library", "pin": "pinning"}
"""Names of the library, and the modules of `gogooku3.serving` that have them."""


def __getattr__(name: str) -> Any:
    """A name of the library, imported on first use: with it NumPy and torch load."""
    if name not in _LIBRARY:
        raise AttributeError(f"module `gogooku3` has no attribute `{name}`")
    from importlib import import_module

    return getattr(import_module(f"gogooku3.serving.{_LIBRARY[name]}"), name)
