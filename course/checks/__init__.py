"""The visible half of the checks: scripts, the runner, comparison, judging, and the golden data of every lesson."""
