"""Tests of the audit: of the mutants, of what it counts, and that it would notice a weak grader."""
