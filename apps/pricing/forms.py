"""The form of a model definition: what a person types, as the JSON shape that `drafts.read_draft` checks.

Prices are typed for a million units, as price lists have them (or for one), and kept for one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from apps.core.errors import ApiError, InvalidRequest
from apps.pricing.drafts import MAX_PRICES, MAX_TIERS, ModelDraft, Refused, read_draft
from apps.pricing.models import ModelDefinition, Unit
from apps.pricing.showing import MILLION, lines, per, usage_prices
from apps.pricing.usage import dollars
from apps.pricing.wording import condition_text, read_condition

PER = {"1000000": MILLION, "1000": 1000, "1": 1}
_PLAIN_KEY = re.compile(r'[^\s,"]+')
_KEY = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,]+')
_MAX_TEXT = 20_000  # characters of one control
# Fields of refusals and the control that each belongs to.
_CONTROLS = {
    "modelName": "name",
    "matchPattern": "pattern",
    "startDate": "start",
    "tokenizerId": "tokenizer",
    "unit": "unit",
}


@dataclass(slots=True)
class TierInput:
    """A tier as typed: conditions a line each, prices as (keys, price)."""

    name: str = ""
    priority: str = ""
    conditions: str = ""
    prices: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class ModelInput:
    """The whole form as typed. The first tier is the default one."""

    name: str = ""
    pattern: str = ""
    unit: str = Unit.TOKENS.value
    start: str = ""
    tokenizer: str = ""
    tokenizer_model: str = ""
    per: str = "1000000"
    revision: str = ""
    tiers: list[TierInput] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)  # control, or "" for the whole form -> what is wrong


def of_model(model: ModelDefinition) -> ModelInput:
    """The form filled in with a definition, fetched with its tiers."""
    shown_per = per(model.unit)
    tiers = sorted(model.tiers.all(), key=lambda tier: tier.priority)
    return ModelInput(
        name=model.name,
        pattern=model.match_pattern,
        unit=model.unit,
        start=model.start_date.isoformat().removesuffix("T00:00:00+00:00") if model.start_date else "",
        tokenizer=model.tokenizer_id,
        tokenizer_model=str(model.tokenizer_config.get("tokenizerModel", "")),
        per=str(shown_per),
        revision=str(model.revision),
        tiers=[
            TierInput(
                tier.name,
                "" if tier.is_default else str(tier.priority),
                "\n".join(condition_text(condition) for condition in tier.conditions),
                [
                    (" ".join(map(_written, keys)), f"{(price * shown_per).normalize():f}")
                    for keys, price in lines(usage_prices(model, tier))
                ],
            )
            for tier in tiers
        ],
    )


def of_keys(keys: Iterable[str]) -> list[TierInput]:
    """A default tier that asks for the price of each of these usage keys."""
    return [TierInput("Standard", prices=[(key, "") for key in keys])]


def of_post(data: QueryDict) -> ModelInput:
    """The form as somebody sent it, bounded."""

    def text(name: str) -> str:
        return str(data.get(name, ""))[:_MAX_TEXT].strip()

    numbers = [number for number in data.getlist("tier") if number.isdigit()][: MAX_TIERS + 1]
    return ModelInput(
        name=text("name"),
        pattern=text("pattern"),
        unit=text("unit"),
        start=text("start"),
        tokenizer=text("tokenizer"),
        tokenizer_model=text("tokenizer_model"),
        per=text("per") if text("per") in PER else "1000000",
        revision=text("revision"),
        tiers=[
            TierInput(
                text(f"tier-{number}-name"),
                text(f"tier-{number}-priority"),
                text(f"tier-{number}-conditions"),
                list(
                    zip(
                        [keys[:_MAX_TEXT] for keys in data.getlist(f"tier-{number}-keys")[:MAX_PRICES]],
                        [price[:64].strip() for price in data.getlist(f"tier-{number}-price")[:MAX_PRICES]],
                        strict=False,
                    )
                ),
            )
            for number in numbers
        ],
    )


def draft_of(given: ModelInput, *, config: Mapping[str, Any] | None = None) -> ModelDraft | None:
    """What was typed as a valid definition; None, with `given.errors` set, when it is none. `config` is the
    tokenizer's configuration so far, of which the form shows only the model."""
    definition = {
        "modelName": given.name,
        "matchPattern": given.pattern,
        "unit": given.unit,
        "startDate": given.start or None,
        "tokenizerId": given.tokenizer or None,
        "tokenizerConfig": _config(given, config or {}),
    }
    try:
        read_draft(
            {**definition, "inputPrice": 0}
        )  # by itself: what is wrong with it is said beside the tiers'
    except InvalidRequest as error:
        refuse(given, error)
    try:
        tiers = [_tier(tier, place, given) for place, tier in enumerate(given.tiers)]
        draft = read_draft({**definition, "pricingTiers": tiers})
    except InvalidRequest as error:
        refuse(given, error)
        return None
    return None if given.errors else draft


