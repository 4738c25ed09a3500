"""Argo Workflows: a CronWorkflow for each pipeline, or what is submitted by hand, in which each task is a pod.

target.py   renders the files
workflow.py the objects of one pipeline
template.py the templates of its tasks
depends.py  trigger rules in Argo's words
backfill.py the runs of a range of dates
failures.py what has failed, for the exit handler
rights.py   what pods may do in the cluster
checking.py what Argo cannot express
"""
