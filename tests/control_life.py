"""A life of a control plane: agents, workers, alarms and time, by chance; and a policy over time for it."""

from __future__ import annotations

import random
from typing import Any

from control_plane import OPERATOR, Plane, agent

BUDGET = """language 1
policy budget version "1.0.0"
default allow

input {
  agent  : key
  topic  : text
  amount : number in 0..1000 step 0.5
  note   : text private
}
event success after dispatched
event failure after dispatched
event alarm { level : number in 0..10 }

rule over when sum(allowed.amount) in 1 h by 5 min + reserved(amount) + amount > 100 throttle retry 1 min
rule bad  when count(failure) since success >= 3 deny
rule hot  when alarm within 1 min and alarming is on deny
rule told when (note == "secret") within 10 s throttle retry 1 s

machine alarming {
  start off
  off -> on  on alarm
  on  -> off after 2 min
}
"""


async def live(one: Plane, dice: random.Random, steps: int) -> None:
    """Let agents submit, workers work, alarms ring and time pass."""
    held: list[dict[str, Any]] = []
    for _ in range(steps):
        one.clock.forward(dice.choice((0, 0.2, 1, 20, 90)))
        match dice.randrange(7):
            case 0 | 1 | 2:
                who = dice.choice(("a1", "a2"))
                body = {
                    "request": {
                        "agent": who,
                        "topic": "t",
                        "amount": dice.choice((1, 30.5)),
                        "note": dice.choice(("x", "secret")),
                    },
                    "payload": None,
                    "pool": "p",
                }
                one.keys += 1
                await one.service.submit(agent(who), body, f"k{one.keys}")
            case 3:
                for job in await one.lease(2):
                    await one.begin(job)
                    held.append(job)
            case 4 | 5 if held:
                job = held.pop(dice.randrange(len(held)))
                await one.end(
                    job,
                    dice.choice(("succeeded", "failed", "again")),
                    used={"amount": dice.choice(("0.5", "40"))},
                )
            case 6 if dice.random() < 0.3:
                step = {
                    "event": "alarm",
                    "key": {"agent": "a1"},
                    "fields": {"level": 3},
                }
                await one.service.observe(OPERATOR, step)
            case _:
                await one.reconcile()
