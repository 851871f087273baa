"""One source of the law, read three ways: for arrays, for single numbers, and for `planes` over a cell. No law here.

Arrays are for the year's returns; numbers and planes, compiled (`valuation_kernel`, `cells`), for millions of what-ifs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba.extending import overload, register_jitable

from transforms.law.planes import PLANE, VERDICT, as_plane, chosen, plane, steps_begun

KEPT = 8
"""Numbers of a plane that `put` keeps."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def either(function: _Function) -> _Function:
    """A function of arrays, one place a return, that compiled code may call with the numbers or planes of one return.

    It keeps to what numba takes of single numbers: no `np.clip`, no `np.any`, `where` for `np.where`; figures with an axis
    of brackets are taken by `figure[bracket]`. And to what planes are: a quotient by `//` is one whose steps are mere
    roundings (`begun` for others), and only cents are compared by `<`.
    """
    register_jitable(function)
    return function


def where(condition: Any, yes: Any, no: Any) -> Any:
    """`np.where`, which numba makes an array even of single numbers."""
    return np.where(condition, yes, no)


def by(condition: Any, one: Any, other: Any, *given: Any) -> Any:
    """What one function makes where the condition holds, elsewhere the other; compiled, only one is asked."""
    return np.where(condition, one(*given), other(*given))


def begun(amount: Any, size: Any) -> Any:
    """How many steps of a size an amount has begun: its quotient, rounded up."""
    return -(-amount // size)


def part(amount: Any, count: Any, of: Any) -> Any:
    """`count` of `of` parts of an amount, halves away from zero; no product that leaves 64 bits is made on the way."""
    whole, rest = np.abs(amount) // of, np.abs(amount) % of
    return np.sign(amount) * (whole * count + (rest * count + of // 2) // of)


def surely(condition: Any) -> Any:
    """Whether a condition holds; over a cell: everywhere. Compiled code only."""
    raise NotImplementedError


def put(saved: Any, place: Any, amount: Any) -> Any:
    """Keep an amount in a row of an array, for `got`. Compiled code only."""
    raise NotImplementedError


def got(saved: Any, place: Any, like: Any) -> Any:
    """The amount that `put` kept; `like`: one of its kind. Compiled code only."""
    raise NotImplementedError


# --- compiled: of single numbers, and of planes; numba takes each by its kinds, and wants bare signatures alike ---------


@register_jitable
def _part(x: Any, count: Any, of: Any) -> Any:
    whole, rest = abs(x) // of, abs(x) % of
    return np.sign(x) * (whole * count + (rest * count + of // 2) // of)


@register_jitable
def _part_of_plane(x: Any, count: Any, of: Any) -> Any:
    a, b, c = _part(x.a, count, of), _part(x.b, count, of), _part(x.c, count, of)
    return plane(a, b, c, x.low * count / of, x.high * count / of, x.p, x.q, x.r)


@register_jitable
def _put(saved: Any, place: Any, x: Any) -> Any:
    saved[place, 0] = x


@register_jitable
def _put_plane(saved: Any, place: Any, x: Any) -> Any:
    row = saved[place]
    row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7] = x.a, x.b, x.c, x.low, x.high, x.p, x.q, x.r


@register_jitable
def _got_plane(row: Any) -> Any:
    return plane(int(row[0]), int(row[1]), int(row[2]), row[3], row[4], row[5], row[6], row[7])


overload(where)(
    lambda condition, yes, no: (
        (lambda condition, yes, no: chosen(condition, as_plane(yes), as_plane(no)))
        if condition is VERDICT
        else (lambda condition, yes, no: as_plane(yes) if condition else as_plane(no))
        if PLANE in (yes, no)
        else (lambda condition, yes, no: yes if condition else no)
    )
)
overload(by)(
    lambda condition, one, other, *given: (
        lambda condition, one, other, *given: one(*given) if condition else other(*given)
    )
)
overload(begun)(
    lambda amount, size: (
        (lambda amount, size: steps_begun(amount, size))
        if amount is PLANE
        else (lambda amount, size: -(-amount // size))
    )
)
overload(part)(
    lambda amount, count, of: (
        (lambda amount, count, of: _part_of_plane(amount, count, of))
        if amount is PLANE
        else (lambda amount, count, of: _part(amount, count, of))
    )
)
overload(surely)(
    lambda condition: (lambda condition: condition.sure == 1) if condition is VERDICT else (lambda condition: condition)
)
overload(put)(
    lambda saved, place, amount: (
        (lambda saved, place, amount: _put_plane(saved, place, amount))
        if amount is PLANE
        else (lambda saved, place, amount: _put(saved, place, amount))
    )
)
overload(got)(
    lambda saved, place, like: (
        (lambda saved, place, like: _got_plane(saved[place]))
        if like is PLANE
        else (lambda saved, place, like: saved[place, 0])
    )
)
