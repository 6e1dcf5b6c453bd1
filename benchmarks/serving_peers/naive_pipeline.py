"""What most people begin with: FastAPI around a transformers pipeline."""

import os

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

classify = pipeline(
    "text-classification",
    model=os.environ["PEER_MODEL"],
    trust_remote_code=True,
    top_k=None,
    device="cpu",
)
app = FastAPI()


class Texts(BaseModel):
    texts: list[str]


@app.get("/health")
def health() -> str:
    return "ok"


@app.post("/predict")
def predict(request: Texts) -> dict:
    return {"data": classify(request.texts, truncation=True)}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PEER_PORT"]), log_level="warning")
