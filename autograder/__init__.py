"""The instructor's side: exercise definitions, the build, grading. Nothing here is ever given to students."""
