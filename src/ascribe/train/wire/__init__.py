"""Generated from `proto/telemetry/v1/telemetry.proto` by `make proto`; never edited."""
