"""The multiplication laboratory: model, text, training."""
