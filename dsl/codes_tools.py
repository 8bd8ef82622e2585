"""The pages of bundles and tables (GOV4xx), evidence (GOV5xx), import and export (GOV6xx) and the
command line (GOV7xx).
"""

from __future__ import annotations

from govlang.dsl.page import Page

BUNDLES: dict[str, Page] = {
    "GOV400": Page(
        "a bundle or table cannot be read",
        "There is no such file, or it may not be read.",
        "Policy.load('polcy.govb')",
        "Give the path of a `.govb` file that `gov build` wrote.",
    ),
    "GOV401": Page(
        "a file is no bundle, or a part of it was changed",
        "A bundle is a zip archive of one exact form. Whatever `gov build` would not have written, "
        "down to the last bit, is refused, and the message names the part.",
        "a bundle of which the last kilobyte is missing",
        "Copy the file again, or build the policy again with `gov build`.",
    ),
    "GOV402": Page(
        "the manifest of a bundle cannot be used",
        "`manifest.json` lacks something, holds something unknown, or is not canonical JSON (RFC 8785).",
        "a manifest edited by hand",
        "Build the policy again with `gov build`; a manifest is never edited.",
    ),
    "GOV403": Page(
        "a bundle of a newer version",
        "The bundle's major version is above what this program reads; it could mean something else.",
        '{"major": 2, …}',
        "Install a newer govlang, or build the policy with this one.",
    ),
    "GOV404": Page(
        "a part of a bundle does not add up",
        "A part is missing, is not in the manifest, has another hash than the manifest says, or is "
        "not what the sources in the bundle compile to.",
        "a bundle with the table of another policy in it",
        "Build the policy again with `gov build`.",
    ),
    "GOV405": Page(
        "a bundle is not signed by this key",
        "A signature was demanded, and there is none, it was made for another manifest, or by another key.",
        "gov decide policy.govb --require-signature key.pub.pem …",
        "Sign it with `gov build --key KEY`, or demand the key that it was signed with.",
    ),
    "GOV406": Page(
        "a key that cannot be used",
        "Signatures are Ed25519; keys are PEM files without a password.",
        "gov build policy.gov -o out --key id_rsa",
        "Make one with `openssl genpkey -algorithm ed25519 -out key.pem`, its public half with "
        "`openssl pkey -in key.pem -pubout -out key.pub.pem`.",
    ),
    "GOV410": Page(
        "a compiled table cannot be used",
        "Every index, range and link of a table is checked before it decides anything; one did not add up.",
        "a table.bin with a changed word",
        "Build the policy again with `gov build`.",
    ),
    "GOV411": Page(
        "a parameter that does not fit",
        "The policy declares no parameter of this name, or the value is outside of its range or grid; or `capacity` is "
        "no number of keys that there is room for.",
        "Policy.load(path, params={'cap': 99})",
        "Give a value of the declared range, in the declared unit.",
    ),
    "GOV412": Page(
        "columns that do not fit",
        "`decide_batch` needs a column for every required field, all of one length, of a type that the "
        "field can take.",
        "policy.decide_batch({'battery': ['full']})",
        "Give the column that the message names in the type that it names.",
    ),
    "GOV413": Page(
        "a request that is not JSON",
        "The text does not parse, so there is no request that could be decided.",
        "policy.decide_json(b'{battery: 3}')",
        "Send one JSON object: names in double quotes, no comma at the end.",
    ),
    "GOV414": Page(
        "an obligation that cannot be worked out",
        "The table's program for a value of an obligation failed; the outcome must be treated as deny.",
        "an obligation of a table that was changed in memory",
        "Load the policy again.",
    ),
    "GOV415": Page(
        "a step that the policy cannot take in",
        "A step that is no request is an event or a signal that the policy declares, with its key and its "
        "fields, or a `tick`. This one is none, or a value does not fit.",
        'policy.observe({"event": "restart"})',
        "`gov explain --state` lists what a policy takes in; send requests to `decide` or `commit`.",
    ),
    "GOV416": Page(
        "C or WebAssembly that is not of the documented form",
        "What `gov build` writes for the edge keeps to a small part of C and of WebAssembly, so that it "
        "can be read back and proved equal to the policy. Anything else is refused with its line or offset.",
        "a policy.wasm with a changed byte, a policy.c edited by hand",
        "Build the policy again with `gov build`; change the policy, never what it compiles to.",
    ),
    "GOV417": Page(
        "an event that nothing called for",
        "The policy says that each of these events comes after another one of the same key, and all of those have "
        "had theirs. The event is not taken in, and the state is as it was.",
        'event success after dispatched, and policy.observe({"event": "success", "key": "a"}) twice',
        "Report what must come before it, or find out why the host reports one result twice.",
    ),
    "GOV418": Page(
        "no room for another key",
        "A policy remembers a fixed number of keys and forgets one only when nothing is remembered of it. The store is "
        "full: requests of new keys are denied by `state_full`, events of new keys are not taken in. A module "
        "keeps one key, and takes no saved state of another.",
        "Policy.load(bundle, capacity=2), and an event of a third key",
        "Load the policy with a larger `capacity`, and a module for each key.",
    ),
    "GOV419": Page(
        "a state that cannot be restored",
        "The bytes are no state, the state of another policy, cut off or damaged; or they are a module's, which do not "
        "say whose they are, and no `key` says it. Nothing was restored.",
        "policy.restore(blob[:-1])",
        "Give the bytes that `save` of this policy, or of another version of it, has returned; to a module with "
        "their `key`.",
    ),
    "GOV420": Page(
        "nothing is remembered by this name",
        "The policy has no such cell, keeps nothing by such a field, or no request could have the key.",
        'policy.remembered("allowed.age", 5)',
        "`gov explain --state` lists what is remembered; a key is a text.",
    ),
}

