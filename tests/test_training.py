"""train: updates, criterion, history, progress, Ctrl-C, divergence."""

import math
import pickle
import random

import pytest

from microgradient import Value, nn
from microgradient.nn.training import progress
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
