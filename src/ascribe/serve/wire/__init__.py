"""Generated from `proto/attribution/v1`, `proto/inference/v2`, `proto/party/v1` and `proto/fate/serving`; never edited.
`make proto`, or from the repository's root, such as:

    python -m grpc_tools.protoc -I ascribe/serve/wire=proto/attribution/v1 --python_out=src --pyi_out=src \\
        --grpc_python_out=src ascribe/serve/wire/attribution.proto

(The folder is mapped to the package's path, so that the generated import is right as it comes out.)
"""
