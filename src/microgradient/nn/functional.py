"""A module called with other parameters, for derivatives by them: ``torch.func``'s way."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import FunctionType, MethodType
from typing import Any

from microgradient.engine.number import shown
from microgradient.engine.op import Operand
from microgradient.engine.value import Value, constant
from microgradient.nn.module import Module


def functional_call(
    module: Module,
    parameters: Mapping[str, Any],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Return what ``module`` returns for these arguments if its parameters were ``parameters``.

    ``parameters`` maps names, as in ``module.state_dict()``, to Values or numbers; the parameters
    not named are the module's own. ``args`` is a tuple of arguments; anything else is the single
    argument. The Hessian of a model's loss is
    ``hessian(lambda p: loss(functional_call(model, p, (inputs,))))(model.state_dict())``.

    The call runs on a copy of the module, so ``module`` is not changed, even for a moment: threads
    and nested calls may share it. What the call itself assigns to attributes is lost with the copy.
    Raises ValueError for a name that the module does not have, and TypeError if the module holds a
    function that closes over what is replaced: it would use the old parameters. Source: PyTorch,
    ``torch.func.functional_call``.
    """
    if not isinstance(module, Module):
        raise TypeError(f"functional_call expects a module, got {shown(module)}")
    if not isinstance(parameters, Mapping):
        raise TypeError(
            "functional_call expects parameters by name, such as model.state_dict(), got "
            f"{shown(parameters)}"
        )
    own = module.named_parameters()
    for name in parameters:
        if name not in own:
            raise ValueError(f"the module has no parameter {name!r}; see named_parameters()")
    substitutes = {
        own[name]: x if isinstance(x, Operand) else constant(x) for name, x in parameters.items()
    }
    arguments = args if isinstance(args, tuple) else (args,)
    return _Copy(module, substitutes).of(module)(*arguments, **(kwargs or {}))


class _Copy:
    """A copy of a module and all that it holds, with some Values replaced."""

    def __init__(self, module: Module, substitutes: Mapping[Value, Any]) -> None:
        self._substitutes = substitutes
        self._replaced = {*map(id, module.named_modules().values()), *map(id, substitutes)}
        self._copies: dict[int, Any] = {}  # by identity, so that what is shared stays shared

    def of(self, x: Any) -> Any:
        if type(x) is Value:
            return self._substitutes.get(x, x)
        if id(x) in self._copies:
            return self._copies[id(x)]
        if isinstance(x, Module):
            twin: Any = copy.copy(x)
            self._copies[id(x)] = twin
            for name, part in vars(x).items():
                vars(twin)[name] = self.of(part)
            return twin
        if isinstance(x, FunctionType):
            self._check(x)
        if isinstance(x, MethodType) and isinstance(x.__self__, Module):
            return MethodType(x.__func__, self.of(x.__self__))
        if type(x) is tuple:
            return tuple([self.of(part) for part in x])
        if isinstance(x, tuple):  # a named one
            return tuple.__new__(type(x), [self.of(part) for part in x])
        if isinstance(x, list):
            self._copies[id(x)] = twin = copy.copy(x)
            twin[:] = [self.of(part) for part in x]
            return twin
        if isinstance(x, dict):
            self._copies[id(x)] = twin = copy.copy(x)
            for key, part in x.items():
                twin[key] = self.of(part)
            return twin
        return x

    def _check(self, function: FunctionType) -> None:
        """Raise TypeError for a function whose closure holds what is replaced."""
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            try:
                held = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            if id(held) in self._replaced:
                raise TypeError(
                    f"functional_call cannot replace parameters within {shown(function)}, which "
                    f"closes over {name!r}; make it a method of the module, or pass {name!r} to it"
                )
