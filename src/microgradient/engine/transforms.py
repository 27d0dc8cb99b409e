"""Functions of functions: gradients and other derivatives in JAX's calling style.

Each transform records one evaluation of ``f`` on fresh nodes (``engine/recording.py``) and sweeps
over that graph. Nothing is mutated and there is no global trace, so transforms nest and run in
threads. For floats they return floats. For Values, among whichever arguments, they return Values,
which can be differentiated again; the same holds if ``f`` closes over the variable of an outer
transform. An inner transform differentiates only by the nodes that it made, so it cannot confuse
them with an outer one's variable.

Arguments and results are trees of numbers (``engine/services/trees.py``). ``argnums`` gives the
position or the name of the argument to differentiate by, or a sequence of them. With ``has_aux``,
``f`` returns ``(output, anything)``, and the transform returns that too, after its own results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial, wraps
from typing import Any, Protocol, TypeVar, overload

from microgradient.engine.number import shown
from microgradient.engine.op import Operand
from microgradient.engine.recording import ArgNums, Recording, number
from microgradient.engine.services.origins import made_by
from microgradient.engine.services.trees import Tree, matching_leaves, tree_map
from microgradient.engine.sparse import sparse_jacobian

S = TypeVar("S")  # a number, a Value, or a tree of them
T = TypeVar("T", bound=Operand)


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


class SecondDerivatives(Protocol):
    """A Hessian, or the Jacobian of a function that returns what it takes."""

    @overload
    def __call__(self, x: float, /, *args: Any, **kwargs: Any) -> float: ...
    @overload
    def __call__(self, x: T, /, *args: Any, **kwargs: Any) -> T: ...
    @overload
    def __call__(self, x: list[float], /, *args: Any, **kwargs: Any) -> list[list[float]]: ...
    @overload
    def __call__(self, x: Any, /, *args: Any, **kwargs: Any) -> Any: ...


class RowsOfDerivatives(Protocol):
    """The Jacobian of a function that returns a list."""

    @overload
    def __call__(self, x: float, /, *args: Any, **kwargs: Any) -> list[float]: ...
    @overload
    def __call__(self, x: list[float], /, *args: Any, **kwargs: Any) -> list[list[float]]: ...
    @overload
    def __call__(self, x: Any, /, *args: Any, **kwargs: Any) -> Any: ...


@overload
def grad(f: Callable[..., Any]) -> Gradient: ...
@overload
def grad(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., Any]: ...
def grad(f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that computes the gradient of ``f``, which must return one number.

    The gradient has the structure of the argument ``argnums``: a number, an array, or nested lists,
    tuples and dicts of them. For several ``argnums`` it is a tuple of gradients. With ``has_aux``,
    ``f`` returns ``(number, anything)`` and the result is ``(gradient, anything)``. Uses reverse
    mode: the cost does not depend on the number of inputs. Raises TypeError unless ``f`` returns
    one number.
    """
    both = _value_and_grad("grad", f, argnums, has_aux)

    @made_by(grad, f, argnums, has_aux)
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
    both = _value_and_grad("value_and_grad", f, argnums, has_aux)
    return made_by(value_and_grad, f, argnums, has_aux)(both)


def _value_and_grad(
    name: str, f: Callable[..., Any], argnums: ArgNums, has_aux: bool
) -> Callable[..., tuple[Any, Any]]:
    _check_function(name, f)

    @wraps(f)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        run = Recording(f, args, kwargs, argnums, has_aux)
        output = _scalar(run)
        gradients = run.like_inputs(run.reverse([(output, 1.0)]))
        value = run.result(output)
        return ((value, tree_map(run.result, run.aux)) if has_aux else value), gradients

    return both


