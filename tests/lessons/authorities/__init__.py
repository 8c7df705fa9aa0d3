"""The references held against outside implementations, a file for each lesson."""
