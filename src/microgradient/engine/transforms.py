"""Functions of functions: gradients and other derivatives in JAX's calling style.

Each transform records one evaluation of ``f`` on fresh nodes and sweeps over that graph. Nothing is
mutated and there is no global trace, so transforms nest and run in threads. For floats they return
floats. For Values they return Values, which can be differentiated again; the same holds if ``f``
closes over the variable of an outer transform. An inner transform differentiates only by the nodes
that it made, so it cannot confuse them with an outer one's variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Protocol, TypeVar, overload

from microgradient.engine import ops
from microgradient.engine.graph import topological_order
from microgradient.engine.number import as_float, shown
from microgradient.engine.op import Operand
from microgradient.engine.services.trees import Tree, leaves, matching_leaves, rebuild, tree_map
from microgradient.engine.sweeps import adjoints, dependents, tangents
from microgradient.engine.symbol import Symbol
from microgradient.engine.value import Value, constant

ArgNums = int | tuple[int, ...]
S = TypeVar("S")  # a number, a Value, or nested lists, tuples and dicts of them


class Gradient(Protocol):
    """The gradient by the first argument, which has the structure of that argument."""

    @overload
    def __call__(self, x: float, /, *args: Any, **kwargs: Any) -> float: ...
    @overload
    def __call__(self, x: S, /, *args: Any, **kwargs: Any) -> S: ...


class ValueAndGradient(Protocol):
    """The value of a function, and its gradient as in ``Gradient``."""

    @overload
    def __call__(self, x: float, /, *args: Any, **kwargs: Any) -> tuple[float, float]: ...
    @overload
    def __call__(self, x: S, /, *args: Any, **kwargs: Any) -> tuple[Any, S]: ...


@overload
def grad(f: Callable[..., Any]) -> Gradient: ...
@overload
def grad(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., Any]: ...
def grad(f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that computes the gradient of ``f``, which must return one number.

    The gradient has the structure of the argument ``argnums``: a number, or nested lists, tuples
    and dicts of numbers. For several ``argnums`` it is a tuple of gradients. With ``has_aux``,
    ``f`` returns ``(number, anything)`` and the result is ``(gradient, anything)``. Uses reverse
    mode: the cost does not depend on the number of inputs. Raises TypeError unless ``f`` returns
    one number.
    """
    both = value_and_grad(f, argnums, has_aux)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradients = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


