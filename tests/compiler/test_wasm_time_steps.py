"""The most steps of a module over time, counted from its bytes: no function that takes a sample takes more fuel."""

from __future__ import annotations

import random

import pytest
import wasmtime
from benchmarks.board.over_time_modules import FUEL, steps_bound
from benchmarks.board.policy import edge_policy
from edge_time import history, random_board
from edge_time_engines import function_name, which_of
from wasm_policies import signed

from govlang.compiler.wasm import TAKEN_OVER_TIME, export_name


@pytest.mark.parametrize("seed", range(12))
def test_no_sample_takes_more_fuel_than_the_bound(seed: int) -> None:
    board = random_board(random.Random(seed))
    edge = edge_policy(board.policy)
    bound, worst = steps_bound(edge), 0
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    store.set_fuel(FUEL)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, edge.module()), []).exports(store)
    for sample in history(board, random.Random(seed), 40):
        given = board.given(sample)
        board.commit(sample)
        for one in edge.program.variables:
            kind = wasmtime.Val.i32 if one.width == 32 else wasmtime.Val.i64
            place = exports[export_name(one.name, TAKEN_OVER_TIME)]
            assert isinstance(place, wasmtime.Global)
            place.set_value(store, kind(signed(given[one.name], one.width)))
        before = store.get_fuel()
        function = exports[function_name(board.policy, which_of(board.kind(sample)))]
        assert isinstance(function, wasmtime.Func)
        function(store)
        worst = max(worst, before - store.get_fuel())
    assert bound // 8 < worst <= bound
