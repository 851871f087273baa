"""Planes: amounts over a whole cell of sales, as compiled code takes them. What the law reads by them lies in `readings`.

A cell is a triangle of net losses. Over it an amount is a plane: its values at the three corners, and how far it can be off
the plane through them in between. Sums of planes are planes; a minimum, or a choice whose arms cross inside the cell, is
not one, and how far off it is at most is known: so a plane that is off by nothing is a proof that the law does not bend in
the cell. Roundings to the cent are not told (`part`, `//`): they are no bends.

The mark says where most is lost: values at the corners, of both signs, of what is zero on the line where the arms cross.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.typeconv.castgraph import Conversion
from numba.extending import intrinsic, lower_cast, make_attribute_wrapper, overload, register_jitable, register_model

NEAR = 5
"""Cents: a corner so near a threshold counts as on it, for corners are whole cents and thresholds between them are not."""


class _PlaneType(types.Type):
    """`a`, `b`, `c`: at the corners. The amount is at least `low` (0 or less), at most `high`, above the plane; the mark."""

    def __init__(self) -> None:
        super().__init__(name="Plane")

    def unify(self, _: Any, other: Any) -> Any:
        """A number is a plane where another way through the source makes one."""
        return self if isinstance(other, types.Integer) else None

    def can_convert_from(self, _: Any, other: Any) -> Any:
        return Conversion.promote if isinstance(other, types.Integer) else None


class _VerdictType(types.Type):
    """A condition: whether it holds at the corners; `sure`: 1 everywhere, -1 nowhere, 0 neither; the mark."""

    def __init__(self) -> None:
        super().__init__(name="Verdict")


PLANE, VERDICT = _PlaneType(), _VerdictType()
_MARK = [(name, types.float64) for name in "pqr"]
_AT = [(name, types.int64) for name in "abc"]
_FIELDS: dict[Any, list[tuple[str, Any]]] = {
    PLANE: [*_AT, ("low", types.float64), ("high", types.float64), *_MARK],
    VERDICT: [*_AT, ("sure", types.int64), *_MARK],
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


def _made(kind: Any) -> Any:
    """How a structure is made of its fields in order."""

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        made = cgutils.create_struct_proxy(kind)(context, builder)
        for (name, _), value in zip(_FIELDS[kind], values, strict=True):
            setattr(made, name, value)
        return made._getvalue()

    return kind(*(of for _, of in _FIELDS[kind])), generate


@intrinsic
def plane(_: Any, a: Any, b: Any, c: Any, low: Any, high: Any, p: Any, q: Any, r: Any) -> Any:  # noqa: ARG001
    """A plane of its fields."""
    return _made(PLANE)


@intrinsic
def _verdict(_: Any, a: Any, b: Any, c: Any, sure: Any, p: Any, q: Any, r: Any) -> Any:  # noqa: ARG001
    return _made(VERDICT)


@lower_cast(types.Integer, _PlaneType)
def _cast(context: Any, builder: Any, given: Any, wanted: Any, value: Any) -> Any:
    made = cgutils.create_struct_proxy(wanted)(context, builder)
    made.a = made.b = made.c = context.cast(builder, value, given, types.int64)
    for name in ("low", "high", "p", "q", "r"):
        setattr(made, name, context.get_constant(types.float64, 0.0))
    return made._getvalue()


@register_jitable
def through(a: Any, b: Any, c: Any) -> Any:
    """The plane through three corners: a net loss, of which the law is asked."""
    return plane(a, b, c, 0.0, 0.0, 0.0, 0.0, 0.0)


def as_plane(amount: Any) -> Any:
    """A number as a plane, a plane as it is."""
    raise NotImplementedError


overload(as_plane)(
    lambda amount: (lambda amount: amount) if amount is PLANE else (lambda amount: through(amount, amount, amount))
)


# --- sums and products -------------------------------------------------------------------------------------------------


@register_jitable
def _sum(x: Any, y: Any) -> Any:
    p, q, r = (x.p, x.q, x.r) if x.high - x.low >= y.high - y.low else (y.p, y.q, y.r)
    return plane(x.a + y.a, x.b + y.b, x.c + y.c, x.low + y.low, x.high + y.high, p, q, r)


@register_jitable
def _times(x: Any, k: Any) -> Any:
    low, high = (x.low * k, x.high * k) if k >= 0 else (x.high * k, x.low * k)
    return plane(x.a * k, x.b * k, x.c * k, low, high, x.p, x.q, x.r)


@register_jitable
def _less(x: Any, y: Any) -> Any:
    return _sum(x, _times(y, -1))


@register_jitable
def _quotient(x: Any, k: Any) -> Any:
    return plane(x.a // k, x.b // k, x.c // k, x.low / k, x.high / k, x.p, x.q, x.r)


@register_jitable
def is_number(x: Any) -> Any:
    """Whether a plane is the same everywhere."""
    return x.a == x.b and x.b == x.c and x.low == 0 and x.high == 0


@register_jitable
def _multiplied(x: Any, y: Any) -> Any:
    """Off by the product of both ranges at most, and by what each is off times the most that the other can be."""
    if is_number(x):
        return _times(y, x.a)
    if is_number(y):
        return _times(x, y.a)
    off_x, off_y = max(x.high, -x.low), max(y.high, -y.low)
    most_x, most_y = max(abs(x.a), abs(x.b), abs(x.c)) + off_x, max(abs(y.a), abs(y.b), abs(y.c)) + off_y
    range_x, range_y = max(x.a, x.b, x.c) - min(x.a, x.b, x.c), max(y.a, y.b, y.c) - min(y.a, y.b, y.c)
    off = float(range_x) * range_y + most_x * off_y + most_y * off_x
    p, q, r = (x.p, x.q, x.r) if most_y * off_x >= most_x * off_y else (y.p, y.q, y.r)
    if p == 0 and q == 0 and r == 0:
        middle = (max(x.a, x.b, x.c) + min(x.a, x.b, x.c)) / 2
        p, q, r = x.a - middle, x.b - middle, x.c - middle
    return plane(x.a * y.a, x.b * y.b, x.c * y.c, -off, off, p, q, r)


def _product(x: Any, y: Any) -> Any:
    raise NotImplementedError


overload(_product)(
    lambda x, y: (
        ((lambda x, y: _multiplied(x, y)) if y is PLANE else (lambda x, y: _times(x, y)))
        if x is PLANE
        else (lambda x, y: _times(y, x))
    )
)


# --- what bends --------------------------------------------------------------------------------------------------------


@register_jitable
def _lower(above: Any, x_low: Any, y_low: Any) -> Any:
    """By how much a minimum can be lower at a corner where the first arm is so much `above` the second."""
    return min(above + x_low, y_low) if above > 0 else min(x_low, y_low - above)


@register_jitable
def _minimum(x: Any, y: Any) -> Any:
    """Never above either arm, which bounds it from above; from below it is bounded by its least at a corner."""
    a, b, c = x.a - y.a, x.b - y.b, x.c - y.c
    above, below = max(a, b, c), -min(a, b, c)
    if above + x.high - y.low <= 0:
        return x
    if below + y.high - x.low <= 0:
        return y
    p, q, r, wide = x.p, x.q, x.r, x.high - x.low
    if y.high - y.low > wide:
        p, q, r, wide = y.p, y.q, y.r, y.high - y.low
    if min(above, below) > wide:
        p, q, r = float(a), float(b), float(c)
    high = min(x.high + max(0, above), y.high + max(0, below))
    low = min(_lower(a, x.low, y.low), _lower(b, x.low, y.low), _lower(c, x.low, y.low))
    return plane(min(x.a, y.a), min(x.b, y.b), min(x.c, y.c), low, high, p, q, r)


@register_jitable
def steps_begun(x: Any, size: Any) -> Any:
    """How many steps of a size are begun: off by one at most; the mark is the step nearest the middle."""
    least, most = min(x.a, x.b, x.c), max(x.a, x.b, x.c)
    middle = (least + most) // 2
    count = -(-middle // size)
    if least + x.low >= (count - 1) * size - NEAR and most + x.high <= count * size + NEAR:
        return through(count, count, count)
    step = (middle + size // 2) // size * size
    if step - least <= NEAR or most - step <= NEAR:
        step = count * size if most - count * size > NEAR else (count - 1) * size
    p, q, r = x.p, x.q, x.r
    if least < step < most:
        p, q, r = float(x.a - step), float(x.b - step), float(x.c - step)
    return plane(-(-x.a // size), -(-x.b // size), -(-x.c // size), x.low / size - 1.0, x.high / size + 1.0, p, q, r)


# --- conditions --------------------------------------------------------------------------------------------------------


@register_jitable
def _above(d: Any, closed: Any) -> Any:
    """Whether an amount in cents is above zero (`closed`: or zero); a threshold on the cell's edge is not inside it.

    Of an amount that is near zero in all of the cell, such as one that a limit holds there, the corners say it.
    """
    least, most = min(d.a, d.b, d.c), max(d.a, d.b, d.c)
    everywhere, nowhere = least + d.low >= -NEAR, most + d.high <= NEAR
    floor = 0 if closed else 1
    sure = 0
    if everywhere and nowhere:
        sure = 1 if least >= floor or (closed and most >= 0) else -1
    elif everywhere or nowhere:
        sure = 1 if everywhere else -1
    p, q, r = d.p, d.q, d.r
    if least < -NEAR and most > NEAR:
        p, q, r = float(d.a), float(d.b), float(d.c)
    return _verdict(int(d.a >= floor), int(d.b >= floor), int(d.c >= floor), sure, p, q, r)


@register_jitable
def _zero(d: Any) -> Any:
    """Whether an amount is zero: sure only where it is so everywhere."""
    sure = int(d.a == 0 and is_number(d))
    return _verdict(int(d.a == 0), int(d.b == 0), int(d.c == 0), sure, d.p, d.q, d.r)


@register_jitable
def _both(x: Any, y: Any) -> Any:
    if x.sure == -1 or y.sure == 1:
        return x
    if y.sure == -1 or x.sure == 1:
        return y
    return _verdict(x.a * y.a, x.b * y.b, x.c * y.c, 0, x.p, x.q, x.r)


@register_jitable
def chosen(v: Any, x: Any, y: Any) -> Any:
    """One arm where the condition is sure; else what the corners choose, off by what the other arm is more or less there."""
    if v.sure == 1:
        return x
    if v.sure == -1:
        return y
    a, b, c = (x.a if v.a else y.a), (x.b if v.b else y.b), (x.c if v.c else y.c)
    high = max(0.0, max(x.a - a, x.b - b, x.c - c) + x.high, max(y.a - a, y.b - b, y.c - c) + y.high)
    low = min(0.0, min(x.a - a, x.b - b, x.c - c) + x.low, min(y.a - a, y.b - b, y.c - c) + y.low)
    p, q, r, wide = x.p, x.q, x.r, x.high - x.low
    if y.high - y.low > wide:
        p, q, r, wide = y.p, y.q, y.r, y.high - y.low
    if high - low > wide or (p == 0 and q == 0 and r == 0):
        p, q, r = v.p, v.q, v.r
    return plane(a, b, c, low, high, p, q, r)


# --- the operators -----------------------------------------------------------------------------------------------------


def _of_planes(operation: Any, made: Any) -> None:
    """What an operation of two amounts is where one of them is a plane at least; numba asks for the kinds by name."""

    def find(x, y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba wants it as bare as what it finds
        planes = PLANE in (x, y) and all(kind is PLANE or isinstance(kind, types.Integer) for kind in (x, y))
        return made if planes else None

    overload(operation)(find)


_of_planes(operator.add, lambda x, y: _sum(as_plane(x), as_plane(y)))
_of_planes(operator.sub, lambda x, y: _less(as_plane(x), as_plane(y)))
_of_planes(operator.mul, lambda x, y: _product(x, y))
_of_planes(operator.floordiv, lambda x, y: _quotient(x, y))
_of_planes(np.minimum, lambda x, y: _minimum(as_plane(x), as_plane(y)))
_of_planes(np.maximum, lambda x, y: _times(_minimum(_times(as_plane(x), -1), _times(as_plane(y), -1)), -1))
_of_planes(operator.gt, lambda x, y: _above(_less(as_plane(x), as_plane(y)), False))
_of_planes(operator.ge, lambda x, y: _above(_less(as_plane(x), as_plane(y)), True))
_of_planes(operator.lt, lambda x, y: _above(_less(as_plane(y), as_plane(x)), False))
_of_planes(operator.le, lambda x, y: _above(_less(as_plane(y), as_plane(x)), True))
_of_planes(operator.eq, lambda x, y: _zero(_less(as_plane(x), as_plane(y))))
overload(operator.neg)(lambda x: (lambda x: _times(x, -1)) if x is PLANE else None)
overload(operator.and_)(lambda x, y: (lambda x, y: _both(x, y)) if x is y is VERDICT else None)
