"""Model names as people and gateways write them: prefixes, dates, deployment names. Pure functions.

A name is tried in stages, each looser than the one before:
 1. *exact*: the name as given, then without gateway and provider prefixes;
 2. *undated*: dates, versions and "latest" taken off the end, spelling variants evened out;
 3. *resold*: a bare name that only a reseller lists, as `maker/name`;
 4. *deployment*: a known model name standing as whole words inside a longer name, when nothing else in
    that name speaks of a different model. An empty cost is better than a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_NAME = 300  # longer names are never matched
_MAX_PREFIXES = 8  # taken off one name; the longest known path has seven
_MAX_WORDS = 24  # of a deployment's name

# What a prefix says about who charges; None: a gateway or folder that says nothing.
PROVIDERS: Mapping[str, str] = {
    alias: provider
    for provider, aliases in {
        "openai": "openai openai-chat openai-responses text-completion-openai chatgpt",
        "azure": "azure azure_ai azure-ai azure-openai azure_openai azureopenai azure_text",
        "aws": "aws bedrock bedrock_converse aws-bedrock amazon-bedrock amazon_bedrock aws_bedrock sagemaker",
        "google": "google gemini vertex_ai vertex-ai vertexai vertex google-vertex google_vertexai"
        " google_genai google-genai google-ai-studio googleai google-gla google-vertex-ai",
        "anthropic": "anthropic claude",
        "mistral": "mistral mistralai mistral-ai",
        "deepseek": "deepseek deepseek-ai",
        "x-ai": "xai x-ai x_ai",
        "moonshotai": "moonshot moonshotai moonshot-ai kimi",
        "cohere": "cohere cohere_chat",
        "groq": "groq",
        "together": "together together_ai together-ai togetherai",
        "fireworks": "fireworks fireworks_ai fireworks-ai",
        "openrouter": "openrouter open-router",
        "perplexity": "perplexity perplexity-ai pplx",
        "cerebras": "cerebras",
        "databricks": "databricks",
        "cloudflare": "cloudflare workers-ai",
        "novita": "novita novita-ai",
        "zai": "zai z-ai z.ai",
        "zhipuai": "zhipu zhipuai bigmodel",
        "minimax": "minimax",
        "voyageai": "voyage voyageai",
        "github-copilot": "github-copilot github_copilot",
        "baseten": "baseten",
        "ovhcloud": "ovhcloud",
        "elevenlabs": "elevenlabs",
    }.items()
    for alias in aliases.split()
}

_BEDROCK = re.compile(
    r"^(?:(?:us|eu|apac|ap|jp|au|ca|sa|us-gov|global|regional)\.)?"
    r"(?:amazon|anthropic|cohere|meta|mistral|deepseek|ai21|openai|qwen|writer|moonshot|minimax|stability)\."
)
_BEDROCK_REGION = re.compile(r"^(?:us|eu|apac|ap|jp|au|ca|sa|us-gov)\.(?=[a-z0-9]+\.)")
_COMPACT_DATE = re.compile(r"([-@])(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=$|[-:@])")
_DASHED_DATE = re.compile(r"-(20\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?=$|[-:@])")
_ENDINGS = re.compile(
    r"(?:[-@:_.](?:20\d\d-?[01]\d-?[0-3]\d|latest|stable|default|exp|experimental|preview|v\d(?::\d+)?)"
    r"|[-@](?:2\d)?(?:0\d|1[0-2])(?:[0-2]\d|3[01])|-00\d|@\d{8})$"
)
_SPELLINGS = (
    (re.compile(r"\bgpt-?35\b"), "gpt-3.5"),
    (re.compile(r"\bgpt(?=\d)"), "gpt-"),
    (re.compile(r"_"), "-"),
    (re.compile(r"^doubao-(?=seed)"), ""),
)
_DASHED_VERSION = re.compile(r"(?<=[-a-z])(\d)-(\d)(?=$|[-:@])")

# Words beside a known name that speak of another model of the family.
_VARIANTS = """
    mini nano micro pro max turbo audio realtime tts stt transcribe diarize image images vision
    video embed embedding embeddings search research codex flash lite haiku opus sonnet fable
    instruct base large small medium xl xxl tiny distill distilled thinking reasoner reasoning fast
    highspeed plus ultra code coder math guard moderation rerank reranker omni live native dialog
    free batch extended deep ft finetuned tuned lora chat air terra luna sol preview exp beta alpha
    computer use spark speech whisper
