"""Nested lists, tuples, named tuples and dicts of numbers, flattened and rebuilt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from microgradient.engine.number import shown

Tree = Any  # a number, a Value, or a list, tuple or dict of trees


def leaves(tree: Tree) -> list[Any]:
    """Return the leaves of ``tree`` from left to right; those of a dict in its order."""
    return (
        [leaf for child in children for leaf in leaves(child)]
        if (children := _children(tree)) is not None
        else [tree]
    )


def rebuild(tree: Tree, new_leaves: Iterator[Any]) -> Tree:
    """Return a tree shaped like ``tree`` with its leaves taken from ``new_leaves`` in order."""
    children = _children(tree)
    if children is None:
        return next(new_leaves)
    parts = [rebuild(child, new_leaves) for child in children]
    if isinstance(tree, dict):
        return dict(zip(tree, parts))
    if hasattr(tree, "_fields"):  # a named tuple
        return type(tree)(*parts)
    return type(tree)(parts)


def tree_map(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """Return ``tree`` with ``function`` applied to each leaf."""
    return rebuild(tree, map(function, leaves(tree)))


def matching_leaves(tree: Tree, like: Tree, what: str) -> list[Any]:
    """Return the leaves of ``tree`` in the order of ``like``; ValueError unless of equal shape."""
    try:
        return list(_matched(tree, like))
    except _Mismatch:
        raise ValueError(f"{what} must be shaped like {shown(like)}, got {shown(tree)}") from None


def _children(tree: Tree) -> list[Any] | None:
    if isinstance(tree, dict):
        return list(tree.values())
    return list(tree) if isinstance(tree, (list, tuple)) else None


class _Mismatch(Exception):
    pass


def _matched(tree: Tree, like: Tree) -> Iterator[Any]:
    if isinstance(like, dict):
        if not isinstance(tree, dict) or tree.keys() != like.keys():
            raise _Mismatch
        pairs = [(tree[key], like[key]) for key in like]
    elif isinstance(like, (list, tuple)):
        if not isinstance(tree, (list, tuple)) or len(tree) != len(like):
            raise _Mismatch
        pairs = list(zip(tree, like))
    elif isinstance(tree, (dict, list, tuple)):
        raise _Mismatch
    else:
        yield tree
        return
    for part, pattern in pairs:
        yield from _matched(part, pattern)
