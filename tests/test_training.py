"""train: updates, criterion, history, progress, Ctrl-C, divergence."""

import math
import pickle
import random
import re

import numpy as np
import pytest

import microgradient as mg
from microgradient import Value, nn
from microgradient.nn.training import eager, progress
from microgradient.nn.training.objective import count_right

XOR = [((a, b), (float(a != b),)) for a in (0.0, 1.0) for b in (0.0, 1.0)]


def _model(seed=1):
    return nn.MLP(
        2, [2, 1], "sigmoid", output="sigmoid", bias_initializer=nn.uniform(1.0), rng=seed
    )


def _train(model, **keywords):
    settings = {
        "loss": nn.half_squared_error,
        "optimizer": nn.Momentum(model.parameters(), 0.5, 0.9),
        "sweeps": 2000,
        "criterion": nn.within(0.1),
        "progress": False,
    }
    return nn.train(model, XOR, **{**settings, **keywords})


@pytest.mark.parametrize("update", ["sweep", "presentation", 2])
def test_xor_is_learned(update):
    model = _model()
    history = _train(model, update=update)
    assert (history.stopped, history.met_at) == ("criterion", history.sweeps)
    assert count_right(model, XOR, nn.within(0.1)) == 4
    assert len(history.right) == history.sweeps
    assert history.errors[-1] < history.errors[0]


def test_a_sweep_sums_the_gradient_over_the_patterns():
    model, other = _model(), _model()
    _train(model, sweeps=1, optimizer=nn.GradientDescent(model.parameters(), 0.1))
    other.zero_grad()
    for inputs, targets in XOR:
        nn.half_squared_error(other(inputs), targets).backward()
    for parameter in other.parameters():
        parameter.data -= 0.1 * parameter.grad
    assert model.state_dict() == other.state_dict()


def test_presentations_change_the_weights_after_each_pattern():
    model, other = _model(), _model()
    _train(
        model, sweeps=1, update="presentation", optimizer=nn.GradientDescent(model.parameters(), 1)
    )
    for inputs, targets in XOR:
        other.zero_grad()
        nn.half_squared_error(other(inputs), targets).backward()
        for parameter in other.parameters():
            parameter.data -= parameter.grad
    assert model.state_dict() == other.state_dict()


def test_shuffling_depends_on_its_seed_alone():
    states = []
    for shuffle in (1, random.Random(1), 2):
        model = _model()
        _train(model, sweeps=5, update=1, shuffle=shuffle)
        states.append(model.state_dict())
    assert states[0] == states[1] != states[2]


def test_the_criterion_must_still_hold_after_the_last_update():
    """Each pattern is right when presented, and wrong again after the update that follows."""
    w = Value(0.0)
    history = nn.train(
        lambda x: w * x[0],
        [((1.0,), (0.0,)), ((1.0,), (0.0,))],
        loss=lambda y, d: y,
        optimizer=nn.GradientDescent([w], 0.06),
        sweeps=3,
        update=1,
        criterion=lambda ys, ds: abs(ys[0]) < 0.1,
    )
    assert history.right[0] == 2
    assert history.met_at is None


def test_training_goes_on_after_the_criterion_if_asked():
    history = _train(_model(), stop_when_met=False)
    assert (history.stopped, history.sweeps) == ("sweeps", 2000)
    assert 0 < history.met_at < 2000


def test_schedule_sets_the_optimizer():
    model = _model()
    optimizer = nn.Momentum(model.parameters(), 0.1, 0.5)
    schedule = {0: {"rate": 0.01}, 3: {"rate": 0.2, "momentum": 0.9}}
    _train(model, sweeps=3, optimizer=optimizer, schedule=schedule)
    assert (optimizer.rate, optimizer.momentum) == (0.01, 0.5)
    _train(model, sweeps=4, optimizer=optimizer, schedule=schedule)
    assert (optimizer.rate, optimizer.momentum) == (0.2, 0.9)


@pytest.mark.parametrize(
    "schedule",
    [{9: {"speed": 1.0}}, {9: {"rate": -1.0}}, {9: {"rate": math.nan}}, {-1: {"rate": 1.0}}],
)
def test_a_schedule_is_checked_before_the_first_sweep(schedule):
    model = _model()
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"schedule|rate"):
        _train(model, schedule=schedule)
    assert model.state_dict() == before


class _Interrupting(nn.Momentum):
    """Ctrl-C in the middle of the third update."""

    def step(self):
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls == 3:
            self.parameters[0].data += 5.0
            raise KeyboardInterrupt
        super().step()


