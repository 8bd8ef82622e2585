"""The bytes of a module, read in order: numbers, names, runs of bytes; each error names its offset.

In: bytes, and where a part of them begins and ends.  Out: what stands there.  What always holds:
nothing is read behind the end of the part; LEB128 numbers have their shortest form.
"""

from __future__ import annotations

from dataclasses import dataclass

from govlang.native.errors import ArtefactError


def refusal(at: int, why: str) -> ArtefactError:
    """The error that refuses a module for what stands at an offset."""
    return ArtefactError(f"offset {at:#x}", why)


@dataclass(slots=True)
class Reader:
    """A place in a part of a module that ends before `end`; `part` is its name in messages."""

    data: bytes
    at: int
    end: int
    part: str = "module"

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.end - self.at:
            raise refusal(self.at, f"the {self.part} ends before {count} more bytes")
        self.at += count
        return self.data[self.at - count : self.at]

    def unsigned(self) -> int:
        """An unsigned number of at most 32 bits."""
        start, value = self.at, 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if shift and not byte:
                    raise refusal(start, "a number is longer than it need be")
                if value >> 32:
                    break
                return value
        raise refusal(start, "a number has more than 32 bits")

    def signed(self, width: int) -> int:
        """A signed number of at most `width` bits."""
        start, value, byte = self.at, 0, 0
        for shift in range(0, width, 7):
            before, byte = byte, self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                sign = byte >> 6 & 1
                if shift and byte == 0x7F * sign and before >> 6 & 1 == sign:
                    raise refusal(start, "a number is longer than it need be")
                value -= sign << (shift + 7)
                if not -(1 << (width - 1)) <= value < 1 << (width - 1):
                    break
                return value
        raise refusal(start, f"a number has more than {width} bits")

    def name(self) -> str:
        """A name: its length and its bytes."""
        start = self.at
        try:
            return self.take(self.unsigned()).decode()
        except UnicodeDecodeError:
            raise refusal(start, "a name is not UTF-8") from None

    def expect(self, wanted: bytes, what: str) -> None:
        """The next bytes must be these."""
        start = self.at
        if self.take(len(wanted)) != wanted:
            raise refusal(start, f"{what} must be {wanted.hex(' ')}")

    def part_of(self, size: int, part: str) -> Reader:
        """The next `size` bytes as a part of their own."""
        start = self.at
        self.take(size)
        return Reader(self.data, start, self.at, part)

    def finish(self) -> None:
        """Nothing may be left."""
        if self.at != self.end:
            raise refusal(self.at, f"{self.end - self.at} bytes are left over in the {self.part}")
