"""Every code that govlang prints, with its page: title, explanation, an example, the way out.

`gov help CODE` shows the page; a test demands one for each code used in the source. GOV1xx:
syntax and limits of a source; GOV2xx: names, types, units, ranges, flow; GOV3xx: findings of the
verifier; GOV4xx: bundles, tables, loading; GOV5xx: evidence; GOV6xx: settings (600), import and export
(601 to 610), the control plane (614 to 659), trees and notes of evidence (660 to 679), clients and workers
(680 to 699); GOV7xx: command line and tests.
"""

from __future__ import annotations

from govlang.dsl.codes_client import CLIENT
from govlang.dsl.codes_control import CONTROL
from govlang.dsl.codes_evidence import TREE
from govlang.dsl.codes_findings import FINDINGS
from govlang.dsl.codes_meaning import MEANING
from govlang.dsl.codes_service import SERVICE
from govlang.dsl.codes_store import STORE
from govlang.dsl.codes_tools import TOOLS
from govlang.dsl.page import Page

__all__ = ["CODES", "SYNTAX", "Page"]

SYNTAX: dict[str, Page] = {
    "GOV101": Page(
        "the source is not valid UTF-8",
        "A policy is text in UTF-8. This file holds bytes that are not.",
        "a file saved as Latin-1 with an `é` in a comment",
        "Save the file as UTF-8; `iconv -f latin1 -t utf8` converts one.",
    ),
    "GOV102": Page(
        "the source is empty",
        "There is nothing in the file but blanks and comments.",
        "// a comment only",
        'Begin with `language 1` and `policy NAME version "1.0.0"`; `gov new DIR` writes a start.',
    ),
    "GOV103": Page(
        "the source is too large",
        "Sources over 4 MiB are refused before they are parsed.",
        "a generated policy of 60 000 rules in one file",
        'Keep rows in a table (`table … from "file.csv"`), or split the policy with `import`.',
    ),
    "GOV104": Page(
        "nested too deeply",
        "Brackets, `not`, `if`, `implies` and arithmetic may nest 200 deep in one expression.",
        "when ((((… 1 000 brackets …))))",
        "Name parts of the expression with `let` and use the names.",
    ),
    "GOV105": Page(
        "a character that has no place here",
        "The source holds a control character, or a character that the language uses only inside "
        "strings and comments.",
        "rule r when a && b deny",
        "Write the word or sign that the message suggests, or put the text in double quotes.",
    ),
    "GOV106": Page(
        "a string that does not end, or a bad escape in it",
        'A string stands between double quotes on one line; the escapes are `\\"`, `\\\\`, `\\n`, `\\t` and `\\u{…}`.',
        'rule r deny because "no end',
        'Close the string with `"` on its line; write a backslash as `\\\\`.',
    ),
    "GOV107": Page(
        "a number that is not written out",
        "Numbers are decimals: digits, with `_` between digits, and a fraction after a point.",
        "rule r when risk > 1e-3 deny",
        "Write `0.001`.",
    ),
    "GOV108": Page(
        "a name that is too long",
        "A name, also one in quotes, has at most 200 characters, since messages and records quote it.",
        'rule "…a paragraph…" deny',
        "Name the rule briefly and write the rest after `because`.",
    ),
    "GOV110": Page(
        "a syntax error",
        "Something else stands where the grammar expects the words that the message names.",
        "rule a whne x > 3 deny",
        "Type one of the words that the message names at the caret.",
    ),
    "GOV111": Page(
        "the header is missing or out of place",
        'A policy begins with `language 1` and then `policy NAME version "V"`. A file that a policy imports has none, '
        "and is checked with it.",
        "rule a deny",
        'Put `language 1` and `policy my_policy version "1.0.0"` first; or check the file that imports this one.',
    ),
    "GOV112": Page(
        "a language version that this compiler does not know",
        "`language N` says for which version of the language the policy was written.",
        'language 7\npolicy p version "1"',
        "Write `language 1`, or use a newer govlang.",
    ),
    "GOV113": Page(
        "a clause is missing or written twice",
        "A rule has one effect and at most one `when`, `because`, `remedy` and `overrides`; "
        "a transition has one cause of a kind at least, a contract and every level say what `may` be "
        "done; a field, a contract and `deviates` say each thing once.",
        "rule a when x > 3",
        "Add what is missing, or remove the second clause.",
    ),
    "GOV114": Page(
        "a table whose rows do not fit its head",
        "A table begins with a row of headings, the columns and then the result; every row has a cell for each.",
        "table t(zone) -> limit speed {\n  | zone | speed |\n  | urban |\n}",
        "Give the row as many cells as the table has columns; `_` holds for every value.",
    ),
    "GOV115": Page(
        "a CSV file that cannot be read as a table's rows",
        "The first line holds the headings of the table's columns and results, every further line a row.",
        "zone;speed",
        "Use commas, quote cells that hold commas, and name the columns as in the table's declaration.",
    ),
    "GOV116": Page(
        "a function with the wrong number of values",
        "`least` and `greatest` take two or more values, `abs` takes one.",
        "let a = least(payload)",
        "Write `least(payload, 5 kg)`.",
    ),
    "GOV121": Page(
        "an operator over time that can be read in two ways",
        "`not X within d` may mean that X did not happen in d, or that there was a moment in d without X; "
        "`X since E within d` may bound the time since E, or ask whether the whole held in d.",
        "rule r when not restart within 5 min deny",
        "Write `not (X within d)` or `(not X) within d`; `X since (E within d)` or `(X since E) within d`.",
    ),
}

CODES: dict[str, Page] = {
    **SYNTAX,
    **MEANING,
    **FINDINGS,
    **TOOLS,
    **SERVICE,
    **CONTROL,
    **STORE,
    **TREE,
    **CLIENT,
}
"""Code to page; the tables of the stages are merged here."""