def derivative(f: Callable[[Any], Any], order: int = 1, has_aux: bool = False) -> SecondDerivatives:
    """Return the ``order``-th derivative of ``f``, a function of one number (forward mode).

    ``f`` may return a tree of numbers; its derivative has the same structure.
    """
    _check_function("derivative", f)
    if type(order) is not int or order < 0:
        raise ValueError(f"derivative expects an order of 0, 1, 2, …, got {order!r}")

    def slope(g: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @wraps(f)
        def at(x: Any) -> Any:
            try:
                x = number(x)
            except TypeError as fault:
                raise TypeError(f"derivative is by one number: {fault}; see jacobian") from None
            _, *rest = jvp(g, (x,), (1.0,), has_aux)
            return tuple(rest) if has_aux else rest[0]

        return at

    result = f
    for _ in range(order):
        result = slope(result)
    return made_by(derivative, f, order, has_aux)(result) if order else f


def vjp(f: Callable[..., Any], *primals: Tree, has_aux: bool = False) -> tuple[Any, ...]:
    """Return ``f(*primals)``, and the function that pulls a cotangent back to the primals.

    That function takes a cotangent with the structure of the output, and returns a tuple with one
    cotangent for each primal: vector times Jacobian, in reverse mode.
    """
    _check_function("vjp", f)
    run = Recording(f, primals, {}, tuple(range(len(primals))), has_aux)
    run.check_output("vjp")

    def pull_back(cotangent: Tree) -> tuple[Any, ...]:
        weights = map(number, matching_leaves(cotangent, run.output, "a cotangent"))
        adjoints: tuple[Any, ...] = run.like_inputs(run.reverse(list(zip(run.outputs, weights))))
        return adjoints

    return _with_aux(run, has_aux, tree_map(run.result, run.output), pull_back)


def jvp(
    f: Callable[..., Any],
    primals: Sequence[Tree],
    tangents: Sequence[Tree],
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """Return ``f(*primals)`` and its derivative in the direction ``tangents``.

    ``tangents`` holds one tangent for each primal, of the same structure. The derivative is the
    Jacobian times the tangents, in forward mode.
    """
    _check_sequences("jvp", primals, tangents)
    output, push, *aux = _linearized("jvp", f, tuple(primals), has_aux)
    return output, push(*tangents), *aux


def linearize(f: Callable[..., Any], *primals: Tree, has_aux: bool = False) -> tuple[Any, ...]:
    """Return ``f(*primals)``, and the function that pushes tangents forward to the output.

    That function takes one tangent for each primal: the Jacobian times them, in forward mode. ``f``
    is evaluated once for any number of directions.
    """
    return _linearized("linearize", f, primals, has_aux)


def _linearized(
    name: str, f: Callable[..., Any], primals: tuple[Tree, ...], has_aux: bool
) -> tuple[Any, ...]:
    _check_function(name, f)
    run = Recording(f, primals, {}, tuple(range(len(primals))), has_aux)
    run.check_output(name)

    def push(*tangents: Tree) -> Any:
        directions = [number(x) for x in matching_leaves(tangents, primals, "tangents")]
        return run.like_output(run.forward(directions))

    return _with_aux(run, has_aux, tree_map(run.result, run.output), push)


@overload
def jacobian(f: Callable[..., list[Any]]) -> RowsOfDerivatives: ...
@overload
def jacobian(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False, sparse: bool = False
) -> Callable[..., Any]: ...
def jacobian(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False, sparse: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the derivatives of every output of ``f`` by every input.

    The result has the structure of the output, with the structure of the argument in place of each
    number, as in JAX: for lists, ``jacobian(f)(x)[i][j]`` is d f(x)[i] / d x[j]. The derivative of
    an array by an array is one array, which has the shapes of both. Uses forward mode (``jacfwd``)
    if there are fewer inputs than outputs, else reverse mode (``jacrev``).

    With ``sparse``, ``f`` maps one list or one-dimensional array to another, and the result is a
    ``csr_array`` of SciPy, in forward mode: one sweep for all inputs. It has an entry where the
    graph leads from an input to an output, even if the derivative is 0 there.
    """
    way = partial(sparse_jacobian, "jacobian") if sparse else _dense(_cheaper)
    derivatives = _jacobian("jacobian", f, argnums, has_aux, way)
    return made_by(jacobian, f, argnums, has_aux, sparse)(derivatives)


def jacfwd(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return :func:`jacobian` in forward mode: one sweep for each input."""
    derivatives = _jacobian("jacfwd", f, argnums, has_aux, _dense(_by_columns))
    return made_by(jacfwd, f, argnums, has_aux)(derivatives)


def jacrev(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return :func:`jacobian` in reverse mode: one sweep for each output."""
    derivatives = _jacobian("jacrev", f, argnums, has_aux, _dense(_by_rows))
    return made_by(jacrev, f, argnums, has_aux)(derivatives)


def _jacobian(
    name: str,
    f: Callable[..., Any],
    argnums: ArgNums,
    has_aux: bool,
    way: Callable[[Recording], Any],
) -> Callable[..., Any]:
    _check_function(name, f)

    @wraps(f)
    def derivatives(*args: Any, **kwargs: Any) -> Any:
        run = Recording(f, args, kwargs, argnums, has_aux)
        run.check_output(name)
        result = way(run)
        return (result, tree_map(run.result, run.aux)) if has_aux else result

    return derivatives


def _dense(rows_of: Callable[[Recording], Sequence[Sequence[Any]]]) -> Callable[[Recording], Any]:
    return lambda run: run.jacobian(rows_of(run))


def _by_rows(run: Recording) -> Sequence[Sequence[Any]]:
    return [run.reverse([(y, 1.0)]) for y in run.outputs]


def _by_columns(run: Recording) -> Sequence[Sequence[Any]]:
    columns = [run.forward(e) for e in _units(len(run.inputs))]
    return list(zip(*columns)) if columns else [()] * len(run.outputs)


def _cheaper(run: Recording) -> Sequence[Sequence[Any]]:
    return (_by_columns if len(run.inputs) < len(run.outputs) else _by_rows)(run)


@overload
def hessian(f: Callable[..., Any]) -> SecondDerivatives: ...
@overload
def hessian(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False, sparse: bool = False
) -> Callable[..., Any]: ...
def hessian(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False, sparse: bool = False
) -> Callable[..., Any]:
    """Return a function that computes all second derivatives of ``f``, which returns one number.

    For a list argument, ``hessian(f)(x)[i][j]`` is d2 f / d x[i] d x[j], for an array ``[i, j]``;
    in general the result has the structure of ``jacobian(grad(f))``. ``sparse`` is that of
    :func:`jacobian`; the argument is then a list or a one-dimensional array.
    """
    _check_function("hessian", f)
    way = partial(sparse_jacobian, "hessian") if sparse else _dense(_cheaper)
    second = _jacobian("hessian", grad(f, argnums, has_aux), argnums, has_aux, way)
    return made_by(hessian, f, argnums, has_aux, sparse)(second)


def hvp(
    f: Callable[..., Any],
    primals: Sequence[Tree],
    tangents: Sequence[Tree],
    has_aux: bool = False,
) -> Any:
    """Return the Hessian of ``f`` at ``primals`` times ``tangents``, without forming the Hessian.

    ``tangents`` holds one tangent for each primal, of the same structure. The result has the
    structure of the primal, or is a tuple for several primals. Uses forward over reverse mode.
    """
    _check_function("hvp", f)
    _check_sequences("hvp", primals, tangents)
    argnums = 0 if len(primals) == 1 else tuple(range(len(primals)))
    _, *rest = jvp(grad(f, argnums, has_aux), primals, tangents, has_aux)
    return tuple(rest) if has_aux else rest[0]


def _with_aux(run: Recording, has_aux: bool, *results: Any) -> tuple[Any, ...]:
    return (*results, tree_map(run.result, run.aux)) if has_aux else results


def _check_function(transform: str, f: object) -> None:
    if not callable(f):
        raise TypeError(
            f"{transform} expects a function, got {shown(f)}; give f itself, not its result f(x)"
        )


def _check_sequences(transform: str, primals: object, tangents: object) -> None:
    for what, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)):
            raise TypeError(
                f"{transform} expects a tuple of {what}, one for each argument of f, got "
                f"{shown(given)}; write {transform}(f, (x,), (t,))"
            )


def _scalar(run: Recording) -> Any:
    try:
        (output,) = run.outputs
        if output is not run.output and getattr(run.output, "shape", None) != ():
            raise TypeError
        return number(output)
    except (TypeError, ValueError):
        raise TypeError(
            f"grad expects a function that returns one real number, got {shown(run.output)}; "
            "write jacobian(f) for several"
        ) from None


def _units(n: int) -> Iterator[list[float]]:
    return ([1.0 if i == j else 0.0 for j in range(n)] for i in range(n))
