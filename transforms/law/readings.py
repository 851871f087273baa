"""One source of the law, read three ways: for arrays, one number at a time, and over a whole cell of sales. No law here.

Over a cell every amount is a `plane`: its values at the cell's three corners, and how far it can be off the plane through
them in between. Sums of planes are planes; a minimum, a maximum or a choice whose arms cross inside the cell is not one,
and by how much is known: so a plane that is off by nothing is a proof that the law does not bend in the cell. What it is
off by most it also tells where: a `mark`, whose values at the corners have both signs, is zero where the arms cross.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, lower_cast, make_attribute_wrapper, overload, register_jitable, register_model

NEAR = 5
"""Cents: a corner so near a threshold counts as on it, for corners are whole cents and thresholds between them are not."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def either(function: _Function) -> _Function:
    """A function of arrays, one place a return, that compiled code may call with the numbers, or planes, of one return.

    So the law stands once: arrays for the year's returns, compiled (`valuation_kernel`) for millions of what-ifs. It
    keeps to what numba takes of single numbers: no `np.clip`, no `np.any`, `where` for `np.where`; figures with an axis
    of brackets are taken by `figure[bracket]`. Over planes a quotient by `//` is one whose steps are mere roundings, and
    what is compared by `<` is in cents.
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
    """How many steps of a size an amount has begun: its quotient, rounded up. Each step counts, also over planes."""
    return -(-amount // size)


def half_away(numerator: Any, denominator: Any) -> Any:
    """The quotient, halves away from zero."""
    return np.sign(numerator) * ((2 * np.abs(numerator) + denominator) // (2 * denominator))


def surely(condition: Any) -> Any:
    """Whether a condition holds: over a cell, whether it does everywhere. Compiled code only."""
    return condition


def put(saved: Any, place: Any, amount: Any) -> Any:
    """Keep an amount in a row of an array, for `got`. Compiled code only."""
    saved[place, 0] = amount


def got(saved: Any, place: Any, like: Any) -> Any:
    """The amount that `put` kept; `like`: one of its kind. Compiled code only."""
    return saved[place, 0]


KEPT = 8
"""Numbers in a row of what `put` keeps."""

# --- planes ----------------------------------------------------------------------------------------------------------


class _PlaneType(types.Type):
    """`a`, `b`, `c`: the corners. The amount is at least `low` (0 or less), at most `high` above the plane."""

    def __init__(self) -> None:
        super().__init__(name="Plane")

    def unify(self, _: Any, other: Any) -> Any:
        return self if isinstance(other, types.Integer) else None

    def can_convert_from(self, _: Any, other: Any) -> Any:
        from numba.core.typeconv import Conversion

        return Conversion.promote if isinstance(other, types.Integer) else None


class _VerdictType(types.Type):
    """A condition over a cell: at each corner, by how much it changes sides; 1 holds everywhere, -1 nowhere, 0 neither."""

    def __init__(self) -> None:
        super().__init__(name="Verdict")


PLANE, VERDICT = _PlaneType(), _VerdictType()
_INT, _REAL = types.int64, types.float64
_FIELDS = {
    PLANE: [(name, _INT) for name in "abc"] + [(name, _REAL) for name in ("low", "high", "p", "q", "r")],
    VERDICT: [(name, _INT) for name in ("a", "b", "c", "sure")] + [(name, _REAL) for name in "pqr"],
}


@register_model(_PlaneType)
class _PlaneModel(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FIELDS[PLANE])


@register_model(_VerdictType)
class _VerdictModel(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FIELDS[VERDICT])


for _kind, _fields in _FIELDS.items():
    for _name, _ in _fields:
        make_attribute_wrapper(type(_kind), _name, _name)


def _maker(kind: Any) -> Any:
    """A compiled constructor of all fields in order."""
    given = [of for _, of in _FIELDS[kind]]

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        made = cgutils.create_struct_proxy(kind)(context, builder)
        for (name, _), value in zip(_FIELDS[kind], arguments, strict=True):
            setattr(made, name, value)
        return made._getvalue()

    if kind is PLANE:

        @intrinsic
        def plane(_: Any, a: Any, b: Any, c: Any, low: Any, high: Any, p: Any, q: Any, r: Any) -> Any:
            return PLANE(*given), generate

        return plane

    @intrinsic
    def verdict(_: Any, a: Any, b: Any, c: Any, sure: Any, p: Any, q: Any, r: Any) -> Any:
        return VERDICT(*given), generate

    return verdict


_plane, _verdict = _maker(PLANE), _maker(VERDICT)


@lower_cast(types.Integer, _PlaneType)
def _cast(context: Any, builder: Any, given: Any, wanted: Any, value: Any) -> Any:
    made = cgutils.create_struct_proxy(wanted)(context, builder)
    made.a = made.b = made.c = context.cast(builder, value, given, _INT)
    for name in ("low", "high", "p", "q", "r"):
        setattr(made, name, context.get_constant(_REAL, 0.0))
    return made._getvalue()


@register_jitable
def plane_of(a: Any, b: Any, c: Any) -> Any:
    """The plane through three corners: of what the law is asked about, a net loss."""
    return _plane(a, b, c, 0.0, 0.0, 0.0, 0.0, 0.0)


def _as_plane(amount: Any) -> Any:
    raise NotImplementedError


overload(_as_plane)(
    lambda amount: (
        (lambda amount: amount)
        if amount is PLANE
        else (lambda amount: _plane(amount, amount, amount, 0.0, 0.0, 0.0, 0.0, 0.0))
    )
)


@register_jitable
def _summed(x: Any, y: Any) -> Any:
    p, q, r = (x.p, x.q, x.r) if x.high - x.low >= y.high - y.low else (y.p, y.q, y.r)
    return _plane(x.a + y.a, x.b + y.b, x.c + y.c, x.low + y.low, x.high + y.high, p, q, r)


@register_jitable
def _times(x: Any, k: Any) -> Any:
    low, high = (x.low * k, x.high * k) if k >= 0 else (x.high * k, x.low * k)
    return _plane(x.a * k, x.b * k, x.c * k, low, high, x.p, x.q, x.r)


@register_jitable
def _is_number(x: Any) -> Any:
    return x.a == x.b and x.b == x.c and x.low == 0 and x.high == 0


@register_jitable
def _multiplied(x: Any, y: Any) -> Any:
    """Off by the product of both ranges at most, and by what each is off times the most that the other can be."""
    if _is_number(x):
        return _times(y, x.a)
    if _is_number(y):
        return _times(x, y.a)
    most_x = max(abs(x.a), abs(x.b), abs(x.c)) + max(x.high, -x.low)
    most_y = max(abs(y.a), abs(y.b), abs(y.c)) + max(y.high, -y.low)
    off_x, off_y = max(x.high, -x.low), max(y.high, -y.low)
    range_x, range_y = max(x.a, x.b, x.c) - min(x.a, x.b, x.c), max(y.a, y.b, y.c) - min(y.a, y.b, y.c)
    off = float(range_x) * range_y + most_x * off_y + most_y * off_x
    p, q, r = (x.p, x.q, x.r) if most_y * off_x >= most_x * off_y else (y.p, y.q, y.r)
    if p == 0 and q == 0 and r == 0:
        middle = (max(x.a, x.b, x.c) + min(x.a, x.b, x.c)) / 2
        p, q, r = x.a - middle, x.b - middle, x.c - middle
    return _plane(x.a * y.a, x.b * y.b, x.c * y.c, -off, off, p, q, r)


@register_jitable
def _lower(above: Any, x_low: Any, y_low: Any) -> Any:
    """By how much a minimum can be lower at a corner where the first is so much `above` the second."""
    return min(above + x_low, y_low) if above > 0 else min(x_low, y_low - above)


@register_jitable
def _minimum(x: Any, y: Any) -> Any:
    """Where the arms cross, the minimum lies above the plane, at most by the smaller of what either exceeds the other."""
    a, b, c = x.a - y.a, x.b - y.b, x.c - y.c
    above, below = max(a, b, c), -min(a, b, c)
    if above + x.high - y.low <= 0:
        return x
    if below + y.high - x.low <= 0:
        return y
    p, q, r, wide = x.p, x.q, x.r, x.high - x.low
    if y.high - y.low > wide:
        p, q, r, wide = y.p, y.q, y.r, y.high - y.low
    if max(0, min(above, below)) > wide:
        p, q, r = float(a), float(b), float(c)
    # never above either arm; and what is least between the corners is least at one
    high = min(x.high + max(0, above), y.high + max(0, below))
    low = min(_lower(a, x.low, y.low), _lower(b, x.low, y.low), _lower(c, x.low, y.low))
    return _plane(min(x.a, y.a), min(x.b, y.b), min(x.c, y.c), low, high, p, q, r)


@register_jitable
def _chosen(v: Any, x: Any, y: Any) -> Any:
    """One arm where the condition is sure; else what the corners choose, off by what the other arm is more or less there."""
    if v.sure == 1:
        return x
    if v.sure == -1:
        return y
    a, b, c = (x.a if v.a else y.a), (x.b if v.b else y.b), (x.c if v.c else y.c)
    # each arm less the plane of what was chosen
    x_high, x_low = max(x.a - a, x.b - b, x.c - c) + x.high, min(x.a - a, x.b - b, x.c - c) + x.low
    y_high, y_low = max(y.a - a, y.b - b, y.c - c) + y.high, min(y.a - a, y.b - b, y.c - c) + y.low
    low, high = min(x_low, y_low, 0.0), max(x_high, y_high, 0.0)
    p, q, r, wide = x.p, x.q, x.r, x.high - x.low
    if y.high - y.low > wide:
        p, q, r, wide = y.p, y.q, y.r, y.high - y.low
    if high - low > wide or (p == 0 and q == 0 and r == 0):
        p, q, r = v.p, v.q, v.r
    return _plane(a, b, c, low, high, p, q, r)


@register_jitable
def _judged(d: Any, closed: Any) -> Any:
    """Whether an amount is above zero (`closed`: or zero), by the cent; a threshold on the cell's edge is not in it."""
    least, most = min(d.a, d.b, d.c), max(d.a, d.b, d.c)
    above, below = least + d.low >= -NEAR, most + d.high <= NEAR
    sure = 0
    if above or below:
        sure = 1 if above and (closed or not below) else -1
    if least < -NEAR and most > NEAR:
        p, q, r = float(d.a), float(d.b), float(d.c)
    else:
        p, q, r = d.p, d.q, d.r
    shift = 0 if closed else 1
    return _verdict(int(d.a >= shift), int(d.b >= shift), int(d.c >= shift), sure, p, q, r)


