"""The documented names of docs/edge.md and their names in C.

In: what a header declares, and the documented names of the variables and the outcome's cells, if they
are known.  Out: the documented name of every member, and the texts.

What always holds: a header that is accepted has exactly the members that the documented names ask for,
in their order.  Where the documented names are not known they are read off the header: several may have
one name in C (`has.x`, and a field called `has_x`), so whoever knows a policy gives them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from govlang.native.errors import ArtefactError
from govlang.verifier.translation.c_header import Header, Member
from govlang.verifier.translation.c_types import Storage, Type

_WORDS: Final = """
    auto break case char const continue default do double else enum extern float for goto if inline int
    long register restrict return short signed sizeof static struct switch typedef union unsigned void
    volatile while alignas alignof bool constexpr false nullptr static_assert thread_local true typeof
    typeof_unqual and and_eq asm bitand bitor catch char8_t char16_t char32_t class co_await co_return
    co_yield compl concept const_cast consteval constinit decltype delete dynamic_cast explicit export
    friend mutable namespace new noexcept not not_eq operator or or_eq private protected public
    reinterpret_cast requires static_cast template this throw try typeid typename using virtual wchar_t
    xor xor_eq fortran far near huge interrupt
    NULL offsetof unix linux i386 errno assert EOF TRUE FALSE
    size_t ptrdiff_t max_align_t nullptr_t intmax_t uintmax_t intptr_t uintptr_t
    INTMAX_C UINTMAX_C INTMAX_MIN INTMAX_MAX UINTMAX_MAX INTPTR_MIN INTPTR_MAX UINTPTR_MAX
    PTRDIFF_MIN PTRDIFF_MAX SIZE_MAX SIG_ATOMIC_MIN SIG_ATOMIC_MAX
    WCHAR_MIN WCHAR_MAX WINT_MIN WINT_MAX
"""
_SIZED: Final = re.compile(
    r"u?int(_least|_fast)?(8|16|32|64|128)_t|U?INT(_LEAST|_FAST)?(8|16|32|64|128)_(MIN|MAX|C|WIDTH)"
)
_RESERVED: Final = frozenset(_WORDS.split())


def is_reserved(name: str) -> bool:
    """Whether C, C++, their headers or a common compiler may mean something by a name."""
    return name in _RESERVED or _SIZED.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Kept:
    """A variable of the state: its bits, the type of its member, its domain.

    `fresh`: its cap, if it is the age of a signal's last sample; of the time of a scope the domain is not told.
    """

    name: str
    width: int
    storage: Storage
    lo: int = 0
    hi: int = 0
    fresh: int | None = None
    is_time: bool = False


@dataclass(frozen=True, slots=True)
class DocumentedTime:
    """What a policy over time has beside: variables of samples with their kinds, those of each scope, the ways.

    `ways`: the documented names of the functions of events and signals, by number; `definition`: the 16 digits
    of the state.
    """

    sample: Mapping[str, int]
    scopes: Mapping[str, Sequence[Kept]]
    ways: Sequence[str]
    definition: str

    @property
    def kept(self) -> list[Kept]:
        """The variables of the state, in order."""
        return [one for kept in self.scopes.values() for one in kept]


@dataclass(frozen=True, slots=True)
class Documented:
    """Names of variables, parameters included, and of the outcome's cells, in the order of docs/edge.md.

    `policy`: the policy's name, whatever it is where there is none; `time` of a policy over time.
    """

    variables: Sequence[str]
    cells: Sequence[str]
    policy: str | None = None
    time: DocumentedTime | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the request: its function, and the members that keep it if it is compared."""

    classify: str
    length: str | None = None
    copy: str | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """The documented names by role and member, an array's without the word; and the texts by field."""

    cells: Mapping[tuple[str, str], str]
    texts: Mapping[str, Text]
    ways: tuple[str, ...] = ()
    """The functions of events and signals, by number."""
    time: DocumentedTime | None = None


