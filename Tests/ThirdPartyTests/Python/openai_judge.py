"""Asks an OpenAI-compatible provider through the official SDK.

Usage: openai_judge.py BASE_URL KEY. Writes what it saw as one JSON object.
"""

import json
import sys

import openai

base_url, key = sys.argv[1:]
client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=30)
messages = [{"role": "user", "content": "count to 12"}]


def streamed():
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=messages,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    choices = [choice for chunk in chunks for choice in chunk.choices]
    return {
        "text": "".join(choice.delta.content or "" for choice in choices),
        "role": choices[0].delta.role,
        "finishReasons": [c.finish_reason for c in choices if c.finish_reason is not None],
        "usage": chunks[-1].usage.total_tokens,
        "usageBeforeTheEnd": any(chunk.usage is not None for chunk in chunks[:-1]),
        "deltas": sum(1 for choice in choices if choice.delta.content),
    }


def whole(**options):
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages, **options)
    return {
        "text": answer.choices[0].message.content,
        "finishReason": answer.choices[0].finish_reason,
        "usage": answer.usage.total_tokens,
        "completionTokens": answer.usage.completion_tokens,
    }


def refused(**options):
    try:
        client.with_options(**options.pop("client", {})).chat.completions.create(
            **{"model": "gpt-4o-mini", "messages": messages, **options}
        )
    except openai.APIStatusError as error:
        return {"error": type(error).__name__, "code": error.code}
    return {"error": None}


json.dump(
    {
        "models": [model.id for model in client.models.list()],
        "streamed": streamed(),
        "whole": whole(),
        "limited": whole(max_tokens=3),
        "wrongKey": refused(client={"api_key": "sk-wrong"}),
        "wrongModel": refused(model="no-such-model"),
        "noMessages": refused(messages=[]),
    },
    sys.stdout,
)
