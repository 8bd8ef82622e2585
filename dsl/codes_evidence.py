"""The pages of a ledger's tree: notes, checkpoints, tiles, keys and exports (GOV660 to GOV679)."""

from __future__ import annotations

from typing import Final

from govlang.dsl.page import Page

TREE: Final[dict[str, Page]] = {
    "GOV660": Page(
        "a record that is too long",
        "A record is at most 65 535 bytes of canonical JSON, since a tile says its length with 16 bits. What a request "
        "carried is left out of a longer one, if the policy need not be told of it again, and long texts become their "
        "hashes; this one is too long all the same.",
        "an event with 100 000 bytes of `details`",
        "Record the hash of a large value, and keep the value elsewhere.",
    ),
    "GOV661": Page(
        "a ledger that is not the one of its checkpoint",
        "A checkpoint says how many records there were and the root of the tree over them. The ledger has fewer, or "
        "others, or the checkpoint is another ledger's: records were cut off, edited or forked. Nothing is signed "
        "that does not begin with the last checkpoint.",
        "a LEDGER.jsonl that was restored from a copy older than its checkpoint",
        "Keep everything as it is, run `gov evidence verify` with checkpoints kept elsewhere, restore a whole copy.",
    ),
    "GOV662": Page(
        "a checkpoint that another program wrote",
        "Only one writer makes the checkpoints of a ledger, and the file is not the one that it wrote last.",
        "`gov evidence checkpoint` on the data directory of a service that runs",
        "End one of the two, and start the other again.",
    ),
    "GOV663": Page(
        "a text that is no checkpoint",
        "A checkpoint is a signed note (C2SP signed-note, tlog-checkpoint) of one exact form: origin, size, root, an "
        "empty line, and a line a signature.",
        "a checkpoint with blanks at the ends of its lines",
        "Copy the file again, byte by byte.",
    ),
    "GOV664": Page(
        "a signature that does not hold",
        "A note or an export is trusted with a signature of a key that is known and not retired. This one has none, a "
        "wrong one, or one of a key retired before.",
        "gov evidence verify data --key KEY, with the key of another ledger",
        "Give the verifier key that signed it; if that is the one given, the file was changed.",
    ),
    "GOV665": Page(
        "a ledger's key that cannot be used",
        "Keys are Ed25519. A verifier key is `NAME+HASH+BASE64` (C2SP signed-note), a line of `ledger.pub`, with "
        "` until SIZE` behind a retired one; its name has no blanks and no `+`.",
        "gov evidence verify data --key ledger.key",
        "Give the line of `ledger.pub`, or the file; the private key is for signing only.",
    ),
    "GOV666": Page(
        "a tile that is missing or broken",
        "Tiles hold the hashes and the records up to the last checkpoint as static files. One is missing, or not what "
        "the records make it.",
        "rm data/tile/0/000",
        "Restore it from a copy, or delete `tile` and run `gov evidence checkpoint`, which makes the tiles anew.",
    ),
    "GOV667": Page(
        "records that cannot be exported or proved",
        "The choice of records holds none, a record is not what the ledger writes, or no checkpoint covers it yet.",
        "gov evidence export data --job no-such-job --key key.pem",
        "Look for the job with `gov evidence show data`.",
    ),
    "GOV668": Page(
        "private values that cannot be forgotten",
        "Salts and private values lie apart from the records, in LEDGER.salts or in a table of the service. They could "
        "not be deleted, or another program is writing.",
        "gov evidence forget-private data --before 2031-01-01, while the service holds the database",
        "Stop the writer, or try again.",
    ),
    "GOV669": Page(
        "a run that the ledger does not know",
        "A run is told by its id, the part of a job's id before the colon. No record is of this one.",
        "gov drill replay data --run run_42",
        "List what there is with `gov evidence show data`.",
    ),
}
