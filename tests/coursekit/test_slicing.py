"""What is executed when a notebook is graded: all that the graded functions need, and no more."""

import json
import time
from string import Formatter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coursekit.notebook import Statement, defines, names_used_by, read_notebook, slice_for, slicing
from coursekit.notebook.slicing import Effects, effects_of

TRAINING = "for t in range(10**9):\n    loss, grads = model.loss(data)\n    losses.append(loss)"


def statements(*cells):
    """The statements of a notebook with these code cells."""
    listed = [{"cell_type": "code", "source": cell} for cell in cells]
    notebook = read_notebook(json.dumps({"cells": listed}).encode(), "notebook")
    assert not notebook.problems
    return notebook.statements


def kept(names, *cells):
    """The text of the statements that the functions called ``names``, parted by spaces, need."""
    return [statement.source for statement in slice_for(statements(*cells), names.split())]


def needs(names, *cells):
    """That ``names`` need every statement of ``cells``."""
    return kept(names, *cells) == [statement.source for statement in statements(*cells)]


def value(sources, expression):
    """What an expression is worth after these statements have run."""
    room = {"__name__": "notebook"}
    for source in sources:
        exec(source, room)
    return eval(expression, room)


# ------------------------------------------------------------------------------------------------ what is left out


def test_a_training_loop_is_left_out_though_it_binds_the_name_of_a_function_that_was_used_before_it():
    cells = ["class CaptioningRNN: pass", "def loss(self): return 1", "CaptioningRNN.loss = loss"]
    assert kept("CaptioningRNN.loss", *cells, TRAINING) == cells
    assert kept("CaptioningRNN.loss", *cells, "model = CaptioningRNN()", TRAINING, "model.sample()") == cells


def test_a_training_loop_is_left_out_though_its_plot_calls_a_function_that_a_graded_one_calls_too():
    cells = ["def f(x):\n    for t in range(x): pass\n    return x"]
    assert kept("f", *cells, "losses = []", TRAINING, "ax.plot(range(3), losses)") == cells


def test_a_training_loop_is_left_out_though_a_graded_function_has_a_variable_called_loss():
    cells = ["def svm(x):\n    loss = x\n    return loss"]
    assert kept("svm", *cells, "losses = []", TRAINING) == cells


@pytest.mark.parametrize(
    "cell",
    [
        "print(f(3))",
        "f(3)",
        "check_gradients(f, g)",
        "gradients.check(f, g)",
        "np.random.seed(0)",
        "np.set_printoptions(precision=3)",
        "plt.show()",
        "plt.rcParams.update({})",
        "x = f(2)",
        "out, cache = f(2), 3",
        "for i in range(3):\n    print(f(i))",
        "assert f(1) == 1",
        "'a comment'",
        "f",
    ],
)
def test_what_only_uses_a_graded_function_is_left_out(cell):
    cells = [
        "import numpy as np",
        "import matplotlib.pyplot as plt",
        "def f(x):\n    plt.plot(np.zeros(x))\n    return x",
    ]
    assert kept("f", *cells, cell) == cells


def test_a_method_that_a_decorator_gives_to_a_class_is_there():
    cells = [
        "def patch(cls):\n    return lambda method: setattr(cls, method.__name__, method)",
        "class Gate: pass",
        "@patch(Gate)\ndef forward(self, x): return 2 * x",
        "@patch(Gate)\ndef backward(self, dout): return 3 * dout",
    ]
    assert value(kept("Gate", *cells), "Gate().forward(1), Gate().backward(1)") == (2, 3)


@pytest.mark.parametrize("decorator", ["np.vectorize", "np.vectorize(otypes=[float])", "interact(x=np.linspace(0, 1))"])
def test_a_decorator_changes_no_module(decorator):
    cells = ["import numpy as np", "def f(x): return np.sum(x)"]
    assert kept("f", *cells, f"@{decorator}\ndef g(x): return x") == cells


def test_an_earlier_definition_is_left_out_and_the_last_one_wins():
    assert kept("f", "def f(): return 1", "def f(): return 2") == ["def f(): return 2"]


def test_names_that_nothing_defines_are_passed_over():
    assert kept("f g", "x = 1") == []
    assert kept("f", "def f(): return undefined") == ["def f(): return undefined"]
    assert slice_for([], ["f"]) == []


# ---------------------------------------------------------------------------------------------- what is followed


