"""What is not a value yet says so, whatever is tried with it as if it were one."""

from __future__ import annotations

from typing import NoReturn

from kkjupyter.errors import UsageError

__all__ = ["NoSuchAttribute", "RemoteName", "Unresolved"]


class NoSuchAttribute(UsageError, AttributeError):
    """An attribute was asked of what is not a value yet; ``hasattr`` is content with it."""


class _NoLength(UsageError, TypeError):
    """As TypeError it makes ``list(call)`` go on: that asks for the length first, as a hint."""


def _refuse(self: Unresolved, *operands: object) -> NoReturn:
    raise UsageError(self._kk_hint())


class Unresolved:
    """Refuses the operators of values, with the cure for a forgotten ``await`` or ``()``.

    Not ``==`` and ``hash``: whatever keeps objects apart needs them.
    """

    __slots__ = ()

    def _kk_hint(self) -> str:
        """What this is, and how to get the value that was meant."""
        raise NotImplementedError

    __bool__ = __int__ = __float__ = __index__ = __round__ = _refuse
    __neg__ = __pos__ = __abs__ = __invert__ = _refuse
    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = _refuse
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = _refuse
    __matmul__ = __divmod__ = __and__ = __or__ = __xor__ = __lshift__ = __rshift__ = _refuse
    __rmatmul__ = __rdivmod__ = __rand__ = __ror__ = __rxor__ = __rlshift__ = __rrshift__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = _refuse

    def __len__(self) -> NoReturn:
        raise _NoLength(self._kk_hint())


class RemoteName(Unresolved):
    """What a Remote is, as far as others must know: a name, and no value to send."""

    __slots__ = ()
