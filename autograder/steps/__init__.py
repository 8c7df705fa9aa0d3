"""Our steps in nbgrader's three conversions: release, restoring a submission, grading it."""