@pytest.mark.parametrize(
    "cells",
    [
        ["def helper(): return 1", "def f(): return helper()"],
        ["def f(): return helper()", "def helper(): return 1"],
        ["table = []", "for i in range(3):\n    table.append(i)", "def f(): return table"],
        ["table = {}", "table['a'] = 1", "del table['a']", "def f(): return table"],
        ["table = [3, 1]", "table.sort()", "def f(): return table"],
        ["table = [3, 1]", "first = table.pop()", "def f(): return table"],
        ["table = []", "[table.append(i) for i in range(3)]", "def f(): return table"],
        ["import numpy as np", "M = np.ones((2, 2))", "np.fill_diagonal(M, 0)", "def f(): return M"],
        ["import random", "order = [1, 2]", "random.shuffle(order)", "def f(): return order"],
        ["class f: pass", "f.m = lambda self: 1"],
        ["class f: pass", "setattr(f, 'm', lambda self: 1)"],
        ["class f: pass", "def m(self): return 1", "f.m = m"],
        ["class Base: pass", "class f(Base): pass", "Base.m = lambda self: 1"],
        ["class f: pass", "class f(f):\n    def m(self): return 1"],
        ["class f: pass", "Alias = f", "Alias.m = lambda self: 1"],
        ["def patch(c): return lambda m: setattr(c, 'm', m)", "class f: pass", "@patch(f)\ndef m(self): return 1"],
        [
            "def patch(*, to): return lambda m: m",
            "class f: pass",
            "Alias = f",
            "@patch(to=Alias)\ndef m(self): return 1",
        ],
        ["def patch(c): return lambda m: m", "class f: pass", "@patch(f)\nclass Mixin: pass"],
        ["from abc import ABC", "class f(ABC): pass", "made = []", "@made.append\ndef g(): return 1", "f.all = made"],
        ["def f(n): return n and f(n - 1)"],
        ["def f(n): return n and g(n - 1)", "def g(n): return n and f(n - 1)"],
        ["def g(): return 1", "f = g"],
        ["a = b = []", "b.append(1)", "def f(): return a"],
        ["a = []", "b = a", "b += [1]", "def f(): return a"],
        ["a = []", "def f(b=a): return b", "a.append(1)"],
        ["a = []", "a = a", "b = a", "b.append(1)", "def f(): return a"],
        ["import functools", "def g(x, y): return x + y", "f = functools.partial(g, 1)"],
        ["import functools as ft", "@ft.lru_cache\ndef f(x): return x"],
        ["def twice(g): return lambda x: 2 * g(x)", "@twice\ndef f(x): return x"],
        ["K = 3", "def scaled(k): return lambda g: g", "@scaled(K)\ndef f(x): return x"],
        ["import numpy as np", "def f(): return np.zeros(3)"],
        ["import os.path", "def f(): return os.path.sep"],
        ["import xml", "import xml.dom", "def f(): return xml.dom"],
        ["import xml.dom", "import xml", "def f(): return xml.dom"],
        ["import xml", "from xml.dom import minidom", "def f(): return xml.dom"],
        ["import xml as x", "import xml.dom.minidom as unused", "def f(): return x.dom"],
        ["from math import *", "def f(): return sin(1)"],
        ["from math import sin as s", "def f(): return s(1)"],
        ["import sys", "sys.path.append('..')", "import json", "def f(): return json"],
        ["import sys", "sys.path.insert(0, '..')", "from json import loads", "def f(): return loads"],
        ["import numpy as np", "np.int = int", "def f(): return np.int(3)"],
        ["try:\n    import nowhere as m\nexcept ImportError:\n    m = None", "def f(): return m"],
        ["count = 0", "def f():\n    global count\n    count += 1\n    return count"],
        ["def start():\n    global K\n    K = 3", "start()", "def f(): return K"],
        ["import sys", "if sys.version_info > (3,):\n    def f(): return 1\nelse:\n    def f(): return 2"],
        ["exec('k = 3')", "def f(): return k"],
        ["globals()['k'] = 3", "def f(): return k"],
        ["globals().update(k=3)", "def f(): return k"],
        ["K = 3", "def f(x=K): return x"],
        ["K = int", "def f(x: K) -> K: return x"],
        ["K: int = 3", "def f(): return K"],
        ["K = 3", "f = lambda: [K for _ in range(3)]"],
        ["K = 3", "f = [lambda: K][0]"],
        ["K = 3", "def f(): return {K: x for x in range(3)}"],
        ["K = 3", "class f:\n    k = K"],
        ["K = 3", "class f:\n    K = K"],
        ["K = 3", "class f:\n    def m(self): return K"],
        ["K = 3", "class f:\n    class g:\n        def m(self): return K"],
        ["K = 1", "K += 2", "def f(): return K"],
        ["(K := 3)", "def f(): return K"],
        ["a, (b, *c) = 1, (2, 3)", "def f(): return a + b + c[0]"],
        ["with open('/dev/null') as K:\n    pass", "def f(): return K"],
        ["match [1, 2]:\n    case [K, *_]:\n        pass", "def f(): return K"],
        ["for K in range(3):\n    pass", "def f(): return K"],
        ["while True:\n    K = 3\n    break", "def f(): return K"],
        ["K = 1", "async def f(): return K"],
        ["f = 1", "del f"],
        ["MÄSSE = 3", "def f(): return MÄSSE"],
    ],
    ids="; ".join,
)
def test_everything_that_a_function_needs_is_kept(cells):
    assert needs("f", *cells)


