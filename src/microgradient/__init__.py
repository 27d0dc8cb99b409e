"""A scalar reverse-mode autodiff engine, and the networks of 1986 that it trains."""

from importlib import import_module as _import_module
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi
from math import tau as tau
from typing import TYPE_CHECKING

from microgradient import nn as nn
from microgradient.compiler.compiled import Compiled as Compiled
from microgradient.compiler.compiled import compile as compile
from microgradient.compiler.program.errors import CompileError as CompileError
from microgradient.compiler.program.program import Program as Program
from microgradient.engine.choice import detach as detach
from microgradient.engine.choice import stop_gradient as stop_gradient
from microgradient.engine.choice import where as where
from microgradient.engine.custom_derivatives import custom_jvp as custom_jvp
from microgradient.engine.custom_derivatives import custom_vjp as custom_vjp
from microgradient.engine.graph import topological_order as topological_order
from microgradient.engine.op import Op as Op
from microgradient.engine.ops import OPS as OPS
from microgradient.engine.ops import abs as abs
from microgradient.engine.ops import acos as acos
from microgradient.engine.ops import acosh as acosh
from microgradient.engine.ops import add as add
from microgradient.engine.ops import asin as asin
from microgradient.engine.ops import asinh as asinh
from microgradient.engine.ops import atan as atan
from microgradient.engine.ops import atan2 as atan2
from microgradient.engine.ops import atanh as atanh
from microgradient.engine.ops import cbrt as cbrt
from microgradient.engine.ops import ceil as ceil
from microgradient.engine.ops import clip as clip
from microgradient.engine.ops import cos as cos
from microgradient.engine.ops import cosh as cosh
from microgradient.engine.ops import degrees as degrees
from microgradient.engine.ops import digamma as digamma
from microgradient.engine.ops import div as div
from microgradient.engine.ops import dot as dot
from microgradient.engine.ops import elu as elu
from microgradient.engine.ops import erf as erf
from microgradient.engine.ops import erfc as erfc
from microgradient.engine.ops import erfinv as erfinv
from microgradient.engine.ops import exp as exp
from microgradient.engine.ops import exp2 as exp2
from microgradient.engine.ops import expm1 as expm1
from microgradient.engine.ops import floor as floor
from microgradient.engine.ops import fsum as fsum
from microgradient.engine.ops import gamma as gamma
from microgradient.engine.ops import gelu as gelu
from microgradient.engine.ops import hypot as hypot
from microgradient.engine.ops import leaky_relu as leaky_relu
from microgradient.engine.ops import lgamma as lgamma
from microgradient.engine.ops import log as log
from microgradient.engine.ops import log1p as log1p
from microgradient.engine.ops import log2 as log2
from microgradient.engine.ops import log10 as log10
from microgradient.engine.ops import logsigmoid as logsigmoid
from microgradient.engine.ops import logsumexp as logsumexp
from microgradient.engine.ops import maximum as maximum
from microgradient.engine.ops import minimum as minimum
from microgradient.engine.ops import mod as mod
from microgradient.engine.ops import mul as mul
from microgradient.engine.ops import neg as neg
from microgradient.engine.ops import polygamma as polygamma
from microgradient.engine.ops import pow as pow
from microgradient.engine.ops import prod as prod
from microgradient.engine.ops import radians as radians
from microgradient.engine.ops import reciprocal as reciprocal
from microgradient.engine.ops import relu as relu
from microgradient.engine.ops import sigmoid as sigmoid
from microgradient.engine.ops import sigmoid_slope as sigmoid_slope
from microgradient.engine.ops import sign as sign
from microgradient.engine.ops import silu as silu
from microgradient.engine.ops import sin as sin
from microgradient.engine.ops import sinc as sinc
from microgradient.engine.ops import sinc_derivative as sinc_derivative
from microgradient.engine.ops import sinh as sinh
from microgradient.engine.ops import softmax_cross_entropy as softmax_cross_entropy
from microgradient.engine.ops import softplus as softplus
from microgradient.engine.ops import softsign as softsign
from microgradient.engine.ops import sqrt as sqrt
from microgradient.engine.ops import square as square
from microgradient.engine.ops import step as step
from microgradient.engine.ops import sub as sub
from microgradient.engine.ops import tan as tan
from microgradient.engine.ops import tanh as tanh
from microgradient.engine.services.anomaly import detect_anomaly as detect_anomaly
from microgradient.engine.services.attributes import attributes as attributes
from microgradient.engine.services.watching import watch as watch
from microgradient.engine.take import take as take
from microgradient.engine.transforms import derivative as derivative
from microgradient.engine.transforms import grad as grad
from microgradient.engine.transforms import hessian as hessian
from microgradient.engine.transforms import hvp as hvp
from microgradient.engine.transforms import jacfwd as jacfwd
from microgradient.engine.transforms import jacobian as jacobian
from microgradient.engine.transforms import jacrev as jacrev
from microgradient.engine.transforms import jvp as jvp
from microgradient.engine.transforms import linearize as linearize
from microgradient.engine.transforms import value_and_grad as value_and_grad
from microgradient.engine.transforms import vjp as vjp
from microgradient.engine.value import Value as Value

