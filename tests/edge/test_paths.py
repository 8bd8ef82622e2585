from __future__ import annotations

import pytest
from benchmarks.board.paths import Listing, PathError

TABLE = """
00000000 <leaf>:
       0:	add.w	r0, r0, r0, lsl #1
       4:	bx	lr

00000006 <top>:
       6:	push	{r4, lr}
       8:	cmp	r0, #2	@ 0x2
       a:	bhi.n	20 <top+0x1a>
       c:	tbb	[pc, r0]
      10:	.short	0x0402
      12:	.short	0x0006
      14:	nop
      16:	b.n	22 <top+0x1c>
      18:	bl	0 <leaf>
      1c:	pop	{r4, pc}
      1e:	nop
      20:	movs	r0, #1
      22:	ittt	ne
      24:	addne	r0, #1
      26:	popne	{r4, pc}
      28:	ldr	r0, [pc, #8]	@ (34 <x>)
      2a:	ldr.w	pc, [sp], #4
"""


def test_the_longest_path_goes_through_calls_tables_and_skipped_instructions() -> None:
    listing = Listing(TABLE)
    assert listing.longest("leaf") == 2
    ends = 5  # ittt, addne, popne, ldr, ldr pc
    by_table = 4 + max(2 + ends, 1 + 2 + 1, 1 + 1 + ends)
    assert listing.longest("top") == max(by_table, 3 + 1 + ends) == 11


CONSTANTS = """
00000000 <f>:
       0:	GUARD	r0, #1
       2:	bhi.n	12 <f+0x12>
       4:	tbb	[pc, r0]
       8:	.word	0x05030302
       c:	nop
       e:	bx	lr
      10:	movw	r0, #0
      14:	bx	lr
"""


def test_constants_behind_a_table_are_no_targets_where_a_comparison_bounds_the_index() -> None:
    text = CONSTANTS.replace("12 <f+0x12>", "10 <f+0x10>")
    assert Listing(text.replace("GUARD", "cmp")).longest("f") == 3 + 2  # 0xc: nop, bx
    assert Listing(text.replace("GUARD", "cmn")).longest("f") == 3 + 2  # 0x12 is inside movw
    beside = text.replace("0x05030302", "0x04030303")
    assert Listing(beside.replace("GUARD", "cmp")).longest("f") == 2 + 2  # by bhi alone
    assert Listing(beside.replace("GUARD", "cmn")).longest("f") == 3 + 2  # 0x10 may be a target


ADDRESSES = """
00000010 <f>:
      10:	add	r4, pc, #4	@ (adr r4, 18 <f+0x8>)
      12:	ldr.w	pc, [r4, r2, lsl #2]
      16:	nop
      18:	.word	0x00000021
      1c:	.word	0x00000023
      20:	nop
      22:	bx	lr
"""


def test_the_longest_path_goes_through_tables_of_addresses() -> None:
    assert Listing(ADDRESSES).longest("f") == 4


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0:\tnop\n 2:\tb.n\t0 <f>\n", "a loop goes through 0x2"),
        ("0:\tcbz\tr0, 0 <f>\n 2:\tbx\tlr\n", "a loop goes through 0x0"),
        ("0:\tpush\t{lr}\n 2:\tbl\t0 <f>\n 6:\tpop\t{pc}\n", "0x0 calls itself"),
        ("0:\tblx\tr3\n 2:\tbx\tlr\n", "`blx r3` leads nobody knows where"),
        ("0:\tbx\tr3\n", "`bx r3` leads nobody knows where"),
        ("0:\tmov\tpc, r3\n", "`mov pc, r3` leads nobody knows where"),
        ("0:\tldr.w\tpc, [r3, r1]\n", "leads nobody knows where"),
        ("0:\tnop\n 2:\tldr.w\tpc, [r4, r2, lsl #2]\n", "0x2 has a table that nobody knows"),
        ("0:\tb.n\t8 <f+0x8>\n", "no instruction at 0x8"),
        ("0:\tnop\n 2:\t.word\t0x00000001\n", "no instruction at 0x2"),
        ("0:\tnop\n", "no instruction at -0x1"),
    ],
)
def test_what_has_no_longest_path_is_an_error(text: str, why: str) -> None:
    with pytest.raises(PathError, match=why):
        Listing(f"00000000 <f>:\n {text}").longest("f")
