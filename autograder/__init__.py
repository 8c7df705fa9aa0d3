"""The instructor's side: exercise definitions, the build, grading. Nothing here is ever given to students."""

import sys

# jsonschema imports this grammar for one optional check of web addresses, which no notebook schema asks for; compiling
# it took more than half of the time that a command needed to start. None makes the import fail, and jsonschema goes on.
sys.modules.setdefault("rfc3987_syntax", None)
