"""BentoML with its adaptive batching: a worker a core, one thread each."""

import bentoml
from onnx_model import OnnxModel


@bentoml.service(
    workers="cpu_count",
    traffic={"timeout": 60, "max_concurrency": 1024},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Classifier:
    def __init__(self) -> None:
        self.model = OnnxModel(threads=1)

    @bentoml.api(batchable=True, max_batch_size=32, route="/predict")
    def predict(self, texts: list[str]) -> list[list[dict]]:
        scores = self.model.score_by_length(self.model.read(texts), most=8)
        return self.model.named(scores)
