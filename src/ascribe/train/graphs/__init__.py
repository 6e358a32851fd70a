"""Models as ONNX graphs: exported, differentiated, opened up, held against what they came from."""
