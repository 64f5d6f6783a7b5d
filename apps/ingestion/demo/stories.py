"""The shop's days: conversations, searches, agents and jobs, each played on a stage."""

from __future__ import annotations

from typing import Any, Final

from apps.ingestion.demo.claims import damage_report
from apps.ingestion.demo.conversations import (
    AGENT_INSTRUCTIONS,
    CHAT_INSTRUCTIONS,
    CHATS,
    CHINESE_CHATS,
    CHINESE_INSTRUCTIONS,
    INJECTIONS,
    QUESTIONS,
    TRIAGE_INSTRUCTIONS,
    Turn,
)
from apps.ingestion.demo.stage import (
    GEMINI_FLASH,
    GEMINI_PRO,
    GPT_4O,
    GPT_4O_MINI,
    KIMI,
    RERANKER,
    SONNET,
    Model,
    Stage,
    as_text,
)
from apps.ingestion.demo.work import DIGESTS, EMAILS, PRODUCTS, REQUESTS, REVIEWS, Request, ToolCall
from apps.tracing.records import Level, Observation, ObservationType

Kind = ObservationType

RATE_LIMIT: Final = "429 rate_limit_exceeded: tokens per minute used up, retry after 8 s"
_COLLEAGUES: Final = ("lena", "tomasz", "yifan")


def customer(stage: Stage) -> str:
    """A customer; some come again and again."""
    return f"cust_{4100 + int(stage.random.triangular(0, 83, 0))}"


def somebody(stage: Stage) -> str:
    """Who uses this environment: customers in production, colleagues elsewhere."""
    return customer(stage) if stage.environment == "production" else stage.random.choice(_COLLEAGUES)


# --- support chat -------------------------------------------------------------------------------------------


def support_chat(stage: Stage) -> None:
    """A conversation of one to three turns, one trace a turn."""
    topic, turns = stage.random.choice(CHATS)
    model = stage.random.choices((GPT_4O, SONNET), (3, 2))[0]
    _conversation(stage, topic, turns, model, ["chat", topic])


def chinese_chat(stage: Stage) -> None:
    """The same shop for customers in China."""
    topic, turns = stage.random.choice(CHINESE_CHATS)
    _conversation(stage, topic, turns, KIMI, ["chat", "zh", topic])


def _conversation(stage: Stage, topic: str, turns: tuple[Turn, ...], model: Model, tags: list[str]) -> None:
    user, session = somebody(stage), f"chat-{stage.random.getrandbits(28):07x}"
    history: list[dict[str, Any]] = [
        {"role": "system", "content": CHINESE_INSTRUCTIONS if model is KIMI else CHAT_INSTRUCTIONS}
    ]
    facts: dict[str, Any] = {"user_id": user, "session_id": session, "tags": tags}
    channel = stage.random.choice(("web", "web", "app"))
    for number, (question, answer) in enumerate(turns):
        history.append({"role": "user", "content": question})
        metadata = {"channel": channel, "topic": topic, "turn": str(number + 1)}
        with stage.trace("support-chat", Kind.CHAIN, question, metadata=metadata, **facts) as root:
            _guard(stage, question)
            with stage.step(Kind.RETRIEVER, "customer-context", {"user": user}) as found:
                stage.query("SELECT", "customers")
                stage.query("SELECT", "orders")
                stage.wait(8, 70)
                found.output = as_text(
                    [{"order": f"KO-{stage.random.randint(45000, 61999)}", "state": "shipped"}]
                )
            reply = _answer(stage, model, history, answer, cached=1536 if number else 0)
            root.output = answer if reply.level is Level.DEFAULT else ""
            if reply.level is not Level.DEFAULT:
                root.level, root.status_message = Level.ERROR, "no model answered"
            elif stage.chance(0.14):
                stage.event("feedback", {"thumbs": "up" if stage.chance(0.8) else "down"})
        if root.level is Level.ERROR:
            return
        history.append({"role": "assistant", "content": answer})
        stage.wait(20_000, 140_000)  # the customer reads and types


