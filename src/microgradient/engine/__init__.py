"""The engine: a table of operations, a graph of Values, the chain rule, and its transforms."""

from microgradient.engine import pickling as _pickling  # noqa: F401  (registers how to pickle a graph)
from microgradient.engine.value import Value as Value
