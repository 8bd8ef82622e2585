from collections.abc import Mapping
from typing import Any

class Decided:
    _policy: Any
    _texts: tuple[str, ...] | None
    _words: bytes
    _is_valid: bool
    _mark: bytes | None
    next_deadline_ms: int | None
    @property
    def decision(self) -> Any: ...
    @property
    def rule_id(self) -> str: ...
    @property
    def reason(self) -> str: ...

class Decider:
    _owner: Any
    _rule_ids: tuple[str, ...]
    def __init__(
        self, owner: object, address: int, decisions: tuple[Any, ...], outcome: type[Decided]
    ) -> None: ...
    def decide(
        self,
        request: Mapping[str, Any],
        /,
        *,
        now_ms: int | None = None,
        runtime: Mapping[str, Any] | None = None,
    ) -> Any: ...
    def commit(
        self,
        request: Mapping[str, Any],
        /,
        *,
        now_ms: int | None = None,
        runtime: Mapping[str, Any] | None = None,
    ) -> Any: ...
    def observe(self, step: Mapping[str, Any], /) -> int | None: ...
    def _decide_plain(
        self, request: dict[str, Any], runtime: dict[str, Any], now_ms: int | None, keep: bool, /
    ) -> Any: ...
    def _remember(self, capacity: int, seed: int, other: int, /) -> None: ...
    def _report(
        self,
        kind: int,
        now_ms: int | None,
        words: tuple[tuple[int, int], ...],
        keys: tuple[bytes | None, ...],
        /,
    ) -> tuple[int, int]: ...
    def _instance(self, scope: int, key: bytes, /) -> bytes | None: ...
    def _forget(self, scope: int, key: bytes, /) -> bytes | None: ...
    def _save(self) -> list[tuple[int, bytes, bytes]]: ...
    def _restore(
        self, instances: tuple[list[tuple[int, bytes, bytes]], int, int, int], /
    ) -> None: ...
    def _refuse(self, reason: str, /) -> Any: ...