def _guard(stage: Stage, text: str, blocked: bool = False) -> None:
    with stage.step(Kind.GUARDRAIL, "input-guard", text) as guard:
        stage.wait(12, 60)
        score = stage.random.uniform(0.91, 0.99) if blocked else stage.random.uniform(0.0, 0.12)
        guard.output = as_text({"allowed": not blocked, "injection_score": round(score, 3)})
        if blocked:
            guard.level, guard.status_message = Level.WARNING, "prompt injection suspected"


def _answer(
    stage: Stage, model: Model, messages: list[dict[str, Any]], answer: str, *, cached: int = 0
) -> Observation:
    """The reply; when the provider refuses, one more try, then the other provider."""
    for attempt in range(2):
        if not (stage.outage and model is GPT_4O and stage.chance(0.75)):
            break
        stage.refuse("answer", model, messages, RATE_LIMIT)
        stage.wait(900 * (attempt + 1), 2200 * (attempt + 1))
        if attempt == 1:
            if stage.chance(0.25):
                return stage.observations[-1]
            stage.event("fallback", {"from": model.name, "to": SONNET.name}, Level.WARNING)
            model = SONNET
    return stage.generate(
        "answer", model, messages, answer, instructions=1850, cached=cached, prompt="support-system"
    )


def injection(stage: Stage) -> None:
    """Somebody tries to talk the assistant out of its instructions."""
    text = stage.random.choice(INJECTIONS)
    facts = {"user_id": customer(stage), "session_id": f"chat-{stage.random.getrandbits(28):07x}"}
    with stage.trace(
        "support-chat", Kind.CHAIN, text, route="/api/chat", tags=["chat", "blocked"], **facts
    ) as root:
        _guard(stage, text, blocked=True)
        root.output = "I can only help with questions about Kestrel Outfitters."


# --- help centre --------------------------------------------------------------------------------------------


def help_search(stage: Stage) -> None:
    """A question answered from articles, with the answer checked against them."""
    question, titles, answer = stage.random.choice(QUESTIONS)
    slow = stage.chance(0.05)
    with stage.trace(
        "help-center-answer", Kind.CHAIN, question, route="/api/help", user_id=somebody(stage), tags=["rag"]
    ) as root:
        articles = _retrieve(stage, question, titles, slow)
        if not articles:
            root.level, root.status_message = Level.ERROR, "no articles: the index did not answer"
            return
        context = "\n\n".join(f"[{n}] {article['title']}" for n, article in enumerate(articles, 1))
        messages = [{"role": "system", "content": context}, {"role": "user", "content": question}]
        model = stage.random.choices((GEMINI_FLASH, GPT_4O, SONNET), (5, 3, 2))[0]
        if stage.outage and model is GPT_4O:
            stage.refuse("compose-answer", model, messages, RATE_LIMIT)
            model = GEMINI_FLASH
        stage.generate(
            "compose-answer", model, messages, answer, instructions=1400 * len(articles), prompt="help-answer"
        )
        root.output = answer
        if stage.chance(0.4):
            _check_grounding(stage, question, answer)


def _retrieve(stage: Stage, question: str, titles: tuple[str, ...], slow: bool) -> list[dict[str, Any]]:
    with stage.step(Kind.RETRIEVER, "search-articles", {"query": question, "top_k": 8}) as search:
        stage.embed(question)
        with stage.step(Kind.SPAN, "vector-search", {"index": "articles-v3"}) as index:
            if slow:
                stage.wait(8000, 8050)
                index.level, index.status_message = Level.ERROR, "index articles-v3 timed out after 8,000 ms"
                search.level, search.status_message = Level.ERROR, index.status_message
                return []
            stage.wait(25, 160)
            index.output = as_text({"hits": 8})
        found = [
            {"title": title, "score": round(0.91 - 0.07 * place - stage.random.random() / 20, 3)}
            for place, title in enumerate(titles)
        ]
        given = {"query": question, "documents": 8}
        with stage.step(Kind.GENERATION, "rerank", given, model=RERANKER.name) as rerank:
            stage.wait(30, 90)
            rerank.output = as_text(found)
            rerank.usage = {"input": 2100, "total": 2100}
        search.output = as_text(found)
        return found