def test_ctrl_c_keeps_the_last_whole_sweep():
    model, other = _model(), _model()
    history = _train(model, optimizer=_Interrupting(model.parameters(), 0.5, 0.9))
    assert (history.stopped, history.sweeps) == ("interrupted", 2)
    _train(other, sweeps=2)
    assert model.state_dict() == other.state_dict()


def test_divergence_names_the_node_and_keeps_the_last_whole_sweep():
    model = nn.MLP(1, [1], rng=0)

    def loss(output, target):
        return (output - target) ** 2

    before = model.state_dict()
    with pytest.raises(nn.TrainingDiverged) as caught:
        nn.train(
            model,
            [((1e200,), 0.0)],
            loss=loss,
            optimizer=nn.GradientDescent(model.parameters(), 0.1),
            sweeps=5,
        )
    message = str(caught.value)
    assert "sweep 1" in message
    assert "pow(" in message
    assert "gave inf" in message
    assert "return (output - target) ** 2" in message
    assert caught.value.history.sweeps == 0
    assert model.state_dict() == before


def test_divergence_after_some_sweeps():
    model = nn.MLP(1, [1], rng=0)
    with pytest.raises(FloatingPointError, match="sweep"):
        nn.train(
            model,
            [((3.0,), 1.0)],
            loss=nn.half_squared_error,
            optimizer=nn.GradientDescent(model.parameters(), 1e10),
            sweeps=100,
        )
    assert all(math.isfinite(x) for x in model.state_dict().values())


def test_a_gradient_that_is_not_finite_is_found_before_it_does_harm():
    """sqrt(0) is 0, its slope is infinite: so is the new weight, though the loss is finite."""
    w = Value(1.0)
    optimizer = nn.Momentum([w], 0.1)
    with pytest.raises(nn.TrainingDiverged, match=r"weight is not finite in sweep 1: .*sqrt\("):
        nn.train(
            lambda x: w * x[0],
            [((1.0,), 0.0)],
            loss=lambda y, d: ((y - 1) * (y - 1)).sqrt(),
            optimizer=optimizer,
            sweeps=1,
        )
    assert w.data == 1.0
    assert optimizer.changes == [0.0]


def test_the_diagnosis_runs_with_the_settings_of_its_sweep():
    """Only the rate that the schedule sets makes the second update overflow."""
    w = Value(1.0, label="w")
    with pytest.raises(nn.TrainingDiverged, match=r"sweep 2: pow\(.*gave inf"):
        nn.train(
            lambda x: w * x[0],
            [((1.0,), 0.0), ((1.0,), 0.0)],
            loss=lambda y, d: y**2,
            optimizer=nn.GradientDescent([w], 0.1),
            sweeps=3,
            update=1,
            schedule={1: {"rate": 1e200}},
        )
    assert math.isfinite(w.data)


def test_any_other_exception_leaves_the_last_whole_sweep_too():
    model, calls = _model(), []

    def criterion(outputs, targets):
        calls.append(1)
        if len(calls) == 6:
            raise LookupError
        return False

    other = _model()
    optimizer = nn.Momentum(model.parameters(), 0.5, 0.9)
    with pytest.raises(LookupError):
        _train(model, criterion=criterion, update=1, optimizer=optimizer, backend="eager")
    _train(other, update=1, sweeps=1)
    assert model.state_dict() == other.state_dict()
    assert any(optimizer.changes)


