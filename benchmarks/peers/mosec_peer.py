"""mosec: a server in Rust before a worker in Python, JSON."""

import os
import sys

import numpy as np
import onnxruntime
from mosec import Server, Worker

path = os.environ["MODEL_ONNX"]
if len(sys.argv) == 2:  # its workers start this file again, with other words
    port = sys.argv[1]
    sys.argv = [sys.argv[0], "--port", port, "--address", "127.0.0.1", "--log-level", "warning"]


class Predict(Worker):
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options)

    def forward(self, data):
        X = np.asarray(data["rows"], np.float32)
        return {"predictions": self.session.run(None, {"x": X})[0].ravel().tolist()}


if __name__ == "__main__":
    server = Server()
    server.append_worker(Predict, num=1)
    server.run()