@register_jitable
def _both(x: Any, y: Any) -> Any:
    if x.sure == -1 or y.sure == 1:
        return x
    if y.sure == -1 or x.sure == 1:
        return y
    return _verdict(x.a * y.a, x.b * y.b, x.c * y.c, 0, x.p, x.q, x.r)


@register_jitable
def _begun(x: Any, size: Any) -> Any:
    """One count where no step begins inside; else off by a step at most, with the step nearest the middle as mark."""
    least, most = min(x.a, x.b, x.c), max(x.a, x.b, x.c)
    middle = (least + most) // 2
    count = -(-middle // size)
    if least + x.low >= (count - 1) * size - NEAR and most + x.high <= count * size + NEAR:
        return _plane(count, count, count, 0.0, 0.0, 0.0, 0.0, 0.0)
    step = ((middle + size // 2) // size) * size
    if step - least <= NEAR or most - step <= NEAR:
        step = count * size if most - count * size > NEAR else (count - 1) * size
    p, q, r = float(x.a - step), float(x.b - step), float(x.c - step)
    if not (least < step < most):
        p, q, r = x.p, x.q, x.r
    a, b, c = -(-x.a // size), -(-x.b // size), -(-x.c // size)
    return _plane(a, b, c, x.low / size - 1.0, x.high / size + 1.0, p, q, r)


# --- what the source of the law says of them ---------------------------------------------------------------------------


@register_jitable
def _quotient(x: Any, k: Any) -> Any:
    return _plane(x.a // k, x.b // k, x.c // k, x.low / k, x.high / k, x.p, x.q, x.r)


@register_jitable
def _away(x: Any, k: Any) -> Any:
    return np.sign(x) * ((2 * abs(x) + k) // (2 * k))


@register_jitable
def _all_away(x: Any, k: Any) -> Any:
    return _plane(_away(x.a, k), _away(x.b, k), _away(x.c, k), x.low / k, x.high / k, x.p, x.q, x.r)


@register_jitable
def _same(d: Any) -> Any:
    sure = int(d.a == 0 and d.b == 0 and d.c == 0 and d.low == 0 and d.high == 0)
    return _verdict(int(d.a == 0), int(d.b == 0), int(d.c == 0), sure, d.p, d.q, d.r)


@register_jitable
def _first_put(saved: Any, place: Any, x: Any) -> Any:
    saved[place, 0] = x


@register_jitable
def _put(saved: Any, place: Any, x: Any) -> Any:
    row = saved[place]
    row[0], row[1], row[2], row[3], row[4] = x.a, x.b, x.c, x.low, x.high
    row[5], row[6], row[7] = x.p, x.q, x.r


@register_jitable
def _got(row: Any) -> Any:
    return _plane(int(row[0]), int(row[1]), int(row[2]), row[3], row[4], row[5], row[6], row[7])


def _planes(of: Any, made: Any) -> None:
    """What an operation of two amounts is where one of them is a plane; numba asks for the kinds, and names alike."""

    def find(x, y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - as `made` has none
        planes = PLANE in (x, y) and all(kind is PLANE or isinstance(kind, types.Integer) for kind in (x, y))
        return made if planes else None

    overload(of)(find)


_planes(operator.add, lambda x, y: _summed(_as_plane(x), _as_plane(y)))
_planes(operator.sub, lambda x, y: _summed(_as_plane(x), _times(_as_plane(y), -1)))
_planes(np.minimum, lambda x, y: _minimum(_as_plane(x), _as_plane(y)))
_planes(np.maximum, lambda x, y: _times(_minimum(_times(_as_plane(x), -1), _times(_as_plane(y), -1)), -1))
_planes(operator.gt, lambda x, y: _judged(_summed(_as_plane(x), _times(_as_plane(y), -1)), False))
_planes(operator.ge, lambda x, y: _judged(_summed(_as_plane(x), _times(_as_plane(y), -1)), True))
_planes(operator.lt, lambda x, y: _judged(_summed(_as_plane(y), _times(_as_plane(x), -1)), False))
_planes(operator.le, lambda x, y: _judged(_summed(_as_plane(y), _times(_as_plane(x), -1)), True))
_planes(operator.eq, lambda x, y: _same(_summed(_as_plane(x), _times(_as_plane(y), -1))))
_planes(operator.mul, lambda x, y: _product(x, y))
_planes(operator.floordiv, lambda x, y: _quotient(x, y))


def _product(x: Any, y: Any) -> Any:
    raise NotImplementedError


overload(_product)(
    lambda x, y: (
        (lambda x, y: _multiplied(x, y))
        if x is y
        else (lambda x, y: _times(x, y))
        if x is PLANE
        else (lambda x, y: _times(y, x))
    )
)
overload(operator.neg)(lambda x: (lambda x: _times(x, -1)) if x is PLANE else None)
overload(operator.and_)(lambda x, y: (lambda x, y: _both(x, y)) if x is y is VERDICT else None)
overload(where)(
    lambda condition, yes, no: (
        (lambda condition, yes, no: _chosen(condition, _as_plane(yes), _as_plane(no)))
        if condition is VERDICT
        else (lambda condition, yes, no: _as_plane(yes) if condition else _as_plane(no))
        if PLANE in (yes, no)
        else (lambda condition, yes, no: yes if condition else no)
    )
)
overload(by)(lambda condition, one, other, *given: (  # noqa: ARG005
    lambda condition, one, other, *given: one(*given) if condition else other(*given)
))
overload(begun)(
    lambda amount, size: (
        (lambda amount, size: _begun(amount, size))
        if amount is PLANE
        else (lambda amount, size: -(-amount // size))
    )
)  # fmt: skip
overload(half_away)(
    lambda numerator, denominator: (
        (lambda numerator, denominator: _all_away(numerator, denominator))
        if numerator is PLANE
        else (lambda numerator, denominator: _away(numerator, denominator))
    )
)
overload(surely)(
    lambda condition: (lambda condition: condition.sure == 1) if condition is VERDICT else (lambda condition: condition)
)
overload(put)(
    lambda saved, place, amount: (
        (lambda saved, place, amount: _put(saved, place, amount))
        if amount is PLANE
        else (lambda saved, place, amount: _first_put(saved, place, amount))
    )
)
overload(got)(
    lambda saved, place, like: (
        (lambda saved, place, like: _got(saved[place])) if like is PLANE else (lambda saved, place, like: saved[place, 0])
    )
)
