"""Runs what was exported, as text, on the container engine of this machine: a cluster's work without a cluster.

rehearsal.py   what is asked for, and what came of it; which function does it is said by the target
in_pods.py     what all targets with pods have in common
manifests.py   the objects of an export, and what they name in one another
given.py       what a cluster would give: keys of Secrets, and who a pod is
text.py        what is filled in: `$(NAME)` of Kubernetes, `{{ }}` of Argo
container.py   one container, as a manifest has it
pod.py         init containers in turn, sidecars, and what they are there for
kubernetes.py  a Job: pods until one succeeds
depends.py     whether a task of Argo may start
argo.py        a workflow: a DAG of pods
comparing.py   what the text did, beside what the plan would have done

It reads the text and nothing else: what a plan says and the text has lost is found out here. What it does not know of a
manifest is an error, never passed over.
"""

from __future__ import annotations

from windlass.rehearsing.rehearsal import Rehearsal, RehearsalRequest, Rehearse, rehearse

__all__ = ["Rehearsal", "RehearsalRequest", "Rehearse", "rehearse"]