def test_a_deleted_helper_is_deleted_again():
    assert needs("f", "def helper(): return 1", "K = helper()", "del helper", "def f(): return K + helper()")


def test_a_statement_on_a_line_of_its_own_is_not_needed_for_its_neighbour():
    assert kept("f", "a = 1; b = 2; c = a", "def f(): return c") == ["a = 1", "c = a", "def f(): return c"]


def test_each_use_sees_the_definition_of_its_own_time():
    cells = ["def h(): return 1", "K = h()", "def h(): return 2", "def f(): return (K, h())"]
    assert needs("f", *cells)
    assert value(kept("f", *cells), "f()") == (1, 2)


def test_a_helper_that_is_defined_again_after_its_only_use_is_left_out():
    cells = ["def h(): return 1", "K = h()", "def f(): return K"]
    assert kept("f", *cells, "def h(): return 2") == cells


def test_a_helper_that_is_defined_again_before_its_only_use_is_left_out():
    cells = ["def h(): return 2", "def f(): return h()"]
    assert kept("f", "def h(): return 1", *cells) == cells


def test_the_time_of_a_use_is_handed_on_to_what_it_calls():
    cells = ["k = 1", "def h(): return k", "K = h()", "k = 2", "def f(): return (K, h())"]
    assert value(kept("f", *cells), "f()") == (1, 2)


def test_a_change_of_what_was_kept_under_another_name_ends_when_that_name_is_bound_anew():
    cells = ["a = []", "b = a", "b.append(1)", "b = []", "b.append(2)", "def f(): return a"]
    assert kept("f", *cells) == [*cells[:3], cells[-1]]


def test_what_is_bound_anew_no_longer_shares_what_it_was_an_alias_of():
    cells = ["a = []", "b = a", "b = []", "b.append(2)", "def f(): return a"]
    assert kept("f", *cells) == [cells[0], cells[-1]]
    cells = ["a = []", "b = a", "b = []", "a.append(1)", "def f(): return b"]
    assert kept("f", *cells) == [cells[2], cells[-1]]
    cells = ["a, b = [], []", "b.append(2)", "def f(c=a): return a, c", "a = 3", "a.append(2)", "a = 4"]
    assert kept("f", *cells) == [cells[0], cells[2], cells[-1]]


def test_what_is_bound_to_the_same_thing_again_still_shares_it():
    cells = ["a = []", "b = a", "def f(c=b): return c", "b = a", "b.append(1)", "a.append(2)"]
    assert value(kept("f", *cells), "f()") == [1, 2]


def test_what_is_unpacked_is_bound_anew():
    assert kept("f", "a = b = 1", "a, [b, *c] = 2, [3]", "def f(): return a, b, c") == [
        "a, [b, *c] = 2, [3]",
        "def f(): return a, b, c",
    ]


@pytest.mark.parametrize(
    ("held", "asked"), [("make()", "f()()"), ("(lambda: h())", "f()()"), ("(h() for _ in [1])", "list(f())")]
)
def test_what_a_kept_function_or_generator_reads_is_read_when_it_is_called(held, asked):
    cells = [
        "def make(): return lambda: h()",
        "def h(): return 1",
        f"K = {held}",
        "def h(): return 2",
        "def f(): return K",
    ]
    assert value(kept("f", *cells), asked) == value(cells, asked)
    assert cells[3] in kept("f", *cells)


def test_what_a_list_is_made_of_is_read_at_once():
    cells = ["def h(): return 1", "K = [h() for _ in range(2)]"]
    assert kept("f", *cells, "def h(): return 2", "def f(): return K") == [*cells, "def f(): return K"]


def test_a_decorator_may_call_a_function_at_once():
    cells = ["k = 1", "def call(g): return g()", "@call\ndef K(): return k", "k = 2", "def f(): return K"]
    assert value(kept("f", *cells), "f()") == 1


def test_a_star_import_and_exec_are_always_run():
    assert kept("f", "from math import *", "exec('x = 1')", "y = 2", "def f(): return 1") == [
        "from math import *",
        "exec('x = 1')",
        "def f(): return 1",
    ]


