"""The images of a project: which there are, and what each is made of. Nothing here asks an engine or a registry.

image.py         which images the plans of a project need
of_project.py    the image of the project itself, with windlass in it
wheel.py         windlass as a wheel, where no index has the one that is here
ignoring.py      what `.dockerignore` leaves of a folder
inputs.py        all that an image is made of, its digest, and what has changed since
dockerfile.py    a Dockerfile, read and completed
generating.py    the Dockerfile of a step that has none
bake.py          how BuildKit is told of images: a bake file, and the files that it is given
lock.py          windlass.lock: the images that were pushed, and the bases by digest
record.py        what was built here, file by file
packages.py      where installers find packages, for a build that must not keep it
"""
