"""Errors of the night, and how an error of a library loses the client's cells. No table belongs here."""

from __future__ import annotations

import traceback
from pathlib import Path

_OURS = ("schemas", "transforms", "pipelines")
_ROOT = Path(__file__).resolve().parent.parent


class NightError(Exception):
    """A sentence for the person who runs the night; it holds no cell of a client's file."""


class NightRunningError(NightError):
    """Another process holds the warehouse."""


class StageError(NightError):
    """A stage failed; the library's own text is left out, for it prints cells."""


def without_cells(error: BaseException, asset: str) -> StageError:
    """What may be told of `error`: its type, the asset and the line of our code, never its text.

    The sentences of our own errors are written without cells and stay.
    """
    kind = type(error)
    if kind.__module__.partition(".")[0] in _OURS:
        return StageError(f"{asset}: {error}")
    return StageError(f"{asset}: {kind.__name__} at {_place(error)} (the text is left out: it may show client data)")


def _place(error: BaseException) -> str:
    """File and line of the innermost frame of the project."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(_ROOT) and path.relative_to(_ROOT).parts[0] in _OURS:
            return f"{path.relative_to(_ROOT)}:{frame.lineno}"
    return "an unknown line"