def test_loss_and_criterion_must_be_what_they_are_for():
    with pytest.raises(TypeError, match="must return a Value"):
        _train(_model(), loss=lambda y, d: 1.0)
    with pytest.raises(TypeError, match=r"nn\.within"):
        _train(_model(), criterion=0.1)
    with pytest.raises(TypeError, match="seed"):
        _train(_model(), shuffle=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"update": "epoch"}, "update must be"),
        ({"update": 0}, "update must be"),
        ({"update": True}, "update must be"),
        ({"sweeps": -1}, "sweeps must be"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        _train(_model(), **settings)


def test_no_patterns():
    model = _model()
    with pytest.raises(ValueError, match="at least one pattern"):
        nn.train(
            model,
            [],
            loss=nn.half_squared_error,
            optimizer=nn.Adam(model.parameters()),
            sweeps=1,
        )


def test_progress_bar_shows_sweep_error_and_patterns_right(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(progress, "_PAUSE", 0.0)  # on a fast machine the run may be a short one
    _train(_model(), sweeps=20, progress=True, stop_when_met=False, description="XOR")
    shown = capsys.readouterr().err
    for part in ("XOR", "sweep", "/20", "error", "right", "/4"):
        assert part in shown


def test_zero_sweeps_change_nothing():
    model = _model()
    before = model.state_dict()
    assert _train(model, sweeps=0).sweeps == 0
    assert model.state_dict() == before


def test_a_model_may_be_any_callable():
    w = Value(0.0)
    history = nn.train(
        lambda x: w * x[0],
        [((1.0,), 3.0), ((2.0,), 6.0)],
        loss=nn.half_squared_error,
        optimizer=nn.GradientDescent([w], 0.1),
        sweeps=100,
    )
    assert w.data == pytest.approx(3.0)
    assert history.right == []


def test_a_plan_is_one_value_for_many_runs():
    plan = nn.TrainingPlan(sweeps=5, update="presentation", criterion=nn.within(0.1))
    runs = []
    for settings in ({"plan": plan}, {"sweeps": 5, "update": 1, "criterion": nn.within(0.1)}):
        model = nn.MLP(2, [2, 1], rng=0)
        rule = nn.Momentum(model.parameters(), 0.1)
        patterns = [([0.0, 1.0], [1.0]), ([1.0, 1.0], [0.0])]
        history = nn.train(model, patterns, loss=nn.half_squared_error, optimizer=rule, **settings)
        runs.append((history.errors, model.state_dict()))
        with pytest.raises(TypeError, match="a plan or its settings, not both; got sweeps too"):
            nn.train(model, patterns, loss=nn.hinge, optimizer=rule, plan=plan, sweeps=3)
        with pytest.raises(TypeError, match="needs a number of sweeps"):
            nn.train(model, patterns, loss=nn.hinge, optimizer=rule)
        with pytest.raises(TypeError, match="no setting 'engine'; a plan has sweeps, update"):
            nn.train(model, patterns, loss=nn.hinge, optimizer=rule, sweeps=1, engine="eager")
        with pytest.raises(TypeError, match="optimizer must be an Optimizer"):
            nn.train(model, patterns, loss=nn.hinge, optimizer=nn.Adam, sweeps=1)
    assert runs[0] == runs[1]
    replicas = nn.train_replicas(
        [model], patterns, loss=nn.half_squared_error, optimizer=nn.Adam, plan=plan
    )
    assert replicas[0].sweeps == 5


def test_divergence_can_be_pickled():
    fault = nn.TrainingDiverged("too far", nn.History(errors=[1.0]))
    again = pickle.loads(pickle.dumps(fault))
    assert (str(again), again.history) == ("too far", fault.history)


def test_ctrl_c_ends_the_replicas_that_follow_too():
    calls = []

    def loss(y, d):
        calls.append(y)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return nn.half_squared_error(y, d)

    models = [nn.MLP(1, [1], rng=seed) for seed in range(3)]
    settings = {"loss": loss, "optimizer": nn.Adam, "sweeps": 2, "backend": "eager"}
    replicas = nn.train_replicas(models, [([1.0], [0.5])], **settings)
    ended = [(replica.stopped, replica.sweeps) for replica in replicas]
    assert ended == [("sweeps", 2), ("interrupted", 0), ("interrupted", 0)]


# --- one sentence for what is wrong ---------------------------------------------------------------


def _with(model, optimizer=None, patterns=XOR, **settings):
    weights = model.parameters() if isinstance(model, nn.Module) else [Value(0.5)]
    rule = optimizer or nn.GradientDescent(weights, 0.1)
    settings = {"loss": nn.half_squared_error, "sweeps": 400, "progress": False, **settings}
    return nn.train(model, patterns, optimizer=rule, **settings)


@pytest.mark.parametrize("backend", ["eager", "auto"])
@pytest.mark.parametrize("criterion", [None, nn.within(0.1)])
@pytest.mark.parametrize("output", [1.0, [1.0], (1.0, 2.0), None, "1", np.array([1.0])])
def test_a_model_that_returns_no_values_is_named(output, criterion, backend):
    with pytest.raises(TypeError, match=r"model must return a Value or a list.*mg\.tanh, not math"):
        _with(lambda x: output, criterion=criterion, backend=backend)


@pytest.mark.parametrize("backend", ["llvm", "python"])
def test_a_model_that_returns_floats_is_not_compiled_either(backend):
    with pytest.raises(mg.CompileError, match="model must return a Value or a list of Values"):
        _with(lambda x: [1.0], backend=backend)


def test_with_a_criterion_outputs_are_values_or_a_list():
    w = Value(0.5)
    settings = {"loss": lambda y, d: y["a"] * y["a"], "optimizer": nn.Adam([w])}
    assert _with(lambda x: {"a": w * x[0]}, **settings).sweeps == 400
    with pytest.raises(
        TypeError, match=r"a model must return a Value or a list of Values, got dict"
    ):
        _with(lambda x: {"a": w * x[0]}, criterion=nn.within(0.1), **settings)


PAIRS = r"patterns must be a list of \(inputs, targets\), such as .*"


@pytest.mark.parametrize("backend", ["eager", "auto", "llvm", "python"])
@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (None, PAIRS + "got NoneType"),
        ({"a": 1}, PAIRS + "got dict"),
        ("ab", PAIRS + "got str"),
        ([1, 2], PAIRS + "one of them is int 1"),
        (["ab"], PAIRS + "one of them is str 'ab'"),
        ([([0.0, 1.0], [1.0], 3)], PAIRS + "one of them is tuple"),
        ((np.zeros((3, 2)), np.zeros((3, 1))), PAIRS + "one of them is ndarray"),
        ([(1.0, [1.0])], PAIRS + "the inputs of one of them are float 1.0"),
        ([("ab", [1.0])], PAIRS + "the inputs of one of them are str 'ab'"),
        ([([0.0], [1.0])], "number of inputs of this layer is 2, got 1"),
        ([([0.0, 1.0], [1.0, 2.0])], "number of targets must be that of the outputs, 1, got 2"),
    ],
)
def test_malformed_patterns(patterns, message, backend):
    with pytest.raises((TypeError, ValueError), match=message):
        _with(nn.MLP(2, [2, 1], rng=0), patterns=patterns, backend=backend)
    if backend in ("eager", "llvm"):
        with pytest.raises((TypeError, ValueError), match=message):
            nn.train_replicas(
                [nn.MLP(2, [2, 1], rng=0)],
                patterns,
                loss=nn.half_squared_error,
                optimizer=nn.Adam,
                sweeps=400,
                backend=backend,
            )


