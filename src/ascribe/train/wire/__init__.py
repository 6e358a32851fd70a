"""Generated from `proto/telemetry/v1/telemetry.proto` and `proto/fate/v1/fate.proto` by `make proto`; never edited."""
