"""Kubernetes: a CronJob for each pipeline, or a Job for one that runs once, as plain YAML and as a Kustomize base.

target.py   renders the files
cron_job.py the objects of one pipeline
chart.py    the same objects as a Helm chart
checking.py what a CronJob cannot express
"""
