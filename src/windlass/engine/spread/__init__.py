"""One copy, spread over the machines of an engine: each copies pieces of the files, and the copy commits them together.

    given_files.py  the files of the source, on a disk that all machines have or in a store
    pieces.py       which pieces there are: files, parts of large ones
    scanning.py     where records begin in large files
    desk.py         what the process of the task and the machines share: a folder, or a prefix
    worker.py       what is done on a machine: a piece is a copy like any other, into a folder of its own
    spreading.py    the copy as a whole: hands pieces out, adds up, and takes what they have written

What is not at the desk when the copy commits was never written: its folder, or its uploads, are those of the load.
"""
