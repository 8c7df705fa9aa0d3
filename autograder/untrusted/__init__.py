"""UNTRUSTED side: what runs in the process that runs students' code.

Only the standard library, `course`, `kernels`, IPython and this package are imported here: whatever this process
holds in its memory or sees of the disk, a student's code can read. The trusted side speaks to it by frames
(`autograder.untrusted.channel`) and believes nothing that it answers.
"""
