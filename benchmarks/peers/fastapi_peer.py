"""FastAPI with shap, as people write it: pydantic in and out, uvicorn with its fast loop and parser."""

import os
import sys

import numpy as np
import onnxruntime
import shap
import uvicorn
import xgboost
from fastapi import FastAPI
from pydantic import BaseModel

port, path, background = int(sys.argv[1]), os.environ["MODEL_ONNX"], np.load(os.environ["ROWS_NPY"])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options)
TREES = 400  # of the same depth as the model's


def f(X):
    return session.run(None, {"x": np.asarray(X, np.float32)})[0].ravel()


kernel = shap.KernelExplainer(f, background[:100])
learnt = xgboost.XGBRegressor(n_estimators=TREES, max_depth=6, learning_rate=0.05, n_jobs=1).fit(
    background, f(background)
)
trees = shap.TreeExplainer(learnt)
app = FastAPI()


class Rows(BaseModel):
    rows: list[list[float]]


class Predictions(BaseModel):
    predictions: list[float]


class Explanations(BaseModel):
    base_value: float
    values: list[list[float]]


@app.post("/predict")
def predict(asked: Rows) -> Predictions:
    return Predictions(predictions=f(asked.rows).tolist())


@app.post("/explain_kernel")
def explain_kernel(asked: Rows) -> Explanations:
    values = kernel.shap_values(np.asarray(asked.rows), silent=True)
    return Explanations(base_value=float(kernel.expected_value), values=values.tolist())


@app.post("/explain_trees")
def explain_trees(asked: Rows) -> Explanations:
    values = trees.shap_values(np.asarray(asked.rows))
    return Explanations(base_value=float(np.ravel(trees.expected_value)[0]), values=values.tolist())


uvicorn.run(app, port=port, log_level="warning")