@pytest.mark.parametrize("backend", ["eager", "auto", "llvm", "python"])
def test_patterns_may_be_arrays_or_come_from_a_generator(backend):
    results = []
    arrays = [(np.array(x), np.array(d)) for x, d in XOR]
    for patterns in (XOR, arrays, zip(*zip(*XOR)), (p for p in XOR)):
        model = nn.MLP(2, [2, 1], "tanh", rng=0)
        _with(model, patterns=patterns, backend=backend, criterion=nn.within(0.1))
        results.append(model.state_dict())
    assert all(result == pytest.approx(results[0], rel=1e-9) for result in results)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (1.0, r"expects a class, a whole number, or a probability for each logit, got float 1\.0"),
        (np.float64(1.0), r"a class, a whole number, .* got float64"),
        (None, r"a class, a whole number, .* got NoneType None"),
        (np.array(1), r"a class, a whole number, .* got ndarray array\(1\)"),
        (
            np.array([1]),
            r"got ndarray array\(\[1\]\) for 3 logits; write the class itself, as an int",
        ),
        ([2], r"got list \[2\] for 3 logits; write the class itself, as an int"),
        ("cat", r"a class, a whole number, .* got str 'cat'"),
        (7, r"a class from 0 to 2, got 7"),
    ],
)
def test_class_targets(target, message):
    model = nn.MLP(2, [2, 3], rng=0)
    for backend in ("eager", "auto"):
        with pytest.raises((TypeError, ValueError), match=message):
            _with(model, patterns=[([1.0, 2.0], target)], loss=nn.cross_entropy, backend=backend)


def test_classes_are_refused_by_name_where_they_are_not_compiled():
    for loss in (nn.cross_entropy, lambda y, d: nn.cross_entropy(y, d)):
        for target in (1, np.int64(1), np.array(1)):
            model = nn.MLP(2, [2, 3], rng=0)
            settings = {"patterns": [([1.0, 2.0], target)], "loss": loss, "sweeps": 3}
            with pytest.raises(mg.CompileError, match="a class index as a target is not compiled"):
                _with(model, backend="llvm", **settings)
    for target in ([0, 1, 0], np.array([0, 1, 0])):  # one of them is 1: that is compiled
        model = nn.MLP(2, [2, 3], rng=0)
        patterns = [([1.0, 2.0], target)]
        _with(model, patterns=patterns, loss=nn.cross_entropy, sweeps=3, backend="llvm")


