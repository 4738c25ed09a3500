"""Units as containers of an engine that speaks Docker's API: Docker, Podman, Colima and their like.

engine.py      which engine there is, and what it says when something goes wrong
runtime.py     what a container is made of, and where it finds what this machine reaches
images.py      images: pulled, or built by the engine out of a step's folder
execution.py   a container that runs: its output, its end
doors.py       how a container reaches what listens on this machine's loopback
leftovers.py   removes containers whose run is gone
host_paths.py  where windlass is itself, seen by the engine: maybe in a container
probing.py     whether containers see a folder, for `windlass doctor`
"""