EVIDENCE: dict[str, Page] = {
    "GOV500": Page(
        "a ledger cannot be read",
        "There is no ledger at this place, or a line of it is no record.",
        "gov evidence verify ./none",
        "Give the directory that holds LEDGER.jsonl, or the `.jsonl` file itself.",
    ),
    "GOV501": Page(
        "a ledger cannot be written",
        "The disk refused the record, so it does not count as written and the decision must not be used.",
        "a full disk",
        "Make room, or give a place that can be written.",
    ),
    "GOV502": Page(
        "a ledger has another writer",
        "Only one program at a time appends to a ledger.",
        "two `gov decide --evidence data` at once",
        "End the other program, or give each its own ledger.",
    ),
    "GOV503": Page(
        "the head of a ledger is broken",
        "LEDGER.head holds the count and the hash of the last record, in one exact form.",
        '{"count": "three"}',
        "Restore the file from a copy; `gov evidence verify --head HASH` checks against a kept hash.",
    ),
    "GOV504": Page(
        "a ledger that does not go on from its head",
        "The records before the head are fewer, or others, than the head says; nothing is appended.",
        "a LEDGER.jsonl of which the last lines were deleted",
        "Keep both files as they are, run `gov evidence verify`, and begin a new ledger.",
    ),
    "GOV505": Page(
        "a record was changed, dropped or moved",
        "Every record holds the hash of the one before it; here the chain breaks.",
        "a line edited by hand",
        "Compare with a copy; what stands before the fault is as it was written.",
    ),
    "GOV506": Page(
        "the records do not end where the head says",
        "Records were cut off or added at the end, or there is no head to tell.",
        "a LEDGER.jsonl without its last line",
        "Compare with a copy, or check against a hash kept elsewhere with `--head HASH`.",
    ),
    "GOV507": Page(
        "a head kept elsewhere is not in the chain",
        "Some record must have the hash that was noted earlier; none has, so the ledger is not the "
        "one that was noted, or was cut before that record.",
        "gov evidence verify data --head sha256:…",
        "Compare with a copy from the time of the note.",
    ),
    "GOV508": Page(
        "a ledger that is closed",
        "After an append that failed nobody knows what reached the disk, so the ledger takes no more "
        "records until it is opened again; that adopts a whole record and drops a torn one.",
        "`append` after `append` raised GOV501, or after `close`",
        "Open the ledger again, and record the decision there before it is used.",
    ),
}

