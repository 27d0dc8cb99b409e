"""Modules, which name their parameters: the neuron, the layer and the multi-layer perceptron."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, SupportsFloat, TypedDict, Unpack, cast

from microgradient.engine import ops
from microgradient.engine.number import as_float, positive, shown
from microgradient.engine.symbol import Symbol
from microgradient.engine.value import Value, constant
from microgradient.nn.initializers import Initializer, initializer_of, uniform, zeros
from microgradient.nn.responses import responses

Activation = Callable[[Value], Value]
Inputs = Iterable[Value | SupportsFloat]


def _linear(x: Value) -> Value:
    return x


ACTIVATIONS: Mapping[str, Activation] = {
    "linear": _linear,
    "relu": ops.relu,
    "leaky_relu": Value.leaky_relu,
    "elu": Value.elu,
    "gelu": ops.gelu,
    "silu": ops.silu,
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
    "softplus": ops.softplus,
    "softsign": ops.softsign,
}


_GLOBAL = cast(random.Random, random)  # the module has its generator's methods as functions
_MICROGRAD = uniform(1.0)  # micrograd's initial weights; its biases start at 0


class Module:
    """An object with parameters: the leaf Values among its attributes, and those of its modules.

    Lists, tuples and dicts are searched for both, sets and arrays are not. A Value that was
    computed is not a parameter.
    """

    def named_parameters(self) -> dict[str, Value]:
        """Return each parameter once, by a name such as ``layers.0.neurons.2.weights.1``."""
        named: dict[str, Value] = {}
        seen: set[Value] = set()
        for name, value in _values(self, "", set()):
            if value not in seen and _is_parameter(value):
                if name in named:
                    raise ValueError(f"two parameters have the name {name!r}")
                seen.add(value)
                named[name] = value
        return named

    def named_modules(self) -> dict[str, Module]:
        """Return this module, as "", and the modules within it, by names such as ``layers.0``.

        A module found in two places has both names.
        """
        return dict(_modules(self, "", set()))

    def parameters(self) -> list[Value]:
        """Return the parameters in the order of ``named_parameters``, whose names take time."""
        found: dict[Value, None] = {}
        _collect(self, found, set())
        return list(found)

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        for parameter in self.parameters():
            parameter.grad = 0.0

    def state_dict(self) -> dict[str, float]:
        """Return the number of every parameter by name."""
        return {name: parameter.data for name, parameter in self.named_parameters().items()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set every parameter from ``state``; if anything is wrong, change none.

        Raises ValueError for names that are missing or unknown and for numbers that are not finite.
        """
        parameters = self.named_parameters()
        if missing := parameters.keys() - state.keys():
            raise ValueError(f"the state lacks {_listed(missing)}")
        if unknown := state.keys() - parameters.keys():
            raise ValueError(f"the state has {_listed(unknown)}, which this module does not have")
        numbers = {name: as_float(x) for name, x in state.items()}
        if broken := [name for name, x in numbers.items() if not isfinite(x)]:
            raise ValueError(f"the state is not finite for {_listed(broken)}")
        for name, parameter in parameters.items():
            parameter.data = numbers[name]


class NeuronSettings(TypedDict, total=False):
    """The keywords of a :class:`Neuron` that layers and perceptrons pass on."""

    nonlin: bool
    initializer: str | Initializer
    bias_initializer: str | Initializer