"""
_VARIANT_WORDS = frozenset(_VARIANTS.split())
_HARMLESS_NUMBER = re.compile(r"^(?:0\d?|00\d|20\d\d)$")
_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)*[a-z]*")


@dataclass(frozen=True, slots=True)
class Form:
    """One way to read a name: who charges, if the name says so, and the name that remains."""

    provider: str | None
    name: str


def exact_forms(raw: str) -> list[Form]:
    """The name as given (in lower case), then without prefixes, outermost first; never repeats."""
    name = raw.strip().lower()
    forms = [Form("aws", name)] if _BEDROCK.match(name) else []
    forms.append(Form(None, name))
    rest = name.lstrip("@")
    for _ in range(_MAX_PREFIXES):
        prefix, separator, remainder = _split_prefix(rest)
        if not separator or not remainder:
            break
        rest = remainder
        forms.append(Form("aws" if _BEDROCK.match(rest) else PROVIDERS.get(prefix), rest))
    on_aws = [form.name for form in forms if form.provider == "aws"]
    forms += [Form("aws", _BEDROCK_REGION.sub("regional.", name)) for name in on_aws]
    forms += [Form("aws", _BEDROCK.sub("", name)) for name in on_aws]
    forms += [Form(form.provider, dated) for form in forms if (dated := _other_date(form.name)) != form.name]
    return list(dict.fromkeys(forms))


def _split_prefix(name: str) -> tuple[str, str, str]:
    """Cut at the first slash, or at a colon when a provider stands before it (`openai:gpt-4o`)."""
    slash = name.partition("/")
    if slash[1]:
        return slash[0].removeprefix("arn:").split(":", 1)[0], "/", slash[2]
    colon = name.partition(":")
    return colon if colon[0] in PROVIDERS else (name, "", "")


def _other_date(name: str) -> str:
    """The other way of writing the date in a name: `-20251211` and `@20251211` or `-2025-12-11`."""
    if _COMPACT_DATE.search(name):
        return _COMPACT_DATE.sub(r"-\2-\3-\4", name)
    return _DASHED_DATE.sub(r"-\1\2\3", name)


def undated_forms(forms: list[Form]) -> list[Form]:
    """Each form with endings taken off one by one and spelling variants evened out."""
    seen = set(forms)
    found: list[Form] = []
    for form in forms:
        for name in _shortened(form.name):
            candidate = Form(form.provider, name)
            if candidate not in seen:
                seen.add(candidate)
                found.append(candidate)
    return found


def _shortened(name: str) -> Iterator[str]:
    yield from _spelled(name)
    for _step in range(4):
        shorter = _ENDINGS.sub("", name)
        if shorter == name or not shorter:
            return
        name = shorter
        yield name
        yield from _spelled(name)


def _spelled(name: str) -> Iterator[str]:
    even = name
    for pattern, replacement in _SPELLINGS:
        even = pattern.sub(replacement, even)
    if even != name:
        yield even
    dotted = _DASHED_VERSION.sub(r"\1.\2", even)  # claude-3-5 and gemini-2-5 as some write them
    if dotted != even:
        yield dotted


def names_inside(name: str, known: Mapping[str, object]) -> str | None:
    """The longest known model name that stands as whole words in a deployment-like name, or None.

    None too when the words around it could mean another model: `prod-gpt-4o-eu` is gpt-4o, while
    `gpt-4o-ultra`, `gpt-4o-2` or `my-gpt-4o-mini-ft` are not.
    """
    for spelling in dict.fromkeys((name, *_spelled(name))):
        pieces = re.split(r"([-_/:@. ])", spelling)
        if len(pieces) > 2 * _MAX_WORDS:
            return None
        words = range(0, len(pieces), 2)
        spans = ((start, end) for start in words for end in words if start <= end)
        for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
            part = "".join(pieces[start : end + 1])
            if part in known and _is_telling(part):
                around = pieces[:start] + pieces[end + 1 :]
                return part if _is_harmless("".join(around)) else None
    return None


def _is_telling(name: str) -> bool:
    """Long enough, with letters and digits: `ada` or `o1` alone prove nothing."""
    return len(name) >= 5 and any(c.isdigit() for c in name) and any(c.isalpha() for c in name)


def _is_harmless(rest: str) -> bool:
    for word in _WORD.findall(rest):
        if word in _VARIANT_WORDS:
            return False
        if word[0].isdigit() and not _HARMLESS_NUMBER.match(word):
            return False
    return True
