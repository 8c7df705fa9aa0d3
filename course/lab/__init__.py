"""The multiplication laboratory: one decoder, its text, its training. Modules m18 to m21 work with it."""
