"""Tries: two lists of cells in one file, solved ones for one reader and none for another. Must: be read once."""

KIND = "Damaged files"


def raw(content):
    return content.replace(b'{\n "cells"', b'{\n "cells": [], "cells"', 1).rstrip()[:-1] + b', "cells": []}'