class Neuron(Module):
    """One unit: an activation of the weighted sum of its inputs and a bias.

    ``nin`` is the number of inputs. ``activation`` is a name in ``ACTIVATIONS`` or a function of a
    Value; ``nonlin=False``, or False in its place, is micrograd's way to say
    ``activation="linear"``. ``rng`` is a ``random.Random`` or a seed; without it, ``random.seed``
    seeds the initial weights.
    """

    def __init__(
        self,
        nin: int,
        activation: str | Activation | bool = "relu",
        *,
        nonlin: bool = True,
        initializer: str | Initializer = _MICROGRAD,
        bias_initializer: str | Initializer = zeros,
        fan_out: int = 1,
        rng: random.Random | int | None = None,
    ) -> None:
        nin = positive(nin, "the number of inputs")
        rng = generator(rng)
        weight = initializer_of(initializer)
        bias = initializer_of(bias_initializer)
        self.weights = [Value(weight(rng, nin, fan_out)) for _ in range(nin)]
        self.bias = Value(bias(rng, nin, fan_out))
        if isinstance(activation, bool):  # micrograd's second argument
            activation = "relu" if activation else "linear"
        self.activation = activation_of(activation if nonlin else "linear")

    def __call__(self, inputs: Inputs) -> Value:
        xs = input_values(inputs, len(self.weights), "this neuron")
        (output,) = responses((self,), xs)
        return cast(Value, output)

    @property
    def nonlin(self) -> bool:
        """Whether the activation is anything but linear; by micrograd's name.

        Setting True gives a linear neuron micrograd's activation, relu.
        """
        return self.activation is not _linear

    @nonlin.setter
    def nonlin(self, nonlin: bool) -> None:
        if not nonlin:
            self.activation = _linear
        elif vars(self).get("activation", _linear) is _linear:  # none in a constructor of one's own
            self.activation = ops.relu

    @property
    def w(self) -> list[Value]:
        """The weights, by micrograd's name."""
        return self.weights

    @w.setter
    def w(self, weights: list[Value]) -> None:
        self.weights = weights

    @property
    def b(self) -> Value:
        """The bias, by micrograd's name."""
        return self.bias

    @b.setter
    def b(self, bias: Value) -> None:
        self.bias = bias

    def __repr__(self) -> str:
        return f"Neuron({len(self.weights)})"


class Layer(Module):
    """Neurons that read the same inputs. A call returns the list of their outputs.

    For a single neuron it returns its Value instead, as in micrograd; ``outputs`` always returns a
    list. The keywords are those of :class:`Neuron`.
    """

    def __init__(
        self,
        nin: int,
        nout: int,
        activation: str | Activation = "relu",
        *,
        rng: random.Random | int | None = None,
        **keywords: Unpack[NeuronSettings],
    ) -> None:
        nout = positive(nout, "the number of neurons")
        rng = generator(rng)
        self.neurons = [
            Neuron(nin, activation, rng=rng, fan_out=nout, **keywords) for _ in range(nout)
        ]

    def __call__(self, inputs: Inputs) -> Any:  # the caller knows: a Value or a list
        outputs = self.outputs(inputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def outputs(self, inputs: Inputs) -> list[Value]:
        """Return the outputs as a list, also for a single neuron."""
        if not _all_are(Neuron, self.neurons):
            given = list(inputs)  # neurons of one's own: only a call knows what they do
            return [neuron(given) for neuron in self.neurons]
        xs = input_values(inputs, len(self.neurons[0].weights), "this layer")
        return responses(self.neurons, xs)

    def __repr__(self) -> str:
        if not _all_are(Neuron, self.neurons):
            return f"Layer of {self.neurons}"
        return f"Layer({len(self.neurons[0].weights)}, {len(self.neurons)})"


class MLP(Module):
    """A multi-layer perceptron: ``MLP(2, [16, 16, 1])`` has two hidden layers of 16.

    ``activation`` is that of every layer but the last, which has ``output``, or a sequence with one
    for each layer. The keywords are those of :class:`Neuron`. A call returns a list of outputs, or
    one Value if the last layer has one neuron.
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        activation: str | Activation | Sequence[str | Activation] = "relu",
        *,
        output: str | Activation = "linear",
        rng: random.Random | int | None = None,
        **keywords: Unpack[NeuronSettings],
    ) -> None:
        if not isinstance(nouts, Sequence):
            raise TypeError(f"expected the layers' sizes, such as [16, 1], got {shown(nouts)}")
        if not nouts:
            raise ValueError("an MLP needs at least one layer, got none")
        if isinstance(activation, str) or callable(activation):
            activation = [activation_of(activation)] * (len(nouts) - 1) + [output]
        if len(activation) != len(nouts):
            raise ValueError(
                f"the number of activations must be that of the layers, {len(nouts)}, "
                f"got {len(activation)}"
            )
        rng = generator(rng)
        widths = [nin, *nouts]
        self.layers = [
            Layer(n_in, n_out, name, rng=rng, **keywords)
            for n_in, n_out, name in zip(widths, nouts, activation)
        ]

    def __call__(self, inputs: Inputs) -> Any:  # the caller knows: a Value or a list
        xs = inputs
        for layer in self.layers:
            xs = outputs = _outputs(layer, xs)
        return outputs[0] if len(outputs) == 1 else outputs

    def __repr__(self) -> str:
        if not _all_are(Layer, self.layers) or not self.layers[0].neurons:
            return f"MLP of {self.layers}"
        sizes = [len(layer.neurons) for layer in self.layers]
        return f"MLP({len(self.layers[0].neurons[0].weights)}, {sizes})"


def _all_are(kind: type[Module], parts: Sequence[Module]) -> bool:
    """Return whether there are parts, and all are called as those of this ``kind`` are."""
    types = set(map(type, parts))
    return types == {kind} or (bool(types) and all(t.__call__ is kind.__call__ for t in types))


def _outputs(layer: Callable[[Inputs], Any], inputs: Inputs) -> list[Value]:
    """Return the outputs of a layer as a list; one of the user's own is called, as in micrograd."""
    if type(layer).__call__ is Layer.__call__:
        return cast(Layer, layer).outputs(inputs)
    outputs = layer(inputs)
    return list(outputs) if isinstance(outputs, Iterable) else [outputs]


def activation_of(activation: str | Activation) -> Activation:
    """Return the activation that ``ACTIVATIONS`` has by that name, or the function given."""
    if callable(activation):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"activation must be one of {', '.join(ACTIVATIONS)}, or a function of a Value, "
            f"got {shown(activation)}"
        )
    return ACTIVATIONS[activation]


