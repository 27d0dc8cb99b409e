"""Checks of derivatives: error bounds, independent methods, proofs of rows, random graphs."""

from microgradient.check.gradients.bounds import condition as condition
from microgradient.check.gradients.bounds import error_bound as error_bound
from microgradient.check.gradients.gradient_check import check_gradient as check_gradient
from microgradient.check.gradients.gradient_check import gradient_report as gradient_report
from microgradient.check.gradients.oracles import complex_step as complex_step
from microgradient.check.gradients.oracles import dual_numbers as dual_numbers
from microgradient.check.gradients.report import GradientError as GradientError
from microgradient.check.gradients.report import GradientReport as GradientReport
from microgradient.check.operations.operation_check import OperationError as OperationError
from microgradient.check.operations.operation_check import OperationReport as OperationReport
from microgradient.check.operations.operation_check import check_op as check_op

for _error in (GradientError, OperationError):
    _error.__module__ = __name__  # so that tracebacks show where to import it from
