"""What is said of the demo's traces: by its evaluators, by customers, by a colleague who looks in. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from apps.tracing.records import Observation, ObservationType, Score, ScoreType

_SECOND: Final = 1_000_000
_ASKED: Final = 0.15  # of customers who answer "Was this helpful?"
_REVIEWED: Final = 0.03  # of answers that a colleague reads
_THANKS: Final = ("", "", "Quick and friendly.", "That solved it, thanks!")
_COMPLAINTS: Final = ("", "It did not answer my question.", "Too long.", "I had to ask twice.")


def verdicts(observations: Sequence[Observation]) -> list[Score]:
    """Scores of whole traces, always the same for the same ones."""
    found = []
    for observation in observations:
        if observation.type is ObservationType.EVALUATOR:
            found += _evaluation(observation)
        if observation.trace.user_id:  # the step that says what the trace is about
            found += _opinions(observation)
    return found


def _score(of: Observation, kind: str, name: str, after: int, **fields: Any) -> Score:
    given = (of.end_time or of.start_time) + after
    return Score(
        project_id=of.project_id,
        id=f"{kind}-{of.id}",
        name=name,
        timestamp=given,
        trace_id=of.trace_id,
        environment=of.environment,
        created_at=given,
        updated_at=given,
        **fields,
    )


def _evaluation(step: Observation) -> list[Score]:
    """What an evaluator's output says, as a score of the trace."""
    output = json.loads(step.output or "{}")
    reached = output.get("score", output.get("mean"))
    if reached is not None:
        comment = step.status_message
        return [_score(step, "eval", step.name, 0, value=float(reached), source="EVAL", comment=comment)]
    if "friendly" in output:
        value = {"value": float(output["friendly"]), "string_value": str(output["friendly"])}
        return [_score(step, "eval", "friendly", 0, type=ScoreType.BOOLEAN, source="EVAL", **value)]
    return []


def _opinions(root: Observation) -> list[Score]:
    random = Random(root.trace_id)  # noqa: S311 - a story, not a secret
    found = []
    if random.random() < _ASKED:
        helped = random.random() < 0.82
        comment = random.choice(_THANKS if helped else _COMPLAINTS)
        value = {"value": float(helped), "string_value": str(helped), "comment": comment}
        after = random.randint(4, 90) * _SECOND
        found.append(_score(root, "feedback", "helpful", after, type=ScoreType.BOOLEAN, **value))
    if random.random() < _REVIEWED:
        label = random.choice(("good", "good", "needs work"))
        review = {"type": ScoreType.CATEGORICAL, "string_value": label, "source": "ANNOTATION"}
        found.append(_score(root, "review", "answer quality", 3600 * _SECOND, **review))
    return found
