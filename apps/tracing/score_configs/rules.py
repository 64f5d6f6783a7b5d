"""What a score config demands, as those who read scores need it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.tracing.records import ScoreType


class Broken(Exception):
    """A score does not keep to its config: the score's field that is wrong, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Rules:
    """A score config."""

    id: str
    name: str  # of every score that follows it
    type: ScoreType
    is_archived: bool = False
    least: float | None = None  # of a NUMERIC value
    most: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)  # label -> value, of CATEGORICAL

    def check_use(self, type: ScoreType | None) -> None:
        """Raises Broken when no score, or none of this type, may follow it now."""
        if self.is_archived:
            raise Broken("configId", f"config {self.id} is archived; use another one or restore it.")
        if type is not None and type is not self.type:
            raise Broken("dataType", f"must be {self.type} as in config {self.id}, not {type}.")

    def number(self, value: float, label: str) -> float:
        """The number that is stored for a value of the right type. Raises Broken."""
        if self.type is ScoreType.NUMERIC:
            if self.least is not None and value < self.least:
                raise Broken("value", f"must be at least {self.least:g}, as config {self.id} says.")
            if self.most is not None and value > self.most:
                raise Broken("value", f"must be at most {self.most:g}, as config {self.id} says.")
        if self.type is ScoreType.CATEGORICAL:
            if label not in self.categories:
                known = ", ".join(list(self.categories)[:20])
                raise Broken("value", f"must be a category of config {self.id}: {known}.")
            return self.categories[label]
        return value
