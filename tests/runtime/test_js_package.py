from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

from edge_time_engines import module_of, named
from tools import tool

import govlang
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source

PACKAGE = Path(__file__).resolve().parents[2] / "runtime" / "js"
SOURCES = sorted(PACKAGE.glob("*.mjs"))


def test_the_package_depends_on_nothing() -> None:
    imported = [
        name
        for path in SOURCES
        for name in re.findall(
            r'^(?:import|export) .* from "(.*)";$', path.read_text(), re.MULTILINE
        )
    ]
    assert imported
    assert {name for name in imported if not (PACKAGE / name).is_file()} == set()
    words = "".join(path.read_text() for path in SOURCES)
    assert not re.search(r"\b(require|fetch|eval|Function)\(|\b(process|document|window)\.", words)


def test_the_package_says_what_it_holds() -> None:
    plain = json.loads((PACKAGE / "package.json").read_text())
    assert plain["version"] == govlang.__version__
    assert plain["license"] == "Apache-2.0"
    assert plain["type"] == "module"
    assert "dependencies" not in plain
    named = {*plain["exports"]["."].values(), plain["types"], plain["main"]}
    assert {PACKAGE / name for name in named} == {
        PACKAGE / "govlang.mjs",
        PACKAGE / "govlang.d.mts",
    }
    packed = {path for pattern in plain["files"] for path in PACKAGE.glob(pattern)}
    assert packed == {*SOURCES, PACKAGE / "govlang.d.mts"}


USE = """\
import { ModuleError, Policy, StateError, type Outcome, type Obligation } from "govlang";

const policy: Policy = await Policy.load(new Uint8Array(0), { params: { heavy: 0.8 } });
const compiled: Policy = await Policy.load(await WebAssembly.compile(new ArrayBuffer(8)));
const outcome: Outcome = policy.decide({ battery: 3n }, { runtime: { approved: new Set(["atc"]) }, nowMs: 3 });
const effect: "allow" | "limit" | "throttle" | "require_human" | "deny" = outcome.decision;
const told: string = `${effect} ${outcome.rule_id} ${outcome.reason} ${outcome.policy_snapshot}`;
function show(one: Obligation): string {
  if ("do" in one) return `${one.do} ${one.for_ms ?? ""} ${Object.keys(one.args ?? {})}`;
  if ("limit" in one) return `${one.limit} ${one.from ?? ""} ${one.to}`;
  if ("require" in one) return `${one.require.join()} ${one.expires_ms ?? ""}`;
  return "retry_ms" in one ? `${one.retry_ms}` : one.remedy;
}
const fields: string[] = policy.schema.fields.map((one) => `${one.name} ${one.hi - one.lo} ${one.kind}`);
const error: TypeError = new ModuleError("x");
const kept: Policy = await Policy.load(new Uint8Array(0), { key: "d7" });
const until: number | bigint | null = kept.observe({ event: "restart", key: { drone: "d7" }, at_ms: 3 });
kept.observe({ signal: "voltage", value: 11.5, key: "d7" });
kept.observe({ tick: true });
const saved: Uint8Array = kept.save({ nowMs: 4 });
kept.restore(saved, { key: "d7", downtimeMs: null, nowMs: 5n });
const committed: Outcome = kept.commit({ drone: "d7" }, { nowMs: 6 });
const cells: number[] = kept.schema.time!.cells.map((one) => one.bytes);
const state: RangeError = new StateError("x");
console.log(until, committed.next_deadline_ms, cells, state);
console.log(told, outcome.obligations.map(show), fields, error, compiled.schema.params[0]!.stepDen);
// @ts-expect-error a policy is loaded, not made
new Policy();
// @ts-expect-error it takes bytes or a module
Policy.load();
// @ts-expect-error the names are those of the JSON
outcome.ruleId;
// @ts-expect-error times are numbers
policy.decide({}, { nowMs: "3" });
// @ts-expect-error a step is an event, a signal or a tick
kept.observe({ at_ms: 3 });
// @ts-expect-error a key is a text
kept.restore(saved, { key: 7 });
// @ts-expect-error there are five effects
if (outcome.decision === "maybe") console.log(1);
"""


OPTIONS = """\
import { Policy, StateError } from "govlang";

const policy = await Policy.load(Buffer.from(process.argv[2], "base64"));
for (const options of [null, 5, "x", []]) {
  for (const ask of ["decide", "commit"]) {
    const { rule_id, reason } = policy[ask]({ agent: "a" }, options);
    console.log(rule_id, reason);
  }
  for (const keep of [() => policy.save(options), () => policy.restore(new Uint8Array(0), options)]) {
    try {
      keep();
    } catch (error) {
      console.log(error instanceof StateError, error.code, error.message);
    }
  }
}
console.log(policy.commit({ agent: "a" }).rule_id);
"""


def test_options_that_are_none_are_refused(tmp_path: Path) -> None:
    source = 'language 1\npolicy p version "1"\ndefault allow\ninput { agent : key }\nevent e\n'
    source += "rule late when e within 1 min deny\n"
    module = module_of(named(compile_source(Source("p.gov", source)).policy, "p"))
    shutil.copytree(PACKAGE, tmp_path / "node_modules" / "govlang")
    (tmp_path / "use.mjs").write_text(OPTIONS, "utf-8")
    done = subprocess.run(
        [tool("node"), "use.mjs", base64.b64encode(module).decode()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    asked = ["invalid_request the options must be an object"] * 2
    kept = ["true GOV419 the options must be an object"] * 2
    assert done.stdout.splitlines() == [*([*asked, *kept] * 4), "default"]


def test_the_types_are_those_of_the_package(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "node_modules" / "govlang")
    (tmp_path / "use.mts").write_text(USE, "utf-8")
    node = ("--module", "node16", "--moduleResolution", "node16")
    strict = ("--noEmit", "--strict", "--skipDefaultLibCheck")
    done = subprocess.run(
        [tool("tsc"), *strict, *node, "--target", "es2022", "--lib", "es2022,dom", "use.mts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_what_is_declared_is_there() -> None:
    declared = (PACKAGE / "govlang.d.mts").read_text()
    classes = set(re.findall(r"^export class (\w+)", declared, re.MULTILINE))
    program = (
        'import * as all from "./govlang.mjs";\n'
        "const own = Object.getOwnPropertyNames(all.Policy.prototype);\n"
        "const made = Object.getOwnPropertyNames(all.Policy);\n"
        "console.log(JSON.stringify([Object.keys(all), own, made]));\n"
    )
    done = subprocess.run(
        [tool("node"), "--input-type=module", "-e", program],
        cwd=PACKAGE,
        capture_output=True,
        text=True,
        check=True,
    )
    exported, own, made = json.loads(done.stdout)
    assert set(exported) == classes
    methods = {"decide", "commit", "observe", "save", "restore", "load"}
    assert {*own, *made} >= methods
    assert methods <= set(re.findall(r"^  (?:static )?(\w+)\(", declared, re.MULTILINE))
