from collections.abc import Mapping
from typing import Any

class Decided:
    _policy: Any
    _texts: tuple[str, ...] | None
    _words: bytes
    _is_valid: bool
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
    def _decide_plain(self, request: dict[str, Any], runtime: dict[str, Any], /) -> Any: ...
    def _refuse(self, reason: str, /) -> Any: ...
