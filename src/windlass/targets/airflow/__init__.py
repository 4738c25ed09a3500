"""Airflow: a fixed loader, copied as it is, and the project's plans beside it.

target.py      renders both
containers.py  what the loader is told of images, containers and pods
loader/        what runs inside Airflow; nothing of windlass imports it
"""
