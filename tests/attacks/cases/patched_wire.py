"""Tries: the wire format replaced by one that encodes everything as passed. Must: earn nothing."""

KIND = "The judge's own code"
SETUP = """
from course.checks import wire
encode = wire.encode
wire.encode = lambda value: encode({"outcomes": [{"value": True, "changed": [], "passed": True}], "points": 99})
"""
SAYS = "should be|wrong value|should be one letter"
