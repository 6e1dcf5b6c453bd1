"""A chat server with a language model in it: two random layers, real probabilities.

It reads and writes bytes: a token's id is its byte. The weights are random but for two
directions, by which an answer is mostly one of the codes and ends after it, so that the model
obeys prompts about as well as a large one does.
"""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import torch
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from transformers import LlamaConfig, LlamaForCausalLM

from llkd.teachers.chat.calling import TOKENIZE, Called, Failure

MODEL = "tiny-random"
BEGIN, END = 256, 257
_HIDDEN = 32

Body = dict[str, Any]


@dataclass(frozen=True)
class Offers:
    """What the server can do; what it cannot it ignores without a word, as many do."""

    logprobs: bool = True
    token_ids: bool = False
    choice: bool = False
    several: bool = True
    # Answers 500 instead where log-probabilities are asked for.
    broken_logprobs: bool = False
    # Answers 422 where a request has one of these fields.
    refused: frozenset[str] = frozenset()


# As `transformers serve` of transformers 5.23 was seen to answer: it refuses fields that are
# not OpenAI's, and takes those of OpenAI that it does not know, with status 200 and no effect.
TRANSFORMERS_SERVE = Offers(
    logprobs=False,
    several=False,
    refused=frozenset({"structured_outputs", "guided_choice", "logprob_token_ids"}),
)


def make_model(codes: Sequence[str], *, seed: int = 0) -> LlamaForCausalLM:
    """A random Llama that mostly answers with one of these characters."""
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=_HIDDEN,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=16_384,
        initializer_range=0.3,
        tie_word_embeddings=False,
        bos_token_id=BEGIN,
        eos_token_id=END,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.train(mode=False)
    with torch.no_grad():
        embeddings, head = model.model.embed_tokens.weight, model.lm_head.weight
        tokens = [ord(code) for code in codes]
        embeddings[tokens, 0] = 8.0
        head[END, 0] = 20.0
        embeddings[BEGIN, 1] = 8.0
        head[tokens, 1] = 5.0
        head[END, 1] = -5.0
    return model


def conversation(messages: Sequence[Body], *, answering: bool = True) -> list[int]:
    """The tokens of a conversation, up to where an answer begins, or to the end of the last."""
    ids: list[int] = []
    for message in messages:
        ids += [BEGIN, *message["content"].encode(), END]
    return [*ids, BEGIN] if answering else ids[:-1]


@torch.no_grad()
def next_logprobs(model: LlamaForCausalLM, ids: Sequence[int]) -> torch.Tensor:
    """[V], log-probabilities of what comes after these tokens."""
    logits: torch.Tensor = model(torch.tensor([list(ids)])).logits[0, -1]
    return logits.log_softmax(dim=0)


def make_app(model: LlamaForCausalLM, offers: Offers) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/chat/completions")
    def complete(body: Body) -> Any:
        if offers.broken_logprobs and body.get("logprobs"):
            error = {"message": "Out of range float values are not JSON compliant", "code": 500}
            return JSONResponse({"error": error}, status_code=500)
        if unexpected := offers.refused & body.keys():
            detail = f"Unexpected fields in the request: {set(unexpected)}"
            return JSONResponse({"detail": detail}, status_code=422)
        ids = conversation(body["messages"])
        count = body.get("n", 1) if offers.several else 1
        choices = [_choice(model, ids, body, offers, seed=seed) for seed in range(count)]
        written = sum(len(choice.pop("ids")) for choice in choices)
        return {
            "object": "chat.completion",
            "model": f"{body['model']}-0001",
            "choices": choices,
            "usage": {"prompt_tokens": len(ids), "completion_tokens": written},
        }

    @app.post("/tokenize")
    def tokenize(body: Body) -> Any:
        if not offers.token_ids:
            return JSONResponse({"detail": "Not Found"}, status_code=404)
        answering = not body.get("continue_final_message", False)
        tokens = conversation(body["messages"], answering=answering)
        return {"count": len(tokens), "tokens": tokens}

    return app


def _choice(
    model: LlamaForCausalLM, ids: list[int], body: Body, offers: Offers, *, seed: int
) -> Body:
    generator = torch.Generator().manual_seed(seed)
    written: list[int] = []
    content: list[Body] = []
    allowed = body.get("structured_outputs", {}).get("choice") if offers.choice else None
    while len(written) < body["max_tokens"]:
        logprobs = next_logprobs(model, [*ids, *written])
        token = _next(_masked(logprobs, written, allowed), body["temperature"], generator)
        content.append(_reported(logprobs, token, body, offers))
        if token == END:
            break
        written.append(token)
    choice: Body = {
        "index": seed,
        "message": {"role": "assistant", "content": bytes(written).decode("latin-1")},
        "finish_reason": "length" if len(written) == body["max_tokens"] else "stop",
        "logprobs": None,
        "ids": written,
    }
    if offers.logprobs and body.get("logprobs"):
        choice["logprobs"] = {"content": content}
    return choice


def _masked(
    logprobs: torch.Tensor, written: list[int], allowed: Sequence[str] | None
) -> torch.Tensor:
    """The same with what leads to none of the allowed answers ruled out."""
    # An answer is made of bytes; BEGIN is none.
    mask = torch.full_like(logprobs, float("-inf") if allowed else 0.0)
    mask[BEGIN] = float("-inf")
    for answer in allowed or ():
        encoded = [*answer.encode(), END]
        if encoded[: len(written)] == written and len(encoded) > len(written):
            mask[encoded[len(written)]] = 0.0
    return logprobs + mask


def _next(logprobs: torch.Tensor, temperature: float, generator: torch.Generator) -> int:
    if temperature == 0:
        return int(logprobs.argmax())
    weights = (logprobs / temperature).softmax(dim=0)
    return int(torch.multinomial(weights, 1, generator=generator))


def _reported(logprobs: torch.Tensor, token: int, body: Body, offers: Offers) -> Body:
    """The token with its probability and those of others, from before the mask."""
    asked = body.get("logprob_token_ids") if offers.token_ids else None
    shown = asked or logprobs.topk(min(20, body.get("top_logprobs", 0))).indices.tolist()
    as_ids = offers.token_ids and body.get("return_tokens_as_token_ids", False)

    def entry(one: int) -> Body:
        name = f"token_id:{one}" if as_ids else ("" if one >= BEGIN else chr(one))
        return {"token": name, "logprob": float(logprobs[one]), "bytes": None}

    return {**entry(token), "top_logprobs": [entry(each) for each in shown]}


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Serve an app on a free port of this machine; yields its base URL, which ends in /v1."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        give_up = time.monotonic() + 30
        while not server.started:
            if not thread.is_alive() or time.monotonic() > give_up:
                raise RuntimeError("the chat server did not come up")
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        thread.join()


class HttpCall:
    """A `Call` over HTTP that is sent once."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self.sent: list[Body] = []

    async def __call__(self, path: str, body: bytes, *, tokens: int) -> Called:
        base = self._base_url.removesuffix("/v1") if path == TOKENIZE else self._base_url
        self.sent.append(json.loads(body))
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            headers = {"content-type": "application/json"}
            reply = await client.post(base + path, content=body, headers=headers)
        if reply.status_code == 200:
            return Called(reply.json())
        if reply.status_code == 400:
            return Called(failure=Failure("bad_request", reply.json()))
        return Called(failure=Failure("permanent", reply.json()))
