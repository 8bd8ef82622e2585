"""Modules in wasmtime, and random values for their variables: what decoded modules are held against."""

from __future__ import annotations

import random
from collections.abc import Mapping

import wasmtime

from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_run import signed

_TAKEN = ("decide", "commit", "memory", "text")
FUEL = 1_000_000_000


def engine() -> wasmtime.Engine:
    """An engine that counts fuel."""
    config = wasmtime.Config()
    config.consume_fuel = True
    return wasmtime.Engine(config)


class Host:
    """A module that runs."""

    def __init__(self, where: wasmtime.Engine, data: bytes) -> None:
        self.store = wasmtime.Store(where)
        self.store.set_fuel(FUEL)
        instance = wasmtime.Instance(self.store, wasmtime.Module(where, data), [])
        self.exports = instance.exports(self.store)
        self.used = 0

    def get(self, name: str) -> int:
        """The value of a global by the name of its variable or cell."""
        value: int = self.exports[_exported(name)].value(self.store)
        return value

    def set(self, name: str, value: int) -> None:
        """Gives a variable a value."""
        self.exports[_exported(name)].set_value(self.store, value)

    def call(self, name: str, *args: int) -> int:
        """What a function returns; `used` is the fuel that it took."""
        before = self.store.get_fuel()
        value: int = self.exports[name](self.store, *args)
        self.used = before - self.store.get_fuel()
        return value

    def decide(self, values: Mapping[str, int]) -> int:
        """One step."""
        for name, value in values.items():
            self.set(name, value)
        return self.call("decide")

    def classify(self, name: str, text: bytes, at: int | None = None) -> int:
        """The scan of a text."""
        place = self.get("text_place") if at is None else at
        if text:
            self.exports["memory"].write(self.store, text, place)
        return self.call(f"classify.{name}", place, len(text))


def _exported(name: str) -> str:
    return "text" if name == "text_place" else f"field.{name}" if name in _TAKEN else name


def random_values(rng: random.Random, artefact: Artefact) -> dict[str, int]:
    """A value for every variable, often near where its domain ends."""
    return {
        name: _value(rng, width, artefact.unset[name]) for name, width in artefact.variables.items()
    }


def _value(rng: random.Random, width: int, unset: int) -> int:
    kind = rng.random()
    if kind < 0.75:
        value = rng.choice((unset - 1, unset - 2, rng.randint(0, max(1, unset)), rng.randint(0, 3)))
    elif kind < 0.85:
        value = unset
    else:
        value = rng.getrandbits(width)
    return signed(value, width)