@overload
def value_and_grad(f: Callable[..., Any]) -> ValueAndGradient: ...
@overload
def value_and_grad(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]: ...
def value_and_grad(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """Return a function that computes ``(f(...), gradient)``; see :func:`grad`.

    With ``has_aux`` it computes ``((number, anything), gradient)``.
    """

    @wraps(f)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        run = _Recording(f, args, kwargs, argnums)
        output, aux = _split(run.output) if has_aux else (run.output, None)
        output = _scalar(output)
        gradients = run.like_inputs(run.reverse([(output, 1.0)]))
        value = run.result(output)
        return ((value, tree_map(run.result, aux)) if has_aux else value), gradients

    return both


def derivative(f: Callable[[Any], Any], order: int = 1) -> Callable[[Any], Any]:
    """Return the ``order``-th derivative of ``f``, a function of one number (forward mode).

    ``f`` may return a nested structure; its derivative has the same structure.
    """
    if not isinstance(order, int) or order < 0:
        raise ValueError(f"derivative expects an order of 0, 1, 2, …, got {order!r}")

    def slope(g: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return wraps(f)(lambda x: jvp(g, (x,), (1.0,))[1])

    result = f
    for _ in range(order):
        result = slope(result)
    return result


def vjp(f: Callable[..., Any], *primals: Tree) -> tuple[Any, Callable[[Tree], tuple[Any, ...]]]:
    """Return ``f(*primals)``, and the function that pulls a cotangent back to the primals.

    That function takes a cotangent with the structure of the output, and returns a tuple with one
    cotangent for each primal: vector times Jacobian, in reverse mode.
    """
    run = _Recording(f, primals, {}, tuple(range(len(primals))))
    run.check_output("vjp")

    def pull_back(cotangent: Tree) -> tuple[Any, ...]:
        weights = map(_number, matching_leaves(cotangent, run.output, "a cotangent"))
        return tuple(run.like_inputs(run.reverse(list(zip(leaves(run.output), weights)))))

    return tree_map(run.result, run.output), pull_back


def jvp(
    f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree]
) -> tuple[Any, Any]:
    """Return ``f(*primals)`` and its derivative in the direction ``tangents``.

    ``tangents`` holds one tangent for each primal, of the same structure. The derivative is the
    Jacobian times the tangents, in forward mode.
    """
    directions = [_number(x) for x in matching_leaves(tuple(tangents), tuple(primals), "tangents")]
    run = _Recording(f, primals, {}, tuple(range(len(primals))))
    run.check_output("jvp")
    return tree_map(run.result, run.output), rebuild(run.output, iter(run.forward(directions)))


def jacobian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """Return a function that computes the derivatives of every output of ``f`` by every input.

    The result has the structure of the output, with the structure of the argument in place of each
    number, as in JAX: for lists, ``jacobian(f)(x)[i][j]`` is d f(x)[i] / d x[j]. Uses forward mode
    if there are fewer inputs than outputs, else reverse mode.
    """

    @wraps(f)
    def derivatives(*args: Any, **kwargs: Any) -> Any:
        run = _Recording(f, args, kwargs, argnums)
        run.check_output("jacobian")
        outputs = leaves(run.output)
        if 0 < len(run.inputs) < len(outputs):
            columns = [run.forward(e) for e in _units(len(run.inputs))]
            rows = [run.like_inputs(list(row)) for row in zip(*columns)]
        else:
            rows = [run.like_inputs(run.reverse([(y, 1.0)])) for y in outputs]
        return rebuild(run.output, iter(rows))

    return derivatives


def hessian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """Return a function that computes all second derivatives of ``f``, which returns one number.

    For a list argument, ``hessian(f)(x)[i][j]`` is d2 f / d x[i] d x[j]; in general the result has
    the structure of ``jacobian(grad(f))``.
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree]) -> Any:
    """Return the Hessian of ``f`` at ``primals`` times ``tangents``, without forming the Hessian.

    ``tangents`` holds one tangent for each primal, of the same structure. The result has the
    structure of the primal, or is a tuple for several primals. Uses forward over reverse mode.
    """
    argnums = 0 if len(primals) == 1 else tuple(range(len(primals)))
    return jvp(grad(f, argnums), primals, tangents)[1]


class _Recording:
    """One evaluation of ``f`` on fresh nodes, ready to be swept over.

    While ``f`` runs, these nodes carry the mark ``argument``. So a node that carries it in a
    finished recording is the variable of an enclosing transform, which will differentiate the
    result: then the sweeps must make Values.
    """

    def __init__(
        self, f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], argnums: ArgNums
    ) -> None:
        self._single = isinstance(argnums, int)
        places = (argnums,) if isinstance(argnums, int) else argnums
        chosen = [_position(i, len(args)) for i in places]
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"argnums must name each argument once, got {argnums}")
        self._arguments = [args[i] for i in chosen]
        given = leaves(self._arguments)
        self.inputs = [_variable(x) for x in given]
        fresh = rebuild(self._arguments, iter(self.inputs))
        arguments = list(args)
        for i, argument in zip(chosen, fresh):
            arguments[i] = argument
        try:
            self.output = f(*arguments, **kwargs)
        finally:
            for x in self.inputs:
                if type(x) is Value:
                    x.op = ops.passed if x.parents else None  # f has ended: no variable any more
        results = leaves(self.output)
        self._symbol = next((x for x in (*given, *results) if isinstance(x, Symbol)), None)
        self._order = topological_order(*(y for y in results if type(y) is Value))
        self._active = dependents(self._order, self.inputs)
        self._nested = any(isinstance(x, Operand) for x in given) or any(
            node.op is ops.argument for node in self._order
        )

    def check_output(self, transform: str) -> None:
        """Raise TypeError unless the output consists of numbers."""
        for y in leaves(self.output):
            try:
                _number(y)
            except TypeError as fault:
                raise TypeError(
                    f"{transform} expects a function that returns numbers, or nested lists, tuples "
                    f"and dicts of them: {fault}"
                ) from None

    def reverse(self, seeds: Sequence[tuple[Any, Any]]) -> list[Any]:
        """Return the adjoint of each input, given pairs of a result and its adjoint."""
        if self._symbol is not None:
            return self._symbol.adjoints(self.inputs, seeds)
        total: dict[Value, Any] = {}
        for node, weight in seeds:
            if type(node) is Value:
                total[node] = total[node] + weight if node in total else weight
        adjoint = adjoints(self._order, total, self._active, as_graph=self._nested)
        return [self._lifted(adjoint.get(x, 0.0)) for x in self.inputs]

    def forward(self, directions: Sequence[Any]) -> list[Any]:
        """Return the tangent of each number of the output, given those of the inputs."""
        results = leaves(self.output)
        if self._symbol is not None:
            return self._symbol.tangents(self.inputs, directions, results)
        seeds = dict(zip(self.inputs, directions))
        tangent = tangents(self._order, seeds, self._active, as_graph=self._nested)
        return [self._lifted(tangent.get(y, 0.0) if type(y) is Value else 0.0) for y in results]

    def like_inputs(self, numbers: list[Any]) -> Any:
        """Return ``numbers``, one for each input, in the structure of the arguments."""
        trees = rebuild(self._arguments, iter(numbers))
        return trees[0] if self._single else tuple(trees)

    def result(self, y: Any) -> Any:
        """Return a number of the output, as a float unless it may be differentiated again."""
        return y.data if type(y) is Value and not self._nested else y

    def _lifted(self, x: Any) -> Any:
        return constant(x) if self._nested and not isinstance(x, Operand) else x


def _variable(x: Any) -> Any:
    """Return a fresh node with the number of ``x``, to differentiate by."""
    if isinstance(x, Operand):
        return x.record(ops.argument, (x,))
    variable = Value(x)
    variable.op = ops.argument
    return variable


def _position(i: int, count: int) -> int:
    if not -count <= i < count:
        raise ValueError(f"argnums must name one of the {count} positional arguments, got {i}")
    return i % count


def _split(output: Any) -> tuple[Any, Any]:
    if not isinstance(output, tuple) or len(output) != 2:
        raise TypeError(f"with has_aux, f must return (number, anything), got {shown(output)}")
    return output


def _scalar(output: Any) -> Any:
    try:
        return _number(output)
    except TypeError:
        raise TypeError(
            f"grad expects a function that returns one number, got {shown(output)}; "
            "write jacobian(f) for several"
        ) from None


def _number(x: Any) -> Any:
    return x if isinstance(x, Operand) else as_float(x)


def _units(n: int) -> Iterator[list[float]]:
    return ([1.0 if i == j else 0.0 for j in range(n)] for i in range(n))
