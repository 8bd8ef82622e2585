"""Random policies over time as a person would write them: operators in rules, machines, contracts, autonomy.

In: a source of randomness.  Out: `Remembering`: the text and what its samples are made of; every text
compiles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from time_operators import KEYED, MODES, PER, SHARED, TimeWriter

ACTIONS = ("read", "edit", "merge")
HEADER = 'language 1\npolicy remembering version "1"\n'


@dataclass(frozen=True)
class Remembering:
    """A policy as text; `probes` maps a rule to the operator that its condition tries."""

    text: str
    keyed: bool
    reserves: bool = False
    probes: dict[str, str] = field(default_factory=dict)


class PolicyWriter(TimeWriter):
    """Writes declarations, machines and rules around operators."""

    def declarations(self) -> str:
        initial = " = 12 V" if self.initial else ""
        key = "  agent    : key\n" if self.keyed else ""
        return f"""input {{
{key}  resource : text
  action   : one of {", ".join(ACTIONS)}
  risk     : number in 0..5 step 0.5
  load     : number in 0..25 kg step 0.5 optional
  mode     : one of {", ".join(MODES)}
  flag     : bool from runtime
}}
param most : number in 0..4 = 2
event e {{ size : number in 0..10 kg step 0.5 resource : text }}
event f
event failed after dispatched
event lost after dispatched
shared event alarm
signal v : number in 0..15 V step 0.5{initial}
signal lamp : bool = {self.pick(["true", "false"])}
shared signal margin : number in 0..2 step 0.5
"""

    def machine(self, name: str, scope: str) -> None:
        """A machine that others may read."""
        prefix = {KEYED: "k", SHARED: "s", PER: "p"}[scope]
        self.machines[name] = scope, [f"{prefix}{i}" for i in range(self.rng.randint(2, 3))]

    def transitions(self, name: str) -> str:
        scope, states = self.machines[name]
        marks = {KEYED: ("", ""), SHARED: ("shared ", ""), PER: ("", " per resource")}[scope]
        lines = [f"  start {states[0]}"]
        for _ in range(self.rng.randint(2, 5)):
            source, target = self.pick(states), self.pick(states)
            lines.append(f"  {source} -> {target} {self.causes(scope)}")
        lines += [
            f"  {one} -> {states[0]} after {self.lasting()}"
            for one in states[1:]
            if self.chance(0.3)
        ]
        named = {
            word for line in lines[1:] for word in line.split(" on ")[0].split(" when ")[0].split()
        }
        missing = [one for one in states if one not in named]
        lines += [f"  {states[0]} -> {one} on {self.event(scope)}" for one in missing]
        return f"{marks[0]}machine {name}{marks[1]} {{\n" + "\n".join(lines) + "\n}\n"

    def causes(self, scope: str) -> str:
        on = ", ".join(self.event(scope) for _ in range(self.rng.randint(1, 2)))
        when = f"when {self.operator(scope, 1)[1]}"
        if self.chance(0.4):
            when = f"when {self.condition(scope, 2)}"
        after = f"after {self.lasting()}"
        return self.pick([f"on {on}", when, when, after, f"{after} {when}", f"on {on} {when}"])

    def contract(self) -> str:
        stops = [
            f"after {self.window(5)}",
            f"{self.rng.randint(1, 4)} calls",
            f"on {self.pick(['job.done', 'f'])}",
        ]
        stop = ", or ".join(self.rng.sample(stops, self.rng.randint(1, 3)))
        return f"""contract job for agent on action {{
  may     read, edit
  {self.pick(["", "scope   risk < 4"])}
  {self.pick(["", "needs   flag"])}
  {self.pick(["", "stop    " + stop])}
  {self.pick(["", "revoke  on failed", "revoke  on alarm_of_agent, e"])}
}}
"""

    def autonomy(self) -> str:
        drop = self.pick(["novice", "expert"])
        return f"""autonomy for agent on action {{
  novice may read
  expert may edit when {self.operator(KEYED, 1)[1]}
  master may merge {self.pick(["", "when count(f) in 20 ms >= 1"])}
  drop to {drop} on failed
}}
"""

    def effect(self) -> str:
        return self.pick(["allow", "allow", "deny", "throttle retry 1 s", "limit load to 5 kg",
                          'require human from "boss"'])  # fmt: skip

    def policy(self) -> Remembering:
        """The whole."""
        rng = self.rng
        head = (
            HEADER
            + f"combine {self.pick(['most_restrictive', 'strict', 'first_match', 'unique'])}\n"
        )
        head += self.pick(["default allow\n", "default allow\n", "default deny\n"])
        head += self.declarations()
        if self.reserves:
            head += "rule full when reserved(risk) + risk > 40 throttle retry 5 s\n"
        scopes = [KEYED, KEYED, SHARED, PER]
        for number in range(rng.randint(0, 3)):
            self.machine(f"m{number}", self.pick(scopes))
        own = list(self.machines)
        sugar = ""
        if self.keyed and self.chance(0.25):
            self.machines["job"] = KEYED, ["none", "active", "stopped", "revoked"]
            sugar += self.contract().replace("alarm_of_agent", "lost")
        if self.keyed and self.chance(0.25):
            sugar += self.autonomy()
            self.machines["autonomy"] = KEYED, ["novice", "expert", "master"]
        lets = "let hot = risk > 2.5\n"
        self.lets.append("hot")
        lets += f"let busy = {self.operator(KEYED, 1)[1]}\n"
        self.lets.append("busy")
        machines = "".join(self.transitions(name) for name in own)
        probes: dict[str, str] = {}
        rules = ""
        for number in range(rng.randint(6, 12)):
            tried, condition = self.operator(KEYED, 2, rule=True)
            probes[f"r{number}"] = tried
            rules += f"rule r{number} when {condition} {self.effect()}\n"
        if self.chance(0.1):
            rules += "rule clock when clock_fault deny\n"
        if self.chance(0.1):
            rules += "assume risk < 5 or flag\n"
        return Remembering(
            head + lets + sugar + machines + rules, self.keyed, self.reserves, probes
        )


def write_remembering(rng: Random) -> Remembering:
    """A random policy over time."""
    return PolicyWriter(rng).policy()
