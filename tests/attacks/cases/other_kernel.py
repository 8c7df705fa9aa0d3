"""Tries: kernel and language metadata that would start a shell or load a lexer from a path. Must: earn nothing."""

KIND = "Notebook metadata and cells"


def tamper(notebook):
    notebook.metadata.kernelspec = {
        "name": "bash; touch {{COURSE}}/kernel", "display_name": "<script>alert(1)</script>",
        "language": "../../bin/sh",
        "argv": ["touch", "/tmp/kernel"],
    }  # fmt: skip
    notebook.metadata.language_info = {
        "name": "bash", "pygments_lexer": "../../../tmp/evil", "codemirror_mode": {"name": "x"}, "file_extension": ".sh"
    }  # fmt: skip
