"""MLServer: a runtime of its own kind in the server's process, asked by the open inference protocol."""

import asyncio
import os
import socket
import sys

import numpy as np
import onnxruntime
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

port, path = int(sys.argv[1]), os.environ["MODEL_ONNX"]


class Predict(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        X = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        found = self.session.run(None, {"x": X})[0].reshape(-1, 1).astype(float)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("prediction", found)])


async def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        other = probe.getsockname()[1]
    settings = Settings(
        http_port=port, grpc_port=other, host="127.0.0.1", metrics_endpoint=None, parallel_workers=0,
        load_models_at_startup=False, use_structured_logging=False, debug=False,
    )  # fmt: skip
    server = MLServer(settings)
    await server.start([ModelSettings(name="m", implementation=Predict)])


asyncio.run(main())
