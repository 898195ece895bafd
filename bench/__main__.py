"""Run all benchmarks."""

from bench.lifecycles import main

main()
