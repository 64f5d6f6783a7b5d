"""Deliveries that arrive broken: a customer sends a photo, a model that sees reads it."""

from __future__ import annotations

from typing import Any, Final

from apps.ingestion.demo import photos
from apps.ingestion.demo.stage import GPT_4O, GPT_4O_MINI, Stage, as_text
from apps.tracing.records import ObservationType

# What the customer writes, what the model sees, what the customer is told; by photo.
_CLAIMS: Final = (
    (
        "My parcel came like this. The stove inside rattles.",
        {
            "damage": "hole",
            "place": "front, right of the tape",
            "contents": "possibly damaged",
            "severity": 3,
        },
        "I am sorry about the parcel. A new stove is on its way; please keep the old one until we collect it.",
    ),
    (
        "Is this still fine? Two tent poles should be in it.",
        {"damage": "small tear", "place": "front, below", "contents": "probably complete", "severity": 1},
        "The tear is small and the poles should be fine. If one is missing, write back and we send it at once.",
    ),
    (
        "The box was open when I got it, and a sock is missing.",
        {"damage": "torn open", "place": "front, left below", "contents": "incomplete", "severity": 2},
        "Thank you for the photo. I have booked a refund for the missing pair; it takes two or three days.",
    ),
)
_SEE: Final = "You look at photos of deliveries. Say what is broken, where, and how badly (1 to 3), as JSON."
_TELL: Final = (
    "You answer customers whose delivery came broken: in two sentences, kindly, with what happens next."
)


def damage_report(stage: Stage) -> None:
    """A photo, what it shows, a claim, an answer."""
    number = stage.random.randrange(photos.COUNT)
    note, seen, answer = _CLAIMS[number]
    photo = photos.reference(number)
    facts = {"user_id": f"cust_{4100 + stage.random.randrange(84)}", "tags": ["claims", "photo"]}
    with stage.trace(
        "damage-report",
        ObservationType.CHAIN,
        {"message": note, "photo": photo},
        route="/api/claims",
        **facts,
    ) as root:
        shown = [
            {"type": "text", "text": note},
            {"type": "image_url", "image_url": {"url": photo, "detail": "high"}},
        ]
        asked: list[dict[str, Any]] = [
            {"role": "system", "content": _SEE},
            {"role": "user", "content": shown},
        ]
        stage.generate("inspect-photo", GPT_4O, asked, seen, instructions=765, streamed=False)
        with stage.step(ObservationType.TOOL, "open-claim", seen) as claim:
            stage.query("INSERT", "claims")
            stage.wait(50, 220)
            claim.output = as_text({"claim": f"CL-{stage.random.randint(1000, 9999)}", "state": "open"})
        question = f"{note}\n\n{as_text(seen)}"
        told = [{"role": "system", "content": _TELL}, {"role": "user", "content": question}]
        stage.generate("answer", GPT_4O_MINI, told, answer, prompt="claim-answer")
        root.output = answer
