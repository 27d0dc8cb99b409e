"""Attributes of one's own on Values, such as the moments that an optimizer keeps on parameters."""

from __future__ import annotations

from typing import Any

from microgradient.engine.number import shown
from microgradient.engine.value import Value


class _Attribute:
    """Read and write one entry of a Value's ``_attributes``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, node: Value | None, owner: type) -> Any:
        if node is None:
            return self
        try:
            return (node._attributes or {})[self._name]
        except KeyError:
            raise AttributeError(f"this Value has no attribute {self._name!r} yet") from None

    def __set__(self, node: Value, thing: Any) -> None:
        if node._attributes is None:
            node._attributes = {}
        node._attributes[self._name] = thing

    def __delete__(self, node: Value) -> None:
        self.__get__(node, Value)  # raises if there is none
        del node._attributes[self._name]  # type: ignore[union-attr]  # it is there


def attributes(*names: str) -> None:
    """Let every Value have attributes of these names, for example ``attributes("m", "v")``.

    Then ``p.m = 0.0`` works, as for an object of any other class, and is copied and pickled along.
    A Value without them takes no more memory. Why declare them? To take any name, every Value would
    need room for a dictionary, or every assignment a call. A name may be declared again. The engine
    in C never frees a Value that one of its own attributes leads back to. Raises ValueError for a
    name that is no identifier, that begins with two underscores, or that Values have already.
    """
    for name in names:
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("__"):
            raise ValueError(f"expected names of attributes, such as 'm', got {shown(name)}")
        if hasattr(Value, name) and not isinstance(vars(Value).get(name), _Attribute):
            raise ValueError(f"every Value has an attribute {name!r} already; take another name")
    for name in names:
        setattr(Value, name, _Attribute(name))
