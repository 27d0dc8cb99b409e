"""The page's own layout: blocks in columns, none over another, wires from left to right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgradient as mg
from microgradient import Value, nn
from microgradient.view.graph.numbered_graph import NumberedGraph
from microgradient.view.page.layered import Block, Wire, placed
from microgradient.view.page.scene import Scene

GAP, BETWEEN = 50.0, 10.0


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 14))
    ranks = [draw(st.integers(0, 4)) for _ in range(count)]
    ranks = [sorted({*ranks}).index(rank) for rank in ranks]  # no column is empty
    blocks = [
        Block(f"b{i}", rank, draw(st.floats(10, 200)), draw(st.floats(10, 120)))
        for i, rank in enumerate(ranks)
    ]
    pairs = [(a, b) for a in blocks for b in blocks if a.rank < b.rank]
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=20)) if pairs else []
    wires = [
        Wire(f"w{i}", a.key, b.key, a.height / 2, draw(st.floats(0, 1)) * b.height)
        for i, (a, b) in enumerate(chosen)
    ]
    return blocks, wires


@given(graphs())
def test_no_block_over_another_and_wires_end_where_they_should(graph):
    blocks, wires = graph
    found = placed(blocks, wires, GAP, BETWEEN)
    for i, a in enumerate(blocks):
        x, y = found.corners[a.key]
        assert x >= -1e-6
        assert y >= -1e-6
        assert x + a.width <= found.width + 1e-6
        assert y + a.height <= found.height + 1e-6
        for b in blocks[:i]:
            u, v = found.corners[b.key]
            if a.rank == b.rank:
                assert y + a.height + BETWEEN <= v + 1e-6 or v + b.height + BETWEEN <= y + 1e-6
            else:
                left, right = sorted(((x, a), (u, b)), key=lambda it: it[0])
                assert left[0] + left[1].width + GAP <= right[0] + 1e-6
    block = {b.key: b for b in blocks}
    for wire in wires:
        route = found.routes[wire.key]
        (x, y), (u, v) = found.corners[wire.source], found.corners[wire.target]
        assert route[0] == (x + block[wire.source].width, y + wire.leaves)
        assert route[-1] == (u, v + wire.arrives)
        assert [*route] == sorted(route, key=lambda point: point[0])


def test_a_crossing_that_can_be_avoided_is():
    blocks = [Block(key, rank, 10, 10) for key, rank in (("a", 0), ("b", 0), ("c", 1), ("d", 1))]
    wires = [Wire("1", "a", "d", 5, 5), Wire("2", "b", "c", 5, 5)]
    corners = placed(blocks, wires, GAP, BETWEEN).corners
    assert (corners["a"][1] < corners["b"][1]) == (corners["d"][1] < corners["c"][1])
    assert corners["a"][1] == pytest.approx(corners["d"][1])


def test_a_neuron_is_one_block_with_its_weights_on_it():
    model = nn.MLP(3, [2, 1], "tanh", rng=0)
    x = [Value(v) for v in (0.5, -1.0, 2.0)]
    scene = Scene(NumberedGraph(nn.half_squared_error(model(x), [1.0]), {"m": model}, "test"))
    kinds = [[cell.kind for cell in group.cells] for group in scene.groups]
    assert kinds.count(["chip"] * 4 + ["operation"] * 2) == 2  # three weights, a bias; sum, tanh
    assert kinds.count(["chip"] * 3 + ["operation"]) == 1
    assert kinds.count(["input"]) == 3
    shown = {cell.node for group in scene.groups for cell in group.cells}
    assert shown == {*scene.graph.nodes}
    assert {*scene.columns} == {*scene.graph.nodes}


def test_a_weight_that_others_read_too_has_a_block_of_its_own():
    w, x = Value(2.0, label="w"), Value(3.0, label="x")
    scene = Scene(NumberedGraph(mg.dot([w], [x], 1.0) + w * w, None, "test"))
    kinds = [cell.kind for group in scene.groups for cell in group.cells if cell.node is w]
    assert sorted(kinds) == ["chip", "input"]


def test_an_operand_that_occurs_twice_has_two_wires():
    x = Value(3.0)
    scene = Scene(NumberedGraph(x * x, None, "test"))
    assert len(scene.wires) == 2
    assert len({wire.arrives for wire in scene.wires}) == 2