EXCHANGE: dict[str, Page] = {
    "GOV601": Page(
        "something cannot be carried over",
        "The other format says something that this language cannot say, or means something else by it. "
        "Nothing is dropped in silence, so nothing is written.",
        '{"==": [{"var": "name"}, 1]}, which compares a text with a number',
        "Do what the help line says, or write that part as a rule by hand.",
    ),
    "GOV602": Page(
        "an unknown or misplaced name",
        "A key of a safety.yaml that nobody reads there, or a field that the schema does not declare.",
        "constraints: under `match:`",
        "Move it to where the help line says that it belongs.",
    ),
    "GOV603": Page(
        "the other format cannot be read",
        "The file is no YAML, no JSON or no CSV of the expected form; aliases and duplicate keys are refused.",
        "rules: [",
        "Mend the place that the message names.",
    ),
    "GOV604": Page(
        "two things would have one name",
        "Labels become fields, with `-` turned to `_`; two labels, or a label and a field, would meet.",
        "labels: {env-name: a, env_name: b}",
        "Rename one of them in the source.",
    ),
    "GOV605": Page(
        "a value that does not fit",
        "The key or operator is known, but not with this value.",
        "decision: alow",
        "Use one of the values that the message names.",
    ),
    "GOV610": Page(
        "something cannot be said in JSON-Logic",
        "JSON-Logic has no obligations, no globs and no exact fractions; an export never approximates.",
        'when topic like "a.*.b"',
        "Leave obligations out with `--decisions-only`, or use the compiled bundle.",
    ),
}

