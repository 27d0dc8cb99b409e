"""Faults that such an engine must survive, the promise for each, and the tests that check it."""

FAULTS: list[tuple[str, str, str]] = [
    (
        "deep graphs: recursion, destruction",
        "a million nodes under a recursion limit of 100: built, swept, copied, pickled, freed",
        "test_deep.py",
    ),
    (
        "exponential revisits of shared nodes",
        "every node is visited once",
        "test_expressions.py::test_order_is_topological_and_visits_every_node_once",
    ),
    (
        "two backward passes",
        "leaves' gradients double, all others are set anew, nothing is stale",
        "test_expressions.py::test_backward_equals_grad_and_two_passes_double_it "
        "test_state_machine.py",
    ),
    (
        "data changed after the graph was made",
        "gradients are those at the data with which the graph was made",
        "test_state_machine.py",
    ),
    ("reference cycles, leaks", "flat memory with the collector off", "test_leaks.py"),
    (
        "copies and pickles",
        "the same numbers, separate leaves, no recursion",
        "test_state_machine.py",
    ),
    (
        "threads, nested traces",
        "no wrong value in 8 threads of 1,500 nested gradients, switched every microsecond",
        "test_threads.py",
    ),
    (
        "perturbation confusion",
        "nested derivatives do not mix",
        "test_transforms.py::test_perturbation_confusion "
        "test_transforms.py::test_closed_over_variables_of_an_outer_transform",
    ),
    ("a nan of unknown origin", "the node, its operands and the line are named", "test_anomaly.py"),
    ("wrong sizes and types", "one error, with what to write instead", "test_nn.py test_value.py"),
    (
        "damaged files, kill -9 while saving",
        "one error each, the model unchanged, the old file whole",
        "test_checkpoint.py",
    ),
    (
        "hostile names in drawings and pages",
        "text stays text",
        "test_hostile_names.py::test_html_and_its_attributes_stay_the_same "
        "test_hostile_names.py::test_latex_has_no_command_of_the_users",
    ),
    (
        "eval, exec, pickle",
        "none in the package",
        "test_layout.py::test_no_pickle_eval_or_exec_in_the_source",
    ),
    (
        "finite differences at kinks, steep and far away",
        "a bound for every case, no false alarm",
        "test_check_gradient.py",
    ),
]