def test_what_defines_a_name_is_the_last_statement_that_binds_it():
    cells = ["def f(): return 1", "if True:\n    f = 3", "f.a = 1", "f()", "x = f"]
    assert defines(statements(*cells), "f").position == 1
    assert defines(statements(*cells), "g") is None


def test_an_entangled_notebook_is_kept_whole_before_it_costs_much_time():
    aliases = [*(f"a{i} = a" for i in range(2400)), *["a.append(1)"] * 2400, "def f(): return a"]
    knot = [f"x{i % 40} = f(" + ", ".join(f"x{j}" for j in range(40)) + ")" for i in range(2000)]
    for program in aliases, [*knot, "def f(*x): return x0"]:
        listed = [Statement(source, 1, 1, at) for at, source in enumerate(program)]
        started = time.monotonic()
        assert slice_for(listed, ["f"]) == listed
        assert time.monotonic() - started < 10


def test_many_questions_about_an_entangled_notebook_cost_seconds():
    names = [f"f{n}" for n in range(20)]
    knot = ["a = []", "b = []", *["a.append(b)", "b.append(a)"] * 2000]
    listed = statements(*knot, *(f"def {name}(): return a, {', '.join(names)}" for name in names))
    started = time.process_time()
    for name in names:
        assert names_used_by(listed, [name]) == {"a", "b", *names}
    assert time.process_time() - started < 10


def test_what_a_function_needs_is_found_out_once_for_each_notebook(monkeypatch):
    asked = []
    follow = slicing._Slicer._found
    monkeypatch.setattr(slicing._Slicer, "_found", lambda slicer, names: asked.append(names) or follow(slicer, names))
    listed = statements("once = 1", "def f(): return once", "class C:\n    def m(self): return f()")
    for _ in range(2):
        assert names_used_by(listed, ["f"]) == {"once"}
        assert names_used_by(listed, ["C.m"]) == {"f", "once"}
        assert slice_for(listed, ["C"]) == list(listed)
        assert names_used_by(statements("def f(): return other"), ["f"]) == {"other"}
    assert asked == [{"f"}, {"C"}, {"f"}]


def test_a_statement_that_is_nested_as_deeply_as_python_allows_is_read():
    for depth in (100, 900, 1500):
        [statement] = statements("f = " + "lambda: " * depth + "K")
        effects = effects_of(statement.source)
        assert effects.wild or "K" in effects.later


def test_the_example_of_three_statements_is_as_it_is_told():
    cells = ["table = [0]", "table.append(2 * size)", "def f(x=table): return g(x)"]
    first, second, third = map(effects_of, cells)
    assert first == Effects(rebinds=frozenset({"table"}), same=first.same)
    assert second == Effects(touches=frozenset({"table"}), now=frozenset({"table", "size"}))
    assert third == Effects(rebinds=frozenset({"f"}), now=frozenset({"table"}), later=frozenset({"g"}), fixed=True)
    assert needs("f", *cells)


def test_warnings_about_the_style_of_a_statement_are_not_shown():
    assert effects_of(r"x = 1 is 1, '\d'").rebinds == {"x"}


# --------------------------------------------------------------------------------- the whole against the slice

NUMBERS, FUNCTIONS, LISTS, CLASSES, WRAPPERS = (
    ["k0", "k1", "k2"],
    ["f0", "f1", "f2"],
    ["l0", "l1"],
    ["C0", "C1", "C2"],
    ["w0", "w1"],
)
PRELUDE = [
    "import functools, contextlib",
    *(f"{name} = {n}" for n, name in enumerate(NUMBERS)),
    *(f"def {name}(n=2): return {n}" for n, name in enumerate(FUNCTIONS)),
    *(f"{name} = [{n}]" for n, name in enumerate(LISTS)),
    *(f"class {name}:\n    a = {n}\n    def m(self, n=2): return {n}" for n, name in enumerate(CLASSES)),
    *(f"def {name}(g): return g" for name in WRAPPERS),
    "def patch(c): return lambda g: setattr(c, g.__name__, g)",
]

number, function, table, kind, wrapper = map(st.sampled_from, (NUMBERS, FUNCTIONS, LISTS, CLASSES, WRAPPERS))


def made(template):
    """Texts of a template: for each field a name or an expression of the kind that its letter says."""
    known = {"k": number, "f": function, "l": table, "C": kind, "w": wrapper, "e": EXPRESSIONS, "b": BODIES}
    fields = {field for _, field, _, _ in Formatter().parse(template) if field}
    return st.fixed_dictionaries({field: known[field[0]] for field in sorted(fields)}).map(
        lambda found: template.format(**found)
    )


