"""LitServe as its documentation begins: one worker, batches as they come, all left at default."""

import os

import litserve
from onnx_model import OnnxModel


class Classify(litserve.LitAPI):
    def setup(self, device):
        self.model = OnnxModel()

    def decode_request(self, request):
        return request["texts"]

    def batch(self, inputs):
        return inputs

    def predict(self, inputs):
        texts = [text for each in inputs for text in each]
        named = iter(self.model.named(self.model.score(self.model.read(texts))))
        return [[next(named) for _ in each] for each in inputs]

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"data": output}


if __name__ == "__main__":
    api = Classify(max_batch_size=32, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PEER_PORT"]),
        generate_client_file=False,
        log_level="warning",
    )
