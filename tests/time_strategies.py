"""Syntax trees of the temporal part at random."""

from __future__ import annotations

from hypothesis import strategies as st
from syntax_words import OTHERS, digits, labels, names, several, signed, units, unsigned

from govlang.dsl import ast

Strategy = st.SearchStrategy
Arguments = Strategy[ast.Argument]

per = st.none() | names
member = st.none() | names
events = st.builds(ast.EventRef, names, member, per)
occurrences = st.one_of(events, st.builds(ast.Enters, names, names))
readings = st.one_of(names, st.builds(ast.EventRef, names, names))
windows = st.one_of(
    st.builds(ast.Window, unsigned),
    st.builds(ast.Window, unsigned, unsigned, st.booleans()),
)
histories = st.one_of(
    st.builds(ast.Count, occurrences, st.one_of(windows, occurrences)),
    st.builds(ast.Total, st.sampled_from(["sum", "average"]), occurrences, windows),
    st.builds(ast.Elapsed, occurrences),
    st.builds(ast.Ewma, readings, signed),
    st.builds(
        ast.Deviates, readings, unsigned, unsigned, st.none() | unsigned, st.none() | unsigned
    ),
    st.builds(ast.Fresh, readings, unsigned),
    st.builds(ast.Stale, readings, unsigned),
    st.builds(ast.Previous, readings),
    st.builds(ast.Changed, readings),
    st.builds(ast.Reserved, names),
)


def _ago(operand: ast.Expr, newest: str, oldest: str, unit: str | None) -> ast.Ago:
    return ast.Ago(operand, ast.Number(newest, unit), ast.Number(oldest, unit))


def over_time(inner: Strategy[ast.Expr]) -> Strategy[ast.OverTime]:
    return st.one_of(
        st.builds(ast.HappenedWithin, inner, unsigned),
        st.builds(_ago, inner, digits, digits, units),
        st.builds(ast.HeldFor, inner, unsigned),
        st.builds(ast.Since, inner, occurrences, st.none() | unsigned),
    )


# --- declarations ---

# Levels are not called like a word that can go on with the level before.
level_names = st.sampled_from([*OTHERS, "drop", "rule", "may", "within", "on", "level"]).map(
    ast.Name
)
durations = st.builds(ast.Number, digits, st.sampled_from([None, "s", "h", "d"]))
calls = st.builds(ast.Number, digits, st.sampled_from(["call", "calls"]))
stops = st.builds(ast.Stop, st.none() | durations, st.none() | calls, several(occurrences)).filter(
    lambda stop: stop != ast.Stop()
)


def machines(
    expressions: Strategy[ast.Expr],
    types: Strategy[ast.Type],
    fields: Strategy[ast.Field],
    literals: Strategy[ast.Literal],
) -> Strategy[ast.Declaration]:
    transitions = st.builds(
        ast.Transition,
        names,
        names,
        several(occurrences),
        st.none() | unsigned,
        st.none() | expressions,
    ).filter(lambda t: bool(t.on) or t.after is not None or t.when is not None)
    levels = st.builds(ast.Level, level_names, several(labels, 1), st.none() | expressions)
    drops = st.builds(ast.Drop, names, several(occurrences, 1))
    whole_or_per = st.one_of(st.tuples(per, st.just(False)), st.just((None, True)))
    return st.one_of(
        st.builds(ast.EventDecl, names, several(fields), st.none() | names, st.booleans()),
        st.builds(ast.SignalDecl, names, types, st.none() | literals, st.booleans()),
        st.builds(
            lambda name, start, steps, scope: ast.MachineDecl(name, start, steps, *scope),
            names,
            names,
            several(transitions),
            whole_or_per,
        ),
        st.builds(
            ast.ContractDecl,
            names,
            names,
            names,
            several(labels, 1),
            st.none() | expressions,
            several(names),
            st.none() | stops,
            several(occurrences),
        ),
        st.builds(ast.AutonomyDecl, names, names, several(levels, 1), several(drops)),
    )


# --- tests ---

# `expect limit` goes on with a word before `to`.
step_names = names.filter(lambda name: name.text != "to")


def steps(
    arguments: Arguments, literals: Strategy[ast.Literal], expects: Strategy[ast.Expect]
) -> Strategy[ast.Step]:
    at = st.none() | unsigned
    values = several(arguments)
    states = several(st.builds(ast.StateIs, step_names, step_names, st.booleans()), 0, 2)
    happened = st.builds(ast.EventRef, step_names, member)
    return st.one_of(
        st.builds(ast.RequestStep, at, values, values, expects, states),
        st.builds(ast.EventStep, at, happened, values, states, st.booleans()),
        st.builds(ast.SignalStep, at, step_names, literals, values, states),
        st.builds(ast.TickStep, at, states),
        st.builds(
            ast.FaultStep,
            at,
            st.sampled_from(ast.Fault),
            step_names,
            values,
            st.none() | unsigned,
        ),
        st.builds(ast.ClockStep, at, unsigned),
    )