def refuse(given: ModelInput, error: ApiError) -> None:
    """Note a refusal beside the control it is about, else above the form."""
    control = _CONTROLS.get(error.field.rstrip(":"), "") if isinstance(error, Refused) else ""
    text = error.words if control and isinstance(error, Refused) else error.message
    given.errors[control] = text[:1].upper() + text[1:]


def _config(given: ModelInput, config: Mapping[str, Any]) -> dict[str, Any] | None:
    if not given.tokenizer:
        return None
    if not given.tokenizer_model:
        return {key: value for key, value in config.items() if key != "tokenizerModel"}
    return {"tokensPerMessage": 3, "tokensPerName": 1, **config, "tokenizerModel": given.tokenizer_model}


def _tier(tier: TierInput, place: int, given: ModelInput) -> dict[str, Any]:
    # isdigit() would take “²” too, which is no number.
    if place and not (tier.priority.isascii() and tier.priority.isdecimal()):
        raise InvalidRequest(
            _("Tier %(name)s: its priority must be a whole number from 1 to 999.") % {"name": tier.name[:100]}
        )
    return {
        "name": tier.name,
        "isDefault": place == 0,
        "priority": int(tier.priority[:4]) if place else 0,
        "conditions": [read_condition(line) for line in tier.conditions.splitlines() if line.strip()],
        "prices": _prices(tier, given),
    }


def _written(key: str) -> str:
    """A usage key as it stands among others; in quotes where it would fall apart."""
    return key if _PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _read_keys(text: str) -> list[str]:
    """Usage keys between blanks and commas, some in quotes."""
    keys: list[str] = []
    for part in _KEY.findall(text):
        try:
            keys.append(str(json.loads(part)) if part.startswith('"') else part)
        except ValueError:
            raise InvalidRequest(
                _("The usage key %(key)s is not well quoted.") % {"key": part[:100]}
            ) from None
    return keys


def _prices(tier: TierInput, given: ModelInput) -> dict[str, str]:
    """Price for one unit by usage key, as decimal text; lines without a price are left out."""
    prices: dict[str, str] = {}
    for keys, typed in tier.prices:
        if not typed:
            continue
        amount = dollars(typed.removeprefix("$").strip())
        if amount is None:
            raise InvalidRequest(
                _("Tier %(name)s: “%(price)s” is not a price. Write a number of at least 0, such as 2.50.")
                % {"name": tier.name[:100], "price": typed[:40]}
            )
        for key in _read_keys(keys):
            if key in prices:
                raise InvalidRequest(
                    _("Tier %(name)s: the usage key %(key)s has two prices.")
                    % {"name": tier.name[:100], "key": key[:100]}
                )
            prices[key] = format(amount / PER[given.per], "f")
    if not prices:
        raise InvalidRequest(
            _("Tier %(name)s has no price. Name a usage key, such as input, and what it costs.")
            % {"name": tier.name[:100] or "–"}
        )
    return prices
