"""What stores of objects have in common: which of them a path is in, the keys of a connection, and a folder as stand-in.

where.py         the store and key that a path means
options.py       the keys of connections and ends
silence.py       when a writer is gone
folder.py        a store in a folder of this machine
dev_service.py   that folder, for a connection that is not configured
"""
