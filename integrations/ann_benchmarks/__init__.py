"""Proxime in ann-benchmarks."""
