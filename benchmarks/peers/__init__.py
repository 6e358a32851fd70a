"""Other Python servers with the same model behind them, each a few lines as its own pages write it, in an environment
of its own under .cache/peers. Every file here but `installed` runs there: `python FILE PORT`, with the paths of a graph
and of rows in the environment as MODEL_ONNX and ROWS_NPY.
"""
