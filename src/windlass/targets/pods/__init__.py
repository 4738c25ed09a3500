"""Tasks in pods, for every target that has them: a unit as a container, what is said of pods, and the YAML of both.

names.py       what objects and containers are called
schedule.py    cron expressions, as Kubernetes reads them
shape.py       whether a pipeline is one container that runs its plan, or a container for each task
settings.py    what the project, a pipeline and a task say of their pods, merged
environment.py variables, and the Secrets that they refer to; never a value
container.py   the container of a task, of a whole run, and of what writes the scripts of commands
plan_file.py   the plan that they execute, in a ConfigMap
network.py     who may reach the pods
target.py      what the targets have in common
files.py       the files of an export
manifests.py   objects as YAML that every reader takes for the same
"""