def _check_grounding(stage: Stage, question: str, answer: str) -> None:
    grounded = not answer.startswith("I could not") and stage.chance(0.93)
    with stage.step(Kind.EVALUATOR, "groundedness", {"question": question, "answer": answer}) as check:
        verdict = {
            "score": round(stage.random.uniform(0.86, 0.99) if grounded else 0.41, 2),
            "grounded": grounded,
        }
        judge = [{"role": "user", "content": f"Is every claim supported?\n\n{answer}"}]
        stage.generate("judge", GPT_4O_MINI, judge, verdict, instructions=2600, streamed=False)
        check.output = as_text(verdict)
        if not grounded:
            check.level, check.status_message = Level.WARNING, "answer is not fully supported by the articles"


# --- order agent ----------------------------------------------------------------------------------------


def order_agent(stage: Stage) -> None:
    """An agent that looks things up, changes them and reports."""
    request = stage.random.choice(REQUESTS)
    facts = {"user_id": somebody(stage), "session_id": f"agent-{stage.random.getrandbits(28):07x}"}
    with stage.trace("order-agent", Kind.AGENT, request.text, tags=["agent", request.tag], **facts) as root:
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": AGENT_INSTRUCTIONS},
            {"role": "user", "content": request.text},
        ]
        failed = ""
        for number, call in enumerate(request.calls):
            thought = request.thoughts[min(number, len(request.thoughts) - 1)]
            use = f"toolu_{stage.random.getrandbits(48):012x}"
            said = [
                {"type": "thinking", "thinking": thought},
                {"type": "tool_use", "id": use, "name": call.name, "input": call.arguments},
            ]
            stage.generate(
                "decide",
                SONNET,
                messages,
                said,
                instructions=3100,
                cached=3000 if number else 0,
                reasoning=stage.random.randint(60, 420),
                prompt="order-agent",
            )
            failed = _use_tool(stage, call) or failed
            result = as_text(call.result if call.result is not None else call.error)
            messages += [
                {"role": "assistant", "content": said},
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": use, "content": result}],
                },
            ]
        stage.generate("reply", SONNET, messages, request.answer, instructions=3100, cached=3000)
        root.output = request.answer
        _mark(root, request, failed)


def _use_tool(stage: Stage, call: ToolCall) -> str:
    """Run one call with its attempts; the error text if the last one failed too."""
    if call.name == "read_policy":
        _ask_policy_agent(stage, call)
        return ""
    for attempt in range(call.attempts):
        last = attempt == call.attempts - 1
        with stage.step(Kind.TOOL, call.name, call.arguments) as tool:
            if call.error and not (last and call.result is not None):
                stage.wait(call.milliseconds * 2, call.milliseconds * 3)
                tool.level, tool.status_message = Level.ERROR, call.error
            else:
                with stage.call("POST", f"https://api.kestrel.example/tools/{call.name}"):
                    stage.wait(call.milliseconds * 0.6, call.milliseconds * 1.8)
                tool.output = as_text(call.result)
            tool.metadata = {"attempt": str(attempt + 1)}
        if not last:
            stage.wait(300, 800)
    return call.error if call.error and call.result is None else ""


def _ask_policy_agent(stage: Stage, call: ToolCall) -> None:
    """A smaller agent inside the agent, which knows the rules of the house."""
    with stage.step(Kind.AGENT, "policy-agent", call.arguments) as agent:
        with stage.step(Kind.RETRIEVER, "policies", call.arguments) as policies:
            stage.wait(20, 70)
            policies.output = as_text([{"title": "Refunds without approval", "score": 0.93}])
        question = [{"role": "user", "content": f"Which rule applies? {as_text(call.arguments)}"}]
        stage.generate("read-rule", GPT_4O_MINI, question, call.result, instructions=1200, streamed=False)
        agent.output = as_text(call.result)


def _mark(root: Observation, request: Request, failed: str) -> None:
    if failed:
        root.level, root.status_message = Level.ERROR, failed
    elif request.warning:
        root.level, root.status_message = Level.WARNING, request.warning


# --- jobs -----------------------------------------------------------------------------------------------


