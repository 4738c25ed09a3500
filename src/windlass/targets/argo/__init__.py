"""Argo Workflows: a WorkflowTemplate for each pipeline, in which each task is a pod, and a CronWorkflow that submits it.

target.py   renders the files
workflow.py the objects of one pipeline
template.py the templates of its tasks
depends.py  trigger rules in Argo's words
checking.py what Argo cannot express
"""
