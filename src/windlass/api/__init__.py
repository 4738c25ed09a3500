"""What Python users call, and what the command line stands on: `windlass.copy`, `windlass.run`, `windlass.compile`.

Modules are imported when they are used (`windlass/__init__.py`), so that `import windlass` costs nothing:

copying.py     one copy between two ends    copy_ends.py   the ends, from paths and addresses
running.py     one run of a pipeline        results.py     what a copy and a run give back
planning.py    a project compiled           arguments.py   what several of them are given
"""
