"""Benchmarks of throughput and latency, relative to Temporal alone. They assert nothing."""
