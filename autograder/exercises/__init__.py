"""Exercise definitions, one module per lesson; found by id through `autograder.exercise.find`."""
