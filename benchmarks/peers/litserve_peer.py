"""LitServe: one worker process behind its FastAPI door."""

import os
import sys

import litserve
import numpy as np
import onnxruntime

port, path = int(sys.argv[1]), os.environ["MODEL_ONNX"]


class Predict(litserve.LitAPI):
    def setup(self, device):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options)

    def decode_request(self, request):
        return np.asarray(request["rows"], np.float32)

    def predict(self, x):
        return self.session.run(None, {"x": x})[0].ravel()

    def encode_response(self, output):
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Predict(), accelerator="cpu", workers_per_device=1)
    server.run(port=port, host="127.0.0.1", num_api_servers=1, log_level="warning", generate_client_file=False)