__version__ = "0.1.0"

if TYPE_CHECKING:
    from microgradient.view.drawing.draw import draw as draw
    from microgradient.view.graph.expand import expand as expand
    from microgradient.view.page.page import page as page
    from microgradient.view.page.steps import steps as steps
    from microgradient.view.text.explain import explain as explain
    from microgradient.view.text.trace import trace as trace
    from microgradient.view.training.diagnose import diagnose as diagnose
    from microgradient.view.training.live import live as live
else:  # a type checker would take every name
    _VIEWS = {  # imported when asked for: together they take a fifth of the package's own time
        "draw": "microgradient.view.drawing.draw",
        "expand": "microgradient.view.graph.expand",
        "page": "microgradient.view.page.page",
        "steps": "microgradient.view.page.steps",
        "explain": "microgradient.view.text.explain",
        "trace": "microgradient.view.text.trace",
        "diagnose": "microgradient.view.training.diagnose",
        "live": "microgradient.view.training.live",
    }
    _others = ("TYPE_CHECKING", "compiler", "engine", "files", "streams")
    __all__ = [x for x in (*globals(), *_VIEWS) if not x.startswith("_") and x not in _others]

    def __dir__() -> list[str]:
        return sorted({*globals(), *_VIEWS})

    def __getattr__(name: str) -> object:
        """Import a view, or say what to write for what other libraries name otherwise."""
        if name in _VIEWS:
            found = globals()[name] = getattr(_import_module(_VIEWS[name]), name)
            return found
        elsewhere = {
            "vmap": "[f(x) for x in xs], or compile(f, batch=0) for speed",
            "jit": "compile(f)",
            "functional_call": "nn.functional_call",
            "no_grad": "v.data for a bare number, or stop_gradient(v)",
            "softmax": "[exp(x - logsumexp(xs)) for x in xs]",
            "Adam": "nn.Adam",
            "SGD": "nn.GradientDescent, or nn.Momentum",
            "scan": "a loop",
            "cond": "where(condition, x, y)",
            "draw_dot": "draw",
            "elementwise_grad": "[grad(f)(x) for x in xs]",
            "make_vjp": "vjp(f, x)",
            "hessian_vector_product": "hvp",
            "array": "a list, or numpy.array: arrays may hold Values",
            "sum": "sum(xs), or fsum(xs), which is rounded once",
            "mean": "fsum(xs) / len(xs)",
            "power": "pow",
            **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "tan2")},
            **{f"arc{name}": f"a{name}" for name in ("sinh", "cosh", "tanh")},
        }
        hint = f"; write {elsewhere[name]}" if name in elsewhere else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