# Expressions that are evaluated at once, and those that stand in a body, whose calls come to an end since n gets less.
EXPRESSIONS = st.deferred(
    lambda: st.one_of(
        st.integers(0, 9).map(str),
        number,
        made("{f}()"),
        made("{l}[0]"),
        made("sum({l})"),
        made("{C}.a"),
        made("{C}().m()"),
        made("[{f}(1) for _ in {l}][-1]"),
        made("(lambda: {f}(1) + {k})()"),
        made("sum({f}(1) for _ in range(2))"),
    )
)
BODIES = st.deferred(
    lambda: st.one_of(
        number,
        made("{f}(n - 1)"),
        made("{k0} + {f}(n - 1)"),
        made("sum({l})"),
        made("{C}.a"),
        made("{C}().m(n - 1)"),
        made("sum({f}(n - 1) for _ in {l})"),
        made("(lambda: {k})()"),
    )
)
STATEMENTS = st.one_of(
    made("{k} = ({e1} + {e2}) % 97"),
    made("{k} += {e}"),
    made("{k0}, {f0} = {e}, {f1}"),
    made("({k} := {e})"),
    made("if {k0} % 2:\n    {k1} = {e}\nelse:\n    def {f}(n=2): return {b} if n > 0 else 7"),
    made("with contextlib.nullcontext({e}) as {k}:\n    pass"),
    made("match {e}:\n    case int({k}):\n        pass"),
    made("for {k} in [{e1}, {e2}]:\n    {l}.append({k})"),
    made("try:\n    from nowhere import {f0}\nexcept ImportError:\n    {f0} = {f1}"),
    made("def {f}(n=2): return {b} if n > 0 else 5"),
    made("def {f}(n=2, d={e}): return d + {b} if n > 0 else d"),
    made("def {f}(n=2, d=(lambda: {e})()): return d"),
    made("def {f}(n=2, d={l}): return sum(d)"),
    made("def {f}(n=2):\n    def inner(): return {b}\n    return inner() if n > 0 else {k}"),
    made("@{w}\ndef {f}(n=2): return {b} if n > 0 else 6"),
    made("{f} = lambda n=2: {b} if n > 0 else 8"),
    made("{f0} = {f1}"),
    made("{f0} = functools.partial({f1})"),
    made("{f0} = {w}({f1})"),
    made("def {w}(g): return lambda n=2: g(n) + {k}"),
    made("def {w}(g, d={e}): return lambda n=2: g(n) + d"),
    made("{l} = [{e1}, {e2}]"),
    made("{l0} = {l1}"),
    made("{l0} = list({l1})"),
    made("{l}.append({e})"),
    made("{l}[0] = {e}"),
    made("{l} += [{e}]"),
    made("[{l}.append({k}) for _ in range(2)]"),
    made("{k} = {l}.pop() if len({l}) > 1 else 0"),
    made("class {C}:\n    a = {e}\n    def m(self, n=2): return {b} if n > 0 else self.a"),
    made("class {C0}({C1}):\n    a = {e}"),
    made("class {C0}({C1}):\n    def m(self, n=2): return {b} + super().m(n - 1) if n > 0 else 1"),
    made("class {C}:\n    def h(): return {b}\n    n = 1\n    a = {k}\n    m = staticmethod(lambda n=2: {k})"),
    made("{C0} = {C1}"),
    made("{C}.a = {e}"),
    made("setattr({C}, 'a', {e})"),
    made("{C}.m = lambda self, n=2: {b} if n > 0 else 4"),
    made("{C}.m = lambda self, n=2, g={f}: g(n - 1) if n > 0 else 4"),
    made("@patch({C})\ndef m(self, n=2): return {b} if n > 0 else 5"),
    made("{k} = 1; del {k}; {k} = {e}"),
    made("print({e}); {f}(1)"),
)
WANTED = [*(f"{f}()" for f in FUNCTIONS), *(f"({C}.a, {C}().m())" for C in CLASSES), *NUMBERS, *LISTS]


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STATEMENTS, min_size=8, max_size=24), st.sampled_from(WANTED))
def test_what_is_wanted_is_worth_the_same_in_the_slice_as_in_the_whole_notebook(program, wanted):
    whole = statements(*PRELUDE, *program)
    try:
        expected = value([statement.source for statement in whole], wanted)
    except (RecursionError, TypeError, NameError, AttributeError, IndexError):
        return
    name = wanted.strip("(").split(".")[0].split("(")[0]
    assert value([statement.source for statement in slice_for(whole, [name])], wanted) == expected
