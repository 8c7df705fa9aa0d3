"""Steps of generate_assignment: what stands where a solution stood, and the stamp by which the build knows its work."""

from __future__ import annotations

from nbgrader import preprocessors

from course.handout import stamped


class ClearSolutions(preprocessors.ClearSolutions):
    """nbgrader's, except that an answer cell of a check question gets its own stub (`why_scale = None`)."""

    def preprocess_cell(self, cell, resources, cell_index):
        """Clear one cell."""
        stub = cell.metadata.pop("course", {}).get("stub")
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        if stub:
            cell.source = stub
        return cell, resources


class Stamp(preprocessors.NbGraderPreprocessor):
    """Write the notebook's digest into its metadata."""

    def preprocess(self, nb, resources):
        """Stamp the notebook."""
        return stamped(nb), resources
