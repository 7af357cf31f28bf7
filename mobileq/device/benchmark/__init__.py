"""Benchmark programs that a person has: what each is asked, and what it says."""
