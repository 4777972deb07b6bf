"""Benchmarks of speed and quality; they drive the product as its users do and write their figures as JSON."""