def generator(rng: random.Random | int | None) -> random.Random:
    """Return ``rng``, a new generator from a seed, or for None the one that random.seed seeds."""
    if rng is None or rng is _GLOBAL:
        return _GLOBAL
    if isinstance(rng, bool) or not isinstance(rng, random.Random | int):
        raise TypeError(f"expected a seed or a random.Random, got {shown(rng)}")
    return rng if isinstance(rng, random.Random) else random.Random(rng)


def input_values(inputs: Inputs, expected: int, who: str) -> list[Value]:
    """Return ``inputs`` as Values, numbers as constants; ValueError unless ``expected`` many."""
    if not isinstance(inputs, Iterable):
        raise TypeError(f"{who} expects a sequence of inputs, got {shown(inputs)}")
    xs: list[Any] = list(inputs)
    if set(map(type, xs)) != {Value}:
        xs = [x if type(x) is Value or isinstance(x, Symbol) else constant(x) for x in xs]
    if len(xs) != expected:
        raise ValueError(f"the number of inputs of {who} is {expected}, got {len(xs)}")
    return xs


def _is_parameter(value: Value) -> bool:
    return not value.parents and value.op is not ops.constant


def _collect(thing: Any, found: dict[Value, None], seen: set[int]) -> None:
    """Add the parameters in ``thing`` to ``found``, as ``_values`` finds them."""
    if id(thing) in seen:
        return
    if isinstance(thing, Module):
        parts: Iterable[Any] = vars(thing).values()
    elif isinstance(thing, (list, tuple)):
        parts = thing
    elif isinstance(thing, Mapping):
        parts = thing.values()
    else:
        return
    seen.add(id(thing))
    for part in parts:
        if type(part) is not Value:
            _collect(part, found, seen)
        elif _is_parameter(part):
            found[part] = None


def _values(thing: Any, name: str, inside: set[int]) -> Iterator[tuple[str, Value]]:
    """Yield the Values in ``thing`` with their names, skipping a module found within itself."""
    if type(thing) is Value:
        yield name, thing
    for path, part, around in _parts(thing, name, inside):
        yield from _values(part, path, around)


def _modules(thing: Any, name: str, inside: set[int]) -> Iterator[tuple[str, Module]]:
    """Yield the modules in ``thing`` with their names, each before those within it."""
    if isinstance(thing, Module) and id(thing) not in inside:
        yield name, thing
    for path, part, around in _parts(thing, name, inside):
        yield from _modules(part, path, around)


def _parts(thing: Any, name: str, inside: set[int]) -> Iterator[tuple[str, Any, set[int]]]:
    """Yield each part of a module or container: its name, itself, and what encloses it."""
    if isinstance(thing, (Module, Mapping, list, tuple)):
        if id(thing) in inside:
            return
        inside = inside | {id(thing)}
    if isinstance(thing, Module):
        thing = vars(thing)
    if isinstance(thing, Mapping):
        parts: Iterable[tuple[Any, Any]] = thing.items()
    elif isinstance(thing, (list, tuple)):
        parts = enumerate(thing)
    else:
        return
    for key, part in parts:
        yield f"{name}.{key}" if name else str(key), part, inside


def _listed(names: Iterable[str], limit: int = 5) -> str:
    names = sorted(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + more
