"""LitServe as well as we can set it: a one-thread worker a core, small batches of like length.

Of six settings that were tried (batches of 4 to 32, timeouts of 0 to 10 ms, its fast queue on and
off) those with a timeout cost about the same CPU a text; without one its workers spin when few
requests come. PEER_BATCH, PEER_TIMEOUT and PEER_FAST_QUEUE try others. Inside a batch, texts are
sorted by length and cut into eights, as is best for the engine.
"""

import os

import litserve
from onnx_model import OnnxModel


class Classify(litserve.LitAPI):
    def setup(self, device):
        self.model = OnnxModel(threads=1)

    def decode_request(self, request):
        return request["texts"]

    def batch(self, inputs):
        return inputs

    def predict(self, inputs):
        texts = [text for each in inputs for text in each]
        scores = self.model.score_by_length(self.model.read(texts), most=8)
        named = iter(self.model.named(scores))
        return [[next(named) for _ in each] for each in inputs]

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"data": output}


if __name__ == "__main__":
    api = Classify(
        max_batch_size=int(os.getenv("PEER_BATCH", "16")),
        batch_timeout=float(os.getenv("PEER_TIMEOUT", "0.002")),
    )
    server = litserve.LitServer(
        api,
        accelerator="cpu",
        workers_per_device=len(os.sched_getaffinity(0)),
        fast_queue=os.getenv("PEER_FAST_QUEUE", "1") == "1",
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PEER_PORT"]),
        generate_client_file=False,
        log_level="warning",
        num_api_servers=1,
    )