def describe_product(stage: Stage) -> None:
    """A product text, drafted and checked for tone."""
    name, facts, text = stage.random.choice(PRODUCTS)
    with stage.trace("describe-product", Kind.CHAIN, {"product": name, **facts}, tags=["catalogue"]) as root:
        ask = [{"role": "user", "content": f"Write 60 words about: {name} {as_text(facts)}"}]
        if stage.chance(0.12):
            with stage.step(Kind.GENERATION, "draft", ask, model=GEMINI_FLASH.name) as draft:
                stage.wait(900, 1500)
                draft.output = text[: len(text) // 3]
                draft.level, draft.status_message = (
                    Level.WARNING,
                    "stopped at the length limit; drafted again",
                )
                draft.usage = {"input": 640, "output": 48, "total": 688}
        stage.generate(
            "draft", GEMINI_FLASH, ask, text, reasoning=stage.random.randint(150, 600), prompt="product-text"
        )
        with stage.step(Kind.EVALUATOR, "tone-check", text) as check:
            stage.wait(15, 40)
            check.output = as_text({"friendly": True, "superlatives": 0, "words": len(text.split())})
        root.output = text


def review_digest(stage: Stage) -> None:
    """Topics of many reviews side by side, then one summary over a very long context."""
    with stage.trace(
        "review-digest", Kind.CHAIN, {"reviews": 640, "days": 7}, tags=["batch", "reviews"]
    ) as root:
        with stage.together() as branches:
            for part in range(6):
                if part:
                    branches.back()
                review = REVIEWS[(part * 2 + stage.random.randint(0, 1)) % len(REVIEWS)]
                topics = {"topics": [["zip", "fit", "warmth", "delivery"][part % 4]], "mood": "mixed"}
                ask = [{"role": "user", "content": review}]
                stage.generate("extract-topics", GPT_4O_MINI, ask, topics, instructions=5200, streamed=False)
        digest = stage.random.choice(DIGESTS)
        ask = [{"role": "user", "content": "Summarise this week's topics for the product team."}]
        stage.generate(
            "summarise",
            GEMINI_PRO,
            ask,
            digest,
            instructions=stage.random.choice((88_000, 164_000, 231_000)),
            reasoning=stage.random.randint(900, 2600),
        )
        root.output = digest


def triage_email(stage: Stage) -> None:
    """One call that sorts a mail; sometimes what comes back has the wrong shape."""
    text, labels = stage.random.choice(EMAILS)
    with stage.trace("triage-email", Kind.CHAIN, text, tags=["batch", "mail"]) as root:
        ask = [{"role": "system", "content": TRIAGE_INSTRUCTIONS}, {"role": "user", "content": text}]
        broken = stage.chance(0.06)
        answer: Any = {**labels, "priority": "high"} if broken else labels
        call = stage.generate("classify", GPT_4O_MINI, ask, answer, prompt="triage", streamed=False)
        if broken:
            call.level = root.level = Level.ERROR
            call.status_message = root.status_message = (
                "JSON does not match schema: $.priority is not an integer"
            )
            return
        root.output = as_text(labels)


def judge_answers(stage: Stage) -> None:
    """The nightly check: a model judges a few of the day's answers."""
    stage.environment = "evaluation"
    with stage.trace("judge-support-answers", Kind.EVALUATOR, {"sample": 4}, tags=["nightly"]) as root:
        scores: list[float] = []
        for _number in range(4):
            _topic, turns = stage.random.choice(CHATS)
            question, answer = turns[0]
            scores.append(round(stage.random.uniform(0.72, 0.99), 2))
            verdict = {"score": scores[-1], "reason": "Correct, friendly and names the next step."}
            ask = [{"role": "user", "content": f"Question: {question}\n\nAnswer: {answer}"}]
            stage.generate("judge", GPT_4O, ask, verdict, instructions=900, prompt="judge", streamed=False)
        root.output = as_text({"mean": round(sum(scores) / len(scores), 3), "scores": scores})


# Story and how often it is told.
STORIES: Final = (
    (support_chat, 30),
    (help_search, 22),
    (order_agent, 18),
    (triage_email, 10),
    (chinese_chat, 9),
    (describe_product, 7),
    (damage_report, 6),
    (injection, 2),
)
