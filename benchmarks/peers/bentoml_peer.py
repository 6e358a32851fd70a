"""BentoML: one service, one worker, lists of numbers in and out. Run directly, it serves itself."""

import os
import sys

import bentoml
import numpy as np
import onnxruntime


@bentoml.service(workers=1)
class Predict:
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL_ONNX"], options)

    @bentoml.api
    def predict(self, rows: list[list[float]]) -> list[float]:
        return self.session.run(None, {"x": np.asarray(rows, np.float32)})[0].ravel().tolist()


if __name__ == "__main__":
    here, port = os.path.abspath(__file__), sys.argv[1]
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    command = [sys.executable, "-m", "bentoml", "serve", "bentoml_peer:Predict", "--host", "127.0.0.1"]
    os.execv(sys.executable, [*command, "--port", port, "--working-dir", os.path.dirname(here)])