def legal(text: str) -> str:
    """A text with every sign that C does not know made `_`, and `x` before what is no letter."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return name if re.match(r"[A-Za-z]", name) else f"x{name}"


@dataclass(slots=True)
class NameScope:
    """Names of C that are given out one by one."""

    taken: set[str] = field(default_factory=set)

    def would(self, text: str) -> str:
        """The name that a text would get."""
        base = legal(text)
        name, number = base, 1
        while is_reserved(name) or name in self.taken:
            number += 1
            name = f"{base}_{number}"
        return name

    def give(self, text: str) -> str:
        """The name that a text gets."""
        name = self.would(text)
        self.taken.add(name)
        return name


Asked = Documented | Callable[[Collection[str]], Documented] | None
"""The documented names; or who knows them once the members of the request are known; or nobody does."""


def named(header: Header, asked: Asked) -> Named:
    """The documented names of a header's members.

    Raises:
        ArtefactError: GOV416 with the line, a member is not what the documented names ask for.

    """
    known = asked(header.structs["request"]) if callable(asked) else asked or _read_off(header)
    if known.policy is not None and legal(known.policy) != header.policy:
        raise ArtefactError("header line 1", f"the policy `{header.policy}`")
    roles = {"request", "params", "outcome"}
    if known.time is not None:
        roles |= {"sample", *known.time.scopes}
    for role in header.structs.keys() - roles:
        raise ArtefactError("header line 1", f"the policy has no {role}")
    params = [name for name in known.variables if name.startswith("param.")]
    own = [name for name in known.variables if not name.startswith("param.")]
    request, outcome = _Members(header, "request"), _Members(header, "outcome")
    cells = {("request", request.take(name)): name for name in own}
    if not own:
        request.take("unused")
    texts = _texts(own)
    kept = dict(request.take_text(texts) for _ in range(sum(texts.values())))
    others = _Members(header, "params")
    cells |= {("params", others.take(name)): name for name in params}
    cells |= {("outcome", outcome.take_cell(name, n)): name for name, n in _arrays(known.cells)}
    cells |= dict(_of_time(header, known.time))
    for members in (request, others, outcome):
        members.check_empty()
    ways = _ways(header, known.time)
    return Named(cells, _functions(header, texts, kept), ways, known.time)


def _of_time(header: Header, time: DocumentedTime | None) -> Iterator[tuple[tuple[str, str], str]]:
    """The members of samples and of the state, each with its documented name."""
    if time is None:
        return
    sample = _Members(header, "sample")
    for name in time.sample:
        yield ("sample", sample.take(name.removeprefix("sample."))), name
    sample.check_empty()
    for role, listed in time.scopes.items():
        scope = _Members(header, role)
        for one in listed:
            member = scope.take("at" if one.is_time else one.name.removeprefix(f"{role}."))
            found = header.structs[role][member]
            if found.storage != one.storage:
                raise ArtefactError(found.at, f"`{member}` is no `{one.storage}`")
            yield (role, member), one.name
        scope.check_empty()


def _ways(header: Header, time: DocumentedTime | None) -> tuple[str, ...]:
    """The functions of events and signals; they are among those that the header declares."""
    scope, policy = NameScope(), header.policy
    names = () if time is None else time.ways
    return tuple(scope.give(f"{policy}_{name.replace('.', '_', 1)}") for name in names)


@dataclass(slots=True)
class _Members:
    """The members of a struct that have no documented name yet."""

    header: Header
    role: str
    scope: NameScope = field(default_factory=NameScope)
    left: list[Member] = field(init=False)

    def __post_init__(self) -> None:
        self.left = [*self.header.structs.get(self.role, {}).values()]

    def take(self, name: str) -> str:
        """The next member, which has the name and holds a number."""
        member = self.left[0] if self.left else None
        if member is None or member.name != self.scope.give(name) or member.type is None:
            at = "header line 1" if member is None else member.at
            raise ArtefactError(at, f"the {self.role} has no member for `{name}` here")
        return self.left.pop(0).name

    def take_cell(self, name: str, words: int | None) -> str:
        """The next member, which has as many words."""
        found = self.take(name.removeprefix("out."))
        member = self.header.structs[self.role][found]
        if member.count != words:
            raise ArtefactError(member.at, f"`{name}` has not {words or 'one'} words")
        return found

    def take_text(self, texts: dict[str, bool]) -> tuple[str, tuple[str, str]]:
        """The next two members, which keep a text that is compared."""
        at = self.left[0].at if self.left else "header line 1"
        for name in [name for name, compared in texts.items() if compared]:
            wanted = (f"{name}_length", f"{name}_bytes")
            if [self.scope.would(one) for one in wanted] == [one.name for one in self.left[:2]]:
                length, copy = self.left[:2]
                if (length.type, copy.type) != (Type.INT32, None):
                    break
                del self.left[:2]
                texts[name] = False
                return name, (self.scope.give(wanted[0]), self.scope.give(wanted[1]))
        raise ArtefactError(at, "the request has no members for a text that is compared here")

    def check_empty(self) -> None:
        """Nothing is left."""
        for one in self.left:
            raise ArtefactError(one.at, f"the member `{one.name}` stands for nothing")


def _texts(variables: Iterable[str]) -> dict[str, bool]:
    """The texts that variables speak of, and whether they are compared."""
    found: dict[str, bool] = {}
    for parts in (name.split(".") for name in variables):
        match parts:
            case ["class", name, _]:
                found.setdefault(name, False)
            case ["same", left, right]:
                found |= {left: True, right: True}
            case _:
                continue
    return found


def _arrays(cells: Iterable[str]) -> Iterator[tuple[str, int | None]]:
    """The cells, the words of a mask as one: its name and how many they are."""
    words: Counter[str] = Counter()
    names: dict[str, None] = {}
    for cell in cells:
        match = _WORD.fullmatch(cell)
        names[match[1] if match else cell] = None
        words.update([match[1]] if match else [])
    return ((name, words.get(name)) for name in names)


_WORD: Final = re.compile(r"(out\.(?:limited|dos|remedies))\.[0-9]+")


def _functions(
    header: Header, texts: Mapping[str, bool], kept: Mapping[str, tuple[str, str]]
) -> dict[str, Text]:
    """The function of each text, in the order of the header."""
    prefix, scope, found = f"{header.policy}_classify_", NameScope(), {}
    left = [*texts]
    for function in header.functions:
        name = next((one for one in left if scope.would(prefix + one) == function), None)
        if name is not None:
            left.remove(name)
            found[name] = Text(scope.give(prefix + name), *kept.get(name, (None, None)))
    if left:
        raise ArtefactError("header line 1", f"no function takes the text `{left[0]}`")
    return found


# --- where nobody knows the names ------------------------------------------------------------------


def _read_off(header: Header) -> Documented:
    """The documented names that a header most likely has."""
    prefix = f"{header.policy}_classify_"
    texts = [name.removeprefix(prefix) for name in header.functions if name.startswith(prefix)]
    kept = {f"{text}_{part}" for text in texts for part in ("length", "bytes")}
    members = [name for name in header.structs["request"] if name not in kept]
    variables = [_variable(name, texts) for name in members if members != ["unused"]]
    variables += [f"param.{one.removeprefix('param_')}" for one in header.structs.get("params", ())]
    cells: list[str] = []
    for member in header.structs["outcome"].values():
        name = _cell(member.name)
        words = range(member.count or 0)
        cells += [f"out.{name}.{word}" for word in words] if words else [f"out.{name}"]
    return Documented(variables, cells)


_CELL: Final = re.compile(r"(lo|hi|do_[0-9]+|remedy_[0-9]+)_")


def _cell(member: str) -> str:
    match = _CELL.match(member)
    return f"{match[1].replace('_', '.')}.{member[match.end() :]}" if match else member


def _variable(member: str, texts: Sequence[str]) -> str:
    for text in texts:
        if match := re.fullmatch(rf"class_{text}_([0-9]+)", member):
            return f"class.{text}.{match[1]}"
        for other in texts:
            if member == f"same_{text}_{other}":
                return f"same.{text}.{other}"
    return re.sub("^has_", "has.", member)
