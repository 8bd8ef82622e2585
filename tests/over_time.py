"""A policy that remembers, as source: for tests of the command line."""

from __future__ import annotations

POOL = """language 1
policy pool version "1.0.0"

default deny
longest window 1 h

input {
  agent : key
  tool  : text
  load  : number in 0..100
}

event restart
event failure after dispatched
event deletion { tool : text }
shared event freeze
signal heat : number in 0..200

machine gate {
  start closed
  closed -> open on restart
  open -> closed after 10 s
}

rule ok when load <= 100 allow
rule frozen when freeze within 1 min deny
rule restarted when restart within 5 s deny
rule many when count(allowed) in 10 s >= 3 deny
rule wiped when count(deletion per tool) in 1 min >= 2 deny
rule hot when has heat and max(heat) in 10 s >= 150 deny
rule failing when count(failure) in 1 h >= 2 throttle retry 1 min

test "a restart closes the road for five seconds" {
  at 0 s request { agent "a", tool "rm", load 1 } expect allow by ok
  at 1 s event restart { agent "a" }
  at 6 s request { agent "a", tool "rm", load 1 } expect deny by restarted
  at 7 s request { agent "a", tool "rm", load 1 } expect allow
}

test "of four requests in ten seconds three are allowed" {
  at 0 s request { agent "a", tool "rm", load 1 } expect allow
  at 1 s request { agent "a", tool "rm", load 1 } expect allow
  at 2 s request { agent "a", tool "rm", load 1 } expect allow
  at 3 s request { agent "a", tool "rm", load 1 } expect deny by many
  at 3 s request { agent "b", tool "rm", load 1 } expect allow
}
"""

AT_ONCE = """language 1
policy at_once version "1.0.0"
default deny
input {
  agent : key
  size  : number in 0..9
}
event e
event f
event g
shared event storm
let both = elapsed(e) > 0 ms and elapsed(f) > 0 ms
machine m {
  start calm
  calm -> busy when size > 3 or both
  busy -> calm on g
}
rule fine when m is calm and both for 5 ms allow
"""
"""Ages of 0 or 1 beside each other, and samples of what is shared, which do not address them."""
