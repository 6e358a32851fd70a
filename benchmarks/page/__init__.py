"""What pages say of measurements, written from the raw results: python -m benchmarks.page"""