SETTINGS = 'schedule must give settings for sweeps, such as {20: {"rate": 0.05}}, got '


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": 3}, SETTINGS + "int 3"),
        ({"schedule": [1]}, SETTINGS + "list"),
        ({"schedule": lambda sweep: 0.1}, SETTINGS + "function"),
        ({"schedule": {1: 3}}, SETTINGS + "int 3 for sweep 1"),
        (
            {"schedule": {1: {"rate": "fast"}}},
            "rate must be a finite number of at least 0, got str",
        ),
        ({"schedule": {1: {"rate": None}}}, "rate must be a finite number of at least 0, got None"),
        ({"schedule": {1: {3: 1.0}}}, "GradientDescent has no setting 3 to schedule; it has rate"),
        ({"shuffle": "a"}, "expected a seed or a random.Random, got str"),
        ({"shuffle": 1.5}, "expected a seed or a random.Random, got float"),
        ({"loss": 3}, "loss must be a function or a module, got int 3"),
        (
            {"criterion": lambda y, d: np.array([True, False])},
            "criterion must return True or False",
        ),
    ],
)
def test_malformed_settings(settings, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        _with(nn.MLP(2, [2, 1], rng=0), **settings)
    with pytest.raises(TypeError, match="model must be a function or a module, got int 3"):
        _with(3)
    with pytest.raises(TypeError, match="plan must be a TrainingPlan, got int 3"):
        nn.train(_model(), XOR, loss=nn.hinge, optimizer=nn.Adam(_model().parameters()), plan=3)


@pytest.mark.parametrize(
    "parameters",
    [Value(1.0), _model(), _model().parameters, _model().named_parameters(), None, 0.1],
)
def test_parameters_that_are_no_list(parameters):
    with pytest.raises(TypeError, match=r"as parameters, such as model\.parameters\(\), got"):
        nn.Adam(parameters)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate": "fast"}, "rate must be a number, got str 'fast'"),
        ({"rate": -1}, "rate must be a finite number of at least 0, got -1"),
        ({"beta1": 1.0}, "beta1 must be a finite number of at least 0 and below 1, got 1.0"),
        ({"epsilon": 0}, "epsilon must be a finite number above 0, got 0"),
    ],
)
def test_settings_of_optimizers(settings, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        nn.Adam([Value(1.0)], **settings)


@pytest.mark.parametrize("backend", ["eager", "llvm"])
def test_adamw_decays_parameters_that_no_gradient_reached(backend):
    """As the paper's algorithm does, eager and compiled: docs/limits.md."""
    used, unused = Value(1.0), Value(1.0)
    rule = nn.AdamW([used, unused], rate=0.1, decay=0.5)
    settings = {"loss": lambda y, d: y * y, "optimizer": rule, "backend": backend}
    _with(lambda x: used * x[0], sweeps=2, **settings)
    assert unused.data == pytest.approx(0.95**2, rel=1e-15)


@pytest.mark.parametrize("second", [False, True])
def test_a_second_ctrl_c_while_the_first_is_handled_keeps_whole_sweeps(second, monkeypatch):
    model, twin = _model(), _model()
    calls, restore = [], eager.EagerRun.restore

    def interrupted(run):
        calls.append(run)
        if second and len(calls) == 1:
            run.optimizer.parameters[0].data = 9.0
            raise KeyboardInterrupt
        restore(run)

    monkeypatch.setattr(eager.EagerRun, "restore", interrupted)
    optimizer = _Interrupting(model.parameters(), 0.5, 0.9)
    if second:
        with pytest.raises(KeyboardInterrupt):
            _train(model, optimizer=optimizer)
    else:
        assert _train(model, optimizer=optimizer).stopped == "interrupted"
    _train(twin, sweeps=2)
    assert model.state_dict() == twin.state_dict()


@pytest.mark.parametrize("backend", ["eager", "python", "llvm"])
def test_the_first_sweep_leaves_no_steps_behind(backend):
    """Adam's bias correction depends on them."""
    model = nn.MLP(1, [1], "tanh", rng=0)
    optimizer = nn.Adam(model.parameters(), 1e200)
    patterns = [([1.0], [1.0]), ([0.5], [-1.0]), ([0.2], [0.3])]
    with pytest.raises(nn.TrainingDiverged):
        nn.train(
            model,
            patterns,
            loss=nn.half_squared_error,
            optimizer=optimizer,
            sweeps=2,
            update=1,
            backend=backend,
        )
    assert optimizer.steps == 0
    assert optimizer.means == [0.0, 0.0]
