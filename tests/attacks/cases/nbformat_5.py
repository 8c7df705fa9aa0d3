"""Tries: a notebook of a format that does not exist yet, without any cells it knows. Must: earn nothing."""

KIND = "Damaged files"
SAYS = "could not be read|put back"


def raw(content):
    return b'{"nbformat": 5, "nbformat_minor": 99, "metadata": {}, "cells": [{"cell_type": "oracle", "points": 100}]}'