COMMAND: dict[str, Page] = {
    "GOV700": Page(
        "gov itself failed",
        "This is a fault of the program, not of its input.",
        "error[GOV700]: gov itself failed: KeyError: …",
        "Report it with the input and with what `GOV_TRACEBACK=1 gov …` shows.",
    ),
    "GOV701": Page(
        "a file cannot be read or written",
        "There is no such file or folder, or it may not be used; or a policy's version, which names the "
        "bundle, has characters that no file's name may have.",
        "gov fmt none.gov",
        "Give a path that exists and that you may use; write a version such as `1.0.0`.",
    ),
    "GOV702": Page(
        "an input is too large for this machine",
        "Memory or stack ran out; nothing was written.",
        "a file nested a hundred thousand deep",
        "Split the input.",
    ),
    "GOV703": Page(
        "JSON that cannot be used",
        "The text does not parse, holds a key twice, or is no object.",
        "gov decide p.gov --input '{battery: 3}'",
        "Write names and texts in double quotes; give `@FILE` or `-` for long inputs.",
    ),
    "GOV704": Page(
        "no file is given",
        "The verb works on files, or on those that `gov.toml` in this folder names.",
        "gov verify",
        'Name a .gov file, or write `files = ["policy.gov"]` into gov.toml.',
    ),
    "GOV705": Page(
        "there is no such code",
        "`gov help` knows every code that any verb prints.",
        "gov help GOV999",
        "`gov help` lists all codes.",
    ),
    "GOV706": Page(
        "a parameter that does not fit",
        "`--param NAME=VALUE` names a parameter of the policy and gives a value of its range.",
        "gov decide p.gov --param cap=99 …",
        "Give a declared name, and a value in its unit.",
    ),
    "GOV707": Page(
        "the folder is not empty",
        "`gov new` never writes over anything.",
        "gov new .",
        "Give the name of a new folder.",
    ),
    "GOV708": Page(
        "options that do not go together",
        "The verb needs exactly one of some options, or an option lacks another.",
        "gov decide p.gov",
        "Do what the help line says.",
    ),
    "GOV709": Page(
        "a step of a trace that cannot be replayed",
        "A line of a trace holds one step: a `request` (with its `runtime`), an `event` with its `key` and `fields`, "
        "a `signal` with its `key` and `value`, or a `tick`; its `at_ms` counts milliseconds since 1970. This one "
        "holds something else, or names what the policy does not declare.",
        '{"at_ms": 0, "evnt": "restart", "key": {"agent": "a1"}}',
        "Do what the help line says. A policy without rules over time takes requests and ticks alone.",
    ),
    "GOV710": Page(
        "a test failed",
        "The compiled table decides otherwise than the test expects.",
        "expect allow, where a rule denies",
        "Run `gov explain` on the request, then mend the rule or the test.",
    ),
    "GOV711": Page(
        "there is no test",
        "`--fail-on-empty` asks for at least one `test` block.",
        "gov test --fail-on-empty p.gov",
        'Add `test "name" { request { … } expect deny }`, or let `gov test --generate` write some.',
    ),
    "GOV712": Page(
        "the tests reach too little",
        "`--threshold N` asks that the tests reach N percent of the rules, of the conditions, and of MC/DC.",
        "gov test --threshold 90 p.gov",
        "`gov test --generate` writes the tests that are missing; read what they expect.",
    ),
    "GOV713": Page(
        "a library is not installed",
        "Proving needs z3 (extra `verify`), `--cross-check` cvc5 (extra `cross-check`), columns NumPy and "
        "PyArrow (extra `batch`); a service that only decides needs none of them.",
        "gov verify, after `pip install govlang`",
        'Install the extra that the message names, as in `pip install "govlang[verify]"`.',
    ),
    "GOV714": Page(
        "more tests are missing than were written",
        "`gov test --generate` writes at most 1 000 tests at a time.",
        "gov test --generate p.gov, where p.gov has thousands of rules",
        "Put the tests that were written into the policy, and generate again.",
    ),
    "GOV715": Page(
        "rules over time where only rules over single requests are built yet",
        "A policy with cells (`gov explain --state` lists them) is checked, proved, built into a bundle with its "
        "table and, if a board can keep the cells, its module and its C, run by `gov test` (coverage and generated "
        "tests too), `gov decide` and `gov explain`, measured and compared with another version. SMT-LIB is for "
        "policies without. So is JSON-Logic, which reads one request and keeps nothing.",
        "gov build p.gov -o out --emit smt2, where p.gov has `rule r when restart within 5 min deny`",
        "Leave out what is named; a board can run the module or the C (`--emit c,wasm`), or its host computes the "
        "fact and passes it in as a field `from runtime`.",
    ),
    "GOV716": Page(
        "a board has no place for what the policy keeps",
        "C and WebAssembly keep what is shared and the state of one key: a board is one drone, one valve, one "
        "agent. Cells that are kept by another field (`per F`) need a store of many keys, so `gov build` makes the "
        "table only and says so.",
        "gov build --emit wasm p.gov, where p.gov has `count(deletion per resource) in 10 min >= 2`",
        "Decide this rule in the service (`gov build --emit table`), or keep it by the key or `shared`.",
    ),
    "GOV717": Page(
        "something that no generated test reaches",
        "`gov test --generate` found no request, or over time no history, for this. `no test can reach this`: it is "
        "proved that there is none. `no test was found`: the search ended before it knew.",
        "gov test --generate p.gov, where p.gov has `rule r when a > 3 and a > 2 deny`",
        "Simplify a condition of which one half never decides; write the test by hand where the search ended.",
    ),
}

TOOLS: dict[str, Page] = {**BUNDLES, **EVIDENCE, **EXCHANGE, **COMMAND}
